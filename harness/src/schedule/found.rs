//! What a schedule of the corpus once showed: the bug, and how it looked.

use std::fmt;

/// What a schedule once found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The bug that showed it: a planted one by its name, or the commit that had it.
    pub bug: String,
    /// What was wrong.
    pub failure: Failure,
    /// Whether each replay of the corpus runs it on real processes, whatever time there is.
    pub required: bool,
}

/// What kind of thing was wrong: what a repetition must show to count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Clients saw what can't be, or the nodes contradict the protocol: one bug shows as either.
    Safety,
    /// The cluster did not come back.
    Liveness,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failure::Safety => "safety",
            Failure::Liveness => "liveness",
        })
    }
}
