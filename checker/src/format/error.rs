//! Why a history can't be read, with the place, or can't be written.

use std::{fmt, io};

use super::Format;

/// The longest line, op or value that is read, in bytes: a read of a list of a million elements fits, and
/// a file that is no text at all does not fill the memory.
pub const LINE_BYTES_MAX: u64 = 64 << 20;

/// How deep lists may stand in lists: far more than any history needs, far less than any stack holds.
pub const NESTING_MAX: usize = 100;

/// How much of what was found an error shows, in characters.
const FOUND_MAX: usize = 32;

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
    /// Something is not what it should be.
    #[error("line {line}, column {column}: {reason}")]
    Malformed {
        /// The line, from 1.
        line: u64,
        /// The column, in bytes from 1.
        column: u64,
        /// What is wrong there.
        reason: String,
        /// Whether this is the end of the file and the text just stops: what an interrupted writer
        /// leaves.
        torn_tail: bool,
    },
    /// A binary file is not what it should be.
    #[error("byte {offset:#x}: {reason}")]
    Binary {
        /// Where, in bytes from the beginning of the file.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A line or an op is longer than [`LINE_BYTES_MAX`].
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
    /// There is nothing at all.
    #[error("the file is empty: a history has at least one op")]
    Empty,
    /// It is none of the formats that are read.
    #[error("not a history in a known format: it begins with {found}")]
    UnknownFormat {
        /// How the file begins.
        found: String,
    },
}

impl ReadError {
    /// Whether the text just stops at the end of the file: what an interrupted writer leaves.
    pub fn is_torn_tail(&self) -> bool {
        matches!(self, ReadError::Malformed { torn_tail: true, .. })
    }
}

/// Why a file can't be read, and what it was taken for.
#[derive(Debug)]
pub struct Misread {
    /// The format that it was taken for; none if it is none that is known.
    pub format: Option<Format>,
    /// What is wrong.
    pub error: ReadError,
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.format {
            Some(format) => write!(f, "read as {format}: {}", self.error),
            None => self.error.fmt(f),
        }
    }
}

impl std::error::Error for Misread {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Why a history can't be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The writer failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The format has no place for something in the history.
    #[error("{format} can't carry {what} (op at position {position})")]
    CannotCarry {
        /// The format.
        format: Format,
        /// What it has no place for.
        what: String,
        /// Position of the op in the history, from 0.
        position: usize,
    },
    /// Histories are read from this format, but not written to it.
    #[error("{0} is only read, not written")]
    ReadOnly(Format),
}

/// What stands somewhere, shortened, between quotation marks.
pub(super) fn found(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\n' || *byte == b'\r').next().unwrap_or_default();
    if bytes.is_empty() {
        return "the end of the file".to_owned();
    }
    if line.is_empty() {
        return "the end of the line".to_owned();
    }
    let text = String::from_utf8_lossy(&line[..line.len().min(4 * FOUND_MAX)]);
    let shown: String = text.chars().take(FOUND_MAX).collect();
    let more = if shown.len() < text.len() || line.len() > 4 * FOUND_MAX { "…" } else { "" };
    format!("`{}{more}`", shown.escape_debug())
}
