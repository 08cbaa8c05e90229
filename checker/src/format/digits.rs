//! Decimal digits, eight at a time: most of the bytes of a history are times and indices.

/// Numbers of more digits than this may not fit into 64 bits.
pub(super) const DIGITS_MAX: usize = 18;

/// The number that begins here, and how many digits it has: none, or more than [`DIGITS_MAX`], if it is for
/// somebody else to read.
#[inline(always)]
pub(super) fn leading(bytes: &[u8]) -> (u64, usize) {
    // Most numbers have at most eight digits, and something behind them.
    if let Some(chunk) = bytes.first_chunk()
        && let (number, length @ ..8) = up_to_eight(*chunk)
    {
        return (number, length);
    }
    long(bytes)
}

/// The same of a number of eight digits or more, or at the end of the bytes.
#[inline(never)]
fn long(bytes: &[u8]) -> (u64, usize) {
    let (mut number, mut length) = (0, 0);
    while length < 16
        && let Some(chunk) = bytes[length..].first_chunk()
    {
        let (part, digits) = up_to_eight(*chunk);
        number = number * POWERS[digits] + part;
        length += digits;
        if digits < 8 {
            return (number, length);
        }
    }
    while let Some(digit @ b'0'..=b'9') = bytes.get(length)
        && length <= DIGITS_MAX
    {
        number = number * 10 + u64::from(digit - b'0');
        length += 1;
    }
    (number, length)
}

const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The number that the digits at the beginning of eight bytes spell, and how many these are.
#[inline(always)]
fn up_to_eight(chunk: [u8; 8]) -> (u64, usize) {
    // The first digit is the lowest byte. A byte less the code of zero is below ten if it is a digit: adding
    // 118 to more than nine reaches the highest bit, or carries into the byte above, which comes too late to
    // be the first that is none.
    let digits = u64::from_le_bytes(chunk) ^ 0x3030_3030_3030_3030;
    let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
    let length = (others.trailing_zeros() / 8) as usize;
    if length == 0 {
        return (0, 0);
    }
    // Zeros in front instead of what comes behind.
    let digits = digits << (64 - 8 * length);
    // Pairs, then fours, then all eight.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    (fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff, length)
}

#[cfg(test)]
mod tests {
    use super::leading;

    #[test]
    fn numbers_are_what_they_spell() {
        let mut number = 1u64;
        while number < 1_000_000_000_000_000_000 {
            for near in [number - 1, number, number + 7, number * 9 + 8] {
                for tail in ["", "}", " 12345678", ":", "/"] {
                    let text = format!("{near}{tail}");
                    assert_eq!(leading(text.as_bytes()), (near, near.to_string().len()), "{text}");
                }
            }
            number = number * 3 + 1;
        }
        for other in 0..=255u8 {
            for place in 0..8 {
                let mut text = *b"12345678";
                text[place] = other;
                let expected = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
                assert_eq!(leading(&text).1, expected, "{text:?}");
            }
        }
        assert_eq!(leading(b"1234567890123456789012").1, 19);
    }
}
