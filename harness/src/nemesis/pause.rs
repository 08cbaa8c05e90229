//! SIGSTOP, with the process state in /proc as evidence.

use std::fs;

use super::hands::Bite;
use super::victim::Stopped;
use crate::run::cluster::Cluster;
use crate::system::NodeId;

/// Pauses these nodes, together, each confirmed by `waitpid`.
pub async fn install(cluster: &Cluster, nodes: &[NodeId], bite: &mut Bite) -> Stopped {
    let mut stopped = Stopped::new();
    for (node, result) in cluster.pause(nodes).await {
        match result {
            Ok(Some(pid)) => stopped.push((node, pid)),
            Ok(None) => bite.doubt(format!("{node} was down")),
            Err(error) => bite.doubt(error.to_string()),
        }
    }
    stopped
}

/// Just before the undoing: bites if every node is still stopped, so was so all the time.
pub fn examine(nodes: &[NodeId], stopped: &Stopped, bite: &mut Bite) {
    bite.bit = stopped.len() == nodes.len();
    for &(node, pid) in stopped {
        let state =
            fs::read_to_string(format!("/proc/{pid}/stat")).ok().and_then(|stat| process_state(&stat));
        let shown = state.map_or_else(|| "gone".to_owned(), |state| state.to_string());
        bite.evidence.push(format!("{node}: pid {pid} state {shown}"));
        if state != Some('T') {
            bite.doubt(format!("{node} was not stopped all the time"));
        }
    }
}

/// The state letter of `/proc/<pid>/stat`: the first field after the name, which is in
/// parentheses and may itself contain some.
fn process_state(stat: &str) -> Option<char> {
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_found_behind_any_name() {
        assert_eq!(process_state("12 (paxos-node) T 1 12"), Some('T'));
        assert_eq!(process_state("12 (a) b (c)) S 1 12"), Some('S'));
        assert_eq!(process_state("garbage"), None);
    }
}
