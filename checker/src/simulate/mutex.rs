//! A lock per key: `acquire` waits until it is free, `release` is its holder's.
//!
//! A lock whose holder is gone stays taken for ever and everybody waits. So an `acquire` of unknown outcome
//! never takes effect here, and a `release` of unknown outcome always does; a checker can't know that.

use super::clients::{Atomic, Effect, Ghost, Words};
use super::random::Random;
use super::{Plan, Spoil};
use crate::history::op::Value;

/// An operation on one lock.
pub(super) struct Ask {
    client: u32,
    key: u32,
    releases: bool,
}

#[derive(Clone, Copy, Default)]
struct Lock {
    holder: Option<u32>,
    /// Acquires that were completed less releases that were begun. More than one proves a lock held twice.
    surplus: i64,
}

pub(super) struct Mutex {
    keys: u32,
    locks: Vec<Lock>,
    /// Which lock a client took, until it begins to release it.
    taken: Vec<Option<u32>>,
}

impl Mutex {
    pub(super) fn new(plan: &Plan) -> Self {
        let keys = plan.keys.max(1);
        Self {
            keys,
            locks: vec![Lock::default(); keys as usize],
            taken: vec![None; plan.clients.max(1) as usize],
        }
    }
}

impl Atomic for Mutex {
    type Ask = Ask;

    fn ask(&mut self, client: u32, random: &mut Random) -> Ask {
        match self.taken[client as usize].take() {
            Some(key) => Ask { client, key, releases: true },
            None => Ask { client, key: random.below(u64::from(self.keys)) as u32, releases: false },
        }
    }

    fn words(&self, ask: &Ask) -> Words {
        let f = if ask.releases { "release" } else { "acquire" };
        Words { f, key: (self.keys > 1).then_some(ask.key), argument: Value::Nil }
    }

    fn effect(&mut self, ask: &mut Ask) -> Effect {
        let lock = &mut self.locks[ask.key as usize];
        if ask.releases {
            // The holder's, unless a lock was granted twice: then it is the first one's.
            lock.holder = lock.holder.filter(|holder| *holder != ask.client);
        } else if lock.holder.is_some() {
            return Effect::Blocked;
        } else {
            lock.holder = Some(ask.client);
            self.taken[ask.client as usize] = Some(ask.key);
        }
        Effect::Done
    }

    fn result(&self, _ask: &Ask) -> Value {
        Value::Nil
    }

    fn ghost(&self, ask: &Ask) -> Ghost {
        if ask.releases { Ghost::InTime } else { Ghost::Never }
    }

    fn invoked(&mut self, ask: &mut Ask, _stamp: u64) {
        self.locks[ask.key as usize].surplus -= i64::from(ask.releases);
    }

    fn completed(&mut self, ask: &Ask, effect: Option<Effect>, _start: u64, _stamp: u64) {
        self.locks[ask.key as usize].surplus += i64::from(!ask.releases && effect.is_some());
    }

    fn impossible(&self, ask: &Ask, _start: u64) -> bool {
        !ask.releases && self.locks[ask.key as usize].surplus >= 1
    }

    /// Grants a lock that is surely held: its holder knows it by now and has not begun to release it.
    fn falsify(&mut self, ask: &mut Ask, spoil: Spoil, start: u64, _random: &mut Random) -> bool {
        let granted = spoil == Spoil::Stale && self.impossible(ask, start);
        if granted {
            self.taken[ask.client as usize] = Some(ask.key);
        }
        granted
    }

    fn lose(&mut self, _ask: &mut Ask) -> bool {
        false
    }
}
