//! SIGKILL, with the wait status as evidence; its cure is a restart on the same data.

use super::report::FaultReport;
use crate::process::ExitKind;
use crate::run::cluster::{Cluster, ClusterError};
use crate::system::NodeId;

/// The signal a killed node must have died of.
const SIGKILL: i32 = 9;

/// Kills these nodes, together. Bites if each of them was running and died of it.
pub async fn install(cluster: &Cluster, nodes: &[NodeId], report: &mut FaultReport) {
    report.bit = true;
    for (node, result) in cluster.kill(nodes).await {
        match result {
            Ok(Some(exit)) => {
                report.evidence.push(format!("{node}: pid {} {}", exit.pid, exit.kind));
                if exit.kind != ExitKind::Signal(SIGKILL) {
                    report.doubt(format!("{node} had ended by itself"));
                    report.bit = false;
                }
            }
            Ok(None) => {
                report.doubt(format!("{node} was down already"));
                report.bit = false;
            }
            Err(error) => {
                report.doubt(error.to_string());
                report.bit = false;
            }
        }
    }
}

/// Starts them again and waits until they serve.
pub async fn cure(cluster: &Cluster, nodes: &[NodeId]) -> Result<(), ClusterError> {
    cluster.restart(nodes).await
}
