//! Judging while the run goes on: a prefix of a history is a history.
//!
//! A violation stops the run as soon as it is recorded, instead of being buried under another minute of
//! load. Where the check can be asked event by event it is: each event costs from a microsecond (values that
//! are written once) to a few hundred (a search), and the violation is found at the very event that completes it.
//! Where it can't, or no longer for some key, the history so far is also judged again and again, in a small share
//! of the time, so that it does not disturb what it judges. The verdict is drawn from the whole history at the end; but a violation found here stands,
//! should that check not get so far.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use checker::explain::witness::{Window, WitnessOp};
use checker::online::{Checker, Status, Violation};
use checker::{Budget, Check, History, Report, Verdict, Witness};

use super::freeze::Event;
use super::recorder::Recorder;
use super::stop::{Stop, StopReason};

/// Between two looks at what was recorded since the last one.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Events taken from the recorder at once: it is held up for so long.
const EVENTS_PER_LOOK_MAX: usize = 1024;

/// The shortest wait between two checks of everything: a violation should stop the run within a second.
const INTERVAL_MIN: Duration = Duration::from_millis(500);
/// A check that took `t` is followed by at least this many `t` of rest.
const REST_PER_CHECK: u32 = 8;
/// What a single check may spend before it gives up until the end.
const BUDGET: Budget = Budget { time: Duration::from_secs(5), memory_bytes: 256 << 20 };

/// A violation that was found while the run went on.
#[derive(Debug)]
pub enum Found {
    /// By the checker that is fed event by event.
    Event(Box<Violation>),
    /// By a check of everything recorded until then.
    Whole(Box<Report>),
}

impl Found {
    /// The event at which the history became impossible, as far as the finder can tell.
    pub fn event(&self, recorder: &Recorder) -> Option<Event> {
        let position = match self {
            Found::Event(violation) => violation.position,
            Found::Whole(report) => {
                let Verdict::Invalid(witness) = &report.verdict else { return None };
                let failing = witness.ops.iter().filter(|op| op.failing);
                failing.filter_map(|op| op.complete_index).max()?
            }
        };
        let event = recorder.since(usize::try_from(position).ok()?, 1).into_iter().next()?;
        Some(Event { index: event.index, time_ns: event.time_ns })
    }

    /// What it comes to, as `check` would tell it.
    pub fn report(self, check: &dyn Check, history: &History) -> Report {
        match self {
            Found::Event(violation) => told(&violation, &Report::unknown(check.name(), ""), history),
            Found::Whole(report) => *report,
        }
    }
}

/// Checks until the run is stopped; leaves what it found, and stops the run for it.
pub async fn watch(
    recorder: Arc<Recorder>,
    check: Arc<dyn Check>,
    stop: Stop,
    found: Arc<Mutex<Option<Found>>>,
) {
    let gap = Notify::new();
    let event_by_event = async {
        if let Some(checker) = check.online() {
            match event_by_event(&recorder, checker, &stop, &gap).await {
                Ended::Stopped => return None,
                // The whole tells more of it, but can do so later: every moment counts.
                Ended::Violation(violation) => return Some(Found::Event(violation)),
                Ended::IllFormed => {}
            }
        }
        gap.notify_one();
        std::future::pending().await
    };
    let whole = async {
        tokio::select! {
            () = gap.notified() => {}
            () = stop.stopped() => return None,
        }
        let found = again_and_again(&recorder, &check, &stop).await;
        if found.is_none() {
            stop.stopped().await;
        }
        found
    };
    let what = tokio::select! {
        biased;
        found = event_by_event => found,
        found = whole => found,
    };
    if let Some(what) = what {
        *super::lock(&found) = Some(what);
        stop.now(StopReason::Violation(format!("{} finds the history so far invalid", check.name())));
    }
}

/// Judges everything so far until the run is stopped, or it is invalid.
async fn again_and_again(recorder: &Arc<Recorder>, check: &Arc<dyn Check>, stop: &Stop) -> Option<Found> {
    loop {
        let began = Instant::now();
        // A checker that panics here panics at the end too, where it makes the verdict unknown.
        let report = judge(recorder, check).await?;
        if report.verdict.is_invalid() {
            return Some(Found::Whole(Box::new(report)));
        }
        if !stop.sleep(INTERVAL_MIN.max(began.elapsed() * REST_PER_CHECK)).await {
            return None;
        }
    }
}

/// How judging event by event came to its end.
enum Ended {
    /// With the run.
    Stopped,
    /// What is recorded is no history, which is for the check of the whole to tell.
    IllFormed,
    Violation(Box<Violation>),
}

/// Feeds the checker with what is recorded, and tells when there is the first key that it can't judge.
async fn event_by_event(recorder: &Arc<Recorder>, mut checker: Checker, stop: &Stop, gap: &Notify) -> Ended {
    let mut position = 0;
    loop {
        let recorder = Arc::clone(recorder);
        // Elsewhere, because this thread is the clients' too.
        let look = tokio::task::spawn_blocking(move || {
            let events = recorder.since(position, EVENTS_PER_LOOK_MAX);
            let ended = events.iter().find_map(|event| match checker.event(event) {
                // A key that can't be judged any more leaves the others.
                Ok(Status::Fine | Status::Undecided(_)) => None,
                Ok(Status::Violation(violation)) => Some(Ended::Violation(violation)),
                Err(_) => Some(Ended::IllFormed),
            });
            (checker, events.len(), ended)
        });
        let Ok((same, events, ended)) = look.await else { return Ended::IllFormed };
        if let Some(ended) = ended {
            return ended;
        }
        checker = same;
        if checker.undecided().is_some() {
            gap.notify_one();
        }
        position += events;
        if events < EVENTS_PER_LOOK_MAX && !stop.sleep(LOOK_INTERVAL).await {
            return Ended::Stopped;
        }
    }
}

/// The report of a violation that only the checker of events had time for.
fn told(violation: &Violation, report: &Report, history: &History) -> Report {
    let is_shown = |position: usize| violation.events.contains(&(position as u64));
    let calls = history.calls().ok();
    let shown = calls.iter().flat_map(|calls| calls.iter());
    let shown = shown.filter(|call| is_shown(call.start()) || call.completion().is_some_and(is_shown));
    let ops = shown.map(|call| WitnessOp {
        failing: call.complete_index() == Some(violation.index),
        ..WitnessOp::of(&call, "")
    });
    let positions = || violation.events.iter().map(|position| *position as usize);
    let (first, last) = (positions().min().unwrap_or(0), positions().max().unwrap_or(0));
    let witness = Witness {
        anomaly: violation.anomaly,
        key: violation.key.clone(),
        summary: violation.summary.clone(),
        reasons: vec![format!("The history became impossible with op {}.", violation.index)],
        drawing: None,
        window: Window {
            first_index: history.index(first),
            last_index: history.index(last),
            from_ns: history.time_ns(first),
            to_ns: history.time_ns(last),
        },
        ops: ops.collect(),
        nemesis: Vec::new(),
    };
    Report {
        verdict: Verdict::Invalid(witness),
        engine: "on line".to_owned(),
        invalid_keys: violation.key.iter().cloned().collect(),
        ..report.clone()
    }
}

/// Judges everything recorded so far, on a thread of its own.
async fn judge(recorder: &Arc<Recorder>, check: &Arc<dyn Check>) -> Option<Report> {
    let (recorder, check) = (Arc::clone(recorder), Arc::clone(check));
    tokio::task::spawn_blocking(move || check.check(&recorder.snapshot(), &BUDGET)).await.ok()
}

#[cfg(test)]
mod tests {
    use checker::{LinearizableRegister, Op, OpType, Process};

    use super::*;

    #[test]
    fn a_violation_that_the_whole_had_no_time_for_is_told_all_the_same() {
        let op = |index, op_type, f: &'static str, value: i64| {
            Op::new(index, index * 1_000_000, op_type, Process::Client(0), f, value)
        };
        let ops = [
            op(0, OpType::Invoke, "write", 1),
            op(1, OpType::Ok, "write", 1),
            op(2, OpType::Invoke, "write", 2),
            op(3, OpType::Ok, "write", 2),
            op(4, OpType::Invoke, "read", 0),
            op(5, OpType::Ok, "read", 1),
        ];
        let check = LinearizableRegister::default();
        let mut checker = check.online().expect("registers are judged event by event");
        let found = ops.iter().find_map(|op| match checker.event(op) {
            Ok(Status::Violation(violation)) => Some(violation),
            _ => None,
        });
        let history = History::new(ops);
        let no_time = Budget { time: Duration::ZERO, memory_bytes: 0 };
        let report = check.check(&history, &no_time);
        assert!(report.verdict.is_unknown(), "{report}");
        let report = told(&found.expect("a stale read"), &report, &history);
        let Verdict::Invalid(witness) = &report.verdict else { panic!("{report}") };
        assert_eq!(witness.anomaly, checker::Anomaly::StaleRead);
        assert!(witness.ops.iter().any(|op| op.failing && op.invoke_index == 4), "{report}");
    }
}
