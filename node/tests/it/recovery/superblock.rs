//! What the log can't say of itself: how far it had come.

use super::{CrashDisk, ME, OPTIONS, SEGMENT_HEADER_BYTES, append, ballot, open};
use bytes::Bytes;
use paxos_node::paxos::{Lsn, Record, Slot, Value};
use paxos_node::wal::{Damage, Options, Outcome, Proof, Refusal, Wal, WalError, survey};

const FIRST: &str = "00000000000000000001.wal";

fn accepted(slot: u64, round: u64) -> Record {
    let value = Value::Batch(Bytes::from_static(b"value"));
    Record::Accepted { slot: Slot(slot), ballot: ballot(round), value }
}

fn refusal(disk: &mut CrashDisk) -> Refusal {
    match open(disk) {
        Err(WalError::Refused { reason, .. }) => reason,
        Err(other) => panic!("{other}"),
        Ok((_, recovery)) => panic!("opened, with {} records", recovery.records.len()),
    }
}

/// Rot in the last batch, wherever it strikes.
fn rotten(disk: &CrashDisk, at: usize) -> CrashDisk {
    disk.with(FIRST, |bytes| bytes[at] ^= 0x10)
}

#[test]
fn a_lost_tail_can_not_lose_a_promise() {
    for promise in [Record::Promised(ballot(9)), Record::BallotUsed(ballot(9)), accepted(1, 9)] {
        let mut disk = CrashDisk::default();
        append(&mut open(&mut disk).unwrap().0, &[promise]);
        for at in [SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES + 50] {
            let reason = refusal(&mut rotten(&disk, at));
            let Refusal::RecordsLost { first, last, proof, .. } = reason else { panic!("{reason}") };
            assert_eq!((first, last, proof), (Lsn(1), Lsn(1), Proof::Superblock { durable: Lsn(1) }));
        }
    }
}

/// It costs a second sync when the ballot rises, and none otherwise.
#[test]
fn only_a_ballot_that_rises_is_written_down_twice() {
    let mut disk = CrashDisk::default();
    let (mut wal, _) = Wal::open(&mut disk, ME, Options { segment_bytes: 4000, ..OPTIONS }).unwrap();
    append(&mut wal, &[Record::Promised(ballot(1))]);
    let mut calls = |records: &[Record]| {
        let before = wal.disk().calls();
        append(&mut wal, records);
        wal.disk().calls() - before
    };
    assert_eq!(calls(&[accepted(1, 1)]), 2);
    assert_eq!(calls(&[accepted(2, 1), Record::ChosenUpto(Slot(1)), Record::Promised(ballot(1))]), 2);
    assert_eq!(calls(&[Record::Learned { slot: Slot(3), ballot: ballot(7), value: Value::Noop }]), 2);
    assert_eq!(calls(&[accepted(4, 2)]), 4);
    assert_eq!(calls(&[accepted(5, 1)]), 2);
    assert_eq!(calls(&[Record::Promised(ballot(3))]), 4);
}

/// A tail that the superblock does not vouch for is cut, as ever; what it vouched for before stays known.
#[test]
fn what_came_after_is_the_contracts_business() {
    let mut disk = CrashDisk::default();
    let (mut wal, _) = Wal::open(&mut disk, ME, Options { segment_bytes: 4000, ..OPTIONS }).unwrap();
    append(&mut wal, &[Record::Promised(ballot(9))]);
    append(&mut wal, &[accepted(1, 9)]);
    let second = SEGMENT_HEADER_BYTES + 40 + 24;
    let mut after = rotten(&disk, second + 50);
    let (_, recovery) = open(&mut after).unwrap();
    assert_eq!(recovery.records, [Record::Promised(ballot(9))]);
    assert!(matches!(recovery.outcome, Outcome::TornTailCut(_)));
    // With the batch behind it gone for good, the first one can still be missed.
    let reason = refusal(&mut rotten(&after, SEGMENT_HEADER_BYTES));
    assert!(matches!(reason, Refusal::RecordsLost { proof: Proof::Superblock { .. }, .. }), "{reason}");
}

#[test]
fn a_log_closed_in_good_order_must_be_whole() {
    let mut disk = CrashDisk::default();
    let (mut wal, _) = Wal::open(&mut disk, ME, Options { segment_bytes: 4000, ..OPTIONS }).unwrap();
    append(&mut wal, &[Record::Promised(ballot(9))]);
    append(&mut wal, &[accepted(1, 9), accepted(2, 9)]);
    wal.close().unwrap();
    let calls = wal.disk().calls();
    wal.close().unwrap();
    assert_eq!(wal.disk().calls(), calls, "once is enough");
    drop(wal);
    let second = SEGMENT_HEADER_BYTES + 40 + 24;
    for at in second..second + 40 + 2 * 32 {
        let damage = if at < second + 40 { Damage::HeaderUnreadable } else { Damage::BodyChecksum };
        let proof = Proof::Superblock { durable: Lsn(3) };
        let expected = Refusal::RecordsLost { first: Lsn(2), last: Lsn(3), damage, proof };
        assert_eq!(refusal(&mut rotten(&disk, at)), expected);
    }
    // A whole one goes on.
    let (mut wal, recovery) = open(&mut disk).unwrap();
    assert_eq!((recovery.records.len(), recovery.outcome), (3, Outcome::Clean));
    append(&mut wal, &[accepted(3, 9)]);
}

#[test]
fn a_folder_without_its_segments_is_no_empty_log() {
    let mut disk = CrashDisk::default();
    append(&mut open(&mut disk).unwrap().0, &[Record::Promised(ballot(9))]);
    let mut files = disk.files();
    files.remove(FIRST);
    let reason = refusal(&mut CrashDisk::of(files));
    let Refusal::RecordsLost { first, last, .. } = reason else { panic!("{reason}") };
    assert_eq!((first, last), (Lsn(1), Lsn(1)));
}

#[test]
fn a_log_without_its_superblock_is_refused() {
    let mut disk = CrashDisk::default();
    append(&mut open(&mut disk).unwrap().0, &[Record::Promised(ballot(9))]);
    let mut files = disk.files();
    files.remove("superblock");
    assert_eq!(refusal(&mut CrashDisk::of(files)), Refusal::SuperblockMissing);

    let mut unreadable = disk.with("superblock", |bytes| bytes.fill(0));
    assert_eq!(refusal(&mut unreadable), Refusal::SuperblockUnreadable);
    let mut three_rotten = disk.with("superblock", |bytes| bytes[..3 * 4096].fill(7));
    open(&mut three_rotten).unwrap();
}

/// A segment as format 1 had it, and no superblock: that is said, and nothing about damage.
#[test]
fn an_older_format_is_named() {
    let mut header = b"APAXWAL\0\x01\0\0\0\x02\0\0\0".to_vec();
    header.resize(60, 0);
    header.extend(crc32c::crc32c(&header).to_le_bytes());
    let mut disk = CrashDisk::of([(FIRST.to_owned(), header)].into());
    assert_eq!(refusal(&mut disk), Refusal::UnsupportedFormat { found: 1, supported: 2 });
}

#[test]
fn a_memory_keeps_its_name_and_another_has_another() {
    let incarnation = |disk: &mut CrashDisk, drawn| {
        let (_, recovery) = Wal::open(disk, ME, Options { incarnation: drawn, ..OPTIONS }).unwrap();
        recovery.incarnation
    };
    let mut disk = CrashDisk::default();
    assert_eq!([incarnation(&mut disk, 7), incarnation(&mut disk, 8)], [7, 7]);
    assert_eq!(survey(&mut disk, None).unwrap().identity, Some(ME));
    assert_eq!(incarnation(&mut CrashDisk::default(), 8), 8, "a disk that was wiped");
}
