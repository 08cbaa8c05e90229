//! What a client says to a node, and what it hears back: the bodies of the client frames.

use super::{Command, Reply, TxnOutcome};
use crate::paxos::{NodeId, Slot};
use std::fmt;

/// A client asks for one command.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct ClientRequest {
    /// Echoed in the reply; the client's choice, so that it can have several requests under way.
    /// From 1, ascending on each connection: a node ignores what comes twice or out of order.
    pub id: u64,
    /// What to do.
    pub command: Command,
    /// For a transaction that only reads: answer from the state of the node that is asked, whatever that
    /// has missed. The answer is [`ClientResult::Stale`], and nobody else is needed for it.
    pub local: bool,
}

/// A node answers a [`ClientRequest`].
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct ClientReply {
    /// Echo of the request's id.
    pub id: u64,
    /// The slot that decided the answer: the one that holds the command or, for a read that has none,
    /// the last one applied before it. 0: none did.
    pub slot: Slot,
    /// The answer.
    pub result: ClientResult,
}

/// Whether the command happened, as far as the node knows.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum ClientResult {
    /// It was applied (or served as a read); this is what it said.
    Reply(Reply),
    /// A read, answered from a node's own state after the reply's slot, which may lag behind what others
    /// have been told: what was true at some time before.
    Stale(TxnOutcome),
    /// It did **not** happen and never will.
    Failed(DefiniteError),
    /// It may have happened, or may happen later.
    Unknown(UnknownReason),
}

/// Why a command did not happen.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum DefiniteError {
    /// This node does not lead and does not forward.
    NotLeader {
        /// Who led, when it last heard.
        hint: Option<NodeId>,
    },
    /// Nobody leads, as far as this node knows.
    NoLeader,
    /// A queue was full before the command entered it.
    Overloaded,
    /// Beyond one of the limits of [`crate::kv`].
    TooLarge,
    /// The bytes make no request.
    Malformed,
}

impl fmt::Display for DefiniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DefiniteError::NotLeader { hint: Some(node) } => write!(f, "not the leader; {node} was"),
            DefiniteError::NotLeader { hint: None } => f.write_str("not the leader"),
            DefiniteError::NoLeader => f.write_str("no leader known"),
            DefiniteError::Overloaded => f.write_str("overloaded"),
            DefiniteError::TooLarge => f.write_str("request too large"),
            DefiniteError::Malformed => f.write_str("malformed request"),
        }
    }
}

/// Why nobody can tell whether a command happened.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum UnknownReason {
    /// It was proposed, and its leader was deposed before it learned the outcome.
    LeaderChanged,
    /// It was forwarded, and no answer came back in time.
    ForwardLost,
    /// Refused now, after an earlier attempt may have left this node.
    Refused,
    /// The node is stopping with the command under way.
    Stopping,
}

impl fmt::Display for UnknownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UnknownReason::LeaderChanged => "the leader changed",
            UnknownReason::ForwardLost => "no answer to the forwarded request",
            UnknownReason::Refused => "refused after an earlier attempt",
            UnknownReason::Stopping => "the node is stopping",
        })
    }
}
