//! What all nodes together say about each slot, and the rules that compare them.

use super::found::{At, Found, Rule};
use super::governing::Voters;
use super::rank::Rank;
use super::replies::Replies;
use paxos_node::paxos::{AppliedHash, Ballot, NodeId, NodeSet, Slot};
use paxos_node::trace::ValueId;
use std::collections::BTreeMap;

/// Every slot that any trace tells of.
pub(super) struct Slots {
    voters: Voters,
    /// Traces that are missing, or not whole.
    unread: usize,
    slots: BTreeMap<Slot, Facts>,
    replies: Replies,
}

/// One slot.
#[derive(Default)]
struct Facts {
    proposals: Vec<Proposal>,
    /// What nodes took for chosen, each value once.
    learned: Vec<(ValueId, At)>,
    /// The state hashes after it, each once.
    states: Vec<(u64, At)>,
    /// When somebody first knew everything up to here to be chosen, at the latest.
    known_ns: Option<u64>,
    /// Snapshots that cover exactly what comes up to here: the state hash in them, each once.
    covered: Vec<(u64, At)>,
}

/// A value that somebody accepted in a ballot.
struct Proposal {
    ballot: Rank,
    value: ValueId,
    /// The ballot's own node proposed it.
    proposed: bool,
    /// Whose disks hold it.
    holders: NodeSet,
    /// Who said so first.
    first: At,
}

impl Slots {
    pub(super) fn new(voters: Voters) -> Slots {
        Slots { voters, unread: 0, slots: BTreeMap::new(), replies: Replies::default() }
    }

    /// So many more traces can't be used, or not to their end.
    pub(super) fn unread(&mut self, traces: usize) {
        self.unread += traces;
    }

    fn proposal(&mut self, slot: Slot, ballot: Ballot, value: ValueId, first: At) -> &mut Proposal {
        let proposals = &mut self.slots.entry(slot).or_default().proposals;
        let rank = Rank::of(ballot);
        let is_it = |proposal: &Proposal| proposal.ballot == rank && proposal.value == value;
        let index = proposals.iter().position(is_it).unwrap_or_else(|| {
            let (proposed, holders) = (false, NodeSet::EMPTY);
            proposals.push(Proposal { ballot: rank, value, proposed, holders, first });
            proposals.len() - 1
        });
        &mut proposals[index]
    }

    /// The ballot's own node proposes.
    pub(super) fn proposed(&mut self, slot: Slot, ballot: Ballot, value: ValueId, at: At) {
        self.proposal(slot, ballot, value, at).proposed = true;
    }

    /// Rule 4: somebody accepts.
    pub(super) fn accepted(&mut self, slot: Slot, ballot: Ballot, value: ValueId, at: At, found: &mut Found) {
        let rank = Rank::of(ballot);
        self.proposal(slot, ballot, value, at);
        let Some(facts) = self.slots.get(&slot) else { return };
        let other = |proposal: &&Proposal| proposal.ballot == rank && proposal.value != value;
        if let Some(other) = facts.proposals.iter().find(other) {
            let (before, who) = (other.value, other.first.node);
            let words =
                format!("accepts {value} in slot {slot} of ballot {rank}, where {who} accepted {before}");
            found.broken(Rule::OneValuePerBallot, at, &words);
        }
    }

    /// A node's disk has it.
    pub(super) fn holds(&mut self, slot: Slot, ballot: Ballot, value: ValueId, node: NodeId) {
        let at = At { node, offset: 0, began_ns: 0, written_ns: 0 };
        self.proposal(slot, ballot, value, at).holders.insert(node);
    }

    /// A node takes it for chosen.
    pub(super) fn learned(&mut self, slot: Slot, value: ValueId, at: At) {
        let learned = &mut self.slots.entry(slot).or_default().learned;
        if learned.iter().all(|(known, _)| *known != value) {
            learned.push((value, at));
        }
    }

    /// A node takes it, and everything before it, for chosen.
    pub(super) fn chosen(&mut self, slot: Slot, value: ValueId, at: At) {
        self.learned(slot, value, at);
        let facts = self.slots.entry(slot).or_default();
        facts.known_ns = Some(facts.known_ns.map_or(at.written_ns, |known| known.min(at.written_ns)));
    }

    /// A node's state after it.
    pub(super) fn applied(&mut self, slot: Slot, hash: u64, at: At) {
        let states = &mut self.slots.entry(slot).or_default().states;
        if states.iter().all(|(known, _)| *known != hash) {
            states.push((hash, at));
        }
    }

    /// A node begins with a snapshot, or installs one.
    pub(super) fn covered(&mut self, covered: AppliedHash, at: At) {
        let known = &mut self.slots.entry(covered.slot).or_default().covered;
        if known.iter().all(|(hash, _)| *hash != covered.hash) {
            known.push((covered.hash, at));
        }
    }

    /// A client is answered.
    pub(super) fn replied(&mut self, slot: Slot, asked_ns: Option<u64>, at: At) {
        self.replies.add(slot, asked_ns, at);
    }

    /// Holds everything against everything.
    pub(super) fn compare(&self, found: &mut Found) {
        found.examined("traced slots", self.slots.len());
        for (slot, facts) in &self.slots {
            self.only_proposed(*slot, facts, found);
            self.one_value(*slot, facts, found);
            self.learned_is_chosen(*slot, facts, found);
            self.chosen_stays(*slot, facts, found);
            equal_states(*slot, facts, found);
            self.covered_is_applied(*slot, facts, found);
        }
        let known_ns = |slot: Slot| self.slots.get(&slot).and_then(|facts| facts.known_ns);
        self.replies.judge(known_ns, self.unread == 0, found);
    }

    fn chosen_proposals<'a>(&'a self, slot: Slot, facts: &'a Facts) -> impl Iterator<Item = &'a Proposal> {
        facts.proposals.iter().filter(move |proposal| self.voters.are_quorum(slot, proposal.holders))
    }

    /// Rule 1.
    fn only_proposed(&self, slot: Slot, facts: &Facts, found: &mut Found) {
        for proposal in facts.proposals.iter().filter(|proposal| !proposal.proposed) {
            if self.unread > 0 {
                continue;
            }
            let Proposal { ballot, value, first, .. } = proposal;
            let owner = ballot.node();
            let words =
                format!("accepts {value} in slot {slot} of ballot {ballot}, where {owner} never proposed it");
            found.broken(Rule::OnlyProposed, *first, &words);
        }
    }

    /// Rule 2.
    fn one_value(&self, slot: Slot, facts: &Facts, found: &mut Found) {
        let mut chosen = self.chosen_proposals(slot, facts);
        if let Some(first) = chosen.next()
            && let Some(other) = chosen.find(|other| other.value != first.value)
        {
            let words = format!(
                "and others choose {} in slot {slot} of ballot {}, and {:?} {} in {}",
                other.value, other.ballot, first.holders, first.value, first.ballot
            );
            found.broken(Rule::OneValuePerSlot, other.first, &words);
        }
        if let [(one, by), (other, at), ..] = facts.learned[..] {
            let words = format!("takes {other} for chosen in slot {slot}, {} took {one}", by.node);
            found.broken(Rule::OneValuePerSlot, at, &words);
        }
    }

    /// Rule 3, for everybody together.
    fn learned_is_chosen(&self, slot: Slot, facts: &Facts, found: &mut Found) {
        for (value, at) in &facts.learned {
            let chosen = self.chosen_proposals(slot, facts).any(|proposal| proposal.value == *value);
            if !chosen && self.unread == 0 {
                let held: Vec<String> = facts
                    .proposals
                    .iter()
                    .filter(|proposal| proposal.value == *value)
                    .map(|proposal| format!("{:?} in {}", proposal.holders, proposal.ballot))
                    .collect();
                let held = if held.is_empty() { "nobody".to_owned() } else { held.join(", ") };
                let words = format!("takes {value} for chosen in slot {slot}, which only these hold: {held}");
                found.broken(Rule::LearntIsChosen, *at, &words);
            }
        }
    }

    /// Rules 3 and 9 for snapshots: what is in one, somebody had executed slot by slot, and it is that
    /// state.
    fn covered_is_applied(&self, slot: Slot, facts: &Facts, found: &mut Found) {
        for (hash, at) in &facts.covered {
            match facts.states.first() {
                Some((state, by)) if state != hash => {
                    let words = format!(
                        "begins with a snapshot of slot {slot} in state {hash:016x}, where {} had {state:016x}",
                        by.node
                    );
                    found.broken(Rule::EqualStates, *at, &words);
                }
                None if self.unread == 0 && facts.known_ns.is_none() => {
                    let words = format!("has a snapshot of slot {slot}, which nobody knew to be chosen");
                    found.broken(Rule::LearntIsChosen, *at, &words);
                }
                Some(_) | None => {}
            }
        }
    }

    /// Rule 5, second half: a chosen value is what every higher ballot proposes (P2b).
    fn chosen_stays(&self, slot: Slot, facts: &Facts, found: &mut Found) {
        let Some(chosen) = self.chosen_proposals(slot, facts).min_by_key(|proposal| proposal.ballot) else {
            return;
        };
        let other = |later: &&Proposal| later.ballot > chosen.ballot && later.value != chosen.value;
        if let Some(later) = facts.proposals.iter().find(other) {
            let words = format!(
                "accepts {} in slot {slot} of ballot {}, though {:?} had chosen {} in {}",
                later.value, later.ballot, chosen.holders, chosen.value, chosen.ballot
            );
            found.broken(Rule::HighestReported, later.first, &words);
        }
    }
}

/// Rule 9.
fn equal_states(slot: Slot, facts: &Facts, found: &mut Found) {
    if let [(one, by), (other, at), ..] = facts.states[..] {
        let words = format!("has state {other:016x} after slot {slot}, {} had {one:016x}", by.node);
        found.broken(Rule::EqualStates, at, &words);
    }
}
