//! What was durable and is no longer what it was.

use super::{
    BATCH_HEADER_BYTES, CrashDisk, ME, OPTIONS, SEGMENT_HEADER_BYTES, Sample, append, assert_usable, open,
    record, records,
};
use bytes::Bytes;
use paxos_node::paxos::{Lsn, NodeId, Record};
use paxos_node::wal::{Damage, Disk, Identity, Options, Outcome, Proof, Refusal, Wal, WalError, survey};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io;

/// Where and why opening was refused. It must have left everything as it was.
fn refusal(disk: &mut CrashDisk) -> (String, u64, Refusal) {
    let before = disk.files();
    let error = open(disk).map(|(_, recovery)| recovery).expect_err("must be refused");
    assert!(error.is_refusal() && !error.is_io(), "{error}");
    assert_eq!(disk.files(), before, "a refusal changes nothing");
    let WalError::Refused { file, offset, reason } = error else { panic!("{error}") };
    (file, offset, reason)
}

/// Whatever stood there before: zeros, or what an older segment left.
const BEFORE: [u8; 2] = [0, 0xa5];

#[test]
fn a_last_batch_torn_anywhere_is_cut_and_nothing_else() {
    let sample = Sample::new();
    let last = sample.batches.last().unwrap();
    let before = records(&sample.batches[..sample.batches.len() - 1]);
    for (torn_at, fill) in (last.start..=last.end).flat_map(|at| BEFORE.map(|fill| (at, fill))) {
        let mut disk = sample.disk.with(&last.file, |bytes| bytes[torn_at..].fill(fill));
        // Its own last bytes may be zeros.
        let whole = disk.files()[&last.file][..last.end] == sample.disk.files()[&last.file][..last.end];
        let expected = if whole { sample.records() } else { before.clone() };
        let end = if whole { last.end } else { last.start };

        let seen = survey(&mut disk, None).unwrap();
        assert_eq!(seen.records, expected, "torn at {torn_at}");
        let (_, recovery) = open(&mut disk).unwrap();
        assert_eq!(recovery.records, expected, "torn at {torn_at}");
        assert!(!recovery.fresh);
        match recovery.outcome {
            Outcome::Clean => {
                assert_eq!(seen.torn, None);
                assert!(fill == 0 && (torn_at == last.start || whole), "torn at {torn_at}");
            }
            Outcome::TornTailCut(tail) => {
                assert_eq!((tail.file.as_str(), tail.offset), (last.file.as_str(), end as u64));
                let header_arrived = torn_at >= last.start + BATCH_HEADER_BYTES && !whole;
                let damage = if header_arrived { Damage::BodyChecksum } else { Damage::HeaderUnreadable };
                assert_eq!(tail.damage, damage, "torn at {torn_at}");
                assert_eq!(seen.torn, Some(tail));
            }
        }
        let room = disk.files()[&last.file].len() - end;
        let place = end..end + room.min(BATCH_HEADER_BYTES);
        assert!(disk.durable_bytes(&last.file)[place].iter().all(|&byte| byte == 0), "the cut is durable");
        assert_usable(&mut disk, &expected);
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let sample = Sample::new();
    let begun: std::collections::BTreeSet<&str> =
        sample.batches.iter().map(|batch| batch.file.as_str()).collect();
    for file in begun {
        let length = sample.disk.files()[file].len();
        for cut in 0..length {
            let mut disk = sample.disk.with(file, |bytes| bytes.truncate(cut));
            let reason = match cut {
                0..SEGMENT_HEADER_BYTES => Refusal::HeaderUnreadable,
                _ => Refusal::SegmentLength { expected: length as u64, found: cut as u64 },
            };
            assert_eq!(refusal(&mut disk), (file.to_owned(), 0, reason));
        }
        let mut disk = sample.disk.with(file, |bytes| bytes.push(0));
        let reason = Refusal::SegmentLength { expected: length as u64, found: length as u64 + 1 };
        assert_eq!(refusal(&mut disk), (file.to_owned(), 0, reason));
    }
}

/// What one flipped byte must lead to, by where it is.
#[derive(Debug)]
enum Expected {
    /// Refused, at the file's start: a segment's header is unreadable.
    HeaderRefused,
    /// Refused, at the start of the batch: how many of the batches it is.
    BatchRefused(usize),
    /// Cut from the start of the last batch on.
    LastCut,
    /// Nothing is lost.
    Harmless,
}

fn expected(sample: &Sample, file: &str, offset: usize) -> Expected {
    if file == "superblock" {
        return Expected::Harmless;
    }
    if offset < SEGMENT_HEADER_BYTES {
        return Expected::HeaderRefused;
    }
    let inside = |batch: &super::Extent| batch.file == file && (batch.start..batch.end).contains(&offset);
    match sample.batches.iter().position(inside) {
        Some(position) if position == sample.batches.len() - 1 => Expected::LastCut,
        Some(position) => Expected::BatchRefused(position),
        None => Expected::Harmless,
    }
}

#[test]
fn every_flipped_byte_has_the_outcome_of_its_region() {
    let sample = Sample::new();
    let last = sample.batches.last().unwrap();
    let mut outcomes = [0; 4];
    for (file, bytes) in sample.disk.files() {
        for (offset, flip) in
            (0..bytes.len()).flat_map(|offset| [(offset, 0xff), (offset, 1 << (offset % 8))])
        {
            let mut disk = sample.disk.with(&file, |bytes| bytes[offset] ^= flip);
            match expected(&sample, &file, offset) {
                Expected::HeaderRefused => {
                    outcomes[0] += 1;
                    assert_eq!(refusal(&mut disk), (file.clone(), 0, Refusal::HeaderUnreadable));
                }
                Expected::BatchRefused(position) => {
                    outcomes[1] += 1;
                    let batch = &sample.batches[position];
                    let (at_file, at, reason) = refusal(&mut disk);
                    assert_eq!((&at_file, at), (&file, batch.start as u64), "byte {offset}");
                    let Refusal::RecordsLost { first, last: last_lost, damage, proof } = reason else {
                        panic!("{reason}")
                    };
                    let in_header = offset < batch.start + BATCH_HEADER_BYTES;
                    let expected = if in_header { Damage::HeaderUnreadable } else { Damage::BodyChecksum };
                    assert_eq!((damage, first), (expected, batch.lsn), "byte {offset}");
                    let through = batch.lsn.0 + batch.records.len() as u64 - 1;
                    assert!(last_lost.0 >= through, "{last_lost} and {through}");
                    let is_last_of_segment = sample.batches[position + 1].file != file;
                    match proof {
                        Proof::LaterSegment { .. } => assert!(is_last_of_segment),
                        Proof::LaterBatch { .. } => assert!(!is_last_of_segment),
                        Proof::Superblock { .. } => panic!("it speaks of the first record only"),
                    }
                }
                Expected::LastCut => {
                    outcomes[2] += 1;
                    let (_, recovery) = open(&mut disk).unwrap();
                    let Outcome::TornTailCut(tail) = recovery.outcome else { panic!("byte {offset}") };
                    assert_eq!((tail.file, tail.offset), (file.clone(), last.start as u64));
                    let survivors = records(&sample.batches[..sample.batches.len() - 1]);
                    assert_eq!(recovery.records, survivors, "byte {offset}");
                    assert_usable(&mut disk, &survivors);
                }
                Expected::Harmless => {
                    outcomes[3] += 1;
                    let (_, recovery) = open(&mut disk).unwrap();
                    assert_eq!(recovery.records, sample.records(), "byte {offset}");
                    if offset % 16 == 0 {
                        assert_usable(&mut disk, &sample.records());
                    }
                }
            }
        }
    }
    assert!(outcomes.iter().all(|&count| count > 0), "{outcomes:?}: each region was met");
}

#[test]
fn a_batch_gone_in_the_middle_is_no_end_of_the_log() {
    let sample = Sample::new();
    let later: Vec<_> = sample.batches[..sample.batches.len() - 1].iter().collect();
    for (batch, fill) in later.iter().flat_map(|batch| BEFORE.map(|fill| (batch, fill))) {
        let mut disk = sample.disk.with(&batch.file, |bytes| bytes[batch.start..batch.end].fill(fill));
        let (file, offset, reason) = refusal(&mut disk);
        assert_eq!((file, offset), (batch.file.clone(), batch.start as u64));
        let Refusal::RecordsLost { first, damage, .. } = reason else { panic!("{reason}") };
        let gone = if fill == 0 { Damage::Nothing } else { Damage::HeaderUnreadable };
        assert_eq!((first, damage), (batch.lsn, gone));
    }
}

#[test]
fn a_torn_tail_does_not_hide_damage_before_it() {
    let sample = Sample::new();
    let [.., damaged, last] = sample.batches.as_slice() else { panic!("at least two batches") };
    assert_eq!(damaged.file, last.file);
    for (torn_at, fill) in
        (last.start + BATCH_HEADER_BYTES..last.end).flat_map(|at| BEFORE.map(|fill| (at, fill)))
    {
        for (at, damage) in
            [(damaged.start, Damage::HeaderUnreadable), (damaged.end - 1, Damage::BodyChecksum)]
        {
            let mut disk = sample.disk.with(&last.file, |bytes| {
                bytes[torn_at..].fill(fill);
                bytes[at] ^= 1;
            });
            // The header behind it is proof enough, its own body torn or not.
            let durable = Lsn(last.lsn.0 - 1);
            let proof = Proof::LaterBatch { offset: last.start as u64, durable };
            let reason = Refusal::RecordsLost { first: damaged.lsn, last: durable, damage, proof };
            assert_eq!(refusal(&mut disk), (last.file.clone(), damaged.start as u64, reason));
        }
    }
}

#[test]
fn segments_missing_swapped_or_of_somebody_else_are_refused() {
    let sample = Sample::new();
    let files = sample.disk.files();
    let last = sample.last_file();
    let names: Vec<&String> =
        files.keys().filter(|name| name.ends_with(".wal") && name.as_str() <= last).collect();
    for (position, name) in names[..names.len() - 1].iter().enumerate() {
        let mut fewer = files.clone();
        fewer.remove(*name);
        let (file, offset, reason) = refusal(&mut CrashDisk::of(fewer));
        let expected = position as u64 + 1;
        assert_eq!((&file, offset), (names[position + 1], 0));
        assert_eq!(reason, Refusal::SegmentMissing { expected, found: expected + 1 });
    }

    let mut swapped = files.clone();
    swapped.insert(names[0].clone(), files[names[1]].clone());
    swapped.insert(names[1].clone(), files[names[0]].clone());
    let (file, _, reason) = refusal(&mut CrashDisk::of(swapped));
    assert_eq!(&file, names[0]);
    assert!(
        matches!(reason, Refusal::SegmentOutOfPlace { sequence: 2, expected_sequence: 1, .. }),
        "{reason}"
    );

    for stranger in [Identity { cluster: 78, ..ME }, Identity { node: NodeId(3), ..ME }] {
        let mut disk = sample.disk.clone();
        let error = Wal::open(&mut disk, stranger, OPTIONS).map(drop).unwrap_err();
        let WalError::Refused { reason, .. } = &error else { panic!("{error}") };
        assert_eq!(*reason, Refusal::ForeignIdentity { expected: stranger, found: ME });
        assert_eq!(survey(&mut disk, None).unwrap().identity, Some(ME), "a look needs no identity");

        let mut theirs = CrashDisk::default();
        append(&mut Wal::open(&mut theirs, stranger, OPTIONS).unwrap().0, &[record(1, 0)]);
        let mut mixed = files.clone();
        mixed.insert(names[0].clone(), theirs.files()[names[0]].clone());
        let (file, _, reason) = refusal(&mut CrashDisk::of(mixed.clone()));
        assert_eq!((&file, reason), (names[0], Refusal::ForeignIdentity { expected: ME, found: stranger }));
        let error = survey(&mut CrashDisk::of(mixed), None).unwrap_err();
        assert!(error.is_refusal(), "{error}");
    }

    let mut forgotten = CrashDisk::default();
    let other = Options { incarnation: 6, ..OPTIONS };
    append(&mut Wal::open(&mut forgotten, ME, other).unwrap().0, &[record(1, 0)]);
    let mut mixed = files.clone();
    mixed.insert(names[0].clone(), forgotten.files()[names[0]].clone());
    let (file, _, reason) = refusal(&mut CrashDisk::of(mixed));
    assert_eq!((&file, reason), (names[0], Refusal::ForeignIncarnation { expected: 5, found: 6 }));
}

#[test]
fn an_intact_batch_that_does_not_continue_the_log_is_refused() {
    let mut disk = CrashDisk::default();
    let options = Options { segment_bytes: 2000, ..OPTIONS };
    let mut wal = Wal::open(&mut disk, ME, options).unwrap().0;
    append(&mut wal, &[record(1, 0)]);
    append(&mut wal, &[record(4, 100)]);
    drop(wal);
    let file = "00000000000000000001.wal";
    let (start, end) = (128, 128 + 40 + 24 + 104);
    let mut disk = disk.with(file, |bytes| bytes.copy_within(start..end, end));
    let (_, offset, reason) = refusal(&mut disk);
    let expected = Refusal::BatchOutOfOrder { expected: Lsn(3), found: Lsn(2) };
    assert_eq!((offset, reason), (end as u64, expected));
}

#[test]
fn bytes_behind_the_last_batch_are_a_torn_tail_unless_they_are_a_batch() {
    let sample = Sample::new();
    let last = sample.batches.last().unwrap();
    for tail in [vec![1], vec![0xff; 40], vec![0xa5; 60], b"APXB".to_vec()] {
        let place = last.end..last.end + tail.len();
        let mut disk = sample.disk.with(&last.file, |bytes| bytes[place].copy_from_slice(&tail));
        let (_, recovery) = open(&mut disk).unwrap();
        let Outcome::TornTailCut(cut) = recovery.outcome else { panic!("{tail:?}") };
        assert_eq!((cut.offset, cut.damage), (last.end as u64, Damage::HeaderUnreadable));
        assert_usable(&mut disk, &sample.records());
    }
}

#[test]
fn files_that_are_no_segments_are_left_alone() {
    let sample = Sample::new();
    let mut files = sample.disk.files();
    let others = ["lock", "notes.txt", "1.wal", "00000000000000000009.wal.bak"];
    for other in others {
        files.insert(other.to_owned(), b"something else".to_vec());
    }
    let mut disk = CrashDisk::of(files);
    assert_usable(&mut disk, &sample.records());
    for other in others {
        assert_eq!(disk.files()[other], b"something else");
    }
}

/// A disk that has the files but can't show them.
struct Unreadable {
    disk: CrashDisk,
    list: bool,
}

#[rustfmt::skip]
impl Disk for Unreadable {
    fn list(&mut self) -> io::Result<Vec<String>> {
        if self.list { self.disk.list() } else { Err(io::Error::from_raw_os_error(5)) }
    }
    fn length(&mut self, _: &str) -> io::Result<u64> { Err(io::ErrorKind::NotFound.into()) }
    fn read(&mut self, _: &str) -> io::Result<Bytes> { Err(io::ErrorKind::NotFound.into()) }
    fn read_part(&mut self, _: &str, _: u64, _: usize) -> io::Result<Vec<u8>> { Err(io::ErrorKind::NotFound.into()) }
    fn create(&mut self, name: &str) -> io::Result<()> { panic!("creates {name}") }
    fn append(&mut self, name: &str, _: &[u8]) -> io::Result<()> { panic!("appends to {name}") }
    fn sync(&mut self, _: &str) -> io::Result<()> { Ok(()) }
    fn write_at(&mut self, name: &str, _: u64, _: &[u8]) -> io::Result<()> { panic!("writes to {name}") }
    fn rename(&mut self, from: &str, _: &str) -> io::Result<()> { panic!("renames {from}") }
    fn remove(&mut self, name: &str) -> io::Result<()> { panic!("removes {name}") }
    fn sync_folder(&mut self) -> io::Result<()> { Ok(()) }
}

#[test]
fn a_log_that_can_not_be_read_is_not_an_empty_log() {
    for list in [false, true] {
        let disk = Unreadable { disk: Sample::new().disk, list };
        let error = Wal::open(disk, ME, OPTIONS).map(drop).unwrap_err();
        assert!(error.is_io() && matches!(error, WalError::Io { .. }), "{error}");
    }
}

/// Opening twice must give the same, or refuse and change nothing; never panic.
fn open_is_stable(files: BTreeMap<String, Vec<u8>>) -> Option<Vec<Record>> {
    let mut disk = CrashDisk::of(files.clone());
    match open(&mut disk).map(|(_, recovery)| recovery) {
        Ok(recovery) => {
            let (_, again) = open(&mut disk).unwrap();
            assert_eq!(
                (again.records, again.outcome, again.fresh),
                (recovery.records.clone(), Outcome::Clean, false)
            );
            assert_usable(&mut disk, &recovery.records);
            Some(recovery.records)
        }
        Err(error) => {
            assert!(error.is_refusal(), "{error}");
            assert_eq!(disk.files(), files);
            None
        }
    }
}

proptest! {
    #[test]
    fn garbage_never_panics_and_never_invents(
        files in prop::collection::btree_map(1u64..4, prop::collection::vec(any::<u8>(), 0..300), 0..4),
    ) {
        let mut disk = CrashDisk::default();
        open(&mut disk).unwrap();
        let garbage = files.into_iter().map(|(n, bytes)| (format!("{n:020}.wal"), bytes));
        if let Some(records) = open_is_stable(disk.files().into_iter().chain(garbage).collect()) {
            prop_assert!(records.is_empty());
        }
    }

    #[test]
    fn a_spliced_log_gives_a_prefix_or_nothing(
        splices in prop::collection::vec((any::<u16>(), any::<u16>(), any::<u16>(), 0u8..5, any::<u8>()), 1..4),
    ) {
        let sample = Sample::new();
        let mut files = sample.disk.files();
        for (which, at, length, kind, byte) in splices {
            let position = usize::from(which) % files.len();
            let bytes = files.values_mut().nth(position).unwrap();
            let at = usize::from(at) % (bytes.len() + 1);
            let end = (at + usize::from(length) % 700).min(bytes.len());
            match kind {
                0 => bytes[at..end].fill(byte),
                1 => bytes[at..end].iter_mut().for_each(|b| *b ^= byte),
                2 => drop(bytes.drain(at..end)),
                3 => {
                    let copy = bytes[at..end].to_vec();
                    bytes.extend(copy);
                }
                _ => bytes.truncate(at),
            }
        }
        if let Some(records) = open_is_stable(files) {
            prop_assert!(sample.records().starts_with(&records));
        }
    }
}
