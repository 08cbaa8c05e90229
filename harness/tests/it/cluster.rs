//! A small cluster of real nodes behind the seam, through the proxies: started, asked, killed,
//! restarted, examined.

use checker::{History, Op, OpType, Process, Value};
use harness::process::{NodeProcess, SpawnSpec};
use harness::proxy::policy::PPM;
use harness::proxy::{Counters, Endpoint, Link, LinkPolicy, Links, Mesh};
use harness::system::paxos::{PaxosOptions, PaxosSystem};
use harness::system::{Completion, NodeId, NodePlace, System, Target, WhiteBoxReport};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use workloads::Invocation;

const LAUNCHER: &str = env!("CARGO_BIN_EXE_antipaxos");

/// Longer than any machine in distress needs; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one operation may take: some elections.
const OP_PATIENCE: Duration = Duration::from_secs(3);

/// The node, built from the same sources as this test.
pub(crate) fn node_binary() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let folder = Path::new(LAUNCHER).parent().unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "-p", "paxos-node", "--bin", "paxos-node", "--manifest-path"]);
        cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
        cargo.arg("--target-dir").arg(folder.parent().unwrap());
        if cfg!(feature = "mutants") {
            cargo.args(["--features", "mutants"]);
        }
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "building the node");
        folder.join("paxos-node")
    };
    BUILT.get_or_init(build).clone()
}

struct Cluster {
    system: Arc<PaxosSystem>,
    mesh: Mesh,
    places: Vec<NodePlace>,
    processes: BTreeMap<NodeId, NodeProcess>,
    addresses: BTreeMap<NodeId, SocketAddr>,
    lives: u32,
    ops: Vec<Op>,
    _folder: tempfile::TempDir,
}

impl Cluster {
    fn start(size: u16) -> Cluster {
        Cluster::without_rule(size, None)
    }

    /// With a rule removed, in a build that holds mutants.
    fn without_rule(size: u16, mutant: Option<&str>) -> Cluster {
        let folder = tempfile::tempdir().unwrap();
        let mutant = mutant.map(str::to_owned);
        let options = PaxosOptions { retries: 2, mutant, ..PaxosOptions::new(node_binary(), 77, 1) };
        let system = Arc::new(PaxosSystem::new(options));
        system.verify_binary().unwrap();
        let nodes: Vec<NodeId> = (1..=size).map(NodeId).collect();
        let mesh = Mesh::start(&nodes, system.clone(), 1).unwrap();
        let place = |node: NodeId| {
            let root = folder.path().join(node.to_string());
            let at = |name| root.join(name);
            NodePlace {
                node,
                data: at("data"),
                announce: at("address"),
                log: at("log"),
                trace: at("trace"),
                peers: mesh.peers(node),
            }
        };
        let places = nodes.iter().map(|&node| place(node)).collect();
        let (processes, addresses) = Default::default();
        let mut cluster =
            Cluster { system, mesh, places, processes, addresses, lives: 0, ops: vec![], _folder: folder };
        for node in nodes {
            cluster.start_node(node);
        }
        cluster
    }

    fn place(&self, node: NodeId) -> &NodePlace {
        self.places.iter().find(|place| place.node == node).unwrap()
    }

    fn start_node(&mut self, node: NodeId) {
        let place = self.place(node).clone();
        place.prepare().unwrap();
        self.lives += 1;
        let spec = SpawnSpec {
            launcher: LAUNCHER.into(),
            name: node.to_string(),
            incarnation: self.lives,
            command: self.system.command(&place),
            stdout: place.log.join("stdout.log"),
            stderr: place.log.join("stderr.log"),
        };
        let mut process = NodeProcess::spawn(&spec).unwrap();
        let deadline = Instant::now() + PATIENCE;
        let address = loop {
            if let Some(address) = self.system.announced(&place).unwrap() {
                break address;
            }
            assert!(process.try_exited().unwrap().is_none(), "{:?}", process.try_exited());
            assert!(Instant::now() < deadline, "{node} is not ready");
            std::thread::sleep(Duration::from_millis(5));
        };
        self.mesh.set_upstream(node, Some(address));
        self.addresses.insert(node, address);
        self.processes.insert(node, process);
    }

    fn kill(&mut self, node: NodeId) {
        self.mesh.set_upstream(node, None);
        self.addresses.remove(&node);
        self.processes.remove(&node).unwrap().kill().unwrap();
    }

    async fn leader(&self) -> NodeId {
        let deadline = Instant::now() + PATIENCE;
        loop {
            for (&node, &address) in &self.addresses {
                if self.system.status(address).await.is_ok_and(|status| status.is_leader()) {
                    return node;
                }
            }
            assert!(Instant::now() < deadline, "no leader");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The leader and the other two.
    async fn roles(&self) -> (NodeId, NodeId, NodeId) {
        let leader = self.leader().await;
        let others: Vec<NodeId> = self.addresses.keys().copied().filter(|&node| node != leader).collect();
        (leader, others[0], others[1])
    }

    fn between_nodes(&self) -> BTreeSet<Link> {
        self.mesh.links().filter(|link| link.from != Endpoint::Clients).collect()
    }

    /// Sets the policy of these links, and of no others.
    fn set(&self, links: &BTreeSet<Link>, policy: &LinkPolicy) {
        self.mesh.set_links(links.iter().map(|&link| (link, policy.clone())).collect()).unwrap();
    }

    fn heal(&self) {
        self.mesh.set_links(Links::new()).unwrap();
    }

    /// Waits until the counters of one of these links are as wanted.
    async fn wait_for(&self, links: &BTreeSet<Link>, what: &str, wanted: impl Fn(&Counters) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !links.iter().any(|&link| wanted(&self.mesh.counters(link))) {
            assert!(Instant::now() < deadline, "{what}: {:?}", self.mesh.all_counters());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until some node's stderr has one of these words.
    async fn wait_for_words(&self, words: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let read = |place: &NodePlace| std::fs::read_to_string(place.log.join("stderr.log")).unwrap();
            let said: String = self.places.iter().map(read).collect();
            if words.iter().any(|word| said.contains(word)) {
                return;
            }
            assert!(Instant::now() < deadline, "nobody says anything of {words:?}: {said}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Asks until it happened, each time as another process.
    async fn ask(&mut self, node: NodeId, f: &'static str, value: impl Into<Value>) -> Completion {
        let invocation = Invocation { f, key: Some(1), value: value.into() };
        let address = self.mesh.address(Link::clients(node)).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut connection = self.system.connect(vec![Target { node, address }]).await.unwrap();
            let completion = connection.invoke(&invocation, OP_PATIENCE).await;
            self.record(&invocation, &completion);
            if completion.op_type == OpType::Ok {
                return completion;
            }
            assert!(Instant::now() < deadline, "{completion:?}");
        }
    }

    /// Kills all nodes and has their logs and traces contradict the protocol and what was answered,
    /// if they can.
    fn stop_and_report(&mut self) -> WhiteBoxReport {
        for node in self.addresses.keys().copied().collect::<Vec<_>>() {
            self.kill(node);
        }
        let history = History::new(std::mem::take(&mut self.ops));
        self.system.white_box(&self.places, &history)
    }

    /// The same, of nodes that are sound. Returns how much was examined.
    fn stop_and_examine(&mut self) -> BTreeMap<String, u64> {
        let report = self.stop_and_report();
        assert_eq!((&report.violations, &report.unknown), (&vec![], &vec![]));
        assert_eq!(report.examined["traces"], self.places.len() as u64, "{:?}", report.examined);
        assert!(report.examined["traced slots"] >= report.examined["chosen slots"], "{:?}", report.examined);
        report.examined
    }

    fn record(&mut self, invocation: &Invocation, completion: &Completion) {
        let process = Process::Client(self.ops.len() as u64);
        for (op_type, value) in
            [(OpType::Invoke, invocation.value.clone()), (completion.op_type, completion.value.clone())]
        {
            let index = self.ops.len() as u64;
            let mut op = Op::new(index, index, op_type, process, invocation.f, value).with_key(1);
            if op_type != OpType::Invoke {
                op.error = completion.error.clone();
                op.extra = completion.extra.clone();
            }
            self.ops.push(op);
        }
    }
}

#[tokio::test]
async fn a_cluster_serves_survives_its_leaders_death_and_its_logs_agree() {
    let mut cluster = Cluster::start(3);
    let first = cluster.leader().await;
    for number in 1..=20 {
        let node = NodeId(number % 3 + 1);
        cluster.ask(node, "append", i64::from(number)).await;
    }
    cluster.kill(first);
    let survivor = *cluster.addresses.keys().next().unwrap();
    cluster.ask(survivor, "append", 21).await;
    assert_ne!(cluster.leader().await, first);
    cluster.start_node(first);
    let seen = cluster.ask(first, "read", Value::Nil).await;
    let seen = seen.value.as_list().unwrap().to_vec();
    assert!((1..=21).all(|number| seen.contains(&Value::Int(number))), "{seen:?}");
    assert_eq!(cluster.mesh.counters(Link::clients(survivor)).resets, 0);

    let examined = cluster.stop_and_examine();
    assert!(examined["acknowledged updates"] >= 21, "{examined:?}");
    assert!(examined["reads replayed"] >= 1, "{examined:?}");
}

/// No client can tell: nothing fails here. The nodes' own accounts of their steps do.
#[cfg(feature = "mutants")]
#[tokio::test]
async fn a_vote_that_runs_ahead_of_its_disk_is_seen_in_the_voters_trace() {
    let mut cluster = Cluster::without_rule(3, Some("ack-before-fsync"));
    cluster.leader().await;
    for number in 1..=5 {
        cluster.ask(NodeId(number % 3 + 1), "append", i64::from(number)).await;
    }
    let report = cluster.stop_and_report();
    let ahead = |words: &String| {
        words.starts_with("trace: disk before ACK: ") && words.contains("says to have accepted")
    };
    assert!(!report.violations.is_empty() && report.violations.iter().any(ahead), "{report:#?}");
}

/// What each fault does to real nodes, one after the other, and that they get over it. On a slow machine
/// somebody else may lead at any time, so that no step relies on who does.
#[tokio::test]
async fn damage_held_frames_resets_and_half_open_links_bite_and_are_survived() {
    let mut cluster = Cluster::start(3);
    let clean = LinkPolicy::default;
    let kind = |kind: &str| Some([kind.to_owned()].into());
    cluster.leader().await;

    // The receiver refuses what is damaged and hangs up with the reason, which the sender repeats.
    // (Were all kinds damaged, the reason would be too.)
    let all = cluster.between_nodes();
    cluster.set(&all, &LinkPolicy { corrupt_ppm: PPM, kinds: kind("heartbeat"), ..clean() });
    cluster.wait_for(&all, "damage", |now| now.corrupted > 0).await;
    cluster.wait_for_words(&["connection from 127.0.0.1"]).await;
    cluster.wait_for_words(&["refuses: bad", "refuses: frame version"]).await;
    cluster.heal();
    cluster.ask(NodeId(1), "append", 1).await;

    // Accepts are held, their connection is reset, and they come on the next one.
    let held = LinkPolicy { hold: true, kinds: kind("accept"), ..clean() };
    let (link, hit, spared) = loop {
        let (leader, hit, spared) = cluster.roles().await;
        let link = BTreeSet::from([Link::between(leader, hit)]);
        cluster.set(&link, &held);
        cluster.ask(spared, "append", 2).await;
        if cluster.mesh.counters(Link::between(leader, hit)).held > 0 {
            break (link, hit, spared);
        }
    };
    assert_eq!(cluster.mesh.reset(&link), 1);
    cluster.heal();
    cluster.wait_for(&link, "released", |now| now.released_later > 0).await;
    cluster.ask(hit, "append", 3).await;

    // A node dies without the others' hearing of it, and comes back.
    let links: BTreeSet<Link> = all.iter().copied().filter(|link| link.to == hit).collect();
    cluster.set(&links, &LinkPolicy { half_open: true, ..clean() });
    cluster.kill(hit);
    cluster.wait_for(&links, "its end is swallowed", |now| now.swallowed_ends > 0).await;
    cluster.ask(spared, "append", 4).await;
    cluster.wait_for(&links, "and what it is sent", |now| now.swallowed_bytes > 0).await;
    cluster.start_node(hit);
    cluster.heal();
    let seen = cluster.ask(hit, "read", Value::Nil).await;
    let seen = seen.value.as_list().unwrap().to_vec();
    assert!((1..=4).all(|number| seen.contains(&Value::Int(number))), "{seen:?}");
    cluster.wait_for(&links, "reset at the heal", |now| now.resets > 0).await;
    cluster.stop_and_examine();
}
