//! Correct objects, under clients that overlap, fail and never hear back.

use checker::{History, Op, OpType, Process, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// An open operation: its function, its argument, and once it took effect how it ends.
type Open = (&'static str, Value, Option<(OpType, Value)>);

/// A correct object of any of these kinds, under clients that overlap, fail and never hear back.
pub(super) fn correct(name: &'static str, seed: u64) -> History {
    let random = ChaCha8Rng::seed_from_u64(seed);
    let mut world = World { name, random, ops: Vec::new(), next: 0, state: State::default() };
    let mut clients: Vec<(u64, Option<Open>)> = (0..4).map(|number| (number, None)).collect();
    let mut left = 120;
    while left > 0 || clients.iter().any(|(_, open)| open.is_some()) {
        let at = world.random.random_range(0..clients.len());
        let (process, open) = &mut clients[at];
        match open {
            None if left == 0 => {}
            None => {
                left -= 1;
                let (f, argument) = world.ask(left);
                world.push(*process, OpType::Invoke, f, argument.clone());
                *open = Some((f, argument, None));
            }
            Some((f, argument, result @ None)) => {
                let (f, argument) = (*f, argument.clone());
                let fate = match world.random.random_range(0..20) {
                    // Whatever is to be read in the end must be.
                    _ if left < 4 => OpType::Ok,
                    0 => OpType::Fail,
                    1 | 2 => OpType::Info,
                    _ => OpType::Ok,
                };
                let takes_effect =
                    fate == OpType::Ok || fate == OpType::Info && world.random.random_range(0..2) == 0;
                let answer = if takes_effect { world.apply(f, &argument) } else { Value::Nil };
                *result = Some((fate, answer));
            }
            Some((f, argument, Some((fate, answer)))) => {
                let value = if *fate == OpType::Ok { answer.clone() } else { argument.clone() };
                world.push(*process, *fate, f, value);
                if *fate == OpType::Info {
                    *process += 100;
                }
                *open = None;
            }
        }
    }
    History::new(world.ops)
}

#[derive(Default)]
struct State {
    elements: Vec<Value>,
    register: Value,
    sum: i64,
    accounts: [i64; 3],
    keys: Vec<(Value, Value)>,
}

struct World {
    name: &'static str,
    random: ChaCha8Rng,
    ops: Vec<Op>,
    next: i64,
    state: State,
}

impl World {
    fn push(&mut self, process: u64, op_type: OpType, f: &'static str, value: Value) {
        let index = self.ops.len() as u64;
        self.ops.push(Op::new(index, index * 1_000_000, op_type, Process::Client(process), f, value));
    }

    fn ask(&mut self, left: u32) -> (&'static str, Value) {
        self.next += 1;
        let next = Value::Int(self.next);
        let coin = self.random.random_range(0..2) == 0 && left >= 8;
        match self.name {
            "final-set" | "set-full" => {
                if coin {
                    ("add", next)
                } else {
                    ("read", Value::Nil)
                }
            }
            "dequeues" => {
                if coin {
                    ("enqueue", next)
                } else {
                    ("dequeue", Value::Nil)
                }
            }
            "total-queue" => match coin {
                true => ("enqueue", next),
                false if left < 8 => ("drain", Value::Nil),
                false => ("dequeue", Value::Nil),
            },
            "unique-ids" => ("generate", Value::Nil),
            "counter-bounds" => {
                let amount = self.random.random_range(-3..8);
                if coin { ("add", amount.into()) } else { ("read", Value::Nil) }
            }
            "bank" => {
                let mut account = || Value::Int(self.random.random_range(0..3));
                let transfer = Value::List(vec![account(), account()]);
                if coin { ("transfer", transfer) } else { ("read", Value::Nil) }
            }
            "long-fork" => {
                let mop = |f: &str, key: i64, value: Value| Value::List(vec![f.into(), key.into(), value]);
                let group = self.next / 6 * 10;
                let fresh = self.next % 6;
                match coin && fresh < 3 {
                    true => ("txn", Value::List(vec![mop("w", group + fresh, 1.into())])),
                    false => {
                        let keys = group..group + 3;
                        ("txn", Value::List(keys.map(|key| mop("r", key, Value::Nil)).collect()))
                    }
                }
            }
            "causal-reverse" => {
                if coin {
                    ("write", next)
                } else {
                    ("read", Value::Nil)
                }
            }
            "sessions" => {
                if coin {
                    ("write", next)
                } else {
                    ("read", Value::Nil)
                }
            }
            _ => {
                if coin {
                    ("inc", Value::Nil)
                } else {
                    ("read", Value::Nil)
                }
            }
        }
    }

    fn apply(&mut self, f: &str, argument: &Value) -> Value {
        let State { elements, register, sum, accounts, keys } = &mut self.state;
        match f {
            "add" if argument.as_int().is_some() => {
                elements.push(argument.clone());
                *sum += argument.as_int().unwrap();
                argument.clone()
            }
            "enqueue" => {
                elements.push(argument.clone());
                argument.clone()
            }
            "write" => {
                elements.push(argument.clone());
                *register = argument.clone();
                argument.clone()
            }
            "dequeue" => {
                let at = self.random.random_range(0..elements.len().max(1));
                if elements.is_empty() { Value::Nil } else { elements.remove(at) }
            }
            "drain" => Value::List(std::mem::take(elements)),
            "generate" => {
                *sum += 1;
                Value::Int(*sum)
            }
            "inc" => {
                *sum += 1;
                Value::Int(*sum)
            }
            "transfer" => {
                let pair: Vec<usize> = argument
                    .as_list()
                    .unwrap()
                    .iter()
                    .map(|place| place.as_int().unwrap() as usize)
                    .collect();
                accounts[pair[0]] -= 1;
                accounts[pair[1]] += 1;
                argument.clone()
            }
            "txn" => {
                let mops = argument.as_list().unwrap().iter().map(|mop| {
                    let [f, key, value] = mop.as_list().unwrap() else { panic!() };
                    if *f == Value::from("w") {
                        keys.push((key.clone(), value.clone()));
                        return mop.clone();
                    }
                    let known = keys.iter().find(|(other, _)| other == key).map(|(_, value)| value.clone());
                    Value::List(vec![f.clone(), key.clone(), known.unwrap_or_default()])
                });
                Value::List(mops.collect())
            }
            _ => match self.name {
                "sessions" => register.clone(),
                "counter-bounds" | "monotonic" | "stats" | "unhandled-exceptions" => Value::Int(*sum),
                "bank" => {
                    let balances = (0i64..).zip(&*accounts);
                    Value::map(
                        balances.map(|(account, balance)| (account.into(), (*balance).into())).collect(),
                    )
                }
                _ => Value::List(elements.clone()),
            },
        }
    }
}
