//! One op map.

use super::parser::Parser;
use crate::format::builder::{Builder, Fields};
use crate::format::window::Stop;
use crate::history::op::{OpType, Process};
use crate::history::values::{ValueId, ValueView, Values};

/// Reads a map from its brace and appends the op; whether it has a key of its own.
#[inline]
pub(super) fn read(parser: &mut Parser<'_>, builder: &mut Builder) -> Result<bool, Stop> {
    let start = parser.at;
    parser.at += 1;
    let mut fields = Fields::default();
    loop {
        parser.blanks()?;
        let at = parser.at;
        match parser.peek()? {
            Some(b':') => {
                let name = name(parser)?;
                field(parser, builder, &mut fields, name, at)?;
            }
            Some(b'"') => {
                let name = parser.string()?;
                field(parser, builder, &mut fields, Name::of(name.as_bytes()), at)?;
            }
            Some(b'}') => {
                parser.at += 1;
                let key = fields.key.is_some();
                builder.push(fields).map_err(|reason| Stop::bad(start, reason))?;
                return Ok(key);
            }
            None => return Err(Stop::torn(at, "the file ends inside an op")),
            Some(_) => return Err(parser.expected(at, "a keyword, the name of a field of an op")),
        }
    }
}

/// The name of a field.
#[derive(Clone, Copy)]
enum Name<'b> {
    Type,
    Process,
    Function,
    Value,
    Time,
    Index,
    Other(&'b [u8]),
}

impl<'b> Name<'b> {
    fn of(name: &'b [u8]) -> Self {
        match name {
            b"type" => Name::Type,
            b"process" => Name::Process,
            b"f" => Name::Function,
            b"value" => Name::Value,
            b"time" => Name::Time,
            b"index" => Name::Index,
            _ => Name::Other(name),
        }
    }

    fn bytes(self) -> &'b [u8] {
        match self {
            Name::Type => b"type",
            Name::Process => b"process",
            Name::Function => b"f",
            Name::Value => b"value",
            Name::Time => b"time",
            Name::Index => b"index",
            Name::Other(name) => name,
        }
    }
}

/// The name of a field, the usual ones at a glance.
#[inline]
fn name<'b>(parser: &mut Parser<'b>) -> Result<Name<'b>, Stop> {
    match parser.bytes.get(parser.at + 1) {
        Some(b't') if parser.takes(b":type") => Ok(Name::Type),
        Some(b't') if parser.takes(b":time") => Ok(Name::Time),
        Some(b'f') if parser.takes(b":f") => Ok(Name::Function),
        Some(b'v') if parser.takes(b":value") => Ok(Name::Value),
        Some(b'p') if parser.takes(b":process") => Ok(Name::Process),
        Some(b'i') if parser.takes(b":index") => Ok(Name::Index),
        _ => Ok(Name::of(&parser.token()?[1..])),
    }
}

#[inline(always)]
fn field(
    parser: &mut Parser<'_>,
    builder: &mut Builder,
    fields: &mut Fields,
    name: Name<'_>,
    at: usize,
) -> Result<(), Stop> {
    parser.blanks()?;
    let twice = match name {
        Name::Type => fields.op_type.replace(op_type(parser)?).is_some(),
        Name::Process => {
            let process = process(parser, fields)?;
            fields.process.replace(process).is_some()
        }
        Name::Function => return function(parser, builder, fields, at),
        Name::Value => fields.value.replace(value(parser, builder)?).is_some(),
        Name::Time => number(parser, "a time in nanoseconds")?
            .is_some_and(|time| fields.time_ns.replace(time).is_some()),
        Name::Index => number(parser, "an index")?.is_some_and(|index| fields.index.replace(index).is_some()),
        Name::Other(name) => return rare(parser, builder, fields, name, at),
    };
    if twice { Err(given_twice(name.bytes(), at)) } else { Ok(()) }
}

fn given_twice(name: &[u8], at: usize) -> Stop {
    Stop::bad(at, format!("field :{} given twice", String::from_utf8_lossy(name)))
}

#[inline]
fn op_type(parser: &mut Parser<'_>) -> Result<OpType, Stop> {
    if parser.takes(b":invoke") {
        return Ok(OpType::Invoke);
    }
    if parser.takes(b":ok") {
        return Ok(OpType::Ok);
    }
    let start = parser.at;
    let name = match parser.peek()? {
        Some(b'"') => parser.string()?.into_owned().into_bytes().into(),
        _ => std::borrow::Cow::Borrowed(parser.token()?),
    };
    match name.strip_prefix(b":").unwrap_or(&name) {
        b"invoke" => Ok(OpType::Invoke),
        b"ok" => Ok(OpType::Ok),
        b"fail" => Ok(OpType::Fail),
        b"info" => Ok(OpType::Info),
        _ => Err(parser.expected(start, ":invoke, :ok, :fail or :info")),
    }
}

#[inline]
fn process(parser: &mut Parser<'_>, fields: &mut Fields) -> Result<Process, Stop> {
    let start = parser.at;
    if let Some(number) = parser.plain_int() {
        let client = u64::try_from(number).ok().map(Process::Client);
        return client.ok_or_else(|| parser.expected(start, "a process number or :nemesis"));
    }
    match parser.peek()? {
        Some(b':') => match parser.keyword()? {
            "nemesis" => {}
            other => {
                fields.extra("process", other.into());
            }
        },
        _ => {
            let mut values = Values::default();
            let value = parser.value(&mut values)?;
            match values.view(value) {
                // A number that the quick way did not take: `1N`, or one at the end of the file.
                ValueView::Int(number) if number >= 0 => return Ok(Process::Client(number as u64)),
                ValueView::Text("nemesis") => {}
                _ => return Err(parser.expected(start, "a process number or :nemesis")),
            }
        }
    }
    Ok(Process::Nemesis)
}

#[inline]
fn function(
    parser: &mut Parser<'_>,
    builder: &mut Builder,
    fields: &mut Fields,
    at: usize,
) -> Result<(), Stop> {
    let start = parser.at;
    let bad = |reason: String| Stop::bad(start, reason);
    let f = match parser.peek()? {
        Some(b':') => builder.function(&parser.token()?[1..]).map_err(bad)?,
        Some(b'"') => builder.function(parser.string()?.as_bytes()).map_err(bad)?,
        _ => match parser.raw()? {
            b"nil" => return Ok(()),
            raw => builder.function(raw).map_err(bad)?,
        },
    };
    if fields.f.replace(f).is_some() { Err(given_twice(b"f", at)) } else { Ok(()) }
}

#[inline]
fn value(parser: &mut Parser<'_>, builder: &mut Builder) -> Result<ValueId, Stop> {
    if let Some(number) = parser.plain_int() {
        return Ok(builder.values().int(number));
    }
    parser.value(builder.values())
}

/// A number that is not negative; none for nil and for -1, which Jepsen writes for a number not known.
#[inline]
fn number(parser: &mut Parser<'_>, what: &str) -> Result<Option<u64>, Stop> {
    let start = parser.at;
    let number = match parser.plain_int() {
        Some(number) => number,
        None => {
            let mut values = Values::default();
            let value = parser.value(&mut values)?;
            match values.view(value) {
                ValueView::Nil => return Ok(None),
                ValueView::Int(number) => number,
                // Recorders that add up fractions of seconds write fractions of nanoseconds.
                ValueView::Float(number) if (0.0..9e18).contains(&number) => number as i64,
                ValueView::Text(text) if text.parse::<u64>().is_ok() => return Ok(text.parse().ok()),
                _ => return Err(parser.expected(start, what)),
            }
        }
    };
    match number {
        -1 => Ok(None),
        _ => u64::try_from(number).map(Some).map_err(|_| parser.expected(start, what)),
    }
}

/// The fields that few ops have.
#[cold]
fn rare(
    parser: &mut Parser<'_>,
    builder: &mut Builder,
    fields: &mut Fields,
    name: &[u8],
    at: usize,
) -> Result<(), Stop> {
    let twice = match name {
        b"key" => fields.key.replace(value(parser, builder)?).is_some(),
        b"intended-ns" => {
            let intended = number(parser, "a time in nanoseconds")?;
            std::mem::replace(&mut fields.more().intended_ns, intended).is_some()
        }
        b"late" => {
            fields.more().late = parser.raw()? == b"true";
            false
        }
        b"error" => {
            let error = error(parser)?;
            error.is_some_and(|error| fields.more().error.replace(error).is_some())
        }
        _ => {
            let Ok(name) = std::str::from_utf8(name) else {
                return Err(Stop::bad(at, "the text is not UTF-8"));
            };
            let mut values = Values::default();
            let value = parser.value(&mut values)?;
            !fields.extra(name, as_json(&values, value))
        }
    };
    if twice { Err(given_twice(name, at)) } else { Ok(()) }
}

/// An error in words: a string or a keyword as it is, anything else as it stands.
fn error(parser: &mut Parser<'_>) -> Result<Option<String>, Stop> {
    match parser.peek()? {
        Some(b'"') => Ok(Some(parser.string()?.into_owned())),
        Some(b':') => Ok(Some(parser.keyword()?.to_owned())),
        _ => {
            let raw = String::from_utf8_lossy(parser.raw()?).into_owned();
            Ok((raw != "nil").then_some(raw))
        }
    }
}

/// The same in JSON, for what is only carried along.
pub(in crate::format) fn as_json(values: &Values, value: ValueId) -> serde_json::Value {
    use serde_json::Value as Json;
    let all = |ids: &[ValueId]| Json::Array(ids.iter().map(|id| as_json(values, *id)).collect());
    match values.view(value) {
        ValueView::Nil => Json::Null,
        ValueView::Bool(truth) => truth.into(),
        ValueView::Int(number) => number.into(),
        ValueView::Float(number) => {
            serde_json::Number::from_f64(number).map_or_else(|| number.to_string().into(), Json::Number)
        }
        ValueView::Text(text) => text.into(),
        ValueView::List(ids) | ValueView::Set(ids) => all(ids),
        ValueView::Map(ids) => {
            let entries = ids.as_chunks::<2>().0.iter().map(|[key, value]| {
                let key = match values.view(*key) {
                    ValueView::Text(text) => text.to_owned(),
                    _ => values.get(*key).to_string(),
                };
                (key, as_json(values, *value))
            });
            Json::Object(entries.collect())
        }
    }
}
