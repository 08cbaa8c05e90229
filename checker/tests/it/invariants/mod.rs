//! Invariants: planted faults by name, and correct histories that must pass.

mod correct;

use checker::catalogue::{self, Rules};
use checker::invariants::{
    Bank, Compose, Counter, FinalSet, Guarantee, LongFork, Monotonic, Queue, Sessions, SetFull, Stats,
    TotalQueue,
};
use checker::{Budget, Check, History, Report, Value, Verdict};

use crate::history::history;
use correct::correct;

/// The invariants, as the catalogue has them.
const NAMES: [&str; 13] = [
    "final-set",
    "set-full",
    "dequeues",
    "total-queue",
    "unique-ids",
    "counter-bounds",
    "bank",
    "long-fork",
    "causal-reverse",
    "monotonic",
    "sessions",
    "stats",
    "unhandled-exceptions",
];

fn named(name: &str) -> Box<dyn Check> {
    catalogue::by_name(name).unwrap().check(&Rules::default())
}

fn check(check: &dyn Check, text: &str) -> Report {
    check.check(&history(text), &Budget::default())
}

/// The name of the anomaly, "valid", or "unknown".
fn answer(report: &Report) -> String {
    match &report.verdict {
        Verdict::Valid => "valid".to_owned(),
        Verdict::Unknown(_) => "unknown".to_owned(),
        Verdict::Invalid(witness) => {
            assert!(!witness.ops.is_empty() && witness.ops.len() <= 8, "{witness}");
            serde_json::to_string(&witness.anomaly).unwrap().trim_matches('"').to_owned()
        }
    }
}

/// Each line one operation after the other: `process f argument > result`, `!` failed, `?` unknown.
pub(crate) fn serial(text: &str) -> String {
    let mut lines = String::new();
    let mut at = 0;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (asked, result) = line.split_once('>').unwrap_or((line, ""));
        let (asked, end) = match asked.trim() {
            failed if failed.ends_with('!') => (failed.trim_end_matches('!'), "fail"),
            unknown if unknown.ends_with('?') => (unknown.trim_end_matches('?'), "info"),
            ok => (ok, "ok"),
        };
        let words: Vec<&str> = asked.trim().splitn(3, ' ').collect();
        let (process, f) = (words[0], words[1]);
        let argument = words.get(2).map_or("", |argument| argument.trim());
        let result = if result.is_empty() { argument } else { result.trim() };
        lines += &format!("{at} {process} invoke {f} {argument}\n");
        lines += &format!("{} {process} {end} {f} {result}\n", at + 1);
        at += 2;
    }
    let lines = lines.replace(" \n", "\n");
    history(&lines).well_formed().unwrap();
    lines
}

fn table(name: &str, rows: &[(&str, &str)]) {
    for (expected, text) in rows {
        let report = check(&*named(name), &serial(text));
        assert_eq!(answer(&report), *expected, "{name}\n{text}\n{report}");
    }
}

#[test]
fn a_set_read_in_the_end() {
    table(
        "final-set",
        &[
            ("valid", "0 add 1\n 0 add 2?\n 1 add 3!\n 1 read > [1]"),
            ("valid", "0 add 1\n 0 add 2?\n 1 read > [2,1]"),
            ("lost-update", "0 add 1\n 1 read > [1]\n 1 add 2\n 1 read > [2]"),
            ("never-written", "0 add 1\n 1 read > [1,2]"),
            ("failed-write-seen", "0 add 1!\n 1 read > [1]"),
            ("valid", "0 add 1!\n 0 add 1\n 1 read > [1]"),
            ("unknown", "0 add 1"),
            ("unknown", "0 read > []\n 0 add 1"),
            ("unknown", "0 add 1\n 0 read! > [1]"),
            ("read-from-future", "0 read > [1]\n 0 add 1"),
        ],
    );
    let report = check(&FinalSet::default(), &serial("0 add 1\n 1 add 2?\n 0 read > [1,2]"));
    assert!(report.engine.contains("1 recovered"), "{report}");
}

#[test]
fn what_becomes_of_each_element_of_a_set() {
    table(
        "set-full",
        &[
            ("valid", "0 add 1\n 1 read > [1]"),
            // Late, but there in the end.
            ("valid", "0 add 1\n 1 read > []\n 1 read > [1]"),
            ("lost-update", "0 add 1\n 0 add 2\n 1 read > [1,2]\n 1 read > [2]"),
            ("lost-update", "5 add 1?\n 0 add 2\n 1 read > [1,2]\n 1 read > [2]"),
            ("valid", "5 add 1?\n 0 add 2\n 1 read > [2]\n 1 read > [2]"),
            ("duplicate", "0 add 1\n 1 read > [1,1]"),
            ("never-written", "0 add 1\n 1 read > [1,2]"),
            ("failed-write-seen", "0 add 1\n 0 add 2!\n 1 read > [1,2]"),
            ("read-from-future", "0 add 1\n 1 read > [1,2]\n 0 add 2\n 1 read > [1,2]"),
            ("unknown", "0 read > []\n 0 add 1"),
            ("unknown", "0 add 1"),
        ],
    );
    let late = serial("0 add 1\n 1 read > []\n 1 read > [1]");
    assert_eq!(answer(&check(&SetFull::default().linearizable(), &late)), "stale-read");
    let report = check(&SetFull::default(), &late);
    assert!(report.engine.contains("1 stable, 1 stale, 0 lost"), "{report}");
    // The read that lacks it was open while it was added: fine even for a linearizable set.
    let open = "0 1 invoke read\n 1 0 invoke add 1\n 2 0 ok add 1\n 3 1 ok read []\n 4 1 invoke read\n 5 1 ok read [1]";
    assert_eq!(answer(&check(&SetFull::default().linearizable(), open)), "valid");
    // A read begun before it was known, and nothing after: nobody looked.
    let never = "0 1 invoke read\n 1 0 invoke add 1\n 2 0 ok add 1\n 3 1 ok read []";
    assert_eq!(answer(&check(&SetFull::default(), never)), "unknown");
}

#[test]
fn what_comes_out_of_a_queue() {
    table(
        "dequeues",
        &[
            ("valid", "0 enqueue 1\n 0 enqueue 2?\n 1 dequeue > 2\n 1 dequeue > 1"),
            ("never-written", "0 enqueue 1\n 1 dequeue > 2"),
            ("failed-write-seen", "0 enqueue 1!\n 1 dequeue > 1"),
            ("read-from-future", "1 dequeue > 1\n 0 enqueue 1"),
            ("duplicate", "0 enqueue 1\n 1 dequeue > 1\n 1 dequeue > 1"),
            ("valid", "0 enqueue 1\n 0 enqueue 1\n 1 dequeue > 1\n 1 dequeue > 1"),
            ("unknown", "0 enqueue 1\n 1 dequeue > null"),
        ],
    );
    table(
        "total-queue",
        &[
            ("valid", "0 enqueue 1\n 5 enqueue 2?\n 0 enqueue 3\n 1 dequeue > 2\n 1 drain > [1,3]"),
            ("valid", "0 enqueue 1\n 1 dequeue > 1\n 1 dequeue > 1"),
            ("lost-update", "0 enqueue 1\n 0 enqueue 2\n 1 dequeue > 2\n 1 dequeue > null"),
            ("lost-update", "0 enqueue 1\n 0 enqueue 2\n 0 enqueue 3\n 1 dequeue?\n 2 dequeue > 3"),
            ("unknown", "0 enqueue 1\n 0 enqueue 2\n 1 dequeue?\n 2 dequeue > 2"),
            ("unknown", "0 enqueue 1\n 0 enqueue 2\n 1 drain?\n 2 drain > []"),
            ("unknown", "0 enqueue 2\n 1 dequeue > 2\n 0 enqueue 1"),
            ("never-written", "0 enqueue 1\n 1 drain > [1,2]"),
            ("unknown", "0 dequeue > null"),
        ],
    );
    let twice = serial("0 enqueue 1\n 1 dequeue > 1\n 1 dequeue > 1");
    assert_eq!(answer(&check(&TotalQueue::default().exactly_once(), &twice)), "duplicate");
    assert_eq!(answer(&check(&Queue::default(), &twice)), "duplicate");
}

#[test]
fn ids_and_counters() {
    table(
        "unique-ids",
        &[
            ("valid", "0 generate > 1\n 1 generate? > 1\n 2 generate > 2"),
            ("duplicate", "0 generate > 1\n 1 generate > 2\n 0 generate > 1"),
            ("unknown", "0 generate? > 1"),
        ],
    );
    table(
        "counter-bounds",
        &[
            ("valid", "0 add 1\n 0 add 2?\n 1 add 4!\n 1 read > 1"),
            ("valid", "0 add 1\n 0 add 2?\n 1 add 4!\n 1 read > 3"),
            ("lost-update", "0 add 1\n 0 add 2\n 1 read > 2"),
            ("never-written", "0 add 1\n 0 add 2!\n 1 read > 2"),
            ("valid", "0 add 5\n 0 add -2?\n 1 read > 3"),
            ("lost-update", "0 add 5\n 0 add -2?\n 1 read > 2"),
            ("never-written", "0 add 5\n 0 add -2\n 1 read > 5"),
            ("unknown", "0 add 5"),
            ("unknown", "0 add 5\n 0 read > \"x\""),
        ],
    );
    // Open at the same time: either bound.
    for (value, expected) in [("0", "valid"), ("3", "valid"), ("4", "never-written")] {
        let text = format!("0 1 invoke read\n 1 0 invoke add 3\n 2 1 ok read {value}\n 3 0 ok add 3");
        assert_eq!(answer(&check(&Counter::default(), &text)), expected);
    }
}

#[test]
fn money() {
    table(
        "bank",
        &[
            (
                "valid",
                r#"0 read > {"0":10,"1":0}
                         0 transfer {"from":0,"to":1,"amount":4}
                         1 read > {"0":6,"1":4}"#,
            ),
            (
                "broken-invariant",
                r#"0 read > {"0":10,"1":0}
                                    1 read > {"0":6,"1":3}"#,
            ),
            ("broken-invariant", r#"0 read > {"0":11,"1":-1}"#),
            ("broken-invariant", r#"0 read > {"0":11,"1":null}"#),
            ("unknown", "0 transfer 1"),
            ("unknown", "0 read > [1,2]"),
        ],
    );
    let read = r#"0 0 invoke read
                  1 0 ok read {"0":11,"1":-1}"#;
    assert_eq!(answer(&check(&Bank::default().negative_balances(), read)), "valid");
    assert_eq!(answer(&check(&Bank::default().negative_balances().total(9), read)), "broken-invariant");
    // Nobody knows whether the second bank ever existed: there is nothing to show about it.
    let other = |end: &str| format!("{read} @1\n2 1 invoke open 1 @2\n3 1 {end} open 1 @2");
    let of_keys = |end| {
        answer(&check(&Bank::default().negative_balances(), &other(end).replace("read\n", "read @1\n")))
    };
    assert_eq!((of_keys("info"), of_keys("ok")), ("valid".to_owned(), "unknown".to_owned()));
    let accounts = Bank::default().negative_balances().accounts([Value::Int(0)]);
    assert_eq!(answer(&check(&accounts, read)), "broken-invariant");
}

#[test]
fn forks_and_reversals() {
    let w = |process: u32, key: u32| format!("{process} txn [[\"w\",{key},1]]\n");
    let r = |process: u32, a: &str, b: &str| {
        format!("{process} txn [[\"r\",1,null],[\"r\",2,null]] > [[\"r\",1,{a}],[\"r\",2,{b}]]\n")
    };
    let writes = w(0, 1) + &w(1, 2);
    let cases = [
        ("valid", writes.clone() + &r(2, "null", "null") + &r(3, "1", "null") + &r(2, "1", "1")),
        ("fork", writes.clone() + &r(2, "null", "1") + &r(3, "1", "null")),
        ("fork", writes.clone() + &r(2, "null", "1") + &r(3, "1", "1") + &r(3, "1", "null")),
        ("never-written", writes.clone() + &r(2, "null", "2")),
        ("unknown", writes.clone() + &w(2, 1)),
        ("unknown", writes),
    ];
    for (expected, text) in &cases {
        let report = check(&LongFork::default(), &serial(text));
        assert_eq!(answer(&report), *expected, "{text}\n{report}");
    }
    table(
        "causal-reverse",
        &[
            ("valid", "0 write 1\n 1 write 2\n 2 read > [1]\n 2 read > [2,1]"),
            ("lost-update", "0 write 1\n 1 write 2\n 2 read > [2]"),
            ("valid", "0 write 1?\n 1 write 2\n 2 read > [2]"),
            ("never-written", "0 write 1\n 2 read > [2]"),
            ("unknown", "0 write 1"),
        ],
    );
}

#[test]
fn what_only_grows() {
    table(
        "monotonic",
        &[
            ("valid", "0 read > 1\n 1 read > 1\n 0 inc > 2\n 1 read > 3"),
            ("went-back", "0 read > 2\n 1 read > 1"),
            ("valid", "0 read > null\n 1 read > null\n 0 inc > 1"),
            ("went-back", "0 read > 2\n 1 read > null"),
            ("valid", "0 read > 2\n 1 read! > 1\n 2 read? > 1\n 3 read > 2"),
            ("unknown", "0 read > 2"),
        ],
    );
    let behind = serial("0 read > 2\n 1 read > 1\n 0 read > 2");
    assert_eq!(answer(&check(&Monotonic::default().per_process(), &behind)), "valid");
    let back = serial("0 read > 2\n 0 read > 1");
    assert_eq!(answer(&check(&Monotonic::default().per_process(), &back)), "went-back");
    let open = "0 0 invoke read\n 1 1 invoke read\n 2 0 ok read 2\n 3 1 ok read 1";
    assert_eq!(answer(&check(&Monotonic::default(), open)), "valid");
}

#[test]
fn sessions_keep_their_guarantees() {
    use Guarantee as G;
    let all = [G::ReadYourWrites, G::MonotonicReads, G::MonotonicWrites, G::WritesFollowReads];
    let cases = [
        ("0 write 1\n 0 read", &[G::ReadYourWrites][..]),
        ("0 write 1\n 1 read > 1\n 1 read", &[G::MonotonicReads]),
        // Two processes see two writes in opposite orders.
        ("0 write 1\n 1 write 2\n 2 read > 1\n 2 read > 2\n 3 read > 2\n 3 read > 1", &[G::MonotonicReads]),
        // Its own two writes the wrong way round.
        ("0 write 1\n 0 write 2\n 1 read > 2\n 1 read > 1", &[]),
        ("0 write 1\n 1 read > 1\n 1 write 2\n 2 read > 2\n 2 read > 1", &[]),
    ];
    for (text, broken_alone) in cases {
        let text = serial(text);
        for guarantee in all {
            let expected = if broken_alone.contains(&guarantee) { "invalid" } else { "valid" };
            let report = check(&Sessions::of([guarantee]), &text);
            assert_eq!(report.verdict.word(), expected, "{guarantee:?}\n{text}\n{report}");
        }
        assert!(check(&Sessions::default(), &text).verdict.is_invalid(), "{text}");
    }
    table(
        "sessions",
        &[
            ("valid", "0 write 1\n 1 read > 1\n 1 write 2\n 0 read > 1\n 0 read > 2"),
            ("never-written", "0 write 1\n 1 read > 2"),
            ("failed-write-seen", "0 write 1!\n 1 read > 1"),
            ("unknown", "0 write 1\n 1 write 1\n 0 read > 1"),
            ("unknown", "0 write 1"),
        ],
    );
    let both = check(&Sessions::default(), &serial("0 write 1\n 0 write 2\n 1 read > 2\n 1 read > 1"));
    let Verdict::Invalid(witness) = &both.verdict else { panic!() };
    assert!(witness.summary.contains("monotonic-reads and monotonic-writes"), "{witness}");
}

#[test]
fn counts_errors_and_several_checks_in_one() {
    table(
        "stats",
        &[
            ("valid", "0 read > 1\n 0 write 1!\n 0 write 2"),
            ("unknown", "0 read > 1\n 0 write 1!\n 0 write 2?"),
            ("unknown", ""),
        ],
    );
    let mut ops = history("0 0 invoke read\n 1 0 info read\n 2 1 invoke read\n 3 1 ok read 1").into_ops();
    ops[1].error = Some("timed out".into());
    let report = named("unhandled-exceptions").check(&History::new(ops), &Budget::default());
    assert!(report.verdict.is_valid() && report.engine.contains("1 × timed out"), "{report}");

    let composed = |text: &str| {
        let checks: Vec<Box<dyn Check>> = vec![Box::new(Stats::default()), Box::new(Counter::default())];
        check(&Compose::new("all", checks), &serial(text))
    };
    assert_eq!(answer(&composed("0 add 1\n 0 read > 1")), "valid");
    assert_eq!(answer(&composed("0 add 1\n 0 read > 0")), "lost-update");
    assert_eq!(answer(&composed("0 add 1\n 0 read > 1\n 0 reset!")), "unknown");
    // Invalid beats unknown.
    assert_eq!(answer(&composed("0 add 1\n 0 read > 0\n 0 reset!")), "lost-update");
    assert!(composed("0 add 1\n 0 read > 0").engine.contains("stats: valid, counter-bounds: invalid"));
}

#[test]
fn every_name_is_known_and_nothing_asked_is_nothing_shown() {
    for name in NAMES {
        let check = named(name);
        assert!(check.check(&History::default(), &Budget::default()).verdict.is_unknown(), "{name}");
        let reused = history("0 0 invoke read\n 1 0 invoke read");
        assert!(check.check(&reused, &Budget::default()).verdict.is_unknown(), "{name}");
    }
    assert!(catalogue::by_name("magic").is_none());
}

#[test]
fn keys_are_judged_each_on_its_own() {
    let text = "0 0 invoke add 1 @1\n 1 0 ok add 1 @1\n 2 0 invoke add 5 @2\n 3 0 ok add 5 @2
                4 0 invoke read @1\n 5 0 ok read 1 @1\n 6 0 invoke read @2\n 7 0 ok read 6 @2";
    let report = check(&Counter::default(), text);
    assert_eq!((answer(&report), report.invalid_keys.clone()), ("never-written".to_owned(), vec![2.into()]));
}

#[test]
fn every_check_is_called_what_the_catalogue_calls_it() {
    for entry in catalogue::entries() {
        let check = entry.check(&Rules::default());
        assert_eq!(check.name(), entry.name);
        let report = check.check(&History::default(), &Budget::default());
        assert_eq!(report.check.split(' ').next(), Some(entry.name), "{report}");
    }
}

#[test]
fn correct_objects_pass() {
    let mut valid = 0;
    for name in NAMES {
        for seed in 0..60 {
            let history = correct(name, seed);
            let report = match name {
                "bank" => Bank::default().negative_balances().total(0).check(&history, &Budget::default()),
                _ => named(name).check(&history, &Budget::default()),
            };
            assert!(!report.verdict.is_invalid(), "{name} seed {seed}: {report}");
            valid += u32::from(report.verdict.is_valid());
        }
    }
    assert!(valid > 500, "only {valid} valid");
}
