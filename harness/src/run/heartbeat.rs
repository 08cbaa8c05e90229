//! The harness watches itself: a thread and a task of the runtime that want to wake every ten
//! milliseconds, and write down when they could not.
//!
//! A starved harness blames the cluster for its own pauses (false alarms of other benches came
//! from exactly that). Stalls are reported, and excuse a liveness deadline that they ate. The
//! thread finds a machine that stands still; the task finds a runtime that somebody blocks.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    pulses: Vec<Arc<Mutex<Pulse>>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    task: Option<tokio::task::JoinHandle<()>>,
}

/// What one of those that want to wake has seen.
struct Pulse {
    last: Instant,
    stalls: Vec<Stall>,
}

impl Pulse {
    fn start() -> Arc<Mutex<Pulse>> {
        Arc::new(Mutex::new(Pulse { last: Instant::now(), stalls: Vec::new() }))
    }

    fn beat(&mut self, now: Instant) {
        if let Some(stall) = stall_between(self.last, now)
            && self.stalls.len() < STALLS_MAX
        {
            self.stalls.push(stall);
        }
        self.last = now;
    }

    /// The stalls so far, with the one that may not be over: whoever wakes first after a stall
    /// must not find it missing.
    fn stalls(&self, now: Instant) -> impl Iterator<Item = Stall> {
        self.stalls.iter().copied().chain(stall_between(self.last, now))
    }
}

impl Heartbeat {
    /// Starts the thread, and the task if there is a runtime here.
    pub fn start() -> std::io::Result<Heartbeat> {
        let (stop, stopped) = channel::<()>();
        let pulse = Pulse::start();
        let shared = Arc::clone(&pulse);
        let thread = std::thread::Builder::new().name("heartbeat".to_owned()).spawn(move || {
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                lock(&shared).beat(Instant::now());
            }
        })?;
        let mut heartbeat =
            Heartbeat { pulses: vec![pulse], stop: Some(stop), thread: Some(thread), task: None };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let pulse = Pulse::start();
            heartbeat.pulses.push(Arc::clone(&pulse));
            heartbeat.task = Some(runtime.spawn(async move {
                loop {
                    tokio::time::sleep(BEAT).await;
                    lock(&pulse).beat(Instant::now());
                }
            }));
        }
        Ok(heartbeat)
    }

    /// The stalls so far, in order; what the thread and the task both saw counts once.
    pub fn stalls(&self) -> Vec<Stall> {
        let now = Instant::now();
        merged(self.pulses.iter().flat_map(|pulse| lock(pulse).stalls(now).collect::<Vec<_>>()).collect())
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
        if let Some(task) = self.task.take() {
            task.abort();
        }
        if let Some(thread) = self.thread.take() {
            // It holds nothing that a panic in it could have broken.
            let _ = thread.join();
        }
    }
}

fn lock(pulse: &Mutex<Pulse>) -> MutexGuard<'_, Pulse> {
    pulse.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stalls that overlap, as one.
fn merged(mut stalls: Vec<Stall>) -> Vec<Stall> {
    stalls.sort_by_key(|stall| stall.since);
    let mut merged: Vec<Stall> = Vec::new();
    for stall in stalls {
        match merged.last_mut() {
            Some(last) if stall.since <= last.since + last.length => {
                let end = (last.since + last.length).max(stall.since + stall.length);
                last.length = end.duration_since(last.since);
            }
            _ => merged.push(stall),
        }
    }
    merged
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
    fn what_two_saw_counts_once() {
        let start = Instant::now();
        let stall = |since_ms, length_ms| Stall {
            since: start + Duration::from_millis(since_ms),
            length: Duration::from_millis(length_ms),
        };
        assert_eq!(
            merged(vec![stall(5_000, 300), stall(0, 1_000), stall(900, 600), stall(100, 500)]),
            [stall(0, 1_500), stall(5_000, 300)]
        );
    }

    #[tokio::test]
    async fn a_runtime_that_somebody_blocks_is_a_stall() {
        let heartbeat = Heartbeat::start().expect("a thread");
        let began = Instant::now();
        // The blockage itself, not a wait for anything.
        std::thread::sleep(STALL_MIN * 2);
        assert!(heartbeat.lost_since(began) >= STALL_MIN);
    }

    #[test]
    fn it_stops_when_dropped() {
        let heartbeat = Heartbeat::start().expect("a thread");
        drop(heartbeat);
    }
}
