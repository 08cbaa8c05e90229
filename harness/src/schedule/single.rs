//! What a single fault is up to: when it may come, how often it came, why it could not.

use std::time::Duration;

use super::draws::Draws;
use super::happened::{Mark, Trail};
use super::{Fault, Lasts, Start, Trigger};

/// Between two tries of a fault that can't be done now.
const RETRY: Duration = Duration::from_millis(250);

/// How far a single fault is.
#[derive(Debug)]
pub(super) struct Single {
    fault: Fault,
    seed: u64,
    /// The key of its start: of draws, and of frames that are watched for.
    key: String,
    /// Tries so far: numbers the draws.
    planned: u64,
    /// How often it came.
    times: u32,
    /// For `at` and `every`.
    next_at: Option<Duration>,
    /// Not before.
    retry_at: Duration,
    running: bool,
    /// Why it could not come, as was told last.
    told: Option<String>,
}

impl Single {
    pub(super) fn new(fault: &Fault, seed: u64, now: Duration) -> Single {
        let key = format!("{}/start", fault.id);
        let next_at = match &fault.start {
            Start::At(span) | Start::Every(span) => Some(now + Draws::of(seed, &key, 0).span(*span)),
            Start::When(_) => None,
        };
        let fault = fault.clone();
        Single { fault, seed, key, planned: 0, times: 0, next_at, retry_at: now, running: false, told: None }
    }

    pub(super) fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Whether it may come again.
    fn is_waiting(&self) -> bool {
        !self.running && self.fault.times_max.is_none_or(|max| self.times < max)
    }

    /// What its coming waits for, and under which key.
    pub(super) fn waits_for(&self) -> Option<(&str, &Trigger)> {
        match &self.fault.start {
            Start::When(trigger) if self.is_waiting() => Some((&self.key, trigger)),
            Start::When(_) | Start::At(_) | Start::Every(_) => None,
        }
    }

    /// When it may come next, as far as can be known now.
    pub(super) fn wake_at(&self, trail: &Trail, began: Mark) -> Option<Duration> {
        if !self.is_waiting() {
            return None;
        }
        let due = match &self.fault.start {
            Start::At(_) | Start::Every(_) => self.next_at?,
            Start::When(trigger) => {
                let own = trail.came(&self.fault.id);
                if own.is_some_and(|own| self.is_answered(trail, trigger, own)) {
                    return None;
                }
                trail.fires(trigger, &self.key, own.map_or(began, |came| came.max(began)))?
            }
        };
        Some(due.max(self.retry_at))
    }

    /// Whether, having come at `own`, it waits for another fault to come again: the n-th time after
    /// that one came is one moment.
    fn is_answered(&self, trail: &Trail, trigger: &Trigger, own: Mark) -> bool {
        let other = trigger.after.as_ref().filter(|id| **id != self.fault.id);
        other.is_some_and(|id| trail.came(id).is_none_or(|came| came < own))
    }

    /// If it is due: how long it is to last, in a phase that ends then, and what is left to draw.
    pub(super) fn plan(
        &mut self,
        trail: &Trail,
        began: Mark,
        now: Duration,
        end: Duration,
    ) -> Option<(Duration, Draws)> {
        if now >= end || self.wake_at(trail, began)? > now {
            return None;
        }
        let mut draws = Draws::of(self.seed, &self.fault.id, self.planned);
        self.planned += 1;
        let length = match &self.fault.body.lasts {
            Lasts::For(span) => draws.span(*span),
            Lasts::Until(_) | Lasts::Phase => end - now,
        };
        Some((length, draws))
    }

    pub(super) fn began(&mut self) {
        self.running = true;
        self.times += 1;
        self.told = None;
    }

    /// It can't be done now; gives whether the reason is news.
    pub(super) fn skipped(&mut self, reason: &str, now: Duration) -> bool {
        self.retry_at = now + RETRY;
        let is_news = self.told.as_deref() != Some(reason);
        self.told = Some(reason.to_owned());
        is_news
    }

    pub(super) fn ended(&mut self, now: Duration) {
        self.running = false;
        self.next_at = match &self.fault.start {
            Start::Every(span) => Some(now + Draws::of(self.seed, &self.key, self.planned).span(*span)),
            Start::At(_) | Start::When(_) => None,
        };
    }
}
