//! Nodes as processes: they elect, serve, die, come back, and lose nothing they acknowledged.

use crate::cluster::{CLUSTER, Cluster, eventually, get, key, must, put, txn};
use bytes::Bytes;
use nix::sys::signal::Signal;
use paxos_node::client::{Client, Connection, Failure, Patience};
use paxos_node::kv::{ClientResult, Command, OpResult, TxnOp, UnknownReason};
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::FileExt as _;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

#[tokio::test]
async fn three_nodes_elect_a_leader_and_serve_at_every_node() {
    let cluster = Cluster::started(3).await;
    for index in 0..3 {
        let mut client = cluster.client(index);
        let value = format!("v{index}");
        assert_eq!(must(&mut client, put("k", &value)).await, OpResult::Done);
        let read = must(&mut client, get("k")).await;
        assert_eq!(read, OpResult::Value(Some(Bytes::from(value))));
    }
    let leader = cluster.leader().await;
    assert!(cluster.nodes[leader].log().contains("elected: leads in ballot"));
}

#[tokio::test]
async fn a_cluster_of_one_serves() {
    let cluster = Cluster::started(1).await;
    let mut client = cluster.client(0);
    must(&mut client, put("k", "v")).await;
    assert_eq!(must(&mut client, get("k")).await, OpResult::Value(Some(key("v"))));
}

/// Appends numbers to its own list until told to stop, counting; returns those acknowledged and
/// those of unknown fate.
fn appender(mut client: Client, list: String, load: Arc<Load>) -> JoinHandle<[BTreeSet<u64>; 2]> {
    tokio::spawn(async move {
        let (mut acknowledged, mut unknown) = (BTreeSet::new(), BTreeSet::new());
        for number in 0.. {
            if load.stop.load(Ordering::Relaxed) {
                break;
            }
            let value = Bytes::from(number.to_string());
            match client.execute(txn(TxnOp::Append { key: key(&list), value })).await {
                Ok(_) => {
                    load.acknowledged.fetch_add(1, Ordering::Relaxed);
                    acknowledged.insert(number)
                }
                Err(Failure::Unknown(_)) => unknown.insert(number),
                Err(Failure::Definite(_)) => false,
            };
        }
        [acknowledged, unknown]
    })
}

#[derive(Default)]
struct Load {
    acknowledged: AtomicU64,
    stop: AtomicBool,
}

impl Load {
    /// Waits until so many more are acknowledged.
    async fn goes_on(&self, more: u64) {
        let enough = self.acknowledged.load(Ordering::Relaxed) + more;
        eventually("progress", async || (self.acknowledged.load(Ordering::Relaxed) >= enough).then_some(()))
            .await;
    }
}

async fn read_list(client: &mut Client, list: &str) -> Vec<u64> {
    match must(client, get(list)).await {
        OpResult::List(items) => {
            items.iter().map(|item| str::from_utf8(item).unwrap().parse().unwrap()).collect()
        }
        OpResult::Value(None) => Vec::new(),
        other => panic!("{list} is no list: {other:?}"),
    }
}

#[tokio::test]
async fn kill_9_under_load_loses_nothing_acknowledged_and_repeats_nothing() {
    let mut cluster = Cluster::started(3).await;
    let load = Arc::new(Load::default());
    let appenders: Vec<_> = (0..4)
        .map(|number| appender(cluster.client(number % 3), format!("list{number}"), Arc::clone(&load)))
        .collect();
    for _ in 0..4 {
        load.goes_on(50).await;
        let leader = cluster.leader().await;
        cluster.nodes[leader].kill();
        // The two others go on without it.
        load.goes_on(50).await;
        cluster.start(leader).await;
    }
    for node in &mut cluster.nodes {
        node.kill();
    }
    cluster.start_all().await;
    load.goes_on(50).await;
    load.stop.store(true, Ordering::Relaxed);

    for (number, appender) in appenders.into_iter().enumerate() {
        let [acknowledged, unknown] = appender.await.unwrap();
        let found = read_list(&mut cluster.client(number % 3), &format!("list{number}")).await;
        let distinct: BTreeSet<u64> = found.iter().copied().collect();
        assert_eq!(found.len(), distinct.len(), "list{number}: something was executed twice: {found:?}");
        assert!(found.is_sorted(), "list{number}: a request was executed after its successor: {found:?}");
        let lost: Vec<_> = acknowledged.difference(&distinct).collect();
        assert!(lost.is_empty(), "list{number}: acknowledged and lost: {lost:?}");
        let invented: Vec<_> =
            distinct.iter().filter(|n| !acknowledged.contains(n) && !unknown.contains(n)).collect();
        assert!(invented.is_empty(), "list{number}: said not to have happened: {invented:?}");
    }
}

#[tokio::test]
async fn a_frozen_leader_is_replaced_and_comes_back_as_a_follower() {
    let cluster = Cluster::started(3).await;
    let leader = cluster.leader().await;
    cluster.nodes[leader].signal(Signal::SIGSTOP);
    let mut client = cluster.client((leader + 1) % 3);
    must(&mut client, put("k", "meanwhile")).await;
    cluster.nodes[leader].signal(Signal::SIGCONT);
    let mut client = cluster.client(leader);
    assert_eq!(must(&mut client, get("k")).await, OpResult::Value(Some(key("meanwhile"))));
    let applied = cluster.status(cluster.leader().await).await.unwrap().service.applied;
    eventually("catch-up", async || {
        let status = cluster.status(leader).await?;
        (status.service.applied >= applied).then_some(())
    })
    .await;
}

#[tokio::test]
async fn sigterm_ends_a_node_in_good_order() {
    let mut cluster = Cluster::started(3).await;
    must(&mut cluster.client(0), put("k", "v")).await;
    for node in &mut cluster.nodes {
        node.signal(Signal::SIGTERM);
    }
    for node in &mut cluster.nodes {
        let status = node.exited().await;
        assert_eq!(status.code(), Some(0), "{}", node.log());
        assert!(node.log().contains("stopping on SIGTERM"));
    }
    for index in 0..3 {
        cluster.start(index).await;
        assert!(cluster.nodes[index].log().contains("is clean,"), "{}", cluster.nodes[index].log());
    }
    assert_eq!(must(&mut cluster.client(1), get("k")).await, OpResult::Value(Some(key("v"))));
}

#[tokio::test]
async fn a_stopping_node_tells_its_clients_that_it_does_not_know() {
    let mut cluster = Cluster::new(3).await;
    // Patient enough not to step down before it is stopped.
    cluster.arguments = vec!["--election-ticks", "200..400"];
    cluster.start_all().await;
    let leader = cluster.leader().await;
    must(&mut cluster.client(leader), put("k", "v")).await;
    cluster.nodes[(leader + 1) % 3].kill();
    cluster.nodes[(leader + 2) % 3].kill();
    let connection = Connection::open(cluster.nodes[leader].forwarder.address, CLUSTER).await.unwrap();
    let command = Command::Execute { request: None, txn: put("k", "w") };
    let call = tokio::spawn(async move { connection.call(command).await });
    eventually("proposal", async || {
        let status = cluster.status(leader).await?;
        (status.service.in_flight > 0).then_some(())
    })
    .await;
    cluster.nodes[leader].signal(Signal::SIGTERM);
    let reply = call.await.unwrap().unwrap();
    assert_eq!(reply.result, ClientResult::Unknown(UnknownReason::Stopping));
    assert_eq!(cluster.nodes[leader].exited().await.code(), Some(0));
}

#[tokio::test]
async fn a_peer_of_another_cluster_is_told_so_and_says_so() {
    let mut cluster = Cluster::new(2).await;
    cluster.nodes[1].cluster = CLUSTER + 1;
    cluster.start_all().await;
    eventually("refusal", async || {
        let log = cluster.nodes[0].log();
        (log.contains("n2 at 127.0.0.1:") && log.contains("refuses: foreign cluster 77")).then_some(())
    })
    .await;
    assert_eq!(cluster.status(0).await.unwrap().service.leader, None);
}

#[tokio::test]
async fn a_flipped_byte_in_the_log_is_refused_with_its_place() {
    let mut cluster = Cluster::started(1).await;
    let mut client = cluster.client(0);
    for number in 0..10 {
        must(&mut client, put("k", &number.to_string())).await;
    }
    let node = &mut cluster.nodes[0];
    node.kill();
    let segment = node.data().join("00000000000000000001.wal");
    let length = used(&segment);
    let before = flip(&segment, length / 2);

    cluster.spawn(0);
    let node = &mut cluster.nodes[0];
    assert_eq!(node.exited().await.code(), Some(65), "{}", node.log());
    let log = node.log();
    let complaint = log.lines().find(|line| line.contains("FATAL")).expect("a fatal line");
    assert!(complaint.contains(segment.to_str().unwrap()), "{complaint}");
    let offset = complaint.split("byte ").nth(1).unwrap().split([':', ' ']).next().unwrap();
    let offset: u64 = offset.parse().unwrap();
    assert!(offset <= length / 2 && length / 2 < offset + 4096, "{complaint}");

    // Nothing was changed by refusing: with the byte as it was, all is well again.
    assert_ne!(flip(&segment, length / 2), before);
    cluster.start(0).await;
    assert_eq!(must(&mut cluster.client(0), get("k")).await, OpResult::Value(Some(key("9"))));
}

/// Where a segment's last batch ends: only zeros follow.
fn used(segment: &std::path::Path) -> u64 {
    let bytes = fs::read(segment).unwrap();
    let last = bytes.iter().rposition(|&byte| byte != 0).expect("a segment in use");
    (last as u64 + 1).next_multiple_of(8)
}

/// Flips all bits of a byte; returns what it was.
fn flip(file: &std::path::Path, offset: u64) -> u8 {
    let file = fs::File::options().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[!byte[0]], offset).unwrap();
    byte[0]
}

#[tokio::test]
async fn a_torn_tail_is_cut_and_said_so() {
    let mut cluster = Cluster::started(1).await;
    must(&mut cluster.client(0), put("k", "v")).await;
    let node = &mut cluster.nodes[0];
    node.kill();
    let segment = node.data().join("00000000000000000001.wal");
    let length = used(&segment);
    fs::File::options().write(true).open(&segment).unwrap().write_all_at(&[0xab; 13], length).unwrap();
    cluster.start(0).await;
    let log = cluster.nodes[0].log();
    let place = format!("was cut: {}, byte {length}: ", segment.display());
    assert!(log.contains(&place), "{log}");
    assert_eq!(must(&mut cluster.client(0), get("k")).await, OpResult::Value(Some(key("v"))));
}

#[tokio::test]
async fn a_full_disk_stops_the_node_and_loses_nothing_acknowledged() {
    let mut cluster = Cluster::started(1).await;
    must(&mut cluster.client(0), put("before", "v")).await;
    let third = cluster.nodes[0].data().join("00000000000000000003.wal");
    eventually("two segments made ahead", async || third.exists().then_some(())).await;
    cluster.nodes[0].kill();
    // Nothing may be written beyond 64 blocks of a file: the first write that would fails halfway.
    cluster.start_under(0, "trap '' XFSZ; ulimit -f 64").await;
    let addresses = vec![cluster.nodes[0].forwarder.address];
    let patience = Patience { attempt: Duration::from_secs(1), request: Duration::from_secs(1) };
    let mut client = Client::new(CLUSTER, addresses, patience);
    let value = "x".repeat(1000);
    let mut acknowledged = Vec::new();
    for number in 0..1000 {
        let put = client.execute(put(&number.to_string(), &value)).await;
        acknowledged.extend(put.is_ok().then_some(number));
        if cluster.nodes[0].has_ended() {
            break;
        }
    }
    let node = &mut cluster.nodes[0];
    assert_eq!(node.exited().await.code(), Some(74), "{}", node.log());
    let log = node.log();
    assert!(log.contains("FATAL") && log.contains(".wal: writing failed: File too large"), "{log}");

    cluster.start(0).await;
    let mut client = cluster.client(0);
    for number in &acknowledged {
        assert_eq!(must(&mut client, get(&number.to_string())).await, OpResult::Value(Some(key(&value))));
    }
    assert!(!acknowledged.is_empty());
}

/// Runs a node that must end by itself.
fn run(cluster: &Cluster, more: &[&str]) -> (Option<i32>, String) {
    let mut command = cluster.command(0);
    let Output { status, stderr, .. } =
        command.args(more).stderr(std::process::Stdio::piped()).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[tokio::test]
async fn a_second_node_on_the_same_folder_is_refused() {
    let cluster = Cluster::started(1).await;
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_paxos-node"));
    command.args(["--id", "1", "--cluster", "77", "--data"]).arg(cluster.nodes[0].data());
    let Output { status, stderr, .. } = command.output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(74), "{stderr}");
    assert!(stderr.contains("in use by another process"), "{stderr}");
    must(&mut cluster.client(0), put("k", "v")).await;
}

#[tokio::test]
async fn each_bad_start_has_one_clear_line_and_its_exit_code() {
    let cluster = Cluster::new(1).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let line = |(code, stderr): (Option<i32>, String), expected: i32, complaint: &str| {
        assert_eq!(code, Some(expected), "{stderr}");
        let fatal = stderr.lines().filter(|line| line.contains("FATAL")).collect::<Vec<_>>();
        assert_eq!(fatal.len(), 1, "{stderr}");
        assert!(fatal[0].contains(complaint), "{stderr}");
    };
    line(
        run(&cluster, &["--listen", &taken]),
        74,
        &format!("can't listen on {taken}: Address already in use"),
    );
    line(run(&cluster, &["--peers", "1=127.0.0.1:1"]), 64, "--peers names n1, which is this node");
    line(run(&cluster, &["--peers", "2=127.0.0.1:1,2=127.0.0.1:2"]), 64, "--peers names n2 twice");
    line(run(&cluster, &["--mutant", "reply-on-accept-maybe"]), 64, "--mutant");
    let file = cluster.folder().join("file");
    fs::write(&file, "").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_paxos-node"));
    let Output { status, stderr, .. } =
        command.args(["--id", "1", "--cluster", "77", "--data"]).arg(&file).output().unwrap();
    line((status.code(), String::from_utf8(stderr).unwrap()), 74, &file.display().to_string());
}

#[tokio::test]
async fn a_log_of_another_node_or_cluster_is_refused() {
    let mut cluster = Cluster::started(1).await;
    must(&mut cluster.client(0), put("k", "v")).await;
    cluster.nodes[0].kill();
    for (id, of) in [("2", "77"), ("1", "78")] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_paxos-node"));
        command.args(["--id", id, "--cluster", of, "--data"]).arg(cluster.nodes[0].data());
        let Output { status, stderr, .. } = command.output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(65), "{stderr}");
        assert!(
            stderr.contains(&format!("belongs to n1 of cluster 77, not to n{id} of cluster {of}")),
            "{stderr}"
        );
    }
}

#[tokio::test]
async fn without_a_quorum_nothing_is_acknowledged_and_with_it_all_goes_on() {
    let mut cluster = Cluster::started(3).await;
    must(&mut cluster.client(0), put("k", "before")).await;
    let leader = cluster.leader().await;
    let (one, other) = ((leader + 1) % 3, (leader + 2) % 3);
    cluster.nodes[one].kill();
    cluster.nodes[other].kill();
    eventually("leader that steps down", async || {
        let status = cluster.status(leader).await?;
        (status.service.role != "leader").then_some(())
    })
    .await;
    let addresses = vec![cluster.nodes[leader].forwarder.address];
    let patience = Patience { attempt: Duration::from_millis(300), request: Duration::from_millis(600) };
    let mut alone = Client::new(CLUSTER, addresses, patience);
    assert!(alone.execute(put("k", "alone")).await.is_err());
    cluster.start(one).await;
    must(&mut cluster.client(leader), put("k", "after")).await;
    assert_eq!(must(&mut cluster.client(one), get("k")).await, OpResult::Value(Some(key("after"))));
}

#[tokio::test]
async fn version_names_the_build() {
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_paxos-node")).arg("--version").output().unwrap();
    let expected = format!("paxos-node {} build {}", env!("CARGO_PKG_VERSION"), paxos_node::BUILD_ID);
    let found = String::from_utf8(output.stdout).unwrap();
    assert!(found.starts_with(&expected), "{found}");
    assert_eq!(found.trim_end().ends_with(" mutants"), cfg!(feature = "mutants"), "{found}");
    assert!(output.status.success());
}

/// A node whose folder was emptied is told so by those who took its word before, and ends; it can join a
/// cluster, but not this one under this id.
#[tokio::test]
async fn a_node_that_lost_its_memory_is_not_let_in_under_its_id() {
    let mut cluster = Cluster::started(3).await;
    must(&mut cluster.client(0), put("k", "v")).await;
    cluster.nodes[2].kill();
    fs::remove_dir_all(cluster.nodes[2].data()).unwrap();
    cluster.spawn(2);
    cluster.announced(2).await;
    assert_eq!(cluster.nodes[2].exited().await.code(), Some(65));
    let log = cluster.nodes[2].log();
    assert!(log.contains("knows n3 as disk"), "{log}");
    assert!(log.contains("Join under a new id, with --join and an empty folder"), "{log}");
    // The others are a quorum without it.
    assert_eq!(must(&mut cluster.client(0), get("k")).await, OpResult::Value(Some(key("v"))));
}

/// A founder that is not there yet is waited for: what it will have promised nobody can know.
#[tokio::test]
async fn founders_wait_until_all_have_met_once_and_then_for_a_majority() {
    let mut cluster = Cluster::new(3).await;
    cluster.start(0).await;
    cluster.start(1).await;
    let waits = eventually("one founder heard", async || {
        let status = cluster.status(0).await?.service;
        (status.waits_for == [3]).then_some(status)
    });
    assert_eq!((waits.await.role.as_str(), cluster.nodes[0].has_ended()), ("follower", false));
    assert!(cluster.nodes[0].log().contains("founding: waits for n3, who must be heard once"));
    cluster.start(2).await;
    must(&mut cluster.client(0), put("k", "v")).await;
    assert!(cluster.nodes[0].log().contains("founded: all founders have met"));
    cluster.nodes.iter_mut().for_each(|node| node.kill());
    cluster.start(0).await;
    cluster.start(1).await;
    assert_eq!(must(&mut cluster.client(0), get("k")).await, OpResult::Value(Some(key("v"))));
}
