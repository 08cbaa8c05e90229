//! Is this history linearizable?
#![doc = ""]

pub mod history;

pub mod format;

pub mod verdict;

pub mod budget;
pub mod check;

pub mod model;

pub mod linearizability;
pub mod set_full;

pub mod explain;

pub use budget::Budget;
pub use check::Check;
pub use explain::witness::{Anomaly, Witness};
pub use format::jsonl::ReadError;
pub use history::History;
pub use history::op::{Op, OpType, Process, Value};
pub use history::pair::{Call, Outcome};
pub use history::well_formed::{BrokenRule, Event, IllFormed, WellFormed};
pub use linearizability::{Linearizable, LinearizableAppend, LinearizableRegister};
pub use model::Model;
pub use set_full::SetCheck;
pub use verdict::{OpCounts, Report, Verdict};
