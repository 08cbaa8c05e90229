//! What is asked of a link: data, and what makes sense of it.
//!
//! [`LinkPolicy`] is the whole vocabulary of what a link may do to what crosses it;
//! [`Decider`](super::decider::Decider) carries it out. Pure.

use crate::system::NodeId;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU64;

/// Probabilities are in parts per million.
pub const PPM: u32 = 1_000_000;

/// The longest delay or jitter accepted: a minute outlasts every timeout that could care.
pub const DELAY_US_MAX: u64 = 60_000_000;

/// Layers of one policy: more than faults that can be active on a link at a time.
pub const LAYERS_MAX: usize = 16;

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
///
/// Three fields concern the stream and so everything on it: `cut`, `half_open`, `bytes_per_s`. The
/// others concern frames, and only those of `kinds` if it is given.
#[derive(Clone, Eq, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkPolicy {
    /// Black hole: see the [module](super).
    pub cut: bool,
    /// Neither end hears of the other's end: see the [module](super).
    pub half_open: bool,
    /// At most so many bytes per second go each way, all connections of the link together.
    pub bytes_per_s: Option<NonZeroU64>,
    /// Every unit is this late, microseconds.
    pub delay_us: u64,
    /// And up to this much later, uniformly, microseconds.
    pub jitter_us: u64,
    /// This share of frames vanishes.
    pub drop_ppm: u32,
    /// This share of frames comes twice.
    pub duplicate_ppm: u32,
    /// This share of frames is put back while others overtake it.
    pub reorder_ppm: u32,
    /// In this share of frames one byte is changed, never one of the length prefix.
    pub corrupt_ppm: u32,
    /// Frames are kept until the policy changes, and nothing else is done to them: see the
    /// [module](super).
    pub hold: bool,
    /// Only frames of these kinds are harmed; `None`: every kind.
    pub kinds: Option<BTreeSet<String>>,
    /// What is done besides, mostly to frames of other kinds; of all that concerns a frame, the
    /// worst of each applies. Layers concern frames alone and have no layers themselves;
    /// [`LinkPolicy::add`] makes them where they are needed.
    pub also: Vec<LinkPolicy>,
}

/// What holds for a link that no map mentions.
pub(super) static CLEAN: LinkPolicy = LinkPolicy {
    cut: false,
    half_open: false,
    bytes_per_s: None,
    delay_us: 0,
    jitter_us: 0,
    drop_ppm: 0,
    duplicate_ppm: 0,
    reorder_ppm: 0,
    corrupt_ppm: 0,
    hold: false,
    kinds: None,
    also: Vec::new(),
};

/// Why a map of policies, or a set of watches, was refused.
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
    /// Message-lossy, by kind, or watched, on a stream whose frames are not known.
    #[error(
        "{0}: dropping, duplicating, reordering, corrupting, holding, kinds and watches need a system whose frames are known; on a plain byte stream they would make false bugs"
    )]
    NeedsFrames(Link),
    /// A layer that is more than one.
    #[error("{0}: a layer concerns frames alone: no cut, half_open, bytes_per_s, and no layers of its own")]
    Layer(Link),
    /// More than [`LAYERS_MAX`].
    #[error("{link}: {layers} layers: at most {LAYERS_MAX}")]
    Layers {
        /// The link.
        link: Link,
        /// How many.
        layers: usize,
    },
    /// Two watches of one set are called the same.
    #[error("two watches have the id {0}")]
    WatchTwice(u64),
}

impl LinkPolicy {
    /// A black hole.
    #[must_use]
    pub fn cut() -> LinkPolicy {
        LinkPolicy { cut: true, ..LinkPolicy::default() }
    }

    /// Lets this apply as well: of what concerns the stream the worse, and to each frame the worst of
    /// what concerns its kind.
    pub fn add(&mut self, other: &LinkPolicy) {
        self.cut |= other.cut;
        self.half_open |= other.half_open;
        self.bytes_per_s = self.bytes_per_s.into_iter().chain(other.bytes_per_s).min();
        for layer in other.layers().filter(|layer| layer.harms_frames_itself()) {
            if !self.harms_frames() {
                self.kinds.clone_from(&layer.kinds);
            }
            if self.kinds == layer.kinds {
                self.worsen(layer);
            } else if let Some(same) = self.also.iter_mut().find(|own| own.kinds == layer.kinds) {
                same.worsen(layer);
            } else {
                let mut added = LinkPolicy { kinds: layer.kinds.clone(), ..LinkPolicy::default() };
                added.worsen(layer);
                self.also.push(added);
            }
        }
    }

    /// Whether it loses, doubles, reorders, changes or keeps messages: more than TCP could show.
    #[must_use]
    pub fn is_message_lossy(&self) -> bool {
        self.layers().any(LinkPolicy::is_message_lossy_itself)
    }

    /// Whether it does nothing at all.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        !self.cut && !self.half_open && self.bytes_per_s.is_none() && !self.harms_frames()
    }

    /// Whether it tells frames apart by their kinds.
    #[must_use]
    pub fn names_kinds(&self) -> bool {
        self.layers().any(|layer| layer.kinds.is_some())
    }

    /// Whether it keeps frames of this kind.
    #[must_use]
    pub fn holds(&self, kind: Option<&str>) -> bool {
        self.layers().any(|layer| layer.hold && layer.concerns(kind))
    }

    /// All that is done to frames of this kind, as one layer; `None` if nothing is.
    pub(super) fn concerning(&self, kind: Option<&str>) -> Option<Cow<'_, LinkPolicy>> {
        if self.also.is_empty() {
            return (self.harms_frames_itself() && self.concerns(kind)).then_some(Cow::Borrowed(self));
        }
        let mut worst = LinkPolicy::default();
        for layer in self.layers().filter(|layer| layer.concerns(kind)) {
            worst.worsen(layer);
        }
        worst.harms_frames_itself().then_some(Cow::Owned(worst))
    }

    /// What it does to all frames or some, and what it does to others besides.
    pub fn layers(&self) -> impl Iterator<Item = &LinkPolicy> {
        std::iter::once(self).chain(&self.also)
    }

    /// Whether it does anything to frames.
    #[must_use]
    pub fn harms_frames(&self) -> bool {
        self.layers().any(LinkPolicy::harms_frames_itself)
    }

    fn harms_frames_itself(&self) -> bool {
        self.is_message_lossy_itself() || self.delay_us > 0 || self.jitter_us > 0
    }

    fn is_message_lossy_itself(&self) -> bool {
        let shares = [self.drop_ppm, self.duplicate_ppm, self.reorder_ppm, self.corrupt_ppm];
        self.hold || shares != [0; 4]
    }

    /// What it does, for people: `delay 20–60 ms, drop 5 % of accept`.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut words = Vec::new();
        if self.cut {
            words.push("cut".to_owned());
        }
        if self.half_open {
            words.push("half-open".to_owned());
        }
        if let Some(bytes_per_s) = self.bytes_per_s {
            words.push(format!("at most {bytes_per_s} bytes/s"));
        }
        let layers = self.layers().filter(|layer| layer.harms_frames_itself());
        words.extend(layers.map(LinkPolicy::describe_frames));
        words.join(", ")
    }

    fn describe_frames(&self) -> String {
        // Tenths of a percent are enough for people.
        let percent = |ppm: u32| (f64::from(ppm) / 1_000.0).round() / 10.0;
        let mut words = Vec::new();
        if self.delay_us > 0 || self.jitter_us > 0 {
            let (least, most) = (self.delay_us / 1000, (self.delay_us + self.jitter_us) / 1000);
            words.push(if least == most {
                format!("delay {least} ms")
            } else {
                format!("delay {least}–{most} ms")
            });
        }
        let shares = [
            ("drop", self.drop_ppm),
            ("duplicate", self.duplicate_ppm),
            ("reorder", self.reorder_ppm),
            ("corrupt", self.corrupt_ppm),
        ];
        words.extend(
            shares
                .into_iter()
                .filter(|(_, ppm)| *ppm > 0)
                .map(|(word, ppm)| format!("{word} {} %", percent(ppm))),
        );
        if self.hold {
            words.push("hold".to_owned());
        }
        let mut words = words.join(", ");
        if let Some(kinds) = &self.kinds {
            words += &format!(" of {}", kinds.iter().cloned().collect::<Vec<_>>().join(", "));
        }
        words
    }

    fn concerns(&self, kind: Option<&str>) -> bool {
        match (&self.kinds, kind) {
            (None, _) => true,
            (Some(kinds), Some(kind)) => kinds.contains(kind),
            (Some(_), None) => false,
        }
    }

    /// Takes over whatever `other` itself does worse to frames.
    fn worsen(&mut self, other: &LinkPolicy) {
        self.delay_us = self.delay_us.max(other.delay_us);
        self.jitter_us = self.jitter_us.max(other.jitter_us);
        self.drop_ppm = self.drop_ppm.max(other.drop_ppm);
        self.duplicate_ppm = self.duplicate_ppm.max(other.duplicate_ppm);
        self.reorder_ppm = self.reorder_ppm.max(other.reorder_ppm);
        self.corrupt_ppm = self.corrupt_ppm.max(other.corrupt_ppm);
        self.hold |= other.hold;
    }

    /// Checks one entry of a map.
    ///
    /// # Errors
    /// All of [`PolicyError`] but `NoSuchLink` and `WatchTwice`.
    pub fn check(&self, link: Link, frames_known: bool) -> Result<(), PolicyError> {
        if self.also.len() > LAYERS_MAX {
            return Err(PolicyError::Layers { link, layers: self.also.len() });
        }
        for layer in &self.also {
            let of_streams = layer.cut || layer.half_open || layer.bytes_per_s.is_some();
            if of_streams || !layer.also.is_empty() {
                return Err(PolicyError::Layer(link));
            }
        }
        self.layers().try_for_each(|layer| layer.check_itself(link, frames_known))
    }

    fn check_itself(&self, link: Link, frames_known: bool) -> Result<(), PolicyError> {
        let shares = [
            ("drop_ppm", self.drop_ppm),
            ("duplicate_ppm", self.duplicate_ppm),
            ("reorder_ppm", self.reorder_ppm),
            ("corrupt_ppm", self.corrupt_ppm),
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
        if !frames_known && (self.is_message_lossy_itself() || self.kinds.is_some()) {
            return Err(PolicyError::NeedsFrames(link));
        }
        Ok(())
    }
}
