//! The conditions that the search's shortcuts are sound or complete under.

use crate::linearizability::condition::conditions;

conditions! {
    /// A pure operation is placed early only where it fits.
    PureWhereItFits,
    /// Of equal operations the one that ends first is tried.
    EqualByEnd,
    /// An operation of unknown outcome goes only before an end that comes after its start,
    UnknownBegan,
    /// and once.
    UnknownOnce,
    /// What was tried is told apart by what of unknown outcome was placed,
    ToldApartByUsed,
    /// and by what is open and placed.
    ToldApartByMask,
    /// Of two that are compared none has placed another update,
    ComparedAlike,
    /// and what one leads to has placed all pure ones that the other has.
    LeadsToNoLess,
    /// What an operation of unknown outcome needs may be needed,
    NeededByUnknown,
    /// also by those that make nothing.
    NeededByMakerless,
    /// As long as it is open an operation may have happened,
    MayHaveHappened,
    /// once it has ended it does not count as one that may,
    EndedIsKnown,
    /// and if it did not happen, what rests on it is undone.
    FailedIsUndone,
    /// What began earlier may have been placed earlier.
    BackToItsStart,
    /// What is open when a front is made has its place there.
    OpenIsCompleted,
}
