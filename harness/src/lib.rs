//! The harness: runs real clusters, batters them, records what their clients saw, and judges it.
//!
//! Everything impure of the bench lives here. From the bottom up: [`process`] starts OS processes
//! that can't outlive the run, [`proxy`] stands between them on every directed link, [`system`] is
//! the seam behind which one system under test knows how to be started, spoken to and examined.
//! [`nemesis`] hurts what [`run`] keeps alive and records; [`results`] is what stays; [`cli`] is the
//! command line.

pub mod cli;
pub mod nemesis;
pub mod process;
pub mod proxy;
pub mod results;
pub mod run;
pub mod schedule;
pub mod system;
