//! The cluster under test: its processes, the proxies between them, and who should be up.
//!
//! Relies on [`process`](crate::process) for confirmed signals and on [`proxy`](crate::proxy) for
//! links. Promises that a node that ended without having been told to is found out
//! ([`Cluster::casualties`]), that whatever was done to the nodes can be undone by
//! [`Cluster::restart`] and [`Cluster::resume`], and that dropping it leaves nothing running.
//! Signals are confirmed on blocking threads, so that a slow one delays nobody's clock.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::nemesis::plan::Condition;
use crate::process::{ExitInfo, ExitKind, NodeProcess, ProcessError, SpawnSpec, launcher};
use crate::proxy::{Link, Mesh, MeshError};
use crate::system::{NodeId, NodePlace, NodeStatus, StatusError, System, Target};

/// How long a node may take from its start until it serves: recovery reads its whole log.
pub const READY_MAX: Duration = Duration::from_secs(15);
/// How long a node may take to stop when asked, before it is killed.
pub const STOP_MAX: Duration = Duration::from_secs(5);
/// Between two looks at a starting node.
const READY_POLL: Duration = Duration::from_millis(5);

/// Why the cluster could not be brought up, or a node not brought back.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A folder or file of a node can't be used.
    #[error("{node}: cannot use {}: {source}", path.display())]
    Place {
        /// The node.
        node: NodeId,
        /// Its folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A process could not be started or signalled.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A proxy could not be started.
    #[error(transparent)]
    Mesh(#[from] MeshError),
    /// The harness can't find its own binary.
    #[error("cannot find the harness's own binary: {0}")]
    Launcher(io::Error),
    /// A node ended before it served.
    #[error("{node} died at start: {exit}")]
    DiedAtStart {
        /// The node.
        node: NodeId,
        /// How, with its last words.
        exit: ExitInfo,
    },
    /// A node runs but does not serve.
    #[error("{node} (pid {pid}) was not ready within {} s; its log is in {}", READY_MAX.as_secs(), log.display())]
    NotReady {
        /// The node.
        node: NodeId,
        /// Its process.
        pid: u32,
        /// Where to look.
        log: PathBuf,
    },
    /// The blocking thread that did it panicked.
    #[error("the harness panicked while it handled {0}")]
    Panicked(NodeId),
}

impl ClusterError {
    /// Whether the system under test is to blame, not the harness or the machine: a node that
    /// refuses its command line (64), or a launcher that can't become one (126, 254), was started
    /// wrongly.
    pub fn blames_node(&self) -> bool {
        match self {
            ClusterError::DiedAtStart { exit, .. } => !matches!(exit.kind, ExitKind::Status(64 | 126 | 254)),
            ClusterError::NotReady { .. } => true,
            _ => false,
        }
    }
}

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
    nodes: BTreeMap<NodeId, Arc<Mutex<Node>>>,
}

struct Node {
    place: NodePlace,
    incarnation: u32,
    process: Option<NodeProcess>,
    /// Where it listens itself; none while it is down.
    address: Option<SocketAddr>,
    casualties: Vec<Casualty>,
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
                    peers: mesh.peers(node),
                };
                let node_state =
                    Node { place, incarnation: 0, process: None, address: None, casualties: Vec::new() };
                (node, Arc::new(Mutex::new(node_state)))
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

    /// Where every node lives.
    pub fn places(&self) -> Vec<NodePlace> {
        self.nodes.values().map(|node| lock(node).place.clone()).collect()
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

    /// Starts these nodes if they are down: the cure of a kill.
    pub async fn restart(&self, nodes: &[NodeId]) -> Result<(), ClusterError> {
        let down: Vec<NodeId> =
            nodes.iter().copied().filter(|&node| self.condition(node) == Condition::Down).collect();
        self.start(&down).await
    }

    fn spawn(&self, node: NodeId) -> Result<(), ClusterError> {
        let mut state = self.node(node);
        let place = state.place.clone();
        place.prepare().map_err(|source| ClusterError::Place { node, path: place.log.clone(), source })?;
        state.incarnation += 1;
        let spec = SpawnSpec {
            launcher: self.launcher.clone(),
            name: node.to_string(),
            incarnation: state.incarnation,
            command: self.system.command(&place),
            stdout: place.log.join("stdout.log"),
            stderr: place.log.join("stderr.log"),
        };
        state.process = Some(NodeProcess::spawn(&spec)?);
        Ok(())
    }

    async fn until_ready(&self, node: NodeId) -> Result<(), ClusterError> {
        let deadline = Instant::now() + READY_MAX;
        loop {
            {
                let mut state = self.node(node);
                let place = state.place.clone();
                let announced = self.system.announced(&place);
                let announced =
                    announced.map_err(|source| ClusterError::Place { node, path: place.announce, source })?;
                if let Some(address) = announced {
                    state.address = Some(address);
                    self.mesh.set_upstream(node, Some(address));
                    return Ok(());
                }
                let Some(process) = state.process.as_mut() else { return Ok(()) };
                if let Some(exit) = process.try_exited()?.cloned() {
                    state.process = None;
                    return Err(ClusterError::DiedAtStart { node, exit });
                }
                if Instant::now() >= deadline {
                    return Err(ClusterError::NotReady { node, pid: process.pid(), log: place.log });
                }
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }

    /// SIGKILLs these nodes, together. A node that had ended by itself is a casualty; one that
    /// was down already gives `None`.
    pub async fn kill(&self, nodes: &[NodeId]) -> Vec<(NodeId, Result<Option<ExitInfo>, ClusterError>)> {
        let results = self.each(nodes, |id, node| {
            let Some(mut process) = node.process.take() else { return Ok(None) };
            let already = process.try_exited().ok().flatten().cloned();
            node.address = None;
            match already {
                Some(exit) => {
                    node.casualties.push(Casualty { node: id, exit: exit.clone() });
                    Ok(Some(exit))
                }
                None => Ok(Some(process.kill()?)),
            }
        });
        let results = results.await;
        for &node in nodes {
            self.mesh.set_upstream(node, None);
        }
        results
    }

    /// SIGSTOPs these nodes, together; gives their process ids.
    pub async fn pause(&self, nodes: &[NodeId]) -> Vec<(NodeId, Result<Option<u32>, ClusterError>)> {
        self.each(nodes, |_, node| {
            let Some(process) = node.process.as_mut() else { return Ok(None) };
            process.pause()?;
            Ok(Some(process.pid()))
        })
        .await
    }

    /// SIGCONTs those of these nodes that are paused.
    pub async fn resume(&self, nodes: &[NodeId]) -> Vec<(NodeId, Result<(), ClusterError>)> {
        self.each(nodes, |_, node| {
            match node.process.as_mut() {
                Some(process) if process.is_paused() => process.resume()?,
                _ => {}
            }
            Ok(())
        })
        .await
    }

    /// Asks every node to stop, together, and kills those that don't. A node that ended by
    /// itself, or did not end well, is a casualty; gives what else was not as it should be.
    pub async fn stop(&self) -> Vec<String> {
        let ids = self.ids();
        let results = self
            .each(&ids, |id, node| {
                let Some(mut process) = node.process.take() else { return Ok(None) };
                // How a node ends that never served is told by whoever started it; and one that
                // still starts may not know yet what to do when asked to stop.
                let served = node.address.take().is_some();
                let exit = match process.try_exited()?.cloned() {
                    Some(exit) if served => exit,
                    Some(_) => return Ok(None),
                    None => match end(&mut process)? {
                        Some(exit) if served && !exit.is_success() => exit,
                        Some(_) => return Ok(None),
                        None => {
                            let patience = STOP_MAX.as_secs();
                            return Ok(Some(format!(
                                "{id} did not stop within {patience} s of SIGTERM and was killed"
                            )));
                        }
                    },
                };
                node.casualties.push(Casualty { node: id, exit });
                Ok(None)
            })
            .await;
        for &node in &ids {
            self.mesh.set_upstream(node, None);
        }
        results
            .into_iter()
            .filter_map(|(_, result)| result.unwrap_or_else(|error| Some(error.to_string())))
            .collect()
    }

    /// What the harness knows of a node's process.
    pub fn condition(&self, node: NodeId) -> Condition {
        match &self.node(node).process {
            None => Condition::Down,
            Some(process) if process.is_paused() => Condition::Paused,
            Some(_) => Condition::Up,
        }
    }

    /// The same for every node.
    pub fn conditions(&self) -> BTreeMap<NodeId, Condition> {
        self.nodes.keys().map(|&node| (node, self.condition(node))).collect()
    }

    /// Looks for nodes that ended without having been told to; gives all found so far.
    pub fn casualties(&self) -> Vec<Casualty> {
        let mut all = Vec::new();
        for (&id, node) in &self.nodes {
            // A node that is being killed right now is held by the one who does it.
            let Ok(mut node) = node.try_lock() else { continue };
            let exit = match node.process.as_mut().map(NodeProcess::try_exited) {
                Some(Ok(Some(exit))) => Some(exit.clone()),
                _ => None,
            };
            // Starting nodes have no address: whoever starts them reports their end.
            if let Some(exit) = exit
                && node.address.is_some()
            {
                node.process = None;
                node.address = None;
                self.mesh.set_upstream(id, None);
                node.casualties.push(Casualty { node: id, exit });
            }
            all.extend(node.casualties.iter().cloned());
        }
        all
    }

    /// Asks a node about itself, directly; `None` if it is down.
    pub async fn status(&self, node: NodeId) -> Option<Result<NodeStatus, StatusError>> {
        let address = self.node(node).address?;
        Some(self.system.status(address).await)
    }

    /// Does the same to several nodes at once, each on a thread that may block.
    async fn each<T: Send + 'static>(
        &self,
        nodes: &[NodeId],
        action: impl Fn(NodeId, &mut Node) -> Result<T, ClusterError> + Copy + Send + 'static,
    ) -> Vec<(NodeId, Result<T, ClusterError>)> {
        let tasks: Vec<_> = nodes
            .iter()
            .map(|&id| {
                let node = Arc::clone(&self.nodes[&id]);
                (id, tokio::task::spawn_blocking(move || action(id, &mut lock(&node))))
            })
            .collect();
        let mut results = Vec::new();
        for (id, task) in tasks {
            let result = task.await.unwrap_or(Err(ClusterError::Panicked(id)));
            results.push((id, result));
        }
        results
    }

    fn node(&self, node: NodeId) -> MutexGuard<'_, Node> {
        lock(&self.nodes[&node])
    }
}

/// Asks a process to stop and waits for its end; kills it if it takes too long, and gives `None`.
fn end(process: &mut NodeProcess) -> Result<Option<ExitInfo>, ProcessError> {
    if process.is_paused() {
        process.resume()?;
    }
    match process.terminate(STOP_MAX) {
        Err(ProcessError::Unconfirmed { .. }) => {
            process.kill()?;
            Ok(None)
        }
        ended => ended.map(Some),
    }
}

/// A panic while a node was held must not keep it from being stopped.
fn lock(node: &Mutex<Node>) -> MutexGuard<'_, Node> {
    node.lock().unwrap_or_else(PoisonError::into_inner)
}
