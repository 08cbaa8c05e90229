//! Bytes: golden, there and back, garbage, limits.

use super::{add, append, arbitrary, cas, delete, execute, get, pop, put, request, text};
use bytes::Bytes;
use paxos_node::kv::{
    Batch, ClientReply, ClientRequest, ClientResult, CodecError, Command, DefiniteError, MAX_BATCH_BYTES,
    MAX_BATCH_COMMANDS, MAX_COMMAND_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES, OpResult, Reply, SessionId, TxnOp,
    TxnOutcome, UnknownReason,
};
use paxos_node::paxos::{NodeId, Slot};
use proptest::prelude::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Logs outlive programs: a byte moved here is a log that can't be read any more.
#[test]
fn a_batch_has_the_same_bytes_for_ever() {
    let session = SessionId::new(Slot(5), 2);
    let batch = Batch {
        time_ms: 0x0102_0304_0506_0708,
        commands: vec![
            Command::OpenSession { nonce: 9 },
            execute(&[get("k"), put("k", "v"), delete(""), pop("l")]),
            request(
                session,
                3,
                &[cas("k", None, "v"), cas("k", Some("v"), "w"), append("l", "x"), add("i", -2)],
            ),
        ],
    };
    let golden = [
        "01 0807060504030201 03000000",                  // format, time, commands
        "01 0900000000000000",                           // open a session
        "02 04000000",                                   // no request id, four operations
        "01 01000000 6b",                                // get k
        "02 01000000 6b 01000000 76",                    // put k v
        "07 00000000",                                   // delete the empty key
        "08 01000000 6c",                                // pop
        "03 0200050000000000 0300000000000000 04000000", // slot 5, position 2, #3
        "03 01000000 6b 01000000 76",                    // cas from absent
        "04 01000000 6b 01000000 76 01000000 77",        // cas from v
        "05 01000000 6c 01000000 78",                    // append
        "06 01000000 69 feffffffffffffff",               // add
    ];
    assert_eq!(hex(&batch.encode()), golden.concat().replace(' ', ""));
    assert_eq!(Batch::decode(batch.encode()), Ok(batch));
}

#[test]
fn a_reply_has_the_same_bytes_for_ever() {
    let results = vec![
        OpResult::Done,
        OpResult::Value(None),
        OpResult::Value(Some(text("v"))),
        OpResult::List(vec![text("x"), text("")]),
        OpResult::Integer(-1),
    ];
    let table = [
        (
            ClientResult::Reply(Reply::Outcome(TxnOutcome::Done(results))),
            "01 02 01 05000000 00 01 02 01000000 76 03 02000000 01000000 78 00000000 04 ffffffffffffffff",
        ),
        (ClientResult::Reply(Reply::SessionOpened(SessionId(1 << 16))), "01 01 0000010000000000"),
        (ClientResult::Reply(Reply::SessionExpired), "01 03"),
        (ClientResult::Failed(DefiniteError::NotLeader { hint: Some(NodeId(3)) }), "02 01 0300"),
        (ClientResult::Failed(DefiniteError::Malformed), "02 05"),
        (ClientResult::Unknown(UnknownReason::Stopping), "03 04"),
    ];
    for (result, golden) in table {
        let reply = ClientReply { id: 1, slot: Slot(2), result };
        let golden = format!("0100000000000000 0200000000000000 {golden}").replace(' ', "");
        assert_eq!(hex(&reply.encode()), golden);
        assert_eq!(ClientReply::decode(reply.encode()), Ok(reply));
    }
}

proptest! {
    #[test]
    fn there_and_back(
        batch in arbitrary::batch(),
        request in arbitrary::client_request(),
        reply in arbitrary::client_reply(),
    ) {
        prop_assert_eq!(Batch::decode(batch.encode()), Ok(batch.clone()));
        prop_assert_eq!(ClientRequest::decode(request.encode()), Ok(request));
        prop_assert_eq!(ClientReply::decode(reply.encode()), Ok(reply));
        let commands: usize = batch.commands.iter().map(Command::encoded_len).sum();
        prop_assert_eq!(batch.encode().len(), Batch::HEADER_BYTES + commands);
    }

    #[test]
    fn garbage_is_refused_or_means_what_it_says(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        meaning_is_unique(&Bytes::from(bytes))?;
    }

    #[test]
    fn damage_is_refused_or_means_what_it_says(
        batch in arbitrary::batch(),
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
        cut in any::<prop::sample::Index>(),
    ) {
        let good = batch.encode();
        let mut damaged = good.to_vec();
        damaged[at.index(good.len())] ^= flip;
        meaning_is_unique(&Bytes::from(damaged))?;
        prop_assert!(Batch::decode(good.slice(..cut.index(good.len()))).is_err(), "cut short");
        prop_assert_eq!(
            Batch::decode([&good[..], &[0]].concat().into()),
            Err(CodecError::Trailing { count: 1 })
        );
    }
}

/// Whatever can be decoded at all encodes to the very same bytes.
fn meaning_is_unique(bytes: &Bytes) -> Result<(), TestCaseError> {
    if let Ok(batch) = Batch::decode(bytes.clone()) {
        prop_assert_eq!(batch.encode(), bytes);
    }
    if let Ok(request) = ClientRequest::decode(bytes.clone()) {
        prop_assert_eq!(request.encode(), bytes);
    }
    if let Ok(reply) = ClientReply::decode(bytes.clone()) {
        prop_assert_eq!(reply.encode(), bytes);
    }
    Ok(())
}

#[test]
fn byte_strings_are_shared_with_the_input() {
    let bytes = Batch { time_ms: 0, commands: vec![execute(&[put("key", "value")])] }.encode();
    let range = bytes.as_ptr_range();
    let batch = Batch::decode(bytes.clone()).unwrap();
    let [Command::Execute { txn, .. }] = batch.commands.as_slice() else { panic!("{batch:?}") };
    let [TxnOp::Put { key, value }] = txn.ops.as_slice() else { panic!("{txn:?}") };
    assert!(range.contains(&key.as_ptr()) && range.contains(&value.as_ptr()));
}

#[test]
fn what_is_beyond_a_limit_is_told_from_nonsense() {
    let decode =
        |op| ClientRequest::decode(ClientRequest { id: 1, command: execute(&[op]), local: false }.encode());
    let key = |length| TxnOp::Get { key: vec![0; length].into() };
    let value = |length| TxnOp::Put { key: text("k"), value: vec![0; length].into() };
    assert!(decode(key(MAX_KEY_BYTES)).is_ok());
    assert!(decode(key(MAX_KEY_BYTES + 1)).unwrap_err().is_too_large());
    assert!(decode(value(MAX_VALUE_BYTES)).is_ok());
    assert!(decode(value(MAX_VALUE_BYTES + 1)).unwrap_err().is_too_large());

    let many = Batch { time_ms: 0, commands: vec![Command::OpenSession { nonce: 0 }; MAX_BATCH_COMMANDS] };
    let mut bytes = many.encode().to_vec();
    bytes[9..13].copy_from_slice(&(MAX_BATCH_COMMANDS as u32 + 1).to_le_bytes());
    bytes.extend_from_slice(&Command::OpenSession { nonce: 0 }.encoded_len().to_le_bytes());
    assert!(Batch::decode(bytes.into()).unwrap_err().is_too_large());

    let nonsense = ClientRequest::decode(Bytes::from_static(&[9; 9])).unwrap_err();
    assert!(!nonsense.is_too_large(), "{nonsense}");
}

/// Whoever decodes a request may put it into a batch without another look.
#[test]
fn the_largest_request_fits_a_batch() {
    let fill = |length: usize| {
        let ops = [("a", MAX_VALUE_BYTES), ("b", length)]
            .map(|(key, length)| TxnOp::Put { key: text(key), value: vec![0; length].into() });
        ClientRequest { id: 1, command: execute(&ops), local: false }
    };
    let most = MAX_COMMAND_BYTES - fill(0).command.encoded_len();
    let largest = ClientRequest::decode(fill(most).encode()).unwrap();
    let batch = Batch { time_ms: 0, commands: vec![largest.command] };
    assert_eq!(batch.encode().len(), MAX_BATCH_BYTES);
    assert_eq!(Batch::decode(batch.encode()), Ok(batch));
    assert!(ClientRequest::decode(fill(most + 1).encode()).unwrap_err().is_too_large());
}

#[test]
fn a_count_that_lies_reserves_nothing() {
    let mut bytes = Batch::default().encode().to_vec();
    bytes[9..13].copy_from_slice(&(MAX_BATCH_COMMANDS as u32).to_le_bytes());
    assert_eq!(Batch::decode(bytes.into()), Err(CodecError::Short { what: "commands" }));
}
