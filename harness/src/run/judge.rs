//! Judging what a run recorded: each part from recorded facts only.

use std::sync::Arc;
use std::time::Duration;

use checker::{Budget, Check, History, Report, Verdict};

use super::contract::{self, Demands};
use super::coverage::{self, Done};
use super::facts::Facts;
use super::heartbeat::Stall;
use super::liveness::{self, Window};
use super::options::Options;
use super::stop::StopReason;
use super::verdict::{Answer, Part, RunVerdict, Subject};
use crate::schedule::Contract;
use crate::system::WhiteBoxReport;

/// What the check of the whole history may spend: the default minute would double a short run.
pub const CHECK_BUDGET: Budget = Budget { time: Duration::from_secs(60), memory_bytes: 1 << 30 };
/// A harness that lost more of the run than this, in percent, saw too little to judge.
const LOST_PERCENT_MAX: u128 = 25;

/// Checks the history on a thread of its own: a checker that panics makes the answer unknown.
pub async fn check(check: Arc<dyn Check>, history: Arc<History>) -> Report {
    let name = check.name().to_owned();
    let judged = tokio::task::spawn_blocking(move || check.check(&history, &CHECK_BUDGET)).await;
    judged.unwrap_or_else(|error| Report::unknown(name, format!("the check itself failed: {error}")))
}

/// The report of the whole history, unless it misses what an earlier one of its beginning found:
/// what no order can explain, no later operation explains.
pub fn no_better_than(whole: Report, early: Option<&Report>) -> Report {
    let invalid = |report: &Report| matches!(report.verdict, Verdict::Invalid(_));
    match early {
        // Found event by event, it was never counted what the history holds.
        Some(early) if invalid(early) && !invalid(&whole) => Report {
            verdict: early.verdict.clone(),
            engine: early.engine.clone(),
            invalid_keys: early.invalid_keys.clone(),
            ..whole
        },
        _ => whole,
    }
}

/// What there is to judge.
pub struct Evidence<'run> {
    /// What was asked for.
    pub options: &'run Options,
    /// What happened.
    pub facts: &'run Facts,
    /// Why the run, or its judgement, was cut short.
    pub stopped: Option<&'run StopReason>,
    /// Of the history; none if it was not judged.
    pub report: Option<&'run Report>,
    /// Of the nodes' logs; none if they were not examined.
    pub white_box: Option<&'run WhiteBoxReport>,
    /// Gaps in the harness's own heartbeat.
    pub stalls: &'run [Stall],
    /// Why the history could not be written, if so.
    pub recorder_failure: Option<String>,
}

/// The verdict in its parts, folded.
pub fn judge(evidence: &Evidence<'_>) -> RunVerdict {
    let demands = Demands::of_run(&evidence.facts.faults, evidence.options.nodes);
    let parts = vec![
        history(evidence, demands),
        nodes(evidence, demands),
        liveness(evidence, demands),
        coverage(evidence),
        harness(evidence),
    ];
    let broken =
        matches!(evidence.stopped, Some(StopReason::Broken(_))) || evidence.recorder_failure.is_some();
    let verdict = RunVerdict::fold(parts);
    if broken { verdict.of_broken_harness() } else { verdict }
}

fn history(evidence: &Evidence<'_>, demands: Demands) -> Part {
    let Some(report) = evidence.report else {
        return Part::new(Subject::History, Answer::Unknown, "not judged: the run was cut short");
    };
    let ops = report.ops;
    let judged = format!("{}: {} operations on {} keys", report.check, ops.invoked, report.keys);
    let part = |answer, reason| Part::new(Subject::History, contract::weigh(answer, demands.safety), reason);
    match &report.verdict {
        Verdict::Valid => part(Answer::Valid, format!("{judged} are in order ({})", report.engine)),
        Verdict::Unknown(reason) => part(Answer::Unknown, format!("{judged}: {reason}")),
        Verdict::Invalid(witness) => {
            let keys: Vec<String> = report.invalid_keys.iter().map(ToString::to_string).collect();
            let on = if keys.is_empty() { String::new() } else { format!(" (keys {})", keys.join(", ")) };
            part(Answer::Invalid, format!("{judged} cannot be put in order{on}"))
                .with_details(witness.to_string().lines().map(str::to_owned).collect())
        }
    }
}

fn nodes(evidence: &Evidence<'_>, demands: Demands) -> Part {
    let part = |answer, reason| Part::new(Subject::Nodes, contract::weigh(answer, demands.safety), reason);
    let facts = evidence.facts;
    let mut details: Vec<String> =
        facts.casualties.iter().map(|casualty| format!("{}: {}", casualty.node, casualty.exit)).collect();
    details.extend(facts.beyond.iter().chain(&facts.hung).chain(&facts.troubles).cloned());
    let mut reasons = Vec::new();
    if let Some(first) = facts.casualties.first() {
        let others = match facts.casualties.len() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        reasons.push(format!("{} ended by itself: it {}{others}", first.node, first.exit.kind));
    }
    reasons.extend(facts.beyond.first().cloned());
    reasons.extend(facts.hung.first().cloned());
    if let Some(StopReason::Violation(reason)) = &facts.stopped
        && facts.troubles.contains(reason)
    {
        reasons.push(reason.clone());
    }
    if let Some(white_box) = evidence.white_box {
        details.extend(white_box.violations.iter().cloned());
        if let Some(first) = white_box.violations.first() {
            reasons.push(format!("the nodes contradict the protocol: {first}"));
        }
        if reasons.is_empty() && !white_box.unknown.is_empty() {
            let reason = format!("the nodes could not all be examined: {}", white_box.unknown.join("; "));
            return part(Answer::Unknown, reason).with_details(details);
        }
    }
    if !reasons.is_empty() {
        return part(Answer::Invalid, reasons.join("; ")).with_details(details);
    }
    let Some(white_box) = evidence.white_box else {
        return part(Answer::Unknown, "the nodes were not examined: the run was cut short".to_owned())
            .with_details(details);
    };
    let examined: Vec<String> = white_box
        .examined
        .iter()
        .map(|(what, count)| format!("{count} {}", what.replace('_', " ")))
        .collect();
    let reason = format!("no node ended by itself, and they agree ({})", examined.join(", "));
    part(Answer::Valid, reason).with_details(details)
}

fn liveness(evidence: &Evidence<'_>, demands: Demands) -> Part {
    let facts = evidence.facts;
    if let Some(answer) = facts.warmed_up
        && answer != Answer::Valid
    {
        let reason = match &facts.stopped {
            Some(StopReason::Violation(reason) | StopReason::Weak(reason)) => reason.clone(),
            _ => "a fresh cluster did not get going".to_owned(),
        };
        return Part::new(Subject::Liveness, answer, reason);
    }
    let Some(recovery) = &facts.recovery else {
        return Part::new(Subject::Liveness, Answer::Unknown, "not looked at: the run was cut short");
    };
    let mut part = liveness::judge(recovery, facts.stopped.is_some());
    let mut demanded = demands.liveness_after;
    let stuck: Vec<String> =
        facts.windows.iter().filter(|window| window.ok == 0).map(Window::stuck).collect();
    if let Some(first) = stuck.first() {
        (part.answer, demanded) = (Answer::Invalid, demands.progress_during);
        part.reason = format!("{first}; {}", part.reason);
        part.details.extend(stuck);
    }
    // A schedule that asks for safety alone asks nothing of a run that came to its end.
    let contract = facts.schedule.as_ref().map_or_else(Contract::default, |schedule| schedule.contract);
    if contract == Contract::Safety && part.answer != Answer::Valid && facts.stopped.is_none() {
        part.reason = format!("not demanded by the schedule: {}", part.reason);
        part.answer = Answer::Valid;
    }
    part.answer = contract::weigh(part.answer, demanded);
    part
}

fn coverage(evidence: &Evidence<'_>) -> Part {
    let facts = evidence.facts;
    // What was never begun was never covered.
    let schedule = facts.schedule.clone().unwrap_or_else(|| evidence.options.schedule(Duration::ZERO));
    coverage::judge(&Done {
        schedule: &schedule,
        faults: &facts.faults,
        phases: &facts.phases,
        passed: &facts.passed,
        leader_changes: facts.leader_changes,
        final_reads: facts.final_reads,
        ok_ops_min: liveness::answers_wanted(coverage::OK_OPS_MIN, evidence.options.rate, facts.settle_max()),
    })
}

fn harness(evidence: &Evidence<'_>) -> Part {
    let part = |answer, reason| Part::new(Subject::Harness, answer, reason);
    if let Some(error) = &evidence.recorder_failure {
        return part(Answer::Unknown, format!("the history could not be written: {error}"));
    }
    match evidence.stopped {
        Some(StopReason::Interrupted) => return part(Answer::Unknown, "interrupted by the user".to_owned()),
        Some(StopReason::Broken(reason)) => {
            let mut lines = reason.lines().map(str::to_owned);
            let first = lines.next().unwrap_or_default();
            return part(Answer::Unknown, first).with_details(lines.collect());
        }
        Some(StopReason::Weak(reason)) => return part(Answer::Unknown, format!("stopped early: {reason}")),
        Some(StopReason::Violation(_)) | None => {}
    }
    let lost: Duration = evidence.stalls.iter().map(|stall| stall.length).sum();
    let run = Duration::from_secs_f64(evidence.facts.seconds.max(0.0));
    if lost.as_millis() * 100 > run.as_millis() * LOST_PERCENT_MAX {
        return part(
            Answer::Unknown,
            format!("the harness lost {} ms to stalls: too slow a machine", lost.as_millis()),
        );
    }
    if let Some(StopReason::Violation(reason)) = evidence.stopped {
        return part(Answer::Valid, format!("stopped early: {reason}"));
    }
    match evidence.stalls.len() {
        0 => part(Answer::Valid, "no stalls".to_owned()),
        count => part(Answer::Valid, format!("{count} stalls, {} ms in all", lost.as_millis())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::liveness::Recovery;
    use crate::schedule::{Passed, Schedule};
    use checker::explain::witness::Window;
    use checker::{Anomaly, Witness};

    fn report(verdict: Verdict) -> Report {
        Report { verdict, ..Report::unknown("set", "") }
    }

    fn invalid() -> Report {
        let window = Window { first_index: 0, last_index: 0, from_ns: 0, to_ns: 0 };
        report(Verdict::Invalid(Witness {
            anomaly: Anomaly::StaleRead,
            key: None,
            summary: "stale".to_owned(),
            reasons: Vec::new(),
            drawing: None,
            window,
            ops: Vec::new(),
            nemesis: Vec::new(),
        }))
    }

    #[test]
    fn a_violation_found_early_stands() {
        let unknown = report(Verdict::Unknown("out of budget".to_owned()));
        assert_eq!(no_better_than(unknown.clone(), Some(&invalid())), invalid());
        assert_eq!(no_better_than(unknown.clone(), None), unknown);
        let later = Report { keys: 7, ..invalid() };
        assert_eq!(no_better_than(later.clone(), Some(&invalid())), later);
    }

    fn judged(facts: &Facts, stopped: Option<&StopReason>, stalls: &[Stall]) -> RunVerdict {
        judge(&Evidence {
            options: &Options::usual("set", "paxos-node".into(), 1),
            facts,
            stopped,
            report: Some(&report(Verdict::Valid)),
            white_box: Some(&WhiteBoxReport::default()),
            stalls,
            recorder_failure: None,
        })
    }

    fn answer(verdict: &RunVerdict, subject: Subject) -> Answer {
        verdict.part(subject).expect("every subject is told").answer
    }

    #[test]
    fn a_node_that_had_to_be_killed_at_the_end_is_invalid() {
        let facts = Facts { hung: vec!["n1 did not stop".to_owned()], ..Facts::default() };
        let verdict = judged(&facts, None, &[]);
        assert_eq!(answer(&verdict, Subject::Nodes), Answer::Invalid);
        assert_eq!(verdict.part(Subject::Nodes).expect("told").reason, "n1 did not stop");
        assert_eq!(answer(&judged(&Facts::default(), None, &[]), Subject::Nodes), Answer::Valid);
    }

    #[test]
    fn a_node_beyond_its_own_bounds_is_invalid() {
        let facts = Facts { beyond: vec!["n1: 9 messages wait".to_owned()], ..Facts::default() };
        let verdict = judged(&facts, None, &[]);
        assert_eq!(answer(&verdict, Subject::Nodes), Answer::Invalid);
        assert_eq!(verdict.part(Subject::Nodes).expect("told").reason, "n1: 9 messages wait");
    }

    #[test]
    fn what_a_schedule_wants_to_have_seen_must_have_been_seen() {
        let mut schedule = Options::usual("set", "paxos-node".into(), 1).schedule(Duration::ZERO);
        schedule.coverage.leader_changes_min = 3;
        let seen = |leader_changes| {
            let facts = Facts {
                schedule: Some(schedule.clone()),
                leader_changes,
                final_reads: Some((1, 0)),
                ..Facts::default()
            };
            judged(&facts, None, &[])
        };
        assert_eq!(answer(&seen(3), Subject::Coverage), Answer::Valid);
        let weak = seen(2);
        assert_eq!(answer(&weak, Subject::Coverage), Answer::Unknown);
        let reason = &weak.part(Subject::Coverage).expect("told").reason;
        assert!(reason.starts_with("only 2 of 3 leader changes; "), "{reason}");
    }

    #[test]
    fn a_phase_in_which_too_little_succeeded_is_too_weak_to_count() {
        let seen = |ops_ok| {
            let passed = Passed {
                name: "pressure".to_owned(),
                lasted: Duration::from_secs(4),
                ops_ok,
                ok_rate_min: Some(50.0),
            };
            let facts = Facts { passed: vec![passed], final_reads: Some((1, 0)), ..Facts::default() };
            judged(&facts, None, &[])
        };
        assert_eq!(answer(&seen(200), Subject::Coverage), Answer::Valid);
        let weak = seen(198);
        assert_eq!(answer(&weak, Subject::Coverage), Answer::Unknown);
        let reason = &weak.part(Subject::Coverage).expect("told").reason;
        assert!(
            reason.starts_with("phase pressure: only 49.5 of 50 operations per second succeeded; "),
            "{reason}"
        );
    }

    #[test]
    fn who_asks_for_safety_alone_forgives_a_cluster_that_does_not_come_back() {
        let judged_under = |contract, asked_too_little: bool| {
            let schedule = Schedule {
                contract,
                ..Options::usual("set", "paxos-node".into(), 1).schedule(Duration::ZERO)
            };
            let facts = Facts {
                schedule: Some(schedule),
                warmed_up: Some(Answer::Valid),
                recovery: Some(Recovery {
                    waited: liveness::SETTLE_MAX,
                    elected_after: asked_too_little.then_some(Duration::ZERO),
                    asked_too_little,
                    ..Recovery::default()
                }),
                final_reads: Some((1, 0)),
                ..Facts::default()
            };
            judged(&facts, None, &[])
        };
        let both = Contract::SafetyAndLiveness;
        assert_eq!(answer(&judged_under(both, false), Subject::Liveness), Answer::Invalid);
        assert_eq!(answer(&judged_under(both, true), Subject::Liveness), Answer::Unknown);
        // Whether it failed for certain or was asked too little: neither was asked for.
        assert_eq!(answer(&judged_under(Contract::Safety, true), Subject::Liveness), Answer::Valid);
        let forgiven = judged_under(Contract::Safety, false);
        assert_eq!(answer(&forgiven, Subject::Liveness), Answer::Valid);
        let reason = &forgiven.part(Subject::Liveness).expect("told").reason;
        assert!(reason.starts_with("not demanded by the schedule: no leader within "), "{reason}");
    }

    #[test]
    fn stalls_count_also_where_a_violation_ended_the_run() {
        let stall = Stall { since: std::time::Instant::now(), length: Duration::from_secs(9) };
        let late = StopReason::Violation("did not get going".to_owned());
        let facts = Facts { warmed_up: Some(Answer::Unknown), seconds: 20.0, ..Facts::default() };
        let verdict = judged(&facts, Some(&late), &[stall]);
        assert_eq!(answer(&verdict, Subject::Harness), Answer::Unknown);
        assert_eq!(answer(&verdict, Subject::Liveness), Answer::Unknown);
        let facts = Facts { warmed_up: Some(Answer::Invalid), ..facts };
        assert_eq!(judged(&facts, Some(&late), &[]).verdict, Answer::Invalid);
    }
}
