//! Columns of whole numbers, small enough to stand in a page.
//!
//! Seven bits a byte, least first, the high bit set on all but the last: most columns are differences
//! and indices, so most numbers take one or two bytes. The bytes stand in the page as base64, which no
//! history can turn into markup. `script/columns.js` reads it back.

use std::io::{self, Write};

/// A column in the making.
#[derive(Debug, Default)]
pub(super) struct Column {
    bytes: Vec<u8>,
    any: bool,
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes turned into base64 at a time; a multiple of three, so that only the last piece is padded.
const PIECE_BYTES: usize = 3 << 14;

impl Column {
    pub(super) fn push(&mut self, number: u64) {
        self.any |= number != 0;
        let mut rest = number;
        while rest >= 0x80 {
            self.bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
    }

    /// How far `to` is from `from`, either way: 0, -1, 1, -2, 2 … as 0, 1, 2, 3, 4 …
    pub(super) fn push_step(&mut self, from: u64, to: u64) {
        self.push(step(from, to));
    }

    /// The same for a column in which 0 means that there is none.
    pub(super) fn push_step_or_none(&mut self, from: u64, to: u64) {
        self.push(step(from, to).saturating_add(1));
    }

    /// Whether anything but zeros is in it.
    pub(super) fn says_anything(&self) -> bool {
        self.any
    }

    pub(super) fn write_base64(&self, out: &mut impl Write) -> io::Result<()> {
        let mut text = Vec::with_capacity(PIECE_BYTES / 3 * 4);
        for piece in self.bytes.chunks(PIECE_BYTES) {
            text.clear();
            piece.chunks(3).for_each(|three| text.extend(quartet(three)));
            out.write_all(&text)?;
        }
        Ok(())
    }
}

fn step(from: u64, to: u64) -> u64 {
    let step = to.wrapping_sub(from) as i64;
    ((step << 1) ^ (step >> 63)) as u64
}

fn quartet(three: &[u8]) -> [u8; 4] {
    let at = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
    let bits = at(0) << 16 | at(1) << 8 | at(2);
    let digit = |place: usize| ALPHABET[(bits >> (18 - 6 * place)) as usize & 63];
    // One byte fills two digits, two fill three, three fill four.
    std::array::from_fn(|place| if place <= three.len() { digit(place) } else { b'=' })
}
