//! Orders that explain valid histories, each verified before it is given.

use std::ops::ControlFlow;

use super::append::{self, Decoded};
use super::frontier;
use super::partition::{self, Part};
use super::portfolio::{FRONTIER, SEARCH, ZONES, decode};
use super::register_decode::Decoder;
use super::register_op::RegisterOp;
use super::search::{self, Limits, SearchOp, Told};
use super::verify::verify;
use super::zones;
use crate::budget::{Budget, Meter};
use crate::check::KeyOrder;
use crate::history::History;
use crate::linearizability::numbered::Numbered;
use crate::linearizability::register_op::Kind;
use crate::model::{AppendList, CasRegister, Model};

/// What found an order, and the numbers of the calls in it.
pub(super) type Found = (&'static str, Vec<usize>);

/// The orders of all keys.
pub(super) fn of_keys(
    history: &History,
    budget: &Budget,
    find: impl Fn(&Part<'_>, &Meter) -> Result<Found, String> + Sync,
) -> Result<Vec<KeyOrder>, String> {
    let parts = partition::by_key(history.calls().map_err(|broken| broken.to_string())?);
    let meter = Meter::new(budget);
    let orders = partition::judge_all(&parts, |part| match find(part, &meter) {
        Ok((engine, calls)) => {
            let order = calls.into_iter().map(|number| part.call(number).invoke_index()).collect();
            ControlFlow::Continue(Ok(KeyOrder { key: part.key(), engine: engine.to_owned(), order }))
        }
        Err(reason) => ControlFlow::Break(Err(match part.key() {
            Some(key) => format!("key {key}: {reason}"),
            None => reason,
        })),
    });
    orders.into_iter().collect()
}

/// An order of a register.
pub(super) fn register(part: &Part<'_>, model: &CasRegister, meter: &Meter) -> Result<Found, String> {
    let mut register = Decoder::new(part, model);
    let ops = register.ops()?;
    let (engine, order) = match zones::order(&ops, register.values(), part.positions) {
        Some(order) => (ZONES, order),
        None => {
            let found = frontier::order(&ops, register.values(), meter).map_err(|why| why.to_string())?;
            (FRONTIER, found.ok_or("there is no order: the history is invalid")?)
        }
    };
    verify_register(&ops, &order)?;
    let calls = register.calls(&ops);
    Ok((engine, order.into_iter().map(|op| calls[op] as usize).collect()))
}

/// An order of a list.
pub(super) fn append(part: &Part<'_>, meter: &Meter) -> Result<Found, String> {
    if let Decoded::Register(list) = append::decode(part)?
        && let Some(order) = zones::order(&list.ops, list.values, part.positions)
    {
        let calls: Vec<usize> = order.into_iter().map(|op| list.calls[op]).collect();
        let (ops, numbers) = decode(part, &AppendList)?;
        let mut place_of = vec![usize::MAX; part.calls.len()];
        numbers.iter().enumerate().for_each(|(place, number)| place_of[*number] = place);
        let places: Vec<usize> = calls.iter().map(|number| place_of[*number]).collect();
        verify(&AppendList, &ops, &places).map_err(wrong)?;
        return Ok((ZONES, calls));
    }
    by_search(part, &AppendList, meter)
}

/// An order by search alone.
pub(super) fn by_search<M: Model>(part: &Part<'_>, model: &M, meter: &Meter) -> Result<Found, String> {
    let (ops, calls) = decode(part, model)?;
    let limits = Limits { meter, steps_max: u64::MAX, told: Told::Order };
    match search::search(model, &ops, limits).answer {
        search::Answer::Valid { order } => {
            verify(model, &ops, &order).map_err(wrong)?;
            Ok((SEARCH, order.into_iter().map(|place| calls[place]).collect()))
        }
        search::Answer::Invalid { .. } => Err("there is no order: the history is invalid".to_owned()),
        search::Answer::Exhausted { why, .. } => Err(why.to_string()),
    }
}

fn verify_register(ops: &[RegisterOp], order: &[usize]) -> Result<(), String> {
    let ops: Vec<SearchOp<Kind>> =
        ops.iter().map(|op| SearchOp { op: op.kind, start: op.start, end: op.end }).collect();
    verify(&Numbered, &ops, order).map_err(wrong)
}

fn wrong(reason: String) -> String {
    format!("the order that was found is none, which is a fault of the checker: {reason}")
}
