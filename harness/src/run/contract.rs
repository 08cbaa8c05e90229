//! The fault contract: what may be demanded of a cluster that was hurt like this.
//!
//! One table in code, used by the verdict and printed in the docs. A fault that destroys what
//! was made durable on a voting node would void the demand for safety (one forgetful acceptor is
//! enough to lose a chosen value); none of the faults below does: a killed process loses its
//! memory, but what it wrote survives in the page cache of the running machine, and links lose
//! only frames that Paxos never relied on.

use std::collections::BTreeSet;

use super::verdict::Answer;
use crate::nemesis::Kind;

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

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The fault.
    pub kind: Kind,
    /// What of the nodes' durable state it destroys.
    pub durable_loss: &'static str,
    /// What may be demanded of a cluster of `nodes`.
    pub demands: fn(nodes: usize) -> Demands,
    /// Why.
    pub because: &'static str,
}

/// Safety always; progress only while a quorum that all hear each other is sure to be left.
fn with_a_quorum_left(nodes: usize) -> Demands {
    Demands { safety: true, progress_during: nodes >= 3, liveness_after: true }
}

/// Safety always; no progress while it lasts.
fn without_a_quorum(_nodes: usize) -> Demands {
    Demands { safety: true, progress_during: false, liveness_after: true }
}

/// A majority is left only where the split is uneven.
fn with_halves(nodes: usize) -> Demands {
    Demands { safety: true, progress_during: nodes >= 3 && nodes % 2 == 1, liveness_after: true }
}

/// The table.
pub const TABLE: [Row; 16] = {
    const NONE: &str = "none";
    const QUORUM: &str = "a majority is left, and all of it is connected";
    const OUTAGE: &str = "no quorum is left until the cure";
    const LOSSY: &str = "safety never rests on delivery; progress is only probable while it lasts";
    const fn row(kind: Kind, demands: fn(usize) -> Demands, because: &'static str) -> Row {
        Row { kind, durable_loss: NONE, demands, because }
    }
    [
        row(Kind::KillOne, with_a_quorum_left, QUORUM),
        row(Kind::KillMinority, with_a_quorum_left, QUORUM),
        row(Kind::KillLeader, with_a_quorum_left, QUORUM),
        row(Kind::KillAll, without_a_quorum, OUTAGE),
        row(Kind::PauseOne, with_a_quorum_left, QUORUM),
        row(Kind::PauseMinority, with_a_quorum_left, QUORUM),
        row(Kind::PauseLeader, with_a_quorum_left, QUORUM),
        row(Kind::PauseAll, without_a_quorum, OUTAGE),
        row(Kind::PartitionHalves, with_halves, "the larger half is a majority if the number is odd"),
        row(Kind::PartitionIsolateLeader, with_a_quorum_left, QUORUM),
        row(Kind::PartitionIsolateRandom, with_a_quorum_left, QUORUM),
        row(
            Kind::PartitionOneWay,
            without_a_quorum,
            "a node that can only speak may keep deposing the others' leader",
        ),
        row(Kind::LinkDelay, without_a_quorum, LOSSY),
        row(Kind::LinkDrop, without_a_quorum, LOSSY),
        row(Kind::LinkDuplicate, without_a_quorum, LOSSY),
        row(Kind::LinkReorder, without_a_quorum, LOSSY),
    ]
};

/// The row of a fault.
pub fn row(kind: Kind) -> &'static Row {
    TABLE.iter().find(|row| row.kind == kind).expect("the table has a row for every kind, as its test shows")
}

/// What may be demanded of a whole run in which all of these were installed.
pub fn demands(kinds: &BTreeSet<Kind>, nodes: usize) -> Demands {
    let calm = Demands { safety: true, progress_during: true, liveness_after: true };
    kinds.iter().map(|&kind| (row(kind).demands)(nodes)).fold(calm, |all, one| Demands {
        safety: all.safety && one.safety,
        progress_during: all.progress_during && one.progress_during,
        liveness_after: all.liveness_after && one.liveness_after,
    })
}

/// A demand that the contract does not allow turns "invalid" into "unknown".
pub fn weigh(answer: Answer, demanded: bool) -> Answer {
    if answer == Answer::Invalid && !demanded { Answer::Unknown } else { answer }
}

/// The table for a cluster of `nodes`, in Markdown.
pub fn render(nodes: usize) -> String {
    let word = |demanded| if demanded { "demanded" } else { "no" };
    let mut table = String::from(
        "| fault | durable state lost | safety | progress while it lasts | progress afterwards | because |\n\
         |---|---|---|---|---|---|\n",
    );
    for row in &TABLE {
        let Demands { safety, progress_during, liveness_after } = (row.demands)(nodes);
        table += &format!(
            "| `{}` | {} | {} | {} | {} | {} |\n",
            row.kind,
            row.durable_loss,
            word(safety),
            word(progress_during),
            word(liveness_after),
            row.because
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_exactly_one_row() {
        for kind in Kind::ALL {
            assert_eq!(TABLE.iter().filter(|row| row.kind == kind).count(), 1, "{kind}");
            assert_eq!(row(kind).kind, kind);
        }
    }

    #[test]
    fn the_docs_hold_the_table() {
        let docs = include_str!("../../../results/README.md");
        assert!(docs.contains(&render(5)), "results/README.md should hold this table:\n\n{}", render(5));
    }

    #[test]
    fn no_fault_of_today_voids_safety_or_recovery() {
        let demands = demands(&Kind::ALL.into_iter().collect(), 5);
        assert!(demands.safety && demands.liveness_after && !demands.progress_during);
    }

    #[test]
    fn what_may_not_be_demanded_is_unknown_not_invalid() {
        assert_eq!(weigh(Answer::Invalid, true), Answer::Invalid);
        assert_eq!(weigh(Answer::Invalid, false), Answer::Unknown);
        assert_eq!(weigh(Answer::Valid, false), Answer::Valid);
    }
}
