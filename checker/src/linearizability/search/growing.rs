//! The breadth-first arm over a history that is still being made.
//!
//! At every event the history so far is judged as it is: what is open may have happened or may not, like
//! what nobody will ever hear of. When an operation ends, it becomes one that did happen, with the answer it
//! gave; nothing that ended before it began knows the difference. So the fronts since then are made anew, and
//! all earlier ones stand: the answer at every event is that of a search of the whole prefix, by the same
//! code, for the price of the few ends that an operation overlaps.
//!
//! **What is forgotten.** No front before the earliest start of an open operation is ever gone back to.
//! Where nothing is open but operations of unknown outcome one front is left, and configurations of equal
//! states are equal there. What has no use any more (ended operations, states and operations that no front
//! knows) is thrown out whenever it is more than what is left. Operations of unknown outcome are kept,
//! since they may still happen.
//!
//! **What it may cost** is limited by an [`Effort`]. One that is not enough is no answer: whoever asks has to
//! judge the whole another way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::breadth::{Breadth, Node};
use super::condition::Condition;
use super::interned::{Counts, Interned};
use super::machine::{Numbered, States};
use super::plan::{Event, Plan, Planned, UnknownClass};
use super::space::{Kept, NOBODY, Space};
use super::{Account, Limits, Told};
use crate::budget::{Budget, Exhausted, Meter};
use crate::linearizability::condition::holds;
use crate::linearizability::partition::NEVER;
use crate::model::{Model, Steps};

/// Words of a mask: so many times 64 operations may be open at once.
const WORDS: usize = 4;
const SLOTS: usize = WORDS * 64;

/// Fewer useless things than this are not worth throwing out.
const USELESS_MIN: usize = 1024;

/// What judging one object event by event may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Configurations of one front.
    pub(crate) width_max: usize,
    /// Configurations of all fronts that are kept. An operation that stays open for so long that there are more
    /// is no longer waited for.
    pub(crate) kept_max: usize,
    /// Steps that one event may take on the average.
    pub(crate) steps_per_event: u64,
    /// Steps that one may take at worst, or several that follow one another more than the average.
    pub(crate) steps_max: u64,
    /// Memory of the search.
    pub(crate) memory_bytes: u64,
}

impl Effort {
    /// Less than a millisecond for an event, a second at worst, and a few megabytes: whoever is judged must not
    /// have to wait.
    pub(crate) const USUAL: Self = Self {
        width_max: 1 << 12,
        kept_max: 1 << 16,
        steps_per_event: 1 << 10,
        steps_max: 1 << 20,
        memory_bytes: 64 << 20,
    };

    /// What the search may cost while a monitor judges too, in far less time: a second of it would be waited for
    /// in vain.
    pub(crate) fn beside_a_monitor(self) -> Self {
        Self {
            width_max: self.width_max / 16,
            steps_per_event: self.steps_per_event / 4,
            steps_max: self.steps_max / 64,
            ..self
        }
    }
}

/// Why an event can't be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// More are open than can be.
    Open,
    /// What was there when the operation began is forgotten.
    Forgotten,
    /// Too many configurations.
    Width(usize),
    /// More steps than so many for each event.
    Steps(u64),
    /// Another limit.
    Exhausted(Exhausted),
}

impl std::fmt::Display for Stuck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stuck::Open => write!(f, "more than {SLOTS} operations are open at once"),
            Stuck::Forgotten => f.write_str("what was there when it began is forgotten"),
            Stuck::Width(limit) => write!(f, "there are more than {limit} ways to go on"),
            Stuck::Steps(limit) => write!(f, "it takes more than {limit} steps an event"),
            Stuck::Exhausted(why) => why.fmt(f),
        }
    }
}

/// One object, event by event.
pub(crate) struct Growing<M: Model> {
    states: GrowingStates<M>,
    plan: Plan,
    kept: Kept,
    breadth: Breadth<[u64; WORDS]>,
    /// Before each rank from `first` on, what may be: the last one is that of now.
    fronts: VecDeque<Vec<Node<[u64; WORDS]>>>,
    first: usize,
    /// Configurations in all of them.
    configurations: usize,
    /// What has begun and may still end, by the caller's token; tokens rise.
    begun: BTreeMap<u64, Begun>,
    slots_free: Vec<u32>,
    slots: u32,
    clock: u32,
    meter: Meter,
    effort: Effort,
    /// Steps that may be taken by now.
    steps_left: u64,
    useless_max: usize,
}

/// An operation that has begun.
#[derive(Clone, Copy, Debug)]
struct Begun {
    start: u32,
    /// The place of its start among the plan's events.
    event: usize,
    slot: u32,
    /// Its class among those of unknown outcome, if it can have any effect by now.
    unknown: Option<u32>,
    /// Whether it is waited for.
    open: bool,
}

impl<M: Model> Growing<M> {
    pub(crate) fn new(model: Arc<M>, effort: Effort) -> Self {
        let mut states =
            GrowingStates { model, ops: Interned::new(), states: Numbered::new(), scratch: Vec::new() };
        let (plan, mut kept) = (Plan::empty(SLOTS), Kept::default());
        let mut space = Space::resumed(&mut states, &plan, kept);
        let root = space.root();
        kept = space.into_kept();
        let front = vec![(root.clone(), super::links::Links::ROOT)];
        Self {
            states,
            plan,
            kept,
            breadth: Breadth::new(SLOTS, root),
            fronts: VecDeque::from([front]),
            first: 0,
            configurations: 1,
            begun: BTreeMap::new(),
            slots_free: Vec::new(),
            slots: 0,
            clock: 0,
            meter: Meter::new(&Budget { time: Duration::MAX, memory_bytes: effort.memory_bytes }),
            effort,
            steps_left: effort.steps_max,
            useless_max: USELESS_MIN,
        }
    }

    /// From now on it may cost so much.
    pub(crate) fn allow(&mut self, effort: Effort) {
        self.steps_left += effort.steps_max.saturating_sub(self.effort.steps_max);
        self.effort = effort;
    }

    /// An operation begins, which is this one as long as its outcome is unknown, if it is anything. Tokens rise.
    pub(crate) fn begin(&mut self, token: u64, op: Option<&M::Op>) -> Result<(), Stuck> {
        self.clock += 1;
        let slot = match self.slots_free.pop() {
            Some(slot) => slot,
            None if self.slots as usize == SLOTS || self.clock == NEVER - 1 => return Err(Stuck::Open),
            None => {
                self.slots += 1;
                self.slots - 1
            }
        };
        // What changes nothing need not have happened.
        let op = op.filter(|op| !self.states.model.is_pure(op));
        let unknown = op.map(|op| self.unknown_class(op));
        if let Some(unknown) = unknown.filter(|_| holds(Condition::MayHaveHappened)) {
            self.plan.unknown[unknown as usize].starts.push((self.clock, 0));
        }
        let event = self.plan.events.len();
        self.plan.events.push(Event { rank: NOBODY, start: true });
        self.begun.insert(token, Begun { start: self.clock, event, slot, unknown, open: true });
        Ok(())
    }

    /// It did happen, as this operation, or did not, and says this all the same. Whether any order is left.
    pub(crate) fn end(&mut self, token: u64, op: Option<&M::Op>) -> Result<bool, Stuck> {
        let Some(begun) = self.begun.remove(&token) else { return Err(Stuck::Forgotten) };
        self.clock += 1;
        if let Some(unknown) = begun.unknown.filter(|_| holds(Condition::EndedIsKnown)) {
            let starts = &mut self.plan.unknown[unknown as usize].starts;
            starts.retain(|(start, _)| *start != begun.start);
        }
        let judged = match (op, begun.unknown) {
            (None, None) => Ok(true),
            (None, Some(_)) if !holds(Condition::FailedIsUndone) => Ok(true),
            _ => self.end_judged(&begun, op),
        };
        self.slots_free.push(begun.slot);
        let judged = judged?;
        self.forget();
        Ok(judged)
    }

    /// Nobody will hear of it, or it will be long before somebody does.
    pub(crate) fn give_up(&mut self, token: u64) {
        if let Some(begun) = self.begun.get_mut(&token) {
            begun.open = false;
            self.forget();
        }
    }

    /// Whether something can be learnt about it.
    pub(crate) fn knows(&self, token: u64) -> bool {
        self.begun.contains_key(&token)
    }

    /// The states in which the object may be by what has ended, each once.
    pub(crate) fn states(&self) -> Vec<&M::State> {
        let mut numbers: Vec<u32> = self.now().iter().map(|(key, _)| key.state).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().map(|number| self.states.states.get(number)).collect()
    }

    /// How many things it holds.
    pub(crate) fn len(&self) -> usize {
        let unknown = self.plan.unknown.iter().map(|class| class.starts.len());
        self.configurations + self.plan.events.len() + self.states.len() + unknown.sum::<usize>()
    }

    fn now(&self) -> &[Node<[u64; WORDS]>] {
        self.fronts.back().map_or(&[], |front| front)
    }

    fn unknown_class(&mut self, op: &M::Op) -> u32 {
        let class = self.states.class(op);
        let unknown = &mut self.plan.unknown;
        let place = unknown.iter().position(|known| known.class == class).unwrap_or_else(|| {
            unknown.push(UnknownClass { class, starts: Vec::new() });
            unknown.len() - 1
        });
        place as u32
    }

    /// Goes back to where it began, and on from there with what is known now.
    fn end_judged(&mut self, begun: &Begun, op: Option<&M::Op>) -> Result<bool, Stuck> {
        if let Some(op) = op {
            let rank = self.plan.completed.len() as u32;
            let (class, pure) = (self.states.class(op), self.states.model.is_pure(op));
            let end_event = self.plan.events.len() as u32;
            let planned = Planned { class, slot: begun.slot, pure, end: self.clock, end_event, number: 0 };
            self.plan.completed.push(planned);
            self.plan.events.push(Event { rank, start: false });
            self.plan.events[begun.event].rank = rank;
            if holds(Condition::OpenIsCompleted) {
                self.breadth.open.complete(&self.plan, begun.event);
            }
        }
        self.plan.classes = self.states.ops.len();
        let start = if holds(Condition::BackToItsStart) { begun.start } else { self.clock };
        let since = self.plan.completed.partition_point(|planned| planned.end < start);
        let from = since.checked_sub(self.first).filter(|from| *from < self.fronts.len());
        let Some(from) = from else { return Err(Stuck::Forgotten) };
        let undone = self.fronts.drain(from + 1..);
        self.configurations -= undone.map(|front| front.len()).sum::<usize>();
        self.go_on()
    }

    fn go_on(&mut self) -> Result<bool, Stuck> {
        let Self { states, plan, breadth, fronts, meter, effort, .. } = self;
        let front = fronts.back().cloned().unwrap_or_default();
        breadth.restart((self.first + fronts.len() - 1) as u32, front);
        let mut space = Space::resumed(states, plan, std::mem::take(&mut self.kept));
        let mut account = Account {
            limits: Limits { meter, steps_max: self.steps_left, told: Told::Verdict },
            steps: 0,
            charged: 0,
        };
        let mut judged = Ok(true);
        while (breadth.rank as usize) < plan.completed.len() {
            let reached = match breadth.next_rank(&mut space, &mut account.turn(u64::MAX, 0)) {
                Ok(reached) => reached,
                Err(Exhausted::Steps(_)) => {
                    judged = Err(Stuck::Steps(effort.steps_per_event));
                    break;
                }
                Err(why) => {
                    judged = Err(Stuck::Exhausted(why));
                    break;
                }
            };
            if reached.len() > effort.width_max {
                judged = Err(Stuck::Width(effort.width_max));
                break;
            }
            if reached.is_empty() {
                judged = Ok(false);
                break;
            }
            self.configurations += reached.len();
            fronts.push_back(reached.to_vec());
        }
        account.close();
        self.steps_left = self.steps_left.saturating_sub(account.steps) + effort.steps_per_event;
        self.steps_left = self.steps_left.min(effort.steps_max);
        self.kept = space.into_kept();
        judged
    }

    /// Forgets what nobody can go back to.
    fn forget(&mut self) {
        loop {
            let waited_for = self.begun.iter().find(|(_, begun)| begun.open);
            let horizon = waited_for.map_or(NEVER, |(_, begun)| begun.start);
            while self.fronts.len() > 1 && self.plan.completed[self.first].end < horizon {
                let front = self.fronts.pop_front();
                self.configurations -= front.map_or(0, |front| front.len());
                self.first += 1;
            }
            if self.configurations <= self.effort.kept_max {
                break;
            }
            let Some(token) = waited_for.map(|(token, _)| *token) else { break };
            if let Some(begun) = self.begun.get_mut(&token) {
                begun.open = false;
            }
        }
        let forgotten = self.first.checked_sub(1).map_or(0, |last| self.plan.completed[last].end);
        while let Some(earliest) = self.begun.first_entry().filter(|entry| entry.get().start < forgotten) {
            self.slots_free.push(earliest.remove().slot);
        }
        let useless = self.first + self.states.len() + self.kept.counts.len();
        if useless > self.useless_max {
            self.throw_out();
            self.useless_max = USELESS_MIN + 2 * (self.states.len() + self.kept.counts.len());
        }
    }

    /// Throws out the ended operations before the first front, and the states, operations and counts that no
    /// front knows.
    fn throw_out(&mut self) {
        let Self { plan, breadth, first, .. } = self;
        let events = first.checked_sub(1).map_or(0, |last| plan.completed[last].end_event as usize + 1);
        if breadth.open.applied() < events {
            breadth.open.seek_event(plan, events);
        }
        breadth.restart(0, Vec::new());
        breadth.open.forget(events, *first as u32);
        plan.completed.drain(..*first);
        plan.events.drain(..events);
        for event in plan.events.iter_mut().filter(|event| event.rank != NOBODY) {
            event.rank -= *first as u32;
        }
        for planned in &mut plan.completed {
            planned.end_event -= events as u32;
        }
        for begun in self.begun.values_mut() {
            begun.event -= events;
        }
        for (key, _) in self.fronts.iter_mut().flatten() {
            key.rank -= *first as u32;
        }
        *first = 0;
        self.renumber_classes();
        self.renumber_states();
    }

    fn renumber_classes(&mut self) {
        let ops = std::mem::replace(&mut self.states.ops, Interned::new());
        for planned in &mut self.plan.completed {
            planned.class = self.states.ops.number(ops.get(planned.class).clone());
        }
        // Of a class that a front counts there is always one: what is undone is no longer in any.
        let mut numbers: Vec<u32> = vec![NOBODY; self.plan.unknown.len()];
        let mut next = 0;
        for (number, class) in numbers.iter_mut().zip(&self.plan.unknown) {
            if !class.starts.is_empty() {
                *number = next;
                next += 1;
            }
        }
        self.plan.unknown.retain(|class| !class.starts.is_empty());
        for class in &mut self.plan.unknown {
            class.class = self.states.ops.number(ops.get(class.class).clone());
        }
        for begun in self.begun.values_mut() {
            begun.unknown = begun.unknown.map(|unknown| numbers[unknown as usize]);
        }
        self.plan.classes = self.states.ops.len();
        let known = std::mem::replace(&mut self.kept.counts, Counts::new());
        for (key, _) in self.fronts.iter_mut().flatten() {
            let pairs = known.pairs(key.used).iter().map(|(class, count)| (numbers[*class as usize], *count));
            key.used = self.kept.counts.number(pairs.collect());
        }
    }

    fn renumber_states(&mut self) {
        let mut known: Vec<u32> = self.fronts.iter().flatten().map(|(key, _)| key.state).collect();
        known.sort_unstable();
        known.dedup();
        self.states.keep_only(&known);
        // Operations have other numbers now, too.
        self.kept.steps = Default::default();
        for (key, _) in self.fronts.iter_mut().flatten() {
            key.state = known.partition_point(|state| *state < key.state) as u32;
        }
    }
}

/// The states and operations of one model by number, ever more of them.
struct GrowingStates<M: Model> {
    model: Arc<M>,
    ops: Interned<M::Op>,
    states: Numbered<M::State>,
    scratch: Vec<M::State>,
}

impl<M: Model> GrowingStates<M> {
    fn class(&mut self, op: &M::Op) -> u32 {
        self.ops.number(op.clone())
    }

    fn len(&self) -> usize {
        self.ops.len() + self.states.len()
    }
}

impl<M: Model> States for GrowingStates<M> {
    fn initial(&mut self) -> u32 {
        let initial = self.model.initial();
        let bytes = self.model.state_bytes(&initial);
        self.states.number(initial, bytes)
    }

    fn follow(&mut self, state: u32, class: u32, next: &mut Vec<u32>) -> Result<(), Exhausted> {
        let Self { model, ops, states, scratch } = self;
        let mut steps = Steps::new(scratch, None);
        model.steps(states.get(state), ops.get(class), &mut steps).map_err(|out| out.0)?;
        next.extend(scratch.drain(..).map(|state| {
            let bytes = model.state_bytes(&state);
            states.number(state, bytes)
        }));
        Ok(())
    }

    fn known(&self) -> usize {
        self.states.len()
    }

    fn keep_only(&mut self, numbers: &[u32]) {
        self.states.keep_only(numbers, |state| self.model.state_bytes(state));
    }

    fn bytes(&self) -> usize {
        self.states.bytes()
    }
}
