//! Whether a run saw a planted bug, and by what: only what the cluster did wrong counts.

use std::fmt;

use crate::process::ExitKind;
use crate::run::Ended;
use crate::run::cluster::Casualty;
use crate::run::verdict::{Answer, Part, Subject};
use crate::system::WhiteBoxReport;
use crate::system::paxos::simulation::Simulated;

/// The exit status of a node whose state differs from another's, or contradicts itself.
const FOUND_ITSELF_WRONG: i32 = 70;

/// What saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    /// The parts of the verdict that are invalid because of it.
    pub(super) by: Vec<Subject>,
    /// What the history's check is called, if it is among them.
    pub(super) check: Option<String>,
}

impl fmt::Display for Sighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, subject) in self.by.iter().enumerate() {
            f.write_str(if number > 0 { " + " } else { "" })?;
            match (subject, &self.check) {
                (Subject::History, Some(check)) => f.write_str(check)?,
                (subject, _) => write!(f, "{subject}")?,
            }
        }
        Ok(())
    }
}

/// What a run of processes saw, by the parts of its verdict that `counts`.
pub(super) fn in_ended(ended: &Ended, counts: &[Subject]) -> Option<Sighting> {
    let check = ended.report.as_ref().map(|report| report.check.as_str());
    let wrong_inside =
        wrong_inside(ended.white_box.as_ref(), &ended.facts.casualties) || !ended.facts.beyond.is_empty();
    seen(&ended.verdict.parts, counts, check, wrong_inside)
}

/// What a simulated run saw. Its nodes end by nobody's hand but their own finding.
pub(super) fn in_simulated(simulated: &Simulated, counts: &[Subject]) -> Option<Sighting> {
    seen(&simulated.verdict.parts, counts, Some(&simulated.report.check), true)
}

/// Whether the nodes themselves show that a rule was broken: their logs contradict the protocol, or
/// one found its own state wrong, however early. That a node ended shows nothing by itself: it may have
/// been called wrongly, or found no disk to write to, and says so by another status.
fn wrong_inside(white_box: Option<&WhiteBoxReport>, casualties: &[Casualty]) -> bool {
    let contradicted = white_box.is_some_and(|report| !report.violations.is_empty());
    let found_itself_wrong = ExitKind::Status(FOUND_ITSELF_WRONG);
    contradicted || casualties.iter().any(|casualty| casualty.exit.kind == found_itself_wrong)
}

fn seen(parts: &[Part], counts: &[Subject], check: Option<&str>, wrong_inside: bool) -> Option<Sighting> {
    let by: Vec<Subject> = parts
        .iter()
        .filter(|part| part.answer == Answer::Invalid && counts.contains(&part.subject))
        .filter(|part| part.subject != Subject::Nodes || wrong_inside)
        .map(|part| part.subject)
        .collect();
    let check = check.filter(|_| by.contains(&Subject::History)).map(str::to_owned);
    (!by.is_empty()).then_some(Sighting { by, check })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::ExitInfo;
    use crate::system::NodeId;

    fn found(parts: &[Part], counts: &[Subject], check: Option<&str>, inside: bool) -> Option<String> {
        seen(parts, counts, check, inside).map(|seen| seen.to_string())
    }

    #[test]
    fn a_planted_bug_is_caught_only_by_what_it_did_wrong() {
        let invalid = |subjects: &[Subject]| -> Vec<Part> {
            subjects.iter().map(|&subject| Part::new(subject, Answer::Invalid, "because")).collect()
        };
        let both = [Subject::History, Subject::Nodes];
        let check = Some("set");
        let noise = invalid(&[Subject::Liveness, Subject::Coverage, Subject::Harness]);
        assert_eq!(found(&noise, &both, check, true), None);
        // It died, but nothing says that it was wrong.
        assert_eq!(found(&invalid(&[Subject::Nodes]), &both, check, false), None);
        assert_eq!(found(&invalid(&[Subject::Nodes]), &both, check, true).as_deref(), Some("nodes"));
        assert_eq!(found(&invalid(&[Subject::Nodes]), &[Subject::History], check, true), None);
        assert_eq!(found(&invalid(&both), &both, check, true).as_deref(), Some("set + nodes"));
        assert_eq!(found(&invalid(&both), &both, check, false).as_deref(), Some("set"));
    }

    #[test]
    fn a_node_that_found_itself_wrong_is_evidence_and_one_that_only_ended_is_none() {
        let ended = |kind| {
            let exit = ExitInfo { pid: 1, kind, last_words: Vec::new() };
            vec![Casualty { node: NodeId(1), exit }]
        };
        assert!(wrong_inside(None, &ended(ExitKind::Status(70))));
        for kind in [64, 65, 74, 101].map(ExitKind::Status).into_iter().chain([ExitKind::Signal(9)]) {
            assert!(!wrong_inside(None, &ended(kind)), "{kind}");
        }
        let clean = WhiteBoxReport::default();
        assert!(!wrong_inside(Some(&clean), &[]));
        let contradicted = WhiteBoxReport { violations: vec!["two leaders".to_owned()], ..clean };
        assert!(wrong_inside(Some(&contradicted), &[]));
    }
}
