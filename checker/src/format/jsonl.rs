//! Our own format: one op a line, as JSON, in order.
//!
//! Blank lines are allowed, anything else that is not an op is an error with its line and column. A
//! file that has lines but no op in them is refused: it is far more often the wrong file than an empty
//! run, and nothing may ever look valid because nothing was read. A file of no bytes is an empty
//! history for [`History::read_jsonl`], which every check calls unknown.
//!
//! A line is read by hand; one that holds anything unusual, or anything wrong, goes to serde_json, whose
//! word is final.

use std::io::{self, Read, Write};

use super::builder::{Builder, Fields};
use super::error::{ReadError, WriteError};
use super::json::parser::Parser;
use super::json::{op_type, write::carries};
use super::keys::Independent;
use super::window::{Stop, Window};
use super::{Format, Recorded};
use crate::history::op::{Op, Process};
use crate::history::{History, More, Row};

impl History {
    /// Reads a history of one JSON op a line.
    pub fn read_jsonl(reader: impl Read) -> Result<History, ReadError> {
        let mut window = Window::new(reader)?;
        if window.rest().is_empty() {
            return Ok(History::default());
        }
        read(&mut window, Builder::new(Independent::No)).map(|recorded| recorded.history)
    }

    /// Writes every op as one line.
    pub fn write_jsonl(&self, mut writer: impl Write) -> io::Result<()> {
        self.ops().try_for_each(|op| op.write_jsonl(&mut writer))
    }
}

impl Op {
    /// Writes the op as one line.
    pub fn write_jsonl(&self, mut writer: impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut writer, self)?;
        writer.write_all(b"\n")
    }

    /// Reads an op from one line.
    pub fn from_json(line: &str) -> Result<Op, ReadError> {
        parse(line.as_bytes()).map_err(|error| malformed(1, line.as_bytes(), &error))
    }
}

pub(super) fn read(window: &mut Window<impl Read>, mut builder: Builder) -> Result<Recorded, ReadError> {
    let mut line_number = 0;
    while let Some(length) = window.line()? {
        line_number += 1;
        let with_end = (length + 1).min(window.rest().len());
        let line = &window.rest()[..with_end];
        match usual(&line[..length], &mut builder) {
            Ok(fields) => {
                builder.push(fields).map_err(|reason| window.malformed(0, reason))?;
            }
            Err(_) if line.iter().all(u8::is_ascii_whitespace) => {}
            Err(_) => {
                let op = parse(line).map_err(|error| malformed(line_number, line, &error))?;
                push(&mut builder, op).map_err(|reason| window.malformed(0, reason))?;
            }
        }
        window.advance(length + 1);
    }
    builder.finish(Format::Jsonl, line_number)
}

pub(super) fn write(history: &History, writer: &mut impl Write) -> Result<(), WriteError> {
    for (position, op) in history.ops().enumerate() {
        let ids = [Some(history.value_id(position)), history.key_id(position)];
        let carried = ids.into_iter().flatten().try_for_each(|id| carries(history.values(), id));
        carried.map_err(|what| WriteError::CannotCarry { format: Format::Jsonl, what, position })?;
        op.write_jsonl(&mut *writer)?;
    }
    Ok(())
}

/// The fields of a line, if all of it is as it usually is.
fn usual(line: &[u8], builder: &mut Builder) -> Result<Fields, Stop> {
    let mut parser = Parser::new(line, true);
    parser.expect(b'{')?;
    let (mut fields, mut first) = (Fields::default(), true);
    let unusual = || Stop::bad(0, "");
    while parser.goes_on(b'}', first)? {
        first = false;
        let name = parser.name()?;
        parser.expect(b':')?;
        let twice = match &*name {
            b"index" => fields.index.replace(whole(&mut parser)?).is_some(),
            b"time_ns" => fields.time_ns.replace(whole(&mut parser)?).is_some(),
            b"type" => fields.op_type.replace(op_type(&mut parser)?).is_some(),
            b"process" if parser.peek()? == Some(b'"') => match &*parser.string()? {
                "nemesis" => fields.process.replace(Process::Nemesis).is_some(),
                _ => return Err(unusual()),
            },
            b"process" => fields.process.replace(Process::Client(whole(&mut parser)?)).is_some(),
            b"f" => {
                let f = builder.function(&parser.name()?);
                fields.f.replace(f.map_err(|_| unusual())?).is_some()
            }
            b"key" => fields.key.replace(parser.value(builder.values())?).is_some(),
            b"value" => fields.value.replace(parser.value(builder.values())?).is_some(),
            b"error" => {
                let error = parser.string()?.into_owned();
                fields.more().error.replace(error).is_some()
            }
            b"intended_ns" => {
                let intended = whole(&mut parser)?;
                fields.more().intended_ns.replace(intended).is_some()
            }
            b"late" => return Err(unusual()),
            _ => {
                let value = parser.carried()?;
                !fields.extra(std::str::from_utf8(&name).map_err(|_| unusual())?, value)
            }
        };
        if twice {
            return Err(unusual());
        }
    }
    let complete = fields.index.is_some() && fields.time_ns.is_some() && fields.f.is_some();
    let complete = complete && fields.op_type.is_some() && fields.process.is_some();
    if complete && parser.peek()?.is_none() { Ok(fields) } else { Err(unusual()) }
}

fn whole(parser: &mut Parser<'_>) -> Result<u64, Stop> {
    let number = parser.plain_int().and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| Stop::bad(0, ""))
}

fn push(builder: &mut Builder, op: Op) -> Result<(), String> {
    let Op { index, time_ns, intended_ns, op_type, process, f, key, value, error, late, extra } = op;
    let plain = intended_ns.is_none() && error.is_none() && !late && extra.is_empty();
    let row = Row {
        index: Some(index),
        time_ns: Some(time_ns),
        op_type,
        process,
        f: builder.function(f.as_bytes())?,
        key: key.map(|key| builder.values().intern(&key)),
        value: builder.values().intern(&value),
        more: (!plain).then(|| Box::new(More { intended_ns, error, late, extra })),
    };
    builder.push_row(row)
}

fn parse(line: &[u8]) -> serde_json::Result<Op> {
    serde_json::from_slice(line)
}

fn malformed(line: u64, bytes: &[u8], error: &serde_json::Error) -> ReadError {
    let text = error.to_string();
    // serde_json counts lines within what it was given, which is always one.
    let reason = text.rfind(" at line ").map_or(&*text, |end| &text[..end]).to_owned();
    // An error seen at the newline belongs to the last column of the line.
    let (column, length) = (error.column().max(1), bytes.trim_ascii_end().len().max(1));
    ReadError::Malformed {
        line,
        column: if error.line() > 1 { length } else { column.min(length) } as u64,
        reason,
        torn_tail: error.is_eof() && !bytes.ends_with(b"\n"),
    }
}
