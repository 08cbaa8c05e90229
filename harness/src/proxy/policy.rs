//! What a link does to the frames that cross it: pure and seeded.
//!
//! [`LinkPolicy`] is data; a [`Decider`] turns it, a seed and the time into the [`Fate`] of each
//! unit. It promises: the same seed and the same sequence of units and policies give the same
//! fates; without `reorder_ppm` the first copies leave in the order in which they came; an
//! ineffective policy draws no randomness and touches nothing.

use crate::system::NodeId;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Probabilities are in parts per million.
pub const PPM: u32 = 1_000_000;

/// The longest delay or jitter accepted: a minute outlasts every timeout that could care.
pub const DELAY_US_MAX: u64 = 60_000_000;

/// How long a frame is held back so that others overtake it: random, up to this. Several
/// heartbeats' time, so that a frame can arrive in another ballot.
pub const REORDER_HOLD_US_MAX: u64 = 100_000;

/// How long after the original a second copy leaves: random, up to this.
pub const DUPLICATE_LAG_US_MAX: u64 = 100_000;

/// Who dials.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub enum Endpoint {
    /// All clients together.
    Clients,
    /// A node.
    Node(NodeId),
}

/// A directed link: who dials whom.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct Link {
    /// Who dials.
    pub from: Endpoint,
    /// Who is dialled.
    pub to: NodeId,
}

impl Link {
    /// The link on which `from` sends to `to`.
    #[must_use]
    pub fn between(from: NodeId, to: NodeId) -> Link {
        Link { from: Endpoint::Node(from), to }
    }

    /// The link on which clients speak with `to`.
    #[must_use]
    pub fn clients(to: NodeId) -> Link {
        Link { from: Endpoint::Clients, to }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Clients => write!(f, "clients"),
            Endpoint::Node(node) => write!(f, "{node}"),
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}->{}", self.from, self.to)
    }
}

/// The policies of all links; a link that is not in the map is clean.
pub type Links = BTreeMap<Link, LinkPolicy>;

/// What a link does to what crosses it. The default does nothing.
#[derive(Clone, Eq, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkPolicy {
    /// Black hole: see the [module](super).
    pub cut: bool,
    /// Every unit is held this long, microseconds.
    pub delay_us: u64,
    /// And up to this much longer, uniformly, microseconds.
    pub jitter_us: u64,
    /// This share of frames vanishes.
    pub drop_ppm: u32,
    /// This share of frames comes twice.
    pub duplicate_ppm: u32,
    /// This share of frames is held back while others overtake it.
    pub reorder_ppm: u32,
    /// Only frames of these kinds are harmed (a cut harms all); `None`: every kind.
    pub kinds: Option<BTreeSet<String>>,
}

/// Why a map of policies was refused.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum PolicyError {
    /// The mesh has no such link.
    #[error("{0}: there is no such link")]
    NoSuchLink(Link),
    /// A share above one.
    #[error("{link}: {field} = {value}: at most {PPM} parts per million")]
    Share {
        /// The link.
        link: Link,
        /// The field.
        field: &'static str,
        /// Its value.
        value: u32,
    },
    /// A delay above [`DELAY_US_MAX`].
    #[error("{link}: {field} = {value}: at most {DELAY_US_MAX} microseconds")]
    Delay {
        /// The link.
        link: Link,
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// Message-lossy, or by kind, on a stream whose frames are not known.
    #[error(
        "{0}: dropping, duplicating, reordering and kinds need a system whose frames are known; on a plain byte stream they would make false bugs"
    )]
    NeedsFrames(Link),
}

impl LinkPolicy {
    /// A black hole.
    #[must_use]
    pub fn cut() -> LinkPolicy {
        LinkPolicy { cut: true, ..LinkPolicy::default() }
    }

    /// Whether it loses, doubles or reorders messages: more than TCP could show.
    #[must_use]
    pub fn is_message_lossy(&self) -> bool {
        self.drop_ppm > 0 || self.duplicate_ppm > 0 || self.reorder_ppm > 0
    }

    /// Whether it does nothing at all.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        !self.cut && !self.harms_frames()
    }

    /// Lets this apply as well.
    pub fn add(&mut self, other: &LinkPolicy) {
        self.cut |= other.cut;
        self.delay_us = self.delay_us.max(other.delay_us);
        self.jitter_us = self.jitter_us.max(other.jitter_us);
        self.drop_ppm = self.drop_ppm.max(other.drop_ppm);
        self.duplicate_ppm = self.duplicate_ppm.max(other.duplicate_ppm);
        self.reorder_ppm = self.reorder_ppm.max(other.reorder_ppm);
        self.kinds = None;
    }

    /// What it does, for people: `delay 20–60 ms, drop 5 % of Accept`.
    #[must_use]
    pub fn describe(&self) -> String {
        // Tenths of a percent are enough for people.
        let percent = |ppm: u32| (f64::from(ppm) / 1_000.0).round() / 10.0;
        let mut words = Vec::new();
        if self.cut {
            words.push("cut".to_owned());
        }
        if self.delay_us > 0 || self.jitter_us > 0 {
            let (least, most) = (self.delay_us / 1000, (self.delay_us + self.jitter_us) / 1000);
            words.push(if least == most {
                format!("delay {least} ms")
            } else {
                format!("delay {least}–{most} ms")
            });
        }
        let shares =
            [("drop", self.drop_ppm), ("duplicate", self.duplicate_ppm), ("reorder", self.reorder_ppm)];
        for (word, ppm) in shares {
            if ppm > 0 {
                words.push(format!("{word} {} %", percent(ppm)));
            }
        }
        let mut words = words.join(", ");
        if let Some(kinds) = &self.kinds {
            words += &format!(" of {}", kinds.iter().cloned().collect::<Vec<_>>().join(", "));
        }
        words
    }

    fn harms_frames(&self) -> bool {
        self.is_message_lossy() || self.delay_us > 0 || self.jitter_us > 0
    }

    fn concerns(&self, kind: Option<&str>) -> bool {
        match (&self.kinds, kind) {
            (None, _) => true,
            (Some(kinds), Some(kind)) => kinds.contains(kind),
            (Some(_), None) => false,
        }
    }

    /// Checks one entry of a map.
    ///
    /// # Errors
    /// All of [`PolicyError`] but `NoSuchLink`.
    pub fn check(&self, link: Link, frames_known: bool) -> Result<(), PolicyError> {
        let shares = [
            ("drop_ppm", self.drop_ppm),
            ("duplicate_ppm", self.duplicate_ppm),
            ("reorder_ppm", self.reorder_ppm),
        ];
        for (field, value) in shares {
            if value > PPM {
                return Err(PolicyError::Share { link, field, value });
            }
        }
        for (field, value) in [("delay_us", self.delay_us), ("jitter_us", self.jitter_us)] {
            if value > DELAY_US_MAX {
                return Err(PolicyError::Delay { link, field, value });
            }
        }
        if !frames_known && (self.is_message_lossy() || self.kinds.is_some()) {
            return Err(PolicyError::NeedsFrames(link));
        }
        Ok(())
    }
}

/// What a unit is, and so what may be done to it.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Nature {
    /// A frame: may be lost, doubled, reordered.
    Message,
    /// A piece of a stream without frames: may be delayed.
    Chunk,
}

/// What becomes of one unit (a frame, or a chunk of a stream without frames).
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Fate {
    /// It goes on as it came.
    Forward,
    /// It goes on when its time has come.
    Hold {
        /// When, microseconds on the mesh's clock.
        due_us: u64,
        /// It was held back to be overtaken, so it needn't keep its place.
        overtaken: bool,
        /// When its second copy leaves, if it has one.
        copy_due_us: Option<u64>,
    },
    /// It vanishes.
    Drop,
}

/// Decides the fates of one direction of one connection.
#[derive(Debug)]
pub struct Decider {
    random: ChaCha8Rng,
    /// When the last unit that keeps its place leaves; the next one leaves no earlier.
    last_due_us: u64,
}

impl Decider {
    /// A decider with its own randomness.
    #[must_use]
    pub fn new(seed: u64) -> Decider {
        Decider { random: ChaCha8Rng::seed_from_u64(seed), last_due_us: 0 }
    }

    /// The fate of a unit that arrived at `now_us`, which must not run backwards. `policy.cut` is
    /// not looked at: a cut link decides nothing before it heals.
    pub fn decide(&mut self, policy: &LinkPolicy, now_us: u64, kind: Option<&str>, nature: Nature) -> Fate {
        // A harmless unit still may not overtake those that are waiting.
        let in_place = self.last_due_us.max(now_us);
        if !policy.harms_frames() || !policy.concerns(kind) {
            return self.keep_place(in_place, now_us, None);
        }
        let is_message = nature == Nature::Message;
        if is_message && self.chance(policy.drop_ppm) {
            return Fate::Drop;
        }
        let delayed = now_us + policy.delay_us + self.up_to(policy.jitter_us);
        let doubled = is_message && self.chance(policy.duplicate_ppm);
        let copy_due_us = doubled.then(|| delayed + self.up_to(DUPLICATE_LAG_US_MAX));
        if is_message && self.chance(policy.reorder_ppm) {
            let due_us = delayed + 1 + self.up_to(REORDER_HOLD_US_MAX - 1);
            return Fate::Hold { due_us, overtaken: true, copy_due_us };
        }
        self.keep_place(delayed.max(in_place), now_us, copy_due_us)
    }

    fn keep_place(&mut self, due_us: u64, now_us: u64, copy_due_us: Option<u64>) -> Fate {
        if due_us <= now_us && copy_due_us.is_none() {
            return Fate::Forward;
        }
        self.last_due_us = due_us;
        Fate::Hold { due_us, overtaken: false, copy_due_us }
    }

    fn chance(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.random.random_range(0..PPM) < ppm
    }

    fn up_to(&mut self, us: u64) -> u64 {
        if us == 0 { 0 } else { self.random.random_range(0..=us) }
    }
}
