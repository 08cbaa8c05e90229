//! The simulated cluster, as faults are done to it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::rc::Rc;

use checker::Value;
use paxos_node::paxos::NodeId as SimNode;
use paxos_node::sim::{Fault, World};

use super::links::SharedWires;
use super::tape::Tape;
use crate::nemesis::Victim;
use crate::nemesis::hands::Bite;
use crate::nemesis::victim::Stopped;
use crate::proxy::{Counters, Endpoint, Link, LinkPolicy, Links};
use crate::schedule::Condition;
use crate::system::NodeId;

/// Nodes, links and history of a simulated run.
#[derive(Clone)]
pub(super) struct Simulated {
    pub(super) world: Rc<RefCell<World>>,
    pub(super) tape: Rc<RefCell<Tape>>,
    pub(super) wires: SharedWires,
    /// Whom clients don't reach.
    unreachable: Rc<RefCell<BTreeSet<NodeId>>>,
}

impl Simulated {
    pub(super) fn new(world: World, wires: SharedWires) -> Simulated {
        Simulated {
            world: Rc::new(RefCell::new(world)),
            tape: Rc::default(),
            wires,
            unreachable: Rc::default(),
        }
    }

    fn strike(&self, fault: Fault) {
        self.world.borrow_mut().inject(0, fault);
    }

    /// Everything that stands in the way is taken away.
    pub(super) fn heal(&self, nodes: &[NodeId]) {
        let _ = self.set_links(Links::new());
        for &node in nodes {
            self.strike(Fault::Resume(SimNode(node.0)));
            self.strike(Fault::Start(SimNode(node.0)));
        }
        self.note("heal", Value::Nil, BTreeMap::new());
    }
}

impl Victim for Simulated {
    type Error = Infallible;

    async fn kill(&self, nodes: &[NodeId], bite: &mut Bite) {
        bite.bit = true;
        for &node in nodes {
            match self.condition(node) {
                Condition::Down => bite.doubt(format!("{node} was down already")),
                Condition::Up | Condition::Paused => bite.evidence.push(format!("{node} killed")),
            }
            self.strike(Fault::Kill(SimNode(node.0)));
        }
    }

    fn wipe(&self, node: NodeId) -> Result<String, String> {
        self.strike(Fault::Wipe(SimNode(node.0)));
        Ok("an empty disk".to_owned())
    }

    /// Nobody waits here while time goes on: whether they are is known at the end.
    async fn until_turned_away(&self, _nodes: &[NodeId]) -> Vec<NodeId> {
        Vec::new()
    }

    async fn restart(&self, nodes: &[NodeId]) -> Result<(), Infallible> {
        for &node in nodes {
            self.strike(Fault::Start(SimNode(node.0)));
        }
        Ok(())
    }

    async fn pause(&self, nodes: &[NodeId], bite: &mut Bite) -> Stopped {
        let mut stopped = Stopped::new();
        for &node in nodes {
            match self.condition(node) {
                Condition::Down => bite.doubt(format!("{node} was down")),
                Condition::Up | Condition::Paused => stopped.push((node, 0)),
            }
            self.strike(Fault::Pause(SimNode(node.0)));
        }
        stopped
    }

    fn examine_paused(&self, nodes: &[NodeId], stopped: &Stopped, bite: &mut Bite) {
        bite.bit = stopped.len() == nodes.len();
        for &(node, _) in stopped {
            if self.condition(node) == Condition::Paused {
                bite.evidence.push(format!("{node} stood still"));
            } else {
                bite.doubt(format!("{node} was not stopped all the time"));
            }
        }
    }

    async fn resume(&self, nodes: &[NodeId]) -> Vec<String> {
        for &node in nodes {
            self.strike(Fault::Resume(SimNode(node.0)));
        }
        Vec::new()
    }

    fn condition(&self, node: NodeId) -> Condition {
        let (world, node) = (self.world.borrow(), SimNode(node.0));
        match world.service(node) {
            None => Condition::Down,
            Some(_) if world.is_paused(node) => Condition::Paused,
            Some(_) => Condition::Up,
        }
    }

    fn set_links(&self, links: Links) -> Result<(), String> {
        let of_clients = |(link, policy): (&Link, &LinkPolicy)| {
            (link.from == Endpoint::Clients).then(|| (link.to, policy.clone()))
        };
        let clients: BTreeMap<NodeId, LinkPolicy> = links.iter().filter_map(of_clients).collect();
        let odd = clients.values().any(|policy| *policy != LinkPolicy::cut());
        // What it can't do it leaves, so that nothing worse is done than was asked for.
        let cut: BTreeSet<NodeId> =
            clients.into_iter().filter(|(_, policy)| policy.cut).map(|(node, _)| node).collect();
        let before = self.unreachable.replace(cut.clone());
        for &node in cut.symmetric_difference(&before) {
            self.strike(Fault::ClientLink(SimNode(node.0), !cut.contains(&node)));
        }
        self.wires.set_policies(links);
        self.wires.set_again(true);
        self.world.borrow_mut().let_go();
        self.wires.set_again(false);
        if odd { Err("the simulation can only cut the links of clients".to_owned()) } else { Ok(()) }
    }

    fn counters(&self, link: Link) -> Counters {
        self.wires.counters(link)
    }

    fn reset(&self, _links: &BTreeSet<Link>) -> Result<usize, String> {
        Err("the simulation has no connections to reset".to_owned())
    }

    fn now_ns(&self) -> u64 {
        self.world.borrow().now().0 * 1_000
    }

    fn note(&self, f: &str, value: Value, extra: BTreeMap<String, serde_json::Value>) {
        let now_ns = self.now_ns();
        self.tape.borrow_mut().nemesis(now_ns, f, value, extra);
    }
}
