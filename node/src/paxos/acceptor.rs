//! The acceptor: what makes a value chosen, and what must never be forgotten.
//!
//! Two rules, both of the lectures. It answers a `Prepare` by promising to accept nothing below
//! that ballot (I3). It accepts a proposal unless it has promised a higher ballot (I4); accepting
//! is itself a promise of that ballot. Both survive a crash because both are journalled, and what
//! reveals them waits for the disk.

use super::journal::Journal;
use super::{Ballot, Lsn, Record, Slot, Value};
use std::collections::BTreeMap;

/// A proposal that this node accepted.
#[derive(Clone, Debug)]
pub(crate) struct AcceptedValue {
    pub(crate) ballot: Ballot,
    pub(crate) value: Value,
    /// Where it stands in the log: an `Accepted` may leave only after this is durable.
    pub(crate) lsn: Lsn,
}

/// The refusal of an acceptor: it has promised a higher ballot.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) promised: Ballot,
    /// The refusal reveals the promise, so it waits for it.
    pub(crate) after: Lsn,
}

#[derive(Debug)]
pub(crate) struct Acceptor {
    promised: Ballot,
    promised_lsn: Lsn,
    accepted: BTreeMap<Slot, AcceptedValue>,
}

impl Acceptor {
    pub(crate) fn new() -> Acceptor {
        Acceptor { promised: Ballot::ZERO, promised_lsn: Lsn::ZERO, accepted: BTreeMap::new() }
    }

    /// Takes up a record of an earlier life; what a snapshot covers up to `base` is not held again.
    pub(crate) fn recover(&mut self, record: &Record, lsn: Lsn, base: Slot) {
        match record {
            Record::Promised(_) if crate::mutant!(ForgetPromiseOnRestart) => {}
            Record::Promised(ballot) | Record::Checkpoint { promised: ballot, .. } => {
                self.raise_promise(*ballot, lsn);
            }
            Record::Accepted { slot, ballot, value } | Record::Kept { slot, ballot, value } => {
                self.raise_promise(*ballot, lsn);
                if *slot > base {
                    let accepted = AcceptedValue { ballot: *ballot, value: value.clone(), lsn };
                    self.accepted.insert(*slot, accepted);
                }
            }
            Record::BallotUsed(_)
            | Record::Learned { .. }
            | Record::ChosenUpto(_)
            | Record::Pledged(_)
            | Record::Founded(_) => {}
        }
    }

    /// Phase 1b, for all slots at once. The answer may leave once the log is durable to the
    /// returned point. The same ballot may ask again: the promise stands, nothing is written.
    pub(crate) fn prepare(&mut self, ballot: Ballot, journal: &mut Journal) -> Result<Lsn, Refused> {
        if ballot < self.promised {
            return Err(self.refused());
        }
        if ballot > self.promised {
            let lsn = journal.append(Record::Promised(ballot));
            self.raise_promise(ballot, lsn);
        }
        Ok(self.promised_lsn)
    }

    /// Phase 2b. `>=`, not the `>` of phase 1: the ballot promised is the one to be accepted.
    pub(crate) fn accept(
        &mut self,
        ballot: Ballot,
        slot: Slot,
        value: &Value,
        journal: &mut Journal,
    ) -> Result<Lsn, Refused> {
        let mut lowest = self.promised;
        if crate::mutant!(AcceptLowerBallot) {
            lowest = self.accepted.get(&slot).map_or(Ballot::ZERO, |before| before.ballot);
        }
        if ballot < lowest || (crate::mutant!(StrictAccept) && ballot > self.promised) {
            return Err(self.refused());
        }
        if let Some(before) = self.accepted.get(&slot) {
            assert!(before.ballot <= self.promised, "I4: {slot:?} was accepted above the promise");
            if before.ballot == ballot {
                assert!(before.value == *value, "I6: ballot {ballot} proposed two values in {slot:?}");
                return Ok(before.lsn);
            }
        }
        let lsn = journal.append(Record::Accepted { slot, ballot, value: value.clone() });
        if !crate::mutant!(AcceptDoesNotRaisePromise) {
            self.raise_promise(ballot, lsn);
        }
        self.accepted.insert(slot, AcceptedValue { ballot, value: value.clone(), lsn });
        Ok(lsn)
    }

    pub(crate) fn promised(&self) -> Ballot {
        self.promised
    }

    /// Says again what it holds above `slot`, so that all said of it before may be removed.
    pub(crate) fn restate(&self, slot: Slot, journal: &mut Journal) {
        let held = |(slot, accepted): (Slot, &AcceptedValue)| {
            let AcceptedValue { ballot, value, .. } = accepted.clone();
            Record::Kept { slot, ballot, value }
        };
        self.accepted_from(slot.next()).map(held).for_each(|record| _ = journal.append(record));
    }

    /// Lets go of what it holds up to `slot`, which is chosen, at most so much at once. The promise
    /// stands: it is for all slots.
    pub(crate) fn trim(&mut self, slot: Slot, most: usize) {
        for _ in 0..most {
            match self.accepted.first_entry() {
                Some(first) if *first.key() <= slot => _ = first.remove(),
                Some(_) | None => return,
            }
        }
    }

    pub(crate) fn refused(&self) -> Refused {
        Refused { promised: self.promised, after: self.promised_lsn }
    }

    pub(crate) fn accepted(&self, slot: Slot) -> Option<&AcceptedValue> {
        self.accepted.get(&slot)
    }

    pub(crate) fn accepted_from(&self, from: Slot) -> impl Iterator<Item = (Slot, &AcceptedValue)> {
        self.accepted.range(from..).map(|(slot, accepted)| (*slot, accepted))
    }

    pub(crate) fn last_accepted(&self) -> Slot {
        self.accepted.last_key_value().map_or(Slot::ZERO, |(slot, _)| *slot)
    }

    fn raise_promise(&mut self, ballot: Ballot, lsn: Lsn) {
        if ballot > self.promised {
            self.promised = ballot;
            self.promised_lsn = lsn;
        }
    }
}
