//! Rules about an acceptor: its promise binds it, its disk comes first, its promises tell all.

use super::found::Rule;
use super::rank::Rank;
use super::walk::Walk;
use paxos_node::paxos::{Ballot, NodeSet, Slot};
use paxos_node::trace::{Report, Said, ValueId};
use std::collections::BTreeMap;

impl Walk<'_> {
    /// Rule 6: it takes part in this ballot, as `what` says.
    pub(super) fn bind(&mut self, ballot: Ballot, what: &str) {
        let (ballot, promised) = (Rank::of(ballot), self.log.promised());
        if ballot < promised && !self.blind {
            let words = format!("{what} ballot {ballot} after it promised {promised}");
            self.broken(Rule::NeverBelowPromise, &words);
        }
    }

    pub(super) fn accept(&mut self, slot: Slot, ballot: Ballot, value: ValueId) {
        self.bind(ballot, &format!("accepts {value} in slot {slot} of"));
        if ballot.node == self.node {
            self.propose(slot, ballot, value);
        }
    }

    /// Rule 7: what a message reveals is on this node's disk.
    pub(super) fn sent(&mut self, to: NodeSet, said: &Said) {
        let promised = self.log.promised_durably();
        match said {
            Said::Prepare { ballot, from } => {
                let rank = Rank::of(*ballot);
                self.reveals(rank <= promised && self.log.has_used_durably(rank), || {
                    format!("asks for promises in ballot {rank} before its disk has it as used and promised")
                });
                if let Some(candidacy) = self.life.candidacies.get_mut(&rank) {
                    candidacy.asks(to, *from);
                }
            }
            Said::Promise { ballot, from, slots, next, trimmed } => {
                let rank = Rank::of(*ballot);
                self.reveals(rank <= promised, || {
                    format!("says to have promised ballot {rank} while its disk knows only of {promised}")
                });
                self.tells_trimmed(rank, *trimmed);
                self.tells_all(rank, trimmed.next().max(*from), slots, *next);
            }
            Said::Reject { promised: higher, .. } => {
                let rank = Rank::of(*higher);
                self.reveals(rank <= promised, || {
                    format!("refuses by a promise of {rank} while its disk knows only of {promised}")
                });
            }
            Said::Accepted { ballot, slot } => {
                let (rank, durable) = (Rank::of(*ballot), self.log.durable());
                let vote = self.log.vote(*slot, rank).copied();
                self.reveals(vote.is_some_and(|vote| vote.lsn <= durable), || match vote {
                    None => format!("says to have accepted slot {slot} in ballot {rank}, which it has not"),
                    Some(vote) => format!(
                        "says to have accepted slot {slot} in ballot {rank}, record {}, while its disk has only {durable}",
                        vote.lsn
                    ),
                });
            }
            Said::Accept { ballot, slot, value, .. } => self.sends_accept(*ballot, *slot, *value),
            Said::Heartbeat { ballot, .. } => {
                self.leads(*ballot, "sends a heartbeat");
                self.knows_trimmed(*ballot);
                self.steps_down(*ballot);
            }
            Said::LearnReply { slots } => self.vouch(slots),
        }
    }

    fn reveals(&mut self, on_disk: bool, words: impl FnOnce() -> String) {
        if !on_disk && !self.blind {
            self.broken(Rule::DiskBeforeAck, &words());
        }
    }

    /// Rule 7 for a proposal: others may accept what this says, so the ballot must be used up for ever.
    fn sends_accept(&mut self, ballot: Ballot, slot: Slot, value: ValueId) {
        let rank = Rank::of(ballot);
        self.reveals(self.log.has_used_durably(rank), || {
            format!("proposes in ballot {rank} before its disk has it as used")
        });
        self.leads(ballot, "proposes");
        let own = self.log.vote(slot, rank).map(|vote| vote.value);
        if own.is_some_and(|own| own != value) {
            let words = format!(
                "proposes {value} in slot {slot} of ballot {rank}, and accepted another value itself"
            );
            self.broken(Rule::OneValuePerBallot, &words);
        }
    }

    /// Rule 11, for what is left out: it says that everything up to there is chosen, so it must know.
    fn tells_trimmed(&mut self, ballot: Rank, trimmed: Slot) {
        let known = self.life.chosen_upto;
        if trimmed > known && !self.blind {
            let words = format!(
                "promises ballot {ballot} and says that all up to slot {trimmed} is chosen, which it knows up to slot {known}"
            );
            self.broken(Rule::PromiseTellsAll, &words);
        }
    }

    /// Rule 11. Everything accepted below `ballot` was accepted before it was promised, so it must
    /// be in the answer; what is in the answer must have been accepted so.
    fn tells_all(&mut self, ballot: Rank, from: Slot, reports: &[Report], next: Option<Slot>) {
        self.vouch(reports);
        if self.blind {
            return;
        }
        for report in reports.iter().filter(|report| !report.learned) {
            let accepted =
                |vote: &super::log::Vote| vote.ballot == report.ballot && vote.value == report.value;
            if !self.log.votes(report.slot).iter().any(accepted) {
                let (slot, value, rank) = (report.slot, report.value, Rank::of(report.ballot));
                let held = self.log.votes(slot).last().map_or_else(
                    || "nothing".to_owned(),
                    |vote| format!("{} in {}", vote.value, vote.rank()),
                );
                let words = format!(
                    "promises ballot {ballot} and reports slot {slot} as {value} of ballot {rank}, where it had accepted {held}"
                );
                self.broken(Rule::PromiseTellsAll, &words);
                return;
            }
        }
        let told: BTreeMap<Slot, &Report> = reports.iter().map(|report| (report.slot, report)).collect();
        let mut wrong = None;
        for (slot, votes) in self.log.votes_from(from) {
            if next.is_some_and(|next| slot >= next) {
                break;
            }
            let Some(held) = votes.iter().rev().find(|vote| vote.rank() < ballot) else { continue };
            wrong = match told.get(&slot) {
                None => Some(format!(
                    "leaves out slot {slot}, where it had accepted {} in {}",
                    held.value,
                    held.rank()
                )),
                Some(report) if report.learned => continue,
                Some(report) => {
                    let as_told =
                        |vote: &&super::log::Vote| vote.ballot == report.ballot && vote.value == report.value;
                    match votes.iter().find(as_told) {
                        Some(vote) if vote.rank() >= held.rank() => continue,
                        _ => Some(format!(
                            "reports slot {slot} as {} of ballot {}, where it had accepted {} in {}",
                            report.value,
                            Rank::of(report.ballot),
                            held.value,
                            held.rank()
                        )),
                    }
                }
            };
            break;
        }
        if let Some(wrong) = wrong {
            self.broken(Rule::PromiseTellsAll, &format!("promises ballot {ballot} and {wrong}"));
        }
    }

    /// It vouches for these to be chosen: as if it took them for chosen itself.
    fn vouch(&mut self, reports: &[Report]) {
        for report in reports.iter().filter(|report| report.learned) {
            self.slots.learned(report.slot, report.value, self.at);
        }
    }
}
