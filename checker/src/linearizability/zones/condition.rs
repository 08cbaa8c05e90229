//! The conditions under which the zones are a register's.

use crate::linearizability::condition::conditions;

conditions! {
    /// A value is written once: else this is for another engine.
    WrittenOnce,
    /// The initial value was written before all.
    InitialIsWritten,
    /// A read that did not end says nothing.
    LostReadSaysNothing,
    /// What replaces a value by itself is a read,
    SwapToItselfReads,
    /// and says nothing if it did not end.
    LostSwapToItselfSaysNothing,
    /// A value is needed only if an operation on it ended,
    NeededOnlyIfEnded,
    /// or if the compare-and-set that wrote a needed one found it.
    NeededByChain,
    /// A needed value has a writer,
    NeededIsWritten,
    /// and also where no value was ever compared.
    SeenIsWritten,
    /// One compare-and-set replaces a value.
    ReplacedOnce,
    /// A chain has a beginning.
    NoCycle,
    /// In a chain no writer ended before something on an earlier value began,
    WriterInOrder,
    /// and no read did, or before its writer began.
    ReadsInOrder,
    /// Two forward blocks do not meet.
    ForwardsApart,
    /// No backward block lies within a forward one.
    BackwardOutside,
    /// Of many keys each has its own initial value, which holds it back for as long as it was seen.
    InitialByKey,
    /// Whatever only says what was not there goes behind what ended before it,
    FitBehindEnded,
    /// before what began after it,
    FitBeforeBegun,
    /// behind others of its kind that ended before it,
    FitBehindHeld,
    /// and where the value is another.
    FitNotEqual,
    /// Reads that did not end are in no order.
    LostReadNotOrdered,
    /// An unread update that nobody knows of is in no order.
    UnneededNotOrdered,
    /// Writers come before the reads of their values.
    WriterBeforeReads,
    /// What is left of a history with some unique values has no others,
    RepeatedLeftOut,
    /// nor the initial one,
    InitialIsRepeated,
    /// what replaces a value by itself does not write it,
    SwapToItselfWritesNot,
    /// what replaced a repeated value writes,
    FromRepeatedWrites,
    /// and what was replaced by a repeated value is read.
    ToRepeatedReads,
    /// Only who ended has seen a value that nobody wrote.
    NeverWrittenByEnded,
}
