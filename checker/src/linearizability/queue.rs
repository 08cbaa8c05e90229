//! FIFO queues whose values are put in once: exact and linear.
//!
//! Henzinger, Sezgin and Vafeiadis (2013): beside what each value's own operations say, a history of a
//! queue goes wrong in two ways only. Some x was put in before some y, and y was taken before x; or a take
//! found nothing though all its time something was certainly inside ([`lives`](super::lives) calls that a
//! stay). The first is one sweep over positions, the second a look for an uncovered gap.
//!
//! A take that did not live to tell may have taken any value that nobody is known to have taken. Of those
//! only the values count that a later one overtook: each needs a take of its own that began before the
//! overtaker's take ended, and earliest deadline first finds them. Whoever found nothing needs a gap by which as
//! many such takes have begun as values were put in for certain that nobody is known to have taken. Both
//! together are enough: of the values that must be gone by some moment let one have an overtaker and be put in only
//! after such a gap; then all that were put in for certain before the gap have the same overtaker, and were
//! counted with it.

mod at_once;
mod settled;

use super::condition::holds;
use super::lives::{self, Gaps, Life, LifeOp, Lives, NOBODY};
use super::monitor_condition::Condition;
use super::partition::NEVER;
use super::priority_queue::place_empties;
use crate::model::{Quick, Violation};

pub(crate) use at_once::AtOnce;
pub(crate) use settled::settled;

/// Judges a queue.
pub(crate) fn judge(ops: &[LifeOp], values: usize) -> Quick {
    judge_lives(&lives::dense(ops), values)
}

/// The same with values as numbers below `values`.
pub(crate) fn judge_lives(ops: &[LifeOp], values: usize) -> Quick {
    if ops.len() >= OPS_MAX || values >= OPS_MAX {
        return Quick::NotApplicable;
    }
    let lives = match lives::lives(ops, values) {
        Ok(lives) if lives.peeks.is_empty() => lives,
        Ok(_) => return Quick::NotApplicable,
        Err(answer) => return answer,
    };
    let queue = Queue { ops, lives: &lives, starts: Starts::new(ops, &lives) };
    queue.decide().unwrap_or_else(Quick::Violation)
}

/// What is at a position: the start of the put of a value, the time from which it is certainly inside, or the
/// end of an operation that found nothing.
enum Begins {
    Put(u32),
    In(u32),
    FoundNothing(u32),
    Nothing,
}

/// At each position what is there. Puts begin where operations start, values are inside where operations on them
/// end, so that it is one thing at most: one more than the value (or than the place of the operation that found
/// nothing) above its kind.
struct Starts(Vec<u32>);

const KIND_BITS: u32 = 2;
const IN: u32 = 0;
const PUT: u32 = 1;
const FOUND_NOTHING: u32 = 2;
/// As many operations as there are numbers for.
const OPS_MAX: usize = 1 << (u32::BITS - KIND_BITS);

impl Starts {
    fn new(ops: &[LifeOp], lives: &Lives) -> Self {
        let mut starts = vec![0; lives.positions as usize + 1];
        for (value, life) in (1..).zip(&lives.lives).filter(|(_, life)| life.put != NOBODY) {
            starts[ops[life.put as usize].start as usize] = value << KIND_BITS | PUT;
            starts[life.in_by as usize] = value << KIND_BITS | IN;
        }
        for &place in &lives.empties {
            starts[ops[place as usize].end as usize] = (place + 1) << KIND_BITS | FOUND_NOTHING;
        }
        Self(starts)
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = Begins> + '_ {
        self.0.iter().map(|&noted| match (noted >> KIND_BITS, noted & ((1 << KIND_BITS) - 1)) {
            (0, _) => Begins::Nothing,
            (value, IN) => Begins::In(value - 1),
            (value, PUT) => Begins::Put(value - 1),
            (place, _) => Begins::FoundNothing(place - 1),
        })
    }
}

struct Queue<'a> {
    ops: &'a [LifeOp],
    lives: &'a Lives,
    starts: Starts,
}

impl Queue<'_> {
    fn decide(&self) -> Result<Quick, Violation> {
        self.first_come_first_served()?;
        let inside =
            if self.lives.takers.is_empty() { Vec::new() } else { self.values(|life| !life.is_taken()) };
        if inside.is_empty() {
            return match self.all_found_gaps() {
                true => Ok(Quick::Valid),
                false => self.find_gaps(|_| true).map(|_| Quick::Valid),
            };
        }
        let deadlines = self.deadlines();
        let mut takers: Vec<(u32, u32)> =
            self.lives.takers.iter().map(|place| (self.ops[*place as usize].start, *place)).collect();
        takers.sort_unstable();
        self.match_takers(&deadlines, &takers)?;
        self.match_empties(&inside, &takers)?;
        Ok(Quick::Valid)
    }

    /// No value that was taken, or is inside for good, was overtaken by a later one.
    fn first_come_first_served(&self) -> Result<(), Violation> {
        let somebody_may_take = !self.lives.takers.is_empty() && holds(Condition::QueueTakerMayTake);
        // The latest that a value can have gone, of those whose stay has begun.
        let (mut latest, mut who) = (0, NOBODY);
        for begins in self.starts.iter() {
            match begins {
                Begins::In(value) => {
                    let life = &self.lives.lives[value as usize];
                    if (life.is_taken() || !somebody_may_take) && life.out_from > latest {
                        (latest, who) = (life.out_from, value);
                    }
                }
                Begins::Put(value) => {
                    let take = self.ops.get(self.lives.lives[value as usize].take as usize);
                    if take.is_some_and(|take| take.end < latest) && holds(Condition::QueueOrder) {
                        return Err(self.overtaken(who, value));
                    }
                }
                Begins::FoundNothing(_) | Begins::Nothing => {}
            }
        }
        Ok(())
    }

    fn overtaken(&self, first: u32, later: u32) -> Violation {
        let (first, later) = (&self.lives.lives[first as usize], &self.lives.lives[later as usize]);
        let mut ops = vec![(first.put as usize, "put in the first")];
        if first.is_taken() {
            ops.push((first.take as usize, "took the first, afterwards"));
        }
        ops.push((later.put as usize, "put in the second, afterwards"));
        ops.push((later.take as usize, "took the second"));
        let rule = "what was put in later can't be taken first";
        Violation { rule, ops, failing: later.take as usize }
    }

    /// For every value that is inside and was overtaken: by when it must be gone, itself, by whom.
    fn deadlines(&self) -> Vec<(u32, u32, u32)> {
        let mut deadlines = Vec::new();
        let (mut earliest, mut by) = (NEVER, NOBODY);
        for begins in self.starts.iter().rev() {
            match begins {
                Begins::Put(value) => {
                    let take = self.ops.get(self.lives.lives[value as usize].take as usize);
                    if let Some(take) = take.filter(|take| take.end < earliest) {
                        (earliest, by) = (take.end, value);
                    }
                }
                Begins::In(value) if earliest != NEVER && !self.lives.lives[value as usize].is_taken() => {
                    deadlines.push((earliest, value, by));
                }
                Begins::In(_) | Begins::FoundNothing(_) | Begins::Nothing => {}
            }
        }
        deadlines.sort_unstable();
        deadlines
    }

    /// A take of unknown result for every value with a deadline.
    fn match_takers(&self, deadlines: &[(u32, u32, u32)], takers: &[(u32, u32)]) -> Result<(), Violation> {
        for (place, (deadline, _, _)) in deadlines.iter().enumerate() {
            let began = |start: &u32| start < deadline || !holds(Condition::QueueTakerBegan);
            let early = takers.partition_point(|(start, _)| began(start));
            if early <= place && holds(Condition::QueueTakersSuffice) {
                let mut ops: Vec<(usize, &'static str)> = Vec::new();
                let mut add = |place: u32, role| {
                    if ops.iter().all(|(known, _)| *known != place as usize) {
                        ops.push((place as usize, role));
                    }
                };
                for (_, value, by) in &deadlines[..=place] {
                    add(self.lives.lives[*value as usize].put, "put in early");
                    add(self.lives.lives[*by as usize].put, "put in the overtaker");
                    add(self.lives.lives[*by as usize].take, "took the overtaker");
                }
                takers[..early].iter().for_each(|(_, taker)| add(*taker, "may have taken one of them"));
                let rule = "what was put in later can't be taken first, and too few others can have taken it";
                let failing = self.lives.lives[deadlines[place].2 as usize].take as usize;
                return Err(Violation { rule, ops, failing });
            }
        }
        Ok(())
    }

    /// Those values that were put in and have such lives.
    fn values(&self, such: impl Fn(&Life) -> bool) -> Vec<u32> {
        let lives = (0..).zip(&self.lives.lives);
        lives.filter(|(_, life)| life.put != NOBODY && such(life)).map(|(value, _)| value).collect()
    }

    /// Whether everybody who found nothing had a gap that no stay covers.
    fn all_found_gaps(&self) -> bool {
        // How far the stays reach that have begun, and the last gap that none covered.
        let (mut reach, mut free) = (0, 0);
        self.lives.empties.is_empty()
            || (0..).zip(self.starts.iter()).all(|(position, begins)| {
                let mut found = true;
                match begins {
                    Begins::In(value) => reach = reach.max(self.lives.lives[value as usize].out_from),
                    Begins::FoundNothing(place) => found = free >= self.ops[place as usize].start,
                    Begins::Put(_) | Begins::Nothing => {}
                }
                let is_free = reach <= position || !holds(Condition::QueueEmptyHasGap);
                free = if is_free { position } else { free };
                found
            })
    }

    /// The gaps that the stays of such values leave, one for everybody who found nothing.
    fn find_gaps(&self, such: impl Fn(&Life) -> bool) -> Result<Gaps, Violation> {
        if self.lives.empties.is_empty() {
            return Ok(Gaps::new(0));
        }
        let reaches = self.starts.iter().map(|begins| match begins {
            Begins::In(value) => Some(&self.lives.lives[value as usize]).filter(|life| such(life)),
            Begins::Put(_) | Begins::FoundNothing(_) | Begins::Nothing => None,
        });
        let mut gaps =
            Gaps::reached(self.lives.positions, reaches.map(|life| life.map_or(0, |life| life.out_from)));
        place_empties(self.ops, self.lives, || self.values(&such), &mut gaps)?;
        Ok(gaps)
    }

    /// Whoever found nothing needs a gap by which as many takes of unknown result have begun as there are values
    /// that must be gone by then.
    fn match_empties(&self, inside: &[u32], takers: &[(u32, u32)]) -> Result<(), Violation> {
        if self.lives.empties.is_empty() {
            return Ok(());
        }
        let mut gaps = self.find_gaps(Life::is_taken)?;
        let lives = &self.lives.lives;
        let mut in_by: Vec<u32> = inside.iter().map(|value| lives[*value as usize].in_by).collect();
        in_by.sort_unstable();
        let suffice = |gap: u32| {
            let must_go = in_by.partition_point(|in_by| *in_by <= gap);
            must_go <= takers.partition_point(|(start, _)| *start <= gap)
        };
        for &place in &self.lives.empties {
            let op = &self.ops[place as usize];
            let mut gap = gaps.next_free(op.start);
            while gap < op.end && !suffice(gap) && holds(Condition::QueueGapWithTakers) {
                gap = gaps.next_free(gap + 1);
            }
            if gap >= op.end {
                return Err(self.never_empty(place, takers));
            }
        }
        Ok(())
    }

    /// All that was inside while this found nothing, and all that may have taken some of it.
    fn never_empty(&self, place: u32, takers: &[(u32, u32)]) -> Violation {
        let op = &self.ops[place as usize];
        let mut ops = vec![(place as usize, "found nothing")];
        let meets = |life: &Life| life.in_by < op.end && (!life.is_taken() || life.out_from > op.start);
        self.lives.evidence(&self.values(meets), &mut ops);
        let begun = takers.iter().take_while(|(start, _)| *start < op.end);
        ops.extend(begun.map(|(_, taker)| (*taker as usize, "may have taken one of them")));
        let rule = "something was inside all the time, and too few others can have taken it";
        Violation { rule, ops, failing: place as usize }
    }
}
