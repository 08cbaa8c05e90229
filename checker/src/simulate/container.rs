//! Queues, stacks and priority queues of unique values: one thing that gives back what was put in, each in
//! its order.

use std::collections::{BinaryHeap, VecDeque};

use super::clients::{Atomic, Effect, Words};
use super::random::Random;
use super::{Plan, Spoil};
use crate::history::op::Value;

/// Above this many values taking is likelier than putting, so that nothing grows without end.
const HELD_USUAL: usize = 64;
/// A value is its number; in a priority queue so many times its priority is added.
const PRIORITY: u64 = 1_000_000_000;
const PRIORITIES: u64 = 1_000;
/// How far ahead of the newest value a phantom is.
const FUTURE: u64 = 8;

/// Which value comes out next, and what the functions are called.
#[derive(Clone, Copy)]
pub(super) struct Discipline {
    order: Order,
    put: &'static str,
    take: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Fifo,
    Lifo,
    Greatest,
}

pub(super) const FIFO: Discipline = Discipline { order: Order::Fifo, put: "enqueue", take: "dequeue" };
pub(super) const LIFO: Discipline = Discipline { order: Order::Lifo, put: "push", take: "pop" };
pub(super) const GREATEST: Discipline = Discipline { order: Order::Greatest, put: "insert", take: "poll" };

enum Held {
    Fifo(VecDeque<u64>),
    Lifo(Vec<u64>),
    Greatest(BinaryHeap<u64>),
}

impl Held {
    fn len(&self) -> usize {
        match self {
            Held::Fifo(held) => held.len(),
            Held::Lifo(held) => held.len(),
            Held::Greatest(held) => held.len(),
        }
    }

    fn put(&mut self, value: u64) {
        match self {
            Held::Fifo(held) => held.push_back(value),
            Held::Lifo(held) => held.push(value),
            Held::Greatest(held) => held.push(value),
        }
    }

    fn take(&mut self) -> Option<u64> {
        match self {
            Held::Fifo(held) => held.pop_front(),
            Held::Lifo(held) => held.pop(),
            Held::Greatest(held) => held.pop(),
        }
    }
}

/// Puts a value, or takes one and answers it.
pub(super) struct Ask {
    key: u32,
    puts: bool,
    value: Option<u64>,
}

/// What the record proves about a value.
#[derive(Clone, Copy, Default)]
struct Facts {
    /// When it was put; 0 is not yet.
    start: u64,
    end: u64,
    taken: bool,
}

pub(super) struct Container {
    discipline: Discipline,
    keys: u32,
    held: Vec<Held>,
    numbered: u64,
    /// By number.
    facts: Vec<Facts>,
    /// Of each key: the value taken last.
    last_taken: Vec<Option<u64>>,
    /// What was acknowledged and dropped, and where.
    lost: Option<(u32, u64)>,
    /// Whether any loss can be proven: not if a take of unknown outcome may have taken the value.
    losses_show: bool,
}

impl Container {
    pub(super) fn new(plan: &Plan, discipline: Discipline) -> Self {
        let keys = plan.keys.max(1);
        let empty = || match discipline.order {
            Order::Fifo => Held::Fifo(VecDeque::new()),
            Order::Lifo => Held::Lifo(Vec::new()),
            Order::Greatest => Held::Greatest(BinaryHeap::new()),
        };
        Self {
            discipline,
            keys,
            held: (0..keys).map(|_| empty()).collect(),
            numbered: 0,
            facts: Vec::new(),
            last_taken: vec![None; keys as usize],
            lost: None,
            losses_show: plan.unknown == 0.0,
        }
    }

    fn facts(&self, value: u64) -> Facts {
        self.facts.get((value % PRIORITY) as usize).copied().unwrap_or_default()
    }

    fn facts_mut(&mut self, value: u64) -> &mut Facts {
        let place = (value % PRIORITY) as usize;
        if self.facts.len() <= place {
            self.facts.resize(place + 1, Facts::default());
        }
        &mut self.facts[place]
    }

    /// Whether a take that began at this stamp should have taken the lost value, or one before it, rather
    /// than this one.
    fn passes_over(&self, lost: u64, taken: Option<u64>, start: u64) -> bool {
        let lost_facts = self.facts(lost);
        let was_there = lost_facts.end != 0 && lost_facts.end < start;
        let Some(value) = taken else { return was_there };
        let facts = self.facts(value);
        match self.discipline.order {
            Order::Fifo => lost_facts.end != 0 && lost_facts.end < facts.start,
            Order::Lifo => was_there && facts.end != 0 && facts.end < lost_facts.start,
            Order::Greatest => was_there && value < lost,
        }
    }
}

impl Atomic for Container {
    type Ask = Ask;

    fn ask(&mut self, _client: u32, random: &mut Random) -> Ask {
        let key = if self.keys == 1 { 0 } else { random.below(u64::from(self.keys)) as u32 };
        let puts_of_ten = if self.held[key as usize].len() < HELD_USUAL { 5 } else { 4 };
        if random.below(10) >= puts_of_ten {
            return Ask { key, puts: false, value: None };
        }
        let priority = match self.discipline.order {
            Order::Fifo | Order::Lifo => 0,
            Order::Greatest => random.below(PRIORITIES),
        };
        self.numbered += 1;
        Ask { key, puts: true, value: Some(priority * PRIORITY + self.numbered) }
    }

    fn words(&self, ask: &Ask) -> Words {
        let key = (self.keys > 1).then_some(ask.key);
        match ask.puts {
            true => Words { f: self.discipline.put, key, argument: self.result(ask) },
            false => Words { f: self.discipline.take, key, argument: Value::Nil },
        }
    }

    fn effect(&mut self, ask: &mut Ask) -> Effect {
        let held = &mut self.held[ask.key as usize];
        match ask.value.filter(|_| ask.puts) {
            Some(value) => held.put(value),
            None => ask.value = held.take(),
        }
        Effect::Done
    }

    fn result(&self, ask: &Ask) -> Value {
        ask.value.map_or(Value::Nil, |value| Value::Int(value as i64))
    }

    fn invoked(&mut self, ask: &mut Ask, stamp: u64) {
        if let Some(value) = ask.value {
            self.facts_mut(value).start = stamp;
        }
    }

    fn completed(&mut self, ask: &Ask, effect: Option<Effect>, _start: u64, stamp: u64) {
        match (effect, ask.value) {
            (Some(_), Some(value)) if ask.puts => self.facts_mut(value).end = stamp,
            (Some(_), Some(value)) => {
                self.facts_mut(value).taken = true;
                self.last_taken[ask.key as usize] = Some(value);
            }
            (Some(_), None) | (None, _) => {}
        }
    }

    fn impossible(&self, ask: &Ask, start: u64) -> bool {
        if ask.puts {
            return false;
        }
        let from_nowhere = ask.value.is_some_and(|value| {
            let facts = self.facts(value);
            facts.start == 0 || facts.taken
        });
        let lost = self.lost.filter(|lost| lost.0 == ask.key);
        from_nowhere || lost.is_some_and(|(_, lost)| self.passes_over(lost, ask.value, start))
    }

    fn falsify(&mut self, ask: &mut Ask, spoil: Spoil, start: u64, _random: &mut Random) -> bool {
        let value = match spoil {
            Spoil::Stale => self.last_taken[ask.key as usize],
            Spoil::Phantom => Some(self.numbered + FUTURE),
            Spoil::Lost => None,
        };
        let candidate = Ask { value, ..*ask };
        let impossible = value.is_some() && self.impossible(&candidate, start);
        if impossible {
            *ask = candidate;
        }
        impossible
    }

    fn lose(&mut self, ask: &mut Ask) -> bool {
        let loses = ask.puts && self.lost.is_none() && self.losses_show;
        if let Some(value) = ask.value.filter(|_| loses) {
            self.lost = Some((ask.key, value));
        }
        loses
    }
}
