//! A semaphore.

use super::quick::{Quick, SearchOp};
use super::{Model, no_such_function};
use crate::history::op::Value;
use crate::history::pair::Call;
use crate::linearizability::set_element;

/// So many permits: `acquire` takes one, or as many as its argument says, and `release` gives them back.
/// An acquire that answers false found too few.
#[derive(Clone, Copy, Debug)]
pub struct Semaphore {
    permits: u32,
}

/// An operation on a semaphore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SemaphoreOp {
    /// Took so many.
    Acquire(u32),
    /// Gave so many back.
    Release(u32),
    /// Found fewer than so many.
    Refused(u32),
}

impl Semaphore {
    /// A semaphore of so many permits.
    pub fn of(permits: u32) -> Self {
        Self { permits }
    }
}

/// One permit: a lock without an owner.
impl Default for Semaphore {
    fn default() -> Self {
        Self::of(1)
    }
}

fn permits(call: &Call<'_>) -> Result<u32, String> {
    match call.asked() {
        Value::Nil => Ok(1),
        Value::Int(permits) if (0..=i64::from(u32::MAX)).contains(&permits) => Ok(permits as u32),
        other => Err(format!("op {}: {other} is no number of permits", call.invoke_index())),
    }
}

impl Model for Semaphore {
    type Op = SemaphoreOp;
    /// Permits taken.
    type State = u32;

    fn name(&self) -> &str {
        "semaphore"
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<SemaphoreOp>, String> {
        match call.f() {
            "acquire" if call.result() == Some(Value::Bool(false)) => {
                Ok(Some(SemaphoreOp::Refused(permits(call)?)))
            }
            "acquire" => Ok(Some(SemaphoreOp::Acquire(permits(call)?))),
            "release" => Ok(Some(SemaphoreOp::Release(permits(call)?))),
            _ => Err(no_such_function("semaphore", call)),
        }
    }

    fn initial(&self) -> u32 {
        0
    }

    fn step(&self, taken: &u32, op: &SemaphoreOp) -> Option<u32> {
        let fits = |permits: u32| taken.checked_add(permits).filter(|taken| *taken <= self.permits);
        match op {
            SemaphoreOp::Acquire(permits) => fits(*permits),
            SemaphoreOp::Release(permits) => taken.checked_sub(*permits),
            SemaphoreOp::Refused(permits) => fits(*permits).is_none().then_some(*taken),
        }
    }

    fn is_pure(&self, op: &SemaphoreOp) -> bool {
        matches!(op, SemaphoreOp::Refused(_) | SemaphoreOp::Acquire(0) | SemaphoreOp::Release(0))
    }

    fn describe(&self, taken: &u32) -> String {
        format!("{} of {} permits", self.permits - taken.min(&self.permits), self.permits)
    }

    fn quick(&self, ops: &[SearchOp<SemaphoreOp>]) -> Quick {
        set_element::judge_steps(ops, self.permits, |op| match op {
            SemaphoreOp::Acquire(1) => set_element::Move::Up,
            SemaphoreOp::Release(1) => set_element::Move::Down,
            SemaphoreOp::Acquire(_) | SemaphoreOp::Release(_) => set_element::Move::Other,
            SemaphoreOp::Refused(1) => set_element::Move::See(self.permits),
            SemaphoreOp::Refused(_) => set_element::Move::Other,
        })
    }
}
