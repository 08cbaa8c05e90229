//! What the command line may say, and what it means.

use super::failure::Failure;
use crate::paxos::{ElectionMode, LeaseTerms, NodeId, Timing};
use crate::service::ReadMode;
use clap::Parser;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// A Multi-Paxos replica: a node of a replicated key-value store.
///
/// Listens on one address for peers, clients and status questions. Dials its peers, again and
/// again until they are there: nodes may start in any order. Keeps all it must not forget in one
/// folder. SIGTERM and SIGINT stop it in good order. `paxos-node admin --help`: how a cluster's members are
/// changed.
#[derive(Clone, Debug, Parser)]
#[command(name = "paxos-node", version = VERSION, after_help = EXIT_CODES)]
pub struct Arguments {
    /// This node's id, 1 to 62
    #[arg(long)]
    id: u16,

    /// The cluster's number, the same on all its nodes and clients: keeps clusters apart
    #[arg(long)]
    cluster: u64,

    /// The folder of this node's log; made if missing. Never let two nodes share one. A node whose folder
    /// was emptied is not let in again: what it promised is forgotten. It joins under a new id, and the
    /// old one is replaced
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,

    /// The address to listen on; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    listen: HostPort,

    /// A file to write the address into, once the node serves there
    #[arg(long, value_name = "FILE")]
    announce: Option<PathBuf>,

    /// The other nodes: 2=127.0.0.1:4002,3=127.0.0.1:4003. The first time, these and this node found the
    /// cluster, and begin when all of them have met. None: a cluster of one
    #[arg(long, value_name = "ID=HOST:PORT,…", value_delimiter = ',')]
    peers: Vec<Peer>,

    /// Join a cluster that is there, instead of founding one: the node learns, and votes only once it was
    /// made a member. Without effect when it has a log already
    #[arg(long)]
    join: bool,

    /// Milliseconds per tick, the unit of the following two
    #[arg(long, value_name = "MS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    tick_ms: u64,

    /// A leader with nothing else to say speaks this often
    #[arg(long, value_name = "TICKS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    heartbeat_ticks: u64,

    /// A follower that hears nothing for so long (drawn from this range) wants to lead
    #[arg(long, value_name = "MIN..MAX", default_value = "10..20")]
    election_ticks: TickRange,

    /// `pre-vote`: it first asks whether a quorum would have it, and nobody does who hears a leader.
    /// `randomised`: it stands at once, as in the lectures. `fixed`: and after the minimum of that
    /// range, always, which shows the duel of two proposers
    #[arg(long, value_name = "HOW", default_value = "pre-vote")]
    election: Election,

    /// How it answers reads while it leads. `barrier`: when a quorum has confirmed that it still does.
    /// `lease`: from its own state, as long as a quorum's grants last. `log`: through the log, like
    /// updates
    #[arg(long, value_name = "HOW", default_value = "barrier")]
    read_mode: ReadMode,

    /// Grant whoever leads leases of so many milliseconds: for as long no promise goes to anybody else,
    /// so a dead leader is replaced that much later. 0: none. By default the minimum of
    /// --election-ticks with --read-mode lease, else 0. The same on all nodes; to turn leases off,
    /// first restart all with another --read-mode and this, then without this
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(..=60_000))]
    lease_ms: Option<u64>,

    /// With leases: how much faster or slower than true time any node's clock may run, in millionths. A
    /// clock that is worse can make a read stale
    #[arg(long, value_name = "PPM", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(..=500_000))]
    clock_drift_ppm: u32,

    /// Take a snapshot of the state when the log has grown by so many bytes (and by as many as the last
    /// snapshot has), then trim the log. A node that was away for longer fetches the snapshot
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20, value_parser = clap::value_parser!(u64).range(SNAPSHOT_EVERY_BYTES_MIN..))]
    snapshot_every_bytes: u64,

    /// A file to append an account of every step of the protocol to, for programs: what was written,
    /// durable, sent, learned and applied, and what came in. Each turn's is there before anything that
    /// it tells of leaves. Not synced; costs a write per turn
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// Feeds the random choices; by default different in each life
    #[arg(long)]
    seed: Option<u64>,

    /// In a build with mutants: the rule to remove
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,

    /// Print all mutants, a line each with tabs between name, number, rule removed, what exposes
    /// it, what should see it, and precedent; alone
    #[cfg(feature = "mutants")]
    #[arg(long, exclusive = true)]
    list_mutants: bool,
}

/// Below, a node would do little else than take snapshots.
const SNAPSHOT_EVERY_BYTES_MIN: u64 = 4 << 10;

const EXIT_CODES: &str = "Exit codes: 0 stopped by a signal · 64 bad arguments · 65 the log can't be trusted, or the cluster \
                          knows another disk by this id · 70 the node found itself wrong · 74 the disk or the network said no";

#[cfg(not(feature = "mutants"))]
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " build ", env!("PAXOS_NODE_BUILD_ID"));
#[cfg(feature = "mutants")]
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " build ", env!("PAXOS_NODE_BUILD_ID"), " mutants");

/// Everything a node needs to know, checked.
#[derive(Clone, Debug)]
pub struct Options {
    /// This node.
    pub id: NodeId,
    /// The cluster.
    pub cluster: u64,
    /// The log's folder.
    pub data: PathBuf,
    /// Where to listen.
    pub listen: String,
    /// Where to write the address.
    pub announce: Option<PathBuf>,
    /// The other nodes' addresses.
    pub peers: BTreeMap<NodeId, String>,
    /// Whether it joins a cluster that is there.
    pub join: bool,
    /// Length of a tick.
    pub tick: Duration,
    /// The protocol's periods.
    pub timing: Timing,
    /// How election timeouts are chosen.
    pub election: ElectionMode,
    /// How reads are answered.
    pub reads: ReadMode,
    /// The leases that it grants.
    pub lease: LeaseTerms,
    /// How much the log grows from one snapshot to the next.
    pub snapshot_every_bytes: u64,
    /// Where to append the event trace; `None`: nowhere.
    pub trace: Option<PathBuf>,
    /// For the random choices; `None`: any.
    pub seed: Option<u64>,
    /// The name of a rule to remove.
    pub mutant: Option<String>,
}

impl Arguments {
    /// Checks what clap can't: how the arguments fit together.
    ///
    /// # Errors
    /// [`Failure::Usage`] with one sentence.
    pub fn check(self) -> Result<Options, Failure> {
        let id = node_id(self.id).map_err(|error| Failure::Usage(format!("--id: {error}")))?;
        let lease = self.lease()?;
        let mut peers = BTreeMap::new();
        for peer in self.peers {
            if peer.id == id {
                return Err(Failure::Usage(format!("--peers names {id}, which is this node")));
            }
            if peers.insert(peer.id, peer.address.0).is_some() {
                return Err(Failure::Usage(format!("--peers names {} twice", peer.id)));
            }
        }
        let (min, max) = (*self.election_ticks.0.start(), *self.election_ticks.0.end());
        if self.heartbeat_ticks >= min {
            return Err(Failure::Usage(format!(
                "--heartbeat-ticks {} must be below --election-ticks' minimum {min}: followers would \
                 depose every leader",
                self.heartbeat_ticks
            )));
        }
        let timing = Timing {
            heartbeat_ticks: self.heartbeat_ticks,
            election_ticks_min: min,
            election_ticks_max: max,
            ..Timing::default()
        };
        Ok(Options {
            id,
            cluster: self.cluster,
            data: self.data,
            listen: self.listen.0,
            announce: self.announce,
            peers,
            join: self.join,
            tick: Duration::from_millis(self.tick_ms),
            timing,
            election: self.election.0,
            reads: self.read_mode,
            lease,
            snapshot_every_bytes: self.snapshot_every_bytes,
            trace: self.trace,
            seed: self.seed,
            mutant: self.mutant,
        })
    }

    /// The leases to grant, if a leader has something of them.
    fn lease(&self) -> Result<LeaseTerms, Failure> {
        let wanted = self.read_mode == ReadMode::Lease;
        let by_default = if wanted { self.election_ticks.0.start() * self.tick_ms } else { 0 };
        let lease_ms = self.lease_ms.unwrap_or(by_default);
        let lease = LeaseTerms { term_us: lease_ms * 1000, drift_ppm: self.clock_drift_ppm };
        let renewed_us = self.heartbeat_ticks * self.tick_ms * 1000;
        if wanted && lease.usable_us() <= renewed_us {
            return Err(Failure::Usage(format!(
                "--read-mode lease: of --lease-ms {lease_ms} a leader may use {} ms, less than the {} ms \
                 between heartbeats, which renew it",
                lease.usable_us() / 1000,
                renewed_us / 1000
            )));
        }
        Ok(lease)
    }
}

/// A node's id, if it is one.
///
/// # Errors
/// With one sentence.
pub fn node_id(id: u16) -> Result<NodeId, String> {
    if (1..=NodeId::MAX.0).contains(&id) {
        Ok(NodeId(id))
    } else {
        Err(format!("node ids run from 1 to {}, not {id}", NodeId::MAX.0))
    }
}

/// `HOST:PORT`; whether the host exists is seen when it is used.
#[derive(Clone, Debug)]
pub struct HostPort(String);

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<HostPort, String> {
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(HostPort(text.to_owned()))
            }
            _ => Err(format!("`{text}` is not HOST:PORT")),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `ID=HOST:PORT`.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The node.
    pub id: NodeId,
    /// Where it is reached.
    pub address: HostPort,
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Peer, String> {
        let (id, address) = text.split_once('=').ok_or(format!("`{text}` is not ID=HOST:PORT"))?;
        let id = id.parse().map_err(|_| format!("`{id}` is not a node id"))?;
        let (id, address) = (node_id(id)?, address.parse::<HostPort>()?);
        if address.0.ends_with(":0") {
            return Err(format!("port 0 of {id} can't be dialled"));
        }
        Ok(Peer { id, address })
    }
}

/// `MIN..MAX`, both included.
#[derive(Clone, Debug)]
struct TickRange(RangeInclusive<u64>);

/// An hour of millisecond ticks, and room for the back-off's doublings.
const TICKS_MAX: u64 = 3_600_000;

impl FromStr for TickRange {
    type Err = String;

    fn from_str(text: &str) -> Result<TickRange, String> {
        let parsed = text
            .split_once("..")
            .and_then(|(min, max)| Some((min.parse::<u64>().ok()?, max.parse::<u64>().ok()?)));
        match parsed {
            Some((min, max)) if 1 <= min && min <= max && max <= TICKS_MAX => Ok(TickRange(min..=max)),
            _ => Err(format!("`{text}` is not MIN..MAX with 1 ≤ MIN ≤ MAX ≤ {TICKS_MAX}")),
        }
    }
}

/// `pre-vote`, `randomised` or `fixed`.
#[derive(Clone, Debug)]
struct Election(ElectionMode);

impl FromStr for Election {
    type Err = String;

    fn from_str(text: &str) -> Result<Election, String> {
        match text {
            "pre-vote" => Ok(Election(ElectionMode::PreVote)),
            "randomised" => Ok(Election(ElectionMode::Randomised)),
            "fixed" => Ok(Election(ElectionMode::Fixed)),
            _ => Err(format!("`{text}` is not `pre-vote`, `randomised` or `fixed`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(more: &[&str]) -> Result<Options, String> {
        let all = ["paxos-node", "--id", "1", "--cluster", "7", "--data", "d"].iter().chain(more);
        let arguments = Arguments::try_parse_from(all).map_err(|error| error.to_string())?;
        arguments.check().map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_command_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_full_command_line_says_what_it_says() {
        let peers = "2=127.0.0.1:4002,3=localhost:4003";
        let options = parse(&[
            "--peers",
            peers,
            "--election-ticks",
            "20..40",
            "--tick-ms",
            "5",
            "--election",
            "fixed",
            "--seed",
            "9",
        ])
        .unwrap();
        assert_eq!(options.peers[&NodeId(3)], "localhost:4003");
        assert_eq!((options.timing.election_ticks_min, options.timing.election_ticks_max), (20, 40));
        assert_eq!((options.tick, options.seed), (Duration::from_millis(5), Some(9)));
        assert_eq!(options.election, ElectionMode::Fixed);
        assert_eq!((options.reads, options.lease.term_us), (ReadMode::Barrier, 0));
        let options = parse(&["--read-mode", "lease", "--clock-drift-ppm", "500"]).unwrap();
        let lease = LeaseTerms { term_us: 100_000, drift_ppm: 500 };
        assert_eq!((options.reads, options.lease), (ReadMode::Lease, lease));
        assert_eq!(parse(&["--lease-ms", "70"]).unwrap().lease.term_us, 70_000);
    }

    #[test]
    fn each_mistake_is_named() {
        for (arguments, complaint) in [
            (&["--peers", "1=h:1"][..], "--peers names n1, which is this node"),
            (&["--peers", "2=h:1,2=h:2"], "--peers names n2 twice"),
            (&["--peers", "63=h:1"], "node ids run from 1 to 62, not 63"),
            (&["--peers", "2"], "`2` is not ID=HOST:PORT"),
            (&["--peers", "x=h:1"], "`x` is not a node id"),
            (&["--peers", "2=h"], "`h` is not HOST:PORT"),
            (&["--peers", "2=h:0"], "port 0 of n2 can't be dialled"),
            (&["--listen", "h:99999"], "`h:99999` is not HOST:PORT"),
            (&["--election-ticks", "9..3"], "`9..3` is not MIN..MAX"),
            (&["--election-ticks", "2..9"], "--heartbeat-ticks 2 must be below"),
            (&["--election", "rigged"], "`rigged` is not"),
            (&["--read-mode", "guess"], "`guess` is not `barrier`, `lease` or `log`"),
            (
                &["--read-mode", "lease", "--lease-ms", "20"],
                "a leader may use 19 ms, less than the 20 ms between",
            ),
            (&["--read-mode", "lease", "--lease-ms", "0"], "of --lease-ms 0 a leader may use 0 ms"),
            (&["--lease-ms", "60001"], "60001 is not in 0..=60000"),
            (&["--clock-drift-ppm", "500001"], "500001 is not in 0..=500000"),
            (&["--tick-ms", "0"], "0 is not in 1..=10000"),
            (&["--snapshot-every-bytes", "4095"], "4095 is not in 4096.."),
            (&["--id", "1"], "cannot be used multiple times"),
        ] {
            let found = parse(arguments).unwrap_err();
            assert!(found.contains(complaint), "{arguments:?}: {found}");
        }
        let zero = Arguments::try_parse_from(["paxos-node", "--id", "0", "--cluster", "7", "--data", "d"]);
        assert_eq!(zero.unwrap().check().unwrap_err().to_string(), "--id: node ids run from 1 to 62, not 0");
    }
}
