//! Snapshots on disk, and the log that is trimmed for them: the bytes, every damage, every crash.

use crate::lab::{ballot, n, value};
use crate::recovery::{CrashDisk, Fault, ME, Shared, record};
use bytes::Bytes;
use paxos_node::kv::{Batch, Command, Kv, Txn, TxnOp};
use paxos_node::paxos::{
    Ballot, Base, Change, Configuration, ElectionMode, Founding, Governing, LeaseTerms, LocalTime, Lsn,
    Message, NodeId, Record, Recovered, Replica, ReplicaConfig, SLOTS_IN_FLIGHT_MAX, Slot, SlotReport,
    Timing, Value,
};
use paxos_node::snapshot::part::{Body, Head, Reader, Writer};
use paxos_node::snapshot::{Files, Flaw, KEPT, SnapshotError};
use paxos_node::wal::{self, Options, Refusal, Wal, WalError};
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// A state after so many slots, the last of which put `value`.
fn state(slots: u64, value: &'static str) -> Kv {
    let mut kv = Kv::new();
    for slot in 1..=slots {
        let op = TxnOp::Put {
            key: Bytes::from(format!("key {}", slot % 7)),
            value: Bytes::from_static(value.as_bytes()),
        };
        let commands = vec![Command::Execute { request: None, txn: Txn { ops: vec![op] } }];
        kv.apply(Slot(slot), &Value::Batch(Batch { time_ms: 3, commands }.encode())).unwrap();
    }
    kv
}

const BALLOT: Ballot = Ballot { round: 0x0102, node: NodeId(3) };

/// Who governs the slots behind it.
fn governing() -> Vec<Governing> {
    let founding = Configuration::of(&[n(1), n(2), n(3)]);
    let change = Change::Add { node: n(4), incarnation: 9, address: "x:1".into() };
    let four = founding.changed(&change).unwrap();
    let from = |slot, configuration| Governing { from: Slot(slot), configuration: Arc::new(configuration) };
    vec![from(0, founding), from(60, four)]
}

/// The parts of a snapshot of that state.
fn parts(kv: &mut Kv) -> Vec<Bytes> {
    let slot = kv.begin_snapshot().slot;
    let (mut writer, head) = Writer::begin(Base { slot, ballot: BALLOT }, &governing());
    let mut parts = vec![head];
    while let Some(piece) = kv.next_piece() {
        parts.push(writer.state(&piece));
    }
    parts.push(writer.end());
    parts
}

fn write(files: &mut Files<&mut CrashDisk>, kv: &mut Kv) -> Result<(), SnapshotError> {
    let slot = kv.applied().slot;
    files.begin(slot)?;
    for part in parts(kv) {
        files.append(&part)?;
    }
    files.finish().map(drop)
}

/// A disk with a log, and nothing else.
fn with_log() -> CrashDisk {
    let mut disk = CrashDisk::default();
    let (mut wal, _) = Wal::open(&mut disk, ME, OPTIONS).unwrap();
    wal.write(&[record(1, 5)]).unwrap();
    wal.sync().unwrap();
    disk
}

fn refusal(disk: &mut CrashDisk) -> (String, u64, Flaw) {
    match Files::open(disk, ME) {
        Err(SnapshotError::Refused { file, offset, flaw }) => (file, offset, flaw),
        Err(other) => panic!("{other}"),
        Ok((_, found)) => panic!("taken for good: {}", found.is_some()),
    }
}

#[test]
fn golden_bytes() {
    let mut disk = with_log();
    let (mut files, none) = Files::open(&mut disk, ME).unwrap();
    assert!(none.is_none());
    write(&mut files, &mut state(2, "v")).unwrap();
    drop(files);
    let name = "00000000000000000002.snap";
    let bytes = &disk.files()[name];
    assert_eq!(bytes[..8], *b"APAXSNP\0");
    assert_eq!(bytes[8..12], [1, 0, 0, 0], "format");
    assert_eq!(bytes[24..32], [2, 0, 0, 0, 0, 0, 0, 0], "slot");
    // The head part: its header, the ballot, and who governs: the founding configuration from slot 0
    // on, of 53 bytes, and from slot 60 on the next.
    assert_eq!(
        bytes[64..88],
        [b'A', b'P', b'X', b'P', 1, 0, 0, 0, 0, 0, 0, 0, 151, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
    );
    assert_eq!(bytes[96..106], [2, 1, 0, 0, 0, 0, 0, 0, 3, 0]);
    // The first piece of the state says which state that is.
    assert_eq!(bytes[106..116], [0, 0, 0, 0, 0, 0, 0, 0, 53, 0]);
    assert_eq!(bytes[169..179], [60, 0, 0, 0, 0, 0, 0, 0, 68, 0]);
    assert_eq!(bytes[247..255], [b'A', b'P', b'X', b'P', 2, 0, 0, 0]);
    assert_eq!(bytes[279..288], [1, 2, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(fingerprint(bytes), GOLDEN_FINGERPRINT, "the whole file");
}
const GOLDEN_FINGERPRINT: u64 = 0x2a5a_0c0e_1e8e_8c9d;

/// Any fingerprint of bytes that is the same everywhere.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn every_flipped_bit_and_every_cut_is_told() {
    let mut disk = with_log();
    let (mut files, _) = Files::open(&mut disk, ME).unwrap();
    write(&mut files, &mut state(20, "value")).unwrap();
    let name = "00000000000000000020.snap";
    let length = disk.files()[name].len();
    for at in 0..length {
        for bit in [0, 3, 7] {
            let mut damaged = disk.with(name, |bytes| bytes[at] ^= 1 << bit);
            let (file, offset, _) = refusal(&mut damaged);
            assert!(file == name && offset <= at as u64, "byte {at}: {offset}");
        }
    }
    for cut in 0..length {
        refusal(&mut disk.with(name, |bytes| bytes.truncate(cut)));
    }
    let (_, offset, flaw) = refusal(&mut disk.with(name, |bytes| bytes.push(0)));
    assert_eq!((offset, flaw), (length as u64, Flaw::Surplus));
}

#[test]
fn somebody_elses_misnamed_newer_and_orphaned_snapshots_are_refused() {
    let mut disk = with_log();
    let (mut files, _) = Files::open(&mut disk, ME).unwrap();
    write(&mut files, &mut state(4, "v")).unwrap();
    let stranger = wal::Identity { cluster: ME.cluster + 1, ..ME };
    let Err(SnapshotError::Refused { flaw, .. }) = Files::open(&mut disk.clone(), stranger) else { panic!() };
    assert_eq!(flaw, Flaw::ForeignIdentity { expected: stranger, found: ME });

    let mut files: BTreeMap<String, Vec<u8>> = disk.files();
    let snapshot = files.remove("00000000000000000004.snap").unwrap();
    let mut renamed = files.clone();
    renamed.insert("00000000000000000005.snap".to_owned(), snapshot.clone());
    let misnamed = Flaw::Misnamed { found: Slot(4), expected: Slot(5) };
    assert_eq!(refusal(&mut CrashDisk::of(renamed)).2, misnamed);

    // Promises and votes are in the log alone: a state without one is no node.
    let alone = BTreeMap::from([("00000000000000000004.snap".to_owned(), snapshot)]);
    assert_eq!(refusal(&mut CrashDisk::of(alone)).2, Flaw::NoLog);
}

#[test]
fn the_two_newest_are_kept_and_their_parts_can_be_had() {
    let mut disk = with_log();
    let (mut files, _) = Files::open(&mut disk, ME).unwrap();
    for slots in [3, 5, 9] {
        write(&mut files, &mut state(slots, "v")).unwrap();
    }
    for (slot, is_there) in [(3, false), (5, true), (9, true)] {
        let expected = parts(&mut state(slot, "v"));
        for (index, part) in (0..).zip(&expected) {
            let found = files.part(Slot(slot), index).unwrap();
            assert_eq!(found.as_ref(), is_there.then_some(part), "part {index} of {slot}");
        }
        assert_eq!(files.part(Slot(slot), expected.len() as u32).unwrap(), None);
        assert_eq!(files.part(Slot(slot), u32::MAX).unwrap(), None);
    }
    drop(files);
    let snapshots = disk.files().into_keys().filter(|name| name.ends_with(".snap")).count();
    assert_eq!(snapshots, KEPT);
}

/// The power goes at every call, with anything left of what was not synced: there is the old snapshot or
/// the new one, whole.
#[test]
fn a_crash_at_any_call_leaves_the_old_snapshot_or_the_new_one() {
    let mut before = with_log();
    write(&mut Files::open(&mut before, ME).unwrap().0, &mut state(3, "old")).unwrap();
    let script = |disk: &mut CrashDisk| -> Result<(), SnapshotError> {
        let (mut files, _) = Files::open(disk, ME)?;
        files.begin(Slot(4))?;
        files.append(&parts(&mut state(4, "void"))[0])?;
        write(&mut files, &mut state(9, "new"))
    };
    let mut dry = before.clone();
    let first = dry.calls();
    script(&mut dry).unwrap();
    let mut seen = BTreeMap::new();
    for at in first..dry.calls() {
        for seed in 0..30 {
            let mut disk = before.clone();
            disk.set_fault(Some(Fault::PowerLoss { at }));
            script(&mut disk).unwrap_err();
            disk.crash(&mut ChaCha8Rng::seed_from_u64(seed));
            let (_, found) = Files::open(&mut disk, ME).unwrap();
            let loaded = found.expect("the old one was durable");
            let state = if loaded.base.slot == Slot(9) { state(9, "new") } else { state(3, "old") };
            assert_eq!((loaded.base.ballot, loaded.kv.applied()), (BALLOT, state.applied()));
            *seen.entry(loaded.base.slot).or_insert(0) += 1;
        }
    }
    assert!(seen.len() == 2 && seen.values().all(|times| *times > 5), "{seen:?}");
}

#[test]
fn a_reader_takes_the_parts_of_one_snapshot_in_order_and_no_others() {
    let (ours, others) = (parts(&mut state(9, "v")), parts(&mut state(9, "w")));
    let mut reader = Reader::new(Slot(9));
    assert_eq!(reader.take(&ours[0]), Ok(Body::Head(Head { ballot: BALLOT, governing: governing() })));
    assert!(matches!(reader.take(&ours[0]), Err(Flaw::PartOutOfPlace { index: 0, due: 1, .. })));
    assert!(matches!(reader.take(&ours[2]), Err(Flaw::PartOutOfPlace { index: 2, due: 1, .. })));
    let later = parts(&mut state(10, "v"));
    assert!(matches!(reader.take(&later[1]), Err(Flaw::PartOutOfPlace { slot: Slot(10), .. })));
    for (index, part) in ours.iter().enumerate().skip(1).take(ours.len() - 2) {
        assert!(matches!(reader.take(part), Ok(Body::State(_))), "{index}");
    }
    // Sound by itself, and the end of another.
    assert_eq!(reader.take(others.last().unwrap()), Err(Flaw::PartsMixed));
    assert_eq!(reader.take(ours.last().unwrap()), Ok(Body::End));
    assert!(reader.is_ended() && reader.take(ours.last().unwrap()).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Reader::new(Slot(1)).take(&Bytes::from(bytes)).is_err());
    }

    #[test]
    fn a_part_changed_in_any_bit_is_refused(place in any::<prop::sample::Index>(), bit in 0u32..8) {
        let mut bytes = parts(&mut state(3, "v"))[0].to_vec();
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(Reader::new(Slot(3)).take(&Bytes::from(bytes)).is_err());
    }
}

// ---- The log -------------------------------------------------------------------------------------

const OPTIONS: Options = Options { segment_bytes: 600, ready_min: 1, ready_max: 3, incarnation: 5 };

/// Short segments, and a checkpoint now and then.
fn long_log(disk: &mut CrashDisk) -> Vec<Record> {
    let (mut wal, _) = Wal::open(disk, ME, OPTIONS).unwrap();
    let mut all = Vec::new();
    for number in 0..60 {
        let mut batch = vec![record(number, 40)];
        if number % 10 == 9 {
            batch.push(Record::Checkpoint { slot: Slot(number), promised: BALLOT });
        }
        wal.write(&batch).unwrap();
        wal.sync().unwrap();
        all.extend(batch);
    }
    all
}

/// Trims the log on a disk, which may fail.
fn trim(disk: &mut CrashDisk, first: Lsn) -> Result<u64, WalError> {
    let shared = Shared(Rc::new(RefCell::new(std::mem::take(disk))));
    let trimmed =
        Wal::open(shared.clone(), ME, OPTIONS).and_then(|(wal, _)| wal.keeper(shared.clone()).trim(first));
    *disk = shared.0.take();
    trimmed
}

/// The position of the last checkpoint.
fn last_checkpoint(records: &[Record]) -> Lsn {
    let at = records.iter().rposition(|record| matches!(record, Record::Checkpoint { .. }));
    Lsn(at.expect("there are some") as u64 + 1)
}

#[test]
fn what_is_released_goes_by_whole_segments_and_the_rest_comes_back() {
    let mut disk = CrashDisk::default();
    let all = long_log(&mut disk);
    let first = last_checkpoint(&all);
    let before = disk.files().len();
    let taken_out = trim(&mut disk, first).unwrap();
    let removed = (before - disk.files().len()) as u64;
    assert!(removed > 5 && taken_out == removed + OPTIONS.ready_max, "{taken_out}, and {removed} removed");
    assert_eq!(trim(&mut disk, first).unwrap(), 0, "once is enough");
    let (mut wal, recovery) = Wal::open(&mut disk, ME, OPTIONS).unwrap();
    let trimmed = recovery.trimmed as usize;
    assert!(trimmed > 0 && trimmed < first.0 as usize);
    assert_eq!(recovery.records, all[trimmed..]);
    assert_eq!(wal.written(), Lsn(all.len() as u64));
    wal.write(&[record(99, 5)]).unwrap();
    assert_eq!(wal.sync().unwrap(), Lsn(all.len() as u64 + 1));
    drop(wal);
    let survey = wal::survey(&mut disk, Some(ME)).unwrap();
    assert_eq!((survey.trimmed as usize, survey.records.len()), (trimmed, all.len() - trimmed + 1));
}

#[test]
fn a_crash_at_any_call_of_trimming_leaves_an_unbroken_log() {
    let mut before = CrashDisk::default();
    let all = long_log(&mut before);
    let first = last_checkpoint(&all);
    let mut dry = before.clone();
    trim(&mut dry, first).unwrap();
    let mut lengths = std::collections::BTreeSet::new();
    for at in before.calls()..dry.calls() {
        for seed in 0..20 {
            let mut disk = before.clone();
            disk.set_fault(Some(Fault::PowerLoss { at }));
            trim(&mut disk, first).unwrap_err();
            disk.crash(&mut ChaCha8Rng::seed_from_u64(seed));
            let (_, recovery) = Wal::open(&mut disk, ME, OPTIONS).unwrap();
            assert_eq!(recovery.records, all[recovery.trimmed as usize..], "call {at}, seed {seed}");
            lengths.insert(recovery.trimmed);
        }
    }
    assert!(lengths.len() > 5, "{lengths:?}");
}

/// Without a checkpoint behind it, a missing beginning is a loss. So is a hole, checkpoint or not.
#[test]
fn a_log_that_lost_its_beginning_is_refused() {
    let mut disk = CrashDisk::default();
    long_log(&mut disk);
    let names: Vec<String> = disk.files().into_keys().filter(|name| name.ends_with(".wal")).collect();
    let mut holed = disk.files();
    holed.remove(&names[names.len() - 2]);
    let Err(WalError::Refused { reason, .. }) = wal::survey(&mut CrashDisk::of(holed), None) else {
        panic!()
    };
    assert!(matches!(reason, Refusal::SegmentMissing { .. }), "{reason}");

    let last = names.last().unwrap();
    let rest = ["superblock", last].map(|name| (name.to_owned(), disk.files()[name].clone()));
    let mut rest = CrashDisk::of(BTreeMap::from(rest));
    let survey = wal::survey(&mut rest, None);
    match survey {
        Ok(survey) => {
            assert!(survey.records.iter().any(|record| matches!(record, Record::Checkpoint { .. })))
        }
        Err(WalError::Refused { reason, .. }) => {
            let found = names.len() as u64;
            assert_eq!(reason, Refusal::SegmentMissing { expected: 1, found });
        }
        Err(other) => panic!("{other}"),
    }
}

// ---- The replica ---------------------------------------------------------------------------------

fn replica(recovered: Recovered<'_>) -> Replica {
    let config = ReplicaConfig {
        id: n(1),
        incarnation: 0,
        founding: Founding::Known(Configuration::of(&[n(1), n(2), n(3)])),
        window: SLOTS_IN_FLIGHT_MAX as u64,
        timing: Timing::default(),
        election: ElectionMode::Randomised,
        lease: LeaseTerms::NONE,
        uses_leases: false,
    };
    Replica::restore(&config, recovered, 7).expect("a sound log")
}

/// The ballot it uses next.
fn next_ballot(replica: &mut Replica) -> Ballot {
    for _ in 0..1_000 {
        replica.tick();
        let used =
            replica.effects(LocalTime::default()).records.into_iter().find_map(|record| match record {
                Record::BallotUsed(ballot) => Some(ballot),
                _ => None,
            });
        if let Some(ballot) = used {
            return ballot;
        }
    }
    panic!("a follower without a leader stands")
}

/// I5: a crash kept the record of a used ballot and lost the promise behind it. The record is trimmed
/// away later; what it said must not be.
#[test]
fn no_ballot_is_used_again_after_the_record_of_its_use_was_trimmed() {
    let used = ballot(9, 1);
    let old = [
        Record::Accepted { slot: Slot(1), ballot: ballot(1, 2), value: value("a") },
        Record::ChosenUpto(Slot(1)),
        Record::BallotUsed(used),
    ];
    let mut first = replica(Recovered::whole(&old));
    let _ = first.effects(LocalTime::default());
    first.checkpoint(Slot(1));
    let mut records = first.effects(LocalTime::default()).records;
    let written = Lsn((old.len() + records.len()) as u64);
    first.durable(written);
    first.snapshot_is_durable(Slot(1), 0);
    let trim = first.effects(LocalTime::default()).trim.expect("snapshot and checkpoint are durable");
    records.drain(..(trim.0 as usize - old.len() - 1));

    let base = Base { slot: Slot(1), ballot: ballot(1, 2) };
    let mut second = replica(Recovered { base, governing: &[], trimmed: trim.0 - 1, records: &records });
    let next = next_ballot(&mut second);
    assert!(next > used, "{next} after {used}");
}

/// The values that a fetched snapshot covers came by themselves in the very turn in which it became
/// durable: they are executed one by one, and the state is not replaced under them.
#[test]
fn a_fetched_snapshot_that_was_overtaken_lets_go_of_nothing_that_waits() {
    let mut replica = replica(Recovered::whole(&[]));
    let report = |slot| SlotReport { slot: Slot(slot), ballot: BALLOT, value: value("v"), learned: true };
    let slots = (1..=3).map(report).collect();
    replica.step(n(2), Message::LearnReply { slots, chosen_upto: Slot(3) });
    assert!(!replica.install(Base { slot: Slot(2), ballot: BALLOT }, &[]));
    replica.snapshot_is_durable(Slot(2), 0);
    let executed: Vec<Slot> =
        replica.effects(LocalTime::default()).chosen.into_iter().map(|(slot, _)| slot).collect();
    assert_eq!(executed, [Slot(1), Slot(2), Slot(3)]);
}
