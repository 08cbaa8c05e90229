//! What a client says for one operation, and what may be said of the operation afterwards: pure.
//!
//! [`Requests`] is one client's half of the protocol without its connection: sessions, request ids,
//! attempts. A connection over TCP and a client in the simulation drive it alike: send what it says,
//! tell what came of it, until it is over. The rule of definite and indefinite answers, as a history
//! needs them:
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

use super::translate::{self, Told};
use crate::system::{Completion, NodeId};
use checker::{OpType, Value};
use paxos_node::kv::{
    ClientReply, ClientRequest, ClientResult, Command, DefiniteError, Reply, RequestId, SessionId,
    UnknownReason,
};
use std::collections::BTreeMap;
use workloads::Invocation;

/// The reason word of an answer that no node may give: the logs' examination reports it.
pub(super) const NONSENSE: &str = "nonsense";

/// Why an operation is not known to have happened: a word for machines, a sentence for people.
#[derive(Clone, Debug)]
pub(super) struct Reason {
    word: &'static str,
    text: String,
}

impl Reason {
    pub(super) fn new(word: &'static str, text: impl ToString) -> Reason {
        Reason { word, text: text.to_string() }
    }
}

/// What came of something that was to be sent.
#[derive(Debug)]
pub(super) enum Attempt {
    /// The node answered.
    Replied(ClientReply),
    /// Nothing of it left this client.
    Unsent(Reason),
    /// It may have left, and no answer can be had.
    Doubtful(Reason),
    /// The node answered, but not in the protocol's words.
    Nonsense(Reason),
}

/// What to do next for the operation under way.
#[derive(Debug)]
pub(super) enum Next {
    /// Send this; it should be given up when this share of the time that is left is over.
    Send {
        /// What.
        request: ClientRequest,
        /// One part in so many of the time that is left until the operation's deadline.
        share: u32,
        /// To the next target, on a new connection.
        elsewhere: bool,
    },
    /// This became of it.
    Over(Outcome),
}

/// How an operation ended.
#[derive(Debug)]
pub(super) struct Outcome {
    op_type: OpType,
    value: Value,
    reason: Option<Reason>,
    notes: Notes,
}

impl Outcome {
    /// Dressed for the history. `node` was asked last; `connected`: its connection can still be used.
    pub(super) fn completion(self, node: NodeId, connected: bool) -> Completion {
        let Outcome { op_type, value, reason, notes } = self;
        let mut extra = BTreeMap::from([("node".to_owned(), node.to_string().into())]);
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
        let usable = op_type != OpType::Info && connected;
        Completion { op_type, value, error: reason.map(|reason| reason.text), extra, usable }
    }
}

/// How an operation ended, before its type is known.
enum Ending {
    Happened(Value),
    DidNot(Reason),
    Unknown(Reason),
}

/// What is noted with a completion.
#[derive(Clone, Debug, Default)]
struct Notes {
    slot: u64,
    request: Option<RequestId>,
    retries: u32,
}

/// One client under one session, one operation at a time.
#[derive(Debug)]
pub(super) struct Requests {
    retries: u32,
    session: Option<SessionId>,
    /// Of the latest request of this session.
    sequence: u64,
    /// Of the latest frame sent, retries included: a late answer must not pass for another.
    last_id: u64,
    ongoing: Option<Ongoing>,
}

/// The operation under way.
#[derive(Debug)]
struct Ongoing {
    invocation: Invocation,
    /// `None` while its session is being opened.
    command: Option<Command>,
    attempt: u32,
    /// An earlier attempt may have happened.
    doubt: Option<Reason>,
    notes: Notes,
}

impl Requests {
    pub(super) fn new(retries: u32) -> Requests {
        Requests { retries, session: None, sequence: 0, last_id: 0, ongoing: None }
    }

    /// Begins an operation. `nonce` tells the clients of one run apart in the nodes' logs.
    pub(super) fn begin(&mut self, invocation: &Invocation, nonce: u64) -> Next {
        let ongoing = Ongoing {
            invocation: invocation.clone(),
            command: None,
            attempt: 0,
            doubt: None,
            notes: Notes::default(),
        };
        // A read may be executed twice, so it needs no session; opening one takes a quorum, and would
        // hide what a node cut off from its quorum answers.
        let needs_session = translate::is_update(invocation.into());
        self.ongoing = Some(ongoing);
        if needs_session && self.session.is_none() {
            return self.send(Command::OpenSession { nonce }, 1, false);
        }
        self.execute()
    }

    /// Goes on with what came of the latest thing sent.
    pub(super) fn came(&mut self, attempt: Attempt) -> Next {
        let Some(ongoing) = &mut self.ongoing else {
            let reason = Reason::new("not-tried", "no operation was under way");
            return self.over(Ending::DidNot(reason));
        };
        if ongoing.command.is_none() {
            return self.session_came(attempt);
        }
        let refusal = match attempt {
            Attempt::Replied(reply) => {
                ongoing.notes.slot = reply.slot.0;
                let invocation = ongoing.invocation.clone();
                match self.judge(&invocation, reply.result) {
                    Judged::Ending(ending) => return self.over(ending),
                    Judged::Refused(reason) => reason,
                    Judged::Doubtful(reason) => return self.again(reason),
                }
            }
            Attempt::Unsent(reason) => reason,
            // Nothing that comes later excuses it.
            Attempt::Nonsense(reason) => return self.over(Ending::Unknown(reason)),
            Attempt::Doubtful(reason) => return self.again(reason),
        };
        // Definite about this attempt; an earlier one in doubt may be worth asking again.
        match self.ongoing.as_ref().and_then(|ongoing| ongoing.doubt.clone()) {
            None => self.over(Ending::DidNot(refusal)),
            Some(doubt) => self.again(doubt),
        }
    }

    /// Another attempt at what may have happened, if there may be one.
    fn again(&mut self, doubt: Reason) -> Next {
        let retries = self.retries;
        let command = match &mut self.ongoing {
            Some(ongoing) if ongoing.attempt < retries => {
                ongoing.doubt = Some(doubt.clone());
                ongoing.attempt += 1;
                ongoing.notes.retries = ongoing.attempt;
                let share = retries - ongoing.attempt + 1;
                ongoing.command.clone().map(|command| (command, share))
            }
            _ => None,
        };
        match command {
            Some((command, share)) => self.send(command, share, true),
            None => self.over(Ending::Unknown(doubt)),
        }
    }

    fn session_came(&mut self, attempt: Attempt) -> Next {
        let before = |reason: Reason| Reason {
            word: if reason.word == NONSENSE { NONSENSE } else { "no-session" },
            text: format!("no session could be opened: {}", reason.text),
        };
        let reason = match attempt {
            Attempt::Replied(reply) => match reply.result {
                ClientResult::Reply(Reply::SessionOpened(session)) => {
                    self.session = Some(session);
                    self.sequence = 0;
                    return self.execute();
                }
                ClientResult::Failed(error) => Reason::new(definite_word(error), error),
                ClientResult::Unknown(reason) => Reason::new(unknown_word(reason), reason),
                ClientResult::Reply(_) | ClientResult::Stale(_) => {
                    Reason::new(NONSENSE, format!("the node answered {:?}", reply.result))
                }
            },
            Attempt::Unsent(reason) | Attempt::Doubtful(reason) | Attempt::Nonsense(reason) => reason,
        };
        self.over(Ending::DidNot(before(reason)))
    }

    /// Sends the operation itself.
    fn execute(&mut self) -> Next {
        let Some(ongoing) = &mut self.ongoing else {
            return self.over(Ending::DidNot(Reason::new("not-tried", "no operation was under way")));
        };
        let txn = match translate::transaction((&ongoing.invocation).into()) {
            Ok(txn) => txn,
            Err(error) => {
                let reason = Reason::new("untranslatable", error);
                return self.over(Ending::DidNot(reason));
            }
        };
        let session = self.session.filter(|_| translate::is_update((&ongoing.invocation).into()));
        let request = session.map(|session| {
            self.sequence += 1;
            RequestId { session, sequence: self.sequence }
        });
        ongoing.notes.request = request;
        let command = Command::Execute { request, txn };
        ongoing.command = Some(command.clone());
        self.send(command, self.retries + 1, false)
    }

    fn send(&mut self, command: Command, share: u32, elsewhere: bool) -> Next {
        self.last_id += 1;
        Next::Send { request: ClientRequest { id: self.last_id, command, local: false }, share, elsewhere }
    }

    fn over(&mut self, ending: Ending) -> Next {
        let (value, update, notes) = match self.ongoing.take() {
            Some(ongoing) => {
                let update = translate::is_update((&ongoing.invocation).into());
                (ongoing.invocation.value, update, ongoing.notes)
            }
            None => (Value::Nil, false, Notes::default()),
        };
        let (op_type, value, reason) = match ending {
            Ending::Happened(value) => (OpType::Ok, value, None),
            Ending::DidNot(reason) => (OpType::Fail, value, Some(reason)),
            // A read that nobody heard the answer of is as good as one that never was.
            Ending::Unknown(reason) if !update => (OpType::Fail, value, Some(reason)),
            Ending::Unknown(reason) => (OpType::Info, value, Some(reason)),
        };
        Next::Over(Outcome { op_type, value, reason, notes })
    }

    fn judge(&mut self, invocation: &Invocation, result: ClientResult) -> Judged {
        let unknown = |word, text: String| Judged::Ending(Ending::Unknown(Reason::new(word, text)));
        match result {
            ClientResult::Reply(Reply::Outcome(outcome)) => {
                match translate::told(invocation.into(), &outcome) {
                    Told::Happened(value) => Judged::Ending(Ending::Happened(value)),
                    // Its request executed, and changed nothing.
                    Told::DidNot(word) => {
                        Judged::Ending(Ending::DidNot(Reason::new(word, format!("aborted: {word}"))))
                    }
                    Told::Nonsense => {
                        unknown(NONSENSE, format!("the node answered {} with {outcome:?}", invocation.f))
                    }
                }
            }
            ClientResult::Reply(Reply::SessionExpired) => {
                self.session = None;
                unknown("session-expired", "the session has expired".to_owned())
            }
            ClientResult::Reply(Reply::Superseded) => {
                self.session = None;
                unknown("superseded", "the session has moved on".to_owned())
            }
            ClientResult::Reply(reply @ Reply::SessionOpened(_)) => {
                unknown(NONSENSE, format!("the node answered {} with {reply:?}", invocation.f))
            }
            ClientResult::Stale(outcome) => {
                unknown(NONSENSE, format!("the node answered {} with a stale {outcome:?}", invocation.f))
            }
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
