//! The only writer of the history, and the only place where an operation gets its index.
//!
//! Relies on its callers for the two halves of one promise: [`Recorder::invoke`] is called before
//! the first byte of a request is written, [`Recorder::complete`] after its reply was decoded.
//! Promises that indices are dense, that the order of the file is the order of the indices (both
//! are given under one lock), that time never runs backwards along it, and that nothing is kept
//! back for longer than [`FLUSH_INTERVAL`] while anybody ticks it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use checker::{History, Op, OpType, Process, Value};

use super::score::{Counts, Score, SinceMark};

/// The longest time for which a recorded operation may be missing from the file.
pub const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// Bytes buffered before they go to the file: a few hundred operations.
const BUFFER_BYTES: usize = 64 << 10;

/// Records one run.
pub struct Recorder {
    started: Instant,
    tape: Mutex<Tape>,
}

struct Tape {
    history: History,
    writer: BufWriter<Box<dyn Write + Send>>,
    /// The same file, to be synced.
    file: Option<File>,
    score: Score,
    time_ns: u64,
    /// The first failure to write; the operations themselves stay in memory.
    broken: Option<io::Error>,
}

/// What is known of an operation besides its place in the order, which the recorder gives.
#[derive(Clone, Debug)]
pub struct Event {
    /// Who.
    pub process: Process,
    /// What.
    pub f: Cow<'static, str>,
    /// On which key.
    pub key: Option<i64>,
    /// With which argument or result.
    pub value: Value,
    /// Why it failed or is unknown.
    pub error: Option<String>,
    /// When it should have started, under an open loop.
    pub intended_ns: Option<u64>,
    /// More facts, opaque to the checker.
    pub extra: BTreeMap<String, serde_json::Value>,
}

impl Event {
    /// An event with nothing but its bare minimum.
    pub fn new(process: Process, f: impl Into<Cow<'static, str>>, key: Option<i64>, value: Value) -> Event {
        Event { process, f: f.into(), key, value, error: None, intended_ns: None, extra: BTreeMap::new() }
    }
}

impl Recorder {
    /// Starts the clock and creates the file.
    pub fn create(path: &Path) -> io::Result<Recorder> {
        let file = File::create_new(path)?;
        let recorder = Recorder::to_writer(Box::new(file.try_clone()?));
        recorder.lock().file = Some(file);
        Ok(recorder)
    }

    /// Records to any writer.
    pub fn to_writer(writer: Box<dyn Write + Send>) -> Recorder {
        let tape = Tape {
            history: History::default(),
            writer: BufWriter::with_capacity(BUFFER_BYTES, writer),
            file: None,
            score: Score::default(),
            time_ns: 0,
            broken: None,
        };
        Recorder { started: Instant::now(), tape: Mutex::new(tape) }
    }

    /// Nanoseconds since the run started: the clock of every `time_ns` and `intended_ns`.
    pub fn now_ns(&self) -> u64 {
        self.at_ns(Instant::now())
    }

    /// The same for another instant; instants before the start count as the start.
    pub fn at_ns(&self, instant: Instant) -> u64 {
        u64::try_from(instant.saturating_duration_since(self.started).as_nanos()).unwrap_or(u64::MAX)
    }

    /// When the run started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// A client is about to ask. Gives the operation as recorded.
    pub fn invoke(&self, event: Event) -> Op {
        let mut tape = self.lock();
        let op = self.record(&mut tape, OpType::Invoke, event);
        tape.score.began(op.process, op.time_ns);
        op
    }

    /// A client was answered, or gave up. Gives the operation as recorded.
    pub fn complete(&self, op_type: OpType, event: Event) -> Op {
        let mut tape = self.lock();
        tape.score.ended(event.process, op_type);
        self.record(&mut tape, op_type, event)
    }

    /// The nemesis did something: always `info`, in the same stream and order.
    pub fn nemesis(&self, f: &str, value: Value, extra: BTreeMap<String, serde_json::Value>) -> u64 {
        let event = Event { extra, ..Event::new(Process::Nemesis, f.to_owned(), None, value) };
        let mut tape = self.lock();
        self.record(&mut tape, OpType::Info, event).time_ns
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.lock().score.counts()
    }

    /// From now on, what begins from now on is counted apart.
    pub fn mark(&self) {
        let mut tape = self.lock();
        let at_ns = self.now_ns().max(tape.time_ns + 1);
        tape.score.mark(at_ns);
    }

    /// What came of the operations that began after the last [`Recorder::mark`].
    pub fn since_mark(&self) -> SinceMark {
        self.lock().score.since_mark()
    }

    /// Everything recorded so far: a legal history at any time, since a prefix is.
    pub fn snapshot(&self) -> History {
        self.lock().history.clone()
    }

    /// What was recorded from a position on, no more than `most`.
    pub fn since(&self, position: usize, most: usize) -> Vec<Op> {
        let tape = self.lock();
        (position..tape.history.len().min(position + most))
            .map(|position| tape.history.op(position))
            .collect()
    }

    /// Pushes what is buffered into the file.
    pub fn flush(&self) {
        let mut tape = self.lock();
        // A failed write is not tried again: what is missing in the middle stays missing.
        if tape.broken.is_none() {
            tape.broken = tape.writer.flush().err();
        }
    }

    /// The same, and waits until it is on the disk.
    pub fn sync(&self) {
        self.flush();
        let mut tape = self.lock();
        if tape.broken.is_none() {
            tape.broken = tape.file.as_ref().and_then(|file| file.sync_data().err());
        }
    }

    /// The first failure to write the file, if there was one.
    pub fn failure(&self) -> Option<String> {
        self.lock().broken.as_ref().map(ToString::to_string)
    }

    fn record(&self, tape: &mut Tape, op_type: OpType, event: Event) -> Op {
        // Read under the lock, so that time and index agree.
        tape.time_ns = self.now_ns().max(tape.time_ns);
        let op = Op {
            index: tape.history.len() as u64,
            time_ns: tape.time_ns,
            intended_ns: event.intended_ns,
            op_type,
            process: event.process,
            f: event.f,
            key: event.key.map(Value::Int),
            value: event.value,
            error: event.error,
            late: false,
            extra: event.extra,
        };
        if tape.broken.is_none() {
            let written = serde_json::to_writer(&mut tape.writer, &op)
                .map_err(io::Error::from)
                .and_then(|()| tape.writer.write_all(b"\n"));
            tape.broken = written.err();
        }
        tape.history.push(op.clone());
        op
    }

    fn lock(&self) -> MutexGuard<'_, Tape> {
        // A panic elsewhere must not cost the history.
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
