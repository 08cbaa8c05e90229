//! Which operations a collision of blocks is made of.
//!
//! Relies on positions that are all different: an operation is found by when it started or ended, in
//! one pass over all of them. Runs for violations only.

use super::clusters::{Block, Clusters, READS, Stop, WRITER};
use super::{NONE, Named, Violation, Zone};
use crate::linearizability::register_op::{INITIAL, RegisterOp, ValueId};

/// Names what was found among these operations.
pub(super) fn name(ops: &[RegisterOp], clusters: &Clusters, stop: &Stop) -> Named {
    let namer = Namer { ops, clusters };
    match *stop {
        Stop::NeverWritten { value, through } => namer.never_written(value, through),
        Stop::TwoSuccessors { first, second } => namer.two_successors(first, second),
        Stop::Cycle { value } => namer.cycle(value),
        Stop::OutOfOrder { value, role, start } => namer.out_of_order(value, role, start),
        Stop::Crossing(x, y) => namer.crossing(x, y),
    }
}

/// What bounds a block on one side.
#[derive(Clone, Copy)]
struct Bound {
    /// Of its value in the chain.
    place: usize,
    position: u32,
    /// Whether another one at the same place would be shorter to tell.
    is_worse: bool,
}

struct Namer<'a> {
    ops: &'a [RegisterOp],
    clusters: &'a Clusters,
}

impl Namer<'_> {
    fn never_written(&self, value: ValueId, through: ValueId) -> Named {
        let cluster = self.clusters.get(value);
        let complete = self.clusters.get(through).first_end();
        // Somebody who had seen it by then, or else the needed compare-and-set that found it.
        let by = match cluster.end[READS] {
            end if end <= complete => end,
            _ => self.writer_start(self.clusters.next(value)),
        };
        Named { violation: Violation::NeverWritten { by: self.find(&[by])[0] }, complete }
    }

    fn two_successors(&self, first: ValueId, second: ValueId) -> Named {
        let found = self.find(&[self.writer_start(first), self.writer_start(second)]);
        let complete = self.clusters.needed_since(first).max(self.clusters.needed_since(second));
        let violation =
            Violation::TwoSuccessors { first: found[0].min(found[1]), second: found[0].max(found[1]) };
        Named { violation, complete }
    }

    fn cycle(&self, value: ValueId) -> Named {
        let mut starts = Vec::new();
        let mut at = value;
        loop {
            at = self.clusters.next(at);
            starts.push(self.writer_start(at));
            if at == value {
                break;
            }
        }
        let complete = self.clusters.needed_since(value);
        Named { violation: Violation::Cycle { ops: self.find(&starts) }, complete }
    }

    fn out_of_order(&self, value: ValueId, role: usize, start: u32) -> Named {
        let end = self.clusters.get(value).end[role];
        let found = self.find(&[end, start]);
        let (early, late) = (found[0], found[1]);
        // What needs a value that was not yet written when it ended is complete with that end.
        let complete = if self.is_writer(late) { end } else { self.ops[late].end };
        let links = self.links(self.ops[late].value(), value);
        Named { violation: Violation::OutOfOrder { early, late, links }, complete }
    }

    fn crossing(&self, x: Block, y: Block) -> Named {
        // The older one is what was seen again when it had long been replaced: the initial value, or
        // else the block to which something came back last.
        let x_is_older = x.end == 0 || (y.end != 0 && x.start > y.start);
        let (older, newer) = if x_is_older { (x, y) } else { (y, x) };
        let complete = |block: &Block, zone: &Zone| {
            let last = zone.last_start;
            let shown = if self.is_writer(last) {
                self.clusters.needed_since(self.ops[last].value())
            } else {
                self.ops[last].end
            };
            shown.max(block.end)
        };
        let (first, second) = (self.zone(&older), self.zone(&newer));
        let complete = complete(&older, &first).max(complete(&newer, &second));
        let older = self.narrowed(&older, newer.start, newer.end, true);
        let newer = self.narrowed(&newer, older.start, older.end, false);
        let (mut first, mut second) = (self.zone(&older), self.zone(&newer));
        self.share(&mut first, &mut second);
        Named { violation: Violation::Crossing { older: first, newer: second }, complete }
    }

    /// Of a block a value on which something had ended before the one position, and a value on which something
    /// began after the other, joined by as few compare-and-sets as there are. Writers are shown anyway, so
    /// they are preferred; what began is kept where it costs nothing, if it has to be.
    fn narrowed(&self, block: &Block, ended_before: u32, began_after: u32, keeps_start: bool) -> Block {
        // The initial value was there before all.
        let mut ended = (block.end == 0).then_some(Bound { place: 0, position: 0, is_worse: false });
        let mut began: Option<Bound> = None;
        let mut best: Option<((usize, bool, bool), Block)> = None;
        let (mut value, mut place) = (block.head, 0);
        while value != NONE {
            let cluster = self.clusters.get(value);
            let roles = || [WRITER, READS].into_iter();
            if let Some(role) = roles().find(|role| block.end != 0 && cluster.end[*role] < ended_before) {
                ended = Some(Bound { place, position: cluster.end[role], is_worse: role == READS });
            }
            let keeps = |role: &usize| keeps_start && cluster.start[*role] == block.start;
            let late = roles().find(keeps).or(roles().find(|role| cluster.start[*role] > began_after));
            if let Some(role) = late {
                let is_worse = if keeps_start { !keeps(&role) } else { role == READS };
                began = Some(Bound { place, position: cluster.start[role], is_worse });
            }
            if let (Some(ended), Some(began)) = (ended, began) {
                let cost = (ended.place.abs_diff(began.place), began.is_worse, ended.is_worse);
                if best.is_none_or(|(least, _)| cost < least) {
                    best = Some((cost, Block { end: ended.position, start: began.position, ..*block }));
                }
            }
            (value, place) = (self.clusters.next(value), place + 1);
        }
        best.map_or(*block, |(_, block)| block)
    }

    /// What shows that the newer one was there may have begun late enough to show as well that it came later.
    fn share(&self, older: &mut Zone, newer: &mut Zone) {
        let (Some(ended), Some(shown)) = (older.first_end, newer.first_end) else { return };
        let writer_start = self.writer_start(self.ops[older.last_start].value());
        let writer = (writer_start > 0).then(|| self.find(&[writer_start])[0]);
        let is_over = |op: &usize| self.ops[*op].end < self.ops[shown].start;
        match writer.filter(is_over) {
            Some(writer) => (older.first_end, older.links) = (Some(writer), Vec::new()),
            None if is_over(&ended) => {}
            None => return,
        }
        (newer.last_start, newer.links) = (shown, Vec::new());
    }

    fn zone(&self, block: &Block) -> Zone {
        if block.end == 0 {
            let last_start = self.find(&[block.start])[0];
            let links = self.links(INITIAL, self.ops[last_start].value());
            return Zone { first_end: None, last_start, links };
        }
        let found = self.find(&[block.end, block.start]);
        let (first_end, last_start) = (found[0], found[1]);
        let (a, b) = (self.ops[first_end].value(), self.ops[last_start].value());
        let mut links = self.links(a, b);
        if links.is_empty() {
            links = self.links(b, a);
        }
        Zone { first_end: Some(first_end), last_start, links }
    }

    /// The compare-and-sets that lead from one value of a chain to a later one; none if they don't.
    fn links(&self, from: ValueId, to: ValueId) -> Vec<usize> {
        let mut starts = Vec::new();
        let mut value = to;
        while value != from {
            let before = self.clusters.found(value);
            if before == NONE {
                return Vec::new();
            }
            starts.push(self.writer_start(value));
            value = before;
        }
        starts.reverse();
        self.find(&starts)
    }

    fn writer_start(&self, value: ValueId) -> u32 {
        self.clusters.get(value).start[WRITER]
    }

    fn is_writer(&self, op: usize) -> bool {
        self.writer_start(self.ops[op].value()) == self.ops[op].start
    }

    /// The operations that start or end at these positions.
    fn find(&self, positions: &[u32]) -> Vec<usize> {
        if positions.is_empty() {
            return Vec::new();
        }
        let mut wanted: Vec<(u32, usize)> =
            positions.iter().enumerate().map(|(place, position)| (*position, place)).collect();
        wanted.sort_unstable();
        // Most operations are told by one look at this that they are not wanted.
        let bit = |position: u32| 1u64 << (position % 64);
        let sieve = positions.iter().fold(0, |sieve, position| sieve | bit(*position));
        let mut found = vec![usize::MAX; positions.len()];
        for (number, op) in self.ops.iter().enumerate() {
            if sieve & (bit(op.start) | bit(op.end)) == 0 {
                continue;
            }
            for position in [op.start, op.end] {
                let first = wanted.partition_point(|(other, _)| *other < position);
                for (_, place) in wanted[first..].iter().take_while(|(other, _)| *other == position) {
                    found[*place] = number;
                }
            }
        }
        debug_assert!(!found.contains(&usize::MAX), "every position is of some operation");
        found
    }
}
