//! A simulated store of lists and registers: strictly serializable, or with snapshots.

use std::collections::BTreeMap;

use checker::{History, Op, OpType, Process, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::mop;

/// What to simulate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) registers: bool,
    pub(crate) clients: usize,
    pub(crate) transactions: usize,
    pub(crate) mops_max: usize,
    pub(crate) keys: i64,
    /// Writes to a key after which it gives way to a new one.
    pub(crate) writes_per_key: i64,
    pub(crate) unknown_percent: u32,
    pub(crate) failed_percent: u32,
    /// Whether all keys are read in the end, by one transaction.
    pub(crate) read_all: bool,
    /// How often a transaction works on a state of some time ago, as a store that is wrong would.
    pub(crate) stale_percent: u32,
    /// Reads of the state at the beginning, first committer wins: snapshot isolation.
    pub(crate) snapshots: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            registers: false,
            clients: 5,
            transactions: 100,
            mops_max: 4,
            keys: 4,
            writes_per_key: 32,
            unknown_percent: 5,
            failed_percent: 5,
            read_all: true,
            stale_percent: 0,
            snapshots: false,
        }
    }
}

type State = BTreeMap<i64, Value>;

enum Client {
    Idle,
    Open { asked: Vec<(bool, i64, i64)>, begun: usize, result: Option<(OpType, Value)> },
}

struct World {
    plan: Plan,
    random: ChaCha8Rng,
    commits: usize,
    /// Of each key its values, each with the commit that left it.
    values: BTreeMap<i64, Vec<(usize, Value)>>,
    keys: Vec<i64>,
    writes: BTreeMap<i64, i64>,
    next_key: i64,
    ops: Vec<Op>,
}

pub(crate) fn run(plan: &Plan, seed: u64) -> History {
    let mut world = World {
        plan: *plan,
        random: ChaCha8Rng::seed_from_u64(seed),
        commits: 0,
        values: BTreeMap::new(),
        keys: (0..plan.keys).collect(),
        writes: BTreeMap::new(),
        next_key: plan.keys,
        ops: Vec::new(),
    };
    let mut clients: Vec<(u64, Client)> =
        (0..plan.clients).map(|number| (number as u64, Client::Idle)).collect();
    let mut left = plan.transactions;
    while left > 0 || clients.iter().any(|(_, client)| !matches!(client, Client::Idle)) {
        let at = world.random.random_range(0..clients.len());
        let (process, client) = &mut clients[at];
        match client {
            Client::Idle if left > 0 => {
                left -= 1;
                let asked = world.ask();
                world.push(*process, OpType::Invoke, asked_value(&asked, plan.registers));
                *client = Client::Open { asked, begun: world.commits, result: None };
            }
            Client::Idle => {}
            Client::Open { asked, begun, result: result @ None } => {
                *result = Some(world.execute(&asked.clone(), *begun));
            }
            Client::Open { asked, result: Some((op_type, value)), .. } => {
                let value = match op_type {
                    OpType::Ok => value.clone(),
                    _ => asked_value(asked, plan.registers),
                };
                let op_type = *op_type;
                world.push(*process, op_type, value);
                if op_type == OpType::Info {
                    *process += 1000;
                }
                *client = Client::Idle;
            }
        }
    }
    if plan.read_all {
        let asked: Vec<_> = (0..world.next_key).map(|key| (false, key, 0)).collect();
        world.push(999_999, OpType::Invoke, asked_value(&asked, plan.registers));
        let answer = world.apply(&asked, world.commits).0;
        world.push(999_999, OpType::Ok, answer);
    }
    History::new(world.ops)
}

fn asked_value(asked: &[(bool, i64, i64)], registers: bool) -> Value {
    let f = if registers { "w" } else { "append" };
    let mops = asked.iter().map(|(write, key, value)| match write {
        true => mop(f, *key, *value),
        false => mop("r", *key, Value::Nil),
    });
    Value::List(mops.collect())
}

impl World {
    fn push(&mut self, process: u64, op_type: OpType, value: Value) {
        let index = self.ops.len() as u64;
        self.ops.push(Op::new(index, index * 1_000, op_type, Process::Client(process), "txn", value));
    }

    fn ask(&mut self) -> Vec<(bool, i64, i64)> {
        let count = self.random.random_range(1..=self.plan.mops_max);
        (0..count)
            .map(|_| {
                let place = self.random.random_range(0..self.keys.len());
                let key = self.keys[place];
                if self.random.random_range(0..2) == 0 {
                    return (false, key, 0);
                }
                let value = self.writes.entry(key).or_default();
                *value += 1;
                let value = *value;
                if value >= self.plan.writes_per_key {
                    self.keys[place] = self.next_key;
                    self.next_key += 1;
                }
                (true, key, value)
            })
            .collect()
    }

    fn execute(&mut self, asked: &[(bool, i64, i64)], begun: usize) -> (OpType, Value) {
        let percent = self.random.random_range(0..100);
        let Plan { unknown_percent, failed_percent, stale_percent, snapshots, .. } = self.plan;
        if percent < failed_percent {
            return (OpType::Fail, Value::Nil);
        }
        let unknown = percent < failed_percent + unknown_percent;
        if unknown && self.random.random_range(0..2) == 0 {
            return (OpType::Info, Value::Nil);
        }
        let mut from = self.commits;
        if snapshots {
            from = begun;
            let writes = |key: &i64| asked.iter().any(|(write, other, _)| *write && other == key);
            let since =
                |values: &Vec<(usize, Value)>| values.last().is_some_and(|(commit, _)| *commit > begun);
            if asked.iter().any(|(_, key, _)| writes(key) && self.values.get(key).is_some_and(since)) {
                return (OpType::Fail, Value::Nil);
            }
        }
        if self.random.random_range(0..100) < stale_percent {
            from = self.commits.saturating_sub(self.random.random_range(0..4));
        }
        let (answer, written) = self.apply(asked, from);
        if !written.is_empty() {
            self.commits += 1;
        }
        for (key, value) in written {
            self.values.entry(key).or_default().push((self.commits, value));
        }
        let op_type = if unknown { OpType::Info } else { OpType::Ok };
        (op_type, answer)
    }

    /// What it answers from a state, and the values it leaves.
    fn apply(&self, asked: &[(bool, i64, i64)], from: usize) -> (Value, State) {
        let mut state = State::new();
        let mut written = State::new();
        let empty = if self.plan.registers { Value::Nil } else { Value::List(Vec::new()) };
        let mops = asked.iter().map(|(write, key, value)| {
            let now = state.entry(*key).or_insert_with(|| {
                let values = self.values.get(key).map_or(&[][..], |values| &values[..]);
                let before = values.partition_point(|(commit, _)| *commit <= from);
                values[..before].last().map_or(empty.clone(), |(_, value)| value.clone())
            });
            if !write {
                return mop("r", *key, now.clone());
            }
            match now {
                Value::List(elements) if !self.plan.registers => elements.push(Value::Int(*value)),
                _ => *now = Value::Int(*value),
            }
            written.insert(*key, now.clone());
            mop(if self.plan.registers { "w" } else { "append" }, *key, *value)
        });
        (Value::List(mops.collect()), written)
    }
}
