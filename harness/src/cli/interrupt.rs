//! Ctrl-C and SIGTERM: the first ends the run in order, the second at once.

use tokio::signal::unix::{SignalKind, signal};

use super::output::remark;
use crate::run::stop::{Stop, StopReason};
use crate::run::verdict::Answer;

/// For commands that leave nothing behind: the first signal ends the program, with this exit code.
pub(super) fn ends_the_program(code: impl Fn() -> u8 + Send + 'static) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        remark("antipaxos: interrupted");
        std::process::exit(i32::from(code()));
    })?;
    Ok(())
}

/// Listens for the whole program.
#[derive(Clone, Debug)]
pub(super) struct Interrupts {
    received: Stop,
}

impl Interrupts {
    /// Starts listening.
    pub(super) fn listen() -> std::io::Result<Interrupts> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let received = Stop::default();
        let told = received.clone();
        tokio::spawn(async move {
            let mut first = true;
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if !first {
                    // The nodes die with this process: the kernel sees to that.
                    remark("antipaxos: aborted");
                    std::process::exit(i32::from(Answer::Unknown.code()));
                }
                first = false;
                remark("antipaxos: interrupted: coming to an end in order (once more to abort at once)");
                told.now(StopReason::Interrupted);
            }
        });
        Ok(Interrupts { received })
    }

    /// A stop for one run, pulled by the signal.
    pub(super) fn stop(&self) -> Stop {
        let stop = Stop::default();
        let (received, told) = (self.received.clone(), stop.clone());
        if received.is_stopped() {
            stop.now(StopReason::Interrupted);
        } else {
            tokio::spawn(async move {
                received.stopped().await;
                told.now(StopReason::Interrupted);
            });
        }
        stop
    }

    /// Whether a signal came.
    pub(super) fn came(&self) -> bool {
        self.received.is_stopped()
    }
}
