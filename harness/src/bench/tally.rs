//! What came of the requests of one measured window.
//!
//! A closed loop's latency counts from when its client asked; an open loop's from when the request was
//! *due*, whether or not the generator or a client was free to make it then. So a store that stands
//! still for a second is charged with every request that was due in that second ("coordinated
//! omission", Gil Tene).

use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Longest latency that is told apart, in nanoseconds: requests time out long before.
const LATENCY_NS_MAX: u64 = 600_000_000_000;
/// Three digits of every latency are right.
const DIGITS: u8 = 3;

/// For latencies in nanoseconds.
///
/// # Panics
/// Never: the bounds are constants that the histogram takes.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, DIGITS).expect("bounds that a histogram can have")
}

/// What a request was.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Kind {
    /// A write.
    Put,
    /// A linearizable read.
    Get,
}

/// The measured part of a drive.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Window {
    /// It begins; before it everything warms up.
    pub begin: Instant,
    /// It ends.
    pub end: Instant,
}

impl Window {
    fn holds(&self, at: Instant) -> bool {
        (self.begin..self.end).contains(&at)
    }

    /// Its length.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.end - self.begin
    }
}

/// When a request was to start.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Start {
    /// As soon as its client was free: a request counts if it *ended* in the window.
    Free(Instant),
    /// At a given time: a request counts if it was *due* in the window.
    Due(Instant),
}

/// Counts of one window.
pub struct Tally {
    window: Window,
    puts: Histogram<u64>,
    gets: Histogram<u64>,
    failures: BTreeMap<String, u64>,
    unanswered: u64,
}

/// Quantiles of one kind of request, in microseconds.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Latency {
    /// How many were done.
    pub count: u64,
    /// Half were faster.
    pub us_p50: f64,
    /// Nine in ten were faster.
    pub us_p90: f64,
    /// 99 in 100 were faster.
    pub us_p99: f64,
    /// 999 in 1000 were faster.
    pub us_p999: f64,
    /// The slowest.
    pub us_max: f64,
}

/// What a window came to.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Tallied {
    /// Its length in seconds.
    pub seconds: f64,
    /// Requests done in each second.
    pub per_second: f64,
    /// Writes, if there were any.
    pub puts: Option<Latency>,
    /// Reads, if there were any.
    pub gets: Option<Latency>,
    /// Requests that were refused or lost, by reason.
    pub failures: BTreeMap<String, u64>,
    /// Requests that were due in the window and had no answer when patience ended.
    pub unanswered: u64,
}

impl Tally {
    /// Nothing yet.
    #[must_use]
    pub fn new(window: Window) -> Tally {
        Tally { window, puts: histogram(), gets: histogram(), failures: BTreeMap::new(), unanswered: 0 }
    }

    /// A request has ended at `end`.
    pub fn ended(&mut self, kind: Kind, start: Start, end: Instant, result: Result<(), String>) {
        let (from, counts) = match start {
            Start::Free(from) => (from, self.window.holds(end)),
            Start::Due(due) => (due, self.window.holds(due)),
        };
        if !counts {
            return;
        }
        if let Err(reason) = result {
            *self.failures.entry(reason).or_default() += 1;
            return;
        }
        let latencies = match kind {
            Kind::Put => &mut self.puts,
            Kind::Get => &mut self.gets,
        };
        let nanoseconds = end.saturating_duration_since(from).as_nanos();
        latencies.saturating_record(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
    }

    /// A request was due, and nobody waits for it any more. It took at least until now.
    pub fn given_up(&mut self, kind: Kind, due: Instant, now: Instant) {
        if self.window.holds(due) {
            self.unanswered += 1;
            let latencies = match kind {
                Kind::Put => &mut self.puts,
                Kind::Get => &mut self.gets,
            };
            let nanoseconds = now.saturating_duration_since(due).as_nanos();
            latencies.saturating_record(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        }
    }

    /// What it came to.
    #[must_use]
    pub fn sum(&self) -> Tallied {
        let seconds = self.window.length().as_secs_f64();
        let done = (self.puts.len() + self.gets.len()).saturating_sub(self.unanswered);
        Tallied {
            seconds,
            per_second: done as f64 / seconds,
            puts: latency(&self.puts),
            gets: latency(&self.gets),
            failures: self.failures.clone(),
            unanswered: self.unanswered,
        }
    }
}

fn latency(of: &Histogram<u64>) -> Option<Latency> {
    let us = |quantile| of.value_at_quantile(quantile) as f64 / 1e3;
    (!of.is_empty()).then(|| Latency {
        count: of.len(),
        us_p50: us(0.5),
        us_p90: us(0.9),
        us_p99: us(0.99),
        us_p999: us(0.999),
        us_max: of.max() as f64 / 1e3,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn window() -> Window {
        let begin = Instant::now();
        Window { begin, end: begin + SECOND }
    }

    fn near(found: f64, expected_ms: f64) -> bool {
        (found / 1e3 / expected_ms - 1.0).abs() < 0.002
    }

    /// One request a millisecond, each answered at once, but for a stall of 500 ms in the middle: half
    /// of the requests were due in it, and waited half of it on average. Timed from when they were
    /// sent, a single one of them would show.
    #[test]
    fn a_stall_is_charged_to_every_request_that_was_due_in_it() {
        let window = window();
        let mut tally = Tally::new(window);
        let stall_ends = window.begin + Duration::from_millis(750);
        for ms in 0..1000 {
            let due = window.begin + Duration::from_millis(ms);
            let stalled = (250..750).contains(&ms);
            let end = if stalled { stall_ends } else { due };
            tally.ended(Kind::Put, Start::Due(due), end + Duration::from_millis(1), Ok(()));
        }
        let puts = tally.sum().puts.unwrap();
        assert_eq!(puts.count, 1000);
        assert!(near(puts.us_p50, 1.0), "{puts:?}");
        assert!(near(puts.us_p90, 401.0), "500 of 1000 waited from 2 to 501 ms: {puts:?}");
        assert!(near(puts.us_p99, 491.0), "{puts:?}");
        assert!(near(puts.us_max, 501.0), "{puts:?}");
    }

    #[test]
    fn a_closed_loop_counts_what_ended_in_the_window_and_an_open_one_what_was_due() {
        let window = window();
        let ms = Duration::from_millis;
        let mut tally = Tally::new(window);
        let early = window.begin - ms(5);
        tally.ended(Kind::Put, Start::Free(early), window.begin + ms(5), Ok(()));
        tally.ended(Kind::Get, Start::Free(window.end - ms(5)), window.end + ms(5), Ok(()));
        tally.ended(Kind::Put, Start::Due(early), window.begin + ms(5), Ok(()));
        tally.ended(Kind::Get, Start::Due(window.end - ms(5)), window.end + ms(5), Ok(()));
        let sum = tally.sum();
        assert_eq!((sum.puts.unwrap().count, sum.gets.unwrap().count, sum.per_second), (1, 1, 2.0));
    }

    #[test]
    fn what_was_not_done_is_counted_apart_and_has_no_part_in_the_rate() {
        let window = window();
        let mut tally = Tally::new(window);
        let at = window.begin + SECOND / 2;
        tally.ended(Kind::Put, Start::Free(at), at, Err("overloaded".to_owned()));
        tally.ended(Kind::Put, Start::Free(at), at, Err("overloaded".to_owned()));
        tally.ended(Kind::Put, Start::Free(at), at, Ok(()));
        tally.given_up(Kind::Put, at, at + 3 * SECOND);
        tally.given_up(Kind::Put, window.end, window.end + SECOND);
        let sum = tally.sum();
        assert_eq!(sum.failures, BTreeMap::from([("overloaded".to_owned(), 2)]));
        assert_eq!((sum.unanswered, sum.per_second, sum.gets), (1, 1.0, None));
        let puts = sum.puts.unwrap();
        assert!(near(puts.us_max, 3000.0), "it took three seconds at least: {puts:?}");
    }
}
