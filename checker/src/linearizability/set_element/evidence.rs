//! Which operations show that a level can't have been what somebody found.
//!
//! Most of what was over long before has been undone, one operation by another, and says nothing any more.
//! Let the operations that were over at some moment be so many up and so many down. Any order leaves the
//! level, by then, at the difference between the two, but for what was open at that moment and happened
//! before it. So of what was over as many operations do as the difference has, the last ones of their kind;
//! and what was open or came later is kept. If that much has no order, nothing had one from the start. The
//! latest such moment is taken, and of what is left as much goes as can:
//!
//! * a look goes: nothing comes from it;
//! * an operation goes that may as well not have happened: if there is no order even then.

use super::{Move, StepOp, Thing, first_stuck};
use crate::linearizability::partition::NEVER;
use crate::model::Violation;

/// The largest difference that is shown by operations.
const LEFT_MAX: usize = 8;

/// Moments that are tried one by one, between one that is early enough and one that is too late.
const MOMENTS_TRIED_MAX: usize = 32;

/// An operation of the evidence.
#[derive(Clone, Copy, Debug)]
struct Kept {
    place: u32,
    /// Stands for what was over before.
    left: bool,
    /// Taken for one that may have happened.
    loose: bool,
}

/// The evidence that this operation, the first that is stuck, can't be placed.
pub(super) fn violation(ops: &[StepOp], limit: u32, failing: u32, thing: Thing) -> Violation {
    let evidence = Evidence::new(ops, limit, failing);
    let mut kept = evidence.since_latest();
    let op = |kept: &Kept| &ops[kept.place as usize];
    evidence.leave_out(&mut kept, |kept| matches!(op(kept).what, Move::See(_)));
    evidence.loosen(&mut kept);
    evidence.leave_out(&mut kept, |kept| kept.loose || op(kept).end >= evidence.until);
    let told = kept.iter().map(|kept| {
        let role = match op(kept).what {
            Move::Up | Move::Down if kept.left => "was over before, and nothing that was over undid it",
            _ if op(kept).end < evidence.until => "was over by then",
            _ => "may have been by then",
        };
        (kept.place as usize, role)
    });
    let some_undone = evidence.over.iter().any(|over| !kept.iter().any(|kept| kept.place == *over));
    let is_high = matches!(ops[failing as usize].what, Move::Up | Move::See(0));
    Violation { rule: rule(thing, is_high, some_undone), ops: told.collect(), failing: failing as usize }
}

/// What is wrong, and whether something that was over is not shown.
fn rule(thing: Thing, is_high: bool, some_undone: bool) -> &'static str {
    match (thing, is_high, some_undone) {
        (Thing::Element, true, false) => "it was in the set, and nothing can have taken it out by then",
        (Thing::Element, true, true) => {
            "it was in the set (what is not shown undid itself), and nothing can have taken it out by then"
        }
        (Thing::Element, false, false) => "it was not in the set, and nothing can have put it in by then",
        (Thing::Element, false, true) => {
            "it was not in the set (what is not shown undid itself), and nothing can have put it in by then"
        }
        (Thing::Permits, true, false) => "all was taken, and nothing can have been given back by then",
        (Thing::Permits, true, true) => {
            "all was taken (what is not shown undid itself), and nothing can have been given back by then"
        }
        (Thing::Permits, false, false) => "all was free, and nothing can have been taken by then",
        (Thing::Permits, false, true) => {
            "all was free (what is not shown undid itself), and nothing can have been taken by then"
        }
    }
}

struct Evidence<'a> {
    ops: &'a [StepOp],
    limit: u32,
    failing: u32,
    /// The end of the failing operation: what ends later is as if it never ended.
    until: u32,
    /// What had begun by then.
    mine: Vec<u32>,
    /// Moves whose ends are the moments to start from, by their ends.
    over: Vec<u32>,
}

impl<'a> Evidence<'a> {
    fn new(ops: &'a [StepOp], limit: u32, failing: u32) -> Self {
        let op = |place: &u32| &ops[*place as usize];
        let failed = op(&failing);
        let is_mine = |place: &u32| op(place).object == failed.object && op(place).start < failed.end;
        let mine: Vec<u32> = (0..ops.len() as u32).filter(is_mine).collect();
        // A look that fails has to be after the moment as a whole.
        let bound = if matches!(failed.what, Move::See(_)) { failed.start } else { failed.end };
        let is_over = |place: &u32| op(place).end < bound && matches!(op(place).what, Move::Up | Move::Down);
        let mut over: Vec<u32> = mine.iter().copied().filter(is_over).collect();
        over.sort_unstable_by_key(|place| op(place).end);
        Self { ops, limit, failing, until: failed.end, mine, over }
    }

    fn op(&self, place: u32) -> &StepOp {
        &self.ops[place as usize]
    }

    /// These alone, as they were when the failing operation ended.
    fn alone(&self, kept: &[Kept]) -> Vec<StepOp> {
        let alone = kept.iter().map(|kept| {
            let op = *self.op(kept.place);
            StepOp { object: 0, end: if kept.loose || op.end > self.until { NEVER } else { op.end }, ..op }
        });
        alone.collect()
    }

    /// Whether the failing operation is the first that is stuck when only these are looked at.
    fn fails(&self, kept: &[Kept]) -> bool {
        let stuck = first_stuck(&self.alone(kept), 1, self.limit);
        stuck.is_some_and(|stuck| kept[stuck as usize].place == self.failing)
    }

    /// What matters since the latest moment from which the failing operation fails.
    fn since_latest(&self) -> Vec<Kept> {
        let attempt = |over: usize| self.since(over).filter(|kept| self.fails(kept));
        let (mut back, mut too_late) = (0, self.over.len() + 1);
        let (mut found, mut at) = loop {
            let at = self.over.len().saturating_sub(back);
            match attempt(at) {
                Some(kept) => break (kept, at),
                // From the start it fails, as it did for who asked.
                None if at == 0 => break (self.since(0).unwrap_or_default(), 0),
                None => (too_late, back) = (at, (2 * back).max(1)),
            }
        };
        while too_late - at > MOMENTS_TRIED_MAX {
            let middle = at + (too_late - at) / 2;
            match attempt(middle) {
                Some(kept) => (found, at) = (kept, middle),
                None => too_late = middle,
            }
        }
        (at + 1..too_late).rev().find_map(attempt).unwrap_or(found)
    }

    /// What matters when so many moves were over; none if too many of them do.
    fn since(&self, over: usize) -> Option<Vec<Kept>> {
        let over = &self.over[..over];
        let moment = over.last().map_or(0, |last| self.op(*last).end);
        let ups = over.iter().filter(|place| self.op(**place).what == Move::Up).count();
        let downs = over.len() - ups;
        let (kind, other, most) = match ups > downs {
            true => (Move::Up, Move::Down, self.limit as usize),
            false => (Move::Down, Move::Up, 0),
        };
        let open = self.mine.iter().copied().filter(|place| {
            let op = self.op(*place);
            op.what == other && op.start < moment && op.end > moment
        });
        let open: Vec<u32> = open.collect();
        // What nobody had seen end by then, and must have happened, undoes as much. One is as good as another
        // unless some of them have to be over later, but in time to matter.
        let must = ups.abs_diff(downs).saturating_sub(most);
        let undoing: &[u32] = match open.iter().all(|place| self.op(*place).end > self.until) {
            true => &open[..must.min(open.len())],
            false => &[],
        };
        let left = ups.abs_diff(downs) - undoing.len();
        if left > LEFT_MAX {
            return None;
        }
        let of_kind = over.iter().rev().filter(|place| self.op(**place).what == kind);
        let stands = of_kind.take(left).map(|place| Kept { place: *place, left: true, loose: false });
        let mut kept: Vec<Kept> = stands.collect();
        let matters = |place: &u32| match self.op(*place).what {
            Move::Up | Move::Down => self.op(*place).end > moment && !undoing.contains(place),
            Move::See(_) | Move::Other => self.op(*place).start > moment,
        };
        let later = self.mine.iter().copied().filter(matters);
        kept.extend(later.map(|place| Kept { place, left: false, loose: false }));
        Some(kept)
    }

    /// Leaves out as many of those that may go as it can, in ever smaller batches.
    fn leave_out(&self, kept: &mut Vec<Kept>, may_go: impl Fn(&Kept) -> bool) {
        let mut batch = kept.len();
        while batch > 0 {
            let mut end = kept.len();
            while end > 0 {
                let from = end.saturating_sub(batch);
                let stays = |(place, one): &(usize, &Kept)| {
                    !(from..end).contains(place) || one.place == self.failing || !may_go(one)
                };
                let rest: Vec<Kept> = kept.iter().enumerate().filter(stays).map(|(_, one)| *one).collect();
                if rest.len() < kept.len() && self.fails(&rest) {
                    *kept = rest;
                }
                end = from;
            }
            batch = if batch == 1 { 0 } else { batch.div_ceil(2) };
        }
    }

    /// Takes as many operations as it can for such that may have happened.
    fn loosen(&self, kept: &mut [Kept]) {
        for place in 0..kept.len() {
            if kept[place].place == self.failing || self.op(kept[place].place).end >= self.until {
                continue;
            }
            kept[place].loose = true;
            kept[place].loose = self.fails(kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Operations at random times on one object.
    fn random_ops(random: &mut ChaCha8Rng, limit: u32) -> Vec<StepOp> {
        let count = random.random_range(2..=10u32);
        let mut positions: Vec<u32> = (1..=2 * count).collect();
        for place in 0..positions.len() {
            // Near where they were, so that not everything is open all the time.
            let other = (place + random.random_range(0..4)).min(positions.len() - 1);
            positions.swap(place, other);
        }
        let op = |pair: &[u32]| {
            let what = match random.random_range(0..if limit == 1 { 6 } else { 4 }) {
                0 | 1 => Move::Up,
                2 | 3 => Move::Down,
                look => Move::See(look - 4),
            };
            let is_lost = !matches!(what, Move::See(_)) && random.random_ratio(1, 6);
            let (start, end) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
            StepOp { object: 0, what, start, end: if is_lost { NEVER } else { end } }
        };
        positions.chunks(2).map(op).collect()
    }

    /// From whatever moment one looks, and at whatever operation.
    #[test]
    fn what_matters_since_a_moment_has_an_order_if_all_has_one() {
        let (mut valid, mut shortened, mut undone) = (0, 0, 0);
        for seed in 0..60_000 {
            let random = &mut ChaCha8Rng::seed_from_u64(seed);
            let limit = random.random_range(1..=3);
            let ops = random_ops(random, limit);
            if first_stuck(&ops, 1, limit).is_some() {
                continue;
            }
            valid += 1;
            for failing in (0..ops.len() as u32).filter(|place| ops[*place as usize].end != NEVER) {
                let evidence = Evidence::new(&ops, limit, failing);
                for over in 0..=evidence.over.len() {
                    let Some(kept) = evidence.since(over) else { continue };
                    let stuck = first_stuck(&evidence.alone(&kept), 1, limit);
                    assert_eq!(stuck, None, "seed {seed}, {failing} after {over}: {kept:?} of {ops:#?}");
                    shortened += u64::from(kept.len() < evidence.mine.len());
                    let left = kept.iter().filter(|kept| kept.left).count() as u32;
                    undone += u64::from(left == limit && limit < over as u32);
                }
            }
        }
        assert!(valid > 2_000 && shortened > 10_000 && undone > 1_000, "{valid} {shortened} {undone}");
    }
}
