//! Our own Multi-Paxos node behind the [`System`] seam.
//!
//! The one folder of the harness that knows Paxos: [`binary`] decides whether a binary may be
//! trusted, [`translate`] turns a workload's words into transactions and answers into completions,
//! [`request`] asks under sessions and request ids, [`connection`] carries that over TCP,
//! [`exchange`] in frames, [`status`] asks a node about itself,
//! [`white_box`] reads stopped nodes' logs and traces, [`contender`] is the node as the bench drives it. Uses
//! `paxos-node`'s codecs and connections, not its client: what is retried is the workload's choice, and
//! recorded.

pub mod binary;
pub mod connection;
pub mod contender;
mod exchange;
mod request;
pub mod simulation;
pub mod status;
pub mod translate;
pub mod white_box;

use super::{
    BinaryInfo, Capabilities, CommandSpec, ConnectError, Connection, FrameInfo, NodePlace, NodeStatus,
    StatusError, System, SystemError, Target, WhiteBoxReport,
};
use crate::process::{ExitInfo, ExitKind};
use crate::schedule::{Election, ReadMode};
use checker::History;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use paxos_node::paxos::Timing;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The exit status of a node that was told that its id is another disk's.
const TURNED_AWAY: i32 = 65;

/// How a cluster of `paxos-node`s is run.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct PaxosOptions {
    /// The node's binary.
    pub binary: PathBuf,
    /// Number of the cluster: nodes refuse frames of any other.
    pub cluster: u64,
    /// Milliseconds per tick; the node's own default if `None`.
    pub tick_ms: Option<u64>,
    /// How much a node's log grows from one snapshot to the next, in bytes; the node's own default if
    /// `None`.
    pub snapshot_every_bytes: Option<u64>,
    /// How leaders come to be; the node's own default if `None`.
    pub election: Option<Election>,
    /// How reads are answered; the node's own default if `None`.
    pub read_mode: Option<ReadMode>,
    /// Seeds the nodes' randomness, differently for each node.
    pub seed: u64,
    /// The rule to remove, in a build that holds mutants.
    pub mutant: Option<String>,
    /// How often a client tries again, under the same request id, when it doesn't know what
    /// became of an operation.
    pub retries: u32,
}

impl PaxosOptions {
    /// The usual cluster of this binary: the node's own timing, no mutant, no retries.
    #[must_use]
    pub fn new(binary: PathBuf, cluster: u64, seed: u64) -> PaxosOptions {
        PaxosOptions {
            binary,
            cluster,
            tick_ms: None,
            snapshot_every_bytes: None,
            election: None,
            read_mode: None,
            seed,
            mutant: None,
            retries: 0,
        }
    }
}

/// The periods that go with it: where nodes stand without asking, false alarms cost a leader, and
/// timeouts must be long enough for a busy machine. `None`: the node's own.
fn timing(election: Election) -> Option<Timing> {
    match election {
        Election::PreVote => None,
        Election::Randomised | Election::Fixed => Some(Timing {
            heartbeat_ticks: 5,
            election_ticks_min: 30,
            election_ticks_max: 60,
            ..Timing::default()
        }),
    }
}

/// A cluster of `paxos-node`s.
#[derive(Clone, Debug)]
pub struct PaxosSystem {
    options: PaxosOptions,
}

impl PaxosSystem {
    /// A system with these options.
    #[must_use]
    pub fn new(options: PaxosOptions) -> PaxosSystem {
        PaxosSystem { options }
    }

    /// The options it was made with.
    #[must_use]
    pub fn options(&self) -> &PaxosOptions {
        &self.options
    }
}

impl System for PaxosSystem {
    fn name(&self) -> &'static str {
        "paxos"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { frames: true, per_link: true, status: true, white_box: true }
    }

    fn verify_binary(&self) -> Result<BinaryInfo, SystemError> {
        binary::verify(&self.options.binary, self.options.mutant.as_deref())
    }

    fn command(&self, place: &NodePlace) -> CommandSpec {
        let options = &self.options;
        let mut args: Vec<OsString> = Vec::new();
        let mut flag = |name: &str, value: OsString| args.extend([name.into(), value]);
        flag("--id", place.node.0.to_string().into());
        flag("--cluster", options.cluster.to_string().into());
        flag("--data", place.data.clone().into());
        flag("--listen", "127.0.0.1:0".into());
        flag("--announce", place.announce.clone().into());
        flag("--trace", place.trace.clone().into());
        let peers: Vec<String> =
            place.peers.iter().map(|(node, address)| format!("{}={address}", node.0)).collect();
        if !peers.is_empty() {
            flag("--peers", peers.join(",").into());
        }
        if let Some(ms) = options.tick_ms {
            flag("--tick-ms", ms.to_string().into());
        }
        if let Some(bytes) = options.snapshot_every_bytes {
            flag("--snapshot-every-bytes", bytes.to_string().into());
        }
        if let Some(election) = options.election {
            flag("--election", election.name().into());
            if let Some(timing) = timing(election) {
                flag("--heartbeat-ticks", timing.heartbeat_ticks.to_string().into());
                let (min, max) = (timing.election_ticks_min, timing.election_ticks_max);
                flag("--election-ticks", format!("{min}..{max}").into());
            }
        }
        if let Some(mode) = options.read_mode {
            flag("--read-mode", mode.name().into());
        }
        flag("--seed", options.seed.wrapping_add(u64::from(place.node.0)).to_string().into());
        if let Some(mutant) = &options.mutant {
            flag("--mutant", mutant.into());
        }
        CommandSpec { program: options.binary.clone(), args }
    }

    fn was_turned_away(&self, exit: &ExitInfo) -> bool {
        exit.kind == ExitKind::Status(TURNED_AWAY)
    }

    fn announced(&self, place: &NodePlace) -> io::Result<Option<SocketAddr>> {
        let text = match fs::read_to_string(&place.announce) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let address = text.trim().parse().map_err(|_| {
            let file = place.announce.display();
            io::Error::new(io::ErrorKind::InvalidData, format!("{file}: not an address: {:?}", text.trim()))
        })?;
        Ok(Some(address))
    }

    fn frame(&self, frame: &[u8]) -> Option<FrameInfo> {
        exchange::frame_info(frame)
    }

    fn connect(&self, targets: Vec<Target>) -> BoxFuture<'static, Result<Box<dyn Connection>, ConnectError>> {
        connection::connect(self.options.clone(), targets).boxed()
    }

    fn status(&self, address: SocketAddr) -> BoxFuture<'static, Result<NodeStatus, StatusError>> {
        status::ask(self.options.cluster, address).boxed()
    }

    fn white_box(&self, places: &[NodePlace], history: &History) -> WhiteBoxReport {
        white_box::examine(places, history)
    }
}
