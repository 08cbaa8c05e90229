//! What the node tells people: lines on stderr, each with the time and the node.
//!
//! Milestones only: what it is, what it found on its disk, who leads, who was refused. A stranger
//! on a socket must not be able to fill the disk with complaints, hence [`Throttle`].

use super::failure;
use crate::paxos::NodeId;
use std::fmt;
use std::io::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Writes one line. A node whose stderr is gone goes on without.
pub fn say(node: NodeId, text: impl fmt::Display) {
    let line = format!("{} {node} {text}\n", Timestamp::now());
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// Writes the line that explains the end.
pub fn say_fatal(text: impl fmt::Display) {
    let line = format!("{} FATAL: {text}\n", Timestamp::now());
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// From now on a panic on any thread ends the process: a node that has lost its log thread, say,
/// but still answers its peers would be worse than a dead one.
pub fn exit_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        say_fatal(format_args!("a bug: {}", panic.to_string().replace('\n', " ")));
        std::process::exit(i32::from(failure::INTERNAL));
    }));
}

/// Lets a line through now and then, and says how many it swallowed.
#[derive(Debug)]
pub(super) struct Throttle {
    state: Mutex<(Option<Instant>, u64)>,
}

/// At most one line of a kind in this time.
const QUIET: Duration = Duration::from_secs(1);

impl Throttle {
    pub(super) fn new() -> Throttle {
        Throttle { state: Mutex::new((None, 0)) }
    }

    pub(super) fn say(&self, node: NodeId, text: impl fmt::Display) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = Instant::now();
        if state.0.is_some_and(|last| now.duration_since(last) < QUIET) {
            state.1 += 1;
            return;
        }
        let swallowed = std::mem::take(&mut state.1);
        state.0 = Some(now);
        drop(state);
        match swallowed {
            0 => say(node, text),
            count => say(node, format_args!("{text} ({count} more like this since the last line)")),
        }
    }
}

/// A moment in UTC, as RFC 3339 with milliseconds.
struct Timestamp(Duration);

impl Timestamp {
    fn now() -> Timestamp {
        Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.as_secs(), self.0.subsec_millis());
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// Year, month and day of a day counted from 1970-01-01 (Hinnant, "chrono-compatible low-level
/// date algorithms": years begin in March, so that the leap day comes last).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(11_017), (2000, 3, 1));
        assert_eq!(civil(20_818), (2026, 12, 31));
        assert_eq!(Timestamp(Duration::from_millis(86_399_007)).to_string(), "1970-01-01T23:59:59.007Z");
    }
}
