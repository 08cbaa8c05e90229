//! Sets that grow, element by element.
//!
//! An acknowledged element must be in every later read, the final ones above all: what a crash, a
//! take-over or a truncated log loses shows here even if no read races with it. Rotating over
//! several sets keeps each read short.

use crate::Kind;
use crate::generator::Mix;
use crate::rotation::{Dice, Object, Question, Rotation};
use checker::{SetCheck, Value};

pub(crate) const KIND: Kind = Kind {
    name: "set",
    proves: "no acknowledged element is ever lost, and none appears that was never added, or twice",
    ops_per_key: 300,
    generator: |shape| Box::new(Rotation::<Set>::new(shape)),
    check: || Box::new(SetCheck::default()),
};

#[derive(Copy, Clone)]
enum Ask {
    Add,
    Read,
}

/// Adds are what can get lost; reads cost more with every element.
const MIX: Mix<Ask> = Mix(&[(3, Ask::Add), (1, Ask::Read)]);

#[derive(Default)]
struct Set;

impl Object for Set {
    fn ask(&mut self, _process: u64, dice: &mut Dice) -> Option<Question> {
        Some(match MIX.draw(&mut dice.rng) {
            Ask::Add => ("add", Value::Int(dice.fresh_value())),
            Ask::Read => ("read", Value::Nil),
        })
    }
}
