//! From an impossible history to its impossible core.
//!
//! What makes an explanation small is fewer *constraints*, not fewer operations: leaving out a write
//! would only make its reads "never written", which is another story. So everything done here leaves
//! any possible order possible, and whatever stays impossible was so for the reasons that are left:
//!
//! * everything that began after the failing operation ended goes; what was open then stays open;
//! * everything goes that was over when an operation began that shows the whole state, the latest that
//!   does; what was open then may have happened before it, or after, or not at all;
//! * completed reads go, as many as possible;
//! * in models where that is sound, all operations of a value go together;
//! * times go: an operation becomes one that may have happened at any time, or not at all.
//!
//! One thing more is for the reader alone: an update that ended before another of the same effect began
//! goes if what is left is impossible without it too, and so does what may have happened and would help
//! nobody, where much is left. The argument says how many went so.
//!
//! Work is counted in steps of the search, so that the same history gives the same core.

use std::collections::HashMap;

use super::since::Since;
use crate::budget::Meter;
use crate::history::op::Value;
use crate::linearizability::partition::NEVER;
use crate::linearizability::search::{self, Answer, Limits, SearchOp, Told, useful_unknown};
use crate::model::Model;

/// Steps of search that all attempts together may take.
const STEPS_MAX: u64 = 200_000;

/// The longest core whose times are loosened one by one, and whose orders are traced.
const TRACED_OPS_MAX: usize = 400;

/// Steps of search that an attempt at starting later may take.
const START_STEPS_MAX: u64 = STEPS_MAX / 16;

/// The largest core that is left as it is: in larger ones what helps nobody is not shown.
const SMALL_OPS_MAX: usize = 8;

/// What is left.
pub(crate) struct Core<O, S> {
    /// Operations by their place in the caller's slice.
    pub(crate) ops: Vec<CoreOp<O>>,
    /// The failing one, by its place in the caller's slice.
    pub(crate) stuck: usize,
    /// The longest order that can be made of the core, by places in the caller's slice.
    pub(crate) order: Vec<usize>,
    /// Every state that the core allows when the failing operation was due.
    pub(crate) states: Vec<S>,
    /// The operation that shows the state from which the core starts; none if it starts where the object did.
    pub(crate) shown_by: Option<usize>,
    /// Updates left out because a later one did the same.
    pub(crate) repeated: usize,
    /// Operations left out that may have happened, and would have helped nobody.
    pub(crate) idle: usize,
}

pub(crate) struct CoreOp<O> {
    /// Place in the caller's slice.
    pub(crate) number: usize,
    pub(crate) op: SearchOp<O>,
    /// Whether its times play no part.
    pub(crate) untimed: bool,
}

/// Reduces operations that have no order, `stuck` being the first that none gets past.
pub(crate) fn minimise<M: Model>(
    model: &M,
    ops: &[SearchOp<M::Op>],
    stuck: usize,
    meter: &Meter,
) -> Core<M::Op, M::State> {
    let mut reduction = Reduction {
        model: Since { model, shown_by: None },
        shown_by: None,
        meter,
        steps_left: STEPS_MAX,
        ops: cut(model, ops, stuck),
        stuck,
    };
    reduction.start_later();
    let stuck_op = |core: &CoreOp<M::Op>| core.number == stuck;
    let reads: Vec<Vec<usize>> = reduction
        .ops
        .iter()
        .filter(|core| model.is_pure(&core.op.op) && !stuck_op(core))
        .map(|core| vec![core.number])
        .collect();
    reduction.drop_groups(reads);
    if model.values_separable() {
        let groups = reduction.value_groups();
        reduction.drop_groups(groups);
    }
    let before = reduction.ops.len();
    if model.values_separable() {
        let repeated = reduction.repeated();
        reduction.drop_groups(repeated);
    }
    let repeated = before - reduction.ops.len();
    if reduction.ops.len() <= TRACED_OPS_MAX {
        reduction.loosen();
    }
    reduction.drop_useless();
    let before = reduction.ops.len();
    if before > SMALL_OPS_MAX {
        reduction.drop_idle();
    }
    let idle = before - reduction.ops.len();
    reduction.finish(repeated, idle)
}

/// Only what began before the failing operation ended, and nothing of what happened after that.
fn cut<M: Model>(model: &M, ops: &[SearchOp<M::Op>], stuck: usize) -> Vec<CoreOp<M::Op>> {
    let limit = ops[stuck].end;
    let mut kept = Vec::new();
    for (number, op) in ops.iter().enumerate().filter(|(_, op)| op.start < limit) {
        let mut op = op.clone();
        if op.end > limit {
            if model.is_pure(&op.op) {
                continue;
            }
            op.end = NEVER;
        }
        kept.push(CoreOp { number, op, untimed: false });
    }
    kept
}

struct Reduction<'a, M: Model> {
    model: Since<'a, M>,
    shown_by: Option<usize>,
    meter: &'a Meter,
    steps_left: u64,
    ops: Vec<CoreOp<M::Op>>,
    stuck: usize,
}

impl<M: Model> Reduction<'_, M> {
    fn is_impossible(&mut self, ops: &[SearchOp<M::Op>]) -> bool {
        self.first_stuck(ops, self.steps_left).is_some()
    }

    /// The place of the first operation that no order gets past.
    fn first_stuck(&mut self, ops: &[SearchOp<M::Op>], steps_max: u64) -> Option<usize> {
        let limits = Limits { meter: self.meter, steps_max, told: Told::Verdict };
        let outcome = search::search(&self.model, ops, limits);
        // Every attempt costs something, if only to set it up.
        self.steps_left = self.steps_left.saturating_sub(outcome.steps + ops.len() as u64);
        match outcome.answer {
            Answer::Invalid { stuck, .. } => Some(stuck),
            Answer::Valid { .. } | Answer::Exhausted { .. } => None,
        }
    }

    /// Starts from what the latest operation shows from which there is no order: the latest of all, or else
    /// ever further back.
    fn start_later(&mut self) {
        let stuck_start =
            self.ops.iter().find(|core| core.number == self.stuck).map_or(0, |core| core.op.start);
        let shows = |core: &&CoreOp<M::Op>| {
            core.op.end < stuck_start
                && self.model.is_pure(&core.op.op)
                && self.model.model.shows(&core.op.op).is_some()
        };
        let mut showing: Vec<(u32, usize)> =
            self.ops.iter().filter(shows).map(|core| (core.op.start, core.number)).collect();
        showing.sort_unstable();
        let mut back = 1;
        while back <= showing.len() && self.steps_left > 0 {
            let (_, number) = showing[showing.len() - back];
            if let Some(ops) = self.since_shown(number) {
                (self.ops, self.shown_by) = (ops, Some(number));
                return;
            }
            back *= 2;
        }
        self.model.shown_by = None;
    }

    /// What matters after an operation that shows the whole state, if there is no order of that.
    fn since_shown(&mut self, number: usize) -> Option<Vec<CoreOp<M::Op>>> {
        let shown_by = &self.ops.iter().find(|core| core.number == number)?.op;
        let (start, end) = (shown_by.start, shown_by.end);
        let mut rest = Vec::new();
        for core in self.ops.iter().filter(|core| core.op.end > start) {
            let (mut op, is_later) = (core.op.clone(), core.op.start > end);
            match is_later {
                true => {}
                false if self.model.is_pure(&op.op) => continue,
                false => (op.start, op.end) = (0, NEVER),
            }
            rest.push(CoreOp { number: core.number, op, untimed: !is_later });
        }
        self.model.shown_by = Some(shown_by.op.clone());
        let alone: Vec<_> = rest.iter().map(|core| core.op.clone()).collect();
        self.first_stuck(&alone, START_STEPS_MAX.min(self.steps_left)).map(|_| rest)
    }

    /// Leaves out as many groups as it can, first in large batches, then one by one.
    fn drop_groups(&mut self, mut groups: Vec<Vec<usize>>) {
        let mut batch = groups.len();
        while batch > 0 && self.steps_left > 0 {
            let mut kept = Vec::new();
            for groups in groups.chunks(batch) {
                let mut dropped: Vec<usize> = groups.concat();
                dropped.sort_unstable();
                let stays = |core: &&CoreOp<M::Op>| dropped.binary_search(&core.number).is_err();
                let rest: Vec<_> = self.ops.iter().filter(stays).map(|core| core.op.clone()).collect();
                if self.is_impossible(&rest) {
                    self.ops.retain(|core| stays(&core));
                } else {
                    kept.extend_from_slice(groups);
                }
            }
            groups = kept;
            batch = if batch == 1 { 0 } else { batch.min(groups.len().max(1)).div_ceil(2) };
        }
    }

    /// Operations joined by the values that they make and need, but for the failing one's.
    fn value_groups(&self) -> Vec<Vec<usize>> {
        let mut group_of_value: HashMap<Value, usize> = HashMap::new();
        // `joined[g]` is a group that g is the same as, itself at the end.
        let mut joined: Vec<usize> = Vec::new();
        let find = |joined: &[usize], mut group: usize| {
            while joined[group] != group {
                group = joined[group];
            }
            group
        };
        let mut group_of_op = Vec::new();
        for core in &self.ops {
            let mut mine = None;
            let made = self.model.makes(&core.op.op);
            for value in self.model.needs(&core.op.op).into_iter().chain(made) {
                let group = *group_of_value.entry(value).or_insert_with(|| {
                    joined.push(joined.len());
                    joined.len() - 1
                });
                let group = find(&joined, group);
                match mine.map(|mine| find(&joined, mine)) {
                    Some(other) if other != group => joined[group] = other,
                    Some(_) => {}
                    None => mine = Some(group),
                }
            }
            group_of_op.push((core.number, mine));
        }
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); joined.len()];
        let mut of_stuck = None;
        for (number, group) in group_of_op {
            if let Some(group) = group.map(|group| find(&joined, group)) {
                members[group].push(number);
                of_stuck = of_stuck.or((number == self.stuck).then_some(group));
            }
        }
        if let Some(group) = of_stuck {
            members[group].clear();
        }
        members.retain(|group| !group.is_empty());
        members
    }

    /// Completed updates after whose end another one began that makes the same value.
    fn repeated(&self) -> Vec<Vec<usize>> {
        let mut last_start: HashMap<Value, u32> = HashMap::new();
        let made = |core: &CoreOp<M::Op>| self.model.makes(&core.op.op);
        for core in self.ops.iter().filter(|core| core.op.end != NEVER) {
            if let Some(value) = made(core) {
                let start = last_start.entry(value).or_insert(0);
                *start = core.op.start.max(*start);
            }
        }
        let repeated = self.ops.iter().filter(|core| {
            let last = made(core).and_then(|value| last_start.get(&value).copied());
            core.number != self.stuck && last.is_some_and(|last| core.op.end < last)
        });
        repeated.map(|core| vec![core.number]).collect()
    }

    /// Takes the times of as many operations as it can.
    fn loosen(&mut self) {
        for index in 0..self.ops.len() {
            if self.ops[index].number == self.stuck || self.steps_left == 0 {
                continue;
            }
            let op = &mut self.ops[index].op;
            let times = (op.start, op.end);
            (op.start, op.end) = (0, NEVER);
            let loosened: Vec<_> = self.ops.iter().map(|core| core.op.clone()).collect();
            if self.is_impossible(&loosened) {
                self.ops[index].untimed = true;
            } else {
                (self.ops[index].op.start, self.ops[index].op.end) = times;
            }
        }
    }

    /// What may not have happened, and would help nobody if it had, is no part of the argument.
    fn drop_useless(&mut self) {
        let all: Vec<_> = self.ops.iter().map(|core| core.op.clone()).collect();
        let useful = useful_unknown(&self.model, &all);
        let mut place = 0;
        self.ops.retain(|core| {
            place += 1;
            core.op.end != NEVER || useful.binary_search(&(place - 1)).is_ok()
        });
    }

    /// Leaves out what may have happened, as long as the same operation stays the first that is stuck.
    fn drop_idle(&mut self) {
        let all: Vec<_> = self.ops.iter().map(|core| core.op.clone()).collect();
        let Some(stuck) = self.first_stuck(&all, self.steps_left).map(|stuck| self.ops[stuck].number) else {
            return;
        };
        let mut batch = self.ops.len();
        while batch > 0 && self.steps_left > 0 {
            let mut end = self.ops.len();
            while end > 0 {
                let from = end.saturating_sub(batch);
                let stays =
                    |place: &usize| *place < from || *place >= end || self.ops[*place].op.end != NEVER;
                let kept: Vec<usize> = (0..self.ops.len()).filter(stays).collect();
                let rest: Vec<_> = kept.iter().map(|place| self.ops[*place].op.clone()).collect();
                if kept.len() < self.ops.len()
                    && let Some(place) = self.first_stuck(&rest, self.steps_left)
                    && self.ops[kept[place]].number == stuck
                {
                    let mut place = 0;
                    self.ops.retain(|_| {
                        place += 1;
                        kept.binary_search(&(place - 1)).is_ok()
                    });
                }
                end = from;
            }
            batch = if batch == 1 { 0 } else { batch.div_ceil(2) };
        }
    }

    fn finish(self, repeated: usize, idle: usize) -> Core<M::Op, M::State> {
        let told = if self.ops.len() <= TRACED_OPS_MAX { Told::Story } else { Told::Verdict };
        let ops: Vec<_> = self.ops.iter().map(|core| core.op.clone()).collect();
        let limits = Limits { meter: self.meter, steps_max: STEPS_MAX, told };
        let (mut order, mut states, mut stuck) = (Vec::new(), Vec::new(), self.stuck);
        if let Answer::Invalid { stuck: place, order: places, states: found } =
            search::search(&self.model, &ops, limits).answer
        {
            order = places.into_iter().map(|place| self.ops[place].number).collect();
            states = found;
            stuck = self.ops[place].number;
        }
        Core { ops: self.ops, stuck, order, states, shown_by: self.shown_by, repeated, idle }
    }
}
