//! What may be said of an operation afterwards: a client against a node that follows a script.

use bytes::BytesMut;
use checker::{OpType, Value};
use futures_util::StreamExt as _;
use harness::system::paxos::{PaxosOptions, PaxosSystem};
use harness::system::{Completion, NodeId, System as _, Target};
use paxos_node::kv::{
    AbortReason, ClientReply, ClientResult, Command, DefiniteError, OpResult, Reply, RequestId, SessionId,
    TxnOutcome, UnknownReason,
};
use paxos_node::paxos::Slot;
use paxos_node::wire::{FrameReader, client};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::FramedRead;
use workloads::Invocation;

const CLUSTER: u64 = 77;
const SESSION: SessionId = SessionId(7 << 16);

/// Long enough for anything on one machine; only the scripts that never answer use it up.
const PATIENCE: Duration = Duration::from_secs(20);

/// For scripts that never answer.
const IMPATIENCE: Duration = Duration::from_millis(200);

/// What the node does with the next request that is no opening of a session.
#[derive(Clone)]
enum Act {
    Answer(u64, ClientResult),
    /// Never.
    Silence,
    /// Hang up without an answer.
    HangUp,
    /// Bytes that are no frame.
    Garbage,
    /// An answer to an earlier request first.
    Late(Box<Act>),
}

fn done(result: OpResult) -> ClientResult {
    ClientResult::Reply(Reply::Outcome(TxnOutcome::Done(vec![result])))
}

/// A node that opens sessions, follows its script, and notes the requests.
struct Scripted {
    target: Target,
    requests: Arc<Mutex<Vec<RequestId>>>,
}

impl Scripted {
    async fn start(node: u16, acts: Vec<Act>) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let acts = Arc::new(Mutex::new(acts.into_iter()));
        let noted = requests.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(converse(stream, acts.clone(), noted.clone()));
            }
        });
        Scripted { target: Target { node: NodeId(node), address }, requests }
    }

    fn requests(&self) -> Vec<RequestId> {
        self.requests.lock().unwrap().clone()
    }
}

async fn converse(
    stream: TcpStream,
    acts: Arc<Mutex<std::vec::IntoIter<Act>>>,
    noted: Arc<Mutex<Vec<RequestId>>>,
) {
    let (reader, mut writer) = stream.into_split();
    let mut frames = FramedRead::new(reader, FrameReader::new());
    while let Some(Ok(frame)) = frames.next().await {
        let request = client::decode_request(&frame).unwrap();
        let mut act = match request.command {
            Command::OpenSession { .. } => Act::Answer(7, ClientResult::Reply(Reply::SessionOpened(SESSION))),
            Command::Execute { request, .. } => {
                noted.lock().unwrap().extend(request);
                acts.lock().unwrap().next().unwrap_or(Act::Silence)
            }
        };
        let mut out = BytesMut::new();
        let mut answer = |id, slot, result| {
            let reply = ClientReply { id, slot: Slot(slot), result };
            client::encode_reply(&mut out, CLUSTER, paxos_node::paxos::NodeId(1), &reply).unwrap();
        };
        if let Act::Late(then) = act {
            answer(request.id - 1, 1, done(OpResult::Done));
            act = *then;
        }
        match act {
            Act::Answer(slot, result) => answer(request.id, slot, result),
            Act::Silence => {}
            Act::HangUp => return,
            Act::Garbage => out.extend_from_slice(&[&64u32.to_le_bytes()[..], &[0xab; 64]].concat()),
            Act::Late(_) => unreachable!("taken apart above"),
        }
        writer.write_all(&out).await.unwrap();
    }
}

fn system(retries: u32) -> PaxosSystem {
    PaxosSystem::new(PaxosOptions { retries, ..PaxosOptions::new("/nowhere".into(), CLUSTER, 1) })
}

fn write() -> Invocation {
    Invocation { f: "write", key: Some(1), value: 5.into() }
}

fn read() -> Invocation {
    Invocation { f: "read", key: Some(1), value: Value::Nil }
}

fn word(completion: &Completion) -> &str {
    completion.extra["reason"].as_str().unwrap()
}

/// One operation against nodes with these scripts.
async fn ask(
    scripts: Vec<Vec<Act>>,
    invocation: Invocation,
    retries: u32,
    patience: Duration,
) -> (Completion, Vec<Scripted>) {
    let mut nodes = Vec::new();
    for (script, node) in scripts.into_iter().zip(1..) {
        nodes.push(Scripted::start(node, script).await);
    }
    let targets = nodes.iter().map(|node| node.target).collect();
    let mut connection = system(retries).connect(targets).await.unwrap();
    (connection.invoke(&invocation, patience).await, nodes)
}

#[tokio::test]
async fn an_answer_is_ok_and_names_slot_request_and_node() {
    let acts =
        vec![Act::Answer(9, done(OpResult::Done)), Act::Answer(9, done(OpResult::Value(Some("5".into()))))];
    let node = Scripted::start(1, acts).await;
    let mut connection = system(0).connect(vec![node.target]).await.unwrap();
    let written = connection.invoke(&write(), PATIENCE).await;
    assert_eq!((written.op_type, &written.value, written.usable), (OpType::Ok, &5.into(), true));
    assert_eq!(written.error, None);
    let extra = serde_json::to_value(&written.extra).unwrap();
    assert_eq!(extra, serde_json::json!({"node": "n1", "slot": 9, "request": "7/0#1"}));
    let seen = connection.invoke(&read(), PATIENCE).await;
    assert_eq!((seen.op_type, seen.value), (OpType::Ok, 5.into()));
    // A read stands in no log, and needs neither a session nor a request id.
    assert!(!seen.extra.contains_key("request"));
    assert_eq!(node.requests(), [RequestId { session: SESSION, sequence: 1 }]);
}

#[tokio::test]
async fn each_refusal_has_its_meaning() {
    use ClientResult::{Failed, Reply as Replied, Unknown};
    let aborted = TxnOutcome::Aborted { op: 0, reason: AbortReason::CasMismatch };
    let table = [
        (Failed(DefiniteError::NoLeader), OpType::Fail, "no-leader", true),
        (Failed(DefiniteError::Overloaded), OpType::Fail, "overloaded", true),
        (Replied(Reply::Outcome(aborted)), OpType::Fail, "cas-mismatch", true),
        (Unknown(UnknownReason::LeaderChanged), OpType::Info, "leader-changed", false),
        (Replied(Reply::SessionExpired), OpType::Info, "session-expired", false),
        (Replied(Reply::Superseded), OpType::Info, "superseded", false),
        (done(OpResult::Integer(1)), OpType::Info, "nonsense", false),
    ];
    for (result, op_type, reason, usable) in table {
        let (completion, _nodes) = ask(vec![vec![Act::Answer(0, result)]], write(), 0, PATIENCE).await;
        assert_eq!(completion.op_type, op_type, "{reason}");
        assert_eq!(word(&completion), reason);
        assert_eq!(completion.usable, usable, "{reason}");
        assert_eq!(completion.value, 5.into());
        assert!(completion.error.is_some());
        assert!(!completion.extra.contains_key("slot"));
    }
}

#[tokio::test]
async fn silence_and_hanging_up_leave_updates_unknown_and_reads_undone() {
    for (act, reason) in [(Act::Silence, "timeout"), (Act::HangUp, "connection-lost")] {
        let (completion, _nodes) = ask(vec![vec![act.clone()]], write(), 0, IMPATIENCE).await;
        assert_eq!((completion.op_type, word(&completion)), (OpType::Info, reason));
        assert!(!completion.usable);
        let (completion, _nodes) = ask(vec![vec![act]], read(), 0, IMPATIENCE).await;
        assert_eq!((completion.op_type, word(&completion)), (OpType::Fail, reason));
        assert!(!completion.usable);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_the_protocol_is_noted_as_nonsense_for_reads_too() {
    for act in [Act::Garbage, Act::Answer(3, done(OpResult::Done))] {
        // A retry would be answered well, and must not hide it.
        let well = Act::Answer(3, done(OpResult::Value(None)));
        let (completion, _nodes) = ask(vec![vec![act], vec![well]], read(), 1, PATIENCE).await;
        assert_eq!((completion.op_type, word(&completion)), (OpType::Fail, "nonsense"));
        assert!(completion.error.unwrap().starts_with("the node answered"));
    }
    let (completion, _nodes) = ask(vec![vec![Act::Garbage]], write(), 0, PATIENCE).await;
    assert_eq!((completion.op_type, word(&completion), completion.usable), (OpType::Info, "nonsense", false));
}

#[tokio::test]
async fn a_late_answer_to_an_earlier_request_is_not_taken_for_this_one() {
    let act = Act::Late(Box::new(Act::Answer(3, ClientResult::Failed(DefiniteError::NoLeader))));
    let (completion, _nodes) = ask(vec![vec![act]], write(), 0, PATIENCE).await;
    assert_eq!((completion.op_type, word(&completion)), (OpType::Fail, "no-leader"));
}

#[tokio::test]
async fn a_retry_carries_the_same_request_to_the_next_node_and_settles_the_doubt() {
    let scripts = vec![vec![Act::HangUp], vec![Act::Answer(9, done(OpResult::Done))]];
    let (completion, nodes) = ask(scripts, write(), 1, PATIENCE).await;
    assert_eq!(completion.op_type, OpType::Ok);
    assert_eq!(completion.extra["retries"], 1);
    assert_eq!(completion.extra["node"], "n2");
    assert_eq!(nodes[0].requests(), nodes[1].requests());
}

#[tokio::test]
async fn a_definite_refusal_of_a_retry_does_not_settle_an_earlier_doubt() {
    let refused = Act::Answer(0, ClientResult::Failed(DefiniteError::NoLeader));
    let scripts = vec![vec![Act::HangUp], vec![refused.clone()]];
    let (completion, _nodes) = ask(scripts, write(), 1, PATIENCE).await;
    assert_eq!((completion.op_type, word(&completion)), (OpType::Info, "connection-lost"));
    // Without an earlier doubt it is definite, and not tried again.
    let (completion, nodes) = ask(vec![vec![refused], vec![]], write(), 1, PATIENCE).await;
    assert_eq!((completion.op_type, word(&completion)), (OpType::Fail, "no-leader"));
    assert_eq!(nodes[1].requests(), []);
}

#[tokio::test]
async fn the_first_attempt_leaves_time_for_the_others() {
    let scripts = vec![vec![Act::Silence], vec![Act::Answer(9, done(OpResult::Done))]];
    let (completion, _nodes) = ask(scripts, write(), 1, IMPATIENCE * 5).await;
    assert_eq!(completion.op_type, OpType::Ok);
}

/// An address where nobody listens.
async fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn what_never_left_did_not_happen() {
    let target = Target { node: NodeId(3), address: nowhere().await };
    let error = system(0).connect(vec![target]).await.err().unwrap();
    assert!(error.to_string().starts_with("n3 at 127.0.0.1:"), "{error}");
    // Accepts, as a proxy's listener does, and resets: the session can't be opened.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target { node: NodeId(1), address: listener.local_addr().unwrap() };
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_zero_linger().unwrap();
    });
    let mut connection = system(0).connect(vec![target]).await.unwrap();
    let completion = connection.invoke(&write(), PATIENCE).await;
    assert_eq!((completion.op_type, word(&completion)), (OpType::Fail, "no-session"));
    assert!(completion.error.unwrap().starts_with("no session could be opened"));
    assert!(!completion.usable);
    assert!(!completion.extra.contains_key("request"));
}

#[tokio::test]
async fn nonsense_is_not_asked() {
    let nonsense = Invocation { f: "burn", key: None, value: Value::Nil };
    let (completion, nodes) = ask(vec![vec![]], nonsense, 0, PATIENCE).await;
    assert_eq!((completion.op_type, word(&completion)), (OpType::Fail, "untranslatable"));
    assert!(completion.usable);
    assert_eq!(nodes[0].requests(), []);
}
