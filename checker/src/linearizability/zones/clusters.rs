//! The clusters of a register, joined to blocks, and whether the blocks fit an order.
//!
//! Relies on positions that are all different. Everything is kept by value, 32 bytes each, and touched
//! in the order in which values first appear, which is nearly the order of the operations: a million
//! operations are a few sweeps over memory. Nothing here knows which operation is which; that is
//! found out for violations only, by [`name`](super::name).

use super::super::partition::NEVER;
use super::super::register_op::{INITIAL, Kind, RegisterOp, ValueId};
use super::NONE;

/// Index of what the reads of a value did.
pub(super) const READS: usize = 0;
/// Index of what its writer did.
pub(super) const WRITER: usize = 1;

/// What is known of one value. Starts are 0 and ends [`NEVER`] where there is nothing.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(super) struct Cluster {
    /// By role: the first end.
    pub(super) end: [u32; 2],
    /// By role: the last start.
    pub(super) start: [u32; 2],
    /// The value that the writer found, if it is a compare-and-set.
    pub(super) from: ValueId,
    /// The value that a needed compare-and-set put behind this one.
    pub(super) next: ValueId,
    writes: u32,
    /// Whether a completed operation dealt with it, or the writer of a needed value found it.
    pub(super) needed: bool,
}

const UNTOUCHED: Cluster =
    Cluster { end: [NEVER; 2], start: [0; 2], from: NONE, next: NONE, writes: 0, needed: false };

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
    needed: usize,
    pub(super) not_equals: usize,
}

/// Marks the first end of a forward block in [`Clusters::blocks_by_position`].
const FORWARD: u32 = 1 << 31;

impl Clusters {
    /// None of any operation, with room for so many values.
    pub(super) fn new(values: usize) -> Self {
        let mut all = vec![UNTOUCHED; values.max(1)];
        // The initial value is there: any write of it is one more.
        all[INITIAL as usize].writes = 1;
        Self { all, needed: 0, not_equals: 0 }
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
        let (value, role, from) = match op.kind {
            Kind::Write(value) => (value, WRITER, NONE),
            Kind::Read(value) => (value, READS, NONE),
            Kind::Cas(expected, value) if expected == value => (value, READS, NONE),
            Kind::Cas(expected, value) => {
                self.make_room(expected);
                (value, WRITER, expected)
            }
            Kind::NotEqual(_) => {
                self.not_equals += 1;
                return true;
            }
        };
        self.make_room(value);
        // A read that did not end says nothing.
        let start = if role == READS && op.end == NEVER { 0 } else { op.start };
        let cluster = &mut self.all[value as usize];
        cluster.end[role] = cluster.end[role].min(op.end);
        cluster.start[role] = cluster.start[role].max(start);
        cluster.from = if from == NONE { cluster.from } else { from };
        cluster.writes += role as u32;
        cluster.writes < 2
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

    /// Whether there is an order.
    pub(super) fn judge(&mut self, positions: u32) -> Result<(), Stop> {
        self.join_chains()?;
        let mut at = vec![0; positions as usize + 1];
        self.walk_blocks(|block| {
            // A first end and a last start of two blocks are never at the same position.
            if block.is_forward() {
                at[block.end as usize] = block.start | FORWARD;
            } else {
                at[block.start as usize] = block.end;
            }
        })?;
        match collision(&at) {
            None => Ok(()),
            Some((older, newer)) => Err(Stop::Crossing(self.block_at(older), self.block_at(newer))),
        }
    }

    /// Finds out which values are needed, and which stand behind which.
    fn join_chains(&mut self) -> Result<(), Stop> {
        self.all[INITIAL as usize].needed = true;
        self.needed = 1;
        for through in 1..self.all.len() as ValueId {
            let cluster = self.get(through);
            if cluster.needed || cluster.first_end() == NEVER {
                continue;
            }
            let mut value = through;
            loop {
                let cluster = &mut self.all[value as usize];
                cluster.needed = true;
                self.needed += 1;
                if cluster.writes == 0 {
                    return Err(Stop::NeverWritten { value, through });
                }
                let from = cluster.from;
                if from == NONE {
                    break;
                }
                let before = &mut self.all[from as usize];
                if before.next != NONE {
                    return Err(Stop::TwoSuccessors { first: before.next, second: value });
                }
                before.next = value;
                if before.needed {
                    break;
                }
                value = from;
            }
        }
        Ok(())
    }

    /// Hands out every block that is not empty, after looking at its inner order.
    pub(super) fn walk_blocks(&self, mut found: impl FnMut(Block)) -> Result<(), Stop> {
        let mut walked = 0;
        for (head, cluster) in self.all.iter().enumerate() {
            if !cluster.needed || cluster.from != NONE {
                continue;
            }
            let head = head as ValueId;
            let mut block = Block { head, end: if head == INITIAL { 0 } else { NEVER }, start: 0 };
            let (mut value, mut cluster) = (head, cluster);
            loop {
                walked += 1;
                for role in [WRITER, READS] {
                    if cluster.end[role] < block.start {
                        return Err(Stop::OutOfOrder { value, role, start: block.start });
                    }
                    block.end = block.end.min(cluster.end[role]);
                    block.start = block.start.max(cluster.start[role]);
                }
                if cluster.next == NONE {
                    break;
                }
                value = cluster.next;
                cluster = &self.all[value as usize];
            }
            if block.start != 0 {
                found(block);
            }
        }
        // Every chain from a head has been walked: whatever needed value is left stands on a cycle, or
        // else behind one, but then two stand behind the same.
        if walked == self.needed {
            return Ok(());
        }
        Err(Stop::Cycle { value: self.on_a_cycle() })
    }

    fn on_a_cycle(&self) -> ValueId {
        let mut walked = vec![false; self.all.len()];
        for (head, cluster) in self.all.iter().enumerate() {
            if cluster.needed && cluster.from == NONE {
                walked[head] = true;
                let mut next = cluster.next;
                while next != NONE {
                    walked[next as usize] = true;
                    next = self.get(next).next;
                }
            }
        }
        let left = self.all.iter().zip(walked).position(|(cluster, walked)| cluster.needed && !walked);
        left.expect("fewer values were walked than are needed") as ValueId
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
            let cluster = self.get(at);
            since = since.min(cluster.first_end());
            at = cluster.next;
            if at == NONE || at == value {
                return since;
            }
        }
    }
}

impl Cluster {
    /// The first end of all its operations.
    pub(super) fn first_end(&self) -> u32 {
        self.end[READS].min(self.end[WRITER])
    }
}

impl Block {
    fn is_forward(&self) -> bool {
        self.end < self.start
    }
}

/// Two of the positions at which blocks are noted that can't both be, if there are any: a forward
/// block, and the block that is in its way.
///
/// A block with f < s is *forward*: from f to s it holds the register. Two forward ones collide when
/// these stretches meet; a backward one (s ≤ f) could have had the register at any one moment of its
/// stretch, and collides with a forward one that covers all of it. So a sweep only has to keep how
/// far the forward ones reach that began so far: no one may begin before that, and no backward one
/// that is met may end before that.
fn collision(at: &[u32]) -> Option<(u32, u32)> {
    // Without branches, because which positions hold a block can't be predicted. One less than what is
    // meant on both sides: then an empty position allows everything.
    let (mut reach, mut collides) = (1u32, false);
    for (position, &noted) in at.iter().enumerate() {
        let is_forward = noted & FORWARD != 0;
        let other = noted & !FORWARD;
        let allowed = if is_forward { position as u32 } else { other };
        collides |= allowed.wrapping_sub(1) < reach - 1;
        reach = reach.max(if is_forward { other } else { 0 });
    }
    if !collides {
        return None;
    }
    let (mut reach, mut holder) = (0, 0);
    for (position, &noted) in at.iter().enumerate() {
        let is_forward = noted & FORWARD != 0;
        let (other, position) = (noted & !FORWARD, position as u32);
        if noted != 0 && if is_forward { position } else { other } < reach {
            return Some((holder, position));
        }
        if is_forward && other > reach {
            (reach, holder) = (other, position);
        }
    }
    unreachable!("the first sweep found a collision")
}
