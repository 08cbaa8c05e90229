//! The write-ahead log after bad days: every torn write, every flipped byte, power lost at every call,
//! every mix of sectors, garbage, failing and full disks. What may come back and what must is stated in `paxos_node::wal`.

mod crash_disk;
mod crash_points;
mod damage;
mod folder;
mod keeping;
mod log_thread;
mod power_loss;
mod superblock;

use bytes::Bytes;
pub(crate) use crash_disk::{CrashDisk, Fault, Shared};
use paxos_node::paxos::{Ballot, Lsn, NodeId, Record, Slot, Value};
use paxos_node::wal::{Disk, Identity, Options, Recovery, Wal, WalError};
use std::cell::RefCell;
use std::rc::Rc;

pub(crate) const ME: Identity = Identity { cluster: 77, node: NodeId(2) };

/// Small segments, so that a few batches make several.
const OPTIONS: Options = Options { segment_bytes: 400, ready_min: 1, ready_max: 2, incarnation: 5 };

/// A segment's batches start here.
const SEGMENT_HEADER_BYTES: usize = 64;
const BATCH_HEADER_BYTES: usize = 40;

fn ballot(round: u64) -> Ballot {
    Ballot { round, node: NodeId(2) }
}

/// A record that no other `number` gives, with `value_bytes` of payload.
pub(crate) fn record(number: u64, value_bytes: usize) -> Record {
    let value = Value::Batch(Bytes::from(vec![number as u8 | 1; value_bytes]));
    match number % 6 {
        0 => Record::BallotUsed(ballot(number)),
        1 => Record::Promised(ballot(number)),
        2 => Record::ChosenUpto(Slot(number)),
        3 => Record::Accepted { slot: Slot(number), ballot: ballot(1), value: Value::Noop },
        4 => Record::Accepted { slot: Slot(number), ballot: ballot(number), value },
        _ => Record::Learned { slot: Slot(number), ballot: ballot(number), value },
    }
}

fn open(disk: &mut CrashDisk) -> Result<(Wal<&mut CrashDisk>, Recovery), WalError> {
    Wal::open(disk, ME, OPTIONS)
}

fn append<D: Disk>(wal: &mut Wal<D>, records: &[Record]) {
    wal.write(records).unwrap();
    wal.sync().unwrap();
}

/// Where a batch lies, and what is in it.
#[derive(Clone, Debug)]
struct Extent {
    file: String,
    start: usize,
    end: usize,
    /// The first of the records.
    lsn: Lsn,
    records: Vec<Record>,
}

/// A durable log of several segments and batches of several sizes, and one segment that is ready.
///
/// The first record binds the node to a ballot above all others: so the superblock speaks of that one, and
/// says nothing of how far the log goes after it.
struct Sample {
    disk: CrashDisk,
    batches: Vec<Extent>,
}

impl Sample {
    fn new() -> Sample {
        let mut disk = CrashDisk::default();
        let mut batches: Vec<Extent> = Vec::new();
        let mut number = 0;
        let mut lsn = 1;
        for (count, value_bytes) in [(1, 0), (6, 40), (2, 3), (3, 900), (1, 0), (4, 8), (5, 17), (1, 1)] {
            let mut records: Vec<Record> = (0..count).map(|i| record(number + i, value_bytes)).collect();
            if batches.is_empty() {
                records = vec![Record::Promised(ballot(1 << 40))];
            }
            number += count;
            append(&mut open(&mut disk).unwrap().0, &records);
            let before = batches.last().map(|batch| (batch.file.clone(), batch.end));
            batches.push(locate(&disk, before, Lsn(lsn), records));
            lsn += count;
        }
        make_ready(&mut disk);
        let last = batches.last().unwrap().file.clone();
        let in_last = batches.iter().filter(|batch| batch.file == last).count();
        let segments = disk.files().keys().filter(|name| name.ends_with(".wal")).count();
        assert!(segments >= 4 && in_last >= 2, "{segments} segments, {in_last} batches in the last begun");
        Sample { disk, batches }
    }

    fn records(&self) -> Vec<Record> {
        records(&self.batches)
    }

    fn last_file(&self) -> &str {
        &self.batches.last().unwrap().file
    }
}

/// Finds the batch that was written last: behind the one before it, or at the start of the next segment.
fn locate(disk: &CrashDisk, before: Option<(String, usize)>, lsn: Lsn, records: Vec<Record>) -> Extent {
    let files = disk.files();
    let (file, at) = before.unwrap_or((String::new(), 0));
    let next = files.keys().find(|name| name.ends_with(".wal") && **name > file);
    let places = [(Some(&file), at), (next, SEGMENT_HEADER_BYTES)];
    let (file, start) = places
        .into_iter()
        .filter_map(|(file, at)| Some((file?.clone(), at)))
        .find(|(file, at)| {
            let header = files.get(file).and_then(|bytes| bytes.get(*at..at + 16));
            header.is_some_and(|header| header.starts_with(b"APXB") && header[8..] == lsn.0.to_le_bytes())
        })
        .expect("it is in one of these places");
    let length = &files[&file][start + 24..start + 28];
    let end = start + BATCH_HEADER_BYTES + u32::from_le_bytes(length.try_into().unwrap()) as usize;
    Extent { file, start, end, lsn, records }
}

/// Lets the log's keeper make a segment, if one is missing.
fn make_ready(disk: &mut CrashDisk) {
    let shared = Shared(Rc::new(RefCell::new(std::mem::take(disk))));
    let (wal, _) = Wal::open(shared.clone(), ME, OPTIONS).unwrap();
    wal.keeper(shared.clone()).make().unwrap();
    drop(wal);
    *disk = shared.0.take();
}

fn records(batches: &[Extent]) -> Vec<Record> {
    batches.iter().flat_map(|batch| batch.records.clone()).collect()
}

/// Opens, and opens again: the same; appends, and opens again: the same and what was appended.
fn assert_usable(disk: &mut CrashDisk, expected: &[Record]) {
    for _ in 0..2 {
        let (_, recovery) = open(disk).unwrap();
        assert_eq!(recovery.records, expected);
    }
    let more = [record(1000, 0), record(1001, 5), record(1004, 600)];
    append(&mut open(disk).unwrap().0, &more[..1]);
    append(&mut open(disk).unwrap().0, &more[1..]);
    let (_, recovery) = open(disk).unwrap();
    assert_eq!(recovery.records, [expected, &more].concat());
}
