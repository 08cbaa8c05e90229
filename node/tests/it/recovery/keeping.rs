//! Segments made ahead, recycled, and missing when the disk is full.

use super::{CrashDisk, ME, Shared, append, ballot, record};
use bytes::Bytes;
use paxos_node::paxos::{Lsn, Record, Slot};
use paxos_node::wal::{Disk, KeeperThread, Options, Outcome, Room, Wal, WalError};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Long enough for anything here; reached only by a failing test.
const DEADLINE: Duration = Duration::from_secs(20);

const OPTIONS: Options = Options { segment_bytes: 1000, ready_min: 2, ready_max: 3, incarnation: 5 };

fn shared() -> Shared {
    Shared(Rc::new(RefCell::new(CrashDisk::default())))
}

fn segments(disk: &Shared) -> Vec<String> {
    disk.0.borrow().files().into_keys().filter(|name| name.ends_with(".wal")).collect()
}

#[test]
fn a_segment_that_is_ready_is_used_without_a_call_more() {
    let disk = shared();
    let (mut wal, _) = Wal::open(disk.clone(), ME, OPTIONS).unwrap();
    let mut keeper = wal.keeper(disk.clone());
    assert!(keeper.is_short() && keeper.make().unwrap() && keeper.make().unwrap());
    assert!(!keeper.is_short() && !keeper.make().unwrap(), "two are enough");
    append(&mut wal, &[Record::Promised(ballot(1))]);
    for number in 0..6 {
        let before = disk.0.borrow().calls();
        append(&mut wal, &[record(3, 0), record(3, 0), record(6 * number + 2, 0), record(3, 0)]);
        let before_large = disk.0.borrow().calls();
        append(
            &mut wal,
            &[Record::Learned {
                slot: Slot(number),
                ballot: ballot(1),
                value: paxos_node::paxos::Value::Batch(Bytes::from(vec![3; 600])),
            }],
        );
        assert_eq!(disk.0.borrow().calls() - before_large, 2, "one write, one sync");
        assert_eq!(before_large - before, 2);
        if keeper.is_short() {
            keeper.make().unwrap();
        }
    }
    assert!(segments(&disk).len() > 5);
}

#[test]
fn what_an_older_segment_left_is_never_taken_for_records() {
    let disk = shared();
    let (mut wal, _) = Wal::open(disk.clone(), ME, OPTIONS).unwrap();
    let mut keeper = wal.keeper(disk.clone());
    append(&mut wal, &[Record::Promised(ballot(1 << 40))]);
    // Batches of one size: each of the new ones ends where an old one began.
    let mut all = vec![Record::Promised(ballot(1 << 40))];
    let mut seen = BTreeSet::new();
    let mut recycled = 0;
    for number in 0..200 {
        let batch = match number % 20 {
            0 => vec![Record::Checkpoint { slot: Slot(number), promised: ballot(1) }],
            _ => vec![Record::ChosenUpto(Slot(number))],
        };
        append(&mut wal, &batch);
        all.extend(batch);
        if number % 20 == 0 {
            recycled += keeper.trim(Lsn(all.len() as u64)).unwrap();
        }
        // A crash here, and at any of these moments a recovery finds what was written, and no more.
        let mut copy = CrashDisk::of(disk.0.borrow().files());
        let (_, recovery) = Wal::open(&mut copy, ME, OPTIONS).unwrap();
        assert_eq!(recovery.records, all[recovery.trimmed as usize..], "after {number}");
        assert_eq!(recovery.outcome, Outcome::Clean, "after {number}");
        seen.insert(recovery.trimmed);
    }
    assert!(recycled > 5 && seen.len() > 3, "{recycled} recycled, {seen:?}");
}

#[test]
fn the_stock_is_bounded_and_found_again() {
    let disk = shared();
    let (mut wal, _) = Wal::open(disk.clone(), ME, OPTIONS).unwrap();
    let mut keeper = wal.keeper(disk.clone());
    for number in 0..100 {
        append(&mut wal, &[Record::ChosenUpto(Slot(number)), record(3, 0)]);
    }
    append(&mut wal, &[Record::Checkpoint { slot: Slot(1), promised: ballot(1) }]);
    let begun = segments(&disk).len();
    let trimmed = keeper.trim(wal.durable()).unwrap() as usize;
    assert_eq!(trimmed, begun - 1);
    assert_eq!(segments(&disk).len(), 1 + OPTIONS.ready_max as usize);
    drop(wal);
    let (wal, _) = Wal::open(disk.clone(), ME, OPTIONS).unwrap();
    assert!(!wal.keeper(disk.clone()).is_short(), "those that were ready are");
    drop(wal);
    // Of another length they are of no use.
    let other = Options { segment_bytes: 2000, ..OPTIONS };
    let (wal, _) = Wal::open(disk.clone(), ME, other).unwrap();
    assert!(wal.keeper(disk.clone()).is_short());
    assert_eq!(segments(&disk).len(), 1);
}

#[test]
fn a_batch_larger_than_a_segment_has_one_to_itself() {
    let disk = shared();
    let (mut wal, _) = Wal::open(disk.clone(), ME, OPTIONS).unwrap();
    wal.keeper(disk.clone()).make().unwrap();
    let all = [record(4, 5000), record(1, 0), record(5, 3000), record(10, 936)];
    for record in &all {
        append(&mut wal, std::slice::from_ref(record));
    }
    drop(wal);
    let (_, recovery) = Wal::open(disk.clone(), ME, OPTIONS).unwrap();
    assert_eq!((recovery.records, recovery.outcome), (all.to_vec(), Outcome::Clean));
}

/// A disk with room for so many bytes.
#[derive(Clone)]
struct Small {
    disk: Arc<Mutex<CrashDisk>>,
    room: Arc<Mutex<usize>>,
}

impl Small {
    fn new(room: usize) -> Small {
        Small { disk: Arc::default(), room: Arc::new(Mutex::new(room)) }
    }

    fn set_room(&self, room: usize) {
        *self.room.lock().unwrap() = room;
    }

    fn used(&self) -> usize {
        self.disk.lock().unwrap().files().values().map(Vec::len).sum()
    }
}

#[rustfmt::skip]
impl Disk for Small {
    fn list(&mut self) -> io::Result<Vec<String>> { self.disk.lock().unwrap().list() }
    fn length(&mut self, name: &str) -> io::Result<u64> { self.disk.lock().unwrap().length(name) }
    fn read(&mut self, name: &str) -> io::Result<Bytes> { self.disk.lock().unwrap().read(name) }
    fn read_part(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.disk.lock().unwrap().read_part(name, offset, length)
    }
    fn create(&mut self, name: &str) -> io::Result<()> { self.disk.lock().unwrap().create(name) }
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if self.used() + bytes.len() > *self.room.lock().unwrap() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.disk.lock().unwrap().append(name, bytes)
    }
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.lock().unwrap().write_at(name, offset, bytes)
    }
    fn sync(&mut self, name: &str) -> io::Result<()> { self.disk.lock().unwrap().sync(name) }
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> { self.disk.lock().unwrap().rename(from, to) }
    fn remove(&mut self, name: &str) -> io::Result<()> { self.disk.lock().unwrap().remove(name) }
    fn sync_folder(&mut self) -> io::Result<()> { self.disk.lock().unwrap().sync_folder() }
}

const SUPERBLOCK_BYTES: usize = 4 * 4096;

#[test]
fn a_full_disk_is_told_of_while_there_is_a_segment_in_reserve_and_so_is_room_again() {
    // Room for the segment in use and one in reserve.
    let disk = Small::new(SUPERBLOCK_BYTES + 2500);
    let (mut wal, _) = Wal::open(disk.clone(), ME, OPTIONS).unwrap();
    let (told, telling) = channel();
    let keeper = wal.keeper(disk.clone());
    let report = Box::new(move |room: Result<Room, WalError>| told.send(room.unwrap()).unwrap_or_default());
    let keeper = KeeperThread::spawn(keeper, report).unwrap();
    // Two segments are ready: nothing is short until one of them is in use.
    while disk.disk.lock().unwrap().files().len() < 3 {
        std::thread::yield_now();
    }
    append(&mut wal, &[Record::Promised(ballot(1))]);
    assert_eq!(telling.recv_timeout(DEADLINE), Ok(Room::Short));
    // What the protocol needs still fits: through the rest of this segment and all of the reserve.
    for _ in 0..(2 * (1000 - 64) - 64) / 64 - 1 {
        append(&mut wal, &[record(3, 0)]);
    }
    disk.set_room(1 << 20);
    assert_eq!(telling.recv_timeout(DEADLINE), Ok(Room::Enough));
    append(&mut wal, &[record(4, 800)]);
    drop(keeper);
    assert!(telling.try_recv().is_err(), "nothing else is told");
}

#[test]
fn trimming_makes_room_on_a_full_disk() {
    let disk = Small::new(SUPERBLOCK_BYTES + 3000);
    let (mut wal, _) = Wal::open(disk.clone(), ME, OPTIONS).unwrap();
    let (told, telling) = channel();
    let report = Box::new(move |room: Result<Room, WalError>| told.send(room.unwrap()).unwrap_or_default());
    for _ in 0..20 {
        append(&mut wal, &[record(3, 0)]);
    }
    let keeper = KeeperThread::spawn(wal.keeper(disk.clone()), report).unwrap();
    assert_eq!(telling.recv_timeout(DEADLINE), Ok(Room::Short));
    append(&mut wal, &[Record::Checkpoint { slot: Slot(1), promised: ballot(1) }]);
    keeper.trim(wal.durable());
    assert_eq!(telling.recv_timeout(DEADLINE), Ok(Room::Enough), "a trimmed segment is as good as a new one");
}

#[test]
fn a_log_that_finds_no_room_stops_with_everything_that_was_confirmed() {
    let disk = Small::new(SUPERBLOCK_BYTES + 1500);
    let (mut wal, _) = Wal::open(disk.clone(), ME, OPTIONS).unwrap();
    let mut confirmed = 0;
    let error = loop {
        match wal.write(&[record(3, 0)]).and_then(|_| wal.sync()) {
            Ok(_) => confirmed += 1,
            Err(error) => break error,
        }
    };
    assert!(error.is_full() && error.is_io(), "{error}");
    assert!(matches!(wal.write(&[record(3, 0)]), Err(WalError::Stopped { .. })));
    drop(wal);
    disk.set_room(1 << 20);
    let (mut wal, recovery) = Wal::open(disk.clone(), ME, OPTIONS).unwrap();
    assert_eq!(recovery.records, vec![record(3, 0); confirmed]);
    append(&mut wal, &[record(3, 0)]);
}
