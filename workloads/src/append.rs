//! Lists that elements are appended to.
//!
//! A read tells the whole past of its key: which appends happened, each how often, and in which
//! order. An append executed twice, which a register can't show, is plain to see, and so is one
//! that was acknowledged and then overwritten by another leader's.

use crate::Kind;
use crate::generator::Mix;
use crate::rotation::{Dice, Object, Question, Rotation};
use checker::{LinearizableAppend, Value};

pub(crate) const KIND: Kind = Kind {
    name: "append",
    proves: "every append happens at most once, at one point in real-time order, and is never taken back",
    ops_per_key: 200,
    generator: |shape| Box::new(Rotation::<List>::new(shape)),
    check: || Box::new(LinearizableAppend::default()),
};

#[derive(Copy, Clone)]
enum Ask {
    Append,
    Read,
}

const MIX: Mix<Ask> = Mix(&[(1, Ask::Append), (1, Ask::Read)]);

#[derive(Default)]
struct List;

impl Object for List {
    fn ask(&mut self, _process: u64, dice: &mut Dice) -> Option<Question> {
        Some(match MIX.draw(&mut dice.rng) {
            Ask::Append => ("append", Value::Int(dice.fresh_value())),
            Ask::Read => ("read", Value::Nil),
        })
    }
}
