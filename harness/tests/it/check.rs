//! `antipaxos check` and `convert`, as somebody calls them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

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
