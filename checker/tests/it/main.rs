//! The crate from outside, as recorders and workloads use it.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod brute_force;
mod budget;
mod engines_agree;
mod explained;
mod formats;
mod fuzz;
mod history;
mod html;
mod invariants;
mod jsonl;
mod models;
mod objects;
mod online;
mod planted;
mod simulate;
mod simulated;
mod transactions;
mod values;
mod verdicts;
mod well_formed;
mod witness;
