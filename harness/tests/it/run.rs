//! Whole runs through the command line: real nodes, real faults, a verdict, and nothing left
//! behind, however the run ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cluster::node_binary;

const ANTIPAXOS: &str = env!("CARGO_BIN_EXE_antipaxos");

/// Longer than any machine in distress needs; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

fn antipaxos(results: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(ANTIPAXOS);
    command.arg("test").args(arguments).args(["--rate", "100", "--op-timeout", "1"]);
    command.arg("--bin").arg(node_binary()).arg("--results").arg(results);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn last_line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned()
}

/// Waits until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Processes whose command line mentions this folder: nodes, and launchers about to become some.
pub(crate) fn running_in(folder: &Path) -> usize {
    let folder = folder.to_str().unwrap().as_bytes();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.unwrap().path().join("cmdline")).ok())
        .filter(|line| line.windows(folder.len()).any(|window| window == folder))
        .filter(|line| line.windows(6).any(|window| window == b"--data"))
        .count()
}

fn history_lines(results: &Path) -> usize {
    fs::read_to_string(results.join("latest/history.jsonl")).map_or(0, |text| text.lines().count())
}

fn start(results: &Path, arguments: &[&str]) -> Child {
    antipaxos(results, arguments).spawn().unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
}

/// A node played by a shell.
pub(crate) fn script(folder: &Path, body: &str) -> PathBuf {
    let path = folder.join("paxos-node");
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_healthy_node_survives_a_kill_and_a_partition_and_the_folder_explains_itself() {
    let results = tempfile::tempdir().unwrap();
    let faults = "kill:leader,partition:isolate-leader,link:drop";
    let arguments = [
        "-w",
        "append",
        "-n",
        "3",
        "--nemesis",
        faults,
        "--nemesis-interval",
        "1",
        "--time-limit",
        "6",
        "--seed",
        "1",
    ];
    let output = antipaxos(results.path(), &arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(last_line(&output), "verdict: valid (exit 0)");

    let latest = results.path().join("latest");
    for file in [
        "summary.txt",
        "verdict.json",
        "manifest.json",
        "history.jsonl",
        "nemesis.jsonl",
        "schedule.resolved.toml",
        "latency/read.hgrm",
        "latency/intervals.hlog",
        "nodes/n1/stderr.log",
    ] {
        assert!(latest.join(file).is_file(), "{file} is missing");
    }
    assert!(!latest.join("nodes/n1/data").exists(), "data of a valid run is removed");
    assert_eq!(fs::read_to_string(latest.join("summary.txt")).unwrap(), told);
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(latest.join("manifest.json")).unwrap()).unwrap();
    assert_eq!((&manifest["complete"], &manifest["seed"]), (&true.into(), &1.into()));
    assert!(manifest["repeat"].as_str().unwrap().contains("--seed 1"));

    let history = latest.join("history.jsonl");
    let again = Command::new(ANTIPAXOS).args(["check", "--model", "append"]).arg(history).output().unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stdout));
    assert_eq!(running_in(results.path()), 0);
}

#[test]
fn ctrl_c_ends_a_run_in_order_and_it_is_unknown() {
    let results = tempfile::tempdir().unwrap();
    let child = start(results.path(), &["-n", "3", "--nemesis", "pause:all", "--time-limit", "60"]);
    until("operations", || history_lines(results.path()) > 50);
    signal(&child, Signal::SIGINT);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(last_line(&output), "verdict: unknown (exit 2)");
    assert!(String::from_utf8_lossy(&output.stdout).contains("interrupted by the user"));
    assert_eq!(running_in(results.path()), 0);
    let failed = results.path().join("latest-failed/manifest.json");
    assert!(fs::read_to_string(failed).unwrap().contains("\"complete\": false"));
}

#[test]
fn ctrl_c_while_the_nodes_start_blames_nobody() {
    for nodes in 1..=3 {
        let results = tempfile::tempdir().unwrap();
        let child = start(results.path(), &["-n", "3", "--time-limit", "60"]);
        until("nodes", || running_in(results.path()) >= nodes);
        signal(&child, Signal::SIGINT);
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(2), "{told}{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(running_in(results.path()), 0);
    }
}

#[test]
fn a_node_that_does_not_stop_when_asked_makes_the_run_invalid() {
    let results = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let node = node_binary();
    let deaf = script(
        folder.path(),
        &format!(
            "case \"$1\" in --version) exec '{0}' --version;; esac\ntrap '' TERM\n'{0}' \"$@\"",
            node.display()
        ),
    );
    // The shell, deaf to SIGTERM, is the process that is asked.
    let output = Command::new(ANTIPAXOS)
        .args(["test", "-n", "1", "--nemesis", "none", "--rate", "100", "--time-limit", "1", "--bin"])
        .arg(&deaf)
        .arg("--results")
        .arg(results.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("n1 did not stop within"), "{told}");
    assert_eq!(running_in(results.path()), 0);
}

#[test]
fn a_single_slow_client_is_enough_for_a_valid_run() {
    let results = tempfile::tempdir().unwrap();
    let output = Command::new(ANTIPAXOS)
        .args([
            "test",
            "-n",
            "3",
            "-c",
            "1",
            "--rate",
            "20",
            "--nemesis",
            "none",
            "--time-limit",
            "2",
            "--bin",
        ])
        .arg(node_binary())
        .arg("--results")
        .arg(results.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn more_clients_than_there_are_open_files_for_are_refused() {
    let results = tempfile::tempdir().unwrap();
    let output = Command::new("/bin/sh")
        .args(["-c", "ulimit -n 256 && exec \"$@\"", "sh", ANTIPAXOS])
        .args(["test", "-c", "100", "--bin"])
        .arg(node_binary())
        .arg("--results")
        .arg(results.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(254), "{told}");
    assert!(told.contains("100 clients need 600 open files, and only 256 are allowed"), "{told}");
}

#[test]
fn no_node_outlives_a_harness_that_is_killed() {
    let results = tempfile::tempdir().unwrap();
    let mut child = start(results.path(), &["-n", "3", "--nemesis", "kill,pause", "--time-limit", "60"]);
    until("nodes", || running_in(results.path()) == 3);
    until("operations", || history_lines(results.path()) > 50);
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    until("nothing left", || running_in(results.path()) == 0);
}

#[test]
fn a_node_that_dies_at_start_is_quoted() {
    let results = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Says the right version, and then can't do anything.
    let version = Command::new(node_binary()).arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let broken = script(
        folder.path(),
        &format!(
            "if [ \"$1\" = --version ]; then echo '{}'; exit 0; fi\necho 'the disk is on fire' >&2\nexit 74",
            version.trim()
        ),
    );
    let output = Command::new(ANTIPAXOS)
        .args(["test", "-n", "3", "--time-limit", "5", "--bin"])
        .arg(&broken)
        .arg("--results")
        .arg(results.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("the disk is on fire") && told.contains("status 74"), "{told}");
}

#[test]
fn wrong_use_says_what_is_wrong_and_tests_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let unwritable = file.join("results");
    let unwritable = unwritable.to_str().unwrap();
    let results = folder.path().join("results");
    let results = results.to_str().unwrap();
    for (arguments, reason) in [
        (vec!["test", "--results", unwritable], "cannot create the results folder"),
        (vec!["test", "--bin", "/nonexistent", "--results", results], "missing binary"),
        (vec!["test", "--workload", "nonsense", "--results", results], "no workload is called `nonsense`"),
        (vec!["test", "--nemesis", "explode"], "no fault is called `explode`"),
        (vec!["test", "--nemesis", "kill", "-n", "2", "--results", results], "needs 3 nodes"),
        (vec!["test", "--time-limit", "never"], "a number of seconds"),
        (vec!["check", "/nonexistent", "--model", "sett"], "there is no such model"),
    ] {
        let mut command = Command::new(ANTIPAXOS);
        command.args(&arguments);
        if arguments[0] == "test" && !arguments.contains(&"--bin") {
            command.arg("--bin").arg(node_binary());
        }
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(254), "{arguments:?}: {told}");
        assert!(told.contains(reason), "{arguments:?}: {told}");
    }
}
