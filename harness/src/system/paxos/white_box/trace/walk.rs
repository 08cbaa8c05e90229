//! One node's trace from front to back.

use super::candidate::Candidacy;
use super::found::{At, Found, Rule};
use super::governing::Voters;
use super::log::Log;
use super::rank::Rank;
use super::slots::Slots;
use paxos_node::paxos::{AppliedHash, Ballot, Lsn, NodeId, NodeSet, Slot};
use paxos_node::trace::{Entry, Event, Frame, Holding, Said, ValueId};
use std::collections::BTreeMap;

/// A node under way through its trace. The rules about its roles are in the files of those roles.
pub(super) struct Walk<'a> {
    pub(super) node: NodeId,
    pub(super) voters: &'a Voters,
    pub(super) at: At,
    pub(super) log: Log,
    pub(super) life: Life,
    /// It has written records that its trace does not tell of: what it holds is not known.
    pub(super) blind: bool,
    /// This is somebody else's trace: nothing in it says anything of this node.
    foreign: bool,
    pub(super) slots: &'a mut Slots,
    pub(super) found: &'a mut Found,
}

/// What ends with the process.
#[derive(Default)]
pub(super) struct Life {
    /// Attempts at leadership.
    pub(super) candidacies: BTreeMap<Rank, Candidacy>,
    /// Who voted for its proposals in slots that it does not know to be chosen.
    pub(super) votes: BTreeMap<Slot, BTreeMap<Rank, NodeSet>>,
    /// How far leaders said that everything is chosen.
    pub(super) marks: BTreeMap<Rank, Slot>,
    /// What others said to be chosen.
    pub(super) told: BTreeMap<Slot, Vec<ValueId>>,
    /// It knows everything up to here to be chosen.
    pub(super) chosen_upto: Slot,
    /// The snapshot that it began with.
    pub(super) base: Slot,
    pub(super) applied: Slot,
    /// The highest ballot that it was told of; and of those, in turns before this one.
    pub(super) told_of: Rank,
    pub(super) told_before: Rank,
    /// When reads came in, at the earliest.
    pub(super) asked: BTreeMap<(u64, u64), u64>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        node: NodeId,
        voters: &'a Voters,
        slots: &'a mut Slots,
        found: &'a mut Found,
    ) -> Walk<'a> {
        let at = At { node, offset: 0, began_ns: 0, written_ns: 0 };
        let (log, life) = (Log::default(), Life::default());
        Walk { node, voters, at, log, life, blind: false, foreign: false, slots, found }
    }

    pub(super) fn frame(&mut self, frame: &Frame) {
        self.at =
            At { offset: frame.offset, began_ns: frame.began_ns, written_ns: frame.written_ns, ..self.at };
        self.found.examined("traced steps", frame.events.len());
        self.life.told_before = self.life.told_of;
        for event in &frame.events {
            self.step(event);
        }
    }

    /// The rest of this trace can't be used.
    pub(super) fn breaks_off(&mut self, why: &str) {
        let node = self.node;
        self.found.unknown(format!("trace: {node}: it {why}"));
        self.lose_sight();
    }

    /// From here on this trace proves nothing by what it lacks.
    fn lose_sight(&mut self) {
        if !self.blind {
            self.blind = true;
            self.slots.unread(1);
        }
    }

    pub(super) fn broken(&mut self, rule: Rule, words: &str) {
        self.found.broken(rule, self.at, words);
    }

    fn step(&mut self, event: &Event) {
        if self.foreign {
            return;
        }
        match event {
            Event::Started { node, .. } => {
                if *node != self.node {
                    self.foreign = true;
                    self.breaks_off(&format!("is the trace of {node}"));
                }
                self.life = Life::default();
            }
            Event::Recovered { records, promised, holding, chosen_upto, applied } => {
                self.recovered(*records, *promised, *holding);
                self.life.chosen_upto = *chosen_upto;
                self.apply(*applied);
            }
            Event::Restored(applied) => {
                self.life.base = applied.slot;
                self.slots.covered(*applied, self.at);
            }
            // Gathered before.
            Event::Governs { .. } => {}
            Event::Saved(slot) => self.saved(*slot),
            Event::Installed(applied) => self.install(*applied),
            Event::Received { from, said } => self.received(*from, said),
            Event::Asked { client, id } => {
                // A copy that the network made comes later, and is ignored.
                self.life.asked.entry((*client, *id)).or_insert(self.at.began_ns);
            }
            Event::Durable(lsn) => self.durable(*lsn),
            Event::Wrote { lsn, entry } => self.wrote(*lsn, entry),
            Event::Chosen { slot, value } => self.choose(*slot, *value),
            Event::Applied(applied) => self.apply(*applied),
            Event::Sent { to, said, .. } => self.sent(*to, said),
            Event::Replied { client, id, slot } => {
                let asked = self.life.asked.remove(&(*client, *id));
                self.slots.replied(*slot, asked, self.at);
            }
        }
    }

    fn received(&mut self, from: NodeId, said: &Said) {
        // Whoever has no vote any more is not listened to when he stands.
        let stands_in_vain = matches!(said, Said::Prepare { .. })
            && !self.voters.votes_from(self.life.chosen_upto.next(), from);
        if let Said::Prepare { ballot, .. }
        | Said::Accept { ballot, .. }
        | Said::Heartbeat { ballot, .. }
        | Said::Reject { promised: ballot, .. } = said
            && !stands_in_vain
        {
            self.life.told_of = self.life.told_of.max(Rank::of(*ballot));
        }
        match said {
            Said::Promise { ballot, from: first, slots, next, trimmed } => {
                if let Some(candidacy) = self.life.candidacies.get_mut(&Rank::of(*ballot)) {
                    candidacy.promise(from, *first, slots, *next, *trimmed);
                }
                self.tell(slots);
            }
            Said::Accepted { ballot, slot } => self.vote(from, *ballot, *slot),
            Said::Accept { ballot, chosen_upto, .. } | Said::Heartbeat { ballot, chosen_upto } => {
                let mark = self.life.marks.entry(Rank::of(*ballot)).or_default();
                *mark = (*mark).max(*chosen_upto);
            }
            Said::LearnReply { slots } => self.tell(slots),
            Said::Prepare { .. } | Said::Reject { .. } => {}
        }
    }

    fn wrote(&mut self, lsn: Lsn, entry: &Entry) {
        if lsn.0 != self.log.written().0 + 1 {
            if !self.blind {
                let after = self.log.written();
                self.breaks_off(&format!("tells of record {lsn} after record {after}"));
            }
            return;
        }
        match *entry {
            Entry::BallotUsed(ballot) => self.use_ballot(ballot),
            Entry::Promised(ballot) => self.bind(ballot, "promises"),
            Entry::Accepted { slot, ballot, value } => self.accept(slot, ballot, value),
            Entry::Learned { slot, value, .. } => {
                self.justify(slot, value);
                self.slots.learned(slot, value, self.at);
            }
            Entry::Checkpoint { promised, .. } => self.keep_promise(promised),
            Entry::Kept { slot, ballot, value } => self.keep_vote(slot, ballot, value),
            Entry::ChosenUpto(_) | Entry::Founding => {}
        }
        self.log.write(*entry);
        if let Entry::Accepted { slot, ballot, value } = *entry {
            self.slots.accepted(slot, ballot, value, self.at, self.found);
        }
    }

    fn durable(&mut self, lsn: Lsn) {
        if lsn > self.log.written() && !self.blind {
            let written = self.log.written();
            self.breaks_off(&format!("says that record {lsn} is durable, and tells only of {written}"));
        }
        for entry in self.log.confirm(lsn) {
            if let Entry::Accepted { slot, ballot, value } = *entry {
                self.slots.holds(slot, ballot, value, self.node);
            }
        }
    }

    /// Rule 12: what was durable came back, and the node knows it.
    fn recovered(&mut self, records: Lsn, promised: Ballot, holding: Holding) {
        if records > self.log.written() {
            if !self.blind {
                let written = self.log.written();
                self.breaks_off(&format!("tells of {written} records, of {records} that the log gave back"));
            }
            return;
        }
        if records < self.log.durable() {
            let durable = self.log.durable();
            self.broken(
                Rule::NothingForgotten,
                &format!("restarts with {records} records, of {durable} that its disk had confirmed"),
            );
        }
        for entry in self.log.restart(records) {
            if let Entry::Accepted { slot, ballot, value } = entry {
                self.slots.holds(slot, ballot, value, self.node);
            }
        }
        if self.blind {
            return;
        }
        let bound = self.log.promised();
        if Rank::of(promised) != bound {
            let promised = Rank::of(promised);
            self.broken(
                Rule::NothingForgotten,
                &format!("restarts bound by ballot {promised}; its log holds the promise of {bound}"),
            );
        }
        let held = self.log.holding(self.life.base);
        if holding != held {
            let (has, had) = (holding.slots, held.slots);
            let words = if has == had {
                format!(
                    "restarts with {has} slots accepted as its log says, but not all with the latest ballot and value"
                )
            } else {
                format!("restarts with {has} slots accepted; its log holds {had}")
            };
            self.broken(Rule::NothingForgotten, &words);
        }
    }

    /// Rule 12, for what the log says again before its beginning is cut off: the promise …
    fn keep_promise(&mut self, promised: Ballot) {
        let bound = self.log.promised();
        if Rank::of(promised) < bound && !self.blind {
            let promised = Rank::of(promised);
            let words = format!("keeps a promise of {promised} when it trims its log; it promised {bound}");
            self.broken(Rule::NothingForgotten, &words);
        }
    }

    /// … and votes.
    fn keep_vote(&mut self, slot: Slot, ballot: Ballot, value: ValueId) {
        let is_it = |vote: &super::log::Vote| vote.ballot == ballot && vote.value == value;
        if !self.log.votes(slot).iter().any(is_it) && !self.blind {
            let rank = Rank::of(ballot);
            let words = format!("keeps {value} in slot {slot} of ballot {rank}, which it had not accepted");
            self.broken(Rule::NothingForgotten, &words);
        }
    }

    /// Rule 8: a snapshot is of what was executed.
    fn saved(&mut self, slot: Slot) {
        self.found.examined("traced snapshots", 1);
        if slot > self.life.applied {
            let applied = self.life.applied;
            let words = format!("has a snapshot of slot {slot}, and has applied only up to slot {applied}");
            self.broken(Rule::GapFreePrefix, &words);
        }
    }

    /// Rule 8: a state that comes from another node is a later one. That it is the right one the
    /// slots say, 9.
    fn install(&mut self, applied: AppliedHash) {
        self.found.examined("traced snapshots installed", 1);
        let before = self.life.applied;
        if applied.slot <= before {
            let slot = applied.slot;
            let words = format!("installs a snapshot of slot {slot} after it applied slot {before}");
            self.broken(Rule::GapFreePrefix, &words);
        }
        self.life.chosen_upto = self.life.chosen_upto.max(applied.slot);
        self.life.applied = applied.slot;
        self.slots.covered(applied, self.at);
    }

    /// Rule 8 and, by the slots, 9.
    fn apply(&mut self, applied: AppliedHash) {
        let AppliedHash { slot, hash } = applied;
        if slot == Slot::ZERO {
            return;
        }
        let (before, known) = (self.life.applied, self.life.chosen_upto);
        if slot <= before {
            self.broken(Rule::GapFreePrefix, &format!("applies slot {slot} after slot {before}"));
        } else if slot > known {
            let words = format!("has applied slot {slot}, and knows only up to slot {known} what is chosen");
            self.broken(Rule::GapFreePrefix, &words);
        }
        self.life.applied = slot;
        self.slots.applied(slot, hash, self.at);
    }
}
