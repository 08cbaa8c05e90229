//! Virtual time, and what is to happen when.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fmt;

/// A moment, in microseconds since the world began.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Debug, Default)]
pub struct Time(pub u64);

impl Time {
    /// The moment `us` microseconds later.
    #[must_use]
    pub fn after(self, us: u64) -> Time {
        Time(self.0 + us)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// Events in the order of their times; of equal times, the one entered first comes first. So the
/// order never depends on anything but the seed.
#[derive(Debug)]
pub(crate) struct Agenda<E> {
    now: Time,
    entered: u64,
    entries: BinaryHeap<Entry<E>>,
}

#[derive(Debug)]
struct Entry<E> {
    at: Time,
    sequence: u64,
    event: E,
}

impl<E> Agenda<E> {
    pub(crate) fn new() -> Agenda<E> {
        Agenda { now: Time::default(), entered: 0, entries: BinaryHeap::new() }
    }

    pub(crate) fn now(&self) -> Time {
        self.now
    }

    /// Enters an event for `us` microseconds from now.
    pub(crate) fn after(&mut self, us: u64, event: E) {
        self.at(self.now.after(us), event);
    }

    /// Enters an event for a moment that has not passed.
    pub(crate) fn at(&mut self, at: Time, event: E) {
        assert!(at >= self.now, "time runs forward");
        self.entered += 1;
        self.entries.push(Entry { at, sequence: self.entered, event });
    }

    /// When the next event is due.
    pub(crate) fn next_at(&self) -> Option<Time> {
        self.entries.peek().map(|entry| entry.at)
    }

    /// Moves on to the next event.
    pub(crate) fn next(&mut self) -> Option<E> {
        let entry = self.entries.pop()?;
        self.now = entry.at;
        Some(entry.event)
    }
}

impl<E> Entry<E> {
    fn key(&self) -> (Time, u64) {
        (self.at, self.sequence)
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Reversed: the heap hands out its greatest first, and we want the earliest.
impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_then_by_entry() {
        let mut agenda = Agenda::new();
        agenda.after(5, 'b');
        agenda.after(9, 'd');
        agenda.after(5, 'c');
        agenda.after(1, 'a');
        let order: Vec<char> = std::iter::from_fn(|| agenda.next()).collect();
        assert_eq!(order, ['a', 'b', 'c', 'd']);
        assert_eq!(agenda.now(), Time(9));
    }
}
