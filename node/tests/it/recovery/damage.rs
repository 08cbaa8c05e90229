//! What was durable and is no longer what it was.

use super::{CrashDisk, ME, Sample, append, assert_usable, open, record, records};
use paxos_node::paxos::{Lsn, NodeId, Record};
use paxos_node::wal::{Damage, Disk, Identity, Options, Outcome, Proof, Refusal, Wal, WalError, survey};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io;

const SEGMENT_HEADER_BYTES: usize = 64;
const BATCH_HEADER_BYTES: usize = 40;

/// Where and why opening was refused. It must have left everything as it was.
fn refusal(disk: &mut CrashDisk) -> (String, u64, Refusal) {
    let before = disk.files();
    let error = open(disk).map(|(_, recovery)| recovery).expect_err("must be refused");
    assert!(error.is_refusal() && !error.is_io(), "{error}");
    assert_eq!(disk.files(), before, "a refusal changes nothing");
    let WalError::Refused { file, offset, reason } = error else { panic!("{error}") };
    (file, offset, reason)
}

#[test]
fn a_cut_anywhere_in_the_last_segment_keeps_exactly_the_batches_before_it() {
    let sample = Sample::new();
    let last = sample.last_file();
    let length = sample.disk.files()[last].len();
    for cut in 0..=length {
        let mut disk = sample.disk.with(last, |bytes| bytes.truncate(cut));
        if cut < SEGMENT_HEADER_BYTES {
            let expected = (last.to_owned(), 0, Refusal::HeaderUnreadable);
            assert_eq!(refusal(&mut disk), expected, "no crash leaves a named segment without a header");
            continue;
        }
        let whole = sample.batches.iter().filter(|batch| batch.file != last || batch.end <= cut).count();
        let survivors = records(&sample.batches[..whole]);
        let end = match &sample.batches[whole - 1] {
            batch if batch.file == last => batch.end,
            _ => SEGMENT_HEADER_BYTES,
        };

        let seen = survey(&mut disk, None).unwrap();
        assert_eq!(seen.records, survivors, "cut at {cut}");
        let (_, recovery) = open(&mut disk).unwrap();
        assert_eq!(recovery.records, survivors, "cut at {cut}");
        assert!(!recovery.fresh);
        match recovery.outcome {
            Outcome::Clean => assert_eq!((cut, seen.torn), (end, None)),
            Outcome::TornTailCut(tail) => {
                assert_eq!(
                    (tail.file.as_str(), tail.offset, tail.bytes),
                    (last, end as u64, (cut - end) as u64)
                );
                assert_eq!(seen.torn, Some(tail));
                assert_ne!(cut, end);
            }
        }
        assert_eq!(disk.files()[last].len(), end);
        assert_eq!(disk.durable_bytes(last).len(), end, "the cut is durable");
        assert_usable(&mut disk, &survivors);
    }
}

#[test]
fn a_cut_anywhere_in_an_earlier_segment_is_refused() {
    let sample = Sample::new();
    let first = &sample.batches[0].file;
    let length = sample.disk.files()[first].len();
    for cut in 0..length {
        let mut disk = sample.disk.with(first, |bytes| bytes.truncate(cut));
        let (file, _, reason) = refusal(&mut disk);
        let at_a_seam = sample.batches.iter().any(|batch| batch.file == *first && batch.start == cut);
        match reason {
            Refusal::HeaderUnreadable => assert!(cut < SEGMENT_HEADER_BYTES && file == *first),
            Refusal::BatchDamaged { damage: Damage::HeaderCut | Damage::BodyCut, proof } => {
                assert_eq!((proof, &file), (Proof::LaterSegment { sequence: 2 }, first));
            }
            // Nothing is wrong with the segment itself: it is its successor that doesn't fit.
            Refusal::SegmentOutOfPlace { .. } => assert!(at_a_seam && file != *first),
            other => panic!("cut at {cut}: {other}"),
        }
    }
}

/// What one flipped byte must lead to, by where it is.
#[derive(Debug)]
enum Expected {
    /// Refused, at this offset, because the segment's header is unreadable.
    HeaderRefused,
    /// Refused at this offset, the start of the batch.
    BatchRefused(usize),
    /// Cut from this offset, the start of the batch, on.
    Cut(usize),
}

fn expected(sample: &Sample, file: &str, offset: usize) -> Expected {
    if offset < SEGMENT_HEADER_BYTES {
        return Expected::HeaderRefused;
    }
    let position = sample
        .batches
        .iter()
        .position(|batch| batch.file == file && (batch.start..batch.end).contains(&offset))
        .expect("every byte is in a header or a batch");
    let start = sample.batches[position].start;
    if position == sample.batches.len() - 1 { Expected::Cut(start) } else { Expected::BatchRefused(start) }
}

#[test]
fn every_flipped_byte_has_the_outcome_of_its_region() {
    let sample = Sample::new();
    let mut outcomes = [0; 3];
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
                Expected::BatchRefused(start) => {
                    outcomes[1] += 1;
                    let (at_file, at, reason) = refusal(&mut disk);
                    assert_eq!((&at_file, at), (&file, start as u64), "byte {offset}");
                    let in_header = offset < start + BATCH_HEADER_BYTES;
                    let damage = if in_header { Damage::HeaderUnreadable } else { Damage::BodyChecksum };
                    let Refusal::BatchDamaged { damage: found, proof } = reason else { panic!("{reason}") };
                    assert_eq!(found, damage, "byte {offset}");
                    match proof {
                        Proof::LaterSegment { .. } => assert_ne!(file, sample.last_file()),
                        Proof::LaterBatch { .. } => assert!(in_header),
                        Proof::LaterBytes { .. } => assert!(!in_header),
                    }
                }
                Expected::Cut(start) => {
                    outcomes[2] += 1;
                    let (_, recovery) = open(&mut disk).unwrap();
                    let Outcome::TornTailCut(tail) = recovery.outcome else { panic!("byte {offset}") };
                    assert_eq!((tail.file, tail.offset), (file.clone(), start as u64));
                    let survivors = records(&sample.batches[..sample.batches.len() - 1]);
                    assert_eq!(recovery.records, survivors, "byte {offset}");
                    assert_usable(&mut disk, &survivors);
                }
            }
        }
    }
    assert!(outcomes.iter().all(|&count| count > 0), "{outcomes:?}: each region was met");
}

#[test]
fn a_zeroed_batch_in_the_middle_is_no_end_of_the_log() {
    let sample = Sample::new();
    for batch in &sample.batches[..sample.batches.len() - 1] {
        let mut disk = sample.disk.with(&batch.file, |bytes| bytes[batch.start..batch.end].fill(0));
        let (file, offset, reason) = refusal(&mut disk);
        assert_eq!((file, offset), (batch.file.clone(), batch.start as u64));
        assert!(matches!(reason, Refusal::BatchDamaged { damage: Damage::HeaderUnreadable, .. }), "{reason}");
    }
}

#[test]
fn a_torn_tail_does_not_hide_damage_before_it() {
    let sample = Sample::new();
    let [.., damaged, last] = sample.batches.as_slice() else { panic!("at least two batches") };
    assert_eq!(damaged.file, last.file);
    for torn_at in last.start + 1..last.end {
        // Only the body is damaged: any byte behind the batch proves that it had been durable.
        let mut disk = sample.disk.with(&last.file, |bytes| {
            bytes.truncate(torn_at);
            bytes[damaged.end - 1] ^= 1;
        });
        let (_, offset, reason) = refusal(&mut disk);
        let proof = Proof::LaterBytes { offset: damaged.end as u64 };
        assert_eq!(
            (offset, reason),
            (damaged.start as u64, Refusal::BatchDamaged { damage: Damage::BodyChecksum, proof })
        );
    }
    for torn_at in last.start + BATCH_HEADER_BYTES..last.end {
        // The header is damaged: the header behind it is proof enough, its own body torn or not.
        let mut disk = sample.disk.with(&last.file, |bytes| {
            bytes.truncate(torn_at);
            bytes[damaged.start] ^= 1;
        });
        let (_, offset, reason) = refusal(&mut disk);
        let proof = Proof::LaterBatch { offset: last.start as u64 };
        let damage = Damage::HeaderUnreadable;
        assert_eq!((offset, reason), (damaged.start as u64, Refusal::BatchDamaged { damage, proof }));
    }
}

#[test]
fn segments_missing_swapped_or_of_somebody_else_are_refused() {
    let sample = Sample::new();
    let files = sample.disk.files();
    let names: Vec<&String> = files.keys().collect();
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
        let error = Wal::open(&mut disk, stranger, Options::default()).map(drop).unwrap_err();
        let WalError::Refused { reason, .. } = &error else { panic!("{error}") };
        assert_eq!(*reason, Refusal::ForeignIdentity { expected: stranger, found: ME });
        assert_eq!(survey(&mut disk, None).unwrap().identity, Some(ME), "a look needs no identity");

        let mut theirs = CrashDisk::default();
        append(&mut Wal::open(&mut theirs, stranger, Options::default()).unwrap().0, &[record(1, 0)]);
        let mut mixed = files.clone();
        mixed.insert(names[0].clone(), theirs.files()[names[0]].clone());
        let (file, _, reason) = refusal(&mut CrashDisk::of(mixed.clone()));
        assert_eq!((&file, reason), (names[0], Refusal::ForeignIdentity { expected: ME, found: stranger }));
        let error = survey(&mut CrashDisk::of(mixed), None).unwrap_err();
        assert!(error.is_refusal(), "{error}");
    }
}

#[test]
fn an_intact_batch_that_does_not_continue_the_log_is_refused() {
    let sample = Sample::new();
    let last = sample.batches.last().unwrap();
    let mut disk = sample.disk.with(&last.file, |bytes| {
        let again = bytes[last.start..last.end].to_vec();
        bytes.extend(again);
    });
    let (_, offset, reason) = refusal(&mut disk);
    let count = sample.records().len() as u64;
    let expected = Refusal::BatchOutOfOrder {
        expected: Lsn(count + 1),
        found: Lsn(count + 1 - last.records.len() as u64),
    };
    assert_eq!((offset, reason), (last.end as u64, expected));
}

#[test]
fn bytes_behind_the_last_batch_are_a_torn_tail_unless_they_are_a_batch() {
    let sample = Sample::new();
    let last = sample.last_file();
    for tail in [vec![0], vec![0; 7], vec![0; 4096], vec![0xff; 40], vec![0xa5; 1000], b"APXB".to_vec()] {
        let mut disk = sample.disk.with(last, |bytes| bytes.extend(&tail));
        let (_, recovery) = open(&mut disk).unwrap();
        let Outcome::TornTailCut(cut) = recovery.outcome else { panic!("{tail:?}") };
        assert_eq!(cut.bytes, tail.len() as u64);
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
    fn read(&mut self, _: &str) -> io::Result<Vec<u8>> { Err(io::ErrorKind::NotFound.into()) }
    fn read_part(&mut self, name: &str, _: u64, _: usize) -> io::Result<Vec<u8>> { self.read(name) }
    fn create(&mut self, name: &str) -> io::Result<()> { panic!("creates {name}") }
    fn append(&mut self, name: &str, _: &[u8]) -> io::Result<()> { panic!("appends to {name}") }
    fn sync(&mut self, _: &str) -> io::Result<()> { Ok(()) }
    fn truncate(&mut self, name: &str, _: u64) -> io::Result<()> { panic!("truncates {name}") }
    fn rename(&mut self, from: &str, _: &str) -> io::Result<()> { panic!("renames {from}") }
    fn remove(&mut self, name: &str) -> io::Result<()> { panic!("removes {name}") }
    fn sync_folder(&mut self) -> io::Result<()> { Ok(()) }
}

#[test]
fn a_log_that_can_not_be_read_is_not_an_empty_log() {
    for list in [false, true] {
        let disk = Unreadable { disk: Sample::new().disk, list };
        let error = Wal::open(disk, ME, Options::default()).map(drop).unwrap_err();
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
        let files: BTreeMap<_, _> = files.into_iter().map(|(n, bytes)| (format!("{n:020}.wal"), bytes)).collect();
        if let Some(records) = open_is_stable(files.clone()) {
            prop_assert!(records.is_empty() && files.is_empty());
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
