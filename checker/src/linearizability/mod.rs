//! Linearizability: is there one order of all operations that explains every answer and respects
//! real time?

use crate::budget::Budget;
use crate::check::Check;
use crate::history::History;
use crate::verdict::Report;

/// Every key is a register with `read`, `write v` and `cas [old, new]`, nil before its first write.
#[derive(Clone, Debug, Default)]
pub struct LinearizableRegister {}

impl Check for LinearizableRegister {
    fn name(&self) -> &str {
        "linearizable-register"
    }

    fn check(&self, _history: &History, _budget: &Budget) -> Report {
        Report::unknown(self.name(), "no engine yet")
    }
}

/// Every key is a list with `append v` and `read`, empty before its first append.
#[derive(Clone, Debug, Default)]
pub struct LinearizableAppend {}

impl Check for LinearizableAppend {
    fn name(&self) -> &str {
        "linearizable-append"
    }

    fn check(&self, _history: &History, _budget: &Budget) -> Report {
        Report::unknown(self.name(), "no engine yet")
    }
}
