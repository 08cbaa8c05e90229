//! The online checker against the oracle and the zones, while it forgets as early as it can.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::horizon::{Bars, Bounds};
use super::register::OPEN_MAX;
use super::{Checker, Engine, Status};
use crate::history::Resolution;
use crate::history::op::{Op, OpType, Process, Value};
use crate::linearizability::partition::NEVER;
use crate::linearizability::register_op::{INITIAL, Kind, RegisterOp, ValueId};
use crate::linearizability::search::growing::Effort;
use crate::linearizability::zones::first_impossible;
use crate::linearizability::zones::tests::{Generated, Plan, first_impossible_of_all, generate, plan_of};
use crate::model::{CasRegister, Counter, Queue, Stack};
use crate::simulate;

fn seeds() -> u64 {
    std::env::var("CHECKER_SEEDS").map_or(40_000, |seeds| seeds.parse().unwrap())
}

fn value(id: ValueId) -> Value {
    if id == INITIAL { Value::Nil } else { Value::Int(i64::from(id)) }
}

/// The events of a history, each with its position there: infos have that of the event before. Every
/// operation has a process of its own.
fn events(Generated { ops, positions, .. }: &Generated, random: &mut ChaCha8Rng) -> Vec<(u32, Op)> {
    let mut events = Vec::new();
    for (process, RegisterOp { kind, start, end }) in ops.iter().enumerate() {
        let (f, asked, result) = match *kind {
            Kind::Read(seen) => ("read", Value::Nil, value(seen)),
            Kind::Write(written) => ("write", value(written), value(written)),
            Kind::Cas(from, to) => {
                let pair = Value::List(vec![value(from), value(to)]);
                ("cas", pair.clone(), pair)
            }
            Kind::NotEqual(_) => panic!("none is generated"),
        };
        let mut add = |position, place, op_type, value| {
            let op = Op::new(0, 0, op_type, Process::Client(process as u64), f, value);
            events.push(((position, place), op));
        };
        add(*start, 0, OpType::Invoke, asked.clone());
        if *end != NEVER {
            add(*end, 0, OpType::Ok, result);
        } else if random.random_ratio(5, 6) {
            let later = random.random_range(*start..=*positions);
            add(later, process + 1, OpType::Info, asked);
        }
    }
    events.sort_by_key(|(place, _)| *place);
    events.into_iter().map(|((position, _), op)| (position, op)).collect()
}

fn eager(initial: Value) -> Checker {
    Checker::registers_swept_from(&CasRegister::starting_with(initial), 0)
}

/// The position of the first violation.
fn first_reported(checker: &mut Checker, events: &[(u32, Op)]) -> Option<u32> {
    for (index, (position, op)) in events.iter().enumerate() {
        let op = Op { index: index as u64, ..op.clone() };
        match checker.event(&op).unwrap() {
            Status::Fine => {}
            Status::Violation(violation) => {
                assert_eq!(violation.index, index as u64);
                assert!(violation.events.len() <= 8 && violation.events.contains(&(index as u64)));
                return Some(*position);
            }
            Status::Undecided(undecided) => panic!("{undecided:?}"),
        }
    }
    None
}

/// Blocks that appear and grow at random, until one bars another.
#[test]
fn a_few_bars_say_the_same_as_all_blocks() {
    let (mut barred, mut free) = (0, 0);
    for seed in 0..seeds() {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (mut bars, mut blocks): (Bars, Vec<Bounds>) = Default::default();
        for now in 1u64..60 {
            // Starts are odd and ends even: no two events are at one position.
            let start = 2 * random.random_range(now.saturating_sub(6).max(1)..=now) - 1;
            let grown = blocks.len().saturating_sub(6) + random.random_range(0..12);
            let bounds = match blocks.get_mut(grown) {
                None => {
                    blocks.push(Bounds { first_end: 2 * now, last_start: start });
                    blocks[blocks.len() - 1]
                }
                Some(block) => {
                    block.last_start = block.last_start.max(start);
                    *block
                }
            };
            let Bounds { first_end, last_start } = bounds;
            let bar = |other: &&Bounds| {
                other.first_end != first_end && other.first_end < last_start && other.last_start > first_end
            };
            let found = bars.barring(first_end, last_start);
            assert_eq!(found.is_some(), blocks.iter().any(|other| bar(&other)), "seed {seed}, {blocks:?}");
            if found.is_some() {
                barred += 1;
                break;
            }
            free += 1;
            bars.note(bounds);
        }
    }
    assert!(barred > seeds() / 4 && free > seeds(), "{barred} {free}");
}

#[test]
fn violations_are_reported_at_the_first_impossible_event() {
    let (mut valid, mut invalid) = (0, 0);
    for seed in 0..seeds() {
        let generated = generate(plan_of(seed), seed);
        let truth = first_impossible_of_all(&generated.ops, generated.positions);
        let events = events(&generated, &mut ChaCha8Rng::seed_from_u64(seed));
        for mut checker in [Checker::registers(), eager(Value::Nil)] {
            let reported = first_reported(&mut checker, &events);
            assert_eq!(reported, truth, "seed {seed}: {:?}", generated.ops);
            assert_eq!(checker.violation().is_some(), truth.is_some());
        }
        valid += u64::from(truth.is_none());
        invalid += u64::from(truth.is_some());
    }
    assert!(valid > seeds() / 4 && invalid > seeds() / 4, "{valid} {invalid}");
}

#[test]
fn what_is_forgotten_is_not_missed_in_longer_histories() {
    let (mut valid, mut invalid) = (0, 0);
    for seed in 0..seeds() / 40 {
        let plan = Plan {
            ops: 20 + seed as usize % 300,
            clients: 2 + seed as usize % 7,
            repeated: None,
            not_equals: false,
            spoiled: seed as usize % 3,
        };
        let generated = generate(plan, seed);
        let truth = first_impossible(&generated.ops, generated.values, generated.positions);
        let events = events(&generated, &mut ChaCha8Rng::seed_from_u64(seed));
        for mut checker in [Checker::registers(), eager(Value::Nil)] {
            assert_eq!(first_reported(&mut checker, &events), truth, "seed {seed}");
        }
        valid += u64::from(truth.is_none());
        invalid += u64::from(truth.is_some());
    }
    assert!(valid > seeds() / 200 && invalid > seeds() / 300, "{valid} {invalid}");
}

/// Values from a handful, so that they come back again and again.
#[test]
fn values_that_come_back_are_told_apart_or_searched() {
    let (mut valid, mut invalid, mut searched) = (0, 0, 0);
    for seed in 0..seeds() {
        let plan = Plan { repeated: Some(3 + seed as u32 % 8), ops: 4 + seed as usize % 10, ..plan_of(seed) };
        let generated = generate(plan, seed);
        let truth = first_impossible_of_all(&generated.ops, generated.positions);
        let events = events(&generated, &mut ChaCha8Rng::seed_from_u64(seed));
        let mut checker = eager(Value::Nil);
        let reported = first_reported(&mut checker, &events);
        assert_eq!(reported, truth, "seed {seed}: {:?}", generated.ops);
        searched += u64::from(matches!(checker.engines.first(), Some(Engine::Searched(_))));
        *if truth.is_none() { &mut valid } else { &mut invalid } += 1;
    }
    let enough = valid > seeds() / 10 && invalid > seeds() / 20 && searched > seeds() / 10;
    assert!(enough, "{valid} {invalid} {searched}");
}

/// Operations that are given up, and their outcomes learnt when all else is over, and much forgotten.
#[test]
fn what_is_learnt_late_is_judged_rightly_or_not_at_all() {
    let (mut valid, mut invalid, mut undecided) = (0, 0, 0);
    for seed in 0..seeds() {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let repeated = (seed % 2 == 0).then_some(3 + seed as u32 % 5);
        let plan = Plan { repeated, ops: 4 + seed as usize % 8, ..plan_of(seed) };
        let mut generated = generate(plan, seed);
        let mut late: Vec<usize> = (0..generated.ops.len()).filter(|_| random.random_ratio(1, 4)).collect();
        // Given up at their end, or at some time if they have none.
        let mut events = events(&generated, &mut random);
        for (_, op) in &mut events {
            let Process::Client(process) = op.process else { panic!() };
            if op.op_type == OpType::Ok && late.contains(&(process as usize)) {
                op.op_type = OpType::Info;
            }
        }
        let mut checker = eager(Value::Nil);
        let mut worst = Status::Fine;
        let mut invoked = vec![0; generated.ops.len()];
        for (index, (_, op)) in events.iter().enumerate() {
            let Process::Client(process) = op.process else { panic!() };
            if op.op_type == OpType::Invoke {
                invoked[process as usize] = index as u64;
            }
            worst = worse(worst, checker.event(&Op { index: index as u64, ..op.clone() }).unwrap());
        }
        late.retain(|number| generated.ops[*number].end != NEVER);
        for number in &late {
            generated.positions += 1;
            let happened = !random.random_ratio(1, 4);
            let op = &mut generated.ops[*number];
            let resolution = match op.kind {
                _ if !happened => Resolution::DidNotHappen,
                Kind::Read(seen) => Resolution::Happened(value(seen)),
                _ => Resolution::Happened(Value::Nil),
            };
            // What did not happen is made a read of unknown outcome, which says nothing.
            (op.end, op.kind) = match happened {
                true => (generated.positions, op.kind),
                false => (NEVER, Kind::Read(INITIAL)),
            };
            worst = worse(worst, checker.resolve(invoked[*number], &resolution).unwrap());
        }
        let ops: Vec<RegisterOp> = generated.ops.into_iter().filter(|op| !is_unended_read(op)).collect();
        let truth = first_impossible_of_all(&ops, generated.positions).is_none();
        match worst {
            Status::Fine => {
                assert!(truth, "seed {seed}: {late:?} of {ops:?}");
                valid += 1;
            }
            Status::Violation(violation) => {
                assert!(!truth, "seed {seed}: {violation:?}: {late:?} of {ops:?}");
                invalid += 1;
            }
            Status::Undecided(_) => undecided += 1,
        }
    }
    let enough = valid > seeds() / 10 && invalid > seeds() / 10 && undecided > seeds() / 20;
    assert!(enough && undecided < seeds() / 2, "{valid} {invalid} {undecided}");
}

fn is_unended_read(op: &RegisterOp) -> bool {
    op.end == NEVER && matches!(op.kind, Kind::Read(_))
}

/// The first of two that says something.
fn worse(before: Status, now: Status) -> Status {
    if before == Status::Fine { now } else { before }
}

/// Runs a register that is really there, each of whose operations takes effect at some moment.
struct Run {
    random: ChaCha8Rng,
    checker: Checker,
    index: u64,
    state: i64,
    next: i64,
    processes: u64,
    open: Vec<(u64, &'static str, Value, Option<Value>)>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let random = ChaCha8Rng::seed_from_u64(seed);
        let checker = Checker::registers();
        Run { random, checker, index: 0, state: -1, next: 0, processes: 0, open: Vec::new() }
    }

    fn event(&mut self, process: u64, op_type: OpType, f: &'static str, value: Value) {
        let op = Op::new(self.index, 0, op_type, Process::Client(process), f, value);
        self.index += 1;
        let status = self.checker.event(&op).unwrap();
        assert_eq!(status, Status::Fine, "event {}", self.index - 1);
    }

    fn step(&mut self, clients: usize, unknown_per_mille: u32) {
        if self.open.len() < clients {
            self.processes += 1;
            let write = |next: &mut i64| {
                *next += 1;
                Value::Int(*next - 1)
            };
            let (f, asked) = match self.random.random_range(0..4) {
                0 | 1 => ("read", Value::Nil),
                2 => ("write", write(&mut self.next)),
                _ => ("cas", Value::List(vec![Value::Int(self.state), write(&mut self.next)])),
            };
            self.event(self.processes, OpType::Invoke, f, asked.clone());
            self.open.push((self.processes, f, asked, None));
            return;
        }
        let place = self.random.random_range(0..clients);
        let (process, f, asked, result) = self.open.swap_remove(place);
        if let Some(result) = result {
            let unknown = self.random.random_range(0..1000) < unknown_per_mille;
            self.event(process, if unknown { OpType::Info } else { OpType::Ok }, f, result);
            return;
        }
        let result = match (f, asked.as_list()) {
            ("read", _) if self.state < 0 => Value::Nil,
            ("read", _) => Value::Int(self.state),
            (_, Some([from, _])) if *from != Value::Int(self.state) => {
                return self.event(process, OpType::Fail, f, asked);
            }
            (_, pair) => {
                let to = pair.map_or(&asked, |pair| &pair[1]);
                self.state = to.as_int().unwrap();
                asked.clone()
            }
        };
        self.open.push((process, f, asked, Some(result)));
    }
}

#[test]
fn memory_does_not_grow_with_the_history() {
    for (seed, clients) in [5, 20, 50].into_iter().enumerate() {
        let mut run = Run::new(seed as u64);
        let mut most = 0;
        for step in 0..120_000 {
            run.step(clients, 0);
            // By then what is kept of the beginning is given up.
            if step > 60_000 {
                most = most.max(run.checker.entries());
            }
        }
        assert!(most < 150 + 40 * clients, "{clients} clients: {most} entries");
    }
}

#[test]
fn an_operation_of_unknown_outcome_costs_a_few_entries_and_holds_back_nothing() {
    let mut run = Run::new(9);
    for _ in 0..200_000 {
        run.step(10, 10);
    }
    let infos = run.checker.sessions.unknown();
    let Some(Engine::Register(register)) = run.checker.engines.first() else { panic!() };
    assert!(infos > 300, "{infos}");
    assert!(register.len() < infos + 700, "{} entries for {infos} unknown outcomes", register.len());
}

/// The read of 2 began before the write of 1, but the write of 2 began after that had ended.
/// A client that hangs, and tells what it read when that is long forgotten.
#[test]
fn a_read_that_never_ends_does_not_hold_back_what_is_forgotten_for_ever() {
    let mut checker = Checker::registers();
    let mut index = 0;
    let mut event = |process, op_type, f, value: i64| {
        index += 1;
        checker.event(&Op::new(index, 0, op_type, Process::Client(process), f, value)).unwrap();
        (checker.entries(), checker.undecided().is_some())
    };
    event(1, OpType::Invoke, "read", 0);
    let mut most = 0;
    for value in 1..=OPEN_MAX as i64 {
        event(0, OpType::Invoke, "write", value);
        most = most.max(event(0, OpType::Ok, "write", value).0);
    }
    // At first it did hold back: whatever it could have seen.
    let (left, undecided) = event(0, OpType::Invoke, "read", 0);
    assert!(most as u64 > OPEN_MAX / 8 && left as u64 * 4 < most as u64, "{most} entries, {left} in the end");
    assert!(!undecided);
    assert!(event(1, OpType::Ok, "read", 1).1, "what was there when it began is forgotten");
}

#[test]
fn a_value_is_not_there_before_its_write_began() {
    let op = |kind, start, end| RegisterOp { kind, start, end };
    let ops = vec![
        op(Kind::Read(2), 1, 5),
        op(Kind::Write(1), 2, 3),
        op(Kind::Write(2), 4, NEVER),
        op(Kind::Read(1), 6, 7),
    ];
    let generated = Generated { ops, values: 3, positions: 7 };
    assert_eq!(first_impossible_of_all(&generated.ops, 7), Some(7));
    let events = events(&generated, &mut ChaCha8Rng::seed_from_u64(1));
    assert_eq!(first_reported(&mut Checker::registers(), &events), Some(7));
}

/// What a search of so much effort says about one event after the other, but that all is fine.
fn said(checker: &mut Checker, ops: impl IntoIterator<Item = Op>) -> Vec<Status> {
    let statuses = ops.into_iter().map(|op| checker.event(&op).unwrap());
    statuses.filter(|status| *status != Status::Fine).collect()
}

#[test]
fn a_search_that_grows_too_wide_is_given_up_and_says_so_once() {
    let plan = simulate::Plan { clients: 8, operations: 500, ..simulate::Plan::of(simulate::Object::Stack) };
    let ops = || simulate::simulate(&plan).history.into_ops();
    let judged = |effort| said(&mut Checker::with_effort(Arc::new(Stack::default()), effort), ops());
    let narrow = judged(Effort { width_max: 4, ..Effort::USUAL });
    let [Status::Undecided(undecided)] = &narrow[..] else { panic!("{narrow:?}") };
    assert!(undecided.reason.ends_with("there are more than 4 ways to go on"), "{undecided:?}");
    let brief = judged(Effort { steps_per_event: 0, steps_max: 100, ..Effort::USUAL });
    let [Status::Undecided(undecided)] = &brief[..] else { panic!("{brief:?}") };
    assert!(undecided.reason.ends_with("it takes more than 0 steps an event"), "{undecided:?}");
    let small = judged(Effort { memory_bytes: 0, ..Effort::USUAL });
    let [Status::Undecided(undecided)] = &small[..] else { panic!("{small:?}") };
    assert!(undecided.reason.contains("memory"), "{undecided:?}");
}

/// Every order of them is possible until somebody takes one.
#[test]
fn a_queue_that_fills_under_many_clients_is_judged_at_every_event() {
    let (clients, each) = (30, 20);
    let values = || 0..clients * each;
    let event = |op_type, process: i64, f, value: Value| {
        Op::new(0, 0, op_type, Process::Client(process as u64), f, value)
    };
    let mut ops = Vec::new();
    for round in 0..each {
        for op_type in [OpType::Invoke, OpType::Ok] {
            ops.extend(
                (0..clients)
                    .map(|client| event(op_type, client, "enqueue", Value::Int(round * clients + client))),
            );
        }
    }
    // The clients of a round come in any order, here the other way round.
    let taken = values().map(|at| at / clients * clients + (clients - 1 - at % clients));
    for value in taken {
        ops.push(event(OpType::Invoke, 0, "dequeue", Value::Nil));
        ops.push(event(OpType::Ok, 0, "dequeue", Value::Int(value)));
    }
    let numbered = |ops: &[Op]| -> Vec<Op> {
        ops.iter().cloned().zip(0..).map(|(op, index)| Op { index, ..op }).collect()
    };
    let queue = || Checker::with_effort(Arc::new(Queue::default()), Effort::USUAL);
    // What is over is forgotten when as much has come again.
    let mut again = ops.clone();
    for value in clients * each..3 * clients * each {
        again.extend([OpType::Invoke, OpType::Ok].map(|kind| event(kind, 0, "enqueue", Value::Int(value))));
        again.push(event(OpType::Invoke, 0, "dequeue", Value::Nil));
        again.push(event(OpType::Ok, 0, "dequeue", Value::Int(value)));
    }
    let mut checker = queue();
    for op in numbered(&again) {
        assert_eq!(checker.event(&op).unwrap(), Status::Fine, "{op:?}");
    }
    assert!(checker.entries() < 200, "{} entries of an empty queue", checker.entries());
    // One of the second round comes before the last one of the first.
    let place = |value: i64| {
        let is_its = |op: &Op| op.f == "dequeue" && op.value == Value::Int(value);
        ops.iter().position(is_its).unwrap()
    };
    let (last_of_first, first_of_second) = (place(0), place(2 * clients - 1));
    ops[last_of_first].value = Value::Int(2 * clients - 1);
    ops[first_of_second].value = Value::Int(0);
    let mut checker = queue();
    let first = numbered(&ops).iter().position(|op| checker.event(op).unwrap() != Status::Fine);
    assert_eq!(first, Some(last_of_first));
}

#[test]
fn a_search_that_goes_on_forgets_what_is_over() {
    let counter = simulate::Plan::of(simulate::Object::Counter);
    let plan = simulate::Plan { clients: 4, operations: 10_000, ..counter };
    let mut checker = Checker::of(Arc::new(Counter::default()));
    let mut most = 0;
    for op in simulate::simulate(&plan).history.into_ops() {
        assert_eq!(checker.event(&op).unwrap(), Status::Fine);
        most = most.max(checker.entries());
    }
    assert!(most < 5_000, "{most} entries");
}

#[test]
fn a_search_does_not_wait_for_an_operation_for_ever() {
    let effort = Effort { kept_max: 256, ..Effort::USUAL };
    let mut checker = Checker::with_effort(Arc::new(Counter::default()), effort);
    let mut index = 0;
    let mut event = |process, op_type, f, value: i64| {
        index += 1;
        let status = checker.event(&Op::new(index, 0, op_type, Process::Client(process), f, value)).unwrap();
        (status, checker.entries())
    };
    event(1, OpType::Invoke, "read", 0);
    let mut most = 0;
    for _ in 0..5_000 {
        event(0, OpType::Invoke, "add", 1);
        let (status, entries) = event(0, OpType::Ok, "add", 1);
        assert_eq!(status, Status::Fine);
        most = most.max(entries);
    }
    assert!(most < 8_000, "{most} entries");
    let (Status::Undecided(undecided), _) = event(1, OpType::Ok, "read", 1) else { panic!() };
    assert!(undecided.reason.contains("forgotten"), "{undecided:?}");
}
