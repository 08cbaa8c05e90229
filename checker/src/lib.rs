//! Is this history linearizable?
//!
//! Clients of a replicated system record what they asked and what they were told, in one order: a
//! [`History`] in Jepsen's exact meaning (`ok` did happen, `fail` did not, `info` may have, at any later
//! time). A [`Check`] says whether a correct object could have answered so: [`Verdict::Valid`],
//! [`Verdict::Invalid`] with a [`Witness`] that tells which operations can't be ordered, or
//! [`Verdict::Unknown`] with the reason, which is never to be taken for valid. Where only the word
//! matters, [`Check::decide`] says it, and saves the search for a small witness.
//!
//! ```
//! use checker::{Anomaly, Budget, Check, History, LinearizableRegister, Verdict};
//!
//! let recorded = r#"
//! {"index":0,"time_ns":0,"type":"invoke","process":0,"f":"write","key":5,"value":1}
//! {"index":1,"time_ns":2000000,"type":"ok","process":0,"f":"write","key":5,"value":1}
//! {"index":2,"time_ns":4000000,"type":"invoke","process":1,"f":"read","key":5,"value":null}
//! {"index":3,"time_ns":5000000,"type":"ok","process":1,"f":"read","key":5,"value":null}
//! "#;
//! let history = History::read_jsonl(recorded.as_bytes())?;
//! let report = LinearizableRegister::default().check(&history, &Budget::default());
//! let Verdict::Invalid(witness) = &report.verdict else { panic!("{report}") };
//! assert_eq!(witness.anomaly, Anomaly::StaleRead);
//! assert_eq!(
//!     witness.summary,
//!     "process 1 read nil at 0.004 s–0.005 s, but process 0's write of 1 had finished at 0.002 s \
//!      and nil is there only before the first write: a stale read"
//! );
//! # Ok::<(), checker::ReadError>(())
//! ```
//!
//! | check | object of each key | operations |
//! |---|---|---|
//! | [`LinearizableRegister`] | register | `read`, `write v`, `cas [old, new]` |
//! | [`LinearizableAppend`] | list | `append v`, `read` |
//! | [`SetCheck`] | growing set, read back at the end | `add v`, `read` |
//! | [`Linearizable`] | any [`Model`] of your own | its own |
//! | [`ListAppend`](transactions::ListAppend), [`RwRegister`](transactions::RwRegister) | lists or registers, several at once | lists of `[f k v]` |
//! | weaker promises: [`invariants`] | sets, queues, counters, accounts, … | see there |
//!
//! Each of them has a name in the [`catalogue`], which is also what its reports are called.
//!
//! Read in this order: [`history`] is what is judged, [`format`](mod@format) how it is written down, [`verdict`]
//! what is answered, [`model`] what a correct object does, [`linearizability`] how it is decided,
//! [`explain`] how an invalid is told. Nothing here opens a socket, starts a process or knows what the
//! system under test is; threads are used for keys, and the clock only to keep a [`Budget`].

#![forbid(unsafe_code)]

mod hash;
pub mod history;

pub mod format;

pub mod verdict;

pub mod budget;
pub mod catalogue;
pub mod check;

pub mod model;

pub mod invariants;
pub mod linearizability;
pub mod online;
pub mod set;
pub mod transactions;

pub mod explain;

pub mod simulate;

#[cfg(test)]
mod fuzz;

pub use budget::Budget;
pub use check::{Check, KeyOrder};
pub use explain::witness::{Anomaly, Witness};
pub use format::{Format, ReadError, Recorded};
pub use history::op::{Op, OpType, Process, Value};
pub use history::pair::{Call, Calls, OpCounts, Outcome};
pub use history::value::Float;
pub use history::values::{ValueId, ValueView, Values};
pub use history::well_formed::{BrokenRule, Event, IllFormed, WellFormed};
pub use history::{F, History, More, Resolution, ResolveError, Row};
pub use linearizability::{Linearizable, LinearizableAppend, LinearizableRegister};
pub use model::Model;
pub use set::SetCheck;
pub use verdict::{Decision, Report, Verdict};
