//! The director: repeatable, complete, bounded; what it begins it undoes.

mod mixes;
mod toy;
mod triggers;
