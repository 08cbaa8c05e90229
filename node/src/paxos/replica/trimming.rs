//! Letting go: of values in memory and records on disk that a durable snapshot covers.
//!
//! In this order, and each step only when the one before is certain: [`Replica::checkpoint`] writes
//! what must be said again, while the caller begins to write a snapshot of that very state; when
//! the snapshot is durable the caller says so ([`Replica::snapshot_is_durable`]); when the
//! checkpoint is, too, the records before it are released ([`Effects::trim`]).
//!
//! [`Effects::trim`]: crate::paxos::Effects::trim

use super::{Replica, Role};
use crate::paxos::{Base, Governing, LogContradiction, Lsn, Record, Recovered, Slot};

/// Values dropped from memory in one turn at most: some tens of microseconds of work.
const DROPPED_PER_TURN_MAX: usize = 1024;

/// How far a node has come with letting go.
#[derive(Debug)]
pub(super) struct Trimming {
    /// The newest snapshot that is durable here.
    snapshot: Slot,
    /// The last checkpoint written, until the log has been cut there.
    checkpoint: Option<Checkpoint>,
}

#[derive(Copy, Clone, Debug)]
struct Checkpoint {
    slot: Slot,
    /// Its record, before which the log can be cut …
    first: Lsn,
    /// … when everything up to here is durable.
    last: Lsn,
}

impl Trimming {
    pub(super) fn new(snapshot: Slot) -> Trimming {
        Trimming { snapshot, checkpoint: None }
    }

    pub(super) fn snapshot(&self) -> Slot {
        self.snapshot
    }
}

impl Replica {
    /// Roughly how many bytes the log has grown by since its last checkpoint.
    #[must_use]
    pub fn log_bytes(&self) -> u64 {
        self.journal.bytes()
    }

    /// What a snapshot of the state covers that has executed everything handed out so far.
    #[must_use]
    pub fn covered(&self) -> Base {
        self.learner.handed()
    }

    /// The newest snapshot that is durable here covers everything up to this slot.
    #[must_use]
    pub fn snapshot(&self) -> Slot {
        self.trimming.snapshot
    }

    /// The values up to this slot are gone from memory.
    #[must_use]
    pub fn trimmed_upto(&self) -> Slot {
        self.learner.base().slot
    }

    /// A snapshot of the state after `slot` is about to be written, or just was: whatever this node
    /// must not forget beyond it is said again from here on.
    pub fn checkpoint(&mut self, slot: Slot) {
        // The promise says again which ballots were used (I5): so it is not below any of them.
        if self.used > self.acceptor.promised() {
            let _ = self.acceptor.prepare(self.used, &mut self.journal);
        }
        let mut promised = self.acceptor.promised();
        if crate::mutant!(PromiseAfterAcceptOrder) {
            promised = crate::paxos::Ballot::ZERO;
        }
        let first = self.journal.append(Record::Checkpoint { slot, promised });
        self.acceptor.restate(slot, &mut self.journal);
        self.learner.restate(slot, &self.acceptor, &mut self.journal);
        self.journal.is_checkpoint();
        let last = self.journal.written();
        self.trimming.checkpoint = Some(Checkpoint { slot, first, last });
        if crate::mutant!(LogCutBeforeSnapshotDurable) {
            self.effects.trim = Some(first);
        }
    }

    /// A snapshot of the state after `slot` is durable on this node, under its name. Values that it
    /// covers are let go, but for about `kept_bytes` of the latest.
    pub fn snapshot_is_durable(&mut self, slot: Slot, kept_bytes: u64) {
        self.trimming.snapshot = self.trimming.snapshot.max(slot);
        self.learner.release(slot, kept_bytes);
        self.cut_log();
    }

    /// The state after everything up to `base` has come from another node, and is durable here.
    /// `false`, and nothing changes, if that is not news: states never go back.
    pub fn install(&mut self, base: Base, governing: &[Governing]) -> bool {
        if base.slot <= self.learner.chosen_upto() {
            return false;
        }
        // Others have chosen beyond what it can know of its own ballot: it is deposed, or will be.
        if !matches!(self.role, Role::Follower) {
            self.step_down(None);
        }
        self.round_max = self.round_max.max(base.ballot.round);
        self.learner.install(base, governing);
        if crate::mutant!(InstallResetsPromise) {
            self.acceptor = super::Acceptor::new();
        }
        self.learn_asked_at = None;
        true
    }

    /// Releases the records before the checkpoint, once nothing can need them.
    pub(super) fn cut_log(&mut self) {
        let Some(Checkpoint { slot, first, last }) = self.trimming.checkpoint else { return };
        if slot <= self.trimming.snapshot && last <= self.journal.durable() {
            self.trimming.checkpoint = None;
            self.effects.trim = Some(first);
        }
    }

    /// Some of the values that have been let go leave memory.
    pub(super) fn drop_trimmed(&mut self) {
        self.learner.trim(DROPPED_PER_TURN_MAX);
        let base = self.learner.base().slot;
        // As many again, and a few more: late proposals for trimmed slots are voted for.
        self.acceptor.trim(base, 2 * DROPPED_PER_TURN_MAX);
        if let Role::Leader(leader) = &mut self.role {
            leader.forget_upto(base);
        }
    }
}

/// Whether what is left of a log stands on the snapshot that is there.
pub(super) fn check(recovered: &Recovered<'_>) -> Result<(), LogContradiction> {
    let Recovered { base, trimmed, records, .. } = *recovered;
    if trimmed == 0 {
        return Ok(());
    }
    let first = records.iter().find_map(|record| match record {
        Record::Checkpoint { slot, .. } => Some(*slot),
        _ => None,
    });
    match first {
        None => Err(LogContradiction::NoCheckpoint(trimmed)),
        Some(slot) if slot > base.slot => {
            Err(LogContradiction::NoSnapshot { trimmed: slot, snapshot: base.slot })
        }
        Some(_) => Ok(()),
    }
}
