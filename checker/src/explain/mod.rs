//! From a verdict of *invalid* to something that a person understands.

pub mod witness;
