//! Members that come and go, as processes and by the command that an operator has.

use crate::cluster::{CLUSTER, Cluster, eventually, get, key, must, put};
use paxos_node::client::{Client, Patience};
use paxos_node::kv::OpResult;
use std::process::{Command, Output};
use std::time::Duration;

/// Runs `paxos-node admin` against these nodes. The way there leads through this process, which must not
/// stand still meanwhile.
async fn admin(cluster: &Cluster, asked: &[usize], words: &str) -> Output {
    let address = |index: &usize| {
        let node = &cluster.nodes[*index];
        format!("{}={}", node.id, node.forwarder.address)
    };
    let peers: Vec<String> = asked.iter().map(address).collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_paxos-node"));
    command.args(["admin", "--cluster", &CLUSTER.to_string(), "--peers", &peers.join(",")]);
    command.args(words.split(' '));
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("a command that runs")
}

/// It must do what is asked; returns what it said.
async fn done(cluster: &Cluster, asked: &[usize], words: &str) -> String {
    let Output { status, stdout, stderr } = admin(cluster, asked, words).await;
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(status.success(), "{words}: {stdout}{stderr}");
    stdout
}

/// It must be refused, with this reason.
async fn refused(cluster: &Cluster, asked: &[usize], words: &str, reason: &str) {
    let Output { status, stderr, .. } = admin(cluster, asked, words).await;
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(status.code() == Some(1) && stderr.contains(reason), "{words}: {stderr}");
}

/// Another node joins, and becomes a learner.
async fn join(cluster: &mut Cluster, asked: &[usize]) -> usize {
    let index = cluster.join().await;
    let node = &cluster.nodes[index];
    let words = format!("add {}={}", node.id, node.forwarder.address);
    done(cluster, asked, &words).await;
    index
}

async fn serves(cluster: &Cluster, at: usize, value: &str) {
    let mut client = cluster.client(at);
    assert_eq!(must(&mut client, put("k", value)).await, OpResult::Done);
    assert_eq!(must(&mut client, get("k")).await, OpResult::Value(Some(key(value))));
}

#[tokio::test]
async fn a_cluster_grows_replaces_its_dead_and_shrinks_and_who_is_gone_has_no_vote() {
    let mut cluster = Cluster::started(3).await;
    serves(&cluster, 0, "three").await;

    let fourth = join(&mut cluster, &[0, 1, 2]).await;
    done(&cluster, &[0, 1, 2], "promote 4").await;
    let fifth = join(&mut cluster, &[0, 1, 2]).await;
    let said = done(&cluster, &[0, 1, 2], "promote 5 --wait-settled").await;
    assert!(said.contains("configuration 4") && said.contains("settled:"), "{said}");
    // What is so already is done.
    assert!(done(&cluster, &[2], "promote 5").await.contains("it was so already"));
    serves(&cluster, fifth, "five").await;

    // Of five, two may go.
    cluster.nodes[0].kill();
    cluster.nodes[1].kill();
    serves(&cluster, fourth, "without two").await;
    let sixth = join(&mut cluster, &[2, fourth]).await;
    done(&cluster, &[2, fourth], "replace 1 6").await;
    refused(&cluster, &[2, fourth], "promote 1", "n1 is no member").await;
    let words = format!("add 1={}", cluster.nodes[sixth].forwarder.address);
    refused(&cluster, &[2, fourth], &words, "runs n6, and not n1").await;
    done(&cluster, &[2, fourth], "remove 2 --wait-settled").await;
    let shown = done(&cluster, &[fourth], "members").await;
    assert!(shown.contains("gone for good: n1 n2") && shown.contains("n6  voter"), "{shown}");
    serves(&cluster, sixth, "four").await;

    // n1 and n2 come back, who once made a majority with n3, and know of nothing.
    for index in [fourth, fifth, sixth] {
        cluster.nodes[index].kill();
    }
    cluster.start(0).await;
    cluster.start(1).await;
    let patience = Patience { attempt: Duration::from_millis(300), request: Duration::from_millis(1500) };
    let mut client = Client::new(CLUSTER, vec![cluster.nodes[2].forwarder.address], patience);
    client.execute(put("k", "without a quorum")).await.unwrap_err();
    cluster.start(fourth).await;
    cluster.start(fifth).await;
    serves(&cluster, 2, "three of four").await;
    // They are told, and know that they are gone.
    eventually("news for those who are gone", async || {
        let status = cluster.status(0).await?.service;
        (status.configuration.gone == [1, 2]).then_some(())
    })
    .await;
}
