//! The conditions that the frontier's shortcuts are sound or complete under, by name, so that the tests
//! can drop one and see that it is missed.

/// A condition that a test can drop. Elsewhere none ever is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// A read goes before the current block only if it began before that did.
    ReadBeforeBegan,
    /// So does the operation that ends,
    EndBeforeBegan,
    /// the head of a block,
    HeadBeforeBegan,
    /// a compare-and-set,
    CasBeforeBegan,
    /// and an operation of unknown outcome.
    UnknownBeforeBegan,
    /// A hidden write shows itself if an open read that could not go before sees it.
    HiddenPleasesMore,
    /// A value is wanted while an open compare-and-set expects it,
    WantedByCas,
    /// or one of unknown outcome does,
    WantedByUnknownCas,
    /// or something begins that needs it,
    WantedLater,
    /// or that needs it not to be another.
    WantedByNotEqual,
    /// What may be left out does not stand in for what may not.
    OptionalIsNotEqual,
    /// What may be left out may still be placed at its end.
    OptionalAtEnd,
    /// A covering configuration has no operation to place that the other need not,
    CoverFresh,
    /// the same compare-and-sets placed,
    CoverCas,
    /// no write placed that the other may still use,
    CoverWrites,
    /// all reads placed that the other has,
    CoverReads,
    /// and no more operations of unknown outcome used.
    CoverUsed,
    /// An unknown operation runs in circles only if nothing comes of it.
    IdleOnlyIfUseless,
    /// A frontier that was cut proves nothing.
    CutProvesNothing,
    /// A window begins with every value that is wanted.
    AnyValueInWindow,
    /// An abstraction tells a failed compare-and-set only of a value told apart.
    AbstractNotEqual,
}

impl Condition {
    #[cfg(test)]
    pub(super) const ALL: [Condition; 21] = [
        Condition::ReadBeforeBegan,
        Condition::EndBeforeBegan,
        Condition::HeadBeforeBegan,
        Condition::CasBeforeBegan,
        Condition::UnknownBeforeBegan,
        Condition::HiddenPleasesMore,
        Condition::WantedByCas,
        Condition::WantedByUnknownCas,
        Condition::WantedLater,
        Condition::WantedByNotEqual,
        Condition::OptionalIsNotEqual,
        Condition::OptionalAtEnd,
        Condition::CoverFresh,
        Condition::CoverCas,
        Condition::CoverWrites,
        Condition::CoverReads,
        Condition::CoverUsed,
        Condition::IdleOnlyIfUseless,
        Condition::CutProvesNothing,
        Condition::AnyValueInWindow,
        Condition::AbstractNotEqual,
    ];
}

/// Whether a condition counts.
#[cfg(not(test))]
pub(super) const fn holds(_: Condition) -> bool {
    true
}

#[cfg(test)]
pub(super) use dropped::{holds, without};

#[cfg(test)]
mod dropped {
    use std::cell::Cell;

    use super::Condition;

    thread_local! {
        static DROPPED: Cell<Option<Condition>> = const { Cell::new(None) };
    }

    pub(in super::super) fn holds(condition: Condition) -> bool {
        DROPPED.get() != Some(condition)
    }

    /// Runs something with a condition dropped.
    pub(in super::super) fn without<T>(condition: Condition, run: impl FnOnce() -> T) -> T {
        DROPPED.set(Some(condition));
        let result = run();
        DROPPED.set(None);
        result
    }
}
