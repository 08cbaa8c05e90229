//! What is done: single faults, random ones, and their parts.

use super::{Bandwidth, LinkSpec, Share, Span, Target, Trigger};
use std::time::Duration;

/// Something to do, once or again and again.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Unique in its schedule; what triggers and targets of other faults refer to.
    pub id: String,
    /// When.
    pub start: Start,
    /// How often at most; `None`: as often as it comes to it.
    pub times_max: Option<u32>,
    /// What.
    pub body: Body,
    /// Whether the quorum is to be spared.
    pub guard: Guard,
    /// Whether it must have bitten for the run to count.
    pub required: bool,
}

/// When a fault comes.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// So long after the phase began, once.
    At(Span),
    /// So long after the phase began, and again so long after each time it was undone.
    Every(Span),
    /// When something happens; again each time if it may come more than once.
    When(Trigger),
}

/// The steps of one fault. Targets are bound once, when the first step is done, so that `leader` is
/// the same node in all of them; all are undone together, the last first.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// At least one.
    pub steps: Vec<Step>,
    /// From the last step to the undoing.
    pub lasts: Lasts,
}

/// How long a fault lasts.
#[derive(Clone, Debug, PartialEq)]
pub enum Lasts {
    /// So long.
    For(Span),
    /// Until something happens.
    Until(Trigger),
    /// Until the phase ends.
    Phase,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// After the step before it, or after the fault came.
    pub after: Span,
    /// What is done.
    pub action: ActionSpec,
}

/// What is done, before its targets are bound.
#[derive(Clone, Debug, PartialEq)]
pub enum ActionSpec {
    /// SIGKILL; undone by a restart on the same data. With target `each`: one node after the other,
    /// each as long as the fault lasts, the next when the one before is back.
    Kill(Target),
    /// SIGKILL and the data folder removed; undone by a start with an empty disk. What was durable is
    /// lost, so safety can't be demanded any more.
    Wipe(Target),
    /// SIGSTOP; undone by SIGCONT.
    Pause(Target),
    /// Links cut in this shape; undone by mending them.
    Partition(Shape),
    /// Links misbehave; undone by letting them behave.
    Link(Vec<LinkSpec>, LinkEffect),
    /// Connections on these links are reset, once; there is nothing to undo.
    Reset(Vec<LinkSpec>),
    /// All links are cut one after the other in a random order, then mended one after the other in
    /// another, both within the fault's time (FoundationDB's swizzle-clogging).
    Swizzle(Target),
}

impl ActionSpec {
    /// Lets `change` change every target that it names.
    pub fn targets_mut(&mut self, change: &mut dyn FnMut(&mut Target)) {
        match self {
            ActionSpec::Kill(target)
            | ActionSpec::Wipe(target)
            | ActionSpec::Pause(target)
            | ActionSpec::Swizzle(target) => change(target),
            ActionSpec::Partition(shape) => match shape {
                Shape::Halves | Shape::MajoritiesRing => {}
                Shape::Isolate(target)
                | Shape::OneWay(target, _)
                | Shape::Bridge(target)
                | Shape::Chain(target)
                | Shape::QuorumLoss(target)
                | Shape::Clients(target) => change(target),
            },
            ActionSpec::Link(on, _) | ActionSpec::Reset(on) => {
                for end in on.iter_mut().flat_map(|spec| [&mut spec.from, &mut spec.to]) {
                    if let super::LinkEnd::Nodes(target) = end {
                        change(target);
                    }
                }
            }
        }
    }
}

/// The shape of a partition between nodes; clients are not concerned unless it says so.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Two groups of (nearly) equal size, at random.
    Halves,
    /// These neither hear nor are heard by the others (but each other).
    Isolate(Target),
    /// These are heard by the others but hear nothing, or the other way round.
    OneWay(Target, Way),
    /// Two groups that both reach this node, but not each other.
    Bridge(Target),
    /// Each node reaches a majority, no two the same.
    MajoritiesRing,
    /// Each node reaches only its neighbours in a line; the target stands at its end.
    Chain(Target),
    /// No node reaches a majority, but for this one, which all reach: only it can lead.
    QuorumLoss(Target),
    /// Clients don't reach these; the nodes do.
    Clients(Target),
}

/// Which direction of a one-way partition is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// What comes in: it is deaf.
    In,
    /// What goes out: it is mute.
    Out,
    /// One of the two, at random.
    #[default]
    Either,
}

/// How links misbehave; everything that is given applies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkEffect {
    /// Nothing passes. TCP-legal.
    pub cut: bool,
    /// Every frame is so late. TCP-legal.
    pub delay: Option<Span>,
    /// And up to that much later, each frame drawn for itself; order is kept. TCP-legal.
    pub jitter: Option<Span>,
    /// At most so much passes. TCP-legal.
    pub bandwidth: Option<Bandwidth>,
    /// The peer's closing and its answers are swallowed while the connection seems to stand: one end
    /// lives on alone. TCP-legal.
    pub half_open: bool,
    /// Frames are kept, and let go when the fault is undone, even if both connections have ended by
    /// then. Message-lossy.
    pub hold: bool,
    /// Frames vanish. Message-lossy.
    pub drop: Share,
    /// Frames come twice. Message-lossy.
    pub duplicate: Share,
    /// Frames are overtaken. Message-lossy.
    pub reorder: Share,
    /// A byte of the frame is damaged, never its length. Message-lossy.
    pub corrupt: Share,
    /// Only frames of these kinds (`Accept`, `Prepare`, …); empty: all. Not for `cut`, `bandwidth`
    /// and `half_open`, which concern streams.
    pub messages: Vec<String>,
}

/// Whether a fault may take the quorum away: reckoned from the nodes that run and hear each other
/// when it comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guard {
    /// It may.
    #[default]
    Any,
    /// It is skipped if it would.
    KeepQuorum,
    /// It is skipped unless it does.
    BreakQuorum,
}

/// Faults drawn by weight. What is required and has not bitten yet is drawn first.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// Unique in its schedule.
    pub id: String,
    /// Calm after each fault.
    pub gap: Span,
    /// How many may be active at a time.
    pub overlap: u32,
    /// Every so long (the second), the first without any fault of this mix: a cluster must be able
    /// to recover, or only dead ones are tested.
    pub calm: Option<(Duration, Duration)>,
    /// Each run uses a random subset of the choices that are not required.
    pub swarm: bool,
    /// Holds for every choice.
    pub guard: Guard,
    /// How much longer than its phase it may go on while something required has not bitten. Lengths
    /// and gaps shrink before that, until all that is owed fits.
    pub extend: Duration,
    /// At least one.
    pub choices: Vec<Choice>,
}

/// One fault that a mix may draw.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Unique in its schedule.
    pub id: String,
    /// How often in proportion to the others; zero: only if required.
    pub weight: u32,
    /// What; its length is never [`super::Lasts::Phase`].
    pub body: Body,
    /// Whether it must have bitten for the run to count.
    pub required: bool,
}
