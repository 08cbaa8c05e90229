//! Operations and times in the words of a person.

use crate::history::History;
use crate::history::op::Value;
use crate::history::pair::{Call, Outcome};

/// Between two ops on the average at least so many nanoseconds are times that say something.
const GAP_NS_MIN: u64 = 100;

/// Elements of a list that are spelt out.
const ELEMENTS_SHOWN_MAX: usize = 12;

/// Seconds with at least milliseconds, finer only where there is something finer to say.
pub(crate) fn seconds(ns: u64) -> String {
    let micros = ns / 1_000;
    let (whole, fraction) = (micros / 1_000_000, micros % 1_000_000);
    if fraction.is_multiple_of(1_000) {
        format!("{whole}.{:03} s", fraction / 1_000)
    } else {
        format!("{whole}.{fraction:06} s")
    }
}

/// Whether times tell one op from the next: some recorders count events instead.
pub(crate) fn tells_times(history: &History) -> bool {
    let last = history.len().saturating_sub(1);
    history.has_times() && are_times(history.time_ns(last), history.index(last))
}

/// Whether so many nanoseconds for so many ops are times.
pub(crate) fn are_times(ns: u64, ops: u64) -> bool {
    ns > 0 && ns / GAP_NS_MIN >= ops
}

/// When a call was open: "at 1.000 s–1.200 s", or by the numbers of its ops where nobody wrote down times.
pub(crate) fn span(call: &Call<'_>) -> String {
    let start = moment(call, call.start());
    match (call.outcome(), call.completion()) {
        (Outcome::Ok | Outcome::Failed, Some(completion)) => match tells_times(call.history()) {
            true => format!("at {start}–{}", seconds(call.history().time_ns(completion))),
            false => format!("at ops {}–{}", call.invoke_index(), call.history().index(completion)),
        },
        (Outcome::Unknown, Some(completion)) => {
            format!("begun at {start}, given up at {}, outcome unknown", moment(call, completion))
        }
        (_, None) => format!("begun at {start}, never answered"),
    }
}

/// When a call ended: "at 1.200 s".
pub(crate) fn ended(call: &Call<'_>) -> String {
    match call.completion() {
        Some(completion) => format!("at {}", moment(call, completion)),
        None => "never".to_owned(),
    }
}

/// When a call began: "at 1.000 s".
pub(crate) fn began(call: &Call<'_>) -> String {
    format!("at {}", moment(call, call.start()))
}

fn moment(call: &Call<'_>, position: usize) -> String {
    match tells_times(call.history()) {
        true => seconds(call.history().time_ns(position)),
        false => format!("op {}", call.history().index(position)),
    }
}

/// What it was: "read of 41".
pub(crate) fn what(call: &Call<'_>) -> String {
    let argument = &call.asked();
    match (call.f(), argument) {
        ("read", _) => match call.result() {
            Some(value) => format!("read of {}", brief(&value)),
            None => "read".to_owned(),
        },
        ("write" | "append" | "add", value) => format!("{} of {}", call.f(), brief(value)),
        ("cas", Value::List(pair)) if pair.len() == 2 => {
            format!("cas from {} to {}", brief(&pair[0]), brief(&pair[1]))
        }
        (f, Value::Nil) => match call.result() {
            Some(result) => format!("{f} (answer {})", brief(&result)),
            None => f.to_owned(),
        },
        (f, value) => match call.result() {
            Some(result) if result != *value => {
                format!("{f} {} with result {}", brief(value), brief(&result))
            }
            _ => format!("{f} {}", brief(value)),
        },
    }
}

/// Whose and what: "process 7's read of 41".
pub(crate) fn whose(call: &Call<'_>) -> String {
    format!("process {}'s {}", call.process(), what(call))
}

/// Who did what: "process 7 read 41".
pub(crate) fn did(call: &Call<'_>) -> String {
    let process = call.process();
    let value = || brief(&call.result().unwrap_or_else(|| call.asked()));
    match call.f() {
        "read" => format!("process {process} read {}", value()),
        "write" => format!("process {process} wrote {}", brief(&call.asked())),
        "append" => format!("process {process} appended {}", brief(&call.asked())),
        "add" => format!("process {process} added {}", brief(&call.asked())),
        _ => format!("process {process} did {}", what(call)),
    }
}

/// A value, a long list shortened in its middle.
pub(crate) fn brief(value: &Value) -> String {
    match value {
        Value::List(values) if values.len() > ELEMENTS_SHOWN_MAX => {
            let shown =
                |values: &[Value]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            let half = ELEMENTS_SHOWN_MAX / 2;
            let (head, tail) = (&values[..half], &values[values.len() - half..]);
            format!("[{} … {}] ({} elements)", shown(head), shown(tail), values.len())
        }
        _ => value.to_string(),
    }
}
