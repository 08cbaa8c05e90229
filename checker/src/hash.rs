//! A fast hasher for small keys that we made ourselves.
//!
//! The searches spend most of their time in hash tables of a few integers, where the standard
//! library's hasher costs more than everything else. Nobody chooses these keys to hurt us, and no
//! result depends on the order of a table.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table of small keys.
pub(crate) type Table<K, V> = HashMap<K, V, BuildHasherDefault<Mix>>;

/// A few words as one.
pub(crate) fn mix<const N: usize>(words: [u64; N]) -> u64 {
    let mut state = Mix::default();
    words.into_iter().for_each(|word| state.word(word));
    state.finish()
}

/// Multiply, rotate, fold.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mix {
    state: u64,
}

impl Mix {
    fn word(&mut self, word: u64) {
        // Odd constants of no meaning: the golden ratio, and one more against words of zero.
        let (a, b) = (self.state.rotate_left(23) ^ word, 0x9e37_79b9_7f4a_7c15);
        let product = u128::from(a ^ 0xa076_1d64_78bd_642f) * b;
        self.state = (product >> 64) as u64 ^ product as u64 ^ word.rotate_left(41);
    }
}

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        let folded = (self.state ^ (self.state >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        folded ^ (folded >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last) ^ (bytes.len() as u64).rotate_left(56));
    }

    fn write_u8(&mut self, number: u8) {
        self.word(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.word(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.word(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.word(number as u64);
    }

    fn write_i64(&mut self, number: i64) {
        self.word(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.word(number as u64);
    }
}
