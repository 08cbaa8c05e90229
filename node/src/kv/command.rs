//! What clients ask of the state machine, and what it answers.

use crate::paxos::Slot;
use bytes::Bytes;
use std::fmt;

/// A client's identity for exactly-once execution. Derived from where the log opened the session,
/// so every replica names it alike without drawing lots; never 0, which means "none" in bytes.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct SessionId(pub u64);

impl SessionId {
    /// The session opened by the command at `position` of the batch in `slot`.
    #[must_use]
    pub fn new(slot: Slot, position: u16) -> SessionId {
        assert!(slot > Slot::ZERO && slot.0 < 1 << 48, "{slot} can't name a session");
        SessionId(slot.0 << 16 | u64::from(position))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0 >> 16, self.0 & 0xffff)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {self}")
    }
}

/// Names one request for ever: retries carry the same name, and execute at most once.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct RequestId {
    /// Whose request.
    pub session: SessionId,
    /// From 1, ascending. A session has one request under way at a time: the next number says
    /// that the client waits for no earlier one any more.
    pub sequence: u64,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.session, self.sequence)
    }
}

/// One step of a transaction. It sees what the steps before it did.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum TxnOp {
    /// Reads a key of any type.
    Get {
        /// The key.
        key: Bytes,
    },
    /// Makes the key hold bytes, whatever it held before.
    Put {
        /// The key.
        key: Bytes,
        /// Its new value.
        value: Bytes,
    },
    /// Puts `value` if the key holds exactly `expect`; aborts the transaction otherwise.
    Cas {
        /// The key.
        key: Bytes,
        /// What it must hold; `None`: it must be absent.
        expect: Option<Bytes>,
        /// Its new value.
        value: Bytes,
    },
    /// Adds one element at the end of the key's list; an absent key is an empty list.
    Append {
        /// The key.
        key: Bytes,
        /// The element.
        value: Bytes,
    },
    /// Takes the first element off the key's list and answers it; nothing if there is none, or no
    /// such key. A list that is emptied stays, as an empty one.
    Pop {
        /// The key.
        key: Bytes,
    },
    /// Adds to the key's integer; an absent key counts as 0.
    Add {
        /// The key.
        key: Bytes,
        /// What to add.
        delta: i64,
    },
    /// Makes the key absent, whatever it held.
    Delete {
        /// The key.
        key: Bytes,
    },
}

impl TxnOp {
    /// The key it is about.
    #[must_use]
    pub fn key(&self) -> &Bytes {
        match self {
            TxnOp::Get { key }
            | TxnOp::Put { key, .. }
            | TxnOp::Cas { key, .. }
            | TxnOp::Append { key, .. }
            | TxnOp::Pop { key }
            | TxnOp::Add { key, .. }
            | TxnOp::Delete { key } => key,
        }
    }
}

/// Operations that happen all together, at one point of the log, or not at all.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Txn {
    /// In order.
    pub ops: Vec<TxnOp>,
}

impl Txn {
    /// Whether it changes nothing in any state: it may be served by a read barrier, without a slot.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.ops.iter().all(|op| matches!(op, TxnOp::Get { .. }))
    }
}

/// What one operation of a transaction that was done has to say.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum OpResult {
    /// `Get` of bytes, or of an absent key; `Pop`: the element, if there was one.
    Value(Option<Bytes>),
    /// `Get` of a list: its elements in order.
    List(Vec<Bytes>),
    /// `Get` of an integer; `Add`: the sum.
    Integer(i64),
    /// Every other operation: it was done.
    Done,
}

/// Why a transaction changed nothing.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum AbortReason {
    /// A `Cas` found something else than it expected.
    CasMismatch,
    /// The key holds a value of another type than the operation is for.
    WrongType,
    /// The sum does not fit in 64 bits.
    Overflow,
    /// The list would outgrow [`MAX_LIST_BYTES`](super::MAX_LIST_BYTES) or
    /// [`MAX_LIST_ITEMS`](super::MAX_LIST_ITEMS), or the results
    /// [`MAX_OUTCOME_BYTES`](super::MAX_OUTCOME_BYTES).
    TooLarge,
}

/// What became of a transaction.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum TxnOutcome {
    /// All of it happened; one result for each operation.
    Done(Vec<OpResult>),
    /// None of it happened.
    Aborted {
        /// Which operation refused: its position in the transaction.
        op: u16,
        /// Why.
        reason: AbortReason,
    },
}

/// One thing for the state machine to do.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Command {
    /// Opens a session; its id comes with the reply. Asked twice it opens two, one of which stays
    /// unused until it expires.
    OpenSession {
        /// The client's choice; tells two clients' requests apart in logs and traces, no more.
        nonce: u64,
    },
    /// Executes a transaction.
    Execute {
        /// Its name, for exactly-once; `None`: every copy that reaches the log executes.
        request: Option<RequestId>,
        /// What to do.
        txn: Txn,
    },
}

impl Command {
    /// Whether it can be answered from the state alone, without a slot.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        match self {
            Command::OpenSession { .. } => false,
            Command::Execute { txn, .. } => txn.is_read_only(),
        }
    }
}

/// What one slot holds: commands that the leader put together. Its bytes are what
/// [`Value::Batch`](crate::paxos::Value::Batch) carries.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Batch {
    /// Cluster time in milliseconds, stamped by the leader: it goes on from the last stamp
    /// applied, by the ticks of the leader's own clock, so no wall clock can make it jump. The
    /// only time that the state machine knows; it never runs backwards there.
    pub time_ms: u64,
    /// In order.
    pub commands: Vec<Command>,
}

/// What applying one command says.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Reply {
    /// The session that the command opened.
    SessionOpened(SessionId),
    /// What became of the transaction, now or when its request was executed first.
    Outcome(TxnOutcome),
    /// No such session: never opened, or forgotten. This copy was not executed; whether an
    /// earlier copy was, nobody can tell any more.
    SessionExpired,
    /// The session has seen a later request. This copy was not executed; an earlier one may have been.
    Superseded,
}
