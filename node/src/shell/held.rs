//! Messages that wait for the disk: the last step of "write to disk prior to sending ACK".

use crate::paxos::{Lsn, Send};
use std::collections::BTreeMap;

/// More than this many waiting means a disk that has stalled for long; later ones are dropped,
/// which the protocol takes for a lossy network.
const HELD_MAX: usize = 1 << 16;

/// The messages held back, by the log position that lets them go.
#[derive(Debug, Default)]
pub(super) struct Held {
    durable: Lsn,
    waiting: BTreeMap<Lsn, Vec<Send>>,
    count: usize,
    dropped: u64,
}

impl Held {
    /// Nothing held; the log is durable up to `durable`.
    pub(super) fn new(durable: Lsn) -> Held {
        Held { durable, ..Held::default() }
    }

    /// A message to send: it comes back if it may leave at once.
    pub(super) fn admit(&mut self, send: Send) -> Option<Send> {
        if send.after <= self.durable {
            return Some(send);
        }
        if self.count >= HELD_MAX {
            self.dropped += 1;
            return None;
        }
        self.count += 1;
        self.waiting.entry(send.after).or_default().push(send);
        None
    }

    /// The log is durable up to `lsn`: the messages that may leave now, in their order.
    pub(super) fn release(&mut self, lsn: Lsn) -> impl Iterator<Item = Send> + use<> {
        assert!(lsn >= self.durable, "the log became less durable: {} after {}", lsn, self.durable);
        self.durable = lsn;
        let later = self.waiting.split_off(&Lsn(lsn.0 + 1));
        let released = std::mem::replace(&mut self.waiting, later);
        self.count -= released.values().map(Vec::len).sum::<usize>();
        released.into_values().flatten()
    }

    /// How far the log is durable.
    pub(super) fn durable(&self) -> Lsn {
        self.durable
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// How many were dropped because too many waited.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paxos::{Message, NodeId, Slot};

    fn send(after: u64, mark: u64) -> Send {
        Send { to: NodeId(2), message: Message::LearnRequest { from: Slot(mark) }, after: Lsn(after) }
    }

    fn marks(sends: impl Iterator<Item = Send>) -> Vec<u64> {
        sends
            .map(|send| match send.message {
                Message::LearnRequest { from } => from.0,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn nothing_leaves_before_its_record_is_durable() {
        let mut held = Held::new(Lsn(5));
        assert!(held.admit(send(5, 1)).is_some(), "durable already");
        assert!(held.admit(send(7, 2)).is_none());
        assert!(held.admit(send(6, 3)).is_none());
        assert!(held.admit(send(7, 4)).is_none());
        assert_eq!(marks(held.release(Lsn(6))), [3]);
        assert_eq!(held.len(), 2);
        assert_eq!(marks(held.release(Lsn(6))), [] as [u64; 0]);
        assert_eq!(marks(held.release(Lsn(9))), [2, 4]);
        assert_eq!((held.len(), held.durable(), held.dropped()), (0, Lsn(9), 0));
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut held = Held::new(Lsn::ZERO);
        for _ in 0..HELD_MAX + 3 {
            assert!(held.admit(send(1, 0)).is_none());
        }
        assert_eq!((held.len(), held.dropped()), (HELD_MAX, 3));
        assert!(held.admit(send(0, 0)).is_some(), "what need not wait is not held up");
    }
}
