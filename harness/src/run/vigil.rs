//! Watches, while faults last, whether a cluster that still can makes progress. Pure: whoever calls it
//! gives the time and the counts, and marks where counting begins.

use std::time::Duration;

use super::liveness::{GET_OVER, WINDOW_MIN, WINDOW_OPS_MIN, Window};
use super::score::SinceMark;

/// One stretch during which what is done to the cluster does not change.
#[derive(Debug, Default)]
pub struct Vigil {
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    faults: String,
    since: Duration,
    /// Since when operations count: the cluster had time to get over it.
    marked: Option<Duration>,
}

impl Vigil {
    /// What is done to the cluster has changed: closes the window, and opens another if progress may
    /// be demanded of it as it is now (`faults`: what is in force, for people). Gives the closed one
    /// if it was long enough to mean something.
    pub fn turn(&mut self, now: Duration, counted: SinceMark, faults: Option<String>) -> Option<Window> {
        let closed = self.open.take().and_then(|open| open.close(now, counted));
        self.open = faults.map(|faults| Open { faults, since: now, marked: None });
        closed
    }

    /// To be called now and then: whether the cluster has had its time, and counting begins now.
    #[must_use]
    pub fn begins_counting(&mut self, now: Duration) -> bool {
        match &mut self.open {
            Some(open) if open.marked.is_none() && now >= open.since + GET_OVER => {
                open.marked = Some(now);
                true
            }
            _ => false,
        }
    }
}

impl Open {
    fn close(self, now: Duration, counted: SinceMark) -> Option<Window> {
        let length = now.saturating_sub(self.marked?);
        // A short window, or one in which hardly anybody asked, proves nothing.
        if length < WINDOW_MIN || counted.finished < WINDOW_OPS_MIN {
            return None;
        }
        let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        Some(Window { faults: self.faults, millis, ok: counted.ok })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STUCK: SinceMark = SinceMark { finished: WINDOW_OPS_MIN, ok: 0 };

    fn watched(for_so_long: Duration, counted: SinceMark) -> Option<Window> {
        let mut vigil = Vigil::default();
        assert_eq!(vigil.turn(Duration::ZERO, STUCK, Some("n1 killed".to_owned())), None);
        assert!(!vigil.begins_counting(GET_OVER / 2), "it had no time yet");
        assert!(vigil.begins_counting(GET_OVER));
        assert!(!vigil.begins_counting(GET_OVER * 2), "once is enough");
        vigil.turn(GET_OVER + for_so_long, counted, None)
    }

    #[test]
    fn a_window_that_was_long_enough_is_told() {
        let window = watched(WINDOW_MIN, STUCK).expect("long enough");
        assert_eq!(window.stuck(), "no operation succeeded in 2000 ms long into n1 killed");
    }

    #[test]
    fn a_short_one_or_one_in_which_nobody_asked_proves_nothing() {
        assert_eq!(watched(WINDOW_MIN / 2, STUCK), None);
        assert_eq!(watched(WINDOW_MIN, SinceMark::default()), None);
        let mut vigil = Vigil::default();
        assert_eq!(vigil.turn(Duration::ZERO, STUCK, None), None);
        assert!(!vigil.begins_counting(GET_OVER), "nothing is demanded");
    }
}
