//! Leases: reads from the leader's own state without asking anybody, paid for with trust in clocks.
//!
//! A follower that answers a heartbeat may add a *grant*: for a term, by its own clock, it makes no
//! promise to anybody but that leader. While a quorum's grants last nobody else can finish phase 1, so
//! nothing is chosen that the leader does not know, and its state may be read as it is.
//!
//! # Who measures what from when
//! The leader counts the term from a moment before the heartbeat left, the follower from a moment after
//! it came in and before its answer leaves: whatever the network does, the follower's term ends later.
//! As long as clocks run alike. They don't quite, so the leader uses its lease for less than the term:
//! if each clock runs at a rate between 1 − d and 1 + d of true time, a term T that a fast clock counts
//! lasts T / (1 + d), of which a slow clock counts T · (1 − d) / (1 + d). That d is the bound that whoever
//! turns leases on vouches for; a clock beyond it can make a read stale. What time it is does not matter,
//! nor does a jump of the wall clock: the clock wanted is one that only measures, and goes on while
//! the machine sleeps.
//!
//! # When the clock is read
//! The caller says what time it is when it asks for [`effects`](super::Replica::effects), that is after all
//! its input. So the lease is looked at later than any question that is answered by it, and at the same
//! moment the state is read: a process that is frozen before that finds its lease gone, and one that is
//! frozen after it answers late what was true when it was asked.
//!
//! # What a crash forgets
//! A grant is not written down. Instead a node that grants leases makes no promise for a term after
//! it has started. (A grant of the leader to itself needs no memory: with the process the lease is gone.)
//! Hence turning leases off is two steps: first nobody uses them any more, then nobody grants any.

use super::NodeId;

/// A moment by one node's clock, in microseconds since whenever. Means nothing to another node, nor to
/// the same one after a crash.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Debug, Default)]
pub struct LocalTime(pub u64);

/// What a node grants.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct LeaseTerms {
    /// How long, in microseconds of its clock; 0: it grants nothing. The same on all nodes.
    pub term_us: u64,
    /// How much faster or slower than true time any node's clock may run, in millionths.
    pub drift_ppm: u32,
}

impl LeaseTerms {
    /// No leases.
    pub const NONE: LeaseTerms = LeaseTerms { term_us: 0, drift_ppm: 0 };

    /// For how much of a term the one who holds it may use it.
    #[must_use]
    pub fn usable_us(self) -> u64 {
        const MILLION: u128 = 1_000_000;
        if crate::mutant!(LeaseNoClockBound) {
            return self.term_us;
        }
        let drift = u128::from(self.drift_ppm).min(MILLION);
        let usable = u128::from(self.term_us) * (MILLION - drift) / (MILLION + drift);
        u64::try_from(usable).expect("not more than the term")
    }
}

/// What a node has granted.
#[derive(Debug)]
pub(crate) struct Grant {
    term_us: u64,
    /// To whom; `None`: an earlier life may have granted it to anybody.
    to: Option<NodeId>,
    lasts: Lasts,
}

#[derive(Copy, Clone, Eq, PartialEq, Debug)]
enum Lasts {
    /// Nothing is granted.
    Over,
    /// Granted in this turn: the term runs from its end.
    FromNow,
    Until(LocalTime),
}

impl Grant {
    /// What a node is bound by that has just started.
    pub(crate) fn new(terms: LeaseTerms) -> Grant {
        let lasts = if terms.term_us == 0 { Lasts::Over } else { Lasts::FromNow };
        Grant { term_us: terms.term_us, to: None, lasts }
    }

    /// Grants a term to the leader; says how long that is, 0 if this node grants none.
    pub(crate) fn grant(&mut self, to: NodeId) -> u64 {
        if self.term_us > 0 {
            self.to = Some(to);
            self.lasts = Lasts::FromNow;
        }
        self.term_us
    }

    /// Whether a promise to that node would break what was granted.
    pub(crate) fn denies(&self, candidate: NodeId) -> bool {
        self.lasts != Lasts::Over && self.to != Some(candidate)
    }

    /// It is so late, at the end of a turn.
    pub(crate) fn turn_ends(&mut self, now: LocalTime) {
        match self.lasts {
            Lasts::FromNow => self.lasts = Lasts::Until(LocalTime(now.0.saturating_add(self.term_us))),
            Lasts::Until(end) if end <= now => self.lasts = Lasts::Over,
            Lasts::Until(_) | Lasts::Over => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: LeaseTerms = LeaseTerms { term_us: 100_000, drift_ppm: 10_000 };

    #[test]
    fn a_slow_clock_stops_before_a_fast_one_ends() {
        for drift_ppm in [0, 1, 10_000, 300_000, 999_999, 1_000_000, u32::MAX] {
            let terms = LeaseTerms { drift_ppm, ..TERMS };
            // In true time, multiplied out: term / (1 + d) ≥ usable / (1 − d).
            let drift = u128::from(drift_ppm).min(1_000_000);
            let (granted, used) = (u128::from(terms.term_us), u128::from(terms.usable_us()));
            assert!(granted * (1_000_000 - drift) >= used * (1_000_000 + drift), "{drift_ppm}");
        }
        assert_eq!(LeaseTerms { drift_ppm: 0, ..TERMS }.usable_us(), 100_000);
        assert_eq!(TERMS.usable_us(), 98_019);
    }

    #[test]
    fn a_grant_lasts_a_term_from_the_end_of_its_turn() {
        let mut grant = Grant::new(TERMS);
        grant.turn_ends(LocalTime(7));
        grant.turn_ends(LocalTime(100_006));
        assert!(grant.denies(NodeId(1)) && grant.denies(NodeId(2)), "an earlier life may have granted");
        grant.turn_ends(LocalTime(100_007));
        assert!(!grant.denies(NodeId(1)));

        assert_eq!(grant.grant(NodeId(1)), 100_000);
        assert!(grant.denies(NodeId(2)) && !grant.denies(NodeId(1)));
        grant.turn_ends(LocalTime(200_000));
        grant.turn_ends(LocalTime(299_999));
        assert!(grant.denies(NodeId(2)));
        grant.turn_ends(LocalTime(300_000));
        assert!(!grant.denies(NodeId(2)));
    }

    #[test]
    fn who_grants_nothing_is_bound_by_nothing() {
        let mut grant = Grant::new(LeaseTerms::NONE);
        assert!(!grant.denies(NodeId(1)));
        assert_eq!(grant.grant(NodeId(1)), 0);
        assert!(!grant.denies(NodeId(2)));
    }
}
