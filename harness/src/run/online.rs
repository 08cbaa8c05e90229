//! Judging while the run goes on: a prefix of a history is a history.
//!
//! A violation stops the run as soon as it is recorded, instead of being buried under another minute of
//! load. Where the check can be asked event by event it is: each event costs about a microsecond, and
//! the violation is found at the very event that completes it. Where it can't, or no longer, the history
//! so far is judged again and again, in a small share of the time, so that it does not disturb what it
//! judges. The verdict is drawn from the whole history at the end; but a violation found here stands,
//! should that check not get so far.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use checker::online::{Checker, Status};
use checker::{Budget, Check, Report};

use super::recorder::Recorder;
use super::stop::{Stop, StopReason};

/// Between two looks at what was recorded since the last one.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Events taken from the recorder at once: it is held up for so long.
const EVENTS_PER_LOOK_MAX: usize = 1024;

/// The shortest wait between two checks of everything.
const INTERVAL_MIN: Duration = Duration::from_secs(2);
/// A check that took `t` is followed by at least this many `t` of rest.
const REST_PER_CHECK: u32 = 8;
/// What a single check may spend before it gives up until the end.
const BUDGET: Budget = Budget { time: Duration::from_secs(5), memory_bytes: 256 << 20 };

/// Checks until the run is stopped; leaves the report that found a violation.
pub async fn watch(
    recorder: Arc<Recorder>,
    check: Arc<dyn Check>,
    stop: Stop,
    found: Arc<Mutex<Option<Report>>>,
) {
    if let Some(checker) = check.online()
        && !event_by_event(&recorder, checker, &stop).await
    {
        return;
    }
    loop {
        let began = Instant::now();
        match judge(&recorder, &check).await {
            Some(report) if report.verdict.is_invalid() => {
                let reason = format!("{} finds the history so far invalid", report.check);
                *super::lock(&found) = Some(report);
                stop.now(StopReason::Violation(reason));
                return;
            }
            Some(_) => {}
            // A checker that panics here panics at the end too, where it makes the verdict unknown.
            None => return,
        }
        if !stop.sleep(INTERVAL_MIN.max(began.elapsed() * REST_PER_CHECK)).await {
            return;
        }
    }
}

/// Feeds the checker with what is recorded. Says whether the history so far should be judged as a whole:
/// because a violation was found, of which the whole tells more, or because nothing can be told event
/// by event any more.
async fn event_by_event(recorder: &Arc<Recorder>, mut checker: Checker, stop: &Stop) -> bool {
    let mut position = 0;
    loop {
        let recorder = Arc::clone(recorder);
        // Elsewhere, because this thread is the clients' too.
        let look = tokio::task::spawn_blocking(move || {
            let events = recorder.since(position, EVENTS_PER_LOOK_MAX);
            // An ill-formed history is for the check of the whole to tell.
            let fine = events.iter().all(|event| matches!(checker.event(event), Ok(Status::Fine)));
            (checker, events.len(), fine)
        });
        let Ok((same, events, fine)) = look.await else { return true };
        if !fine {
            return true;
        }
        checker = same;
        position += events;
        if events < EVENTS_PER_LOOK_MAX && !stop.sleep(LOOK_INTERVAL).await {
            return false;
        }
    }
}

/// Judges everything recorded so far, on a thread of its own.
async fn judge(recorder: &Arc<Recorder>, check: &Arc<dyn Check>) -> Option<Report> {
    let (recorder, check) = (Arc::clone(recorder), Arc::clone(check));
    tokio::task::spawn_blocking(move || check.check(&recorder.snapshot(), &BUDGET)).await.ok()
}
