//! One register whose values repeat: exact, and quick where trying orders is hopeless.
//!
//! A frontier of *configurations* goes through the events of the history in order. A configuration says
//! what matters of one way to order what has happened so far; when an operation ends, each becomes all
//! that it can become with that operation placed (Lowe's just-in-time linearization, 2017: nothing is
//! placed before an end calls for it). If none is left, the history became impossible at that end, and no
//! earlier; if some are left in the end, it is valid. What keeps the frontier small is what a
//! configuration is.
//!
//! # Blocks
//!
//! Cut an order of a register in front of each blind write (a write, not a compare-and-set). Each piece, a
//! **block**, is a write, reads of it, a compare-and-set from it, reads of that, and so on. What happens in
//! a block does not depend on the block before. So a block of which nothing has been placed may go to just
//! before any later block, as far as the intervals of its operations allow. A configuration has one
//! **current** block, the last one, known up to its current value `state`. It began at the end of an
//! operation (nothing earlier called for it), and everything still open that had begun by then may yet be
//! placed *before* it, in a block of its own. What began later is **fresh**: it can only go into the
//! current block, or end it. So when an operation ends that is not placed, these are all the ways:
//!
//! * **Extend** the current block by compare-and-sets until the operation fits.
//! * **Leave** the current block, by as many compare-and-sets as may still go into it, for a new one that
//!   a blind write begins and that leads to the operation. Nothing is fresh then.
//! * **Before**: if nothing of it is fresh, put a whole block before the current one, which goes on.
//!
//! Why these are all: take any order, and let the search follow it. What it places goes where the order
//! has it, and blocks between the current one and the new one can wait: they are not begun, none of
//! their operations has ended, and when one of them ends it was open when the new block began and is
//! not fresh. And each way is an order: what goes before the current block began before it and is open now,
//! so it was open at the moment when the block began.
//!
//! # Rules
//!
//! Each rule has conditions, and each condition a name in [`condition`]; a test drops them one by one.
//!
//! * **R1, reads are placed at once** when the value they saw is there: they change nothing, and one
//!   that is placed asks for nothing more. So are failed compare-and-sets, at any other value. In a block
//!   before the current one only reads that are not fresh.
//! * **R2, hidden writes wait.** A write that nobody sees is a block of its own. At its end, if it is not
//!   fresh, it goes before the current block and changes nothing. Only if its value can be of use to
//!   somebody now is it also tried as a new block.
//! * **R3, only useful blocks.** A block is begun only on the way to the operation that ends. (Other blocks
//!   that a burst could visit on the way are put before it later, when one of their operations ends.)
//! * **R4, the one that ends first.** Of writes of one value, and of equal compare-and-sets, the one
//!   that ends first is placed, x, and not y: an order that has them the other way round can have them
//!   exchanged. That needs y to have begun where x is in that order. It has, but if x is in a block before
//!   the current one and y, in the current one, is fresh. Then exchange what follows them in their
//!   blocks too: x and what came after y end the current block, and x's block, now with y, follows as a
//!   new one. Those of unknown outcome never end, so they come last.
//! * **R5, unknown operations by class.** Equal ones are counted. Before the current block may go as many
//!   as had begun when it did (`known`). Those whose value nobody needs are dropped; a run of them that
//!   places no read and leads to no completed compare-and-set never visits a value twice.
//! * **R6, dead values.** The current block ends at the latest when a write ends that is fresh, or that is
//!   yet to begin: it must go behind. If nothing open, and nothing that begins before that moment, can
//!   go on from `state`, the value is `DEAD`. A new block may then begin at any time at no cost, so
//!   nothing is fresh. An online checker, which can't look ahead, has every value wanted.
//! * **R7, covering.** Of two configurations with the same value and the same compare-and-sets placed, one
//!   covers the other if it has placed all reads that the other has, no write that the other can still
//!   use, no more unknown operations of any class, and if nothing is fresh in it that is not in the
//!   other: all that the other can become, it can become. Any value covers a dead one.
//!
//! # When the frontier is too wide
//!
//! It is cut to a few configurations that look best, and lost operations are placed only where nothing
//! is left without. To get to the end so proves that the history is valid. To die proves nothing; but
//! then the deepest end so far is under suspicion, and ever more effort goes into both answers:
//!
//! * **Again**: back to a mark before it, and wider.
//! * **From anywhere**: a frontier begun a little before it that holds everything that could be there. If it
//!   dies, uncut, so does the real one, whatever went before: proofs are as short as their reason.
//! * **[Abstraction](abstraction)**: the whole history, told by a few values. It sees how often an
//!   operation of unknown outcome is needed, over any distance.
//!
//! Everything is counted in steps, never by the clock, so the same history gets the same answer by the
//! same way, unless a limit of the [`Meter`](crate::budget::Meter) ends it: then it is undecided.
//!
//! [`order`] gives the order of a valid history, [`core`](self::core()) the smallest reason of an invalid one.

mod abstraction;
mod burst;
mod condition;
mod config;
mod core;
mod drive;
mod layer;
mod mask;
mod open;
mod order;
mod plan;
mod run;
#[cfg(test)]
mod tests;

pub(crate) use self::core::{Core, core};
pub(crate) use drive::{Answer, decide};
pub(crate) use order::order;
