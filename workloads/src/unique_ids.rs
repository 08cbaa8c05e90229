//! Identifiers made by the cluster: nobody is ever given one that somebody else has.
//!
//! Each is the next number of a key. A leader that hands out numbers from a state that another has
//! moved past, or a state that lost an acknowledged number, gives one out twice.

use crate::Kind;
use crate::rotation::{Dice, Object, Question, Rotation};
use checker::Value;
use checker::invariants::UniqueIds;

pub(crate) const KIND: Kind = Kind {
    name: "unique-ids",
    proves: "no identifier is ever given out twice",
    ops_per_key: 400,
    generator: |shape| Box::new(Rotation::<Ids>::new(shape)),
    check: || Box::new(UniqueIds::default()),
};

#[derive(Default)]
struct Ids;

impl Object for Ids {
    fn ask(&mut self, _process: u64, _dice: &mut Dice) -> Option<Question> {
        Some(("generate", Value::Nil))
    }

    /// One more: if the last numbers were lost with a state, they come again.
    fn finals(&self) -> Vec<Question> {
        vec![("generate", Value::Nil)]
    }
}
