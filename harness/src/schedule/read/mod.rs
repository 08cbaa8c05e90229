//! From the text of a file to a schedule, or to everything that is wrong with it.
//!
//! Relies on `toml` for the syntax and the place of every key and value. Promises:
//! - what is read means exactly what `harness/schedules/README.md` says, and whatever is not understood
//!   is refused at its line and column, with what was meant; nothing is ignored;
//! - all that is wrong is said at once, in the order of the file;
//! - a schedule that was read can be carried out: ids exist and are unique, nothing waits for itself,
//!   nobody beyond the cluster is named, what is required fits.

mod action;
mod amount;
mod body;
mod dialect;
mod fault;
mod mix;
mod nearest;
mod references;
mod remark;
mod table;
mod target;
mod top;
mod trigger;
mod value;

use std::ops::Range;

use toml::de::DeTable;

use super::limits::FILE_BYTES_MAX;
use super::{NetworkModel, Schedule};
use references::{Declared, Reference};
use table::Table;

pub use dialect::Dialect;
pub use remark::{Refusals, Remark};

/// What came of reading a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// As it is meant.
    pub schedule: Schedule,
    /// What is allowed, but hardly meant; in the order of the file.
    pub warnings: Vec<Remark>,
}

impl Schedule {
    /// Reads a schedule for our own node. The name of the file is for messages only.
    ///
    /// # Errors
    /// Everything that is wrong with it, each at its line and column.
    pub fn read(file_name: &str, text: &str) -> Result<Schedule, Refusals> {
        Schedule::read_for(&Dialect::PAXOS, file_name, text).map(|reading| reading.schedule)
    }

    /// Reads a schedule for a system with these frames, and says what is hardly meant.
    ///
    /// # Errors
    /// Everything that is wrong with it, each at its line and column.
    pub fn read_for(dialect: &Dialect, file_name: &str, text: &str) -> Result<Reading, Refusals> {
        let mut reader = Reader::new(dialect, text);
        if text.len() > FILE_BYTES_MAX {
            reader.refuse(
                0..1,
                format!("a schedule has at most {FILE_BYTES_MAX} bytes, and this has {}", text.len()),
            );
            return Err(Refusals { remarks: in_order(file_name, text, reader.refusals) });
        }
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let span = error.span().unwrap_or(0..1);
            reader.refuse(span, format!("this is no TOML: {}", error.message().replace('\n', ": ")));
        }
        // What can't be parsed is half a file: what is missing from it may well be there.
        let schedule = if errors.is_empty() {
            reader.schedule(Table::new(root.get_ref(), 0..1, "a schedule"))
        } else {
            None
        };
        let (refusals, warnings) = (reader.refusals, reader.warnings);
        match schedule {
            Some(schedule) if refusals.is_empty() => {
                Ok(Reading { schedule, warnings: in_order(file_name, text, warnings) })
            }
            _ => {
                assert!(!refusals.is_empty(), "what can't be read is refused with a reason");
                Err(Refusals { remarks: in_order(file_name, text, refusals) })
            }
        }
    }
}

/// Something to say about a place.
struct Said {
    span: Range<usize>,
    what: String,
    hints: Vec<String>,
}

fn in_order(file_name: &str, text: &str, mut said: Vec<Said>) -> Vec<Remark> {
    said.sort_by_key(|said| said.span.start);
    said.into_iter().map(|said| Remark::new(file_name, text, &said.span, said.what, said.hints)).collect()
}

/// What is known while a file is read.
struct Reader<'a> {
    text: &'a str,
    dialect: Dialect,
    nodes: Option<u16>,
    model: NetworkModel,
    /// The number of the phase that is being read.
    phase: usize,
    /// What is being read, among [`Reader::declared`].
    owner: Option<usize>,
    /// Whether what is being read must be known before its owner can come.
    starts: bool,
    declared: Vec<Declared>,
    references: Vec<Reference>,
    refusals: Vec<Said>,
    warnings: Vec<Said>,
}

impl<'a> Reader<'a> {
    fn new(dialect: &Dialect, text: &'a str) -> Reader<'a> {
        Reader {
            text,
            dialect: *dialect,
            nodes: None,
            model: NetworkModel::default(),
            phase: 0,
            owner: None,
            starts: true,
            declared: Vec::new(),
            references: Vec::new(),
            refusals: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn refuse(&mut self, span: Range<usize>, what: String) {
        self.refuse_with(span, what, Vec::new());
    }

    fn refuse_with(&mut self, span: Range<usize>, what: String, hints: Vec<String>) {
        self.refusals.push(Said { span, what, hints });
    }

    fn warn_with(&mut self, span: Range<usize>, what: String, hints: Vec<String>) {
        self.warnings.push(Said { span, what, hints });
    }

    /// How much was refused so far.
    fn refused(&self) -> usize {
        self.refusals.len()
    }

    /// The number of the line of a place, from 1.
    fn line(&self, at: usize) -> usize {
        self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
    }
}
