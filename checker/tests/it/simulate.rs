//! Histories of a correct object under simulated clients, and ways to spoil them.

use checker::{History, Op, OpType, Process, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What kind of object is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    Register,
    List,
    Set,
}

/// What to simulate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) object: Object,
    pub(crate) clients: usize,
    pub(crate) operations: usize,
    /// Whether every written value is new; otherwise they come from a handful.
    pub(crate) unique: bool,
    /// Of a hundred operations, how many have an unknown outcome, and how many fail.
    pub(crate) unknown_percent: u32,
    pub(crate) failed_percent: u32,
}

enum Client {
    Idle,
    /// Invoked; to take effect before its completion unless it fails.
    Open {
        f: &'static str,
        argument: Value,
        result: Option<Value>,
        fate: OpType,
    },
    Gone,
}

struct World {
    plan: Plan,
    random: ChaCha8Rng,
    state: Value,
    next_value: i64,
    ops: Vec<Op>,
    clients: Vec<(u64, Client)>,
    /// Unknown operations that may take effect at any time.
    floating: Vec<(&'static str, Value)>,
}

/// A linearizable history.
pub(crate) fn correct(plan: Plan, seed: u64) -> History {
    let mut world = World {
        plan,
        random: ChaCha8Rng::seed_from_u64(seed),
        state: Value::Nil,
        next_value: 1,
        ops: Vec::new(),
        clients: (0..plan.clients).map(|number| (number as u64, Client::Idle)).collect(),
        floating: Vec::new(),
    };
    let mut invoked = 0;
    let mut idle_rounds = 0;
    while idle_rounds < 64 {
        idle_rounds += 1;
        let index = world.random.random_range(0..world.clients.len());
        let moved = match world.clients[index].1 {
            Client::Idle if invoked < plan.operations => {
                world.invoke(index);
                invoked += 1;
                true
            }
            Client::Idle => false,
            Client::Gone => {
                world.clients[index] = (world.clients[index].0 + 100, Client::Idle);
                true
            }
            Client::Open { .. } => {
                world.proceed(index);
                true
            }
        };
        if moved {
            idle_rounds = 0;
        }
        if !world.floating.is_empty() && world.random.random_ratio(1, 4) {
            let late = world.random.random_range(0..world.floating.len());
            let (f, argument) = world.floating.swap_remove(late);
            world.apply(f, &argument);
        }
    }
    History::new(world.ops)
}

impl World {
    fn record(&mut self, op_type: OpType, process: u64, f: &'static str, value: Value) {
        let index = self.ops.len() as u64;
        self.ops.push(Op::new(index, index * 1_000_000, op_type, Process::Client(process), f, value));
    }

    fn new_value(&mut self) -> Value {
        if self.plan.unique {
            self.next_value += 1;
            Value::Int(self.next_value - 1)
        } else {
            Value::Int(self.random.random_range(1..4))
        }
    }

    fn invoke(&mut self, index: usize) {
        let (f, argument) = match (self.plan.object, self.random.random_range(0..6)) {
            (_, 0..3) => ("read", Value::Nil),
            (Object::Register, 3) => ("write", self.new_value()),
            (Object::Register, _) => {
                // Expects what is there now, or something else that it may well become.
                let expected = match self.random.random_range(0..3) {
                    0 if self.next_value > 1 || !self.plan.unique => {
                        Value::Int(self.random.random_range(1..self.next_value.max(4)))
                    }
                    _ => self.state.clone(),
                };
                ("cas", Value::List(vec![expected, self.new_value()]))
            }
            (Object::List, _) => ("append", self.new_value()),
            (Object::Set, _) => ("add", self.new_value()),
        };
        let fate = match self.random.random_range(0..100) {
            roll if roll < self.plan.unknown_percent => OpType::Info,
            roll if roll < self.plan.unknown_percent + self.plan.failed_percent => OpType::Fail,
            _ => OpType::Ok,
        };
        let process = self.clients[index].0;
        self.record(OpType::Invoke, process, f, argument.clone());
        self.clients[index].1 = Client::Open { f, argument, result: None, fate };
    }

    /// Takes effect, or completes if it has.
    fn proceed(&mut self, index: usize) {
        let process = self.clients[index].0;
        let client = std::mem::replace(&mut self.clients[index].1, Client::Idle);
        let Client::Open { f, argument, result, fate } = client else { panic!("only open ones proceed") };
        match (fate, result) {
            (OpType::Fail, _) => self.record(OpType::Fail, process, f, argument),
            (OpType::Info, _) => {
                self.floating.push((f, argument.clone()));
                // Now and then nobody even records that it is unknown.
                if self.random.random_ratio(3, 4) {
                    self.record(OpType::Info, process, f, argument);
                }
                self.clients[index].1 = Client::Gone;
            }
            (_, Some(result)) => self.record(OpType::Ok, process, f, result),
            (_, None) => match self.apply(f, &argument) {
                Some(result) => {
                    self.clients[index].1 = Client::Open { f, argument, result: Some(result), fate };
                }
                None => self.record(OpType::Fail, process, f, argument),
            },
        }
    }

    /// The result, or `None` for a cas that does not match.
    fn apply(&mut self, f: &str, argument: &Value) -> Option<Value> {
        let elements = self.state.as_list().unwrap_or(&[]);
        match f {
            "read" => return Some(self.shuffled()),
            "write" => self.state = argument.clone(),
            "cas" => {
                let pair = argument.as_list().unwrap();
                if pair[0] != self.state {
                    return None;
                }
                self.state = pair[1].clone();
            }
            "append" => self.state = Value::List([elements, std::slice::from_ref(argument)].concat()),
            "add" if elements.contains(argument) => {}
            "add" => self.state = Value::List([elements, std::slice::from_ref(argument)].concat()),
            other => panic!("{other}"),
        }
        Some(argument.clone())
    }

    /// The state as a read answers it: a set in any order.
    fn shuffled(&mut self) -> Value {
        let mut state = self.state.clone();
        if let (Object::Set, Value::List(elements)) = (self.plan.object, &mut state) {
            let by = self.random.random_range(0..elements.len());
            elements.rotate_left(by);
        }
        state
    }
}

/// Spoils a history in a few places; it stays well-formed and may stay linearizable.
pub(crate) fn spoiled(history: &History, object: Object, seed: u64) -> History {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x5101);
    let mut ops: Vec<Op> = history.ops().collect();
    for _ in 0..random.random_range(1..7) {
        let completions: Vec<usize> =
            (0..ops.len()).filter(|&place| ops[place].op_type != OpType::Invoke).collect();
        if completions.is_empty() {
            break;
        }
        let place = completions[random.random_range(0..completions.len())];
        let other = completions[random.random_range(0..completions.len())];
        match random.random_range(0..5) {
            // A read answers what another one did.
            0 | 1 if ops[place].f == "read" && ops[other].f == "read" => {
                ops[place].value = ops[other].value.clone();
            }
            // A read loses, gains or doubles an element, or sees something else.
            2 if ops[place].f == "read" => match &mut ops[place].value {
                Value::List(elements) if !elements.is_empty() => {
                    let at = random.random_range(0..elements.len());
                    match random.random_range(0..3) {
                        0 => drop(elements.remove(at)),
                        1 => elements.push(elements[at].clone()),
                        _ => elements.swap(0, at),
                    }
                }
                Value::List(elements) => elements.push(Value::Int(random.random_range(1..6))),
                value => {
                    let other = Value::Int(random.random_range(1..6));
                    *value = if object == Object::Register { other } else { Value::List(vec![other]) };
                }
            },
            // What happened did not, or the reverse.
            3 => match ops[place].op_type {
                OpType::Ok => ops[place].op_type = OpType::Fail,
                OpType::Fail if ops[place].f != "read" => ops[place].op_type = OpType::Ok,
                _ => {}
            },
            // An operation ends earlier: swapped with what came before, as long as that is another's.
            _ if place > 0 && ops[place - 1].process != ops[place].process => {
                ops.swap(place - 1, place);
                for at in [place - 1, place] {
                    ops[at].index = at as u64;
                    ops[at].time_ns = at as u64 * 1_000_000;
                }
            }
            _ => {}
        }
    }
    History::new(ops)
}
