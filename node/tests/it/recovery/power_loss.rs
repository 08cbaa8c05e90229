//! Power lost at any call, with anything left of what was not synced; disks that fail; processes
//! killed. Honest failures: none of them may cost an acknowledged record or lead to a refusal.

use super::crash_disk::{Fault, mix};
use super::{BATCH_HEADER_BYTES, CrashDisk, ME, OPTIONS, SEGMENT_HEADER_BYTES, append, open, record};
use paxos_node::paxos::{Lsn, Record};
use paxos_node::wal::{Options, Outcome, Wal, WalError};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

/// What a log may and must give back.
#[derive(Clone, Default, Debug)]
struct Oracle {
    /// Everything handed to the log that may still come back, in order.
    written: Vec<Record>,
    /// How much of it was reported durable.
    acked: usize,
    /// Where batches end: nothing less than a batch comes back.
    seams: BTreeSet<usize>,
    number: u64,
}

impl Oracle {
    /// Records for the next batch, noted as written before they are: a crash may come halfway.
    fn batch(&mut self, count: usize, value_bytes: usize) -> Vec<Record> {
        let records: Vec<Record> = (0..count as u64).map(|i| record(self.number + i, value_bytes)).collect();
        self.number += count as u64;
        self.written.extend(records.clone());
        self.seams.insert(self.written.len());
        records
    }

    fn synced(&mut self, lsn: Lsn) {
        assert_eq!(lsn, Lsn(self.written.len() as u64));
        self.acked = self.written.len();
    }

    /// Checks what came back. From here on it is the log: durable, all of it.
    fn recovered(&mut self, records: &[Record], fresh: bool) {
        assert!(self.written.starts_with(records), "nothing is invented, altered or reordered");
        assert!(records.len() >= self.acked, "{} acknowledged, {} back", self.acked, records.len());
        assert!(records.is_empty() || self.seams.contains(&records.len()), "batches are atomic");
        assert!(!fresh || self.acked == 0, "a log that held something is never taken for none");
        self.written.truncate(records.len());
        self.acked = records.len();
        self.seams.retain(|&seam| seam <= self.acked);
    }
}

/// Batches of all sizes over several segments, until done or until the disk fails.
fn run_script(disk: &mut CrashDisk, oracle: &mut Oracle) -> Result<(), WalError> {
    let (mut wal, recovery) = Wal::open(disk, ME, Options { segment_bytes: 3000, ..OPTIONS })?;
    oracle.recovered(&recovery.records, recovery.fresh);
    for (count, value_bytes) in [(1, 0), (6, 300), (9, 700), (1, 0), (6, 400), (2, 0)] {
        let records = oracle.batch(count, value_bytes);
        wal.write(&records)?;
        oracle.synced(wal.sync()?);
    }
    Ok(())
}

#[test]
fn power_lost_at_every_call_and_again_at_every_call_of_the_recovery() {
    const SEEDS: u64 = 40;
    let mut dry = CrashDisk::default();
    run_script(&mut dry, &mut Oracle::default()).unwrap();
    let calls = dry.calls();
    assert!(calls > 25, "{calls} calls: the script is worth its while");

    let mut cuts = 0;
    for (at, seed) in (0..calls).flat_map(|at| (0..SEEDS).map(move |seed| (at, seed))) {
        let mut rng = ChaCha8Rng::seed_from_u64(at << 32 | seed);
        let mut disk = CrashDisk::default();
        let mut oracle = Oracle::default();
        disk.set_fault(Some(Fault::PowerLoss { at }));
        assert!(run_script(&mut disk, &mut oracle).is_err_and(|error| error.is_io()));
        disk.crash(&mut rng);
        for again in 0.. {
            let (mut disk, mut oracle) = (disk.clone(), oracle.clone());
            disk.set_fault(Some(Fault::PowerLoss { at: disk.calls() + again }));
            let options = Options { segment_bytes: 3000, ..OPTIONS };
            let interrupted = match Wal::open(&mut disk, ME, options).map(|(_, recovery)| recovery) {
                Ok(recovery) => {
                    oracle.recovered(&recovery.records, recovery.fresh);
                    cuts += u32::from(recovery.outcome != Outcome::Clean);
                    false
                }
                Err(error) => {
                    assert!(error.is_io(), "power loss at call {at}, seed {seed}, then at {again}: {error}");
                    true
                }
            };
            disk.crash(&mut rng);
            run_script(&mut disk, &mut oracle).unwrap();
            disk.crash(&mut rng);
            let (_, recovery) = open(&mut disk).unwrap();
            oracle.recovered(&recovery.records, recovery.fresh);
            if !interrupted {
                break;
            }
        }
    }
    assert!(cuts > 10, "{cuts} torn tails: the crashes bit");
}

#[test]
fn every_subset_of_the_last_batchs_sectors_over_zeros_and_over_an_older_segment() {
    for stale in [0, 0xa5] {
        let mut disk = CrashDisk::default();
        let kept = [record(4, 700), record(1, 0)];
        let options = Options { segment_bytes: 8192, ..OPTIONS };
        append(&mut Wal::open(&mut disk, ME, options).unwrap().0, &kept);
        let file = "00000000000000000001.wal";
        // The new batch starts in the middle of a sector that holds durable bytes.
        let start = SEGMENT_HEADER_BYTES + BATCH_HEADER_BYTES + 24 + 704 + 24;
        let old = disk.with(file, |bytes| bytes[start + BATCH_HEADER_BYTES..].fill(stale)).files();
        let mut disk = CrashDisk::of(old.clone());
        // It binds to no higher ballot than the batch before it: the superblock says nothing of it.
        let lost: Vec<Record> = (0..4).map(|i| record(5 + 6 * i, 600)).collect();
        Wal::open(&mut disk, ME, options).unwrap().0.write(&lost).unwrap();
        let new = disk.files()[file].clone();
        let first = start / 512;
        let end = start + BATCH_HEADER_BYTES + 4 * (24 + 600);
        let sectors = end.div_ceil(512) - first;
        assert!((5..=8).contains(&sectors) && !start.is_multiple_of(512));

        for subset in 0..1u32 << sectors {
            let mut arrived = |sector| sector >= first && subset >> (sector - first) & 1 == 1;
            let bytes = mix(&old[file], &new, new.len(), &mut arrived);
            let whole = subset == (1 << sectors) - 1;
            let mut files = old.clone();
            files.insert(file.to_owned(), bytes);
            let mut disk = CrashDisk::of(files);
            let (_, recovery) = Wal::open(&mut disk, ME, options).unwrap();
            let expected = if whole { [&kept[..], &lost].concat() } else { kept.to_vec() };
            assert_eq!(recovery.records, expected, "sectors {subset:b} over {stale}");
            let begun = subset & 1 == 1;
            assert_eq!(
                recovery.outcome == Outcome::Clean,
                whole || !begun,
                "sectors {subset:b} over {stale}"
            );
        }
    }
}

/// One log's many lives. Everything follows from the seed. Returns how many torn tails there were
/// and how many records came back that nobody had been told about: what the crashes did.
fn live(seed: u64) -> (usize, usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let options = Options { segment_bytes: [1, 200, 1000, 6000][rng.random_range(0..4)], ..OPTIONS };
    let mut disk = CrashDisk::default();
    let mut oracle = Oracle::default();
    let mut bites = (0, 0);
    for _ in 0..rng.random_range(2..8) {
        let at = disk.calls() + rng.random_range(0..30);
        disk.set_fault(match rng.random_range(0..4) {
            0 => None,
            1 => Some(Fault::Error { at }),
            _ => Some(Fault::PowerLoss { at }),
        });
        if let Err(error) = one_life(&mut disk, options, &mut oracle, &mut rng, &mut bites) {
            assert!(error.is_io(), "{error}");
        }
        assert_eq!(disk.calls_after_failure, 0, "a disk that failed is not asked again");
        if rng.random_bool(0.3) { disk.restart() } else { disk.crash(&mut rng) }
    }
    let (mut wal, recovery) = Wal::open(&mut disk, ME, options).unwrap();
    oracle.recovered(&recovery.records, recovery.fresh);
    append(&mut wal, &oracle.batch(3, 20));
    let (_, recovery) = Wal::open(&mut disk, ME, options).unwrap();
    assert_eq!(recovery.records, oracle.written);
    assert_eq!(recovery.outcome, Outcome::Clean);
    bites
}

fn one_life(
    disk: &mut CrashDisk,
    options: Options,
    oracle: &mut Oracle,
    rng: &mut ChaCha8Rng,
    bites: &mut (usize, usize),
) -> Result<(), WalError> {
    let (mut wal, recovery) = Wal::open(disk, ME, options)?;
    bites.0 += usize::from(recovery.outcome != Outcome::Clean);
    bites.1 += recovery.records.len().saturating_sub(oracle.acked);
    oracle.recovered(&recovery.records, recovery.fresh);
    for _ in 0..rng.random_range(0..12) {
        let value_bytes = [0, 7, 100, 2000][rng.random_range(0..4)];
        let records = oracle.batch(rng.random_range(1..6), value_bytes);
        if let Err(error) = wal.write(&records) {
            assert!(matches!(wal.write(&records), Err(WalError::Stopped { .. })));
            return Err(error);
        }
        if rng.random_bool(0.1) {
            return Ok(());
        }
        match wal.sync() {
            Ok(lsn) => oracle.synced(lsn),
            Err(error) => {
                assert!(matches!(wal.sync(), Err(WalError::Stopped { .. })));
                return Err(error);
            }
        }
    }
    Ok(())
}

#[test]
fn random_lives_keep_what_was_acknowledged() {
    let (mut torn, mut surprises) = (0, 0);
    for seed in 0..10_000 {
        let bites = std::panic::catch_unwind(|| live(seed)).unwrap_or_else(|panic| {
            eprintln!("failed with `live({seed})`");
            std::panic::resume_unwind(panic)
        });
        torn += bites.0;
        surprises += bites.1;
    }
    assert!(torn > 300 && surprises > 1000, "{torn} torn tails, {surprises} records unacknowledged and back");
}

#[test]
fn a_batch_whose_sync_failed_is_gone_or_durable_but_never_just_visible() {
    let mut disk = CrashDisk::default();
    let (mut wal, _) = open(&mut disk).unwrap();
    append(&mut wal, &[record(1, 0)]);
    wal.write(&[record(2, 0)]).unwrap();
    let at = wal.disk().calls();
    drop(wal);
    // The process dies between write and sync; the next one's sync, on opening, fails.
    disk.set_fault(Some(Fault::Error { at }));
    let error = open(&mut disk).map(drop).unwrap_err();
    assert!(matches!(error, WalError::Io { operation: "syncing", .. }), "{error}");
    // The one after that must not believe the page cache.
    disk.restart();
    let (_, recovery) = open(&mut disk).unwrap();
    assert_eq!(recovery.records, [record(1, 0)]);
}

#[test]
fn what_never_got_its_name_is_cleared_away() {
    for unfinished in ["00000000000000000001.wal.new", "superblock.new"] {
        for content in [vec![], vec![0; 64], b"APAXWAL".to_vec()] {
            let mut disk = CrashDisk::of([(unfinished.to_owned(), content)].into());
            let (_, recovery) = open(&mut disk).unwrap();
            assert!(recovery.fresh && recovery.records.is_empty());
            assert!(!disk.files().contains_key(unfinished));
        }
    }
}

#[test]
#[should_panic(expected = "only when the one before it is durable")]
fn a_batch_before_the_last_one_is_durable_is_a_bug() {
    let mut disk = CrashDisk::default();
    let (mut wal, _) = open(&mut disk).unwrap();
    wal.write(&[record(1, 0)]).unwrap();
    let _ = wal.write(&[record(2, 0)]);
}

#[test]
fn nothing_to_write_touches_nothing() {
    let mut disk = CrashDisk::default();
    let (mut wal, recovery) = open(&mut disk).unwrap();
    assert!(recovery.fresh);
    let calls = wal.disk().calls();
    assert_eq!((wal.write(&[]).unwrap(), wal.sync().unwrap()), (Lsn(0), Lsn(0)));
    assert_eq!(wal.disk().calls(), calls);
    let (_, recovery) = open(&mut disk).unwrap();
    assert!(!recovery.fresh, "a log without records is a log");
}
