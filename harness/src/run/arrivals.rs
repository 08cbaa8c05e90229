//! When the next operation is due: the open loop's clock, pure.
//!
//! Under an open loop operations arrive whether or not the system keeps up, and each is timed
//! from the moment it *should* have started; a stall then shows as latency instead of hiding as
//! a lower rate ("coordinated omission"). What waits for a free process is bounded: an arrival
//! that finds the backlog full is counted as lost, and the report says so.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How much of a stall the backlog holds, in seconds of arrivals. Longer stalls are outages, and
/// bursts beyond that would only measure the burst.
pub const BACKLOG_SECONDS_MAX: f64 = 1.0;

/// Arrival times at a mean rate, each gap drawn evenly from nothing to twice the mean, as
/// Jepsen's `stagger` does: bursts and lulls, but no drift.
#[derive(Clone, Debug)]
pub struct Arrivals {
    rng: ChaCha8Rng,
    gap_mean_ns: f64,
    next_ns: f64,
}

impl Arrivals {
    /// Arrivals from `start_ns` on, `per_second` of them on average.
    pub fn new(seed: u64, per_second: f64, start_ns: u64) -> Arrivals {
        assert!(per_second > 0.0 && per_second.is_finite(), "a rate is positive");
        Arrivals {
            rng: ChaCha8Rng::seed_from_u64(seed),
            gap_mean_ns: 1e9 / per_second,
            next_ns: start_ns as f64,
        }
    }

    /// When the next one is due.
    pub fn next_ns(&self) -> u64 {
        self.next_ns as u64
    }

    /// Takes the next one if it is due: its intended time.
    pub fn take_due(&mut self, now_ns: u64) -> Option<u64> {
        let due = self.next_ns();
        if due > now_ns {
            return None;
        }
        self.next_ns += self.gap_mean_ns * self.rng.random_range(0.0..2.0);
        Some(due)
    }

    /// Arrivals that may wait for a free process at this rate.
    pub fn backlog_max(per_second: f64) -> usize {
        ((per_second * BACKLOG_SECONDS_MAX).ceil() as usize).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_keep_their_rate_and_order_and_repeat() {
        let all = |seed| {
            let mut arrivals = Arrivals::new(seed, 500.0, 1_000);
            std::iter::from_fn(move || arrivals.take_due(10_000_001_000)).collect::<Vec<_>>()
        };
        let times = all(1);
        assert!((4_800..5_200).contains(&times.len()), "ten seconds at 500/s gave {}", times.len());
        assert!(times.is_sorted());
        assert_eq!(times[0], 1_000);
        assert_eq!(times, all(1));
        assert_ne!(times, all(2));
    }

    #[test]
    fn nothing_arrives_early_and_a_late_look_finds_everything_due() {
        let mut arrivals = Arrivals::new(3, 10.0, 0);
        assert_eq!(arrivals.take_due(0), Some(0));
        let next = arrivals.next_ns();
        assert_eq!(arrivals.take_due(next - 1), None);
        // The process that looks was frozen for three seconds: every intended time is still told.
        let mut late = Vec::new();
        while let Some(due) = arrivals.take_due(3_000_000_000) {
            late.push(due);
        }
        assert_eq!(late[0], next);
        assert!((20..45).contains(&late.len()), "{}", late.len());
    }
}
