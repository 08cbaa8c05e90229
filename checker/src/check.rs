//! What a check is.

use crate::budget::Budget;
use crate::history::History;
use crate::history::op::Value;
use crate::online::Checker;
use crate::verdict::{Decision, Report};

/// A question about whole histories. Workloads carry theirs as `Box<dyn Check>`.
pub trait Check: Send + Sync {
    /// Its name, as reports show it.
    fn name(&self) -> &str;

    /// Judges a history, spending no more than the budget. An ill-formed or empty history, and one
    /// that the budget does not suffice for, is unknown with the reason.
    fn check(&self, history: &History, budget: &Budget) -> Report;

    /// The verdict of [`Check::check`] alone. To tell why a history is invalid can take far longer than to
    /// find that it is; this does neither that nor look at any other key once one is invalid.
    fn decide(&self, history: &History, budget: &Budget) -> Decision {
        self.check(history, budget).verdict.into()
    }

    /// The same question event by event, while the history is still being made; none if this check needs
    /// the whole of it.
    fn online(&self) -> Option<Checker> {
        None
    }

    /// For a history that is valid: an order of the operations of each key that explains every answer.
    /// Each order was gone through step by step, by code that knows nothing of how it was found, before
    /// it is given here. An error says why there is none to give.
    fn order(&self, _history: &History, _budget: &Budget) -> Result<Vec<KeyOrder>, String> {
        Err(format!("{} looks for no order of the operations", self.name()))
    }
}

/// An order of the operations of one key.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct KeyOrder {
    /// The key, where there are several.
    pub key: Option<Value>,
    /// What found it.
    pub engine: String,
    /// Operations by the index of their invocation. Those of unknown outcome that are missing did not
    /// have to happen.
    pub order: Vec<u64>,
}
