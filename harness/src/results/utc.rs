//! Dates for people and for folder names, in UTC, without a calendar library.

use std::time::{SystemTime, UNIX_EPOCH};

/// A moment as calendar fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc {
    year: i64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Utc {
    /// Now.
    pub fn now() -> Utc {
        Utc::from_unix(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }

    /// From seconds since 1970, by Howard Hinnant's `civil_from_days`: years that start in
    /// March put the leap day last, so that months have a closed form.
    pub fn from_unix(seconds: u64) -> Utc {
        let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = (era * 400 + year_of_era) as i64 + i64::from(month <= 2);
        Utc { year, month, day, hour: rest / 3_600, minute: rest / 60 % 60, second: rest % 60 }
    }

    /// `20261121T101500Z`: sorts by time, and is a legal file name.
    pub fn compact(self) -> String {
        let Utc { year, month, day, hour, minute, second } = self;
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
    }

    /// `2026-11-21T10:15:00Z`.
    pub fn rfc3339(self) -> String {
        let Utc { year, month, day, hour, minute, second } = self;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_come_out_right() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Utc::from_unix(seconds).rfc3339(), expected);
        }
        assert_eq!(Utc::from_unix(951_782_400).compact(), "20000229T000000Z");
    }
}
