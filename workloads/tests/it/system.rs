//! A system in memory that does what a workload asks, right or wrong.
//!
//! It keeps every version of every cell with the event that made it, so that a [`Bug`] can answer
//! from the past. Each operation happens at one instant, unless a bug tears it.

use checker::Value;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use workloads::Invocation;

/// What is wrong with the system, in one of [`Bug::bites_one_in`] operations that it concerns.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Bug {
    /// A read answers what was overwritten before it began: all of one moment.
    StaleRead,
    /// A read of several cells answers some as they were, others as they are.
    FracturedRead,
    /// A change is acknowledged and dropped.
    LostUpdate,
    /// A change of several cells changes only the first of them for a while.
    Torn,
    /// A change happens twice.
    AppliedTwice,
    /// A comparison succeeds whatever it finds: a compare-and-set, an acquire.
    BlindCas,
    /// A change is reported as failed, and has happened.
    FailedYetDone,
    /// A queue gives out its second element first.
    Overtaken,
    /// Everything that a key holds is forgotten.
    Amnesia,
    /// There are two replicas, and a change comes late to one of them: now this one, now that.
    Forked,
}

impl Bug {
    fn bites_one_in(self) -> u32 {
        match self {
            // One change that is late to one replica is no fork: there must be two, at one time.
            Bug::Forked => 2,
            _ => 20,
        }
    }
}

/// How many events the second half of a torn change comes late, or a change to a replica.
const LATE_FOR: u64 = 30;

/// A part of a key.
type Cell = (Option<i64>, i64);

/// A value for a cell.
type Change = (Cell, Value);

#[derive(Clone)]
pub(crate) enum Answer {
    Ok(Value),
    Fail,
}

/// A value that a cell held, from the event at which it was put until the next.
struct Version {
    at: u64,
    value: Value,
    /// A replica that does not know it before an event.
    late: Option<(bool, u64)>,
}

/// What each cell holds, and has held.
pub(crate) struct System {
    bug: Option<Bug>,
    /// The last version is the current one.
    cells: BTreeMap<Cell, Vec<Version>>,
    /// Torn changes: when the rest comes, of what, and how much of it is done.
    halves: Vec<(u64, Invocation, usize)>,
}

/// An operation under way.
struct Step<'s> {
    system: &'s mut System,
    bug: Option<Bug>,
    invoked: u64,
    now: u64,
    /// Which of two it asks.
    replica: bool,
    changes: Vec<Change>,
}

impl System {
    pub(crate) fn new(bug: Option<Bug>) -> System {
        System { bug, cells: BTreeMap::new(), halves: Vec::new() }
    }

    /// Does an operation that was invoked at one event, at another.
    pub(crate) fn execute(
        &mut self,
        asked: &Invocation,
        invoked: u64,
        now: u64,
        rng: &mut ChaCha8Rng,
    ) -> Answer {
        self.catch_up(now);
        let bug = self.bug.filter(|bug| rng.random_ratio(1, bug.bites_one_in()));
        if bug == Some(Bug::Amnesia) {
            for (_, versions) in self.cells.iter_mut().filter(|(cell, _)| cell.0 == asked.key) {
                versions.push(Version { at: now, value: Value::Nil, late: None });
            }
        }
        let replica = rng.random_ratio(1, 2);
        let mut step = Step { system: self, bug, invoked, now, replica, changes: Vec::new() };
        let Some(answer) = step.perform(asked, rng) else { return Answer::Fail };
        let changes = step.changes;
        let count = if bug == Some(Bug::Torn) { changes.len().min(1) } else { changes.len() };
        if count < changes.len() {
            self.halves.push((now + LATE_FOR, asked.clone(), count));
        }
        if bug != Some(Bug::LostUpdate) {
            let late = (bug == Some(Bug::Forked)).then_some((!replica, now + LATE_FOR));
            self.apply(&changes[..count], now, late);
        }
        if bug == Some(Bug::AppliedTwice) {
            let again = self.redo(now, |step| drop(step.perform(asked, rng)));
            self.apply(&again, now, None);
        }
        if bug == Some(Bug::FailedYetDone) && !changes.is_empty() { Answer::Fail } else { Answer::Ok(answer) }
    }

    fn apply(&mut self, changes: &[Change], at: u64, late: Option<(bool, u64)>) {
        for (cell, value) in changes {
            self.cells.entry(*cell).or_default().push(Version { at, value: value.clone(), late });
        }
    }

    /// Does the other halves of torn changes whose time has come.
    fn catch_up(&mut self, now: u64) {
        let (due, later) = std::mem::take(&mut self.halves).into_iter().partition(|(at, ..)| *at <= now);
        self.halves = later;
        for (_, asked, done) in due {
            let mut rest = self.redo(now, |step| step.change(&asked));
            self.apply(&rest.split_off(done), now, None);
        }
    }

    /// The changes that an operation would make now, without any bug.
    fn redo(&mut self, now: u64, perform: impl FnOnce(&mut Step<'_>)) -> Vec<Change> {
        let mut step =
            Step { system: self, bug: None, invoked: now, now, replica: false, changes: Vec::new() };
        perform(&mut step);
        step.changes
    }
}

/// The parts of a map by name.
fn parts(value: &Value) -> Vec<(Value, Value)> {
    let Value::Map(entries) = value else { panic!("{value} should be a map") };
    entries.clone()
}

fn int(value: &Value) -> i64 {
    value.as_int().unwrap_or_else(|| panic!("{value} should be a number"))
}

/// `[f, key, value]`.
fn micro(value: &Value) -> (&str, i64, &Value) {
    let Some([Value::Text(f), key, value]) = value.as_list() else { panic!("{value} is no part") };
    (f, int(key), value)
}

impl Step<'_> {
    /// What the cell holds now, or what this very operation put there.
    fn held(&self, cell: Cell) -> Value {
        let own = self.changes.iter().rev().find(|(changed, _)| *changed == cell);
        let knows = |version: &&Version| {
            version.late.is_none_or(|(replica, until)| replica != self.replica || until <= self.now)
        };
        let current = || Some(self.versions(cell).rfind(knows)?.value.clone());
        own.map(|(_, value)| value.clone()).or_else(current).unwrap_or_default()
    }

    /// What it held before `event`.
    fn before(&self, cell: Cell, event: u64) -> Value {
        let earlier = self.versions(cell).rfind(|version| version.at < event);
        earlier.map(|version| version.value.clone()).unwrap_or_default()
    }

    fn versions(&self, cell: Cell) -> impl DoubleEndedIterator<Item = &Version> {
        self.system.cells.get(&cell).into_iter().flatten()
    }

    /// What the cells hold, as far as the bug lets anybody know.
    fn look(&self, cells: &[Cell], rng: &mut ChaCha8Rng) -> Vec<Value> {
        let is_past = |cell: &Cell| {
            self.versions(*cell).map(|version| version.at).filter(|at| *at < self.invoked).max()
        };
        let past = cells.iter().filter_map(is_past).max().unwrap_or(0);
        let own = |cell: &Cell| self.changes.iter().any(|(changed, _)| changed == cell);
        let mut see = |cell: &Cell| match self.bug {
            Some(Bug::StaleRead) if !own(cell) => self.before(*cell, past),
            Some(Bug::FracturedRead) if !own(cell) && rng.random_ratio(1, 2) => self.before(*cell, past),
            _ => self.held(*cell),
        };
        cells.iter().map(&mut see).collect()
    }

    fn put(&mut self, cell: Cell, value: impl Into<Value>) {
        self.changes.push((cell, value.into()));
    }

    fn push(&mut self, cell: Cell, value: &Value) {
        let mut items = self.held(cell).as_list().unwrap_or(&[]).to_vec();
        items.push(value.clone());
        self.put(cell, items);
    }

    fn add(&mut self, cell: Cell, amount: i64) -> i64 {
        let sum = self.held(cell).as_int().unwrap_or(0) + amount;
        self.put(cell, sum);
        sum
    }

    /// What the operation answers; `None` if it refuses.
    fn perform(&mut self, asked: &Invocation, rng: &mut ChaCha8Rng) -> Option<Value> {
        let cell = (asked.key, 0);
        match asked.f {
            "read" if asked.value.is_nil() => self.look(&[cell], rng).pop(),
            "read" => {
                let names: Vec<Value> = parts(&asked.value).into_iter().map(|(name, _)| name).collect();
                let cells: Vec<Cell> = names.iter().map(|name| (asked.key, int(name))).collect();
                Some(Value::map(names.into_iter().zip(self.look(&cells, rng)).collect()))
            }
            "dequeue" => {
                let mut items = self.held(cell).as_list().unwrap_or(&[]).to_vec();
                if items.is_empty() {
                    return Some(Value::Nil);
                }
                let place = usize::from(self.bug == Some(Bug::Overtaken) && items.len() > 1);
                let first = items.remove(place);
                self.put(cell, items);
                Some(first)
            }
            "inc" | "generate" => Some(self.add(cell, 1).into()),
            "acquire" => {
                let is_free = self.held(cell).is_nil() || self.bug == Some(Bug::BlindCas);
                if is_free {
                    self.put(cell, asked.value.clone());
                }
                Some(is_free.into())
            }
            "release" | "cas" if !self.finds_what_it_expects(asked) => None,
            "txn" => Some(self.transaction(asked, rng)),
            _ => {
                self.change(asked);
                Some(asked.value.clone())
            }
        }
    }

    fn finds_what_it_expects(&self, asked: &Invocation) -> bool {
        let expected = asked.value.as_list().map_or(&asked.value, |pair| &pair[0]);
        self.held((asked.key, 0)) == *expected || self.bug == Some(Bug::BlindCas)
    }

    fn transaction(&mut self, asked: &Invocation, rng: &mut ChaCha8Rng) -> Value {
        let micros = asked.value.as_list().expect("a list of parts").to_vec();
        let reads: Vec<Cell> = micros.iter().map(|part| (asked.key, micro(part).1)).collect();
        // All of one moment, before anything is written.
        let seen = self.look(&reads, rng);
        let mut answers = Vec::new();
        for ((part, cell), seen) in micros.iter().zip(reads).zip(seen) {
            let (f, key, value) = micro(part);
            let own = self.changes.iter().any(|(changed, _)| *changed == cell);
            let value = match f {
                "r" if own => self.held(cell),
                "r" => seen,
                _ => {
                    self.write(f, cell, value);
                    value.clone()
                }
            };
            answers.push(Value::List(vec![f.into(), key.into(), value]));
        }
        Value::List(answers)
    }

    fn write(&mut self, f: &str, cell: Cell, value: &Value) {
        match f {
            "append" => self.push(cell, value),
            _ => self.put(cell, value.clone()),
        }
    }

    /// The changes of an operation that refuses nothing.
    fn change(&mut self, asked: &Invocation) {
        let cell = (asked.key, 0);
        match asked.f {
            "write" => self.put(cell, asked.value.clone()),
            "cas" => self.put(cell, asked.value.as_list().expect("a pair")[1].clone()),
            "append" | "add" | "enqueue" => self.push(cell, &asked.value),
            "increment" => drop(self.add(cell, int(&asked.value))),
            "release" => self.put(cell, Value::Nil),
            "open" => {
                for (account, amount) in parts(&asked.value) {
                    self.add((asked.key, int(&account)), int(&amount));
                }
            }
            "transfer" => {
                let parts = parts(&asked.value);
                let part = |name: &str| {
                    int(&parts.iter().find(|(key, _)| *key == Value::from(name)).expect("named").1)
                };
                self.add((asked.key, part("from")), -part("amount"));
                self.add((asked.key, part("to")), part("amount"));
            }
            "txn" => {
                for part in asked.value.as_list().expect("a list of parts") {
                    let (f, key, value) = micro(part);
                    if f != "r" {
                        self.write(f, (asked.key, key), value);
                    }
                }
            }
            other => panic!("nobody taught the system {other}"),
        }
    }
}
