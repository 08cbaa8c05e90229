//! Lists that clients append unique values to and read: one key at a time, or in transactions.
//!
//! Lists only grow, so what a read saw is how long the list was. A list that got all its appends is left
//! alone, and a new key takes its place.

use super::clients::{Atomic, Effect, Words};
use super::random::Random;
use super::{Plan, Spoil};
use crate::history::op::Value;

/// A transaction has one to so many parts.
const PARTS_MAX: u64 = 4;
/// How far ahead of the newest value a phantom is.
const FUTURE: i64 = 8;
/// The place of an append that was lost.
const NOWHERE: usize = usize::MAX;

/// An append of a value, or a read.
struct Part {
    key: u32,
    append: Option<i64>,
    /// Where the append went, or how much a read saw.
    place: usize,
    /// What a phantom read saw besides.
    phantom: Option<i64>,
}

/// A transaction, or a single part of its own.
pub(super) struct Ask {
    parts: Vec<Part>,
}

#[derive(Default)]
struct List {
    values: Vec<i64>,
    /// Appends asked for.
    asked: u32,
    /// Of each acknowledged append: its place and its end. Kept for spoiling.
    ends: Vec<(usize, u64)>,
}

pub(super) struct Lists {
    appends: u32,
    transactions: bool,
    spoiled: bool,
    single: bool,
    lists: Vec<List>,
    /// The keys that clients use now.
    current: Vec<u32>,
    newest: i64,
}

impl Lists {
    pub(super) fn new(plan: &Plan, appends: u32, transactions: bool) -> Self {
        let keys = plan.keys.max(1);
        Self {
            appends,
            transactions,
            spoiled: plan.spoil.is_some(),
            single: plan.operations <= u64::from(appends) && keys == 1,
            lists: (0..keys).map(|_| List::default()).collect(),
            current: (0..keys).collect(),
            newest: 0,
        }
    }

    fn part(&mut self, random: &mut Random) -> Part {
        let place = random.below(self.current.len() as u64) as usize;
        let key = self.current[place];
        let mut append = None;
        if random.below(2) == 0 {
            self.newest += 1;
            append = Some(self.newest);
            let list = &mut self.lists[key as usize];
            list.asked += 1;
            if list.asked == self.appends {
                self.current[place] = self.lists.len() as u32;
                self.lists.push(List::default());
            }
        }
        Part { key, append, place: 0, phantom: None }
    }

    fn answer(&self, part: &Part) -> Value {
        let seen = &self.lists[part.key as usize].values[..part.place];
        Value::List(seen.iter().copied().chain(part.phantom).map(Value::Int).collect())
    }

    fn parts(&self, ask: &Ask, answered: bool) -> Value {
        let part = |part: &Part| {
            let (f, value) = match part.append {
                Some(value) => ("append", Value::Int(value)),
                None if answered => ("r", self.answer(part)),
                None => ("r", Value::Nil),
            };
            Value::List(vec![f.into(), Value::Int(i64::from(part.key)), value])
        };
        Value::List(ask.parts.iter().map(part).collect())
    }
}

impl Atomic for Lists {
    type Ask = Ask;

    fn ask(&mut self, _client: u32, random: &mut Random) -> Ask {
        let count = if self.transactions { 1 + random.below(PARTS_MAX) } else { 1 };
        Ask { parts: (0..count).map(|_| self.part(random)).collect() }
    }

    fn words(&self, ask: &Ask) -> Words {
        if self.transactions {
            return Words { f: "txn", key: None, argument: self.parts(ask, false) };
        }
        let part = &ask.parts[0];
        let key = (!self.single).then_some(part.key);
        match part.append {
            Some(value) => Words { f: "append", key, argument: Value::Int(value) },
            None => Words { f: "read", key, argument: Value::Nil },
        }
    }

    fn effect(&mut self, ask: &mut Ask) -> Effect {
        for part in &mut ask.parts {
            let values = &mut self.lists[part.key as usize].values;
            part.place = values.len();
            values.extend(part.append);
        }
        Effect::Done
    }

    fn result(&self, ask: &Ask) -> Value {
        let part = &ask.parts[0];
        match (self.transactions, part.append) {
            (true, _) => self.parts(ask, true),
            (false, Some(value)) => Value::Int(value),
            (false, None) => self.answer(part),
        }
    }

    fn completed(&mut self, ask: &Ask, effect: Option<Effect>, _start: u64, stamp: u64) {
        if !self.spoiled || effect.is_none() {
            return;
        }
        for part in ask.parts.iter().filter(|part| part.append.is_some()) {
            self.lists[part.key as usize].ends.push((part.place, stamp));
        }
    }

    fn impossible(&self, ask: &Ask, start: u64) -> bool {
        ask.parts.iter().filter(|part| part.append.is_none()).any(|part| {
            let missed = |&(place, end): &(usize, u64)| end < start && place >= part.place;
            part.phantom.is_some() || self.lists[part.key as usize].ends.iter().any(missed)
        })
    }

    fn falsify(&mut self, ask: &mut Ask, spoil: Spoil, start: u64, _random: &mut Random) -> bool {
        let phantom = self.newest + FUTURE;
        let reads = ask.parts.iter_mut().filter(|part| part.append.is_none());
        for part in reads {
            match spoil {
                Spoil::Phantom => {
                    part.phantom = Some(phantom);
                    return true;
                }
                Spoil::Stale => {
                    let ends = &self.lists[part.key as usize].ends;
                    let last = ends.iter().any(|&(place, end)| place + 1 == part.place && end < start);
                    if last {
                        part.place -= 1;
                        return true;
                    }
                }
                Spoil::Lost => {}
            }
        }
        false
    }

    /// A transaction that only appends is lost whole.
    fn lose(&mut self, ask: &mut Ask) -> bool {
        let appends_only = ask.parts.iter().all(|part| part.append.is_some());
        if appends_only {
            ask.parts.iter_mut().for_each(|part| part.place = NOWHERE);
        }
        appends_only
    }
}
