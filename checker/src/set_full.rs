//! Sets that only grow: nothing acknowledged is ever missing, nothing unexpected ever there.

use crate::budget::Budget;
use crate::check::Check;
use crate::history::History;
use crate::verdict::Report;

/// Every key is a set with `add v` and `read`, which answers all elements in any order.
#[derive(Clone, Debug, Default)]
pub struct SetCheck {}

impl Check for SetCheck {
    fn name(&self) -> &str {
        "set"
    }

    fn check(&self, _history: &History, _budget: &Budget) -> Report {
        Report::unknown(self.name(), "no engine yet")
    }
}
