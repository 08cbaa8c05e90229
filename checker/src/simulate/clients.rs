//! The clients, and the time: who begins what when, when it takes effect, and when the answer is recorded.
//!
//! One slot is one operation with its next moment; a heap knows whose is next. Moments are nanoseconds,
//! stamps are places in the history from 1.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::random::{Random, share};
use super::{Pace, Plan, Spoil};
use crate::history::op::{Op, OpType, Process, Value};

/// How long an operation takes, and a memoryless part of one, on average.
const DURATION_NS: u64 = 1_000_000;
const PART_NS: u64 = DURATION_NS / 2;
/// A long operation, one in so many, takes so many times as long.
const LONG_ONE_IN: u64 = 64;
const LONG_FACTOR: u64 = 4;
/// How much later than usual a late effect comes at most, in durations.
const LATE_DURATIONS: u64 = 64;
/// How often an operation tries again when nobody begins anything any more, so that a lock whose holder has
/// nothing left to do does not keep the others for ever.
const WAITS_MAX: u32 = 100;
/// Of so many unknown outcomes, one is not even recorded as such.
const UNRECORDED_ONE_IN: u64 = 8;

/// What came of an operation when it met the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It happened.
    Done,
    /// It did not, and never will: recorded as a failure.
    Refused,
    /// Not yet: it waits.
    Blocked,
}

/// What may become of an operation whose outcome nobody learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ghost {
    /// It takes effect in time, late or never.
    Any,
    /// Never: its effect would stop everybody else.
    Never,
    /// In time: without its effect everybody else would stop.
    InTime,
}

/// What is recorded of an invocation.
pub(super) struct Words {
    pub(super) f: &'static str,
    pub(super) key: Option<u32>,
    pub(super) argument: Value,
}

/// An atomic object, or several.
///
/// It also keeps what the history *proves* about it, if a spoil asks for that: `invoked` and `completed` tell
/// it what is recorded, and by that alone `impossible` must judge.
pub(super) trait Atomic {
    /// An operation, and its answer once it took effect.
    type Ask;

    /// What a client does next.
    fn ask(&mut self, client: u32, random: &mut Random) -> Self::Ask;

    /// The invocation as it is recorded.
    fn words(&self, ask: &Self::Ask) -> Words;

    /// The operation takes effect.
    fn effect(&mut self, ask: &mut Self::Ask) -> Effect;

    /// The answer as it is recorded.
    fn result(&self, ask: &Self::Ask) -> Value;

    /// What may become of it without an outcome.
    fn ghost(&self, _ask: &Self::Ask) -> Ghost {
        Ghost::Any
    }

    /// Whether a spoil rests on its outcome, which therefore has to be known.
    fn is_sure(&self, _ask: &Self::Ask) -> bool {
        false
    }

    /// It was invoked, at this stamp.
    fn invoked(&mut self, _ask: &mut Self::Ask, _stamp: u64) {}

    /// It was completed; a `Refused` one did not happen, none is an unknown outcome.
    fn completed(&mut self, _ask: &Self::Ask, _effect: Option<Effect>, _start: u64, _stamp: u64) {}

    /// Whether no order of what was recorded can give this answer to an operation that began at this stamp
    /// and ends now.
    fn impossible(&self, _ask: &Self::Ask, _start: u64) -> bool {
        false
    }

    /// Falsifies the answer so that it is impossible, or leaves it alone and says no.
    fn falsify(&mut self, ask: &mut Self::Ask, spoil: Spoil, start: u64, random: &mut Random) -> bool;

    /// Answers an update as if it took effect; no for what is no update.
    fn lose(&mut self, ask: &mut Self::Ask) -> bool;
}

/// Invoked at this stamp; the effect comes next, and the answer so much later.
struct Open<A> {
    ask: A,
    start: u64,
    rest_ns: u64,
    known: bool,
    /// How often it found the object busy since the last operation was invoked.
    waits: u32,
}

/// Took effect, or its client waits in vain; the record comes next, and for a late one the effect after it.
struct Answered<A> {
    ask: A,
    start: u64,
    /// None is an unknown outcome.
    effect: Option<Effect>,
    late: bool,
}

enum Stage<A> {
    /// Its client is about to begin.
    Idle,
    Open(Open<A>),
    Answered(Answered<A>),
    /// Nobody waits any more; the effect comes next.
    Late(A),
    Free,
}

struct Slot<A> {
    client: u32,
    process: u64,
    stage: Stage<A>,
}

struct World<'p, T: Atomic, S> {
    thing: T,
    plan: &'p Plan,
    random: Random,
    sink: S,
    slots: Vec<Slot<T::Ask>>,
    free: Vec<u32>,
    recorded: u64,
    invoked: u64,
    unknown: u64,
    /// From which operation on a place for the spoil is looked for.
    spoil_from: u64,
    spoiled_at: Option<u64>,
}

/// Runs the plan; see [`super::each_op`].
pub(super) fn run<T: Atomic>(thing: T, plan: &Plan, random: Random, sink: impl FnMut(Op)) -> Option<u64> {
    let mut random = random;
    let half = plan.operations / 2;
    let spoil_from = half + random.below((half * 4 / 5).max(1));
    let mut world = World {
        thing,
        plan,
        random,
        sink,
        slots: Vec::new(),
        free: Vec::new(),
        recorded: 0,
        invoked: 0,
        unknown: share(plan.unknown),
        spoil_from,
        spoiled_at: None,
    };
    let mut heap = BinaryHeap::new();
    for client in 0..plan.clients.max(1) {
        world.slots.push(Slot { client, process: u64::from(client), stage: Stage::Idle });
        heap.push(Reverse((world.random.below(DURATION_NS), client)));
    }
    while let Some(&Reverse((now, slot))) = heap.peek() {
        let mut also = None;
        let moment = world.proceed(slot, now, &mut also);
        // The one that was due is still on top: moving it is one pass through the heap, not two.
        match (moment, heap.peek_mut()) {
            (Some(moment), Some(mut top)) => *top = Reverse((moment, slot)),
            (None, Some(top)) => drop(PeekMut::pop(top)),
            (_, None) => unreachable!("it was just looked at"),
        }
        heap.extend(also.map(Reverse));
    }
    world.spoiled_at
}

impl<T: Atomic, S: FnMut(Op)> World<'_, T, S> {
    /// Does what is due for a slot. Answers when something is due for it again; `also` is another slot with
    /// its moment.
    fn proceed(&mut self, slot: u32, now: u64, also: &mut Option<(u64, u32)>) -> Option<u64> {
        let stage = std::mem::replace(&mut self.slots[slot as usize].stage, Stage::Free);
        match stage {
            Stage::Idle if self.invoked == self.plan.operations => None,
            Stage::Idle => Some(self.begin(slot, now)),
            Stage::Open(open) => self.take_effect(slot, now, open, also),
            Stage::Answered(answered) => self.finish(slot, now, answered, also),
            Stage::Late(mut ask) => {
                let _ = self.thing.effect(&mut ask);
                self.free.push(slot);
                None
            }
            Stage::Free => unreachable!("a free slot has no moment"),
        }
    }

    fn begin(&mut self, slot: u32, now: u64) -> u64 {
        let client = self.slots[slot as usize].client;
        self.invoked += 1;
        let mut ask = self.thing.ask(client, &mut self.random);
        let words = self.thing.words(&ask);
        let start = self.record(slot, now, OpType::Invoke, words.f, words.key, words.argument);
        if self.plan.spoil.is_some() {
            self.thing.invoked(&mut ask, start);
        }
        let (effect_ns, rest_ns) = self.durations();
        let known = !self.random.happens(self.unknown) || self.thing.is_sure(&ask);
        let in_time = known
            || match self.thing.ghost(&ask) {
                Ghost::Any => self.random.below(2) == 0,
                Ghost::Never => false,
                Ghost::InTime => true,
            };
        let (stage, moment) = if in_time {
            (Stage::Open(Open { ask, start, rest_ns, known, waits: 0 }), now + effect_ns)
        } else {
            let late = self.thing.ghost(&ask) == Ghost::Any && self.random.below(2) == 0;
            (Stage::Answered(Answered { ask, start, effect: None, late }), now + effect_ns + rest_ns)
        };
        self.slots[slot as usize].stage = stage;
        moment
    }

    /// The instant that makes the object atomic.
    fn take_effect(
        &mut self,
        slot: u32,
        now: u64,
        open: Open<T::Ask>,
        also: &mut Option<(u64, u32)>,
    ) -> Option<u64> {
        let Open { mut ask, start, rest_ns, known, waits } = open;
        let spoil = self.plan.spoil.filter(|_| known && self.spoil_due());
        let lost = spoil == Some(Spoil::Lost) && self.thing.lose(&mut ask);
        let effect = if lost { Effect::Done } else { self.thing.effect(&mut ask) };
        let answered = |effect| Answered { ask, start, effect: known.then_some(effect), late: false };
        if effect != Effect::Blocked {
            self.slots[slot as usize].stage = Stage::Answered(answered(effect));
            return Some(now + rest_ns);
        }
        let mut answered = answered(Effect::Done);
        // Who waits for a lock may be granted it while somebody else holds it, but only if that is proven
        // by what is recorded up to here; so it is recorded at once.
        if spoil.is_some_and(|spoil| self.thing.falsify(&mut answered.ask, spoil, start, &mut self.random)) {
            return self.finish(slot, now, answered, also);
        }
        let over = self.invoked == self.plan.operations;
        if over && waits == WAITS_MAX {
            return self.finish(slot, now, Answered { effect: None, ..answered }, also);
        }
        let open = Open { ask: answered.ask, start, rest_ns, known, waits: waits + u32::from(over) };
        self.slots[slot as usize].stage = Stage::Open(open);
        Some(now + 1 + self.random.below(PART_NS))
    }

    /// Records the completion, falsified if this is the place for it.
    fn finish(
        &mut self,
        slot: u32,
        now: u64,
        mut answered: Answered<T::Ask>,
        also: &mut Option<(u64, u32)>,
    ) -> Option<u64> {
        if let Some(spoil) = self.plan.spoil {
            self.spoil(spoil, &mut answered);
        }
        let Answered { ask, effect, late, .. } = answered;
        let words = self.thing.words(&ask);
        match effect {
            Some(effect) => {
                let (op_type, value) = match effect {
                    Effect::Done => (OpType::Ok, self.thing.result(&ask)),
                    Effect::Refused | Effect::Blocked => (OpType::Fail, words.argument),
                };
                self.record(slot, now, op_type, words.f, words.key, value);
                self.slots[slot as usize].stage = Stage::Idle;
                Some(now + self.think())
            }
            None => {
                if self.random.below(UNRECORDED_ONE_IN) != 0 {
                    self.record(slot, now, OpType::Info, words.f, words.key, words.argument);
                }
                *also = Some((now + self.think(), self.replace(slot, late)));
                late.then(|| {
                    self.slots[slot as usize].stage = Stage::Late(ask);
                    now + self.random.below(LATE_DURATIONS * DURATION_NS)
                })
            }
        }
    }

    fn spoil(&mut self, spoil: Spoil, answered: &mut Answered<T::Ask>) {
        let Answered { ask, start, effect, .. } = answered;
        if *effect == Some(Effect::Done) && self.spoil_due() {
            // Lost updates show in an answer that nobody falsified, a lock granted twice likewise.
            let spoiled = self.thing.impossible(ask, *start)
                || spoil != Spoil::Lost && self.thing.falsify(ask, spoil, *start, &mut self.random);
            self.spoiled_at = spoiled.then_some(self.recorded);
        }
        self.thing.completed(ask, *effect, *start, self.recorded + 1);
    }

    /// A new process goes on for a client whose last one is lost, in its slot, or in another if that is kept
    /// for the late effect. Answers where.
    fn replace(&mut self, slot: u32, kept: bool) -> u32 {
        let Slot { client, process, .. } = self.slots[slot as usize];
        let process = process + u64::from(self.plan.clients.max(1));
        let successor = Slot { client, process, stage: Stage::Idle };
        let place = match kept {
            false => slot,
            true => self.free.pop().unwrap_or(self.slots.len() as u32),
        };
        match self.slots.get_mut(place as usize) {
            Some(free) => *free = successor,
            None => self.slots.push(successor),
        }
        place
    }

    fn spoil_due(&self) -> bool {
        self.spoiled_at.is_none() && self.invoked >= self.spoil_from
    }

    /// Until the effect, and from there to the answer.
    fn durations(&mut self) -> (u64, u64) {
        match self.plan.pace {
            Pace::Busy => {
                let usual = DURATION_NS / 4 + self.random.below(DURATION_NS * 3 / 2);
                let long = self.random.below(LONG_ONE_IN) == 0;
                let whole = if long { usual * LONG_FACTOR } else { usual };
                let effect = self.random.below(whole);
                (effect, whole - effect)
            }
            Pace::Irregular => (self.random.memoryless(PART_NS), self.random.memoryless(PART_NS)),
        }
    }

    fn think(&mut self) -> u64 {
        match self.plan.pace {
            Pace::Busy => 1,
            Pace::Irregular => self.random.memoryless(PART_NS),
        }
    }

    /// Records an op; answers its stamp.
    fn record(
        &mut self,
        slot: u32,
        now: u64,
        op_type: OpType,
        f: &'static str,
        key: Option<u32>,
        value: Value,
    ) -> u64 {
        let process = Process::Client(self.slots[slot as usize].process);
        let mut op = Op::new(self.recorded, now, op_type, process, f, value);
        op.key = key.map(|key| Value::Int(i64::from(key)));
        (self.sink)(op);
        self.recorded += 1;
        self.recorded
    }
}
