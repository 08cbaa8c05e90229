//! Which of several appends of the same text made which text.
//!
//! An append can have made a text only if it began before a get that shows the text (or a longer one
//! of its chain) ended, and ended after the last get that shows a shorter one began. Of two appends
//! of the same text of which one begins and ends no later than the other, the earlier one made the
//! earlier text of a chain: if it was the other way round, each can take the other's moment, since
//! that lies within its own time. What is left are few choices, mostly one, and each is a register for
//! the [`zones`](crate::linearizability::zones). A history is linearizable exactly when one of them is.

use super::decode::{Chains, Update};
use super::few::Few;
use super::{TextOp, TextRegister};
use crate::linearizability::partition::NEVER;
use crate::linearizability::register_op::{Kind, ValueId};

/// For each append of one text the value that it made, if any get shows it.
type Choice = Few<Option<ValueId>>;

/// The choices for each text of updates.
#[derive(Debug)]
pub(super) struct Choices {
    by_update: Vec<Few<Choice>>,
}

/// Choices for one text, beyond which a search is better.
const CHOICES_PER_TEXT_MAX: usize = 16;

/// Registers for one key, beyond which a search is better.
const REGISTERS_MAX: usize = 256;

impl Choices {
    /// All that must be looked at; `None` if that are too many. A text without any makes the history
    /// impossible.
    pub(super) fn of(ops: &[TextOp<'_>], chains: &Chains) -> Option<Self> {
        let mut by_update = Vec::with_capacity(chains.updates.len());
        let mut all = 1usize;
        for update in &chains.updates {
            let choices = match &update.appends[..] {
                [] => Few::One(Few::None),
                [_] => Few::One(Few::One(update.made.first().copied())),
                _ => Few::Many(choices(ops, chains, update)?),
            };
            all = all.saturating_mul(choices.len());
            by_update.push(choices);
        }
        (all <= REGISTERS_MAX).then_some(Self { by_update })
    }

    /// An update of which no choice is possible.
    pub(super) fn without<'c>(&self, chains: &'c Chains) -> Option<&'c Update> {
        let place = self.by_update.iter().position(|choices| choices.is_empty())?;
        Some(&chains.updates[place])
    }

    pub(super) fn count(&self) -> usize {
        self.by_update.iter().map(|choices| choices.len()).product()
    }

    /// The register of one of the choices.
    pub(super) fn register(&self, ops: &[TextOp<'_>], chains: &Chains, number: usize) -> TextRegister {
        let mut kinds: Vec<(usize, Kind)> = Vec::with_capacity(ops.len());
        let values = self.each_kind(ops, chains, number, |op, kind| kinds.push((op, kind)));
        kinds.sort_unstable_by_key(|(number, _)| *number);
        TextRegister {
            ops: kinds.iter().map(|(number, kind)| ops[*number].with(*kind)).collect(),
            numbers: kinds.iter().map(|(number, _)| *number).collect(),
            values,
        }
    }

    /// What its operations do, in no order; answers how many values there are.
    pub(super) fn each_kind(
        &self,
        ops: &[TextOp<'_>],
        chains: &Chains,
        number: usize,
        mut does: impl FnMut(usize, Kind),
    ) -> usize {
        chains.reads.iter().for_each(|(get, value)| does(*get, Kind::Read(*value)));
        let mut values = chains.texts.len() as ValueId + 1;
        let mut unseen = || {
            values += 1;
            Kind::Write(values - 1)
        };
        let mut rest = number;
        for (update, choices) in chains.updates.iter().zip(&self.by_update) {
            for put in &*update.puts {
                does(*put, update.put.map_or_else(&mut unseen, Kind::Write));
            }
            let choice = match &choices[..] {
                [only] => only,
                several => {
                    let choice = &several[rest % several.len()];
                    rest /= several.len();
                    choice
                }
            };
            for (append, made) in update.appends.iter().zip(&**choice) {
                let kind = match made {
                    Some(made) => Kind::Cas(chains.texts[*made as usize - 1].before, *made),
                    // Nobody saw it, and nobody knows whether it happened: it says nothing.
                    None if ops[*append].end == NEVER => continue,
                    None => unseen(),
                };
                does(*append, kind);
            }
        }
        values as usize
    }
}

/// Every choice for the appends of one text; `None` if those are too many.
fn choices(ops: &[TextOp<'_>], chains: &Chains, update: &Update) -> Option<Vec<Choice>> {
    let mut search =
        Search { ops, chains, update, choice: vec![None; update.appends.len()], found: Vec::new() };
    search.choose(0).then_some(search.found)
}

struct Search<'a> {
    ops: &'a [TextOp<'a>],
    chains: &'a Chains,
    update: &'a Update,
    choice: Vec<Option<ValueId>>,
    found: Vec<Choice>,
}

impl Search<'_> {
    /// Gives an append to each value from this one on, in every way; whether that were few enough.
    fn choose(&mut self, place: usize) -> bool {
        let Some(&value) = self.update.made.get(place) else {
            self.found.push(Few::Many(self.choice.clone()));
            return self.found.len() <= CHOICES_PER_TEXT_MAX;
        };
        for append in 0..self.choice.len() {
            if self.choice[append].is_none() && self.can_make(append, value) {
                self.choice[append] = Some(value);
                let few = self.choose(place + 1);
                self.choice[append] = None;
                if !few {
                    return false;
                }
            }
        }
        true
    }

    fn can_make(&self, append: usize, value: ValueId) -> bool {
        let TextOp { start, end, .. } = self.ops[self.update.appends[append]];
        let text = &self.chains.texts[value as usize - 1];
        if start > text.first_end || end < text.last_start_before {
            return false;
        }
        // Of two that made texts of one chain, the one that is earlier in every way made the earlier.
        self.choice.iter().zip(&*self.update.appends).all(|(made, other)| {
            let Some(made) = made else { return true };
            let other = &self.ops[*other];
            let other_is_later = other.start > start && other.end >= end;
            !(other_is_later && self.chains.texts[*made as usize - 1].chain == text.chain)
        })
    }
}
