//! The rolling hash of everything applied, by which replicas notice that they have diverged.
//!
//! Our own 64 bits: a fingerprint against bugs, not against malice, and the same on every machine
//! and in every version of every library. Each step is a bijection of the state for a given input,
//! so two replicas that differ once can't become equal again by being fed the same.

use super::codec::Sink;

/// Odd, and with bits everywhere: the golden ratio's 64 bits.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// A hash under way.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub(super) struct RollingHash(pub(super) u64);

impl RollingHash {
    fn mix(&mut self, word: u64) {
        let mut state = (self.0.rotate_left(23) ^ word).wrapping_add(1).wrapping_mul(MULTIPLIER);
        state ^= state >> 32;
        self.0 = state;
    }
}

/// Every integer is one step. Byte strings come with their length ahead, so that two neighbours
/// can't trade bytes unnoticed.
impl Sink for RollingHash {
    fn u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    fn u16(&mut self, value: u16) {
        self.mix(u64::from(value));
    }

    fn u32(&mut self, value: u32) {
        self.mix(u64::from(value));
    }

    fn u64(&mut self, value: u64) {
        self.mix(value);
    }

    fn raw(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.mix(u64::from_le_bytes(last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(feed: impl Fn(&mut RollingHash)) -> u64 {
        let mut hash = RollingHash::default();
        feed(&mut hash);
        hash.0
    }

    #[test]
    fn the_hash_is_the_same_for_ever() {
        assert_eq!(hash(|h| h.u64(0)), 0x9e37_79b9_e17d_05ac);
        assert_eq!(hash(|h| h.bytes(b"the lectures' log")), 0xd677_8bdf_6570_9b08);
    }

    #[test]
    fn neighbours_can_not_trade_bytes() {
        let split = |at: usize| {
            hash(|h| {
                h.bytes(&b"paxos"[..at]);
                h.bytes(&b"paxos"[at..]);
            })
        };
        let mut all: Vec<u64> = (0..=5).map(split).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 6);
    }

    #[test]
    fn what_differs_once_stays_different() {
        let mut one = RollingHash(1);
        let mut other = RollingHash(2);
        for word in 0..10_000 {
            one.u64(word);
            other.u64(word);
            assert_ne!(one, other);
        }
    }
}
