//! Which configuration governs which slot: a function of the log.

use super::super::Slot;
use super::Configuration;
use std::sync::Arc;

/// A configuration, and where it begins.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Governing {
    /// The first slot that it governs.
    pub from: Slot,
    /// The configuration.
    pub configuration: Arc<Configuration>,
}

/// The configurations of a node's learned prefix: the one in force, those before it as long as
/// anybody may ask, and the one to come, if there is one.
#[derive(Clone, Debug)]
pub struct Configurations {
    /// α: a configuration chosen in slot i governs from slot i + α on.
    window: u64,
    /// In order, never empty.
    succession: Vec<Governing>,
}

impl Configurations {
    /// A cluster begins.
    #[must_use]
    pub fn new(founding: Configuration, window: u64) -> Configurations {
        let founding = Governing { from: Slot::ZERO, configuration: Arc::new(founding) };
        Configurations { window, succession: vec![founding] }
    }

    /// A snapshot's come in the place of what was known; from a snapshot that names none, nothing.
    pub fn restore(&mut self, governing: &[Governing]) {
        if !governing.is_empty() {
            self.succession = governing.to_vec();
        }
    }

    /// The configuration that governs a slot, for a slot that is not more than α beyond the prefix.
    #[must_use]
    pub fn governing(&self, slot: Slot) -> &Arc<Configuration> {
        if crate::mutant!(ConfigAtLearn) {
            return self.latest();
        }
        let begun = self.succession.iter().rev().find(|governing| governing.from <= slot);
        &begun.unwrap_or(&self.succession[0]).configuration
    }

    /// The one in force in a slot, and what is to come after it.
    #[must_use]
    pub fn from(&self, slot: Slot) -> &[Governing] {
        let begun = self.succession.iter().rposition(|governing| governing.from <= slot);
        &self.succession[begun.unwrap_or(0)..]
    }

    /// The last one known.
    #[must_use]
    pub fn latest(&self) -> &Arc<Configuration> {
        &self.last().configuration
    }

    /// Where the last one known begins.
    #[must_use]
    pub fn latest_from(&self) -> Slot {
        self.last().from
    }

    /// Whether a configuration of this number, chosen in `slot`, counts: as the successor of the last
    /// one, when that is in force; `under_way`: whether another may be chosen that is not known.
    #[must_use]
    pub fn admits(&self, slot: Slot, number: u64, under_way: bool) -> bool {
        let follows = slot >= self.last().from && number == self.latest().number() + 1 && !under_way;
        follows || crate::mutant!(TwoChangesAtOnce)
    }

    /// A configuration is chosen in the next slot of the prefix. It may be void; tells whether it
    /// counts.
    pub fn take(&mut self, slot: Slot, configuration: &Arc<Configuration>) -> bool {
        let counts = self.admits(slot, configuration.number(), false);
        if counts {
            let from = Slot(slot.0 + self.window);
            self.succession.push(Governing { from, configuration: Arc::clone(configuration) });
        }
        counts
    }

    /// What somebody has to know who begins behind `slot` with a state that tells everything before:
    /// who governs the slots from there on, as far as the log up to `slot` says.
    #[must_use]
    pub fn as_of(&self, slot: Slot) -> Vec<Governing> {
        let known = |governing: &&Governing| governing.from.0 <= slot.0 + self.window;
        self.from(slot.next()).iter().filter(known).cloned().collect()
    }

    /// Nobody asks about slots up to there any more.
    pub fn forget_upto(&mut self, slot: Slot) {
        let begun = self.succession.iter().rposition(|governing| governing.from <= slot.next());
        self.succession.drain(..begun.unwrap_or(0));
    }

    fn last(&self) -> &Governing {
        self.succession.last().expect("never empty")
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::NodeId;
    use super::super::Change;
    use super::*;

    const ALPHA: u64 = 3;

    fn next(before: &Configuration, node: u16) -> Arc<Configuration> {
        let add = Change::Add { node: NodeId(node), incarnation: 0, address: String::new() };
        Arc::new(before.changed(&add).unwrap())
    }

    #[test]
    fn a_configuration_begins_alpha_slots_behind_its_own() {
        let founding = Configuration::of(&[NodeId(1)]);
        let mut all = Configurations::new(founding.clone(), ALPHA);
        let (first, rival) = (next(&founding, 2), next(&founding, 3));
        assert!(all.take(Slot(5), &first));
        assert_eq!(all.governing(Slot(7)).number(), 0);
        assert_eq!(all.governing(Slot(8)).number(), 1);
        assert_eq!(all.from(Slot(6)).len(), 2);
        assert_eq!(all.from(Slot(8)).len(), 1);
        assert!(!all.take(Slot(6), &rival), "two leaders raced: void");
        let second = next(&first, 3);
        assert!(!all.take(Slot(7), &second), "the first is not in force yet: void");
        assert!(all.take(Slot(8), &second));
        assert_eq!(all.latest_from(), Slot(11));
    }

    #[test]
    fn a_snapshot_tells_what_the_log_before_it_says_and_no_more() {
        let founding = Configuration::of(&[NodeId(1)]);
        let mut all = Configurations::new(founding.clone(), ALPHA);
        let first = next(&founding, 2);
        all.take(Slot(5), &first);
        all.take(Slot(8), &next(&first, 3));
        let numbers = |slot| -> Vec<u64> {
            all.as_of(Slot(slot)).iter().map(|governing| governing.configuration.number()).collect()
        };
        assert_eq!(numbers(4), [0]);
        assert_eq!(numbers(5), [0, 1]);
        assert_eq!(numbers(6), [0, 1]);
        assert_eq!(numbers(7), [1]);
        assert_eq!(numbers(9), [1, 2]);
        let mut later = all.clone();
        later.forget_upto(Slot(7));
        assert_eq!(later.from(Slot(1)).len(), 2);
        assert_eq!(later.as_of(Slot(9)), all.as_of(Slot(9)));
    }
}
