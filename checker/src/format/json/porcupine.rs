//! Porcupine's operations in JSON: `{"ClientId":1,"Input":{..},"Call":10,"Output":{..},"Return":20}`.
//!
//! Names are matched whatever their case. Input and output are whatever the model's author made of
//! them: the function is looked for under `f`, `op`, `method`, `kind` or `type` of the input (of a kv, the
//! numbers 0, 1 and 2 are get, put and append), the key under `key`, the argument under `value`, `val` or
//! `arg`, a pair of arguments under `from`/`to` or `old`/`new`; the result under `value`, `val` or
//! `result` of the output, or it is the output. An output with `unknown` or `timeout` true, or without a
//! return, is of unknown outcome.

use std::io::Read;

use super::{objects, parser::Parser, whole};
use crate::format::builder::Builder;
use crate::format::error::ReadError;
use crate::format::interval::{self, Interval, Ties};
use crate::format::window::{Stop, Window};
use crate::format::{Format, Recorded};
use crate::history::values::{ValueId, ValueView, Values};

pub(super) fn read(window: &mut Window<impl Read>, mut builder: Builder) -> Result<Recorded, ReadError> {
    let mut intervals = Vec::new();
    objects(window, |parser| {
        intervals.push(operation(parser, &mut builder)?);
        Ok(())
    })?;
    interval::push_all(&mut builder, &intervals, Ties::CallsFirst)
        .map_err(|reason| window.malformed(0, reason))?;
    builder.finish(Format::PorcupineJson, window.lines())
}

fn operation(parser: &mut Parser<'_>, builder: &mut Builder) -> Result<Interval, Stop> {
    let start = parser.at;
    parser.at += 1;
    let (mut process, mut call, mut returned) = (None, None, None);
    let (mut input, mut output, mut first) = (None, ValueId::NIL, true);
    while parser.goes_on(b'}', first)? {
        first = false;
        let name = parser.string()?.to_ascii_lowercase().replace('_', "");
        parser.expect(b':')?;
        match &*name {
            "clientid" | "client" | "process" => process = whole(parser, "a client number")?,
            "call" => call = whole(parser, "a time")?,
            "return" => returned = whole(parser, "a time")?,
            "input" => input = Some(parser.value(builder.values())?),
            "output" => output = parser.value(builder.values())?,
            _ => {
                parser.raw()?;
            }
        }
    }
    let bad = |reason: &str| Stop::bad(start, reason);
    let input = input.ok_or_else(|| bad("an operation without an input"))?;
    let call = call.ok_or_else(|| bad("an operation without the time of its call"))?;
    if returned.is_some_and(|returned| returned < call) {
        return Err(bad("an operation that returns before it is called"));
    }
    let values = builder.values();
    let function = field(values, input, &["f", "op", "method", "kind", "type"]);
    let key = field(values, input, &["key", "k"]);
    let name = match function.map(|function| values.view(function)) {
        Some(ValueView::Text(name)) => name.to_ascii_lowercase(),
        Some(ValueView::Int(number @ 0..=2)) if key.is_some() => {
            ["get", "put", "append"][number as usize].to_owned()
        }
        _ => return Err(bad("an input without its function: a text under f, op, method, kind or type")),
    };
    let argument = argument(values, input, &name);
    let unknown = field(values, output, &["unknown", "timeout", "timedout"]);
    let unknown = unknown.is_some_and(|unknown| values.view(unknown) == ValueView::Bool(true));
    let result = match field(values, output, &["value", "val", "result", "output"]) {
        Some(result) => result,
        None if matches!(values.view(output), ValueView::Map(_)) => ValueId::NIL,
        None => output,
    };
    let observes =
        matches!(&*name, "get" | "read" | "dequeue" | "deq" | "pop" | "peek" | "poll" | "contains");
    Ok(Interval {
        process: process.and_then(|process| u64::try_from(process).ok()),
        f: builder.function(name.as_bytes()).map_err(|reason| bad(&reason))?,
        key,
        argument,
        result: if observes { result } else { argument },
        call,
        returned: returned.filter(|_| !unknown),
    })
}

/// What an update is to do; nil for a read.
fn argument(values: &mut Values, input: ValueId, name: &str) -> ValueId {
    if matches!(name, "get" | "read") {
        return ValueId::NIL;
    }
    if let Some(argument) = field(values, input, &["value", "val", "arg", "v"]) {
        return argument;
    }
    for (old, new) in [("from", "to"), ("old", "new"), ("expected", "new")] {
        if let (Some(old), Some(new)) = (field(values, input, &[old]), field(values, input, &[new])) {
            return values.list(&[old, new]);
        }
    }
    ValueId::NIL
}

/// The value of the first of these names that a map has, whatever their case.
fn field(values: &Values, map: ValueId, names: &[&str]) -> Option<ValueId> {
    let ValueView::Map(entries) = values.view(map) else { return None };
    names.iter().find_map(|name| {
        let named = |key: &ValueId| matches!(values.view(*key), ValueView::Text(text) if text.eq_ignore_ascii_case(name));
        entries.as_chunks::<2>().0.iter().find(|[key, _]| named(key)).map(|[_, value]| *value)
    })
}
