//! Every point at which the power can go, and what may be left then: what the log asks of its disk is
//! recorded, and for each prefix of those calls each mix of what was synced and what was not is opened
//! again. (The method of ALICE, "All File Systems Are Not Created Equal", OSDI 2014.)

use super::{CrashDisk, ME, ballot, record};
use bytes::Bytes;
use paxos_node::paxos::{Lsn, Record, Slot, Value};
use paxos_node::wal::{Disk, Options, Wal, WalError};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;

const SECTOR_BYTES: usize = 512;

/// Up to so many things that may or may not have arrived, all their subsets are tried; beyond, some.
const EXHAUSTIVE_MAX: usize = 8;
const SOME_SUBSETS: u64 = 48;

const OPTIONS: Options = Options { segment_bytes: 4096, ready_min: 1, ready_max: 2, incarnation: 5 };

/// A call that changes something.
#[derive(Clone, Debug)]
enum Call {
    Create(String),
    Write(String, usize, Vec<u8>),
    Sync(String),
    Rename(String, String),
    Remove(String),
    SyncFolder,
}

/// A disk that keeps everything, and a record of how it came to be. Clones are handles of the same.
#[derive(Clone, Default)]
struct Tape(Rc<RefCell<(CrashDisk, Vec<Call>)>>);

impl Tape {
    fn on(disk: CrashDisk) -> Tape {
        Tape(Rc::new(RefCell::new((disk, Vec::new()))))
    }

    fn note(&self, call: Call) {
        self.0.borrow_mut().1.push(call);
    }

    fn calls(&self) -> usize {
        self.0.borrow().1.len()
    }
}

#[rustfmt::skip]
impl Disk for Tape {
    fn list(&mut self) -> io::Result<Vec<String>> { self.0.borrow_mut().0.list() }
    fn length(&mut self, name: &str) -> io::Result<u64> { self.0.borrow_mut().0.length(name) }
    fn read(&mut self, name: &str) -> io::Result<Bytes> { self.0.borrow_mut().0.read(name) }
    fn read_part(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.0.borrow_mut().0.read_part(name, offset, length)
    }
    fn create(&mut self, name: &str) -> io::Result<()> {
        self.note(Call::Create(name.to_owned()));
        self.0.borrow_mut().0.create(name)
    }
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let end = self.length(name)?;
        self.note(Call::Write(name.to_owned(), end as usize, bytes.to_vec()));
        self.0.borrow_mut().0.append(name, bytes)
    }
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.note(Call::Write(name.to_owned(), offset as usize, bytes.to_vec()));
        self.0.borrow_mut().0.write_at(name, offset, bytes)
    }
    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.note(Call::Sync(name.to_owned()));
        self.0.borrow_mut().0.sync(name)
    }
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.note(Call::Rename(from.to_owned(), to.to_owned()));
        self.0.borrow_mut().0.rename(from, to)
    }
    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.note(Call::Remove(name.to_owned()));
        self.0.borrow_mut().0.remove(name)
    }
    fn sync_folder(&mut self) -> io::Result<()> {
        self.note(Call::SyncFolder);
        self.0.borrow_mut().0.sync_folder()
    }
}

/// A folder between two calls: what is durable, and what else has been asked for.
#[derive(Clone, Default)]
struct Machine {
    files: Vec<File>,
    seen: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    pending: Vec<Entry>,
}

#[derive(Clone, Default)]
struct File {
    seen: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
}

#[derive(Clone)]
enum Entry {
    Created(String, usize),
    Renamed(String, String),
    Removed(String),
}

/// Something that a crash may keep or lose, each for itself.
#[derive(Copy, Clone)]
enum Loose {
    Sector { file: usize, sector: usize },
    Length { file: usize },
    Entry { position: usize },
}

impl Machine {
    fn of(files: BTreeMap<String, Vec<u8>>) -> Machine {
        let mut machine = Machine::default();
        for (name, bytes) in files {
            machine.seen.insert(name, machine.files.len());
            machine.files.push(File { seen: bytes.clone(), durable: bytes, dirty: BTreeSet::new() });
        }
        machine.durable = machine.seen.clone();
        machine
    }

    fn carry_out(&mut self, call: &Call) {
        match call {
            Call::Create(name) => {
                self.files.push(File::default());
                self.change(Entry::Created(name.clone(), self.files.len() - 1));
            }
            Call::Write(name, offset, bytes) => {
                let file = &mut self.files[self.seen[name]];
                let end = offset + bytes.len();
                file.seen.resize(file.seen.len().max(end), 0);
                file.seen[*offset..end].copy_from_slice(bytes);
                file.dirty.extend(offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES));
            }
            Call::Sync(name) => {
                let file = &mut self.files[self.seen[name]];
                file.durable = file.seen.clone();
                file.dirty.clear();
            }
            Call::Rename(from, to) => self.change(Entry::Renamed(from.clone(), to.clone())),
            Call::Remove(name) => self.change(Entry::Removed(name.clone())),
            Call::SyncFolder => {
                self.durable = self.seen.clone();
                self.pending.clear();
            }
        }
    }

    fn change(&mut self, change: Entry) {
        change.apply(&mut self.seen);
        self.pending.push(change);
    }

    fn loose(&self) -> Vec<Loose> {
        let mut loose = Vec::new();
        for (id, file) in self.files.iter().enumerate() {
            // A file without a name, now or after a crash, matters to nobody.
            if !self.seen.values().chain(self.durable.values()).any(|&named| named == id) {
                continue;
            }
            loose.extend(file.dirty.iter().map(|&sector| Loose::Sector { file: id, sector }));
            if file.seen.len() != file.durable.len() {
                loose.push(Loose::Length { file: id });
            }
        }
        loose.extend((0..self.pending.len()).map(|position| Loose::Entry { position }));
        loose
    }

    /// What is there after a crash that keeps these.
    fn crashed(&self, kept: &[Loose]) -> CrashDisk {
        let mut contents: Vec<Vec<u8>> = self.files.iter().map(|file| file.durable.clone()).collect();
        let mut entries = self.durable.clone();
        for loose in kept {
            if let Loose::Length { file } = *loose {
                contents[file].resize(self.files[file].seen.len(), 0);
            }
        }
        for loose in kept {
            match *loose {
                Loose::Sector { file, sector } => {
                    let start = sector * SECTOR_BYTES;
                    let content = &mut contents[file];
                    let end = (start + SECTOR_BYTES).min(content.len());
                    if start < end {
                        content[start..end].copy_from_slice(&self.files[file].seen[start..end]);
                    }
                }
                Loose::Length { .. } => {}
                Loose::Entry { position } => self.pending[position].apply(&mut entries),
            }
        }
        CrashDisk::of(entries.into_iter().map(|(name, id)| (name, contents[id].clone())).collect())
    }
}

impl Entry {
    fn apply(&self, entries: &mut BTreeMap<String, usize>) {
        match self {
            Entry::Created(name, id) => {
                entries.insert(name.clone(), *id);
            }
            Entry::Renamed(from, to) => {
                if let Some(id) = entries.remove(from) {
                    entries.insert(to.clone(), id);
                }
            }
            Entry::Removed(name) => {
                entries.remove(name);
            }
        }
    }
}

/// What was done, with what was known at which call.
#[derive(Default)]
struct Story {
    /// What was on the disk before.
    begins_with: BTreeMap<String, Vec<u8>>,
    calls: Vec<Call>,
    /// All records that were ever handed over, in order.
    written: Vec<Record>,
    /// How many of them were durable before the story, and where in `written` batches end.
    durable_before: usize,
    seams: BTreeSet<usize>,
    /// After so many calls so many records were acknowledged.
    acknowledged: Vec<(usize, usize)>,
}

impl Story {
    /// Opens the log on a disk and does these things.
    fn tell(disk: CrashDisk, written: Vec<Record>, acts: &[Act]) -> Story {
        let mut story = Story { begins_with: disk.files(), ..Story::default() };
        story.durable_before = written.len();
        story.seams.insert(written.len());
        story.written = written;
        let tape = Tape::on(disk);
        let (mut wal, _) = Wal::open(tape.clone(), ME, OPTIONS).unwrap();
        let mut keeper = wal.keeper(tape.clone());
        for act in acts {
            match act {
                Act::Batch(records) => {
                    story.written.extend(records.clone());
                    story.seams.insert(story.written.len());
                    wal.write(records).unwrap();
                    let durable = wal.sync().unwrap();
                    story.acknowledged.push((tape.calls(), durable.0 as usize));
                }
                Act::Make => assert!(keeper.make().unwrap(), "there is one to make"),
                Act::Trim(first) => assert!(keeper.trim(*first).unwrap() > 0, "there is something to trim"),
                Act::Close => wal.close().unwrap(),
            }
        }
        drop((wal, keeper));
        story.calls = tape.0.take().1;
        story
    }

    /// Goes through all crashes; returns how many there were.
    fn crash_everywhere(&self) -> usize {
        let mut machine = Machine::of(self.begins_with.clone());
        let mut crashes = 0;
        for done in 0..=self.calls.len() {
            if let Some(call) = done.checked_sub(1).map(|last| &self.calls[last]) {
                machine.carry_out(call);
            }
            let loose = machine.loose();
            for kept in subsets(&loose, done as u64) {
                crashes += 1;
                let mut disk = machine.crashed(&kept);
                self.check(&mut disk, done).unwrap_or_else(|error| {
                    panic!(
                        "{} of {} calls, {} of {} arrived: {error}",
                        done,
                        self.calls.len(),
                        kept.len(),
                        loose.len()
                    )
                });
            }
        }
        crashes
    }

    /// Opens what is left, judges it, writes to it, and opens it again.
    fn check(&self, disk: &mut CrashDisk, done: usize) -> Result<(), WalError> {
        let (mut wal, recovery) = Wal::open(&mut *disk, ME, OPTIONS)?;
        let trimmed = usize::try_from(recovery.trimmed).unwrap();
        let back = trimmed + recovery.records.len();
        assert_eq!(recovery.records, self.written[trimmed..back], "nothing is invented");
        assert!(self.seams.contains(&back) || back == 0, "{back} records: batches are atomic");
        let acknowledged = self.acknowledged.iter().filter(|(calls, _)| *calls <= done);
        let acknowledged = acknowledged.map(|(_, lsn)| *lsn).max().unwrap_or(self.durable_before);
        assert!(back >= acknowledged, "{acknowledged} were acknowledged, {back} came back");
        let more = [vec![record(4, 700)], vec![record(1, 0), record(5, 300)]];
        for batch in &more {
            wal.write(batch)?;
            wal.sync()?;
        }
        drop(wal);
        let (_, again) = Wal::open(disk, ME, OPTIONS)?;
        assert_eq!(again.records, [&recovery.records[..], &more.concat()].concat());
        Ok(())
    }
}

enum Act {
    Batch(Vec<Record>),
    Make,
    Trim(Lsn),
    Close,
}

/// All subsets of a few; of many, some: none, all, each alone, all but each, and others by chance.
fn subsets(of: &[Loose], seed: u64) -> Vec<Vec<Loose>> {
    let chosen = |keeps: &dyn Fn(usize) -> bool| -> Vec<Loose> {
        of.iter().enumerate().filter(|(position, _)| keeps(*position)).map(|(_, loose)| *loose).collect()
    };
    if of.len() <= EXHAUSTIVE_MAX {
        return (0..1u32 << of.len()).map(|bits| chosen(&|position| bits >> position & 1 == 1)).collect();
    }
    let mut subsets = vec![chosen(&|_| false), chosen(&|_| true)];
    for one in 0..of.len() {
        subsets.push(chosen(&|position| position == one));
        subsets.push(chosen(&|position| position != one));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..SOME_SUBSETS {
        let bits: Vec<bool> = of.iter().map(|_| rng.random_bool(0.5)).collect();
        subsets.push(chosen(&|position| bits[position]));
    }
    subsets
}

/// The `number`th batch: of several sizes; now and then one that raises the ballot.
fn batch(number: u64) -> Act {
    let count = [1, 3, 2][number as usize % 3];
    let value_bytes = [10, 500, 900, 1200][number as usize % 4];
    let records = (0..count).map(|i| {
        let value = Value::Batch(Bytes::from(vec![number as u8 + 1; value_bytes]));
        let round = if number % 5 == 3 { number } else { 1 };
        Record::Accepted { slot: Slot(10 * number + i), ballot: ballot(round), value }
    });
    Act::Batch(records.collect())
}

#[test]
fn a_first_life() {
    let acts = [batch(0), batch(1), Act::Make, batch(2), batch(3), Act::Close];
    let story = Story::tell(CrashDisk::default(), Vec::new(), &acts);
    assert!(story.acknowledged.len() == 4 && story.calls.len() > 25, "{} calls", story.calls.len());
    let crashes = story.crash_everywhere();
    assert!(crashes > 300, "{crashes} crashes");
}

/// Segments are made ahead, trimmed, recycled, and written again over what they held.
#[test]
fn a_long_life_with_segments_that_come_back() {
    let mut acts = vec![Act::Make];
    acts.extend((0..8).map(batch));
    acts.push(Act::Batch(vec![Record::Checkpoint { slot: Slot(8), promised: ballot(1 << 30) }]));
    let before = Story::tell(CrashDisk::default(), Vec::new(), &acts);
    let checkpoint = Lsn(before.written.len() as u64);
    acts.push(batch(9));
    acts.push(Act::Trim(checkpoint));
    acts.extend((10..18).map(batch));
    acts.push(Act::Batch(vec![Record::Checkpoint { slot: Slot(18), promised: ballot(1 << 30) }]));
    let second = Lsn(Story::tell(CrashDisk::default(), Vec::new(), &acts).written.len() as u64);
    acts.extend([batch(19), Act::Trim(second), batch(20), Act::Close]);

    let story = Story::tell(CrashDisk::default(), Vec::new(), &acts);
    let is_recycling = |call: &&Call| matches!(call, Call::Rename(from, _) if from.ends_with(".wal"));
    let recycled = story.calls.iter().filter(is_recycling).count();
    assert!(recycled >= 3, "{recycled} segments came back");
    let crashes = story.crash_everywhere();
    assert!(crashes > 1_500, "{crashes} crashes");
}

/// The recovery of a torn log is itself a row of calls, and so is what is written after it.
#[test]
fn a_recovery_and_what_follows() {
    let first = Story::tell(CrashDisk::default(), Vec::new(), &[batch(0), batch(2), batch(1)]);
    let mut machine = Machine::of(first.begins_with.clone());
    let is_of_log = |call: &Call| matches!(call, Call::Write(name, ..) if name.ends_with(".wal"));
    let last_write = first.calls.iter().rposition(is_of_log).unwrap();
    first.calls[..=last_write].iter().for_each(|call| machine.carry_out(call));
    let loose = machine.loose();
    let mut torn = 0;
    for kept in subsets(&loose, 1) {
        let mut disk = machine.crashed(&kept);
        let (_, recovery) = Wal::open(&mut disk.clone(), ME, OPTIONS).unwrap();
        let whole = recovery.records.len();
        torn += usize::from(whole < first.written.len());
        let written = first.written[..whole].to_vec();
        let story = Story::tell(std::mem::take(&mut disk), written, &[batch(3), Act::Make, batch(4)]);
        story.crash_everywhere();
    }
    assert!(torn > 1, "{torn} of these were torn");
}
