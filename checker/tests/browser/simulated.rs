//! Histories large and small for the pages that are looked at: clients on registers that never err, and
//! faults around them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use checker::{History, Op, OpType, Process, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What to simulate.
pub(crate) struct Plan {
    pub(crate) clients: u64,
    pub(crate) operations: usize,
    pub(crate) keys: i64,
    /// Of a thousand operations, how many are unknown and how many fail.
    pub(crate) unknown: u32,
    pub(crate) failed: u32,
    /// A read in the middle that answers what has been replaced.
    pub(crate) stale: bool,
    pub(crate) faults: bool,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Invoke {
        slot: u64,
    },
    /// A write takes effect.
    Effect {
        key: usize,
        value: i64,
    },
    /// The outcome: 0 ok, 1 failed, 2 unknown. A read finds its value now.
    Complete {
        slot: u64,
        process: u64,
        f: &'static str,
        key: usize,
        value: Option<i64>,
        outcome: usize,
    },
    Nemesis {
        number: i64,
        f: &'static str,
        value: &'static str,
        moment: &'static str,
    },
}

const FAULTS: [(&str, &str); 5] = [
    ("partition:isolate-leader", "cut n1↔others"),
    ("kill:minority", "kill n2 n4"),
    ("link:delay", "delay 51±9 ms on every link"),
    ("pause:one", "pause n3"),
    ("partition:halves", "cut n1 n2 | n3 n4 n5"),
];

const MS: u64 = 1_000_000;

/// A history by time, from a seed.
pub(crate) fn simulated(plan: &Plan, seed: u64) -> History {
    let mut world = World {
        plan,
        random: ChaCha8Rng::seed_from_u64(seed),
        queue: BinaryHeap::new(),
        pushed: 0,
        processes: (0..plan.clients).collect(),
        state: vec![(None, None); plan.keys as usize],
        invoked: 0,
        written: 0,
        stale: !plan.stale,
        history: History::default(),
    };
    for slot in 0..plan.clients {
        world.push(slot * 40_000, Event::Invoke { slot });
    }
    if plan.faults {
        world.plan_faults();
    }
    while let Some(Reverse((at, _, event))) = world.queue.pop() {
        world.happen(at, event);
    }
    world.history
}

struct World<'p> {
    plan: &'p Plan,
    random: ChaCha8Rng,
    /// By time, and in the order in which they were planned.
    queue: BinaryHeap<Reverse<(u64, u64, Event)>>,
    pushed: u64,
    /// The process that each client is now.
    processes: Vec<u64>,
    /// What each key holds, and what it held first.
    state: Vec<(Option<i64>, Option<i64>)>,
    invoked: usize,
    written: i64,
    /// Whether the stale read has been, or is not to be.
    stale: bool,
    history: History,
}

impl World<'_> {
    fn push(&mut self, at: u64, event: Event) {
        self.pushed += 1;
        self.queue.push(Reverse((at, self.pushed, event)));
    }

    fn plan_faults(&mut self) {
        let length_ns = self.plan.operations as u64 * 5 * MS / self.plan.clients;
        for (place, (f, value)) in FAULTS.into_iter().enumerate() {
            let (place, number) = (place as u64, place as i64);
            let from = length_ns * (1 + place) / 8;
            self.push(from, Event::Nemesis { number, f, value, moment: "begins" });
            let to = from + length_ns * (1 + place % 3) / 11;
            self.push(to, Event::Nemesis { number, f, value, moment: "ends" });
        }
    }

    fn happen(&mut self, at: u64, event: Event) {
        match event {
            Event::Invoke { .. } if self.invoked == self.plan.operations => {}
            Event::Invoke { slot } => self.invoke(at, slot),
            Event::Effect { key, value } => {
                self.state[key] = (Some(value), self.state[key].1.or(Some(value)));
            }
            Event::Complete { slot, process, f, key, value, outcome } => {
                let (now, first) = self.state[key];
                let half = self.invoked * 2 > self.plan.operations;
                let late = !self.stale && half && f == "read" && first.is_some();
                self.stale |= late;
                let value = value.or(if late { first } else { now });
                let op_type = [OpType::Ok, OpType::Fail, OpType::Info][outcome];
                self.record(at, op_type, process, f, value, key);
                if op_type == OpType::Info {
                    self.processes[slot as usize] += self.plan.clients;
                }
                let pause = self.random.random_range(0..MS);
                self.push(at + pause, Event::Invoke { slot });
            }
            Event::Nemesis { number, f, value, moment } => {
                let index = self.history.len() as u64;
                let mut op = Op::new(index, at, OpType::Info, Process::Nemesis, f, value);
                op.extra.insert("fault".into(), number.into());
                op.extra.insert("moment".into(), moment.into());
                self.history.push(op);
            }
        }
    }

    fn invoke(&mut self, at: u64, slot: u64) {
        self.invoked += 1;
        let process = self.processes[slot as usize];
        let key = self.random.random_range(0..self.plan.keys) as usize;
        let takes = self.random.random_range(MS / 2..9 * MS);
        if self.random.random_ratio(1, 2) {
            self.record(at, OpType::Invoke, process, "read", None, key);
            let done = Event::Complete { slot, process, f: "read", key, value: None, outcome: 0 };
            self.push(at + takes, done);
            return;
        }
        self.written += 1;
        let value = self.written;
        self.record(at, OpType::Invoke, process, "write", Some(value), key);
        let outcome = match self.random.random_range(0..1000) {
            roll if roll < self.plan.unknown => 2,
            roll if roll < self.plan.unknown + self.plan.failed => 1,
            _ => 0,
        };
        if outcome != 1 {
            let effect = at + self.random.random_range(0..takes);
            self.push(effect, Event::Effect { key, value });
        }
        self.push(
            at + takes,
            Event::Complete { slot, process, f: "write", key, value: Some(value), outcome },
        );
    }

    fn record(
        &mut self,
        at: u64,
        op_type: OpType,
        process: u64,
        f: &'static str,
        value: Option<i64>,
        key: usize,
    ) {
        let value = value.map_or(Value::Nil, Value::Int);
        let op = Op::new(self.history.len() as u64, at, op_type, Process::Client(process), f, value);
        self.history.push(if self.plan.keys > 1 { op.with_key(key as i64) } else { op });
    }
}
