//! Chance, from a seed: the only source of it in the simulation.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::RangeInclusive;

/// Probabilities are in parts per million: integers, so that no platform rounds differently.
pub type Ppm = u32;

/// A stream of chance. Streams drawn from one seed under different names are independent, so that
/// one more draw in the network does not change what the clients do.
#[derive(Clone, Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream called `name` of a seed.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Dice {
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        // FNV-1a of the name: any fixed function that tells names apart would do.
        let number = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        stream.set_stream(number);
        Dice(stream)
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: Ppm) -> bool {
        probability > 0 && self.0.random_range(0..1_000_000) < probability
    }

    /// One of two equally likely answers.
    pub fn coin(&mut self) -> bool {
        self.chance(500_000)
    }

    /// A number in a range, each as likely as the other.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        self.0.random_range(range)
    }

    /// A number in a range, each order of magnitude about as likely as the other.
    pub fn scattered(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = (*range.start(), *range.end());
        let bits = |number: u64| u64::from(u64::BITS - number.leading_zeros());
        let magnitude = self.within(bits(low)..=bits(high));
        let top = if magnitude >= 64 { u64::MAX } else { (1 << magnitude) - 1 };
        self.within(low.max(top / 2)..=high.min(top).max(low.max(top / 2)))
    }

    /// A position below `length`, which is not 0.
    pub fn below(&mut self, length: usize) -> usize {
        self.0.random_range(0..length)
    }

    /// One of several things.
    pub fn pick<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.below(things.len())]
    }

    /// One of several things, each with a weight; not all weights are 0.
    pub fn weighted<T: Copy>(&mut self, things: &[(T, u32)]) -> T {
        let total: u32 = things.iter().map(|(_, weight)| weight).sum();
        let mut lot = self.0.random_range(0..total);
        for (thing, weight) in things {
            if lot < *weight {
                return *thing;
            }
            lot -= weight;
        }
        unreachable!("the lot is below the sum of the weights")
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.random()
    }
}
