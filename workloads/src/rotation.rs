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

    /// After how many operations each of the first keys retires: else all would retire together.
    pub(crate) fn first_lives(&self) -> impl Iterator<Item = u64> + '_ {
        (1..=self.keys).map(|place| (self.ops_per_key * place / self.keys).max(1))
    }
}

/// A function and its argument.
pub(crate) type Question = (&'static str, Value);

/// What a rotation puts behind each key, say a register: knows what to ask of it.
pub(crate) trait Object: Default + Send + 'static {
    /// What this process is to ask next; `None` if an answer must come first.
    fn ask(&mut self, process: u64, dice: &mut Dice) -> Option<Question>;

    /// Something asked of it before has ended so. `answer` is what an ok carries.
    fn learn(&mut self, asked: &Asked, ended: OpType, answer: &Value) {
        let _ = (asked, ended, answer);
    }

    /// Whether it is this process's turn, whatever the dice say.
    fn is_waiting_for(&self, process: u64) -> bool {
        let _ = process;
        false
    }

    /// Whether nothing more is to be learnt of it: it retires before its time.
    fn is_spent(&self) -> bool {
        false
    }

    /// What shows in the end whether everything acknowledged is still there.
    fn finals(&self) -> Vec<Question> {
        vec![("read", Value::Nil)]
    }
}

/// Where an object gets its luck and its values.
pub(crate) struct Dice {
    pub(crate) rng: ChaCha8Rng,
    next_value: i64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice { rng: ChaCha8Rng::seed_from_u64(seed), next_value: 1 }
    }

    /// A value that no key has ever been given.
    pub(crate) fn fresh_value(&mut self) -> i64 {
        let value = self.next_value;
        self.next_value += 1;
        value
    }
}

/// What a process is waiting for. Kept here since a completion need not repeat its argument.
pub(crate) struct Asked {
    key: usize,
    pub(crate) f: &'static str,
    pub(crate) value: Value,
}

/// Spreads operations over the keys in use and retires each in its time.
pub(crate) struct Rotation<O> {
    ops_per_key: u64,
    dice: Dice,
    active: Vec<Active>,
    /// By key: keys are numbered in the order of first use. Those retired are still answered for,
    /// and asked once more in the end.
    objects: Vec<O>,
    asked: BTreeMap<u64, Asked>,
}

struct Active {
    /// `None` until it is asked for the first time.
    key: Option<usize>,
    left: u64,
}

impl<O: Object> Rotation<O> {
    pub(crate) fn new(shape: &Shape) -> Self {
        Rotation {
            ops_per_key: shape.ops_per_key,
            dice: Dice::new(shape.seed),
            active: shape.first_lives().map(|left| Active { key: None, left }).collect(),
            objects: Vec::new(),
            asked: BTreeMap::new(),
        }
    }

    /// Which of the active keys this process is to ask.
    fn draw(&mut self, process: u64) -> usize {
        let waits = |active: &Active| active.key.is_some_and(|key| self.objects[key].is_waiting_for(process));
        let waiting = self.active.iter().position(waits);
        waiting.unwrap_or_else(|| self.dice.rng.random_range(0..self.active.len()))
    }

    /// The key at a place, a fresh one if there is none yet or it has served its time.
    fn key_at(&mut self, place: usize) -> usize {
        let active = &mut self.active[place];
        match active.key {
            Some(key) if self.objects[key].is_spent() => {
                *active = Active { key: None, left: self.ops_per_key }
            }
            Some(_) | None => {}
        }
        *active.key.get_or_insert_with(|| {
            self.objects.push(O::default());
            self.objects.len() - 1
        })
    }
}

/// A key as operations name it.
fn named(key: usize) -> Option<i64> {
    Some(i64::try_from(key).expect("fewer keys than operations, and fewer of those than i64 can count"))
}

impl<O: Object> Generator for Rotation<O> {
    fn next(&mut self, context: &Context) -> Next {
        let place = self.draw(context.process);
        let key = self.key_at(place);
        let Some((f, value)) = self.objects[key].ask(context.process, &mut self.dice) else {
            return Next::Pending;
        };
        self.active[place].left -= 1;
        if self.active[place].left == 0 {
            self.active[place] = Active { key: None, left: self.ops_per_key };
        }
        self.asked.insert(context.process, Asked { key, f, value: value.clone() });
        Next::Invoke(Invocation { f, key: named(key), value })
    }

    fn update(&mut self, op: &Op) {
        let Process::Client(process) = op.process else { return };
        if op.op_type == OpType::Invoke {
            return;
        }
        if let Some(asked) = self.asked.remove(&process) {
            self.objects[asked.key].learn(&asked, op.op_type, &op.value);
        }
    }

    fn final_reads(&self) -> Vec<Invocation> {
        let of_key = |(key, object): (usize, &O)| {
            object.finals().into_iter().map(move |(f, value)| Invocation { f, key: named(key), value })
        };
        self.objects.iter().enumerate().flat_map(of_key).collect()
    }
}
