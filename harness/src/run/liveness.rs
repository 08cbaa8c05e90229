//! Does the cluster come back? Pure.
//!
//! Liveness is demanded only where Paxos promises it: every node runs, all hear each other, and
//! there was time to settle. Time that the harness itself lost (see
//! [`heartbeat`](super::heartbeat)) is not held against the cluster.

use std::time::Duration;

use serde::Serialize;

use super::coverage::OK_OPS_MIN;
use super::options::Options;
use super::score::Counts;
use super::verdict::{Answer, Part, Subject};

/// How long after the last cure a leader must lead and operations must succeed again: twenty
/// times the longest election timeout, since a disk under load can be slow.
pub const SETTLE_MAX: Duration = Duration::from_secs(15);
/// How long a fresh cluster may take to elect and to answer.
pub const WARM_UP_MAX: Duration = Duration::from_secs(20);
/// The calm before the first fault, at least: something must have been written to be lost.
pub const WARM_UP_MIN: Duration = Duration::from_millis(500);
/// Operations per slot that must succeed for a cluster to be live.
const ANSWERS_PER_SLOT: u64 = 2;

/// What was seen after everything was restored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// From the last cure until somebody led by the nodes' own word.
    pub elected_after: Option<Duration>,
    /// From the last cure until enough operations that began after it had succeeded.
    pub answered_after: Option<Duration>,
    /// From the last cure until every node had applied what was chosen at the cure.
    pub caught_up_after: Option<Duration>,
    /// The nodes that had not, when the wait ended.
    pub lagging: Vec<String>,
    /// How long was waited.
    pub waited: Duration,
    /// Time that the harness lost meanwhile.
    pub lost: Duration,
    /// Nearly everything that was asked succeeded: if that was too little, too little was asked.
    pub asked_too_little: bool,
    /// Operations had succeeded, but no node told that it had applied anything: nobody knows what
    /// there was to catch up with.
    pub goal_unknown: bool,
}

impl Recovery {
    /// A look after so long: whether somebody leads, whether enough was answered, who lags behind.
    pub fn note(&mut self, waited: Duration, elected: bool, answered: bool, lagging: Vec<String>) {
        let first = |seen: &mut Option<Duration>, holds: bool| {
            if holds {
                seen.get_or_insert(waited);
            }
        };
        first(&mut self.elected_after, elected);
        first(&mut self.answered_after, answered);
        first(&mut self.caught_up_after, lagging.is_empty());
        self.lagging = lagging;
        self.waited = waited;
    }

    /// Notes what was counted when the wait began, and what has been counted since.
    pub fn counted(&mut self, before: Counts, since: Counts) {
        self.asked_too_little = nearly_all(since.ok, since.asked + before.open());
    }

    /// Whether there is nothing left to wait for.
    pub fn is_complete(&self) -> bool {
        self.elected_after.is_some() && self.answered_after.is_some() && self.caught_up_after.is_some()
    }
}

/// How long a cluster may take to get over the beginning of a fault: clients time out, a new leader
/// is elected.
pub const GET_OVER: Duration = Duration::from_secs(5);
/// The shortest window in which the absence of any success means something.
pub const WINDOW_MIN: Duration = Duration::from_secs(2);
/// Operations that must have come to an end in it for their failure to mean something.
pub const WINDOW_OPS_MIN: u64 = 5;

/// A stretch in which a cluster that was hurt had to make progress: long enough after the last change
/// of what is done to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// The faults in force.
    pub faults: String,
    /// How long it lasted.
    pub millis: u64,
    /// Operations that began and succeeded in it.
    pub ok: u64,
}

impl Window {
    /// The complaint about one in which nothing succeeded.
    pub fn stuck(&self) -> String {
        format!("no operation succeeded in {} ms long into {}", self.millis, self.faults)
    }
}

/// Judges a recovery. `interrupted`: the wait was cut short by the user or by a violation.
pub fn judge(recovery: &Recovery, interrupted: bool) -> Part {
    let part = |answer, reason: String| Part::new(Subject::Liveness, answer, reason);
    if let (Some(elected), Some(answered)) = (recovery.elected_after, recovery.answered_after) {
        let reason = format!("a leader {} and answers {} after the last cure", ms(elected), ms(answered));
        return match recovery.caught_up_after {
            Some(_) if recovery.goal_unknown => part(
                Answer::Unknown,
                format!("{reason}; no node told what it had applied, so nobody knows who caught up"),
            ),
            Some(caught_up) => {
                part(Answer::Valid, format!("{reason}, all nodes caught up {} after it", ms(caught_up)))
            }
            None if interrupted => {
                part(Answer::Unknown, format!("{reason}; the wait for laggards was cut short"))
            }
            None => part(
                missed(recovery.lost, recovery.waited),
                format!("{reason}, but not everybody caught up within {}", ms(recovery.waited)),
            )
            .with_details(recovery.lagging.clone()),
        };
    }
    if interrupted {
        return part(Answer::Unknown, "not looked at: the run was cut short".to_owned());
    }
    let reason = match recovery.elected_after {
        None => format!(
            "no leader within {} after the last cure, with every node up and connected",
            ms(recovery.waited)
        ),
        Some(elected) => format!(
            "a leader {} after the last cure, but too few operations succeeded within {}",
            ms(elected),
            ms(recovery.waited)
        ),
    };
    let asked_too_little = recovery.elected_after.is_some() && recovery.asked_too_little;
    let answer = if asked_too_little { Answer::Unknown } else { missed(recovery.lost, recovery.waited) };
    part(answer, reason)
}

/// Operations asked that prove nothing if they fail: the first ones come before there is a leader.
const ASKED_MIN: u64 = 5;

/// Judges a fresh cluster that did not get going.
pub fn not_going(counts: Counts, leads: bool, waited: Duration, lost: Duration) -> (Answer, String) {
    let enough_to_tell = counts.asked >= ASKED_MIN && !nearly_all(counts.ok, counts.asked);
    let asked_too_little = !enough_to_tell && (leads || counts.ok > 0);
    let answer = if asked_too_little { Answer::Unknown } else { missed(lost, waited) };
    let reason = format!(
        "a fresh cluster did not get going within {} s: {}, {} of {} operations succeeded",
        waited.as_secs(),
        if leads { "a leader leads" } else { "nobody leads" },
        counts.ok,
        counts.asked
    );
    (answer, reason)
}

/// How many operations must succeed within a time for the cluster to be live: a few per slot, and as
/// many as a phase must have to count; fewer if so few are asked.
pub fn answers_needed(options: &Options, within: Duration) -> u64 {
    let most = (options.concurrency as u64 * ANSWERS_PER_SLOT).max(OK_OPS_MIN);
    answers_wanted(most, options.rate, within)
}

/// How many operations must succeed `within` a time: `most`, or what a quarter of the time brings
/// at this rate if that is less. One at least.
pub fn answers_wanted(most: u64, rate: Option<f64>, within: Duration) -> u64 {
    match rate {
        None => most,
        Some(rate) => most.min((rate * within.as_secs_f64() / 4.0) as u64).max(1),
    }
}

/// Whether nearly everything that was asked succeeded: then few answers are nobody's fault.
pub fn nearly_all(ok: u64, asked: u64) -> bool {
    ok * 10 >= asked * 9
}

/// A missed deadline is the cluster's fault, unless the harness lost a good part of the time.
pub fn missed(lost: Duration, waited: Duration) -> Answer {
    if lost * 4 > waited { Answer::Unknown } else { Answer::Invalid }
}

fn ms(duration: Duration) -> String {
    match duration.as_millis() {
        ms @ 0..10_000 => format!("{ms} ms"),
        ms => format!("{} s", ms / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Option<Duration> = Some(Duration::from_secs(1));

    fn waited() -> Recovery {
        Recovery { waited: SETTLE_MAX, ..Recovery::default() }
    }

    #[test]
    fn a_cluster_that_comes_back_is_live() {
        let recovery =
            Recovery { elected_after: SECOND, answered_after: SECOND, caught_up_after: SECOND, ..waited() };
        assert!(recovery.is_complete());
        let part = judge(&recovery, false);
        assert_eq!(part.answer, Answer::Valid);
        assert_eq!(
            part.reason,
            "a leader 1000 ms and answers 1000 ms after the last cure, all nodes caught up 1000 ms after it"
        );
    }

    #[test]
    fn a_cluster_that_does_not_is_invalid_whatever_is_missing() {
        for recovery in [
            waited(),
            Recovery { elected_after: SECOND, ..waited() },
            Recovery { elected_after: SECOND, answered_after: SECOND, ..waited() },
        ] {
            assert_eq!(judge(&recovery, false).answer, Answer::Invalid, "{recovery:?}");
            assert_eq!(judge(&recovery, true).answer, Answer::Unknown, "{recovery:?}");
        }
    }

    #[test]
    fn no_more_is_wanted_than_the_rate_can_bring() {
        for (most, rate, wanted) in
            [(20, None, 20), (20, Some(1000.0), 20), (20, Some(1.0), 5), (20, Some(0.01), 1)]
        {
            assert_eq!(answers_wanted(most, rate, WARM_UP_MAX), wanted, "{rate:?}");
        }
        let recovery = Recovery { elected_after: SECOND, asked_too_little: true, ..waited() };
        assert_eq!(judge(&recovery, false).answer, Answer::Unknown);
        let nobody_leads = Recovery { asked_too_little: true, ..waited() };
        assert_eq!(judge(&nobody_leads, false).answer, Answer::Invalid);
    }

    #[test]
    fn catching_up_with_nothing_shows_nothing() {
        let recovery = Recovery {
            elected_after: SECOND,
            answered_after: SECOND,
            caught_up_after: SECOND,
            goal_unknown: true,
            ..waited()
        };
        assert_eq!(judge(&recovery, false).answer, Answer::Unknown);
    }

    #[test]
    fn the_harness_does_not_blame_the_cluster_for_its_own_stalls() {
        let recovery = Recovery { lost: Duration::from_secs(5), ..waited() };
        assert_eq!(judge(&recovery, false).answer, Answer::Unknown);
    }

    #[test]
    fn a_few_questions_that_came_too_early_prove_nothing() {
        let counts = |asked| Counts { asked, ..Counts::default() };
        let judged = |asked, leads| not_going(counts(asked), leads, SETTLE_MAX, Duration::ZERO).0;
        assert_eq!((judged(4, true), judged(5, true)), (Answer::Unknown, Answer::Invalid));
        assert_eq!(judged(1, false), Answer::Invalid);
    }
}
