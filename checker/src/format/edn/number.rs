//! Clojure's numbers.

use crate::history::values::{ValueId, Values};

/// Decimal numbers of up to so many digits are told apart by a 64-bit fraction.
const EXACT_DIGITS_MAX: usize = 15;

/// The number a token spells; none if it spells none.
pub(super) fn parse(token: &str, values: &mut Values) -> Option<ValueId> {
    let negative = token.starts_with('-');
    let digits = token.strip_prefix(['-', '+']).unwrap_or(token);
    if let Some((above, below)) = digits.split_once('/') {
        return ratio(negative, above, below, values);
    }
    if let Some(hexadecimal) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return radix(negative, hexadecimal, 16, values);
    }
    if digits.bytes().all(|digit| digit.is_ascii_digit()) {
        // Clojure reads a leading zero as octal.
        return match digits.strip_prefix('0') {
            Some(octal) if !octal.is_empty() => radix(negative, octal, 8, values),
            _ => whole(negative, digits, values),
        };
    }
    if let Some(big) = digits.strip_suffix('N') {
        return all_digits(big).then(|| whole(negative, big, values))?;
    }
    if let Some((base, digits)) = digits.split_once(['r', 'R']) {
        return radix(negative, digits, base.parse().ok().filter(|base| (2..=36).contains(base))?, values);
    }
    fraction(negative, digits, values)
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit())
}

/// A whole number of any length.
pub(super) fn whole(negative: bool, digits: &str, values: &mut Values) -> Option<ValueId> {
    let digits = match digits.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let sign = if negative && digits != "0" { "-" } else { "" };
    let text = format!("{sign}{digits}");
    Some(match text.parse() {
        Ok(number) => values.int(number),
        Err(_) => values.text(&text),
    })
}

fn radix(negative: bool, digits: &str, radix: u32, values: &mut Values) -> Option<ValueId> {
    let number = i128::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with(['-', '+']))?;
    whole(negative, &number.to_string(), values)
}

fn ratio(negative: bool, above: &str, below: &str, values: &mut Values) -> Option<ValueId> {
    if !all_digits(above) || !all_digits(below) {
        return None;
    }
    let (Ok(above), Ok(below)) = (above.parse::<u128>(), below.parse::<u128>()) else {
        return Some(values.text(&format!("{}{above}/{below}", if negative { "-" } else { "" })));
    };
    if below == 0 {
        return None;
    }
    let divisor = greatest_common_divisor(above, below);
    let (above, below) = (above / divisor, below / divisor);
    if below == 1 {
        return whole(negative, &above.to_string(), values);
    }
    Some(values.text(&format!("{}{above}/{below}", if negative { "-" } else { "" })))
}

fn greatest_common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// `1.5`, `1e9`, `1.50M`.
fn fraction(negative: bool, text: &str, values: &mut Values) -> Option<ValueId> {
    let (text, exact) = match text.strip_suffix('M') {
        Some(decimal) => (decimal, true),
        None => (text, false),
    };
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    let number: f64 = text.parse().ok().filter(|_| plain)?;
    let digits = text.split(['e', 'E']).next().unwrap_or_default();
    let significant = digits.trim_matches(['0', '.']).bytes().filter(u8::is_ascii_digit).count();
    if exact && (significant > EXACT_DIGITS_MAX || !number.is_finite() || text.contains(['e', 'E'])) {
        let sign = if negative { "-" } else { "" };
        let spelt = if digits.contains('.') { digits.trim_end_matches('0') } else { digits };
        return Some(values.text(&format!("{sign}{spelt}{}M", &text[digits.len()..])));
    }
    Some(values.float(if negative { -number } else { number }))
}
