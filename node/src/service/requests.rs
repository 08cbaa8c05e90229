//! A request that came in: served here, sent on to the leader, or refused.

use super::{Origin, ReadMode, Service};
use crate::kv::{
    ClientResult, Command, DefiniteError, OpResult, Reply, Txn, TxnOp, TxnOutcome, UnknownReason,
};
use crate::paxos::{RoleName, Slot};

impl Service {
    pub(super) fn accept_request(&mut self, origin: Origin, command: Command) {
        if crate::mutant!(FollowerReadLocal)
            && let Command::Execute { txn, .. } = &command
            && txn.is_read_only()
        {
            let outcome = Reply::Outcome(self.kv.read(txn));
            self.answer(origin, self.kv.applied().slot, ClientResult::Reply(outcome));
            return;
        }
        if self.replica.role() == RoleName::Leader {
            self.serve(origin, command);
            return;
        }
        let leader = self.replica.leader();
        match (origin, leader) {
            (Origin::Client { .. }, Some(leader)) => self.forward(origin, leader, command),
            // Forwarded once is enough: two nodes may take each other for the leader.
            (Origin::Peer { .. }, _) => {
                let hint = leader.map(|ballot| ballot.node);
                self.refuse(origin, &command, DefiniteError::NotLeader { hint });
            }
            (Origin::Client { .. }, None) => self.refuse(origin, &command, DefiniteError::NoLeader),
        }
    }

    /// This node leads: reads wait for a barrier, updates for a slot.
    fn serve(&mut self, origin: Origin, mut command: Command) {
        if self.config.reads != ReadMode::Log
            && let Command::Execute { txn, .. } = &command
            && txn.is_read_only()
        {
            self.serve_read(origin, txn.clone());
            return;
        }
        if crate::mutant!(CasAtPropose)
            && let Command::Execute { txn, .. } = &mut command
            && let [TxnOp::Cas { key, expect, value }] = txn.ops.as_slice()
        {
            let now = self.kv.read(&Txn { ops: vec![TxnOp::Get { key: key.clone() }] });
            if now == TxnOutcome::Done(vec![OpResult::Value(expect.clone())]) {
                txn.ops = vec![TxnOp::Put { key: key.clone(), value: value.clone() }];
            }
        }
        if !self.has_room {
            self.refuse(origin, &command, DefiniteError::Overloaded);
            return;
        }
        if let Err((command, error)) = self.queue.push(origin, command) {
            self.refuse(origin, &command, error);
        }
    }

    /// Says that a command did not happen, if that is certain.
    pub(super) fn refuse(&mut self, origin: Origin, command: &Command, error: DefiniteError) {
        let result = match self.departed.may_have_left(command) {
            true => ClientResult::Unknown(UnknownReason::Refused),
            false => ClientResult::Failed(error),
        };
        self.answer(origin, Slot::ZERO, result);
    }
}
