//! Jepsen's console logs, and its history.txt.
//!
//! Both have one op a line: process, type, function and value, separated by tabs or blanks; in a log
//! something about the logger stands before them, and other lines stand between. The value is EDN. On
//! a fail or an info it may be the reason instead, `:timed-out` or a whole sentence: that becomes the
//! op's error, and its value nil, because the argument is the invocation's. What a nemesis says may
//! be anything.

use std::io::Read;

use super::builder::Builder;
use super::digits;
use super::edn;
use super::error::{ReadError, found};
use super::open_calls::OpenCalls;
use super::window::{Stop, Window};
use super::{Format, Recorded};
use crate::history::op::{OpType, Process};
use crate::history::values::ValueId;
use crate::history::{More, Row};

/// An op's parts in a line, and where the rest of it begins.
struct Parts<'l> {
    process: Process,
    op_type: OpType,
    f: &'l [u8],
    value_at: usize,
}

pub(super) fn read(
    window: &mut Window<impl Read>,
    mut builder: Builder,
    format: Format,
) -> Result<Recorded, ReadError> {
    let mut open_calls = OpenCalls::default();
    let mut line_number = 0;
    while let Some(length) = window.line()? {
        line_number += 1;
        let line = window.rest()[..length].trim_ascii_end();
        let parts = match format {
            Format::HistoryTxt if line.is_empty() => None,
            Format::HistoryTxt => Some(op_at(line, 0).ok_or_else(|| {
                window.malformed(0, format!("expected process, :type, :f and value, found {}", found(line)))
            })?),
            _ => op_in_log(line).map_err(|(at, reason)| window.malformed(at, reason))?,
        };
        if let Some(parts) = parts {
            let Parts { process, op_type, .. } = parts;
            let observed = open_calls.observe(process, op_type, line_number);
            observed.map_err(|reason| window.malformed(0, reason))?;
            push(&mut builder, line, &parts).map_err(|stop| match stop {
                Stop::Bad(bad) => window.bad(*bad),
                Stop::More => window.malformed(length, "the line ends inside a value"),
            })?;
        }
        window.advance(length + 1);
    }
    builder.finish(format, line_number)
}

/// Whether a line begins with an op, as every line of a history.txt does.
pub(super) fn begins_with_op(line: &[u8]) -> bool {
    op_at(line, 0).is_some()
}

/// The op in a line of a log, if there is one. A line of the logger of ops whose message begins like an
/// op and is none is an error: nothing may be lost without a word.
fn op_in_log(line: &[u8]) -> Result<Option<Parts<'_>>, (usize, String)> {
    const LOGGER: &[u8] = b"jepsen.util";
    if let Some(logger) = memchr::memmem::find(line, LOGGER) {
        let after = logger + LOGGER.len();
        let begins = |byte: &u8| !byte.is_ascii_whitespace() && !matches!(byte, b'-' | b':' | b']');
        let message = line[after..].iter().position(begins).map_or(line.len(), |skipped| after + skipped);
        // The colon of `:nemesis` is not the logger's.
        let message = if line[message..].starts_with(b"nemesis") { message - 1 } else { message };
        if let Some(parts) = op_at(line, message) {
            return Ok(Some(parts));
        }
        let mut words = words(line, message);
        let is_process = words.next().is_some_and(|(_, word)| process(word).is_some());
        return match words.next() {
            Some((at, word)) if is_process && word.starts_with(b":") => Err((
                at,
                format!("expected :invoke, :ok, :fail or :info, :f and value, found {}", found(&line[at..])),
            )),
            _ => Ok(None),
        };
    }
    // Other loggers: wherever a process and a type stand one after the other.
    let starts = words(line, 0).map(|(at, _)| at);
    Ok(starts.filter_map(|at| op_at(line, at)).next())
}

/// The words of a line from a place on, with their places.
fn words(line: &[u8], from: usize) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = from;
    std::iter::from_fn(move || {
        at += line[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let length = line[at..].iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
        let word = (at, &line[at..at + length]);
        at += length;
        (length > 0).then_some(word)
    })
}

fn process(word: &[u8]) -> Option<Process> {
    match word {
        b":nemesis" => Some(Process::Nemesis),
        _ => match digits::leading(word) {
            (number, length) if length == word.len() && length > 0 => Some(Process::Client(number)),
            _ => None,
        },
    }
}

fn op_at(line: &[u8], at: usize) -> Option<Parts<'_>> {
    let mut words = words(line, at);
    let process = process(words.next()?.1)?;
    let op_type = match words.next()?.1 {
        b":invoke" => OpType::Invoke,
        b":ok" => OpType::Ok,
        b":fail" => OpType::Fail,
        b":info" => OpType::Info,
        _ => return None,
    };
    let (at, f) = words.next()?;
    let name = f.strip_prefix(b":").filter(|name| !name.is_empty())?;
    Some(Parts { process, op_type, f: name, value_at: at + f.len() })
}

fn push(builder: &mut Builder, line: &[u8], parts: &Parts<'_>) -> Result<(), Stop> {
    let Parts { process, op_type, f, value_at } = *parts;
    let (value, error) = value(builder, line, parts)?;
    let row = Row {
        index: None,
        time_ns: None,
        op_type,
        process,
        f: builder.function(f).map_err(|reason| Stop::bad(value_at, reason))?,
        key: None,
        value,
        more: error.map(|error| Box::new(More { error: Some(error), ..More::default() })),
    };
    builder.push_row(row).map_err(|reason| Stop::bad(value_at, reason))
}

/// The value of an op, and its error.
fn value(builder: &mut Builder, line: &[u8], parts: &Parts<'_>) -> Result<(ValueId, Option<String>), Stop> {
    let blanks = line[parts.value_at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let at = parts.value_at + blanks;
    let text = &line[at..];
    let words = || String::from_utf8_lossy(text).into_owned();
    let given_up = matches!(parts.op_type, OpType::Fail | OpType::Info);
    if text.is_empty() {
        return Ok((ValueId::NIL, None));
    }
    if given_up && text.starts_with(b":") && parts.process != Process::Nemesis {
        return Ok((ValueId::NIL, Some(words().trim_start_matches(':').to_owned())));
    }
    let mut parser = edn::parser::Parser::new(text, true);
    let parsed = parser.value(builder.values());
    let rest = text[parser.at.min(text.len())..].trim_ascii();
    match parsed {
        Ok(value) if rest.is_empty() => Ok((value, None)),
        // The error stands after the value, where there is one.
        Ok(value) if given_up && text.get(parser.at) == Some(&b'\t') => {
            let error = match edn::value_of(rest, builder.values()) {
                Ok(error) => match builder.values().view(error) {
                    crate::history::values::ValueView::Text(error) => error.to_owned(),
                    _ => String::from_utf8_lossy(rest).into_owned(),
                },
                Err(_) => String::from_utf8_lossy(rest).into_owned(),
            };
            Ok((value, Some(error)))
        }
        _ if parts.process == Process::Nemesis => Ok((builder.values().text(&words()), None)),
        _ if given_up => Ok((ValueId::NIL, Some(words()))),
        Ok(_) => {
            let at = line.len() - rest.len();
            Err(Stop::bad(at, format!("expected the end of the line after the value, found {}", found(rest))))
        }
        Err(Stop::Bad(mut bad)) => {
            bad.at += at;
            Err(Stop::Bad(bad))
        }
        Err(Stop::More) => Err(Stop::More),
    }
}
