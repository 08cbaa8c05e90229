//! Numbers that only grow: increments that answer the number they made, and reads.
//!
//! Asks less than the counter, and so decides whatever the number of open operations: nobody may
//! see less than anybody had seen before he asked. A replica that answers from an old state, or a
//! state that was rolled back, shows at the next answer.

use crate::Kind;
use crate::generator::Mix;
use crate::rotation::{Dice, Object, Question, Rotation};
use checker::Value;
use checker::invariants::Monotonic as NeverBack;

pub(crate) const KIND: Kind = Kind {
    name: "monotonic",
    proves: "time never runs backwards: nobody sees less than what somebody was already told",
    ops_per_key: 300,
    generator: |shape| Box::new(Rotation::<Number>::new(shape)),
    check: || Box::new(NeverBack::default()),
};

#[derive(Copy, Clone)]
enum Ask {
    Increment,
    Read,
}

const MIX: Mix<Ask> = Mix(&[(1, Ask::Increment), (2, Ask::Read)]);

#[derive(Default)]
struct Number;

impl Object for Number {
    fn ask(&mut self, _process: u64, dice: &mut Dice) -> Option<Question> {
        Some(match MIX.draw(&mut dice.rng) {
            Ask::Increment => ("inc", Value::Nil),
            Ask::Read => ("read", Value::Nil),
        })
    }

    /// Twice: a number that was seen only once shows nothing.
    fn finals(&self) -> Vec<Question> {
        vec![("read", Value::Nil); 2]
    }
}
