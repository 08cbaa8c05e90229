//! The breadth-first arm: Lowe's just-in-time rule (2017), one end of an operation after the other.
//!
//! The front holds every configuration that can be reached when operation r is due, so that the first
//! operation that leaves it empty is the one at which the history became impossible. An operation is
//! placed only in a burst that finishes with the one that is due: whatever could be placed before can
//! be placed as late as that. Two rules keep the front small:
//!
//! * **More placed is not better.** Where a configuration leads to another one by placing open
//!   operations, the other one is dropped: all that it can do the first one can do too, and later.
//! * **More pure ones placed is better**: of two configurations alike but for those, the one that has
//!   placed fewer is dropped.
//!
//! Where nothing is open, configurations of equal states are equal, so that a quiet moment cuts the
//! history into pieces without any rule of its own.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use super::Turn;
use super::condition::Condition;
use super::depth::Progress;
use super::interned::table_bytes;
use super::key::{Key, Mask};
use super::links::{Link, Links};
use super::space::{NOBODY, Open, Space};
use crate::budget::Exhausted;
use crate::hash::{Mix, Table};
use crate::linearizability::condition::holds;

/// Fronts up to this size are compared pair by pair within a group.
const GROUP_COMPARED_MAX: usize = 256;

pub(super) type Node<K> = (Key<K>, Link);
type Seen<K> = HashSet<Key<K>, BuildHasherDefault<Mix>>;

pub(super) struct Breadth<K> {
    pub(super) open: Open,
    /// The completed operation that is due.
    pub(super) rank: u32,
    /// Whether the front of this rank is made up; else `next` is what it is to be made of.
    begun: bool,
    /// Of this rank, still to be expanded.
    work: Vec<Node<K>>,
    seen: Seen<K>,
    /// Of the next rank.
    next: Vec<Node<K>>,
    next_seen: Seen<K>,
    /// The whole front of this rank, for a handover.
    front: Vec<Node<K>>,
    scratch: Vec<u32>,
    ranks: Vec<u32>,
}

impl<K: Mask> Breadth<K> {
    pub(super) fn new(slots: usize, root: Key<K>) -> Self {
        Self {
            open: Open::new(slots),
            rank: 0,
            begun: false,
            work: Vec::new(),
            seen: Seen::default(),
            next: vec![(root, Links::ROOT)],
            next_seen: Seen::default(),
            front: Vec::new(),
            scratch: Vec::new(),
            ranks: Vec::new(),
        }
    }

    /// Goes on for a turn.
    pub(super) fn run(
        &mut self,
        space: &mut Space<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Progress, Exhausted> {
        while turn.step() {
            if turn.is_due() || self.seen.len() == self.seen.capacity() {
                turn.look(self.bytes() + space.bytes())?;
            }
            if !self.begun {
                self.begin(space, turn)?;
            }
            if self.rank as usize == space.plan.completed.len() {
                return Ok(Progress::Found);
            }
            match self.work.pop() {
                Some(node) => self.expand(space, &node)?,
                None if self.next.is_empty() => return Ok(Progress::Nothing),
                None => {
                    self.rank += 1;
                    self.begun = false;
                }
            }
        }
        Ok(Progress::More)
    }

    /// Forgets everything and starts from these, all of this rank.
    pub(super) fn restart(&mut self, rank: u32, next: Vec<Node<K>>) {
        self.rank = rank;
        self.begun = false;
        self.work.clear();
        self.front.clear();
        self.next = next;
    }

    /// Goes on to the next rank, with all that reach it.
    pub(super) fn next_rank(
        &mut self,
        space: &mut Space<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Result<&[Node<K>], Exhausted> {
        self.begin(space, turn)?;
        while let Some(node) = self.work.pop() {
            turn.work(self.bytes() + space.bytes())?;
            self.expand(space, &node)?;
        }
        self.rank += 1;
        self.begun = false;
        Ok(&self.next)
    }

    /// Whether the front is that of the rank that is due.
    pub(super) fn is_begun(&self) -> bool {
        self.begun
    }

    /// The front as it was when this rank was due.
    pub(super) fn front(&self) -> &[Node<K>] {
        &self.front
    }

    /// What leads to the end, once it was found.
    pub(super) fn found(&self) -> Link {
        self.front.first().map_or(Links::ROOT, |(_, link)| *link)
    }

    /// Forgets the states that are not in the front, and starts this rank anew.
    pub(super) fn renumber_states(&mut self, space: &mut Space<'_>) {
        let mut kept: Vec<u32> = self.front.iter().map(|(key, _)| key.state).collect();
        kept.sort_unstable();
        kept.dedup();
        space.machine.keep_only(&kept);
        for (key, _) in &mut self.front {
            key.state = kept.partition_point(|state| *state < key.state) as u32;
        }
        self.next.clone_from(&self.front);
        self.begun = false;
    }

    pub(super) fn bytes(&self) -> usize {
        let growth = if self.seen.len() == self.seen.capacity() { 3 } else { 1 };
        let nodes = self.work.capacity() + self.next.capacity() + self.front.capacity();
        let live = self.work.len() + self.next.len() * 2 + self.front.len() + self.seen.len();
        table_bytes(self.seen.capacity(), size_of::<Key<K>>()) * growth
            + table_bytes(self.next_seen.capacity(), size_of::<Key<K>>())
            + nodes * size_of::<Node<K>>()
            + live * K::heap_bytes(self.open.slots.len())
    }

    /// Makes the next front this one: all that reached this rank.
    fn begin(&mut self, space: &mut Space<'_>, turn: &mut Turn<'_, '_>) -> Result<(), Exhausted> {
        let plan = space.plan;
        self.begun = true;
        self.seen.clear();
        self.work.clear();
        let mut front = std::mem::take(&mut self.next);
        self.next_seen.clear();
        let Some(due) = plan.completed.get(self.rank as usize) else {
            self.front = front;
            return Ok(());
        };
        self.open.seek(plan, due);
        let node = size_of::<Node<K>>() + K::heap_bytes(plan.slots);
        let held = self.bytes() + space.bytes() + front.len() * 4 * node;
        for (key, link) in &mut front {
            turn.work(held)?;
            space.close_linked(key, link, &self.open)?;
        }
        self.prune(space, &mut front, || turn.work(held))?;
        for node in &front {
            if node.0.mask.has(due.slot) {
                self.pass(node.clone(), due.slot);
            } else if self.seen.insert(node.0.remembered()) {
                self.work.push(node.clone());
            }
        }
        self.front = front;
        Ok(())
    }

    /// Hands a configuration that has placed the operation that is due to the next rank.
    fn pass(&mut self, (mut key, link): Node<K>, slot: u32) {
        key.mask.clear(slot);
        key.rank += 1;
        if self.next_seen.insert(key.remembered()) {
            self.next.push((key, link));
        }
    }

    /// Places each open operation after this configuration.
    fn expand(&mut self, space: &mut Space<'_>, (key, link): &Node<K>) -> Result<(), Exhausted> {
        let plan = space.plan;
        let due = &plan.completed[self.rank as usize];
        let mut ranks = std::mem::take(&mut self.ranks);
        space.candidates(&key.mask, &self.open, &mut ranks);
        for rank in ranks.drain(..) {
            let planned = &plan.completed[rank as usize];
            let mut states = std::mem::take(&mut self.scratch);
            after(space, key.state, planned.class, &mut states)?;
            for state in states.drain(..) {
                let mut child = Key { state, ..key.clone() };
                child.mask.set(planned.slot);
                let link = space.links.add(*link, planned.number as u32);
                self.reach(space, child, link, due.slot)?;
            }
            self.scratch = states;
        }
        self.ranks = ranks;
        for index in 0..plan.unknown.len() {
            let Some(number) = space.unknown_of(key.used, index, due.end) else { continue };
            let class = &plan.unknown[index];
            let mut states = std::mem::take(&mut self.scratch);
            after(space, key.state, class.class, &mut states)?;
            // What changes nothing is better left for later.
            for state in states.drain(..).filter(|state| *state != key.state) {
                let used = space.counts.plus(key.used, index as u32);
                let link = space.links.add(*link, number);
                self.reach(space, Key { state, used, ..key.clone() }, link, due.slot)?;
            }
            self.scratch = states;
        }
        Ok(())
    }

    fn reach(
        &mut self,
        space: &mut Space<'_>,
        mut key: Key<K>,
        mut link: Link,
        due: u32,
    ) -> Result<(), Exhausted> {
        space.close_linked(&mut key, &mut link, &self.open)?;
        if key.mask.has(due) {
            self.pass((key, link), due);
        } else if self.seen.insert(key.remembered()) {
            self.work.push((key, link));
        }
        Ok(())
    }

    /// Drops every configuration that another one makes superfluous; see the head of this file.
    fn prune(
        &self,
        space: &mut Space<'_>,
        front: &mut Vec<Node<K>>,
        mut work: impl FnMut() -> Result<(), Exhausted>,
    ) -> Result<(), Exhausted> {
        if front.len() < 2 {
            return Ok(());
        }
        let plan = space.plan;
        let mut pure = K::empty(plan.slots);
        for (slot, rank) in self.open.slots.iter().enumerate().filter(|(_, rank)| **rank != NOBODY) {
            if plan.completed[*rank as usize].pure {
                pure.set(slot as u32);
            }
        }
        // Configurations alike but for pure operations.
        let mut groups: Table<Key<K>, Vec<u32>> = Table::default();
        let alike = |mask: &K| {
            if holds(Condition::ComparedAlike) { mask.without(&pure) } else { K::empty(plan.slots) }
        };
        let group_of = |key: &Key<K>| Key { mask: alike(&key.mask), ..key.clone() };
        for (place, (key, _)) in front.iter().enumerate() {
            groups.entry(group_of(key)).or_default().push(place as u32);
        }
        let mut dropped = vec![false; front.len()];
        for group in groups.values().filter(|group| (2..=GROUP_COMPARED_MAX).contains(&group.len())) {
            for &fewer in group {
                let mask = &front[fewer as usize].0.mask;
                let worse = |more: &&u32| {
                    let better = &front[**more as usize].0.mask;
                    // Of two that are equal the first stays.
                    mask.is_within(better) && (mask != better || **more < fewer)
                };
                dropped[fewer as usize] = group.iter().any(|more| worse(&more));
            }
        }
        for (key, _) in front.iter() {
            work()?;
            self.each_child(space, key, |child| {
                let Some(group) = groups.get(&group_of(child)) else { return };
                for &place in group {
                    let other = &front[place as usize].0.mask;
                    dropped[place as usize] |=
                        other.is_within(&child.mask) || !holds(Condition::LeadsToNoLess);
                }
            })?;
        }
        let mut place = 0;
        front.retain(|_| {
            place += 1;
            !dropped[place - 1]
        });
        Ok(())
    }

    /// Everything that placing one open operation after this configuration leads to.
    fn each_child(
        &self,
        space: &mut Space<'_>,
        key: &Key<K>,
        mut told: impl FnMut(&Key<K>),
    ) -> Result<(), Exhausted> {
        let plan = space.plan;
        let (mut states, mut ranks) = (Vec::new(), Vec::new());
        space.candidates(&key.mask, &self.open, &mut ranks);
        for rank in ranks {
            let planned = &plan.completed[rank as usize];
            after(space, key.state, planned.class, &mut states)?;
            for state in states.drain(..) {
                let mut child = Key { state, ..key.clone() };
                child.mask.set(planned.slot);
                space.close(&mut child, &self.open, |_| {})?;
                told(&child);
            }
        }
        let due = &plan.completed[self.rank as usize];
        for (index, class) in plan.unknown.iter().enumerate() {
            if space.unknown_of(key.used, index, due.end).is_none() {
                continue;
            }
            after(space, key.state, class.class, &mut states)?;
            for state in states.drain(..) {
                let used = space.counts.plus(key.used, index as u32);
                let mut child = Key { state, used, ..key.clone() };
                space.close(&mut child, &self.open, |_| {})?;
                told(&child);
            }
        }
        Ok(())
    }
}

/// The states that follow, by number.
fn after(space: &mut Space<'_>, state: u32, class: u32, states: &mut Vec<u32>) -> Result<(), Exhausted> {
    let next = space.machine.step(state, class)?;
    for index in 0..next.count() {
        states.push(space.machine.of(next, index));
    }
    Ok(())
}
