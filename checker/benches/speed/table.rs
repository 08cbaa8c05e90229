//! The table: one line per case, with what it is meant to reach.

use std::io::Write;
use std::process::ExitCode;

use super::case::{self, Job, Limits, Measured, Mode};
use super::spec::Spec;

/// A case, and its goal.
struct Row {
    class: &'static str,
    spec: &'static str,
    mode: Mode,
    /// In milliseconds and megabytes; none is no goal of its own.
    goal_ms: Option<f64>,
    goal_mb: Option<f64>,
}

const fn row(class: &'static str, spec: &'static str, goal_ms: Option<f64>, goal_mb: Option<f64>) -> Row {
    Row { class, spec, mode: Mode::Check, goal_ms, goal_mb }
}

const fn read_edn(spec: &'static str) -> Row {
    Row { mode: Mode::ReadEdn, ..row(READING_EDN, spec, Some(500.0), Some(300.0)) }
}

const fn read_json(spec: &'static str) -> Row {
    Row { mode: Mode::ReadJson, ..row(READING_JSON, spec, Some(500.0), Some(300.0)) }
}

const fn online(spec: &'static str, goal_ms: f64) -> Row {
    Row { mode: Mode::Online, ..row(ON_LINE, spec, Some(goal_ms), Some(64.0)) }
}

const UNIQUE: &str = "unique values";
const READING_EDN: &str = "unique values, with reading EDN";
const READING_JSON: &str = "unique values, with reading JSON lines";
const FEW: &str = "five values";
const FEW_UNKNOWN: &str = "five values, unknown outcomes";
const KEYS: &str = "many keys";
const LISTS: &str = "lists";
const CONTAINERS: &str = "queue, set and others";
const TRANSACTIONS: &str = "transactions, strictly serializable";

const ON_LINE: &str = "on line, two events an operation";

/// Shorter ones have no place for every spoil.
const QUICK_OPERATIONS_MIN: u64 = 1_000;

const ROWS: &[Row] = &[
    row(UNIQUE, "register ops=1000000 clients=5 seed=1", Some(30.0), Some(300.0)),
    row(UNIQUE, "register ops=1000000 clients=50 seed=1", Some(30.0), Some(300.0)),
    row(UNIQUE, "register ops=1000000 clients=50 spoil=stale seed=1", Some(30.0), Some(300.0)),
    row(UNIQUE, "register ops=1000000 clients=50 unknown=0.01 seed=1", Some(30.0), Some(300.0)),
    row(UNIQUE, "register ops=1000000 clients=50 unknown=0.01 spoil=lost seed=1", Some(30.0), Some(300.0)),
    row(UNIQUE, "cas ops=1000000 clients=10 seed=1", Some(30.0), Some(300.0)),
    row(UNIQUE, "cas ops=1000000 clients=50 unknown=0.01 seed=1", Some(30.0), Some(300.0)),
    row(UNIQUE, "cas ops=1000000 clients=50 spoil=phantom seed=1", Some(30.0), Some(300.0)),
    read_edn("register ops=1000000 clients=50 seed=1"),
    read_edn("cas ops=1000000 clients=50 unknown=0.01 seed=1"),
    read_json("register ops=1000000 clients=50 seed=1"),
    read_json("cas ops=1000000 clients=50 unknown=0.01 seed=1"),
    row(FEW, "cas5 ops=1000000 clients=10 seed=1", Some(300.0), Some(300.0)),
    row(FEW, "cas5 ops=1000000 clients=20 seed=1", Some(1500.0), Some(300.0)),
    row(FEW, "cas5 ops=1000000 clients=10 spoil=stale seed=1", Some(300.0), Some(300.0)),
    row(FEW, "cas5 ops=1000 clients=50 seed=1", Some(10.0), None),
    row(FEW, "cas5 ops=1000 clients=50 spoil=phantom seed=1", Some(10.0), None),
    row(FEW, "cas5 ops=10000 clients=50 seed=1", Some(80.0), None),
    row(FEW, "cas5 ops=10000 clients=50 spoil=phantom seed=1", Some(80.0), None),
    row(FEW, "cas5 ops=100000 clients=10 spoil=lost seed=1", None, None),
    row(FEW_UNKNOWN, "cas5 ops=100000 clients=10 unknown=0.01 seed=1", Some(1000.0), Some(300.0)),
    row(
        FEW_UNKNOWN,
        "cas5 ops=100000 clients=10 unknown=0.01 spoil=phantom seed=1",
        Some(10_000.0),
        Some(300.0),
    ),
    row(FEW_UNKNOWN, "cas5 ops=100000 clients=10 unknown=0.001 seed=1", Some(1000.0), Some(300.0)),
    row(FEW_UNKNOWN, "cas5 ops=10000 clients=10 unknown=0.01 spoil=phantom seed=1", None, None),
    row(KEYS, "register ops=1000000 clients=50 keys=1000 seed=1", None, Some(200.0)),
    row(KEYS, "register ops=1000000 clients=50 keys=1000 spoil=stale seed=1", None, Some(200.0)),
    row(KEYS, "register ops=1000000 clients=50 keys=1000 unknown=0.01 seed=1", None, Some(200.0)),
    row(KEYS, "cas5 ops=1000000 clients=50 keys=1000 seed=1", None, Some(200.0)),
    row(LISTS, "list100 ops=100000 clients=20 keys=10 seed=1", None, None),
    row(LISTS, "list100 ops=100000 clients=20 keys=10 spoil=lost seed=1", None, None),
    row(CONTAINERS, "queue ops=100000 clients=10 seed=1", Some(5.0), None),
    row(CONTAINERS, "queue ops=100000 clients=10 spoil=lost seed=1", Some(5.0), None),
    row(CONTAINERS, "set20 ops=100000 clients=10 seed=1", Some(3.0), None),
    row(CONTAINERS, "set20 ops=100000 clients=10 spoil=stale seed=1", Some(3.0), None),
    row(CONTAINERS, "stack ops=100000 clients=10 seed=1", None, None),
    row(CONTAINERS, "priority-queue ops=100000 clients=10 seed=1", None, None),
    row(CONTAINERS, "mutex ops=100000 clients=10 seed=1", None, None),
    row(CONTAINERS, "counter ops=10000 clients=10 seed=1", None, None),
    online("register ops=5000000 clients=20 seed=1", 10_000.0),
    online("register ops=5000000 clients=20 keys=1000 unknown=0.001 seed=1", 10_000.0),
    online("cas ops=5000000 clients=20 seed=1", 10_000.0),
    online("cas ops=5000000 clients=20 spoil=stale seed=1", 10_000.0),
    row(TRANSACTIONS, "txn100 ops=100000 clients=20 keys=20 seed=1", Some(1000.0), None),
    row(TRANSACTIONS, "txn100 ops=100000 clients=20 keys=20 spoil=stale seed=1", Some(1000.0), None),
];

/// Runs and prints all of them whose class or history contains the text. With `quick`, with a tenth of the
/// operations and without goals.
pub(crate) fn print(quick: bool, only: &str) -> ExitCode {
    let mut wrong = 0;
    let mut skipped = Vec::new();
    let mut class = "";
    println!("shortest of {} runs, one process per history; peak memory includes the history", runs(quick));
    for row in ROWS.iter().filter(|row| row.class.contains(only) || row.spec.contains(only)) {
        let mut spec: Spec = match row.spec.parse() {
            Ok(spec) => spec,
            Err(error) => panic!("{:?}: {error}", row.spec),
        };
        if quick {
            spec.plan.operations = (spec.plan.operations / 10).max(QUICK_OPERATIONS_MIN);
        }
        if !case::is_judged(&spec) {
            skipped.push(row.spec);
            continue;
        }
        if row.class != class {
            class = row.class;
            println!("\n{class}");
            println!(
                "  {:<64} {:<8} {:>11} {:>9} {:>8} {:>10}  {:>10}  engine",
                "history", "verdict", "time", "ops/s", "peak", "goal", "explained"
            );
        }
        let limits = Limits { runs: runs(quick), ..Limits::default() };
        let measured = case::measure(&Job { spec, limits, mode: row.mode });
        wrong += u32::from(!measured.is_expected());
        print_line(&measured, row, quick);
    }
    if !skipped.is_empty() {
        println!("\nnot judged yet: {}", skipped.join("; "));
    }
    if wrong > 0 {
        println!("\n{wrong} verdicts are not the ones that the simulation calls for");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn runs(quick: bool) -> u32 {
    if quick { 1 } else { 5 }
}

fn print_line(measured: &Measured, row: &Row, quick: bool) {
    let Measured { spec, verdict, engine, seconds, explained_seconds, peak_mb, why } = measured;
    let missed = !quick
        && (row.goal_ms.is_some_and(|goal| seconds * 1e3 > goal)
            || row.goal_mb.is_some_and(|goal| *peak_mb > goal));
    let goal = match (row.goal_ms, row.goal_mb) {
        _ if quick => String::new(),
        (None, None) => String::new(),
        (Some(ms), None) => format!("{ms} ms"),
        (None, Some(mb)) => format!("{mb} MB"),
        (Some(ms), Some(mb)) => format!("{ms} ms {mb} MB"),
    };
    let explained = match verdict.as_str() {
        "invalid" if explained_seconds.is_finite() => format!("{:.2} ms", explained_seconds * 1e3),
        _ => String::new(),
    };
    let rate = spec.plan.operations as f64 / seconds;
    println!(
        "  {:<64} {:<8} {:>8.2} ms {:>7.2} M {:>5.0} MB {:>10}{} {explained:>10} {engine} {}",
        spec.to_string(),
        verdict,
        seconds * 1e3,
        rate / 1e6,
        peak_mb,
        goal,
        if missed { "!" } else { " " },
        if measured.is_expected() { String::new() } else { format!("← {} {why}", measured.expected()) },
    );
    // A pipe shows each line as it comes; a closed one is no reason to stop.
    let _ = std::io::stdout().flush();
}
