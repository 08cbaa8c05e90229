//! The invariants of [`super`] over a whole cluster, as only a simulation can see it.
//!
//! An all-seeing [`Observer`] is told what every node wrote, what its disk confirmed, what it said
//! and what it applied. From that alone it knows what is chosen, whatever the replicas believe; and
//! each step is held against the invariants. The work per step is proportional to what changed.

use super::{
    AppliedHash, Ballot, Configuration, Governing, Message, NodeId, NodeSet, Record, Replica, RoleName, Slot,
    Standing, Value,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Watches a cluster through its whole life, crashes included.
#[derive(Debug)]
pub struct Observer {
    /// α.
    window: u64,
    /// Everything up to here is chosen.
    chosen_upto: Slot,
    /// Who governs which slots, as far as that says; from the beginning.
    succession: Vec<Governing>,
    /// By slot, from slot 1.
    slots: Vec<SlotHistory>,
    /// By node, from node 1.
    watched: Vec<Watched>,
    /// The state hash after each slot, from slot 1, as the first node to apply it had it.
    hashes: Vec<u64>,
    chosen_slots: u64,
    ballots_used: u64,
}

/// What has happened in one slot.
#[derive(Default, Debug)]
struct SlotHistory {
    /// Each ballot that proposed here, in order of appearance; a handful even in a bad week.
    proposals: Vec<Proposal>,
    /// The lowest ballot known to have chosen a value here: an index of `proposals`.
    chosen: Option<usize>,
}

#[derive(Debug)]
struct Proposal {
    ballot: Ballot,
    value: Value,
    /// Who holds it on disk.
    acceptors: NodeSet,
}

/// What has been seen of one node.
#[derive(Clone, Debug)]
struct Watched {
    promised: Ballot,
    promised_durable: Ballot,
    /// The highest ballot that it has heard of in this life.
    heard: Ballot,
    /// Ballots of its own that its disk knows as used.
    used: BTreeSet<Ballot>,
    /// Everything learned up to here has been compared with what is chosen.
    learned_upto: Slot,
    /// The configuration, and where it begins, that it was last seen to hold for the last.
    governed: (Slot, u64),
    applied: AppliedHash,
}

impl Default for Watched {
    fn default() -> Watched {
        Watched {
            promised: Ballot::ZERO,
            promised_durable: Ballot::ZERO,
            heard: Ballot::ZERO,
            used: BTreeSet::new(),
            learned_upto: Slot::ZERO,
            governed: (Slot::ZERO, 0),
            applied: AppliedHash::default(),
        }
    }
}

impl Observer {
    /// An observer of a cluster that begins with these members, and whose α is `window`.
    #[must_use]
    pub fn new(founding: Configuration, window: u64) -> Observer {
        Observer {
            window,
            chosen_upto: Slot::ZERO,
            succession: vec![Governing { from: Slot::ZERO, configuration: Arc::new(founding) }],
            slots: Vec::new(),
            watched: vec![Watched::default(); usize::from(NodeId::MAX.0)],
            hashes: Vec::new(),
            chosen_slots: 0,
            ballots_used: 0,
        }
    }

    /// A replica asked for a record to be written; nobody may know of it yet. Whoever proposes
    /// accepts its own proposal, so here is also where proposals are first seen.
    ///
    /// # Errors
    /// Names the invariant broken.
    pub fn wrote(&mut self, by: NodeId, record: &Record) -> Result<(), String> {
        match record {
            Record::BallotUsed(ballot) => self.invariant_ballot_is_fresh(by, *ballot),
            Record::Promised(ballot) => self.invariant_never_below_promise(by, *ballot),
            Record::Accepted { slot, ballot, value } => {
                self.invariant_never_below_promise(by, *ballot)?;
                self.invariant_decided_is_decided(by, *slot, value)?;
                self.invariant_in_the_window(by, *slot)?;
                let proposal = self.invariant_one_value_per_ballot(*slot, *ballot, value)?;
                self.invariant_chosen_value_stays(*slot, proposal)
            }
            Record::Learned { slot, value, .. } => self.invariant_learned_is_chosen(by, *slot, value),
            Record::Checkpoint { promised, .. } => self.invariant_promise_is_said_again(by, *promised),
            Record::Kept { slot, ballot, value } => {
                self.invariant_kept_was_accepted(by, *slot, *ballot, value)
            }
            Record::ChosenUpto(_) | Record::Pledged(_) | Record::Founded(_) => Ok(()),
        }
    }

    /// A replica's disk confirmed a record, or gave it back after a restart.
    ///
    /// # Errors
    /// Names the invariant broken.
    pub fn durable(&mut self, by: NodeId, record: &Record) -> Result<(), String> {
        match record {
            Record::BallotUsed(ballot) => {
                self.ballots_used += 1;
                self.watched(by).used.insert(*ballot);
            }
            Record::Promised(ballot) => self.promise_is_durable(by, *ballot),
            Record::Accepted { slot, ballot, value } => {
                self.promise_is_durable(by, *ballot);
                let proposal = self.invariant_one_value_per_ballot(*slot, *ballot, value)?;
                self.slot(*slot).proposals[proposal].acceptors.insert(by);
                self.invariant_one_value_per_slot(*slot, proposal)?;
            }
            Record::Learned { .. }
            | Record::ChosenUpto(_)
            | Record::Checkpoint { .. }
            | Record::Kept { .. }
            | Record::Pledged(_)
            | Record::Founded(_) => {}
        }
        Ok(())
    }

    /// A message leaves a node: what it reveals must be on that node's disk.
    ///
    /// # Errors
    /// Names what was revealed too early.
    pub fn left(&mut self, by: NodeId, message: &Message) -> Result<(), String> {
        let watched = &self.watched[usize::from(by.0) - 1];
        let on_disk = match message {
            Message::Prepare { ballot, .. } => {
                watched.used.contains(ballot) && watched.promised_durable >= *ballot
            }
            Message::Promise { ballot, .. } => watched.promised_durable >= *ballot,
            Message::Reject { promised, .. } | Message::PreVoteReply { promised, .. } => {
                watched.promised_durable >= *promised
            }
            Message::Accept { ballot, .. } => watched.used.contains(ballot),
            Message::Accepted { ballot, slot } => self.holds(by, *slot, *ballot),
            Message::Heartbeat { .. }
            | Message::HeartbeatAck { .. }
            | Message::LearnRequest { .. }
            | Message::LearnReply { .. }
            | Message::SnapshotOffer { .. }
            | Message::SnapshotRequest { .. }
            | Message::SnapshotPart { .. }
            | Message::PreVote { .. }
            | Message::Meet { .. }
            | Message::Unwelcome { .. }
            | Message::Forward { .. }
            | Message::ForwardReply { .. } => true,
        };
        match on_disk {
            true => Ok(()),
            false => Err(format!("disk before ACK: {by} says {message:?} before its disk has that")),
        }
    }

    /// A message reaches a running node.
    pub fn heard(&mut self, by: NodeId, message: &Message) {
        let ballot = match message {
            // Whoever is gone is not listened to.
            Message::Prepare { ballot, .. } if !self.is_voter(ballot.node) => return,
            Message::Prepare { ballot, .. }
            | Message::Accept { ballot, .. }
            | Message::Heartbeat { ballot, .. }
            | Message::Reject { promised: ballot, .. }
            | Message::PreVoteReply { promised: ballot, .. } => *ballot,
            Message::Promise { .. }
            | Message::Accepted { .. }
            | Message::HeartbeatAck { .. }
            | Message::LearnRequest { .. }
            | Message::LearnReply { .. }
            | Message::SnapshotOffer { .. }
            | Message::SnapshotRequest { .. }
            | Message::SnapshotPart { .. }
            | Message::PreVote { .. }
            | Message::Meet { .. }
            | Message::Unwelcome { .. }
            | Message::Forward { .. }
            | Message::ForwardReply { .. } => return,
        };
        let watched = self.watched(by);
        watched.heard = watched.heard.max(ballot);
    }

    /// Looks at a running replica after a step: its promise, its lead, and what it newly learned.
    ///
    /// # Errors
    /// Names the invariant broken.
    pub fn look(&mut self, replica: &Replica) -> Result<(), String> {
        let node = replica.id();
        let watched = self.watched(node);
        if replica.promised() < watched.promised {
            return Err(format!(
                "I4: {node} promised {} and now only {}",
                watched.promised,
                replica.promised()
            ));
        }
        watched.promised = replica.promised();
        let heard = watched.heard;
        invariant_told_is_deposed(replica, heard)?;
        self.invariant_one_succession(replica)?;
        let trimmed = replica.trimmed_upto();
        while self.watched(node).learned_upto < replica.chosen_upto() {
            let slot = self.watched(node).learned_upto.next();
            if slot <= trimmed {
                self.invariant_trimmed_is_chosen(node, slot)?;
                self.watched(node).learned_upto = slot;
                continue;
            }
            let Some(learned) = replica.learned(slot) else {
                return Err(format!("I7: {node} knows {slot:?} to be chosen, but not what"));
            };
            self.invariant_learned_is_chosen(node, slot, learned)?;
            self.watched(node).learned_upto = slot;
        }
        Ok(())
    }

    /// A node's state machine stands where it says; `hash_at` tells its hash after each of the
    /// slots since the last call.
    ///
    /// # Errors
    /// Names the invariant broken.
    pub fn applied(
        &mut self,
        by: NodeId,
        applied: AppliedHash,
        hash_at: impl Fn(Slot) -> Option<u64>,
    ) -> Result<(), String> {
        let before = self.watched(by).applied.slot;
        if applied.slot < before || applied.slot > self.watched(by).learned_upto {
            return Err(format!(
                "I7: {by} applied up to {before:?}, now up to {:?}, and knows {:?} to be chosen",
                applied.slot,
                self.watched(by).learned_upto
            ));
        }
        let mut slot = before;
        while slot < applied.slot {
            slot = slot.next();
            if let Some(hash) = hash_at(slot) {
                self.invariant_equal_prefix_equal_hash(by, AppliedHash { slot, hash })?;
            }
        }
        self.watched(by).applied = applied;
        Ok(())
    }

    /// A node lost its memory and, of its disk, what was not durable.
    pub fn crashed(&mut self, node: NodeId) {
        let watched = self.watched(node);
        watched.promised = watched.promised_durable;
        watched.heard = Ballot::ZERO;
        watched.learned_upto = Slot::ZERO;
        watched.governed = (Slot::ZERO, 0);
        watched.applied = AppliedHash::default();
    }

    /// A node's disk was emptied: what was seen of it says nothing of what it will do. That it has no
    /// vote any more (I12) is for whoever knows which messages are from which disk to see.
    pub fn emptied(&mut self, node: NodeId) {
        *self.watched(node) = Watched::default();
    }

    /// How many changes of the members were chosen and counted.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.succession.len() as u64 - 1
    }

    /// The configuration of the first slot that is not chosen, and the one to come.
    #[must_use]
    pub fn current(&self) -> &[Governing] {
        let next = self.chosen_upto.next();
        let begun = self.succession.iter().rposition(|governing| governing.from <= next);
        &self.succession[begun.unwrap_or(0)..]
    }

    /// Whether a node has a vote, now or soon.
    fn is_voter(&self, node: NodeId) -> bool {
        self.current().iter().any(|governing| voters(&governing.configuration).contains(node))
    }

    /// Whether a configuration has been proposed that may still be chosen.
    #[must_use]
    pub fn is_change_under_way(&self) -> bool {
        let first = usize::try_from(self.chosen_upto.0).expect("a slot in memory");
        let mut open = self.slots.iter().skip(first).flat_map(|history| &history.proposals);
        self.current().len() > 1 || open.any(|proposal| matches!(proposal.value, Value::Configuration(_)))
    }

    /// The value chosen in a slot, if any.
    #[must_use]
    pub fn chosen(&self, slot: Slot) -> Option<&Value> {
        let history = self.slots.get(usize::try_from(slot.0.checked_sub(1)?).ok()?)?;
        history.chosen.map(|proposal| &history.proposals[proposal].value)
    }

    /// Whether a ballot has proposed anything in a slot yet.
    #[must_use]
    pub fn is_proposed(&self, slot: Slot, ballot: Ballot) -> bool {
        let index = usize::try_from(slot.0).unwrap_or(usize::MAX).wrapping_sub(1);
        let history = self.slots.get(index);
        history.is_some_and(|history| history.proposals.iter().any(|proposal| proposal.ballot == ballot))
    }

    /// How many slots have a chosen value.
    #[must_use]
    pub fn chosen_slots(&self) -> u64 {
        self.chosen_slots
    }

    /// How many ballots were used, as far as disks know.
    #[must_use]
    pub fn ballots_used(&self) -> u64 {
        self.ballots_used
    }

    // ---- The invariants, by number -----------------------------------------------------------

    /// I2: once a quorum holds a value, no other can be chosen.
    fn invariant_one_value_per_slot(&mut self, slot: Slot, proposal: usize) -> Result<(), String> {
        let governing = self.succession.iter().rfind(|governing| governing.from <= slot);
        let voters = governing.map_or(NodeSet::EMPTY, |governing| voters(&governing.configuration));
        let history = self.slot(slot);
        let this = &history.proposals[proposal];
        // Counted here and not with the protocol's own arithmetic, which might be what is wrong.
        if 2 * this.acceptors.intersection(voters).len() <= voters.len() {
            return Ok(());
        }
        match history.chosen {
            None => {
                history.chosen = Some(proposal);
                self.chosen_slots += 1;
            }
            Some(before) if history.proposals[before].value != this.value => {
                return Err(format!(
                    "I2: {slot:?} was chosen in {} and, differently, in {}",
                    history.proposals[before].ballot, this.ballot
                ));
            }
            Some(before) if this.ballot < history.proposals[before].ballot => history.chosen = Some(proposal),
            Some(_) => return Ok(()),
        }
        for later in 0..self.slot(slot).proposals.len() {
            self.invariant_chosen_value_stays(slot, later)?;
        }
        self.find_successors();
        Ok(())
    }

    /// I10: nobody proposes where he can't know who governs.
    fn invariant_in_the_window(&self, by: NodeId, slot: Slot) -> Result<(), String> {
        if slot.0 > self.chosen_upto.0 + self.window {
            return Err(format!(
                "I10: {by} proposes or accepts in {slot:?}, and only up to {:?} everything is chosen",
                self.chosen_upto
            ));
        }
        Ok(())
    }

    /// I11: who governs which slot follows from what is chosen, and all who know that agree.
    fn invariant_one_succession(&mut self, replica: &Replica) -> Result<(), String> {
        let (node, current) = (replica.id(), replica.current());
        let Some(last) = current.last().filter(|last| !last.configuration.members().is_empty()) else {
            return Ok(());
        };
        let governed = (last.from, last.configuration.number());
        if self.watched(node).governed == governed {
            return Ok(());
        }
        self.watched(node).governed = governed;
        match self.succession.iter().find(|governing| governing.from == last.from) {
            Some(right) if right == last => Ok(()),
            other => Err(format!(
                "I11: {node} goes by {} from {:?} on, where {} was right",
                last.configuration,
                last.from,
                other.map_or("none".into(), |right| right.configuration.to_string())
            )),
        }
    }

    /// I3: what a replica takes for chosen is chosen.
    fn invariant_learned_is_chosen(&self, node: NodeId, slot: Slot, learned: &Value) -> Result<(), String> {
        match self.chosen(slot) {
            None => Err(format!("I3: {node} learned {slot:?}, where nothing is chosen")),
            Some(chosen) if chosen != learned => {
                Err(format!("I2: {node} learned another value in {slot:?} than was chosen"))
            }
            Some(_) => Ok(()),
        }
    }

    /// I3, of what came in a snapshot.
    fn invariant_trimmed_is_chosen(&self, node: NodeId, slot: Slot) -> Result<(), String> {
        match self.chosen(slot) {
            None => Err(format!("I3: {node} has a snapshot that covers {slot:?}, where nothing is chosen")),
            Some(_) => Ok(()),
        }
    }

    /// I4 across trimming: a checkpoint takes the place of all promises before it.
    fn invariant_promise_is_said_again(&mut self, node: NodeId, promised: Ballot) -> Result<(), String> {
        let bound = self.watched(node).promised;
        match promised < bound {
            true => Err(format!("I4: {node} promised {bound}, and its checkpoint keeps only {promised}")),
            false => Ok(()),
        }
    }

    /// A node says only that again which it accepted.
    fn invariant_kept_was_accepted(
        &mut self,
        node: NodeId,
        slot: Slot,
        ballot: Ballot,
        value: &Value,
    ) -> Result<(), String> {
        let proposals = &self.slot(slot).proposals;
        match proposals.iter().find(|proposal| proposal.ballot == ballot) {
            Some(proposal) if proposal.value == *value => Ok(()),
            Some(_) | None => Err(format!("I6: {node} keeps in {slot:?} what {ballot} never proposed there")),
        }
    }

    /// A replica that knows what is chosen in a slot accepts nothing else there. Paxos would allow
    /// it (a late proposal of a ballot that lost), but the replica's log would be the worse for it:
    /// a restart may take the latest value accepted for the one chosen.
    fn invariant_decided_is_decided(
        &mut self,
        node: NodeId,
        slot: Slot,
        value: &Value,
    ) -> Result<(), String> {
        if slot <= self.watched(node).learned_upto && self.chosen(slot) != Some(value) {
            return Err(format!("I3: {node} accepts in {slot:?} what it knows to have lost there"));
        }
        Ok(())
    }

    /// I4: an acceptor never accepts or promises below its promise.
    fn invariant_never_below_promise(&mut self, node: NodeId, ballot: Ballot) -> Result<(), String> {
        let watched = self.watched(node);
        if ballot < watched.promised {
            return Err(format!("I4: {node} promised {}, then took part in {ballot}", watched.promised));
        }
        watched.promised = ballot;
        Ok(())
    }

    /// I5: no ballot is used twice. One that never became durable was never shown to anybody.
    fn invariant_ballot_is_fresh(&mut self, node: NodeId, ballot: Ballot) -> Result<(), String> {
        if ballot.node != node {
            return Err(format!("I5: {node} uses {ballot}, which is not its own"));
        }
        if self.watched(node).used.contains(&ballot) {
            return Err(format!("I5: {node} uses {ballot} a second time"));
        }
        Ok(())
    }

    /// I6: in one ballot, one slot is proposed one value. Returns where the proposal stands.
    fn invariant_one_value_per_ballot(
        &mut self,
        slot: Slot,
        ballot: Ballot,
        value: &Value,
    ) -> Result<usize, String> {
        let proposals = &mut self.slot(slot).proposals;
        match proposals.iter().position(|proposal| proposal.ballot == ballot) {
            Some(known) if proposals[known].value != *value => {
                Err(format!("I6: {ballot} proposed two values in {slot:?}"))
            }
            Some(known) => Ok(known),
            None => {
                proposals.push(Proposal { ballot, value: value.clone(), acceptors: NodeSet::EMPTY });
                Ok(proposals.len() - 1)
            }
        }
    }

    /// I8: replicas that applied the same prefix have the same state hash.
    fn invariant_equal_prefix_equal_hash(
        &mut self,
        node: NodeId,
        applied: AppliedHash,
    ) -> Result<(), String> {
        let index = usize::try_from(applied.slot.0).unwrap_or(usize::MAX).wrapping_sub(1);
        match self.hashes.get(index) {
            Some(hash) if *hash != applied.hash => {
                Err(format!("I8: {node} has another state after {:?} than others had", applied.slot))
            }
            Some(_) => Ok(()),
            None => {
                // A node that jumped further than it remembers hashes leaves a hole; none does so
                // before others have been there.
                if index == self.hashes.len() {
                    self.hashes.push(applied.hash);
                }
                Ok(())
            }
        }
    }

    /// I9: a ballot above the one that chose a value proposes that value.
    fn invariant_chosen_value_stays(&mut self, slot: Slot, proposal: usize) -> Result<(), String> {
        let history = self.slot(slot);
        let Some(chosen) = history.chosen.map(|index| &history.proposals[index]) else { return Ok(()) };
        let this = &history.proposals[proposal];
        if this.ballot > chosen.ballot && this.value != chosen.value {
            return Err(format!(
                "I9: {slot:?} was chosen in {}, yet {} proposes another value",
                chosen.ballot, this.ballot
            ));
        }
        Ok(())
    }

    // ---- Places ------------------------------------------------------------------------------

    /// The prefix grows, and with it what is known of who governs. Read from what is chosen, not with
    /// the protocol's own rules.
    fn find_successors(&mut self) {
        while self.chosen(self.chosen_upto.next()).is_some() {
            self.chosen_upto = self.chosen_upto.next();
            let slot = self.chosen_upto;
            let Some(Value::Configuration(configuration)) = self.chosen(slot) else { continue };
            let (configuration, last) =
                (Arc::clone(configuration), &self.succession[self.succession.len() - 1]);
            if last.from <= slot && last.configuration.number() + 1 == configuration.number() {
                self.succession.push(Governing { from: Slot(slot.0 + self.window), configuration });
            }
        }
    }

    fn promise_is_durable(&mut self, node: NodeId, ballot: Ballot) {
        let watched = self.watched(node);
        watched.promised_durable = watched.promised_durable.max(ballot);
    }

    fn holds(&self, node: NodeId, slot: Slot, ballot: Ballot) -> bool {
        let index = usize::try_from(slot.0).unwrap_or(usize::MAX).wrapping_sub(1);
        self.slots.get(index).is_some_and(|history| {
            let proposal = history.proposals.iter().find(|proposal| proposal.ballot == ballot);
            proposal.is_some_and(|proposal| proposal.acceptors.contains(node))
        })
    }

    fn watched(&mut self, node: NodeId) -> &mut Watched {
        &mut self.watched[usize::from(node.0) - 1]
    }

    fn slot(&mut self, slot: Slot) -> &mut SlotHistory {
        let index =
            usize::try_from(slot.0).expect("a slot in memory").checked_sub(1).expect("slots start at 1");
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, SlotHistory::default);
        }
        &mut self.slots[index]
    }
}

/// Those whose votes count. Read here off the list of members, not taken from whoever counts by them.
fn voters(configuration: &Configuration) -> NodeSet {
    let voters = configuration.members().iter().filter(|member| member.standing == Standing::Voter);
    voters.map(|member| member.node).collect()
}

/// A leader that has heard of a ballot above its own leads no more. Safety does not hang on it: its
/// proposals are refused. But its clients would wait for nothing.
fn invariant_told_is_deposed(replica: &Replica, heard: Ballot) -> Result<(), String> {
    match replica.leader().filter(|_| replica.role() == RoleName::Leader) {
        Some(own) if own < heard => {
            Err(format!("a deposed leader: {} was told of {heard} and still leads {own}", replica.id()))
        }
        _ => Ok(()),
    }
}
