//! The learner: what is known to be chosen, in which order it may be executed, and how a laggard
//! catches up.
//!
//! Slots are learned in any order ("1–134, 138, …"); they are handed on for execution only as a
//! gap-free prefix (I7): as soon as the gap fills, everything behind it follows.

use super::acceptor::Acceptor;
use super::journal::Journal;
use super::{Ballot, Base, Configuration, Configurations, Governing, Record, Slot, SlotReport, Value};
use std::collections::BTreeMap;

/// Why a log can't be the log of a correct replica.
#[derive(Debug, Clone, Eq, PartialEq, thiserror::Error)]
pub enum LogContradiction {
    /// A chosen mark covers a slot that the log holds nothing for.
    #[error("slot {0} is marked as chosen, but the log holds no value for it")]
    ChosenWithoutValue(Slot),
    /// I2, broken within one log.
    #[error("slot {0} is recorded as chosen with two different values")]
    TwoValues(Slot),
    /// Records were removed, and what is left does not say again what they said.
    #[error(
        "the first {0} records are gone, and no checkpoint follows: what was promised and accepted in them is lost"
    )]
    NoCheckpoint(u64),
    /// Records were removed because a snapshot made them superfluous, and there is no such snapshot.
    #[error(
        "the log was trimmed for a snapshot of slot {trimmed}, but the newest snapshot there is covers slot {snapshot}"
    )]
    NoSnapshot {
        /// The slot that the log's first checkpoint names.
        trimmed: Slot,
        /// What there is; 0: none.
        snapshot: Slot,
    },
}

#[derive(Debug)]
pub(crate) struct Learner {
    learned: BTreeMap<Slot, (Ballot, Value)>,
    /// Everything up to here is learned: the next slot is the first gap.
    chosen_upto: Slot,
    /// Everything up to here has been handed on for execution.
    handed_upto: Slot,
    /// No slot up to there was learned under a higher ballot.
    handed_ballot: Ballot,
    /// How far the log's last chosen mark reaches.
    marked_upto: Slot,
    /// The values up to here are gone: they are in a snapshot.
    base: Base,
    /// The values up to here are on their way out.
    trim_upto: Slot,
    /// Who governs which slots, as far as the prefix that is learned says.
    configurations: Configurations,
}

impl Learner {
    /// A learner that knows what `base` covers, and nothing else.
    pub(crate) fn new(base: Base, configurations: Configurations) -> Learner {
        Learner {
            learned: BTreeMap::new(),
            chosen_upto: base.slot,
            handed_upto: base.slot,
            handed_ballot: base.ballot,
            marked_upto: base.slot,
            base,
            trim_upto: base.slot,
            configurations,
        }
    }

    /// The founders have met. Nothing can have been learned before that.
    pub(crate) fn found(&mut self, founding: Configuration, window: u64) {
        assert!(self.chosen_upto == Slot::ZERO, "who has not met the other founders learns nothing");
        self.configurations = Configurations::new(founding, window);
    }

    /// Takes up a record of an earlier life; `acceptor` has taken up all records before it.
    pub(crate) fn recover(&mut self, record: &Record, acceptor: &Acceptor) -> Result<(), LogContradiction> {
        match record {
            Record::Learned { slot, .. } if *slot <= self.base.slot => {}
            Record::Learned { slot, ballot, value } => {
                if self.learned.get(slot).is_some_and(|(_, known)| known != value) {
                    return Err(LogContradiction::TwoValues(*slot));
                }
                self.insert(*slot, *ballot, value);
            }
            Record::ChosenUpto(upto) => {
                let mut slot = self.chosen_upto.next();
                while slot <= *upto {
                    if !self.learned.contains_key(&slot) {
                        let accepted =
                            acceptor.accepted(slot).ok_or(LogContradiction::ChosenWithoutValue(slot))?;
                        self.insert(slot, accepted.ballot, &accepted.value);
                    }
                    slot = slot.next();
                }
                self.marked_upto = self.marked_upto.max(*upto);
            }
            Record::BallotUsed(_)
            | Record::Promised(_)
            | Record::Accepted { .. }
            | Record::Checkpoint { .. }
            | Record::Kept { .. }
            | Record::Pledged(_)
            | Record::Founded(_) => {}
        }
        Ok(())
    }

    /// `value` is chosen in `slot`, in `ballot` or below. Journalled, unless the log holds that value as
    /// accepted in `ballot` or above. A lower ballot would not do: what an Accept of a ballot in
    /// between proposes could still take its place there, and a restart would then take that for
    /// chosen. From the ballot on in which a value is chosen, nothing else is ever proposed (I9).
    pub(crate) fn learn(
        &mut self,
        slot: Slot,
        ballot: Ballot,
        value: &Value,
        acceptor: &Acceptor,
        journal: &mut Journal,
    ) {
        if slot <= self.base.slot {
            return;
        }
        if !self.learned.contains_key(&slot) && !is_held(acceptor, slot, ballot, value) {
            journal.append(Record::Learned { slot, ballot, value: value.clone() });
        }
        self.insert(slot, ballot, value);
    }

    /// Says again what it knows above `slot`, as far as the acceptor's own records don't.
    pub(crate) fn restate(&self, slot: Slot, acceptor: &Acceptor, journal: &mut Journal) {
        for (slot, (ballot, value)) in self.learned.range(slot.next()..) {
            if !is_held(acceptor, *slot, *ballot, value) {
                journal.append(Record::Learned { slot: *slot, ballot: *ballot, value: value.clone() });
            }
        }
    }

    /// Everything up to here is in a durable snapshot: what has been handed on of it may go, but for
    /// the latest, about so many bytes of them. A laggard that lacks only those need not fetch all of
    /// the state.
    pub(crate) fn release(&mut self, upto: Slot, kept_bytes: u64) {
        // A fetched snapshot may be ahead: its values came beside it, and are about to be executed.
        let upto = upto.min(self.handed_upto);
        let mut bytes = 0;
        let kept = self.learned.range(..=upto).rev().take_while(|(_, (_, value))| {
            bytes += 1 + value.len() as u64;
            bytes <= kept_bytes
        });
        let first_kept = kept.last().map_or(upto.next(), |(slot, _)| *slot);
        self.trim_upto = self.trim_upto.max(Slot(first_kept.0 - 1));
    }

    /// Lets go of released values, at most so many at once: dropping a million in one turn would
    /// stop the node for as long.
    pub(crate) fn trim(&mut self, most: usize) {
        for _ in 0..most {
            match self.learned.first_entry() {
                Some(first) if *first.key() <= self.trim_upto => _ = first.remove(),
                Some(_) | None => break,
            }
        }
        let left = self.learned.first_key_value().map_or(self.trim_upto, |(slot, _)| Slot(slot.0 - 1));
        let slot = left.min(self.trim_upto);
        if slot > self.base.slot {
            self.base = Base { slot, ballot: self.handed_ballot };
            self.configurations.forget_upto(slot);
        }
    }

    /// The state after everything that `base` covers has come from elsewhere, and is durable here.
    pub(crate) fn install(&mut self, base: Base, governing: &[Governing]) {
        self.configurations.restore(governing);
        self.learned = self.learned.split_off(&base.slot.next());
        let ballot = self.handed_ballot.max(base.ballot);
        self.base = Base { slot: base.slot, ballot };
        (self.handed_upto, self.handed_ballot) = (base.slot, ballot);
        self.chosen_upto = base.slot;
        self.trim_upto = base.slot;
        self.marked_upto = self.marked_upto.max(base.slot);
        self.find_gap();
    }

    /// What a snapshot of everything handed on so far covers.
    pub(crate) fn handed(&self) -> Base {
        Base { slot: self.handed_upto, ballot: self.handed_ballot }
    }

    /// The values up to here are gone.
    pub(crate) fn base(&self) -> Base {
        self.base
    }

    /// The leader of `ballot` knows everything up to `upto` to be chosen. That says something
    /// about our accepted values only where we accepted them in that very ballot: what an older
    /// leader had us accept may have lost.
    pub(crate) fn learn_by_mark(
        &mut self,
        ballot: Ballot,
        upto: Slot,
        acceptor: &Acceptor,
        journal: &mut Journal,
    ) {
        /// A mark is repeated with every heartbeat, so a bounded look is enough.
        const SLOTS_PER_MARK_MAX: usize = 4096;
        let known: Vec<_> = acceptor
            .accepted_from(self.chosen_upto.next())
            .take(SLOTS_PER_MARK_MAX)
            .take_while(|(slot, _)| *slot <= upto)
            .filter(|(_, accepted)| accepted.ballot == ballot || crate::mutant!(WatermarkWithoutBallotCheck))
            .filter(|(slot, _)| !self.learned.contains_key(slot))
            .map(|(slot, accepted)| (slot, accepted.value.clone()))
            .collect();
        for (slot, value) in known {
            self.learn(slot, ballot, &value, acceptor, journal);
        }
    }

    /// What became executable since the last call, in order.
    pub(crate) fn take_executable(&mut self) -> Vec<(Slot, Value)> {
        let mut ready = Vec::new();
        while crate::mutant!(ApplyPastGap) && self.handed_upto < self.last_learned() {
            self.handed_upto = self.handed_upto.next();
            let learned = self.learned.get(&self.handed_upto);
            ready.push((self.handed_upto, learned.map_or(Value::Noop, |(_, value)| value.clone())));
        }
        while self.handed_upto < self.chosen_upto {
            self.handed_upto = self.handed_upto.next();
            let (ballot, value) = &self.learned[&self.handed_upto];
            self.handed_ballot = self.handed_ballot.max(*ballot);
            ready.push((self.handed_upto, value.clone()));
        }
        ready
    }

    /// Writes down how far the prefix reaches, so that a restart need not ask again.
    pub(crate) fn mark(&mut self, journal: &mut Journal) {
        if self.chosen_upto > self.marked_upto {
            self.marked_upto = self.chosen_upto;
            journal.append(Record::ChosenUpto(self.chosen_upto));
        }
    }

    /// The configuration of the first slot that is not known to be chosen.
    pub(crate) fn governing_next(&self) -> &Configuration {
        self.configurations.governing(self.chosen_upto.next())
    }

    pub(crate) fn configurations(&self) -> &Configurations {
        &self.configurations
    }

    pub(crate) fn chosen_upto(&self) -> Slot {
        self.chosen_upto
    }

    pub(crate) fn is_marked(&self) -> bool {
        self.marked_upto >= self.chosen_upto
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&(Ballot, Value)> {
        self.learned.get(&slot)
    }

    pub(crate) fn learned_from(&self, from: Slot) -> impl Iterator<Item = SlotReport> {
        self.learned.range(from..).map(|(slot, (ballot, value))| SlotReport {
            slot: *slot,
            ballot: *ballot,
            value: value.clone(),
            learned: true,
        })
    }

    pub(crate) fn last_learned(&self) -> Slot {
        self.learned.last_key_value().map_or(self.chosen_upto, |(slot, _)| *slot)
    }

    fn insert(&mut self, slot: Slot, ballot: Ballot, value: &Value) {
        if let Some((_, known)) = self.learned.get(&slot) {
            assert!(
                known == value,
                "I2: two values chosen in {slot:?}: {known:?}, and now {value:?} in {ballot}"
            );
            return;
        }
        self.learned.insert(slot, (ballot, value.clone()));
        self.find_gap();
    }

    fn find_gap(&mut self) {
        while let Some((_, value)) = self.learned.get(&self.chosen_upto.next()) {
            self.chosen_upto = self.chosen_upto.next();
            if let Value::Configuration(configuration) = value {
                self.configurations.take(self.chosen_upto, configuration);
            }
        }
    }
}

/// Whether the log holds the value as accepted in `ballot` or above: see [`Learner::learn`].
fn is_held(acceptor: &Acceptor, slot: Slot, ballot: Ballot, value: &Value) -> bool {
    acceptor.accepted(slot).is_some_and(|accepted| accepted.ballot >= ballot && accepted.value == *value)
}
