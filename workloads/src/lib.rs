//! What to ask of a system under test, and which models judge its answers.
//!
//! A [`Workload`] is a [`Generator`] (seed and context in, next operation out) with the
//! [`Check`] that judges the history it leads to. It is pure: it opens nothing, waits for nothing
//! and reads no clock; the same seed and the same calls give the same operations. Values are
//! unique, across keys too, so that the checker's fast engines apply and a value that turns up
//! where it was never written is recognised at once.
//!
//! ```
//! use workloads::{Context, Next, Options, by_name};
//!
//! let mut workload = by_name("cas-register", &Options::default())?;
//! let Next::Invoke(first) = workload.generator.next(&Context { time_ns: 0, process: 0 }) else {
//!     panic!("there is always something to ask at the start");
//! };
//! assert!(["read", "write", "cas"].contains(&first.f));
//! assert_eq!(workload.generator.final_reads().len(), 1);
//! # Ok::<(), workloads::UnknownWorkload>(())
//! ```
//!
//! # Functions
//!
//! A system under test is asked these, each to happen at one moment between question and answer:
//!
//! | f | value | does | an ok carries |
//! |---|---|---|---|
//! | `read` | nil | looks at a key: a value, a list, a number | what is there, nil if nothing |
//! | `read` | {part: nil, …} | looks at several parts of a key | {part: number, …}, nil where nothing is |
//! | `write` | v | gives the key a value | v |
//! | `cas` | [old, new] | gives it `new`, or fails if it does not hold `old` | [old, new] |
//! | `append`, `add` | v | puts v at the end of a list; into a set | v |
//! | `txn` | [[f, k, v], …] | `append`, `w` and `r` of several parts of a key, or of several keys if the operation has none, together | the same, what was read filled in |
//! | `open` | {account: amount, …} | puts money into each account | the same |
//! | `transfer` | {from, to, amount} | moves it from one account of the key to another | the same |
//! | `enqueue` | v | puts v at the end of a queue | v |
//! | `dequeue` | nil | takes the first element out | the element, nil if there is none |
//! | `increment` | n | adds to a number, 0 at first | n |
//! | `inc`, `generate` | nil | adds 1 to a number, 0 at first | the new number |
//! | `acquire` | owner | takes a lock if it is free | true, or false if somebody has it |
//! | `release` | owner | frees it, or fails if the owner does not have it | owner |
//!
//! `generator` holds the trait and what generators are made of, `rotation` the keys that come and go,
//! `transactions` what spans several of them; then one file per workload.

mod generator;
mod rotation;
mod transactions;

mod append;
mod bank;
mod cas_register;
mod counter;
mod list_append;
mod lock;
mod long_fork;
mod monotonic;
mod queue;
mod rw_register;
mod set;
mod unique_ids;

pub use generator::{Context, Generator, Invocation, Limit, Next};

use checker::Check;
use std::fmt;

/// What to ask, and who judges the answers.
pub struct Workload {
    /// As [`by_name`] knows it.
    pub name: &'static str,
    /// What a valid verdict says about the system, in one sentence.
    pub proves: &'static str,
    /// After how many operations a key retires and a fresh one takes its place.
    pub ops_per_key: u64,
    /// What to ask while faults come and go; it never ends on its own. Its
    /// [`final_reads`](Generator::final_reads) are to be asked once the faults are healed.
    pub generator: Box<dyn Generator>,
    /// Judges the whole history, final reads included.
    pub check: Box<dyn Check>,
}

/// What a user may choose.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Options {
    /// Everything random comes from it.
    pub seed: u64,
    /// How many processes will ask at a time.
    pub processes: u64,
    /// How many keys are in use at a time; fewer if there are not two processes for each, since a
    /// key that only one process uses sees no race.
    pub keys: u64,
    /// After how many operations a key retires; `None`: the workload's own choice.
    pub ops_per_key: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Options { seed: 0, processes: 10, keys: 5, ops_per_key: None }
    }
}

/// What there is to know about a workload before one is made.
struct Kind {
    name: &'static str,
    proves: &'static str,
    ops_per_key: u64,
    generator: fn(&rotation::Shape) -> Box<dyn Generator>,
    check: fn() -> Box<dyn Check>,
}

/// In the order in which users read them.
const KINDS: [&Kind; 12] = [
    &cas_register::KIND,
    &set::KIND,
    &append::KIND,
    &list_append::KIND,
    &rw_register::KIND,
    &bank::KIND,
    &queue::KIND,
    &counter::KIND,
    &lock::KIND,
    &unique_ids::KIND,
    &long_fork::KIND,
    &monotonic::KIND,
];

const NAMES: [&str; KINDS.len()] = {
    let mut names = [""; KINDS.len()];
    let mut at = 0;
    while at < KINDS.len() {
        names[at] = KINDS[at].name;
        at += 1;
    }
    names
};

/// The names that [`by_name`] knows.
#[must_use]
pub fn names() -> &'static [&'static str] {
    &NAMES
}

/// Makes the workload of this name.
///
/// # Errors
/// If there is none; the error lists the names.
pub fn by_name(name: &str, options: &Options) -> Result<Workload, UnknownWorkload> {
    let kind = KINDS.iter().find(|kind| kind.name == name);
    let kind = kind.ok_or_else(|| UnknownWorkload { name: name.to_owned() })?;
    let shape = rotation::Shape::new(options, kind.ops_per_key);
    Ok(Workload {
        name: kind.name,
        proves: kind.proves,
        ops_per_key: shape.ops_per_key,
        generator: (kind.generator)(&shape),
        check: (kind.check)(),
    })
}

impl fmt::Debug for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workload")
            .field("name", &self.name)
            .field("ops_per_key", &self.ops_per_key)
            .field("check", &self.check.name())
            .finish_non_exhaustive()
    }
}

/// There is no workload of this name.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
#[error("no workload is called `{name}`; there are: {}", NAMES.join(", "))]
pub struct UnknownWorkload {
    /// The name asked for.
    pub name: String,
}
