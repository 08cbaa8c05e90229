//! LiMo's text: `# @object atomic-queue`, then `[1] call enq(1)` and `[1] return`, one event a line.
//!
//! What a thread takes out stands after `return`, or in the brackets of the call (`pop(?<0,1>)`), where it
//! is no argument. Neither, or the word `empty`, is the answer of an empty object. A thread that calls
//! again before its call returned is an error; a call that never returns is of unknown outcome.

use std::collections::HashMap;
use std::io::Read;

use super::builder::Builder;
use super::error::{ReadError, found};
use super::open_calls::OpenCalls;
use super::window::Window;
use super::{Format, Recorded};
use crate::history::op::{OpType, Process, Value};
use crate::history::values::{ValueId, Values};
use crate::history::{F, Row};

/// Threads by their names, in the order in which they are met.
#[derive(Default)]
struct Threads {
    numbers: HashMap<String, u64>,
    /// What is open, by thread: the function and what its return means if it says nothing.
    open: HashMap<u64, (F, ValueId, bool)>,
    calls: OpenCalls,
}

/// Whether a line is an event.
pub(super) fn is_event(line: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(line.trim_ascii()) else { return false };
    let event = text.strip_prefix('[').and_then(|text| text.split_once(']'));
    event.is_some_and(|(_, event)| matches!(event.split_ascii_whitespace().next(), Some("call" | "return")))
}

pub(super) fn read(window: &mut Window<impl Read>, mut builder: Builder) -> Result<Recorded, ReadError> {
    let (mut threads, mut line_number, mut object) = (Threads::default(), 0, String::new());
    while let Some(length) = window.line()? {
        line_number += 1;
        let line = window.rest()[..length].trim_ascii_end();
        let not_text =
            |error: std::str::Utf8Error| window.malformed(error.valid_up_to(), "the text is not UTF-8");
        let text = std::str::from_utf8(line).map_err(not_text)?;
        if let Some(comment) = text.strip_prefix('#') {
            if let Some(name) = comment.trim().strip_prefix("@object") {
                object = name.trim().to_owned();
                builder.named = model(&object).map(|model| (model, Value::Nil));
            }
        } else if !text.is_empty() {
            let event = event(&mut builder, &mut threads, &object, text, line_number);
            event.map_err(|(at, reason)| window.malformed(at, reason))?;
        }
        window.advance(length + 1);
    }
    builder.finish(Format::Limo, line_number)
}

fn model(object: &str) -> Option<&'static str> {
    match object.strip_prefix("atomic-").unwrap_or(object) {
        "queue" => Some("queue"),
        "stack" => Some("stack"),
        "set" => Some("element-set"),
        "priority-queue" | "priorityqueue" => Some("priority-queue"),
        "register" => Some("register"),
        _ => None,
    }
}

/// The field's name of a method, and whether it takes something out.
fn function(object: &str, method: &str) -> (String, bool) {
    let method = method.to_ascii_lowercase();
    let name = match (
        object.ends_with("queue") && !object.contains("priority"),
        object.ends_with("stack"),
        &*method,
    ) {
        (true, _, "enq" | "add" | "put" | "offer") => "enqueue",
        (true, _, "deq" | "rem" | "remove" | "get" | "poll") => "dequeue",
        (_, true, "add" | "put") => "push",
        (_, true, "rem" | "remove" | "get") => "pop",
        _ => &method,
    };
    let takes = matches!(name, "dequeue" | "pop" | "poll" | "peek" | "read" | "rem" | "get" | "deq");
    (name.to_owned(), takes)
}

type Wrong = (usize, String);

fn event(
    builder: &mut Builder,
    threads: &mut Threads,
    object: &str,
    text: &str,
    line: u64,
) -> Result<(), Wrong> {
    let expected = || {
        (0, format!("expected `[thread] call ..` or `[thread] return ..`, found {}", found(text.as_bytes())))
    };
    let (thread, event) =
        text.trim_start().strip_prefix('[').and_then(|text| text.split_once(']')).ok_or_else(expected)?;
    let event = event.trim();
    let fresh = threads.numbers.len() as u64;
    let process = match thread.parse() {
        Ok(number) => number,
        // Names are numbered from where no number of a thread is likely to be.
        Err(_) => *threads.numbers.entry(thread.to_owned()).or_insert((1 << 32) + fresh),
    };
    let word = event.split_ascii_whitespace().next().unwrap_or_default();
    let rest = event[word.len()..].trim();
    let op_type = match word {
        "call" if !rest.is_empty() => OpType::Invoke,
        "return" => OpType::Ok,
        _ => return Err(expected()),
    };
    let client = Process::Client(process);
    threads.calls.observe(client, op_type, line).map_err(|reason| (0, reason))?;
    let at = text.len() - rest.len();
    let (f, value) = match op_type {
        OpType::Invoke => {
            let (method, argument) = match rest.find(['(', ' ', '\t']) {
                Some(end) => (&rest[..end], rest[end..].trim()),
                None => (rest, ""),
            };
            let argument = match argument.strip_prefix('(') {
                Some(inside) => {
                    inside.strip_suffix(')').ok_or_else(|| (at, "a call without its `)`".to_owned()))?
                }
                None => argument,
            };
            let (name, takes) = function(object, method);
            let f = builder.function(name.as_bytes()).map_err(|reason| (at, reason))?;
            let value = value_of(builder.values(), argument.trim());
            threads.open.insert(process, (f, value, takes));
            (f, if takes { ValueId::NIL } else { value })
        }
        _ => {
            let (f, asked, takes) = threads.open.remove(&process).ok_or_else(expected)?;
            let answer = value_of(builder.values(), rest);
            let said_nothing = rest.is_empty() || (!takes && answer == ValueId::NIL);
            (f, if said_nothing { asked } else { answer })
        }
    };
    let row = Row { index: None, time_ns: None, op_type, process: client, f, key: None, value, more: None };
    builder.push_row(row).map_err(|reason| (0, reason))
}

/// A number, or text; nothing for what an empty object answers.
fn value_of(values: &mut Values, text: &str) -> ValueId {
    match text.to_ascii_lowercase().as_str() {
        "" | "empty" | "nil" | "null" | "none" => return ValueId::NIL,
        "true" => return values.bool(true),
        "false" => return values.bool(false),
        _ => {}
    }
    match text.parse() {
        Ok(number) => values.int(number),
        Err(_) => values.text(text),
    }
}
