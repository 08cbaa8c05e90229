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
    Invoke { slot: u64 },
    Effect { process: u64, f: &'static str, key: usize, value: i64 },
    Complete { slot: u64, process: u64, f: &'static str, key: usize, value: Option<i64>, op_type: u8 },
    Nemesis { number: i64, f: &'static str, value: &'static str, moment: &'static str },
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
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut queue = BinaryHeap::new();
    let mut pushed = 0;
    let mut push = |queue: &mut BinaryHeap<_>, at: u64, event: Event| {
        pushed += 1;
        queue.push(Reverse((at, pushed, event)));
    };
    for slot in 0..plan.clients {
        push(&mut queue, slot * 40_000, Event::Invoke { slot });
    }
    let length_ns = plan.operations as u64 * 5 * MS / plan.clients;
    if plan.faults {
        for (number, (f, value)) in FAULTS.into_iter().enumerate() {
            let from = length_ns * (1 + number as u64) / 8;
            let begins = Event::Nemesis { number: number as i64, f, value, moment: "begins" };
            let ends = Event::Nemesis { number: number as i64, f, value, moment: "ends" };
            push(&mut queue, from, begins);
            push(&mut queue, from + length_ns * (1 + number as u64 % 3) / 11, ends);
        }
    }
    let mut processes: Vec<u64> = (0..plan.clients).collect();
    let mut state = vec![(None::<i64>, None::<i64>); plan.keys as usize];
    let (mut invoked, mut written, mut stale) = (0, 0, !plan.stale);
    let mut history = History::default();
    let record = |history: &mut History, at, op_type, process, f, value: Option<i64>, key: usize| {
        let value = value.map_or(Value::Nil, Value::Int);
        let op = Op::new(history.len() as u64, at, op_type, Process::Client(process), f, value);
        history.push(if plan.keys > 1 { op.with_key(key as i64) } else { op });
    };
    while let Some(Reverse((at, _, event))) = queue.pop() {
        match event {
            Event::Invoke { .. } if invoked == plan.operations => {}
            Event::Invoke { slot } => {
                invoked += 1;
                let process = processes[slot as usize];
                let key = random.random_range(0..plan.keys) as usize;
                let takes = random.random_range(MS / 2..9 * MS);
                let roll = random.random_range(0..1000);
                if random.random_ratio(1, 2) {
                    record(&mut history, at, OpType::Invoke, process, "read", None, key);
                    push(&mut queue, at + takes, Event::Effect { process, f: "read", key, value: 0 });
                    let done = Event::Complete { slot, process, f: "read", key, value: None, op_type: 0 };
                    push(&mut queue, at + takes + 1, done);
                    continue;
                }
                written += 1;
                record(&mut history, at, OpType::Invoke, process, "write", Some(written), key);
                let op_type = match roll {
                    roll if roll < plan.unknown => 2,
                    roll if roll < plan.unknown + plan.failed => 1,
                    _ => 0,
                };
                if op_type != 1 {
                    let effect = at + random.random_range(0..takes);
                    push(&mut queue, effect, Event::Effect { process, f: "write", key, value: written });
                }
                let done = Event::Complete { slot, process, f: "write", key, value: Some(written), op_type };
                push(&mut queue, at + takes, done);
            }
            Event::Effect { f: "write", key, value, .. } => state[key] = (Some(value), state[key].1.or(Some(value))),
            Event::Effect { .. } => {}
            Event::Complete { slot, process, f, key, value, op_type } => {
                let late = !stale && invoked * 2 > plan.operations && f == "read" && state[key].1.is_some();
                stale |= late;
                let value = value.or(if late { state[key].1 } else { state[key].0 });
                let op_type = [OpType::Ok, OpType::Fail, OpType::Info][usize::from(op_type)];
                record(&mut history, at, op_type, process, f, value, key);
                if op_type == OpType::Info {
                    processes[slot as usize] += plan.clients;
                }
                push(&mut queue, at + random.random_range(0..MS), Event::Invoke { slot });
            }
            Event::Nemesis { number, f, value, moment } => {
                let mut op =
                    Op::new(history.len() as u64, at, OpType::Info, Process::Nemesis, f, Value::from(value));
                op.extra.insert("fault".into(), number.into());
                op.extra.insert("moment".into(), moment.into());
                history.push(op);
            }
        }
    }
    history
}
