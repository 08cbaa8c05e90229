//! frontier
mod abstraction;
mod burst;
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
