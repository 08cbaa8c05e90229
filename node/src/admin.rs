//! `paxos-node admin`: asks a running cluster who its members are, and changes them.
//!
//! A change is asked of the leader, again and again until it is done or refused for good: to ask for what
//! is so already is no error, so an answer that was lost costs nothing. It is done when it is chosen;
//! with `--wait-settled` when a majority of the voters it leaves have it in force in their logs. Only then
//! may a machine be switched off that was removed or replaced.

use crate::client::Connection;
use crate::paxos::{Change, NodeId};
use crate::service::MembersStatus;
use crate::shell::arguments::{Peer, node_id};
use crate::shell::failure::Failure;
use crate::shell::status::NodeStatus;
use crate::wire::members::ChangeReply;
use clap::{Parser, Subcommand};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::time::{Instant, sleep, timeout};

/// How long one node may take to answer before another is asked.
const ANSWER_WAIT: Duration = Duration::from_secs(2);

/// Between two looks at the cluster: an election takes some hundred milliseconds.
const REST: Duration = Duration::from_millis(50);

/// Shows and changes the members of a running cluster.
#[derive(Debug, Parser)]
#[command(
    name = "paxos-node admin",
    bin_name = "paxos-node admin",
    after_help = "Exit codes: 0 done · 1 refused, or not done in time · 64 bad arguments"
)]
pub struct Arguments {
    /// The cluster's number
    #[arg(long)]
    cluster: u64,

    /// Some of its nodes; one that runs will do, since it tells of the others: 1=127.0.0.1:4001
    #[arg(long, value_name = "ID=HOST:PORT,…", value_delimiter = ',', required = true)]
    peers: Vec<Peer>,

    /// How long to try, in seconds
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600), global = true)]
    patience: u64,

    /// Come back only when a majority of the voters have the change in force in their logs: then whoever
    /// was removed or replaced may be switched off
    #[arg(long, global = true)]
    wait_settled: bool,

    #[command(subcommand)]
    deed: Deed,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Deed {
    /// Show who they are, as the node knows that has heard of the latest change
    Members,
    /// Add a node as a learner, which runs there with --join; a node that never was a member, on an empty disk
    Add {
        /// Its id, and where the other nodes reach it: 4=127.0.0.1:4004
        #[arg(value_name = "ID=HOST:PORT")]
        node: Peer,
    },
    /// Let a learner vote, once it has caught up
    Promote {
        /// The learner's id
        id: u16,
    },
    /// Let a learner vote in the place of another member, which is gone for good
    Replace {
        /// Who goes
        id: u16,
        /// The learner's id
        by: u16,
    },
    /// Remove a member, for good
    Remove {
        /// Its id
        id: u16,
    },
}

/// Runs the command, and says on stdout what came of it.
///
/// # Errors
/// With one sentence for stderr.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Io(format!("can't start the runtime: {error}")))?;
    runtime.block_on(async {
        let mut admin = Admin::new(&arguments);
        match &arguments.deed {
            Deed::Members => admin.show().await,
            deed => {
                let change = admin.change_of(deed).await?;
                let number = admin.change(&change).await?;
                if arguments.wait_settled { admin.settled(number).await } else { Ok(()) }
            }
        }
    })
}

struct Admin {
    cluster: u64,
    addresses: BTreeMap<NodeId, String>,
    deadline: Instant,
    patience: Duration,
}

impl Admin {
    fn new(arguments: &Arguments) -> Admin {
        let addresses = arguments.peers.iter().map(|peer| (peer.id, peer.address.to_string())).collect();
        let patience = Duration::from_secs(arguments.patience);
        Admin { cluster: arguments.cluster, addresses, deadline: Instant::now() + patience, patience }
    }

    /// What is to be changed; who is to be added is asked on which disk it is.
    async fn change_of(&self, deed: &Deed) -> Result<Change, Failure> {
        let id = |id: u16| node_id(id).map_err(Failure::Usage);
        Ok(match deed {
            Deed::Members => return Err(Failure::Usage("that changes nothing".to_owned())),
            Deed::Add { node: Peer { id: node, address } } => {
                let address = address.to_string();
                let incarnation = self.incarnation(*node, &address).await?;
                Change::Add { node: *node, incarnation, address }
            }
            Deed::Promote { id: node } => Change::Promote { node: id(*node)? },
            Deed::Replace { id: node, by } => Change::Replace { node: id(*node)?, by: id(*by)? },
            Deed::Remove { id: node } => Change::Remove { node: id(*node)? },
        })
    }

    async fn incarnation(&self, node: NodeId, address: &str) -> Result<u64, Failure> {
        loop {
            if let Some(status) = self.status(address).await {
                if status.service.id != node.0 {
                    let found = NodeId(status.service.id);
                    return Err(Failure::Refused(format!("at {address} runs {found}, and not {node}")));
                }
                return u64::from_str_radix(&status.service.incarnation, 16)
                    .map_err(|_| Failure::Refused(format!("{node} does not say on which disk it is")));
            }
            self.rest(&format!("nobody answered at {address}: start {node} first, with --join")).await?;
        }
    }

    /// Has the change done; the number of the configuration that has it.
    async fn change(&mut self, change: &Change) -> Result<u64, Failure> {
        let mut trouble = "no node says that it leads".to_owned();
        loop {
            if let Some(leader) = self.leader().await {
                let asked = async {
                    let connection = self.connect(&leader).await?;
                    connection.change(change).await.ok()
                };
                match timeout(ANSWER_WAIT, asked).await.ok().flatten() {
                    Some(ChangeReply::Done { slot, number }) => {
                        let place = match slot.0 {
                            0 => "it was so already".to_owned(),
                            slot => format!("chosen in slot {slot}"),
                        };
                        println!("{change}: done, configuration {number} ({place})");
                        return Ok(number);
                    }
                    Some(ChangeReply::Refused { again: false, reason, .. }) => {
                        return Err(Failure::Refused(format!("{change}: refused: {reason}")));
                    }
                    Some(ChangeReply::Refused { reason, .. } | ChangeReply::Unknown { reason }) => {
                        trouble = reason;
                    }
                    None => trouble = format!("the leader at {leader} did not answer"),
                }
            }
            self.rest(&format!("{change}: not done: {trouble}")).await?;
        }
    }

    /// Waits until a majority of the voters have a configuration of that number, or a later one, in force in
    /// their logs.
    async fn settled(&mut self, number: u64) -> Result<(), Failure> {
        loop {
            let statuses = self.statuses().await;
            let latest =
                statuses.values().map(|status| &status.service.configuration).max_by_key(|it| it.number);
            let mut missing = "nobody answered".to_owned();
            if let Some(latest) = latest.filter(|latest| latest.number >= number) {
                let voters: Vec<u16> =
                    latest.members.iter().filter(|it| it.standing == "voter").map(|it| it.node).collect();
                let says = |node: &&u16| {
                    let status = statuses.get(&NodeId(**node));
                    status.is_some_and(|it| {
                        let configuration = &it.service.configuration;
                        configuration.settled && configuration.number >= number
                    })
                };
                let settled = voters.iter().filter(says).count();
                if 2 * settled > voters.len() {
                    println!("settled: {settled} of {} voters have it in force", voters.len());
                    return Ok(());
                }
                missing = format!("{settled} of {} voters have it in force", voters.len());
            }
            self.rest(&format!("configuration {number} is not settled: {missing}")).await?;
        }
    }

    async fn show(&mut self) -> Result<(), Failure> {
        loop {
            let statuses = self.statuses().await;
            let latest = statuses
                .values()
                .map(|it| &it.service)
                .max_by_key(|it| (it.configuration.number, it.chosen_upto));
            if let Some(latest) = latest.filter(|it| !it.configuration.members.is_empty()) {
                show(&latest.configuration, &statuses, &self.addresses);
                return Ok(());
            }
            self.rest("no node says who the members are").await?;
        }
    }

    /// Where the leader is, as far as anybody says.
    async fn leader(&mut self) -> Option<String> {
        let statuses = self.statuses().await;
        let leads = |status: &&NodeStatus| status.service.role == "leader";
        let ballot = |status: &&NodeStatus| status.service.leader.map(|ballot| (ballot.round, ballot.node));
        let leader = statuses.values().filter(leads).max_by_key(ballot)?;
        self.addresses.get(&NodeId(leader.service.id)).cloned()
    }

    /// What those say who answer, those among them whom others dial.
    async fn statuses(&mut self) -> BTreeMap<NodeId, NodeStatus> {
        let mut statuses = BTreeMap::new();
        let mut to_ask: Vec<String> = self.addresses.values().cloned().collect();
        while let Some(address) = to_ask.pop() {
            let Some(status) = self.status(&address).await else { continue };
            for link in status.shell.links.iter().filter(|link| !link.address.is_empty()) {
                self.addresses.entry(NodeId(link.to)).or_insert_with(|| {
                    to_ask.push(link.address.clone());
                    link.address.clone()
                });
            }
            statuses.insert(NodeId(status.service.id), status);
        }
        statuses
    }

    async fn status(&self, address: &str) -> Option<NodeStatus> {
        let asked = async { self.connect(address).await?.status().await.ok() };
        timeout(ANSWER_WAIT, asked).await.ok().flatten()
    }

    async fn connect(&self, address: &str) -> Option<Connection> {
        let address: SocketAddr = lookup_host(address).await.ok()?.next()?;
        Connection::open(address, self.cluster).await.ok()
    }

    /// Waits a moment, if there is one left.
    async fn rest(&self, trouble: &str) -> Result<(), Failure> {
        if Instant::now() >= self.deadline {
            return Err(Failure::Refused(format!("{trouble}; gave up after {} s", self.patience.as_secs())));
        }
        sleep(REST).await;
        Ok(())
    }
}

fn show(
    configuration: &MembersStatus,
    statuses: &BTreeMap<NodeId, NodeStatus>,
    addresses: &BTreeMap<NodeId, String>,
) {
    let MembersStatus { number, from, members, gone, .. } = configuration;
    println!("configuration {number}, from slot {from} on");
    for member in members {
        let status = statuses.get(&NodeId(member.node));
        let role = status.map_or_else(
            || "does not answer".to_owned(),
            |NodeStatus { service: status, .. }| {
                let settled = if status.configuration.settled { ", settled" } else { "" };
                format!("{}, chosen up to {}{settled}", status.role, status.chosen_upto)
            },
        );
        let address = addresses.get(&NodeId(member.node)).map_or("no address known", String::as_str);
        println!("n{}  {}  disk {}  {address}  {role}", member.node, member.standing, member.incarnation);
    }
    if !gone.is_empty() {
        let gone: Vec<String> = gone.iter().map(|node| format!("n{node}")).collect();
        println!("gone for good: {}", gone.join(" "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_is_well_formed() {
        Arguments::command().debug_assert();
        let words = "admin --cluster 7 --peers 1=h:1,2=h:2 replace 1 4 --wait-settled";
        let arguments = Arguments::try_parse_from(words.split(' ')).unwrap();
        assert!(arguments.wait_settled && matches!(arguments.deed, Deed::Replace { id: 1, by: 4 }));
        for wrong in ["admin --cluster 7 members", "admin --cluster 7 --peers 1=h:1 add 4"] {
            assert!(Arguments::try_parse_from(wrong.split(' ')).is_err(), "{wrong}");
        }
    }
}
