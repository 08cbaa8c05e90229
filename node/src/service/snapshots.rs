//! Snapshots: when one is taken, how a laggard fetches one, how it is sent.
//!
//! All file work is ordered ([`SnapshotOrder`]) and reported when done ([`SnapshotDone`]): the shell
//! has a thread for it, the simulation an event. One part is on its way at a time, to the disk or
//! from another node, so neither a slow disk nor a fast network costs more than one part of memory.
//!
//! **Taking.** When the log has grown by as much as was asked for (and at least as much as the last
//! snapshot is large, so that writing snapshots never costs more than writing the log), the state is
//! frozen between two turns (see `kv/frozen.rs`), the log gets its checkpoint, and piece after piece
//! is written. When the file is durable the replica is told, and lets go of what it covers.
//!
//! **Fetching.** Whoever is asked for slots that it has trimmed offers its snapshot. The laggard asks
//! for one part after the other, checks each, writes it to a file of its own, and puts the new state
//! together beside the old one. (Two states in memory for that long. The old one can't go first: the
//! fetch may fail, and what is half there executes nothing.) A part that does not come is asked for
//! again, of another node if that offers the same snapshot: equal states are equal bytes. When the
//! file is durable, state and replica change in one step, or not at all if the node has come as far
//! by itself meanwhile. Own snapshots wait until then. While parts come, the node does not stand for
//! leader.
//!
//! No connection of its own is needed for this: a part is 64 KiB, and the next one leaves when it has
//! been asked for. What waits behind it waits for less than a large batch takes.

use super::Service;
use crate::kv::Restoring;
use crate::paxos::{Ballot, Base, Message, NodeId, NodeSet, Slot};
use crate::snapshot::part::{Body, Head, Reader, Writer};
use bytes::Bytes;

/// A part that has been asked for so often in vain makes the whole fetch void: whoever knows more
/// will offer it again.
const TRIES_MAX: u32 = 10;

/// The wait for a part doubles with each try, so often: whoever reads it may have a slow disk, and
/// who gives up loses what is there already.
const TRIES_DOUBLING_MAX: u32 = 5;

/// Who has not answered so many times is given up for another that offers what it has, though all that was
/// fetched is lost with it: its machine may be gone for good.
const TRIES_SILENT: u32 = 3;

/// Of the log's bytes between two snapshots, what part of the values covered stays in memory: a
/// laggard that lacks only those is told them, and need not fetch all of the state.
const KEPT_SHARE: u64 = 8;

/// Something to do with snapshots' files, in this order. Whatever names a job is answered under it.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum SnapshotOrder {
    /// A new file for a snapshot that covers everything up to `slot`; one under way is void.
    Begin {
        /// Its number.
        job: u64,
        /// The slot.
        slot: Slot,
    },
    /// The next part of it. Answered by [`SnapshotDone::Written`].
    Part {
        /// Its number.
        job: u64,
        /// The part.
        bytes: Bytes,
    },
    /// That was the last: make it durable and give it its name. Answered by
    /// [`SnapshotDone::Durable`].
    Finish {
        /// Its number.
        job: u64,
    },
    /// The file under way is void.
    Abandon,
    /// Read a part of a snapshot for another node. Answered by [`SnapshotDone::Read`].
    Read {
        /// Who asks.
        to: NodeId,
        /// The snapshot.
        slot: Slot,
        /// The part.
        part: u32,
    },
}

/// What became of an order.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum SnapshotDone {
    /// A part is in the file.
    Written {
        /// Of this job.
        job: u64,
    },
    /// The snapshot is durable and has its name.
    Durable {
        /// This job.
        job: u64,
        /// The length of its file.
        bytes: u64,
    },
    /// What was read.
    Read {
        /// Who asked.
        to: NodeId,
        /// The snapshot.
        slot: Slot,
        /// The part.
        part: u32,
        /// Its bytes; `None`: there is no such snapshot (any more), or no such part.
        bytes: Option<Bytes>,
    },
}

/// A node's dealings with snapshots.
#[derive(Default)]
pub(super) struct Snapshots {
    /// Counts files begun: what is reported of an older one means nothing.
    job: u64,
    busy: Busy,
    /// Size of the newest one's file.
    bytes: u64,
    /// Who a part is being read for. One for each at a time: it asks again as long as none comes, and
    /// a slow disk must not be kept busy with what was asked long ago.
    reads: NodeSet,
}

impl Snapshots {
    pub(super) fn new(bytes: u64) -> Snapshots {
        Snapshots { bytes, ..Snapshots::default() }
    }

    /// The slot of the snapshot being fetched.
    pub(super) fn fetching(&self) -> Option<Slot> {
        match &self.busy {
            Busy::Fetching(fetch) => Some(fetch.slot),
            Busy::Idle | Busy::Taking(_) => None,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.busy, Busy::Idle)
    }
}

#[derive(Default)]
enum Busy {
    #[default]
    Idle,
    Taking(Taking),
    Fetching(Box<Fetch>),
}

/// A snapshot of this node's own being written; `None`: all of it is, but not durable.
struct Taking {
    slot: Slot,
    writer: Option<Writer>,
}

/// A snapshot on its way here.
struct Fetch {
    from: NodeId,
    slot: Slot,
    head: Head,
    reader: Reader,
    restoring: Restoring,
    step: Step,
    asked_at: u64,
    tries: u32,
}

#[derive(Copy, Clone, Eq, PartialEq)]
enum Step {
    /// The next part has been asked for.
    Asked,
    /// A part is being written, or made durable with all others.
    Writing,
}

impl Fetch {
    /// Whether it has waited for a part for so long that this, or the answer, must be lost.
    fn is_late(&self, now: u64, retransmit_ticks: u64) -> bool {
        let patience = retransmit_ticks << self.tries.min(TRIES_DOUBLING_MAX);
        self.step == Step::Asked && now >= self.asked_at + patience
    }
}

impl Service {
    /// What the file work came to.
    pub fn snapshot_done(&mut self, done: SnapshotDone) {
        match done {
            SnapshotDone::Written { job } if job == self.snapshots.job => self.on_written(),
            SnapshotDone::Durable { job, bytes } if job == self.snapshots.job => self.on_durable(bytes),
            SnapshotDone::Written { .. } | SnapshotDone::Durable { .. } => {}
            SnapshotDone::Read { to, slot, part, bytes } => {
                self.snapshots.reads.remove(to);
                let newest = self.replica.snapshot();
                match bytes {
                    Some(bytes) => self.send(to, Message::SnapshotPart { slot, part, bytes }),
                    None if newest > Slot::ZERO => self.send(to, Message::SnapshotOffer { slot: newest }),
                    None => {}
                }
            }
        }
    }

    fn on_written(&mut self) {
        let job = self.snapshots.job;
        match &mut self.snapshots.busy {
            Busy::Idle => {}
            Busy::Taking(Taking { writer, .. }) => {
                let Some(mut parts) = writer.take() else {
                    self.order(SnapshotOrder::Finish { job });
                    return;
                };
                let bytes = match self.kv.next_piece() {
                    Some(piece) => {
                        let part = parts.state(&piece);
                        *writer = Some(parts);
                        part
                    }
                    None => parts.end(),
                };
                self.order(SnapshotOrder::Part { job, bytes });
            }
            Busy::Fetching(fetch) if fetch.reader.is_ended() => self.order(SnapshotOrder::Finish { job }),
            Busy::Fetching(fetch) => {
                fetch.step = Step::Asked;
                self.ask_for_part();
            }
        }
    }

    fn on_durable(&mut self, bytes: u64) {
        let kept = self.config.snapshot_every_bytes / KEPT_SHARE;
        match std::mem::take(&mut self.snapshots.busy) {
            Busy::Idle => {}
            Busy::Taking(Taking { slot, .. }) => {
                let covered = self.replica.covered().slot;
                assert!(slot <= covered, "I7: only what was executed can be in a snapshot");
                self.snapshots.bytes = bytes;
                self.replica.snapshot_is_durable(slot, kept);
            }
            Busy::Fetching(fetch) => {
                self.snapshots.bytes = bytes;
                let Fetch { slot, head: Head { ballot, governing }, restoring, .. } = *fetch;
                let Ok(kv) = restoring.finish() else { unreachable!("looked at when its end came") };
                let is_news = self.replica.install(Base { slot, ballot }, &governing);
                if is_news || crate::mutant!(InstallOlderSnapshot) {
                    self.kv = kv;
                }
                if is_news {
                    self.replica.checkpoint(slot);
                }
                self.replica.snapshot_is_durable(slot, kept);
            }
        }
    }

    // ---- Taking ------------------------------------------------------------------------------

    /// Begins a snapshot if the log has grown enough. Everything handed out has been applied.
    /// Returns whether there are new records.
    pub(super) fn take_snapshot_if_due(&mut self) -> bool {
        let due = self.config.snapshot_every_bytes.max(self.snapshots.bytes);
        if !self.snapshots.is_idle() || self.replica.log_bytes() < due {
            return false;
        }
        let covered = self.replica.covered();
        assert!(covered.slot == self.kv.applied().slot, "I7: everything handed on has been applied");
        // Who joined, and does not know yet who governs, could not say so.
        if covered.slot == Slot::ZERO || self.replica.configuration().members().is_empty() {
            return false;
        }
        if covered.slot == self.replica.snapshot() {
            // Nothing happened but elections: the snapshot that there is will do.
            self.replica.checkpoint(covered.slot);
            return true;
        }
        let slot = self.kv.begin_snapshot().slot;
        let (writer, bytes) =
            Writer::begin(Base { slot, ..covered }, &self.replica.governing_behind(covered));
        self.replica.checkpoint(slot);
        self.snapshots.job += 1;
        let job = self.snapshots.job;
        self.snapshots.busy = Busy::Taking(Taking { slot, writer: Some(writer) });
        self.order(SnapshotOrder::Begin { job, slot });
        self.order(SnapshotOrder::Part { job, bytes });
        true
    }

    // ---- Fetching ----------------------------------------------------------------------------

    /// Somebody who was asked for slots has them only as a snapshot.
    pub(super) fn on_snapshot_offer(&mut self, from: NodeId, slot: Slot) {
        if slot <= self.replica.chosen_upto() {
            return;
        }
        let (now, retransmit) = (self.now, self.config.timing.retransmit_ticks);
        let is_late = |fetch: &Fetch| fetch.is_late(now, retransmit);
        match &mut self.snapshots.busy {
            Busy::Fetching(fetch) if fetch.slot == slot => {
                if is_late(fetch) || fetch.tries > 0 {
                    fetch.from = from;
                    self.ask_for_part();
                }
                return;
            }
            // Whoever has the one that is being fetched does not say that it is gone.
            Busy::Fetching(fetch)
                if fetch.step == Step::Writing
                    || (fetch.from != from && !is_late(fetch) && fetch.tries < TRIES_SILENT) =>
            {
                return;
            }
            Busy::Idle | Busy::Taking(_) | Busy::Fetching(_) => {}
        }
        self.kv.end_snapshot();
        self.snapshots.job += 1;
        self.snapshots.busy = Busy::Fetching(Box::new(Fetch {
            from,
            slot,
            head: Head { ballot: Ballot::ZERO, governing: Vec::new() },
            reader: Reader::new(slot),
            restoring: Restoring::default(),
            step: Step::Asked,
            asked_at: self.now,
            tries: 0,
        }));
        self.order(SnapshotOrder::Begin { job: self.snapshots.job, slot });
        self.ask_for_part();
    }

    pub(super) fn on_snapshot_part(&mut self, slot: Slot, part: u32, bytes: Bytes) {
        let Busy::Fetching(fetch) = &mut self.snapshots.busy else { return };
        if fetch.slot != slot || fetch.step != Step::Asked || fetch.reader.next() != part {
            return;
        }
        // A damaged part is as good as a lost one: it is asked for again, and then given up.
        let Ok(body) = fetch.reader.take(&bytes) else { return };
        let taken = match body {
            Body::Head(head) => {
                fetch.head = head;
                true
            }
            Body::State(piece) => fetch.restoring.take(piece).is_ok(),
            Body::End => fetch.restoring.applied().slot == slot,
        };
        if !taken {
            self.give_up_fetch();
            return;
        }
        fetch.step = Step::Writing;
        fetch.tries = 0;
        self.replica.postpone_election();
        self.order(SnapshotOrder::Part { job: self.snapshots.job, bytes });
    }

    /// Asks again for what does not come; gives up what never does, or is not needed any more.
    pub(super) fn tick_snapshots(&mut self) {
        let Busy::Fetching(fetch) = &mut self.snapshots.busy else { return };
        if !fetch.is_late(self.now, self.config.timing.retransmit_ticks) {
            return;
        }
        fetch.tries += 1;
        if fetch.tries > TRIES_MAX || fetch.slot <= self.replica.chosen_upto() {
            self.give_up_fetch();
        } else {
            self.ask_for_part();
        }
    }

    fn ask_for_part(&mut self) {
        let now = self.now;
        let Busy::Fetching(fetch) = &mut self.snapshots.busy else { return };
        fetch.asked_at = now;
        let (to, slot, part) = (fetch.from, fetch.slot, fetch.reader.next());
        self.send(to, Message::SnapshotRequest { slot, part });
    }

    fn give_up_fetch(&mut self) {
        self.snapshots.busy = Busy::Idle;
        self.snapshots.job += 1;
        self.order(SnapshotOrder::Abandon);
    }

    // ---- Sending -----------------------------------------------------------------------------

    pub(super) fn on_snapshot_request(&mut self, from: NodeId, slot: Slot, part: u32) {
        if self.snapshots.reads.insert(from) {
            self.order(SnapshotOrder::Read { to: from, slot, part });
        }
    }

    fn order(&mut self, order: SnapshotOrder) {
        self.output.snapshots.push(order);
    }
}
