//! Counters that are added to and read.
//!
//! A counter forgets who added what, so an addition that happens twice, or not at all, shows as a
//! number that no order of the additions explains; and it keeps showing in every later read.

use crate::Kind;
use crate::generator::Mix;
use crate::rotation::{Dice, Object, Question, Rotation};
use checker::model::Counter as CounterModel;
use checker::{Linearizable, Value};
use rand::RngExt;

pub(crate) const KIND: Kind = Kind {
    name: "counter",
    proves: "every addition acknowledged counts once, from its moment on, and none that was refused",
    ops_per_key: 200,
    generator: |shape| Box::new(Rotation::<Counter>::new(shape)),
    check: || Box::new(Linearizable::new(CounterModel::default())),
};

/// The largest amount added at a time: different amounts tell more, many different ones make the
/// orders too many to be gone through.
const AMOUNT_MAX: i64 = 3;

#[derive(Copy, Clone)]
enum Ask {
    Increment,
    Read,
}

const MIX: Mix<Ask> = Mix(&[(1, Ask::Increment), (1, Ask::Read)]);

#[derive(Default)]
struct Counter;

impl Object for Counter {
    fn ask(&mut self, _process: u64, dice: &mut Dice) -> Option<Question> {
        Some(match MIX.draw(&mut dice.rng) {
            Ask::Increment => ("increment", Value::Int(dice.rng.random_range(1..=AMOUNT_MAX))),
            Ask::Read => ("read", Value::Nil),
        })
    }
}
