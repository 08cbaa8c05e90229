//! Watches, while faults last, whether a cluster that still can makes progress.

use std::time::{Duration, Instant};

use super::liveness::{GET_OVER, WINDOW_MIN, WINDOW_OPS_MIN, Window};
use super::recorder::Recorder;

/// One stretch during which what is done to the cluster does not change.
#[derive(Debug, Default)]
pub struct Vigil {
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    faults: String,
    since: Instant,
    /// Since when operations count: the cluster had time to get over it.
    marked: Option<Instant>,
}

impl Vigil {
    /// What is done to the cluster has changed: closes the window, and opens another if progress may
    /// be demanded of it as it is now (`faults`: what is in force, for people). Gives the closed one
    /// if it was long enough to mean something.
    pub fn turn(&mut self, recorder: &Recorder, faults: Option<String>) -> Option<Window> {
        let closed = self.open.take().and_then(|open| open.close(recorder));
        self.open = faults.map(|faults| Open { faults, since: Instant::now(), marked: None });
        closed
    }

    /// To be called now and then: counting begins when the cluster has had its time.
    pub fn look(&mut self, recorder: &Recorder) {
        if let Some(open) = &mut self.open
            && open.marked.is_none()
            && open.since.elapsed() >= GET_OVER
        {
            recorder.mark();
            open.marked = Some(Instant::now());
        }
    }
}

impl Open {
    fn close(self, recorder: &Recorder) -> Option<Window> {
        let length: Duration = self.marked?.elapsed();
        // A short window, or one in which hardly anybody asked, proves nothing.
        if length < WINDOW_MIN || recorder.finished_since_mark() < WINDOW_OPS_MIN {
            return None;
        }
        let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        Some(Window { faults: self.faults, millis, ok: recorder.ok_since_mark() })
    }
}
