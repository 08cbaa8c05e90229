//! Why a run ends before its time, and how everybody hears of it.

use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Why a run is cut short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Ctrl-C, or SIGTERM.
    Interrupted,
    /// Something is wrong with the system under test already: more load would only bury it.
    Violation(String),
    /// The run can show nothing, for all that is known by no fault of the system's: too slow a machine, or
    /// too little was asked.
    Weak(String),
    /// The harness can't go on.
    Broken(String),
}

/// Tells everybody. The first reason stays.
#[derive(Clone, Debug)]
pub struct Stop {
    sender: watch::Sender<Option<StopReason>>,
}

impl Default for Stop {
    fn default() -> Self {
        Stop { sender: watch::Sender::new(None) }
    }
}

impl Stop {
    /// Stops the run, unless it was stopped already.
    pub fn now(&self, reason: StopReason) {
        self.sender.send_if_modified(|stopped| {
            let first = stopped.is_none();
            if first {
                *stopped = Some(reason);
            }
            first
        });
    }

    /// Why the run was stopped, if it was.
    pub fn reason(&self) -> Option<StopReason> {
        self.sender.borrow().clone()
    }

    /// Whether it was.
    pub fn is_stopped(&self) -> bool {
        self.sender.borrow().is_some()
    }

    /// Waits until it is.
    pub async fn stopped(&self) {
        let mut receiver = self.sender.subscribe();
        // The sender lives as long as `self`.
        let _ = receiver.wait_for(Option::is_some).await;
    }

    /// Waits for a moment, or less if the run is stopped: says whether the moment came.
    pub async fn sleep_until(&self, moment: Instant) -> bool {
        tokio::select! {
            biased;
            () = self.stopped() => false,
            () = tokio::time::sleep_until(moment.into()) => true,
        }
    }

    /// The same for a length of time.
    pub async fn sleep(&self, length: Duration) -> bool {
        self.sleep_until(Instant::now() + length).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_stays_and_ends_every_wait() {
        let stop = Stop::default();
        assert!(stop.sleep(Duration::ZERO).await);
        stop.now(StopReason::Violation("lost".to_owned()));
        stop.now(StopReason::Interrupted);
        assert_eq!(stop.reason(), Some(StopReason::Violation("lost".to_owned())));
        assert!(!stop.sleep(Duration::from_secs(3600)).await);
        stop.stopped().await;
    }
}
