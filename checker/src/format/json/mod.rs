//! Histories in JSON that are not ours: elle-cli's, Porcupine's and s2-verification's.
//!
//! All are objects, in one list or one after another. Elle-cli's are Jepsen's ops with JSON's names and
//! strings; Porcupine's are operations with the times of their call and return; s2-verification's are the starts
//! and finishes of operations on a stream.

pub(super) mod parser;
mod porcupine;
mod s2;
pub(super) mod write;

use std::io::Read;

use super::builder::{Builder, Fields};
use super::error::ReadError;
use super::window::{Stop, Window};
use super::{Format, Recorded};
use crate::history::op::{OpType, Process};
use parser::Parser;

/// Which of the JSON formats a file is in, by the fields of its first object.
pub(super) fn detect(bytes: &[u8], last: bool) -> Option<Format> {
    let mut parser = Parser::new(bytes, last);
    if parser.peek().ok()? == Some(b'[') {
        parser.at += 1;
    }
    if parser.peek().ok()? != Some(b'{') {
        return None;
    }
    parser.at += 1;
    let (mut names, mut first) = (Vec::new(), true);
    // An object that is longer than what is at hand is told by the fields that are.
    while let Ok(true) = parser.goes_on(b'}', first) {
        first = false;
        let Ok(name) = parser.string() else { break };
        names.push(name.to_ascii_lowercase());
        let apart = parser.bytes.get(parser.at).is_some_and(u8::is_ascii_whitespace);
        match parser.expect(b':').and_then(|()| parser.raw()) {
            Ok(b"true" | b"false" | b"null") => {}
            Ok(value) if matches!(value[0], b'"' | b'[' | b'{' | b'-' | b'0'..=b'9') => {}
            // EDN's keys may be strings too, and the colon a keyword's.
            Ok(_) if apart => return None,
            Ok(_) | Err(_) => break,
        }
    }
    let has = |name: &str| names.iter().any(|known| known == name);
    if has("time_ns") || has("intended_ns") {
        return Some(Format::Jsonl);
    }
    if has("call") && (has("input") || has("return")) {
        return Some(Format::PorcupineJson);
    }
    if has("event") && (has("client_id") || has("op_id")) {
        return Some(Format::S2);
    }
    (has("type") || has("process")).then_some(Format::ElleJson)
}

/// Calls `read` at the brace of every object of a file.
fn objects(
    window: &mut Window<impl Read>,
    mut read: impl FnMut(&mut Parser<'_>) -> Result<(), Stop>,
) -> Result<(), ReadError> {
    let (mut listed, mut ended, mut first) = (false, false, true);
    loop {
        let mut parser = Parser::new(window.rest(), window.is_last());
        let mut done = 0;
        let mut next = || -> Result<bool, Stop> {
            let Some(byte) = parser.peek()? else {
                return match listed && !ended {
                    true => Err(Stop::torn(parser.at, "the file ends inside the list of ops")),
                    false => Ok(false),
                };
            };
            match byte {
                b'[' if first && !listed && !ended => {
                    parser.at += 1;
                    listed = true;
                }
                _ if listed && !ended => match parser.goes_on(b']', first)? {
                    true => {
                        if parser.peek()? != Some(b'{') {
                            return Err(parser.expected(parser.at, "an op, an object"));
                        }
                        read(&mut parser)?;
                        first = false;
                    }
                    false => ended = true,
                },
                b'{' if !ended => {
                    read(&mut parser)?;
                    first = false;
                }
                _ if ended => return Err(parser.expected(parser.at, "the end of the file")),
                _ => return Err(parser.expected(parser.at, "an op, an object")),
            }
            done = parser.at;
            Ok(true)
        };
        let stop = loop {
            match next() {
                Ok(true) => {}
                Ok(false) => {
                    window.advance(window.rest().len());
                    return Ok(());
                }
                Err(stop) => break stop,
            }
        };
        match stop {
            Stop::More => {
                window.advance(done);
                window.more()?;
            }
            Stop::Bad(bad) => return Err(window.bad(*bad)),
        }
    }
}

pub(super) fn read(
    window: &mut Window<impl Read>,
    mut builder: Builder,
    format: Format,
) -> Result<Recorded, ReadError> {
    match format {
        Format::PorcupineJson => porcupine::read(window, builder),
        Format::S2 => s2::read(window, builder),
        _ => {
            objects(window, |parser| op(parser, &mut builder))?;
            builder.finish(format, window.lines())
        }
    }
}

/// One op of Jepsen's in JSON.
fn op(parser: &mut Parser<'_>, builder: &mut Builder) -> Result<(), Stop> {
    let start = parser.at;
    parser.at += 1;
    let (mut fields, mut first) = (Fields::default(), true);
    while parser.goes_on(b'}', first)? {
        first = false;
        parser.peek()?;
        let at = parser.at;
        let name = parser.name()?;
        parser.expect(b':')?;
        let twice = match &*name {
            b"type" => fields.op_type.replace(op_type(parser)?).is_some(),
            b"process" => {
                let process = process(parser, &mut fields)?;
                fields.process.replace(process).is_some()
            }
            b"f" if parser.peek()? == Some(b'n') => {
                parser.raw()?;
                false
            }
            b"f" => {
                let f = builder.function(&parser.name()?);
                fields.f.replace(f.map_err(|reason| Stop::bad(at, reason))?).is_some()
            }
            b"value" => fields.value.replace(parser.value(builder.values())?).is_some(),
            b"key" => fields.key.replace(parser.value(builder.values())?).is_some(),
            b"time" => time(parser, "a time in nanoseconds")?
                .is_some_and(|time| fields.time_ns.replace(time).is_some()),
            b"index" => time(parser, "an index")?.is_some_and(|index| fields.index.replace(index).is_some()),
            b"intended-ns" => {
                let intended = time(parser, "a time in nanoseconds")?;
                std::mem::replace(&mut fields.more().intended_ns, intended).is_some()
            }
            b"late" => {
                fields.more().late = parser.raw()? == b"true";
                false
            }
            b"error" => error(parser)?.is_some_and(|error| fields.more().error.replace(error).is_some()),
            _ => {
                let value = parser.carried()?;
                let name = std::str::from_utf8(&name);
                !fields.extra(name.map_err(|_| Stop::bad(at, "the text is not UTF-8"))?, value)
            }
        };
        if twice {
            return Err(Stop::bad(at, format!("field \"{}\" given twice", String::from_utf8_lossy(&name))));
        }
    }
    builder.push(fields).map_err(|reason| Stop::bad(start, reason))
}

pub(super) fn op_type(parser: &mut Parser<'_>) -> Result<OpType, Stop> {
    parser.peek()?;
    let start = parser.at;
    match &*parser.name()? {
        b"invoke" => Ok(OpType::Invoke),
        b"ok" => Ok(OpType::Ok),
        b"fail" => Ok(OpType::Fail),
        b"info" => Ok(OpType::Info),
        _ => Err(parser.expected(start, "\"invoke\", \"ok\", \"fail\" or \"info\"")),
    }
}

/// Numbers are clients, and nothing else is.
fn process(parser: &mut Parser<'_>, fields: &mut Fields) -> Result<Process, Stop> {
    const WHAT: &str = "a process number or \"nemesis\"";
    if parser.peek()? != Some(b'"') {
        let start = parser.at;
        let number = whole(parser, WHAT)?.and_then(|number| u64::try_from(number).ok());
        return number.map(Process::Client).ok_or_else(|| parser.expected(start, WHAT));
    }
    match &*parser.string()? {
        "nemesis" => {}
        other => {
            fields.extra("process", other.into());
        }
    }
    Ok(Process::Nemesis)
}

/// A whole number; none for null.
fn whole(parser: &mut Parser<'_>, what: &str) -> Result<Option<i64>, Stop> {
    parser.peek()?;
    let start = parser.at;
    if let Some(number) = parser.plain_int() {
        return Ok(Some(number));
    }
    match parser.raw()? {
        b"null" => Ok(None),
        raw => {
            let number = std::str::from_utf8(raw).ok().and_then(|text| text.parse().ok());
            number.map(Some).ok_or_else(|| parser.expected(start, what))
        }
    }
}

/// A number that is not negative; none for null and for -1, which Jepsen writes for a number not known.
fn time(parser: &mut Parser<'_>, what: &str) -> Result<Option<u64>, Stop> {
    parser.peek()?;
    let start = parser.at;
    match parser.plain_int() {
        Some(-1) => return Ok(None),
        Some(number) if number >= 0 => return Ok(Some(number as u64)),
        _ => {}
    }
    let raw = parser.raw()?;
    if raw == b"null" {
        return Ok(None);
    }
    let text = std::str::from_utf8(raw).unwrap_or_default();
    let fraction =
        || text.parse().ok().filter(|number| (0.0..9e18).contains(number)).map(|number: f64| number as u64);
    let number = text.parse().ok().or_else(fraction);
    number.map(Some).ok_or_else(|| parser.expected(start, what))
}

/// An error in words: a string as it is, anything else as it stands.
fn error(parser: &mut Parser<'_>) -> Result<Option<String>, Stop> {
    if parser.peek()? == Some(b'"') {
        return Ok(Some(parser.string()?.into_owned()));
    }
    let raw = parser.raw()?;
    Ok((raw != b"null").then(|| String::from_utf8_lossy(raw).into_owned()))
}
