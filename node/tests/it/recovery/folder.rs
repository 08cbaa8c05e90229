//! The same log on a real file system.

use super::{ME, OPTIONS, append, record};
use paxos_node::paxos::Lsn;
use paxos_node::wal::{Damage, Disk as _, Folder, Outcome, Wal, WalError, read_only};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn last_segment(folder: &Path) -> PathBuf {
    let files = snapshot(folder).into_keys();
    files.filter(|path| path.extension().is_some_and(|extension| extension == "wal")).max().unwrap()
}

#[test]
fn what_is_written_is_read_back_by_the_next_process() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("not/yet/there");
    let records: Vec<_> = (0..40).map(|number| record(number, 70)).collect();
    for (life, chunk) in records.chunks(10).enumerate() {
        let (mut wal, recovery) = Wal::open(Folder::open(&path).unwrap(), ME, OPTIONS).unwrap();
        assert_eq!(recovery.records, records[..10 * life]);
        assert_eq!((recovery.fresh, recovery.outcome), (life == 0, Outcome::Clean));
        for pair in chunk.chunks(2) {
            append(&mut wal, pair);
        }
        assert_eq!(wal.durable(), Lsn(10 * (life as u64 + 1)));
    }
    let seen = read_only(&path).unwrap();
    assert_eq!((seen.records, seen.identity, seen.torn), (records, Some(ME), None));
    assert!(seen.segments > 3);
}

#[test]
fn a_look_at_a_torn_tail_reports_it_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut wal, _) = Wal::open(Folder::open(folder.path()).unwrap(), ME, OPTIONS).unwrap();
    append(&mut wal, &[record(1, 0), record(2, 0)]);
    drop(wal);
    let segment = last_segment(folder.path());
    let good = 64 + 40 + 2 * 24;
    let file = fs::OpenOptions::new().write(true).open(&segment).unwrap();
    file.write_all_at(b"APXB and no more", good).unwrap();

    let before = snapshot(folder.path());
    let seen = read_only(folder.path()).unwrap();
    assert_eq!(snapshot(folder.path()), before);
    assert_eq!(seen.records, [record(1, 0), record(2, 0)]);
    let torn = seen.torn.unwrap();
    assert_eq!((torn.offset, Path::new(&torn.file)), (good, segment.as_path()));
    assert_eq!(torn.damage, Damage::HeaderUnreadable);

    let (_, recovery) = Wal::open(Folder::open(folder.path()).unwrap(), ME, OPTIONS).unwrap();
    assert_eq!(recovery.outcome, Outcome::TornTailCut(torn));
    assert_eq!(fs::metadata(&segment).unwrap().len(), 400, "it is cut in place");
    assert_eq!(read_only(folder.path()).unwrap().torn, None);
}

#[test]
fn damage_is_named_with_its_file_and_offset_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (mut wal, _) = Wal::open(Folder::open(folder.path()).unwrap(), ME, OPTIONS).unwrap();
    append(&mut wal, &[record(1, 0)]);
    append(&mut wal, &[record(2, 0)]);
    drop(wal);
    let segment = last_segment(folder.path());
    let mut bytes = fs::read(&segment).unwrap();
    bytes[64 + 50] ^= 4;
    fs::write(&segment, bytes).unwrap();
    let error = Wal::open(Folder::open(folder.path()).unwrap(), ME, OPTIONS).map(drop).unwrap_err();
    assert!(error.is_refusal());
    let expected = format!(
        "{}, byte 64: records 1 to 1 had been durable and can't be read (the batch's checksum doesn't \
         match): the batch at byte 128 was written when everything up to record 1 was durable. Refusing to start; the log was left as it is. Don't empty the \
         folder to get going: an acceptor that forgets what it promised can break agreement. Bring the file \
         back from the disk's own redundancy, or retire this node for good",
        segment.display()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_folder_is_one_nodes_at_a_time() {
    let temporary = tempfile::tempdir().unwrap();
    let first = Folder::open(temporary.path()).unwrap();
    let error = Folder::open(temporary.path()).unwrap_err();
    assert!(matches!(error, WalError::Locked { .. }) && error.is_io() && !error.is_refusal());
    let pid = format!("(pid {})", std::process::id());
    assert!(error.to_string().contains(&pid), "{error}");
    assert_eq!(read_only(temporary.path()).unwrap().segments, 0, "a look needs no lock");
    drop(first);
    drop(Folder::open(temporary.path()).unwrap());
}

#[test]
fn what_is_no_folder_is_an_error_not_an_empty_log() {
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    for error in [
        Folder::open(&file).map(drop).unwrap_err(),
        Folder::open(file.join("below")).map(drop).unwrap_err(),
        read_only(&file).map(drop).unwrap_err(),
        read_only(&temporary.path().join("missing")).map(drop).unwrap_err(),
    ] {
        assert!(matches!(error, WalError::Io { .. }), "{error}");
    }

    for name in ["00000000000000000001.wal", "superblock"] {
        let data = temporary.path().join(format!("data of {name}"));
        fs::create_dir_all(data.join(name)).unwrap();
        let error = Wal::open(Folder::open(&data).unwrap(), ME, OPTIONS).map(drop).unwrap_err();
        assert!(matches!(error, WalError::Io { .. }), "{error}");
    }
}

#[test]
fn a_file_too_large_to_be_a_segment_is_not_read_into_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (mut wal, _) = Wal::open(Folder::open(folder.path()).unwrap(), ME, OPTIONS).unwrap();
    append(&mut wal, &[record(1, 0)]);
    drop(wal);
    let file = fs::OpenOptions::new().write(true).open(last_segment(folder.path())).unwrap();
    file.set_len(1 << 40).unwrap();
    let error = read_only(folder.path()).unwrap_err();
    assert!(error.to_string().contains("more than any segment has"), "{error}");
}

/// Where the file system can: the test says so where it can't, for then there is nothing to see.
#[test]
fn files_of_any_length_are_read_past_the_cache() {
    let temporary = tempfile::tempdir().unwrap();
    let mut folder = Folder::open(temporary.path()).unwrap();
    for length in [0, 1, 511, 512, 4095, 4096, 4097, 100_000] {
        let bytes: Vec<u8> = (0..length).map(|at: u32| (at % 251) as u8).collect();
        let name = format!("{length}");
        folder.create(&name).unwrap();
        folder.append(&name, &bytes).unwrap();
        // Not synced: what the cache holds and the disk does not is written out first.
        assert_eq!(folder.read(&name).unwrap(), bytes, "{length} bytes");
        assert_eq!(folder.length(&name).unwrap(), u64::from(length));
    }
    if !folder.reads_directly() {
        eprintln!("{} has no O_DIRECT", temporary.path().display());
    }
    folder.write_at("4096", 4000, &[9; 96]).unwrap();
    let bytes = folder.read("4096").unwrap();
    assert_eq!((bytes.len(), &bytes[4000..]), (4096, &[9; 96][..]));
}
