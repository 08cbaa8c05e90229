//! What a person reads when a history is invalid.

use checker::{
    Anomaly, Budget, Check, LinearizableAppend, LinearizableRegister, Outcome, SetCheck, Verdict, Witness,
};

use crate::history::history;

fn invalid(check: &dyn Check, text: &str) -> Witness {
    match check.check(&history(text), &Budget::default()).verdict {
        Verdict::Invalid(witness) => witness,
        other => panic!("{other}"),
    }
}

fn register(text: &str) -> Witness {
    invalid(&LinearizableRegister::default(), text)
}

fn append(text: &str) -> Witness {
    invalid(&LinearizableAppend::default(), text)
}

fn set(text: &str) -> Witness {
    invalid(&SetCheck::default(), text)
}

#[test]
fn a_stale_read_is_told_so_that_one_understands_it_at_night() {
    let witness = register(
        "11500 nemesis info kill [\"n1\"]
         11700 1 invoke write 41 @5
         11710 1 ok write 41 @5
         11790 2 invoke write 1 @6
         11800 3 invoke write 42 @5
         11900 3 ok write 42 @5
         11950 nemesis info isolate \"leader\"
         12031 7 invoke read @5
         12035 2 ok write 1 @6
         12040 7 ok read 41 @5
         12100 nemesis info heal",
    );
    assert_eq!(
        witness.to_string(),
        "\
a stale read on key 5: process 7 read 41 at 12.031 s–12.040 s, but process 3's write of 42 had finished at 11.900 s and 41 was never written again: a stale read
  1. 41 was there before 42: process 1's write of 41 had finished at 11.710 s, before process 3's write of 42 began at 11.800 s.
  2. 42 was there before process 7's read of 41 began: process 3's write of 42 had finished at 11.900 s, that read began at 12.031 s.
  3. Each of 41 and 42 was written only once, so neither can have been there both before and after the other.
  window: ops 1–9, 11.700 s – 12.040 s
    process 1 write 41  [==]                 11.700 s – 11.710 s (ops 1, 2): shows that 41 was there by then
    process 3 write 42        [==]           11.800 s – 11.900 s (ops 4, 5): write of 42 came after that
  > process 7 read 41               [==]     12.031 s – 12.040 s (ops 7, 9): the stale read
    nemesis before: kill [\"n1\"]  11.500 s (op 0)
    nemesis isolate \"leader\"  11.950 s (op 6)
"
    );
}

#[test]
fn a_witness_is_data_that_survives_json() {
    let witness = register(
        "0 0 invoke write 1
         1 0 ok write 1
         2 0 invoke read
         3 0 ok read",
    );
    assert_eq!(witness.anomaly, Anomaly::StaleRead);
    assert_eq!((witness.window.first_index, witness.window.last_index), (0, 3));
    assert_eq!((witness.window.from_ns, witness.window.to_ns), (0, 3_000_000));
    let failing: Vec<_> = witness.ops.iter().filter(|op| op.failing).collect();
    assert_eq!(failing.len(), 1);
    assert_eq!((failing[0].process, failing[0].f.as_str(), failing[0].outcome), (0, "read", Outcome::Ok));
    let json = serde_json::to_string(&witness).unwrap();
    assert!(json.contains(r#""anomaly":"stale-read""#), "{json}");
    assert_eq!(serde_json::from_str::<Witness>(&json).unwrap(), witness);
}

/// The anomaly and a piece of the summary for each way to be wrong.
#[test]
fn every_violation_has_its_name_and_its_words() {
    type Told = fn(&str) -> Witness;
    let cases: [(Told, &str, Anomaly, &str); 21] = [
        (
            register,
            "0 0 invoke read\n 1 0 ok read 7",
            Anomaly::NeverWritten,
            "process 0 read 7 at 0.000 s–0.001 s, but nobody ever wrote 7",
        ),
        (
            register,
            "0 0 invoke write 7\n 1 0 fail write 7\n 2 0 invoke read\n 3 0 ok read 7",
            Anomaly::FailedWriteSeen,
            "but process 0's write of 7 at 0.000 s–0.001 s failed, which means that it did not happen",
        ),
        (
            register,
            "0 0 invoke read\n 1 0 ok read 7\n 2 0 invoke write 7\n 3 0 ok write 7",
            Anomaly::ReadFromFuture,
            "process 0 read 7 at 0.000 s–0.001 s, before 7 was there at all: process 0's write of 7 began only at 0.002 s",
        ),
        (
            register,
            "0 0 invoke cas [null,1]\n 1 1 invoke cas [null,2]\n 2 1 ok cas [null,2]\n 3 0 ok cas [null,1]",
            Anomaly::LostUpdate,
            "process 0's cas from nil to 1 and process 1's cas from nil to 2 both found nil, but nil was there only before the first write",
        ),
        (
            register,
            "0 0 invoke write 1\n 1 0 ok write 1\n 2 0 invoke cas [1,2]\n 3 0 ok cas [1,2]
             4 1 invoke read\n 5 1 ok read 1",
            Anomaly::StaleRead,
            "process 1 read 1 at 0.004 s–0.005 s, but 1 had already been replaced: process 0's cas from 1 to 2 had finished at 0.003 s",
        ),
        (
            register,
            "0 0 invoke write 1\n 1 0 ok write 1\n 2 1 invoke write 2\n 3 1 ok write 2
             4 0 invoke cas [1,3]\n 5 0 ok cas [1,3]",
            Anomaly::LostUpdate,
            "process 0's cas from 1 to 3 at 0.004 s–0.005 s succeeded, but process 1's write of 2 had finished at 0.003 s and 1 was never written again: a lost update",
        ),
        (
            register,
            "0 0 invoke cas [2,1]\n 1 1 invoke cas [1,2]\n 2 1 ok cas [1,2]\n 3 0 ok cas [2,1]",
            Anomaly::NoOrder,
            "none can be the first",
        ),
        (
            register,
            "0 0 invoke write 1\n 1 0 ok write 1\n 2 0 invoke write 2\n 3 0 ok write 2
             4 0 invoke write 1\n 5 0 ok write 1\n 6 0 invoke read\n 7 0 ok read 2",
            Anomaly::StaleRead,
            "process 0 read 2 at 0.006 s–0.007 s, but process 0's write of 1 had finished at 0.005 s and nobody could have put 2 back by then: a stale read",
        ),
        (
            append,
            "0 0 invoke read\n 1 0 ok read [7]",
            Anomaly::NeverWritten,
            "7 is in it, but there was never an append of 7",
        ),
        (
            append,
            "0 0 invoke append 7\n 1 0 fail append 7\n 2 0 invoke read\n 3 0 ok read [7]",
            Anomaly::FailedWriteSeen,
            "failed, which means that it did not happen",
        ),
        (
            append,
            "0 0 invoke append 7\n 1 0 ok append 7\n 2 0 invoke read\n 3 0 ok read [7,7]",
            Anomaly::Duplicate,
            "7 is in it twice, but the append of 7 was asked for once",
        ),
        (
            append,
            "0 0 invoke append 1\n 0 1 invoke append 2\n 1 0 ok append 1\n 1 1 ok append 2
             2 0 invoke read\n 3 0 ok read [1,2]\n 2 1 invoke read\n 3 1 ok read [2]",
            Anomaly::Fork,
            "neither list begins with the other",
        ),
        (
            append,
            "0 0 invoke append 1\n 1 0 ok append 1\n 2 0 invoke read\n 3 0 ok read []",
            Anomaly::LostUpdate,
            "process 0 read [] at 0.002 s–0.003 s, but process 0's append of 1 had finished at 0.001 s, and 1 is missing",
        ),
        (
            append,
            "0 0 invoke append 1\n 1 0 ok append 1\n 2 0 invoke read\n 3 0 ok read\n
             4 0 invoke read\n 5 0 ok read [1]",
            Anomaly::StaleRead,
            "process 0 read nil at 0.002 s–0.003 s, but process 0's append of 1 had finished at 0.001 s: a stale read",
        ),
        (
            append,
            "0 0 invoke read\n 1 0 ok read [1]\n 2 0 invoke append 1\n 3 0 ok append 1",
            Anomaly::ReadFromFuture,
            "1 is in it, but process 0's append of 1 began only at 0.002 s",
        ),
        (
            set,
            "0 0 invoke add 1\n 1 0 ok add 1\n 2 0 invoke read\n 3 0 ok read []",
            Anomaly::LostUpdate,
            "process 0 read [] at 0.002 s–0.003 s without 1, but process 0's add of 1 had finished at 0.001 s: a lost update",
        ),
        (
            set,
            "0 0 invoke add 1\n 1 0 ok add 1\n 2 0 invoke read\n 3 0 ok read []
             4 0 invoke read\n 5 0 ok read [1]",
            Anomaly::StaleRead,
            "without 1, but process 0's add of 1 had finished at 0.001 s: a stale read",
        ),
        (
            set,
            "0 0 invoke add 1\n 0 1 invoke add 2\n 1 0 ok add 1\n 1 1 ok add 2
             2 0 invoke read\n 3 0 ok read [1,2]\n 4 0 invoke read\n 5 0 ok read [2]",
            Anomaly::StaleRead,
            "without 1, but process 0's add of 1 had finished",
        ),
        (
            set,
            "0 0 invoke add 1\n 0 1 invoke add 2\n 0 2 invoke read\n 0 3 invoke read
             1 2 ok read [1]\n 1 3 ok read [2]\n 2 0 ok add 1\n 2 1 ok add 2",
            Anomaly::Fork,
            "so they can't be two states of one set",
        ),
        (
            set,
            "0 0 invoke add 1\n 1 0 ok add 1\n 2 0 invoke read\n 3 0 ok read [1,1]",
            Anomaly::Duplicate,
            "1 is in it twice",
        ),
        (
            set,
            "0 0 invoke read\n 1 0 ok read [1]\n 2 0 invoke add 1\n 3 0 ok add 1",
            Anomaly::ReadFromFuture,
            "with 1 in it, but process 0's add of 1 began only at 0.002 s",
        ),
    ];
    for (told, text, anomaly, words) in cases {
        let witness = told(text);
        assert_eq!(witness.anomaly, anomaly, "{text}\n{witness}");
        assert!(witness.summary.contains(words), "{text}\n{witness}");
        assert!(witness.ops.iter().any(|op| op.failing), "{text}\n{witness}");
    }
}

#[test]
fn an_unknown_write_that_was_seen_is_shown_with_who_saw_it() {
    let witness = register(
        "0 0 invoke write 1
         1 0 ok write 1
         2 1 invoke write 2
         3 1 info write 2
         4 2 invoke read
         5 2 ok read 2
         6 3 invoke read
         7 3 ok read 1",
    );
    assert_eq!(witness.anomaly, Anomaly::StaleRead);
    assert!(witness.summary.contains("process 2 had already read 2 at 0.005 s"), "{witness}");
    assert!(
        witness.reasons.iter().any(|reason| reason.contains("it did happen: process 2 read 2")),
        "{witness}"
    );
    assert_eq!(witness.ops.len(), 4, "{witness}");
}

#[test]
fn a_search_leaves_only_what_matters() {
    let mut text = String::new();
    // A long calm past with repeated values, then a read of what was replaced.
    for round in 0..200 {
        let (time, value) = (round * 4, round % 3);
        text += &format!("{time} 0 invoke write {value}\n{} 0 ok write {value}\n", time + 1);
        text += &format!("{} 1 invoke read\n{} 1 ok read {value}\n", time + 2, time + 3);
    }
    text += "900 2 invoke write 8\n901 2 ok write 8\n902 2 invoke read\n903 2 ok read 1\n";
    text += "904 2 invoke write 1\n905 2 ok write 1\n";
    let witness = register(&text);
    assert_eq!(witness.anomaly, Anomaly::StaleRead);
    assert_eq!(witness.ops.len(), 2, "{witness}");
    let failing: Vec<_> = witness.ops.iter().filter(|op| op.failing).collect();
    assert_eq!((failing.len(), failing[0].start_ns), (1, 902_000_000), "{witness}");
    assert!(witness.summary.contains("process 2's write of 8 had finished at 0.901 s"), "{witness}");
}

#[test]
fn of_several_keys_the_violation_that_was_complete_first_is_told() {
    let text = "0 0 invoke read @1\n 1 1 invoke read @2\n 2 1 ok read 5 @2\n 3 0 ok read 4 @1";
    let report = LinearizableRegister::default().check(&history(text), &Budget::default());
    assert_eq!(report.invalid_keys, [1.into(), 2.into()]);
    let Verdict::Invalid(witness) = report.verdict else { panic!() };
    assert_eq!(witness.key, Some(2.into()));
}
