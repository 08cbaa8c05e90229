//! Chance: every draw comes from the schedule's seed, an id and the number of a planned occurrence.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{Share, Span};

/// The draws of one planned occurrence.
#[derive(Clone, Debug)]
pub(super) struct Draws(pub(super) ChaCha8Rng);

impl Draws {
    /// Draws of their own for this id and number: no other fault's shift them.
    pub(super) fn of(seed: u64, id: &str, number: u64) -> Draws {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ fnv(id));
        rng.set_stream(number);
        Draws(rng)
    }

    /// A time out of a span.
    pub(super) fn span(&mut self, span: Span) -> Duration {
        let (min, max) = (micros(span.min), micros(span.max));
        Duration::from_micros(self.0.random_range(min..=max.max(min)))
    }

    /// A share out of a range, in parts per million.
    pub(super) fn share(&mut self, share: Share) -> u32 {
        if share.is_none() {
            0
        } else {
            self.0.random_range(share.min_ppm..=share.max_ppm.max(share.min_ppm))
        }
    }

    /// Below `end`, which is not zero.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// FNV-1a: the same on every machine and in every version.
fn fnv(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
