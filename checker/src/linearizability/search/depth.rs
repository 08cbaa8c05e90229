//! The depth-first arm: Wing & Gong's search (1993) with Lowe's memory of what has been tried.
//!
//! Lucky where there is an order, hopeless where there is none and many operations are open. It goes on
//! where it stopped whenever it is given more steps, and starts anew from keys that are known to hold
//! all that can still be reached.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use super::Turn;
use super::interned::table_bytes;
use super::key::{Key, Mask};
use super::links::{Link, Links};
use super::space::{Open, Space};
use crate::budget::Exhausted;
use crate::hash::Mix;

/// States that are collected for an explanation.
const STATES_KEPT_MAX: usize = 64;

/// What became of some steps.
pub(super) enum Progress {
    /// There is an order.
    Found,
    /// There is none.
    Nothing,
    /// The steps were too few to tell.
    More,
}

struct Frame<K> {
    key: Key<K>,
    /// What to try next: places in the order of preference first, then classes of unknown operations.
    cursor: u32,
    /// Which of the states that follow the operation at the cursor.
    alternative: u32,
    /// Length of the trace with this frame's operations in it.
    traced: usize,
}

pub(super) struct Depth<K> {
    open: Open,
    visited: HashSet<Key<K>, BuildHasherDefault<Mix>>,
    stack: Vec<Frame<K>>,
    /// Where to start once the stack is empty, last first, and what leads there.
    roots: Vec<(Key<K>, Link)>,
    /// What leads to the root of the stack.
    root: Link,
    /// The operations placed from there to the stack's top, in order.
    trace: Vec<u32>,
    pub(super) best_rank: u32,
    /// The rank of the roots.
    pub(super) root_rank: u32,
    story: Option<Story>,
    ranks: Vec<u32>,
}

/// The best that was reached, for explanations.
#[derive(Default)]
struct Story {
    order: Vec<u32>,
    states: Vec<u32>,
}

impl<K: Mask> Depth<K> {
    pub(super) fn new(slots: usize, root: Key<K>, told: bool) -> Self {
        Self {
            open: Open::new(slots),
            visited: HashSet::default(),
            stack: Vec::new(),
            roots: vec![(root, Links::ROOT)],
            root: Links::ROOT,
            trace: Vec::new(),
            best_rank: 0,
            root_rank: 0,
            story: told.then(Story::default),
            ranks: Vec::new(),
        }
    }

    /// Forgets everything and starts from these, all of this rank.
    pub(super) fn restart(&mut self, rank: u32, roots: Vec<(Key<K>, Link)>) {
        self.root_rank = rank;
        self.best_rank = rank;
        self.visited = HashSet::default();
        self.stack = Vec::new();
        self.trace = Vec::new();
        self.roots = roots;
    }

    /// Goes on for a turn.
    pub(super) fn run(
        &mut self,
        space: &mut Space<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Progress, Exhausted> {
        while turn.step() {
            if turn.is_due() || self.visited.len() == self.visited.capacity() {
                turn.look(self.bytes() + space.bytes())?;
            }
            let Some(mut frame) = self.stack.pop() else {
                let Some((key, link)) = self.roots.pop() else { return Ok(Progress::Nothing) };
                self.root = link;
                self.trace.clear();
                if self.enter(space, key)? {
                    return Ok(Progress::Found);
                }
                continue;
            };
            self.trace.truncate(frame.traced);
            if let Some(key) = self.next_child(space, &mut frame)? {
                self.stack.push(frame);
                if self.enter(space, key)? {
                    return Ok(Progress::Found);
                }
            }
        }
        Ok(Progress::More)
    }

    /// The order that was found: what leads to its root, and what comes after.
    pub(super) fn found(&self) -> (Link, &[u32]) {
        (self.root, &self.trace)
    }

    /// The longest order that was reached, if that is kept.
    pub(super) fn best_order(&self) -> &[u32] {
        self.story.as_ref().map_or(&[], |story| &story.order)
    }

    /// The states of the best attempts, if they are kept.
    pub(super) fn best_states(&self) -> &[u32] {
        self.story.as_ref().map_or(&[], |story| &story.states)
    }

    pub(super) fn bytes(&self) -> usize {
        // A full table is about to double while the old one is still there.
        let growth = if self.visited.len() == self.visited.capacity() { 3 } else { 1 };
        let heap = K::heap_bytes(self.open.slots.len());
        table_bytes(self.visited.capacity(), size_of::<Key<K>>()) * growth
            + self.stack.capacity() * size_of::<Frame<K>>()
            + (self.visited.len() + self.stack.len()) * heap
            + self.trace.capacity() * size_of::<u32>()
            + self.roots.capacity() * size_of::<(Key<K>, Link)>()
    }

    /// Goes to a key, if nobody was there before. True when only unknown operations are left.
    fn enter(&mut self, space: &mut Space<'_>, mut key: Key<K>) -> Result<bool, Exhausted> {
        if self.pass_ends(space, &mut key)? {
            return Ok(true);
        }
        if self.visited.insert(key.remembered()) {
            self.note_best(&key);
            self.stack.push(Frame { cursor: 0, alternative: 0, traced: self.trace.len(), key });
        }
        Ok(false)
    }

    /// Places every pure operation that fits, and passes every end whose operation is placed, until
    /// neither is possible. True when all completed operations are placed.
    fn pass_ends(&mut self, space: &mut Space<'_>, key: &mut Key<K>) -> Result<bool, Exhausted> {
        let plan = space.plan;
        while let Some(next) = plan.completed.get(key.rank as usize) {
            self.open.seek(plan, next);
            space.close(key, &self.open, |number| self.trace.push(number))?;
            if !key.mask.has(next.slot) {
                return Ok(false);
            }
            key.mask.clear(next.slot);
            key.rank += 1;
        }
        Ok(true)
    }

    /// The next place to go from a frame.
    fn next_child(
        &mut self,
        space: &mut Space<'_>,
        frame: &mut Frame<K>,
    ) -> Result<Option<Key<K>>, Exhausted> {
        let plan = space.plan;
        let next = &plan.completed[frame.key.rank as usize];
        self.open.seek(plan, next);
        while let Some(place) = self.next_open(space, frame) {
            if place != frame.cursor {
                (frame.cursor, frame.alternative) = (place, 0);
            }
            let planned = &plan.completed[plan.preferred(place) as usize];
            let states = space.machine.step(frame.key.state, planned.class)?;
            if frame.alternative < states.count() {
                let state = space.machine.of(states, frame.alternative);
                frame.alternative += 1;
                let mut key = Key { state, ..frame.key.clone() };
                key.mask.set(planned.slot);
                self.trace.push(planned.number as u32);
                return Ok(Some(key));
            }
            (frame.cursor, frame.alternative) = (place + 1, 0);
        }
        let first_class = plan.completed.len() as u32;
        if frame.cursor < first_class {
            (frame.cursor, frame.alternative) = (first_class, 0);
        }
        while let Some(class) = plan.unknown.get((frame.cursor - first_class) as usize) {
            let index = (frame.cursor - first_class) as usize;
            if let Some(number) = space.unknown_of(frame.key.used, index, next.end) {
                let states = space.machine.step(frame.key.state, class.class)?;
                while frame.alternative < states.count() {
                    let state = space.machine.of(states, frame.alternative);
                    frame.alternative += 1;
                    // What changes nothing is better left for later.
                    if state != frame.key.state {
                        let used = space.counts.plus(frame.key.used, index as u32);
                        self.trace.push(number);
                        return Ok(Some(Key { state, used, ..frame.key.clone() }));
                    }
                }
            }
            (frame.cursor, frame.alternative) = (frame.cursor + 1, 0);
        }
        Ok(None)
    }

    /// The first place, in the order of preference and from the frame's cursor on, of an operation that
    /// is to be tried.
    fn next_open(&mut self, space: &mut Space<'_>, frame: &Frame<K>) -> Option<u32> {
        space.candidates(&frame.key.mask, &self.open, &mut self.ranks);
        let places = self.ranks.iter().map(|rank| space.plan.preference(*rank));
        places.filter(|place| *place >= frame.cursor).min()
    }

    fn note_best(&mut self, key: &Key<K>) {
        let better = key.rank > self.best_rank;
        self.best_rank = self.best_rank.max(key.rank);
        let Some(story) = &mut self.story else { return };
        if better {
            story.states.clear();
        }
        if key.rank == self.best_rank {
            if better || self.trace.len() >= story.order.len() {
                story.order.clone_from(&self.trace);
            }
            if story.states.len() < STATES_KEPT_MAX && !story.states.contains(&key.state) {
                story.states.push(key.state);
            }
        }
    }
}
