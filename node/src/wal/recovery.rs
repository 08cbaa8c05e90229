//! Reading a log back: what is kept, what is cut, what is refused. The reasoning is in the
//! [module above](super).

use super::batch::{self, Found};
use super::segment::{self, Generation, Header, State};
use super::stock::Begun;
use super::superblock::{self, Superblock};
use super::verdict::{self, Here, Next, Seen, Verdict, Witness};
use super::{Damage, Disk, Folder, Identity, Proof, Refusal, WalError};
use crate::paxos::{Lsn, Record};
use bytes::Bytes;
use std::collections::BTreeMap;
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
    /// Which memory of this node it is: drawn when the log was begun.
    pub incarnation: u64,
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
    /// What stands there.
    pub damage: Damage,
}

impl fmt::Display for TornTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, byte {}: {}", self.file, self.offset, self.damage)
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
    /// How many segments the log has ever begun: they are numbered from 1, and the first ones may have
    /// been trimmed.
    pub segments: u64,
    /// Those that are ready and not begun.
    pub(crate) ready: Vec<u64>,
    /// Those that are begun and not trimmed.
    pub(crate) begun: BTreeMap<u64, Begun>,
    /// Where the log ends; `None`: no segment is begun.
    pub(crate) end: Option<End>,
    /// `None`: there is no log.
    pub(crate) superblock: Option<Superblock>,
}

/// The end of a log.
#[derive(Clone, Eq, PartialEq, Debug)]
pub(crate) struct End {
    pub(crate) segment: Header,
    pub(crate) at: u64,
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
    let Some(superblock) = superblock(disk, &segments)? else { return Ok(Survey::default()) };
    let found = superblock.identity;
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        let reason = Refusal::ForeignIdentity { expected, found };
        return Err(refused(disk, superblock::FILE, 0, reason));
    }
    let survey = Survey { identity: Some(found), superblock: Some(superblock), ..Survey::default() };
    let mut walk = Walk { disk, superblock, survey, stop: None };
    for sequence in segments {
        walk.segment(sequence)?;
    }
    walk.finish()
}

/// The superblock; `None` if there is no log.
fn superblock(disk: &mut impl Disk, segments: &[u64]) -> Result<Option<Superblock>, WalError> {
    let name = superblock::FILE;
    let names = disk.list().map_err(|source| io(disk, "listing the folder", "", source))?;
    if names.iter().any(|other| other == name) {
        let bytes = disk.read(name).map_err(|source| io(disk, "reading", name, source))?;
        return Superblock::decode(&bytes).map(Some).map_err(|reason| refused(disk, name, 0, reason));
    }
    let Some(&first) = segments.first() else { return Ok(None) };
    // Formats before 2 had none: that is the better thing to say then.
    let header = Header::decode(&head(disk, first)?);
    let is_other_format = |reason: &Refusal| matches!(reason, Refusal::UnsupportedFormat { .. });
    let reason = header.err().filter(is_other_format).unwrap_or(Refusal::SuperblockMissing);
    Err(refused(disk, &segment::name(first), 0, reason))
}

/// A segment's first bytes.
fn head(disk: &mut impl Disk, sequence: u64) -> Result<Vec<u8>, WalError> {
    let name = segment::name(sequence);
    disk.read_part(&name, 0, segment::HEADER_BYTES)
        .map_err(|source| io(disk, "reading the header of", &name, source))
}

/// The files that make up the log.
pub(crate) fn files(disk: &mut impl Disk) -> Result<Vec<String>, WalError> {
    let mut names = disk.list().map_err(|source| io(disk, "listing the folder", "", source))?;
    names.retain(|name| name == superblock::FILE || segment::sequence(name).is_some());
    names.sort_unstable();
    Ok(names)
}

/// The numbers of the segments there are, ascending.
pub(crate) fn segments(disk: &mut impl Disk) -> Result<Vec<u64>, WalError> {
    let names = disk.list().map_err(|source| io(disk, "listing the folder", "", source))?;
    let mut segments: Vec<u64> = names.iter().filter_map(|name| segment::sequence(name)).collect();
    segments.sort_unstable();
    Ok(segments)
}

/// Whether there is a log at all: any part of one.
pub(crate) fn is_there(disk: &mut impl Disk) -> std::io::Result<bool> {
    Ok(disk.list()?.iter().any(|name| name == superblock::FILE || segment::sequence(name).is_some()))
}

pub(crate) fn io(disk: &impl Disk, operation: &'static str, name: &str, source: std::io::Error) -> WalError {
    WalError::Io { operation, file: disk.place(name), source }
}

fn refused(disk: &impl Disk, name: &str, offset: u64, reason: Refusal) -> WalError {
    WalError::Refused { file: disk.place(name), offset, reason }
}

/// A walk through all segments, adding what it finds to the survey.
struct Walk<'a, D> {
    disk: &'a mut D,
    superblock: Superblock,
    survey: Survey,
    /// Where the last segment's batches stopped. What that means, the next one helps to tell.
    stop: Option<Stop>,
}

/// Where a segment has no further intact batch.
struct Stop {
    end: End,
    damage: Damage,
    later_batch: Option<(usize, batch::Header)>,
}

impl<D: Disk> Walk<'_, D> {
    fn segment(&mut self, sequence: u64) -> Result<(), WalError> {
        let name = segment::name(sequence);
        let head = head(self.disk, sequence)?;
        let state = State::of(sequence, &head).map_err(|reason| refused(self.disk, &name, 0, reason))?;
        let (State::Ready(Some(header)) | State::Begun(header)) = state else {
            self.survey.ready.push(sequence);
            return Ok(());
        };
        self.check_owner(&header).map_err(|reason| refused(self.disk, &name, 0, reason))?;
        if state != State::Begun(header) {
            self.survey.ready.push(sequence);
            return Ok(());
        }
        let is_first = self.survey.begun.is_empty();
        let due = if is_first && self.survey.ready.is_empty() { sequence } else { self.survey.segments + 1 };
        if sequence != due {
            let reason = Refusal::SegmentMissing { expected: due, found: sequence };
            return Err(refused(self.disk, &name, 0, reason));
        }
        if is_first && sequence > 1 {
            self.survey.trimmed = header.first_lsn.0.saturating_sub(1);
        }
        let bytes = self.disk.read(&name).map_err(|source| io(self.disk, "reading", &name, source))?;
        self.settle_stop(Some(&header))?;
        self.check_place(&header, sequence, bytes.len() as u64)
            .map_err(|reason| refused(self.disk, &name, 0, reason))?;
        let stop = self
            .batches(&header, &bytes)
            .map_err(|(offset, reason)| refused(self.disk, &name, offset as u64, reason))?;
        self.stop = Some(stop);
        self.survey.begun.insert(sequence, Begun { first_lsn: header.first_lsn, bytes: header.bytes });
        self.survey.segments = sequence;
        Ok(())
    }

    fn check_owner(&self, header: &Header) -> Result<(), Refusal> {
        let Superblock { identity, incarnation, .. } = self.superblock;
        if header.identity != identity {
            return Err(Refusal::ForeignIdentity { expected: identity, found: header.identity });
        }
        if header.incarnation != incarnation {
            return Err(Refusal::ForeignIncarnation { expected: incarnation, found: header.incarnation });
        }
        Ok(())
    }

    fn check_place(&self, header: &Header, sequence: u64, length: u64) -> Result<(), Refusal> {
        let expected_lsn = self.next_lsn();
        if header.sequence != sequence || header.first_lsn != expected_lsn {
            return Err(Refusal::SegmentOutOfPlace {
                sequence: header.sequence,
                first_lsn: header.first_lsn,
                expected_sequence: sequence,
                expected_lsn,
            });
        }
        if header.bytes != length {
            return Err(Refusal::SegmentLength { expected: header.bytes, found: length });
        }
        Ok(())
    }

    /// Takes in a segment's batches, and returns where they stop.
    fn batches(&mut self, header: &Header, bytes: &Bytes) -> Result<Stop, (usize, Refusal)> {
        let generation: Generation = header.generation();
        let mut at = segment::HEADER_BYTES;
        let damage = loop {
            match batch::find(bytes, at, generation) {
                Found::Batch { header, body, end } => {
                    self.batch(&header, body).map_err(|reason| (at, reason))?;
                    at = end;
                }
                Found::Nothing => break Damage::Nothing,
                Found::Damaged(damage) => break damage,
            }
        };
        let later_batch = batch::find_later_header(bytes, at, generation);
        Ok(Stop { end: End { segment: *header, at: at as u64 }, damage, later_batch })
    }

    fn batch(&mut self, header: &batch::Header, body: Bytes) -> Result<(), Refusal> {
        let expected = self.next_lsn();
        if header.first_lsn != expected {
            return Err(Refusal::BatchOutOfOrder { expected, found: header.first_lsn });
        }
        batch::decode_records(header, body, &mut self.survey.records)
            .map_err(|(lsn, reason)| Refusal::RecordUnreadable { lsn, reason })
    }

    /// Judges where the last segment stopped, now that it is known which comes next, if any does.
    fn settle_stop(&mut self, next: Option<&Header>) -> Result<(), WalError> {
        let Some(Stop { end, damage, later_batch }) = self.stop.take() else { return Ok(()) };
        let due = self.next_lsn();
        let vouched = self.superblock.durable;
        let here = match damage {
            Damage::Nothing => Here::Nothing,
            Damage::HeaderUnreadable => Here::Unreadable,
            Damage::BodyCut | Damage::BodyChecksum => Here::BodyLost,
        };
        let following = match next {
            None => Next::None,
            Some(next) if next.first_lsn > due => Next::Later,
            // An earlier one is out of its place, which is found next.
            Some(_) => Next::Due,
        };
        let seen =
            Seen { here, later_batch: later_batch.is_some(), next: following, vouched: vouched >= due };
        let name = segment::name(end.segment.sequence);
        let mut verdict = verdict::judge(&seen);
        if crate::mutant!(CorruptMiddleTruncates) && next.is_none() {
            verdict = Verdict::Torn;
        }
        let (proof, last) = match (verdict, later_batch, next) {
            (Verdict::End, ..) => {
                self.survey.end = Some(end);
                return Ok(());
            }
            (Verdict::Torn, ..) => {
                let file = self.disk.place(&name);
                self.survey.torn = Some(TornTail { file, offset: end.at, damage });
                self.survey.end = Some(end);
                return Ok(());
            }
            (Verdict::Lost(Witness::Batch), Some((offset, header)), _) => {
                let (offset, durable) = (offset as u64, header.durable_before);
                (Proof::LaterBatch { offset, durable }, durable)
            }
            (Verdict::Lost(Witness::Segment), _, Some(next)) => {
                let Header { sequence, first_lsn, .. } = *next;
                (Proof::LaterSegment { sequence, first_lsn }, Lsn(first_lsn.0.saturating_sub(1)))
            }
            (Verdict::Lost(_), ..) => (Proof::Superblock { durable: vouched }, vouched),
        };
        let reason = Refusal::RecordsLost { first: due, last: last.max(due), damage, proof };
        Err(refused(self.disk, &name, end.at, reason))
    }

    fn finish(mut self) -> Result<Survey, WalError> {
        self.settle_stop(None)?;
        let Walk { disk, superblock, survey, .. } = self;
        let Some(&first) = survey.begun.keys().next() else {
            // No segment is begun: nothing may have been durable, and none have been trimmed.
            let durable = superblock.durable;
            if durable > Lsn::ZERO {
                let (damage, proof) = (Damage::Nothing, Proof::Superblock { durable });
                let reason = Refusal::RecordsLost { first: Lsn(1), last: durable, damage, proof };
                return Err(refused(disk, superblock::FILE, 0, reason));
            }
            return Ok(survey);
        };
        let is_checkpoint = |record: &Record| matches!(record, Record::Checkpoint { .. });
        // Whatever was removed before a checkpoint is said again behind it. (Whether the snapshot is
        // there that it was written for is for whoever knows of snapshots to say.)
        if first > 1 && !survey.records.iter().any(is_checkpoint) {
            let reason = Refusal::SegmentMissing { expected: 1, found: first };
            return Err(refused(disk, &segment::name(first), 0, reason));
        }
        Ok(survey)
    }

    fn next_lsn(&self) -> Lsn {
        Lsn((self.survey.trimmed + self.survey.records.len() as u64).saturating_add(1))
    }
}
