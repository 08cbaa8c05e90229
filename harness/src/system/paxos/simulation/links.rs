//! The links between simulated nodes: the same policies, decided by the same code, as in proxies.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::BytesMut;
use paxos_node::paxos::Message;
use paxos_node::sim::{Carriage, Postman};
use paxos_node::wire::peer;

use crate::proxy::decider::{Decider, Fate, Nature};
use crate::proxy::{Counters, Link, Links};
use crate::schedule::Watch;
use crate::system::NodeId;

/// What a frame is taken to be long: only whether a byte of it is damaged matters here.
const ANY_FRAME_BYTES: usize = 100;

/// What every link does now, and what it did.
#[derive(Debug, Default)]
pub(super) struct Wires {
    seed: u64,
    policies: Links,
    deciders: BTreeMap<Link, Decider>,
    counters: BTreeMap<Link, Counters>,
    /// When a link of little bandwidth has passed on all that was given to it.
    busy_until_us: BTreeMap<Link, u64>,
    watches: Vec<Watch>,
    /// Frames that were watched for: the watch's key, and when.
    sightings: Vec<(String, u64)>,
    /// What comes now was kept before, and counted then.
    again: bool,
}

/// Shared between whoever sets the policies and the postman on the links.
#[derive(Clone, Default)]
pub(super) struct SharedWires(Rc<RefCell<Wires>>);

impl SharedWires {
    pub(super) fn new(seed: u64) -> SharedWires {
        SharedWires(Rc::new(RefCell::new(Wires { seed, ..Wires::default() })))
    }

    /// Stands on every link.
    pub(super) fn postman(&self) -> Postman {
        let wires = Rc::clone(&self.0);
        Box::new(move |now_us, from, to, message| {
            let link = Link::between(NodeId(from.0), NodeId(to.0));
            wires.borrow_mut().carry(now_us, link, message)
        })
    }

    pub(super) fn set_policies(&self, policies: Links) {
        self.0.borrow_mut().policies = policies;
    }

    pub(super) fn set_watches(&self, watches: Vec<Watch>) {
        self.0.borrow_mut().watches = watches;
    }

    pub(super) fn has_sightings(&self) -> bool {
        !self.0.borrow().sightings.is_empty()
    }

    pub(super) fn take_sightings(&self) -> Vec<(String, u64)> {
        std::mem::take(&mut self.0.borrow_mut().sightings)
    }

    pub(super) fn counters(&self, link: Link) -> Counters {
        self.0.borrow().counters.get(&link).copied().unwrap_or_default()
    }

    /// A client sends something to this node: counted if that stalls. The world loses it then.
    pub(super) fn client_asks(&self, node: NodeId) {
        let mut wires = self.0.borrow_mut();
        let link = Link::clients(node);
        if wires.policies.get(&link).is_some_and(|policy| policy.cut || policy.half_open) {
            wires.counters.entry(link).or_default().stalled_bytes += 1;
        }
    }

    /// Says that what is posted next was kept before, or no longer.
    pub(super) fn set_again(&self, again: bool) {
        self.0.borrow_mut().again = again;
    }
}

impl Wires {
    fn carry(&mut self, now_us: u64, link: Link, message: &Message) -> Carriage {
        let kind = peer::kind(message).name();
        if !self.again {
            let seen = self.watches.iter().filter(|watch| watch.kind == kind && watch.links.contains(&link));
            self.sightings.extend(seen.map(|watch| (watch.key.clone(), now_us)));
        }
        let policy = self.policies.get(&link);
        if policy.is_none() && !self.deciders.contains_key(&link) {
            return Carriage::On(0, None);
        }
        let counted = self.counters.entry(link).or_default();
        if policy.is_some_and(|policy| policy.cut || policy.half_open) {
            counted.stalled_bytes += u64::from(!self.again);
            counted.swallowed_ends += u64::from(!self.again && policy.is_some_and(|policy| policy.half_open));
            return Carriage::Kept;
        }
        let policy = policy.cloned().unwrap_or_default();
        // A link that carries little carries one message after the other.
        let mut reached_us = now_us;
        if let Some(bytes_per_s) = policy.bytes_per_s {
            let bytes = length(message);
            let free_us = self.busy_until_us.entry(link).or_default();
            *free_us = now_us.max(*free_us) + bytes * 1_000_000 / bytes_per_s;
            counted.throttled_bytes += bytes;
            reached_us = *free_us;
        }
        let late = |due_us: u64| due_us.saturating_sub(now_us);
        let seed = self.seed ^ (link_number(link)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let decider = self.deciders.entry(link).or_insert_with(|| Decider::new(seed));
        match decider.decide(&policy, reached_us, Some(kind), Nature::Message) {
            Fate::Drop => {
                counted.dropped += 1;
                Carriage::Lost
            }
            Fate::Hold => {
                counted.held += u64::from(!self.again);
                Carriage::Kept
            }
            // A node refuses a frame whose checksum is wrong, so that it is as good as lost.
            Fate::Forward | Fate::Delay { .. }
                if decider.corrupt(&policy, Some(kind), ANY_FRAME_BYTES).is_some() =>
            {
                counted.corrupted += 1;
                Carriage::Lost
            }
            Fate::Delay { due_us, overtaken, copy_due_us } => {
                counted.delayed += 1;
                counted.reordered += u64::from(overtaken);
                counted.duplicated += u64::from(copy_due_us.is_some());
                Carriage::On(late(due_us), copy_due_us.map(late))
            }
            Fate::Forward => Carriage::On(late(reached_us), None),
        }
    }
}

/// How long a message is on the wire, in bytes; none if it is too long for a frame.
fn length(message: &Message) -> u64 {
    let nobody = paxos_node::paxos::NodeId(1);
    let envelope = peer::Envelope { cluster: 0, from: nobody, to: nobody, message_id: 0 };
    let mut bytes = BytesMut::new();
    peer::encode(&mut bytes, envelope, message).map_or(0, |()| bytes.len() as u64)
}

fn link_number(link: Link) -> u64 {
    match link.from {
        crate::proxy::Endpoint::Node(from) => u64::from(from.0) << 16 | u64::from(link.to.0),
        crate::proxy::Endpoint::Clients => u64::from(link.to.0),
    }
}
