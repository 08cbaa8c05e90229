//! The harness watches itself: a thread that wants to wake every ten milliseconds, and writes
//! down when it could not.
//!
//! A starved harness blames the cluster for its own pauses (false alarms of other benches came
//! from exactly that). Stalls are reported, and excuse a liveness deadline that they ate.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it wants to wake.
pub const BEAT: Duration = Duration::from_millis(10);
/// A gap beyond this is a stall of the harness (or of the whole machine).
pub const STALL_MIN: Duration = Duration::from_millis(250);
/// Stalls kept: beyond that many the machine is hopeless, and a count says it.
const STALLS_MAX: usize = 1_000;

/// One gap in the heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// When it should have woken.
    pub since: Instant,
    /// How much later it did.
    pub length: Duration,
}

/// A running heartbeat; stops when dropped.
pub struct Heartbeat {
    stalls: Arc<Mutex<Vec<Stall>>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    /// Starts the thread.
    pub fn start() -> std::io::Result<Heartbeat> {
        let stalls = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = channel::<()>();
        let shared = Arc::clone(&stalls);
        let thread = std::thread::Builder::new().name("heartbeat".to_owned()).spawn(move || {
            let mut last = Instant::now();
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                let now = Instant::now();
                if let Some(stall) = stall_between(last, now) {
                    let mut stalls = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    if stalls.len() < STALLS_MAX {
                        stalls.push(stall);
                    }
                }
                last = now;
            }
        })?;
        Ok(Heartbeat { stalls, stop: Some(stop), thread: Some(thread) })
    }

    /// The stalls so far.
    pub fn stalls(&self) -> Vec<Stall> {
        self.stalls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Time lost to stalls since an instant.
    pub fn lost_since(&self, since: Instant) -> Duration {
        self.stalls()
            .iter()
            .filter(|stall| stall.since + stall.length > since)
            .map(|stall| stall.length)
            .sum()
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It holds nothing that a panic in it could have broken.
            let _ = thread.join();
        }
    }
}

fn stall_between(last: Instant, now: Instant) -> Option<Stall> {
    let length = now.saturating_duration_since(last).saturating_sub(BEAT);
    (length > STALL_MIN).then(|| Stall { since: last + BEAT, length })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_long_gap_is_a_stall() {
        let last = Instant::now();
        assert_eq!(stall_between(last, last + BEAT + STALL_MIN), None);
        let stall = stall_between(last, last + Duration::from_secs(1)).expect("a second is a stall");
        assert_eq!((stall.since, stall.length), (last + BEAT, Duration::from_millis(990)));
        assert_eq!(stall_between(last, last), None);
    }

    #[test]
    fn it_stops_when_dropped() {
        let heartbeat = Heartbeat::start().expect("a thread");
        drop(heartbeat);
    }
}
