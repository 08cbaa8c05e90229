//! The clusters of a register, joined to blocks, and whether the blocks fit an order.
//!
//! Relies on positions that are all different. Everything is kept by value, 16 bytes each, and touched
//! in the order in which values first appear, which is nearly the order of the operations: a million
//! operations are a few sweeps over memory. Nothing here knows which operation is which; that is
//! found out for violations only, by [`name`](super::name).

use super::super::partition::NEVER;
use super::super::register_op::{INITIAL, Kind, RegisterOp, ValueId};
use super::NONE;
use super::collide::Noted;
use super::condition::Condition;
use crate::linearizability::condition::holds;

/// Index of what the reads of a value did.
pub(super) const READS: usize = 0;
/// Index of what its writer did.
pub(super) const WRITER: usize = 1;

/// When a value was dealt with. Starts are 0 and ends [`NEVER`] where it was not. The initial value was written
/// before all: its writer ended at 0.
#[derive(Clone, Copy, Debug)]
#[repr(align(16))]
pub(super) struct Cluster {
    /// By role: the first end.
    pub(super) end: [u32; 2],
    /// By role: the last start.
    pub(super) start: [u32; 2],
}

const UNTOUCHED: Cluster = Cluster { end: [NEVER; 2], start: [0; 2] };

/// Where a value stands in its chain: one more than the value that its writer found, if that is a
/// compare-and-set; and one more than the value that a needed compare-and-set put behind this one, with
/// [`NEEDED`]. So nothing is zero, as memory is when it comes.
type Link = [u32; 2];

const FOUND: usize = 0;
const NEXT: usize = 1;

/// Marks a value with which a completed operation dealt, or that the writer of a needed value found.
const NEEDED: u32 = 1 << 31;

/// As many clusters as there are numbers for beside [`NEEDED`].
pub(super) const NUMBERS_MAX: usize = NEEDED as usize - 2;

/// Why there is no order, in values.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// Needed by a chain that ends in `through`, with which a completed operation dealt.
    NeverWritten {
        value: ValueId,
        through: ValueId,
    },
    /// Two needed compare-and-sets found the same value and left these.
    TwoSuccessors {
        first: ValueId,
        second: ValueId,
    },
    /// This value is on a cycle.
    Cycle {
        value: ValueId,
    },
    /// An operation on this value, in this role, ended before this one began, which is earlier in the chain.
    OutOfOrder {
        value: ValueId,
        role: usize,
        start: u32,
    },
    Crossing(Block, Block),
}

/// A block with what orders it; its chain begins at `head`. The one of the initial value has the end 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) head: ValueId,
    pub(super) end: u32,
    pub(super) start: u32,
}

#[derive(Debug)]
pub(super) struct Clusters {
    all: Vec<Cluster>,
    /// For each value; none as long as there is no compare-and-set.
    links: Vec<Link>,
    needed: usize,
    pub(super) not_equals: usize,
}

impl Clusters {
    /// None of any operation, with room for so many values, of which one is there at first.
    pub(super) fn new(values: usize) -> Self {
        let mut clusters = Self::without_initial(values);
        clusters.begin_with(INITIAL);
        clusters
    }

    /// The same with no value at first.
    pub(super) fn without_initial(values: usize) -> Self {
        Self { all: vec![UNTOUCHED; values.max(1)], links: Vec::new(), needed: 0, not_equals: 0 }
    }

    /// This value was there before all: any write of it is one more.
    pub(super) fn begin_with(&mut self, value: ValueId) {
        self.make_room(value);
        if holds(Condition::InitialIsWritten) {
            self.all[value as usize].end[WRITER] = 0;
        }
    }

    /// Reads the prefix of a history up to a position; `None` if values are not unique.
    pub(super) fn load(ops: &[RegisterOp], values: usize, cut: u32) -> Option<Self> {
        let mut clusters = Self::new(values);
        let begun = ops.iter().filter(|op| op.start <= cut);
        let mut known = begun.map(|op| RegisterOp { end: if op.end > cut { NEVER } else { op.end }, ..*op });
        known.all(|op| clusters.add(&op)).then_some(clusters)
    }

    /// Reads one operation; false if values are not unique.
    #[inline]
    pub(super) fn add(&mut self, op: &RegisterOp) -> bool {
        let (value, role) = match op.kind {
            Kind::Write(value) => (value, WRITER),
            Kind::Read(value) => (value, READS),
            Kind::Cas(expected, value) => return self.swap(expected, value, op.start, op.end),
            Kind::NotEqual(_) => {
                self.not_equals += 1;
                return true;
            }
        };
        // A read that did not end says nothing.
        let is_lost = role == READS && op.end == NEVER && holds(Condition::LostReadSaysNothing);
        let start = if is_lost { 0 } else { op.start };
        self.touch(value, role, start, op.end)
    }

    /// Something in this role dealt with the value; false if that makes two writes.
    #[inline]
    pub(super) fn touch(&mut self, value: ValueId, role: usize, start: u32, end: u32) -> bool {
        self.make_room(value);
        let cluster = &mut self.all[value as usize];
        let again = (role == WRITER) & cluster.is_written();
        cluster.end[role] = cluster.end[role].min(end);
        cluster.start[role] = cluster.start[role].max(start);
        !again || !holds(Condition::WrittenOnce)
    }

    /// The same with something that found the one value and left the other.
    #[inline]
    pub(super) fn swap(&mut self, found: ValueId, left: ValueId, start: u32, end: u32) -> bool {
        match (found == left, end) {
            (true, NEVER) if holds(Condition::LostSwapToItselfSaysNothing) => true,
            (true, _) if holds(Condition::SwapToItselfReads) => self.touch(left, READS, start, end),
            (true | false, _) => {
                self.link(found, left);
                self.touch(left, WRITER, start, end)
            }
        }
    }

    /// Whoever wrote a value found another one.
    fn link(&mut self, found: ValueId, value: ValueId) {
        self.make_room(found.max(value));
        if self.links.is_empty() {
            self.links = vec![[0; 2]; self.all.len()];
        } else if self.links.len() < self.all.len() {
            self.links.resize(self.all.len(), [0; 2]);
        }
        self.links[value as usize][FOUND] = found + 1;
    }

    #[inline]
    fn make_room(&mut self, value: ValueId) {
        if value as usize >= self.all.len() {
            self.all.resize((value as usize + 1).next_power_of_two(), UNTOUCHED);
        }
    }

    pub(super) fn values(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, value: ValueId) -> &Cluster {
        &self.all[value as usize]
    }

    fn is_needed(&self, value: ValueId) -> bool {
        self.links[value as usize][NEXT] & NEEDED != 0
    }

    /// Whoever wrote this found that, if it was a compare-and-set.
    pub(super) fn found(&self, value: ValueId) -> ValueId {
        self.links.get(value as usize).map_or(NONE, |link| link[FOUND].wrapping_sub(1))
    }

    /// The value that a needed compare-and-set put behind this one.
    pub(super) fn next(&self, value: ValueId) -> ValueId {
        self.links.get(value as usize).map_or(NONE, |link| (link[NEXT] & !NEEDED).wrapping_sub(1))
    }

    /// Whether there is an order.
    pub(super) fn judge(&mut self, positions: u32) -> Result<(), Stop> {
        let mut noted = Noted::new(positions);
        self.join_and_walk(|block| noted.note(block))?;
        match noted.collision() {
            None => Ok(()),
            Some((older, newer)) => Err(Stop::Crossing(self.block_at(older), self.block_at(newer))),
        }
    }

    /// Hands out every block, once it is known which values belong together.
    pub(super) fn join_and_walk(&mut self, found: impl FnMut(Block)) -> Result<(), Stop> {
        assert!(self.all.len() <= NUMBERS_MAX, "{} values leave no bit for what is needed", self.all.len());
        if !self.links.is_empty() {
            self.links.resize(self.all.len(), [0; 2]);
            self.join_chains()?;
        }
        self.walk_blocks(found)
    }

    /// Finds out which values are needed, and which stand behind which.
    fn join_chains(&mut self) -> Result<(), Stop> {
        self.needed = 0;
        for through in 0..self.all.len() as ValueId {
            let is_left = self.get(through).first_end() == NEVER && holds(Condition::NeededOnlyIfEnded);
            if self.is_needed(through) || is_left {
                continue;
            }
            let mut value = through;
            loop {
                self.links[value as usize][NEXT] |= NEEDED;
                self.needed += 1;
                if !self.get(value).is_written() && holds(Condition::NeededIsWritten) {
                    return Err(Stop::NeverWritten { value, through });
                }
                let found = self.found(value);
                if found == NONE || !holds(Condition::NeededByChain) {
                    break;
                }
                let first = self.next(found);
                if first != NONE {
                    match holds(Condition::ReplacedOnce) {
                        true => return Err(Stop::TwoSuccessors { first, second: value }),
                        false => break,
                    }
                }
                self.links[found as usize][NEXT] |= value + 1;
                if self.is_needed(found) {
                    break;
                }
                value = found;
            }
        }
        Ok(())
    }

    /// Hands out every block, after looking at its inner order.
    pub(super) fn walk_blocks(&self, mut found: impl FnMut(Block)) -> Result<(), Stop> {
        if self.links.is_empty() {
            return self.walk_values(found);
        }
        let mut walked = 0;
        for head in 0..self.links.len() as ValueId {
            if !self.is_needed(head) || self.found(head) != NONE {
                continue;
            }
            let mut block = Block { head, end: NEVER, start: 0 };
            let mut value = head;
            while value != NONE {
                walked += 1;
                block.extend(value, self.get(value))?;
                value = self.next(value);
            }
            found(block);
        }
        // Every chain from a head has been walked: whatever needed value is left stands on a cycle, or
        // else behind one, but then two stand behind the same.
        if walked == self.needed || !holds(Condition::NoCycle) {
            return Ok(());
        }
        Err(Stop::Cycle { value: self.on_a_cycle() })
    }

    /// The same where every block is one value.
    fn walk_values(&self, mut found: impl FnMut(Block)) -> Result<(), Stop> {
        for (value, cluster) in (0..).zip(&self.all) {
            if cluster.first_end() == NEVER {
                continue;
            }
            let mut block = Block { head: value, end: NEVER, start: 0 };
            let in_order = block.extend(value, cluster);
            if (!cluster.is_written() && holds(Condition::SeenIsWritten)) || in_order.is_err() {
                // The first of those that nobody wrote, if there is one, as with chains.
                let missing = |cluster: &Cluster| cluster.first_end() != NEVER && !cluster.is_written();
                return match self.all.iter().position(missing).map(|value| value as ValueId) {
                    Some(value) => Err(Stop::NeverWritten { value, through: value }),
                    None => in_order,
                };
            }
            found(block);
        }
        Ok(())
    }

    fn on_a_cycle(&self) -> ValueId {
        let mut walked = vec![false; self.all.len()];
        let values = || 0..self.links.len() as ValueId;
        for head in values().filter(|head| self.is_needed(*head) && self.found(*head) == NONE) {
            let mut value = head;
            while value != NONE {
                walked[value as usize] = true;
                value = self.next(value);
            }
        }
        let left = values().find(|value| self.is_needed(*value) && !walked[*value as usize]);
        left.expect("fewer values were walked than are needed")
    }

    /// The block whose first end, if it is forward, or else last start, is at this position.
    fn block_at(&self, position: u32) -> Block {
        let mut found = None;
        let walked = self.walk_blocks(|block| {
            if position == if block.is_forward() { block.end } else { block.start } {
                found = Some(block);
            }
        });
        debug_assert!(walked.is_ok(), "it was walked before");
        found.expect("collisions are between blocks")
    }

    /// The first event by which this value is certainly needed: an end of it, or of one behind it.
    pub(super) fn needed_since(&self, value: ValueId) -> u32 {
        let mut since = NEVER;
        let mut at = value;
        loop {
            since = since.min(self.get(at).first_end());
            at = self.next(at);
            if at == NONE || at == value {
                return since;
            }
        }
    }
}

impl Cluster {
    /// The first end of all its operations.
    #[inline]
    pub(super) fn first_end(&self) -> u32 {
        self.end[READS].min(self.end[WRITER])
    }

    #[inline]
    fn is_written(&self) -> bool {
        (self.start[WRITER] != 0) | (self.end[WRITER] == 0)
    }
}

impl Block {
    pub(super) fn is_forward(&self) -> bool {
        self.end < self.start
    }

    /// Puts a value behind those that it has.
    #[inline]
    fn extend(&mut self, value: ValueId, cluster: &Cluster) -> Result<(), Stop> {
        for (role, condition) in [(WRITER, Condition::WriterInOrder), (READS, Condition::ReadsInOrder)] {
            if cluster.end[role] < self.start && holds(condition) {
                return Err(Stop::OutOfOrder { value, role, start: self.start });
            }
            self.end = self.end.min(cluster.end[role]);
            self.start = self.start.max(cluster.start[role]);
        }
        Ok(())
    }
}
