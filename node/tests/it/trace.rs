//! The event trace's bytes: what goes in comes out, what is cut is cut, what is damaged is refused.

use paxos_node::paxos::{AppliedHash, Ballot, Lsn, NodeId, NodeSet, Slot};
use paxos_node::trace::{Entry, Event, Frame, Frames, Holding, Report, Said, ValueId, intact_bytes};
use proptest::prelude::*;

/// Numbers of every length.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0u32..64).prop_map(|(bits, shift)| bits >> shift)
}

fn slot() -> impl Strategy<Value = Slot> {
    number().prop_map(Slot)
}

fn node() -> impl Strategy<Value = NodeId> {
    (0..=NodeId::MAX.0).prop_map(NodeId)
}

fn nodes() -> impl Strategy<Value = NodeSet> {
    prop::collection::vec((1..=NodeId::MAX.0).prop_map(NodeId), 0..5)
        .prop_map(|nodes| nodes.into_iter().collect())
}

fn ballot() -> impl Strategy<Value = Ballot> {
    (number(), node()).prop_map(|(round, node)| Ballot { round, node })
}

fn value() -> impl Strategy<Value = ValueId> {
    prop_oneof![Just(ValueId::NOOP), any::<u64>().prop_map(ValueId)]
}

fn applied() -> impl Strategy<Value = AppliedHash> {
    (slot(), any::<u64>()).prop_map(|(slot, hash)| AppliedHash { slot, hash })
}

fn entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        ballot().prop_map(Entry::BallotUsed),
        ballot().prop_map(Entry::Promised),
        (slot(), ballot(), value()).prop_map(|(slot, ballot, value)| Entry::Accepted { slot, ballot, value }),
        (slot(), ballot(), value()).prop_map(|(slot, ballot, value)| Entry::Learned { slot, ballot, value }),
        slot().prop_map(Entry::ChosenUpto),
        (slot(), ballot()).prop_map(|(slot, promised)| Entry::Checkpoint { slot, promised }),
        (slot(), ballot(), value()).prop_map(|(slot, ballot, value)| Entry::Kept { slot, ballot, value }),
        Just(Entry::Founding),
    ]
}

fn reports() -> impl Strategy<Value = Vec<Report>> {
    let report = (slot(), ballot(), value(), any::<bool>())
        .prop_map(|(slot, ballot, value, learned)| Report { slot, ballot, value, learned });
    prop::collection::vec(report, 0..6)
}

fn said() -> impl Strategy<Value = Said> {
    let next = prop::option::of(1..u64::MAX).prop_map(|next| next.map(Slot));
    prop_oneof![
        (ballot(), slot()).prop_map(|(ballot, from)| Said::Prepare { ballot, from }),
        (ballot(), slot(), reports(), next, slot()).prop_map(|(ballot, from, slots, next, trimmed)| {
            Said::Promise { ballot, from, slots, next, trimmed }
        }),
        (ballot(), slot(), value(), slot()).prop_map(|(ballot, slot, value, chosen_upto)| Said::Accept {
            ballot,
            slot,
            value,
            chosen_upto
        }),
        (ballot(), slot()).prop_map(|(ballot, slot)| Said::Accepted { ballot, slot }),
        (ballot(), ballot()).prop_map(|(ballot, promised)| Said::Reject { ballot, promised }),
        (ballot(), slot()).prop_map(|(ballot, chosen_upto)| Said::Heartbeat { ballot, chosen_upto }),
        reports().prop_map(|slots| Said::LearnReply { slots }),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let recovered = (number(), ballot(), (number(), any::<u64>()), slot(), applied());
    prop_oneof![
        (node(), nodes(), any::<u32>(), number())
            .prop_map(|(node, nodes, pid, incarnation)| Event::Started { node, nodes, pid, incarnation }),
        recovered.prop_map(|(records, promised, (slots, digest), chosen_upto, applied)| Event::Recovered {
            records: Lsn(records),
            promised,
            holding: Holding { slots, digest },
            chosen_upto,
            applied
        }),
        (node(), said()).prop_map(|(from, said)| Event::Received { from, said }),
        (number(), number()).prop_map(|(client, id)| Event::Asked { client, id }),
        number().prop_map(|lsn| Event::Durable(Lsn(lsn))),
        (number(), entry()).prop_map(|(lsn, entry)| Event::Wrote { lsn: Lsn(lsn), entry }),
        (slot(), value()).prop_map(|(slot, value)| Event::Chosen { slot, value }),
        applied().prop_map(Event::Applied),
        applied().prop_map(Event::Restored),
        applied().prop_map(Event::Installed),
        slot().prop_map(Event::Saved),
        (slot(), nodes()).prop_map(|(from, voters)| Event::Governs { from, voters }),
        (nodes(), number(), said()).prop_map(|(to, after, said)| Event::Sent { to, after: Lsn(after), said }),
        (number(), number(), slot()).prop_map(|(client, id, slot)| Event::Replied { client, id, slot }),
    ]
}

/// Turns one after the other, each where it stands.
fn frames() -> impl Strategy<Value = Vec<Frame>> {
    let turn = (any::<u64>(), any::<u64>(), prop::collection::vec(event(), 1..5));
    prop::collection::vec(turn, 0..5).prop_map(|turns| {
        let mut offset = 0;
        let frame = |(began_ns, written_ns, events)| {
            let frame = Frame { offset, began_ns, written_ns, events };
            offset += frame.encode().len() as u64;
            frame
        };
        turns.into_iter().map(frame).collect()
    })
}

fn bytes(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::encode).collect()
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(frames in frames()) {
        let bytes = bytes(&frames);
        let read: Result<Vec<Frame>, _> = Frames::new(&bytes).collect();
        prop_assert_eq!(read.as_ref(), Ok(&frames));
        prop_assert_eq!(intact_bytes(&bytes), Ok(bytes.len() as u64));
    }

    /// Whole frames before the cut stay; the one that is cut is gone, and that is known.
    #[test]
    fn a_tail_torn_at_any_byte_costs_one_frame(frames in frames()) {
        let bytes = bytes(&frames);
        for cut in 0..bytes.len() {
            let whole = frames.iter().take_while(|frame| frame.offset as usize + frame.encode().len() <= cut);
            let whole: Vec<Frame> = whole.cloned().collect();
            let end: u64 = whole.last().map_or(0, |frame| frame.offset + frame.encode().len() as u64);
            let mut reader = Frames::new(&bytes[..cut]);
            let read: Result<Vec<Frame>, _> = reader.by_ref().collect();
            prop_assert_eq!(read, Ok(whole));
            prop_assert_eq!(reader.is_torn(), end < cut as u64);
            prop_assert_eq!(intact_bytes(&bytes[..cut]), Ok(end));
        }
    }

    /// A changed bit is damage, told with its frame's place; nothing before it is lost. Only where
    /// it makes the last frame look longer than the file can't be told from a tail torn off.
    #[test]
    fn a_changed_bit_is_found(frames in frames(), place in any::<prop::sample::Index>(), bit in 0u32..8) {
        let mut bytes = bytes(&frames);
        prop_assume!(!bytes.is_empty());
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let damaged = frames.iter().rfind(|frame| frame.offset <= at as u64).map_or(0, |frame| frame.offset);
        let read: Vec<_> = Frames::new(&bytes).collect();
        let Some(Err(damage)) = read.last() else { panic!("byte {at} was not missed: {read:?}") };
        prop_assert_eq!(damage.offset, damaged);
        prop_assert_eq!(read.len() - 1, frames.iter().filter(|frame| frame.offset < damaged).count());
        prop_assert!(intact_bytes(&bytes).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Frames::new(&bytes).count();
        let _ = intact_bytes(&bytes);
    }
}

#[test]
fn a_trace_of_another_version_says_so() {
    let frame = Frame { offset: 0, began_ns: 1, written_ns: 2, events: vec![Event::Durable(Lsn(3))] };
    let mut bytes = frame.encode();
    bytes[3] = 2;
    let damage = Frames::new(&bytes).next().unwrap().unwrap_err();
    assert_eq!(damage.to_string(), "byte 0: this is a trace of version 2, and this program reads version 1");
}
