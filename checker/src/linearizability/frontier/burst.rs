//! What may be placed when an operation ends that is not placed yet: every way to place it, none twice
//! over for nothing. The module's documentation says why these are all.

use super::super::register_op::{Kind, ValueId};
use super::condition::Condition;
use super::config::{Config, DEAD, Used};
use super::mask::Mask;
use super::open::Open;
use super::plan::{NO_CLASS, Plan};
use crate::budget::{Exhausted, Meter};
use crate::linearizability::condition::holds;

/// Steps between two looks at the clock.
const STEPS_PER_CHECK: u64 = 1024;

/// Where a placed operation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At the end of the current block.
    Current,
    /// Ends the current block and begins the next.
    NewBlock,
    /// In a block before the current one.
    Before,
}

/// What the operation that ends is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// This value.
    See(ValueId),
    /// Any value but this.
    Other(ValueId),
    /// To be placed itself, once the value is what it expects.
    Take(ValueId),
    /// To be placed itself, as the head of a block.
    Head,
}

/// Which block is being walked, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The current block, until the goal.
    Extend,
    /// The current block, to leave it.
    Leave,
    /// The new block, until the goal.
    Open,
    /// A block before the current one, until the goal and beyond.
    Before,
}

/// Everything a burst reads and writes beside the configuration it starts from.
#[derive(Debug)]
pub(super) struct Bursts<'a, const W: usize> {
    pub(super) plan: &'a Plan<'a>,
    pub(super) open: Open<W>,
    pub(super) used: Used,
    /// Open operations that may be left out: they began before the window that is looked at.
    pub(super) optional: Mask<W>,
    /// The configurations found.
    pub(super) found: Vec<Config<W>>,
    /// When asked for: for each one found, what was placed, in order.
    pub(super) traced: Option<Vec<Vec<(Place, usize)>>>,
    pub(super) steps: u64,
    /// Steps that it may take.
    pub(super) steps_max: u64,
    /// How many operations of unknown outcome one burst may place, and whether it wished for more.
    pub(super) unknown_max: u32,
    pub(super) was_limited: bool,
    unknown_placed: u32,
    /// Set once the budget is spent; whatever was found since is not all.
    pub(super) spent: Option<Exhausted>,
    meter: &'a Meter,
    path: Vec<(Place, usize)>,
    goal: Goal,
    slot: usize,
    /// Position of the end that is being looked at, and the least end of a write not yet begun.
    now: u32,
    write_over: u32,
    /// Values seen since the last thing that was of any use, so that unknown operations never run in
    /// circles.
    idle: Vec<ValueId>,
    /// Values that heads of blocks are looked for; those of a burst within a burst stand behind.
    heads: Vec<ValueId>,
}

/// A compare-and-set that can be taken.
#[derive(Clone, Copy)]
enum Edge {
    Slot(usize, ValueId),
    Class(usize, ValueId),
}

impl<'a, const W: usize> Bursts<'a, W> {
    pub(super) fn new(plan: &'a Plan<'a>, meter: &'a Meter) -> Self {
        Bursts {
            plan,
            open: Open::new(plan),
            used: Used::new(plan.classes.len()),
            optional: Mask::EMPTY,
            found: Vec::new(),
            traced: None,
            steps: 0,
            steps_max: u64::MAX,
            unknown_max: u32::MAX,
            was_limited: false,
            unknown_placed: 0,
            spent: None,
            meter,
            path: Vec::new(),
            goal: Goal::Head,
            slot: 0,
            now: 0,
            write_over: 0,
            idle: Vec::new(),
            heads: Vec::new(),
        }
    }

    /// Says which end is looked at: the one of event `open.at`.
    pub(super) fn look_at(&mut self, slot: usize) {
        self.slot = slot;
        self.look_ahead_from(self.open.at);
        self.goal = match self.open.kind[slot] {
            Kind::Read(value) => Goal::See(value),
            Kind::NotEqual(value) => Goal::Other(value),
            Kind::Cas(from, _) => Goal::Take(from),
            Kind::Write(_) => Goal::Head,
        };
    }

    /// Says that now is just before this event.
    pub(super) fn look_ahead_from(&mut self, event: usize) {
        let first = self.plan.events[event];
        let op = &self.plan.ops[first.op()];
        self.now = self.plan.positions[event] - 1;
        self.write_over = self.plan.write_over[event];
        if !first.is_end() && matches!(op.kind, Kind::Write(_)) {
            self.write_over = self.write_over.min(op.end);
        }
    }

    /// Forgets the value if nobody can see it any more.
    ///
    /// The current block ends at the latest where a write ends that began after it did, for that write
    /// goes behind it. What begins later than that has no use for the value of now.
    pub(super) fn bury(&mut self, config: &mut Config<W>) {
        if config.state != DEAD && !self.is_wanted(config) {
            config.state = DEAD;
            config.fresh = Mask::EMPTY;
            config.known = self.open.unknown_begun;
        }
    }

    fn is_wanted(&mut self, config: &Config<W>) -> bool {
        let plan = self.plan;
        if !self.open.cas_from(config.state).without(config.done).is_empty() && holds(Condition::WantedByCas)
        {
            return true;
        }
        if !plan.cas_classes_from(config.state).is_empty() && holds(Condition::WantedByUnknownCas) {
            return true;
        }
        let need = self.open.next_need(plan, config.state, self.now);
        if !holds(Condition::WantedLater) {
            return false;
        }
        if need >= self.write_over {
            return false;
        }
        (config.fresh & self.open.writes).slots().all(|slot| need < self.open.end[slot])
    }

    /// Every way to place the operation that ends.
    pub(super) fn burst(&mut self, config: &Config<W>) {
        self.path.clear();
        if config.state == DEAD {
            self.heads(*config, Phase::Open);
            return;
        }
        if self.goal != Goal::Head && self.is_reachable(config) {
            self.start_walk(*config, config.state, Phase::Extend, false);
        }
        let may_go_before = !config.fresh.has(self.slot) || !holds(Condition::EndBeforeBegan);
        if may_go_before {
            self.heads(*config, Phase::Before);
        }
        let hidden = may_go_before && matches!(self.open.kind[self.slot], Kind::Write(_));
        if hidden {
            let Kind::Write(value) = self.open.kind[self.slot] else { return };
            let mut visible = *config;
            visible.state = value;
            visible.fresh = Mask::EMPTY;
            let pleases_more = self.open.pleased_by(value).without(config.done).meets(config.fresh);
            let pleases_more = pleases_more && holds(Condition::HiddenPleasesMore);
            if !pleases_more && !self.is_wanted(&visible) {
                return;
            }
        }
        self.start_walk(*config, config.state, Phase::Leave, false);
    }

    /// Whether some compare-and-set leads to what the goal needs: a quick no.
    fn is_reachable(&self, config: &Config<W>) -> bool {
        let leads_to = |value: ValueId| {
            !self.open.cas_to(value).without(config.done).is_empty()
                || self.plan.cas_classes.iter().any(|(_, to, _)| *to == value)
        };
        match self.goal {
            Goal::See(value) => leads_to(value),
            Goal::Take(from) => config.state == from || leads_to(from),
            Goal::Other(_) => true,
            Goal::Head => false,
        }
    }

    fn start_walk(&mut self, config: Config<W>, at: ValueId, phase: Phase, met: bool) {
        let from = self.idle.len();
        self.idle.push(at);
        self.walk(config, at, phase, met, from);
        self.idle.truncate(from);
    }

    /// Goes on from a value along compare-and-sets.
    fn walk(&mut self, config: Config<W>, at: ValueId, phase: Phase, met: bool, idle_from: usize) {
        self.steps += 1;
        if self.steps.is_multiple_of(STEPS_PER_CHECK) {
            self.check();
        }
        if self.spent.is_some() {
            return;
        }
        let is_idle = self.idle.len() - idle_from > 1;
        if !is_idle {
            match phase {
                Phase::Leave => self.heads(config, Phase::Open),
                Phase::Before if met => self.emit(config),
                _ => {}
            }
        }
        let only_older = phase == Phase::Before && holds(Condition::CasBeforeBegan);
        let allowed = if only_older { !config.fresh } else { !Mask::EMPTY };
        let choices = self.open.cas_from(at).without(config.done) & allowed;
        for slot in choices.slots() {
            if self.is_worth_taking(slot, choices) {
                let Kind::Cas(_, to) = self.open.kind[slot] else { continue };
                self.take(config, Edge::Slot(slot, to), phase, met, idle_from);
            }
        }
        if self.plan.cas_classes.is_empty() {
            return;
        }
        for &(_, to, class) in self.plan.cas_classes_from(at) {
            let only_older = phase == Phase::Before && holds(Condition::UnknownBeforeBegan);
            let known = if only_older { config.known } else { self.open.unknown_begun };
            let class = class as usize;
            if !self.used.has_left(config.used, class, &self.plan.classes[class], known) {
                continue;
            }
            // R4: what has an end goes first.
            let stands_in = (choices & self.open.cas_to(to)).without(self.optional);
            if stands_in.is_empty() && self.may_place_unknown() {
                self.unknown_placed += 1;
                self.take(config, Edge::Class(class, to), phase, met, idle_from);
                self.unknown_placed -= 1;
            }
        }
    }

    /// R4: of equal compare-and-sets the one that ends first is taken.
    fn is_worth_taking(&self, slot: usize, choices: Mask<W>) -> bool {
        let Kind::Cas(_, to) = self.open.kind[slot] else { return false };
        let equal = choices & self.open.cas_to(to);
        if equal == Mask::of(slot) {
            return true;
        }
        let rivals = match self.optional.has(slot) {
            _ if !holds(Condition::OptionalIsNotEqual) => equal,
            true => equal & self.optional,
            false => equal.without(self.optional),
        };
        rivals.slots().all(|rival| self.open.end[rival] >= self.open.end[slot])
    }

    fn take(&mut self, mut config: Config<W>, edge: Edge, phase: Phase, met: bool, idle_from: usize) {
        let path_length = self.path.len();
        let place = if phase == Phase::Before { Place::Before } else { Place::Current };
        let (to, is_goal) = match edge {
            Edge::Slot(slot, to) => {
                config.done.set(slot);
                config.fresh.clear(slot);
                self.note(place, self.open.op[slot] as usize);
                (to, matches!(self.goal, Goal::Take(_)) && slot == self.slot)
            }
            Edge::Class(class, to) => {
                self.use_one(&mut config, class, place);
                (to, false)
            }
        };
        let pleased = self.please(&mut config, to, phase, place);
        let now_met = met || is_goal || self.pleases_goal(to);
        if now_met && matches!(phase, Phase::Extend | Phase::Open) {
            config.state = to;
            self.emit(config);
        } else {
            let useful = matches!(edge, Edge::Slot(..)) || pleased || (now_met && !met);
            let known_idle = self.idle.len();
            let useful = useful && (holds(Condition::IdleOnlyIfUseless) || matches!(edge, Edge::Slot(..)));
            if useful || !self.idle[idle_from..].contains(&to) {
                self.idle.push(to);
                self.walk(config, to, phase, now_met, if useful { known_idle } else { idle_from });
                self.idle.truncate(known_idle);
            }
        }
        self.path.truncate(path_length);
    }

    fn pleases_goal(&self, value: ValueId) -> bool {
        match self.goal {
            Goal::See(wanted) => value == wanted,
            Goal::Other(unwanted) => value != unwanted,
            Goal::Take(_) | Goal::Head => false,
        }
    }

    /// Begins a block in every way that can be of use.
    fn heads(&mut self, mut config: Config<W>, phase: Phase) {
        if phase == Phase::Open {
            config.fresh = Mask::EMPTY;
            config.known = self.open.unknown_begun;
        }
        let wanted = match self.goal {
            Goal::Head => {
                let Kind::Write(value) = self.open.kind[self.slot] else { return };
                self.begin(config, value, Some(self.slot), phase);
                return;
            }
            Goal::Other(_) => {
                self.heads_of_all(config, phase);
                return;
            }
            Goal::See(value) | Goal::Take(value) => value,
        };
        self.head_of(config, wanted, phase);
        if self.is_reachable(&Config { state: DEAD, ..config }) {
            // Other values that a compare-and-set leads on from, each once.
            let open = self.open.cas.without(config.done).slots().filter_map(|slot| {
                let Kind::Cas(from, _) = self.open.kind[slot] else { return None };
                Some(from)
            });
            let unknown = self.plan.cas_classes.iter().map(|(from, ..)| *from);
            let first = note_each(&mut self.heads, open.chain(unknown).filter(|from| *from != wanted));
            self.heads_from(first, config, phase);
        }
    }

    /// Begins a block with each of the values noted from here on, and forgets them.
    fn heads_from(&mut self, first: usize, config: Config<W>, phase: Phase) {
        for place in first..self.heads.len() {
            self.head_of(config, self.heads[place], phase);
        }
        self.heads.truncate(first);
    }

    fn heads_of_all(&mut self, config: Config<W>, phase: Phase) {
        let written = |kind: Kind| if let Kind::Write(value) = kind { Some(value) } else { None };
        let open = self.open.writes.without(config.done).slots();
        let open = open.filter_map(|slot| written(self.open.kind[slot]));
        let unknown = self.plan.classes.iter().filter_map(|class| written(class.kind));
        let first = note_each(&mut self.heads, open.chain(unknown));
        self.heads_from(first, config, phase);
    }

    /// Begins a block with a write of this value, if there is one: the one that ends first (R4), of
    /// unknown outcome only if there is no other.
    fn head_of(&mut self, config: Config<W>, value: ValueId, phase: Phase) {
        let older = if holds(Condition::HeadBeforeBegan) { config.fresh } else { Mask::EMPTY };
        let choices = self.open.writes_of(value).without(config.done | older);
        if let Some(slot) = self.open.first_to_end(choices) {
            self.begin(config, value, Some(slot), phase);
            return;
        }
        let class = self.plan.writes_of[value as usize];
        if class != NO_CLASS {
            let of = &self.plan.classes[class as usize];
            let known =
                if holds(Condition::UnknownBeforeBegan) { config.known } else { self.open.unknown_begun };
            if self.used.has_left(config.used, class as usize, of, known) && self.may_place_unknown() {
                self.unknown_placed += 1;
                self.begin(config, value, None, phase);
                self.unknown_placed -= 1;
            }
        }
    }

    fn begin(&mut self, mut config: Config<W>, value: ValueId, slot: Option<usize>, phase: Phase) {
        let path_length = self.path.len();
        let (place, then) = match phase {
            Phase::Before => (Place::Before, Place::Before),
            _ => (Place::NewBlock, Place::Current),
        };
        match slot {
            Some(slot) => {
                config.done.set(slot);
                self.note(place, self.open.op[slot] as usize);
            }
            None => self.use_one(&mut config, self.plan.writes_of[value as usize] as usize, place),
        }
        self.please(&mut config, value, phase, then);
        let met = self.goal == Goal::Head || self.pleases_goal(value);
        if met && phase == Phase::Open {
            config.state = value;
            self.emit(config);
        } else {
            self.start_walk(config, value, phase, met);
        }
        self.path.truncate(path_length);
    }

    fn may_place_unknown(&mut self) -> bool {
        let may = self.unknown_placed < self.unknown_max;
        self.was_limited |= !may;
        may
    }

    fn use_one(&mut self, config: &mut Config<W>, class: usize, place: Place) {
        if self.traced.is_some() {
            let next = self.used.count(config.used, class);
            self.note(place, self.plan.classes[class].members[next].1);
        }
        config.used = self.used.and_one(config.used, class);
    }

    /// R1: places every read that fits this value.
    fn please(&mut self, config: &mut Config<W>, value: ValueId, phase: Phase, place: Place) -> bool {
        let mut pleased = self.open.pleased_by(value).without(config.done);
        if phase == Phase::Before && holds(Condition::ReadBeforeBegan) {
            pleased = pleased.without(config.fresh);
        }
        if pleased.is_empty() {
            return false;
        }
        config.done |= pleased;
        config.fresh = config.fresh.without(pleased);
        if self.traced.is_some() {
            for slot in pleased.slots() {
                self.note(place, self.open.op[slot] as usize);
            }
        }
        true
    }

    fn note(&mut self, place: Place, op: usize) {
        if self.traced.is_some() {
            self.path.push((place, op));
        }
    }

    /// Looks at the budget, with what is not charged yet taken in.
    fn check(&mut self) {
        let bytes = (self.found.capacity() * size_of::<Config<W>>()) as u64 + self.used.bytes();
        self.meter.take(bytes);
        self.spent = self.spent.or(self.meter.check().err());
        self.meter.give_back(bytes);
        if self.steps > self.steps_max {
            self.spent = self.spent.or(Some(Exhausted::Steps(self.steps_max)));
        }
    }

    /// A way that was found.
    fn emit(&mut self, mut config: Config<W>) {
        self.bury(&mut config);
        config.forget(self.slot);
        self.found.push(config);
        if let Some(traced) = &mut self.traced {
            traced.push(self.path.clone());
        }
    }
}

/// Puts each of these values once behind those that are there; where the first of them is.
fn note_each(noted: &mut Vec<ValueId>, values: impl Iterator<Item = ValueId>) -> usize {
    let first = noted.len();
    for value in values {
        if !noted[first..].contains(&value) {
            noted.push(value);
        }
    }
    first
}
