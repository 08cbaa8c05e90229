//! Rules about a learner: what it takes for chosen it has counted, or been told.

use super::found::Rule;
use super::rank::Rank;
use super::walk::Walk;
use paxos_node::paxos::{Ballot, NodeId, NodeSet, Slot};
use paxos_node::trace::{Report, ValueId};

impl Walk<'_> {
    /// Somebody votes for a proposal of this node.
    pub(super) fn vote(&mut self, from: NodeId, ballot: Ballot, slot: Slot) {
        if ballot.node == self.node && slot > self.life.chosen_upto {
            let in_slot = self.life.votes.entry(slot).or_default();
            in_slot.entry(Rank::of(ballot)).or_default().insert(from);
        }
    }

    /// Somebody says that these are chosen.
    pub(super) fn tell(&mut self, slots: &[Report]) {
        for report in slots.iter().filter(|report| report.learned && report.slot > self.life.chosen_upto) {
            self.life.told.entry(report.slot).or_default().push(report.value);
        }
    }

    /// The node's prefix of chosen slots grows by one.
    pub(super) fn choose(&mut self, slot: Slot, value: ValueId) {
        let before = self.life.chosen_upto;
        if slot != before.next() {
            let words =
                format!("takes everything up to slot {slot} for chosen, with a gap after slot {before}");
            self.broken(Rule::GapFreePrefix, &words);
        }
        self.justify(slot, value);
        self.slots.chosen(slot, value, self.at);
        self.life.chosen_upto = slot;
        self.life.votes.remove(&slot);
        self.life.told.remove(&slot);
    }

    /// Rule 3, for this node alone: it has a reason to take this for chosen.
    pub(super) fn justify(&mut self, slot: Slot, value: ValueId) {
        if self.blind
            || self.is_told(slot, value)
            || self.log.learned(slot) == Some(value)
            || self.is_counted(slot, value)
        {
            return;
        }
        let votes: Vec<String> = self
            .life
            .votes
            .get(&slot)
            .into_iter()
            .flatten()
            .map(|(ballot, voters)| format!("{voters:?} in {ballot}"))
            .collect();
        let votes = if votes.is_empty() { "none".to_owned() } else { votes.join(", ") };
        let own = match self.log.votes(slot).last() {
            Some(vote) if vote.lsn <= self.log.durable() => format!("its own in {}", vote.rank()),
            Some(vote) => format!("its own in {}, not durable", vote.rank()),
            None => "none of its own".to_owned(),
        };
        let words = format!(
            "takes {value} in slot {slot} for chosen; votes it was sent: {votes}; {own}; and nobody told it"
        );
        self.broken(Rule::LearntIsChosen, &words);
    }

    /// Somebody told it of the value; or a leader of everything up to here, which says something
    /// about a value accepted in that leader's own ballot.
    fn is_told(&self, slot: Slot, value: ValueId) -> bool {
        let told = self.life.told.get(&slot).is_some_and(|values| values.contains(&value));
        let marks = &self.life.marks;
        told || self
            .log
            .votes(slot)
            .iter()
            .any(|vote| vote.value == value && marks.get(&vote.rank()).is_some_and(|mark| *mark >= slot))
    }

    /// It led, and a quorum voted for what it proposed.
    fn is_counted(&self, slot: Slot, value: ValueId) -> bool {
        let own =
            self.log.votes(slot).iter().filter(|vote| vote.ballot.node == self.node && vote.value == value);
        let sent = self.life.votes.get(&slot);
        own.into_iter().any(|vote| {
            let mut voters = sent.and_then(|sent| sent.get(&vote.rank())).copied().unwrap_or(NodeSet::EMPTY);
            if vote.lsn <= self.log.durable() {
                voters.insert(self.node);
            }
            self.voters.are_quorum(slot, voters)
        })
    }
}
