//! The log's thread: group commit, back-pressure, failure, the end.

use super::crash_disk::Fault;
use super::{CrashDisk, ME, record};
use bytes::Bytes;
use paxos_node::paxos::{Ballot, Lsn, NodeId, Record, Slot, Value};
use paxos_node::wal::{Disk, Limits, LogThread, Options, TrySubmitError, Wal, WalError, survey};
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Long enough for anything here; reached only by a failing test.
const DEADLINE: Duration = Duration::from_secs(20);

/// A disk whose syncs wait for leave, once armed, and report that they do.
#[derive(Clone)]
struct Gate {
    disk: Arc<Mutex<CrashDisk>>,
    syncing: Sender<()>,
    leave: Arc<Mutex<Receiver<()>>>,
}

#[rustfmt::skip]
impl Disk for Gate {
    fn list(&mut self) -> io::Result<Vec<String>> { self.disk.lock().unwrap().list() }
    fn length(&mut self, name: &str) -> io::Result<u64> { self.disk.lock().unwrap().length(name) }
    fn read(&mut self, name: &str) -> io::Result<Bytes> { self.disk.lock().unwrap().read(name) }
    fn read_part(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.disk.lock().unwrap().read_part(name, offset, length)
    }
    fn create(&mut self, name: &str) -> io::Result<()> { self.disk.lock().unwrap().create(name) }
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> { self.disk.lock().unwrap().append(name, bytes) }
    fn sync(&mut self, name: &str) -> io::Result<()> {
        // The superblock and segments being made pass by.
        if name.ends_with(".wal") {
            let _ = self.syncing.send(());
            // Nobody left to give leave: the gate stands open.
            let _ = self.leave.lock().unwrap().recv();
        }
        self.disk.lock().unwrap().sync(name)
    }
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.lock().unwrap().write_at(name, offset, bytes)
    }
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> { self.disk.lock().unwrap().rename(from, to) }
    fn remove(&mut self, name: &str) -> io::Result<()> { self.disk.lock().unwrap().remove(name) }
    fn sync_folder(&mut self) -> io::Result<()> { self.disk.lock().unwrap().sync_folder() }
}

struct Setup {
    log: LogThread,
    disk: Arc<Mutex<CrashDisk>>,
    /// One message per sync begun.
    syncing: Receiver<()>,
    /// One message lets one sync go on; dropping it lets all.
    leave: Sender<()>,
    /// What the completion callback was told.
    durable: Receiver<Result<Lsn, WalError>>,
}

fn setup(limits: Limits) -> Setup {
    let disk = Arc::new(Mutex::new(CrashDisk::default()));
    let (syncing_sender, syncing) = channel();
    let (leave, leave_receiver) = channel();
    let (durable_sender, durable) = channel();
    let gate = Gate {
        disk: Arc::clone(&disk),
        syncing: syncing_sender,
        leave: Arc::new(Mutex::new(leave_receiver)),
    };
    let options = Options { segment_bytes: 64 << 10, ..Options::default() };
    let (wal, _) = Wal::open(gate.clone(), ME, options).unwrap();
    assert!(wal.keeper(gate).make().unwrap(), "the first segment");
    let completion = Box::new(move |result| durable_sender.send(result).unwrap_or_default());
    let log = LogThread::spawn_limited(wal, completion, limits).unwrap();
    Setup { log, disk, syncing, leave, durable }
}

fn next_durable(durable: &Receiver<Result<Lsn, WalError>>) -> Lsn {
    durable.recv_timeout(DEADLINE).expect("a completion").expect("no error")
}

fn large(slot: u64) -> Record {
    let value = Value::Batch(Bytes::from(vec![7; 1000]));
    Record::Accepted { slot: Slot(slot), ballot: Ballot { round: 1, node: NodeId(1) }, value }
}

#[test]
fn what_arrives_during_a_sync_shares_the_next_one() {
    let Setup { log, disk, syncing, leave, durable } = setup(Limits::default());
    assert_eq!(log.submit(vec![record(0, 0)]).unwrap(), Lsn(1));
    syncing.recv_timeout(DEADLINE).unwrap();
    for number in 1..=100 {
        let lsn = log.submit(vec![record(2 * number, 9), record(2 * number + 1, 9)]).unwrap();
        assert_eq!(lsn, Lsn(1 + 2 * number));
    }
    assert!(log.backlog_bytes() > 0);
    leave.send(()).unwrap();
    assert_eq!(next_durable(&durable), Lsn(1));
    leave.send(()).unwrap();
    assert_eq!(next_durable(&durable), Lsn(201));
    assert_eq!(log.backlog_bytes(), 0);
    drop((log, leave));
    assert_eq!(syncing.try_iter().count(), 1, "one sync for a hundred submissions");
    assert!(durable.try_recv().is_err());
    assert_eq!(survey(&mut *disk.lock().unwrap(), None).unwrap().records.len(), 201);
}

#[test]
fn a_batch_takes_no_more_than_its_limit() {
    let limits = Limits { group_bytes: 3000, ..Limits::default() };
    let Setup { log, disk, syncing: _syncing, leave, durable } = setup(limits);
    log.submit((1..=7).map(large).collect()).unwrap();
    drop(leave);
    let told: Vec<Lsn> = (0..3).map(|_| next_durable(&durable)).collect();
    assert_eq!(told, [Lsn(3), Lsn(6), Lsn(7)]);
    drop(log);
    let expected: Vec<Record> = (1..=7).map(large).collect();
    assert_eq!(survey(&mut *disk.lock().unwrap(), None).unwrap().records, expected);
}

#[test]
fn a_full_queue_makes_submitters_wait_and_then_takes_them() {
    let limits = Limits { queue_bytes: 2500, ..Limits::default() };
    let Setup { log, disk, syncing, leave, durable } = setup(limits);
    log.submit(vec![large(1)]).unwrap();
    syncing.recv_timeout(DEADLINE).unwrap();
    log.try_submit(vec![large(2)]).unwrap();
    log.try_submit(vec![large(3)]).unwrap();
    let Err(TrySubmitError::Full(back)) = log.try_submit(vec![large(4)]) else {
        panic!("no room for a third")
    };
    assert_eq!(back, [large(4)]);

    std::thread::scope(|scope| {
        // Larger than the whole queue: taken once it is empty.
        let waiting = scope.spawn(|| log.submit((4..=9).map(large).collect()));
        leave.send(()).unwrap();
        assert_eq!(next_durable(&durable), Lsn(1));
        leave.send(()).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), Lsn(9));
    });
    drop(leave);
    while next_durable(&durable) < Lsn(9) {}
    drop(log);
    let expected: Vec<Record> = (1..=9).map(large).collect();
    assert_eq!(survey(&mut *disk.lock().unwrap(), None).unwrap().records, expected);
}

#[test]
fn a_failed_sync_is_reported_once_and_wakes_whoever_waits() {
    let limits = Limits { queue_bytes: 1, ..Limits::default() };
    let Setup { log, disk, syncing, leave, durable } = setup(limits);
    log.submit(vec![record(1, 0)]).unwrap();
    syncing.recv_timeout(DEADLINE).unwrap();
    {
        let mut disk = disk.lock().unwrap();
        let at = disk.calls();
        disk.set_fault(Some(Fault::Error { at }));
    }
    log.submit(vec![record(2, 0)]).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| log.submit(vec![record(3, 0)]));
        leave.send(()).unwrap();
        let stopped = waiting.join().unwrap().unwrap_err();
        assert_eq!(stopped.0, [record(3, 0)]);
    });
    let error = durable.recv_timeout(DEADLINE).unwrap().unwrap_err();
    assert!(matches!(error, WalError::Io { operation: "syncing", .. }), "{error}");
    assert!(durable.recv_timeout(DEADLINE).is_err(), "nothing is reported after it");
    assert!(matches!(log.try_submit(vec![record(4, 0)]), Err(TrySubmitError::Stopped(_))));
    drop((log, leave));
    assert_eq!(disk.lock().unwrap().calls_after_failure, 0);
}

#[test]
fn dropping_it_writes_what_was_submitted() {
    let Setup { log, disk, syncing: _syncing, leave, durable } = setup(Limits::default());
    for number in 0..500 {
        log.submit(vec![record(number, 3)]).unwrap();
    }
    drop(leave);
    drop(log);
    let told: Vec<Lsn> = durable.try_iter().map(Result::unwrap).collect();
    assert!(told.is_sorted() && told.last() == Some(&Lsn(500)), "{told:?}");
    let expected: Vec<Record> = (0..500).map(|number| record(number, 3)).collect();
    assert_eq!(survey(&mut *disk.lock().unwrap(), None).unwrap().records, expected);
}

#[test]
fn a_callback_that_panics_leaves_nobody_waiting() {
    let options = Options { segment_bytes: 64 << 10, ..Options::default() };
    let (wal, _) = Wal::open(CrashDisk::default(), ME, options).unwrap();
    let limits = Limits { queue_bytes: 1, ..Limits::default() };
    let completion = Box::new(|_| panic!("the callback's own fault"));
    let log = LogThread::spawn_limited(wal, completion, limits).unwrap();
    let refused = (0..).find_map(|number| log.submit(vec![record(number, 0)]).err());
    assert!(refused.is_some());
}
