//! Requests that a follower sends on to the leader, and the answers that come back.

use super::{ClientToken, Origin, Service};
use crate::kv::{
    ClientReply, ClientRequest, ClientResult, Command, DefiniteError, OpResult, Reply, TxnOp, TxnOutcome,
    UnknownReason,
};
use crate::paxos::{Ballot, Message, NodeId, Slot};
use bytes::Bytes;

/// Requests that may be under way to the leader.
pub const FORWARDED_MAX: usize = 4096;
/// A forwarded request is given up after this many election timeouts: by then its leader has
/// answered or is gone.
const FORWARD_ELECTION_TIMEOUTS: u64 = 8;

/// One that is under way.
#[derive(Debug)]
pub(super) struct Forwarded {
    origin: Origin,
    read_only: bool,
    leader: Ballot,
    give_up_at: u64,
}

impl Service {
    /// This node follows: the leader decides, and the client gets its answer from here.
    pub(super) fn forward(&mut self, mut origin: Origin, leader: Ballot, command: Command) {
        if self.forwarded.len() >= FORWARDED_MAX {
            self.refuse(origin, &command, DefiniteError::Overloaded);
            return;
        }
        self.departed.note(&command);
        if crate::mutant!(ForwardedOpDroppedAcked)
            && let Command::Execute { txn, .. } = &command
            && txn.ops.iter().all(|op| matches!(op, TxnOp::Put { .. } | TxnOp::Append { .. }))
        {
            let done = TxnOutcome::Done(vec![OpResult::Done; txn.ops.len()]);
            self.answer(origin, self.kv.applied().slot, ClientResult::Reply(Reply::Outcome(done)));
            origin = Origin::Client { client: ClientToken(u64::MAX), id: 0 };
        }
        let token = self.take_token();
        let give_up_at = self.now + FORWARD_ELECTION_TIMEOUTS * self.config.timing.election_ticks_max;
        let read_only = command.is_read_only();
        self.forwarded.insert(token, Forwarded { origin, read_only, leader, give_up_at });
        let request = ClientRequest { id: token, command, local: false }.encode();
        self.send(leader.node, Message::Forward { token, request });
    }

    pub(super) fn on_forward(&mut self, from: NodeId, token: u64, request: Bytes) {
        self.settle_leadership();
        let origin = Origin::Peer { node: from, token };
        match ClientRequest::decode(request) {
            Ok(request) => self.accept_request(origin, request.command),
            Err(_) => self.answer(origin, Slot::ZERO, ClientResult::Failed(DefiniteError::Malformed)),
        }
    }

    pub(super) fn on_forward_reply(&mut self, from: NodeId, token: u64, reply: Bytes) {
        if self.forwarded.get(&token).is_none_or(|forwarded| forwarded.leader.node != from) {
            return;
        }
        let Some(forwarded) = self.forwarded.remove(&token) else { return };
        match ClientReply::decode(reply) {
            // The leader refused *this copy*; the network may have shown it another one before.
            Ok(ClientReply { result: ClientResult::Failed(_), .. }) | Err(_) if !forwarded.read_only => {
                let unknown = ClientResult::Unknown(UnknownReason::Refused);
                self.answer(forwarded.origin, Slot::ZERO, unknown);
            }
            Ok(reply) => self.answer(forwarded.origin, reply.slot, reply.result),
            Err(_) => self.give_up(&forwarded, UnknownReason::ForwardLost),
        }
    }

    /// What its leader had time to answer is lost, and so is what was sent to one who leads no more.
    pub(super) fn give_up_forwards(&mut self) {
        let leader = self.replica.leader();
        let now = self.now;
        let lost: Vec<u64> = self
            .forwarded
            .iter()
            .filter(|(_, forwarded)| leader != Some(forwarded.leader) || now >= forwarded.give_up_at)
            .map(|(token, _)| *token)
            .collect();
        for token in lost {
            let Some(forwarded) = self.forwarded.remove(&token) else { continue };
            let changed = leader != Some(forwarded.leader);
            let reason = if changed { UnknownReason::LeaderChanged } else { UnknownReason::ForwardLost };
            self.give_up(&forwarded, reason);
        }
    }

    /// Nothing will come back any more.
    pub(super) fn give_up_all_forwards(&mut self, reason: UnknownReason) {
        for (_, forwarded) in std::mem::take(&mut self.forwarded) {
            self.give_up(&forwarded, reason);
        }
    }

    /// Nobody waits for what this client asked.
    pub(super) fn forget_forwards(&mut self, client: ClientToken) {
        let gone =
            |origin: &Origin| matches!(origin, Origin::Client { client: other, .. } if *other == client);
        self.forwarded.retain(|_, forwarded| !gone(&forwarded.origin));
    }

    fn give_up(&mut self, forwarded: &Forwarded, reason: UnknownReason) {
        let result = match forwarded.read_only {
            true => ClientResult::Failed(DefiniteError::NoLeader),
            false => ClientResult::Unknown(reason),
        };
        self.answer(forwarded.origin, Slot::ZERO, result);
    }
}
