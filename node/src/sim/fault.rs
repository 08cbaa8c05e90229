//! What can be done to a simulated cluster from outside.

use super::network::Weather;
use crate::paxos::{Change, NodeId};
use std::fmt;

/// One fault, or one cure.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Fault {
    /// The process is told to stop, answers those who wait, and exits.
    Stop(NodeId),
    /// The process is killed; what it wrote stays in the machine's page cache.
    Kill(NodeId),
    /// The machines lose power: of what was not synced, chance decides what is left.
    PowerLoss(Vec<NodeId>),
    /// The machine loses power inside a call to its disk, after so many more calls.
    PowerLossInDiskCall(NodeId, u64),
    /// The process starts (again), if it is not running.
    Start(NodeId),
    /// The process is frozen.
    Pause(NodeId),
    /// The process goes on; what reached it meanwhile is handled now.
    Resume(NodeId),
    /// Exactly these directed links are cut, all others mended.
    Cut(Vec<(NodeId, NodeId)>),
    /// The first node's connection to the second is reset, and works again at once.
    Reset(NodeId, NodeId),
    /// These directed links get this weather.
    Weather(Vec<(NodeId, NodeId)>, Weather),
    /// Syncs on this node take from so long to so long, in microseconds.
    DiskSpeed(NodeId, u64, u64),
    /// This node's clock ticks this often, in microseconds.
    ClockRate(NodeId, u64),
    /// Clients reach this node, or don't.
    ClientLink(NodeId, bool),
    /// The leader is asked to change the members; who is added starts when that is proposed.
    Change(Change),
    /// The machine is gone for good, and its disk with it.
    Destroy(NodeId),
    /// The disk is emptied, and the node started again under its old id.
    Wipe(NodeId),
}

impl Fault {
    /// The kind, in a word, for counting.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Stop(_) => "stop",
            Fault::Kill(_) => "kill",
            Fault::PowerLoss(_) => "power-loss",
            Fault::PowerLossInDiskCall(..) => "power-loss-in-disk-call",
            Fault::Start(_) => "start",
            Fault::Pause(_) => "pause",
            Fault::Resume(_) => "resume",
            Fault::Cut(_) => "cut",
            Fault::Reset(..) => "reset",
            Fault::Weather(..) => "weather",
            Fault::DiskSpeed(..) => "disk-speed",
            Fault::ClockRate(..) => "clock-rate",
            Fault::ClientLink(..) => "client-link",
            Fault::Change(_) => "change",
            Fault::Destroy(_) => "destroy",
            Fault::Wipe(_) => "wipe",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let links = |f: &mut fmt::Formatter<'_>, links: &[(NodeId, NodeId)]| {
            links.iter().try_for_each(|(from, to)| write!(f, " {from}->{to}"))
        };
        match self {
            Fault::Stop(node) => write!(f, "stop {node}"),
            Fault::Kill(node) => write!(f, "kill {node}"),
            Fault::PowerLoss(nodes) => {
                f.write_str("power loss:")?;
                nodes.iter().try_for_each(|node| write!(f, " {node}"))
            }
            Fault::PowerLossInDiskCall(node, calls) => {
                write!(f, "power loss at {node}, {calls} disk calls from now")
            }
            Fault::Start(node) => write!(f, "start {node}"),
            Fault::Pause(node) => write!(f, "pause {node}"),
            Fault::Resume(node) => write!(f, "resume {node}"),
            Fault::Cut(cut) if cut.is_empty() => f.write_str("all links mended"),
            Fault::Cut(cut) => {
                f.write_str("cut:")?;
                links(f, cut)
            }
            Fault::Reset(from, to) => write!(f, "the connection from {from} to {to} is reset"),
            Fault::Weather(on, weather) => {
                write!(f, "weather {weather} on")?;
                links(f, on)
            }
            Fault::DiskSpeed(node, min, max) => write!(f, "{node}: a sync takes {min}-{max}us"),
            Fault::ClockRate(node, us) => write!(f, "{node}: a tick takes {us}us"),
            Fault::Change(change) => write!(f, "the leader is to {change}"),
            Fault::Destroy(node) => write!(f, "{node} is lost with its disk"),
            Fault::Wipe(node) => write!(f, "the disk of {node} is emptied"),
            Fault::ClientLink(node, true) => write!(f, "clients reach {node}"),
            Fault::ClientLink(node, false) => write!(f, "clients don't reach {node}"),
        }
    }
}
