//! `antipaxos check` and `convert`, as somebody calls them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const ANTIPAXOS: &str = env!("CARGO_BIN_EXE_antipaxos");

const VALID: &str = "{:type :invoke, :f :write, :value 1, :process 0}
{:type :ok, :f :write, :value 1, :process 0}
{:type :invoke, :f :read, :value nil, :process 1}
{:type :ok, :f :read, :value 1, :process 1}
";

fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        Command::new(ANTIPAXOS).current_dir(folder).args(arguments).output().unwrap();
    let told = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (status.code(), told)
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("valid.edn"), VALID).unwrap();
    fs::write(folder.path().join("stale.edn"), VALID.replace("1, :process 1}", "2, :process 1}")).unwrap();
    fs::write(folder.path().join("-dash.edn"), VALID).unwrap();
    fs::write(folder.path().join("empty.edn"), "").unwrap();
    folder
}

#[test]
fn each_verdict_has_its_exit_code_and_the_worst_of_several_counts() {
    let folder = folder();
    let check = |files: &[&str]| run(folder.path(), &[&["check", "--"], files].concat());
    for (files, code, words) in [
        (&["valid.edn"][..], 0, "verdict: valid (exit 0)"),
        (&["-dash.edn"], 0, "verdict: valid (exit 0)"),
        (&["stale.edn"], 1, "but nobody ever wrote 2"),
        (&["empty.edn"], 2, "the file is empty"),
        (&["nowhere.edn"], 2, "cannot read nowhere.edn"),
        (&["valid.edn", "empty.edn"], 2, "1 valid, 0 invalid, 1 unknown"),
        (&["empty.edn", "stale.edn", "valid.edn"], 1, "1 valid, 1 invalid, 1 unknown"),
    ] {
        let (status, told) = check(files);
        assert_eq!(status, Some(code), "{files:?}: {told}");
        assert!(told.contains(words), "{files:?}: {told}");
    }
}

#[test]
fn what_was_asked_for_and_is_not_there_is_said() {
    let folder = folder();
    let (status, told) = run(folder.path(), &["check", "valid.edn", "--json", "--html", "nowhere/page.html"]);
    assert_eq!(status, Some(255), "{told}");
    let line: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert!(line["missing"][0].as_str().unwrap().contains("cannot write nowhere/page.html"), "{told}");
    // Wrong is wrong, page or no page.
    let (status, told) = run(folder.path(), &["check", "stale.edn", "--html", "nowhere/page.html"]);
    assert_eq!(status, Some(1), "{told}");
    let (status, _) = run(folder.path(), &["check", "valid.edn", "--explain", "--html", "page.html"]);
    assert_eq!(status, Some(0));
    assert!(fs::read_to_string(folder.path().join("page.html")).unwrap().contains("operation timeline"));
}

#[test]
fn a_rule_that_means_nothing_to_a_check_is_refused() {
    let folder = folder();
    let (status, told) = run(folder.path(), &["check", "valid.edn", "--consistency", "serializable"]);
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("--consistency says nothing to the check cas-register"), "{told}");
    let (status, told) = run(folder.path(), &["check", "stale.edn", "--initial", "2"]);
    assert_eq!(status, Some(1), "the write of 1 was over: {told}");
}

#[test]
fn limits_cost_the_verdict_and_nothing_else() {
    let folder = folder();
    let event = |number: usize, kind: &str| {
        format!("{{:type :{kind}, :f :write, :value \"{number:0100}\", :process 0}}\n")
    };
    let large: String = (0..200_000).map(|number| event(number, "invoke") + &event(number, "ok")).collect();
    fs::write(folder.path().join("large.edn"), large).unwrap();
    let (status, told) = run(folder.path(), &["check", "large.edn", "valid.edn", "--memory", "16"]);
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("the memory limit of 16 MiB was met"), "{told}");
    assert!(told.contains("1 valid, 0 invalid, 1 unknown"), "{told}");
}

#[test]
fn a_conversion_that_fails_leaves_what_was_there() {
    let folder = folder();
    let path = folder.path().join("valid.edn");
    let (status, told) = run(folder.path(), &["convert", "valid.edn", "--to", "limo", "-o", "valid.edn"]);
    assert_eq!(status, Some(254), "{told}");
    assert!(told.contains("there are: jsonl, edn, history-txt, elle-json"), "{told}");
    assert_eq!(fs::read_to_string(&path).unwrap(), VALID);
    let (status, told) = run(folder.path(), &["check", "valid.edn", "--html", "valid.edn"]);
    assert_eq!(status, Some(254), "{told}");
    assert_eq!(fs::read_to_string(&path).unwrap(), VALID);
    // In place is fine when it works.
    let (status, told) = run(folder.path(), &["convert", "valid.edn", "--to", "jsonl", "-o", "valid.edn"]);
    assert_eq!(status, Some(0), "{told}");
    assert!(fs::read_to_string(&path).unwrap().starts_with("{\"index\":0"));
    assert_eq!(run(folder.path(), &["check", "valid.edn"]).0, Some(0));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "nothing is left beside");
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_what_to_do_about_it() {
    let folder = folder();
    let path = folder.path();
    fs::create_dir(path.join("run")).unwrap();
    fs::create_dir(path.join("nothing")).unwrap();
    fs::write(path.join("run/history.edn"), VALID).unwrap();
    fs::write(path.join("torn.edn"), &VALID[..VALID.len() - 9]).unwrap();
    fs::write(path.join("strange.edn"), VALID.replace(":type :ok", ":type :maybe")).unwrap();
    fs::write(path.join("odd.edn"), VALID.replace(":write", ":frobnicate")).unwrap();
    fs::write(path.join("noise"), [0xff, 0xfe, 0, 1]).unwrap();
    for (file, words) in [
        ("run", "run is a folder: give the history in it, run/history.edn"),
        ("nothing", "nothing is a folder, and no history is in it: give a file"),
        ("empty.edn", "the file is empty: a history has at least one op: empty.edn was never written to"),
        ("torn.edn", "head -n 3 torn.edn | antipaxos check -"),
        ("strange.edn", "read as EDN: line 2, column "),
        ("noise", "what is read: JSONL, EDN, "),
    ] {
        let (status, told) = run(path, &["check", file]);
        assert_eq!(status, Some(2), "{file}: {told}");
        assert!(told.contains(words), "{file}: {told}");
        let (status, told) = run(path, &["convert", file, "--to", "jsonl"]);
        assert_eq!(status, Some(2), "{file}: {told}");
        assert!(told.contains(words), "{file}: {told}");
    }
    let (status, told) = run(path, &["check", "odd.edn"]);
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("its operations are frobnicate, read. Say so with --model"), "{told}");
    let (status, told) = run(path, &["check", "torn.edn", "--html", "page.html"]);
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("no page was drawn, for want of a verdict: page.html is not of this"), "{told}");
}

#[test]
fn a_history_can_be_piped_in() {
    let folder = folder();
    let piped = |arguments: &[&str]| {
        let file = fs::File::open(folder.path().join("valid.edn")).unwrap();
        Command::new(ANTIPAXOS).current_dir(folder.path()).args(arguments).stdin(file).output().unwrap()
    };
    let told = piped(&["check", "-"]);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(text.starts_with("read as EDN, judged as cas-register\ncas-register: valid"), "{text}");
    assert!(piped(&["convert", "-", "--to", "jsonl"]).stdout.starts_with(b"{\"index\":0"));
}

#[test]
fn what_objects_hold_at_first_can_be_said_where_it_means_something() {
    let folder = folder();
    let counter =
        "{:type :invoke, :f :read, :value nil, :process 0}\n{:type :ok, :f :read, :value 7, :process 0}\n";
    fs::write(folder.path().join("counter.edn"), counter).unwrap();
    let texts =
        counter.replace(":f :read", ":f :txn").replace("nil", "[[:r :x nil]]").replace('7', "[[:r :x 7]]");
    fs::write(folder.path().join("registers.edn"), texts).unwrap();
    for (file, model) in [("counter.edn", "counter"), ("registers.edn", "multi-register")] {
        let check = |more: &[&str]| run(folder.path(), &[&["check", file, "--model", model], more].concat());
        assert_eq!(check(&[]).0, Some(1), "{model}");
        let (status, told) = check(&["--initial", "7"]);
        assert_eq!(status, Some(0), "{model}: {told}");
    }
    let (status, told) =
        run(folder.path(), &["check", "counter.edn", "--model", "counter", "--initial", "x"]);
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("a counter starts with a whole number, not \"x\""), "{told}");
}

#[test]
fn every_model_is_listed_in_a_line_of_two_columns() {
    let (status, told) = run(folder().path(), &["check", "--models"]);
    assert_eq!(status, Some(0), "{told}");
    let abouts = told
        .lines()
        .map(|line| line.find("  ").unwrap() + line[line.find("  ").unwrap()..].find(|c| c != ' ').unwrap());
    let starts: std::collections::BTreeSet<usize> = abouts.collect();
    assert_eq!(starts.len(), 1, "{told}");
}

/// The processes that a process started and that are there still.
fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let started = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    started
        .flat_map(|pids| pids.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

/// Whether something comes to be so while anybody would wait for it.
fn soon(is_so: impl Fn() -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(30);
    while Instant::now() < until {
        if is_so() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

#[test]
fn an_interrupted_check_is_unknown_and_leaves_nobody_behind() {
    // It waits for what is piped in, for as long as the pipe is open.
    let mut check = Command::new(ANTIPAXOS)
        .args(["check", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert!(soon(|| !children(check.id()).is_empty()), "no worker");
    let worker = children(check.id())[0];
    kill(Pid::from_raw(check.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(check.wait().unwrap().code(), Some(2));
    let is_gone =
        || fs::read_to_string(format!("/proc/{worker}/stat")).map_or(true, |stat| stat.contains(") Z "));
    assert!(soon(is_gone), "the worker lives on");
}

#[test]
fn a_page_that_nobody_reads_does_not_cost_the_verdict() {
    let folder = folder();
    let page = folder.path().join("page.html");
    nix::unistd::mkfifo(&page, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut check = Command::new(ANTIPAXOS)
        .current_dir(folder.path())
        .args(["check", "stale.edn", "--html", "page.html"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The worker waits for a reader of its page; the verdict is there before.
    let mut told = BufReader::new(check.stdout.take().unwrap()).lines();
    assert_eq!(told.next().unwrap().unwrap(), "read as EDN, judged as cas-register");
    assert!(told.next().unwrap().unwrap().starts_with("cas-register: invalid"));
    assert!(fs::read_to_string(&page).unwrap().contains("operation timeline"));
    assert_eq!(check.wait().unwrap().code(), Some(1));
}
