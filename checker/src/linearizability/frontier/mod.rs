//! frontier
mod abstraction;
mod burst;
mod config;
mod drive;
mod layer;
mod mask;
mod open;
mod plan;
mod run;
#[cfg(test)]
mod tests;

pub(crate) use drive::{Answer, decide};
