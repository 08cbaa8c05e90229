//! A client's connection over TCP: carries what [`Requests`] says to the nodes and back.

use super::PaxosOptions;
use super::exchange::Wire;
use super::request::{Attempt, NONSENSE, Next, Reason, Requests};
use crate::system::{Completion, ConnectError, Connection, NodeId, Target};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use paxos_node::kv::ClientRequest;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use workloads::Invocation;

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
    let requests = Requests::new(options.retries);
    Ok(Box::new(PaxosConnection { cluster: options.cluster, targets, at: 0, wire: Some(wire), requests }))
}

/// One client, under one session.
struct PaxosConnection {
    cluster: u64,
    /// Never empty.
    targets: Vec<Target>,
    /// Which target it speaks with.
    at: usize,
    /// `None` after it was lost.
    wire: Option<Wire>,
    requests: Requests,
}

impl Connection for PaxosConnection {
    fn invoke<'a>(&'a mut self, invocation: &'a Invocation, patience: Duration) -> BoxFuture<'a, Completion> {
        self.carry_out(invocation, Instant::now() + patience).boxed()
    }
}

impl PaxosConnection {
    async fn carry_out(&mut self, invocation: &Invocation, deadline: Instant) -> Completion {
        let nonce = self.wire.as_ref().map_or(0, |wire| u64::from(wire.port));
        let mut next = self.requests.begin(invocation, nonce);
        loop {
            let (request, share) = match next {
                Next::Over(outcome) => {
                    return outcome.completion(self.targets[self.at].node, self.wire.is_some());
                }
                Next::Send { request, share, elsewhere } => {
                    if elsewhere {
                        self.at = (self.at + 1) % self.targets.len();
                        self.wire = None;
                    }
                    (request, share)
                }
            };
            // What is left is shared out evenly, or the first attempt would use it up.
            let now = Instant::now();
            let until = now + deadline.saturating_duration_since(now) / share.max(1);
            let attempt = self.attempt(&request, until).await;
            next = self.requests.came(attempt);
        }
    }

    async fn attempt(&mut self, request: &ClientRequest, until: Instant) -> Attempt {
        if self.wire.is_none() {
            match timeout_at(until, Wire::dial(self.targets[self.at].address)).await {
                Ok(Ok(wire)) => self.wire = Some(wire),
                Ok(Err(error)) => {
                    return Attempt::Unsent(Reason::new("refused", format!("cannot connect: {error}")));
                }
                Err(_) => return Attempt::Unsent(Reason::new("timeout", "no connection in time")),
            }
        }
        let Some(wire) = &mut self.wire else {
            return Attempt::Unsent(Reason::new("refused", "not connected"));
        };
        let answer = timeout_at(until, wire.ask(self.cluster, request)).await;
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
}
