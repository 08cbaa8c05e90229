//! The judge of what clients were told.
//!
//! Two opinions that share nothing. [`judge_by_log`] knows the log that was chosen and executes it
//! on a naive model: every answer must be what the model says at the place in the log that the
//! answer names, what failed must not be in the log, and the places must agree with real time.
//! A place for each operation that explains its result and contradicts no order that a client
//! could see: that is linearizability, shown rather than searched for. [`judge_lists`] is a client
//! itself: it looks at the lists alone, whose elements are unique, so that every read tells
//! exactly which appends it follows.

use super::history::{Call, History, Told};
use super::model::Model;
use super::trace::Show;
use crate::kv::{Batch, Command, OpResult, Txn, TxnOp, TxnOutcome};
use crate::paxos::{Slot, Value};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Where something took effect: a slot, and the position in its batch; reads come after all of it.
pub(super) type Place = (Slot, usize);

const AFTER_ALL: usize = usize::MAX;

/// Holds a history against the log: `chosen` are the slots from 1 on, without gaps.
///
/// # Errors
/// Says which call was told something that the log contradicts.
pub fn judge_by_log(history: &History, chosen: &[&Value]) -> Result<Model, String> {
    let mut reads: BTreeMap<Slot, Vec<usize>> = BTreeMap::new();
    let mut anonymous: HashMap<&Bytes, usize> = HashMap::new();
    for (index, call) in history.calls().iter().enumerate() {
        match (&call.completed, call.request) {
            (Some((_, Told::Ok(slot, _) | Told::Stale(slot, _))), None) if call.txn.is_read_only() => {
                reads.entry(*slot).or_default().push(index);
            }
            (_, None) => {
                if let [TxnOp::Put { value, .. }] = call.txn.ops.as_slice() {
                    anonymous.insert(value, index);
                }
            }
            (_, Some(_)) => {}
        }
    }
    let mut model = Model::default();
    let mut places: Vec<Option<Place>> = vec![None; history.calls().len()];
    judge_reads(&model, Slot::ZERO, &reads, history, &mut places)?;
    for (slot, value) in (1..).map(Slot).zip(chosen) {
        for (position, command) in commands(slot, value)?.into_iter().enumerate() {
            if let Command::Execute { request: None, txn } = &command
                && txn.is_read_only()
            {
                place_logged_read(&model, (slot, position), txn, &reads, history, &mut places);
            }
            let executed = model.execute(slot, position, &command);
            if let Command::Execute { request: None, txn } = &command
                && let [TxnOp::Put { value, .. }] = txn.ops.as_slice()
                && let Some(call) = anonymous.get(value)
                && executed
            {
                judge_anonymous(slot, history.calls(), *call)?;
                places[*call].get_or_insert((slot, position));
            }
        }
        judge_reads(&model, slot, &reads, history, &mut places)?;
    }
    if let Some((slot, _)) = reads.range(Slot(chosen.len() as u64 + 1)..).next() {
        return Err(format!("a read was served at {slot:?}, which was never chosen"));
    }
    judge_requests(history, &model, &mut places)?;
    judge_real_time(history, &places)?;
    Ok(model)
}

fn commands(slot: Slot, value: &Value) -> Result<Vec<Command>, String> {
    match value {
        Value::Noop | Value::Configuration(_) => Ok(Vec::new()),
        Value::Batch(bytes) => match Batch::decode(bytes.clone()) {
            Ok(batch) => Ok(batch.commands),
            Err(error) => Err(format!("{slot:?} holds {error}")),
        },
    }
}

fn judge_anonymous(slot: Slot, calls: &[Call], index: usize) -> Result<(), String> {
    match &calls[index].completed {
        Some((_, Told::Failed)) => {
            Err(format!("{} was told to have failed, and happened in {slot:?}", describe(calls, index)))
        }
        Some((_, Told::Ok(..) | Told::Stale(..) | Told::Unknown)) | None => Ok(()),
    }
}

/// A read that has a place in the log says what the model says there. It has no name, so it is taken for one
/// that was told just that; those of one batch are in any order, for none ended before all were asked.
fn place_logged_read(
    model: &Model,
    place: Place,
    txn: &Txn,
    reads: &BTreeMap<Slot, Vec<usize>>,
    history: &History,
    places: &mut [Option<Place>],
) {
    let right = TxnOutcome::Done(txn.ops.iter().map(|op| model.get(op.key())).collect());
    for index in reads.get(&place.0).into_iter().flatten() {
        let call = &history.calls()[*index];
        let is_told = matches!(&call.completed, Some((_, Told::Ok(_, told))) if *told == right);
        if is_told && call.txn == *txn {
            places[*index].get_or_insert(place);
        }
    }
}

/// Reads served at a slot: they say what the model says after it. Those that may be stale have no place
/// in real time.
fn judge_reads(
    model: &Model,
    slot: Slot,
    reads: &BTreeMap<Slot, Vec<usize>>,
    history: &History,
    places: &mut [Option<Place>],
) -> Result<(), String> {
    for index in reads.get(&slot).into_iter().flatten() {
        if places[*index].is_some() {
            continue;
        }
        let call = &history.calls()[*index];
        if matches!(&call.completed, Some((_, Told::Ok(..)))) {
            places[*index] = Some((slot, AFTER_ALL));
        }
        let get = |op: &TxnOp| model.get(op.key());
        let right = TxnOutcome::Done(call.txn.ops.iter().map(get).collect());
        if !matches!(&call.completed, Some((_, Told::Ok(_, told) | Told::Stale(_, told))) if *told == right) {
            return Err(format!("{}: {} was right", describe(history.calls(), *index), Show(&right)));
        }
    }
    Ok(())
}

/// Updates by name: executed at most once by the model, and told what the model says.
fn judge_requests(history: &History, model: &Model, places: &mut [Option<Place>]) -> Result<(), String> {
    let calls = history.calls();
    for (index, call) in calls.iter().enumerate() {
        let executed = call.request.and_then(|request| model.executed.get(&request));
        places[index] = places[index].or(executed.map(|(place, _)| *place));
        match (&call.completed, executed) {
            (Some((_, Told::Failed)), Some((place, _))) => {
                let call = describe(calls, index);
                return Err(format!("{call} was told to have failed, and happened in {:?}", place.0));
            }
            (Some((_, Told::Ok(slot, told))), Some((place, outcome))) => {
                if told != outcome {
                    let call = describe(calls, index);
                    return Err(format!("{call}: {} was right", Show(outcome)));
                }
                if *slot < place.0 {
                    let call = describe(calls, index);
                    return Err(format!("{call} was answered before it happened in {:?}", place.0));
                }
            }
            (Some((_, Told::Ok(slot, _))), None) if places[index].is_none() => {
                let call = describe(calls, index);
                return Err(format!("{call} was acknowledged at {slot:?}, but is not in the log: lost"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whatever ended before another thing began comes before it in the log.
fn judge_real_time(history: &History, places: &[Option<Place>]) -> Result<(), String> {
    let calls = history.calls();
    let mut moments: Vec<(u64, usize, bool)> = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        moments.push((call.invoked, index, true));
        if let Some((at, Told::Ok(..))) = &call.completed {
            moments.push((*at, index, false));
        }
    }
    moments.sort_unstable();
    let mut floor: (Place, Option<usize>) = ((Slot::ZERO, 0), None);
    let mut floors = vec![floor; calls.len()];
    for (_, index, is_invocation) in moments {
        if is_invocation {
            floors[index] = floor;
            continue;
        }
        let Some(place) = places[index] else { continue };
        let (at_least, cause) = floors[index];
        if place < at_least
            && let Some(cause) = cause
        {
            let (earlier, later) = (describe(calls, cause), describe(calls, index));
            return Err(format!(
                "stale: {later} took effect in {:?}, but began after the end of {earlier}, which had in {:?}",
                place.0, at_least.0
            ));
        }
        if place > floor.0 {
            floor = (place, Some(index));
        }
    }
    Ok(())
}

fn describe(calls: &[Call], index: usize) -> String {
    let Call { client, txn, request, completed, .. } = &calls[index];
    let command = Command::Execute { request: *request, txn: txn.clone() };
    let told = match completed {
        Some((_, Told::Ok(slot, outcome) | Told::Stale(slot, outcome))) => {
            format!(", told {} at {slot:?}", Show(outcome))
        }
        Some((_, Told::Failed | Told::Unknown)) | None => String::new(),
    };
    format!("call {index} of client {client} ({}{told})", Show(&command))
}

// ---- The lists, from outside ---------------------------------------------------------------------

/// Holds the answers about lists against their final contents, knowing nothing of slots.
///
/// The order of a list's elements is an order of its appends; a read that saw `n` elements comes
/// between the n-th and the next. The history is linearizable just if this order never puts
/// something before what had ended when it began.
///
/// # Errors
/// Says which append or read is impossible.
pub fn judge_lists(history: &History, finals: &BTreeMap<Bytes, Vec<Bytes>>) -> Result<(), String> {
    for (key, items) in finals {
        let mut index_of = BTreeMap::new();
        for (position, item) in items.iter().enumerate() {
            if index_of.insert(item, position).is_some() {
                return Err(format!("{} holds {} twice", Show(key), Show(item)));
            }
        }
        judge_list(history, key, items, &index_of)?;
    }
    Ok(())
}

fn judge_list(
    history: &History,
    key: &Bytes,
    items: &[Bytes],
    index_of: &BTreeMap<&Bytes, usize>,
) -> Result<(), String> {
    let calls = history.calls();
    let mut asked: BTreeSet<&Bytes> = BTreeSet::new();
    // Moments: (position in the history, call, where in the order of the list, whether it begins).
    // An append of element i stands at 2i + 1, a read of n elements at 2n.
    let mut moments: Vec<(u64, usize, u64, bool)> = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        for (at, op) in call.txn.ops.iter().enumerate() {
            if op.key() != key {
                continue;
            }
            let told = match &call.completed {
                Some((end, Told::Ok(_, TxnOutcome::Done(results)))) => Some((*end, &results[at])),
                _ => None,
            };
            let stands = match (op, told) {
                (TxnOp::Append { value, .. }, told) => {
                    asked.insert(value);
                    match (index_of.get(value), told, &call.completed) {
                        (None, Some(_), _) => {
                            return Err(format!("{} was acknowledged and is lost", describe(calls, index)));
                        }
                        (Some(_), _, Some((_, Told::Failed))) => {
                            let call = describe(calls, index);
                            return Err(format!("{call} was told to have failed, and is there"));
                        }
                        (None, None, _) => continue,
                        (Some(position), _, _) => 2 * *position as u64 + 1,
                    }
                }
                (TxnOp::Get { .. }, Some((_, OpResult::List(seen)))) => {
                    if !items.starts_with(seen) {
                        let call = describe(calls, index);
                        return Err(format!("{call} saw no prefix of what {} holds", Show(key)));
                    }
                    2 * seen.len() as u64
                }
                (TxnOp::Get { .. }, Some((_, OpResult::Value(None)))) => 0,
                _ => continue,
            };
            moments.push((call.invoked, index, stands, true));
            if let Some((end, _)) = told {
                moments.push((end, index, stands, false));
            }
        }
    }
    if let Some(item) = items.iter().find(|item| !asked.contains(item)) {
        return Err(format!("{} holds {}, which nobody appended", Show(key), Show(item)));
    }
    judge_order(calls, moments)
}

/// Nothing may stand before something that ended before it began.
fn judge_order(calls: &[Call], mut moments: Vec<(u64, usize, u64, bool)>) -> Result<(), String> {
    moments.sort_unstable();
    let mut floor: (u64, Option<usize>) = (0, None);
    for (_, index, stands, begins) in moments {
        if begins {
            if stands < floor.0
                && let Some(cause) = floor.1
                && cause != index
            {
                let (earlier, later) = (describe(calls, cause), describe(calls, index));
                return Err(format!("stale: {later} began after the end of {earlier}, and stands before it"));
            }
        } else if stands > floor.0 {
            floor = (stands, Some(index));
        }
    }
    Ok(())
}
