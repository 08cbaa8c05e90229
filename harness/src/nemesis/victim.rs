//! What faults are done to: a cluster of processes, or of simulated nodes.

use std::collections::{BTreeMap, BTreeSet};

use checker::Value;

use super::hands::Bite;
use super::{kill, pause};
use crate::proxy::{Counters, Link, Links};
use crate::run::cluster::{Cluster, ClusterError};
use crate::run::recorder::Recorder;
use crate::schedule::{Condition, policies};
use crate::system::NodeId;

/// Nodes that were stopped, with their process ids.
pub type Stopped = Vec<(NodeId, u32)>;

/// A cluster that things can be done to. Where something can't be told or done, the bite has its
/// doubts.
pub trait Victim {
    /// Why a node did not come back.
    type Error: std::fmt::Display;

    /// Kills these nodes, together.
    fn kill(&self, nodes: &[NodeId], bite: &mut Bite) -> impl Future<Output = ()>;
    /// Removes the data of a node that was killed, and says how much that was.
    fn wipe(&self, node: NodeId) -> Result<String, String>;
    /// Waits until these nodes, which have lost their data, have ended because they were not let in;
    /// those that were, or were not told.
    fn until_turned_away(&self, nodes: &[NodeId]) -> impl Future<Output = Vec<NodeId>>;
    /// Starts those of these nodes that are down, and waits until they serve.
    fn restart(&self, nodes: &[NodeId]) -> impl Future<Output = Result<(), Self::Error>>;
    /// Stops these nodes where they are, together.
    fn pause(&self, nodes: &[NodeId], bite: &mut Bite) -> impl Future<Output = Stopped>;
    /// Just before they are resumed: whether they have been stopped all the time.
    fn examine_paused(&self, nodes: &[NodeId], stopped: &Stopped, bite: &mut Bite);
    /// Lets these nodes go on; gives what went wrong.
    fn resume(&self, nodes: &[NodeId]) -> impl Future<Output = Vec<String>>;
    /// What is known of a node's process.
    fn condition(&self, node: NodeId) -> Condition;
    /// From now on every link behaves like this; those that are not named, well.
    fn set_links(&self, links: Links) -> Result<(), String>;
    /// What happened on a link so far.
    fn counters(&self, link: Link) -> Counters;
    /// Resets all connections on these links; gives how many.
    fn reset(&self, links: &BTreeSet<Link>) -> Result<usize, String>;
    /// Nanoseconds since the run began.
    fn now_ns(&self) -> u64;
    /// Puts something into the history.
    fn note(&self, f: &str, value: Value, extra: BTreeMap<String, serde_json::Value>);
}

/// Real processes behind real proxies.
#[derive(Clone, Copy)]
pub struct Processes<'run> {
    /// The nodes and links.
    pub cluster: &'run Cluster,
    /// The history.
    pub recorder: &'run Recorder,
}

impl Victim for Processes<'_> {
    type Error = ClusterError;

    async fn kill(&self, nodes: &[NodeId], bite: &mut Bite) {
        kill::install(self.cluster, nodes, bite).await;
    }

    fn wipe(&self, node: NodeId) -> Result<String, String> {
        let wiped = self.cluster.wipe(node);
        wiped.map(|files| format!("{files} files removed")).map_err(|error| error.to_string())
    }

    async fn until_turned_away(&self, nodes: &[NodeId]) -> Vec<NodeId> {
        self.cluster.until_turned_away(nodes).await
    }

    async fn restart(&self, nodes: &[NodeId]) -> Result<(), ClusterError> {
        self.cluster.restart(nodes).await
    }

    async fn pause(&self, nodes: &[NodeId], bite: &mut Bite) -> Stopped {
        pause::install(self.cluster, nodes, bite).await
    }

    fn examine_paused(&self, nodes: &[NodeId], stopped: &Stopped, bite: &mut Bite) {
        pause::examine(nodes, stopped, bite);
    }

    async fn resume(&self, nodes: &[NodeId]) -> Vec<String> {
        let results = self.cluster.resume(nodes).await;
        results.into_iter().filter_map(|(_, result)| result.err()).map(|error| error.to_string()).collect()
    }

    fn condition(&self, node: NodeId) -> Condition {
        self.cluster.condition(node)
    }

    fn set_links(&self, links: Links) -> Result<(), String> {
        self.cluster.mesh().set_links(links).map_err(|error| error.to_string())
    }

    fn counters(&self, link: Link) -> Counters {
        self.cluster.mesh().counters(link)
    }

    fn reset(&self, links: &BTreeSet<Link>) -> Result<usize, String> {
        Ok(self.cluster.mesh().reset(links))
    }

    fn now_ns(&self) -> u64 {
        self.recorder.now_ns()
    }

    fn note(&self, f: &str, value: Value, extra: BTreeMap<String, serde_json::Value>) {
        self.recorder.nemesis(f, value, extra);
    }
}

/// Restores everything, whatever was done: links, paused nodes, dead nodes, but for those whose disk was
/// emptied: they have to be turned away by now. The dead are left
/// alone where the run ends here: a node that died by itself is evidence, not to be run over.
pub async fn heal(cluster: &Cluster, recorder: &Recorder, restart: bool) -> Result<(), ClusterError> {
    let nodes = cluster.ids();
    let links = cluster.mesh().set_links(policies([]));
    let resumed = cluster.resume(&nodes).await;
    let restarted = if restart { cluster.restart(&nodes).await } else { Ok(()) };
    recorder.nemesis("heal", Value::Nil, BTreeMap::new());
    links.expect("an empty map names no link and no fault that could be refused");
    for (_, result) in resumed {
        result?;
    }
    restarted?;
    // All are there: whoever is still let in stays so.
    match cluster.until_turned_away(&nodes).await.first() {
        Some(&node) if restart => Err(ClusterError::LetIn { node }),
        Some(_) | None => Ok(()),
    }
}
