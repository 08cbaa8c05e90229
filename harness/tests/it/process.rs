//! Real processes: they start, freeze, run on and die as told, and never outlive the harness.

use harness::process::{CommandSpec, ExitKind, NodeProcess, ProcessError, SpawnSpec, launch};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LAUNCHER: &str = env!("CARGO_BIN_EXE_antipaxos");

/// Longer than any machine in distress needs; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

fn spec(folder: &Path, script: &str) -> SpawnSpec {
    SpawnSpec {
        launcher: LAUNCHER.into(),
        name: "n1".into(),
        incarnation: 1,
        command: CommandSpec { program: "/bin/sh".into(), args: vec!["-c".into(), script.into()] },
        stdout: folder.join("stdout.log"),
        stderr: folder.join("stderr.log"),
    }
}

/// Polls until `condition` gives something.
fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The state letter of /proc/PID/stat; `None` if there is no such process.
fn proc_state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Gone, or dead and waiting for a parent that has other things to do.
fn is_dead(pid: u32) -> bool {
    proc_state(pid).is_none_or(|state| state == 'Z')
}

fn wait_exited(process: &mut NodeProcess) -> harness::process::ExitInfo {
    wait_for("exit", || process.try_exited().unwrap().cloned())
}

#[test]
fn a_process_runs_in_its_own_group_and_its_exit_is_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = NodeProcess::spawn(&spec(folder.path(), "echo out; echo boom >&2; exit 70")).unwrap();
    let exit = wait_exited(&mut process);
    assert_eq!(exit.pid, process.pid());
    assert_eq!(exit.kind, ExitKind::Status(70));
    assert_eq!(exit.last_words, ["boom"]);
    assert!(!exit.is_success());
    let stdout = fs::read_to_string(folder.path().join("stdout.log")).unwrap();
    assert!(stdout.starts_with("=== n1 life 1 starts at ") && stdout.ends_with("\nout\n"), "{stdout}");
    // Killing what has ended tells how it ended.
    assert_eq!(process.kill().unwrap(), exit);
    assert!(matches!(process.pause(), Err(ProcessError::Gone { .. })));
}

#[test]
fn a_second_life_appends_and_quotes_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let first = spec(folder.path(), "echo first >&2");
    wait_exited(&mut NodeProcess::spawn(&first).unwrap());
    let second = SpawnSpec { incarnation: 2, ..spec(folder.path(), "echo second >&2") };
    let exit = wait_exited(&mut NodeProcess::spawn(&second).unwrap());
    assert_eq!(exit.last_words, ["second"]);
    let stderr = fs::read_to_string(folder.path().join("stderr.log")).unwrap();
    assert!(stderr.contains("first\n=== n1 life 2 starts"), "{stderr}");
}

#[test]
fn a_program_that_is_not_there_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = spec(folder.path(), "");
    spec.command.program = PathBuf::from("/nowhere/node");
    let exit = wait_exited(&mut NodeProcess::spawn(&spec).unwrap());
    assert_eq!(exit.kind, ExitKind::Status(launch::EXIT_CANNOT_EXECUTE.into()));
    assert!(exit.last_words[0].contains("cannot execute /nowhere/node"), "{exit}");
    spec.launcher = PathBuf::from("/nowhere/antipaxos");
    assert!(matches!(NodeProcess::spawn(&spec), Err(ProcessError::Spawn { .. })));
    spec.stderr = PathBuf::from("/proc/nowhere/stderr.log");
    assert!(matches!(NodeProcess::spawn(&spec), Err(ProcessError::Log { .. })));
}

#[test]
fn freezing_and_running_on_are_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = NodeProcess::spawn(&spec(folder.path(), "exec sleep 1000")).unwrap();
    let pid = process.pid();
    for _ in 0..20 {
        process.pause().unwrap();
        assert!(process.is_paused());
        assert_eq!(proc_state(pid), Some('T'));
        process.pause().unwrap();
        process.resume().unwrap();
        assert!(!process.is_paused());
        assert_ne!(proc_state(pid), Some('T'));
        assert!(process.try_exited().unwrap().is_none());
    }
    process.pause().unwrap();
    let exit = process.kill().unwrap();
    assert_eq!(exit.kind, ExitKind::Signal(9));
    assert_eq!(proc_state(pid), None, "killed while frozen, and reaped");
}

#[test]
fn a_frozen_process_killed_by_others_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = NodeProcess::spawn(&spec(folder.path(), "exec sleep 1000")).unwrap();
    process.pause().unwrap();
    let pid = nix::unistd::Pid::from_raw(process.pid() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    assert_eq!(wait_exited(&mut process).kind, ExitKind::Signal(9));
    assert!(matches!(process.resume(), Err(ProcessError::Gone { .. })));
}

#[test]
fn a_process_that_is_asked_to_stop_may_say_goodbye() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap 'echo bye >&2; exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let mut process = NodeProcess::spawn(&spec(folder.path(), script)).unwrap();
    let stdout = folder.path().join("stdout.log");
    wait_for("ready", || fs::read_to_string(&stdout).ok()?.contains("ready").then_some(()));
    let exit = process.terminate(PATIENCE).unwrap();
    assert!(exit.is_success());
    assert_eq!(exit.last_words, ["bye"]);
}

#[test]
fn what_a_process_leaves_behind_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let script = "sleep 1000 & echo $!";
    let mut process = NodeProcess::spawn(&spec(folder.path(), script)).unwrap();
    assert!(wait_exited(&mut process).is_success());
    let stdout = fs::read_to_string(folder.path().join("stdout.log")).unwrap();
    let child: u32 = stdout.lines().last().unwrap().parse().unwrap();
    wait_for("death of the child", || is_dead(child).then_some(()));
}

#[test]
fn a_process_that_does_not_listen_is_reported_and_killed_on_drop() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap '' TERM; echo ready; while :; do sleep 0.01; done";
    let mut process = NodeProcess::spawn(&spec(folder.path(), script)).unwrap();
    let stdout = folder.path().join("stdout.log");
    wait_for("ready", || fs::read_to_string(&stdout).ok()?.contains("ready").then_some(()));
    assert!(matches!(process.terminate(Duration::ZERO), Err(ProcessError::Unconfirmed { .. })));
    let pid = process.pid();
    drop(process);
    assert_eq!(proc_state(pid), None);
}

#[test]
fn resume_frees_a_process_that_was_not_known_to_be_paused() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = NodeProcess::spawn(&spec(folder.path(), "exec sleep 1000")).unwrap();
    let pid = process.pid();
    // As a SIGSTOP that took hold after the wait for it was over.
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGSTOP).unwrap();
    wait_for("the stop", || (proc_state(pid) == Some('T')).then_some(()));
    assert!(!process.is_paused());
    process.resume().unwrap();
    wait_for("the resumption", || (proc_state(pid) != Some('T')).then_some(()));
    process.pause().unwrap();
    process.resume().unwrap();
    assert!(!process.is_paused());
}

#[test]
fn the_launcher_refuses_when_its_parent_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    // Not our own id: as if whoever asked had died and we had adopted it.
    let wrong = std::process::id() + 1;
    let marker = folder.path().join("ran");
    let output = Command::new(LAUNCHER)
        .args([launch::SUBCOMMAND, "--parent", &wrong.to_string(), "--", "/bin/touch"])
        .arg(&marker)
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is gone"));
    assert!(!marker.exists());
    let usage = Command::new(LAUNCHER).args([launch::SUBCOMMAND, "--nonsense"]).output().unwrap();
    assert!(String::from_utf8_lossy(&usage.stderr).contains("usage"));
}

/// Where a copy of this test binary, playing the harness, finds the folder to work in.
const FOLDER: &str = "ANTIPAXOS_TEST_HARNESS_FOLDER";

/// Plays the harness when started by [`harness_that_will_be_killed`]; otherwise does nothing.
#[test]
fn plays_the_harness_if_asked_to() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    // From a thread that ends: the node must not end with it.
    let spawn = |name: &str| {
        let spec = spec(&folder.join(name), "exec sleep 1000");
        std::thread::spawn(move || NodeProcess::spawn(&spec).unwrap()).join().unwrap()
    };
    let running = spawn("running");
    let mut frozen = spawn("frozen");
    frozen.pause().unwrap();
    println!("\nnodes {} {}", running.pid(), frozen.pid());
    loop {
        std::thread::park();
    }
}

fn harness_that_will_be_killed(folder: &Path) -> (Child, [u32; 2]) {
    let mut harness = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::plays_the_harness_if_asked_to", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(harness.stdout.take().unwrap()).lines();
    let nodes = lines
        .map_while(Result::ok)
        .find_map(|line| {
            let mut pids = line.strip_prefix("nodes ")?.split(' ').map(|pid| pid.parse().unwrap());
            Some([pids.next()?, pids.next()?])
        })
        .expect("the harness tells its nodes' pids");
    (harness, nodes)
}

#[test]
fn killing_the_harness_leaves_no_node_not_even_a_frozen_one() {
    let folder = tempfile::tempdir().unwrap();
    let (mut harness, nodes) = harness_that_will_be_killed(folder.path());
    assert!(nodes.iter().all(|&pid| !is_dead(pid)));
    assert_eq!(proc_state(nodes[1]), Some('T'));
    // SIGKILL: no destructor of the harness runs.
    harness.kill().unwrap();
    harness.wait().unwrap();
    for pid in nodes {
        wait_for("death of the node", || is_dead(pid).then_some(()));
    }
}
