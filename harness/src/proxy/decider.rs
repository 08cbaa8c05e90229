//! What becomes of each unit that crosses a link: pure and seeded.
//!
//! A [`Decider`] turns a [`LinkPolicy`], a seed and the time into the [`Fate`] of each unit. It
//! promises: the same seed and the same sequence of units and policies give the same fates; without
//! `reorder_ppm` the first copies leave in the order in which they came; an ineffective policy, or
//! field, draws no randomness and touches nothing. Which byte a corruption hits is drawn from a
//! stream of its own, so that corrupting as well leaves all other fates as they were.

use super::frame::PREFIX_BYTES;
use super::policy::{LinkPolicy, PPM};
use bytes::{Bytes, BytesMut};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// How long a frame is put back so that others overtake it: random, up to this. Several
/// heartbeats' time, so that a frame can arrive in another ballot.
pub const REORDER_LAG_US_MAX: u64 = 100_000;

/// How long after the original a second copy leaves: random, up to this.
pub const DUPLICATE_LAG_US_MAX: u64 = 100_000;

/// The stream of randomness that corruption draws from; the fates draw from stream 0.
const CORRUPTION_STREAM: u64 = 1;

/// What a unit is, and so what may be done to it.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Nature {
    /// A frame: may be lost, doubled, reordered, changed, held.
    Message,
    /// A piece of a stream without frames: may be delayed.
    Chunk,
}

/// What becomes of one unit (a frame, or a chunk of a stream without frames).
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Fate {
    /// It goes on as it came.
    Forward,
    /// It goes on when its time has come.
    Delay {
        /// When, microseconds on the mesh's clock.
        due_us: u64,
        /// It was put back to be overtaken, so it needn't keep its place.
        overtaken: bool,
        /// When its second copy leaves, if it has one.
        copy_due_us: Option<u64>,
    },
    /// It is kept until a policy lets it go.
    Hold,
    /// It vanishes.
    Drop,
}

/// A change of one byte.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Flip {
    /// Which byte of the frame, its prefix included; never one of the prefix.
    pub at: usize,
    /// Which of its bits change; at least one.
    pub mask: u8,
}

impl Flip {
    /// The frame with that byte changed.
    #[must_use]
    pub fn apply(self, frame: &Bytes) -> Bytes {
        let mut changed = BytesMut::from(&frame[..]);
        if let Some(byte) = changed.get_mut(self.at) {
            *byte ^= self.mask;
        }
        changed.freeze()
    }
}

/// Decides the fates of one direction of one connection.
#[derive(Debug)]
pub struct Decider {
    random: ChaCha8Rng,
    corruption: ChaCha8Rng,
    /// When the last unit that keeps its place leaves; the next one leaves no earlier.
    last_due_us: u64,
}

impl Decider {
    /// A decider with its own randomness.
    #[must_use]
    pub fn new(seed: u64) -> Decider {
        let random = ChaCha8Rng::seed_from_u64(seed);
        let mut corruption = random.clone();
        corruption.set_stream(CORRUPTION_STREAM);
        Decider { random, corruption, last_due_us: 0 }
    }

    /// The fate of a unit that arrived at `now_us`, which must not run backwards. What a policy
    /// does to streams is not looked at: a cut link decides nothing before it heals.
    pub fn decide(&mut self, policy: &LinkPolicy, now_us: u64, kind: Option<&str>, nature: Nature) -> Fate {
        let Some(policy) = policy.concerning(kind) else { return self.pass(now_us) };
        let is_message = nature == Nature::Message;
        if is_message && policy.hold {
            return Fate::Hold;
        }
        if is_message && self.chance(policy.drop_ppm) {
            return Fate::Drop;
        }
        let delayed = now_us + policy.delay_us + self.up_to(policy.jitter_us);
        let doubled = is_message && self.chance(policy.duplicate_ppm);
        let copy_due_us = doubled.then(|| delayed + self.up_to(DUPLICATE_LAG_US_MAX));
        if is_message && self.chance(policy.reorder_ppm) {
            let due_us = delayed + 1 + self.up_to(REORDER_LAG_US_MAX - 1);
            return Fate::Delay { due_us, overtaken: true, copy_due_us };
        }
        self.keep_place(delayed.max(self.last_due_us), now_us, copy_due_us)
    }

    /// The fate of a unit that nothing is done to: it still may not overtake those that are waiting.
    pub fn pass(&mut self, now_us: u64) -> Fate {
        self.keep_place(self.last_due_us.max(now_us), now_us, None)
    }

    /// Which byte changes of a frame that goes on, `frame_bytes` long with its prefix, if one does.
    pub fn corrupt(&mut self, policy: &LinkPolicy, kind: Option<&str>, frame_bytes: usize) -> Option<Flip> {
        let policy = policy.concerning(kind)?;
        let bites = policy.corrupt_ppm > 0
            && frame_bytes > PREFIX_BYTES
            && self.corruption.random_range(0..PPM) < policy.corrupt_ppm;
        bites.then(|| Flip {
            at: self.corruption.random_range(PREFIX_BYTES..frame_bytes),
            mask: self.corruption.random_range(1..=u8::MAX),
        })
    }

    fn keep_place(&mut self, due_us: u64, now_us: u64, copy_due_us: Option<u64>) -> Fate {
        if due_us <= now_us && copy_due_us.is_none() {
            return Fate::Forward;
        }
        self.last_due_us = due_us;
        Fate::Delay { due_us, overtaken: false, copy_due_us }
    }

    fn chance(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.random.random_range(0..PPM) < ppm
    }

    fn up_to(&mut self, us: u64) -> u64 {
        if us == 0 { 0 } else { self.random.random_range(0..=us) }
    }
}
