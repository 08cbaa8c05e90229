//! Frames: their exact bytes, that they come back as they were, and that nothing else passes.

use bytes::{Bytes, BytesMut};
use paxos_node::kv::{
    ClientReply, ClientRequest, ClientResult, Command, DefiniteError, OpResult, Reply, RequestId, SessionId,
    Txn, TxnOp, TxnOutcome,
};
use paxos_node::paxos::{
    AppliedHash, Ballot, Configuration, Message, NodeId, Slot, SlotReport, Stage, Value,
};
use paxos_node::wire::frame::{HEADER_BYTES, PREFIX_BYTES};
use paxos_node::wire::peer::{Envelope, Hello, PROTOCOL};
use paxos_node::wire::{
    Frame, FrameError, FrameReader, Header, Kind, MAX_FRAME_BYTES, ReadError, client, peer,
};
use proptest::prelude::*;
use std::fmt::Write as _;
use std::sync::Arc;
use tokio_util::codec::Decoder as _;

const CLUSTER: u64 = 77;
const ENVELOPE: Envelope =
    Envelope { cluster: CLUSTER, from: NodeId(1), to: NodeId(2), message_id: 0x0102_0304_0506_0708 };

/// A message as a frame with its length prefix.
fn encoded(message: &Message) -> Vec<u8> {
    let mut out = BytesMut::new();
    peer::encode(&mut out, ENVELOPE, message).unwrap();
    out.to_vec()
}

/// What a node makes of bytes that it read from a connection.
fn read(bytes: &[u8]) -> Result<Option<Message>, ReadError> {
    let mut bytes = BytesMut::from(bytes);
    match FrameReader::new().decode_eof(&mut bytes)? {
        Some(frame) => Ok(Some(peer::decode(&frame.of_cluster(CLUSTER)?)?)),
        None => Ok(None),
    }
}

fn refusal(bytes: &[u8]) -> FrameError {
    match read(bytes) {
        Err(ReadError::Frame(error)) => error,
        other => panic!("must be refused: {other:?}"),
    }
}

fn batch(bytes: &'static [u8]) -> Value {
    Value::Batch(Bytes::from_static(bytes))
}

fn ballot(round: u64, node: u16) -> Ballot {
    Ballot { round, node: NodeId(node) }
}

/// One message of each kind, with every field set to something that shows.
fn one_of_each() -> Vec<Message> {
    let report = |slot, learned, value| SlotReport { slot: Slot(slot), ballot: ballot(3, 2), value, learned };
    let applied = AppliedHash { slot: Slot(9), hash: 0xfeed };
    vec![
        Message::Prepare { ballot: ballot(4, 1), from: Slot(135) },
        Message::Promise {
            ballot: ballot(4, 1),
            from: Slot(135),
            slots: vec![report(135, true, batch(b"x")), report(138, false, Value::Noop)],
            next: Some(Slot(139)),
            trimmed: Slot::ZERO,
        },
        Message::Accept {
            ballot: ballot(4, 1),
            slot: Slot(135),
            value: batch(b"abc"),
            chosen_upto: Slot(134),
        },
        Message::Accepted { ballot: ballot(4, 1), slot: Slot(135) },
        Message::Reject { ballot: ballot(4, 1), promised: ballot(5, 3) },
        Message::Heartbeat { ballot: ballot(4, 1), chosen_upto: Slot(134), read_seq: 6, applied },
        Message::HeartbeatAck {
            ballot: ballot(4, 1),
            read_seq: 6,
            chosen_upto: Slot(134),
            lease_us: 0,
            applied,
        },
        Message::LearnRequest { from: Slot(135) },
        Message::LearnReply { slots: vec![report(135, true, batch(b"y"))], chosen_upto: Slot(140) },
        Message::Forward { token: 11, request: Bytes::from_static(b"ask") },
        Message::ForwardReply { token: 11, reply: Bytes::from_static(b"say") },
        Message::SnapshotOffer { slot: Slot(120) },
        Message::SnapshotRequest { slot: Slot(120), part: 7 },
        Message::SnapshotPart { slot: Slot(120), part: 7, bytes: Bytes::from_static(b"part") },
        Message::PreVote { ballot: ballot(5, 1) },
        Message::PreVoteReply { ballot: ballot(5, 1), promised: ballot(4, 3), granted: true },
        Message::Promise {
            ballot: ballot(4, 1),
            from: Slot(100),
            slots: vec![report(121, false, batch(b"x"))],
            next: None,
            trimmed: Slot(120),
        },
        Message::Meet { stage: Stage::Fresh },
        Message::Meet { stage: Stage::Pledged(Arc::new(Configuration::of(&[NodeId(1), NodeId(2)]))) },
        Message::Meet { stage: Stage::Founded },
        Message::Unwelcome { known: Some(0xd15c) },
        Message::HeartbeatAck {
            ballot: ballot(4, 1),
            read_seq: 6,
            chosen_upto: Slot(134),
            lease_us: 90_000,
            applied,
        },
    ]
}

/// Prefix, header in its columns, body: so that a change of the format shows as what it is.
fn hex(frame: &[u8]) -> String {
    let mut text = String::new();
    for (at, byte) in frame.iter().enumerate() {
        if [4, 6, 7, 8, 12, 20, 22, 24, 26, 28, 36, 44, 52, 60].contains(&at) {
            text.push(' ');
        }
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

#[test]
fn the_bytes_of_every_peer_message_are_what_they_have_always_been() {
    let expected = include_str!("../golden/peer_frames.txt");
    let mut found = String::new();
    for message in one_of_each() {
        writeln!(found, "{}\n{}\n", peer::kind(&message).name(), hex(&encoded(&message))).unwrap();
    }
    let mut hello = BytesMut::new();
    peer::encode_hello(&mut hello, ENVELOPE, Hello { protocol: PROTOCOL, incarnation: 0xd15c });
    writeln!(found, "hello\n{}\n", hex(&hello)).unwrap();
    assert_eq!(
        found, expected,
        "a frame's bytes changed: old nodes and proxies can't read it. Found:\n{found}"
    );
}

#[test]
fn the_bytes_of_every_client_frame_are_what_they_have_always_been() {
    let expected = include_str!("../golden/client_frames.txt");
    let mut found = String::new();
    for frame in client_frames() {
        let header = Header::peek(&frame[PREFIX_BYTES..]).unwrap();
        writeln!(found, "{}\n{}\n", header.kind.name(), hex(&frame)).unwrap();
    }
    assert_eq!(found, expected, "a frame's bytes changed: old clients can't read it. Found:\n{found}");
}

fn a_request() -> ClientRequest {
    let request = Some(RequestId { session: SessionId(5 << 16), sequence: 2 });
    let op = TxnOp::Put { key: Bytes::from_static(b"k"), value: Bytes::from_static(b"v") };
    ClientRequest { id: 8, command: Command::Execute { request, txn: Txn { ops: vec![op] } }, local: false }
}

fn a_reply() -> ClientReply {
    let outcome = TxnOutcome::Done(vec![OpResult::Done]);
    ClientReply { id: 8, slot: Slot(6), result: ClientResult::Reply(Reply::Outcome(outcome)) }
}

fn client_frames() -> Vec<Vec<u8>> {
    let frame = |encode: &dyn Fn(&mut BytesMut)| {
        let mut out = BytesMut::new();
        encode(&mut out);
        out.to_vec()
    };
    vec![
        frame(&|out| client::encode_request(out, CLUSTER, &a_request()).unwrap()),
        frame(&|out| client::encode_reply(out, CLUSTER, NodeId(1), &a_reply()).unwrap()),
        frame(&|out| client::encode_status_request(out, CLUSTER, 9)),
        frame(&|out| client::encode_status_reply(out, CLUSTER, NodeId(1), 9, b"{}").unwrap()),
        frame(&|out| client::encode_error(out, CLUSTER, NodeId(1), "no")),
    ]
}

fn open(frame: &[u8]) -> Frame {
    Frame::open(Bytes::copy_from_slice(&frame[PREFIX_BYTES..])).unwrap()
}

#[test]
fn client_frames_come_back_as_they_were() {
    let frames = client_frames();
    assert_eq!(client::decode_request(&open(&frames[0])).unwrap(), a_request());
    assert_eq!(client::decode_reply(&open(&frames[1])).unwrap(), a_reply());
    assert_eq!(open(&frames[1]).header.slot_first, Slot(6), "a reply's header names the deciding slot");
    assert_eq!(open(&frames[3]).body, "{}");
    assert_eq!(client::decode_error(&open(&frames[4])), "no");
}

#[test]
fn a_request_whose_header_and_body_disagree_on_its_id_is_refused() {
    let mut frame = open(&client_frames()[0]);
    frame.header.message_id += 1;
    assert!(client::decode_request(&frame).is_err());
}

#[test]
fn a_peer_frame_decoder_refuses_client_kinds() {
    for frame in client_frames() {
        let frame = open(&frame);
        let found = frame.header.kind as u8;
        assert_eq!(peer::decode(&frame), Err(FrameError::UnknownKind { found }));
    }
}

#[test]
fn the_header_tells_a_proxy_kind_ballot_and_slots() {
    let slots = |message: &Message| {
        let header = Header::peek(&encoded(message)[PREFIX_BYTES..]).unwrap();
        assert_eq!(header.kind, peer::kind(message));
        assert_eq!((header.from, header.to, header.cluster), (NodeId(1), NodeId(2), CLUSTER));
        assert_eq!(header.message_id, ENVELOPE.message_id);
        (header.ballot, header.slot_first.0, header.slot_last.0)
    };
    let found: Vec<_> = one_of_each().iter().map(slots).collect();
    let (b, none) = (ballot(4, 1), Ballot::ZERO);
    let expected = [
        (b, 135, u64::MAX),
        (b, 135, 138),
        (b, 135, 135),
        (b, 135, 135),
        (b, 0, 0),
        (b, 134, 134),
        (b, 134, 134),
        (none, 135, u64::MAX),
        (none, 135, 135),
        (none, 0, 0),
        (none, 0, 0),
        (none, 120, 120),
        (none, 120, 120),
        (none, 120, 120),
        (ballot(5, 1), 0, 0),
        (ballot(5, 1), 0, 0),
        (b, 100, 121),
        (none, 0, 0),
        (none, 0, 0),
        (none, 0, 0),
        (none, 0, 0),
        (b, 134, 134),
    ];
    assert_eq!(found, expected);
}

#[test]
fn peeking_ignores_damage_behind_the_header() {
    let mut frame = encoded(&one_of_each()[2]);
    *frame.last_mut().unwrap() ^= 1;
    assert_eq!(Header::peek(&frame[PREFIX_BYTES..]).unwrap().kind, Kind::Accept);
    assert_eq!(Header::peek(&frame[PREFIX_BYTES..][..HEADER_BYTES - 1]), None);
}

#[test]
fn every_kind_has_its_own_byte_and_name() {
    for kind in Kind::ALL {
        assert_eq!(Kind::from_byte(kind as u8), Some(kind));
        assert_eq!(Kind::ALL.iter().filter(|other| other.name() == kind.name()).count(), 1);
    }
    assert_eq!((0..=u8::MAX).filter_map(Kind::from_byte).count(), Kind::ALL.len());
}

#[test]
fn values_share_the_buffer_they_arrived_in() {
    let frame = open(&encoded(&one_of_each()[2]));
    let Message::Accept { value: Value::Batch(value), .. } = peer::decode(&frame).unwrap() else { panic!() };
    assert!(frame.body.as_ptr_range().contains(&value.as_ptr()));
}

#[test]
fn a_flipped_bit_anywhere_behind_the_length_is_refused() {
    for message in one_of_each() {
        let frame = encoded(&message);
        for at in PREFIX_BYTES..frame.len() {
            for bit in 0..8 {
                let mut damaged = frame.clone();
                damaged[at] ^= 1 << bit;
                assert!(read(&damaged).is_err(), "{message:?}: byte {at}, bit {bit}");
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_the_length_is_refused_or_waits_for_more() {
    for message in one_of_each() {
        let frame = encoded(&message);
        for bit in 0..32 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            // As if more were to come, and as if nothing were.
            let mut stream = BytesMut::from(&damaged[..]);
            assert!(!matches!(FrameReader::new().decode(&mut stream), Ok(Some(_))), "bit {bit}");
            assert!(read(&damaged).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn a_frame_cut_anywhere_is_truncated() {
    for message in one_of_each() {
        let frame = encoded(&message);
        for length in 1..frame.len() {
            assert!(matches!(refusal(&frame[..length]), FrameError::Truncated { .. }), "{length} bytes");
        }
        assert!(read(&[]).unwrap().is_none(), "the end of a connection is no damage");
    }
}

#[test]
fn each_refusal_says_what_is_wrong() {
    let good = encoded(&one_of_each()[3]);
    let with = |at: usize, byte: u8| {
        let mut frame = good.clone();
        frame[PREFIX_BYTES + at] = byte;
        refusal(&frame)
    };
    assert_eq!(with(0, 0x47), FrameError::BadMagic { found: 0x5047 });
    assert_eq!(with(2, 2), FrameError::BadVersion { found: 2 });
    assert!(matches!(with(3, 99), FrameError::BadChecksum { .. }));
    assert!(matches!(with(40, 1), FrameError::BadChecksum { .. }));
    let oversize = u32::try_from(MAX_FRAME_BYTES + 1).unwrap().to_le_bytes();
    assert_eq!(refusal(&oversize), FrameError::TooLarge { bytes: None });
    let foreign = open(&good).of_cluster(78).unwrap_err();
    assert_eq!(foreign, FrameError::ForeignCluster { ours: 78, theirs: CLUSTER });
    assert_eq!(foreign.to_string(), "foreign cluster 77: this node belongs to cluster 78");
}

/// A frame whose sum is right and whose content we choose.
fn forged(kind: u8, patch: impl FnOnce(&mut Vec<u8>), body: &[u8]) -> Result<Message, FrameError> {
    let mut frame =
        encoded(&Message::Prepare { ballot: Ballot::ZERO, from: Slot(1) })[PREFIX_BYTES..].to_vec();
    frame[3] = kind;
    frame.extend_from_slice(body);
    patch(&mut frame);
    let sum = crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[8..]);
    frame[4..8].copy_from_slice(&sum.to_le_bytes());
    peer::decode(&Frame::open(Bytes::from(frame))?)
}

#[test]
fn nonsense_with_a_right_sum_is_malformed_at_its_place() {
    let malformed = |field, offset| Err(FrameError::Malformed { field, offset });
    let forge = |kind: Kind, body: &[u8]| forged(kind as u8, |_| {}, body);
    assert!(forge(Kind::Prepare, &[]).is_ok());
    assert_eq!(forge(Kind::Prepare, &[0]), malformed("trailing bytes", 56));
    assert_eq!(forged(99, |_| {}, &[]), Err(FrameError::UnknownKind { found: 99 }));
    assert_eq!(forge(Kind::Accepted, &[]), malformed("slots", 40));
    assert_eq!(forge(Kind::Reject, &[0; 3]), malformed("promised", 56));
    assert_eq!(forge(Kind::Reject, &[0, 0, 0, 0, 0, 0, 0, 0, 63, 0]), malformed("promised", 56));
    assert_eq!(forge(Kind::Promise, &[2; 9]), malformed("next", 56));
    assert_eq!(forged(1, |frame| frame[22] = 1, &[]), malformed("reserved", 22));
    assert_eq!(forged(1, |frame| frame[20] = 63, &[]), malformed("ballot node", 20));
    assert_eq!(forged(8, |frame| frame[32] = 1, &[]), malformed("ballot", 32));
    let mut count_without_reports = vec![0; 9];
    count_without_reports.extend_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(forge(Kind::Promise, &count_without_reports), malformed("report count", 65));
    let mut value_without_bytes = vec![0; 8];
    value_without_bytes.extend_from_slice(&[1, 255, 255, 255, 255]);
    assert_eq!(forge(Kind::Accept, &value_without_bytes), malformed("value bytes", 69));
}

#[test]
fn a_message_beyond_the_limit_is_not_sent_and_leaves_the_buffer_alone() {
    let value = Value::Batch(Bytes::from(vec![0; MAX_FRAME_BYTES]));
    let message = Message::Accept { ballot: ballot(1, 1), slot: Slot(1), value, chosen_upto: Slot(0) };
    let mut out = BytesMut::from(&b"before"[..]);
    assert!(matches!(peer::encode(&mut out, ENVELOPE, &message), Err(FrameError::TooLarge { .. })));
    assert_eq!(out, "before");
}

/// What a later protocol adds is not looked at; what is missing is missed.
#[test]
fn a_hello_is_read_as_far_as_it_is_known() {
    let hello = Hello { protocol: 9, incarnation: 0xd15c };
    let mut out = BytesMut::new();
    peer::encode_hello(&mut out, ENVELOPE, hello);
    let mut frame = Frame::open(out.split_off(PREFIX_BYTES).freeze()).unwrap();
    assert_eq!(peer::decode_hello(&frame), Ok(hello));
    assert!(peer::decode(&frame).is_err(), "it is no message");
    frame.body = [&frame.body[..], b"more"].concat().into();
    assert_eq!(peer::decode_hello(&frame), Ok(hello));
    frame.body.truncate(11);
    assert!(peer::decode_hello(&frame).is_err());
}

fn arbitrary_ballot() -> impl Strategy<Value = Ballot> {
    (any::<u64>(), 0..=NodeId::MAX.0).prop_map(|(round, node)| ballot(round, node))
}

fn arbitrary_bytes() -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(any::<u8>(), 0..64).prop_map(Bytes::from)
}

fn arbitrary_value() -> impl Strategy<Value = Value> {
    prop_oneof![Just(Value::Noop), arbitrary_bytes().prop_map(Value::Batch)]
}

fn arbitrary_reports() -> impl Strategy<Value = Vec<SlotReport>> {
    let report = (any::<u64>(), arbitrary_ballot(), arbitrary_value(), any::<bool>());
    let report = report.prop_map(|(slot, ballot, value, learned)| {
        let slot = Slot(slot);
        SlotReport { slot, ballot, value, learned }
    });
    proptest::collection::vec(report, 0..6)
}

fn arbitrary_message() -> impl Strategy<Value = Message> {
    let slot = || any::<u64>().prop_map(Slot);
    let applied = || (slot(), any::<u64>()).prop_map(|(slot, hash)| AppliedHash { slot, hash });
    prop_oneof![
        (arbitrary_ballot(), slot()).prop_map(|(ballot, from)| Message::Prepare { ballot, from }),
        (arbitrary_ballot(), slot(), arbitrary_reports(), proptest::option::of(slot()), slot()).prop_map(
            |(ballot, from, slots, next, trimmed)| Message::Promise { ballot, from, slots, next, trimmed }
        ),
        slot().prop_map(|slot| Message::SnapshotOffer { slot }),
        prop_oneof![Just(Stage::Fresh), Just(Stage::Founded)].prop_map(|stage| Message::Meet { stage }),
        proptest::option::of(any::<u64>()).prop_map(|known| Message::Unwelcome { known }),
        arbitrary_ballot().prop_map(|ballot| Message::PreVote { ballot }),
        (arbitrary_ballot(), arbitrary_ballot(), any::<bool>())
            .prop_map(|(ballot, promised, granted)| { Message::PreVoteReply { ballot, promised, granted } }),
        (slot(), any::<u32>()).prop_map(|(slot, part)| Message::SnapshotRequest { slot, part }),
        (slot(), any::<u32>(), proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(slot, part, bytes)| Message::SnapshotPart { slot, part, bytes: bytes.into() }),
        (arbitrary_ballot(), slot(), arbitrary_value(), slot()).prop_map(
            |(ballot, slot, value, chosen_upto)| Message::Accept { ballot, slot, value, chosen_upto }
        ),
        (arbitrary_ballot(), slot()).prop_map(|(ballot, slot)| Message::Accepted { ballot, slot }),
        (arbitrary_ballot(), arbitrary_ballot())
            .prop_map(|(ballot, promised)| Message::Reject { ballot, promised }),
        (arbitrary_ballot(), slot(), any::<u64>(), applied()).prop_map(
            |(ballot, chosen_upto, read_seq, applied)| Message::Heartbeat {
                ballot,
                chosen_upto,
                read_seq,
                applied
            }
        ),
        (arbitrary_ballot(), any::<u64>(), slot(), any::<u64>(), applied()).prop_map(
            |(ballot, read_seq, chosen_upto, lease_us, applied)| Message::HeartbeatAck {
                ballot,
                read_seq,
                chosen_upto,
                lease_us,
                applied
            }
        ),
        slot().prop_map(|from| Message::LearnRequest { from }),
        (arbitrary_reports(), slot())
            .prop_map(|(slots, chosen_upto)| Message::LearnReply { slots, chosen_upto }),
        (any::<u64>(), arbitrary_bytes()).prop_map(|(token, request)| Message::Forward { token, request }),
        (any::<u64>(), arbitrary_bytes()).prop_map(|(token, reply)| Message::ForwardReply { token, reply }),
    ]
}

proptest! {
    #[test]
    fn messages_come_back_as_they_were(message in arbitrary_message()) {
        prop_assert_eq!(read(&encoded(&message)).unwrap(), Some(message));
    }

    #[test]
    fn a_message_has_one_encoding(message in arbitrary_message()) {
        let frame = encoded(&message);
        let decoded = read(&frame).unwrap().unwrap();
        prop_assert_eq!(encoded(&decoded), frame);
    }

    #[test]
    fn frames_in_one_stream_are_told_apart_however_it_is_cut(
        messages in proptest::collection::vec(arbitrary_message(), 1..5),
        piece in 1usize..100,
    ) {
        let stream: Vec<u8> = messages.iter().flat_map(encoded).collect();
        let (mut reader, mut buffer, mut found) = (FrameReader::new(), BytesMut::new(), Vec::new());
        for piece in stream.chunks(piece) {
            buffer.extend_from_slice(piece);
            while let Some(frame) = reader.decode(&mut buffer).unwrap() {
                found.push(peer::decode(&frame).unwrap());
            }
        }
        prop_assert_eq!(found, messages);
    }

    #[test]
    fn garbage_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(!matches!(read(&bytes), Ok(Some(_))));
        let _ = Header::peek(&bytes);
    }

    #[test]
    fn garbage_with_a_right_sum_is_refused_or_a_message(
        kind in 0u8..40,
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = forged(kind, |_| {}, &body);
    }
}

#[test]
fn a_refused_request_can_be_told_from_an_unknown_one() {
    let reply = ClientReply {
        id: 1,
        slot: Slot::ZERO,
        result: ClientResult::Failed(DefiniteError::NotLeader { hint: Some(NodeId(3)) }),
    };
    let mut out = BytesMut::new();
    client::encode_reply(&mut out, CLUSTER, NodeId(1), &reply).unwrap();
    assert_eq!(client::decode_reply(&open(&out)).unwrap(), reply);
}
