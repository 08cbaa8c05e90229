//! Many transactions, and one cycle through all of them.

use checker::transactions::{ListAppend, RwRegister};
use checker::{Budget, Check};

use super::store::{Plan, run};
use super::{history, lists, names};

#[test]
fn a_hundred_thousand_transactions_are_nothing_special() {
    let plan = Plan { clients: 20, transactions: 100_000, keys: 10, read_all: false, ..Plan::default() };
    let report = ListAppend::default().check(&run(&plan, 1), &Budget::default());
    assert!(report.verdict.is_valid(), "{report}");
    let plan = Plan { registers: true, transactions: 20_000, ..plan };
    let report = RwRegister::default().check(&run(&plan, 1), &Budget::default());
    assert!(report.verdict.is_valid(), "{report}");
}

/// Everything in one component: the search for a short cycle ends all the same.
#[test]
fn a_store_that_is_wrong_everywhere_is_told_soon() {
    let plan = Plan {
        registers: true,
        clients: 20,
        transactions: 20_000,
        keys: 10,
        stale_percent: 30,
        read_all: false,
        ..Plan::default()
    };
    let report = RwRegister::default().check(&run(&plan, 1), &Budget::default());
    assert!(report.verdict.is_invalid(), "{report}");
}

/// A circle of five hundred transactions has no shorter one in it.
#[test]
fn a_long_cycle_is_found_whole() {
    let count = 500;
    let begin = (0..count).map(|n| format!("{n} invoke r,{n},- append,{},1\n", (n + 1) % count));
    let end = (0..count).map(|n| format!("{n} ok r,{n},[1] append,{},1\n", (n + 1) % count));
    let analysis = lists(&history(&begin.chain(end).collect::<String>()));
    assert_eq!(names(&analysis), ["G1c"]);
    assert_eq!(analysis.findings[0].steps.len(), count);
}
