//! Waiting until a moment, to some microseconds: the runtime's own timers know milliseconds only, and an
//! open loop whose requests leave a millisecond late would charge that to the store.

use super::BenchError;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};
use tokio::net::unix::pipe::Receiver;

/// A timer of the kernel's.
pub(super) struct Pacer {
    timer: TimerFd,
    /// The same timer, as the runtime waits for it: to it all that can be read is alike.
    expiries: Receiver,
}

impl Pacer {
    /// To be made within a runtime.
    pub(super) fn new() -> Result<Pacer, BenchError> {
        let made = || -> io::Result<Pacer> {
            let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
            let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
            let again = File::from(timer.as_fd().try_clone_to_owned()?);
            Ok(Pacer { timer, expiries: Receiver::from_file_unchecked(again)? })
        };
        made().map_err(|error| BenchError::new("cannot make a timer", error))
    }

    /// Returns at `at` or shortly after it.
    pub(super) async fn until(&mut self, at: Instant) -> Result<(), BenchError> {
        self.wait(at).await.map_err(|error| BenchError::new("cannot wait for a timer", error))
    }

    async fn wait(&mut self, at: Instant) -> io::Result<()> {
        loop {
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            // Zero would disarm it.
            let wait = TimeSpec::from_duration(left.max(Duration::from_nanos(1)));
            self.timer.set(Expiration::OneShot(wait), TimerSetTimeFlags::empty())?;
            self.expiries.readable().await?;
            // Whatever this was, the clock decides; what is read is how often it expired.
            match self.expiries.try_read(&mut [0; 8]) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_never_early() {
        let mut pacer = Pacer::new().unwrap();
        for us in [0, 50, 300, 2_000] {
            let at = Instant::now() + Duration::from_micros(us);
            pacer.until(at).await.unwrap();
            assert!(Instant::now() >= at);
        }
    }
}
