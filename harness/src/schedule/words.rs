//! How the parts of a schedule are spelled: one table for what reads, writes and explains them.
//!
//! `Display` of a target, a link or an amount is what a file would say, and what the reader reads back.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use super::{
    ActionSpec, Bandwidth, Body, Contract, Election, EventKind, Failure, Guard, LinkEffect, LinkEnd,
    LinkSpec, NetworkModel, ReadMode, Shape, Share, Span, Target, Way, Who,
};
use crate::system::NodeId;

/// Words and what they mean.
pub(super) type Words<T> = [(&'static str, T)];

pub(super) const MODELS: &Words<NetworkModel> =
    &[("tcp-legal", NetworkModel::TcpLegal), ("message-lossy", NetworkModel::MessageLossy)];
pub(super) const ELECTIONS: &Words<Election> =
    &[("pre-vote", Election::PreVote), ("randomised", Election::Randomised), ("fixed", Election::Fixed)];
pub(super) const READ_MODES: &Words<ReadMode> =
    &[("barrier", ReadMode::Barrier), ("lease", ReadMode::Lease), ("log", ReadMode::Log)];
pub(super) const CONTRACTS: &Words<Contract> =
    &[("safety", Contract::Safety), ("safety+liveness", Contract::SafetyAndLiveness)];
pub(super) const FAILURES: &Words<Failure> = &[("safety", Failure::Safety), ("liveness", Failure::Liveness)];
pub(super) const GUARDS: &Words<Guard> =
    &[("any", Guard::Any), ("keep-quorum", Guard::KeepQuorum), ("break-quorum", Guard::BreakQuorum)];
pub(super) const WAYS: &Words<Way> = &[("in", Way::In), ("out", Way::Out), ("either", Way::Either)];
pub(super) const EVENTS: &Words<EventKind> = &[
    ("leader-elected", EventKind::LeaderElected),
    ("leader-stable", EventKind::LeaderStable),
    ("leader-lost", EventKind::LeaderLost),
    ("node-down", EventKind::NodeDown),
    ("node-up", EventKind::NodeUp),
];
/// Whoever has a word of his own; besides them there are `follower[0]` and `n3`.
pub(super) const WHO: &Words<Who> = &[
    ("leader", Who::Leader),
    ("leaders", Who::Leaders),
    ("followers", Who::Followers),
    ("one", Who::One),
    ("minority", Who::Minority),
    ("majority", Who::Majority),
    ("all", Who::All),
    ("each", Who::Each),
    ("most-behind", Who::MostBehind),
    ("most-ahead", Who::MostAhead),
    ("last-faulted", Who::LastFaulted),
];
pub(super) const ACTIONS: &[&str] = &["kill", "wipe", "pause", "partition", "link", "reset", "swizzle"];
pub(super) const SHAPES: &[&str] =
    &["halves", "isolate", "one-way", "bridge", "majorities-ring", "chain", "quorum-loss", "clients"];

impl Election {
    /// The word that files and flags have for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        word(ELECTIONS, &self)
    }

    /// What that word means.
    #[must_use]
    pub fn named(word: &str) -> Option<Election> {
        meaning(ELECTIONS, word)
    }
}

impl ReadMode {
    /// The word that files and flags have for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        word(READ_MODES, &self)
    }

    /// What that word means.
    #[must_use]
    pub fn named(word: &str) -> Option<ReadMode> {
        meaning(READ_MODES, word)
    }
}

/// The word for a value; every value of our enums has one.
pub(super) fn word<T: PartialEq>(words: &Words<T>, value: &T) -> &'static str {
    words.iter().find(|(_, meaning)| meaning == value).map_or("?", |(word, _)| word)
}

/// What a word means.
pub(super) fn meaning<T: Clone>(words: &Words<T>, word: &str) -> Option<T> {
    words.iter().find(|(known, _)| *known == word).map(|(_, meaning)| meaning.clone())
}

impl ActionSpec {
    /// The word after `do`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            ActionSpec::Kill(_) => "kill",
            ActionSpec::Wipe(_) => "wipe",
            ActionSpec::Pause(_) => "pause",
            ActionSpec::Partition(_) => "partition",
            ActionSpec::Link(..) => "link",
            ActionSpec::Reset(_) => "reset",
            ActionSpec::Swizzle(_) => "swizzle",
        }
    }

    /// Whether there is nothing to undo.
    #[must_use]
    pub const fn is_momentary(&self) -> bool {
        matches!(self, ActionSpec::Reset(_))
    }

    /// What tells it from others of its kind, for ids: `kill:leader`, `link:drop`.
    fn label(&self) -> String {
        let detail = match self {
            ActionSpec::Kill(target)
            | ActionSpec::Wipe(target)
            | ActionSpec::Pause(target)
            | ActionSpec::Swizzle(target) => id_of(target),
            ActionSpec::Partition(shape) => match shape.target() {
                Some(target) => format!("{}-{}", shape.word(), id_of(target)),
                None => shape.word().to_owned(),
            },
            ActionSpec::Link(_, effect) => effect.words().join("-"),
            ActionSpec::Reset(_) => return "reset".to_owned(),
        };
        format!("{}:{detail}", self.word())
    }
}

/// A target as part of an id.
fn id_of(target: &Target) -> String {
    target.to_string().replace(['[', '@', ','], "-").replace([']', ' '], "")
}

impl Body {
    /// The id of a fault that is given none, from what it does: `kill:leader`, `pause:one+link:drop`.
    #[must_use]
    pub fn usual_id(&self) -> String {
        self.steps.iter().map(|step| step.action.label()).collect::<Vec<_>>().join("+")
    }
}

impl Shape {
    /// The word after `shape`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Shape::Halves => "halves",
            Shape::Isolate(_) => "isolate",
            Shape::OneWay(..) => "one-way",
            Shape::Bridge(_) => "bridge",
            Shape::MajoritiesRing => "majorities-ring",
            Shape::Chain(_) => "chain",
            Shape::QuorumLoss(_) => "quorum-loss",
            Shape::Clients(_) => "clients",
        }
    }

    /// Around whom it is drawn.
    #[must_use]
    pub const fn target(&self) -> Option<&Target> {
        match self {
            Shape::Halves | Shape::MajoritiesRing => None,
            Shape::Isolate(target)
            | Shape::OneWay(target, _)
            | Shape::Bridge(target)
            | Shape::Chain(target)
            | Shape::QuorumLoss(target)
            | Shape::Clients(target) => Some(target),
        }
    }
}

impl LinkEffect {
    /// The words of what applies, in the order in which they are written.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        let applies = [
            self.cut,
            self.delay.is_some(),
            self.jitter.is_some(),
            self.bandwidth.is_some(),
            self.half_open,
            self.hold,
            !self.drop.is_none(),
            !self.duplicate.is_none(),
            !self.reorder.is_none(),
            !self.corrupt.is_none(),
        ];
        EFFECTS.iter().copied().zip(applies).filter(|(_, applies)| *applies).map(|(word, _)| word).collect()
    }
}

/// What links can suffer, in the order in which it is written.
pub(super) const EFFECTS: &[&str] =
    &["cut", "delay", "jitter", "bandwidth", "half-open", "hold", "drop", "duplicate", "reorder", "corrupt"];

/// The effects that TCP alone never shows.
pub(super) const LOSSY: &[&str] = &["hold", "drop", "duplicate", "reorder", "corrupt"];
/// The effects on streams rather than on frames.
pub(super) const OF_STREAMS: &[&str] = &["cut", "bandwidth", "half-open"];

impl Display for Who {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Who::Follower(place) => write!(f, "follower[{place}]"),
            Who::Nodes(nodes) => {
                for (at, NodeId(number)) in nodes.iter().enumerate() {
                    write!(f, "{}n{number}", if at == 0 { "" } else { "," })?;
                }
                Ok(())
            }
            other => f.write_str(word(WHO, other)),
        }
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.who.fmt(f)?;
        self.as_of.iter().try_for_each(|id| write!(f, "@{id}"))
    }
}

impl Display for LinkEnd {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            LinkEnd::Any => f.write_str("*"),
            LinkEnd::Clients => f.write_str("clients"),
            LinkEnd::Nodes(target) => target.fmt(f),
        }
    }
}

impl Display for LinkSpec {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.from, if self.both { "<->" } else { "->" }, self.to)
    }
}

/// A decimal number without needless zeros: `whole` and so many `parts` of `per_whole`.
fn decimal(f: &mut Formatter<'_>, whole: u64, parts: u64, per_whole: u64) -> fmt::Result {
    write!(f, "{whole}")?;
    if parts == 0 {
        return Ok(());
    }
    let digits = per_whole.ilog10() as usize;
    let fraction = format!("{parts:0digits$}");
    write!(f, ".{}", fraction.trim_end_matches('0'))
}

/// A length of time as files spell it: `2s`, `1.5s`, `500ms`.
pub(super) struct Time(pub(super) Duration);

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0.as_secs(), u64::from(self.0.subsec_nanos()));
        if seconds == 0 && nanos > 0 {
            decimal(f, nanos / 1_000_000, nanos % 1_000_000, 1_000_000)?;
            return f.write_str("ms");
        }
        decimal(f, seconds, nanos, 1_000_000_000)?;
        f.write_str("s")
    }
}

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Time(self.min).fmt(f)?;
        if self.max == self.min { Ok(()) } else { write!(f, "..{}", Time(self.max)) }
    }
}

impl Display for Share {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let percent = |f: &mut Formatter<'_>, ppm: u32| {
            decimal(f, u64::from(ppm / 10_000), u64::from(ppm % 10_000), 10_000)?;
            f.write_str("%")
        };
        percent(f, self.min_ppm)?;
        if self.max_ppm == self.min_ppm {
            return Ok(());
        }
        f.write_str("..")?;
        percent(f, self.max_ppm)
    }
}

impl Display for Bandwidth {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.bytes_per_s {
            bytes if bytes % (1 << 20) == 0 => write!(f, "{}MiB/s", bytes >> 20),
            bytes if bytes % (1 << 10) == 0 => write!(f, "{}KiB/s", bytes >> 10),
            bytes => write!(f, "{bytes}B/s"),
        }
    }
}
