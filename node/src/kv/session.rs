//! Exactly-once: who asked what last, and what the answer was.
//!
//! The table is part of the replicated state: whichever replica leads next knows the same
//! requests. A table in the leader's memory would forget them with the leader. Time is the
//! batches' stamp, so that all replicas forget a session at the same slot.

use super::limits::{MAX_SESSIONS, SESSION_IDLE_MS};
use super::{Reply, RequestId, SessionId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(super) struct Session {
    /// The latest request executed; 0 before the first.
    pub(super) sequence: u64,
    /// Its reply; `None` before the first. Shared, so that a snapshot can take the whole table at
    /// once: it is bounded by [`MAX_SESSIONS`], and copies no reply.
    pub(super) reply: Option<Arc<Reply>>,
    /// Its last use.
    pub(super) used_ms: u64,
}

/// What the table says about a request.
pub(super) enum Admission {
    /// Not seen before: execute it, then [`Sessions::executed`].
    Fresh,
    /// Don't execute it: this is the reply.
    Answered(Reply),
}

/// The sessions open.
#[derive(Default)]
pub(super) struct Sessions {
    pub(super) open: BTreeMap<SessionId, Session>,
    /// The same sessions by last use, then id: the first is the next to go.
    by_use: BTreeSet<(u64, SessionId)>,
}

impl Sessions {
    /// Opens a session, at the expense of the least recently used one if there are too many.
    pub(super) fn open(&mut self, id: SessionId, now_ms: u64) {
        if self.open.len() == MAX_SESSIONS {
            self.forget_first();
        }
        let before = self.open.insert(id, Session { sequence: 0, reply: None, used_ms: now_ms });
        assert!(before.is_none(), "{id:?} was opened twice: a slot was applied twice");
        self.by_use.insert((now_ms, id));
    }

    /// May this request execute?
    pub(super) fn admit(&mut self, request: RequestId, now_ms: u64) -> Admission {
        let Some(session) = self.open.get_mut(&request.session) else {
            return Admission::Answered(Reply::SessionExpired);
        };
        // A stamp lasts for a tick, and in it a busy session asks many times.
        if session.used_ms != now_ms {
            self.by_use.remove(&(session.used_ms, request.session));
            session.used_ms = now_ms;
            self.by_use.insert((now_ms, request.session));
        }

        if crate::mutant!(DuplicateApply) {
            return Admission::Fresh;
        }
        match &session.reply {
            Some(reply) if request.sequence == session.sequence || crate::mutant!(CachedReplyOfWrongSeq) => {
                Admission::Answered(Reply::clone(reply))
            }
            Some(_) if request.sequence < session.sequence => Admission::Answered(Reply::Superseded),
            Some(_) | None => Admission::Fresh,
        }
    }

    /// Remembers the reply of a request just admitted and executed.
    pub(super) fn executed(&mut self, request: RequestId, reply: &Reply) {
        let session = self.open.get_mut(&request.session).expect("admitted in this very step");
        session.sequence = request.sequence;
        session.reply = Some(Arc::new(reply.clone()));
    }

    /// Forgets who has been idle for too long.
    pub(super) fn expire(&mut self, now_ms: u64) {
        while let Some(&(used_ms, _)) = self.by_use.first()
            && now_ms - used_ms > SESSION_IDLE_MS
        {
            self.forget_first();
        }
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Takes up a session from a snapshot; `false` if it is there already, or there are too many.
    pub(super) fn restore(&mut self, id: SessionId, session: Session) -> bool {
        if self.open.len() == MAX_SESSIONS {
            return false;
        }
        self.by_use.insert((session.used_ms, id));
        self.open.insert(id, session).is_none()
    }

    fn forget_first(&mut self) {
        let (_, id) = self.by_use.pop_first().expect("called only when there is one");
        let gone = self.open.remove(&id);
        assert!(gone.is_some(), "both maps hold the same sessions");
    }
}
