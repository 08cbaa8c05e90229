//! The bench's etcd client against a real etcd, and two rounds beside it. Fails where there is no etcd.

// Tests may do what the rest may not.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use harness::bench::Contender;
use harness::bench::contender::Place;
use harness::process::{NodeProcess, SpawnSpec};
use harness::system::etcd::EtcdContender;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::LocalSet;

const ANTIPAXOS: &str = env!("CARGO_BIN_EXE_antipaxos");

/// Longer than any machine in distress needs.
const PATIENCE: Duration = Duration::from_secs(60);

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn start(etcd: &EtcdContender, folder: &Path) -> (Place, NodeProcess) {
    let (data, log) = (folder.join("data"), folder.to_owned());
    let place = Place { node: 1, address: free(), peer_address: free(), data, log };
    let spec = SpawnSpec {
        launcher: ANTIPAXOS.into(),
        name: "etcd".to_owned(),
        incarnation: 1,
        command: etcd.command(&place, std::slice::from_ref(&place)),
        stdout: folder.join("stdout.log"),
        stderr: folder.join("stderr.log"),
    };
    let process = NodeProcess::spawn(&spec).unwrap();
    (place, process)
}

#[test]
fn what_is_put_is_read_back() {
    let etcd = EtcdContender::find("test".to_owned()).unwrap();
    assert!(etcd.version().unwrap().starts_with("etcd Version"));
    let folder = tempfile::tempdir().unwrap();
    let (place, mut process) = start(&etcd, folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        match runtime.block_on(etcd.standing(&place)) {
            Ok(standing) if standing.leads && standing.knows_leader => break,
            other => assert!(Instant::now() < deadline, "{other:?}; {:?}", process.try_exited()),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    LocalSet::new().block_on(&runtime, async {
        let line = etcd.connect(place.address).await.unwrap();
        line.put(Bytes::from_static(b"k"), Bytes::from_static(b"1234567")).await.unwrap();
        let mut client = Rc::clone(&line).client().await.unwrap();
        assert_eq!(client.get(Bytes::from_static(b"k")).await, Ok(7));
        assert_eq!(client.get(Bytes::from_static(b"none")).await, Ok(0));
        client.put(Bytes::from_static(b"k"), Bytes::from_static(b"12")).await.unwrap();
        assert_eq!(client.get(Bytes::from_static(b"k")).await, Ok(2));
        process.kill().unwrap();
        let refused = client.put(Bytes::from_static(b"k"), Bytes::new()).await.unwrap_err();
        assert!(!refused.is_empty());
    });
}

/// Not that ratios are good, or given at all on a machine that others use: that both are measured.
#[test]
fn two_rounds_measure_both() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("report.json");
    let target = Path::new(ANTIPAXOS).parent().unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "-p", "paxos-node", "--bin", "paxos-node", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .arg("--target-dir")
        .arg(target.parent().unwrap())
        .status()
        .unwrap();
    assert!(built.success(), "building the node");
    let node: PathBuf = target.join("paxos-node");
    let output = Command::new(ANTIPAXOS)
        .args([
            "bench",
            "--vs",
            "etcd",
            "--rounds",
            "2",
            "--seconds",
            "0.5",
            "--warm-up",
            "0.2",
            "--clients",
            "4",
        ])
        .args(["--foreign-difference-max", "64", "--bin"])
        .args([&node, Path::new("--data"), folder.path(), Path::new("--json"), &json])
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let whose: Vec<_> =
        report["figures"].as_array().unwrap().iter().map(|figures| &figures["contender"]).collect();
    assert_eq!(whose, ["paxos", "etcd", "etcd", "paxos"], "{said}");
    assert!(report["ratios"][0]["throughput"].as_f64().unwrap() > 0.0, "{said}");
    assert!(said.contains("etcd's throughput"), "{said}");
}
