//! Whether blocks can all have their place in one order.
//!
//! A block with f < s is *forward*: from f to s it holds the register. Two forward ones collide when
//! these stretches meet; a backward one (s ≤ f) could have had the register at any one moment of its
//! stretch, and collides with a forward one that covers all of it. So a sweep only has to keep how
//! far the forward ones reach that began so far: no one may begin before that, and no backward one
//! that is met may end before that.

use super::clusters::Block;
use super::condition::Condition;
use crate::linearizability::condition::holds;

/// Marks the first end of a forward block.
const FORWARD: u32 = 1 << 31;

/// Blocks by position: forward ones at their first end, backward ones at their last start. A first end and a
/// last start of two blocks are never at the same position.
pub(super) struct Noted {
    at: Vec<u32>,
}

impl Noted {
    /// None yet, of positions up to this one.
    pub(super) fn new(positions: u32) -> Self {
        assert!(positions < FORWARD, "a history of {positions} events leaves no bit for what blocks are");
        Self { at: vec![0; positions as usize + 1] }
    }

    #[inline]
    pub(super) fn note(&mut self, block: Block) {
        if block.is_forward() {
            self.at[block.end as usize] = block.start | FORWARD;
        } else {
            self.at[block.start as usize] = block.end;
        }
    }

    /// Whether there are two blocks that can't both be.
    pub(super) fn has_collision(&self) -> bool {
        // Without branches, because which positions hold a block can't be predicted. One less than what is
        // meant on both sides: then an empty position allows everything.
        let (mut reach, mut collides) = (1u32, false);
        for (position, &noted) in self.at.iter().enumerate() {
            let is_forward = noted & FORWARD != 0;
            let other = noted & !FORWARD;
            collides |= allowed(noted, position as u32).wrapping_sub(1) < reach - 1;
            reach = reach.max(if is_forward { other } else { 0 });
        }
        collides
    }

    /// Two of the positions at which blocks are noted that can't both be, if there are any: a forward
    /// block, and the block that is in its way.
    pub(super) fn collision(&self) -> Option<(u32, u32)> {
        if !self.has_collision() {
            return None;
        }
        let (mut reach, mut holder) = (0, 0);
        for (position, &noted) in self.at.iter().enumerate() {
            let is_forward = noted & FORWARD != 0;
            let (other, position) = (noted & !FORWARD, position as u32);
            if noted != 0 && allowed(noted, position) < reach {
                return Some((holder, position));
            }
            if is_forward && other > reach {
                (reach, holder) = (other, position);
            }
        }
        unreachable!("the first sweep found a collision")
    }

    /// Whether two blocks of one key collide: `key_of` says whose the event at a position is, `reach` how far
    /// the initial value of each key was seen.
    pub(super) fn collides(&self, mut reach: Vec<u32>, key_of: impl Fn(u32) -> usize) -> bool {
        self.at.iter().enumerate().skip(1).filter(|(_, noted)| **noted != 0).any(|(position, &noted)| {
            let position = position as u32;
            let reach = &mut reach[key_of(position)];
            let (is_forward, other) = (noted & FORWARD != 0, noted & !FORWARD);
            let collides = allowed(noted, position) < *reach;
            *reach = (*reach).max(if is_forward { other } else { 0 });
            collides
        })
    }
}

/// How far those forward blocks that began before may reach, so that what is noted at this position fits.
#[inline(always)]
fn allowed(noted: u32, position: u32) -> u32 {
    match noted & FORWARD != 0 {
        true if holds(Condition::ForwardsApart) => position,
        false if holds(Condition::BackwardOutside) => noted,
        true | false => u32::MAX,
    }
}
