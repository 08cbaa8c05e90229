//! The log while it is being written.

use super::recovery::{self, End, io};
use super::segment::{self, Header};
use super::stock::{Begun, Levels, Stock};
use super::superblock::{self, Superblock};
use super::{Disk, Identity, Keeper, Outcome, Recovery, WalError, batch};
use crate::paxos::{Ballot, Lsn, Record};
use std::sync::Arc;

/// How a log is kept.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Options {
    /// Length of a segment. A batch that doesn't fit into what is left of one goes to the next; one that
    /// is larger than this has a segment to itself, made to measure.
    pub segment_bytes: u64,
    /// So many segments are made ahead.
    pub ready_min: u64,
    /// So many trimmed segments wait at most to be used again.
    pub ready_max: u64,
    /// What a memory that begins now is called; one that is there keeps its own.
    pub incarnation: u64,
}

impl Options {
    /// The longest segment there may be, whatever is asked for: recovery reads one at a time.
    pub const SEGMENT_BYTES_MAX: u64 = 512 << 20;
}

impl Default for Options {
    /// 8 MiB: a node that begins has three of them to zero, which must not take a slow disk seconds; and as
    /// many as wait to be used again hold what a log grows by between two snapshots. Two ahead: one is the
    /// reserve of a full disk, one goes into use while another is made.
    fn default() -> Self {
        Options { segment_bytes: 8 << 20, ready_min: 2, ready_max: 8, incarnation: 0 }
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
    stock: Arc<Stock>,
    /// What is on the disk.
    superblock: Superblock,
    /// The highest ballot in the log that binds this node.
    ballot: Ballot,
    /// The segment being written, its file, and where the next batch goes.
    segment: Header,
    file: String,
    at: u64,
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
        // An earlier process may have died between write and sync. Whatever of that is read here, this
        // node will act on: so it must be on the disk, not just in the cache.
        for name in recovery::files(&mut disk)? {
            disk.settle(&name).map_err(|source| io(&disk, "syncing", &name, source))?;
        }
        let mut survey = recovery::survey(&mut disk, Some(identity))?;
        if let (Some(_), Some(end)) = (&survey.torn, &mut survey.end) {
            if crate::mutant!(AppendAfterGarbage) {
                end.at += batch::HEADER_BYTES as u64;
            } else {
                cut(&mut disk, end)?;
            }
        }
        let segment_bytes =
            options.segment_bytes.clamp(segment::HEADER_BYTES as u64, Options::SEGMENT_BYTES_MAX);
        let ready_upto = clear(&mut disk, &survey, segment_bytes)?;
        let fresh = survey.superblock.is_none();
        let superblock = match survey.superblock {
            Some(superblock) => superblock,
            None => {
                let superblock = Superblock::new(identity, options.incarnation);
                superblock::create(&mut disk, &superblock)
                    .map_err(|(operation, source)| io(&disk, operation, superblock::FILE, source))?;
                superblock
            }
        };

        let last = Lsn(survey.trimmed + survey.records.len() as u64);
        let levels = Levels { min: options.ready_min, max: options.ready_max.max(options.ready_min) };
        let stock = Stock::new(survey.begun, survey.segments, ready_upto, levels, segment_bytes);
        // No segment, and no room in it: the first batch begins one.
        let nowhere = Header {
            identity,
            incarnation: superblock.incarnation,
            sequence: survey.segments,
            first_lsn: Lsn::ZERO,
            bytes: 0,
        };
        let (segment, at) = survey.end.map_or((nowhere, 0), |end| (end.segment, end.at));
        let wal = Wal {
            disk,
            stock: Arc::new(stock),
            ballot: superblock.ballot,
            superblock,
            file: segment::name(segment.sequence),
            segment,
            at,
            written: last,
            durable: last,
            scratch: Vec::new(),
            stopped: None,
        };
        let recovery = Recovery {
            trimmed: survey.trimmed,
            records: survey.records,
            outcome: survey.torn.map_or(Outcome::Clean, Outcome::TornTailCut),
            fresh,
            incarnation: superblock.incarnation,
        };
        Ok((wal, recovery))
    }

    /// A keeper of this log's segments, over another handle of the same folder.
    #[must_use]
    pub fn keeper<E: Disk>(&self, disk: E) -> Keeper<E> {
        Keeper::new(disk, Arc::clone(&self.stock))
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
        batch.clear();
        batch::encode(self.segment.generation(), first, self.durable, records, &mut batch);
        if self.at + batch.len() as u64 > self.segment.bytes {
            self.next_segment(batch.len() as u64)?;
            batch.clear();
            batch.extend(self.segment.encode());
            batch::encode(self.segment.generation(), first, self.durable, records, &mut batch);
        }
        let end = self.at + batch.len() as u64;
        let room = usize::try_from(self.segment.bytes - end).unwrap_or(usize::MAX);
        batch.extend(&batch::END[..room.min(batch::END.len())]);
        if let Err(source) = self.disk.write_at(&self.file, self.at, &batch) {
            return Err(self.stop(io(&self.disk, "writing", &self.file, source)));
        }
        self.at = end;
        self.written = Lsn(self.written.0 + records.len() as u64);
        self.ballot = records.iter().filter_map(superblock::binding).fold(self.ballot, Ord::max);
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
            if self.ballot > self.superblock.ballot {
                self.vouch(self.written)?;
            }
            self.durable = self.written;
        }
        Ok(self.durable)
    }

    /// Says in the superblock how far the log is durable, so that the next recovery knows what must be
    /// there: the last thing before a process ends in good order.
    ///
    /// # Errors
    /// As [`Wal::sync`].
    pub fn close(&mut self) -> Result<(), WalError> {
        self.check()?;
        if self.superblock.durable < self.durable { self.vouch(self.durable) } else { Ok(()) }
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

    /// The log is durable up to here: the superblock says so, durably.
    fn vouch(&mut self, durable: Lsn) -> Result<(), WalError> {
        let next = self.superblock.after(durable, self.ballot);
        match superblock::write(&mut self.disk, &next) {
            Ok(()) => {
                self.superblock = next;
                Ok(())
            }
            Err((operation, source)) => Err(self.stop(io(&self.disk, operation, superblock::FILE, source))),
        }
    }

    /// Goes on to the next segment, which is to have room for a batch of `batch_bytes`. The one before it
    /// is durable to its end: what `write` asserts. Nothing is written but what makes it ready, if it
    /// is not: its header goes with its first batch.
    fn next_segment(&mut self, batch_bytes: u64) -> Result<(), WalError> {
        let sequence = self.segment.sequence + 1;
        let name = segment::name(sequence);
        let ready_bytes = self.stock.segment_bytes;
        if !self.stock.is_next_ready() {
            let made = segment::make(&mut self.disk, sequence, ready_bytes);
            self.stock.made(made.is_ok(), false);
            made.map_err(|(operation, file, source)| self.stop(io(&self.disk, operation, &file, source)))?;
        }
        let bytes = ready_bytes.max(segment::HEADER_BYTES as u64 + batch_bytes);
        segment::grow(&mut self.disk, &name, ready_bytes, bytes)
            .map_err(|(operation, file, source)| self.stop(io(&self.disk, operation, &file, source)))?;
        let first_lsn = Lsn(self.written.0 + 1);
        self.segment = Header { sequence, first_lsn, bytes, ..self.segment };
        self.file = name;
        self.at = 0;
        self.stock.begin(sequence, Begun { first_lsn, bytes });
        Ok(())
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

/// Cuts a torn tail, durably: where the next batch goes stands [`batch::END`] again. No header of this
/// generation stands further behind, or it would not be a tail; so the rest may stay as it is.
fn cut(disk: &mut impl Disk, end: &End) -> Result<(), WalError> {
    let name = segment::name(end.segment.sequence);
    let room = usize::try_from(end.segment.bytes - end.at).unwrap_or(usize::MAX);
    let zeros = &batch::END[..room.min(batch::END.len())];
    disk.write_at(&name, end.at, zeros)
        .map_err(|source| io(disk, "cutting the torn tail of", &name, source))?;
    disk.sync(&name).map_err(|source| io(disk, "syncing", &name, source))
}

/// Removes what a crash left unfinished, and ready segments that are of no use: of another length, as one
/// is when the length asked for has changed, or behind one that is missing. Makes the folder's entries
/// durable, the ones found as well as the removals: an entry may have been made just before the crash.
/// Returns the last segment that is ready.
fn clear(disk: &mut impl Disk, survey: &recovery::Survey, segment_bytes: u64) -> Result<u64, WalError> {
    let names = disk.list().map_err(|source| io(disk, "listing the folder", "", source))?;
    let mut useless: Vec<String> = names
        .into_iter()
        .filter(|name| segment::is_unfinished(name) || superblock::is_unfinished(name))
        .collect();
    let mut ready_upto = survey.segments;
    for &sequence in &survey.ready {
        let name = segment::name(sequence);
        let length = disk.length(&name).map_err(|source| io(disk, "measuring", &name, source))?;
        if sequence == ready_upto + 1 && length == segment_bytes {
            ready_upto = sequence;
        } else {
            useless.push(name);
        }
    }
    for name in &useless {
        disk.remove(name).map_err(|source| io(disk, "removing", name, source))?;
    }
    disk.sync_folder().map_err(|source| io(disk, "syncing the folder", "", source))?;
    Ok(ready_upto)
}
