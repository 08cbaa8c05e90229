//! A small run of three nodes as traces, made by hand: n1 leads in ballot 1 and has two slots
//! chosen, a no-op and [`A`]. Tests change a step and look what is found.

use harness::system::WhiteBoxReport;
use harness::system::paxos::white_box::trace::{NodeTrace, Rule, examine_traces};
use paxos_node::paxos::{AppliedHash, Ballot, Lsn, NodeId, NodeSet, Slot};
use paxos_node::trace::{Entry, Event, Frame, Holding, Report, Said, ValueId};
use std::collections::BTreeSet;

/// What a client asked for.
pub(crate) const A: ValueId = ValueId(0xa);
/// Something else.
pub(crate) const B: ValueId = ValueId(0xb);
/// What fills a gap.
pub(crate) const NOOP: ValueId = ValueId::NOOP;

/// Between one step of a node and its next.
const STEP_NS: u64 = 1_000_000;

pub(crate) fn ballot(round: u64, node: u16) -> Ballot {
    Ballot { round, node: NodeId(node) }
}

/// The ballot of the tale.
pub(crate) fn first() -> Ballot {
    ballot(1, 1)
}

pub(crate) fn set(nodes: &[u16]) -> NodeSet {
    nodes.iter().copied().map(NodeId).collect()
}

pub(crate) fn wrote(lsn: u64, entry: Entry) -> Event {
    Event::Wrote { lsn: Lsn(lsn), entry }
}

pub(crate) fn accepts(lsn: u64, slot: u64, ballot: Ballot, value: ValueId) -> Event {
    wrote(lsn, Entry::Accepted { slot: Slot(slot), ballot, value })
}

pub(crate) fn durable(lsn: u64) -> Event {
    Event::Durable(Lsn(lsn))
}

pub(crate) fn received(from: u16, said: Said) -> Event {
    Event::Received { from: NodeId(from), said }
}

pub(crate) fn sent(to: &[u16], said: Said) -> Event {
    Event::Sent { to: set(to), after: Lsn(0), said }
}

pub(crate) fn prepare(ballot: Ballot, from: u64) -> Said {
    Said::Prepare { ballot, from: Slot(from) }
}

pub(crate) fn promise(ballot: Ballot, from: u64, slots: &[Report]) -> Said {
    Said::Promise { ballot, from: Slot(from), slots: slots.to_vec(), next: None, trimmed: Slot(0) }
}

pub(crate) fn reported(slot: u64, ballot: Ballot, value: ValueId) -> Report {
    Report { slot: Slot(slot), ballot, value, learned: false }
}

pub(crate) fn learned(slot: u64, value: ValueId) -> Report {
    Report { slot: Slot(slot), ballot: first(), value, learned: true }
}

pub(crate) fn accept(ballot: Ballot, slot: u64, value: ValueId, chosen_upto: u64) -> Said {
    Said::Accept { ballot, slot: Slot(slot), value, chosen_upto: Slot(chosen_upto) }
}

pub(crate) fn accepted(ballot: Ballot, slot: u64) -> Said {
    Said::Accepted { ballot, slot: Slot(slot) }
}

pub(crate) fn heartbeat(ballot: Ballot, chosen_upto: u64) -> Said {
    Said::Heartbeat { ballot, chosen_upto: Slot(chosen_upto) }
}

pub(crate) fn chosen(slot: u64, value: ValueId) -> Event {
    Event::Chosen { slot: Slot(slot), value }
}

/// The state after a slot is the same wherever the slots before were.
pub(crate) fn applied(slot: u64) -> Event {
    applied_as(slot, 0x100 + slot)
}

pub(crate) fn applied_as(slot: u64, hash: u64) -> Event {
    Event::Applied(AppliedHash { slot: Slot(slot), hash })
}

pub(crate) fn asked(id: u64) -> Event {
    Event::Asked { client: 1, id }
}

pub(crate) fn replied(id: u64, slot: u64) -> Event {
    Event::Replied { client: 1, id, slot: Slot(slot) }
}

/// How each life begins.
pub(crate) fn restart(
    node: u16,
    records: u64,
    promised: Ballot,
    held: &[(u64, Ballot, ValueId)],
) -> [Event; 2] {
    let mut holding = Holding::default();
    held.iter().for_each(|(slot, ballot, value)| holding.add(Slot(*slot), *ballot, *value));
    let (chosen_upto, applied) = (Slot::ZERO, AppliedHash::default());
    [
        Event::Started { node: NodeId(node), nodes: set(&[1, 2, 3]), pid: 7, incarnation: records },
        Event::Recovered { records: Lsn(records), promised, holding, chosen_upto, applied },
    ]
}

/// What each of three nodes did; a step is a millisecond.
#[derive(Clone)]
pub(crate) struct Tale {
    nodes: [Vec<(u64, Event)>; 3],
}

impl Tale {
    pub(crate) fn new() -> Tale {
        let mut tale = Tale { nodes: [Vec::new(), Vec::new(), Vec::new()] };
        tale.then(1, restart(1, 0, Ballot::ZERO, &[]));
        tale.then(1, [wrote(1, Entry::BallotUsed(first())), wrote(2, Entry::Promised(first())), durable(2)]);
        tale.then(1, [sent(&[2, 3], prepare(first(), 1)), received(2, promise(first(), 1, &[]))]);
        tale.then(1, [accepts(3, 1, first(), NOOP), sent(&[2, 3], accept(first(), 1, NOOP, 0))]);
        tale.then(
            1,
            [sent(&[2, 3], heartbeat(first(), 0)), received(3, promise(first(), 1, &[])), durable(3)],
        );
        tale.then(1, [received(2, accepted(first(), 1)), chosen(1, NOOP), applied(1)]);
        tale.then(1, [accepts(4, 2, first(), A), sent(&[2, 3], accept(first(), 2, A, 1)), durable(4)]);
        tale.then(1, [received(3, accepted(first(), 2)), chosen(2, A), applied(2), replied(1, 2)]);
        tale.then(1, [asked(2), sent(&[2, 3], heartbeat(first(), 2)), replied(2, 2)]);
        for node in [2, 3] {
            tale.then(node, restart(node, 0, Ballot::ZERO, &[]));
            tale.then(
                node,
                [received(1, prepare(first(), 1)), wrote(1, Entry::Promised(first())), durable(1)],
            );
            tale.then(node, [sent(&[1], promise(first(), 1, &[]))]);
            tale.then(
                node,
                [received(1, accept(first(), 1, NOOP, 0)), accepts(2, 1, first(), NOOP), durable(2)],
            );
            tale.then(node, [sent(&[1], accepted(first(), 1))]);
            tale.then(node, [received(1, accept(first(), 2, A, 1)), accepts(3, 2, first(), A)]);
            tale.then(node, [chosen(1, NOOP), applied(1), durable(3), sent(&[1], accepted(first(), 2))]);
            tale.then(node, [received(1, heartbeat(first(), 2)), chosen(2, A), applied(2)]);
        }
        tale
    }

    fn steps(&mut self, node: u16) -> &mut Vec<(u64, Event)> {
        &mut self.nodes[usize::from(node) - 1]
    }

    /// The node goes on, a step after the other.
    pub(crate) fn then(&mut self, node: u16, events: impl IntoIterator<Item = Event>) {
        for event in events {
            let at = self.steps(node).last().map_or(0, |(at, _)| at + 1);
            self.steps(node).push((at, event));
        }
    }

    /// The node does this as soon as it lives.
    pub(crate) fn at_first(&mut self, node: u16, event: Event) {
        let at = self.steps(node)[1].0;
        self.steps(node).insert(2, (at, event));
    }

    /// The node goes on, not before this step.
    pub(crate) fn later(&mut self, at: u64, node: u16, event: Event) {
        let earliest = self.steps(node).last().map_or(0, |(at, _)| at + 1);
        self.steps(node).push((at.max(earliest), event));
    }

    /// The node does something else at this step.
    pub(crate) fn instead(&mut self, node: u16, of: &Event, event: Event) {
        let place = self.steps(node).iter_mut().find(|(_, step)| step == of);
        place.expect("a step of the tale").1 = event;
    }

    /// The node never does this.
    pub(crate) fn without(&mut self, node: u16, event: &Event) {
        let before = self.steps(node).len();
        self.steps(node).retain(|(_, step)| step != event);
        assert_eq!(self.steps(node).len() + 1, before, "a step of the tale");
    }

    /// The files that these nodes would have left, each step a turn of its own.
    pub(crate) fn traces(&self) -> Vec<NodeTrace> {
        let frame = |(at, event): &(u64, Event)| {
            let ns = (at + 1) * STEP_NS;
            Frame { offset: 0, began_ns: ns, written_ns: ns, events: vec![event.clone()] }.encode()
        };
        let trace = |(node, steps): (u16, &Vec<(u64, Event)>)| {
            let bytes = steps.iter().flat_map(frame).collect();
            NodeTrace { node: harness::system::NodeId(node), bytes }
        };
        (1..).zip(&self.nodes).map(trace).collect()
    }

    pub(crate) fn examined(&self) -> WhiteBoxReport {
        examine_traces(&self.traces(), 3)
    }

    /// Which rules are broken, and nothing is unknown.
    pub(crate) fn broken(&self) -> BTreeSet<String> {
        let report = self.examined();
        assert!(report.unknown.is_empty(), "{report:#?}");
        rules(&report)
    }

    /// That rule is broken and no other, first in these words.
    pub(crate) fn breaks(&self, rule: Rule, words: &str) {
        let report = self.examined();
        assert_eq!(self.broken(), BTreeSet::from([rule.name().to_owned()]), "{report:#?}");
        assert!(report.violations[0].ends_with(words), "{report:#?}");
    }

    pub(crate) fn is_sound(&self) {
        let report = self.examined();
        assert!(report.violations.is_empty() && report.unknown.is_empty(), "{report:#?}");
    }
}

/// The names of the rules that a report says to be broken.
pub(crate) fn rules(report: &WhiteBoxReport) -> BTreeSet<String> {
    let name = |words: &String| words.split(": ").nth(1).unwrap_or_default().to_owned();
    report.violations.iter().map(name).collect()
}
