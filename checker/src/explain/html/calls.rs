//! The operations of a history as columns, one place for each in the order of invocation.
//!
//! What stands in which column is told here and read back by `script/history.js`:
//!
//! | column | of each operation |
//! |---|---|
//! | `kind` | 3 × function + outcome (0 ok, 1 failed, 2 unknown) |
//! | `process` | number in the list of processes |
//! | `key` | 0 none, else 1 + number in the list of keys |
//! | `asked` | value of the invocation: 0 nil, else its number in the table of values |
//! | `result` | 0 none, 1 what was asked, else 2 + its number |
//! | `index` | step of the index from the invocation before |
//! | `span` | step of the index from invocation to completion; 0 never completed |
//! | `time` | step in ns from the invocation before |
//! | `duration` | step in ns from invocation to completion |
//! | `intended` | 0 nobody said, else 1 + step in ns from the invocation to when it was meant to be |
//! | `note` | 0 none, else 1 + number in the list of notes |
//!
//! A step is signed; see [`Column::push_step`]. The last five columns are left out where they are all 0.

use std::collections::HashMap;

use super::columns::Column;
use super::lanes;
use super::shown::{Shown, Spelling, Tables};
use crate::history::History;
use crate::history::More;
use crate::history::op::{OpType, Process};
use crate::history::pair::{Call, Outcome, Pair};
use crate::history::values::ValueId;

/// What all notes together may take, in bytes; what comes after that is left out, and says so.
const NOTE_BYTES_MAX: usize = 8 << 20;
/// The longest part of a note that is kept, in characters.
const NOTE_CHARS_MAX: usize = 500;
/// A key as people choose it, in characters.
const KEY_CHARS_MAX: usize = 60;

/// What a page says about the operations.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) count: usize,
    pub(super) columns: Vec<(&'static str, Column)>,
    pub(super) processes: Vec<String>,
    /// The lane of each process.
    pub(super) lanes: Vec<u32>,
    pub(super) keys: Vec<String>,
    pub(super) tables: Tables,
    pub(super) notes: Vec<Vec<(String, String)>>,
}

#[derive(Default)]
struct Builder {
    kind: Column,
    process: Column,
    key: Column,
    asked: Column,
    result: Column,
    index: Column,
    span: Column,
    time: Column,
    duration: Column,
    intended: Column,
    note: Column,
}

/// Every call of a history. Of one that is not well-formed as many as can be made out: whoever looks for
/// what is wrong with it wants to see it.
pub(super) fn calls(history: &History) -> Vec<Call<'_>> {
    if let Ok(calls) = history.calls() {
        return calls.iter().collect();
    }
    let mut open: HashMap<u64, usize> = HashMap::new();
    let mut pairs: Vec<Pair> = Vec::new();
    for position in 0..history.len() {
        let Process::Client(process) = history.process(position) else { continue };
        if history.op_type(position) == OpType::Invoke {
            open.insert(process, pairs.len());
            pairs.push(Pair::open(position as u32));
        } else if let Some(call) = open.remove(&process) {
            pairs[call].note(false, position as u32);
        }
    }
    pairs.into_iter().map(|pair| Call::new(history, pair)).collect()
}

/// The columns of these calls. Times are told from `origin_ns` on.
pub(super) fn columns(history: &History, calls: &[Call<'_>], origin_ns: u64) -> Calls {
    let mut shown = Shown::new(history.values());
    for call in calls {
        shown.uses(call.asked_id(), spelling(call));
        call.result_id().into_iter().for_each(|id| shown.uses(id, spelling(call)));
    }
    let tables = shown.tables();
    let (mut processes, mut keys, mut notes) = (Processes::default(), Keys::new(history), Notes::default());
    let mut to = Builder::default();
    let (mut index, mut time_ns) = (0, origin_ns);
    for call in calls {
        let outcome = match call.outcome() {
            Outcome::Ok => 0,
            Outcome::Failed => 1,
            Outcome::Unknown => 2,
        };
        to.kind.push(3 * u64::from(call.f_id().0) + outcome);
        to.process.push(processes.number(call));
        to.key.push(call.key_id().map_or(0, |key| 1 + keys.number(key)));
        let asked = shown.number(call.asked_id(), spelling(call));
        to.asked.push(asked);
        to.result.push(match call.result_id().map(|id| shown.number(id, spelling(call))) {
            None => 0,
            Some(result) if result == asked => 1,
            Some(result) => 2 + result,
        });
        to.index.push_step(index, call.invoke_index());
        to.span.push_step(call.invoke_index(), call.complete_index().unwrap_or(call.invoke_index()));
        to.time.push_step(time_ns, call.start_ns());
        to.duration.push_step(call.start_ns(), call.end_ns().unwrap_or(call.start_ns()));
        let more = history.more(call.start());
        match more.and_then(|more| more.intended_ns) {
            Some(intended_ns) => to.intended.push_step_or_none(call.start_ns(), intended_ns),
            None => to.intended.push(0),
        }
        to.note.push(notes.number(more, call.completion().and_then(|position| history.more(position))));
        (index, time_ns) = (call.invoke_index(), call.start_ns());
    }
    let lanes = lanes::of_processes(&processes.stretches);
    Calls {
        count: calls.len(),
        columns: to.columns(),
        processes: processes.names,
        lanes,
        keys: keys.names,
        tables,
        notes: notes.notes,
    }
}

impl Builder {
    fn columns(self) -> Vec<(&'static str, Column)> {
        let always = [
            ("kind", self.kind),
            ("process", self.process),
            ("asked", self.asked),
            ("result", self.result),
            ("index", self.index),
            ("span", self.span),
        ];
        let where_said = [
            ("key", self.key),
            ("time", self.time),
            ("duration", self.duration),
            ("intended", self.intended),
            ("note", self.note),
        ];
        let said = where_said.into_iter().filter(|(_, column)| column.says_anything());
        always.into_iter().chain(said).collect()
    }
}

fn spelling(call: &Call<'_>) -> Spelling {
    if call.f() == "cas" { Spelling::Change } else { Spelling::Plain }
}

/// The processes in the order of their first invocation, each with its number, first and last event.
#[derive(Default)]
struct Processes {
    numbers: HashMap<u64, usize>,
    names: Vec<String>,
    stretches: Vec<(u64, (u64, u64))>,
}

impl Processes {
    fn number(&mut self, call: &Call<'_>) -> u64 {
        let (first, last) = (call.start() as u64, call.completion().unwrap_or(call.start()) as u64);
        let number = *self.numbers.entry(call.process()).or_insert_with(|| {
            self.names.push(call.process().to_string());
            self.stretches.push((call.process(), (first, last)));
            self.names.len() - 1
        });
        let (_, (_, until)) = &mut self.stretches[number];
        *until = last.max(*until);
        number as u64
    }
}

/// The keys in the order of their first operation.
struct Keys<'h> {
    history: &'h History,
    numbers: HashMap<ValueId, u64>,
    names: Vec<String>,
}

impl<'h> Keys<'h> {
    fn new(history: &'h History) -> Self {
        Self { history, numbers: HashMap::new(), names: Vec::new() }
    }

    fn number(&mut self, key: ValueId) -> u64 {
        *self.numbers.entry(key).or_insert_with(|| {
            self.names.push(key_name(self.history, key));
            self.names.len() as u64 - 1
        })
    }
}

/// A key as the page shows it.
pub(super) fn key_name(history: &History, key: ValueId) -> String {
    super::shown::spelt(history.values(), key, KEY_CHARS_MAX)
}

/// What few operations have: errors, and whatever else stood on their lines. Equal notes are one.
#[derive(Default)]
struct Notes {
    numbers: HashMap<Vec<(String, String)>, u64>,
    notes: Vec<Vec<(String, String)>>,
    bytes: usize,
}

impl Notes {
    fn number(&mut self, invocation: Option<&More>, completion: Option<&More>) -> u64 {
        let mut note: Vec<(String, String)> = Vec::new();
        for more in [invocation, completion].into_iter().flatten() {
            note.extend(more.error.iter().map(|error| ("error".to_owned(), kept(error))));
            note.extend(more.late.then(|| ("late".to_owned(), "learnt later from elsewhere".to_owned())));
            let extra = more.extra.iter().map(|(name, value)| (kept(name), plain(value)));
            note.extend(extra);
        }
        note.dedup();
        if note.is_empty() {
            return 0;
        }
        if let Some(number) = self.numbers.get(&note) {
            return *number;
        }
        let bytes: usize = note.iter().map(|(name, text)| name.len() + text.len() + 8).sum();
        if self.bytes + bytes > NOTE_BYTES_MAX {
            note = vec![("more".to_owned(), "left out, to keep this page small".to_owned())];
            if let Some(number) = self.numbers.get(&note) {
                return *number;
            }
        }
        self.bytes += bytes;
        self.notes.push(note.clone());
        self.numbers.insert(note, self.notes.len() as u64);
        self.notes.len() as u64
    }
}

/// A field of a line as text.
pub(super) fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => kept(text),
        value => kept(&value.to_string()),
    }
}

fn kept(text: &str) -> String {
    match text.char_indices().nth(NOTE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
