//! Values by number, and what tables of them weigh.

use std::hash::Hash;

use crate::hash::Table;

/// Equal values get equal numbers, from 0, in the order in which they came.
pub(super) struct Interned<T> {
    numbers: Table<T, u32>,
    values: Vec<T>,
}

impl<T: Clone + Eq + Hash> Interned<T> {
    pub(super) fn new() -> Self {
        Self { numbers: Table::default(), values: Vec::new() }
    }

    pub(super) fn number(&mut self, value: T) -> u32 {
        if let Some(number) = self.numbers.get(&value) {
            return *number;
        }
        let number = self.values.len() as u32;
        self.numbers.insert(value.clone(), number);
        self.values.push(value);
        number
    }

    pub(super) fn get(&self, number: u32) -> &T {
        &self.values[number as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Its own memory, without what the values hold elsewhere.
    pub(super) fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<T>() + table_bytes(self.numbers.capacity(), size_of::<(T, u32)>())
    }
}

/// The memory of a hash table of this capacity.
pub(super) fn table_bytes(capacity: usize, entry: usize) -> usize {
    // hashbrown: one byte of control per bucket, buckets filled up to seven eighths.
    capacity / 7 * 8 * (entry + 1)
}

/// How many of each class of unknown operations are placed: a few pairs of class and count, by number.
pub(super) struct Counts {
    lists: Interned<Box<[(u32, u32)]>>,
    pairs: usize,
}

impl Counts {
    /// The number of the empty count.
    pub(super) const NONE: u32 = 0;

    pub(super) fn new() -> Self {
        let mut lists = Interned::new();
        lists.number(Box::default());
        Self { lists, pairs: 0 }
    }

    /// The classes of which any are placed, with how many.
    pub(super) fn pairs(&self, used: u32) -> &[(u32, u32)] {
        self.lists.get(used)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.lists.len()
    }

    /// How many of this class.
    pub(super) fn of(&self, used: u32, class: u32) -> u32 {
        let list = self.lists.get(used);
        list.iter().find(|(counted, _)| *counted == class).map_or(0, |(_, count)| *count)
    }

    /// One more of this class.
    pub(super) fn plus(&mut self, used: u32, class: u32) -> u32 {
        let mut list = self.lists.get(used).to_vec();
        match list.binary_search_by_key(&class, |(counted, _)| *counted) {
            Ok(place) => list[place].1 += 1,
            Err(place) => list.insert(place, (class, 1)),
        }
        self.number(list.into())
    }

    /// The number of these counts, which are in the order of their classes.
    pub(super) fn number(&mut self, list: Box<[(u32, u32)]>) -> u32 {
        let (known, pairs) = (self.lists.len(), list.len());
        let number = self.lists.number(list);
        if self.lists.len() > known {
            self.pairs += pairs;
        }
        number
    }

    pub(super) fn bytes(&self) -> usize {
        // Every list is kept as a key and as a value.
        self.lists.bytes() + 2 * (self.pairs * size_of::<(u32, u32)>() + self.lists.len() * 16)
    }
}
