//! The file that the event trace goes to: one write per turn, before anything of that turn leaves.
//!
//! The server runs on the only thread that also writes to sockets, and awaits nothing between a
//! turn's end and its write: no message overtakes the frame that tells of it.

use super::event::Event;
use super::failure::Failure;
use crate::kv::ClientReply;
use crate::paxos::{Lsn, Record, Send};
use crate::service::{ClientToken, Service};
use crate::trace::{Life, Recorder, intact_bytes};
use nix::time::{ClockId, clock_gettime};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The trace of this life.
#[derive(Debug)]
pub(super) struct Tracer {
    pub(super) recorder: Recorder,
    file: File,
    path: PathBuf,
    began_ns: u64,
}

impl Tracer {
    /// Goes on with the file, behind its last whole frame, and tells what this life begins with.
    ///
    /// # Errors
    /// The file can't be used, or holds something else than a trace.
    pub(super) fn open(
        path: &Path,
        life: Life<'_>,
        records: Lsn,
        service: &Service,
    ) -> Result<Tracer, Failure> {
        let began_ns = now_ns();
        let file = open(path).map_err(|error| failed(path, &error))?;
        let recorder = Recorder::new(life, records, service);
        let mut tracer = Tracer { recorder, file, path: path.to_owned(), began_ns };
        tracer.write()?;
        Ok(tracer)
    }

    /// Whatever is told from now on happens from now on.
    pub(super) fn begin_turn(&mut self) {
        self.began_ns = now_ns();
    }

    /// The server is about to take this in.
    pub(super) fn takes(&mut self, event: &Event) {
        match event {
            Event::Peer { from, message, .. } => self.recorder.received(*from, message),
            Event::Client { client, request } => self.recorder.asked(*client, request),
            Event::Durable(lsn) => self.recorder.durable(*lsn),
            Event::Change { .. }
            | Event::ClientGone { .. }
            | Event::LostTouch { .. }
            | Event::Status { .. }
            | Event::LogFailed(_)
            | Event::Room(_)
            | Event::Filed(_)
            | Event::FilingFailed(_)
            | Event::Tick
            | Event::Stop { .. } => {}
        }
    }

    /// What a turn came to; `sends` are those that leave at once. On return the trace is out of
    /// the process.
    ///
    /// # Errors
    /// The file takes no more.
    pub(super) fn tell_turn(
        &mut self,
        service: &Service,
        records: &[Record],
        sends: &[Send],
        replies: &[(ClientToken, ClientReply)],
    ) -> Result<(), Failure> {
        self.recorder.wrote(records);
        self.recorder.look(service);
        sends.iter().for_each(|send| self.recorder.sent(send));
        replies.iter().for_each(|(client, reply)| self.recorder.replied(*client, reply));
        self.write()
    }

    fn write(&mut self) -> Result<(), Failure> {
        let Some(frame) = self.recorder.take(self.began_ns, now_ns()) else { return Ok(()) };
        self.file.write_all(&frame).map_err(|error| failed(&self.path, &error))
    }
}

/// A turn in which the core panicked is told as far as it went.
impl Drop for Tracer {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.write();
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::Io(format!("--trace {}: {error}", path.display()))
}

fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    let mut earlier = Vec::new();
    file.read_to_end(&mut earlier)?;
    let intact =
        intact_bytes(&earlier).map_err(|damage| io::Error::new(io::ErrorKind::InvalidData, damage))?;
    // A write that a kill cut short.
    if intact < earlier.len() as u64 {
        file.set_len(intact)?;
    }
    Ok(file)
}

/// A clock that all processes of this machine share. It can't fail with this argument; were it to,
/// times would be 0, and order rests on them nowhere but between nodes.
fn now_ns() -> u64 {
    let Ok(now) = clock_gettime(ClockId::CLOCK_MONOTONIC) else { return 0 };
    let whole = u64::try_from(now.tv_sec()).unwrap_or_default();
    whole * 1_000_000_000 + u64::try_from(now.tv_nsec()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paxos::{ElectionMode, LeaseTerms, LocalTime, NodeId, Timing};
    use crate::service::Config;
    use crate::service::ReadMode;
    use crate::trace::{Event as Told, Frames};

    const NODES: [NodeId; 1] = [NodeId(1)];

    fn service() -> Service {
        let config = Config {
            cluster: 7,
            id: NODES[0],
            incarnation: 0,
            founding: crate::paxos::Founding::Known(crate::paxos::Configuration::of(&NODES)),
            window: 8,
            timing: Timing::default(),
            election: ElectionMode::Fixed,
            reads: ReadMode::Barrier,
            lease: LeaseTerms::NONE,
            tick_ms: 10,
            life: 1,
            snapshot_every_bytes: u64::MAX,
        };
        Service::new(config, &[], 1, LocalTime::default()).unwrap()
    }

    fn begin(path: &Path) -> Result<Tracer, Failure> {
        let life = Life { node: NODES[0], nodes: &NODES, pid: 5, incarnation: 1 };
        Tracer::open(path, life, Lsn::ZERO, &service())
    }

    #[test]
    fn the_next_life_goes_on_behind_the_last_whole_frame() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace");
        let mut first = begin(&path).unwrap();
        let whole = std::fs::metadata(&path).unwrap().len();
        first.begin_turn();
        first.takes(&Event::Durable(Lsn(1)));
        first.tell_turn(&service(), &[], &[], &[]).unwrap();
        first.tell_turn(&service(), &[], &[], &[]).unwrap();
        drop(first);
        let told = std::fs::metadata(&path).unwrap().len();
        assert!(told > whole, "a turn in which nothing happened costs nothing, another does");
        File::options().write(true).open(&path).unwrap().set_len(told - 1).unwrap();
        drop(begin(&path).unwrap());
        let bytes = std::fs::read(&path).unwrap();
        let mut frames = Frames::new(&bytes);
        let lives: Vec<_> = frames.by_ref().map(|frame| frame.unwrap().events.len()).collect();
        // Who it is, what it begins with, and who governs.
        assert_eq!((lives, frames.is_torn()), (vec![3, 3], false));
        assert_eq!(bytes.len() as u64, 2 * whole);
    }

    #[test]
    fn a_turn_that_ends_in_a_panic_is_told_as_far_as_it_went() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace");
        let mut tracer = begin(&path).unwrap();
        tracer.takes(&Event::Durable(Lsn(9)));
        drop(tracer);
        let bytes = std::fs::read(&path).unwrap();
        let last = Frames::new(&bytes).last().unwrap().unwrap();
        assert_eq!(last.events, [Told::Durable(Lsn(9))]);
        assert!(last.began_ns <= last.written_ns && last.began_ns > 0);
    }

    #[test]
    fn what_is_no_trace_is_not_written_into() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace");
        std::fs::write(&path, "somebody's notes, longer than a header is").unwrap();
        let refused = begin(&path).unwrap_err().to_string();
        assert_eq!(refused, format!("--trace {}: byte 0: this is no frame of a trace", path.display()));
        let refused = begin(&folder.path().join("nowhere/trace")).unwrap_err().to_string();
        assert!(refused.ends_with("No such file or directory (os error 2)"), "{refused}");
    }
}
