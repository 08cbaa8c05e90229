//! What a violation leaves behind: nodes that were stopped where they stood, and their data as it was.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::UNIX_EPOCH;

use crate::cluster::node_binary;
use crate::run::{running_in, script};

/// A run of three nodes, each started as this line of a script says, that must end with a violation.
fn violated(results: &Path, line: &str, arguments: &[&str]) -> (String, serde_json::Value) {
    let folder = tempfile::tempdir().unwrap();
    let body = format!(
        "case \"$1\" in --version) exec '{0}' --version;; esac\n\
         for word; do case \"$before\" in --data) data=$word;; esac; before=$word; done\n\
         {line}\nexec '{0}' \"$@\"",
        node_binary().display()
    );
    let node = script(folder.path(), &body);
    let mut command = Command::new(env!("CARGO_BIN_EXE_antipaxos"));
    command.args(["test", "-w", "append", "-n", "3", "--time-limit", "60", "--op-timeout", "1"]);
    command.args(["--rate", "100", "--seed", "3"]).args(arguments);
    let Output { status, stdout, stderr } =
        command.arg("--bin").arg(&node).arg("--results").arg(results).output().unwrap();
    let told = String::from_utf8_lossy(&stdout).into_owned();
    assert_eq!(status.code(), Some(1), "{told}{}", String::from_utf8_lossy(&stderr));
    assert_eq!(running_in(results), 0);
    let verdict = fs::read(results.join("latest/verdict.json")).unwrap();
    (told, serde_json::from_slice(&verdict).unwrap())
}

/// The data is there, nobody has written to it after the freeze, and nobody was asked to stop.
fn assert_is_as_it_was(results: &Path, frozen: &serde_json::Value) {
    let unix_ms = u128::from(frozen["unix_ms"].as_u64().unwrap());
    for node in ["n1", "n2", "n3"] {
        let home = results.join("latest/nodes").join(node);
        for file in fs::read_dir(home.join("data")).unwrap() {
            let changed = file.unwrap().metadata().unwrap().modified().unwrap();
            let changed_ms = changed.duration_since(UNIX_EPOCH).unwrap().as_millis();
            assert!(changed_ms <= unix_ms, "{node} wrote {} ms after the freeze", changed_ms - unix_ms);
        }
        for log in ["stdout.log", "stderr.log"] {
            let log = fs::read_to_string(home.join(log)).unwrap();
            assert!(!log.contains("stopping on"), "{node} was asked to stop: {log}");
        }
    }
}

#[test]
fn what_the_checker_finds_on_line_freezes_every_node_and_none_of_them_has_died() {
    let results = tempfile::tempdir().unwrap();
    // Whatever was acknowledged is gone after a restart of all.
    let forgets = "rm -rf \"$data\"/*";
    let faults = ["--nemesis", "kill:all", "--nemesis-interval", "1"];
    let (told, verdict) = violated(results.path(), forgets, &faults);
    let frozen = &verdict["frozen"];
    assert_eq!(frozen["nodes"], serde_json::json!([1, 2, 3]), "{told}");
    let (seen, at) = (frozen["event"]["time_ns"].as_u64().unwrap(), frozen["at_ns"].as_u64().unwrap());
    assert!(seen < at, "frozen before there was anything to see: {frozen}");
    assert!(told.contains("  frozen    n1 n2 n3, ") && told.contains(" after op "), "{told}");
    assert!(!told.contains("ended by itself") && !told.contains("did not stop"), "{told}");
    assert_is_as_it_was(results.path(), frozen);
}

#[test]
fn a_node_that_ends_by_itself_freezes_the_others() {
    let results = tempfile::tempdir().unwrap();
    // Killed from outside, by nobody that the harness knows of.
    let dies = "case \"$data\" in */n2/*) (sleep 2; kill -KILL $$) & ;; esac";
    let (told, verdict) = violated(results.path(), dies, &["--nemesis", "none"]);
    assert!(told.contains("n2 ended by itself"), "{told}");
    assert!(!told.contains("n1 ended by itself") && !told.contains("n3 ended by itself"), "{told}");
    let frozen = &verdict["frozen"];
    assert_eq!((&frozen["nodes"], &frozen["down"]), (&serde_json::json!([1, 3]), &serde_json::json!([2])));
    assert_eq!(frozen["event"], serde_json::Value::Null);
    assert_is_as_it_was(results.path(), frozen);
}
