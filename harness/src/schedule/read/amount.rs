//! Amounts as files spell them: `2s±500ms`, `10%..40%`, `64KiB/s`. Exact: no amount passes through
//! floating point.

use std::time::Duration;

use super::remark::quoted;
use crate::schedule::{Bandwidth, Share, Span};

const TIMES: &[(&str, u64)] = &[
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
const BYTES: &[(&str, u64)] = &[
    ("B/s", 1),
    ("kB/s", 1_000),
    ("MB/s", 1_000_000),
    ("KiB/s", 1 << 10),
    ("MiB/s", 1 << 20),
    ("GiB/s", 1 << 30),
];
const PERCENT: &[(&str, u64)] = &[("%", 10_000)];

/// `2s`, `1.5s`, `500ms`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    measure(text, TIMES, "a length of time", "2s, 1.5s or 500ms").map(Duration::from_nanos)
}

/// A duration, or a range of them.
pub(super) fn span(text: &str) -> Result<Span, String> {
    let (min, max) = range(text, |text| duration(text).map(|duration| duration.as_nanos() as u64))?;
    Ok(Span::between(Duration::from_nanos(min), Duration::from_nanos(max)))
}

/// A share in percent, or a range of them.
pub(super) fn share(text: &str) -> Result<Share, String> {
    let (min, max) = range(text, |text| {
        let ppm = measure(text, PERCENT, "a share", "20%, 0.5% or 10%..40%")?;
        if ppm > 1_000_000 { Err(format!("{} is more than all: 100%", quoted(text))) } else { Ok(ppm) }
    })?;
    if max > 1_000_000 {
        return Err(format!("{} goes beyond all: 100%", quoted(text)));
    }
    Ok(Share { min_ppm: min as u32, max_ppm: max as u32 })
}

/// `64KiB/s`.
pub(super) fn bandwidth(text: &str) -> Result<Bandwidth, String> {
    match measure(text, BYTES, "a bandwidth", "64KiB/s or 1MiB/s")? {
        0 => Err("a link that carries nothing is cut: `cut = true`".to_owned()),
        bytes_per_s => Ok(Bandwidth { bytes_per_s }),
    }
}

/// `A..B`, `A±B` (also written `A+-B`), or `A` alone.
fn range(text: &str, one: impl Fn(&str) -> Result<u64, String>) -> Result<(u64, u64), String> {
    if let Some((min, max)) = text.split_once("..") {
        let (min, max) = (one(min)?, one(max)?);
        if min > max {
            return Err(format!("the range {} ends before it begins", quoted(text)));
        }
        return Ok((min, max));
    }
    if let Some((middle, around)) = text.split_once('±').or_else(|| text.split_once("+-")) {
        let (middle, around) = (one(middle)?, one(around)?);
        let Some(min) = middle.checked_sub(around) else {
            return Err(format!("{} would be less than nothing", quoted(text)));
        };
        return Ok((min, middle.saturating_add(around)));
    }
    one(text).map(|exactly| (exactly, exactly))
}

/// A number and its unit, as so many of the smallest.
fn measure(text: &str, units: &[(&str, u64)], what: &str, examples: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim_start());
    let no = || format!("{} is not {what}, such as {examples}", quoted(text));
    if !number.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(no());
    }
    let names = || units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    if unit.is_empty() {
        return Err(format!("{} of what? The unit is missing: {}", quoted(number), names()));
    }
    let Some((_, scale)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("{} is no unit of {what}; there are: {}", quoted(unit), names()));
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if number.ends_with('.') || fraction.contains('.') {
        return Err(no());
    }
    exact(whole, fraction, *scale)
        .ok_or_else(|| format!("{} is too large, or too fine, to be exact", quoted(text)))
}

/// `whole.fraction` times the scale, if that is a whole number of 64 bits.
fn exact(whole: &str, fraction: &str, scale: u64) -> Option<u64> {
    let fraction = fraction.trim_end_matches('0');
    let parts: u64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let scaled = parts.checked_mul(scale)?;
    let per_whole = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    if scaled % per_whole != 0 {
        return None;
    }
    whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(scaled / per_whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn amounts_mean_what_they_say() {
        for (text, min, max) in [
            ("2s", 2_000, 2_000),
            ("1.5s", 1_500, 1_500),
            ("500ms", 500, 500),
            ("2s±500ms", 1_500, 2_500),
            ("2s +- 500ms", 1_500, 2_500),
            ("1s..2s", 1_000, 2_000),
            ("0s", 0, 0),
            ("1m", 60_000, 60_000),
            ("1.50 s", 1_500, 1_500),
        ] {
            assert_eq!(span(text), Ok(Span::between(ms(min), ms(max))), "{text}");
        }
        assert_eq!(share("0.5%"), Ok(Share { min_ppm: 5_000, max_ppm: 5_000 }));
        assert_eq!(share("20% ± 10%"), Ok(Share::percent(10, 30)));
        assert_eq!(share("10%..40%"), Ok(Share::percent(10, 40)));
        assert_eq!(bandwidth("64KiB/s"), Ok(Bandwidth { bytes_per_s: 65_536 }));
        assert_eq!(bandwidth("1.5kB/s"), Ok(Bandwidth { bytes_per_s: 1_500 }));
    }

    #[test]
    fn what_is_no_amount_is_refused_with_its_reason() {
        for (text, reason) in [
            ("2", "unit is missing"),
            ("2 secs", "is no unit of a length of time"),
            ("", "is not a length of time"),
            ("-2s", "is not a length of time"),
            ("1.s", "is not a length of time"),
            ("1.2.3s", "is not a length of time"),
            ("soon", "is not a length of time"),
            ("3s..2s", "ends before it begins"),
            ("1s±2s", "less than nothing"),
            ("0.0000000001s", "too fine"),
            ("99999999999999999999s", "too large"),
        ] {
            let error = span(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(share("101%").is_err_and(|error| error.contains("more than all")));
        assert!(share("90%±20%").is_err_and(|error| error.contains("beyond all")));
        assert!(share("0.00001%").is_err() && share("20").is_err());
        assert!(bandwidth("0B/s").is_err_and(|error| error.contains("cut")));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(a in 0..4_000_000_000_000_u64, b in 0..4_000_000_000_000_u64) {
            let both = Span::between(Duration::from_nanos(a.min(b)), Duration::from_nanos(a.max(b)));
            prop_assert_eq!(span(&both.to_string()), Ok(both));
            let ppm = Share { min_ppm: (a % 1_000_001).min(b % 1_000_001) as u32, max_ppm: (a % 1_000_001).max(b % 1_000_001) as u32 };
            prop_assert_eq!(share(&ppm.to_string()), Ok(ppm));
            let carries = Bandwidth { bytes_per_s: a + 1 };
            prop_assert_eq!(bandwidth(&carries.to_string()), Ok(carries));
        }

        #[test]
        fn nothing_panics(text in "[0-9.smhuµ%±+ -]{0,12}|\\PC{0,8}") {
            let _ = (span(&text), share(&text), bandwidth(&text));
        }
    }
}
