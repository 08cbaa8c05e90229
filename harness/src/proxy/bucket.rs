//! How many bytes may go now: a token bucket. Pure; time is an argument.
//!
//! It promises that within any span of time no more passes than the rate allows for that span, and
//! [`BURST_US`]'s worth (at least one byte) on top.

use std::num::NonZeroU64;

/// What an idle link saves up: this long's worth of its rate. Also how long a throttled link sleeps
/// at most between two writes while there is something to write.
pub const BURST_US: u64 = 20_000;

/// The bucket counts in millionths of bytes, so that each microsecond adds exactly the rate.
const PER_BYTE: u128 = 1_000_000;

/// What may pass in one direction of a link.
#[derive(Debug, Default)]
pub struct Bucket {
    level: u128,
    at_us: u64,
}

impl Bucket {
    /// How many bytes may go at `now_us`, which must not run backwards.
    pub fn allowed(&mut self, bytes_per_s: NonZeroU64, now_us: u64) -> usize {
        let gain = u128::from(now_us.saturating_sub(self.at_us)) * u128::from(bytes_per_s.get());
        self.at_us = self.at_us.max(now_us);
        self.level = self.level.saturating_add(gain).min(capacity(bytes_per_s));
        usize::try_from(self.level / PER_BYTE).unwrap_or(usize::MAX)
    }

    /// So many bytes went; no more than were allowed.
    pub fn spend(&mut self, bytes: usize) {
        self.level = self.level.saturating_sub(bytes as u128 * PER_BYTE);
    }

    /// When it is worth asking again, for `wanted` bytes: microseconds on the clock of
    /// [`Bucket::allowed`].
    #[must_use]
    pub fn worth_asking_us(&self, bytes_per_s: NonZeroU64, wanted: usize) -> u64 {
        let goal = (wanted as u128 * PER_BYTE).min(capacity(bytes_per_s));
        let wait = goal.saturating_sub(self.level).div_ceil(u128::from(bytes_per_s.get()));
        self.at_us.saturating_add(u64::try_from(wait).unwrap_or(u64::MAX))
    }
}

fn capacity(bytes_per_s: NonZeroU64) -> u128 {
    (u128::from(bytes_per_s.get()) * u128::from(BURST_US)).max(PER_BYTE)
}
