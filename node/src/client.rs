//! A client: connections, and a session that retries until it knows.
//!
//! [`Connection`] is one TCP connection to one node, with any number of requests under way; it
//! retries nothing and hides nothing. [`Client`] speaks to a whole cluster: it opens a session,
//! names each request, and repeats it under the same name, wherever a node will take it, until it
//! has an answer or its patience ends. The name makes repeating safe: the state machine executes
//! it once.
//!
//! What a client says of a failure is definite or not, and it must never say "did not happen" of
//! something that may. [`Failure::Definite`] is said only if every attempt was refused before it
//! entered the system, or never left this process; one attempt whose fate is unknown makes the
//! request's fate unknown, whatever later attempts are told.

mod connection;

pub use connection::{CallError, Connection};

use crate::kv::{
    ClientReply, ClientResult, Command, DefiniteError, Reply, RequestId, SessionId, Txn, TxnOutcome,
};
use crate::paxos::Slot;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// How long a client tries.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Patience {
    /// For one answer of one node, before the next is asked.
    pub attempt: Duration,
    /// For a request as a whole.
    pub request: Duration,
}

impl Default for Patience {
    /// An attempt outlasts an election with the default timeouts; a request some of them.
    fn default() -> Patience {
        Patience { attempt: Duration::from_secs(1), request: Duration::from_secs(10) }
    }
}

/// The wait after a refusal; doubles up to [`REST_MAX`]. An election takes some hundred
/// milliseconds, and asking more often doesn't hasten it.
const REST_MIN: Duration = Duration::from_millis(5);
/// See [`REST_MIN`].
const REST_MAX: Duration = Duration::from_millis(100);

/// What became of a transaction.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Executed {
    /// Its outcome: done, or aborted with no effect.
    pub outcome: TxnOutcome,
    /// The slot that decided it.
    pub slot: Slot,
    /// The name under which it was executed.
    pub request: RequestId,
    /// How often it was sent.
    pub attempts: u32,
}

/// Why there is no outcome.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum Failure {
    /// It did not happen and never will.
    #[error("did not happen: {0}")]
    Definite(String),
    /// It may have happened, or may happen later.
    #[error("may have happened: {0}")]
    Unknown(String),
}

/// What one attempt brought.
enum Attempt {
    Answered(ClientReply),
    /// This attempt did not and will not happen.
    Refused(String),
    /// Nobody knows.
    Unknown(String),
}

/// A client of a cluster, one request at a time.
#[derive(Debug)]
pub struct Client {
    cluster: u64,
    nodes: Vec<SocketAddr>,
    patience: Patience,
    /// Which of `nodes` is asked; it changes with each disappointment.
    current: usize,
    connection: Option<Connection>,
    session: Option<SessionId>,
    sequence: u64,
}

impl Client {
    /// A client of the cluster whose nodes listen at `nodes`. Connects when first used.
    ///
    /// # Panics
    /// If there are no nodes.
    #[must_use]
    pub fn new(cluster: u64, nodes: Vec<SocketAddr>, patience: Patience) -> Client {
        assert!(!nodes.is_empty(), "a client needs somebody to ask");
        Client { cluster, nodes, patience, current: 0, connection: None, session: None, sequence: 0 }
    }

    /// Executes a transaction exactly once, or says what is known.
    ///
    /// # Errors
    /// [`Failure`], when patience has ended or no attempt can succeed.
    pub async fn execute(&mut self, txn: Txn) -> Result<Executed, Failure> {
        let deadline = Instant::now() + self.patience.request;
        let mut attempts = 0;
        loop {
            let request = self.next_request(deadline).await?;
            let command = Command::Execute { request: Some(request), txn: txn.clone() };
            let (reply, unknown) = self.insist(command, deadline, &mut attempts).await?;
            match reply.result {
                ClientResult::Reply(Reply::Outcome(outcome)) => {
                    return Ok(Executed { outcome, slot: reply.slot, request, attempts });
                }
                ClientResult::Reply(Reply::SessionExpired) => {
                    self.session = None;
                    if unknown {
                        let reason = "the session expired, and with it the memory of earlier attempts";
                        return Err(Failure::Unknown(reason.to_owned()));
                    }
                    // The only copy was not executed: the same again in a new session.
                }
                other => return Err(Failure::Unknown(format!("the node answered {other:?}"))),
            }
        }
    }

    /// The next request's name, in a session that is opened if need be. Asking for a session
    /// twice opens two, of which one is never used: no harm.
    async fn next_request(&mut self, deadline: Instant) -> Result<RequestId, Failure> {
        let session = match self.session {
            Some(session) => session,
            None => {
                let nonce = u64::from(std::process::id());
                let opened = self.insist(Command::OpenSession { nonce }, deadline, &mut 0).await;
                // What was asked for in the end is not under way yet: all failures are definite.
                let (reply, _) = opened.map_err(|failure| match failure {
                    Failure::Definite(reason) | Failure::Unknown(reason) => {
                        Failure::Definite(format!("no session: {reason}"))
                    }
                })?;
                let ClientResult::Reply(Reply::SessionOpened(session)) = reply.result else {
                    return Err(Failure::Definite(format!("no session: {:?}", reply.result)));
                };
                self.session = Some(session);
                self.sequence = 0;
                session
            }
        };
        self.sequence += 1;
        Ok(RequestId { session, sequence: self.sequence })
    }

    /// Repeats a command until it is answered; also says whether an attempt before the answered
    /// one may have left.
    async fn insist(
        &mut self,
        command: Command,
        deadline: Instant,
        attempts: &mut u32,
    ) -> Result<(ClientReply, bool), Failure> {
        let mut unknown = false;
        let mut rest = REST_MIN;
        loop {
            *attempts += 1;
            let reason = match self.attempt(command.clone(), deadline).await {
                Attempt::Answered(ClientReply { result: ClientResult::Failed(error), .. }) => {
                    if matches!(error, DefiniteError::TooLarge | DefiniteError::Malformed) {
                        return Err(failure(unknown, error.to_string()));
                    }
                    self.turn(&error);
                    error.to_string()
                }
                Attempt::Answered(ClientReply { result: ClientResult::Unknown(reason), .. }) => {
                    unknown = true;
                    reason.to_string()
                }
                Attempt::Answered(reply) => return Ok((reply, unknown)),
                Attempt::Refused(reason) => {
                    self.leave();
                    reason
                }
                Attempt::Unknown(reason) => {
                    unknown = true;
                    self.leave();
                    reason
                }
            };
            if Instant::now() + rest >= deadline {
                return Err(failure(unknown, reason));
            }
            sleep(rest).await;
            rest = REST_MAX.min(rest * 2);
        }
    }

    async fn attempt(&mut self, command: Command, deadline: Instant) -> Attempt {
        let until = deadline.min(Instant::now() + self.patience.attempt);
        let address = self.nodes[self.current];
        let connection = match self.connection.take().filter(Connection::is_open) {
            Some(connection) => connection,
            None => match timeout_at(until, Connection::open(address, self.cluster)).await {
                Ok(Ok(connection)) => connection,
                Ok(Err(error)) => return Attempt::Refused(format!("can't connect to {address}: {error}")),
                Err(_) => return Attempt::Refused(format!("can't connect to {address} in time")),
            },
        };
        let called = timeout_at(until, connection.call(command)).await;
        self.connection = Some(connection);
        match called {
            Ok(Ok(reply)) => Attempt::Answered(reply),
            Ok(Err(CallError::NotSent(reason))) => Attempt::Refused(format!("{address}: {reason}")),
            Ok(Err(CallError::Lost(reason))) => Attempt::Unknown(format!("{address}: {reason}")),
            Err(_) => Attempt::Unknown(format!("no answer from {address} in time")),
        }
    }

    /// A node that says it can't serve is left for another; an overloaded one is as good as any.
    fn turn(&mut self, error: &DefiniteError) {
        if !matches!(error, DefiniteError::Overloaded) {
            self.leave();
        }
    }

    fn leave(&mut self) {
        self.connection = None;
        self.current = (self.current + 1) % self.nodes.len();
    }
}

fn failure(unknown: bool, reason: String) -> Failure {
    if unknown { Failure::Unknown(reason) } else { Failure::Definite(reason) }
}
