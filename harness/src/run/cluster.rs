//! The cluster under test: its processes, the proxies between them, and who should be up.
//!
//! Relies on [`process`](crate::process) for confirmed signals and on [`proxy`](crate::proxy) for
//! links. Promises that a node that ended without having been told to is found out
//! ([`Cluster::casualties`]), that whatever was done to the nodes can be undone by
//! [`Cluster::restart`] and [`Cluster::resume`], and that dropping it leaves nothing running.
//! Signals are confirmed on blocking threads, and what others ask of a node (where it listens,
//! whether it is up) is kept apart from the process that is being signalled, so that a slow signal
//! delays nobody's clock.

mod emptied;
mod ending;
mod error;

pub use emptied::{DATA_BEFORE, TRACE_AFTER};
pub use ending::STOP_MAX;
pub use error::ClusterError;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use self::emptied::Memory;
use self::ending::{End, end, ended_as_asked};
use crate::process::{ExitInfo, NodeProcess, ProcessError, SpawnSpec, launcher};
use crate::proxy::{Link, Mesh};
use crate::schedule::Condition;
use crate::system::{NodeId, NodePlace, NodeStatus, StatusError, System, Target};

/// How long a node may take from its start until it serves: recovery reads its whole log.
pub const READY_MAX: Duration = Duration::from_secs(15);
/// Between two looks at a starting node.
const READY_POLL: Duration = Duration::from_millis(5);

/// One node that ended without having been told to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Casualty {
    /// The node.
    pub node: NodeId,
    /// How, with its last words.
    pub exit: ExitInfo,
}

/// All nodes and links of a run.
pub struct Cluster {
    system: Arc<dyn System>,
    mesh: Mesh,
    launcher: PathBuf,
    nodes: BTreeMap<NodeId, Arc<Node>>,
}

/// What came of stopping every node, besides casualties.
#[derive(Debug, Default)]
pub struct Stopped {
    /// Nodes that did not stop when asked to, and were killed.
    pub hung: Vec<String>,
    /// What the harness itself could not do.
    pub failures: Vec<String>,
}

struct Node {
    place: NodePlace,
    /// Held for as long as it takes to confirm a signal: seconds, if the node is slow.
    held: Mutex<Held>,
    /// Never held across anything that waits. Locked after `held`, if both are.
    known: Mutex<Known>,
}

/// The process itself.
#[derive(Default)]
struct Held {
    incarnation: u32,
    process: Option<NodeProcess>,
    memory: Memory,
    /// Nothing brings it back, or does anything else to it, but the end of the run.
    frozen: bool,
}

/// What everybody may know of a node at once.
struct Known {
    /// Where it listens itself; none while it is down, or has not served yet.
    address: Option<SocketAddr>,
    condition: Condition,
    casualties: Vec<Casualty>,
}

impl Node {
    fn new(place: NodePlace) -> Node {
        let known = Known { address: None, condition: Condition::Down, casualties: Vec::new() };
        Node { place, held: Mutex::default(), known: Mutex::new(known) }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        super::lock(&self.held)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        super::lock(&self.known)
    }

    /// Tells everybody what became of the process.
    fn tell(&self, held: &Held) {
        self.known().condition = match &held.process {
            None => Condition::Down,
            Some(process) if process.is_paused() => Condition::Paused,
            Some(_) => Condition::Up,
        };
    }

    fn lost(&self, exit: ExitInfo) {
        let casualty = Casualty { node: self.place.node, exit };
        self.known().casualties.push(casualty);
    }
}

impl Cluster {
    /// Prepares places under `folder/nodes` and proxies; starts nothing yet.
    pub fn new(
        system: Arc<dyn System>,
        nodes: u16,
        folder: &Path,
        seed: u64,
    ) -> Result<Cluster, ClusterError> {
        let ids: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
        let mesh = Mesh::start(&ids, Arc::clone(&system), seed)?;
        let nodes = ids
            .iter()
            .map(|&node| {
                let home = folder.join("nodes").join(node.to_string());
                let place = NodePlace {
                    node,
                    data: home.join("data"),
                    announce: home.join("address"),
                    log: home.clone(),
                    trace: home.join("trace"),
                    peers: mesh.peers(node),
                };
                (node, Arc::new(Node::new(place)))
            })
            .collect();
        Ok(Cluster { system, mesh, launcher: launcher().map_err(ClusterError::Launcher)?, nodes })
    }

    /// All nodes, in order.
    pub fn ids(&self) -> Vec<NodeId> {
        self.nodes.keys().copied().collect()
    }

    /// The proxies.
    pub fn mesh(&self) -> &Mesh {
        &self.mesh
    }

    /// The system under test.
    pub fn system(&self) -> &Arc<dyn System> {
        &self.system
    }

    /// Where every node lives, or lived as long as it was itself.
    pub fn places(&self) -> Vec<NodePlace> {
        self.nodes.values().map(|node| node.place_as_it_was()).collect()
    }

    /// Every node as clients dial it, `first` first and the others after it.
    pub fn targets(&self, first: NodeId) -> Vec<Target> {
        let ids = self.ids();
        let start = ids.iter().position(|&id| id == first).unwrap_or(0);
        ids.iter()
            .cycle()
            .skip(start)
            .take(ids.len())
            .filter_map(|&node| Some(Target { node, address: self.mesh.address(Link::clients(node))? }))
            .collect()
    }

    /// Starts these nodes, together, and waits until they serve.
    pub async fn start(&self, nodes: &[NodeId]) -> Result<(), ClusterError> {
        for &node in nodes {
            self.spawn(node)?;
        }
        for &node in nodes {
            self.until_ready(node).await?;
        }
        Ok(())
    }

    /// Starts these nodes if they are down, and not turned away: the cure of a kill.
    pub async fn restart(&self, nodes: &[NodeId]) -> Result<(), ClusterError> {
        let is_down = |node: &NodeId| self.condition(*node) == Condition::Down && !self.is_turned_away(*node);
        let down: Vec<NodeId> = nodes.iter().copied().filter(is_down).collect();
        self.start(&down).await
    }

    fn spawn(&self, node: NodeId) -> Result<(), ClusterError> {
        let state = self.node(node);
        let mut held = state.held();
        if held.frozen {
            return Ok(());
        }
        let place = &state.place_now(&held);
        place.prepare().map_err(|source| ClusterError::Place { node, path: place.log.clone(), source })?;
        held.incarnation += 1;
        let spec = SpawnSpec {
            launcher: self.launcher.clone(),
            name: node.to_string(),
            incarnation: held.incarnation,
            command: self.system.command(place),
            stdout: place.log.join("stdout.log"),
            stderr: place.log.join("stderr.log"),
        };
        held.process = Some(NodeProcess::spawn(&spec)?);
        state.tell(&held);
        Ok(())
    }

    async fn until_ready(&self, node: NodeId) -> Result<(), ClusterError> {
        let deadline = Instant::now() + READY_MAX;
        loop {
            {
                let state = self.node(node);
                let place = &state.place;
                let announced = self.system.announced(place).map_err(|source| ClusterError::Place {
                    node,
                    path: place.announce.clone(),
                    source,
                })?;
                if let Some(address) = announced {
                    state.known().address = Some(address);
                    self.mesh.set_upstream(node, Some(address));
                    return Ok(());
                }
                let mut held = state.held();
                // One that stands still never serves.
                let frozen = held.frozen;
                let Some(process) = held.process.as_mut().filter(|_| !frozen) else { return Ok(()) };
                if let Some(exit) = process.try_exited()?.cloned() {
                    held.process = None;
                    state.tell(&held);
                    if state.is_turned_away(&*self.system, &mut held, &exit) {
                        return Ok(());
                    }
                    return Err(ClusterError::DiedAtStart { node, exit });
                }
                if Instant::now() >= deadline {
                    return Err(ClusterError::NotReady { node, pid: process.pid(), log: place.log.clone() });
                }
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }

    /// SIGKILLs these nodes, together. A node that had ended by itself is a casualty; one that
    /// was down already gives `None`.
    pub async fn kill(&self, nodes: &[NodeId]) -> Vec<(NodeId, Result<Option<ExitInfo>, ClusterError>)> {
        let results = self.each(nodes, |node, held| {
            let frozen = held.frozen;
            let Some(process) = held.process.as_mut().filter(|_| !frozen) else { return Ok(None) };
            let already = process.try_exited()?.cloned();
            node.known().address = None;
            let exit = match &already {
                Some(exit) => exit.clone(),
                // On an error it stays ours: the end of the run tries again.
                None => process.kill()?,
            };
            held.process = None;
            if already.is_some() {
                node.lost(exit.clone());
            }
            Ok(Some(exit))
        });
        let results = results.await;
        for &node in nodes {
            self.mesh.set_upstream(node, None);
        }
        results
    }

    /// SIGSTOPs these nodes, together; gives their process ids.
    pub async fn pause(&self, nodes: &[NodeId]) -> Vec<(NodeId, Result<Option<u32>, ClusterError>)> {
        self.each(nodes, |_, held| {
            let Some(process) = held.process.as_mut() else { return Ok(None) };
            process.pause()?;
            Ok(Some(process.pid()))
        })
        .await
    }

    /// SIGCONTs these nodes, also those that nobody saw paused: a SIGSTOP that was not confirmed in
    /// time may still take hold. One that has ended meanwhile is found by [`Cluster::casualties`].
    pub async fn resume(&self, nodes: &[NodeId]) -> Vec<(NodeId, Result<(), ClusterError>)> {
        self.each(nodes, |_, held| {
            let frozen = held.frozen;
            match held.process.as_mut().filter(|_| !frozen).map(NodeProcess::resume) {
                None | Some(Ok(()) | Err(ProcessError::Gone { .. })) => Ok(()),
                Some(Err(error)) => Err(error.into()),
            }
        })
        .await
    }

    /// SIGSTOPs every node, together, for good: from now on nothing starts, resumes or kills one but
    /// [`Cluster::stop`]. Says of each whether it stands still; one that is down stays down. One that
    /// had ended by itself is found by [`Cluster::casualties`].
    pub async fn freeze(&self) -> Vec<(NodeId, Result<bool, ClusterError>)> {
        self.each(&self.ids(), |_, held| {
            held.frozen = true;
            let Some(process) = held.process.as_mut() else { return Ok(false) };
            match process.pause() {
                Err(ProcessError::Gone { .. }) => Ok(false),
                paused => Ok(paused.map(|()| true)?),
            }
        })
        .await
    }

    /// Asks every node that served to stop, together, and kills those that don't, and those that
    /// never served: one that still starts may not know yet what to do when asked. Those that were
    /// frozen are killed as they stand: whoever is asked writes to its disk. A node that
    /// had ended by itself, or did not end well, is a casualty.
    pub async fn stop(&self) -> Stopped {
        let ids = self.ids();
        let results = self
            .each(&ids, |node, held| {
                let Some(mut process) = held.process.take() else { return Ok(None) };
                let served = node.known().address.take().is_some();
                match end(&mut process, served, held.frozen)? {
                    // How a node ends that never served is told by whoever started it.
                    End::ByItself(exit) if served => node.lost(exit),
                    End::Asked(exit) if !ended_as_asked(&exit) => node.lost(exit),
                    End::Hung => {
                        let (node, patience) = (node.place.node, STOP_MAX.as_secs());
                        return Ok(Some(format!(
                            "{node} did not stop within {patience} s of SIGTERM and was killed"
                        )));
                    }
                    End::ByItself(_) | End::Asked(_) | End::Killed => {}
                }
                Ok(None)
            })
            .await;
        let mut stopped = Stopped::default();
        for (node, result) in results {
            self.mesh.set_upstream(node, None);
            match result {
                Ok(hung) => stopped.hung.extend(hung),
                Err(error) => stopped.failures.push(error.to_string()),
            }
        }
        stopped
    }

    /// What the harness knows of a node's process.
    pub fn condition(&self, node: NodeId) -> Condition {
        self.node(node).known().condition
    }

    /// The same for every node.
    pub fn conditions(&self) -> BTreeMap<NodeId, Condition> {
        self.nodes.keys().map(|&node| (node, self.condition(node))).collect()
    }

    /// Looks for nodes that ended without having been told to; gives all found so far.
    pub fn casualties(&self) -> Vec<Casualty> {
        let mut all = Vec::new();
        for (&id, node) in &self.nodes {
            // A node that is being signalled right now is held by the one who does it.
            if let Ok(mut held) = node.held.try_lock() {
                let exit = match held.process.as_mut().map(NodeProcess::try_exited) {
                    Some(Ok(Some(exit))) => Some(exit.clone()),
                    _ => None,
                };
                // Starting nodes have no address: whoever starts them reports their end.
                if let Some(exit) = exit
                    && node.known().address.take().is_some()
                {
                    held.process = None;
                    node.tell(&held);
                    self.mesh.set_upstream(id, None);
                    if !node.is_turned_away(&*self.system, &mut held, &exit) {
                        node.lost(exit);
                    }
                }
            }
            all.extend(node.known().casualties.iter().cloned());
        }
        all
    }

    /// Asks a node about itself, directly; `None` if it is down.
    pub async fn status(&self, node: NodeId) -> Option<Result<NodeStatus, StatusError>> {
        let address = self.node(node).known().address?;
        Some(self.system.status(address).await)
    }

    /// Does the same to several nodes at once, each on a thread that may block.
    async fn each<T: Send + 'static>(
        &self,
        nodes: &[NodeId],
        action: impl Fn(&Node, &mut Held) -> Result<T, ClusterError> + Copy + Send + 'static,
    ) -> Vec<(NodeId, Result<T, ClusterError>)> {
        let tasks: Vec<_> = nodes
            .iter()
            .map(|&id| {
                let node = Arc::clone(&self.nodes[&id]);
                let act = move || {
                    let mut held = node.held();
                    let result = action(&node, &mut held);
                    node.tell(&held);
                    result
                };
                (id, tokio::task::spawn_blocking(act))
            })
            .collect();
        let mut results = Vec::new();
        for (id, task) in tasks {
            let result = task.await.unwrap_or(Err(ClusterError::Panicked(id)));
            results.push((id, result));
        }
        results
    }

    fn node(&self, node: NodeId) -> &Node {
        &self.nodes[&node]
    }
}
