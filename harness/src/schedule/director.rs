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

use std::collections::BTreeMap;
use std::time::Duration;

use super::action::Action;
use super::bind::{Binder, Item, View};
use super::draws::Draws;
use super::happened::{Happened, Mark, Trail};
use super::mixer::{Drawn, Mixer};
use super::observed::{Condition, Observed};
use super::occurrence::{Occurrence, Owner};
use super::order::{Order, Passed, Watch};
use super::reach::Damage;
use super::resolve::Written;
use super::single::Single;
use super::territory::{Cell, Protocol, State, Territory};
use super::{Body, Fault, Guard, Lasts, Mix, Phase, Schedule, Span, Start, Step, Trigger, What};
use crate::system::NodeId;

/// Where a schedule stands.
#[derive(Debug)]
pub struct Director {
    schedule: Schedule,
    seed: u64,
    phase: usize,
    /// The trail as of the phase's beginning, and how many operations had succeeded; `None` before the
    /// first look and after the end.
    began: Option<(Mark, u64)>,
    passed: Vec<Passed>,
    singles: Vec<Single>,
    mixers: Vec<Mixer>,
    active: Vec<Occurrence>,
    trail: Trail,
    views: BTreeMap<String, View>,
    last_faulted: Vec<NodeId>,
    occurrences: u64,
    finished: bool,
    written: Written,
    protocol: Protocol,
    territory: Territory,
    /// The cells of what stands, by fault.
    pending: BTreeMap<String, Vec<Cell>>,
    steers: bool,
}

/// A fault that is about to come.
struct Planned {
    id: String,
    body: Body,
    guard: Guard,
    length: Duration,
    draws: Draws,
    owner: Owner,
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
            passed: Vec::new(),
            singles: Vec::new(),
            mixers: Vec::new(),
            active: Vec::new(),
            trail: Trail::default(),
            views: BTreeMap::new(),
            last_faulted: Vec::new(),
            occurrences: 0,
            finished: false,
            written: Written::default(),
            protocol: Protocol::default(),
            territory: Territory::default(),
            pending: BTreeMap::new(),
            steers: true,
        }
    }

    /// The same, but whether mixes prefer what strikes where nothing struck yet is said. They do if it
    /// is not.
    #[must_use]
    pub fn steering(self, steers: bool) -> Director {
        Director { steers, ..self }
    }

    /// Where faults struck so far.
    #[must_use]
    pub fn territory(&self) -> &Territory {
        &self.territory
    }

    /// What is due, in the order in which it is to be done.
    pub fn advance(&mut self, observed: &Observed) -> Vec<Order> {
        let mut orders = Vec::new();
        if self.finished {
            return orders;
        }
        self.trail.look(observed);
        self.protocol.look(observed);
        if self.began.is_none() {
            self.enter(observed, &mut orders);
        }
        loop {
            let before = orders.len();
            let state = self.state(observed);
            self.carry_on(observed.now, &mut orders);
            self.strike(&orders[before..], observed, state);
            if self.is_phase_over(observed.now) {
                self.leave(observed, &mut orders);
                if self.phase >= self.schedule.phases.len() {
                    self.finished = true;
                    orders.push(Order::Finished);
                    return orders;
                }
                self.enter(observed, &mut orders);
                continue;
            }
            let (state, carried_on) = (self.state(observed), orders.len());
            self.singles(observed, &mut orders);
            self.strike(&orders[carried_on..], observed, state);
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
        for cell in self.pending.remove(id).into_iter().flatten().filter(|_| bit) {
            self.territory.bit(cell);
        }
        for mixer in &mut self.mixers {
            mixer.settle(id, bit);
        }
    }

    /// This one was ordered, but the run was stopped before it began: it never came.
    pub fn retract(&mut self, id: &str, occurrence: u64) {
        self.written.retract(id, occurrence);
        for cell in self.pending.remove(id).into_iter().flatten() {
            self.territory.retract(cell);
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
        self.active.iter().flat_map(Occurrence::standing)
    }

    /// The faults in force, for people.
    pub fn standing_ids(&self) -> impl Iterator<Item = &str> {
        self.active.iter().map(|active| &*active.id)
    }

    /// The phases that are over; one that was cut short is not among them.
    #[must_use]
    pub fn passed(&self) -> &[Passed] {
        &self.passed
    }

    /// What came so far, as a schedule of its own.
    #[must_use]
    pub fn resolved(&self) -> Schedule {
        self.written.resolved(&self.schedule, self.seed)
    }

    /// When something may be due without anything having changed; `None`: only when something has.
    #[must_use]
    pub fn wake_at(&self, now: Duration) -> Option<Duration> {
        let ((began, _), phase) = (self.began?, self.schedule.phases.get(self.phase)?);
        let items = self.active.iter().flat_map(Occurrence::moments);
        let ends = self.active.iter().filter_map(|active| active.ends_at(&self.trail));
        let starts = self.singles.iter().filter_map(|single| single.wake_at(&self.trail, began));
        let mixes = self.mixers.iter().filter_map(Mixer::wake_at);
        let over = std::iter::once(began.at + phase.lasts);
        items.chain(ends).chain(starts).chain(mixes).chain(over).filter(|&at| at > now).min()
    }

    /// The frames that triggers wait for now.
    #[must_use]
    pub fn watches(&self, observed: &Observed) -> Vec<Watch> {
        let starts = self.singles.iter().filter_map(Single::waits_for);
        let ends = self.active.iter().filter_map(Occurrence::waits_for);
        let armed = |trigger: &Trigger| trigger.after.as_ref().is_none_or(|id| self.trail.came(id).is_some());
        starts
            .chain(ends)
            .filter(|(_, trigger)| armed(trigger))
            .filter_map(|(key, trigger)| {
                let What::Message { kind, on } = &trigger.what else { return None };
                let mut draws = Draws::of(self.seed, key, 0);
                let view = View::new(observed, &self.last_faulted, &mut draws);
                let earlier = |id: &str| self.views.get(id).cloned();
                let binder =
                    Binder { view: &view, earlier: &earlier, draws: &mut draws, resolved: Vec::new() };
                let links = binder.links(std::slice::from_ref(on)).ok()?;
                Some(Watch { key: key.to_owned(), kind: kind.clone(), links })
            })
            .collect()
    }

    // ---- Phases ------------------------------------------------------------------------------

    fn current(&self) -> &Phase {
        &self.schedule.phases[self.phase]
    }

    fn began(&self) -> Mark {
        self.began.map(|(began, _)| began).unwrap_or_default()
    }

    fn enter(&mut self, observed: &Observed, orders: &mut Vec<Order>) {
        let (now, seed) = (observed.now, self.seed);
        self.began = Some((self.trail.mark(), observed.ops_ok));
        let phase = &self.schedule.phases[self.phase];
        self.mixers = phase.mixes.iter().map(|mix| Mixer::new(mix, seed, now, now + phase.lasts)).collect();
        self.singles = phase.faults.iter().map(|fault| Single::new(fault, seed, now)).collect();
        orders.push(Order::Phase(phase.name.clone()));
    }

    fn is_phase_over(&self, now: Duration) -> bool {
        let Some((began, _)) = self.began else { return false };
        // An extension lasts as long as something is owed or what was begun for it stands.
        now >= began.at + self.current().lasts && self.mixers.iter().all(|mixer| mixer.is_done(now))
    }

    fn leave(&mut self, observed: &Observed, orders: &mut Vec<Order>) {
        self.end_all(orders);
        self.singles.clear();
        if let Some((began, ops_before)) = self.began {
            let Phase { name, ok_rate_min, .. } = self.current();
            self.passed.push(Passed {
                name: name.clone(),
                lasted: observed.now - began.at,
                ops_ok: observed.ops_ok.saturating_sub(ops_before),
                ok_rate_min: *ok_rate_min,
            });
        }
        self.phase += 1;
    }

    fn end_all(&mut self, orders: &mut Vec<Order>) {
        while let Some(mut active) = self.active.pop() {
            active.end(orders);
            self.ended(&active, self.trail.now());
        }
    }

    // ---- What has come -----------------------------------------------------------------------

    /// Items that are due begin and end, occurrences end.
    fn carry_on(&mut self, now: Duration, orders: &mut Vec<Order>) {
        let mut over = Vec::new();
        for (place, active) in self.active.iter_mut().enumerate() {
            if active.ends_at(&self.trail).is_some_and(|end| end <= now) {
                over.push(place);
            } else {
                active.advance(now, orders);
            }
        }
        for place in over.into_iter().rev() {
            let mut active = self.active.remove(place);
            active.end(orders);
            self.ended(&active, now);
        }
    }

    fn ended(&mut self, active: &Occurrence, now: Duration) {
        match active.owner {
            Owner::Single(place) => self.singles[place].ended(now),
            Owner::Mix(place, choice) => self.mixers[place].ended(choice, now),
        }
    }

    // ---- What comes --------------------------------------------------------------------------

    fn singles(&mut self, observed: &Observed, orders: &mut Vec<Order>) {
        let (now, began) = (observed.now, self.began());
        let end = began.at + self.current().lasts;
        for place in 0..self.singles.len() {
            let single = &mut self.singles[place];
            let Some((length, draws)) = single.plan(&self.trail, began, now, end) else { continue };
            let Fault { id, body, guard, .. } = single.fault().clone();
            let owner = Owner::Single(place);
            let planned = Planned { id: id.clone(), body, guard, length, draws, owner };
            match self.come(planned, observed, orders) {
                Ok(()) => self.singles[place].began(),
                Err(reason) => {
                    if self.singles[place].skipped(&reason, now) {
                        self.skip(id, reason, orders);
                    }
                }
            }
        }
    }

    fn mixes(&mut self, observed: &Observed, orders: &mut Vec<Order>) {
        let now = observed.now;
        let mut mixers = std::mem::take(&mut self.mixers);
        for (place, mixer) in mixers.iter_mut().enumerate() {
            let state = self.state(observed);
            let mix = &self.current().mixes[place];
            let is_new = |drawn: &Drawn| self.steers && self.is_new(mix, drawn, observed, state);
            let Some(drawn) = mixer.draw(now, state != State::Steady, is_new) else { continue };
            let Drawn { choice, length, draws } = drawn;
            let (id, body) = (mix.choices[choice].id.clone(), mix.choices[choice].body.clone());
            let (guard, owner) = (mix.guard, Owner::Mix(place, choice));
            let planned = Planned { id: id.clone(), body, guard, length, draws, owner };
            let before = orders.len();
            match self.come(planned, observed, orders) {
                Ok(()) => mixer.began(choice),
                Err(reason) => {
                    mixer.skipped(choice, now);
                    self.skip(id, reason, orders);
                }
            }
            self.strike(&orders[before..], observed, state);
        }
        self.mixers = mixers;
    }

    /// What the cluster is doing.
    fn state(&self, observed: &Observed) -> State {
        self.protocol.state(observed, self.standing().next().is_some())
    }

    /// Notes where that struck which is ordered to begin.
    fn strike(&mut self, orders: &[Order], observed: &Observed, state: State) {
        let leader = observed.leader_up();
        for order in orders {
            if let Order::Begin { id, action, .. } = order {
                let cell = Cell::of(action, leader, state);
                let of_it = self.pending.entry(id.clone()).or_default();
                // The links of a swizzle go one by one, and are one fault all the same.
                if !of_it.contains(&cell) {
                    of_it.push(cell);
                    self.territory.began(cell);
                }
            }
        }
    }

    /// Whether what a mix drew can be done now, and would strike first where nothing struck yet.
    fn is_new(&self, mix: &Mix, drawn: &Drawn, observed: &Observed, state: State) -> bool {
        let Drawn { choice, length, mut draws } = drawn.clone();
        let Ok((items, ..)) = self.bind(&mix.choices[choice].body, length, &mut draws, observed) else {
            return false;
        };
        let leader = observed.leader_up();
        let first = items.iter().filter(|item| item.from.is_zero());
        let mut cells = first.map(|item| Cell::of(&item.action, leader, state));
        cells.any(|cell| !self.territory.contains(&cell)) && self.allows(mix.guard, &items, observed).is_ok()
    }

    /// What a fault would be now, with every draw made, and the cluster as it finds it.
    fn bind(
        &self,
        body: &Body,
        length: Duration,
        draws: &mut Draws,
        observed: &Observed,
    ) -> Result<(Vec<Item>, Vec<Step>, View), String> {
        let view = View::new(observed, &self.last_faulted, draws);
        let earlier = |id: &str| self.views.get(id).cloned();
        let mut binder = Binder { view: &view, earlier: &earlier, draws, resolved: Vec::new() };
        let items = binder.items(body, length)?;
        let steps = binder.resolved;
        Ok((items, steps, view))
    }

    /// Binds a fault to the cluster as it is, and begins it; `Err`: why it can't be done now.
    fn come(&mut self, planned: Planned, observed: &Observed, orders: &mut Vec<Order>) -> Result<(), String> {
        let Planned { id, body, guard, length, mut draws, owner } = planned;
        let (items, steps, view) = self.bind(&body, length, &mut draws, observed)?;
        self.allows(guard, &items, observed)?;
        let struck: Vec<NodeId> = items.iter().flat_map(|item| item.action.nodes()).copied().collect();
        if !struck.is_empty() {
            self.last_faulted = struck;
        }
        let number = self.number();
        let start = self.start_of(owner, observed.now);
        self.written.note(
            self.phase,
            &id,
            number,
            start,
            Body { steps, lasts: exactly(&body.lasts, length) },
        );
        self.views.insert(id.clone(), view);
        let came = self.trail.fault_came(&id);
        let mut occurrence = Occurrence::new(number, &id, owner, came, items, &body.lasts, length);
        occurrence.advance(observed.now, orders);
        self.active.push(occurrence);
        Ok(())
    }

    /// What sets it off when it is repeated: the same event, or else its time.
    fn start_of(&self, owner: Owner, now: Duration) -> Start {
        if let Owner::Single(place) = owner
            && let waits @ Start::When(_) = &self.singles[place].fault().start
        {
            return waits.clone();
        }
        Start::At(Span::exactly(now - self.began().at))
    }

    fn allows(&self, guard: Guard, items: &[Item], observed: &Observed) -> Result<(), String> {
        if guard == Guard::Any {
            return Ok(());
        }
        let nodes: Vec<NodeId> = observed.nodes.keys().copied().collect();
        let silent = observed.nodes.iter().filter(|(_, is)| **is != Condition::Up).map(|(&node, _)| node);
        // At each moment at which something more is done: one node after the other is not all at once.
        let left = items.iter().all(|now| {
            let stands =
                |item: &&Item| item.from <= now.from && item.until.is_none_or(|until| until > now.from);
            let with = items.iter().filter(stands).map(|item| &item.action);
            Damage::of(&nodes, silent.clone(), self.standing().chain(with)).leaves_quorum()
        });
        match guard {
            Guard::KeepQuorum if !left => Err("it would take the quorum away".to_owned()),
            Guard::BreakQuorum if left => Err("it would leave a quorum".to_owned()),
            Guard::Any | Guard::KeepQuorum | Guard::BreakQuorum => Ok(()),
        }
    }

    fn skip(&mut self, id: String, reason: String, orders: &mut Vec<Order>) {
        let occurrence = self.number();
        orders.push(Order::Skipped { occurrence, id, reason });
    }

    fn number(&mut self) -> u64 {
        self.occurrences += 1;
        self.occurrences - 1
    }
}

/// The length with its draw made.
fn exactly(lasts: &Lasts, length: Duration) -> Lasts {
    match lasts {
        Lasts::For(_) => Lasts::For(Span::exactly(length)),
        Lasts::Until(_) | Lasts::Phase => lasts.clone(),
    }
}
