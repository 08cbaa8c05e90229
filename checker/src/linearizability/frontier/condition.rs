//! The conditions that the frontier's shortcuts are sound or complete under.

use crate::linearizability::condition::conditions;

conditions! {
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
