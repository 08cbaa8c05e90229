//! Did the run test what it was asked to test? Pure.
//!
//! A run in which the planned faults did not bite, or too little was asked meanwhile, has shown
//! nothing: unknown, never valid.

use super::phase::Phase;
use super::score::Counts;
use super::verdict::{Answer, Part, Subject};
use crate::nemesis::report::{FaultReport, Outcome, tally};
use crate::schedule::{Passed, Schedule};

/// Operations that must succeed in a phase for it to count: a few per client would do, fewer
/// than this means that the phase saw a dead cluster.
pub const OK_OPS_MIN: u64 = 10;

/// What a run did, as far as coverage cares.
#[derive(Clone, Copy, Debug)]
pub struct Done<'run> {
    /// What was to be done.
    pub schedule: &'run Schedule,
    /// What came of it.
    pub faults: &'run [FaultReport],
    /// Client operations per phase under load.
    pub phases: &'run [(Phase, Counts)],
    /// Its phases that came to their end.
    pub passed: &'run [Passed],
    /// Elections seen after the first.
    pub leader_changes: u64,
    /// Keys that should have been read at the end, and those of them that could not be; none if it never
    /// came that far.
    pub final_reads: Option<(usize, usize)>,
    /// Operations that must succeed in a phase: [`OK_OPS_MIN`], or fewer at a low rate.
    pub ok_ops_min: u64,
}

/// Judges it.
pub fn judge(done: &Done<'_>) -> Part {
    let mut part = enough_was_done(done);
    if done.final_reads.is_none() {
        part.answer = part.answer.max(Answer::Unknown);
        part.details.push("final reads: the run never came that far".to_owned());
    }
    for lacking in lacking(done) {
        part.answer = part.answer.max(Answer::Unknown);
        part.reason = format!("{lacking}; {}", part.reason);
    }
    part
}

/// What the schedule itself wants to have seen, and was not.
fn lacking(done: &Done<'_>) -> Vec<String> {
    let ok = done.phases.iter().map(|(_, counts)| counts.ok).sum();
    let wanted = done.schedule.coverage;
    let mut lacking = Vec::new();
    for (what, seen, least) in [
        ("leader changes", done.leader_changes, wanted.leader_changes_min),
        ("successful operations", ok, wanted.ops_ok_min),
    ] {
        if seen < least {
            lacking.push(format!("only {seen} of {least} {what}"));
        }
    }
    for passed in done.passed {
        let rate = passed.ops_ok as f64 / passed.lasted.as_secs_f64();
        if let Some(least) = passed.ok_rate_min.filter(|least| rate < *least) {
            let name = &passed.name;
            lacking.push(format!("phase {name}: only {rate:.1} of {least} operations per second succeeded"));
        }
    }
    lacking
}

/// Whether what every run owes was done: its faults bit, its clients were answered.
fn enough_was_done(done: &Done<'_>) -> Part {
    let mut missing = Vec::new();
    let tallies = tally(done.schedule, done.faults);
    let required = tallies.iter().filter(|tally| tally.required).count();
    for tally in tallies.iter().filter(|tally| tally.required && tally.bit == 0) {
        missing.push(format!("{}: {}", tally.fault, why_not(&tally.fault, done.faults)));
    }
    let silent = missing.len();
    for (phase, counts) in done.phases {
        if counts.ok < done.ok_ops_min {
            missing.push(format!("{phase}: only {} of {} operations succeeded", counts.ok, counts.asked));
        }
    }
    let thin = missing.len() - silent;
    let (keys, unread) = done.final_reads.unwrap_or_default();
    if unread > 0 {
        missing.push(format!("final reads: {unread} of {keys} never succeeded"));
    }
    if missing.is_empty() {
        let bites: u32 = tallies.iter().map(|tally| tally.bit).sum();
        let kinds = tallies.len();
        let reason = match kinds {
            0 => "no faults were asked for; every phase had its operations".to_owned(),
            _ => format!("{bites} faults of {kinds} kinds bit; every phase had its operations"),
        };
        return Part::new(Subject::Coverage, Answer::Valid, reason);
    }
    let mut reasons = Vec::new();
    if silent > 0 {
        reasons.push(format!("{silent} of {required} required faults never bit"));
    }
    if thin > 0 {
        reasons.push(format!(
            "too few operations succeeded in {thin} phase{}",
            if thin == 1 { "" } else { "s" }
        ));
    }
    if unread > 0 {
        reasons.push(format!("{unread} final reads are missing"));
    }
    Part::new(Subject::Coverage, Answer::Unknown, reasons.join("; ")).with_details(missing)
}

/// The last thing that is known about why a kind never bit.
fn why_not(fault: &str, faults: &[FaultReport]) -> String {
    let Some(last) = faults.iter().rev().find(|report| report.fault == fault) else {
        return "there was no time for it (a longer --time-limit, or fewer faults)".to_owned();
    };
    match &last.outcome {
        Outcome::Installed => format!("installed, but it met nothing to hurt ({})", last.evidence.join("; ")),
        Outcome::Skipped(reason) => format!("skipped: {reason}"),
        Outcome::Indeterminate(reason) => format!("indeterminate: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Kind, Preset};
    use std::time::Duration;

    fn owing(kinds: &[Kind]) -> Schedule {
        let preset = Preset { kinds: kinds.to_vec(), owed: kinds.to_vec(), interval: Duration::from_secs(2) };
        preset.schedule(Duration::from_secs(20), Duration::ZERO)
    }

    fn report(kind: Kind, outcome: Outcome, bit: bool) -> FaultReport {
        FaultReport { outcome, bit, ..FaultReport::begin(0, kind.name(), 0) }
    }

    fn counts(ok: u64) -> Counts {
        Counts { asked: 100, ok, ..Counts::default() }
    }

    #[test]
    fn what_was_asked_and_bit_is_covered() {
        let faults = [report(Kind::KillOne, Outcome::Installed, true)];
        let phases = [(Phase::WarmUp, counts(50)), (Phase::Faults, counts(90))];
        let done = Done {
            schedule: &owing(&[Kind::KillOne]),
            faults: &faults,
            phases: &phases,
            final_reads: Some((4, 0)),
            passed: &[],
            leader_changes: 0,
            ok_ops_min: 10,
        };
        let part = judge(&done);
        assert_eq!(part.answer, Answer::Valid);
        assert_eq!(part.reason, "1 faults of 1 kinds bit; every phase had its operations");
    }

    #[test]
    fn everything_missing_is_named_with_its_reason() {
        let faults = [
            report(Kind::KillLeader, Outcome::Skipped("nobody leads".to_owned()), false),
            report(Kind::LinkDrop, Outcome::Indeterminate("the proxy is gone".to_owned()), false),
        ];
        let phases = [(Phase::WarmUp, counts(50)), (Phase::Faults, counts(3))];
        let part = judge(&Done {
            schedule: &owing(&[Kind::KillLeader, Kind::PauseAll, Kind::LinkDrop]),
            faults: &faults,
            phases: &phases,
            final_reads: Some((4, 1)),
            passed: &[],
            leader_changes: 0,
            ok_ops_min: 10,
        });
        assert_eq!(part.answer, Answer::Unknown);
        assert_eq!(
            part.reason,
            "3 of 3 required faults never bit; too few operations succeeded in 1 phase; 1 final reads are missing"
        );
        assert_eq!(
            part.details,
            [
                "kill:leader: skipped: nobody leads",
                "pause:all: there was no time for it (a longer --time-limit, or fewer faults)",
                "link:drop: indeterminate: the proxy is gone",
                "faults: only 3 of 100 operations succeeded",
                "final reads: 1 of 4 never succeeded",
            ]
        );
    }

    #[test]
    fn a_fault_that_bit_once_is_covered_however_often_it_failed() {
        let faults = [
            report(Kind::KillLeader, Outcome::Skipped("nobody leads".to_owned()), false),
            report(Kind::KillLeader, Outcome::Installed, true),
        ];
        let done = Done {
            schedule: &owing(&[Kind::KillLeader]),
            faults: &faults,
            phases: &[],
            final_reads: Some((0, 0)),
            passed: &[],
            leader_changes: 0,
            ok_ops_min: 10,
        };
        assert_eq!(judge(&done).answer, Answer::Valid);
    }
}
