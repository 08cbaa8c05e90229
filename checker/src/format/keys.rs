//! Values that are a key and a value.
//!
//! Jepsen tests many objects at once by writing `[key value]` where the value of one object would stand,
//! and nothing in the file says so: `:write [3 1]` may as well write the list `[3 1]`. It is taken for a
//! key and a value only if every value of every client is a list of two, the first of them neither a
//! list nor nil, the same on an invocation and its completion, and if some read asked with
//! `[key nil]`, or some transaction is `[key [[..] ..]]`: a read of one object asks with nil alone.
//!
//! Ops are split as they come, as long as all of this may still be so; the first that does not fit
//! puts the ones before together again, which is nearly always among the first few.

use super::shapes::is_transaction;
use crate::hash::Table;
use crate::history::op::{OpType, Process};
use crate::history::values::{ValueId, Values};
use crate::history::{History, Row};

/// Whether values are `[key value]`, of independent objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Independent {
    /// If all of them look like it; see the [rule](self).
    #[default]
    Auto,
    /// Yes: a value that is no `[key value]` is an error.
    Yes,
    /// No: values are what they are.
    No,
}

pub(super) struct Keys {
    mode: Independent,
    /// Whether something was seen that is written for independent objects only.
    sure: bool,
    /// Keys of open invocations.
    open: Table<Process, ValueId>,
    /// Positions of the ops whose value was no pair, but a reason for having none.
    reasons: Vec<usize>,
}

impl Keys {
    pub(super) fn new(mode: Independent) -> Self {
        Self { mode, sure: false, open: Table::default(), reasons: Vec::new() }
    }

    /// Splits the value of a client's op that is about to be pushed, if values are to be split.
    pub(super) fn split(&mut self, history: &mut History, row: &mut Row) -> Result<(), String> {
        if self.mode == Independent::No || row.process == Process::Nemesis {
            return Ok(());
        }
        match self.parts(history, row) {
            Some((key, value)) => {
                (row.key, row.value) = (Some(key), value);
                Ok(())
            }
            None if self.mode == Independent::Yes => {
                Err("expected a value [key value] with the key of its invocation".to_owned())
            }
            None => {
                self.together_again(history);
                Ok(())
            }
        }
    }

    fn parts(&mut self, history: &History, row: &Row) -> Option<(ValueId, ValueId)> {
        if row.key.is_some() {
            return None;
        }
        let values = history.values();
        let pair = pair_of(values, row.value);
        if row.op_type == OpType::Invoke {
            let (key, value) = pair?;
            let reads = value == ValueId::NIL && history.name(row.f) != "cas";
            self.sure |= reads || is_transaction(values, value);
            self.open.insert(row.process, key);
            return Some((key, value));
        }
        let open = self.open.get(&row.process).copied();
        match (pair, open) {
            (Some((key, value)), Some(open)) if key == open => Some((key, value)),
            // A client that gave up may have put its reason where the value was.
            (_, Some(open)) if row.op_type != OpType::Ok => {
                self.reasons.push(history.len());
                Some((open, row.value))
            }
            _ => None,
        }
    }

    pub(super) fn finish(&mut self, history: &mut History) {
        if self.mode == Independent::Auto && !self.sure {
            self.together_again(history);
        }
    }

    /// Undoes every split so far, and splits no more.
    fn together_again(&mut self, history: &mut History) {
        self.mode = Independent::No;
        if !history.has_keys() {
            return;
        }
        let mut old = std::mem::take(history);
        let mut new = History::default();
        *new.values_mut() = std::mem::take(old.values_mut());
        for name in old.functions() {
            new.f(name);
        }
        for position in 0..old.len() {
            let mut row = Row {
                index: Some(old.index(position)),
                time_ns: old.has_times().then(|| old.time_ns(position)),
                op_type: old.op_type(position),
                process: old.process(position),
                f: old.f_id(position),
                key: None,
                value: old.value_id(position),
                more: old.more(position).cloned().map(Box::new),
            };
            if let Some(key) = old.key_id(position).filter(|_| self.reasons.binary_search(&position).is_err())
            {
                row.value = new.values_mut().list(&[key, row.value]);
            }
            new.push_row(row);
        }
        *history = new;
    }
}

fn pair_of(values: &Values, value: ValueId) -> Option<(ValueId, ValueId)> {
    let [key, value] = *values.list_view(value)? else { return None };
    let is_key = key != ValueId::NIL && values.list_view(key).is_none();
    is_key.then_some((key, value))
}
