//! Queues that elements are put into and taken out of, first in, first out.
//!
//! What comes out tells when it went in: an element lost, answered twice, or overtaken is plain to
//! see, and so is a queue that claims to be empty and is not. About as much goes out as comes in,
//! so that queues stay short and are empty now and then. In the end each is emptied: an element that
//! was acknowledged must come out by then, unless a dequeue that nobody heard the answer of has it.

use crate::Kind;
use crate::generator::Mix;
use crate::rotation::{Asked, Dice, Object, Question, Rotation};
use checker::model::Queue as Fifo;
use checker::{Linearizable, OpType, Value};

pub(crate) const KIND: Kind = Kind {
    name: "queue",
    proves: "every element acknowledged comes out once, in the order in which they went in",
    ops_per_key: 200,
    generator: |shape| Box::new(Rotation::<Queue>::new(shape)),
    check: || Box::new(Linearizable::new(Fifo::default())),
};

#[derive(Copy, Clone)]
enum Ask {
    Enqueue,
    Dequeue,
}

const MIX: Mix<Ask> = Mix(&[(1, Ask::Enqueue), (1, Ask::Dequeue)]);

#[derive(Default)]
struct Queue {
    /// How many elements can be inside at most.
    inside_max: usize,
}

impl Object for Queue {
    fn ask(&mut self, _process: u64, dice: &mut Dice) -> Option<Question> {
        Some(match MIX.draw(&mut dice.rng) {
            Ask::Enqueue => {
                self.inside_max += 1;
                ("enqueue", Value::Int(dice.fresh_value()))
            }
            Ask::Dequeue => ("dequeue", Value::Nil),
        })
    }

    fn learn(&mut self, asked: &Asked, ended: OpType, answer: &Value) {
        let gone = match (asked.f, ended) {
            ("enqueue", OpType::Fail) => true,
            ("dequeue", OpType::Ok) => !answer.is_nil(),
            _ => false,
        };
        // More may come out than went in, if the system is wrong.
        self.inside_max = self.inside_max.saturating_sub(usize::from(gone));
    }

    /// Enough to empty it, and one more that must find nothing.
    fn finals(&self) -> Vec<Question> {
        vec![("dequeue", Value::Nil); self.inside_max + 1]
    }
}
