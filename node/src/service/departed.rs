//! Which requests have left this node, so that no copy of them can ever be called "failed" here.

use super::request_id;
use crate::kv::{Command, SessionId};
use std::collections::BTreeMap;

/// Sessions remembered. Older ones are forgotten, and then nothing of them is certain any more.
const SESSIONS_MAX: usize = 16 << 10;

/// Per session, the highest sequence number that was proposed or forwarded here. A session has
/// one request at a time, in order, so that says it of all lower ones too.
#[derive(Default, Debug)]
pub(super) struct Departed {
    sequences: BTreeMap<SessionId, u64>,
    /// Sessions up to this one have been forgotten.
    forgotten: Option<SessionId>,
    /// Whether any update without an id has left.
    unnamed: bool,
}

impl Departed {
    /// A command is about to be proposed or forwarded.
    pub(super) fn note(&mut self, command: &Command) {
        if command.is_read_only() {
            return;
        }
        let Some(request) = request_id(command) else {
            self.unnamed = true;
            return;
        };
        let sequence = self.sequences.entry(request.session).or_default();
        *sequence = (*sequence).max(request.sequence);
        if self.sequences.len() > SESSIONS_MAX
            && let Some((oldest, _)) = self.sequences.pop_first()
        {
            self.forgotten = self.forgotten.max(Some(oldest));
        }
    }

    /// Whether a copy of this command may have left before.
    pub(super) fn may_have_left(&self, command: &Command) -> bool {
        if command.is_read_only() {
            return false;
        }
        let Some(request) = request_id(command) else {
            // Opening a session twice harms nobody; anything else might have been this very copy.
            return self.unnamed && !matches!(command, Command::OpenSession { .. });
        };
        if Some(request.session) <= self.forgotten {
            return true;
        }
        self.sequences.get(&request.session).is_some_and(|left| *left >= request.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::{RequestId, Txn, TxnOp};
    use bytes::Bytes;

    fn update(session: u64, sequence: u64) -> Command {
        let request = Some(RequestId { session: SessionId(session), sequence });
        let op = TxnOp::Put { key: Bytes::from_static(b"k"), value: Bytes::new() };
        Command::Execute { request, txn: Txn { ops: vec![op] } }
    }

    #[test]
    fn a_request_that_left_once_is_never_certain_again() {
        let mut departed = Departed::default();
        assert!(!departed.may_have_left(&update(1, 1)));
        departed.note(&update(1, 1));
        assert!(departed.may_have_left(&update(1, 1)));
        assert!(!departed.may_have_left(&update(1, 2)), "the next request has not left");
        assert!(!departed.may_have_left(&update(2, 1)));
    }

    #[test]
    fn forgotten_sessions_are_uncertain() {
        let mut departed = Departed::default();
        for session in 1..=SESSIONS_MAX as u64 + 1 {
            departed.note(&update(session, 1));
        }
        assert!(departed.may_have_left(&update(1, 7)), "session 1 was forgotten");
        assert!(!departed.may_have_left(&update(2, 7)));
    }
}
