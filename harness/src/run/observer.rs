//! Who leads: every node is asked about itself, directly, several times a second.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::{AbortHandle, JoinSet};

use super::cluster::Cluster;
use super::files;
use super::stop::{Stop, StopReason};
use crate::schedule::Ballot;
use crate::system::{NodeId, NodeStatus, StatusError};

/// Between two questions to one node: well below an election timeout.
const POLL: Duration = Duration::from_millis(100);
/// How long an answer may take: a paused node gives none.
const ANSWER_MAX: Duration = Duration::from_millis(500);
/// How old an answer may be and still count for who leads now.
const FRESH: Duration = Duration::from_millis(800);

/// What the nodes said last.
#[derive(Default)]
pub struct Observer {
    seen: Mutex<Seen>,
    /// One per node; none ever ends by itself.
    tasks: Mutex<Vec<AbortHandle>>,
}

#[derive(Default)]
struct Seen {
    answers: BTreeMap<NodeId, (Instant, NodeStatus)>,
    /// Since when every node tells the same ballot and slots of itself, poll after poll.
    quiet_since: Option<Instant>,
    /// The highest ballot in which anybody was seen leading.
    highest: Option<Ballot>,
    elections: u64,
    /// Of each node, the first of its bounds that it was seen beyond.
    beyond: BTreeMap<NodeId, String>,
}

impl Observer {
    /// Starts asking; the tasks are the run's, and end with those: they hold the cluster, and whoever went
    /// on asking after its end would keep its proxies for ever. A harness that can't ask stops the run.
    pub fn start(cluster: &Arc<Cluster>, stop: &Stop, tasks: &mut JoinSet<()>) -> Arc<Observer> {
        let observer = Arc::new(Observer::default());
        for node in cluster.ids() {
            let (cluster, heard, stop) = (Arc::clone(cluster), Arc::clone(&observer), stop.clone());
            let task = tasks.spawn(async move {
                loop {
                    match tokio::time::timeout(ANSWER_MAX, cluster.status(node)).await {
                        Ok(Some(Ok(status))) => heard.heard(node, status, Instant::now()),
                        Ok(Some(Err(StatusError::Io(error)))) if files::ran_out(&error) => {
                            stop.now(StopReason::Broken(format!("the observer cannot ask {node}: {error}")));
                        }
                        _ => {}
                    }
                    tokio::time::sleep(POLL).await;
                }
            });
            super::lock(&observer.tasks).push(task);
        }
        observer
    }

    /// Whether every node is still being asked; if not, the harness itself has failed.
    pub fn is_running(&self) -> bool {
        !super::lock(&self.tasks).iter().any(AbortHandle::is_finished)
    }

    /// Takes in one answer.
    fn heard(&self, node: NodeId, status: NodeStatus, now: Instant) {
        let mut seen = self.lock();
        if status.is_leader()
            && let Some(ballot) = status.ballot
            && seen.highest.is_none_or(|highest| ballot > highest)
        {
            seen.highest = Some(ballot);
            seen.elections += 1;
        }
        if let Some(first) = status.beyond.first() {
            seen.beyond.entry(node).or_insert_with(|| first.clone());
        }
        let before = seen.answers.insert(node, (now, status.clone()));
        let what = |status: &NodeStatus| (status.ballot, status.chosen_upto, status.applied);
        if before.is_none_or(|(_, before)| what(&before) != what(&status)) {
            seen.quiet_since = Some(now);
        }
    }

    /// Since when no node has told another ballot or slot of itself.
    pub fn quiet_since(&self) -> Option<Instant> {
        self.lock().quiet_since
    }

    /// Who led by its own fresh word; of several the one with the highest ballot (an old leader
    /// behind a partition still believes in itself).
    pub fn leader(&self) -> Option<NodeId> {
        self.leader_since(Instant::now().checked_sub(FRESH)?)
    }

    /// The same, counting only what was said since a moment.
    pub fn leader_since(&self, moment: Instant) -> Option<NodeId> {
        self.lock()
            .answers
            .iter()
            .filter(|(_, (at, status))| *at >= moment && status.is_leader())
            .max_by_key(|(_, (_, status))| status.ballot)
            .map(|(&node, _)| node)
    }

    /// The same with its ballot, and everybody else who says that it leads; the highest ballot first.
    pub fn leaders(&self) -> Vec<(NodeId, Ballot)> {
        let Some(moment) = Instant::now().checked_sub(FRESH) else { return Vec::new() };
        let seen = self.lock();
        let leads = |(&node, (at, status)): (&NodeId, &(Instant, NodeStatus))| {
            (*at >= moment && status.is_leader()).then(|| (node, status.ballot.unwrap_or_default()))
        };
        let mut leaders: Vec<(NodeId, Ballot)> = seen.answers.iter().filter_map(leads).collect();
        leaders.sort_by_key(|&(_, ballot)| std::cmp::Reverse(ballot));
        leaders
    }

    /// The last slot that each node said it had applied.
    pub fn applied(&self) -> BTreeMap<NodeId, u64> {
        let told =
            |(&node, (_, status)): (&NodeId, &(Instant, NodeStatus))| Some((node, status.applied?.slot));
        self.lock().answers.iter().filter_map(told).collect()
    }

    /// How often leadership changed: elections seen, but for the first.
    pub fn leader_changes(&self) -> u64 {
        self.lock().elections.saturating_sub(1)
    }

    /// The highest slot that any node ever said it had applied.
    pub fn applied_max(&self) -> u64 {
        self.lock()
            .answers
            .values()
            .filter_map(|(_, status)| status.applied)
            .map(|at| at.slot)
            .max()
            .unwrap_or(0)
    }

    /// The nodes that have not said since `moment` that they applied `slot`, with what they said.
    pub fn behind(&self, nodes: &[NodeId], slot: u64, moment: Instant) -> Vec<String> {
        let seen = self.lock();
        nodes
            .iter()
            .filter_map(|node| match seen.answers.get(node) {
                Some((at, status)) if *at >= moment => match status.applied {
                    Some(applied) if applied.slot >= slot => None,
                    Some(applied) => Some(format!("{node} has applied slot {} of {slot}", applied.slot)),
                    // One that told nothing may be anywhere.
                    None => Some(format!("{node} does not tell what it has applied")),
                },
                _ => Some(format!("{node} does not answer")),
            })
            .collect()
    }

    /// The nodes that were seen beyond a bound of their own, with the first such.
    pub fn beyond(&self) -> Vec<String> {
        self.lock().beyond.iter().map(|(node, bound)| format!("{node}: {bound}")).collect()
    }

    /// The last answer of every node, for the record.
    pub fn answers(&self) -> BTreeMap<String, serde_json::Value> {
        self.lock().answers.iter().map(|(node, (_, status))| (node.to_string(), status.raw.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leading(round: u64, node: u16) -> NodeStatus {
        NodeStatus { role: Some("leader".to_owned()), ballot: Some((round, node)), ..NodeStatus::default() }
    }

    #[tokio::test]
    async fn nobody_asks_a_cluster_whose_run_is_over() {
        use crate::system::paxos::{PaxosOptions, PaxosSystem};

        let folder = tempfile::tempdir().expect("a folder");
        let system = Arc::new(PaxosSystem::new(PaxosOptions::new("paxos-node".into(), 7, 1)));
        let cluster = Arc::new(Cluster::new(system, 3, folder.path(), 1).expect("places and proxies"));
        let mut tasks = JoinSet::new();
        let observer = Observer::start(&cluster, &Stop::default(), &mut tasks);
        assert!(observer.is_running() && Arc::strong_count(&cluster) > 3);
        tasks.shutdown().await;
        assert!(!observer.is_running());
        assert_eq!(Arc::strong_count(&cluster), 1, "its proxies would never end");
    }

    #[test]
    fn the_highest_ballot_leads_and_old_news_does_not_count() {
        let observer = Observer::default();
        let now = Instant::now();
        assert_eq!(observer.leader(), None);
        observer.heard(NodeId(1), leading(3, 1), now);
        observer.heard(NodeId(2), leading(4, 2), now);
        assert_eq!(observer.leader_since(now), Some(NodeId(2)));
        assert_eq!(observer.leader_changes(), 1);
        // The deposed leader goes on believing in itself: no change.
        observer.heard(NodeId(1), leading(3, 1), now + Duration::from_secs(2));
        assert_eq!(observer.leader_changes(), 1);
        assert_eq!(observer.leader_since(now + Duration::from_secs(1)), Some(NodeId(1)));
        assert_eq!(observer.leader_since(now + Duration::from_secs(3)), None);
    }

    #[test]
    fn the_first_bound_that_was_passed_is_kept() {
        let observer = Observer::default();
        let now = Instant::now();
        for bound in ["9 wait", "10 wait"] {
            observer.heard(NodeId(2), NodeStatus { beyond: vec![bound.to_owned()], ..leading(1, 2) }, now);
        }
        observer.heard(NodeId(2), leading(1, 2), now);
        assert_eq!(observer.beyond(), ["n2: 9 wait"]);
    }

    #[test]
    fn laggards_are_named() {
        let observer = Observer::default();
        let now = Instant::now();
        let applied = crate::system::AppliedState { slot: 7, hash: 1 };
        observer.heard(NodeId(1), NodeStatus { applied: Some(applied), ..leading(1, 1) }, now);
        assert_eq!(observer.applied_max(), 7);
        assert_eq!(
            observer.behind(&[NodeId(1), NodeId(2)], 9, now),
            ["n1 has applied slot 7 of 9", "n2 does not answer"]
        );
        assert_eq!(observer.behind(&[NodeId(1)], 7, now), Vec::<String>::new());
        observer.heard(NodeId(2), leading(1, 1), now);
        assert_eq!(observer.behind(&[NodeId(2)], 7, now), ["n2 does not tell what it has applied"]);
    }
}
