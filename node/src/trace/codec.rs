//! Events as bytes: a byte for the kind, then the fields in their order, every number as a varint
//! (seven bits to a byte, lowest first) but values and hashes, which fill all their eight bytes.

use super::event::{Entry, Event, Holding, Report, Said, ValueId};
use crate::paxos::{AppliedHash, Ballot, Lsn, NodeId, NodeSet, Slot};

/// Adds one event to `out`.
pub(super) fn encode(event: &Event, out: &mut Vec<u8>) {
    match event {
        Event::Started { node, nodes, pid, incarnation } => {
            out.push(1);
            node_id(*node, out);
            node_set(*nodes, out);
            number(u64::from(*pid), out);
            number(*incarnation, out);
        }
        Event::Recovered { records, promised, holding, chosen_upto, applied } => {
            out.push(2);
            number(records.0, out);
            ballot(*promised, out);
            number(holding.slots, out);
            whole(holding.digest, out);
            number(chosen_upto.0, out);
            applied_hash(*applied, out);
        }
        Event::Received { from, said } => {
            out.push(3);
            node_id(*from, out);
            say(said, out);
        }
        Event::Asked { client, id } => {
            out.push(4);
            number(*client, out);
            number(*id, out);
        }
        Event::Durable(lsn) => {
            out.push(5);
            number(lsn.0, out);
        }
        Event::Wrote { lsn, entry } => {
            out.push(6);
            number(lsn.0, out);
            enter(entry, out);
        }
        Event::Chosen { slot, value } => {
            out.push(7);
            number(slot.0, out);
            whole(value.0, out);
        }
        Event::Applied(applied) => {
            out.push(8);
            applied_hash(*applied, out);
        }
        Event::Sent { to, after, said } => {
            out.push(9);
            node_set(*to, out);
            number(after.0, out);
            say(said, out);
        }
        Event::Restored(applied) => {
            out.push(11);
            applied_hash(*applied, out);
        }
        Event::Governs { from, voters } => {
            out.push(14);
            number(from.0, out);
            node_set(*voters, out);
        }
        Event::Saved(slot) => {
            out.push(12);
            number(slot.0, out);
        }
        Event::Installed(applied) => {
            out.push(13);
            applied_hash(*applied, out);
        }
        Event::Replied { client, id, slot } => {
            out.push(10);
            number(*client, out);
            number(*id, out);
            number(slot.0, out);
        }
    }
}

fn enter(entry: &Entry, out: &mut Vec<u8>) {
    let mut voted = |kind: u8, slot: Slot, in_ballot: Ballot, value: ValueId| {
        out.push(kind);
        number(slot.0, out);
        ballot(in_ballot, out);
        whole(value.0, out);
    };
    match *entry {
        Entry::Accepted { slot, ballot, value } => voted(3, slot, ballot, value),
        Entry::Learned { slot, ballot, value } => voted(4, slot, ballot, value),
        Entry::Kept { slot, ballot, value } => voted(7, slot, ballot, value),
        Entry::Checkpoint { slot, promised } => {
            out.push(6);
            number(slot.0, out);
            ballot(promised, out);
        }
        Entry::Founding => out.push(8),
        Entry::BallotUsed(used) => {
            out.push(1);
            ballot(used, out);
        }
        Entry::Promised(promised) => {
            out.push(2);
            ballot(promised, out);
        }
        Entry::ChosenUpto(slot) => {
            out.push(5);
            number(slot.0, out);
        }
    }
}

fn say(said: &Said, out: &mut Vec<u8>) {
    match said {
        Said::Prepare { ballot: asked, from } => {
            out.push(1);
            ballot(*asked, out);
            number(from.0, out);
        }
        Said::Promise { ballot: promised, from, slots, next, trimmed } => {
            // One over a trimmed range is a kind of its own: an old reader must not take it for
            // one that tells all.
            out.push(if *trimmed > Slot::ZERO { 8 } else { 2 });
            ballot(*promised, out);
            number(from.0, out);
            reports(slots, out);
            // A next chunk never starts at 0.
            number(next.map_or(0, |next| next.0), out);
            if *trimmed > Slot::ZERO {
                number(trimmed.0, out);
            }
        }
        Said::Accept { ballot: leads, slot, value, chosen_upto } => {
            out.push(3);
            ballot(*leads, out);
            number(slot.0, out);
            whole(value.0, out);
            number(chosen_upto.0, out);
        }
        Said::Accepted { ballot: accepted, slot } => {
            out.push(4);
            ballot(*accepted, out);
            number(slot.0, out);
        }
        Said::Reject { ballot: refused, promised } => {
            out.push(5);
            ballot(*refused, out);
            ballot(*promised, out);
        }
        Said::Heartbeat { ballot: leads, chosen_upto } => {
            out.push(6);
            ballot(*leads, out);
            number(chosen_upto.0, out);
        }
        Said::LearnReply { slots } => {
            out.push(7);
            reports(slots, out);
        }
    }
}

fn reports(reports: &[Report], out: &mut Vec<u8>) {
    number(reports.len() as u64, out);
    for report in reports {
        number(report.slot.0, out);
        ballot(report.ballot, out);
        whole(report.value.0, out);
        out.push(u8::from(report.learned));
    }
}

fn number(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn whole(value: u64, out: &mut Vec<u8>) {
    out.extend(value.to_le_bytes());
}

fn node_id(node: NodeId, out: &mut Vec<u8>) {
    number(u64::from(node.0), out);
}

fn node_set(nodes: NodeSet, out: &mut Vec<u8>) {
    number(nodes.iter().fold(0, |bits, node| bits | 1 << node.0), out);
}

fn ballot(ballot: Ballot, out: &mut Vec<u8>) {
    number(ballot.round, out);
    node_id(ballot.node, out);
}

fn applied_hash(applied: AppliedHash, out: &mut Vec<u8>) {
    number(applied.slot.0, out);
    whole(applied.hash, out);
}

/// Takes one event off the front of `bytes`; `None` if none is there.
pub(super) fn decode(bytes: &mut &[u8]) -> Option<Event> {
    let mut read = Read { bytes };
    Some(match read.byte()? {
        1 => Event::Started {
            node: read.node()?,
            nodes: read.nodes()?,
            pid: u32::try_from(read.number()?).ok()?,
            incarnation: read.number()?,
        },
        2 => Event::Recovered {
            records: Lsn(read.number()?),
            promised: read.ballot()?,
            holding: Holding { slots: read.number()?, digest: read.whole()? },
            chosen_upto: read.slot()?,
            applied: read.applied()?,
        },
        3 => Event::Received { from: read.node()?, said: read.said()? },
        4 => Event::Asked { client: read.number()?, id: read.number()? },
        5 => Event::Durable(Lsn(read.number()?)),
        6 => Event::Wrote { lsn: Lsn(read.number()?), entry: read.entry()? },
        7 => Event::Chosen { slot: read.slot()?, value: read.value()? },
        8 => Event::Applied(read.applied()?),
        9 => Event::Sent { to: read.nodes()?, after: Lsn(read.number()?), said: read.said()? },
        10 => Event::Replied { client: read.number()?, id: read.number()?, slot: read.slot()? },
        11 => Event::Restored(read.applied()?),
        12 => Event::Saved(read.slot()?),
        13 => Event::Installed(read.applied()?),
        14 => Event::Governs { from: read.slot()?, voters: read.nodes()? },
        _ => return None,
    })
}

struct Read<'a, 'b> {
    bytes: &'a mut &'b [u8],
}

impl Read<'_, '_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        *self.bytes = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if bits << shift >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn whole(&mut self) -> Option<u64> {
        let (first, rest) = self.bytes.split_first_chunk::<8>()?;
        *self.bytes = rest;
        Some(u64::from_le_bytes(*first))
    }

    fn slot(&mut self) -> Option<Slot> {
        self.number().map(Slot)
    }

    fn value(&mut self) -> Option<ValueId> {
        self.whole().map(ValueId)
    }

    fn node(&mut self) -> Option<NodeId> {
        let id = u16::try_from(self.number()?).ok()?;
        (id <= NodeId::MAX.0).then_some(NodeId(id))
    }

    fn nodes(&mut self) -> Option<NodeSet> {
        let bits = self.number()?;
        let nodes: NodeSet = (1..=NodeId::MAX.0).filter(|id| bits & 1 << id != 0).map(NodeId).collect();
        (bits < 1 << (NodeId::MAX.0 + 1) && bits & 1 == 0).then_some(nodes)
    }

    fn ballot(&mut self) -> Option<Ballot> {
        Some(Ballot { round: self.number()?, node: self.node()? })
    }

    fn applied(&mut self) -> Option<AppliedHash> {
        Some(AppliedHash { slot: self.slot()?, hash: self.whole()? })
    }

    fn entry(&mut self) -> Option<Entry> {
        Some(match self.byte()? {
            1 => Entry::BallotUsed(self.ballot()?),
            2 => Entry::Promised(self.ballot()?),
            3 => Entry::Accepted { slot: self.slot()?, ballot: self.ballot()?, value: self.value()? },
            4 => Entry::Learned { slot: self.slot()?, ballot: self.ballot()?, value: self.value()? },
            5 => Entry::ChosenUpto(self.slot()?),
            6 => Entry::Checkpoint { slot: self.slot()?, promised: self.ballot()? },
            7 => Entry::Kept { slot: self.slot()?, ballot: self.ballot()?, value: self.value()? },
            8 => Entry::Founding,
            _ => return None,
        })
    }

    fn said(&mut self) -> Option<Said> {
        Some(match self.byte()? {
            1 => Said::Prepare { ballot: self.ballot()?, from: self.slot()? },
            2 => self.promise(false)?,
            8 => self.promise(true)?,
            3 => Said::Accept {
                ballot: self.ballot()?,
                slot: self.slot()?,
                value: self.value()?,
                chosen_upto: self.slot()?,
            },
            4 => Said::Accepted { ballot: self.ballot()?, slot: self.slot()? },
            5 => Said::Reject { ballot: self.ballot()?, promised: self.ballot()? },
            6 => Said::Heartbeat { ballot: self.ballot()?, chosen_upto: self.slot()? },
            7 => Said::LearnReply { slots: self.reports()? },
            _ => return None,
        })
    }

    fn promise(&mut self, over_trimmed: bool) -> Option<Said> {
        let (ballot, from, slots) = (self.ballot()?, self.slot()?, self.reports()?);
        let next = Some(self.slot()?).filter(|next| *next > Slot::ZERO);
        let trimmed = if over_trimmed { self.slot()? } else { Slot::ZERO };
        let is_canonical = over_trimmed == (trimmed > Slot::ZERO);
        is_canonical.then_some(Said::Promise { ballot, from, slots, next, trimmed })
    }

    fn reports(&mut self) -> Option<Vec<Report>> {
        let count = self.number()?;
        // Grows with what is there, not with what is claimed.
        let mut reports = Vec::new();
        for _ in 0..count {
            let (slot, ballot, value) = (self.slot()?, self.ballot()?, self.value()?);
            let learned = match self.byte()? {
                0 => false,
                1 => true,
                _ => return None,
            };
            reports.push(Report { slot, ballot, value, learned });
        }
        Some(reports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(event: &Event) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(event, &mut bytes);
        bytes
    }

    #[test]
    fn golden_bytes() {
        let ballot = Ballot { round: 300, node: NodeId(2) };
        let value = ValueId(0x0102_0304_0506_0708);
        let accepted = Entry::Accepted { slot: Slot(7), ballot, value };
        assert_eq!(
            bytes(&Event::Wrote { lsn: Lsn(5), entry: accepted }),
            [6, 5, 3, 7, 0xac, 2, 2, 8, 7, 6, 5, 4, 3, 2, 1]
        );
        let to = [NodeId(1), NodeId(3)].into_iter().collect();
        let slots = vec![Report { slot: Slot(9), ballot, value: ValueId::NOOP, learned: true }];
        let promise =
            |trimmed| Said::Promise { ballot, from: Slot(9), slots: slots.clone(), next: None, trimmed };
        assert_eq!(
            bytes(&Event::Sent { to, after: Lsn(128), said: promise(Slot::ZERO) }),
            [9, 0b1010, 0x80, 1, 2, 0xac, 2, 2, 9, 1, 9, 0xac, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]
        );
        assert_eq!(
            bytes(&Event::Sent { to, after: Lsn(128), said: promise(Slot(8)) }),
            [9, 0b1010, 0x80, 1, 8, 0xac, 2, 2, 9, 1, 9, 0xac, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 8]
        );
        assert_eq!(bytes(&Event::Saved(Slot(7))), [12, 7]);
        assert_eq!(bytes(&Event::Governs { from: Slot(128), voters: to }), [14, 0x80, 1, 0b1010]);
        assert_eq!(bytes(&Event::Wrote { lsn: Lsn(5), entry: Entry::Founding }), [6, 5, 8]);
        let kept = Entry::Kept { slot: Slot(7), ballot, value };
        assert_eq!(
            bytes(&Event::Wrote { lsn: Lsn(5), entry: kept }),
            [6, 5, 7, 7, 0xac, 2, 2, 8, 7, 6, 5, 4, 3, 2, 1]
        );
        let checkpoint = Entry::Checkpoint { slot: Slot(7), promised: ballot };
        assert_eq!(bytes(&Event::Wrote { lsn: Lsn(5), entry: checkpoint }), [6, 5, 6, 7, 0xac, 2, 2]);
    }

    #[test]
    fn a_number_fills_64_bits_and_no_more() {
        for value in [0, 127, 128, u64::from(u32::MAX), u64::MAX] {
            let event = Event::Durable(Lsn(value));
            assert_eq!(decode(&mut &bytes(&event)[..]), Some(event));
        }
        let mut beyond = vec![5];
        beyond.extend([0xff; 9]);
        beyond.push(2);
        assert_eq!(decode(&mut &beyond[..]), None);
    }

    #[test]
    fn a_count_beyond_the_bytes_is_refused_whatever_it_claims() {
        let mut claims = vec![3, 1, 7];
        number(u64::MAX, &mut claims);
        assert_eq!(decode(&mut &claims[..]), None);
    }
}
