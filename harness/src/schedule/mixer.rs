//! What a mix draws next. Driven by coverage: what is owed and has not bitten comes before anything
//! random, in an order drawn from the seed; lengths and gaps shrink together until everything owed
//! fits in the time that is left, but never below a floor that still lets a fault bite and an
//! election pass.
//!
//! What is random is steered by where the run has been: of the choices those come first that would strike
//! where no fault struck yet (see [`territory`](super::territory)), and while the cluster is in some state
//! that seldom lasts, one of them may cut a gap short. Nothing is drawn anew for it: who is steered to is
//! what its own draws make of it.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use super::draws::Draws;
use super::{Lasts, Mix, Span};

/// The shortest that a fault is made to fit: well above an election timeout, or a dead leader would
/// not be missed.
pub const LENGTH_MIN: Duration = Duration::from_millis(800);
/// The shortest that a gap is made to fit: an election and a few operations must pass.
pub const GAP_MIN: Duration = Duration::from_millis(500);

/// The shortest that a gap is cut short to: a look at the cluster that saw what was undone.
const EARLY_MIN: Duration = Duration::from_millis(5);

/// The draws that order what is owed and choose the swarm; planned faults never get there.
const ORDER: u64 = u64::MAX;
/// The draws that say how long the gap after each fault is come from streams of their own.
const GAPS: u64 = 1 << 63;

/// How far a mix is.
#[derive(Debug)]
pub(super) struct Mixer {
    mix: Mix,
    seed: u64,
    began: Duration,
    ends: Duration,
    owed: VecDeque<usize>,
    /// The choices of this run.
    swarm: BTreeSet<usize>,
    active: Vec<usize>,
    drawn: u64,
    next_at: Duration,
    /// From when on a gap may be cut short; never twice in a row, so that the cluster has its rest.
    early_from: Option<Duration>,
    /// Whether the last one did so.
    was_early: bool,
}

/// A choice that came up.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    pub(super) choice: usize,
    pub(super) length: Duration,
    /// For what is left to draw.
    pub(super) draws: Draws,
}

impl Mixer {
    pub(super) fn new(mix: &Mix, seed: u64, began: Duration, ends: Duration) -> Mixer {
        let mut draws = Draws::of(seed, &mix.id, ORDER);
        let mut owed: Vec<usize> =
            (0..mix.choices.len()).filter(|&place| mix.choices[place].required).collect();
        owed.shuffle(&mut draws.0);
        let all = 0..mix.choices.len();
        let mut swarm: BTreeSet<usize> = all.clone().filter(|_| !mix.swarm || draws.0.random()).collect();
        if swarm.is_empty() {
            swarm.insert(draws.below(mix.choices.len()));
        }
        Mixer {
            mix: mix.clone(),
            seed,
            began,
            ends,
            owed: owed.into(),
            swarm,
            active: Vec::new(),
            drawn: 0,
            next_at: began,
            early_from: None,
            was_early: false,
        }
    }

    /// Whether nothing more comes from it, its phase's time being over.
    pub(super) fn is_done(&self, now: Duration) -> bool {
        now >= self.ends
            && (self.owed.is_empty() || now >= self.ends + self.mix.extend || self.left(now) < LENGTH_MIN)
            && (self.active.is_empty() || now >= self.ends + self.mix.extend)
    }

    /// When it may draw next.
    pub(super) fn wake_at(&self) -> Option<Duration> {
        (self.active.len() < self.mix.overlap as usize).then_some(self.next_at)
    }

    /// What comes now, if anything does. What it gives must be told to have [begun](Mixer::began) or
    /// been [skipped](Mixer::skipped). `fleeting`: the cluster is in a state that seldom lasts. `is_new`:
    /// whether what was drawn would strike where nothing struck yet.
    pub(super) fn draw(
        &mut self,
        now: Duration,
        fleeting: bool,
        is_new: impl Fn(&Drawn) -> bool,
    ) -> Option<Drawn> {
        let is_due = now >= self.next_at;
        let may_be_early = fleeting && self.active.is_empty() && self.early_from.is_some_and(|at| now >= at);
        if !(is_due || may_be_early) || self.active.len() >= self.mix.overlap as usize {
            return None;
        }
        let left = self.left(now);
        if left < LENGTH_MIN && !is_due {
            return None;
        }
        if left < LENGTH_MIN {
            // The time is over, or a calm comes: after it there may be more.
            self.next_at = self.calm_over(now).unwrap_or(self.ends + self.mix.extend).max(now + GAP_MIN);
            return None;
        }
        let choice = self.choose(is_due, |choice| is_new(&self.planned(choice, now, left)))?;
        let drawn = self.planned(choice, now, left);
        self.drawn += 1;
        self.was_early = !is_due;
        Some(drawn)
    }

    /// The choice that comes: what is owed before what is random, and of both what is new first. Early
    /// comes only what is new.
    fn choose(&self, is_due: bool, is_new: impl Fn(usize) -> bool) -> Option<usize> {
        let is_free = |choice: &usize| !self.active.contains(choice);
        let owed: Vec<usize> = self.owed.iter().copied().filter(is_free).collect();
        let random: Vec<usize> = self.swarm.iter().copied().filter(is_free).collect();
        let new = |choices: &[usize]| -> Vec<usize> {
            choices.iter().copied().filter(|&choice| is_new(choice)).collect()
        };
        let owed_and_new = new(&owed).first().copied();
        if owed_and_new.is_some() || is_due && !owed.is_empty() {
            return owed_and_new.or(owed.first().copied());
        }
        let random_and_new = new(&random);
        if random_and_new.is_empty() && !is_due {
            return None;
        }
        let places = if random_and_new.is_empty() { random } else { random_and_new };
        self.ticket(&mut Draws::of(self.seed, &self.mix.id, self.drawn), places)
    }

    /// What a choice would be if it came now.
    fn planned(&self, choice: usize, now: Duration, left: Duration) -> Drawn {
        let mut draws = Draws::of(self.seed, &self.mix.choices[choice].id, self.drawn);
        let span = match &self.mix.choices[choice].body.lasts {
            Lasts::For(span) => *span,
            Lasts::Until(_) | Lasts::Phase => Span::exactly(left),
        };
        let length = draws.span(span);
        let length = squeezed(length, self.squeeze(now), LENGTH_MIN).min(left);
        Drawn { choice, length, draws }
    }

    pub(super) fn began(&mut self, choice: usize) {
        self.active.push(choice);
        // With overlap the next may come a gap later; the end of one sets it anew.
        self.next_at += self.gap(self.next_at);
    }

    pub(super) fn skipped(&mut self, choice: usize, now: Duration) {
        if let Some(place) = self.owed.iter().position(|&owed| owed == choice) {
            self.owed.remove(place);
            self.owed.push_back(choice);
        }
        self.next_at = now + GAP_MIN;
        self.early_from = None;
    }

    pub(super) fn ended(&mut self, choice: usize, now: Duration) {
        if let Some(place) = self.active.iter().position(|&active| active == choice) {
            self.active.swap_remove(place);
        }
        self.next_at = now + self.gap(now);
        self.early_from = (!self.was_early).then_some(now + EARLY_MIN);
    }

    /// What bit is paid; what did not is owed again, behind the others.
    pub(super) fn settle(&mut self, id: &str, bit: bool) {
        if let Some(place) = self.owed.iter().position(|&owed| self.mix.choices[owed].id == id)
            && let Some(choice) = self.owed.remove(place)
            && !bit
        {
            self.owed.push_back(choice);
        }
    }

    fn gap(&self, now: Duration) -> Duration {
        let gap = Draws::of(self.seed, &self.mix.id, GAPS | self.drawn).span(self.mix.gap);
        squeezed(gap, self.squeeze(now), GAP_MIN)
    }

    /// The time in which a fault that comes now must be over: before its mix ends, and before the
    /// next calm.
    fn left(&self, now: Duration) -> Duration {
        let extend = if self.owed.is_empty() { Duration::ZERO } else { self.mix.extend };
        let mut left = (self.ends + extend).saturating_sub(now);
        if let Some((lasts, every)) = self.mix.calm
            && !every.is_zero()
        {
            left = left.min(every.saturating_sub(lasts).saturating_sub(self.since_calm(now, every)));
        }
        left
    }

    fn calm_over(&self, now: Duration) -> Option<Duration> {
        let (_, every) = self.mix.calm.filter(|(_, every)| !every.is_zero())?;
        Some(now + every - self.since_calm(now, every)).filter(|over| *over < self.ends)
    }

    fn since_calm(&self, now: Duration, every: Duration) -> Duration {
        let since = now.saturating_sub(self.began).as_nanos();
        Duration::from_nanos(u64::try_from(since % every.as_nanos()).unwrap_or(0))
    }

    /// By how much everything is shortened for all that is owed to fit.
    fn squeeze(&self, now: Duration) -> f64 {
        if self.owed.is_empty() {
            return 1.0;
        }
        let longest = |choice: &usize| match &self.mix.choices[*choice].body.lasts {
            Lasts::For(span) => span.max,
            Lasts::Until(_) | Lasts::Phase => LENGTH_MIN,
        };
        let needed: Duration = self.owed.iter().map(|choice| longest(choice) + self.mix.gap.max).sum();
        // At its shortest it is worth an extension.
        let shortest = (LENGTH_MIN + GAP_MIN) * u32::try_from(self.owed.len()).unwrap_or(u32::MAX);
        let remaining = self.ends.saturating_sub(now);
        let remaining = remaining.max(shortest.min(remaining + self.mix.extend));
        (remaining.as_secs_f64() / needed.as_secs_f64().max(f64::MIN_POSITIVE)).min(1.0)
    }

    /// One of these by their weights.
    fn ticket(&self, draws: &mut Draws, places: Vec<usize>) -> Option<usize> {
        let total: u32 = places.iter().map(|&place| self.mix.choices[place].weight).sum();
        if total == 0 {
            return None;
        }
        let mut ticket = draws.0.random_range(0..total);
        places.into_iter().find(|&place| match ticket.checked_sub(self.mix.choices[place].weight) {
            Some(rest) => {
                ticket = rest;
                false
            }
            None => true,
        })
    }
}

/// Shortened by this factor, but not below the floor unless it was so short to begin with.
fn squeezed(time: Duration, factor: f64, floor: Duration) -> Duration {
    if factor >= 1.0 { time } else { time.mul_f64(factor).max(floor.min(time)) }
}
