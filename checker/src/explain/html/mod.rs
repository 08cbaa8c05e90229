//! The operation timeline: one HTML file in which a person sees the verdict, the reason, and every
//! operation of the history.
//!
//! A lane per process, a rectangle per operation, the faults above, the witness framed. The file stands
//! alone: no network, no font, no library. It is drawn by the scripts in `script/`, on a canvas and
//! from columns of numbers, so that a million operations open within seconds.
//!
//! ```
//! use checker::explain::html::Page;
//! use checker::{Budget, Check, History, LinearizableRegister};
//!
//! let history = History::default();
//! let report = LinearizableRegister::default().check(&history, &Budget::default());
//! let mut page = Vec::new();
//! Page::new(&history, &report).title("run 7").write(&mut page)?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Another page that shows the timeline among other things includes [`STYLE`] and [`SCRIPT`] once, puts
//! [`Page::write_component`] where it is to be, and calls `OperationTimeline.mountAll()` at its end.
//!
//! Histories come from systems under test, and are not to be trusted: nothing in one becomes markup or
//! script, and the page forbids itself to load anything. The same history gives the same bytes.

mod calls;
mod columns;
mod faults;
mod lanes;
mod markup;
mod shown;

use std::io::{self, Write};

use serde::Serialize;

use crate::history::History;
use crate::history::op::Value;
use crate::history::pair::Call;
use crate::history::values::ValueId;
use crate::verdict::{Report, Verdict};
use calls::Calls;
use columns::Column;
use faults::Fault;
use markup::Escaped;

/// How the timeline looks.
pub const STYLE: &str = include_str!("style.css");

/// What draws it: defines `OperationTimeline` with `mount(element, options)` and `mountAll()`.
pub const SCRIPT: &str = concat!(
    "(() => {\n\"use strict\";\n",
    include_str!("script/columns.js"),
    include_str!("script/history.js"),
    include_str!("script/words.js"),
    include_str!("script/lanes.js"),
    include_str!("script/viewport.js"),
    include_str!("script/paint.js"),
    include_str!("script/overview.js"),
    include_str!("script/details.js"),
    include_str!("script/controls.js"),
    include_str!("script/timeline.js"),
    "})();\n",
);

/// Writes a history with its verdict as one HTML file.
pub fn write(history: &History, report: &Report, out: &mut impl Write) -> io::Result<()> {
    Page::new(history, report).write(out)
}

/// A timeline to be written.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    history: &'a History,
    report: &'a Report,
    title: String,
    keys: Option<&'a [Value]>,
    order: Option<&'a [u64]>,
}

/// What the script is told beside the columns.
#[derive(Serialize)]
struct About<'a> {
    calls: usize,
    functions: &'a [std::borrow::Cow<'static, str>],
    processes: Vec<String>,
    lanes: Vec<u32>,
    keys: Vec<String>,
    timed: bool,
    origin_ns: u64,
    faults: Vec<Fault>,
    witness: Option<Framed>,
}

/// Where the witness is.
#[derive(Serialize)]
struct Framed {
    ops: Vec<u64>,
    failing: Vec<u64>,
    key: Option<String>,
    first_index: u64,
    last_index: u64,
    from_ns: u64,
    to_ns: u64,
}

/// Times above this many nanoseconds (104 days) are no whole numbers in a browser.
const NS_EXACT_MAX: u64 = 1 << 53;

impl<'a> Page<'a> {
    /// The timeline of a history that this report judged.
    pub fn new(history: &'a History, report: &'a Report) -> Self {
        Self { history, report, title: format!("{}: operations", report.check), keys: None, order: None }
    }

    /// Calls the page so.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Leaves out the operations on other keys than these, to keep a page small. The key that the witness
    /// is about stays, and so do operations on no key.
    #[must_use]
    pub fn keys(mut self, keys: &'a [Value]) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Shows an order, of the indices of invocations, in which the operations can have taken effect; one
    /// key after the other or mixed. The page marks a point on each and steps through them.
    #[must_use]
    pub fn order(mut self, invoke_indices: &'a [u64]) -> Self {
        self.order = Some(invoke_indices);
        self
    }

    /// Writes a file of its own.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let title = Escaped(&self.title);
        writeln!(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
        writeln!(
            out,
            "<meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'\">"
        )?;
        writeln!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
        writeln!(out, "<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>")?;
        writeln!(out, "<body class=\"tl-page\">\n<h1>{title}</h1>")?;
        self.write_component("timeline", out)?;
        writeln!(out, "<script>\n{SCRIPT}OperationTimeline.mountAll({{ permalinks: true }});\n</script>")?;
        writeln!(out, "</body>\n</html>")
    }

    /// Writes the element alone, with its data, to stand in another page under this id.
    pub fn write_component(&self, id: &str, out: &mut impl Write) -> io::Result<()> {
        let timed = self.history.has_times();
        writeln!(out, "<section class=\"tl\" id=\"{}\" aria-label=\"operation timeline\">", Escaped(id))?;
        markup::write_verdict(self.report, timed, out)?;
        writeln!(out, "<div class=\"tl-stage\"><noscript>The picture needs JavaScript.</noscript></div>")?;
        self.write_data(timed, out)?;
        writeln!(out, "</section>")
    }

    fn write_data(&self, timed: bool, out: &mut impl Write) -> io::Result<()> {
        let calls = self.calls();
        let times = || (0..self.history.len()).map(|position| self.history.time_ns(position));
        let late = times().max().unwrap_or(0) > NS_EXACT_MAX;
        let origin_ns = if late { times().min().unwrap_or(0) } else { 0 };
        let order = self.order.map(|order| order_column(order, &calls));
        let Calls { count, columns, processes, lanes, keys, tables, notes, .. } =
            calls::columns(self.history, &calls, origin_ns);
        let about = About {
            calls: count,
            functions: self.history.functions(),
            processes,
            lanes,
            keys,
            timed,
            origin_ns,
            faults: faults::faults(self.history),
            witness: self.framed(),
        };
        write_json("about", &about, out)?;
        write_json("texts", &tables.texts, out)?;
        write_json("notes", &notes, out)?;
        write_column("integers", &tables.integers, out)?;
        for (name, column) in &columns {
            write_column(name, column, out)?;
        }
        order.iter().try_for_each(|order| write_column("order", order, out))
    }

    fn calls(&self) -> Vec<Call<'a>> {
        let mut calls = calls::calls(self.history);
        if let Some(keys) = self.keys {
            let witness = match &self.report.verdict {
                Verdict::Invalid(witness) => witness.key.as_ref(),
                Verdict::Valid | Verdict::Unknown(_) => None,
            };
            let keys = keys.iter().chain(witness).filter_map(|key| self.history.values().find(key));
            let keys: Vec<ValueId> = keys.collect();
            calls.retain(|call| call.key_id().is_none_or(|key| keys.contains(&key)));
        }
        calls
    }

    fn framed(&self) -> Option<Framed> {
        let Verdict::Invalid(witness) = &self.report.verdict else { return None };
        let key = witness.key.as_ref().and_then(|key| self.history.values().find(key));
        Some(Framed {
            ops: witness.ops.iter().map(|op| op.invoke_index).collect(),
            failing: witness.ops.iter().filter(|op| op.failing).map(|op| op.invoke_index).collect(),
            key: key.map(|key| calls::key_name(self.history, key)),
            first_index: witness.window.first_index,
            last_index: witness.window.last_index,
            from_ns: witness.window.from_ns,
            to_ns: witness.window.to_ns,
        })
    }
}

/// The numbers of the calls in this order; indices of no call are left out.
fn order_column(order: &[u64], calls: &[Call<'_>]) -> Column {
    let mut column = Column::default();
    let mut before = 0;
    for index in order {
        if let Ok(number) = calls.binary_search_by_key(index, Call::invoke_index) {
            column.push_step(before, number as u64);
            before = number as u64;
        }
    }
    column
}

fn write_json(name: &str, value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    let json = markup::json(value)?;
    writeln!(out, "<script type=\"application/json\" data-name=\"{name}\">{json}</script>")
}

fn write_column(name: &str, column: &Column, out: &mut impl Write) -> io::Result<()> {
    write!(out, "<script type=\"text/plain\" data-name=\"{name}\">")?;
    column.write_base64(out)?;
    writeln!(out, "</script>")
}
