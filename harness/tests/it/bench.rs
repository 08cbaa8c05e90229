//! The bench on real processes, for as short as tells anything.

use crate::cluster::node_binary;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn bench(folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_antipaxos"));
    command.args(["bench", "--seed", "1", "--bin"]).arg(node_binary()).arg("--data").arg(folder);
    command.args(more).output().unwrap()
}

fn report(folder: &Path, more: &[&str]) -> Value {
    let file = folder.join("report.json");
    let output = bench(folder, &[more, &["--json", file.to_str().unwrap()]].concat());
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    let report = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "nothing is left behind: {said}");
    report
}

#[test]
fn a_second_of_load_gives_figures_of_everything_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let short = ["--seconds", "0.5", "--warm-up", "0.1", "--rounds", "1", "--restart"];
    let load = ["--clients", "1,8", "--reads", "0.5", "--value-bytes", "100"];
    let report = report(folder.path(), &[&short[..], &load].concat());
    let figures = report["figures"].as_array().unwrap();
    assert_eq!(figures.len(), 2);
    for (figures, clients) in figures.iter().zip([1, 8]) {
        assert_eq!(figures["asked"]["clients"], clients);
        for positive in
            ["/tallied/per_second", "/tallied/puts/us_p50", "/tallied/gets/us_p99", "/raw_disk/us_p50"]
        {
            assert!(
                figures.pointer(positive).and_then(Value::as_f64).unwrap() > 0.0,
                "{positive}: {figures}"
            );
        }
        assert!(figures["resident_bytes_max"].as_u64().unwrap() > 1 << 20, "{figures}");
        assert_eq!(figures["tallied"]["failures"], serde_json::json!({}), "{figures}");
    }
    let restart = &report["restarts"][0];
    assert!(
        restart["records"].as_u64().unwrap() > 0
            && restart["writing_s"].as_f64() >= restart["serving_s"].as_f64()
    );
}

#[test]
fn a_killed_leader_is_an_outage_that_ends() {
    let folder = tempfile::tempdir().unwrap();
    let report = report(folder.path(), &["--failover", "1", "--freeze", "1"]);
    for (outages, strike) in report["outages"].as_array().unwrap().iter().zip(["kill", "freeze"]) {
        assert_eq!(outages["strike"], strike);
        assert!(outages["ms_worst"].as_f64().unwrap() > 0.0, "{outages}");
    }
}

#[test]
fn what_can_not_be_measured_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench(folder.path(), &["--vs", "/nowhere/paxos-node"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(254) && said.contains("missing binary: /nowhere/paxos-node"),
        "{said}"
    );
    assert_eq!(bench(folder.path(), &["--reads", "2"]).status.code(), Some(254));
}
