//! Reading a log back: what is kept, what is cut, what is refused. The reasoning is in the
//! [module above](super).

use super::batch::{self, Found};
use super::segment::{self, Header};
use super::{Disk, Folder, Identity, Proof, Refusal, WalError};
use crate::paxos::{Lsn, Record};
use bytes::Bytes;
use std::fmt;
use std::path::Path;

/// What opening a log brought back.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Recovery {
    /// How many records have been trimmed from the log's beginning.
    pub trimmed: u64,
    /// Every record that is left, in order: the one at index `i` has `Lsn(trimmed + i + 1)`. All of
    /// them are durable.
    pub records: Vec<Record>,
    /// How the log ended.
    pub outcome: Outcome,
    /// There was no log: this node has never promised anything, or has lost all it had.
    pub fresh: bool,
}

/// How a log ended that was good enough to open.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Outcome {
    /// With its last batch.
    Clean,
    /// With a batch whose writing a crash had cut short. It was never confirmed to anybody, and
    /// is gone now.
    TornTailCut(TornTail),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Clean => write!(f, "clean"),
            Outcome::TornTailCut(tail) => write!(f, "cut a torn tail: {tail}"),
        }
    }
}

/// The remains of a batch at the very end of a log.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct TornTail {
    /// The file, as [`Disk::place`] calls it.
    pub file: String,
    /// Where the good bytes end.
    pub offset: u64,
    /// How many bytes follow that are good for nothing.
    pub bytes: u64,
}

impl fmt::Display for TornTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} bytes from byte {} on", self.file, self.bytes, self.offset)
    }
}

/// What a log holds, found without changing it.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Survey {
    /// Whose log it is; `None` if there is none.
    pub identity: Option<Identity>,
    /// How many records have been trimmed from the log's beginning.
    pub trimmed: u64,
    /// Every record that is left, in order: the one at index `i` has `Lsn(trimmed + i + 1)`. The last
    /// batch may not be durable yet; whether it is can't be seen.
    pub records: Vec<Record>,
    /// A torn tail that the next [`Wal::open`](super::Wal::open) would cut.
    pub torn: Option<TornTail>,
    /// How many segments the log has ever had; they are numbered from 1, and the first ones may have
    /// been trimmed.
    pub segments: u64,
    /// Length in bytes of the last segment's good part.
    pub(crate) last_bytes: u64,
}

/// Reads the log in a folder and changes nothing: no lock, no cut, no check of whose it is
/// (beyond all segments agreeing). For a look at the logs of stopped nodes; of a running one it
/// shows some moment, in which a batch being written looks like a torn tail.
///
/// # Errors
/// As [`Wal::open`](super::Wal::open), but for the lock.
pub fn read_only(folder: &Path) -> Result<Survey, WalError> {
    survey(&mut Folder::look(folder), None)
}

/// [`read_only`] for any disk. With `expected`, a log of anybody else is refused.
///
/// # Errors
/// As [`Wal::open`](super::Wal::open), but for the lock.
pub fn survey(disk: &mut impl Disk, expected: Option<Identity>) -> Result<Survey, WalError> {
    let segments = segments(disk)?;
    let mut survey = Survey { identity: expected, ..Survey::default() };
    for (position, &sequence) in segments.iter().enumerate() {
        let due = if position == 0 { sequence } else { survey.segments + 1 };
        if sequence != due {
            let reason = Refusal::SegmentMissing { expected: due, found: sequence };
            return Err(refused(disk, sequence, 0, reason));
        }
        let name = segment::name(sequence);
        let bytes = disk.read(&name).map_err(|source| io(disk, "reading", &name, source))?;
        let next = segments.get(position + 1).copied();
        let mut walk = Walk { sequence, next, segment: Bytes::from(bytes), survey: &mut survey };
        let torn = walk.run().map_err(|(offset, reason)| refused(disk, sequence, offset, reason))?;
        let good = survey.last_bytes;
        survey.torn = torn.map(|bytes| TornTail { file: disk.place(&name), offset: good, bytes });
        survey.segments = sequence;
    }
    if segments.is_empty() {
        survey.identity = None;
    }
    let is_checkpoint = |record: &Record| matches!(record, Record::Checkpoint { .. });
    match segments.first() {
        // Whatever was removed before a checkpoint is said again behind it. (Whether the snapshot is
        // there that it was written for is for whoever knows of snapshots to say.)
        Some(&first) if first > 1 && !survey.records.iter().any(is_checkpoint) => {
            Err(refused(disk, first, 0, Refusal::SegmentMissing { expected: 1, found: first }))
        }
        Some(_) | None => Ok(survey),
    }
}

/// The numbers of the segments there are, ascending.
pub(crate) fn segments(disk: &mut impl Disk) -> Result<Vec<u64>, WalError> {
    let names = disk.list().map_err(|source| io(disk, "listing the folder", "", source))?;
    let mut segments: Vec<u64> = names.iter().filter_map(|name| segment::sequence(name)).collect();
    segments.sort_unstable();
    Ok(segments)
}

/// Whether there is a log at all: any segment of one.
pub(crate) fn is_there(disk: &mut impl Disk) -> std::io::Result<bool> {
    Ok(disk.list()?.iter().any(|name| segment::sequence(name).is_some()))
}

pub(crate) fn io(disk: &impl Disk, operation: &'static str, name: &str, source: std::io::Error) -> WalError {
    WalError::Io { operation, file: disk.place(name), source }
}

fn refused(disk: &impl Disk, sequence: u64, offset: usize, reason: Refusal) -> WalError {
    WalError::Refused { file: disk.place(&segment::name(sequence)), offset: offset as u64, reason }
}

/// A walk through one segment, adding what it finds to the survey.
struct Walk<'a> {
    sequence: u64,
    /// The segment after this one, if there is any: then this one must be whole.
    next: Option<u64>,
    segment: Bytes,
    survey: &'a mut Survey,
}

impl Walk<'_> {
    /// Returns how many bytes at the end are a torn tail, or what is wrong, and where.
    fn run(&mut self) -> Result<Option<u64>, (usize, Refusal)> {
        self.header().map_err(|reason| (0, reason))?;
        let mut at = segment::HEADER_BYTES;
        while at < self.segment.len() {
            match batch::find(&self.segment, at, self.sequence) {
                Found::Batch { header, body, end } => {
                    self.batch(&header, body).map_err(|reason| (at, reason))?;
                    at = end;
                }
                Found::Damaged { damage, end } => {
                    if let Some(proof) = self.proof_of_durability(at, end) {
                        return Err((at, Refusal::BatchDamaged { damage, proof }));
                    }
                    self.survey.last_bytes = at as u64;
                    return Ok(Some((self.segment.len() - at) as u64));
                }
            }
        }
        self.survey.last_bytes = at as u64;
        Ok(None)
    }

    fn header(&mut self) -> Result<(), Refusal> {
        let header = Header::decode(&self.segment)?;
        let expected = *self.survey.identity.get_or_insert(header.identity);
        if header.identity != expected {
            return Err(Refusal::ForeignIdentity { expected, found: header.identity });
        }
        if self.survey.segments == 0 && self.sequence > 1 {
            self.survey.trimmed = header.first_lsn.0.saturating_sub(1);
        }
        let expected_lsn = self.next_lsn();
        if header.sequence != self.sequence || header.first_lsn != expected_lsn {
            return Err(Refusal::SegmentOutOfPlace {
                sequence: header.sequence,
                first_lsn: header.first_lsn,
                expected_sequence: self.sequence,
                expected_lsn,
            });
        }
        Ok(())
    }

    fn batch(&mut self, header: &batch::Header, body: Bytes) -> Result<(), Refusal> {
        let expected = self.next_lsn();
        if header.first_lsn != expected {
            return Err(Refusal::BatchOutOfOrder { expected, found: header.first_lsn });
        }
        batch::decode_records(header, body, &mut self.survey.records)
            .map_err(|(lsn, reason)| Refusal::RecordUnreadable { lsn, reason })
    }

    /// Whether the damaged batch at `at`, which ends at `end` if that is known, was durable once.
    fn proof_of_durability(&self, at: usize, end: Option<usize>) -> Option<Proof> {
        if let Some(sequence) = self.next {
            return Some(Proof::LaterSegment { sequence });
        }
        if let Some(end) = end {
            return (end < self.segment.len()).then_some(Proof::LaterBytes { offset: end as u64 });
        }
        batch::find_later_header(&self.segment, at, self.sequence, self.next_lsn())
            .map(|offset| Proof::LaterBatch { offset: offset as u64 })
    }

    fn next_lsn(&self) -> Lsn {
        Lsn((self.survey.trimmed + self.survey.records.len() as u64).saturating_add(1))
    }
}
