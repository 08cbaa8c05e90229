//! Growing sets whose elements are added once: decided in linear time.
//!
//! A read answers the whole set, so all completed reads must be ordered by inclusion: with the *layer*
//! of an element the size of the smallest read that has it, a read of k elements is right exactly when
//! k elements have a layer of at most k. The order of everything is then given, layer by layer: its adds,
//! then its reads; adds that no read shows come after all. It remains to see whether
//! anything ended before something that must come earlier began.
//!
//! An add of unknown outcome happened if a read shows its element, and says nothing otherwise.

use super::condition::holds;
use super::hash::Table;
use super::monitor_condition::Condition;
use super::partition::{Part, Span};
use crate::history::op::Value;
use crate::history::values::ValueId;
use crate::model::{list_ids, no_such_function};

type ElementId = u32;

const NOBODY: u32 = u32::MAX;

/// A key's operations as those of a set.
#[derive(Debug, Default)]
pub(crate) struct Set {
    pub(crate) adds: Vec<Add>,
    pub(crate) reads: Vec<Read>,
    /// For each element id the element.
    pub(crate) elements: Vec<Value>,
}

#[derive(Debug)]
pub(crate) struct Add {
    pub(crate) call: usize,
    pub(crate) element: ElementId,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) call: usize,
    pub(crate) elements: Vec<ElementId>,
    pub(crate) span: Span,
}

/// An operation of a [`Set`], by its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    Add(usize),
    Read(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Valid,
    /// Some element is added twice: ask another engine.
    NotUnique,
    Violation(Violation),
}

/// Why there is no order. Reads and adds by their place in the [`Set`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    NeverAdded {
        read: usize,
        element: ElementId,
    },
    Twice {
        read: usize,
        element: ElementId,
    },
    /// `one` has `element`, which `other` lacks, though `other` has as many or more.
    Fork {
        one: usize,
        other: usize,
        element: ElementId,
    },
    /// `early` ended before `late` began, but must come after it.
    OutOfOrder {
        early: Member,
        late: Member,
    },
}

/// Decodes one key. An error means that some op is none of a set.
pub(crate) fn decode(part: &Part<'_>) -> Result<Set, String> {
    let mut set = Set::default();
    let values = part.history.values();
    let mut numbers: Table<ValueId, ElementId> = Table::default();
    for (call_number, call, span) in part.possible() {
        let mut number = |element: ValueId| {
            *numbers.entry(element).or_insert_with(|| {
                set.elements.push(values.get(element));
                set.elements.len() as ElementId - 1
            })
        };
        match call.f() {
            "add" => {
                let element = number(call.argument_id()?);
                set.adds.push(Add { call: call_number, element, span });
            }
            "read" => {
                if let Some(value) = call.result_id() {
                    let elements = list_ids(value, &call)?.iter().copied().map(number).collect();
                    set.reads.push(Read { call: call_number, elements, span });
                }
            }
            _ => return Err(no_such_function("set", &call)),
        }
    }
    Ok(set)
}

/// Decides a set.
pub(crate) fn judge(set: &Set) -> Answer {
    let mut add_of = vec![NOBODY; set.elements.len()];
    for (place, add) in set.adds.iter().enumerate() {
        if add_of[add.element as usize] != NOBODY && holds(Condition::SetAddedOnce) {
            return Answer::NotUnique;
        }
        add_of[add.element as usize] = place as u32;
    }
    let found = layers(set, &add_of).and_then(|layer| order(set, &layer));
    found.map_or_else(Answer::Violation, |()| Answer::Valid)
}

/// The smallest read that has each element, or [`NOBODY`].
fn layers(set: &Set, add_of: &[u32]) -> Result<Vec<u32>, Violation> {
    let mut first_reader = vec![NOBODY; set.elements.len()];
    let mut last_seen_in = vec![NOBODY; set.elements.len()];
    for (read, Read { elements, .. }) in set.reads.iter().enumerate() {
        for &element in elements {
            if add_of[element as usize] == NOBODY && holds(Condition::SetSeenIsAdded) {
                return Err(Violation::NeverAdded { read, element });
            }
            if last_seen_in[element as usize] == read as u32 && holds(Condition::SetShownOnce) {
                return Err(Violation::Twice { read, element });
            }
            last_seen_in[element as usize] = read as u32;
            let reader = &mut first_reader[element as usize];
            let is_smaller = |reader: u32| set.reads[reader as usize].elements.len() > elements.len();
            if *reader == NOBODY || (is_smaller(*reader) && holds(Condition::SetSmallestShows)) {
                *reader = read as u32;
            }
        }
    }
    let size_max = set.reads.iter().map(|read| read.elements.len()).max().unwrap_or(0);
    // How many elements have each layer; then how many have at most it.
    let mut within = vec![0usize; size_max + 1];
    for reader in first_reader.iter().filter(|reader| **reader != NOBODY) {
        within[set.reads[*reader as usize].elements.len()] += 1;
    }
    for size in 1..=size_max {
        within[size] += within[size - 1];
    }
    for (read, Read { elements, .. }) in set.reads.iter().enumerate() {
        if within[elements.len()] != elements.len() && holds(Condition::SetReadsNest) {
            return Err(fork(set, &first_reader, read));
        }
    }
    Ok(first_reader)
}

/// A read lacks an element that a read no larger than it has.
fn fork(set: &Set, first_reader: &[u32], other: usize) -> Violation {
    let elements = &set.reads[other].elements;
    let mut has = vec![false; set.elements.len()];
    elements.iter().for_each(|element| has[*element as usize] = true);
    let lacking = (0..set.elements.len()).find(|&element| {
        let reader = first_reader[element];
        !has[element] && reader != NOBODY && set.reads[reader as usize].elements.len() <= elements.len()
    });
    let element = lacking.expect("more elements have so low a layer than the read has");
    Violation::Fork { one: first_reader[element] as usize, other, element: element as ElementId }
}

fn order(set: &Set, first_reader: &[u32]) -> Result<(), Violation> {
    let layer_of = |add: &Add| match first_reader[add.element as usize] {
        NOBODY => usize::MAX,
        reader => set.reads[reader as usize].elements.len(),
    };
    // Adds before reads within a layer; what nobody saw at the very end.
    let mut sequence: Vec<(usize, bool, Member)> = Vec::with_capacity(set.adds.len() + set.reads.len());
    for (place, add) in set.adds.iter().enumerate() {
        sequence.push((layer_of(add), false, Member::Add(place)));
    }
    for (place, read) in set.reads.iter().enumerate() {
        sequence.push((read.elements.len(), holds(Condition::SetAddsFirst), Member::Read(place)));
    }
    sequence.sort_by_key(|(layer, read, _)| (*layer, *read));
    let mut last_start: (u32, Option<Member>) = (0, None);
    for group in sequence.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        // Within a group nothing is ordered.
        for (_, _, member) in group {
            if let (start, Some(late)) = last_start
                && set.span(*member).end < start
                && holds(Condition::SetInTime)
            {
                return Err(Violation::OutOfOrder { early: *member, late });
            }
        }
        for (_, _, member) in group {
            let start = set.span(*member).start;
            if start > last_start.0 {
                last_start = (start, Some(*member));
            }
        }
    }
    Ok(())
}

impl Set {
    pub(crate) fn span(&self, member: Member) -> Span {
        match member {
            Member::Add(place) => self.adds[place].span,
            Member::Read(place) => self.reads[place].span,
        }
    }

    pub(crate) fn call(&self, member: Member) -> usize {
        match member {
            Member::Add(place) => self.adds[place].call,
            Member::Read(place) => self.reads[place].call,
        }
    }

    /// Whether a read has an element.
    pub(crate) fn has(&self, read: usize, element: ElementId) -> bool {
        self.reads[read].elements.contains(&element)
    }
}
