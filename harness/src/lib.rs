//! The harness: runs real clusters, batters them, records what their clients saw, and judges it.
//!
//! Everything impure of the bench lives here. From the bottom up: [`process`] starts OS processes
//! that can't outlive the run, [`proxy`] stands between them on every directed link, [`system`] is
//! the seam behind which one system under test knows how to be started, spoken to and examined.
//! [`schedule`] says what is done and when, [`nemesis`] does it to what [`run`] keeps alive and records;
//! [`shrink`] makes a failing schedule small; [`bench`] measures instead of battering; [`results`] is what stays; [`cli`] is the command line.

pub mod bench;
pub mod cli;
mod markup;
pub mod nemesis;
pub mod process;
pub mod proxy;
pub mod rate;
pub mod results;
pub mod run;
pub mod schedule;
pub mod shrink;
pub mod system;
