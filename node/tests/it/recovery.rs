//! The write-ahead log after bad days: every cut, every flipped byte, power lost at every call,
//! garbage, failing disks. What may come back and what must is stated in `paxos_node::wal`.

mod crash_disk;
mod damage;
mod folder;
mod log_thread;
mod power_loss;

use bytes::Bytes;
pub(crate) use crash_disk::{CrashDisk, Fault};
use paxos_node::paxos::{Ballot, NodeId, Record, Slot, Value};
use paxos_node::wal::{Disk, Identity, Options, Recovery, Wal, WalError};

pub(crate) const ME: Identity = Identity { cluster: 77, node: NodeId(2) };

/// Small segments, so that a few batches make several.
const OPTIONS: Options = Options { segment_bytes: 400 };

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
    records: Vec<Record>,
}

/// A durable log of several segments and batches of several sizes.
struct Sample {
    disk: CrashDisk,
    batches: Vec<Extent>,
}

impl Sample {
    fn new() -> Sample {
        let mut disk = CrashDisk::default();
        let mut batches = Vec::new();
        let mut number = 0;
        for (count, value_bytes) in [(1, 0), (6, 40), (2, 3), (3, 900), (1, 0), (4, 8), (5, 17), (1, 1)] {
            let records: Vec<Record> = (0..count).map(|i| record(number + i, value_bytes)).collect();
            number += count;
            append(&mut open(&mut disk).unwrap().0, &records);
            let (file, bytes) = disk.files().into_iter().next_back().unwrap();
            let start = match batches.last() {
                Some(Extent { file: before, end, .. }) if *before == file => *end,
                _ => 64,
            };
            batches.push(Extent { file, start, end: bytes.len(), records });
        }
        let files = disk.files().len();
        let last = batches.last().unwrap().file.clone();
        let in_last = batches.iter().filter(|batch| batch.file == last).count();
        assert!(files >= 3 && in_last >= 2, "{files} segments, {in_last} batches in the last");
        Sample { disk, batches }
    }

    fn records(&self) -> Vec<Record> {
        records(&self.batches)
    }

    fn last_file(&self) -> &str {
        &self.batches.last().unwrap().file
    }
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
