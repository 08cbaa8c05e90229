//! What the nodes' event traces say about the run: the protocol's own rules, step by step.
//!
//! A log tells what a node wrote; its trace ([`paxos_node::trace`]) tells also when, what it let
//! out before the disk had it, what it had been told, and what came of it. Every node's trace is
//! gone through from front to back ([`walk`]), and what it says about slots is collected
//! ([`slots`]) and compared. The rules ([`Rule`]), first the nine that any Multi-Paxos must keep:
//!
//! 1. only proposed values are chosen: whatever anybody accepted in a ballot, the ballot's own
//!    node had proposed there;
//! 2. one value per slot, whether a quorum's disks make it chosen or a node takes it for chosen;
//! 3. nothing is taken for chosen that is not: not by anybody unless a quorum's disks hold it in one
//!    ballot; and not by this node without a reason of its own. Its votes are counted again from the
//!    messages that came in, each voter once, in one ballot, its own when its disk has it; else
//!    somebody must have told it;
//! 4. one value per slot and ballot;
//! 5. what a ballot proposes: the value of the highest ballot that a quorum's promises reported
//!    (Lamport's P2c), counted again from the promises that came in, in this life, each complete;
//!    and once a value is chosen, every higher ballot proposes it;
//! 6. no acceptor accepts or promises below its promise, not after a restart either;
//! 7. nothing is revealed before it is durable: promises, refusals, votes, ballots. Judged by what
//!    a message says and where in the log that stands, not by what it claims to wait for;
//! 8. what is applied is a prefix of what is known to be chosen, one slot after the other;
//! 9. equal prefixes, equal states.
//!
//! and those that come with them:
//!
//! 10. no ballot is used twice, or by another node than its own;
//! 11. a promise tells everything that the acceptor accepted, under the ballot that it accepted it in;
//! 12. a restart gives back everything that was durable, and the node holds itself to it;
//! 13. no client is answered with a slot that nobody knows to be chosen;
//! 14. a read misses nothing that anybody knew to be chosen when it came in;
//! 15. who was told of a higher ballot, in an earlier turn of its loop, sends no heartbeat of its own any
//!     more. (What waited for the disk may leave late; heartbeats wait for nothing.) Safety does not hang
//!     on it, but the clients of a leader that does not step down wait for nothing;
//! 16. who votes in which slot all tell alike. A quorum is one of the slot's configuration, wherever
//!     one is counted ([`governing`]).
//!
//! Snapshots change none of this, since a trace is never trimmed. A state that comes with one must be the
//! state that somebody came to slot by slot (3, 9); it must be a later one (8); a promise may leave out
//! what is trimmed if all of that is known to be chosen (11), and who gets such a promise does not lead
//! before knowing it too (5); and what a log says again before its beginning is cut off is what it had
//! said (12).
//!
//! Order within a node is the order in its trace. Order between nodes is not needed, but for 13 and
//! 14, which rest on the machine's own clock: a turn's beginning is a lower bound of what it took
//! in, and its end an upper bound of what it did.
//!
//! Why a trace that ends too early accuses nobody: a frame is written before anything that it tells
//! of leaves the process. A vote that others counted is in the voter's trace, a proposal that others
//! accepted in the proposer's. What a cut hides, nobody has seen. Where a whole trace is missing, or
//! does not begin with the node's first life, what only it could bear out is *unknown*.
//!
//! Ballots are compared here by their own order ([`rank::Rank`]): a node's may be what is wrong.

mod acceptor;
mod candidate;
mod found;
mod governing;
mod learner;
mod log;
mod rank;
mod replies;
mod slots;
mod walk;

pub use found::{FINDINGS_PER_RULE_MAX, Rule};

use super::Findings;
use crate::system::{NodePlace, WhiteBoxReport};
use found::Found;
use governing::Voters;
use paxos_node::paxos::NodeId;
use paxos_node::trace::Frames;
use slots::Slots;
use std::fs;
use walk::Walk;

/// One node's trace.
#[derive(Clone, Debug)]
pub struct NodeTrace {
    /// Whose.
    pub node: crate::system::NodeId,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Reads the nodes' traces and examines them.
pub(super) fn examine(places: &[NodePlace]) -> WhiteBoxReport {
    let mut traces = Vec::new();
    let mut unread = Findings::default();
    for place in places {
        match fs::read(&place.trace) {
            Ok(bytes) if bytes.is_empty() => {
                unread.unknown(format!(
                    "trace: {}: {} is empty: a node tells of its life before it listens",
                    place.node,
                    place.trace.display()
                ));
            }
            Ok(bytes) => traces.push(NodeTrace { node: place.node, bytes }),
            Err(error) => {
                unread.unknown(format!(
                    "trace: {}: {} can't be read: {error}",
                    place.node,
                    place.trace.display()
                ));
            }
        }
    }
    let mut report = unread.report();
    report.absorb(examine_traces(&traces, places.len()));
    report
}

/// Examines traces that have been read, of a cluster of `nodes`. Pure.
#[must_use]
pub fn examine_traces(traces: &[NodeTrace], nodes: usize) -> WhiteBoxReport {
    let mut found = Found::new(traces.iter().filter_map(|trace| began_ns(&trace.bytes)).min());
    let mut voters = Voters::new(quorum(nodes));
    for trace in traces {
        voters.gather(NodeId(trace.node.0), &trace.bytes, &mut found);
    }
    let mut slots = Slots::new(voters.clone());
    slots.unread(nodes.saturating_sub(traces.len()));
    for trace in traces {
        let node = NodeId(trace.node.0);
        let mut walk = Walk::new(node, &voters, &mut slots, &mut found);
        let mut frames = Frames::new(&trace.bytes);
        for frame in &mut frames {
            match frame {
                Ok(frame) => walk.frame(&frame),
                Err(damage) => walk.breaks_off(&format!("can't be read on: {damage}")),
            }
        }
        found.examined("torn traces", usize::from(frames.is_torn()));
    }
    found.examined("traces", traces.len());
    slots.compare(&mut found);
    found.report()
}

/// The least number of nodes of which any two groups share one. Not the node's own arithmetic,
/// which might be what is wrong.
fn quorum(nodes: usize) -> usize {
    nodes / 2 + 1
}

fn began_ns(trace: &[u8]) -> Option<u64> {
    let first = Frames::new(trace).next()?.ok()?;
    Some(first.began_ns)
}
