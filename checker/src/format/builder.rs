//! Where the readers put what they find: ops by their fields, then rows of a history.
//!
//! One builder for all formats, so that a missing field, a function by another name, a value that is a
//! key and a value, and the hint at a model are the same everywhere.

use std::collections::BTreeMap;

use super::error::ReadError;
use super::keys::{Independent, Keys};
use super::shapes::Shapes;
use super::{Format, Recorded};
use crate::history::op::{OpType, Process, Value};
use crate::history::values::{ValueId, Values};
use crate::history::{F, History, More, Row};

/// How many different functions a history may have.
const FUNCTIONS_MAX: usize = 10_000;
/// How many of them are compared byte by byte before they are looked up.
const RECENT_MAX: usize = 16;

pub(super) struct Builder {
    pub(super) history: History,
    shapes: Shapes,
    keys: Keys,
    /// The functions first met: most histories have no others.
    recent: Vec<(Box<[u8]>, F)>,
    /// What the file itself says its object is.
    pub(super) named: Option<Named>,
}

/// What a file says its object is: the model and what an object holds at first.
pub(super) type Named = (&'static str, Value);

/// What was found of one op so far.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) index: Option<u64>,
    pub(super) time_ns: Option<u64>,
    pub(super) op_type: Option<OpType>,
    pub(super) process: Option<Process>,
    pub(super) f: Option<F>,
    pub(super) key: Option<ValueId>,
    pub(super) value: Option<ValueId>,
    pub(super) more: Option<Box<More>>,
}

impl Fields {
    /// What few ops have.
    pub(super) fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// Anything else that is to be carried along; false if it is there already.
    pub(super) fn extra(&mut self, name: &str, value: serde_json::Value) -> bool {
        let extra: &mut BTreeMap<String, serde_json::Value> = &mut self.more().extra;
        extra.insert(name.to_owned(), value).is_none()
    }
}

impl Builder {
    pub(super) fn new(independent: Independent) -> Self {
        Self {
            history: History::default(),
            shapes: Shapes::default(),
            keys: Keys::new(independent),
            recent: Vec::new(),
            named: None,
        }
    }

    pub(super) fn values(&mut self) -> &mut Values {
        self.history.values_mut()
    }

    /// The number of a function.
    pub(super) fn function(&mut self, name: &[u8]) -> Result<F, String> {
        if let Some((_, f)) = self.recent.iter().find(|(known, _)| **known == *name) {
            return Ok(*f);
        }
        let text = std::str::from_utf8(name).map_err(|_| "the name of a function is not UTF-8".to_owned())?;
        if self.history.functions().len() >= FUNCTIONS_MAX && self.history.find_f(text).is_none() {
            return Err(format!("more than {FUNCTIONS_MAX} different functions: this is not a history"));
        }
        let f = self.history.f(text);
        if self.recent.len() < RECENT_MAX {
            self.recent.push((name.into(), f));
        }
        Ok(f)
    }

    /// Appends the op with these fields. Without a function it is a transaction, if its value is a list
    /// of micro-operations.
    pub(super) fn push(&mut self, fields: Fields) -> Result<(), String> {
        let Fields { index, time_ns, op_type, process, f, key, value, more } = fields;
        let value = value.unwrap_or(ValueId::NIL);
        let f = match f {
            Some(f) => f,
            None if super::shapes::is_transaction(self.history.values(), value) => self.function(b"txn")?,
            None => return Err("an op without :f, the function".to_owned()),
        };
        self.push_row(Row {
            index,
            time_ns,
            op_type: op_type.ok_or("an op without :type")?,
            process: process.ok_or("an op without :process")?,
            f,
            key: key.filter(|key| *key != ValueId::NIL),
            value,
            more,
        })
    }

    pub(super) fn push_row(&mut self, mut row: Row) -> Result<(), String> {
        self.keys.split(&mut self.history, &mut row)?;
        if row.process != Process::Nemesis {
            self.shapes.observe(self.history.values(), &row);
        }
        self.history.push_row(row);
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.history.is_empty()
    }

    /// The history, or that there is none in so many lines.
    pub(super) fn finish(mut self, format: Format, lines: u64) -> Result<Recorded, ReadError> {
        if self.history.is_empty() {
            return Err(ReadError::NoOps { lines });
        }
        self.keys.finish(&mut self.history);
        let mut suggests = format.defaults();
        match self.named {
            Some((model, initial)) => (suggests.model, suggests.initial) = (Some(model), initial),
            None => suggests.model = self.shapes.model(&self.history),
        }
        Ok(Recorded { history: self.history, format, suggests })
    }
}
