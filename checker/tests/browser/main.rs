//! The timeline in a real browser: `make test-browser`.
//!
//! Not part of `make test`, because it needs Chromium, and fails without it rather than pass for nothing.
//! Each page is written with `selfcheck.js` appended, opened headless, and must say that its own checks
//! passed; then it is opened at two widths, and the pictures are left beside the pages.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod simulated;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use checker::explain::html::Page;
use checker::{Budget, Check, History, LinearizableRegister, Op, OpType, Process, Row, Value, ValueId};
use simulated::{Plan, simulated};

const SELFCHECK: &str = include_str!("selfcheck.js");

fn plan(operations: usize) -> Plan {
    Plan { clients: 8, operations, keys: 1, unknown: 8, failed: 20, stale: false, faults: true }
}

/// A history of text, as in the other tests: `milliseconds process type f value`.
fn small(timed: bool) -> History {
    let lines = "11500 nemesis info kill 1
        11700 1 invoke write 41
        11710 1 ok write 41
        11790 2 invoke write 1
        11800 3 invoke write 42
        11900 3 ok write 42
        11950 nemesis info isolate 5
        12031 7 invoke read null
        12035 2 fail write 1
        12036 4 invoke write 43
        12040 7 ok read 41
        12050 4 info write 43
        12100 nemesis info heal null";
    let mut history = History::default();
    for line in lines.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let f = history.f(words[3]);
        let value = words[4].parse().map_or(ValueId::NIL, |number| history.values_mut().int(number));
        history.push_row(Row {
            index: None,
            time_ns: timed.then(|| words[0].parse::<u64>().unwrap() * 1_000_000),
            op_type: serde_json::from_str(&format!("\"{}\"", words[2])).unwrap(),
            process: words[1].parse().map_or(Process::Nemesis, Process::Client),
            f,
            key: None,
            value,
            more: None,
        });
    }
    history
}

/// Everything that could break out of a page, in every place where text can stand.
fn hostile() -> History {
    let nasty = "</script><script>document.documentElement.dataset.broken=1</script><img src=x onerror=\
                 \"document.documentElement.dataset.broken=1\">'\"&\u{2028}\u{202e}\u{0}🦀<!--";
    let value = || Value::from(nasty);
    let mut ops = Vec::new();
    for (index, op_type) in [OpType::Invoke, OpType::Ok].into_iter().enumerate() {
        let mut op =
            Op::new(index as u64, index as u64 * 1000, op_type, Process::Client(1), "read", Value::Nil);
        if op_type == OpType::Ok {
            op.value = Value::List(vec![value(), Value::map(vec![(value(), value())])]);
            op.error = Some(nasty.into());
            op.extra.insert(nasty.into(), nasty.into());
        }
        ops.push(op.with_key(nasty));
    }
    let key = |op: Op| op.with_key("constructor");
    ops.push(key(Op::new(2, 3000, OpType::Invoke, Process::Client(2), nasty.to_owned(), value())));
    ops.push(key(Op::new(3, 4000, OpType::Invoke, Process::Client(3), "__proto__", value())));
    ops.push(Op::new(4, 5000, OpType::Info, Process::Nemesis, nasty.to_owned(), value()));
    History::new(ops)
}

/// Invocation indices of the client operations, for a page that shows an order.
fn in_order(history: &History) -> Vec<u64> {
    history.calls().unwrap().iter().filter_map(|call| call.end().map(|_| call.invoke_index())).collect()
}

fn pages() -> Vec<(&'static str, History)> {
    let million = Plan { clients: 50, keys: 8, ..plan(1_000_000) };
    vec![
        ("stale-read", small(true)),
        ("no-times", small(false)),
        ("long-invalid", simulated(&Plan { stale: true, keys: 5, clients: 20, ..plan(20_000) }, 2)),
        ("valid", simulated(&Plan { faults: false, ..plan(2_000) }, 3)),
        ("hostile", hostile()),
        ("empty", History::default()),
        ("million", simulated(&million, 4)),
    ]
}

fn main() {
    let chromium = chromium();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("timeline");
    std::fs::create_dir_all(&folder).unwrap();
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let mut failed = Vec::new();
    for (name, history) in pages() {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        let file = folder.join(format!("{name}.html"));
        let bytes = write_page(name, &history, &file);
        let began = Instant::now();
        let said = said(&chromium, &file);
        let megabytes = bytes as f64 / 1e6;
        println!("{name}: {megabytes:.2} MB, {:.1} s: {said}", began.elapsed().as_secs_f64());
        if !said.starts_with("passed") {
            failed.push(name);
        }
        for (width, height) in [(1280, 800), (480, 900)] {
            screenshot(&chromium, &file, width, height);
        }
    }
    assert!(
        failed.is_empty(),
        "pages that failed their own checks: {failed:?}; look at {}",
        folder.display()
    );
    println!("pages and pictures: {}", folder.display());
}

fn chromium() -> String {
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let asked = std::env::var("CHROMIUM").ok();
    let mut names = asked.into_iter().chain(names.map(str::to_owned));
    let runs =
        |name: &String| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success());
    names.find(runs).unwrap_or_else(|| {
        eprintln!("this test needs Chromium: install it (apt-get install chromium) or name it in CHROMIUM");
        std::process::exit(1);
    })
}

fn write_page(name: &str, history: &History, file: &Path) -> usize {
    let report = LinearizableRegister::default().check(history, &Budget::default());
    let order = in_order(history);
    let mut page = Page::new(history, &report).title(format!("{name} </title><b>"));
    if name == "valid" {
        page = page.order(&order);
    }
    let mut bytes = Vec::new();
    page.write(&mut bytes).unwrap();
    std::fs::write(file, &bytes).unwrap();
    let checked = format!("<script>const EXPECTED = {};\n{SELFCHECK}</script>", expected(name, history));
    let mut with_check = bytes.clone();
    with_check.extend(checked.into_bytes());
    std::fs::write(file.with_extension("check.html"), with_check).unwrap();
    bytes.len()
}

/// What the page must find in itself.
fn expected(name: &str, history: &History) -> serde_json::Value {
    let calls = history.calls().unwrap();
    let sum = |of: &dyn Fn(&checker::Call<'_>) -> u64| calls.iter().map(|call| of(&call)).sum::<u64>();
    serde_json::json!({
        "name": name,
        "calls": calls.len(),
        "indices": sum(&|call| call.invoke_index() + call.complete_index().unwrap_or(0)),
        "durations_ns": sum(&|call| call.end_ns().map_or(0, |end| end - call.start_ns())),
        "integers": sum(&|call| call.result().and_then(|value| value.as_int()).map_or(0, |int| int as u64)),
    })
}

fn headless(chromium: &str, profile: &Path) -> Command {
    let mut command = Command::new(chromium);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]);
    command.arg(format!("--user-data-dir={}", profile.display()));
    command
}

/// What the page says about itself after its checks.
fn said(chromium: &str, file: &Path) -> String {
    let profile = tempfile::tempdir().unwrap();
    let url = format!("file://{}", file.with_extension("check.html").display());
    let output = headless(chromium, profile.path())
        .args(["--window-size=1280,900", "--virtual-time-budget=60000", "--dump-dom", &url])
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout);
    let Some((_, said)) = dom.split_once("data-selfcheck=\"") else {
        return format!("said nothing; {}", String::from_utf8_lossy(&output.stderr));
    };
    said.split('"').next().unwrap_or_default().to_owned()
}

fn screenshot(chromium: &str, file: &Path, width: u32, height: u32) {
    let profile = tempfile::tempdir().unwrap();
    let picture = file.with_extension(format!("{width}.png"));
    let output = headless(chromium, profile.path())
        .arg(format!("--window-size={width},{height}"))
        .arg(format!("--screenshot={}", picture.display()))
        .args(["--virtual-time-budget=20000", &format!("file://{}", file.display())])
        .output()
        .unwrap();
    assert!(output.status.success() && picture.exists(), "{}", String::from_utf8_lossy(&output.stderr));
}
