//! Small numbers for the values of one key, in the order of first appearance.

use super::hash::Table;
use super::partition::Part;
use crate::history::History;
use crate::history::values::ValueId;

/// Numbers that were given, from 0.
#[derive(Debug)]
pub(crate) struct Numbers {
    known: Known,
    /// For each number the value.
    given: Vec<ValueId>,
}

/// By place where the key has a good share of all values, else by look-up: a thousand keys must not
/// each clear a table of all values.
#[derive(Debug)]
enum Known {
    ByPlace(Vec<u32>),
    ByLookUp(Table<ValueId, u32>),
}

const ABSENT: u32 = u32::MAX;
const VALUES_PER_CALL_MAX: usize = 8;
/// So many more cost nothing.
const VALUES_ALWAYS: usize = 64;

impl Numbers {
    /// For about so many calls of a history.
    pub(crate) fn new(history: &History, calls: usize) -> Self {
        let values = history.values().len();
        let known = match values <= calls * VALUES_PER_CALL_MAX + VALUES_ALWAYS {
            true => Known::ByPlace(vec![ABSENT; values]),
            false => Known::ByLookUp(Table::with_capacity_and_hasher(calls, Default::default())),
        };
        Self { known, given: Vec::new() }
    }

    /// For a key.
    pub(crate) fn of(part: &Part<'_>) -> Self {
        Self::new(part.history, part.calls.len())
    }

    /// The number of a value, new or not.
    #[inline(always)]
    pub(crate) fn number(&mut self, id: ValueId) -> u32 {
        match &self.known {
            Known::ByPlace(numbers) if numbers[id.index()] != ABSENT => numbers[id.index()],
            _ => self.new_or_looked_up(id),
        }
    }

    #[inline(never)]
    fn new_or_looked_up(&mut self, id: ValueId) -> u32 {
        let next = self.given.len() as u32;
        let number = match &mut self.known {
            Known::ByPlace(numbers) => {
                numbers[id.index()] = next;
                next
            }
            Known::ByLookUp(numbers) => *numbers.entry(id).or_insert(next),
        };
        if number == next {
            self.given.push(id);
        }
        number
    }

    /// Gives the next number to something that is no value of the history.
    pub(crate) fn skip(&mut self) -> u32 {
        self.given.push(NOTHING);
        self.given.len() as u32 - 1
    }

    /// The value of a number; none of what was skipped.
    pub(crate) fn value(&self, number: usize) -> Option<ValueId> {
        Some(self.given[number]).filter(|id| *id != NOTHING)
    }

    /// How many were given.
    pub(crate) fn len(&self) -> usize {
        self.given.len()
    }
}

const NOTHING: ValueId = ValueId(u32::MAX);
