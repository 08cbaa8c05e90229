//! Strangers at the door: whatever is said on a socket, the node says why it won't have it,
//! closes that connection, and goes on serving everybody else.

use crate::cluster::{CLUSTER, Cluster, DEADLINE, get, key, must, put};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use paxos_node::client::Connection;
use paxos_node::kv::{ClientRequest, ClientResult, Command, DefiniteError, OpResult, Txn, TxnOp};
use paxos_node::paxos::{Ballot, Message, NodeId, Slot};
use paxos_node::wire::peer::{Envelope, Hello};
use paxos_node::wire::{Frame, FrameReader, Kind, MAX_FRAME_BYTES, client, peer};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::codec::FramedRead;

/// Sends bytes, then listens to the end: the frames that came back.
async fn say(address: SocketAddr, bytes: &[u8], then_close: bool) -> Vec<Frame> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The node may hang up before it has heard all.
    let _ = stream.write_all(bytes).await;
    if then_close {
        let _ = stream.shutdown().await;
    }
    let frames = FramedRead::new(stream, FrameReader::new());
    let frames = frames.take_while(|frame| std::future::ready(frame.is_ok())).map(Result::unwrap).collect();
    timeout(DEADLINE, frames).await.expect("the node closes the connection")
}

/// The one thing said in answer must be a refusal that mentions `reason`.
async fn refused(address: SocketAddr, bytes: &[u8], reason: &str) {
    let answers = say(address, bytes, false).await;
    let [answer] = &answers[..] else { panic!("{reason}: {answers:?}") };
    assert_eq!(answer.header.kind, Kind::Error, "{reason}");
    let said = client::decode_error(answer);
    assert!(said.contains(reason), "expected `{reason}`, heard `{said}`");
}

fn heartbeat(cluster: u64, from: u16, to: u16) -> Vec<u8> {
    let ballot = Ballot { round: 1 << 40, node: NodeId(from) };
    let message =
        Message::Heartbeat { ballot, chosen_upto: Slot(0), read_seq: 0, applied: Default::default() };
    let envelope = Envelope { cluster, from: NodeId(from), to: NodeId(to), message_id: 1 };
    let mut out = BytesMut::new();
    peer::encode(&mut out, envelope, &message).unwrap();
    out.to_vec()
}

fn hello(protocol: u32) -> Vec<u8> {
    let envelope = Envelope { cluster: CLUSTER, from: NodeId(2), to: NodeId(1), message_id: 1 };
    let mut out = BytesMut::new();
    peer::encode_hello(&mut out, envelope, Hello { protocol, incarnation: 7 });
    out.to_vec()
}

fn request(cluster: u64, id: u64) -> Vec<u8> {
    let op = TxnOp::Put { key: key("stranger"), value: key("value") };
    let command = Command::Execute { request: None, txn: Txn { ops: vec![op] } };
    let mut out = BytesMut::new();
    client::encode_request(&mut out, cluster, &ClientRequest { id, command, local: false }).unwrap();
    out.to_vec()
}

/// A sound frame with another body: what a client with a bug would send.
fn nonsense_request(id: u64) -> Vec<u8> {
    let mut frame = request(CLUSTER, id)[4..].to_vec();
    frame.truncate(56);
    frame.extend_from_slice(&[0xff; 9]);
    let sum = crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[8..]);
    frame[4..8].copy_from_slice(&sum.to_le_bytes());
    let mut out = u32::try_from(frame.len()).unwrap().to_le_bytes().to_vec();
    out.extend_from_slice(&frame);
    out
}

fn patched(mut frame: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    frame[4 + at] = byte;
    frame
}

#[tokio::test]
async fn whatever_is_refused_is_told_why_and_the_node_goes_on() {
    // Of three nodes one is a stranger's victim.
    let cluster = Cluster::started(3).await;
    must(&mut cluster.client(0), put("k", "before")).await;
    let victim = cluster.nodes[0].forwarder.address;
    let ours = request(CLUSTER, 1);

    refused(victim, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "frame too large").await;
    refused(victim, &u32::MAX.to_le_bytes(), "frame too large").await;
    refused(victim, &u32::try_from(MAX_FRAME_BYTES + 1).unwrap().to_le_bytes(), "frame too large").await;
    refused(victim, &[0; 4], "truncated frame: 0 bytes").await;
    refused(victim, &[&[8, 0, 0, 0], &[0; 8][..]].concat(), "truncated frame: 8 bytes").await;
    refused(victim, &[&[64, 0, 0, 0], &[7; 64][..]].concat(), "bad magic 0x0707").await;
    refused(victim, &patched(ours.clone(), 2, 9), "frame version 9 is not supported").await;
    refused(victim, &patched(ours.clone(), 60, 9), "bad checksum").await;
    refused(victim, &request(78, 1), "foreign cluster 78: this node belongs to cluster 77").await;
    refused(victim, &heartbeat(78, 2, 1), "foreign cluster 78").await;
    refused(victim, &heartbeat(CLUSTER, 63, 1), "heartbeat is from n63, which can't be a peer of n1").await;
    refused(victim, &heartbeat(CLUSTER, 1, 1), "heartbeat is from n1, which can't be a peer of n1").await;
    refused(victim, &hello(9), "n2 speaks protocol 9, and this node 1").await;
    // Whoever does not say on which disk he is is not heard, and not answered.
    assert_eq!(say(victim, &heartbeat(CLUSTER, 2, 1), true).await, []);
    refused(victim, &heartbeat(CLUSTER, 2, 3), "heartbeat is for n3, but this is n1").await;

    let mut out = BytesMut::new();
    client::encode_status_reply(&mut out, CLUSTER, NodeId(0), 1, b"{}").unwrap();
    refused(victim, &out, "status-reply has no place on a client's connection").await;
    let status = {
        let mut out = BytesMut::new();
        client::encode_status_request(&mut out, CLUSTER, 5);
        out.to_vec()
    };
    let answers = say(victim, &[status, heartbeat(CLUSTER, 2, 1)].concat(), false).await;
    let kinds: Vec<_> = answers.iter().map(|answer| answer.header.kind).collect();
    assert_eq!(kinds, [Kind::StatusReply, Kind::Error], "what was right is answered, what follows refused");

    for length in [1, 4, 20, ours.len() - 1] {
        let answers = say(victim, &ours[..length], true).await;
        let [answer] = &answers[..] else { panic!("cut after {length}: {answers:?}") };
        assert!(client::decode_error(answer).contains("truncated frame"), "cut after {length}");
    }

    // The heartbeats of round 2^40 went nowhere, and everybody still agrees.
    let status = cluster.status(0).await.unwrap();
    assert!(status.service.promised.round < 1 << 40);
    assert!(status.shell.connections_refused >= 19, "{}", status.shell.connections_refused);
    assert_eq!(must(&mut cluster.client(0), get("k")).await, OpResult::Value(Some(key("before"))));
    assert!(cluster.nodes[0].log().contains("closed the connection from"));
}

#[tokio::test]
async fn random_bytes_do_a_node_no_harm() {
    let cluster = Cluster::started(1).await;
    let victim = cluster.nodes[0].forwarder.address;
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for round in 0..60 {
        let mut bytes = vec![0; 1 + random.next_u32() as usize % 3000];
        random.fill_bytes(&mut bytes);
        if round % 2 == 0 {
            // A sound prefix, so that the garbage is taken for a frame.
            let length = u32::try_from(bytes.len() - 1).unwrap() / 2;
            bytes.splice(0..0, length.to_le_bytes());
        }
        for answer in say(victim, &bytes, true).await {
            assert_eq!(answer.header.kind, Kind::Error, "round {round}");
        }
    }
    must(&mut cluster.client(0), put("k", "v")).await;
}

#[tokio::test]
async fn a_request_that_makes_no_sense_fails_alone() {
    let cluster = Cluster::started(1).await;
    cluster.leader().await;
    let bytes = [nonsense_request(7), request(CLUSTER, 8)].concat();
    let mut stream = TcpStream::connect(cluster.nodes[0].forwarder.address).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    let mut frames = FramedRead::new(stream, FrameReader::new());
    let mut replies = Vec::new();
    while replies.len() < 2 {
        let frame = timeout(DEADLINE, frames.next()).await.unwrap().unwrap().unwrap();
        replies.push(client::decode_reply(&frame).unwrap());
    }
    assert_eq!((replies[0].id, &replies[0].result), (7, &ClientResult::Failed(DefiniteError::Malformed)));
    assert_eq!(replies[1].id, 8);
    assert!(matches!(replies[1].result, ClientResult::Reply(_)), "{:?}", replies[1]);
}

#[tokio::test]
async fn a_client_that_reads_nothing_stalls_itself_alone() {
    let cluster = Cluster::started(1).await;
    let mut other = cluster.client(0);
    must(&mut other, put("k", "v")).await;

    let mut deaf = TcpStream::connect(cluster.nodes[0].forwarder.address).await.unwrap();
    let mut question = BytesMut::new();
    client::encode_status_request(&mut question, CLUSTER, 1);
    let questions = Bytes::from(question.repeat(1000));
    let mut asked = 0;
    // Until the node stops reading: then this connection's buffers are full, both ways.
    while let Ok(written) = timeout(std::time::Duration::from_millis(500), deaf.write_all(&questions)).await {
        written.unwrap();
        asked += 1000;
        assert!(asked < 10_000_000, "the node reads on and on");
    }
    assert_eq!(must(&mut other, get("k")).await, OpResult::Value(Some(key("v"))));
    drop(deaf);
    must(&mut other, put("k", "w")).await;
}

#[tokio::test]
async fn many_requests_on_one_connection_find_their_way_back() {
    let cluster = Cluster::started(3).await;
    let leader = cluster.leader().await;
    for index in 0..3 {
        let connection = Connection::open(cluster.nodes[index].forwarder.address, CLUSTER).await.unwrap();
        let calls = (0..1000_u32).map(|number| {
            let name = Bytes::from(format!("{index}-{number}"));
            let ops = vec![TxnOp::Put { key: name.clone(), value: name.clone() }, TxnOp::Get { key: name }];
            connection.call(Command::Execute { request: None, txn: Txn { ops } })
        });
        let replies = timeout(DEADLINE, futures_util::future::join_all(calls)).await.unwrap();
        for (number, reply) in replies.into_iter().enumerate() {
            let said = format!("{:?}", reply.unwrap().result);
            assert!(
                said.contains(&format!("{index}-{number}\"")),
                "n{} (n{} leads): {said}",
                index + 1,
                leader + 1
            );
        }
    }
}
