//! An order, for a history that has one.
//!
//! The run that found it valid keeps no way back: that would take memory for every configuration of
//! every event. It is walked once more from mark to mark, last stretch first, to see which configuration
//! came of which; the way of one of the last ones is then walked forward with each placement noted.

use super::burst::Place;
use super::config::Config;
use super::drive::{Drive, Effort};
use super::plan::Plan;
use super::run::Stop;
use crate::budget::{Exhausted, Meter};
use crate::linearizability::register_op::RegisterOp;

/// The places of all completed operations, and of those of unknown outcome that it takes, in an order
/// in which they may have happened. `None` if there is none.
pub(crate) fn order(
    ops: &[RegisterOp],
    values: usize,
    meter: &Meter,
) -> Result<Option<Vec<usize>>, Exhausted> {
    order_with(ops, values, Effort::USUAL, meter)
}

pub(super) fn order_with(
    ops: &[RegisterOp],
    values: usize,
    effort: Effort,
    meter: &Meter,
) -> Result<Option<Vec<usize>>, Exhausted> {
    let plan = Plan::new(ops, values);
    match plan.slots {
        0..=64 => of_plan::<1>(&plan, effort, meter),
        65..=128 => of_plan::<2>(&plan, effort, meter),
        129..=256 => of_plan::<4>(&plan, effort, meter),
        257..=1024 => of_plan::<16>(&plan, effort, meter),
        _ => of_plan::<64>(&plan, effort, meter),
    }
}

fn of_plan<const W: usize>(
    plan: &Plan<'_>,
    effort: Effort,
    meter: &Meter,
) -> Result<Option<Vec<usize>>, Exhausted> {
    let mut drive: Drive<'_, W> = Drive::new(plan, effort, meter);
    match drive.go()? {
        Some(_) => Ok(None),
        None => {
            let way = way(&mut drive)?;
            placements(&mut drive, &way).map(Some)
        }
    }
}

/// A configuration after each end, each come of the one before; with the effort that found it.
fn way<const W: usize>(drive: &mut Drive<'_, W>) -> Result<Vec<(Config<W>, Effort)>, Exhausted> {
    let plan = drive.plan;
    let mut backwards = Vec::new();
    let mut at = 0;
    while let Some(last) = drive.marks.pop() {
        let Some(mark) = drive.marks.last() else { break };
        drive.run.front.clone_from(&mark.front);
        drive.run.bursts.open.seek(plan, mark.event);
        drive.run.parents = Some(Vec::new());
        let mut layers = Vec::new();
        for event in mark.event..last.event {
            let stop = drive.run.advance(event + 1, last.effort)?;
            assert_eq!(stop, Stop::There, "what was walked once can be walked again");
            if plan.events[event].is_end() {
                let parents = drive.run.parents.replace(Vec::new()).unwrap_or_default();
                layers.push((drive.run.front.clone(), parents));
            }
        }
        for (front, parents) in layers.into_iter().rev() {
            backwards.push((front[at], last.effort));
            at = parents[at] as usize;
        }
    }
    backwards.reverse();
    Ok(backwards)
}

fn placements<const W: usize>(
    drive: &mut Drive<'_, W>,
    way: &[(Config<W>, Effort)],
) -> Result<Vec<usize>, Exhausted> {
    let plan = drive.plan;
    let run = &mut drive.run;
    run.restart();
    run.parents = None;
    let (mut order, mut current) = (Vec::with_capacity(plan.ops.len()), Vec::new());
    let mut next = way.iter();
    for event in plan.events.iter() {
        let slot = plan.slot[event.op()] as usize;
        if !event.is_end() {
            let before = run.front[0].done;
            run.start(event.op());
            if run.front[0].done != before {
                current.push(event.op());
            }
            continue;
        }
        let Some((target, effort)) = next.next() else { break };
        if !run.front[0].done.has(slot) {
            for (place, op) in path_to(run, slot, target, *effort)? {
                match place {
                    Place::Current => current.push(op),
                    Place::Before => order.push(op),
                    Place::NewBlock => {
                        order.append(&mut current);
                        current.push(op);
                    }
                }
            }
        }
        run.front[0] = *target;
        run.bursts.open.step(plan);
    }
    order.append(&mut current);
    Ok(order)
}

/// What is placed on the way from the only configuration of the front to this one.
fn path_to<const W: usize>(
    run: &mut super::run::Run<'_, W>,
    slot: usize,
    target: &Config<W>,
    effort: Effort,
) -> Result<Vec<(Place, usize)>, Exhausted> {
    let mut unknown_max = 0;
    loop {
        run.bursts.traced = Some(Vec::new());
        run.expand(slot, unknown_max)?;
        let paths = run.bursts.traced.take().unwrap_or_default();
        if let Some(found) = run.bursts.found.iter().position(|config| config == target) {
            return Ok(paths.into_iter().nth(found).unwrap_or_default());
        }
        assert!(unknown_max < effort.unknown_max, "each configuration of the way comes of the one before");
        unknown_max = (2 * unknown_max).clamp(1, effort.unknown_max);
    }
}
