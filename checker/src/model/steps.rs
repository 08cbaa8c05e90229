//! What a step of a model writes to: the states that may follow, and the work that it took.
//!
//! Most models have one next state or none and never see this: [`Model::step`](super::Model::step) is
//! all that they write. A model with several next states, or one whose step may take long, implements
//! [`Model::steps`](super::Model::steps) and gets one of these.

use crate::budget::{Exhausted, Meter};

/// Work between two looks at the clock, in whatever unit the model counts.
const WORK_PER_CHECK: u64 = 1 << 10;

/// The check's budget is spent: the step is to give up, and the check will answer *unknown*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfBudget(pub(crate) Exhausted);

impl std::fmt::Display for OutOfBudget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for OutOfBudget {}

/// Takes the states that may follow an operation.
#[derive(Debug)]
pub struct Steps<'a, S> {
    states: &'a mut Vec<S>,
    meter: Option<&'a Meter>,
    work: u64,
}

impl<'a, S> Steps<'a, S> {
    pub(crate) fn new(states: &'a mut Vec<S>, meter: Option<&'a Meter>) -> Self {
        Self { states, meter, work: 0 }
    }

    /// One of the states that may follow. The same one twice does no harm.
    pub fn to(&mut self, state: S) {
        self.states.push(state);
    }

    /// Says that the step worked: one for a loop over a few elements, a thousand for a thousand. A
    /// step that takes long calls this as it goes, and returns with the error when it gets one, so that
    /// a budget is kept even inside one step.
    pub fn spend(&mut self, work: u64) -> Result<(), OutOfBudget> {
        self.work = self.work.saturating_add(work);
        match self.meter {
            Some(meter) if self.work >= WORK_PER_CHECK => {
                self.work = 0;
                meter.check().map_err(OutOfBudget)
            }
            _ => Ok(()),
        }
    }
}
