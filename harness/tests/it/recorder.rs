//! The recorder: one order, written as it grows, well-formed whatever the clients do.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write};
use std::sync::{Arc, Mutex};
use std::thread;

use checker::{History, OpType, Process, Value};
use harness::run::recorder::{Event, Recorder};

fn event(process: u64, f: &'static str, value: i64) -> Event {
    Event::new(Process::Client(process), f, Some(1), Value::Int(value))
}

#[test]
fn the_file_is_the_history_in_the_order_of_its_indices() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    let recorder = Arc::new(Recorder::create(&path).unwrap());
    let threads: Vec<_> = (0..8)
        .map(|process| {
            let recorder = Arc::clone(&recorder);
            thread::spawn(move || {
                for value in 0..200 {
                    let invoke = recorder.invoke(event(process, "write", value));
                    let ok = recorder.complete(OpType::Ok, event(process, "write", value));
                    assert!(invoke.index < ok.index && invoke.time_ns <= ok.time_ns);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    recorder.nemesis("kill:one", Value::from("kill n1"), BTreeMap::new());
    recorder.sync();

    let read = History::read_jsonl(BufReader::new(std::fs::File::open(&path).unwrap())).unwrap();
    assert_eq!(read, recorder.snapshot());
    read.well_formed().unwrap();
    assert_eq!(read.len(), 2 * 8 * 200 + 1);
    assert!(read.ops().enumerate().all(|(position, op)| op.index == position as u64));
    assert!(read.ops().map(|op| op.time_ns).is_sorted());
    let counts = recorder.counts();
    assert_eq!((counts.asked, counts.ok, counts.open()), (1_600, 1_600, 0));
}

#[test]
fn only_what_began_after_the_mark_counts_after_it() {
    let recorder = Recorder::to_writer(Box::new(io::sink()));
    recorder.invoke(event(1, "write", 1));
    recorder.mark();
    recorder.complete(OpType::Ok, event(1, "write", 1));
    assert_eq!(recorder.since_mark().ok, 0);
    recorder.invoke(event(1, "write", 2));
    recorder.complete(OpType::Ok, event(1, "write", 2));
    recorder.invoke(event(1, "write", 3));
    recorder.complete(OpType::Fail, event(1, "write", 3));
    assert_eq!(recorder.since_mark().ok, 1);
}

/// A disk that is full from the start.
struct Full(Arc<Mutex<u32>>);

impl Write for Full {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        *self.0.lock().unwrap() += 1;
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_and_costs_no_operation() {
    let writes = Arc::new(Mutex::new(0));
    let recorder = Recorder::to_writer(Box::new(Full(Arc::clone(&writes))));
    for value in 0..10 {
        recorder.invoke(event(1, "write", value));
        recorder.complete(OpType::Ok, event(1, "write", value));
        recorder.flush();
    }
    assert!(recorder.failure().is_some());
    assert_eq!(recorder.snapshot().len(), 20);
    assert_eq!(*writes.lock().unwrap(), 1, "a failed write is not tried again");
}
