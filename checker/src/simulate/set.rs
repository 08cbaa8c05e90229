//! Sets of a few elements: `add`, `remove` and `contains`, each answering whether it changed or found
//! something.

use super::clients::{Atomic, Effect, Words};
use super::random::Random;
use super::{Plan, Spoil};
use crate::history::op::Value;

/// Of so many questions one is about an element that nobody ever adds.
const STRANGERS_ONE_IN: u64 = 16;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Add,
    Remove,
    Contains,
}

/// An operation on one element of one set.
pub(super) struct Ask {
    kind: Kind,
    key: u32,
    element: u32,
    answer: bool,
}

/// What the record proves about an element.
#[derive(Clone, Copy, Default)]
struct Facts {
    /// Updates that may still take effect.
    open: u32,
    /// The last end of an update.
    end: u64,
    /// Adds that changed something less removes that did: 1 is in, 0 is out.
    balance: i64,
}

pub(super) struct Set {
    keys: u32,
    elements: u32,
    present: Vec<bool>,
    facts: Vec<Facts>,
}

impl Set {
    pub(super) fn new(plan: &Plan, elements: u32) -> Self {
        let keys = plan.keys.max(1);
        let places = (keys * (elements + 1)) as usize;
        Self { keys, elements, present: vec![false; places], facts: vec![Facts::default(); places] }
    }

    fn place(&self, ask: &Ask) -> usize {
        (ask.key * (self.elements + 1) + ask.element) as usize
    }

    /// Whether the element was in, by this answer.
    fn claims(ask: &Ask) -> bool {
        match ask.kind {
            Kind::Add => !ask.answer,
            Kind::Remove | Kind::Contains => ask.answer,
        }
    }
}

impl Atomic for Set {
    type Ask = Ask;

    fn ask(&mut self, _client: u32, random: &mut Random) -> Ask {
        let key = if self.keys == 1 { 0 } else { random.below(u64::from(self.keys)) as u32 };
        let kind = match random.below(4) {
            0 => Kind::Add,
            1 => Kind::Remove,
            _ => Kind::Contains,
        };
        let mut element = random.below(u64::from(self.elements)) as u32;
        if kind == Kind::Contains && random.below(STRANGERS_ONE_IN) == 0 {
            element = self.elements;
        }
        Ask { kind, key, element, answer: false }
    }

    fn words(&self, ask: &Ask) -> Words {
        let f = match ask.kind {
            Kind::Add => "add",
            Kind::Remove => "remove",
            Kind::Contains => "contains",
        };
        Words { f, key: (self.keys > 1).then_some(ask.key), argument: Value::Int(i64::from(ask.element)) }
    }

    fn effect(&mut self, ask: &mut Ask) -> Effect {
        let place = self.place(ask);
        let present = &mut self.present[place];
        match ask.kind {
            Kind::Add => ask.answer = !std::mem::replace(present, true),
            Kind::Remove => ask.answer = std::mem::replace(present, false),
            Kind::Contains => ask.answer = *present,
        }
        Effect::Done
    }

    fn result(&self, ask: &Ask) -> Value {
        Value::Bool(ask.answer)
    }

    fn invoked(&mut self, ask: &mut Ask, _stamp: u64) {
        let place = self.place(ask);
        self.facts[place].open += u32::from(ask.kind != Kind::Contains);
    }

    fn completed(&mut self, ask: &Ask, effect: Option<Effect>, _start: u64, stamp: u64) {
        if ask.kind == Kind::Contains || effect.is_none() {
            return;
        }
        let place = self.place(ask);
        let facts = &mut self.facts[place];
        facts.open -= 1;
        facts.end = stamp;
        facts.balance += match ask.kind {
            Kind::Add => i64::from(ask.answer),
            Kind::Remove | Kind::Contains => -i64::from(ask.answer),
        };
    }

    fn impossible(&self, ask: &Ask, start: u64) -> bool {
        let Facts { open, end, balance } = self.facts[self.place(ask)];
        // An update is itself open until it is completed.
        let alone = open == u32::from(ask.kind != Kind::Contains) && end < start;
        alone && Self::claims(ask) != (balance > 0)
    }

    fn falsify(&mut self, ask: &mut Ask, spoil: Spoil, start: u64, _random: &mut Random) -> bool {
        // Stale: it is there and nobody finds it. Phantom: it is found and is not there.
        let fits = match spoil {
            Spoil::Stale => Self::claims(ask),
            Spoil::Phantom => !Self::claims(ask),
            Spoil::Lost => false,
        };
        if ask.kind != Kind::Contains || !fits {
            return false;
        }
        ask.answer = !ask.answer;
        let impossible = self.impossible(ask, start);
        ask.answer ^= !impossible;
        impossible
    }

    fn lose(&mut self, ask: &mut Ask) -> bool {
        let present = self.present[self.place(ask)];
        match ask.kind {
            Kind::Add => ask.answer = !present,
            Kind::Remove => ask.answer = present,
            Kind::Contains => return false,
        }
        true
    }
}
