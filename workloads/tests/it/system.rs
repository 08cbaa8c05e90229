//! A system in memory and the clients that ask it, all interleaved by one seed.
//!
//! The system does each operation at one instant between invocation and completion, so that what
//! it answers is linearizable by construction, unless it has a [`Bug`]. Outcomes get lost: an
//! operation without an answer may have happened, may happen at any later time, or never.

use checker::{History, Op, OpType, Process, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use workloads::{Context, Generator, Invocation, Next};

/// What is wrong with the system: one in [`BITES_ONE_IN`] of the operations that it concerns.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Bug {
    /// A read answers what was overwritten before it began.
    StaleRead,
    /// A change is acknowledged and dropped.
    LostUpdate,
    /// An append or an add happens twice.
    AppliedTwice,
    /// A compare-and-set succeeds whatever it finds.
    BlindCas,
    /// A change is reported as failed, and has happened.
    FailedYetDone,
}

const BITES_ONE_IN: u32 = 20;

/// How many operations run at a time.
pub(crate) const PROCESSES: u64 = 10;

/// The system: what each key holds, and has held.
struct System {
    bug: Option<Bug>,
    /// Each value with the event at which it was put; the last is the current one.
    keys: BTreeMap<i64, Vec<(u64, Value)>>,
    empty: Value,
}

impl System {
    fn versions(&mut self, key: i64) -> &mut Vec<(u64, Value)> {
        self.keys.entry(key).or_insert_with(|| vec![(0, self.empty.clone())])
    }

    /// Does an operation that was invoked at one event, at another.
    fn execute(&mut self, asked: &Invocation, invoked: u64, now: u64, rng: &mut ChaCha8Rng) -> Answer {
        let bug = self.bug.filter(|_| rng.random_ratio(1, BITES_ONE_IN));
        let versions = self.versions(asked.key.expect("every operation of ours has a key"));
        let held = versions.last().expect("never empties").1.clone();
        if asked.f == "read" {
            let stale =
                versions.windows(2).rev().find(|pair| pair[1].0 < invoked).map(|pair| pair[0].1.clone());
            return Answer::Ok(stale.filter(|_| bug == Some(Bug::StaleRead)).unwrap_or(held));
        }
        let next = match (asked.f, &asked.value) {
            ("write", value) => value.clone(),
            ("cas", Value::List(pair)) => {
                if pair[0] != held && bug != Some(Bug::BlindCas) {
                    return Answer::Fail;
                }
                pair[1].clone()
            }
            ("add" | "append", value) => {
                let mut items = held.as_list().expect("sets and lists are lists here").to_vec();
                items.push(value.clone());
                if bug == Some(Bug::AppliedTwice) {
                    items.push(value.clone());
                }
                Value::List(items)
            }
            other => panic!("nobody taught the system {other:?}"),
        };
        if bug != Some(Bug::LostUpdate) {
            versions.push((now, next));
        }
        if bug == Some(Bug::FailedYetDone) { Answer::Fail } else { Answer::Ok(asked.value.clone()) }
    }
}

#[derive(Clone)]
enum Answer {
    Ok(Value),
    Fail,
}

/// A process and what it waits for.
struct Client {
    process: u64,
    waits: Option<Flight>,
}

struct Flight {
    asked: Invocation,
    invoked: u64,
    answer: Option<Answer>,
}

/// Runs a workload's generator for a while, then its final reads.
pub(crate) struct Run<'g> {
    generator: &'g mut dyn Generator,
    system: System,
    rng: ChaCha8Rng,
    clients: Vec<Client>,
    /// Operations whose client has given up; they may still happen.
    adrift: Vec<Flight>,
    events: Vec<Op>,
}

impl<'g> Run<'g> {
    /// The history of about `steps` events and the final reads.
    pub(crate) fn history(
        workload: &str,
        generator: &'g mut dyn Generator,
        bug: Option<Bug>,
        seed: u64,
        steps: usize,
    ) -> History {
        let empty = if workload == "cas-register" { Value::Nil } else { Value::List(Vec::new()) };
        let mut run = Run {
            generator,
            system: System { bug, keys: BTreeMap::new(), empty },
            rng: ChaCha8Rng::seed_from_u64(seed),
            clients: (0..PROCESSES).map(|process| Client { process, waits: None }).collect(),
            adrift: Vec::new(),
            events: Vec::new(),
        };
        for _ in 0..steps {
            let place = run.rng.random_range(0..run.clients.len());
            run.step(place);
            run.drift();
        }
        run.settle();
        run.final_reads();
        History::new(run.events)
    }

    fn now(&self) -> u64 {
        self.events.len() as u64 + 1
    }

    fn step(&mut self, place: usize) {
        let process = self.clients[place].process;
        match self.clients[place].waits.take() {
            None => match self.generator.next(&Context { time_ns: self.now(), process }) {
                Next::Invoke(asked) => self.invoke(place, asked),
                Next::Pending | Next::Exhausted => {}
            },
            Some(flight) if flight.answer.is_none() => match self.rng.random_range(0..100) {
                0 => self.info(place, flight, true),
                1 => self.record(process, &flight.asked, OpType::Fail, flight.asked.value.clone()),
                2..60 => {
                    let answer =
                        self.system.execute(&flight.asked, flight.invoked, self.now(), &mut self.rng);
                    self.clients[place].waits = Some(Flight { answer: Some(answer), ..flight });
                }
                _ => self.clients[place].waits = Some(flight),
            },
            Some(flight) if self.rng.random_ratio(1, 100) => self.info(place, flight, false),
            Some(flight) => self.answer(process, flight),
        }
    }

    fn invoke(&mut self, place: usize, asked: Invocation) {
        let process = self.clients[place].process;
        let invoked = self.now();
        self.record(process, &asked, OpType::Invoke, asked.value.clone());
        self.clients[place].waits = Some(Flight { asked, invoked, answer: None });
    }

    /// The client gives up and is never heard of again; another takes its place.
    fn info(&mut self, place: usize, flight: Flight, may_still_happen: bool) {
        self.record(self.clients[place].process, &flight.asked, OpType::Info, flight.asked.value.clone());
        self.clients[place].process += PROCESSES;
        if may_still_happen {
            self.adrift.push(flight);
        }
    }

    fn answer(&mut self, process: u64, flight: Flight) {
        match flight.answer {
            Some(Answer::Ok(value)) => self.record(process, &flight.asked, OpType::Ok, value),
            Some(Answer::Fail) => {
                self.record(process, &flight.asked, OpType::Fail, flight.asked.value.clone());
            }
            None => panic!("answered before it was done: {:?}", flight.asked),
        }
    }

    /// Now and then an operation that nobody waits for any more happens after all.
    fn drift(&mut self) {
        if !self.adrift.is_empty() && self.rng.random_ratio(1, 50) {
            let place = self.rng.random_range(0..self.adrift.len());
            let late = self.adrift.swap_remove(place);
            let now = self.now();
            self.system.execute(&late.asked, late.invoked, now, &mut self.rng);
        }
    }

    fn settle(&mut self) {
        for place in 0..self.clients.len() {
            if let Some(flight) = self.clients[place].waits.take() {
                let may_still_happen = flight.answer.is_none();
                self.info(place, flight, may_still_happen);
            }
        }
    }

    fn final_reads(&mut self) {
        for asked in self.generator.final_reads() {
            let place = self.rng.random_range(0..self.clients.len());
            let process = self.clients[place].process;
            let invoked = self.now();
            self.record(process, &asked, OpType::Invoke, asked.value.clone());
            self.drift();
            let answer = self.system.execute(&asked, invoked, self.now(), &mut self.rng);
            self.answer(process, Flight { asked, invoked, answer: Some(answer) });
        }
    }

    fn record(&mut self, process: u64, asked: &Invocation, op_type: OpType, value: Value) {
        let now = self.now();
        let mut op = Op::new(now, now, op_type, Process::Client(process), asked.f, value);
        op.key = asked.key.map(Value::Int);
        self.generator.update(&op);
        self.events.push(op);
    }
}
