//! What the ops of a history look like, and which model that suggests.
//!
//! Few files say what their object is; the functions and the kinds of values of each nearly always do.

use super::Format;
use crate::catalogue::Rules;
use crate::history::op::{OpType, Value};
use crate::history::values::{ValueId, ValueView, Values};
use crate::history::{History, Row};

/// What a format, and what is in a file, say about how to judge it. A hint, never a rule: whoever knows
/// better says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The model, by the name of its check: `cas-register`, `multi-register`, `kv`, `append`, `set`,
    /// `element-set`, `queue`, `stack`, `priority-queue`, `mutex`, `semaphore`, `counter`, `bank`,
    /// `unique-ids`, `stream`, `list-append` or `rw-register`. None if nothing fits.
    pub model: Option<&'static str>,
    /// What a failed compare-and-set says.
    pub failed_cas: FailedCas,
    /// What an ok read of nil says.
    pub nil_reads: NilReads,
    /// What an object holds before anything is written: nil, the empty text that a get of Porcupine's kv
    /// answers then, or the zero of fptlin's registers.
    pub initial: Value,
}

/// What a failed compare-and-set says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedCas {
    /// Nothing, but that it did not happen: Jepsen's meaning.
    DidNotHappen,
    /// That the object held something else than was expected: the etcd logs' meaning.
    HeldSomethingElse,
}

/// What an ok read of nil says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NilReads {
    /// That the object held nil.
    Real,
    /// Nothing: Knossos' meaning.
    SayNothing,
}

impl Suggestion {
    /// The same as the checks ask for it.
    pub fn rules(&self) -> Rules {
        Rules {
            initial: self.initial.clone(),
            nil_read_says_nothing: self.nil_reads == NilReads::SayNothing,
            failed_cas_is_read: self.failed_cas == FailedCas::HeldSomethingElse,
            ..Rules::default()
        }
    }
}

impl Format {
    /// What histories of this format mean, before anything in them is looked at.
    pub fn defaults(self) -> Suggestion {
        let suggestion = Suggestion {
            model: None,
            failed_cas: FailedCas::DidNotHappen,
            nil_reads: NilReads::Real,
            initial: Value::Nil,
        };
        match self {
            Format::ConsoleLog => Suggestion { failed_cas: FailedCas::HeldSomethingElse, ..suggestion },
            Format::Edn | Format::HistoryTxt | Format::Store => {
                Suggestion { nil_reads: NilReads::SayNothing, ..suggestion }
            }
            Format::PorcupineKv => Suggestion { initial: Value::from(""), ..suggestion },
            Format::Jsonl
            | Format::ElleJson
            | Format::PorcupineJson
            | Format::S2
            | Format::Fastlin
            | Format::Fptlin
            | Format::Limo => suggestion,
        }
    }
}

/// Kinds of values, as bits.
mod kind {
    pub(super) const NIL: u16 = 1;
    pub(super) const INT: u16 = 2;
    pub(super) const SCALAR: u16 = 4;
    pub(super) const LIST: u16 = 8;
    pub(super) const SET: u16 = 16;
    pub(super) const MAP: u16 = 32;
    pub(super) const READ: u16 = 64;
    pub(super) const WRITE: u16 = 128;
    pub(super) const APPEND: u16 = 256;
    /// A read or a write in Knossos' spelling, of its multi-register.
    pub(super) const SPELT: u16 = 512;
    pub(super) const TRANSACTION: u16 = READ | WRITE | APPEND | SPELT;
}

/// The kinds of values seen of each function, on invocations and on ok completions.
#[derive(Default)]
pub(super) struct Shapes {
    functions: Vec<[u16; 2]>,
    /// The value of the invocation before, and whether some two in a row had the same, not nil.
    last: ValueId,
    repeated: bool,
}

impl Shapes {
    pub(super) fn observe(&mut self, values: &Values, row: &Row) {
        let place = match row.op_type {
            OpType::Invoke => {
                self.repeated |= row.value == self.last && row.value != ValueId::NIL;
                self.last = row.value;
                0
            }
            OpType::Ok => 1,
            OpType::Fail | OpType::Info => return,
        };
        let f = usize::from(row.f.0);
        if f >= self.functions.len() {
            self.functions.resize(f + 1, [0; 2]);
        }
        self.functions[f][place] |= kind_of(values, row.value);
    }

    pub(super) fn model(&self, history: &History) -> Option<&'static str> {
        let seen = |names: &[&str], place: usize| {
            let of = |name: &&str| {
                let f = history.find_f(name).map(|f| usize::from(f.0));
                f.and_then(|f| self.functions.get(f)).map_or(0, |kinds| kinds[place])
            };
            names.iter().map(of).fold(0, |all, one| all | one)
        };
        let has = |names: &[&str]| seen(names, 0) | seen(names, 1) != 0;
        let all = self.functions.iter().fold(0, |all, [invoke, ok]| all | invoke | ok);
        let read = seen(&["read"], 1);
        if all & kind::APPEND != 0 {
            return Some("list-append");
        }
        if all & kind::WRITE != 0 || has(&["txn"]) && all & kind::READ != 0 {
            return Some("rw-register");
        }
        if all & kind::SPELT != 0 {
            return Some("multi-register");
        }
        if has(&["transfer"]) || has(&["read"]) && self.only(history, &["read"]) && read & kind::MAP != 0 {
            return Some("bank");
        }
        if has(&["enqueue", "dequeue"]) {
            return Some("queue");
        }
        if has(&["push", "pop"]) {
            return Some("stack");
        }
        if has(&["poll"]) {
            return Some("priority-queue");
        }
        if has(&["acquire", "release", "lock", "unlock"]) {
            return Some("mutex");
        }
        if has(&["insert", "remove", "contains"]) {
            return Some("element-set");
        }
        if has(&["generate"]) {
            return Some("unique-ids");
        }
        if has(&["add", "increment", "decrement"]) {
            // Nothing is put into a set twice, and a counter is most often raised by one.
            let unread = read & !kind::NIL == 0;
            let counts = read & (kind::INT | kind::SCALAR) != 0 || unread && self.repeated;
            return Some(if counts { "counter" } else { "set" });
        }
        if has(&["get", "put"]) {
            return Some("kv");
        }
        if has(&["check-tail"]) || seen(&["append"], 0) & kind::MAP != 0 {
            return Some("stream");
        }
        if has(&["append"]) {
            return Some("append");
        }
        if has(&["read", "write", "cas"]) && self.only(history, &["read", "write", "cas"]) {
            let maps = (read | seen(&["write"], 0)) & kind::MAP != 0;
            return Some(if maps { "multi-register" } else { "cas-register" });
        }
        None
    }

    /// Whether clients called no other function.
    fn only(&self, history: &History, names: &[&str]) -> bool {
        let called = self.functions.iter().zip(history.functions()).filter(|(kinds, _)| **kinds != [0; 2]);
        called.into_iter().all(|(_, name)| names.contains(&&**name))
    }
}

fn kind_of(values: &Values, value: ValueId) -> u16 {
    match values.view(value) {
        ValueView::Nil => kind::NIL,
        ValueView::Int(_) => kind::INT,
        ValueView::Bool(_) | ValueView::Float(_) | ValueView::Text(_) => kind::SCALAR,
        ValueView::Set(_) => kind::SET,
        ValueView::Map(_) => kind::MAP,
        ValueView::List(elements) => elements
            .iter()
            .map_while(|element| micro_operation(values, *element))
            .fold(kind::LIST, |all, one| all | one),
    }
}

/// Whether a value is a list of micro-operations: `[[:r 3 nil] [:append 4 1]]`.
pub(super) fn is_transaction(values: &Values, value: ValueId) -> bool {
    kind_of(values, value) & kind::TRANSACTION != 0
}

fn micro_operation(values: &Values, value: ValueId) -> Option<u16> {
    let [f, _, _] = values.list_view(value)? else { return None };
    match values.view(*f) {
        ValueView::Text("r") => Some(kind::READ),
        ValueView::Text("w") => Some(kind::WRITE),
        ValueView::Text("append") => Some(kind::APPEND),
        ValueView::Text("read" | "write") => Some(kind::SPELT),
        _ => None,
    }
}
