//! What the nemesis did, as stretches of time.
//!
//! A recorder that numbers its faults (`fault` and `moment` on the op) says itself what belongs
//! together. For any other history the names tell: `start-x` lasts until `stop-x`, `kill` until
//! `restart`, a partition until `heal`. Jepsen writes each op twice, before and after doing it; the
//! second is taken for the confirmation of the first. An op whose name says nothing is a moment.

use serde::Serialize;

use super::lanes;
use crate::history::History;
use crate::history::op::{Op, Value};

/// The longest text of a value that is kept, in characters.
const VALUE_CHARS_MAX: usize = 300;

/// A fault from its start to its cure, or something that the nemesis did at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Fault {
    f: String,
    value: String,
    from: Moment,
    /// None for a fault that was never cured.
    to: Option<Moment>,
    /// Whether it lasted at all.
    lasting: bool,
    /// What the ops say beside that, in order.
    notes: Vec<(String, String)>,
    row: u32,
    /// What its recorder calls it.
    #[serde(skip)]
    number: Option<String>,
}

/// An op's place: its index and its time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Moment {
    index: u64,
    ns: u64,
}

/// Names that begin a fault, and the names that end it. A name also matches with more behind a `-`, `:`
/// or `_`, as in `partition:halves`.
const PAIRS: [(&[&str], &[&str]); 7] = [
    (&["kill", "crash", "stop-node"], &["restart", "start", "start-node", "recover", "revive"]),
    (&["pause", "suspend", "sigstop"], &["resume", "continue", "sigcont"]),
    (&["isolate", "partition", "cut", "split", "drop", "delay", "slow", "link"], &["heal", "mend", "fast"]),
    (&["bump", "strobe", "skew", "clock"], &["reset", "reset-clock", "sync"]),
    (&["start", "begin"], &["stop", "end", "heal"]),
    (&["fill", "corrupt", "lose"], &["free", "repair", "restore"]),
    (&["remove", "leave", "shrink"], &["add", "join", "grow"]),
];

/// All of them, in the order in which they begin.
pub(super) fn faults(history: &History) -> Vec<Fault> {
    let ops: Vec<Op> = history.nemesis().map(|(_, op)| op).collect();
    let mut faults: Vec<Fault> = Vec::new();
    for said in ops.chunks(if twice(&ops) { 2 } else { 1 }) {
        observe(&mut faults, said);
    }
    let last = history.len().checked_sub(1).map_or(0, |last| history.index(last));
    let rows = lanes::pack(faults.iter().map(|fault| match (fault.lasting, fault.to) {
        (true, None) => (fault.from.index, last),
        (_, to) => (fault.from.index, to.unwrap_or(fault.from).index),
    }));
    faults.iter_mut().zip(rows).for_each(|(fault, row)| fault.row = row);
    faults
}

/// Whether each op is there before and after it was done.
fn twice(ops: &[Op]) -> bool {
    let numbered = |op: &Op| op.extra.contains_key("fault");
    ops.len() > 1 && ops.chunks(2).all(|two| two.iter().all(|op| op.f == two[0].f && !numbered(op)))
}

/// An op, or its two halves.
fn observe(faults: &mut Vec<Fault>, said: &[Op]) {
    let (op, done) = (&said[0], &said[said.len() - 1]);
    let moment = |op: &Op| Moment { index: op.index, ns: op.time_ns };
    let number = op.extra.get("fault").map(ToString::to_string);
    let stage = op.extra.get("moment").and_then(|moment| moment.as_str());
    let confirmed = || said[1..].iter().flat_map(|op| value_of(op).into_iter().chain(notes(op)));
    if let (Some(number), Some("ends")) = (&number, stage) {
        let begun = faults.iter_mut().rev().find(|fault| fault.number.as_ref() == Some(number));
        if let Some(fault) = begun.filter(|fault| fault.to.is_none()) {
            fault.to = Some(moment(op));
            fault.notes.extend(notes(op));
            return;
        }
    }
    let ended = if number.is_none() { ended_by_name(faults, op) } else { Vec::new() };
    for fault in &ended {
        let fault = &mut faults[*fault];
        fault.to = Some(moment(done));
        fault.notes.push(("ended by".to_owned(), op.f.to_string()));
        fault.notes.extend(value_of(op).into_iter().chain(notes(op)).chain(confirmed()));
    }
    if ended.is_empty() {
        let lasting = match number {
            Some(_) => stage == Some("begins"),
            None => begins(&op.f),
        };
        faults.push(Fault {
            f: op.f.to_string(),
            value: if op.value.is_nil() { String::new() } else { text(&op.value) },
            from: moment(op),
            to: (!lasting).then(|| moment(done)),
            lasting,
            notes: notes(op).chain(confirmed()).collect(),
            row: 0,
            number,
        });
    }
}

/// Every open fault that an op of this name and value ends.
fn ended_by_name(faults: &[Fault], op: &Op) -> Vec<usize> {
    let open = |fault: &Fault| fault.lasting && fault.to.is_none() && fault.number.is_none();
    let meant = (0..faults.len()).filter(|fault| open(&faults[*fault]) && ends(&faults[*fault].f, &op.f));
    let meant: Vec<usize> = meant.collect();
    // Of several, the one about the same target; all of them if none is.
    let value = text(&op.value);
    let same: Vec<usize> = meant.iter().copied().filter(|fault| faults[*fault].value == value).collect();
    if same.is_empty() || op.value.is_nil() { meant } else { same }
}

fn begins(f: &str) -> bool {
    PAIRS.iter().any(|(begin, _)| named(f, begin).is_some())
}

/// Whether `end` ends `begin`: by their names, and what follows a name must be the same if both have it.
fn ends(begin: &str, end: &str) -> bool {
    PAIRS.iter().any(|(begins, ends)| match (named(begin, begins), named(end, ends)) {
        (Some(of), Some(by)) => of == by || of.is_empty() || by.is_empty() || begins[0] != "start",
        _ => false,
    })
}

/// What follows the name in `f`, if it is one of these.
fn named<'f>(f: &'f str, names: &[&str]) -> Option<&'f str> {
    names.iter().find_map(|name| match f.strip_prefix(name)? {
        "" => Some(""),
        rest => rest.strip_prefix(['-', ':', '_']),
    })
}

fn value_of(op: &Op) -> Option<(String, String)> {
    (!op.value.is_nil()).then(|| ("then".to_owned(), text(&op.value)))
}

fn notes(op: &Op) -> impl Iterator<Item = (String, String)> + '_ {
    let known = ["fault", "moment"];
    let extra = op.extra.iter().filter(move |(name, _)| !known.contains(&name.as_str()));
    let extra = extra.map(|(name, value)| (name.clone(), super::calls::plain(value)));
    op.error.iter().map(|error| ("error".to_owned(), error.clone())).chain(extra)
}

fn text(value: &Value) -> String {
    let text = match value {
        Value::Text(text) => text.to_string(),
        value => value.to_string(),
    };
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
