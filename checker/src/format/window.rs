//! A file seen through a window: what is read is at hand as one slice, what is done with is dropped.
//!
//! A parser takes what it can from [`Window::rest`]; when that ends in the middle of something it asks
//! for more and begins that thing again. So no parser needs to know where a chunk ends, and a file is
//! never in memory as a whole. The window knows at which line and column everything stands.

use std::io::Read;

use super::error::{LINE_BYTES_MAX, ReadError};

/// How much is read at a time, in bytes: small enough to stay in a cache.
const CHUNK_BYTES: usize = 256 << 10;

pub(super) struct Window<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    finished: bool,
    /// Line breaks in what was dropped.
    lines_dropped: u64,
    /// Bytes dropped since the last line break among them.
    column_dropped: u64,
}

/// Why a parser stopped in the middle.
#[derive(Debug)]
pub(super) enum Stop {
    /// What is at hand ends here, and more may come.
    More,
    /// Something is wrong.
    Bad(Box<Bad>),
}

#[derive(Debug)]
pub(super) struct Bad {
    /// Where, in bytes from the beginning of the slice that was parsed.
    pub(super) at: usize,
    pub(super) reason: String,
    /// Whether the file just ends there.
    pub(super) torn: bool,
}

impl Stop {
    pub(super) fn bad(at: usize, reason: impl Into<String>) -> Self {
        Stop::Bad(Box::new(Bad { at, reason: reason.into(), torn: false }))
    }

    pub(super) fn torn(at: usize, reason: impl Into<String>) -> Self {
        Stop::Bad(Box::new(Bad { at, reason: reason.into(), torn: true }))
    }
}

impl<R: Read> Window<R> {
    pub(super) fn new(reader: R) -> Result<Self, ReadError> {
        Self::with_chunk(reader, CHUNK_BYTES)
    }

    /// The same with another size of chunks.
    pub(super) fn with_chunk(reader: R, bytes: usize) -> Result<Self, ReadError> {
        let mut window = Self {
            reader,
            buffer: vec![0; bytes],
            start: 0,
            end: 0,
            finished: false,
            lines_dropped: 0,
            column_dropped: 0,
        };
        window.more()?;
        Ok(window)
    }

    /// What is at hand.
    pub(super) fn rest(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Whether nothing comes after what is at hand.
    pub(super) fn is_last(&self) -> bool {
        self.finished
    }

    /// Drops the first bytes of what is at hand.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.end);
    }

    /// Makes what is at hand longer. What begins at its start may not be longer than a line may be.
    pub(super) fn more(&mut self) -> Result<(), ReadError> {
        let dropped = &self.buffer[..self.start];
        self.lines_dropped += memchr::memchr_iter(b'\n', dropped).count() as u64;
        self.column_dropped = match memchr::memrchr(b'\n', dropped) {
            Some(last) => (dropped.len() - last - 1) as u64,
            None => self.column_dropped + dropped.len() as u64,
        };
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end as u64 > LINE_BYTES_MAX {
            return Err(ReadError::LineTooLong { line: self.place(0).0 });
        }
        if self.end > self.buffer.len() / 2 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        while self.end < self.buffer.len() && !self.finished {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.finished = true,
                Ok(bytes) => self.end += bytes,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(ReadError::Io { line: self.place(self.end).0, source }),
            }
        }
        Ok(())
    }

    /// Line and column, from 1, of a byte of what is at hand.
    pub(super) fn place(&self, at: usize) -> (u64, u64) {
        let before = &self.buffer[..(self.start + at).min(self.end)];
        let lines = memchr::memchr_iter(b'\n', before).count() as u64;
        let column = match memchr::memrchr(b'\n', before) {
            Some(last) => (before.len() - last - 1) as u64,
            None => self.column_dropped + before.len() as u64,
        };
        (self.lines_dropped + lines + 1, column + 1)
    }

    /// How many lines there are up to here, the last of them ended or not.
    pub(super) fn lines(&self) -> u64 {
        let (line, column) = self.place(0);
        if column == 1 { line - 1 } else { line }
    }

    /// The next line without its end, from the start of what is at hand; none at the end of the file.
    /// `advance` over `1 +` its length.
    pub(super) fn line(&mut self) -> Result<Option<usize>, ReadError> {
        let mut searched = 0;
        loop {
            if let Some(length) = memchr::memchr(b'\n', &self.rest()[searched..]) {
                return Ok(Some(searched + length));
            }
            searched = self.rest().len();
            if self.finished {
                return Ok((searched > 0).then_some(searched));
            }
            self.more()?;
        }
    }

    /// Everything that is left, in one piece.
    pub(super) fn into_all(mut self) -> Result<Vec<u8>, ReadError> {
        let mut all = self.buffer[self.start..self.end].to_vec();
        if !self.finished {
            let read = self.reader.read_to_end(&mut all);
            read.map_err(|source| ReadError::Io { line: self.place(0).0, source })?;
        }
        Ok(all)
    }

    pub(super) fn malformed(&self, at: usize, reason: impl Into<String>) -> ReadError {
        let (line, column) = self.place(at);
        ReadError::Malformed { line, column, reason: reason.into(), torn_tail: false }
    }

    pub(super) fn bad(&self, bad: Bad) -> ReadError {
        let (line, column) = self.place(bad.at);
        ReadError::Malformed { line, column, reason: bad.reason, torn_tail: bad.torn }
    }
}
