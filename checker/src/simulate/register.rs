//! Registers, with and without compare-and-set, over unique values or a few.
//!
//! Values are numbered from 1, 0 is nil; number n is recorded as the integer n − 1.

use std::collections::VecDeque;

use super::clients::{Atomic, Effect, Words};
use super::random::Random;
use super::{Plan, Spoil};
use crate::history::op::Value;

/// How many values back a stale read may go.
const PAST_MAX: usize = 256;
/// How far ahead of the newest value a read from the future looks.
const FUTURE: u32 = 8;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    Cas,
}

/// An operation on one register.
pub(super) struct Ask {
    kind: Kind,
    key: u32,
    /// What a cas expects, and what a read answered.
    sees: u32,
    /// What a write or cas leaves.
    leaves: u32,
    /// When it began: the latest start of an update that was over by then.
    floor: u64,
}

/// What the record proves about a value of a key.
#[derive(Clone, Copy, Default)]
struct Facts {
    /// Writers that may still take effect.
    open: u32,
    /// The last end of a writer that did happen.
    end: u64,
}

pub(super) struct Register {
    keys: u32,
    /// None: every value is written once.
    values: Option<u32>,
    cas: bool,
    state: Vec<u32>,
    newest: u32,
    /// The value that is written once, far before a phantom read of it, and how many operations remain
    /// until then.
    rare: Option<u32>,
    until_rare: u64,
    facts: Vec<Facts>,
    /// Of each key: the latest start of an update that is over.
    floors: Vec<u64>,
    /// Of each key: values that it held, newest last.
    past: Vec<VecDeque<u32>>,
}

impl Register {
    pub(super) fn new(plan: &Plan, values: Option<u32>, cas: bool) -> Self {
        let keys = plan.keys.max(1);
        let spoiled = plan.spoil.is_some();
        let phantom = plan.spoil == Some(Spoil::Phantom);
        let kept = if spoiled { keys as usize } else { 0 };
        Self {
            keys,
            values,
            cas,
            state: vec![0; keys as usize],
            newest: 0,
            rare: values.filter(|_| phantom).map(|values| values + 1),
            until_rare: plan.operations / 8,
            facts: vec![Facts::default(); values.map_or(0, |values| kept * (values as usize + 2))],
            floors: vec![0; kept],
            past: vec![VecDeque::new(); kept],
        }
    }

    fn value(&mut self, random: &mut Random) -> u32 {
        match self.values {
            Some(values) => 1 + random.below(u64::from(values)) as u32,
            None => {
                self.newest += 1;
                self.newest
            }
        }
    }

    fn place(&self, key: u32, value: u32) -> usize {
        match self.values {
            Some(values) => (key * (values + 2) + value) as usize,
            None => value as usize,
        }
    }

    fn facts(&self, key: u32, value: u32) -> Facts {
        self.facts.get(self.place(key, value)).copied().unwrap_or_default()
    }

    fn facts_mut(&mut self, key: u32, value: u32) -> &mut Facts {
        let place = self.place(key, value);
        if self.facts.len() <= place {
            self.facts.resize(place + 1, Facts::default());
        }
        &mut self.facts[place]
    }

    /// Every writer of the value was over before another update began that was over at the floor, or it has
    /// no writer at all.
    fn is_gone(&self, key: u32, value: u32, floor: u64) -> bool {
        let Facts { open, end } = self.facts(key, value);
        let never = value != 0 && end == 0;
        open == 0 && (never || end < floor)
    }

    fn stale(&self, ask: &Ask) -> Option<u32> {
        let gone =
            |value: &u32| self.facts(ask.key, *value).end > 0 && self.is_gone(ask.key, *value, ask.floor);
        match self.values {
            Some(values) => (1..=values).filter(gone).max_by_key(|value| self.facts(ask.key, *value).end),
            None => self.past[ask.key as usize].iter().rev().copied().find(gone),
        }
    }
}

impl Atomic for Register {
    type Ask = Ask;

    fn ask(&mut self, _client: u32, random: &mut Random) -> Ask {
        let key = if self.keys == 1 { 0 } else { random.below(u64::from(self.keys)) as u32 };
        let kind = match (self.cas, self.values, random.below(6)) {
            (true, Some(_), 0 | 1) | (_, None, 0..3) | (false, _, 0..3) => Kind::Read,
            (true, Some(_), 2 | 3) | (true, None, 3) | (false, ..) => Kind::Write,
            (true, ..) => Kind::Cas,
        };
        let mut ask = Ask { kind, key, sees: 0, leaves: 0, floor: 0 };
        match kind {
            Kind::Read => {}
            Kind::Write => ask.leaves = self.value(random),
            Kind::Cas => {
                ask.sees = if self.values.is_some() { self.value(random) } else { self.state[key as usize] };
                ask.leaves = self.value(random);
            }
        }
        self.until_rare = self.until_rare.saturating_sub(1);
        if self.until_rare == 0
            && let Some(rare) = self.rare.filter(|_| kind == Kind::Write)
        {
            ask.leaves = rare;
            self.rare = None;
        }
        ask
    }

    fn words(&self, ask: &Ask) -> Words {
        let (f, argument) = match ask.kind {
            Kind::Read => ("read", Value::Nil),
            Kind::Write => ("write", recorded(ask.leaves)),
            Kind::Cas => ("cas", Value::List(vec![recorded(ask.sees), recorded(ask.leaves)])),
        };
        Words { f, key: (self.keys > 1).then_some(ask.key), argument }
    }

    fn effect(&mut self, ask: &mut Ask) -> Effect {
        let state = &mut self.state[ask.key as usize];
        match ask.kind {
            Kind::Read => ask.sees = *state,
            Kind::Cas if ask.sees != *state => return Effect::Refused,
            Kind::Write | Kind::Cas => *state = ask.leaves,
        }
        Effect::Done
    }

    fn result(&self, ask: &Ask) -> Value {
        match ask.kind {
            Kind::Read => recorded(ask.sees),
            Kind::Write | Kind::Cas => self.words(ask).argument,
        }
    }

    fn is_sure(&self, ask: &Ask) -> bool {
        self.values.is_some_and(|values| ask.leaves > values)
    }

    fn invoked(&mut self, ask: &mut Ask, _stamp: u64) {
        if ask.kind != Kind::Read {
            self.facts_mut(ask.key, ask.leaves).open += 1;
        }
        ask.floor = self.floors[ask.key as usize];
    }

    fn completed(&mut self, ask: &Ask, effect: Option<Effect>, start: u64, stamp: u64) {
        let Some(effect) = effect.filter(|_| ask.kind != Kind::Read) else { return };
        let facts = self.facts_mut(ask.key, ask.leaves);
        facts.open -= 1;
        if effect == Effect::Done {
            facts.end = stamp;
            let floor = &mut self.floors[ask.key as usize];
            *floor = start.max(*floor);
            let past = &mut self.past[ask.key as usize];
            past.push_back(ask.leaves);
            if past.len() > PAST_MAX {
                past.pop_front();
            }
        }
    }

    fn impossible(&self, ask: &Ask, _start: u64) -> bool {
        ask.kind != Kind::Write && self.is_gone(ask.key, ask.sees, ask.floor)
    }

    fn falsify(&mut self, ask: &mut Ask, spoil: Spoil, _start: u64, _random: &mut Random) -> bool {
        if ask.kind != Kind::Read {
            return false;
        }
        let answer = match (spoil, self.values) {
            (Spoil::Stale, _) => self.stale(ask),
            // Written to one of the keys: only a read of that one shows a phantom.
            (Spoil::Phantom, Some(values)) => {
                let rare = values + 1;
                let written = self.facts(ask.key, rare).end > 0;
                Some(rare).filter(|rare| written && self.is_gone(ask.key, *rare, ask.floor))
            }
            (Spoil::Phantom, None) => Some(self.newest + FUTURE),
            (Spoil::Lost, _) => None,
        };
        ask.sees = answer.unwrap_or(ask.sees);
        answer.is_some()
    }

    fn lose(&mut self, ask: &mut Ask) -> bool {
        match ask.kind {
            Kind::Read => false,
            Kind::Write => true,
            Kind::Cas => ask.sees == self.state[ask.key as usize],
        }
    }
}

fn recorded(value: u32) -> Value {
    match value {
        0 => Value::Nil,
        number => Value::Int(i64::from(number) - 1),
    }
}
