//! One node on its machine: a [`Service`], the real log over a simulated disk, and what the shell
//! does around them: group commit, and holding back each [`Send`] until the disk has what it
//! reveals.

use super::clock::Time;
use super::disk::SimDisk;
use crate::paxos::{LocalTime, Lsn, Record, Send};
use crate::service::{ClientToken, Service, SnapshotOrder};
use crate::snapshot::Files;
use crate::trace::Recorder;
use crate::wal::{Keeper, Wal};
use std::collections::{BTreeSet, VecDeque};

/// A node, up or down.
pub(crate) struct Machine<E> {
    /// Counts crashes: what was meant for an earlier life does not reach this one.
    pub(crate) life: u64,
    pub(crate) disk: SimDisk,
    /// What this disk's memory is called.
    pub(crate) incarnation: u64,
    /// The disk was emptied: what the node remembers is not what its id stands for.
    pub(crate) amnesiac: bool,
    pub(crate) running: Option<Running>,
    /// The event trace of all its lives, if it is kept.
    pub(crate) told: Vec<u8>,
    /// Everything the node ever asked its disk to keep, as far as that may still be there.
    pub(crate) archive: Archive,
    /// Its clock: microseconds of true time per tick.
    pub(crate) tick_us: u64,
    /// What the clock showed at what moment, since when its rate has not changed.
    pub(crate) clock: (LocalTime, Time),
    /// How long a sync takes: at least and at most, in microseconds.
    pub(crate) sync_us: (u64, u64),
    /// Frozen (as by SIGSTOP): events wait in `held`.
    pub(crate) paused: bool,
    pub(crate) held: Vec<E>,
    /// Ticks missed while frozen.
    pub(crate) missed_ticks: u64,
    /// It will never run again.
    pub(crate) destroyed: bool,
    /// Whether clients can reach it.
    pub(crate) reachable: bool,
}

/// A node's process.
pub(crate) struct Running {
    pub(crate) service: Service,
    pub(crate) wal: Wal<SimDisk>,
    /// Records for the next batch: all that came while the last one was being written.
    pub(crate) queued: Vec<Record>,
    /// The snapshots, and what is to be done with them: one order at a time, beside the log.
    pub(crate) files: Files<SimDisk>,
    pub(crate) orders: VecDeque<SnapshotOrder>,
    pub(crate) is_filing: bool,
    /// The log's segments, and what is to be done with them: one thing at a time, beside the rest.
    pub(crate) keeper: Keeper<SimDisk>,
    pub(crate) trim: Option<Lsn>,
    pub(crate) is_keeping: bool,
    /// A batch is on its way to the platter.
    pub(crate) is_syncing: bool,
    pub(crate) durable: Lsn,
    /// Messages that reveal what is not durable yet.
    pub(crate) held_sends: VecDeque<Send>,
    /// Tells what this life does, if that is kept.
    pub(crate) recorder: Option<Recorder>,
    /// When the turn began that it is telling, in nanoseconds.
    pub(crate) turn_began_ns: u64,
    /// Connections that clients have closed: nothing comes in on them any more.
    pub(crate) hung_up: BTreeSet<ClientToken>,
    /// Input came in, and more may come before the node gets to answer it.
    pub(crate) wake_is_due: bool,
}

impl Running {
    pub(crate) fn new(service: Service, wal: Wal<SimDisk>, files: Files<SimDisk>) -> Running {
        let durable = wal.durable();
        let keeper = wal.keeper(wal.disk().clone());
        Running {
            service,
            wal,
            queued: Vec::new(),
            files,
            orders: VecDeque::new(),
            is_filing: false,
            keeper,
            trim: None,
            is_keeping: false,
            is_syncing: false,
            durable,
            held_sends: VecDeque::new(),
            recorder: None,
            turn_began_ns: 0,
            hung_up: BTreeSet::new(),
            wake_is_due: false,
        }
    }

    /// Held messages that may leave now, in order.
    pub(crate) fn release(&mut self) -> Vec<Send> {
        let durable = self.durable;
        let mut released = Vec::new();
        self.held_sends.retain(|send| {
            let may_leave = send.after <= durable;
            if may_leave {
                released.push(send.clone());
            }
            !may_leave
        });
        released
    }
}

/// A copy of a node's log, kept outside the simulated machine to compare with what recovery says.
#[derive(Default)]
pub(crate) struct Archive {
    /// The record at index `i` has `Lsn(i + 1)`.
    pub(crate) records: Vec<Record>,
    /// How many of them the disk has confirmed.
    pub(crate) confirmed: usize,
}

impl Archive {
    /// The disk confirmed everything up to `lsn`: the records newly confirmed.
    pub(crate) fn confirm(&mut self, lsn: Lsn) -> &[Record] {
        let before = self.confirmed;
        self.confirmed = usize::try_from(lsn.0).expect("a log in memory").max(before);
        &self.records[before..self.confirmed]
    }

    /// A restart brought these records back, all but those trimmed from the front: all that was
    /// confirmed, and of the rest a prefix.
    /// Returns how many had not been confirmed.
    ///
    /// # Errors
    /// Says what the log lost or invented.
    pub(crate) fn recovered(&mut self, trimmed: u64, records: &[Record]) -> Result<usize, String> {
        let trimmed = usize::try_from(trimmed).expect("a log in memory");
        let last = trimmed + records.len();
        if last < self.confirmed {
            return Err(format!("of {} records confirmed the log kept {last}", self.confirmed));
        }
        if last > self.records.len() {
            return Err(format!("of {} records written the log kept {last}", self.records.len()));
        }
        let differs = records.iter().zip(&self.records[trimmed..]).position(|(now, before)| now != before);
        if let Some(index) = differs {
            return Err(format!("record {} came back changed", trimmed + index + 1));
        }
        let unconfirmed = last - self.confirmed;
        self.records.truncate(last);
        Ok(unconfirmed)
    }
}
