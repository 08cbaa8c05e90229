//! What s2-verification records of a stream: `{"event":{"Start":{"Append":{..}}},"client_id":2,"op_id":4984}`.
//!
//! An event is the start of an `Append`, a `Read` or a `CheckTail`, or a finish that says what came of it. Hashes
//! are 64 bits without a sign, and are kept as the signed numbers of the same bits; an append that may have
//! happened is of unknown outcome. What the ops mean is told where they are judged, in
//! [`Stream`](crate::model::Stream).

use std::io::Read;

use super::{objects, parser::Parser, whole};
use crate::format::builder::{Builder, Fields};
use crate::format::error::ReadError;
use crate::format::window::{Stop, Window};
use crate::format::{Format, Recorded};
use crate::hash::Table;
use crate::history::op::{OpType, Process, Value};
use crate::history::values::ValueId;

const KINDS: &str = "\"Start\" or \"Finish\"";
const STARTS: &str = "\"Append\", \"Read\" or \"CheckTail\"";
const FINISHES: &str = "\"AppendSuccess\", \"AppendDefiniteFailure\", \"AppendIndefiniteFailure\", \"ReadSuccess\", \"ReadFailure\", \"CheckTailSuccess\" or \"CheckTailFailure\"";

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Append,
    Read,
    CheckTail,
}

impl Function {
    fn name(self) -> &'static str {
        match self {
            Function::Append => "append",
            Function::Read => "read",
            Function::CheckTail => "check-tail",
        }
    }
}

/// One event.
struct Event {
    at: usize,
    op_type: OpType,
    function: Function,
    value: ValueId,
}

/// What each client has begun, with the number of the operation.
type Begun = Table<u64, (i64, Function)>;

pub(super) fn read(window: &mut Window<impl Read>, mut builder: Builder) -> Result<Recorded, ReadError> {
    builder.named = Some(("stream", Value::Nil));
    let mut begun = Begun::default();
    objects(window, |parser| record(parser, &mut builder, &mut begun))?;
    builder.finish(Format::S2, window.lines())
}

fn record(parser: &mut Parser<'_>, builder: &mut Builder, begun: &mut Begun) -> Result<(), Stop> {
    let start = parser.at;
    let (mut event, mut client, mut op) = (None, None, None);
    each_field(parser, |parser, name, at| {
        let twice = match name {
            "event" => {
                let read = one_of(parser, KINDS, |parser, kind, at| match kind {
                    "Start" => start_of(parser, builder),
                    "Finish" => finish_of(parser, builder),
                    _ => Err(parser.expected(at, KINDS)),
                });
                event.replace(read?).is_some()
            }
            "client_id" => client.replace(number(parser, "the number of a client")?).is_some(),
            "op_id" => op.replace(number(parser, "the number of an operation")?).is_some(),
            _ => return parser.raw().map(drop),
        };
        match twice {
            false => Ok(()),
            true => Err(Stop::bad(at, format!("field \"{name}\" given twice"))),
        }
    })?;
    let missing = |what: &str| Stop::bad(start, format!("an event without {what}"));
    let event = event.ok_or_else(|| missing("\"event\""))?;
    let client = client.ok_or_else(|| missing("\"client_id\""))? as u64;
    let op = op.ok_or_else(|| missing("\"op_id\""))?;
    in_turn(&event, client, op, begun)?;
    let f = builder.function(event.function.name().as_bytes());
    let fields = Fields {
        op_type: Some(event.op_type),
        process: Some(Process::Client(client)),
        f: Some(f.map_err(|reason| Stop::bad(start, reason))?),
        value: Some(event.value),
        ..Fields::default()
    };
    builder.push(fields).map_err(|reason| Stop::bad(start, reason))
}

/// Whether a finish is that of what its client has begun.
fn in_turn(event: &Event, client: u64, op: i64, begun: &mut Begun) -> Result<(), Stop> {
    if event.op_type == OpType::Invoke {
        begun.insert(client, (op, event.function));
        return Ok(());
    }
    match begun.remove(&client) {
        Some((began, function)) if began == op && function == event.function => Ok(()),
        Some((began, function)) => Err(Stop::bad(
            event.at,
            format!(
                "expected what came of op {began} of client {client}, {}; found what came of op {op}, {}",
                function.name(),
                event.function.name()
            ),
        )),
        None => {
            Err(Stop::bad(event.at, format!("client {client} has not begun op {op}, which finishes here")))
        }
    }
}

fn start_of(parser: &mut Parser<'_>, builder: &mut Builder) -> Result<Event, Stop> {
    one_of(parser, STARTS, |parser, kind, at| {
        let (function, value) = match kind {
            "Append" => (Function::Append, batch(parser, builder)?),
            "Read" => (Function::Read, ValueId::NIL),
            "CheckTail" => (Function::CheckTail, ValueId::NIL),
            _ => return Err(parser.expected(at, STARTS)),
        };
        Ok(Event { at, op_type: OpType::Invoke, function, value })
    })
}

fn finish_of(parser: &mut Parser<'_>, builder: &mut Builder) -> Result<Event, Stop> {
    one_of(parser, FINISHES, |parser, kind, at| {
        let (function, op_type) = match kind {
            "AppendSuccess" => (Function::Append, OpType::Ok),
            "AppendDefiniteFailure" => (Function::Append, OpType::Fail),
            "AppendIndefiniteFailure" => (Function::Append, OpType::Info),
            "ReadSuccess" => (Function::Read, OpType::Ok),
            "ReadFailure" => (Function::Read, OpType::Fail),
            "CheckTailSuccess" => (Function::CheckTail, OpType::Ok),
            "CheckTailFailure" => (Function::CheckTail, OpType::Fail),
            _ => return Err(parser.expected(at, FINISHES)),
        };
        let value = if op_type == OpType::Ok { answer(parser, builder, at)? } else { ValueId::NIL };
        Ok(Event { at, op_type, function, value })
    })
}

/// What is appended, without what is null.
fn batch(parser: &mut Parser<'_>, builder: &mut Builder) -> Result<ValueId, Stop> {
    parser.peek()?;
    let start = parser.at;
    let (mut records, mut hashed, mut entries) = (None, None, Vec::new());
    each_field(parser, |parser, name, _| {
        let value = match name {
            "num_records" => {
                records = Some(number(parser, "how many records")?);
                return Ok(());
            }
            "record_hashes" => {
                let hashes = hashes(parser, builder)?;
                hashed = Some(hashes.len() as i64);
                builder.values().list(&hashes)
            }
            "match_seq_num" | "fencing_token" | "set_fencing_token" => parser.value(builder.values())?,
            _ => return parser.raw().map(drop),
        };
        if value != ValueId::NIL {
            entries.push((builder.values().text(name), value));
        }
        Ok(())
    })?;
    match (records, hashed) {
        (_, None) => {
            Err(Stop::bad(start, "an append without \"record_hashes\", one for each of its records"))
        }
        (Some(records), Some(hashed)) if records != hashed => {
            Err(Stop::bad(start, format!("an append of {records} records has {hashed} record_hashes")))
        }
        _ => Ok(builder.values().map(entries)),
    }
}

/// The tail, with the hash of the stream if that is told.
fn answer(parser: &mut Parser<'_>, builder: &mut Builder, start: usize) -> Result<ValueId, Stop> {
    let (mut tail, mut hash) = (None, None);
    each_field(parser, |parser, name, _| {
        match name {
            "tail" => tail = Some(number(parser, "the tail, a whole number from 0 on")?),
            "stream_hash" => hash = Some(bits(parser)?),
            _ => drop(parser.raw()?),
        }
        Ok(())
    })?;
    let tail = tail.ok_or_else(|| Stop::bad(start, "a success without \"tail\""))?;
    let values = builder.values();
    let tail = values.int(tail);
    Ok(match hash {
        Some(hash) => {
            let hash = values.int(hash);
            values.list(&[tail, hash])
        }
        None => tail,
    })
}

fn hashes(parser: &mut Parser<'_>, builder: &mut Builder) -> Result<Vec<ValueId>, Stop> {
    parser.expect(b'[')?;
    let (mut hashes, mut first) = (Vec::new(), true);
    while parser.goes_on(b']', first)? {
        first = false;
        let hash = bits(parser)?;
        hashes.push(builder.values().int(hash));
    }
    Ok(hashes)
}

/// A number of 64 bits without a sign, as the signed one of the same bits.
fn bits(parser: &mut Parser<'_>) -> Result<i64, Stop> {
    parser.peek()?;
    let start = parser.at;
    let text = std::str::from_utf8(parser.raw()?).unwrap_or_default();
    let hash: Option<u64> = text.parse().ok();
    hash.map(|hash| hash as i64).ok_or_else(|| parser.expected(start, "a hash, a whole number of 64 bits"))
}

/// A whole number that is not negative.
fn number(parser: &mut Parser<'_>, what: &str) -> Result<i64, Stop> {
    parser.peek()?;
    let start = parser.at;
    whole(parser, what)?.filter(|number| *number >= 0).ok_or_else(|| parser.expected(start, what))
}

/// Calls `read` for every field of an object, at its value, with the place of its name.
fn each_field<'b>(
    parser: &mut Parser<'b>,
    mut read: impl FnMut(&mut Parser<'b>, &str, usize) -> Result<(), Stop>,
) -> Result<(), Stop> {
    parser.expect(b'{')?;
    let mut first = true;
    while parser.goes_on(b'}', first)? {
        first = false;
        parser.peek()?;
        let at = parser.at;
        let name = parser.string()?;
        parser.expect(b':')?;
        read(parser, &name, at)?;
    }
    Ok(())
}

/// Calls `read` for the one variant that is there: a text, or the only field of an object.
fn one_of<'b, T>(
    parser: &mut Parser<'b>,
    what: &str,
    mut read: impl FnMut(&mut Parser<'b>, &str, usize) -> Result<T, Stop>,
) -> Result<T, Stop> {
    match parser.peek()? {
        Some(b'"') => {
            let at = parser.at;
            let name = parser.string()?;
            read(parser, &name, at)
        }
        Some(b'{') => {
            let start = parser.at;
            let mut found = None;
            each_field(parser, |parser, name, at| match found.replace(read(parser, name, at)?) {
                None => Ok(()),
                Some(_) => Err(Stop::bad(at, format!("expected one of {what}, found another"))),
            })?;
            found.ok_or_else(|| parser.expected(start, what))
        }
        _ => Err(parser.expected(parser.at, what)),
    }
}
