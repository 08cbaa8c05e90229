//! The conditions that an engine is sound or complete under, by name, so that tests can drop one after the other
//! and see that each is missed.
//!
//! An engine lists its own with [`conditions`] and asks [`holds`] where it relies on one. Only in tests can that
//! be false: elsewhere it is a constant, and nothing of it is left in the code.

/// Lists the conditions of an engine.
macro_rules! conditions {
    ($($(#[$doc:meta])* $condition:ident,)+) => {
        /// A condition that a test can drop. Elsewhere none ever is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(in crate::linearizability) enum Condition {
            $($(#[$doc])* $condition,)+
        }

        #[cfg(test)]
        impl crate::linearizability::condition::Listed for Condition {
            const ALL: &'static [Self] = &[$(Condition::$condition,)+];

            fn number(self) -> usize {
                self as usize
            }
        }
    };
}

pub(super) use conditions;

/// Whether a condition counts.
#[cfg(not(test))]
#[inline(always)]
pub(super) const fn holds<C: Copy>(_: C) -> bool {
    true
}

#[cfg(test)]
pub(super) use dropped::{Listed, holds, idle};

#[cfg(test)]
mod dropped {
    use std::any::TypeId;
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Conditions of one engine.
    pub(in super::super) trait Listed: Copy + std::fmt::Debug + 'static {
        const ALL: &'static [Self];

        fn number(self) -> usize;
    }

    thread_local! {
        /// Whose condition is dropped, and which.
        static DROPPED: Cell<Option<(TypeId, usize)>> = const { Cell::new(None) };
    }

    fn name<C: Listed>(condition: C) -> (TypeId, usize) {
        (TypeId::of::<C>(), condition.number())
    }

    pub(in super::super) fn holds<C: Listed>(condition: C) -> bool {
        DROPPED.get() != Some(name(condition))
    }

    /// Runs something with a condition dropped. Nothing if it panics: engines assert what they rely on.
    fn without<C: Listed, T>(condition: C, run: impl FnOnce() -> T) -> Option<T> {
        DROPPED.set(Some(name(condition)));
        let result = catch_unwind(AssertUnwindSafe(run));
        DROPPED.set(None);
        result.ok()
    }

    /// The conditions without which the engine is right about all of these seeds all the same. A case is a
    /// history with what is to be said of it.
    pub(in super::super) fn idle<C: Listed, T: std::fmt::Debug>(
        seeds: u64,
        case: impl Fn(u64) -> T,
        is_right: impl Fn(&T) -> bool,
    ) -> Vec<C> {
        let mut idle = C::ALL.to_vec();
        for seed in 0..seeds {
            if idle.is_empty() {
                break;
            }
            let case = case(seed);
            assert!(is_right(&case), "seed {seed}: wrong with every condition: {case:#?}");
            idle.retain(|condition| without(*condition, || is_right(&case)) == Some(true));
        }
        idle
    }
}
