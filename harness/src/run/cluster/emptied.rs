//! Nodes whose disks were emptied: started again as they were, they must not be let in.
//!
//! What was on the disk is put aside, not thrown away: it tells what the node had promised when it lost
//! that, and so does its trace. Whatever the node does afterwards under the old id it does without a
//! place in either, and whoever counts on it is found out.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Cluster, ClusterError, Held, Node};
use crate::process::ExitInfo;
use crate::system::{NodeId, NodePlace, System};

/// How long an emptied node may run, with everybody there, until somebody tells it that it is another.
const TURNED_AWAY_MAX: Duration = Duration::from_secs(5);
/// Between two looks at one.
const LOOK: Duration = Duration::from_millis(5);

/// What is put aside, in the node's own folder.
pub const DATA_BEFORE: &str = "data-before";
/// Where the emptied node's trace goes.
pub const TRACE_AFTER: &str = "trace-after";

/// Whether a node's disk is still the one that it began with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Memory {
    /// It is.
    #[default]
    Whole,
    /// It was emptied.
    Emptied,
    /// It was emptied, and the node has ended because it was not let in. It stays away.
    TurnedAway,
}

impl Node {
    /// Where it is started.
    pub(super) fn place_now(&self, held: &Held) -> NodePlace {
        let mut place = self.place.clone();
        if held.memory != Memory::Whole {
            place.trace = self.home().join(TRACE_AFTER);
        }
        place
    }

    /// Where it is examined: what its disk held when it still was the node.
    pub(super) fn place_as_it_was(&self) -> NodePlace {
        let mut place = self.place.clone();
        if self.held().memory != Memory::Whole {
            place.data = self.home().join(DATA_BEFORE);
        }
        place
    }

    /// Notes it if a process ended as one must that comes with an emptied disk.
    pub(super) fn is_turned_away(&self, system: &dyn System, held: &mut Held, exit: &ExitInfo) -> bool {
        let as_it_must = held.memory == Memory::Emptied && system.was_turned_away(exit);
        if as_it_must {
            held.memory = Memory::TurnedAway;
        }
        as_it_must
    }

    fn home(&self) -> PathBuf {
        self.place.log.clone()
    }
}

impl Cluster {
    /// Takes the data of a node that is down away from it, as if its disk had been replaced; gives how
    /// many files there were.
    pub fn wipe(&self, node: NodeId) -> Result<usize, ClusterError> {
        let state = self.node(node);
        // Held so that nobody starts it meanwhile.
        let mut held = state.held();
        let path = &state.place.data;
        let trouble = |source| ClusterError::Place { node, path: path.clone(), source };
        if held.process.is_some() || held.frozen {
            return Err(trouble(io::Error::new(io::ErrorKind::ResourceBusy, "the node is not down")));
        }
        let files = fs::read_dir(path).map_err(trouble)?.count();
        match held.memory {
            Memory::Whole => fs::rename(path, state.home().join(DATA_BEFORE)).map_err(trouble)?,
            Memory::Emptied | Memory::TurnedAway => fs::remove_dir_all(path).map_err(trouble)?,
        }
        held.memory = Memory::Emptied;
        Ok(files)
    }

    /// Whether a node's disk was emptied, and it has ended because it was not let in.
    pub fn is_turned_away(&self, node: NodeId) -> bool {
        self.node(node).held().memory == Memory::TurnedAway
    }

    /// Waits until these nodes have ended because they were not let in; those that still run, if any
    /// do after a while. Whoever is cut off from all others is not told.
    pub async fn until_turned_away(&self, nodes: &[NodeId]) -> Vec<NodeId> {
        let deadline = Instant::now() + TURNED_AWAY_MAX;
        loop {
            self.casualties();
            let emptied = |node: &&NodeId| self.node(**node).held().memory == Memory::Emptied;
            let left: Vec<NodeId> = nodes.iter().filter(emptied).copied().collect();
            if left.is_empty() || Instant::now() >= deadline {
                return left;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
