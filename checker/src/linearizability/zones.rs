//! Registers whose values are written once: decided in linear time.
//!
//! Gibbons & Korach (1997) judge a register by *zones* when every value is written at most once: the
//! write of a value and all its reads form a cluster that must be contiguous in any order. Two
//! things are added here:
//!
//! * A compare-and-set from a to b puts the cluster of b right behind that of a, with nothing between.
//!   Clusters joined in this way form a chain, and the whole chain, a **block**, is contiguous.
//! * An update with unknown outcome happened if anybody depends on its value, and can be left out if
//!   nobody does. So nothing is left to guess.
//!
//! For a block X let f(X) be its first end and s(X) its last start. X must come before Y exactly when
//! f(X) < s(Y). The history is linearizable exactly when every block is in order within itself and no
//! two blocks must each come before the other. Pairs are enough: on a cycle X₁ → X₂ → … → X₁ let X₁ be the
//! one with the least f; then f(X₁) ≤ f(Xᵢ₋₁) < s(Xᵢ) for every i, so X₁ comes before each of them, also
//! before the last, which comes before X₁.

use super::partition::NEVER;
use super::register_op::{INITIAL, Kind, RegisterOp, ValueId};

const NONE: u32 = u32::MAX;

/// What the zones say. Operations are named by their place in the slice that was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Valid,
    /// Some value is written twice, or the initial one is written: ask another engine.
    NotUnique,
    Violation(Violation),
}

/// Why there is no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// This operation saw a value that no operation can have written.
    NeverWritten { by: usize },
    /// Both replaced the same value, which was there once.
    TwoSuccessors { first: usize, second: usize },
    /// Compare-and-sets that each need the next one's result.
    Cycle { ops: Vec<usize> },
    /// `early` ended before `late` began, but what `late` deals with comes first: either `late` wrote
    /// the value that `early` saw, or `links` lead from the value of `late` to that of `early`.
    OutOfOrder { early: usize, late: usize, links: Vec<usize> },
    /// Two blocks that must each come before the other.
    Crossing { older: Zone, newer: Zone },
}

/// A block, by what orders it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Zone {
    /// The first of it to end; none for the block of the initial value, which was there before all.
    pub(crate) first_end: Option<usize>,
    /// The last of it to begin.
    pub(crate) last_start: usize,
    /// The compare-and-sets that join the values of these two.
    pub(crate) links: Vec<usize>,
}

/// Decides a register of `values` different values; starts and ends are within `1..=positions`.
pub(crate) fn zones(ops: &[RegisterOp], values: usize, positions: u32) -> Answer {
    if ops.iter().any(|op| matches!(op.kind, Kind::NotEqual(_))) {
        return Answer::NotUnique;
    }
    let mut register = Register::new(ops, values);
    match register.judge(positions) {
        Ok(()) => Answer::Valid,
        Err(Stop::NotUnique) => Answer::NotUnique,
        Err(Stop::Violation(violation)) => Answer::Violation(violation),
    }
}

enum Stop {
    NotUnique,
    Violation(Violation),
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Stop::Violation(violation)
    }
}

/// What is known of one value. Fields name operations, or [`NONE`].
#[derive(Clone, Copy)]
struct Cluster {
    writer: u32,
    /// The compare-and-set that replaced it.
    successor: u32,
    first_read_to_end: u32,
    last_read_to_start: u32,
    needed: bool,
    /// Whether a needed compare-and-set put it there: then it is not the head of a chain.
    follows: bool,
}

struct Register<'a> {
    ops: &'a [RegisterOp],
    clusters: Vec<Cluster>,
}

/// A block with the positions that order it; 0 is before everything.
#[derive(Clone, Copy)]
struct Block {
    first_end: u32,
    first_end_op: u32,
    last_start: u32,
    last_start_op: u32,
}

impl<'a> Register<'a> {
    fn new(ops: &'a [RegisterOp], values: usize) -> Self {
        let untouched = Cluster {
            writer: NONE,
            successor: NONE,
            first_read_to_end: NONE,
            last_read_to_start: NONE,
            needed: false,
            follows: false,
        };
        Self { ops, clusters: vec![untouched; values.max(1)] }
    }

    fn judge(&mut self, positions: u32) -> Result<(), Stop> {
        self.find_writers()?;
        self.find_needed()?;
        self.join_chains()?;
        self.place_reads();
        let mut blocks = Vec::new();
        for value in 0..self.clusters.len() as ValueId {
            let cluster = &self.clusters[value as usize];
            if cluster.needed && !cluster.follows {
                blocks.extend(self.walk(value)?);
            }
        }
        // Whatever needed value has not been walked now hangs on a cycle: every chain from a head has.
        if let Some(ops) = self.cycle() {
            return Err(Violation::Cycle { ops }.into());
        }
        match crossing(&blocks, positions) {
            None => Ok(()),
            Some((x, y)) => Err(self.explain_crossing(x, y).into()),
        }
    }

    fn find_writers(&mut self) -> Result<(), Stop> {
        for (number, op) in self.ops.iter().enumerate() {
            if let Kind::Write(value) | Kind::Cas(_, value) = op.kind {
                let cluster = &mut self.clusters[value as usize];
                if cluster.writer != NONE || value == INITIAL {
                    return Err(Stop::NotUnique);
                }
                cluster.writer = number as u32;
            }
        }
        Ok(())
    }

    /// A value is needed if a completed operation dealt with it, or a needed compare-and-set expects it.
    fn find_needed(&mut self) -> Result<(), Stop> {
        self.clusters[INITIAL as usize].needed = true;
        let mut wanted: Vec<(ValueId, usize)> = Vec::new();
        for (number, op) in self.ops.iter().enumerate() {
            if op.end != NEVER {
                wanted.push((op.value(), number));
            }
            while let Some((value, by)) = wanted.pop() {
                let cluster = &mut self.clusters[value as usize];
                if cluster.needed {
                    continue;
                }
                cluster.needed = true;
                if cluster.writer == NONE {
                    return Err(Violation::NeverWritten { by }.into());
                }
                let writer = cluster.writer as usize;
                if let Kind::Cas(expected, _) = self.ops[writer].kind {
                    wanted.push((expected, writer));
                }
            }
        }
        Ok(())
    }

    fn join_chains(&mut self) -> Result<(), Stop> {
        for (number, op) in self.ops.iter().enumerate() {
            if let Kind::Cas(expected, value) = op.kind
                && self.clusters[value as usize].needed
            {
                let before = &mut self.clusters[expected as usize];
                if before.successor != NONE {
                    let first = before.successor as usize;
                    return Err(Violation::TwoSuccessors { first, second: number }.into());
                }
                before.successor = number as u32;
                self.clusters[value as usize].follows = true;
            }
        }
        Ok(())
    }

    fn place_reads(&mut self) {
        for (number, op) in self.ops.iter().enumerate() {
            if let Kind::Read(value) = op.kind {
                let cluster = &mut self.clusters[value as usize];
                let first = cluster.first_read_to_end;
                if first == NONE || op.end < self.ops[first as usize].end {
                    cluster.first_read_to_end = number as u32;
                }
                let last = cluster.last_read_to_start;
                if last == NONE || op.start > self.ops[last as usize].start {
                    cluster.last_read_to_start = number as u32;
                }
            }
        }
    }

    /// Checks the order within the block that this value heads. The initial one's may be empty.
    fn walk(&self, head: ValueId) -> Result<Option<Block>, Stop> {
        let mut block = Block {
            first_end: if head == INITIAL { 0 } else { NEVER },
            first_end_op: NONE,
            last_start: 0,
            last_start_op: NONE,
        };
        let mut value = head;
        loop {
            let cluster = self.clusters[value as usize];
            self.visit(&mut block, cluster.writer, cluster.writer)?;
            self.visit(&mut block, cluster.first_read_to_end, cluster.last_read_to_start)?;
            if cluster.successor == NONE {
                break;
            }
            value = self.ops[cluster.successor as usize].value();
        }
        Ok((block.last_start_op != NONE).then_some(block))
    }

    /// Adds the writer of a value, or its reads, to a block: none of them may have ended before
    /// something that comes earlier began.
    fn visit(&self, block: &mut Block, first_to_end: u32, last_to_start: u32) -> Result<(), Stop> {
        if first_to_end == NONE {
            return Ok(());
        }
        let end = self.ops[first_to_end as usize].end;
        let start = self.ops[last_to_start as usize].start;
        if end < block.last_start {
            let (early, late) = (first_to_end as usize, block.last_start_op as usize);
            let links = self.links(self.ops[late].value(), self.ops[early].value());
            return Err(Violation::OutOfOrder { early, late, links }.into());
        }
        if end < block.first_end {
            (block.first_end, block.first_end_op) = (end, first_to_end);
        }
        if start > block.last_start {
            (block.last_start, block.last_start_op) = (start, last_to_start);
        }
        Ok(())
    }

    /// The compare-and-sets that lead from one value of a chain to a later one.
    fn links(&self, from: ValueId, to: ValueId) -> Vec<usize> {
        let mut links = Vec::new();
        let mut value = to;
        while value != from {
            let writer = self.clusters[value as usize].writer;
            let Some(RegisterOp { kind: Kind::Cas(expected, _), .. }) = self.ops.get(writer as usize) else {
                return Vec::new();
            };
            links.push(writer as usize);
            value = *expected;
        }
        links.reverse();
        links
    }

    fn cycle(&self) -> Option<Vec<usize>> {
        let mut walked = vec![false; self.clusters.len()];
        for head in 0..self.clusters.len() {
            if self.clusters[head].follows {
                continue;
            }
            let mut value = head;
            loop {
                walked[value] = true;
                match self.clusters[value].successor {
                    NONE => break,
                    successor => value = self.ops[successor as usize].value() as usize,
                }
            }
        }
        let start = (0..self.clusters.len()).find(|&value| self.clusters[value].needed && !walked[value])?;
        let mut ops = Vec::new();
        let mut value = start;
        loop {
            let successor = self.clusters[value].successor as usize;
            ops.push(successor);
            value = self.ops[successor].value() as usize;
            if value == start {
                return Some(ops);
            }
        }
    }

    fn explain_crossing(&self, x: Block, y: Block) -> Violation {
        // The older one is what was seen again when it had long been replaced: the initial value, or
        // else the block to which something came back last.
        let x_is_older = x.first_end == 0 || (y.first_end != 0 && x.last_start > y.last_start);
        let (older, newer) = if x_is_older { (x, y) } else { (y, x) };
        Violation::Crossing { older: self.zone(older), newer: self.zone(newer) }
    }

    fn zone(&self, block: Block) -> Zone {
        let last_start = block.last_start_op as usize;
        let first_end = (block.first_end_op != NONE).then_some(block.first_end_op as usize);
        let (a, b) = (first_end.map_or(INITIAL, |op| self.ops[op].value()), self.ops[last_start].value());
        let mut links = self.links(a, b);
        if links.is_empty() {
            links = self.links(b, a);
        }
        Zone { first_end, last_start, links }
    }
}

/// Of all pairs of blocks that must each come before the other, the one that is complete first.
///
/// A block with f < s is *forward*: from f to s it holds the register. Two forward ones conflict when
/// these stretches meet; a backward one (s ≤ f) could have had the register at any one moment of its
/// stretch, and conflicts with a forward one that covers all of it.
fn crossing(blocks: &[Block], positions: u32) -> Option<(Block, Block)> {
    let mut found: Option<(Block, Block)> = None;
    let mut consider = |x: Block, y: Block| {
        let complete = |pair: (Block, Block)| pair.0.last_start.max(pair.1.last_start);
        if found.is_none_or(|best| complete((x, y)) < complete(best)) {
            found = Some((x, y));
        }
    };
    let forward = |block: &Block| block.first_end < block.last_start;
    let mut begins = vec![NONE; positions as usize + 1];
    for (number, block) in blocks.iter().enumerate().filter(|(_, block)| forward(block)) {
        begins[block.first_end as usize] = number as u32;
    }
    // Turn `begins` into: which forward block covers each position.
    let mut current: Option<u32> = None;
    for (position, slot) in begins.iter_mut().enumerate() {
        if current.is_some_and(|number| blocks[number as usize].last_start as usize <= position) {
            current = None;
        }
        let covers = current;
        if *slot != NONE {
            let new = *slot;
            match current {
                None => current = Some(new),
                Some(old) => {
                    consider(blocks[old as usize], blocks[new as usize]);
                    if blocks[new as usize].last_start > blocks[old as usize].last_start {
                        current = Some(new);
                    }
                }
            }
        }
        *slot = covers.unwrap_or(NONE);
    }
    for block in blocks.iter().filter(|block| !forward(block)) {
        let cover = begins[block.last_start as usize];
        if cover != NONE && blocks[cover as usize].last_start > block.first_end {
            consider(blocks[cover as usize], *block);
        }
    }
    found
}

/// Whether somebody saw a value that nobody can have written. True of any register, also of one whose
/// values repeat.
pub(crate) fn never_written(ops: &[RegisterOp], values: usize) -> Option<Violation> {
    let mut written = vec![false; values.max(1)];
    written[INITIAL as usize] = true;
    for op in ops {
        if let Kind::Write(value) | Kind::Cas(_, value) = op.kind {
            written[value as usize] = true;
        }
    }
    let by = ops.iter().position(|op| match op.kind {
        Kind::Read(value) | Kind::Cas(value, _) => op.end != NEVER && !written[value as usize],
        Kind::Write(_) | Kind::NotEqual(_) => false,
    })?;
    Some(Violation::NeverWritten { by })
}
