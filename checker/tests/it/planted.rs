//! Every check by name, against a sound history and against that history with one flaw planted.
//!
//! A check that can't say "invalid" of some flaw passes all tests that expect "valid". So each row here
//! names a flaw, and the last test that no check goes without.

use std::collections::BTreeSet;

use checker::catalogue::{self, Rules};
use checker::{Budget, Report};

use crate::history::history;
use crate::invariants::serial;

/// A check, a sound history, and flaws with a history each.
type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

fn report(check: &str, text: &str) -> Report {
    let check = catalogue::by_name(check).unwrap().check(&Rules::default());
    check.check(&history(&serial(text)), &Budget::default())
}

fn every_flaw_is_noticed(rows: &[Row]) {
    for (check, sound, flaws) in rows {
        let sound = report(check, sound);
        assert!(sound.verdict.is_valid(), "{check}, sound: {sound}");
        for (flaw, text) in *flaws {
            let flawed = report(check, text);
            assert!(flawed.verdict.is_invalid(), "{check}, {flaw}: {flawed}{text}");
        }
    }
}

const REGISTERS_AND_SETS: &[Row] = &[
    (
        "cas-register",
        "0 write 1\n 1 read > 1\n 0 cas [1,2]\n 1 cas [1,3]!\n 1 read > 2",
        &[
            ("a lost write", "0 write 1\n 1 read > null"),
            ("a stale read", "0 write 1\n 0 write 2\n 1 read > 1"),
            ("a value from nowhere", "0 write 1\n 1 read > 2"),
            ("a failed write seen", "0 write 1!\n 1 read > 1"),
            ("a value from the future", "0 read > 1\n 1 write 1"),
            ("a comparison that does not compare", "0 write 1\n 0 write 2\n 1 cas [1,3]\n 1 read > 3"),
        ],
    ),
    (
        "set",
        "0 add 1\n 0 add 2?\n 1 add 3\n 1 read > [3,1]",
        &[
            ("a lost element", "0 add 1\n 1 add 2\n 1 read > [2]"),
            ("an element twice", "0 add 1\n 1 read > [1,1]"),
            ("an element from nowhere", "0 add 1\n 1 read > [1,2]"),
            ("a failed add seen", "0 add 1!\n 1 add 2\n 1 read > [1,2]"),
            ("a stale read", "0 add 1\n 1 read > []\n 1 read > [1]"),
        ],
    ),
    (
        "element-set",
        "0 add 1 > true\n 1 contains 1 > true\n 0 remove 1 > true\n 1 contains 1 > false",
        &[
            ("a lost element", "0 add 1\n 1 contains 1 > false"),
            ("an element new twice", "0 add 1 > true\n 1 add 1 > true"),
            ("an element back", "0 add 1 > true\n 0 remove 1 > true\n 1 contains 1 > true"),
            ("a failed add seen", "0 add 1!\n 1 contains 1 > true"),
        ],
    ),
    (
        "final-set",
        "0 add 1\n 0 add 2?\n 1 read > [1]",
        &[
            ("a lost element", "0 add 1\n 0 add 2\n 1 read > [2]"),
            ("an element from nowhere", "0 add 1\n 1 read > [1,2]"),
        ],
    ),
    (
        "set-full",
        "0 add 1\n 0 add 2?\n 1 read > [1]\n 1 read > [1]",
        &[
            ("a lost element", "0 add 1\n 1 read > [1]\n 1 read > []"),
            ("an element twice", "0 add 1\n 1 read > [1,1]"),
            ("an element from nowhere", "0 add 1\n 1 read > [1,2]"),
        ],
    ),
    (
        "sessions",
        "0 write 1\n 0 read > 1\n 1 read > 1",
        &[
            ("a process that misses its own write", "0 write 1\n 0 read > null"),
            ("a process that goes back", "0 write 1\n 0 write 2\n 1 read > 2\n 1 read > 1"),
        ],
    ),
];

const LISTS_AND_TEXTS: &[Row] = &[
    (
        "append",
        "0 append 1\n 1 append 2\n 0 append 3?\n 1 read > [1,2]",
        &[
            ("a lost append", "0 append 1\n 0 append 2\n 1 read > [2]"),
            ("an append twice", "0 append 1\n 1 read > [1,1]"),
            ("a wrong order", "0 append 1\n 0 append 2\n 1 read > [2,1]"),
            ("an element from nowhere", "0 append 1\n 1 read > [1,2]"),
            ("a failed append seen", "0 append 1!\n 0 append 2\n 1 read > [1,2]"),
            ("a stale read", "0 append 1\n 0 append 2\n 1 read > [1]"),
            ("an append taken back", "0 append 1\n 1 read > [1]\n 1 read > []"),
        ],
    ),
    (
        "kv",
        r#"0 put "a"
           0 append "b"
           1 get > "ab""#,
        &[
            ("a lost append", "0 put \"a\"\n 0 append \"b\"\n 1 get > \"a\""),
            ("an append twice", "0 put \"a\"\n 0 append \"b\"\n 1 get > \"abb\""),
            ("a text from nowhere", "0 put \"a\"\n 1 get > \"c\""),
        ],
    ),
    (
        "kv-map",
        r#"0 put ["k","a"]
           0 append ["k","b"]
           1 get "k" > "ab""#,
        &[
            ("a lost append", "0 put [\"k\",\"a\"]\n 0 append [\"k\",\"b\"]\n 1 get \"k\" > \"a\""),
            ("another key's text", "0 put [\"k\",\"a\"]\n 0 put [\"l\",\"b\"]\n 1 get \"k\" > \"b\""),
        ],
    ),
];

const QUEUES: &[Row] = &[
    (
        "queue",
        "0 enqueue 1\n 0 enqueue 2\n 1 dequeue > 1\n 1 dequeue > 2\n 1 dequeue > null",
        &[
            ("a lost element", "0 enqueue 1\n 1 dequeue > null"),
            ("an element twice", "0 enqueue 1\n 1 dequeue > 1\n 1 dequeue > 1"),
            ("an element overtaken", "0 enqueue 1\n 0 enqueue 2\n 1 dequeue > 2\n 1 dequeue > 1"),
            ("an element from nowhere", "0 enqueue 1\n 1 dequeue > 2"),
            ("a failed enqueue seen", "0 enqueue 1!\n 1 dequeue > 1"),
            ("an element from the future", "1 dequeue > 1\n 0 enqueue 1"),
        ],
    ),
    (
        "stack",
        "0 push 1\n 0 push 2\n 1 pop > 2\n 1 pop > 1\n 1 pop > null",
        &[
            ("a lost element", "0 push 1\n 1 pop > null"),
            ("an element twice", "0 push 1\n 1 pop > 1\n 1 pop > 1"),
            ("a buried element", "0 push 1\n 0 push 2\n 1 pop > 1\n 1 pop > 2"),
            ("an element from nowhere", "0 push 1\n 1 pop > 2"),
        ],
    ),
    (
        "priority-queue",
        "0 insert 1\n 0 insert 2\n 1 poll > 2\n 1 poll > 1\n 1 poll > null",
        &[
            ("a lost element", "0 insert 1\n 1 poll > null"),
            ("an element twice", "0 insert 1\n 1 poll > 1\n 1 poll > 1"),
            ("a lesser one first", "0 insert 1\n 0 insert 2\n 1 poll > 1\n 1 poll > 2"),
        ],
    ),
    (
        "unordered-queue",
        "0 enqueue 1\n 0 enqueue 2\n 1 dequeue > 2\n 1 dequeue > 1\n 1 dequeue > null",
        &[
            ("a lost element", "0 enqueue 1\n 1 dequeue > null"),
            ("an element twice", "0 enqueue 1\n 1 dequeue > 1\n 1 dequeue > 1"),
            ("an element from nowhere", "0 enqueue 1\n 1 dequeue > 2"),
        ],
    ),
    (
        "dequeues",
        "0 enqueue 1\n 1 dequeue > 1",
        &[
            ("an element twice", "0 enqueue 1\n 1 dequeue > 1\n 1 dequeue > 1"),
            ("an element from nowhere", "0 enqueue 1\n 1 dequeue > 2"),
        ],
    ),
    (
        "total-queue",
        "0 enqueue 1\n 0 enqueue 2\n 1 dequeue > 2\n 1 drain > [1]",
        &[
            ("a lost element", "0 enqueue 1\n 0 enqueue 2\n 1 dequeue > 2\n 1 drain > []"),
            ("an element from nowhere", "0 enqueue 1\n 1 drain > [1,2]"),
        ],
    ),
];

const LOCKS_AND_NUMBERS: &[Row] = &[
    (
        "mutex",
        "0 acquire\n 1 acquire > false\n 0 release\n 1 acquire > true",
        &[
            ("two owners", "0 acquire\n 1 acquire"),
            ("a free lock refused", "0 acquire\n 0 release\n 1 acquire > false"),
            ("a free lock released", "0 acquire\n 0 release\n 0 release"),
            ("a failed acquire that took it", "0 acquire!\n 1 acquire > false"),
        ],
    ),
    (
        "reentrant-lock",
        "0 acquire\n 0 acquire\n 1 acquire > false\n 0 release\n 0 release\n 1 acquire",
        &[
            ("two owners", "0 acquire\n 1 acquire"),
            ("a lock released by another", "0 acquire\n 1 release"),
            ("a lock given away too early", "0 acquire\n 0 acquire\n 0 release\n 1 acquire"),
            ("a free lock refused", "0 acquire\n 0 release\n 1 acquire > false"),
        ],
    ),
    (
        "fenced-lock",
        "0 acquire > 1\n 0 release\n 1 acquire > 2",
        &[
            ("two owners", "0 acquire > 1\n 1 acquire > 2"),
            ("a token that does not rise", "0 acquire > 2\n 0 release\n 1 acquire > 2"),
        ],
    ),
    (
        "semaphore",
        "0 acquire\n 0 release\n 1 acquire",
        &[("a permit given twice", "0 acquire\n 1 acquire"), ("a permit too many", "0 release")],
    ),
    (
        "stream",
        "0 append {\"record_hashes\":[11,22],\"set_fencing_token\":\"a\"} > 2\n 1 read > [2,9088626441339717343]\n \
         1 append {\"record_hashes\":[33],\"match_seq_num\":2,\"fencing_token\":\"a\"} > 3\n 1 check-tail > 3",
        &[
            ("a lost record", "0 append {\"record_hashes\":[11]} > 1\n 1 check-tail > 0"),
            ("a record twice", "0 append {\"record_hashes\":[11]} > 1\n 1 check-tail > 2"),
            ("another record", "0 append {\"record_hashes\":[11]} > 1\n 1 read > [1,3079076122049371917]"),
            ("a failed append seen", "0 append {\"record_hashes\":[11]}!\n 1 check-tail > 1"),
            (
                "a place that was taken",
                "0 append {\"record_hashes\":[11]} > 1\n 1 append {\"record_hashes\":[22],\"match_seq_num\":0} > 2",
            ),
            (
                "a fence that holds nobody off",
                "0 append {\"record_hashes\":[11],\"set_fencing_token\":\"a\"} > 1\n \
                 1 append {\"record_hashes\":[22],\"fencing_token\":\"b\"} > 2",
            ),
            ("a fence that nobody set", "1 append {\"record_hashes\":[22],\"fencing_token\":\"b\"} > 1"),
        ],
    ),
    (
        "counter",
        "0 read > null\n 0 add 1\n 1 read > 1\n 0 add 2?\n 1 read > 3",
        &[
            ("a lost addition", "0 add 1\n 0 add 2\n 1 read > 2"),
            ("an addition twice", "0 add 1\n 1 read > 2"),
            ("a failed addition seen", "0 add 1!\n 1 read > 1"),
            ("a stale read", "0 add 1\n 1 read > 1\n 1 read > 0"),
            ("all forgotten", "0 add 1\n 1 read > null"),
        ],
    ),
    (
        "counter-bounds",
        "0 add 1\n 0 add 2?\n 1 read > 3",
        &[("a lost addition", "0 add 1\n 1 read > 0"), ("an addition twice", "0 add 1\n 1 read > 2")],
    ),
    (
        "unique-ids",
        "0 generate > 1\n 1 generate > 2",
        &[("an id twice", "0 generate > 1\n 1 generate > 2\n 2 generate > 1")],
    ),
    (
        "monotonic",
        "0 read > null\n 0 inc > 1\n 1 read > 1",
        &[
            ("a number that went back", "0 inc > 2\n 1 read > 1"),
            ("an increment that went back", "0 inc > 2\n 1 inc > 1"),
            ("all forgotten", "0 inc > 1\n 1 read > null"),
        ],
    ),
];

const SEVERAL_KEYS: &[Row] = &[
    (
        "list-append",
        r#"0 txn [["append",1,1],["r",2,null]] > [["append",1,1],["r",2,null]]
           1 txn [["append",2,2]]
           0 txn [["r",1,null],["r",2,null]] > [["r",1,[1]],["r",2,[2]]]"#,
        &[
            (
                "a lost append",
                r#"0 txn [["append",1,1]]
                   0 txn [["append",1,2]]
                   1 txn [["r",1,null]] > [["r",1,[2]]]"#,
            ),
            (
                "an append twice",
                r#"0 txn [["append",1,1]]
                   1 txn [["r",1,null]] > [["r",1,[1,1]]]"#,
            ),
            (
                "half a transaction",
                r#"0 txn [["append",1,1],["append",2,2]]
                   1 txn [["r",1,null],["r",2,null]] > [["r",1,[1]],["r",2,null]]
                   1 txn [["r",1,null],["r",2,null]] > [["r",1,[1]],["r",2,[2]]]"#,
            ),
            (
                "a stale read",
                r#"0 txn [["append",1,1]]
                   1 txn [["r",1,null]] > [["r",1,null]]
                   1 txn [["r",1,null]] > [["r",1,[1]]]"#,
            ),
            (
                "a failed append seen",
                r#"0 txn [["append",1,1]]!
                   1 txn [["r",1,null]] > [["r",1,[1]]]"#,
            ),
            (
                "an element from nowhere",
                r#"0 txn [["append",1,1]]
                   1 txn [["r",1,null]] > [["r",1,[1,2]]]"#,
            ),
            (
                "two orders",
                r#"0 txn [["append",1,1]]
                   0 txn [["append",1,2]]
                   1 txn [["r",1,null]] > [["r",1,[1,2]]]
                   2 txn [["r",1,null]] > [["r",1,[2,1]]]"#,
            ),
        ],
    ),
    (
        "rw-register",
        r#"0 txn [["w",1,1],["w",2,1]]
           1 txn [["r",1,null],["w",2,2]] > [["r",1,1],["w",2,2]]
           0 txn [["r",1,null],["r",2,null]] > [["r",1,1],["r",2,2]]"#,
        &[
            (
                "a lost write",
                r#"0 txn [["w",1,1]]
                   1 txn [["r",1,null]] > [["r",1,null]]"#,
            ),
            (
                "a lost update",
                r#"0 txn [["w",1,1]]
                   1 txn [["r",1,null],["w",1,2]] > [["r",1,1],["w",1,2]]
                   2 txn [["r",1,null],["w",1,3]] > [["r",1,1],["w",1,3]]"#,
            ),
            (
                "half a transaction",
                r#"0 txn [["w",1,1],["w",2,2]]
                   1 txn [["r",1,null],["r",2,null]] > [["r",1,1],["r",2,null]]"#,
            ),
            (
                "a stale read",
                r#"0 txn [["w",1,1]]
                   0 txn [["w",1,2]]
                   1 txn [["r",1,null]] > [["r",1,1]]"#,
            ),
            (
                "a failed write seen",
                r#"0 txn [["w",1,1]]!
                   1 txn [["r",1,null]] > [["r",1,1]]"#,
            ),
            (
                "a value from nowhere",
                r#"0 txn [["w",1,1]]
                   1 txn [["r",1,null]] > [["r",1,2]]"#,
            ),
        ],
    ),
    (
        "multi-register",
        r#"0 txn [["w",1,1],["w",2,1]]
           1 txn [["r",1,null],["r",2,null]] > [["r",1,1],["r",2,1]]"#,
        &[
            (
                "half a transaction",
                r#"0 txn [["w",1,1],["w",2,1]]
                   1 txn [["r",1,null],["r",2,null]] > [["r",1,1],["r",2,null]]"#,
            ),
            (
                "a stale read",
                r#"0 txn [["w",1,1]]
                   0 txn [["w",1,2]]
                   1 txn [["r",1,null]] > [["r",1,1]]"#,
            ),
        ],
    ),
    (
        "bank",
        r#"0 read > {"0":10,"1":0}
           0 transfer {"from":0,"to":1,"amount":4}
           1 read > {"0":6,"1":4}"#,
        &[
            (
                "half a transfer",
                r#"0 read > {"0":10,"1":0}
                   1 read > {"0":6,"1":0}"#,
            ),
            (
                "money made",
                r#"0 read > {"0":10,"1":0}
                   1 read > {"0":10,"1":4}"#,
            ),
            ("an account below zero", r#"0 read > {"0":11,"1":-1}"#),
            ("an account that is gone", r#"0 read > {"0":10,"1":null}"#),
        ],
    ),
    (
        "long-fork",
        r#"0 txn [["w",1,1]]
           1 txn [["r",1,null],["r",2,null]] > [["r",1,1],["r",2,null]]
           1 txn [["w",2,1]]
           0 txn [["r",1,null],["r",2,null]] > [["r",1,1],["r",2,1]]"#,
        &[
            (
                "a fork",
                r#"0 txn [["w",1,1]]
                   1 txn [["w",2,1]]
                   2 txn [["r",1,null],["r",2,null]] > [["r",1,1],["r",2,null]]
                   3 txn [["r",1,null],["r",2,null]] > [["r",1,null],["r",2,1]]"#,
            ),
            (
                "a value from nowhere",
                r#"0 txn [["w",1,1]]
                   2 txn [["r",1,null],["r",2,null]] > [["r",1,1],["r",2,2]]"#,
            ),
        ],
    ),
    (
        "causal-reverse",
        "0 write 1\n 1 write 2\n 2 read > [1]\n 2 read > [1,2]",
        &[("a write without what was there before", "0 write 1\n 1 write 2\n 2 read > [2]")],
    ),
];

const TABLES: [&[Row]; 5] = [REGISTERS_AND_SETS, LISTS_AND_TEXTS, QUEUES, LOCKS_AND_NUMBERS, SEVERAL_KEYS];

#[test]
fn flaws_of_registers_and_sets() {
    every_flaw_is_noticed(REGISTERS_AND_SETS);
}

#[test]
fn flaws_of_lists_and_texts() {
    every_flaw_is_noticed(LISTS_AND_TEXTS);
}

#[test]
fn flaws_of_queues() {
    every_flaw_is_noticed(QUEUES);
}

#[test]
fn flaws_of_locks_and_numbers() {
    every_flaw_is_noticed(LOCKS_AND_NUMBERS);
}

#[test]
fn flaws_that_take_several_keys() {
    every_flaw_is_noticed(SEVERAL_KEYS);
}

#[test]
fn no_check_goes_without_a_flaw() {
    let planted: BTreeSet<&str> = TABLES.into_iter().flatten().map(|(check, ..)| *check).collect();
    // Never invalid: bad luck is no fault of the system.
    let luck = ["stats", "unhandled-exceptions"];
    let asked = catalogue::entries().iter().map(|entry| entry.name).filter(|name| !luck.contains(name));
    assert_eq!(planted, asked.collect());
}
