//! What a check is.

use crate::budget::Budget;
use crate::history::History;
use crate::verdict::Report;

/// A question about whole histories. Workloads carry theirs as `Box<dyn Check>`.
pub trait Check: Send + Sync {
    /// Its name, as reports show it.
    fn name(&self) -> &str;

    /// Judges a history, spending no more than the budget. An ill-formed or empty history, and one
    /// that the budget does not suffice for, is unknown with the reason.
    fn check(&self, history: &History, budget: &Budget) -> Report;
}
