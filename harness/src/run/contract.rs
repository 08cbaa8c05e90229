//! The fault contract: what may be demanded of a cluster that was hurt like this.
//!
//! Reckoned from what was really done ([`Damage`]), not from the names of faults, so that faults may
//! overlap: a killed process loses its memory, but what it wrote survives in the page cache of the
//! running machine, and links lose only frames that Paxos never relied on, so neither voids the
//! demand for safety. Nor does a disk that is emptied: one forgetful acceptor would be enough to lose a
//! chosen value, so its node is not let in again, and is as good as dead, for good. Only where all disks
//! were emptied nobody is left who remembers anything. [`render`] writes the contract out for every
//! kind of fault, and the docs hold what it writes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::verdict::Answer;
use crate::nemesis::{FaultReport, Outcome};
use crate::schedule::{Action, Condition, Damage, Example, examples};
use crate::system::NodeId;

/// What the verdict may demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demands {
    /// Linearizable histories, agreeing logs, no node that dies on its own.
    pub safety: bool,
    /// An election and finished operations while the fault is active.
    pub progress_during: bool,
    /// The same once everything is healed and had time to settle.
    pub liveness_after: bool,
}

impl Demands {
    /// What may be demanded of a cluster with this damage.
    pub fn of(damage: &Damage) -> Demands {
        let safety = damage.keeps_durable_state();
        Demands { safety, progress_during: damage.allows_progress(), liveness_after: damage.can_recover() }
    }

    /// What may be demanded at the end of a run in which these faults were done.
    pub fn of_run(faults: &[FaultReport], nodes: u16) -> Demands {
        let done = faults.iter().filter(|fault| !matches!(fault.outcome, Outcome::Skipped(_)));
        let actions: Vec<&Action> =
            done.flat_map(|fault| fault.actions.iter().map(|done| &done.action)).collect();
        let all: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
        let damage = Damage::of(&all, [], actions);
        let recovers = damage.can_recover();
        Demands { safety: damage.keeps_durable_state(), progress_during: recovers, liveness_after: recovers }
    }
}

/// How often a request and what it causes may cross a link until its answer is there: from the client, on
/// to the leader, to the acceptors, and all of that back.
const CROSSINGS: u32 = 6;

/// What is in force, in words, if a cluster in these conditions must make progress all the same, for
/// clients that wait as long as this for an answer.
pub fn progress_demanded<'a>(
    conditions: &BTreeMap<NodeId, Condition>,
    standing: impl Iterator<Item = &'a Action> + Clone,
    patience: Duration,
) -> Option<String> {
    let nodes: Vec<NodeId> = conditions.keys().copied().collect();
    let silent = conditions.iter().filter(|(_, is)| **is != Condition::Up).map(|(&node, _)| node);
    let damage = Damage::of(&nodes, silent, standing.clone());
    let words: Vec<String> = standing.map(Action::describe).collect();
    let patient = damage.latest() * CROSSINGS <= patience;
    (!words.is_empty() && patient && Demands::of(&damage).progress_during).then(|| words.join(", "))
}

/// A demand that the contract does not allow turns "invalid" into "unknown".
pub fn weigh(answer: Answer, demanded: bool) -> Answer {
    if answer == Answer::Invalid && !demanded { Answer::Unknown } else { answer }
}

/// The contract for a cluster of `nodes` whose first node leads, in Markdown.
pub fn render(nodes: u16) -> String {
    let word = |demanded| if demanded { "demanded" } else { "no" };
    let mut table = String::from(
        "| fault | for example | safety | progress while it lasts | progress afterwards | because |\n\
         |---|---|---|---|---|---|\n",
    );
    let all: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
    for Example { name, action, because } in examples(nodes) {
        let Demands { safety, progress_during, liveness_after } =
            Demands::of(&Damage::of(&all, [], [&action]));
        table += &format!(
            "| `{name}` | {} | {} | {} | {} | {because} |\n",
            action.describe().replace('|', "\\|"),
            word(safety),
            word(progress_during),
            word(liveness_after),
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nemesis::report::ActionReport;
    use crate::proxy::{Link, LinkPolicy};

    #[test]
    fn the_docs_hold_the_table() {
        let docs = include_str!("../../../results/README.md");
        assert!(docs.contains(&render(5)), "results/README.md should hold this table:\n\n{}", render(5));
    }

    #[test]
    fn only_emptied_disks_void_a_run() {
        let done = |action: Action| {
            let told = ActionReport { words: action.describe(), action, start_ns: 0, end_ns: 1, bit: true };
            FaultReport { actions: vec![told], ..FaultReport::begin(0, "fault", 0) }
        };
        let (kill, wipe) = (done(Action::Kill(vec![NodeId(1)])), done(Action::Wipe(vec![NodeId(2)])));
        let demands = |faults: &[FaultReport], nodes| {
            let Demands { safety, liveness_after, .. } = Demands::of_run(faults, nodes);
            (safety, liveness_after)
        };
        let skipped = FaultReport { outcome: Outcome::Skipped(String::new()), ..wipe.clone() };
        assert_eq!(demands(&[kill.clone(), skipped], 1), (true, true));
        assert_eq!(demands(&[kill.clone(), wipe.clone()], 3), (true, true));
        assert_eq!(demands(&[kill, wipe.clone()], 2), (true, false));
        let other = done(Action::Wipe(vec![NodeId(1)]));
        assert_eq!(demands(&[wipe, other], 2), (false, false));
    }

    #[test]
    fn who_waits_less_than_the_links_take_is_owed_nothing() {
        let conditions = (1..=3).map(|id| (NodeId(id), Condition::Up)).collect();
        let links = [Link::between(NodeId(1), NodeId(2)), Link::between(NodeId(2), NodeId(1))];
        let policy = LinkPolicy { delay_us: 80_000, jitter_us: 20_000, ..LinkPolicy::default() };
        let late = Action::Links(links.into(), policy);
        let demanded =
            |ms| progress_demanded(&conditions, [&late].into_iter(), Duration::from_millis(ms)).is_some();
        assert!(demanded(600) && !demanded(599));
    }

    #[test]
    fn what_may_not_be_demanded_is_unknown_not_invalid() {
        assert_eq!(weigh(Answer::Invalid, true), Answer::Invalid);
        assert_eq!(weigh(Answer::Invalid, false), Answer::Unknown);
        assert_eq!(weigh(Answer::Valid, false), Answer::Valid);
    }
}
