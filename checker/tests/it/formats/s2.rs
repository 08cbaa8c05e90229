//! s2-verification's JSONL.

use checker::format::Format;
use checker::{Budget, History, catalogue};

use super::{error, read, shown};

/// Two clients: an append under a token, one that may have happened and is told of at the end, one that was
/// refused, and reads that say what is there.
const HISTORY: &str = r#"
{"event":{"Start":{"Append":{"num_records":2,"record_hashes":[11,22],"set_fencing_token":"a","fencing_token":null,"match_seq_num":0}}},"client_id":0,"op_id":0}
{"event":{"Start":"CheckTail"},"client_id":1,"op_id":1}
{"event":{"Finish":{"AppendSuccess":{"tail":2}}},"client_id":0,"op_id":0}
{"event":{"Finish":{"CheckTailSuccess":{"tail":2}}},"client_id":1,"op_id":1}
{"event":{"Start":{"Append":{"num_records":1,"record_hashes":[33],"set_fencing_token":null,"fencing_token":"a","match_seq_num":null}}},"client_id":0,"op_id":2}
{"event":{"Start":{"Append":{"num_records":1,"record_hashes":[18446744073709551615],"set_fencing_token":null,"fencing_token":"b","match_seq_num":null}}},"client_id":1,"op_id":3}
{"event":{"Finish":"AppendDefiniteFailure"},"client_id":1,"op_id":3}
{"event":{"Start":"Read"},"client_id":1,"op_id":4}
{"event":{"Finish":{"ReadSuccess":{"tail":3,"stream_hash":5101742180652704886}}},"client_id":1,"op_id":4}
{"event":{"Start":"Read"},"client_id":1,"op_id":5}
{"event":{"Finish":"ReadFailure"},"client_id":1,"op_id":5}
{"event":{"Start":"CheckTail"},"client_id":1,"op_id":6}
{"event":{"Finish":"CheckTailFailure"},"client_id":1,"op_id":6}
{"event":{"Finish":"AppendIndefiniteFailure"},"client_id":0,"op_id":2}
"#;

fn verdict(text: &str) -> String {
    let recorded = read(text).unwrap();
    let entry = catalogue::by_name(recorded.suggests.model.unwrap()).unwrap();
    entry.check(&recorded.suggests.rules()).check(&recorded.history, &Budget::default()).to_string()
}

#[test]
fn events_are_read_and_judged_as_a_stream() {
    let recorded = read(HISTORY).unwrap();
    assert_eq!((recorded.format, recorded.suggests.model), (Format::S2, Some("stream")));
    let ops = shown(&recorded.history);
    assert_eq!(
        ops[..4],
        [
            r#"0 invoke append {"match_seq_num" 0, "record_hashes" [11 22], "set_fencing_token" "a"}"#,
            "1 invoke check-tail nil",
            "0 ok append 2",
            "1 ok check-tail 2",
        ]
    );
    assert_eq!(ops[5], r#"1 invoke append {"fencing_token" "b", "record_hashes" [-1]}"#);
    assert_eq!(ops[6..9], ["1 fail append nil", "1 invoke read nil", "1 ok read [3 5101742180652704886]"]);
    assert_eq!(ops[13], "0 info append nil");
    assert!(verdict(HISTORY).starts_with("stream: valid (7 ops: 3 ok, 3 failed, 1 unknown; 1 key;"));
    // A read that shows what was never there, of the right length.
    let corrupted = HISTORY.replace("5101742180652704886", "5101742180652704887");
    let told = verdict(&corrupted);
    assert!(told.starts_with("stream: invalid"), "{told}");
    // Converted, it is the same history, and of the same object.
    let mut ours = Vec::new();
    recorded.history.write(Format::Jsonl, &mut ours).unwrap();
    let again = History::read(&ours[..]).unwrap();
    assert_eq!((again.history, again.suggests.model), (recorded.history, Some("stream")));
}

#[test]
fn what_is_no_event_is_refused_with_its_place() {
    let start = r#"{"event":{"Start":"Read"},"client_id":1,"op_id":4}"#;
    let after = |line: &str| error(format!("{start}\n{line}"));
    let append = |fields: &str| {
        after(&format!(r#"{{"event":{{"Start":{{"Append":{{{fields}}}}}}},"client_id":2,"op_id":5}}"#))
    };
    let table = [
        (
            after(r#"{"event":{"Begin":"Read"},"client_id":2,"op_id":5}"#),
            "line 2, column 11: expected \"Start\" or \"Finish\"",
        ),
        (
            after(r#"{"event":{"Start":"Write"},"client_id":2,"op_id":5}"#),
            "line 2, column 19: expected \"Append\", \"Read\" or \"CheckTail\"",
        ),
        (
            after(r#"{"event":{"Start":"Read"},"op_id":5}"#),
            "line 2, column 1: an event without \"client_id\"",
        ),
        (after(r#"{"client_id":2,"op_id":5}"#), "line 2, column 1: an event without \"event\""),
        (
            after(r#"{"event":{"Finish":"ReadFailure"},"client_id":1,"op_id":5}"#),
            "line 2, column 20: expected what came of op 4 of client 1, read; found what came of op 5, read",
        ),
        (
            after(r#"{"event":{"Finish":{"AppendSuccess":{"tail":1}}},"client_id":1,"op_id":4}"#),
            "line 2, column 21: expected what came of op 4 of client 1, read; found what came of op 4, append",
        ),
        (
            after(r#"{"event":{"Finish":"ReadFailure"},"client_id":2,"op_id":5}"#),
            "line 2, column 20: client 2 has not begun op 5, which finishes here",
        ),
        (
            after(r#"{"event":{"Finish":{"ReadSuccess":{"stream_hash":1}}},"client_id":1,"op_id":4}"#),
            "line 2, column 21: a success without \"tail\"",
        ),
        (
            after(r#"{"event":{"Finish":{"ReadSuccess":{"tail":-1}}},"client_id":1,"op_id":4}"#),
            "line 2, column 43: expected the tail, a whole number from 0 on",
        ),
        (
            append(r#""num_records":1"#),
            "line 2, column 29: an append without \"record_hashes\", one for each of its records",
        ),
        (
            append(r#""num_records":1,"record_hashes":[]"#),
            "line 2, column 29: an append of 1 records has 0 record_hashes",
        ),
        (
            append(r#""num_records":1,"record_hashes":[1.5]"#),
            "line 2, column 63: expected a hash, a whole number of 64 bits",
        ),
    ];
    for (found, expected) in table {
        assert!(found.starts_with(expected), "{found}");
    }
    assert!(after(r#"{"event":{"Start":"Re"#).starts_with("line 2, column "));
}
