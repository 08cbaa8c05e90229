//! The learner: what is known to be chosen, in which order it may be executed, and how a laggard
//! catches up.
//!
//! Slots are learned in any order ("1–134, 138, …"); they are handed on for execution only as a
//! gap-free prefix (I7): as soon as the gap fills, everything behind it follows.

use super::acceptor::Acceptor;
use super::journal::Journal;
use super::{Ballot, Record, Slot, SlotReport, Value};
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
}

#[derive(Debug)]
pub(crate) struct Learner {
    learned: BTreeMap<Slot, (Ballot, Value)>,
    /// Everything up to here is learned: the next slot is the first gap.
    chosen_upto: Slot,
    /// Everything up to here has been handed on for execution.
    handed_upto: Slot,
    /// How far the log's last chosen mark reaches.
    marked_upto: Slot,
}

impl Learner {
    pub(crate) fn new() -> Learner {
        Learner {
            learned: BTreeMap::new(),
            chosen_upto: Slot::ZERO,
            handed_upto: Slot::ZERO,
            marked_upto: Slot::ZERO,
        }
    }

    /// Takes up a record of an earlier life; `acceptor` has taken up all records before it.
    pub(crate) fn recover(&mut self, record: &Record, acceptor: &Acceptor) -> Result<(), LogContradiction> {
        match record {
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
            Record::BallotUsed(_) | Record::Promised(_) | Record::Accepted { .. } => {}
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
        if !self.learned.contains_key(&slot) {
            let held = acceptor
                .accepted(slot)
                .is_some_and(|accepted| accepted.ballot >= ballot && accepted.value == *value);
            if !held {
                journal.append(Record::Learned { slot, ballot, value: value.clone() });
            }
        }
        self.insert(slot, ballot, value);
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
            let (_, value) = &self.learned[&self.handed_upto];
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

    pub(crate) fn chosen_upto(&self) -> Slot {
        self.chosen_upto
    }

    pub(crate) fn is_marked(&self) -> bool {
        self.marked_upto == self.chosen_upto
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
        self.learned.last_key_value().map_or(Slot::ZERO, |(slot, _)| *slot)
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
        while self.learned.contains_key(&self.chosen_upto.next()) {
            self.chosen_upto = self.chosen_upto.next();
        }
    }
}
