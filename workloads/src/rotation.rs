//! A few keys in use at a time, each for a while: contention stays high, histories per key and
//! the lists and sets that grow under them stay short, and a fault always meets fresh keys.

use crate::{Context, Generator, Invocation, Next, Options};
use checker::{Op, OpType, Process, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// How a rotation turns.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) seed: u64,
    pub(crate) keys: u64,
    pub(crate) ops_per_key: u64,
}

impl Shape {
    pub(crate) fn new(options: &Options, ops_per_key: u64) -> Shape {
        Shape {
            seed: options.seed,
            keys: options.keys.min(options.processes / 2).max(1),
            ops_per_key: options.ops_per_key.unwrap_or(ops_per_key).max(1),
        }
    }
}

/// What a rotation puts behind each key, say a register: knows what to ask of it.
pub(crate) trait Object: Default + Send + 'static {
    /// The function and argument to ask next.
    fn ask(&mut self, dice: &mut Dice) -> (&'static str, Value);

    /// Something asked of it before was answered ok.
    fn learn(&mut self, asked: &Asked, answer: &Value) {
        let _ = (asked, answer);
    }
}

/// Where an object gets its luck and its values.
pub(crate) struct Dice {
    pub(crate) rng: ChaCha8Rng,
    next_value: i64,
}

impl Dice {
    /// A value that no key has ever been given.
    pub(crate) fn fresh_value(&mut self) -> i64 {
        let value = self.next_value;
        self.next_value += 1;
        value
    }
}

/// What a process is waiting for. Kept here since a completion need not repeat its argument.
pub(crate) struct Asked {
    key: i64,
    pub(crate) f: &'static str,
    pub(crate) value: Value,
}

/// Spreads operations over the keys in use and retires each in its time.
pub(crate) struct Rotation<O> {
    ops_per_key: u64,
    dice: Dice,
    active: Vec<Active<O>>,
    /// Keys are numbered in the order of first use.
    keys_used: i64,
    asked: BTreeMap<u64, Asked>,
}

struct Active<O> {
    /// `None` until it is asked for the first time.
    key: Option<i64>,
    left: u64,
    object: O,
}

impl<O: Object> Rotation<O> {
    pub(crate) fn new(shape: &Shape) -> Self {
        // The first keys' lives are cut to different lengths, else all would retire together.
        let life = |place: u64| (shape.ops_per_key * (place + 1) / shape.keys).max(1);
        let active = |place| Active { key: None, left: life(place), object: O::default() };
        Rotation {
            ops_per_key: shape.ops_per_key,
            dice: Dice { rng: ChaCha8Rng::seed_from_u64(shape.seed), next_value: 1 },
            active: (0..shape.keys).map(active).collect(),
            keys_used: 0,
            asked: BTreeMap::new(),
        }
    }
}

impl<O: Object> Generator for Rotation<O> {
    fn next(&mut self, context: &Context) -> Next {
        let place = self.dice.rng.random_range(0..self.active.len());
        let active = &mut self.active[place];
        let key = *active.key.get_or_insert_with(|| {
            self.keys_used += 1;
            self.keys_used - 1
        });
        let (f, value) = active.object.ask(&mut self.dice);
        active.left -= 1;
        if active.left == 0 {
            *active = Active { key: None, left: self.ops_per_key, object: O::default() };
        }
        self.asked.insert(context.process, Asked { key, f, value: value.clone() });
        Next::Invoke(Invocation { f, key: Some(key), value })
    }

    fn update(&mut self, op: &Op) {
        let Process::Client(process) = op.process else { return };
        if op.op_type == OpType::Invoke {
            return;
        }
        let Some(asked) = self.asked.remove(&process) else { return };
        let active = self.active.iter_mut().find(|active| active.key == Some(asked.key));
        if op.op_type == OpType::Ok
            && let Some(active) = active
        {
            active.object.learn(&asked, &op.value);
        }
    }

    fn final_reads(&self) -> Vec<Invocation> {
        (0..self.keys_used).map(|key| Invocation { f: "read", key: Some(key), value: Value::Nil }).collect()
    }
}
