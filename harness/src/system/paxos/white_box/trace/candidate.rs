//! Rules about whoever leads: its ballot is fresh, a quorum promised it, and what they reported
//! decides what it proposes.

use super::found::Rule;
use super::governing::Voters;
use super::rank::Rank;
use super::walk::Walk;
use paxos_node::paxos::{Ballot, NodeId, NodeSet, Slot};
use paxos_node::trace::{Report, ValueId};
use std::collections::BTreeMap;

/// An attempt at leadership, and the promises that came in for it.
#[derive(Default)]
pub(super) struct Candidacy {
    /// The first slot that it did not know to be chosen when it stood.
    stood_at: Slot,
    /// The chunk that each acceptor owes next, of those that were asked.
    owed: BTreeMap<NodeId, Slot>,
    complete: NodeSet,
    /// Chunks taken in.
    chunks: usize,
    /// Whose answers were complete, in order, and how many chunks there were then.
    complete_at: Vec<(NodeId, usize)>,
    reported: BTreeMap<Slot, Vec<Reported>>,
    /// How far each chunk said that everything is chosen, without saying what.
    trimmed: Vec<Slot>,
}

#[derive(Copy, Clone)]
struct Reported {
    /// In which chunk, counted from 0.
    chunk: usize,
    by: NodeId,
    report: Report,
}

impl Candidacy {
    /// It asks these: first from here on, then for later chunks.
    pub(super) fn asks(&mut self, nodes: NodeSet, from: Slot) {
        for node in nodes.iter() {
            self.owed.entry(node).or_insert(from);
        }
    }

    /// A chunk of an acceptor's answer; repetitions change nothing.
    pub(super) fn promise(
        &mut self,
        from: NodeId,
        chunk: Slot,
        slots: &[Report],
        next: Option<Slot>,
        trimmed: Slot,
    ) {
        if self.complete.contains(from) || self.owed.get(&from) != Some(&chunk) {
            return;
        }
        for report in slots {
            let reported = Reported { chunk: self.chunks, by: from, report: *report };
            self.reported.entry(report.slot).or_default().push(reported);
        }
        self.chunks += 1;
        self.trimmed.push(trimmed);
        match next {
            Some(next) => _ = self.owed.insert(from, next),
            None => {
                self.complete.insert(from);
                self.complete_at.push((from, self.chunks));
            }
        }
    }

    /// The number of chunks with which it had a quorum for a slot at the earliest, if it ever had;
    /// beginning with its own promise, if that counts.
    fn quorum_at(&self, slot: Slot, own: NodeSet, voters: &Voters) -> Option<usize> {
        let mut promised = own;
        if voters.are_quorum(slot, promised) {
            return Some(0);
        }
        let completes = |(node, _): &&(NodeId, usize)| {
            promised.insert(*node);
            voters.are_quorum(slot, promised)
        };
        self.complete_at.iter().find(completes).map(|(_, chunks)| *chunks)
    }

    /// What the quorum reported about a slot, after each number of chunks with which it may have
    /// begun to lead: messages that came in the same turn are not told apart from those before.
    fn demands(&self, slot: Slot, quorum_at: usize) -> impl Iterator<Item = Option<&Reported>> {
        let reported = self.reported.get(&slot).map_or(&[][..], Vec::as_slice);
        let later =
            reported.iter().map(|reported| reported.chunk + 1).filter(move |chunks| *chunks > quorum_at);
        [quorum_at].into_iter().chain(later).map(|chunks| {
            let heard = reported.iter().filter(move |reported| reported.chunk < chunks);
            heard.max_by_key(|reported| (reported.report.learned, Rank::of(reported.report.ballot)))
        })
    }
}

impl Walk<'_> {
    /// Rule 10.
    pub(super) fn use_ballot(&mut self, ballot: Ballot) {
        let rank = Rank::of(ballot);
        if ballot.node != self.node {
            self.broken(Rule::FreshBallot, &format!("uses ballot {rank}, which is not its own"));
        }
        if self.log.has_used(rank) {
            self.broken(Rule::FreshBallot, &format!("uses ballot {rank} a second time"));
        }
        let stood_at = self.life.chosen_upto.next();
        self.life.candidacies.insert(rank, Candidacy { stood_at, ..Candidacy::default() });
    }

    /// Rule 5, first half: nobody leads without a quorum's promises, whole and of this life.
    pub(super) fn leads(&mut self, ballot: Ballot, what: &str) {
        if self.stood_with(ballot).is_none() {
            self.unpromised(ballot, what);
        }
    }

    fn unpromised(&mut self, ballot: Ballot, what: &str) {
        if !self.blind {
            let rank = Rank::of(ballot);
            let words = match self.life.candidacies.get(&rank) {
                None => format!("{what} in ballot {rank}, in which it never asked for promises in this life"),
                Some(candidacy) => {
                    let complete = &candidacy.complete;
                    let own = if self.own_promise_is_durable(rank) {
                        "and itself"
                    } else {
                        "and not durably by itself"
                    };
                    format!("{what} in ballot {rank}, promised only by {complete:?} {own}")
                }
            };
            self.broken(Rule::HighestReported, &words);
        }
    }

    /// Rule 5, for what no promise reports because it is trimmed: who leads knows all of that. What
    /// came when it had its quorum already is no part of it.
    pub(super) fn knows_trimmed(&mut self, ballot: Ballot) {
        let Some(quorum_at) = self.stood_with(ballot) else { return };
        let Some(candidacy) = self.life.candidacies.get(&Rank::of(ballot)) else { return };
        let trimmed = candidacy.trimmed.iter().take(quorum_at).copied().max().unwrap_or_default();
        let known = self.life.chosen_upto;
        if trimmed > known && !self.blind {
            let rank = Rank::of(ballot);
            let words = format!(
                "leads in ballot {rank} and knows only up to slot {known} what is chosen; a promise said that up to slot {trimmed} all is"
            );
            self.broken(Rule::HighestReported, &words);
        }
    }

    /// Rule 15: who still leads was not told of anybody later.
    pub(super) fn steps_down(&mut self, ballot: Ballot) {
        let (rank, told) = (Rank::of(ballot), self.life.told_before);
        if rank < told {
            let words = format!("sends a heartbeat in ballot {rank}, and was told of {told} before");
            self.broken(Rule::ToldIsDeposed, &words);
        }
    }

    /// Rule 5: it proposes, in a ballot of its own, what the promises demand.
    pub(super) fn propose(&mut self, slot: Slot, ballot: Ballot, value: ValueId) {
        let rank = Rank::of(ballot);
        self.slots.proposed(slot, ballot, value, self.at);
        let Some(quorum_at) = self.has_quorum(ballot, slot) else {
            self.unpromised(ballot, &format!("proposes {value} in slot {slot}"));
            return;
        };
        let own = self.log.votes(slot).iter().rev().find(|vote| vote.rank() < rank).copied();
        let Some(candidacy) = self.life.candidacies.get(&rank) else { return };
        let mut demanded = None;
        for reported in candidacy.demands(slot, quorum_at) {
            let of_others = reported.map(|reported| {
                let Report { ballot, value, learned, .. } = reported.report;
                (learned, Rank::of(ballot), value, reported.by)
            });
            let of_itself = own.map(|vote| (false, vote.rank(), vote.value, self.node));
            let highest =
                of_others.into_iter().chain(of_itself).max_by_key(|(learned, rank, ..)| (*learned, *rank));
            match highest {
                Some((_, _, demands, _)) if demands != value => demanded = highest,
                _ => return,
            }
        }
        if let Some((learned, in_ballot, demands, by)) = demanded
            && !self.blind
        {
            let how = if learned { "chosen, known in" } else { "accepted in" };
            let words = format!(
                "proposes {value} in slot {slot} of ballot {rank}, where {by} reported {demands} as {how} {in_ballot}"
            );
            self.broken(Rule::HighestReported, &words);
        }
    }

    /// With how many chunks of promises it could begin to lead at the earliest. It needed those who vote
    /// in the first slot that it did not know to be chosen then; which that was is known only as lying
    /// between what it knew before that turn and what it knows now.
    fn stood_with(&self, ballot: Ballot) -> Option<usize> {
        let stood_at = self.life.candidacies.get(&Rank::of(ballot))?.stood_at;
        let slots = self.voters.slots_to_ask(stood_at, self.life.chosen_upto.next());
        slots.filter_map(|slot| self.has_quorum(ballot, slot)).min()
    }

    /// With how many chunks of promises it had a quorum for a slot at the earliest.
    fn has_quorum(&self, ballot: Ballot, slot: Slot) -> Option<usize> {
        let rank = Rank::of(ballot);
        let own = self.own_promise_is_durable(rank).then_some(self.node);
        self.life.candidacies.get(&rank)?.quorum_at(slot, own.into_iter().collect(), self.voters)
    }

    fn own_promise_is_durable(&self, ballot: Rank) -> bool {
        self.log.promised_durably() >= ballot
    }
}
