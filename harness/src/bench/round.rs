//! One measurement: a cluster, a load, and what it took of everything.

use super::BenchError;
use super::cluster::Cluster;
use super::generator::{Load, drive};
use super::processor::{Sample, Usage, resident_bytes};
use super::raw_disk::{self, RawDisk};
use super::tally::Tallied;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// How long the raw disk is measured, just before each load.
const RAW_DISK_TIME: Duration = Duration::from_millis(400);

/// A load, as results tell it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Asked {
    /// Nodes.
    pub nodes: usize,
    /// Clients at a time.
    pub clients: usize,
    /// Connections that they shared.
    pub connections: usize,
    /// Requests per second, in an open loop.
    pub rate: Option<f64>,
    /// The share of reads.
    pub read_share: f64,
    /// Bytes of each value.
    pub value_bytes: usize,
}

/// What a load took.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Figures {
    /// Whose.
    pub contender: String,
    /// Which round, from 1.
    pub round: u32,
    /// The load.
    pub asked: Asked,
    /// The requests.
    pub tallied: Tallied,
    /// The processors.
    pub usage: Usage,
    /// Processor time of all nodes for each request done, in microseconds.
    pub cpu_us_per_op: f64,
    /// The largest node's resident memory at the end, in bytes.
    pub resident_bytes_max: u64,
    /// The disk by itself, in the same minute.
    pub raw_disk: RawDisk,
    /// The median write's latency by the raw disk's, where there were writes.
    pub put_p50_per_raw_p50: Option<f64>,
}

/// Drives a cluster's leader with one load. `scratch` is a folder on the same disk as the nodes' data.
///
/// # Errors
/// The disk, the generator or a node fails.
pub fn measure(
    cluster: &mut Cluster,
    load: &Load,
    round: u32,
    scratch: &Path,
) -> Result<Figures, BenchError> {
    let raw_disk = raw_disk::measure(scratch, cluster.size(), RAW_DISK_TIME)?;
    let leader = cluster.until_ready()?;
    let pids = cluster.pids();
    let address = cluster.place(leader).address;
    let contender = cluster.contender().as_ref();
    let driven = drive(contender, address, load, || Sample::take(&pids))?;
    let contender = contender.name().to_owned();
    cluster.casualties()?;
    let (before, after) = driven.counters;
    let (usage, tallied) = (after.since(&before), driven.tallied);
    let done = tallied.per_second * tallied.seconds;
    let mut resident_bytes_max = 0;
    for pid in pids {
        resident_bytes_max = resident_bytes_max.max(resident_bytes(pid)?);
    }
    let put_p50_per_raw_p50 = tallied.puts.as_ref().map(|puts| puts.us_p50 / raw_disk.us_p50);
    Ok(Figures {
        contender,
        round,
        asked: Asked {
            nodes: cluster.size(),
            clients: load.clients,
            connections: load.connections,
            rate: load.rate,
            read_share: load.read_share,
            value_bytes: load.value_bytes,
        },
        cpu_us_per_op: usage.nodes_s * 1e6 / done.max(1.0),
        tallied,
        usage,
        resident_bytes_max,
        raw_disk,
        put_p50_per_raw_p50,
    })
}
