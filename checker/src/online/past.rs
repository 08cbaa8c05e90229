//! What was heard of keys whose values are taken for unique, should they turn out not to be.
//!
//! The rules for values that are written once forget what those for repeated ones would have to know. A
//! value that comes back mostly does so soon: so the first events of a key are kept, and if it is found that its
//! values repeat, they are told again to somebody who can judge that.

use std::collections::VecDeque;

use super::searched::Judge;
use super::{Broken, Completion};
use crate::hash::Table;
use crate::history::op::{Op, OpType, Value};

/// Events that are kept, of all keys together: of which the one that came first is given up first.
const HEARD_MAX: usize = 1 << 14;

/// An event of a key.
#[derive(Debug)]
enum Heard {
    Began { start: u64, invoke: Op },
    Ended { start: u64, op_type: OpType, result: Value, time_ns: u64 },
}

/// What is still known.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// By key; nothing of those that are given up.
    heard: Table<u32, Vec<Heard>>,
    /// The keys in the order in which they came.
    keys: VecDeque<u32>,
    events: usize,
}

impl Past {
    /// A key whose events are to be kept.
    pub(super) fn add(&mut self, key: u32) {
        self.heard.insert(key, Vec::new());
        self.keys.push_back(key);
    }

    pub(super) fn began(&mut self, key: u32, invoke: &Op, start: u64) {
        self.hear(key, || Heard::Began { start, invoke: invoke.clone() });
    }

    pub(super) fn ended(&mut self, key: u32, start: u64, completion: &Completion<'_>) {
        let Completion { op_type, result, time_ns, .. } = *completion;
        self.hear(key, || Heard::Ended { start, op_type, result: result.clone(), time_ns });
    }

    fn hear(&mut self, key: u32, event: impl FnOnce() -> Heard) {
        let Some(heard) = self.heard.get_mut(&key) else { return };
        heard.push(event());
        self.events += 1;
        while self.events > HEARD_MAX
            && let Some(earliest) = self.keys.pop_front()
        {
            self.give_up(earliest);
        }
    }

    /// Forgets what was heard of a key.
    pub(super) fn give_up(&mut self, key: u32) {
        self.events -= self.heard.remove(&key).map_or(0, |heard| heard.len());
    }

    /// Tells all events of a key again, if they are still known, and what the last of them shows.
    pub(super) fn tell(
        &mut self,
        key: u32,
        make: impl FnOnce() -> Box<dyn Judge>,
    ) -> Option<Result<Box<dyn Judge>, Broken>> {
        let heard = self.heard.remove(&key)?;
        self.events -= heard.len();
        let mut judge = make();
        let judged = heard.into_iter().try_for_each(|event| match event {
            Heard::Began { start, invoke } => judge.begin(&invoke, start),
            Heard::Ended { start, op_type, result, time_ns } => {
                judge.complete(start, op_type, &result, time_ns)
            }
        });
        Some(judged.map(|()| judge))
    }

    pub(super) fn len(&self) -> usize {
        self.events + self.keys.len()
    }
}
