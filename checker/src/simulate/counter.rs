//! Numbers that only grow: `add` of one to five, and `read`.

use super::clients::{Atomic, Effect, Words};
use super::random::Random;
use super::{Plan, Spoil};
use crate::history::op::Value;

const STEP_MAX: u64 = 5;

/// An operation on one counter.
pub(super) struct Ask {
    key: u32,
    add: Option<i64>,
    answer: i64,
    /// The sum of what was acknowledged when it began.
    floor: i64,
}

#[derive(Clone, Copy, Default)]
struct Count {
    state: i64,
    acknowledged: i64,
    asked: i64,
}

pub(super) struct Counter {
    counts: Vec<Count>,
}

impl Counter {
    pub(super) fn new(plan: &Plan) -> Self {
        Self { counts: vec![Count::default(); plan.keys.max(1) as usize] }
    }
}

impl Atomic for Counter {
    type Ask = Ask;

    fn ask(&mut self, _client: u32, random: &mut Random) -> Ask {
        let key = random.below(self.counts.len() as u64) as u32;
        let adds = random.below(2) == 0;
        let add = adds.then(|| 1 + random.below(STEP_MAX) as i64);
        Ask { key, add, answer: 0, floor: 0 }
    }

    fn words(&self, ask: &Ask) -> Words {
        let (f, argument) = match ask.add {
            Some(step) => ("add", Value::Int(step)),
            None => ("read", Value::Nil),
        };
        Words { f, key: (self.counts.len() > 1).then_some(ask.key), argument }
    }

    fn effect(&mut self, ask: &mut Ask) -> Effect {
        let count = &mut self.counts[ask.key as usize];
        count.state += ask.add.unwrap_or(0);
        ask.answer = count.state;
        Effect::Done
    }

    fn result(&self, ask: &Ask) -> Value {
        Value::Int(ask.add.unwrap_or(ask.answer))
    }

    fn invoked(&mut self, ask: &mut Ask, _stamp: u64) {
        let count = &mut self.counts[ask.key as usize];
        count.asked += ask.add.unwrap_or(0);
        ask.floor = count.acknowledged;
    }

    fn completed(&mut self, ask: &Ask, effect: Option<Effect>, _start: u64, _stamp: u64) {
        if effect.is_some() {
            self.counts[ask.key as usize].acknowledged += ask.add.unwrap_or(0);
        }
    }

    fn impossible(&self, ask: &Ask, _start: u64) -> bool {
        ask.add.is_none() && (ask.answer < ask.floor || ask.answer > self.counts[ask.key as usize].asked)
    }

    fn falsify(&mut self, ask: &mut Ask, spoil: Spoil, _start: u64, random: &mut Random) -> bool {
        if ask.add.is_some() {
            return false;
        }
        let off = 1 + random.below(STEP_MAX) as i64;
        match spoil {
            Spoil::Stale if ask.floor > 0 => ask.answer = (ask.floor - off).max(0),
            Spoil::Phantom => ask.answer = self.counts[ask.key as usize].asked + off,
            Spoil::Stale | Spoil::Lost => return false,
        }
        true
    }

    fn lose(&mut self, ask: &mut Ask) -> bool {
        ask.add.is_some()
    }
}
