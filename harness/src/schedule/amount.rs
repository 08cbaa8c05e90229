//! Amounts: exact, or a range from which each planned occurrence draws once, uniformly.

use std::time::Duration;

/// A duration: `2s`, `2s±500ms`, or `1.5s..2.5s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// At least.
    pub min: Duration,
    /// At most, and never below `min`.
    pub max: Duration,
}

impl Span {
    /// Exactly so long.
    #[must_use]
    pub const fn exactly(duration: Duration) -> Span {
        Span { min: duration, max: duration }
    }

    /// From so long to so long.
    #[must_use]
    pub const fn between(min: Duration, max: Duration) -> Span {
        Span { min, max }
    }

    /// No time at all.
    pub const ZERO: Span = Span::exactly(Duration::ZERO);
}

/// A share of all frames, in parts per million: `20%`, `0.5%`, or `10%..40%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// At least.
    pub min_ppm: u32,
    /// At most, and never below `min_ppm`.
    pub max_ppm: u32,
}

impl Share {
    /// From so many to so many percent.
    #[must_use]
    pub const fn percent(min: u32, max: u32) -> Share {
        Share { min_ppm: min * 10_000, max_ppm: max * 10_000 }
    }

    /// Whether it is nothing at all.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.max_ppm == 0
    }
}

/// Bytes per second: `64KiB/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// Never zero: a link that carries nothing is cut.
    pub bytes_per_s: u64,
}
