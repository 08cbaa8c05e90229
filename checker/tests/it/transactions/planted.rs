//! Every anomaly in the smallest history that has it: found, named, and nothing else with it.

use checker::transactions::consistency::{ConsistencyModel, TransactionAnomaly, ruled_out};
use checker::transactions::{ListAppend, RwRegister};
use checker::{Budget, Check, Verdict};

use super::store::{self, Plan};
use super::{concurrent, history, lists, names, registers, serial};

/// Anomaly names found, weakest models ruled out, and the transactions, all concurrent.
const LISTS: [(&str, &str, &str); 15] = [
    ("duplicate-elements", "read-uncommitted", "0 append,1,1\n 1 r,1,[1+1]"),
    ("incompatible-order", "read-committed", "0 append,1,1\n 1 append,1,2\n 2 r,1,[1+2]\n 3 r,1,[2]"),
    ("garbage-read", "read-committed", "0 append,1,1\n 1 r,1,[1+9]"),
    ("G1a", "read-committed", "0! append,1,1\n 1 r,1,[1]"),
    ("G1b", "read-committed", "0 append,1,1 append,1,2\n 1 r,1,[1]\n 2 r,2,[]"),
    ("G1a dirty-update", "read-committed", "0! append,1,1\n 1 append,1,2\n 2 r,1,[1+2]"),
    ("future-read", "read-committed", "0 r,1,[1] append,1,1"),
    ("internal", "read-atomic", "0 append,1,1\n 1 r,1,[] r,1,[1]"),
    (
        "lost-update G-single",
        "cursor-stability parallel-snapshot-isolation",
        "0 r,1,[] append,1,1\n 1 r,1,[] append,1,2\n 2 r,1,[1+2]",
    ),
    ("G0", "read-uncommitted", "0 append,1,1 append,2,1\n 1 append,1,2 append,2,2\n 2 r,1,[1+2] r,2,[2+1]"),
    ("G1c", "read-committed", "0 append,1,1 r,2,[2]\n 1 append,2,2 r,1,[1]"),
    ("G-single", "consistent-view repeatable-read", "0 append,1,1 append,2,1\n 1 r,1,[1] r,2,[]"),
    (
        "G-nonadjacent",
        "repeatable-read snapshot-isolation",
        "0 append,1,1\n 1 append,2,1\n 2 r,1,[1] r,2,[]\n 3 r,1,[] r,2,[1]",
    ),
    ("G2-item", "repeatable-read", "0 r,1,[] append,2,1\n 1 r,2,[] append,1,1"),
    ("", "", "0 append,1,1 r,2,[]\n 1 append,2,1 r,1,[1]\n 2 r,1,[1] r,2,[1]"),
];

#[test]
fn each_anomaly_of_lists_is_named_and_nothing_else() {
    for (expected, not, text) in LISTS {
        let analysis = lists(&concurrent(text));
        let found = names(&analysis).join(" ");
        // What contradicts itself may be on a cycle as well.
        let found = match expected {
            "internal" => found.replace(" G-single", ""),
            "G1b" => found.replace(" G-single", ""),
            _ => found,
        };
        assert_eq!(found, expected, "{text}\n{analysis}");
        let ruled: Vec<_> = analysis.not.iter().map(|model| model.name()).collect();
        if !["internal", "G1b"].contains(&expected) {
            assert_eq!(ruled.join(" "), not, "{text}\n{analysis}");
        }
    }
}

/// Between transactions one after the other: what only processes or only real time contradict.
const ORDERED: [(&str, &str, &str); 7] = [
    ("G0-process", "strong-session-read-uncommitted", "0 append,1,2\n 0 append,1,1\n 1 r,1,[1+2]"),
    ("G0-realtime", "strong-read-uncommitted", "0 append,1,2\n 1 append,1,1\n 2 r,1,[1+2]"),
    ("G1c-process", "strong-session-read-committed", "0 r,1,[1]\n 0 r,2,[]\n 0 append,1,1"),
    ("G1c-realtime", "strong-read-committed", "0 r,1,[1]\n 1 append,1,1"),
    ("G-single-process", "strong-session-snapshot-isolation", "0 append,1,1\n 0 r,1,[]"),
    ("G-single-realtime", "strong-snapshot-isolation", "0 append,1,1\n 1 r,1,[]"),
    ("", "", "0 append,1,1\n 1 append,1,2\n 0 r,1,[1+2]\n 2 r,1,[1+2]"),
];

#[test]
fn orders_of_processes_and_of_time_are_told_apart() {
    for (expected, not, text) in ORDERED {
        let analysis = lists(&serial(text));
        assert_eq!(names(&analysis).join(" "), expected, "{text}\n{analysis}");
        let ruled: Vec<_> = analysis.not.iter().map(|model| model.name()).collect();
        assert_eq!(ruled.join(" "), not, "{text}\n{analysis}");
    }
}

/// Around one transaction that is open all the while.
#[test]
fn anomalies_that_need_overlaps() {
    let table = [
        // B before C (on 2) before A (in time) before B (on 1).
        (
            "G2-item-realtime",
            "strict-serializable",
            "1 invoke r,2,- append,1,1
             2 invoke append,2,1
             2 ok append,2,1
             0 invoke r,1,-
             0 ok r,1,[]
             1 ok r,2,[] append,1,1",
        ),
        // The same, but C and A are of one process, which is as if in time.
        (
            "G2-item-process",
            "strong-session-serializable",
            "1 invoke r,2,- append,1,1
             2 invoke append,2,1
             2 ok append,2,1
             2 invoke r,1,-
             2 ok r,1,[]
             1 ok r,2,[] append,1,1",
        ),
        // A long fork, one side of which is of time.
        (
            "G-nonadjacent-realtime",
            "strong-snapshot-isolation",
            "2 invoke r,1,- r,2,-
             1 invoke append,1,1
             3 invoke append,2,1
             3 ok append,2,1
             0 invoke r,1,-
             0 ok r,1,[]
             1 ok append,1,1
             2 ok r,1,[1] r,2,[]",
        ),
        (
            "G-nonadjacent-process",
            "strong-session-snapshot-isolation",
            "2 invoke r,1,- r,2,-
             1 invoke append,1,1
             3 invoke append,2,1
             3 ok append,2,1
             3 invoke r,1,-
             3 ok r,1,[]
             1 ok append,1,1
             2 ok r,1,[1] r,2,[]",
        ),
        // B saw what A appended: nothing is before itself.
        (
            "",
            "",
            "1 invoke r,2,- append,1,1
             2 invoke append,2,1
             2 ok append,2,1
             0 invoke r,1,-
             0 ok r,1,[]
             1 ok r,2,[1] append,1,1",
        ),
    ];
    for (expected, not, text) in table {
        let analysis = lists(&history(text));
        assert_eq!(names(&analysis).join(" "), expected, "{text}\n{analysis}");
        let ruled: Vec<_> = analysis.not.iter().map(|model| model.name()).collect();
        assert_eq!(ruled.join(" "), not, "{text}\n{analysis}");
    }
}

const REGISTERS: [(&str, &str); 12] = [
    ("garbage-read", "0 w,1,1\n 1 r,1,9"),
    ("G1a", "0! w,1,1\n 1 r,1,1"),
    ("G1b", "0 w,1,1 w,1,2\n 1 r,1,1"),
    ("future-read", "0 r,1,1 w,1,1"),
    ("internal", "0 w,1,1 r,1,2\n 1 w,1,2"),
    ("cyclic-versions G1c", "0 r,1,2 w,1,1\n 1 r,1,1 w,1,2"),
    ("lost-update G2-item", "0 r,1,- w,1,1\n 1 r,1,- w,1,2"),
    ("G1c", "0 w,1,1 r,2,2\n 1 w,2,2 r,1,1"),
    ("G-single", "0 w,1,1 w,2,1\n 1 r,1,1 r,2,-"),
    ("G-nonadjacent", "0 w,1,1\n 1 w,2,1\n 2 r,1,1 r,2,-\n 3 r,1,- r,2,1"),
    ("G2-item", "0 r,1,- w,2,1\n 1 r,2,- w,1,1"),
    ("", "0 r,1,- w,2,1\n 1 r,2,1 w,1,1\n 2? w,3,1\n 3 r,3,-"),
];

#[test]
fn each_anomaly_of_registers_is_named_and_nothing_else() {
    for (expected, text) in REGISTERS {
        let analysis = registers(&concurrent(text));
        let found = names(&analysis).join(" ");
        let found = match expected {
            "internal" => found.replace(" G1c", ""),
            _ => found,
        };
        assert_eq!(found, expected, "{text}\n{analysis}");
    }
}

const REGISTERS_ORDERED: [(&str, &str); 7] = [
    // A stale read: 1 was replaced by 2 in time.
    ("G-single-realtime", "0 w,1,1\n 1 w,1,2\n 2 r,1,1"),
    ("G-single-process", "0 w,1,1\n 0 w,1,2\n 0 r,1,1"),
    ("G-single-realtime", "0 w,1,1\n 1 r,1,-"),
    // Somebody saw 2 before 1 was written, and then 2 is back.
    ("G-single-realtime", "0 w,1,2\n 1 w,1,1\n 2 r,1,1\n 3 r,1,2"),
    ("G1c-realtime", "0 r,1,1\n 1 w,1,1"),
    ("", "0 w,1,1\n 1 w,1,2\n 2 r,1,2\n 2 r,1,2"),
    // Nobody knows when the first took effect.
    ("", "0? w,1,1\n 1 w,1,2\n 2 r,1,1\n 3 r,1,1"),
];

#[test]
fn versions_of_registers_are_ordered_by_processes_and_time() {
    for (expected, text) in REGISTERS_ORDERED {
        let analysis = registers(&serial(text));
        assert_eq!(names(&analysis).join(" "), expected, "{text}\n{analysis}");
    }
}

/// The anomaly in the midst of a long correct history, with keys of its own.
#[test]
fn an_anomaly_is_found_among_much_that_is_right() {
    for (seed, (expected, _, text)) in (0u64..).zip(LISTS) {
        let plan = Plan { transactions: 150, ..Plan::default() };
        let mut ops = store::run(&plan, seed).into_ops();
        let far = text.replace(",1,", ",1001,").replace(",2,", ",1002,").replace(",9,", ",1009,");
        let planted = concurrent(&far).into_ops();
        let middle = ops.len() / 2;
        let planted = planted.into_iter().map(|mut op| {
            let checker::Process::Client(number) = op.process else { panic!() };
            op.process = checker::Process::Client(number + 1_000_000);
            op
        });
        ops.splice(middle..middle, planted);
        let history = checker::History::new(
            ops.into_iter().enumerate().map(|(index, op)| checker::Op { index: index as u64, ..op }),
        );
        let analysis = lists(&history);
        let found = names(&analysis).join(" ");
        assert!(found.starts_with(expected), "seed {seed}: {found} instead of {expected}\n{analysis}");
        assert_eq!(found.is_empty(), expected.is_empty(), "seed {seed}: {found}\n{analysis}");
    }
}

#[test]
fn only_what_is_expected_is_demanded() {
    let skew = concurrent("0 r,1,[] append,2,1\n 1 r,2,[] append,1,1");
    for model in ConsistencyModel::ALL {
        let report = ListAppend::expecting(model).check(&skew, &Budget::default());
        let demanded = model.is_at_least(ConsistencyModel::RepeatableRead);
        assert_eq!(report.verdict.is_invalid(), demanded, "{report}");
        assert_eq!(report.verdict.is_valid(), !demanded, "{report}");
        assert_eq!(ConsistencyModel::by_name(model.name()), Some(model));
    }
}

#[test]
fn models_and_anomalies_fit_together() {
    for anomaly in TransactionAnomaly::ALL {
        // The strongest model forbids everything.
        assert!(ConsistencyModel::StrictSerializable.forbids(anomaly), "{anomaly}");
        let (not, also_not) = ruled_out(&[anomaly]);
        assert!(!not.is_empty(), "{anomaly}");
        for model in &also_not {
            assert!(not.iter().any(|weaker| model.is_at_least(*weaker)), "{anomaly}: {model}");
        }
        // What a model forbids, every stronger one does.
        for (weak, strong) in
            ConsistencyModel::ALL.iter().flat_map(|weak| ConsistencyModel::ALL.map(|s| (weak, s)))
        {
            if strong.is_at_least(*weak) && weak.forbids(anomaly) {
                assert!(strong.forbids(anomaly), "{strong} {weak} {anomaly}");
            }
        }
    }
    let forbids = |model: ConsistencyModel, anomaly: &str| {
        model.forbids(TransactionAnomaly::ALL.into_iter().find(|known| known.name() == anomaly).unwrap())
    };
    assert!(!forbids(ConsistencyModel::Serializable, "G-single-realtime"));
    assert!(!forbids(ConsistencyModel::SnapshotIsolation, "G2-item"));
    assert!(!forbids(ConsistencyModel::RepeatableRead, "G0-process"));
    assert!(forbids(ConsistencyModel::SnapshotIsolation, "lost-update"));
    assert!(!forbids(ConsistencyModel::ReadCommitted, "lost-update"));
    assert!(!forbids(ConsistencyModel::StrongSessionSerializable, "G2-item-realtime"));
}

#[test]
fn a_history_that_shows_nothing_is_unknown() {
    let reason = |text: &str| match ListAppend::default().check(&serial(text), &Budget::default()).verdict {
        Verdict::Unknown(reason) => reason,
        other => panic!("{other}"),
    };
    assert!(reason("").contains("nothing was asked"));
    assert!(reason("0 append,1,1").contains("not one read"));
    assert!(reason("0? r,1,[]").contains("not one read"));
    assert!(reason("0 append,1,1\n 1 append,1,1\n 0 r,1,[1]").contains("more than once"));
    assert!(reason("0 w,1,1").contains("a list has no function \"w\""));
    assert!(reason("0 r,1,1").contains("no list"));
    // Known wrong beats unclear.
    let both = serial("0 append,1,1\n 1 append,1,1\n 0! append,2,2\n 0 r,2,[2]");
    assert!(ListAppend::default().check(&both, &Budget::default()).verdict.is_invalid());
    let twice = serial("0 w,1,1\n 1 w,1,1\n 0 r,1,1");
    assert!(RwRegister::default().check(&twice, &Budget::default()).verdict.is_unknown());
}

#[test]
fn a_cycle_is_told_in_words_and_drawn() {
    let history = concurrent("0 append,1,1 append,2,1\n 1 r,1,[1] r,2,[]");
    let analysis = lists(&history);
    let finding = &analysis.findings[0];
    let told = ListAppend::default().check(&history, &Budget::default()).to_string();
    assert!(told.contains(&finding.drawing()), "{told}");
    let expected = "\
G-single: T1 < T2 < T1: a transaction before itself
  - T1 < T2, because T1 read key 2 as [], without 1, which T2 appended
  - T2 < T1, because T1 read key 1 as [1], and T2 appended 1
  ┌─▶ T1  process 1: r 1 [1], r 2 []
  │    │ rw
  │    ▼
  │   T2  process 0: append 1 1, append 2 1
  └──── wr
";
    assert_eq!(finding.to_string(), expected);
    let dot = finding.dot();
    assert!(dot.starts_with("digraph \"G-single\" {\n"), "{dot}");
    assert!(dot.contains("T1 -> T2 [label=\"rw\""), "{dot}");
    assert!(dot.contains("T2 -> T1 [label=\"wr\""), "{dot}");
    let report = ListAppend::default()
        .check(&concurrent("0 append,1,1 append,2,1\n 1 r,1,[1] r,2,[]"), &Budget::default());
    let Verdict::Invalid(witness) = &report.verdict else { panic!("{report}") };
    assert_eq!(witness.ops.len(), 2);
    assert!(witness.reasons.last().unwrap().contains("consistent-view"), "{witness}");
}

/// Every step of every cycle has a reason of its own.
#[test]
fn no_step_goes_unexplained() {
    let texts = LISTS.iter().map(|(.., text)| lists(&concurrent(text)));
    let ordered = ORDERED.iter().map(|(.., text)| lists(&serial(text)));
    let more = REGISTERS.iter().map(|(_, text)| registers(&concurrent(text)));
    let most = REGISTERS_ORDERED.iter().map(|(_, text)| registers(&serial(text)));
    for analysis in texts.chain(ordered).chain(more).chain(most) {
        for step in analysis.findings.iter().flat_map(|finding| &finding.steps) {
            assert!(!step.why.contains("the order of versions puts"), "{analysis}");
        }
    }
}
