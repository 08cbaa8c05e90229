//! What waits for slots, put into as few as possible, and the stamp that it gets.

use super::{ClientToken, InFlight, Origin, Service};
use crate::kv::{Batch, ClientResult, Command, OpResult, Reply, TxnOp, TxnOutcome};
use crate::paxos::Value;

impl Service {
    /// Everything that waits goes into as few slots as possible.
    pub(super) fn propose_queued(&mut self) {
        while !self.queue.is_empty() && self.replica.can_propose() {
            let (commands, mut origins) = self.queue.take_batch();
            for command in &commands {
                self.departed.note(command);
            }
            let batch = Batch { time_ms: self.stamp(), commands };
            let value = Value::Batch(batch.encode());
            let Some(slot) = self.replica.propose(value.clone()) else { unreachable!("asked before") };
            if crate::mutant!(ReplyOnAccept) {
                for (command, origin) in batch.commands.iter().zip(&mut origins) {
                    let Command::Execute { txn, .. } = command else { continue };
                    if txn.ops.iter().all(|op| matches!(op, TxnOp::Put { .. } | TxnOp::Append { .. })) {
                        let done = TxnOutcome::Done(vec![OpResult::Done; txn.ops.len()]);
                        self.answer(*origin, slot, ClientResult::Reply(Reply::Outcome(done)));
                        *origin = Origin::Client { client: ClientToken(u64::MAX), id: 0 };
                    }
                }
            }
            self.in_flight.insert(slot, InFlight { value, origins });
        }
    }

    /// Cluster time: goes on from what was applied when this node began to lead.
    fn stamp(&mut self) -> u64 {
        let applied_ms = self.kv.now_ms();
        let (tick, time_ms) = *self.stamp_base.get_or_insert((self.now, applied_ms));
        let stamp = time_ms + (self.now - tick) * self.config.tick_ms;
        if stamp < applied_ms {
            // What the take-over brought was stamped later than what had been applied here.
            self.stamp_base = Some((self.now, applied_ms));
        }
        stamp.max(applied_ms)
    }
}
