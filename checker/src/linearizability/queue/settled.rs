//! Which operations on a queue can be forgotten while it is judged event by event.
//!
//! What is over matters to what comes only through values that nobody is known to have taken, and through takes
//! that are open and may still tell. Let nothing be open that began before some moment, and look at what had
//! ended by then.
//!
//! * **A value whose put and take are over** may have overtaken one that is still inside: that one must be gone by
//!   the end of the take. Of those that overtook a value only the one whose take ended first says anything.
//! * **A take that found nothing** says the same of every value that had been put in before it: it must be gone by
//!   then. If one before it says so of all of these already, it says nothing more: the same values must be gone, and
//!   no fewer takes have begun. With it go the values whose stays are beside it; while it stays, they do.
//!
//! All else that is over was judged when it ended, with every take that may still tell taken for one that might have
//! taken anything.

use super::super::lives::{self, LifeOp, Lives, NOBODY};
use super::super::partition::NEVER;

/// For each operation whether it can be forgotten, if nothing is open that began before a position; values are
/// below `values`. Nothing is, if they are not unique.
pub(crate) fn settled(ops: &[LifeOp], values: usize, open_since: u32) -> Vec<bool> {
    let mut settled = vec![false; ops.len()];
    let Ok(lives) = lives::lives(ops, values) else { return settled };
    let windows = empties(ops, &lives, open_since, &mut settled);
    let overtakers = overtakers(ops, &lives);
    for (life, overtakes) in lives.lives.iter().zip(overtakers) {
        let (Some(put), Some(take)) = (ops.get(life.put as usize), ops.get(life.take as usize)) else {
            continue;
        };
        // A put of unknown outcome has no end that is waited for, or else it is open.
        let is_over = take.end < open_since && (put.end < open_since || put.end == NEVER);
        let meets = |(start, end): &(u32, u32)| life.in_by < *end && life.out_from > *start;
        if is_over && !overtakes && !windows.iter().any(meets) {
            settled[life.put as usize] = true;
            settled[life.take as usize] = true;
        }
    }
    settled
}

/// Settles takes that found nothing; the windows of those that are left.
fn empties(ops: &[LifeOp], lives: &Lives, open_since: u32, settled: &mut [bool]) -> Vec<(u32, u32)> {
    let inside = lives.lives.iter().filter(|life| life.put != NOBODY && !life.is_taken());
    let mut in_by: Vec<u32> = inside.map(|life| life.in_by).collect();
    in_by.sort_unstable();
    let mut by_end = lives.empties.clone();
    by_end.sort_unstable_by_key(|place| ops[*place as usize].end);
    let (mut windows, mut said_before) = (Vec::new(), 0);
    for place in by_end {
        let op = &ops[place as usize];
        let last_in =
            in_by.partition_point(|in_by| *in_by < op.end).checked_sub(1).map_or(0, |last| in_by[last]);
        if op.end < open_since && last_in <= said_before {
            settled[place as usize] = true;
        } else {
            windows.push((op.start, op.end));
            said_before = said_before.max(op.start);
        }
    }
    windows
}

/// For each value whether it is the first to have been taken of those that overtook one that is inside.
fn overtakers(ops: &[LifeOp], lives: &Lives) -> Vec<bool> {
    let mut first = vec![false; lives.lives.len()];
    // When a value that was taken began to be put in, or one that is inside was.
    let mut moments: Vec<(u32, u32)> = Vec::new();
    for (value, life) in (0..).zip(&lives.lives).filter(|(_, life)| life.put != NOBODY) {
        moments.push((if life.is_taken() { ops[life.put as usize].start } else { life.in_by }, value));
    }
    moments.sort_unstable_by(|a, b| b.cmp(a));
    let (mut earliest, mut by) = (NEVER, NOBODY);
    for (_, value) in moments {
        match ops.get(lives.lives[value as usize].take as usize) {
            Some(take) if take.end < earliest => (earliest, by) = (take.end, value),
            None if by != NOBODY => first[by as usize] = true,
            Some(_) | None => {}
        }
    }
    first
}
