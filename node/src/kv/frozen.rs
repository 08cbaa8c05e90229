//! The state as it was at one slot, while the state goes on.
//!
//! A snapshot must not stop the node, however large the state is. So it is taken piece by piece,
//! between turns of the node's loop, in the order of the keys; and whoever changes a key that it
//! has not come to yet first puts the old value aside (copy on write, by the key). That costs the
//! hot path a look at a flag when no snapshot is under way, one comparison for a key already
//! written, and a copy of a handle for each other key when it changes first; memory, the keys
//! changed meanwhile. A persistent map would make every change of every key dearer, for ever; a
//! forked process or a copy of everything costs as much memory as there is state.
//!
//! The one copy that grows is that of a list, one handle per element: at most
//! [`MAX_LIST_ITEMS`](super::MAX_LIST_ITEMS), once per list and snapshot. The table of sessions is
//! bounded and shared, and taken as a whole.

use super::SessionId;
use super::session::{Session, Sessions};
use super::store::{Held, Store};
use crate::paxos::AppliedHash;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Bound;

/// What of a snapshot has not been written yet.
#[derive(Debug)]
pub(super) struct Frozen {
    /// Keys up to this one are written; `None`: none is.
    written: Option<Bytes>,
    /// Keys after it that have changed since, as they were; `None`: absent.
    before: BTreeMap<Bytes, Option<Held>>,
}

impl Frozen {
    fn new() -> Frozen {
        Frozen { written: None, before: BTreeMap::new() }
    }

    pub(super) fn keep(&mut self, key: &Bytes, keys: &BTreeMap<Bytes, Held>) {
        if crate::mutant!(AppliedIndexNotAtomic) || self.written.as_ref().is_some_and(|last| key <= last) {
            return;
        }
        if !self.before.contains_key(key) {
            // The key's own bytes: the caller's are part of a batch.
            self.before.insert(Bytes::copy_from_slice(key), keys.get(key).cloned());
        }
    }
}

/// A snapshot being taken.
#[derive(Debug)]
pub(super) struct Capture {
    pub(super) applied: AppliedHash,
    pub(super) now_ms: u64,
    /// Sessions not written yet.
    pub(super) sessions: BTreeMap<SessionId, Session>,
}

impl Capture {
    /// Freezes everything as it is now.
    pub(super) fn begin(
        mut applied: AppliedHash,
        now_ms: u64,
        sessions: &Sessions,
        store: &mut Store,
    ) -> Capture {
        store.frozen = Some(Frozen::new());
        if crate::mutant!(SnapshotOffByOne) {
            applied.slot = applied.slot.next();
        }
        let mut taken = sessions.open.clone();
        if crate::mutant!(SessionsNotInSnapshot) {
            taken.clear();
        }
        Capture { applied, now_ms, sessions: taken }
    }
}

impl Store {
    /// The next key of the snapshot under way, as it was when that began; `None` after the last.
    pub(super) fn next_frozen(&mut self) -> Option<(Bytes, Held)> {
        let frozen = self.frozen.as_mut()?;
        loop {
            let after = frozen.written.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            let live = self.keys.range::<Bytes, _>((after, Bound::Unbounded)).next();
            let changed = frozen.before.first_key_value();
            let (key, held) = match (live, changed) {
                (None, None) => return None,
                (Some((key, held)), None) => (key.clone(), Some(held.clone())),
                (Some((key, held)), Some((other, _))) if key < other => (key.clone(), Some(held.clone())),
                (_, Some((other, before))) => (other.clone(), before.clone()),
            };
            frozen.before.remove(&key);
            frozen.written = Some(key.clone());
            if let Some(held) = held {
                return Some((key, held));
            }
        }
    }
}
