//! Registers that are read, written and compared-and-set.
//!
//! A linearizable register is the classic: stale reads, lost writes, a write seen and then unseen,
//! two leaders that both let a compare-and-set succeed all show in it. A compare-and-set that
//! expects a value nobody holds says little, so most expect the value last heard of.

use crate::Kind;
use crate::generator::Mix;
use crate::rotation::{Asked, Dice, Object, Question, Rotation};
use checker::{LinearizableRegister, OpType, Value};
use rand::RngExt;

pub(crate) const KIND: Kind = Kind {
    name: "cas-register",
    proves: "every register behaves as one copy that answers one operation at a time, in real-time order",
    ops_per_key: 400,
    generator: |shape| Box::new(Rotation::<Register>::new(shape)),
    check: || Box::new(LinearizableRegister::default()),
};

#[derive(Copy, Clone)]
enum Ask {
    Read,
    Write,
    Cas,
}

const MIX: Mix<Ask> = Mix(&[(2, Ask::Read), (1, Ask::Write), (1, Ask::Cas)]);

/// One in so many compare-and-sets expects a value written before, not the one last heard of:
/// most of these must be refused, and a system that refuses none is as wrong as one that does all.
const CAS_OUTDATED_ONE_IN: u32 = 5;

/// How many values a register remembers to have been given.
const WRITTEN_KEPT: usize = 8;

#[derive(Default)]
struct Register {
    /// The value that an ok answer last told of.
    heard: Option<i64>,
    /// The latest values asked to be written, whatever became of them.
    written: Vec<i64>,
}

impl Object for Register {
    fn ask(&mut self, _process: u64, dice: &mut Dice) -> Option<Question> {
        let ask = MIX.draw(&mut dice.rng);
        if matches!(ask, Ask::Read) {
            return Some(("read", Value::Nil));
        }
        let old = self.expected(dice);
        let new = dice.fresh_value();
        self.remember(new);
        Some(match (ask, old) {
            (Ask::Cas, Some(old)) => ("cas", Value::from(vec![old, new])),
            // Nothing was ever written: the first compare-and-set has nothing to expect.
            _ => ("write", Value::Int(new)),
        })
    }

    fn learn(&mut self, asked: &Asked, ended: OpType, answer: &Value) {
        if ended != OpType::Ok {
            return;
        }
        let holds = match asked.f {
            "read" => answer.as_int(),
            "cas" => asked.value.as_list().and_then(|pair| pair.last()?.as_int()),
            _ => asked.value.as_int(),
        };
        self.heard = holds.or(self.heard);
    }
}

impl Register {
    fn expected(&self, dice: &mut Dice) -> Option<i64> {
        let outdated = dice.rng.random_ratio(1, CAS_OUTDATED_ONE_IN);
        match self.heard {
            Some(heard) if !outdated => Some(heard),
            Some(_) | None if self.written.is_empty() => None,
            Some(_) | None => Some(self.written[dice.rng.random_range(0..self.written.len())]),
        }
    }

    fn remember(&mut self, value: i64) {
        if self.written.len() == WRITTEN_KEPT {
            self.written.remove(0);
        }
        self.written.push(value);
    }
}
