//! A search that would not end says so.

use std::fmt::Write;
use std::time::{Duration, Instant};

use checker::{Budget, Check, History, LinearizableAppend, Verdict};

use crate::history::history;

/// Many appends open at once and a read that shows them in an order that none of them gives: every order
/// of all of them has to be tried.
fn hard(width: u64) -> History {
    let mut text = String::new();
    for process in 0..width {
        writeln!(text, "0 {process} invoke append {process}").unwrap();
    }
    for process in 0..width {
        writeln!(text, "1 {process} ok append {process}").unwrap();
    }
    // A value appended twice keeps the quick engine away.
    text += "2 0 invoke append 77\n3 0 ok append 77\n4 0 invoke append 77\n5 0 ok append 77\n";
    let values: Vec<_> = (0..width).map(|value| value.to_string()).collect();
    writeln!(text, "6 0 invoke read\n7 0 ok read [77,{},77]", values.join(",")).unwrap();
    history(&text)
}

fn unknown(budget: Budget) -> String {
    let report = LinearizableAppend::default().check(&hard(24), &budget);
    assert_eq!((report.engine.as_str(), report.unknown_keys), ("search", 1));
    match report.verdict {
        Verdict::Unknown(reason) => reason,
        other => panic!("{other}"),
    }
}

#[test]
fn what_is_small_enough_is_decided() {
    let report = LinearizableAppend::default().check(&hard(5), &Budget::default());
    assert!(report.verdict.is_invalid(), "{report}");
}

#[test]
fn time_ends_a_search_with_how_far_it_got() {
    let started = Instant::now();
    let reason = unknown(Budget { time: Duration::from_millis(100), memory_bytes: 4 << 30 });
    assert!(reason.contains("the time limit of 100ms was met"), "{reason}");
    assert!(reason.contains("of 27 completed operations"), "{reason}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn memory_ends_a_search_too() {
    let reason = unknown(Budget { time: Duration::from_secs(600), memory_bytes: 1 << 20 });
    assert!(reason.contains("the memory limit of 1 MiB was met"), "{reason}");
}

#[test]
fn no_time_at_all_judges_nothing() {
    let budget = Budget { time: Duration::ZERO, memory_bytes: 0 };
    let report = LinearizableAppend::default().check(&hard(3), &budget);
    assert!(report.verdict.is_unknown(), "{report}");
}
