//! Our own format: one op a line, as JSON, in order.
//!
//! Blank lines are allowed, anything else that is not an op is an error with its line and column. A
//! file that has lines but no op in them is refused: it is far more often the wrong file than an empty
//! run, and nothing may ever look valid because nothing was read. A file of no bytes is an empty
//! history, which every check calls unknown.

use std::io::{self, BufRead, Read, Write};

use crate::history::History;
use crate::history::op::Op;

/// The longest line that is read, in bytes: a read of a list of a million elements fits, and a file
/// that is no text at all does not fill the memory.
pub const LINE_BYTES_MAX: u64 = 64 << 20;

/// Why a history can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The reader failed.
    #[error("line {line}: {source}")]
    Io {
        /// The line, from 1.
        line: u64,
        /// What the reader said.
        source: io::Error,
    },
    /// A line is not an op.
    #[error("line {line}, column {column}: {reason}")]
    Malformed {
        /// The line, from 1.
        line: u64,
        /// The column, in bytes from 1.
        column: u64,
        /// What is wrong there.
        reason: String,
        /// Whether this is the end of the file and the line just stops, without a newline: what an
        /// interrupted writer leaves.
        torn_tail: bool,
    },
    /// A line is longer than [`LINE_BYTES_MAX`].
    #[error("line {line} is longer than {LINE_BYTES_MAX} bytes: this is not a history")]
    LineTooLong {
        /// The line, from 1.
        line: u64,
    },
    /// There are lines, but no ops.
    #[error("{lines} lines but not one op: this is not a history")]
    NoOps {
        /// How many lines there are.
        lines: u64,
    },
}

impl History {
    /// Reads a history of one JSON op a line.
    pub fn read_jsonl(mut reader: impl BufRead) -> Result<History, ReadError> {
        let mut history = History::default();
        let mut buffer = Vec::new();
        let mut line = 0;
        loop {
            buffer.clear();
            let read = (&mut reader).take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut buffer);
            let bytes = read.map_err(|source| ReadError::Io { line: line + 1, source })?;
            if bytes == 0 {
                break;
            }
            line += 1;
            if bytes as u64 > LINE_BYTES_MAX {
                return Err(ReadError::LineTooLong { line });
            }
            if !buffer.iter().all(u8::is_ascii_whitespace) {
                history.push(parse(&buffer).map_err(|error| malformed(line, &buffer, &error))?);
            }
        }
        match (history.is_empty(), line) {
            (true, 1..) => Err(ReadError::NoOps { lines: line }),
            _ => Ok(history),
        }
    }

    /// Writes every op as one line.
    pub fn write_jsonl(&self, mut writer: impl Write) -> io::Result<()> {
        self.ops().try_for_each(|op| op.write_jsonl(&mut writer))
    }
}

impl Op {
    /// Writes the op as one line.
    pub fn write_jsonl(&self, mut writer: impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut writer, self)?;
        writer.write_all(b"\n")
    }

    /// Reads an op from one line.
    pub fn from_json(line: &str) -> Result<Op, ReadError> {
        parse(line.as_bytes()).map_err(|error| malformed(1, line.as_bytes(), &error))
    }
}

fn parse(line: &[u8]) -> serde_json::Result<Op> {
    serde_json::from_slice(line)
}

fn malformed(line: u64, bytes: &[u8], error: &serde_json::Error) -> ReadError {
    let text = error.to_string();
    // serde_json counts lines within what it was given, which is always one.
    let reason = text.rfind(" at line ").map_or(&*text, |end| &text[..end]).to_owned();
    // An error seen at the newline belongs to the last column of the line.
    let (column, length) = (error.column().max(1), bytes.trim_ascii_end().len().max(1));
    ReadError::Malformed {
        line,
        column: if error.line() > 1 { length } else { column.min(length) } as u64,
        reason,
        torn_tail: error.is_eof() && !bytes.ends_with(b"\n"),
    }
}
