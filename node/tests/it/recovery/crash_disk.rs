//! A disk in memory that keeps no more than it must.

use bytes::Bytes;
use paxos_node::wal::Disk;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

const SECTOR_BYTES: usize = 512;

/// Keeps apart what a process sees and what is durable; a crash leaves some mix of the two.
#[derive(Clone, Default, Debug)]
pub(crate) struct CrashDisk {
    contents: Vec<Content>,
    seen: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    /// Changes to the folder since it was last synced.
    pending: Vec<EntryChange>,
    /// Calls so far that change something.
    calls: u64,
    fault: Option<Fault>,
    /// The power is off: every call fails until [`CrashDisk::crash`].
    off: bool,
    /// Calls made after one failed without the power going: a log must make none.
    pub(crate) calls_after_failure: u64,
    failed: bool,
}

#[derive(Clone, Default, Debug)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// A failed sync marked everything clean: what is seen is no longer on its way to the disk.
    abandoned: bool,
}

#[derive(Clone, Debug)]
enum EntryChange {
    Create(String, usize),
    Rename(String, String),
    Remove(String),
}

/// What goes wrong, and at which call that changes something (counted from 0, as by
/// [`CrashDisk::calls`]). The call does some of its work all the same.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Fault {
    PowerLoss { at: u64 },
    Error { at: u64 },
}

impl CrashDisk {
    /// The files that a process sees.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.seen.iter().map(|(name, &id)| (name.clone(), self.contents[id].seen.clone())).collect()
    }

    /// A disk on which these files are durable.
    pub(crate) fn of(files: BTreeMap<String, Vec<u8>>) -> CrashDisk {
        let mut disk = CrashDisk::default();
        for (name, bytes) in files {
            disk.seen.insert(name, disk.contents.len());
            disk.contents.push(Content { seen: bytes.clone(), durable: bytes, abandoned: false });
        }
        disk.durable = disk.seen.clone();
        disk
    }

    /// The same files, but for one.
    pub(crate) fn with(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> CrashDisk {
        let mut files = self.files();
        change(files.get_mut(name).unwrap());
        CrashDisk::of(files)
    }

    /// What is durable of a file, to tell what a crash may do to the rest.
    pub(crate) fn durable_bytes(&self, name: &str) -> &[u8] {
        &self.contents[self.seen[name]].durable
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    pub(crate) fn set_fault(&mut self, fault: Option<Fault>) {
        self.fault = fault;
    }

    /// The process dies, the machine lives: everything seen stays, nothing more is durable.
    pub(crate) fn restart(&mut self) {
        (self.off, self.failed, self.fault, self.calls_after_failure) = (false, false, None, 0);
    }

    /// The power goes and comes back: of what was not synced, anything may be left.
    pub(crate) fn crash(&mut self, rng: &mut ChaCha8Rng) {
        let keep_probability = [0.0, 0.5, 1.0][rng.random_range(0..3)];
        for change in std::mem::take(&mut self.pending) {
            if rng.random_bool(keep_probability) {
                change.apply(&mut self.durable);
            }
        }
        self.seen = self.durable.clone();
        for content in &mut self.contents {
            content.crash(rng);
        }
        self.restart();
    }

    /// The power goes and comes back: of what was not synced nothing is left, but for those sectors of
    /// files of which `arrives` says so, by their number among all that differ.
    pub(crate) fn lose_power(&mut self, arrives: impl Fn(usize) -> bool) {
        self.pending.clear();
        self.seen = self.durable.clone();
        let mut nth = 0;
        for content in &mut self.contents {
            let (old, new) = (std::mem::take(&mut content.durable), &content.seen);
            let mut differing = |sector: usize| {
                let place = sector * SECTOR_BYTES..((sector + 1) * SECTOR_BYTES).min(old.len());
                let differs = old.get(place.clone()) != new.get(place);
                nth += usize::from(differs);
                differs && arrives(nth - 1)
            };
            content.durable = mix(&old, new, old.len(), &mut differing);
            content.seen = content.durable.clone();
        }
        self.restart();
    }

    /// Flips a bit of what is durable of a file.
    pub(crate) fn flip(&mut self, name: &str, at: usize) {
        let content = &mut self.contents[self.seen[name]];
        content.seen[at] ^= 0x40;
        content.durable[at] ^= 0x40;
    }

    /// Counts a call that changes something. `Err` if it fails, after doing what it does.
    fn call(&mut self) -> (bool, io::Result<()>) {
        if self.off {
            return (false, Err(io::Error::other("the power is off")));
        }
        if self.failed {
            self.calls_after_failure += 1;
        }
        let call = self.calls;
        self.calls += 1;
        match self.fault {
            Some(Fault::PowerLoss { at }) if at == call => {
                self.off = true;
                (true, Err(io::Error::other("the power went")))
            }
            Some(Fault::Error { at }) if at == call => {
                self.failed = true;
                (true, Err(io::Error::from_raw_os_error(5)))
            }
            _ => (true, Ok(())),
        }
    }

    fn content(&mut self, name: &str) -> io::Result<&mut Content> {
        let id = *self.seen.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(&mut self.contents[id])
    }

    fn change_entry(&mut self, change: EntryChange) {
        change.apply(&mut self.seen);
        self.pending.push(change);
    }
}

impl Content {
    fn crash(&mut self, rng: &mut ChaCha8Rng) {
        let (old, new) = (self.durable.len(), self.seen.len());
        self.durable = match rng.random_range(0..4) {
            _ if self.abandoned => std::mem::take(&mut self.durable),
            0 => std::mem::take(&mut self.durable),
            1 => std::mem::take(&mut self.seen),
            _ => {
                let length = match rng.random_range(0..3) {
                    0 => old,
                    1 => new,
                    _ => rng.random_range(old.min(new)..=old.max(new)),
                };
                let mut sectors = |_| rng.random_bool(0.5);
                mix(&self.durable, &self.seen, length, &mut sectors)
            }
        };
        self.seen = self.durable.clone();
        self.abandoned = false;
    }
}

/// A file of `length` bytes of which each sector is the old one or (where `arrived`) the new one.
pub(crate) fn mix(old: &[u8], new: &[u8], length: usize, arrived: &mut dyn FnMut(usize) -> bool) -> Vec<u8> {
    let mut bytes = vec![0; length];
    for (sector, chunk) in bytes.chunks_mut(SECTOR_BYTES).enumerate() {
        let source = if arrived(sector) { new } else { old };
        let source = source.get(sector * SECTOR_BYTES..).unwrap_or_default();
        let length = source.len().min(chunk.len());
        chunk[..length].copy_from_slice(&source[..length]);
    }
    bytes
}

impl EntryChange {
    fn apply(&self, entries: &mut BTreeMap<String, usize>) {
        match self {
            EntryChange::Create(name, id) => {
                entries.insert(name.clone(), *id);
            }
            EntryChange::Rename(from, to) => {
                if let Some(id) = entries.remove(from) {
                    entries.insert(to.clone(), id);
                }
            }
            EntryChange::Remove(name) => {
                entries.remove(name);
            }
        }
    }
}

impl Disk for CrashDisk {
    fn list(&mut self) -> io::Result<Vec<String>> {
        if self.off {
            Err(io::Error::other("the power is off"))
        } else {
            Ok(self.seen.keys().cloned().collect())
        }
    }

    fn length(&mut self, name: &str) -> io::Result<u64> {
        Ok(self.read(name)?.len() as u64)
    }

    fn read(&mut self, name: &str) -> io::Result<Bytes> {
        if self.off {
            return Err(io::Error::other("the power is off"));
        }
        Ok(Bytes::from(self.content(name)?.seen.clone()))
    }

    fn read_part(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let content = self.read(name)?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        Ok(content[start..start.saturating_add(length).min(content.len())].to_vec())
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        let (go, result) = self.call();
        if self.seen.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if go {
            self.contents.push(Content::default());
            self.change_entry(EntryChange::Create(name.to_owned(), self.contents.len() - 1));
        }
        result
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (go, result) = self.call();
        // An append that fails without the power going ran out of space halfway.
        let part = if self.failed { bytes.len() / 2 } else { bytes.len() };
        if go {
            self.content(name)?.seen.extend(&bytes[..part]);
        }
        result
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (go, result) = self.call();
        let part = if self.failed { bytes.len() / 2 } else { bytes.len() };
        let offset = usize::try_from(offset).unwrap();
        if go {
            let seen = &mut self.content(name)?.seen;
            assert!(offset + bytes.len() <= seen.len(), "{name}: nothing grows by being written over");
            seen[offset..offset + part].copy_from_slice(&bytes[..part]);
        }
        result
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let (go, result) = self.call();
        let content = self.content(name)?;
        if go && result.is_err() {
            content.abandoned = true;
        } else if go && !content.abandoned {
            content.durable = content.seen.clone();
        }
        result
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let (go, result) = self.call();
        if go {
            self.content(from)?;
            self.change_entry(EntryChange::Rename(from.to_owned(), to.to_owned()));
        }
        result
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let (go, result) = self.call();
        if go {
            self.content(name)?;
            self.change_entry(EntryChange::Remove(name.to_owned()));
        }
        result
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        let (_, result) = self.call();
        if result.is_ok() {
            self.durable = self.seen.clone();
            self.pending.clear();
        }
        result
    }

    fn settle(&mut self, name: &str) -> io::Result<()> {
        self.sync(name)?;
        let content = self.content(name)?;
        if std::mem::take(&mut content.abandoned) {
            content.seen = content.durable.clone();
        }
        Ok(())
    }
}

/// A disk with several handles: the log's and its keeper's.
#[derive(Clone, Debug)]
pub(crate) struct Shared(pub(crate) Rc<RefCell<CrashDisk>>);

#[rustfmt::skip]
impl Disk for Shared {
    fn list(&mut self) -> io::Result<Vec<String>> { self.0.borrow_mut().list() }
    fn length(&mut self, name: &str) -> io::Result<u64> { self.0.borrow_mut().length(name) }
    fn read(&mut self, name: &str) -> io::Result<Bytes> { self.0.borrow_mut().read(name) }
    fn read_part(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.0.borrow_mut().read_part(name, offset, length)
    }
    fn create(&mut self, name: &str) -> io::Result<()> { self.0.borrow_mut().create(name) }
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> { self.0.borrow_mut().append(name, bytes) }
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().write_at(name, offset, bytes)
    }
    fn sync(&mut self, name: &str) -> io::Result<()> { self.0.borrow_mut().sync(name) }
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> { self.0.borrow_mut().rename(from, to) }
    fn remove(&mut self, name: &str) -> io::Result<()> { self.0.borrow_mut().remove(name) }
    fn sync_folder(&mut self) -> io::Result<()> { self.0.borrow_mut().sync_folder() }
    fn settle(&mut self, name: &str) -> io::Result<()> { self.0.borrow_mut().settle(name) }
}
