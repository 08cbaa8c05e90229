//! Schedules from files, and what runs write down of them, through the command line: on processes and
//! in the simulation.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use harness::schedule::Schedule;

use crate::cluster::node_binary;

const ANTIPAXOS: &str = env!("CARGO_BIN_EXE_antipaxos");

const STORY: &str = r#"
schema = 1
name = "struck-twice"
nodes = 3
seed = 5

[workload]
name = "append"
rate = 100
op-timeout = "1s"

[[phase]]
name = "faults"
for = "4s"

  [[phase.fault]]
  id = "first"
  when = { event = "leader-stable", for = "300ms" }
  do = "pause"
  target = "leader"
  for = "1s"

  [[phase.fault]]
  id = "lost"
  when = { message = "heartbeat", on = "leader->*", nth = 3, after = "first" }
  do = "link"
  on = "leader->follower[0]"
  drop = "100%"
  for = "600ms"
"#;

fn antipaxos(arguments: &[&str], results: &Path) -> Output {
    Command::new(ANTIPAXOS).args(arguments).arg("--results").arg(results).output().unwrap()
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn written_down(run: &Path) -> Schedule {
    let text = fs::read_to_string(run.join("schedule.resolved.toml")).unwrap();
    Schedule::read("resolved", &text).unwrap_or_else(|refusals| panic!("{refusals}\n{text}"))
}

#[test]
fn a_schedule_is_run_written_down_and_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("story.toml");
    fs::write(&file, STORY).unwrap();
    let (file, results) = (file.to_str().unwrap(), folder.path().join("results"));
    let node = node_binary();
    let node = node.to_str().unwrap();

    let real = antipaxos(&["test", "--schedule", file, "--bin", node], &results);
    assert_eq!(real.status.code(), Some(0), "{}", told(&real));
    let resolved = written_down(&results.join("latest"));
    let faults = &resolved.phases[0].faults;
    let ids: Vec<&str> = faults.iter().map(|fault| fault.id.as_str()).collect();
    assert_eq!(ids, ["first-0", "lost-1"]);
    assert_eq!((resolved.nodes, resolved.workload.name.as_deref()), (Some(3), Some("append")));

    let latest = results.join("latest").canonicalize().unwrap();
    let again = antipaxos(&["replay", latest.to_str().unwrap(), "--times", "1"], &results);
    assert_eq!(again.status.code(), Some(0), "{}", told(&again));
    assert!(told(&again).contains("failed: 0 of 1"), "{}", told(&again));

    let shrink = antipaxos(&["shrink", latest.to_str().unwrap()], &results);
    assert_eq!(shrink.status.code(), Some(254), "{}", told(&shrink));
    assert!(told(&shrink).contains("this run did not fail"), "{}", told(&shrink));
}

#[test]
fn the_same_schedule_in_virtual_time_tells_as_much() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("story.toml");
    fs::write(&file, STORY).unwrap();
    let (file, results) = (file.to_str().unwrap(), folder.path().join("results"));

    let many = antipaxos(&["sim", "--schedule", file, "--seeds", "20"], &results);
    assert_eq!(many.status.code(), Some(0), "{}", told(&many));
    assert!(told(&many).contains("20 valid, 0 invalid, 0 unknown"), "{}", told(&many));

    let one = antipaxos(&["sim", "--schedule", file, "--seed", "11"], &results);
    assert_eq!(one.status.code(), Some(0), "{}", told(&one));
    let latest = results.join("latest").canonicalize().unwrap();
    for kept in ["summary.txt", "verdict.json", "manifest.json", "history.jsonl", "nemesis.jsonl"] {
        assert!(latest.join(kept).is_file(), "{kept} is missing");
    }
    assert_eq!(written_down(&latest).phases[0].faults.len(), 2);
    let checked =
        Command::new(ANTIPAXOS).args(["check", "--model", "append"]).arg(latest.join("history.jsonl")).output();
    assert_eq!(checked.unwrap().status.code(), Some(0));

    let wrong = antipaxos(&["sim", "--schedule", file, "--mutant", "reply-on-accept", "--seed", "1"], &results);
    assert_eq!(wrong.status.code(), Some(254), "{}", told(&wrong));
    assert!(told(&wrong).contains("holds no mutants"), "{}", told(&wrong));
}
