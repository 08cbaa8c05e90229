//! The snapshots in a node's folder.

use super::part::{self, Body, HEADER_BYTES as PART_HEADER_BYTES, Head, Reader};
use super::{Flaw, SnapshotError};
use crate::kv::{Kv, Restoring};
use crate::paxos::{AppliedHash, Ballot, Base, Governing, NodeId, Slot};
use crate::service::{SnapshotDone, SnapshotOrder};
use crate::wal::{self, Disk, Folder, Identity, u32_at, u64_at};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// How many are kept: see [`super`].
pub const KEPT: usize = 2;

const HEADER_BYTES: usize = 64;
const MAGIC: [u8; 8] = *b"APAXSNP\0";
const FORMAT: u32 = 1;
const CRC_AT: usize = 60;
const SUFFIX: &str = ".snap";
const UNFINISHED: &str = "snap.new";
const SLOT_DIGITS: usize = 20;

/// A node's snapshots, and the one being written.
#[derive(Debug)]
pub struct Files<D> {
    disk: D,
    identity: Identity,
    /// Where each part of each begins, and where the last ends, in bytes from the file's start.
    kept: BTreeMap<Slot, Vec<u64>>,
    writing: Option<Writing>,
}

#[derive(Debug)]
struct Writing {
    slot: Slot,
    offsets: Vec<u64>,
    length: u64,
}

/// A state read back.
pub struct Loaded {
    /// What it covers.
    pub base: Base,
    /// Who governs the slots behind it.
    pub governing: Vec<Governing>,
    /// The state.
    pub kv: Kv,
    /// Length of its file in bytes.
    pub bytes: u64,
}

/// What a folder's newest snapshot holds, for whoever looks in from outside.
pub type Found = Option<Loaded>;

/// Reads the newest snapshot in a folder and changes nothing; `None` if there is none.
///
/// # Errors
/// As [`Files::open`].
pub fn read_only(folder: &Path) -> Result<Found, SnapshotError> {
    let mut disk = Folder::look(folder);
    let slots = slots(&mut disk)?;
    slots.last().map(|slot| load(&mut disk, *slot, None).map(|(loaded, _)| loaded)).transpose()
}

impl<D: Disk> Files<D> {
    /// Opens the folder's snapshots and reads the newest, if there is one. Removes what a crash left
    /// unfinished.
    ///
    /// # Errors
    /// If the newest is damaged, or anybody else's; if the disk fails.
    pub fn open(mut disk: D, identity: Identity) -> Result<(Files<D>, Found), SnapshotError> {
        let slots = slots(&mut disk)?;
        let mut files = Files { disk, identity, kept: BTreeMap::new(), writing: None };
        let mut newest = None;
        if let Some(&slot) = slots.last() {
            let log = files.io("listing the folder", "", wal::is_there)?;
            if !log {
                let file = files.disk.place(&name(slot));
                return Err(SnapshotError::Refused { file, offset: 0, flaw: Flaw::NoLog });
            }
            let (loaded, offsets) = load(&mut files.disk, slot, Some(identity))?;
            files.kept.insert(slot, offsets);
            newest = Some(loaded);
        }
        files.clear()?;
        Ok((files, newest))
    }

    /// Does what was ordered, and says what is to be reported.
    ///
    /// # Errors
    /// If the disk fails: then nothing more can be relied on, and the node must stop.
    pub fn carry_out(&mut self, order: SnapshotOrder) -> Result<Option<SnapshotDone>, SnapshotError> {
        Ok(match order {
            SnapshotOrder::Begin { job: _, slot } => {
                self.begin(slot)?;
                None
            }
            SnapshotOrder::Part { job, bytes } => {
                self.append(&bytes)?;
                Some(SnapshotDone::Written { job })
            }
            SnapshotOrder::Finish { job } => {
                let (_, bytes) = self.finish()?;
                Some(SnapshotDone::Durable { job, bytes })
            }
            SnapshotOrder::Abandon => {
                self.abandon()?;
                None
            }
            SnapshotOrder::Read { to, slot, part } => {
                Some(SnapshotDone::Read { to, slot, part, bytes: self.part(slot, part)? })
            }
        })
    }

    /// Begins a file for a snapshot of the state after `slot`; one under way is given up.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn begin(&mut self, slot: Slot) -> Result<(), SnapshotError> {
        self.abandon()?;
        let header = header(self.identity, slot);
        self.io("creating a snapshot", UNFINISHED, |disk| disk.create(UNFINISHED))?;
        self.io("writing a snapshot's header", UNFINISHED, |disk| disk.append(UNFINISHED, &header))?;
        self.writing = Some(Writing { slot, offsets: Vec::new(), length: HEADER_BYTES as u64 });
        Ok(())
    }

    /// Writes the next part.
    ///
    /// # Errors
    /// If the disk fails.
    ///
    /// # Panics
    /// If none was begun.
    pub fn append(&mut self, part: &[u8]) -> Result<(), SnapshotError> {
        self.io("writing a snapshot", UNFINISHED, |disk| disk.append(UNFINISHED, part))?;
        let writing = self.writing.as_mut().expect("a part belongs to a snapshot that was begun");
        writing.offsets.push(writing.length);
        writing.length += part.len() as u64;
        Ok(())
    }

    /// All parts are written: the snapshot becomes durable, and gets its name. Older ones go, but
    /// for the one before.
    ///
    /// # Errors
    /// If the disk fails.
    ///
    /// # Panics
    /// If none was begun.
    pub fn finish(&mut self) -> Result<(Slot, u64), SnapshotError> {
        let Writing { slot, mut offsets, length } =
            self.writing.take().expect("a snapshot that ends was begun");
        let name = name(slot);
        self.io("syncing a snapshot", UNFINISHED, |disk| disk.sync(UNFINISHED))?;
        self.io("naming a snapshot", UNFINISHED, |disk| disk.rename(UNFINISHED, &name))?;
        self.io("syncing the folder of a snapshot", &name, Disk::sync_folder)?;
        offsets.push(length);
        self.kept.insert(slot, offsets);
        // The names are looked up: a file of an earlier life is not in `kept`.
        let there = slots(&mut self.disk)?;
        let surplus = there.len().saturating_sub(KEPT);
        for old in &there[..surplus] {
            self.remove(*old)?;
        }
        Ok((slot, length))
    }

    /// Gives up the snapshot under way, if there is one. Its entry is gone for good before the next
    /// takes its name: else a crash could leave this one's bytes under that one's.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn abandon(&mut self) -> Result<(), SnapshotError> {
        if self.writing.take().is_none() {
            return Ok(());
        }
        self.io("removing a snapshot that was given up", UNFINISHED, |disk| disk.remove(UNFINISHED))?;
        self.io("syncing the folder", "", Disk::sync_folder)
    }

    /// A part of a snapshot; `None` if there is no such snapshot (any more) or no such part.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn part(&mut self, slot: Slot, index: u32) -> Result<Option<Bytes>, SnapshotError> {
        let at = index as usize;
        let place = self.kept.get(&slot).and_then(|offsets| offsets.get(at..at.checked_add(2)?));
        let Some(&[start, end]) = place else { return Ok(None) };
        let length = usize::try_from(end - start).unwrap_or(usize::MAX).min(part::PART_BYTES_MAX);
        let name = name(slot);
        let bytes = self.io("reading a snapshot", &name, |disk| disk.read_part(&name, start, length))?;
        Ok(Some(bytes.into()))
    }

    /// The disk below.
    pub fn disk(&mut self) -> &mut D {
        &mut self.disk
    }

    fn remove(&mut self, slot: Slot) -> Result<(), SnapshotError> {
        let name = name(slot);
        self.kept.remove(&slot);
        self.io("removing an old snapshot", &name, |disk| disk.remove(&name))
    }

    /// Removes what a crash left unfinished. The names that were found are made durable: what the
    /// node does next rests on them.
    fn clear(&mut self) -> Result<(), SnapshotError> {
        let names = self.io("listing the folder", "", Disk::list)?;
        if names.iter().any(|name| name == UNFINISHED) {
            self.io("removing an unfinished snapshot", UNFINISHED, |disk| disk.remove(UNFINISHED))?;
        }
        self.io("syncing the folder", "", Disk::sync_folder)
    }

    fn io<T>(
        &mut self,
        operation: &'static str,
        name: &str,
        act: impl FnOnce(&mut D) -> io::Result<T>,
    ) -> Result<T, SnapshotError> {
        act(&mut self.disk).map_err(|source| failed(&self.disk, operation, name, source))
    }
}

fn failed(disk: &impl Disk, operation: &'static str, name: &str, source: io::Error) -> SnapshotError {
    SnapshotError::Io { operation, file: disk.place(name), source }
}

/// The slots of the snapshots there are, ascending.
fn slots(disk: &mut impl Disk) -> Result<Vec<Slot>, SnapshotError> {
    let names = disk.list().map_err(|source| failed(disk, "listing the folder", "", source))?;
    let mut slots: Vec<Slot> = names.iter().filter_map(|name| slot(name)).collect();
    slots.sort_unstable();
    Ok(slots)
}

/// The file name of a snapshot: sorts like its slot.
fn name(slot: Slot) -> String {
    format!("{:0SLOT_DIGITS$}{SUFFIX}", slot.0)
}

fn slot(file: &str) -> Option<Slot> {
    let digits = file.strip_suffix(SUFFIX)?;
    let exact = digits.len() == SLOT_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if exact { digits.parse().ok().map(Slot) } else { None }
}

fn header(identity: Identity, slot: Slot) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    bytes[12..14].copy_from_slice(&identity.node.0.to_le_bytes());
    bytes[16..24].copy_from_slice(&identity.cluster.to_le_bytes());
    bytes[24..32].copy_from_slice(&slot.0.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..CRC_AT]);
    bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn check_header(bytes: &[u8], expected: Option<Identity>, slot: Slot) -> Result<(), Flaw> {
    let Some(bytes) = bytes.first_chunk::<HEADER_BYTES>() else { return Err(Flaw::HeaderUnreadable) };
    if bytes[..8] != MAGIC || u32_at(bytes, CRC_AT) != crc32c::crc32c(&bytes[..CRC_AT]) {
        return Err(Flaw::HeaderUnreadable);
    }
    let format = u32_at(bytes, 8);
    if format != FORMAT {
        return Err(Flaw::UnsupportedFormat { found: format, supported: FORMAT });
    }
    let node = NodeId(u16::from_le_bytes([bytes[12], bytes[13]]));
    let found = Identity { cluster: u64_at(bytes, 16), node };
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        return Err(Flaw::ForeignIdentity { expected, found });
    }
    let found = Slot(u64_at(bytes, 24));
    if found == slot { Ok(()) } else { Err(Flaw::Misnamed { found, expected: slot }) }
}

/// A file being read from front to back, a part at a time.
struct Load<'a, D> {
    disk: &'a mut D,
    name: String,
    at: u64,
}

impl<D: Disk> Load<'_, D> {
    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, SnapshotError> {
        let (name, at) = (&self.name, self.at);
        self.disk
            .read_part(name, at, length)
            .map_err(|source| failed(self.disk, "reading a snapshot", name, source))
    }

    fn refused(&self, flaw: Flaw) -> SnapshotError {
        SnapshotError::Refused { file: self.disk.place(&self.name), offset: self.at, flaw }
    }

    fn next(&mut self) -> Result<Bytes, SnapshotError> {
        let header = self.bytes(PART_HEADER_BYTES)?;
        let length = part::length(&header).map_err(|flaw| self.refused(flaw))?;
        self.bytes(PART_HEADER_BYTES + length).map(Bytes::from)
    }
}

/// Reads a snapshot back: the state in it, and where its parts begin and the last one ends.
fn load<D: Disk>(
    disk: &mut D,
    slot: Slot,
    expected: Option<Identity>,
) -> Result<(Loaded, Vec<u64>), SnapshotError> {
    let mut load = Load { disk, name: name(slot), at: 0 };
    let header = load.bytes(HEADER_BYTES)?;
    check_header(&header, expected, slot).map_err(|flaw| load.refused(flaw))?;
    load.at = HEADER_BYTES as u64;
    let (mut reader, mut restoring, mut offsets) = (Reader::new(slot), Restoring::default(), Vec::new());
    let (mut ballot, mut governing) = (Ballot::ZERO, Vec::new());
    while !reader.is_ended() {
        let part = load.next()?;
        match reader.take(&part).map_err(|flaw| load.refused(flaw))? {
            Body::Head(head) => Head { ballot, governing } = head,
            Body::State(piece) => {
                restoring.take(piece).map_err(|error| load.refused(Flaw::NoState(error)))?;
            }
            Body::End => {}
        }
        offsets.push(load.at);
        load.at += part.len() as u64;
    }
    offsets.push(load.at);
    if !load.bytes(1)?.is_empty() {
        return Err(load.refused(Flaw::Surplus));
    }
    let kv = restoring.finish().map_err(|error| load.refused(Flaw::NoState(error)))?;
    let AppliedHash { slot: applied, .. } = kv.applied();
    if applied != slot {
        return Err(load.refused(Flaw::OtherState(applied)));
    }
    Ok((Loaded { base: Base { slot, ballot }, governing, kv, bytes: load.at }, offsets))
}
