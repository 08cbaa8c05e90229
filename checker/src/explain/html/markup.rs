//! The verdict and its reason as HTML: what a person reads before looking at the picture.
//!
//! Works without the script, which only makes the rows of the table jump. Everything that comes from a
//! history goes through [`Escaped`].

use std::fmt;
use std::io::{self, Write};

use crate::explain::witness::{Witness, WitnessOp};
use crate::explain::words;
use crate::history::op::Value;
use crate::history::pair::{OpCounts, Outcome};
use crate::verdict::{Report, Verdict};

/// Rows of the table of operations; a witness is meant to be much smaller.
const OPS_SHOWN_MAX: usize = 60;
/// The longest value in the table, in characters.
const VALUE_CHARS_MAX: usize = 160;

/// Text that means itself, in elements and in quoted attributes.
pub(super) struct Escaped<T>(pub(super) T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Write::write_fmt(&mut Escaping(f), format_args!("{}", self.0))
    }
}

struct Escaping<'f, 'b>(&'f mut fmt::Formatter<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|char| match char {
            '&' => self.0.write_str("&amp;"),
            '<' => self.0.write_str("&lt;"),
            '>' => self.0.write_str("&gt;"),
            '"' => self.0.write_str("&quot;"),
            '\'' => self.0.write_str("&#39;"),
            // A browser would take it for the end of the page or for nothing at all.
            '\0' => f_write(self.0, '\u{fffd}'),
            char => f_write(self.0, char),
        })
    }
}

fn f_write(f: &mut fmt::Formatter<'_>, char: char) -> fmt::Result {
    fmt::Write::write_char(f, char)
}

/// Text safe inside a script element that holds JSON: no tag can begin in it.
pub(super) fn json(value: &impl serde::Serialize) -> io::Result<String> {
    let json = serde_json::to_string(value)?;
    Ok(json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"))
}

/// The verdict, what it rests on, and why.
pub(super) fn write_verdict(report: &Report, timed: bool, out: &mut impl Write) -> io::Result<()> {
    let OpCounts { invoked, ok, failed, unknown } = report.ops;
    let word = report.verdict.word();
    writeln!(out, r#"<header class="tl-verdict tl-{word}">"#)?;
    writeln!(out, r#"<p class="tl-facts"><b class="tl-badge">{word}</b>"#)?;
    writeln!(out, "<span>{}</span>", Escaped(&report.check))?;
    writeln!(out, "<span>{invoked} ops: {ok} ok, {failed} failed, {unknown} unknown</span>")?;
    writeln!(out, "<span>{}</span>", counted(report.keys, "key"))?;
    writeln!(out, "<span>{}</span></p>", Escaped(&report.engine))?;
    match &report.verdict {
        Verdict::Valid => {
            let note = "Some order of these operations fits both their results and their times.";
            writeln!(out, r#"<p class="tl-summary">{note}</p>"#)?;
        }
        Verdict::Unknown(reason) => {
            writeln!(out, r#"<p class="tl-summary">Nobody can tell: {}.</p>"#, Escaped(reason))?;
            writeln!(out, r#"<p class="tl-note">Unknown is never to be taken for valid.</p>"#)?;
        }
        Verdict::Invalid(witness) => write_witness(report, witness, timed, out)?,
    }
    writeln!(out, "</header>")
}

fn write_witness(report: &Report, witness: &Witness, timed: bool, out: &mut impl Write) -> io::Result<()> {
    write!(out, r#"<p class="tl-summary"><b>{}"#, Escaped(witness.anomaly))?;
    if let Some(key) = &witness.key {
        write!(out, " on key {}", Escaped(brief(key)))?;
    }
    writeln!(out, "</b>: {}</p>", Escaped(&witness.summary))?;
    if report.invalid_keys.len() > 1 {
        let others = counted(report.invalid_keys.len() as u64 - 1, "other key");
        writeln!(out, r#"<p class="tl-note">{others} invalid too.</p>"#)?;
    }
    writeln!(out, r#"<div class="tl-why">"#)?;
    if !witness.reasons.is_empty() {
        writeln!(out, "<ol>")?;
        for reason in &witness.reasons {
            writeln!(out, "<li>{}</li>", Escaped(reason))?;
        }
        writeln!(out, "</ol>")?;
    }
    if let Some(drawing) = &witness.drawing {
        writeln!(out, r#"<pre class="tl-drawing">{}</pre>"#, Escaped(drawing))?;
    }
    let when = if timed { "from – to" } else { "ops" };
    writeln!(out, r#"<div class="tl-table"><table><thead><tr><th scope="col">process</th>"#)?;
    writeln!(out, r#"<th scope="col">operation</th><th scope="col">{when}</th>"#)?;
    writeln!(out, r#"<th scope="col">its part</th></tr></thead><tbody>"#)?;
    for op in witness.ops.iter().take(OPS_SHOWN_MAX) {
        write_row(op, timed, out)?;
    }
    writeln!(out, "</tbody></table></div></div>")?;
    if let Some(more) = witness.ops.len().checked_sub(OPS_SHOWN_MAX + 1) {
        writeln!(out, r#"<p class="tl-note">{} more operations, framed below.</p>"#, more + 1)?;
    }
    Ok(())
}

fn write_row(op: &WitnessOp, timed: bool, out: &mut impl Write) -> io::Result<()> {
    let class = if op.failing { " class=\"tl-failing\"" } else { "" };
    writeln!(out, r#"<tr data-op="{}"{class}><td>{}</td>"#, op.invoke_index, op.process)?;
    let (f, value) = (&op.f, what(op));
    let (f, value) = (Escaped(f), Escaped(value));
    writeln!(out, r#"<td><button type="button" class="tl-jump">{f} {value}</button></td>"#)?;
    let from = if timed { words::seconds(op.start_ns) } else { op.invoke_index.to_string() };
    let to = match (op.outcome, op.end_ns, op.complete_index) {
        (Outcome::Unknown, ..) | (_, None, _) | (.., None) => "?".to_owned(),
        (_, Some(end_ns), Some(_)) if timed => words::seconds(end_ns),
        (.., Some(index)) => index.to_string(),
    };
    let failed = if op.outcome == Outcome::Failed { " (failed)" } else { "" };
    writeln!(out, "<td>{from} – {to}{failed}</td><td>{}</td></tr>", Escaped(&op.role))
}

fn what(op: &WitnessOp) -> String {
    match &op.value {
        Value::List(pair) if op.f == "cas" && pair.len() == 2 => {
            format!("{}→{}", brief(&pair[0]), brief(&pair[1]))
        }
        Value::Nil if op.f != "read" => String::new(),
        value => brief(value),
    }
}

fn brief(value: &Value) -> String {
    let text = words::brief(value);
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn counted(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
