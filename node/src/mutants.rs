//! Deliberately broken builds: one rule of the protocol removed each, to prove that the bench
//! would notice.
//!
//! All of this is compiled only under the cargo feature `mutants`, into a target folder of its
//! own; a mutants build behaves like a normal one until `--mutant NAME` chooses a mutant. In a
//! normal build [`mutant!`](crate::mutant) is the constant `false` and nothing else remains.

/// `mutant!(Name)`: is this the build, and the run, in which that rule is removed?
#[macro_export]
#[cfg(feature = "mutants")]
macro_rules! mutant {
    ($name:ident) => {
        $crate::mutants::is_active($crate::mutants::Mutant::$name)
    };
}

/// `mutant!(Name)`: always `false` in a normal build.
#[macro_export]
#[cfg(not(feature = "mutants"))]
macro_rules! mutant {
    ($name:ident) => {
        false
    };
}

#[cfg(feature = "mutants")]
pub use planted::{Mutant, activate, is_active};

#[cfg(feature = "mutants")]
mod planted {
    use std::cell::Cell;

    thread_local! {
        /// The core runs on one thread, and tests run side by side: so per thread, not global.
        static ACTIVE: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Whether this thread runs with that rule removed.
    #[must_use]
    pub fn is_active(mutant: Mutant) -> bool {
        ACTIVE.get() == Some(mutant)
    }

    /// Removes a rule on this thread; `None` restores them all.
    pub fn activate(mutant: Option<Mutant>) {
        ACTIVE.set(mutant);
    }

    macro_rules! mutants {
        ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
            /// A rule removed. Numbers in brackets are precedents: the same bug in real systems.
            #[derive(Copy, Clone, Eq, PartialEq, Debug)]
            pub enum Mutant {
                $($(#[doc = $doc])+ $name,)+
            }

            impl Mutant {
                /// Every mutant.
                pub const ALL: &'static [Mutant] = &[$(Mutant::$name,)+];

                /// The name on the command line.
                #[must_use]
                pub fn name(self) -> &'static str {
                    match self { $(Mutant::$name => $text,)+ }
                }

                /// The mutant of that name.
                #[must_use]
                pub fn by_name(name: &str) -> Option<Mutant> {
                    Mutant::ALL.iter().copied().find(|mutant| mutant.name() == name)
                }

                /// What is removed, in words.
                #[must_use]
                pub fn rule(self) -> &'static str {
                    match self { $(Mutant::$name => concat!($($doc, " ",)+).trim_ascii(),)+ }
                }
            }
        };
    }

    mutants! {
        /// The client is answered after the leader's own accept, before a quorum has accepted.
        /// Exposed by killing the leader.
        ReplyOnAccept = "reply-on-accept",
        /// A new leader ignores the values that acceptors report in phase 1.
        /// Exposed by killing a leader with operations in flight.
        Phase1OwnValue = "phase1-own-value",
        /// A reported value is replaced by a no-op unless a majority reported it.
        /// Exposed by killing the leader right after a value was chosen.
        NoopOverwritesAccepted = "noop-overwrites-accepted",
        /// A quorum is half of the nodes, not more than half.
        /// Exposed by a partition into halves (paxos-rs had 2 of 4 and 3 of 6).
        MajorityOffByOne = "majority-off-by-one",
        /// The leader answers reads from its own state without asking a quorum.
        /// Exposed by cutting off or freezing the leader.
        ReadWithoutQuorum = "read-without-quorum",
        /// A follower answers reads from its own state.
        /// Exposed by any lag (etcd before 2014).
        FollowerReadLocal = "follower-read-local",
        /// A deposed leader tells the clients of proposed operations that they failed.
        /// Exposed by cutting off or freezing the leader (Redis-Raft's aborted reads).
        DefiniteErrorForInFlight = "definite-error-for-in-flight",
        /// A retried request is executed again.
        /// Exposed by a leader that dies between choosing and answering, and a client that retries.
        DuplicateApply = "duplicate-apply",
    }
}
