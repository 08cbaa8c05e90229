//! The harness: runs real clusters, batters them, records what their clients saw, and judges it.
//!
//! Everything impure of the bench lives here. From the bottom up: [`process`] starts OS processes
//! that can't outlive the run, [`proxy`] stands between them on every directed link, [`system`] is
//! the seam behind which one system under test knows how to be started, spoken to and examined.

pub mod process;
pub mod proxy;
pub mod system;
