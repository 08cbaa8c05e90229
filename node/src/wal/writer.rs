//! The log while it is being written.

use super::recovery::{self, io};
use super::segment::{self, Header};
use super::{Disk, Identity, Outcome, Recovery, WalError, batch};
use crate::paxos::{Lsn, Record};

/// How a log is kept.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Options {
    /// A batch that would make a segment longer than this goes to a new one. A batch larger than
    /// this has a segment to itself.
    pub segment_bytes: u64,
}

impl Options {
    /// The longest segment there may be, whatever is asked for: recovery reads one at a time.
    pub const SEGMENT_BYTES_MAX: u64 = 512 << 20;
}

impl Default for Options {
    /// 64 MiB: few files, and a moment's work to read one.
    fn default() -> Self {
        Options { segment_bytes: 64 << 20 }
    }
}

/// An open log.
///
/// `write` and `sync` are two calls so that a simulated crash can come between them. They
/// alternate: the next batch may be written only when the one before it is durable, because
/// recovery's verdicts rest on that.
#[derive(Debug)]
pub struct Wal<D> {
    disk: D,
    identity: Identity,
    segment_bytes: u64,
    /// The segment being written: its number, its file, its length.
    sequence: u64,
    file: String,
    length: u64,
    /// The last record written.
    written: Lsn,
    /// The last record known durable.
    durable: Lsn,
    /// The batch being written; kept for its allocation.
    scratch: Vec<u8>,
    /// The first failure. There is no second: nothing is tried after it.
    stopped: Option<String>,
}

impl<D: Disk> Wal<D> {
    /// Opens the log on `disk`, or starts one there, and reads back all it holds.
    ///
    /// Cuts a torn tail. Leaves everything as it was when it refuses. A crash at any point of
    /// this is as good as one before it.
    ///
    /// # Errors
    /// [`WalError::Refused`] if the log can't be trusted, [`WalError::Io`] if the disk fails.
    pub fn open(mut disk: D, identity: Identity, options: Options) -> Result<(Self, Recovery), WalError> {
        let segments = recovery::segments(&mut disk)?;
        if let Some(&last) = segments.last() {
            // An earlier process may have died between write and sync. Whatever of that is read
            // here, this node will act on: so it must be on the disk, not just in the cache.
            let name = segment::name(last);
            disk.settle(&name).map_err(|source| io(&disk, "syncing", &name, source))?;
        }
        let survey = recovery::survey(&mut disk, Some(identity))?;
        if survey.torn.is_some() {
            let name = segment::name(survey.segments);
            disk.truncate(&name, survey.last_bytes)
                .map_err(|source| io(&disk, "cutting the torn tail of", &name, source))?;
            disk.sync(&name).map_err(|source| io(&disk, "syncing", &name, source))?;
        }
        Self::clear_unfinished(&mut disk)?;

        let last = Lsn(survey.trimmed + survey.records.len() as u64);
        let fresh = survey.segments == 0;
        let mut wal = Wal {
            disk,
            identity,
            segment_bytes: options.segment_bytes.min(Options::SEGMENT_BYTES_MAX),
            sequence: survey.segments,
            file: segment::name(survey.segments),
            length: survey.last_bytes,
            written: last,
            durable: last,
            scratch: Vec::new(),
            stopped: None,
        };
        if fresh {
            wal.next_segment()?;
        }
        let outcome = survey.torn.map_or(Outcome::Clean, Outcome::TornTailCut);
        Ok((wal, Recovery { trimmed: survey.trimmed, records: survey.records, outcome, fresh }))
    }

    /// Writes records as one batch and returns the LSN of the last. It is not durable yet, and
    /// nothing that depends on it may be revealed. No records: no batch.
    ///
    /// # Errors
    /// [`WalError::Io`] the first time, [`WalError::Stopped`] ever after.
    ///
    /// # Panics
    /// If the batch before this one has not been synced.
    pub fn write(&mut self, records: &[Record]) -> Result<Lsn, WalError> {
        self.check()?;
        assert!(
            self.written == self.durable,
            "a batch is written only when the one before it is durable: recovery takes a damaged batch \
             with a later one behind it for corruption"
        );
        if records.is_empty() {
            return Ok(self.written);
        }
        let first = Lsn(self.written.0 + 1);
        let mut batch = std::mem::take(&mut self.scratch);
        batch::encode(self.sequence, first, records, &mut batch);
        let used = self.length > segment::HEADER_BYTES as u64;
        if used && self.length + batch.len() as u64 > self.segment_bytes {
            self.next_segment()?;
            batch::encode(self.sequence, first, records, &mut batch);
        }
        if let Err(source) = self.disk.append(&self.file, &batch) {
            return Err(self.stop(io(&self.disk, "writing", &self.file, source)));
        }
        self.length += batch.len() as u64;
        self.written = Lsn(self.written.0 + records.len() as u64);
        self.scratch = batch;
        self.scratch.shrink_to(SCRATCH_BYTES_KEPT);
        Ok(self.written)
    }

    /// Makes everything written durable and returns the LSN of the last record.
    ///
    /// # Errors
    /// [`WalError::Io`] the first time, [`WalError::Stopped`] ever after. What was written since
    /// the last sync that succeeded may or may not survive.
    pub fn sync(&mut self) -> Result<Lsn, WalError> {
        self.check()?;
        if self.durable != self.written {
            if let Err(source) = self.disk.sync(&self.file) {
                return Err(self.stop(io(&self.disk, "syncing", &self.file, source)));
            }
            self.durable = self.written;
        }
        Ok(self.durable)
    }

    /// The last record written.
    #[must_use]
    pub fn written(&self) -> Lsn {
        self.written
    }

    /// The last record known to be durable.
    #[must_use]
    pub fn durable(&self) -> Lsn {
        self.durable
    }

    /// The disk below.
    #[must_use]
    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// Gives the disk back, synced or not: what a crash leaves behind.
    #[must_use]
    pub fn into_disk(self) -> D {
        self.disk
    }

    /// Removes segments whose making a crash cut short, and makes the folder's entries durable,
    /// the ones found as well as the removals: an entry may have been made just before the crash.
    fn clear_unfinished(disk: &mut D) -> Result<(), WalError> {
        let names = disk.list().map_err(|source| io(disk, "listing the folder", "", source))?;
        for name in names.iter().filter(|name| segment::is_unfinished(name)) {
            disk.remove(name).map_err(|source| io(disk, "removing", name, source))?;
        }
        disk.sync_folder().map_err(|source| io(disk, "syncing the folder", "", source))
    }

    /// Goes on to a new segment. The one before it is durable to its end: what `write` asserts.
    fn next_segment(&mut self) -> Result<(), WalError> {
        let header = Header {
            identity: self.identity,
            sequence: self.sequence + 1,
            first_lsn: Lsn(self.written.0 + 1),
        };
        match segment::create(&mut self.disk, &header) {
            Ok(file) => {
                self.sequence = header.sequence;
                self.file = file;
                self.length = segment::HEADER_BYTES as u64;
                Ok(())
            }
            Err((operation, file, source)) => Err(self.stop(io(&self.disk, operation, &file, source))),
        }
    }

    fn check(&self) -> Result<(), WalError> {
        match &self.stopped {
            None => Ok(()),
            Some(cause) => Err(WalError::Stopped { cause: cause.clone() }),
        }
    }

    fn stop(&mut self, error: WalError) -> WalError {
        self.stopped = Some(error.to_string());
        error
    }
}

/// An unusually large batch's memory is given back after it.
const SCRATCH_BYTES_KEPT: usize = 8 << 20;
