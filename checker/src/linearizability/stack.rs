//! Stacks whose values are pushed once: exact, n log n.
//!
//! A stack's order is a nesting: between the push and the pop of a value, others are pushed and popped
//! in full. By the stays of [`lives`](super::lives) (the time for which a value is certainly inside):
//!
//! * A value without a stay is pushed and popped at once, in nobody's way: it is left out.
//! * In a gap that no stay covers the stack can be empty, so the stays on the one side and on the other
//!   are judged apart.
//! * Where stays cover everything from a to b without a gap, the stack is never empty from a to b, so
//!   one value lies at the bottom all the time: its push began before a and its pop ends after b. Any such
//!   value will do, since without it the others are as possible as before, and it can go round all of
//!   them; so it is left out, and the rest is judged. If there is none, there is no order.
//!
//! Each value goes once. Three trees over the order of moments find the gaps that open when it goes and
//! the next value at the bottom.
//!
//! A pop that did not live to tell may have taken any value that stayed: see
//! [`priority_queue`](super::priority_queue), which does the same about it.

use super::condition::holds;
use super::lives::{self, Gaps, LifeOp, Lives};
use super::monitor_condition::Condition;
use super::partition::NEVER;
use super::priority_queue::place_empties;
use super::tree::{Coverage, Least};
use crate::model::{Quick, Violation};

/// Attempts at making the evidence of a violation smaller.
const ATTEMPTS_MAX: usize = 400;

/// Judges a stack.
pub(crate) fn judge(ops: &[LifeOp], values: usize) -> Quick {
    judge_lives(&lives::dense(ops), values)
}

/// The same with values as numbers below `values`.
pub(crate) fn judge_lives(ops: &[LifeOp], values: usize) -> Quick {
    let lives = match lives::lives(ops, values) {
        Ok(lives) if lives.peeks.is_empty() => lives,
        Ok(_) => return Quick::NotApplicable,
        Err(answer) => return answer,
    };
    let staying = |untaken: bool| -> Vec<u32> {
        let counts = |value: &u32| {
            let life = &lives.lives[*value as usize];
            life.stays() && (untaken || life.is_taken())
        };
        (0..values as u32).filter(counts).collect()
    };
    let told = lives.takers.is_empty() || !holds(Condition::TakerMayTake);
    match (place_all(ops, &lives, &staying(true)), told) {
        (Ok(()), _) => Quick::Valid,
        (Err(violation), true) => Quick::Violation(violation),
        (Err(_), false) => match place_all(ops, &lives, &staying(false)) {
            Ok(()) => Quick::NotApplicable,
            Err(violation) => Quick::Violation(violation),
        },
    }
}

fn place_all(ops: &[LifeOp], lives: &Lives, values: &[u32]) -> Result<(), Violation> {
    if !lives.empties.is_empty() {
        let mut gaps = Gaps::new(lives.positions);
        for value in values {
            let life = &lives.lives[*value as usize];
            gaps.cover(life.in_by, life.out_from);
        }
        place_empties(ops, lives, || values.to_vec(), &mut gaps)?;
    }
    let stays: Vec<Stay> = values.iter().map(|value| Stay::of(ops, lives, *value)).collect();
    nest(&stays).map_err(|stuck| violation(ops, lives, stuck))
}

/// A value's stay and how far around it its push and pop reach.
#[derive(Clone, Copy, Debug)]
struct Stay {
    value: u32,
    push_start: u32,
    from: u32,
    /// One past all others for a value that nobody popped.
    to: u32,
    pop_end: u32,
}

impl Stay {
    fn of(ops: &[LifeOp], lives: &Lives, value: u32) -> Self {
        let life = &lives.lives[value as usize];
        Stay {
            value,
            push_start: ops[life.put as usize].start,
            from: life.in_by,
            to: life.out_from.min(lives.positions + 1),
            pop_end: ops.get(life.take as usize).map_or(NEVER, |take| take.end),
        }
    }
}

/// Whether the stays nest; if not, some of them that don't.
fn nest(stays: &[Stay]) -> Result<(), Vec<Stay>> {
    let mut stays = stays.to_vec();
    stays.sort_unstable_by_key(|stay| stay.from);
    // Moments in order: all begins and ends of stays. Between two of them nothing changes.
    let mut moments: Vec<u32> = stays.iter().flat_map(|stay| [stay.from, stay.to]).collect();
    moments.sort_unstable();
    moments.dedup();
    let place = |moment: u32| moments.partition_point(|other| *other < moment);
    let spans: Vec<(usize, usize)> = stays.iter().map(|stay| (place(stay.from), place(stay.to))).collect();
    let mut coverage = Coverage::new(moments.len(), &spans);
    // By place among the stays: those that can't be at the bottom yet by the start of their push, and
    // those that can by the end of their pop, the latest first.
    let mut waiting = Least::new(stays.iter().map(|stay| stay.push_start).collect());
    let mut bottoms = Least::new(vec![NEVER; stays.len()]);
    // Ranges of moments, covered without a gap or not.
    let mut ranges = vec![(0, moments.len())];
    while let Some((from, to)) = ranges.pop() {
        let Some((from, to)) = coverage.first_run(from, to, &mut ranges) else { continue };
        let (begin, end) = (moments[from], moments[to]);
        let first = stays.partition_point(|stay| stay.from < begin);
        let last = stays.partition_point(|stay| stay.from < end);
        while let Some((place, push_start)) = waiting.least(first, last)
            && (push_start <= begin || !holds(Condition::StackBottomIsFirst))
        {
            waiting.set(place, NEVER);
            // The tree finds the least: the latest end is the least of what is left to the end of time.
            bottoms.set(place, NEVER - 1 - stays[place].pop_end.min(NEVER - 1));
        }
        match bottoms.least(first, last) {
            Some((place, left)) if NEVER - 1 - left >= end || !holds(Condition::StackBottomIsLast) => {
                bottoms.set(place, NEVER);
                coverage.remove(spans[place].0, spans[place].1);
                ranges.push((from, to));
            }
            _ => {
                let alive = |place: &usize| waiting.get(*place) != NEVER || bottoms.get(*place) != NEVER;
                return Err((first..last).filter(alive).map(|place| stays[place]).collect());
            }
        }
    }
    Ok(())
}

/// Leaves out as many values as it can, so that those left still don't nest.
///
/// That may be more than the eight that are read at one go, and not for want of trying: of five values, each of which is
/// inside while the next one comes or goes, in a ring, there is no order, but there is one as soon as any single one of
/// the ten operations may be at any time (`tests/it/explained.rs` tries them all). So no argument, whatever its terms,
/// can do without saying when each of the ten was.
fn violation(ops: &[LifeOp], lives: &Lives, mut stuck: Vec<Stay>) -> Violation {
    let mut batch = stuck.len().div_ceil(2);
    let mut attempts = 0;
    while batch > 0 && attempts < ATTEMPTS_MAX {
        let mut place = 0;
        while place < stuck.len() && attempts < ATTEMPTS_MAX {
            let mut rest = stuck.clone();
            rest.drain(place..(place + batch).min(stuck.len()));
            attempts += 1;
            match nest(&rest) {
                Err(left) => {
                    stuck = left;
                    place = 0;
                }
                Ok(()) => place += batch,
            }
        }
        batch = if batch == 1 { 0 } else { batch.div_ceil(2) };
    }
    stuck.sort_unstable_by_key(|stay| stay.push_start);
    let mut evidence = Vec::new();
    let (mut failing, mut latest) = (0, 0);
    for stay in &stuck {
        let life = &lives.lives[stay.value as usize];
        evidence.push((life.put as usize, "pushed it"));
        if life.is_taken() {
            evidence.push((life.take as usize, "popped it"));
            let end = ops[life.take as usize].end;
            if end > latest {
                (failing, latest) = (life.take as usize, end);
            }
        }
    }
    let rule = "something is inside all the time, and none of it can have been below all the others";
    Violation { rule, ops: evidence, failing }
}
