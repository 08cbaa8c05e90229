//! Carries a schedule out, step by step: what is due now, given what is seen. Pure.
//!
//! Whoever owns a world (real processes, or the simulation) calls [`Director::advance`] with a look
//! at the cluster, does what the [`Order`]s say in their order, tells which occurrences have bitten
//! ([`Director::settle`]) and which frames were seen ([`Director::saw`]), and calls again at
//! [`Director::wake_at`] or when something has changed.
//!
//! Promises: the same schedule, seed, looks and sightings give the same orders; what began is undone
//! exactly once, at the latest by [`Director::stop`]; faults of a phase are undone at its end; a fault
//! that can't be done now is skipped with a reason and tried again; what a mix owes comes first.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::action::Action;
use super::bind::{Binder, Item, View};
use super::draws::Draws;
use super::happened::{Happened, Trail};
use super::mixer::{Drawn, Mixer};
use super::observed::{Condition, Observed};
use super::reach::Damage;
use super::{Body, Coverage, Fault, Guard, Lasts, Phase, Schedule, Span, Start, Step, Trigger, What};
use crate::proxy::Link;
use crate::system::NodeId;

/// Between two tries of a fault that can't be done now.
const RETRY: Duration = Duration::from_millis(250);

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// This phase begins.
    Phase(String),
    /// Do this. The first of an occurrence says that it came.
    Begin {
        /// Which occurrence, numbered from 0 over the whole run.
        occurrence: u64,
        /// The fault or choice.
        id: String,
        /// Which of its items.
        item: usize,
        /// What.
        action: Action,
        /// Whether the occurrence has bitten only if this has.
        must_bite: bool,
    },
    /// Undo this.
    Undo {
        /// Which occurrence.
        occurrence: u64,
        /// Which of its items.
        item: usize,
        /// What was done.
        action: Action,
    },
    /// All of this occurrence is undone: to be [settled](Director::settle).
    Ended(u64),
    /// This could not be done now.
    Skipped {
        /// Which occurrence it would have been.
        occurrence: u64,
        /// The fault or choice.
        id: String,
        /// Why.
        reason: String,
    },
    /// Nothing more will come.
    Finished,
}

/// Frames that some trigger waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// For [`Director::saw`].
    pub key: String,
    /// Their kind.
    pub kind: String,
    /// The links they enter.
    pub links: BTreeSet<Link>,
}

/// Where a schedule stands.
#[derive(Debug)]
pub struct Director {
    schedule: Schedule,
    seed: u64,
    phase: usize,
    /// `None` before the first look and after the end.
    began: Option<Duration>,
    faults: Vec<Single>,
    mixers: Vec<Mixer>,
    active: Vec<Active>,
    trail: Trail,
    views: BTreeMap<String, View>,
    last_faulted: Vec<NodeId>,
    occurrences: u64,
    finished: bool,
    /// Every occurrence with its draws made, and its phase.
    written: Vec<(usize, Fault)>,
    /// By fault, the id under which its last occurrence is written down.
    last_written: BTreeMap<String, String>,
}

/// How far a single fault is.
#[derive(Debug, Default)]
struct Single {
    /// Tries so far: numbers the draws.
    planned: u64,
    /// How often it came.
    times: u32,
    /// For `at` and `every`.
    next_at: Option<Duration>,
    /// Not before.
    retry_at: Duration,
    running: bool,
    told: Option<String>,
}

/// An occurrence that came and is not over.
#[derive(Debug)]
struct Active {
    number: u64,
    id: String,
    owner: Owner,
    came: Duration,
    items: Vec<(Item, Stage)>,
    ends: Ends,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Standing,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Single(usize),
    /// A mix and its choice.
    Mix(usize, usize),
}

#[derive(Clone, Debug)]
enum Ends {
    At(Duration),
    Until(Trigger),
    WithPhase,
}

impl Director {
    /// Carries out this schedule with these draws.
    #[must_use]
    pub fn new(schedule: Schedule, seed: u64) -> Director {
        Director {
            schedule,
            seed,
            phase: 0,
            began: None,
            faults: Vec::new(),
            mixers: Vec::new(),
            active: Vec::new(),
            trail: Trail::default(),
            views: BTreeMap::new(),
            last_faulted: Vec::new(),
            occurrences: 0,
            finished: false,
            written: Vec::new(),
            last_written: BTreeMap::new(),
        }
    }

    /// The schedule.
    #[must_use]
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// What is due, in the order in which it is to be done.
    pub fn advance(&mut self, observed: &Observed) -> Vec<Order> {
        let mut orders = Vec::new();
        if self.finished {
            return orders;
        }
        self.trail.look(observed);
        if self.began.is_none() {
            self.enter(observed, &mut orders);
        }
        loop {
            let before = orders.len();
            self.carry_on(observed, &mut orders);
            if self.is_phase_over(observed.now) {
                self.end_all(&mut orders);
                self.phase += 1;
                if self.phase >= self.schedule.phases.len() {
                    self.finished = true;
                    orders.push(Order::Finished);
                    return orders;
                }
                self.enter(observed, &mut orders);
                continue;
            }
            self.singles(observed, &mut orders);
            self.mixes(observed, &mut orders);
            if orders.len() == before {
                return orders;
            }
        }
    }

    /// A frame that was watched for has entered its link.
    pub fn saw(&mut self, key: &str, at: Duration) {
        self.trail.push(at, Happened::Message(key.to_owned()));
    }

    /// What became of an occurrence that ended: a mix owes again what did not bite.
    pub fn settle(&mut self, id: &str, bit: bool) {
        for mixer in &mut self.mixers {
            mixer.settle(id, bit);
        }
    }

    /// Ends it now: everything that stands is to be undone.
    pub fn stop(&mut self) -> Vec<Order> {
        let mut orders = Vec::new();
        if !self.finished {
            self.end_all(&mut orders);
            self.finished = true;
        }
        orders
    }

    /// Whether nothing more will come.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// The actions in force.
    pub fn standing(&self) -> impl Iterator<Item = &Action> + Clone {
        self.active
            .iter()
            .flat_map(|active| active.items.iter())
            .filter(|(_, stage)| *stage == Stage::Standing)
            .map(|(item, _)| &item.action)
    }

    /// The faults in force, for people.
    pub fn standing_ids(&self) -> impl Iterator<Item = &str> {
        self.active.iter().map(|active| &*active.id)
    }

    /// When something may be due without anything having changed; `None`: only when something has.
    #[must_use]
    pub fn wake_at(&self, observed: &Observed) -> Option<Duration> {
        let (began, phase) = (self.began?, self.schedule.phases.get(self.phase)?);
        let mut at = vec![began + phase.lasts];
        for active in &self.active {
            for (item, stage) in &active.items {
                match stage {
                    Stage::Waiting => at.push(active.came + item.from),
                    Stage::Standing => at.extend(item.until.map(|until| active.came + until)),
                    Stage::Over => {}
                }
            }
            match &active.ends {
                Ends::At(end) => at.push(*end),
                Ends::Until(trigger) => {
                    at.extend(self.trail.fires(
                        trigger,
                        &until_key(&active.id),
                        active.came,
                        began,
                        observed,
                    ));
                }
                Ends::WithPhase => {}
            }
        }
        for (fault, single) in phase.faults.iter().zip(&self.faults) {
            if !single.running && fault.times_max.is_none_or(|max| single.times < max) {
                at.extend(
                    self.due(&fault.id, &fault.start, single, began, observed)
                        .map(|due| due.max(single.retry_at)),
                );
            }
        }
        at.extend(self.mixers.iter().filter_map(Mixer::wake_at));
        at.into_iter().filter(|&at| at > observed.now).min()
    }

    /// The frames that triggers wait for now.
    #[must_use]
    pub fn watches(&self, observed: &Observed) -> Vec<Watch> {
        let Some(phase) = self.schedule.phases.get(self.phase) else { return Vec::new() };
        let starts = phase.faults.iter().zip(&self.faults).filter_map(|(fault, single)| match &fault.start {
            Start::When(trigger)
                if !single.running && fault.times_max.is_none_or(|max| single.times < max) =>
            {
                Some((start_key(&fault.id), trigger))
            }
            _ => None,
        });
        let ends = self.active.iter().filter_map(|active| match &active.ends {
            Ends::Until(trigger) => Some((until_key(&active.id), trigger)),
            _ => None,
        });
        let armed = |trigger: &Trigger| trigger.after.as_ref().is_none_or(|id| self.trail.came(id).is_some());
        starts
            .chain(ends)
            .filter(|(_, trigger)| armed(trigger))
            .filter_map(|(key, trigger)| {
                let What::Message { kind, on } = &trigger.what else { return None };
                let mut draws = Draws::of(self.seed, &key, 0);
                let view = View::new(observed, &self.last_faulted, &mut draws);
                let earlier = |id: &str| self.views.get(id).cloned();
                let binder =
                    Binder { view: &view, earlier: &earlier, draws: &mut draws, resolved: Vec::new() };
                let links = binder.links(std::slice::from_ref(on)).ok()?;
                Some(Watch { key, kind: kind.clone(), links })
            })
            .collect()
    }

    // ---- Phases ------------------------------------------------------------------------------

    fn current(&self) -> &Phase {
        &self.schedule.phases[self.phase]
    }

    fn enter(&mut self, observed: &Observed, orders: &mut Vec<Order>) {
        let now = observed.now;
        self.began = Some(now);
        let seed = self.seed;
        let phase = &self.schedule.phases[self.phase];
        self.trail.phase_began(now, observed.ops_ok);
        self.mixers = phase.mixes.iter().map(|mix| Mixer::new(mix, seed, now, now + phase.lasts)).collect();
        self.faults = phase
            .faults
            .iter()
            .map(|fault| {
                let next_at = match &fault.start {
                    Start::At(span) | Start::Every(span) => {
                        Some(now + Draws::of(seed, &start_key(&fault.id), 0).span(*span))
                    }
                    Start::When(_) => None,
                };
                Single { next_at, ..Single::default() }
            })
            .collect();
        orders.push(Order::Phase(phase.name.clone()));
    }

    fn is_phase_over(&self, now: Duration) -> bool {
        let Some(began) = self.began else { return false };
        let end = began + self.current().lasts;
        // An extension lasts as long as something is owed or what was begun for it stands.
        now >= end && self.mixers.iter().all(|mixer| mixer.is_done(now))
    }

    fn end_all(&mut self, orders: &mut Vec<Order>) {
        while let Some(mut active) = self.active.pop() {
            undo_all(&mut active, orders);
            self.ended(&active, self.trail.now(), orders);
        }
    }

    // ---- What has come -----------------------------------------------------------------------

    /// Items that are due begin and end, occurrences end.
    fn carry_on(&mut self, observed: &Observed, orders: &mut Vec<Order>) {
        let (now, began) = (observed.now, self.began.unwrap_or_default());
        let mut over = Vec::new();
        for (place, active) in self.active.iter_mut().enumerate() {
            let ends = match &active.ends {
                Ends::At(end) => *end <= now,
                Ends::Until(trigger) => self
                    .trail
                    .fires(trigger, &until_key(&active.id), active.came, began, observed)
                    .is_some_and(|due| due <= now),
                Ends::WithPhase => false,
            };
            if ends {
                over.push(place);
            } else {
                items_due(active, now, orders);
            }
        }
        for place in over.into_iter().rev() {
            let mut active = self.active.remove(place);
            undo_all(&mut active, orders);
            self.ended(&active, now, orders);
        }
    }

    fn ended(&mut self, active: &Active, now: Duration, orders: &mut Vec<Order>) {
        orders.push(Order::Ended(active.number));
        match active.owner {
            Owner::Single(place) => {
                let (seed, start) = (self.seed, self.schedule.phases[self.phase].faults[place].start.clone());
                let single = &mut self.faults[place];
                single.running = false;
                single.next_at = match start {
                    Start::Every(span) => {
                        Some(now + Draws::of(seed, &start_key(&active.id), single.planned).span(span))
                    }
                    Start::At(_) | Start::When(_) => None,
                };
            }
            Owner::Mix(place, choice) => self.mixers[place].ended(choice, now),
        }
    }

    // ---- What comes --------------------------------------------------------------------------

    fn singles(&mut self, observed: &Observed, orders: &mut Vec<Order>) {
        let (now, began) = (observed.now, self.began.unwrap_or_default());
        for place in 0..self.faults.len() {
            let fault = self.current().faults[place].clone();
            let single = &self.faults[place];
            let may = !single.running
                && now >= single.retry_at
                && now < began + self.current().lasts
                && fault.times_max.is_none_or(|max| single.times < max);
            let due = may.then(|| self.due(&fault.id, &fault.start, single, began, observed)).flatten();
            if due.is_none_or(|due| due > now) {
                continue;
            }
            let planned = single.planned;
            self.faults[place].planned += 1;
            let mut draws = Draws::of(self.seed, &fault.id, planned);
            let length = match &fault.body.lasts {
                Lasts::For(span) => draws.span(*span),
                Lasts::Until(_) | Lasts::Phase => began + self.current().lasts - now,
            };
            let came =
                self.come(&fault.id, &fault.body, fault.guard, length, draws, Owner::Single(place), observed);
            let single = &mut self.faults[place];
            match came {
                Ok(number) => {
                    single.running = true;
                    single.times += 1;
                    single.told = None;
                    begin(&mut self.active, number, now, orders);
                }
                Err(reason) => {
                    single.retry_at = now + RETRY;
                    if single.told.as_ref() != Some(&reason) {
                        single.told = Some(reason.clone());
                        self.skip(&fault.id, reason, orders);
                    }
                }
            }
        }
    }

    fn due(
        &self,
        id: &str,
        start: &Start,
        single: &Single,
        began: Duration,
        observed: &Observed,
    ) -> Option<Duration> {
        match start {
            Start::At(_) | Start::Every(_) => single.next_at,
            Start::When(trigger) => {
                let since = self.trail.came(id).unwrap_or_default();
                self.trail.fires(trigger, &start_key(id), since, began, observed)
            }
        }
    }

    fn mixes(&mut self, observed: &Observed, orders: &mut Vec<Order>) {
        let now = observed.now;
        for place in 0..self.mixers.len() {
            let Some(Drawn { choice, length, draws }) = self.mixers[place].draw(now) else { continue };
            let mix = &self.current().mixes[place];
            let (guard, drawn) = (mix.guard, mix.choices[choice].clone());
            match self.come(&drawn.id, &drawn.body, guard, length, draws, Owner::Mix(place, choice), observed)
            {
                Ok(number) => {
                    self.mixers[place].began(choice);
                    begin(&mut self.active, number, now, orders);
                }
                Err(reason) => {
                    self.mixers[place].skipped(choice, now);
                    self.skip(&drawn.id, reason, orders);
                }
            }
        }
    }

    /// Binds an occurrence to the cluster as it is; `Err`: why it can't be done now.
    #[expect(clippy::too_many_arguments, reason = "one call each for the two kinds of owners")]
    fn come(
        &mut self,
        id: &str,
        body: &Body,
        guard: Guard,
        length: Duration,
        mut draws: Draws,
        owner: Owner,
        observed: &Observed,
    ) -> Result<u64, String> {
        let view = View::new(observed, &self.last_faulted, &mut draws);
        let earlier = |id: &str| self.views.get(id).cloned();
        let mut binder = Binder { view: &view, earlier: &earlier, draws: &mut draws, resolved: Vec::new() };
        let items = binder.items(body, length)?;
        let steps = binder.resolved;
        self.guard(guard, &items, observed)?;
        let ends = match &body.lasts {
            Lasts::For(_) => Ends::At(observed.now + end_of(&items, length)),
            Lasts::Until(trigger) => Ends::Until(trigger.clone()),
            Lasts::Phase => Ends::WithPhase,
        };
        let struck: Vec<NodeId> = items.iter().flat_map(|item| item.action.nodes()).copied().collect();
        if !struck.is_empty() {
            self.last_faulted = struck;
        }
        let number = self.number();
        self.write_down(number, id, steps, &body.lasts, length, owner, observed.now);
        self.views.insert(id.to_owned(), view);
        self.trail.fault_came(id, observed.now, observed.ops_ok);
        let items = items.into_iter().map(|item| (item, Stage::Waiting)).collect();
        self.active.push(Active { number, id: id.to_owned(), owner, came: observed.now, items, ends });
        Ok(number)
    }

    /// Notes what came with every draw made.
    #[expect(clippy::too_many_arguments, reason = "all of one occurrence")]
    fn write_down(
        &mut self,
        number: u64,
        id: &str,
        mut steps: Vec<Step>,
        lasts: &Lasts,
        length: Duration,
        owner: Owner,
        now: Duration,
    ) {
        let began = self.began.unwrap_or_default();
        let own = format!("{id}-{number}");
        // Who refers to a fault means its last occurrence.
        let last = |id: &mut Option<String>| {
            if let Some(last) = id.as_ref().and_then(|id| self.last_written.get(id)) {
                *id = Some(last.clone());
            }
        };
        for step in &mut steps {
            step.action.targets_mut(&mut |target| last(&mut target.as_of));
        }
        let waits = match owner {
            Owner::Single(place) => match &self.schedule.phases[self.phase].faults[place].start {
                Start::When(trigger) => Some(trigger.clone()),
                Start::At(_) | Start::Every(_) => None,
            },
            Owner::Mix(..) => None,
        };
        let start = match waits {
            Some(mut trigger) => {
                last(&mut trigger.after);
                Start::When(trigger)
            }
            None => Start::At(Span::exactly(now - began)),
        };
        let lasts = match lasts.clone() {
            Lasts::For(_) => Lasts::For(Span::exactly(length)),
            Lasts::Until(mut trigger) => {
                last(&mut trigger.after);
                Lasts::Until(trigger)
            }
            Lasts::Phase => Lasts::Phase,
        };
        self.last_written.insert(id.to_owned(), own.clone());
        self.written.push((
            self.phase,
            Fault {
                id: own,
                start,
                times_max: Some(1),
                body: Body { steps, lasts },
                guard: Guard::Any,
                required: false,
            },
        ));
    }

    /// What came so far as a schedule of its own: single faults, every draw made. It asks for no
    /// coverage: whoever repeats it knows what it is for.
    #[must_use]
    pub fn resolved(&self) -> Schedule {
        let mut resolved = self.schedule.clone();
        resolved.seed = Some(self.seed);
        resolved.coverage = Coverage::default();
        for (number, phase) in resolved.phases.iter_mut().enumerate() {
            phase.mixes = Vec::new();
            phase.ok_rate_min = None;
            let of_phase = self.written.iter().filter(|(of, _)| *of == number);
            phase.faults = of_phase.map(|(_, fault)| fault.clone()).collect();
            // What overran its phase was owed, and has its time here as well.
            let ends = phase.faults.iter().filter_map(|fault| match (&fault.start, &fault.body.lasts) {
                (Start::At(at), Lasts::For(length)) => Some(at.max + length.max),
                _ => None,
            });
            phase.lasts = ends.max().unwrap_or_default().max(phase.lasts);
        }
        resolved
    }

    fn guard(&self, guard: Guard, items: &[Item], observed: &Observed) -> Result<(), String> {
        let nodes: Vec<NodeId> = observed.nodes.keys().copied().collect();
        let silent = observed.nodes.iter().filter(|(_, is)| **is != Condition::Up).map(|(&node, _)| node);
        let silent: Vec<NodeId> = silent.collect();
        // At each moment at which something more is done: one node after the other is not all at once.
        let left = items.iter().all(|now| {
            let stands =
                |item: &&Item| item.from <= now.from && item.until.is_none_or(|until| until > now.from);
            let with = items.iter().filter(stands).map(|item| &item.action);
            let actions: Vec<&Action> = self.standing().chain(with).collect();
            Damage::of(&nodes, silent.iter().copied(), actions.iter().copied()).leaves_quorum()
        });
        match guard {
            Guard::KeepQuorum if !left => Err("it would take the quorum away".to_owned()),
            Guard::BreakQuorum if left => Err("it would leave a quorum".to_owned()),
            Guard::Any | Guard::KeepQuorum | Guard::BreakQuorum => Ok(()),
        }
    }

    fn skip(&mut self, id: &str, reason: String, orders: &mut Vec<Order>) {
        let occurrence = self.number();
        orders.push(Order::Skipped { occurrence, id: id.to_owned(), reason });
    }

    fn number(&mut self) -> u64 {
        self.occurrences += 1;
        self.occurrences - 1
    }
}

fn begin(active: &mut [Active], number: u64, now: Duration, orders: &mut Vec<Order>) {
    if let Some(active) = active.iter_mut().find(|active| active.number == number) {
        items_due(active, now, orders);
    }
}

/// From coming to undoing: the last step lasts for `length`; rounds last as long as they take.
fn end_of(items: &[Item], length: Duration) -> Duration {
    let steps = items.iter().filter(|item| item.until.is_none()).map(|item| item.from + length).max();
    let rounds = items.iter().filter_map(|item| item.until).max();
    steps.max(rounds).unwrap_or(length)
}

fn items_due(active: &mut Active, now: Duration, orders: &mut Vec<Order>) {
    let Active { number, id, came, items, .. } = active;
    // What ends comes before what begins: one node after the other.
    for (place, (item, stage)) in items.iter_mut().enumerate() {
        if *stage == Stage::Standing && item.until.is_some_and(|until| *came + until <= now) {
            *stage = Stage::Over;
            orders.push(Order::Undo { occurrence: *number, item: place, action: item.action.clone() });
        }
    }
    for (place, (item, stage)) in items.iter_mut().enumerate() {
        if *stage == Stage::Waiting && *came + item.from <= now {
            *stage = Stage::Standing;
            orders.push(Order::Begin {
                occurrence: *number,
                id: id.clone(),
                item: place,
                action: item.action.clone(),
                must_bite: item.must_bite,
            });
        }
    }
}

fn undo_all(active: &mut Active, orders: &mut Vec<Order>) {
    for (place, (item, stage)) in active.items.iter_mut().enumerate().rev() {
        if *stage == Stage::Standing {
            orders.push(Order::Undo { occurrence: active.number, item: place, action: item.action.clone() });
        }
        *stage = Stage::Over;
    }
}

fn start_key(id: &str) -> String {
    format!("{id}/start")
}

fn until_key(id: &str) -> String {
    format!("{id}/until")
}
