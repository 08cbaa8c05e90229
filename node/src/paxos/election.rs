//! When to stand for leadership.
//!
//! FLP says that no rule can always succeed; the lectures' duel (p prepares, q prepares higher,
//! p higher still, ad infinitum) says that an obvious rule often doesn't. So the timeout is drawn
//! at random, drawn *again for every attempt* (drawn once, two survivors with the same number
//! would tie for ever), and grows with each attempt that failed.
//!
//! That is enough for a network that works. In one that works in part, whoever hears no leader deposes
//! one that all others hear; so by default a node asks before it stands (`replica/canvass.rs`).

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How a node chooses its election timeouts.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub enum ElectionMode {
    /// Drawn afresh for each attempt, with back-off; and a node stands only when a quorum would
    /// promise it its ballot, because they hear no leader either.
    #[default]
    PreVote,
    /// The same without asking first: the lectures' Multi-Paxos.
    Randomised,
    /// Always the minimum, on every node: shows the lectures' duel.
    Fixed,
}

/// The protocol's periods, in ticks of the caller's clock.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Timing {
    /// A leader that has nothing else to say sends a heartbeat this often.
    pub heartbeat_ticks: u64,
    /// A follower waits at least this long for its leader before it stands.
    pub election_ticks_min: u64,
    /// And at most this long, before back-off.
    pub election_ticks_max: u64,
    /// What has not been answered is sent again after this long.
    pub retransmit_ticks: u64,
}

impl Timing {
    /// How long a candidate that was granted its ballot, and a new leader, wait for a quorum's first answer:
    /// that takes a round trip, which on a slow network is longer than an election timeout. (Later
    /// answers follow each other as heartbeats do.)
    pub(crate) fn grace_ticks(self) -> u64 {
        4 * self.election_ticks_max
    }
}

impl Default for Timing {
    fn default() -> Timing {
        Timing { heartbeat_ticks: 2, election_ticks_min: 10, election_ticks_max: 20, retransmit_ticks: 10 }
    }
}

/// Back-off stops doubling after this many failed attempts: eight times the normal timeout keeps
/// a healed cluster from waiting for long.
const BACK_OFF_DOUBLINGS_MAX: u32 = 3;

#[derive(Debug)]
pub(crate) struct Election {
    mode: ElectionMode,
    timing: Timing,
    random: ChaCha8Rng,
    failed_attempts: u32,
    deadline: u64,
    /// When a leader, or a candidate that got this node's promise, was last heard.
    heard_at: Option<u64>,
}

impl Election {
    pub(crate) fn new(mode: ElectionMode, timing: Timing, seed: u64) -> Election {
        let random = ChaCha8Rng::seed_from_u64(seed);
        let mut election = Election { mode, timing, random, failed_attempts: 0, deadline: 0, heard_at: None };
        election.postpone(0);
        election
    }

    /// Time to stand?
    pub(crate) fn is_due(&self, now: u64) -> bool {
        now >= self.deadline
    }

    /// Whether to ask before standing.
    pub(crate) fn asks_first(&self) -> bool {
        self.mode == ElectionMode::PreVote
    }

    /// There is a leader: wait, and forget earlier failures.
    pub(crate) fn calm(&mut self, now: u64) {
        self.failed_attempts = 0;
        self.heard_at = Some(now);
        self.postpone(now);
    }

    /// Somebody stands and may succeed: wait.
    pub(crate) fn make_way(&mut self, now: u64) {
        self.heard_at = Some(now);
        self.postpone(now);
    }

    /// Whoever was heard last is known to be gone.
    pub(crate) fn forget_leader(&mut self) {
        self.heard_at = None;
    }

    /// Whether somebody who leads, or may soon, was heard within the shortest timeout.
    pub(crate) fn is_content(&self, now: u64) -> bool {
        self.heard_at.is_some_and(|at| now < at + self.timing.election_ticks_min)
    }

    /// An attempt starts; if it fails, the next one comes later. Whoever asked first knows that a quorum
    /// is there and will answer: it waits as a new leader does.
    pub(crate) fn attempt(&mut self, now: u64) {
        self.postpone(now);
        if self.asks_first() {
            self.deadline = self.deadline.max(now + self.timing.grace_ticks());
        }
        self.failed_attempts = self.failed_attempts.saturating_add(1);
    }

    /// Draws a new timeout without judging the last attempt.
    pub(crate) fn postpone(&mut self, now: u64) {
        let Timing { election_ticks_min: min, election_ticks_max: max, .. } = self.timing;
        let ticks = match self.mode {
            ElectionMode::Fixed => min,
            // The same draw again and again.
            ElectionMode::PreVote | ElectionMode::Randomised if crate::mutant!(TimeoutDrawnOnce) => {
                self.random.clone().random_range(min..=max)
            }
            ElectionMode::PreVote | ElectionMode::Randomised => {
                let spread = max << self.failed_attempts.min(BACK_OFF_DOUBLINGS_MAX);
                self.random.random_range(min..=spread.max(min))
            }
        };
        self.deadline = now + ticks;
    }
}
