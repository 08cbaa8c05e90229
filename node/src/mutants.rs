//! Deliberately broken builds: one rule of the protocol removed each, to prove that the bench
//! would notice.
//!
//! All of this is compiled only under the cargo feature `mutants`, into a target folder of its
//! own; a mutants build behaves like a normal one until `--mutant NAME` chooses a mutant. In a
//! normal build [`mutant!`](crate::mutant) is the constant `false` and nothing else remains.
//!
//! A mutant is ten lines at most, at one place: the one that asks `mutant!(Name)`. What it removes,
//! what exposes it, who should see it and which real system had it stands in `table.rs`, and
//! `paxos-node --list-mutants` prints that.

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
mod table;

#[cfg(feature = "mutants")]
pub use planted::{activate, is_active};
#[cfg(feature = "mutants")]
pub use table::Mutant;

/// What a thread is to do, with the rule removed there that is removed here: the log's threads go by the
/// same rules as the one that started them.
#[cfg(feature = "mutants")]
pub(crate) fn carried(work: impl FnOnce() + Send + 'static) -> impl FnOnce() + Send + 'static {
    let here = planted::active();
    move || {
        activate(here);
        work();
    }
}

/// What a thread is to do, as it is.
#[cfg(not(feature = "mutants"))]
pub(crate) fn carried(work: impl FnOnce() + Send + 'static) -> impl FnOnce() + Send + 'static {
    work
}

#[cfg(feature = "mutants")]
mod planted {
    use super::Mutant;
    use std::cell::Cell;
    use std::fmt::Write as _;

    thread_local! {
        /// The core runs on one thread, and tests run side by side: so per thread, not global.
        static ACTIVE: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Whether this thread runs with that rule removed.
    #[must_use]
    pub fn is_active(mutant: Mutant) -> bool {
        ACTIVE.get() == Some(mutant)
    }

    /// The rule removed on this thread.
    pub(super) fn active() -> Option<Mutant> {
        ACTIVE.get()
    }

    /// Removes a rule on this thread; `None` restores them all.
    pub fn activate(mutant: Option<Mutant>) {
        ACTIVE.set(mutant);
    }

    impl Mutant {
        /// The mutant of that name.
        #[must_use]
        pub fn by_name(name: &str) -> Option<Mutant> {
            Mutant::ALL.iter().copied().find(|mutant| mutant.name() == name)
        }

        /// All of them for programs: a line each, fields separated by tabs. Name, number, what is
        /// removed, what exposes it, what should see it, who had it.
        #[must_use]
        pub fn list() -> String {
            let mut lines = String::new();
            for mutant in Mutant::ALL {
                let (name, number, rule) = (mutant.name(), mutant.number(), mutant.rule());
                let (exposed_by, seen_by) = (mutant.exposed_by(), mutant.seen_by());
                let precedent = mutant.precedent();
                // Writing to a string does not fail.
                let _ = writeln!(lines, "{name}\t{number}\t{rule}\t{exposed_by}\t{seen_by}\t{precedent}");
            }
            lines
        }
    }
}
