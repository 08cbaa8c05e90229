//! Numbers from a seed: SplitMix64 (Steele, Lea & Flood 2014), which is ten lines, fast, and the same
//! everywhere. Not for secrets.

/// A stream of numbers.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Any number.
    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not 0. The bias of one in 2^32 or less does not matter here.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// Whether an event of this probability happens, in parts of 2^64: see [`share`].
    pub(super) fn happens(&mut self, share: u64) -> bool {
        self.next() < share
    }

    /// Memoryless times of about this mean: the binary logarithm drawn as a straight line between powers of
    /// two, in whole numbers, because `ln` differs in its last bit from one machine to the next.
    pub(super) fn memoryless(&mut self, mean: u64) -> u64 {
        let drawn = self.next() | 1;
        let zeros = drawn.leading_zeros();
        let fraction = ((drawn << zeros) >> 43) & 0xf_ffff;
        let logarithm = (u64::from(zeros) << 20) + (0x10_0000 - fraction);
        // ln 2 in parts of 2^20.
        (((logarithm * 726_817) >> 20) * mean) >> 20
    }
}

/// A probability in parts of 2^64.
pub(super) fn share(probability: f64) -> u64 {
    (probability.clamp(0.0, 1.0) * 18_446_744_073_709_551_616.0) as u64
}
