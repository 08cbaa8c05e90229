//! One register whose values are written once, event by event.
//!
//! The zones of [`linearizability`](crate::linearizability) told as they grow. An operation that ends
//! now has the latest end of all, so:
//!
//! * The first end of a block is the event at which it appears, and the first end behind a value in its
//!   chain is the event at which the next value appears. Both are fixed from then on.
//! * Only last starts grow. So a violation is complete when an operation that began at σ joins a block
//!   with first end f and there is one with f' < σ and f < s', or when its value had been
//!   replaced before σ.
//!
//! **What is forgotten.** Let L be the earliest start of an open read or compare-and-set; whatever
//! ends from now on and is no blind write began at L or later. A block X is dead when there is a Y with
//! f(X) < s(Y) and f(Y) < L: whatever joined X would be a violation, which it is also if X is unknown.
//! Can a dead X be what bars a later operation of some Z, and be missed? It would have
//! f(Z) < s(X). If X is forward, then f(X) < s(X) ≤ f(Y) < L (Y is not before X), and so Z is dead
//! because of X. If X is backward, then f(Z) < s(X) ≤ f(X) < s(Y), and so Z is dead because of Y. And a
//! block that appears later has an f above s(X). So no living block needs a dead one, and all dead ones
//! go at once. In the same way a value in a chain is dead when what is behind it ended before L.
//!
//! An operation that has been open for [`OPEN_MAX`] events is taken for given up, as if its client had told so:
//! a client that hangs for ever must not make all be remembered that was there since. If it ends after all,
//! and what was there when it began is forgotten, nobody can tell any more.
//!
//! Operations of unknown outcome pin nothing: of a write that may happen only its value and start are
//! kept until somebody needs it. A value whose block is dead may be written again, since nothing
//! that ends from then on can be about the old one.

use super::horizon::{Bars, Bounds, Pins};
use super::{Broken, Found};
use crate::explain::witness::Anomaly;
use crate::history::op::Value;
use crate::linearizability::hash::Table;

const NEVER: u64 = u64::MAX;

/// Fewer values than this are not worth looking through; 0 is for tests, and looks always.
pub(super) const SWEPT_MIN: usize = 64;

/// After so many events an operation that is still open pins nothing: a few seconds at full speed, and a few
/// tens of megabytes of values.
pub(super) const OPEN_MAX: u64 = 1 << 18;

#[derive(Debug)]
struct Cluster {
    /// When its writer began; 0 for the initial value.
    start: u64,
    /// What the writer found, if it is a compare-and-set.
    from: Option<Value>,
    /// The first end behind it in its chain.
    replaced: u64,
    /// Its block, if somebody showed that it was there.
    block: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    bounds: Bounds,
    /// How many values of it are known.
    values: u32,
}

#[derive(Debug)]
pub(super) struct Register {
    clusters: Table<Value, Cluster>,
    blocks: Vec<Block>,
    free: Vec<u32>,
    bars: Bars,
    pins: Pins,
    /// How many values there may be before the dead are looked for.
    sweep_at: usize,
    swept_min: usize,
    /// Whatever was forgotten is dead to operations that began here or later.
    horizon: u64,
}

impl Register {
    /// A register whose dead values are first looked for when it has `swept_min` values.
    pub(super) fn new(initial: Value, swept_min: usize) -> Self {
        let mut register = Self {
            clusters: Table::default(),
            blocks: vec![Block { bounds: Bounds { first_end: 0, last_start: 0 }, values: 1 }],
            free: Vec::new(),
            bars: Bars::default(),
            pins: Pins::default(),
            sweep_at: swept_min,
            swept_min,
            horizon: 0,
        };
        let there = Cluster { start: 0, from: None, replaced: NEVER, block: Some(0) };
        register.clusters.insert(initial, there);
        register
    }

    /// A read, or a compare-and-set, begins.
    pub(super) fn pin(&mut self, start: u64) {
        self.pins.open(start);
    }

    /// It is over, or nothing will be heard of it.
    pub(super) fn unpin(&mut self, start: u64) {
        self.pins.close(start);
    }

    /// A write, or a compare-and-set that expects a value, begins.
    pub(super) fn begin_write(
        &mut self,
        value: &Value,
        from: Option<&Value>,
        start: u64,
    ) -> Result<(), Broken> {
        if self.clusters.len() >= self.sweep_at {
            self.sweep(start);
        }
        let cluster = Cluster { start, from: from.cloned(), replaced: NEVER, block: None };
        match self.clusters.get(value) {
            None => drop(self.clusters.insert(value.clone(), cluster)),
            // Before it gives up it makes sure that the old one is not dead.
            Some(_) => {
                self.sweep(start);
                if let Some(other) = self.clusters.get(value) {
                    return Err(Broken::undecided(match other.start {
                        0 => format!("the initial value {value} is written while it may still be there"),
                        other => format!(
                            "{value} is written twice, from positions {} and {}, while either may be there",
                            other - 1,
                            start - 1
                        ),
                    }));
                }
                self.clusters.insert(value.clone(), cluster);
            }
        }
        Ok(())
    }

    /// A write or compare-and-set that began then did happen. If that is learnt late, it need not have
    /// been since what was forgotten.
    pub(super) fn end_write(
        &mut self,
        value: &Value,
        start: u64,
        now: u64,
        late: bool,
    ) -> Result<(), Broken> {
        match self.clusters.get(value) {
            Some(cluster) if cluster.start == start && cluster.block.is_none() => {
                if late && !self.leads_to_known(value) {
                    return Err(Broken::undecided(format!(
                        "the compare-and-set to {value} from position {} did happen, but so long ago that what it found is forgotten",
                        start - 1
                    )));
                }
                self.show(value, start, now)
            }
            // It was seen before it ended, and that says all; or so long ago that it is forgotten.
            _ => Ok(()),
        }
    }

    /// It did not happen.
    pub(super) fn fail_write(&mut self, value: &Value, start: u64) -> Result<(), Broken> {
        match self.clusters.get(value) {
            Some(cluster) if cluster.start == start && cluster.block.is_none() => {
                self.clusters.remove(value);
                Ok(())
            }
            _ => Err(Found {
                anomaly: Anomaly::FailedWriteSeen,
                summary: format!(
                    "the write of {value} from position {} failed, which means that it did not happen, but {value} has been seen",
                    start - 1
                ),
                events: vec![start],
            }
            .into()),
        }
    }

    /// A read, or a compare-and-set that changes nothing, that began then saw this value.
    pub(super) fn end_read(&mut self, value: &Value, start: u64, now: u64) -> Result<(), Broken> {
        let Some(cluster) = self.clusters.get(value) else {
            return Err(self.unknown_value(value, start));
        };
        let Some(block) = cluster.block else {
            return self.show(value, start, now);
        };
        if cluster.replaced < start {
            return Err(stale(value, start, cluster.replaced));
        }
        self.extend(block, value, start)
    }

    /// Whether this may say less than it should: it began before what is forgotten was dead.
    pub(super) fn has_forgotten(&self, start: u64) -> bool {
        start < self.horizon
    }

    /// How much it holds: values, blocks, open operations.
    pub(super) fn len(&self) -> usize {
        self.clusters.len() + self.blocks.len() - self.free.len() + self.bars.len() + self.pins.len()
    }

    /// Whether each compare-and-set of unknown outcome that leads here can only have found what is known:
    /// an older value of the same name was dead already when it began.
    fn leads_to_known(&self, value: &Value) -> bool {
        let mut at = self.clusters.get(value);
        while let Some(cluster) = at
            && cluster.block.is_none()
            && let Some(from) = &cluster.from
        {
            let before = self.clusters.get(from);
            if self.has_forgotten(cluster.start) && before.is_none_or(|before| before.start > cluster.start) {
                return false;
            }
            // On a cycle: that is for others to say.
            if from == value {
                return true;
            }
            at = before;
        }
        true
    }

    /// Somebody who began then shows now, for the first time, that a value was there; so was everything
    /// that the compare-and-sets that led to it found.
    fn show(&mut self, value: &Value, start: u64, now: u64) -> Result<(), Broken> {
        let block = match self.free.pop() {
            Some(block) => block,
            None => {
                self.blocks.push(Block { bounds: Bounds { first_end: now, last_start: 0 }, values: 0 });
                self.blocks.len() as u32 - 1
            }
        };
        self.blocks[block as usize] = Block { bounds: Bounds { first_end: now, last_start: 0 }, values: 0 };
        let (mut last_start, mut values) = (start, 0);
        let mut replaced = NEVER;
        let mut joined = None;
        let mut at = value.clone();
        loop {
            let Some(cluster) = self.clusters.get_mut(&at) else {
                return Err(self.unknown_value(&at, start));
            };
            match cluster.block {
                None => {}
                Some(other) if other == block => return Err(cycle(&at)),
                Some(_) if cluster.replaced != NEVER => return Err(replaced_twice(&at, cluster.replaced)),
                Some(other) => {
                    cluster.replaced = now;
                    joined = Some(other);
                    break;
                }
            }
            cluster.block = Some(block);
            cluster.replaced = replaced;
            last_start = last_start.max(cluster.start);
            values += 1;
            replaced = now;
            match &cluster.from {
                Some(from) => at = from.clone(),
                None => break,
            }
        }
        let Some(joined) = joined else {
            let bounds = Bounds { first_end: now, last_start };
            self.blocks[block as usize] = Block { bounds, values };
            self.bars.note(bounds);
            return Ok(());
        };
        self.free.push(block);
        self.blocks[joined as usize].values += values;
        let mut at = value.clone();
        while let Some(cluster) = self.clusters.get_mut(&at).filter(|cluster| cluster.block == Some(block)) {
            cluster.block = Some(joined);
            match &cluster.from {
                Some(from) => at = from.clone(),
                None => break,
            }
        }
        self.extend(joined, value, last_start)
    }

    /// An operation that began then belongs to a block.
    fn extend(&mut self, block: u32, value: &Value, start: u64) -> Result<(), Broken> {
        let bounds = &mut self.blocks[block as usize].bounds;
        if start <= bounds.last_start {
            return Ok(());
        }
        bounds.last_start = start;
        let bounds = *bounds;
        if let Some(bar) = self.bars.barring(bounds.first_end, start) {
            return Err(barred(value, bounds, bar));
        }
        self.bars.note(bounds);
        Ok(())
    }

    /// Forgets what is dead.
    fn sweep(&mut self, now: u64) {
        self.pins.give_up_before(now.saturating_sub(OPEN_MAX));
        let horizon = self.pins.first_or(now);
        self.horizon = self.horizon.max(horizon);
        let Self { bars, blocks, free, clusters, .. } = self;
        clusters.retain(|_, cluster| {
            let Some(number) = cluster.block else { return true };
            let block = &mut blocks[number as usize];
            let dead = cluster.replaced < horizon || bars.barring(block.bounds.first_end, horizon).is_some();
            if dead {
                block.values -= 1;
                if block.values == 0 {
                    free.push(number);
                }
            }
            !dead
        });
        self.bars.forget_before(horizon);
        self.sweep_at = (self.clusters.len() * 2).max(self.swept_min);
        if self.swept_min == 0 {
            self.sweep_at = 0;
        }
    }

    fn unknown_value(&self, value: &Value, start: u64) -> Broken {
        let summary = match self.horizon {
            0 => format!("{value} was found, but nobody has written it"),
            _ => format!(
                "{value} was found by an operation that began at position {}, but nobody has written it, or it was replaced long before that",
                start - 1
            ),
        };
        let anomaly = if self.horizon == 0 { Anomaly::NeverWritten } else { Anomaly::StaleRead };
        Found { anomaly, summary, events: vec![start] }.into()
    }
}

fn stale(value: &Value, start: u64, replaced: u64) -> Broken {
    Found {
        anomaly: Anomaly::StaleRead,
        summary: format!(
            "{value} was found by an operation that began at position {}, but what replaced it was there by position {}",
            start - 1,
            replaced - 1
        ),
        events: vec![replaced, start],
    }
    .into()
}

fn barred(value: &Value, block: Bounds, bar: Bounds) -> Broken {
    let summary = format!(
        "{value} was found, or replaced, by an operation that began at position {}, but it had been there by position {}, and another value, there from before position {} on, was written or found by an operation that began after that, at position {}: neither of the two can have been there first",
        block.last_start - 1,
        block.first_end.max(1) - 1,
        bar.first_end - 1,
        bar.last_start - 1
    );
    let events = vec![block.first_end, bar.first_end, bar.last_start, block.last_start];
    Found { anomaly: Anomaly::StaleRead, summary, events }.into()
}

fn replaced_twice(value: &Value, replaced: u64) -> Broken {
    Found {
        anomaly: Anomaly::LostUpdate,
        summary: format!(
            "two compare-and-sets found {value}, which was written once; the first was known to have replaced it by position {}",
            replaced - 1
        ),
        events: vec![replaced],
    }
    .into()
}

fn cycle(value: &Value) -> Broken {
    Found {
        anomaly: Anomaly::NoOrder,
        summary: format!("compare-and-sets lead from {value} back to {value}, and nobody else wrote it"),
        events: Vec::new(),
    }
    .into()
}
