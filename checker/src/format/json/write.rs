//! Histories as elle-cli's JSON: one list of ops.
//!
//! What is written is read back as the same history, but that JSON knows no sets, no other keys than
//! text and no infinities: such a value is an error, not another value.

use std::io::Write;

use serde_json::{Map, Value as Json};

use crate::format::Format;
use crate::format::error::WriteError;
use crate::history::History;
use crate::history::op::Process;
use crate::history::values::{ValueId, ValueView, Values};

pub(in crate::format) fn elle(history: &History, writer: &mut impl Write) -> Result<(), WriteError> {
    writer.write_all(b"[")?;
    for position in 0..history.len() {
        writer.write_all(if position == 0 { b"" } else { b",\n" })?;
        let op = op(history, position).map_err(|what| WriteError::CannotCarry {
            format: Format::ElleJson,
            what,
            position,
        })?;
        serde_json::to_writer(&mut *writer, &op).map_err(std::io::Error::from)?;
    }
    writer.write_all(b"]\n")?;
    Ok(())
}

fn op(history: &History, position: usize) -> Result<Map<String, Json>, String> {
    let values = history.values();
    let mut op = Map::new();
    op.insert("index".into(), history.index(position).into());
    if history.has_times() {
        op.insert("time".into(), history.time_ns(position).into());
    }
    op.insert("type".into(), history.op_type(position).to_string().into());
    op.insert(
        "process".into(),
        match history.process(position) {
            Process::Client(process) => process.into(),
            Process::Nemesis => "nemesis".into(),
        },
    );
    op.insert("f".into(), history.name(history.f_id(position)).into());
    op.insert("value".into(), json(values, history.value_id(position))?);
    if let Some(key) = history.key_id(position) {
        op.insert("key".into(), json(values, key)?);
    }
    let Some(more) = history.more(position) else { return Ok(op) };
    if let Some(intended_ns) = more.intended_ns {
        op.insert("intended-ns".into(), intended_ns.into());
    }
    if more.late {
        op.insert("late".into(), true.into());
    }
    if let Some(error) = &more.error {
        op.insert("error".into(), error.clone().into());
    }
    for (name, value) in &more.extra {
        // A process that is no client is carried along under this name, and told by it.
        let is_process = name == "process" && value.is_string();
        if op.insert(name.clone(), value.clone()).is_some() && !is_process {
            return Err(format!("another field by the name of {name}"));
        }
    }
    Ok(op)
}

fn json(values: &Values, id: ValueId) -> Result<Json, String> {
    carries(values, id)?;
    serde_json::to_value(values.get(id)).map_err(|error| error.to_string())
}

/// Whether JSON can hold a value so that it is read back as itself; what it can't hold, if not.
pub(in crate::format) fn carries(values: &Values, id: ValueId) -> Result<(), String> {
    match values.view(id) {
        ValueView::Nil | ValueView::Bool(_) | ValueView::Int(_) | ValueView::Text(_) => Ok(()),
        ValueView::Float(number) => {
            let exact = number.fract() != 0.0 || number.abs() < (1u64 << 53) as f64;
            let carried = number.is_finite() && exact;
            carried.then_some(()).ok_or_else(|| format!("the number {}", values.get(id)))
        }
        ValueView::List(elements) => elements.iter().try_for_each(|element| carries(values, *element)),
        ValueView::Set(_) => Err(format!("the set {}", values.get(id))),
        ValueView::Map(entries) => entries.as_chunks::<2>().0.iter().try_for_each(|[key, value]| {
            is_name(values, *key)?;
            carries(values, *value)
        }),
    }
}

/// Whether a map's key can be a name. Text that reads as a whole number would be read back as one.
fn is_name(values: &Values, key: ValueId) -> Result<(), String> {
    match values.view(key) {
        ValueView::Int(_) => Ok(()),
        ValueView::Text(text) if !text.parse::<i64>().is_ok_and(|number| number.to_string() == text) => {
            Ok(())
        }
        _ => Err(format!("the key {} of a map", values.get(key))),
    }
}
