//! Locks that are taken and given back by their owners, the processes.
//!
//! An acquire answers whether it got the lock, so that a lock that is free and yet refused tells as
//! much as one that is held and yet given. The owner keeps it for a few attempts of others, else two
//! owners would hardly ever meet. Whoever is not heard of again keeps what it holds, as real clients
//! do, and nobody may break it: such a lock refuses everybody, and is soon replaced by a fresh one.

use crate::Kind;
use crate::rotation::{Asked, Dice, Object, Question, Rotation};
use checker::model::ReentrantLock;
use checker::{Linearizable, OpType, Value};

pub(crate) const KIND: Kind = Kind {
    name: "lock",
    proves: "a lock has one owner at a time, and only its owner gives it back",
    ops_per_key: 200,
    generator: |shape| Box::new(Rotation::<Lock>::new(shape)),
    // Taken once by each owner: a plain lock that knows its owner.
    check: || Box::new(Linearizable::new(ReentrantLock::at_most(1))),
};

/// How many attempts of others the owner waits for before it gives the lock back.
const ATTEMPTS_WHILE_HELD: u32 = 3;

/// A lock that refused so many in a row has lost its owner.
const REFUSALS_IN_A_ROW_MAX: u32 = 20;

/// Who takes the locks in the end: no process has such a number.
const LAST_OWNER: i64 = -1;

#[derive(Default)]
struct Lock {
    /// The process that was told that it has the lock.
    owner: Option<i64>,
    /// Attempts asked since then.
    attempts: u32,
    refusals_in_a_row: u32,
}

/// A process as an owner.
fn owner(process: u64) -> i64 {
    i64::try_from(process).expect("processes are counted from 0")
}

impl Object for Lock {
    fn ask(&mut self, process: u64, _dice: &mut Dice) -> Option<Question> {
        let process = owner(process);
        if self.owner == Some(process) {
            return Some(("release", process.into()));
        }
        self.attempts += 1;
        Some(("acquire", process.into()))
    }

    fn learn(&mut self, asked: &Asked, ended: OpType, answer: &Value) {
        match (asked.f, ended) {
            ("acquire", OpType::Ok) if *answer == Value::Bool(false) => self.refusals_in_a_row += 1,
            ("acquire", OpType::Ok) => {
                (self.owner, self.attempts, self.refusals_in_a_row) = (asked.value.as_int(), 0, 0);
            }
            // It did not happen, so the lock is still its own to give back.
            ("release", OpType::Fail) => {}
            ("release", _) => self.owner = None,
            _ => {}
        }
    }

    fn is_waiting_for(&self, process: u64) -> bool {
        self.attempts >= ATTEMPTS_WHILE_HELD && self.owner == Some(owner(process))
    }

    fn is_spent(&self) -> bool {
        self.refusals_in_a_row >= REFUSALS_IN_A_ROW_MAX
    }

    /// Whether it can be had shows whether somebody has it.
    fn finals(&self) -> Vec<Question> {
        vec![("acquire", LAST_OWNER.into())]
    }
}
