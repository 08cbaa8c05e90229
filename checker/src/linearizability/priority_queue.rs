//! Priority queues and bags whose values are put in once: exact and almost linear.
//!
//! A value can be taken, or looked at, only in a gap that no stay of a more urgent one covers (a stay is
//! the time for which a value is certainly inside, see [`lives`](super::lives)), and nothing can be found
//! empty but in a gap that no stay covers. That is all: going from the most urgent value to the least, let
//! there be an order of the more urgent ones; it can be made one that is empty in every uncovered gap, and
//! the next value, which is in nobody's way, goes in as early as its put allows, is looked at in any
//! uncovered gap of the peek, and taken in the last one of the take. In a bag no value is in the way of
//! another, and only what finds nothing needs a gap.
//!
//! A take that did not live to tell may have taken any value that stayed inside. If there is an order
//! without such takes, there is one. If there is none even without the values that nobody is known to have
//! taken, there is none at all. What is between is for the search.

use super::condition::holds;
use super::lives::{self, Gaps, LifeOp, Lives};
use super::monitor_condition::Condition;
use super::partition::NEVER;
use crate::history::op::Value;
use crate::model::{ContainerOp, Quick, Violation};

/// Judges a priority queue, whose greatest (or least) value comes out first.
pub(crate) fn judge(ops: &[LifeOp], values: &[Value], least_first: bool) -> Quick {
    let mut by_urgency: Vec<u32> = (0..values.len() as u32).collect();
    by_urgency.sort_unstable_by(|a, b| {
        let greatest_first = values[*b as usize].cmp(&values[*a as usize]);
        if least_first { greatest_first.reverse() } else { greatest_first }
    });
    judge_lives(&lives::dense(ops), &by_urgency, true)
}

/// Judges a bag.
pub(crate) fn judge_unordered(ops: &[LifeOp], values: usize) -> Quick {
    let any_order: Vec<u32> = (0..values as u32).collect();
    judge_lives(&lives::dense(ops), &any_order, false)
}

/// The same with values as numbers, the most urgent first.
pub(crate) fn judge_lives(ops: &[LifeOp], by_urgency: &[u32], ordered: bool) -> Quick {
    let lives = match lives::lives(ops, by_urgency.len()) {
        Ok(lives) => lives,
        Err(answer) => return answer,
    };
    let counted = |untaken: bool| -> Vec<u32> {
        let counts = |value: &u32| {
            let life = &lives.lives[*value as usize];
            life.put != lives::NOBODY && (untaken || life.is_taken())
        };
        by_urgency.iter().copied().filter(counts).collect()
    };
    let told = lives.takers.is_empty() || !holds(Condition::TakerMayTake);
    match (place_all(ops, &lives, &counted(true), ordered), told) {
        (Ok(()), _) => Quick::Valid,
        (Err(violation), true) => Quick::Violation(violation),
        (Err(_), false) => match place_all(ops, &lives, &counted(false), ordered) {
            Ok(()) => Quick::NotApplicable,
            Err(violation) => Quick::Violation(violation),
        },
    }
}

fn place_all(ops: &[LifeOp], lives: &Lives, by_urgency: &[u32], ordered: bool) -> Result<(), Violation> {
    let mut gaps = Gaps::new(lives.positions);
    let mut peeks: Vec<Vec<u32>> = Vec::new();
    if ordered && !lives.peeks.is_empty() {
        peeks.resize(lives.lives.len(), Vec::new());
        for &place in &lives.peeks {
            if let ContainerOp::Peek(value) = ops[place as usize].op {
                peeks[value as usize].push(place);
            }
        }
    }
    for (rank, &value) in by_urgency.iter().enumerate() {
        let life = &lives.lives[value as usize];
        let seen =
            peeks.get(value as usize).into_iter().flatten().chain(life.is_taken().then_some(&life.take));
        for &place in seen.filter(|_| ordered) {
            let op = &ops[place as usize];
            let put = ops[life.put as usize].start;
            let take = ops.get(life.take as usize).map_or(NEVER, |take| take.end);
            let from = if holds(Condition::UrgentFromPut) { op.start.max(put) } else { op.start };
            let to = if holds(Condition::UrgentToTake) { op.end.min(take) } else { op.end };
            if gaps.next_free(from) >= to && holds(Condition::UrgentHasGap) {
                let covering = lives.cover(by_urgency[..rank].iter().copied(), from, to);
                let mut evidence =
                    vec![(place as usize, "saw it as the next"), (life.put as usize, "put it in")];
                if to == take && life.take != place {
                    evidence.push((life.take as usize, "took it"));
                }
                lives.evidence(&covering, &mut evidence);
                let rule = "something more urgent was inside all the time";
                return Err(Violation { rule, ops: evidence, failing: place as usize });
            }
        }
        if life.stays() {
            gaps.cover(life.in_by, life.out_from);
        }
    }
    place_empties(ops, lives, || by_urgency.to_vec(), &mut gaps)
}

/// Finds a gap for every operation that found nothing.
pub(crate) fn place_empties(
    ops: &[LifeOp],
    lives: &Lives,
    values: impl Fn() -> Vec<u32>,
    gaps: &mut Gaps,
) -> Result<(), Violation> {
    for &place in &lives.empties {
        let op = &ops[place as usize];
        if gaps.next_free(op.start) >= op.end && holds(Condition::EmptyHasGap) {
            let covering = lives.cover(values().into_iter(), op.start, op.end);
            let mut evidence = vec![(place as usize, "found nothing")];
            lives.evidence(&covering, &mut evidence);
            let rule = "something was inside all the time";
            return Err(Violation { rule, ops: evidence, failing: place as usize });
        }
    }
    Ok(())
}
