//! Holds every node where it is once something is found to be wrong.
//!
//! What the nodes hold at that moment, on disk above all, is the evidence: a node that went on would
//! write over it, and one that is asked to stop writes as well. So all of them are stopped where they
//! stand (SIGSTOP), nothing brings them back, and the end of the run kills them: their data stays as it
//! was. Whoever would do something to the nodes once the run is stopped waits for
//! [`Freezer::on_violation`] first.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use checker::Value;
use serde::Serialize;
use tokio::sync::OnceCell;

use super::cluster::Cluster;
use super::recorder::Recorder;
use super::stop::{Stop, StopReason};
use crate::system::NodeId;

/// A cluster that was held where it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Frozen {
    /// When the last of them stood still, in nanoseconds since the run began.
    pub at_ns: u64,
    /// The same in milliseconds since 1970: what a file's last change may be compared with.
    pub unix_ms: u64,
    /// Those that stood still from then on.
    pub nodes: Vec<NodeId>,
    /// Those that were down anyway.
    pub down: Vec<NodeId>,
    /// What went wrong, node by node.
    pub troubles: Vec<String>,
    /// The event at which the history became impossible, as far as that was found out in time.
    pub event: Option<Event>,
}

/// An event of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its place in the order.
    pub index: u64,
    /// When it was recorded, in nanoseconds since the run began.
    pub time_ns: u64,
}

impl Frozen {
    /// From the event that showed the violation until nothing moved any more.
    pub fn after(&self) -> Option<Duration> {
        Some(Duration::from_nanos(self.at_ns.saturating_sub(self.event?.time_ns)))
    }

    /// A line for people.
    pub fn words(&self) -> String {
        let names = |nodes: &[NodeId]| nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(" ");
        let mut words = match self.nodes.is_empty() {
            true => "nobody".to_owned(),
            false => names(&self.nodes),
        };
        if let (Some(after), Some(event)) = (self.after(), self.event) {
            words += &format!(", {} ms after op {} was recorded", after.as_millis(), event.index);
        }
        if !self.down.is_empty() {
            words += &format!("; down already: {}", names(&self.down));
        }
        if !self.nodes.is_empty() {
            words += "; killed as they stood";
        }
        words
            + &match self.troubles.is_empty() {
                true => "; all data is as it was".to_owned(),
                false => {
                    format!("; NOT stopped, and their data may have changed: {}", self.troubles.join("; "))
                }
            }
    }
}

/// Whoever is first to hear of a violation freezes the cluster; all others wait for it.
pub struct Freezer {
    cluster: Arc<Cluster>,
    recorder: Arc<Recorder>,
    stop: Stop,
    done: OnceCell<Frozen>,
}

impl Freezer {
    /// Freezes nothing yet.
    pub fn new(cluster: Arc<Cluster>, recorder: Arc<Recorder>, stop: Stop) -> Freezer {
        Freezer { cluster, recorder, stop, done: OnceCell::new() }
    }

    /// Waits for the end of the run, and freezes the cluster if it is a violation.
    pub async fn watch(&self) {
        self.stop.stopped().await;
        self.on_violation().await;
    }

    /// If the run was stopped by a violation: waits until every node stands still. Says whether.
    pub async fn on_violation(&self) -> bool {
        if !matches!(self.stop.reason(), Some(StopReason::Violation(_))) {
            return false;
        }
        self.done.get_or_init(|| self.freeze()).await;
        true
    }

    /// What was frozen, if anything was.
    pub fn frozen(&self) -> Option<Frozen> {
        self.done.get().cloned()
    }

    async fn freeze(&self) -> Frozen {
        let (mut nodes, mut down, mut troubles) = (Vec::new(), Vec::new(), Vec::new());
        for (node, result) in self.cluster.freeze().await {
            match result {
                Ok(true) => nodes.push(node),
                Ok(false) => down.push(node),
                Err(error) => troubles.push(error.to_string()),
            }
        }
        let extra = [("nodes".to_owned(), serde_json::json!(nodes))].into();
        let at_ns = self.recorder.nemesis("freeze", Value::Nil, extra);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Frozen { at_ns, unix_ms, nodes, down, troubles, event: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_who_stood_still_and_how_soon() {
        let frozen = Frozen {
            at_ns: 1_120_000_000,
            unix_ms: 0,
            nodes: vec![NodeId(1), NodeId(3)],
            down: vec![NodeId(2)],
            troubles: Vec::new(),
            event: Some(Event { index: 77, time_ns: 1_000_000_000 }),
        };
        assert_eq!(
            frozen.words(),
            "n1 n3, 120 ms after op 77 was recorded; down already: n2; killed as they stood; all data is as it was"
        );
        let frozen = Frozen { nodes: Vec::new(), event: None, ..frozen };
        assert_eq!(frozen.words(), "nobody; down already: n2; all data is as it was");
        let frozen = Frozen { troubles: vec!["n4 can't be stopped".to_owned()], ..frozen };
        assert_eq!(
            frozen.words(),
            "nobody; down already: n2; NOT stopped, and their data may have changed: n4 can't be stopped"
        );
    }
}
