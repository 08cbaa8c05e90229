//! From a verdict of *invalid* to something that a person understands.

pub mod html;
pub mod witness;

pub(crate) mod append;
pub(crate) mod counter;
pub(crate) mod frontier;
pub(crate) mod minimise;
pub(crate) mod order;
pub(crate) mod register;
pub(crate) mod set;
mod since;
pub(crate) mod timeline;
pub(crate) mod words;
