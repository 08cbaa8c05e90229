//! Single writes to the keys of a group, and reads of the whole group.
//!
//! Two writes that don't know of each other may come in any order, but in one: if one reader sees
//! the first without the second, nobody may see the second without the first. Replicas that apply
//! what is independent in orders of their own break this and nothing else.

use crate::Kind;
use crate::generator::Mix;
use crate::rotation::{Dice, Object, Question, Rotation};
use crate::transactions::micro;
use checker::Value;
use checker::invariants::LongFork;

pub(crate) const KIND: Kind = Kind {
    name: "long-fork",
    proves: "all readers agree on one order of writes, even of writes that have nothing to do with each other",
    ops_per_key: 20,
    generator: |shape| Box::new(Rotation::<Group>::new(shape)),
    check: || Box::new(LongFork::default()),
};

/// Keys in a group. Each is written once.
const GROUP: i64 = 3;

#[derive(Copy, Clone)]
enum Ask {
    Write,
    Read,
}

const MIX: Mix<Ask> = Mix(&[(1, Ask::Write), (5, Ask::Read)]);

#[derive(Default)]
struct Group {
    /// Keys written so far, from the first.
    written: i64,
}

fn read_all() -> Question {
    let reads: Vec<Value> = (0..GROUP).map(|key| micro("r", key, Value::Nil)).collect();
    ("txn", Value::List(reads))
}

impl Object for Group {
    fn ask(&mut self, _process: u64, dice: &mut Dice) -> Option<Question> {
        if matches!(MIX.draw(&mut dice.rng), Ask::Read) || self.written == GROUP {
            return Some(read_all());
        }
        let write = micro("w", self.written, dice.fresh_value().into());
        self.written += 1;
        Some(("txn", Value::List(vec![write])))
    }

    fn finals(&self) -> Vec<Question> {
        vec![read_all()]
    }
}
