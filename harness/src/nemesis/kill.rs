//! SIGKILL, with the wait status as evidence.

use super::hands::Bite;
use crate::process::ExitKind;
use crate::run::cluster::Cluster;
use crate::system::NodeId;

/// The signal a killed node must have died of.
const SIGKILL: i32 = 9;

/// Kills these nodes, together. Bites if each of them was running and died of it.
pub async fn install(cluster: &Cluster, nodes: &[NodeId], bite: &mut Bite) {
    bite.bit = true;
    for (node, result) in cluster.kill(nodes).await {
        match result {
            Ok(Some(exit)) => {
                bite.evidence.push(format!("{node}: pid {} {}", exit.pid, exit.kind));
                if exit.kind != ExitKind::Signal(SIGKILL) {
                    bite.doubt(format!("{node} had ended by itself"));
                }
            }
            Ok(None) => bite.doubt(format!("{node} was down already")),
            Err(error) => bite.doubt(error.to_string()),
        }
    }
}
