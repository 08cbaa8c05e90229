//! Transactions over several keys at once, for the checks that look for cycles between them.
//!
//! A transaction is one to four micro-operations, reads and writes of keys that are in use, the same
//! key twice now and then: `["r", key, nil]`, which the answer fills in, and a write that gives its
//! key a value of its own. Keys retire one by one, so that every transaction spans old and new.

use crate::rotation::{Dice, Shape};
use crate::{Context, Generator, Invocation, Next};
use checker::Value;
use rand::RngExt;

/// Micro-operations of one transaction at most.
const MICROS_MAX: usize = 4;

/// One part of a transaction: `[f, key, value]`.
pub(crate) fn micro(f: &str, key: i64, value: Value) -> Value {
    Value::List(vec![f.into(), key.into(), value])
}

/// Asks transactions of reads and one kind of writes.
pub(crate) struct Transactions {
    /// What a write is called: `append` or `w`.
    write: &'static str,
    micros_per_key: u64,
    dice: Dice,
    active: Vec<Active>,
    /// Keys are numbered in the order of first use.
    keys_used: i64,
}

struct Active {
    /// `None` until it is asked for the first time.
    key: Option<i64>,
    left: u64,
}

impl Transactions {
    /// With writes of this name. `shape.ops_per_key` counts micro-operations.
    pub(crate) fn new(shape: &Shape, write: &'static str) -> Transactions {
        Transactions {
            write,
            micros_per_key: shape.ops_per_key,
            dice: Dice::new(shape.seed),
            active: shape.first_lives().map(|left| Active { key: None, left }).collect(),
            keys_used: 0,
        }
    }

    fn micro(&mut self) -> Value {
        let place = self.dice.rng.random_range(0..self.active.len());
        let active = &mut self.active[place];
        let key = *active.key.get_or_insert_with(|| {
            self.keys_used += 1;
            self.keys_used - 1
        });
        active.left -= 1;
        if active.left == 0 {
            *active = Active { key: None, left: self.micros_per_key };
        }
        if self.dice.rng.random_ratio(1, 2) {
            micro("r", key, Value::Nil)
        } else {
            micro(self.write, key, self.dice.fresh_value().into())
        }
    }
}

impl Generator for Transactions {
    fn next(&mut self, _context: &Context) -> Next {
        let count = self.dice.rng.random_range(1..=MICROS_MAX);
        let micros = (0..count).map(|_| self.micro()).collect();
        Next::Invoke(Invocation { f: "txn", key: None, value: Value::List(micros) })
    }

    fn final_reads(&self) -> Vec<Invocation> {
        let read = |key| Value::List(vec![micro("r", key, Value::Nil)]);
        (0..self.keys_used).map(|key| Invocation { f: "txn", key: None, value: read(key) }).collect()
    }
}
