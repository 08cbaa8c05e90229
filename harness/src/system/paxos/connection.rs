//! A client's connection: sessions, request ids, and what may be said of an operation afterwards.
//!
//! The rule of definite and indefinite answers, as a history needs them:
//!
//! - `ok`: a reply says that it happened.
//! - `fail`: it did not happen and never will. Only if no attempt can have left this client, or
//!   every attempt that did was refused by a definite answer, or the transaction aborted; and for
//!   any read, which changes nothing whether it happened or not.
//! - `info`: everything else. A lost connection, a deadline, "unknown" from the node, an expired or
//!   superseded session, an answer that can't be understood: when in doubt, it may have happened.
//!
//! With retries, an attempt in doubt is followed by another under the same [`RequestId`], on another
//! connection to the next target. A definite refusal of a later attempt says nothing about the
//! earlier one, so the doubt stays; a reply settles it, because a request executes once.
//!
//! An answer that breaks the protocol is no excuse either way, but always noted as nonsense: the
//! examination of the logs counts it against the node.
//!
//! Opening a session is no operation of the history: where that fails, nothing of the operation
//! had left, and it is a `fail` for want of a session. Reads need none: nothing happens if one executes twice.

use super::exchange::Wire;
use super::translate::Told;
use super::{PaxosOptions, translate};
use crate::system::{Completion, ConnectError, Connection, NodeId, Target};
use checker::{OpType, Value};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use paxos_node::kv::{
    ClientReply, ClientRequest, ClientResult, Command, DefiniteError, Reply, RequestId, SessionId,
    UnknownReason,
};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use workloads::Invocation;

/// The reason word of an answer that no node may give: the logs' examination reports it.
pub(super) const NONSENSE: &str = "nonsense";

/// Dials the first target.
pub(super) async fn connect(
    options: PaxosOptions,
    targets: Vec<Target>,
) -> Result<Box<dyn Connection>, ConnectError> {
    let Some(&first) = targets.first() else {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let source = io::Error::new(io::ErrorKind::InvalidInput, "no target to connect to");
        return Err(ConnectError { target_node: NodeId(0), address: nowhere, source });
    };
    let wire = Wire::dial(first.address).await.map_err(|source| ConnectError {
        target_node: first.node,
        address: first.address,
        source,
    })?;
    Ok(Box::new(PaxosConnection {
        options,
        targets,
        at: 0,
        wire: Some(wire),
        session: None,
        sequence: 0,
        last_id: 0,
    }))
}

/// One client, under one session.
struct PaxosConnection {
    options: PaxosOptions,
    /// Never empty.
    targets: Vec<Target>,
    /// Which target it speaks with.
    at: usize,
    /// `None` after it was lost.
    wire: Option<Wire>,
    session: Option<SessionId>,
    /// Of the latest request of this session.
    sequence: u64,
    /// Of the latest frame sent, retries included: a late answer must not pass for another.
    last_id: u64,
}

impl Connection for PaxosConnection {
    fn invoke<'a>(&'a mut self, invocation: &'a Invocation, patience: Duration) -> BoxFuture<'a, Completion> {
        self.carry_out(invocation, Instant::now() + patience).boxed()
    }
}

/// What became of one attempt.
enum Attempt {
    /// The node answered.
    Replied(ClientReply),
    /// Nothing of it left this client.
    Unsent(Reason),
    /// It may have left, and no answer can be had.
    Doubtful(Reason),
    /// The node answered, but not in the protocol's words.
    Nonsense(Reason),
}

/// Why an operation is not known to have happened: a word for machines, a sentence for people.
#[derive(Clone)]
struct Reason {
    word: &'static str,
    text: String,
}

impl Reason {
    fn new(word: &'static str, text: impl ToString) -> Reason {
        Reason { word, text: text.to_string() }
    }
}

/// How an operation ended, before it is dressed as a [`Completion`].
enum Ending {
    Happened(Value),
    DidNot(Reason),
    Unknown(Reason),
}

/// What is noted with a completion.
#[derive(Default)]
struct Notes {
    slot: u64,
    request: Option<RequestId>,
    retries: u32,
}

impl PaxosConnection {
    async fn carry_out(&mut self, invocation: &Invocation, deadline: Instant) -> Completion {
        let mut notes = Notes::default();
        let ending = self.ending(invocation, deadline, &mut notes).await;
        let (op_type, value, reason) = match ending {
            Ending::Happened(value) => (OpType::Ok, value, None),
            Ending::DidNot(reason) => (OpType::Fail, invocation.value.clone(), Some(reason)),
            // A read that nobody heard the answer of is as good as one that never was.
            Ending::Unknown(reason) if !translate::is_update(invocation.into()) => {
                (OpType::Fail, invocation.value.clone(), Some(reason))
            }
            Ending::Unknown(reason) => (OpType::Info, invocation.value.clone(), Some(reason)),
        };
        let mut extra = BTreeMap::from([("node".to_owned(), self.targets[self.at].node.to_string().into())]);
        if notes.slot > 0 {
            extra.insert("slot".to_owned(), notes.slot.into());
        }
        if let Some(request) = notes.request {
            extra.insert("request".to_owned(), request.to_string().into());
        }
        if notes.retries > 0 {
            extra.insert("retries".to_owned(), notes.retries.into());
        }
        if let Some(reason) = &reason {
            extra.insert("reason".to_owned(), reason.word.into());
        }
        let usable = op_type != OpType::Info && self.wire.is_some();
        Completion { op_type, value, error: reason.map(|reason| reason.text), extra, usable }
    }

    async fn ending(&mut self, invocation: &Invocation, deadline: Instant, notes: &mut Notes) -> Ending {
        let txn = match translate::transaction(invocation.into()) {
            Ok(txn) => txn,
            Err(error) => return Ending::DidNot(Reason::new("untranslatable", error)),
        };
        // A read may be executed twice, so it needs no session; opening one takes a quorum, and would
        // hide what a node cut off from its quorum answers.
        let request = if translate::is_update(invocation.into()) {
            match self.session(deadline).await {
                Ok(session) => {
                    self.sequence += 1;
                    Some(RequestId { session, sequence: self.sequence })
                }
                Err(reason) => return Ending::DidNot(reason),
            }
        } else {
            None
        };
        notes.request = request;
        let command = Command::Execute { request, txn };
        let mut doubt: Option<Reason> = None;
        for attempt in 0..=self.options.retries {
            // What is left is shared out evenly, or the first attempt would use it up.
            let left = deadline.saturating_duration_since(Instant::now());
            let until = Instant::now() + left / (self.options.retries - attempt + 1);
            if attempt > 0 {
                notes.retries = attempt;
                self.next_target();
            }
            let refusal = match self.attempt(&command, until).await {
                Attempt::Replied(reply) => {
                    notes.slot = reply.slot.0;
                    match self.judge(invocation, reply.result) {
                        Judged::Ending(ending) => return ending,
                        Judged::Refused(reason) => reason,
                        Judged::Doubtful(reason) => {
                            doubt = Some(reason);
                            continue;
                        }
                    }
                }
                Attempt::Unsent(reason) => reason,
                // Nothing that comes later excuses it.
                Attempt::Nonsense(reason) => return Ending::Unknown(reason),
                Attempt::Doubtful(reason) => {
                    doubt = Some(reason);
                    continue;
                }
            };
            // Definite about this attempt; an earlier one in doubt may be worth asking again.
            if doubt.is_none() {
                return Ending::DidNot(refusal);
            }
        }
        match doubt {
            Some(reason) => Ending::Unknown(reason),
            None => Ending::DidNot(Reason::new("not-tried", "no attempt was made")),
        }
    }

    /// The session, opened if there is none yet. On failure nothing of an operation has left.
    async fn session(&mut self, deadline: Instant) -> Result<SessionId, Reason> {
        if let Some(session) = self.session {
            return Ok(session);
        }
        let before = |reason: Reason| Reason {
            word: if reason.word == NONSENSE { NONSENSE } else { "no-session" },
            text: format!("no session could be opened: {}", reason.text),
        };
        // Tells the clients of one run apart in the nodes' logs.
        let nonce = self.wire.as_ref().map_or(0, |wire| u64::from(wire.port));
        match self.attempt(&Command::OpenSession { nonce }, deadline).await {
            Attempt::Replied(ClientReply {
                result: ClientResult::Reply(Reply::SessionOpened(session)),
                ..
            }) => {
                self.session = Some(session);
                self.sequence = 0;
                Ok(session)
            }
            Attempt::Replied(reply) => Err(before(match reply.result {
                ClientResult::Failed(error) => Reason::new(definite_word(error), error),
                ClientResult::Unknown(reason) => Reason::new(unknown_word(reason), reason),
                ClientResult::Reply(reply) => Reason::new(NONSENSE, format!("the node answered {reply:?}")),
            })),
            Attempt::Unsent(reason) | Attempt::Doubtful(reason) | Attempt::Nonsense(reason) => {
                Err(before(reason))
            }
        }
    }

    fn next_target(&mut self) {
        self.at = (self.at + 1) % self.targets.len();
        self.wire = None;
    }

    async fn attempt(&mut self, command: &Command, until: Instant) -> Attempt {
        if self.wire.is_none() {
            match timeout_at(until, Wire::dial(self.targets[self.at].address)).await {
                Ok(Ok(wire)) => self.wire = Some(wire),
                Ok(Err(error)) => {
                    return Attempt::Unsent(Reason::new("refused", format!("cannot connect: {error}")));
                }
                Err(_) => return Attempt::Unsent(Reason::new("timeout", "no connection in time")),
            }
        }
        self.last_id += 1;
        let request = ClientRequest { id: self.last_id, command: command.clone() };
        let Some(wire) = &mut self.wire else {
            return Attempt::Unsent(Reason::new("refused", "not connected"));
        };
        let answer = timeout_at(until, wire.ask(self.options.cluster, &request)).await;
        let sent = wire.sent;
        let lost = match answer {
            Ok(Ok(reply)) => return Attempt::Replied(reply),
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                self.wire = None;
                let text = format!("the node answered what can't be understood: {error}");
                return Attempt::Nonsense(Reason::new(NONSENSE, text));
            }
            Ok(Err(error)) => Reason::new("connection-lost", error),
            Err(_) => Reason::new("timeout", "no answer in time"),
        };
        // Half a frame may have left, or an answer may still come: nobody can use it again.
        self.wire = None;
        if sent { Attempt::Doubtful(lost) } else { Attempt::Unsent(lost) }
    }

    fn judge(&mut self, invocation: &Invocation, result: ClientResult) -> Judged {
        match result {
            ClientResult::Reply(Reply::Outcome(outcome)) => {
                Judged::Ending(match translate::told(invocation.into(), &outcome) {
                    Told::Happened(value) => Ending::Happened(value),
                    // Its request executed, and changed nothing.
                    Told::DidNot(word) => Ending::DidNot(Reason::new(word, format!("aborted: {word}"))),
                    Told::Nonsense => Ending::Unknown(Reason::new(
                        NONSENSE,
                        format!("the node answered {} with {outcome:?}", invocation.f),
                    )),
                })
            }
            ClientResult::Reply(Reply::SessionExpired) => {
                self.session = None;
                Judged::Ending(Ending::Unknown(Reason::new("session-expired", "the session has expired")))
            }
            ClientResult::Reply(Reply::Superseded) => {
                self.session = None;
                Judged::Ending(Ending::Unknown(Reason::new("superseded", "the session has moved on")))
            }
            ClientResult::Reply(reply @ Reply::SessionOpened(_)) => Judged::Ending(Ending::Unknown(
                Reason::new(NONSENSE, format!("the node answered {} with {reply:?}", invocation.f)),
            )),
            ClientResult::Failed(error) => Judged::Refused(Reason::new(definite_word(error), error)),
            ClientResult::Unknown(reason) => Judged::Doubtful(Reason::new(unknown_word(reason), reason)),
        }
    }
}

/// What an answer means for the attempt that it answers.
enum Judged {
    /// The operation is over.
    Ending(Ending),
    /// This attempt did not happen.
    Refused(Reason),
    /// This attempt may have happened.
    Doubtful(Reason),
}

fn definite_word(error: DefiniteError) -> &'static str {
    match error {
        DefiniteError::NotLeader { .. } => "not-leader",
        DefiniteError::NoLeader => "no-leader",
        DefiniteError::Overloaded => "overloaded",
        DefiniteError::TooLarge => "too-large",
        DefiniteError::Malformed => "malformed",
    }
}

fn unknown_word(reason: UnknownReason) -> &'static str {
    match reason {
        UnknownReason::LeaderChanged => "leader-changed",
        UnknownReason::ForwardLost => "forward-lost",
        UnknownReason::Refused => "refused-after-attempt",
        UnknownReason::Stopping => "stopping",
    }
}
