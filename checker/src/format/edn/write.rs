//! Histories as EDN, one op map a line, and as Jepsen's history.txt.
//!
//! What is written is read back as the same history, with these exceptions: history.txt has no place
//! for indices, times and what is only carried along, and drops them; carried-along numbers beyond 64
//! bits become text. The key of an op is written as `:key`, not as `[key value]`, which could not always
//! be told from a list of two.

use std::fmt::Write as _;
use std::io::Write;

use crate::format::Format;
use crate::format::error::WriteError;
use crate::history::op::Process;
use crate::history::values::{ValueId, ValueView, Values};
use crate::history::{History, More};

/// Writes one op map a line.
pub(in crate::format) fn edn(history: &History, writer: &mut impl Write) -> Result<(), WriteError> {
    let mut line = String::new();
    for position in 0..history.len() {
        line.clear();
        op(history, position, &mut line);
        line.push('\n');
        writer.write_all(line.as_bytes())?;
    }
    Ok(())
}

fn op(history: &History, position: usize, line: &mut String) {
    let (index, op_type) = (history.index(position), history.op_type(position));
    // Writing to a string can't fail.
    let _ = write!(line, "{{:index {index}");
    if history.has_times() {
        let _ = write!(line, ", :time {}", history.time_ns(position));
    }
    let _ = match history.process(position) {
        Process::Client(process) => write!(line, ", :type :{op_type}, :process {process}, :f "),
        Process::Nemesis => write!(line, ", :type :{op_type}, :process :nemesis, :f "),
    };
    keyword(history.name(history.f_id(position)), line);
    line.push_str(", :value ");
    value(history.values(), history.value_id(position), line);
    if let Some(key) = history.key_id(position) {
        line.push_str(", :key ");
        value(history.values(), key, line);
    }
    if let Some(more) = history.more(position) {
        self::more(more, line);
    }
    line.push('}');
}

fn more(more: &More, line: &mut String) {
    if let Some(intended_ns) = more.intended_ns {
        let _ = write!(line, ", :intended-ns {intended_ns}");
    }
    if more.late {
        line.push_str(", :late true");
    }
    if let Some(error) = &more.error {
        line.push_str(", :error ");
        string(error, line);
    }
    for (name, value) in &more.extra {
        line.push_str(", ");
        keyword(name, line);
        line.push(' ');
        json(value, line);
    }
}

/// Writes process, type, function, value and error, separated by tabs.
pub(in crate::format) fn history_txt(history: &History, writer: &mut impl Write) -> Result<(), WriteError> {
    let mut line = String::new();
    for position in 0..history.len() {
        let cannot = |what: &str| WriteError::CannotCarry {
            format: Format::HistoryTxt,
            what: what.to_owned(),
            position,
        };
        let name = history.name(history.f_id(position));
        if history.key_id(position).is_some() {
            return Err(cannot("a key"));
        }
        if !is_keyword(name) {
            return Err(cannot("a function whose name is no keyword"));
        }
        line.clear();
        let _ = match history.process(position) {
            Process::Client(process) => write!(line, "{process}"),
            Process::Nemesis => write!(line, ":nemesis"),
        };
        let _ = write!(line, "\t:{}\t:{name}\t", history.op_type(position));
        value(history.values(), history.value_id(position), &mut line);
        if let Some(more) = history.more(position) {
            if more.late {
                return Err(cannot("late knowledge"));
            }
            if let Some(error) = &more.error {
                line.push('\t');
                string(error, &mut line);
            }
        }
        line.push('\n');
        writer.write_all(line.as_bytes())?;
    }
    Ok(())
}

/// Whether a name written after a colon is read back as itself.
fn is_keyword(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_./*+!?<>=".contains(&byte))
}

fn keyword(name: &str, line: &mut String) {
    if is_keyword(name) {
        line.push(':');
        line.push_str(name);
    } else {
        string(name, line);
    }
}

fn string(text: &str, line: &mut String) {
    line.push('"');
    for character in text.chars() {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            other => line.push(other),
        }
    }
    line.push('"');
}

fn float(number: f64, line: &mut String) {
    let _ = match number {
        _ if number.is_nan() => write!(line, "##NaN"),
        f64::INFINITY => write!(line, "##Inf"),
        f64::NEG_INFINITY => write!(line, "##-Inf"),
        _ => write!(line, "{number:?}"),
    };
}

fn spaced(values: &Values, elements: &[ValueId], line: &mut String) {
    for (place, element) in elements.iter().enumerate() {
        if place > 0 {
            line.push(' ');
        }
        value(values, *element, line);
    }
}

/// A value in EDN.
pub(in crate::format) fn value(values: &Values, id: ValueId, line: &mut String) {
    match values.view(id) {
        ValueView::Nil => line.push_str("nil"),
        ValueView::Bool(truth) => line.push_str(if truth { "true" } else { "false" }),
        ValueView::Int(number) => {
            let _ = write!(line, "{number}");
        }
        ValueView::Float(number) => float(number, line),
        ValueView::Text(text) => string(text, line),
        ValueView::List(elements) => {
            line.push('[');
            spaced(values, elements, line);
            line.push(']');
        }
        ValueView::Set(elements) => {
            line.push_str("#{");
            spaced(values, elements, line);
            line.push('}');
        }
        ValueView::Map(entries) => {
            line.push('{');
            spaced(values, entries, line);
            line.push('}');
        }
    }
}

fn json(json: &serde_json::Value, line: &mut String) {
    use serde_json::Value as Json;
    match json {
        Json::Null => line.push_str("nil"),
        Json::Bool(truth) => line.push_str(if *truth { "true" } else { "false" }),
        Json::Number(number) => match number.as_f64() {
            Some(fraction) if number.is_f64() => float(fraction, line),
            _ => line.push_str(&number.to_string()),
        },
        Json::String(text) => string(text, line),
        Json::Array(elements) => {
            line.push('[');
            for (place, element) in elements.iter().enumerate() {
                if place > 0 {
                    line.push(' ');
                }
                self::json(element, line);
            }
            line.push(']');
        }
        Json::Object(entries) => {
            line.push('{');
            for (place, (name, entry)) in entries.iter().enumerate() {
                if place > 0 {
                    line.push_str(", ");
                }
                string(name, line);
                line.push(' ');
                self::json(entry, line);
            }
            line.push('}');
        }
    }
}
