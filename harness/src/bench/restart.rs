//! What a restart costs: every node is killed, and started again on the log it has.

use super::BenchError;
use super::cluster::Cluster;
use serde::Serialize;
use std::time::{Duration, Instant};
use tokio::task::LocalSet;

/// How long a node may take to read its log.
const RESTART_MAX: Duration = Duration::from_secs(120);
/// Between two looks at nodes that start.
const POLL: Duration = Duration::from_millis(1);

/// What a restart took.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Restart {
    /// Whose.
    pub contender: String,
    /// Records in the shortest log, if the nodes tell.
    pub records: Option<u64>,
    /// Until the last node served, in seconds: processes started, logs read.
    pub serving_s: f64,
    /// Until a write was done, in seconds: a leader elected, too.
    pub writing_s: f64,
    /// Records of one node read in each second until it served, all nodes reading at once.
    pub records_per_second: Option<f64>,
}

/// Kills every node, starts all, and waits for them.
///
/// # Errors
/// A node does not come back.
pub fn measure(cluster: &mut Cluster) -> Result<Restart, BenchError> {
    cluster.until_ready()?;
    let records = (0..cluster.size()).map(|node| cluster.standing(node).ok()?.records).min().flatten();
    for node in 0..cluster.size() {
        cluster.kill(node)?;
    }
    let begun = Instant::now();
    for node in 0..cluster.size() {
        cluster.launch(node)?;
    }
    for node in 0..cluster.size() {
        while let Err(reason) = cluster.standing(node) {
            cluster.casualties()?;
            if begun.elapsed() > RESTART_MAX {
                return Err(BenchError::new(format!("n{} did not come back", node + 1), reason));
            }
            std::thread::sleep(POLL);
        }
    }
    let serving_s = begun.elapsed().as_secs_f64();
    let leader = cluster.until_ready()?;
    write(cluster, leader)?;
    Ok(Restart {
        contender: cluster.contender().name().to_owned(),
        records,
        serving_s,
        writing_s: begun.elapsed().as_secs_f64(),
        records_per_second: records.map(|records| records as f64 / serving_s),
    })
}

fn write(cluster: &Cluster, node: usize) -> Result<(), BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| BenchError::new("cannot start a runtime", error))?;
    let address = cluster.place(node).address;
    LocalSet::new()
        .block_on(&runtime, async {
            let line = cluster.contender().connect(address).await?;
            line.put("restart".into(), "done".into()).await
        })
        .map_err(|why| BenchError::new("no write is done after the restart", why))
}
