//! fastlin's and fptlin's texts: a header that names the object, then one operation a line.
//!
//! fastlin: `enq 2 0 1` is method, value, start and end. fptlin: `0 1 5 ENQ 10`, or `0 ENQ 10 1 5` in its
//! older versions, has a process and methods in capitals, and one value more where a method answers
//! whether it succeeded. All operations are complete; one that
//! ends when another starts comes before it; -1 is what an empty object answers.
//!
//! Functions are given the field's names (`enqueue`, `dequeue`). Those of a set are invoked with the element
//! and answer true or false, and so do a semaphore's `incr` and `decr`. A read-modify-write is a `cas` that
//! succeeded, of a register that holds 0 at first.

use std::io::Read;

use super::builder::Builder;
use super::error::{ReadError, found};
use super::interval::{self, Interval, Ties};
use super::window::Window;
use super::{Format, Recorded};
use crate::history::op::Value;
use crate::history::values::{ValueId, Values};

/// What an empty object answers.
const EMPTY: &str = "-1";

/// The model that a header names; none if the line is no header.
fn header(line: &[u8]) -> Option<(&'static str, Value)> {
    let name = std::str::from_utf8(line).ok()?.strip_prefix('#')?.trim();
    let model = match name.to_ascii_lowercase().as_str() {
        "queue" => "queue",
        "stack" => "stack",
        "priorityqueue" | "pqueue" => "priority-queue",
        "set" => "element-set",
        "semaphore" => "semaphore",
        "rmw" => return Some(("cas-register", Value::Int(0))),
        _ => return None,
    };
    Some((model, Value::Nil))
}

/// Which of the two formats a file is in, by its header and its first operation.
pub(super) fn detect(bytes: &[u8]) -> Option<Format> {
    let mut lines =
        bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    header(lines.next()?)?;
    let first = lines.find(|line| !line.starts_with(b"#")).unwrap_or_default();
    Some(if first.first().is_some_and(u8::is_ascii_digit) { Format::Fptlin } else { Format::Fastlin })
}

pub(super) fn read(
    window: &mut Window<impl Read>,
    mut builder: Builder,
    format: Format,
) -> Result<Recorded, ReadError> {
    let mut intervals = Vec::new();
    while let Some(length) = window.line()? {
        let line = window.rest()[..length].trim_ascii_end();
        if line.starts_with(b"#") {
            builder.named = builder.named.or_else(|| header(line));
        } else if !line.is_empty() {
            let interval = operation(&mut builder, line, format);
            intervals.push(interval.map_err(|(at, reason)| window.malformed(at, reason))?);
        }
        window.advance(length + 1);
    }
    interval::push_all(&mut builder, &intervals, Ties::ReturnsFirst)
        .map_err(|reason| window.malformed(0, reason))?;
    builder.finish(format, window.lines())
}

type Wrong = (usize, String);

fn operation(builder: &mut Builder, line: &[u8], format: Format) -> Result<Interval, Wrong> {
    let text = std::str::from_utf8(line)
        .map_err(|error| (error.valid_up_to(), "the text is not UTF-8".to_owned()))?;
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let place = |word: &str| word.as_ptr().addr() - text.as_ptr().addr();
    let (process, method, values, start, end) = match (format, &words[..]) {
        (Format::Fastlin, [method, values @ .., start, end]) => (None, *method, values, *start, *end),
        (_, [process, start, end, method, values @ ..]) if is_word(method) && !is_word(start) => {
            (Some(*process), *method, values, *start, *end)
        }
        (_, [process, method, values @ .., start, end]) if is_word(method) => {
            (Some(*process), *method, values, *start, *end)
        }
        (Format::Fastlin, _) => {
            return Err((0, format!("expected method, value, start and end, found {}", found(line))));
        }
        _ => {
            return Err((
                0,
                format!("expected process, start, end, method and value, found {}", found(line)),
            ));
        }
    };
    let is_set = matches!(builder.named, Some(("element-set", _)));
    let (name, argument, result) = meaning(builder.values(), is_set, method, values).ok_or_else(|| {
        (
            place(method),
            format!("expected a method and its value, found {}", found(&text.as_bytes()[place(method)..])),
        )
    })?;
    let number = |word: &str, what: &str| {
        let number: Option<i64> = word.parse().ok();
        number.ok_or_else(|| (place(word), format!("expected {what}, found {}", found(word.as_bytes()))))
    };
    let (call, returned) = (number(start, "a start time")?, number(end, "an end time")?);
    if returned < call {
        return Err((place(end), "an operation that ends before it starts".to_owned()));
    }
    let process = process.map(|process| number(process, "a process number")).transpose()?;
    Ok(Interval {
        process: process.and_then(|process| u64::try_from(process).ok()),
        f: builder.function(name.as_bytes()).map_err(|reason| (place(method), reason))?,
        key: None,
        argument,
        result,
        call,
        returned: Some(returned),
    })
}

fn is_word(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_alphabetic())
}

/// The function, argument and result of a method.
fn meaning(
    values: &mut Values,
    is_set: bool,
    method: &str,
    words: &[&str],
) -> Option<(&'static str, ValueId, ValueId)> {
    let method = method.to_ascii_lowercase();
    if let Some(answered) = set_or_semaphore(values, is_set, &method, words) {
        return Some(answered);
    }
    let (put, taken) = match (&*method, words) {
        ("enq" | "enqueue", [value]) => (Some(("enqueue", number_or_text(values, value))), None),
        ("push", [value]) => (Some(("push", number_or_text(values, value))), None),
        ("insert", [value]) => (Some(("insert", number_or_text(values, value))), None),
        ("deq" | "dequeue", [value]) => (None, Some(("dequeue", *value))),
        ("pop", [value]) => (None, Some(("pop", *value))),
        ("poll", [value]) => (None, Some(("poll", *value))),
        ("peek", [value]) => (None, Some(("peek", *value))),
        ("read_modify_write" | "rmw", [old, new]) => {
            let pair = [number_or_text(values, old), number_or_text(values, new)];
            (Some(("cas", values.list(&pair))), None)
        }
        _ => return None,
    };
    match (put, taken) {
        (Some((name, value)), _) => Some((name, value, value)),
        (None, Some((name, EMPTY))) => Some((name, ValueId::NIL, ValueId::NIL)),
        (None, Some((name, value))) => Some((name, ValueId::NIL, number_or_text(values, value))),
        (None, None) => None,
    }
}

/// The same for what answers whether it succeeded.
fn set_or_semaphore(
    values: &mut Values,
    is_set: bool,
    method: &str,
    words: &[&str],
) -> Option<(&'static str, ValueId, ValueId)> {
    let (name, element, succeeded) = match (method, words) {
        ("insert", [element]) if is_set => ("insert", Some(element), true),
        ("insert", [element, succeeded]) => ("insert", Some(element), truth(succeeded)?),
        ("remove", [element]) => ("remove", Some(element), true),
        ("remove", [element, succeeded]) => ("remove", Some(element), truth(succeeded)?),
        ("contains", [element, found]) => ("contains", Some(element), truth(found)?),
        ("contains_true" | "containstrue", [element]) => ("contains", Some(element), true),
        ("contains_false" | "containsfalse", [element]) => ("contains", Some(element), false),
        ("incr", [succeeded]) => ("incr", None, truth(succeeded)?),
        ("decr", [succeeded]) => ("decr", None, truth(succeeded)?),
        _ => return None,
    };
    let element = match element {
        Some(element) => number_or_text(values, element),
        None => ValueId::NIL,
    };
    Some((name, element, values.bool(succeeded)))
}

fn number_or_text(values: &mut Values, word: &str) -> ValueId {
    match word.parse() {
        Ok(number) => values.int(number),
        Err(_) => values.text(word),
    }
}

fn truth(word: &str) -> Option<bool> {
    match word {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}
