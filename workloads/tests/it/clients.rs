//! Clients that ask a system in memory what a workload says, all interleaved by one seed.
//!
//! Every operation happens at one instant between invocation and completion, so that what is
//! recorded is what the system did. Outcomes get lost: an operation without an answer may have
//! happened, may happen at any later time, or never.

use crate::system::{Answer, Bug, System};
use checker::{History, Op, OpType, Process, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use workloads::{Context, Generator, Invocation, Next};

/// How many operations run at a time.
pub(crate) const PROCESSES: u64 = 10;

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
    /// How likely an answer is to get lost, at each step that an operation takes.
    lost_percent: u32,
    events: Vec<Op>,
}

impl<'g> Run<'g> {
    /// The history of about `steps` events and the final reads.
    pub(crate) fn history(
        generator: &'g mut dyn Generator,
        bug: Option<Bug>,
        seed: u64,
        steps: usize,
        lost_percent: u32,
    ) -> History {
        let mut run = Run {
            generator,
            system: System::new(bug),
            rng: ChaCha8Rng::seed_from_u64(seed),
            clients: (0..PROCESSES).map(|process| Client { process, waits: None }).collect(),
            adrift: Vec::new(),
            lost_percent,
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
                draw if draw < self.lost_percent => self.info(place, flight, true),
                99 => self.record(process, &flight.asked, OpType::Fail, flight.asked.value.clone()),
                0..60 => {
                    let answer =
                        self.system.execute(&flight.asked, flight.invoked, self.now(), &mut self.rng);
                    self.clients[place].waits = Some(Flight { answer: Some(answer), ..flight });
                }
                _ => self.clients[place].waits = Some(flight),
            },
            Some(flight) if self.rng.random_ratio(self.lost_percent, 100) => self.info(place, flight, false),
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

    /// The last first, as the harness asks them.
    fn final_reads(&mut self) {
        for asked in self.generator.final_reads().into_iter().rev() {
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
