//! The conditions that the monitors are exact under: those of containers, of what goes up and down, of growing
//! sets and of counters.

use crate::linearizability::condition::conditions;

conditions! {
    /// A value is put in once: else this is for another engine.
    PutOnce,
    /// It is taken once.
    TakenOnce,
    /// What was taken twice before its put began is not judged by that it was taken twice.
    TakesOfUnknownEnd,
    /// What is seen was put in,
    SeenIsPut,
    /// not after it was seen,
    PutBeforeSeen,
    /// nor taken before.
    SeenBeforeTaken,
    /// Whatever nobody knows to be inside has no stay,
    UnseenHasNoStay,
    /// and what nobody took stays.
    UntakenStays,
    /// Values leave a queue in the order in which they came,
    QueueOrder,
    /// unless somebody may have taken them who did not tell.
    QueueTakerMayTake,
    /// Somebody must have, before the one that came later was taken,
    QueueTakersSuffice,
    /// and began before that.
    QueueTakerBegan,
    /// Whoever found a queue empty had a gap,
    QueueEmptyHasGap,
    /// by which enough takers had begun.
    QueueGapWithTakers,
    /// Whatever lies at the bottom of a stack was pushed before all above it,
    StackBottomIsFirst,
    /// and popped after them.
    StackBottomIsLast,
    /// Whoever found a container empty had a gap.
    EmptyHasGap,
    /// Nothing more urgent is inside when a value is seen,
    UrgentHasGap,
    /// from when its own put began,
    UrgentFromPut,
    /// to when its own take ended.
    UrgentToTake,
    /// Takers that did not tell may have taken what nobody took.
    TakerMayTake,
    /// A level has a limit,
    LevelAtMost,
    /// and is none below zero.
    LevelAtLeast,
    /// Of operations that move a level the one that ends first does,
    LevelByEnd,
    /// and who sees a level is content once it is reached.
    LevelSeen,
    /// A look at one of several levels is for the search.
    LevelLooksOfOne,
    /// What a read of a set shows was added,
    SetSeenIsAdded,
    /// and is shown once.
    SetShownOnce,
    /// An element is added once: else this is for another engine.
    SetAddedOnce,
    /// Reads of a set include one another.
    SetReadsNest,
    /// Adds come before the reads that show them,
    SetAddsFirst,
    /// and what ended before something began comes before it.
    SetInTime,
    /// The smallest read that shows an element says when it came.
    SetSmallestShows,
    /// A counter that may have gone round is bounded by nothing.
    CounterDoesNotWrap,
    /// What was certainly added has ended when the read began,
    CounterCertainIsOver,
    /// and did not begin before the other read had ended.
    CounterCertainIsNew,
    /// What may have been added has not ended when the other read began.
    CounterPossible,
}
