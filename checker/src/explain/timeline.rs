//! A witness as a picture in text: one line an operation, time from left to right.
//!
//! The columns are the order of events, not the seconds: what matters is which of two ends was first,
//! and at true scale the important ones would fall into one column.

use std::fmt;

use super::witness::{Witness, WitnessOp};
use super::words;
use crate::history::op::Value;
use crate::history::pair::Outcome;

/// Columns an event is wide.
const EVENT_COLUMNS: usize = 3;

/// Longest label of an operation, in characters.
const LABEL_CHARS_MAX: usize = 44;

/// Operations drawn; a witness is meant to be much smaller.
const OPS_DRAWN_MAX: usize = 40;

/// The picture of a witness.
pub(crate) struct Timeline<'w> {
    pub(crate) witness: &'w Witness,
}

impl fmt::Display for Timeline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ops = &self.witness.ops;
        // The end is where it went wrong.
        let (left_out, drawn) = ops.split_at(ops.len().saturating_sub(OPS_DRAWN_MAX));
        let mut events: Vec<u64> =
            drawn.iter().flat_map(|op| [Some(op.invoke_index), op.complete_index]).flatten().collect();
        events.sort_unstable();
        let column = |index: u64| events.partition_point(|event| *event < index) * EVENT_COLUMNS;
        let columns = events.len() * EVENT_COLUMNS + 1;
        let labels: Vec<String> = drawn.iter().map(label).collect();
        let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
        if !left_out.is_empty() {
            writeln!(f, "    … {} earlier ones, then", left_out.len())?;
        }
        let timed = self.witness.window.is_timed();
        for (op, label) in drawn.iter().zip(&labels) {
            let marker = if op.failing { '>' } else { ' ' };
            let bar = bar(op, columns, column);
            write!(f, "  {marker} {label:width$}  {bar}  ")?;
            writeln!(f, "{}", times(op, timed))?;
        }
        for nemesis in &self.witness.nemesis {
            let at = if timed { format!("  {}", words::seconds(nemesis.time_ns)) } else { String::new() };
            let f_ = &nemesis.f;
            let place = if nemesis.index < self.witness.window.first_index { "before: " } else { "" };
            match &nemesis.value {
                Value::Nil => writeln!(f, "    nemesis {place}{f_}{at} (op {})", nemesis.index)?,
                value => {
                    writeln!(
                        f,
                        "    nemesis {place}{f_} {}{at} (op {})",
                        words::brief(value),
                        nemesis.index
                    )?;
                }
            }
        }
        Ok(())
    }
}

fn label(op: &WitnessOp) -> String {
    let value = match &op.value {
        Value::List(pair) if op.f == "cas" && pair.len() == 2 => format!("{} → {}", pair[0], pair[1]),
        value => words::brief(value),
    };
    let label = format!("process {} {} {value}", op.process, op.f);
    if label.chars().count() <= LABEL_CHARS_MAX {
        return label;
    }
    let kept: String = label.chars().take(LABEL_CHARS_MAX - 1).collect();
    format!("{kept}…")
}

/// `[=====]` from invocation to completion; `[=====?` with no end when the outcome is unknown.
fn bar(op: &WitnessOp, columns: usize, column: impl Fn(u64) -> usize) -> String {
    let start = column(op.invoke_index);
    let (end, last) = match (op.outcome, op.complete_index) {
        (Outcome::Ok, Some(index)) => (column(index), ']'),
        (Outcome::Failed, Some(index)) => (column(index), 'x'),
        (Outcome::Unknown, _) | (_, None) => (columns - 1, '?'),
    };
    let line = (0..columns).map(|place| match place {
        _ if place == start => '[',
        _ if place == end => last,
        _ if start < place && place < end => '=',
        _ => ' ',
    });
    line.collect()
}

/// When, or by the numbers of its ops alone where nobody wrote down times.
fn times(op: &WitnessOp, timed: bool) -> String {
    let start = words::seconds(op.start_ns);
    let end = match (op.outcome, op.end_ns) {
        (Outcome::Ok | Outcome::Failed, Some(end)) => words::seconds(end),
        (Outcome::Unknown, _) | (_, None) => "?".to_owned(),
    };
    let ops = match op.complete_index {
        Some(complete) => format!("ops {}, {complete}", op.invoke_index),
        None => format!("op {}", op.invoke_index),
    };
    let when = if timed { format!("{start} – {end} ({ops})") } else { ops };
    if op.role.is_empty() { when } else { format!("{when}: {}", op.role) }
}
