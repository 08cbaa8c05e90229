//! The crate from outside, as recorders and workloads use it.

mod brute_force;
mod budget;
mod engines_agree;
mod jsonl;
mod models;
mod recorded_histories;
mod simulate;
mod verdicts;
mod well_formed;
mod witness;
