//! The texts of the values of a history, each once, none longer than it may be.
//!
//! Whole numbers, which most values of large histories are, stand in a column of their own. A history
//! of reads of long lists would otherwise be as large as the square of its length, so long values are
//! shortened, the more of them the shorter.

use super::columns::Column;
use crate::history::values::{ValueId, ValueView, Values};

/// What all texts together may take, in bytes, as long as none is shortened below [`CHARS_MIN`].
const TEXT_BYTES_MAX: usize = 12 << 20;
const CHARS_MIN: usize = 24;
const CHARS_MAX: usize = 2000;

/// How a value is spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// As everywhere.
    Plain,
    /// The argument of a compare-and-set: `3→4`.
    Change,
}

/// The values that a page uses, by number from 1: first whole numbers, then texts. Nil is 0.
#[derive(Debug)]
pub(super) struct Shown<'h> {
    values: &'h Values,
    plain: Vec<u32>,
    change: Vec<u32>,
}

/// The tables that the numbers of a [`Shown`] mean.
#[derive(Debug)]
pub(super) struct Tables {
    /// Whole numbers, each as the step from the one before.
    pub(super) integers: Column,
    pub(super) texts: Vec<String>,
}

const USED: u32 = 1;

impl<'h> Shown<'h> {
    pub(super) fn new(values: &'h Values) -> Self {
        Self { values, plain: vec![0; values.len()], change: vec![0; values.len()] }
    }

    /// Notes that a value is used; numbers are given by [`Shown::tables`].
    pub(super) fn uses(&mut self, id: ValueId, spelling: Spelling) {
        self.place(id, spelling)[id.index()] = USED;
    }

    /// The number of a value that is used; 0 for nil.
    pub(super) fn number(&self, id: ValueId, spelling: Spelling) -> u64 {
        match spelling {
            _ if id == ValueId::NIL => 0,
            Spelling::Change if self.pair(id).is_some() => u64::from(self.change[id.index()]),
            Spelling::Plain | Spelling::Change => u64::from(self.plain[id.index()]),
        }
    }

    /// Gives every used value its number.
    pub(super) fn tables(&mut self) -> Tables {
        let used = |marks: &[u32]| {
            let ids = (1..self.values.len() as u32).map(ValueId);
            ids.filter(|id| marks[id.index()] == USED).collect::<Vec<ValueId>>()
        };
        let change = used(&self.change);
        let (mut integers, mut plain, mut count, mut before) = (Column::default(), Vec::new(), 0, 0);
        for id in used(&self.plain) {
            let ValueView::Int(number) = self.values.view(id) else {
                plain.push(id);
                continue;
            };
            count += 1;
            self.plain[id.index()] = count;
            integers.push_step(before as u64, number as u64);
            before = number;
        }
        let chars = (TEXT_BYTES_MAX / (plain.len() + change.len()).max(1)).clamp(CHARS_MIN, CHARS_MAX);
        let mut texts = Vec::with_capacity(plain.len() + change.len());
        for id in plain {
            texts.push(spelt(self.values, id, chars));
            self.plain[id.index()] = count + texts.len() as u32;
        }
        for id in change {
            let [from, to] = self.pair(id).unwrap_or_default();
            let half = |id| spelt(self.values, id, chars / 2);
            texts.push(format!("{}→{}", half(from), half(to)));
            self.change[id.index()] = count + texts.len() as u32;
        }
        Tables { integers, texts }
    }

    fn place(&mut self, id: ValueId, spelling: Spelling) -> &mut Vec<u32> {
        match spelling {
            Spelling::Change if self.pair(id).is_some() => &mut self.change,
            Spelling::Plain | Spelling::Change => &mut self.plain,
        }
    }

    fn pair(&self, id: ValueId) -> Option<[ValueId; 2]> {
        self.values.list_view(id).and_then(|list| <[ValueId; 2]>::try_from(list).ok())
    }
}

/// A value in at most about this many characters; what is left out of its middle is told.
pub(super) fn spelt(values: &Values, id: ValueId, chars_max: usize) -> String {
    match values.view(id) {
        ValueView::Text(text) if text.chars().nth(chars_max).is_some() => {
            let kept: String = text.chars().take(chars_max).collect();
            format!("{kept:?}… ({} bytes)", text.len())
        }
        ValueView::Nil
        | ValueView::Bool(_)
        | ValueView::Int(_)
        | ValueView::Float(_)
        | ValueView::Text(_) => values.get(id).to_string(),
        ValueView::List(ids) => spelt_list(values, ids, chars_max, ["[", "]"]),
        ValueView::Set(ids) => spelt_list(values, ids, chars_max, ["#{", "}"]),
        ValueView::Map(ids) => spelt_list(values, ids, chars_max, ["{", "}"]),
    }
}

/// The first and the last elements that fit: of a list that grows, the last ones tell most.
fn spelt_list(values: &Values, ids: &[ValueId], chars_max: usize, [open, close]: [&str; 2]) -> String {
    let half = chars_max / 2;
    let fitting = |ids: &mut dyn Iterator<Item = &ValueId>| {
        let (mut parts, mut chars) = (Vec::new(), 0);
        while chars < half
            && let Some(id) = ids.next()
        {
            // Never below a few characters, whatever holds it.
            parts.push(spelt(values, *id, (half - chars).max(4)));
            chars += parts.last().map_or(0, |part| part.chars().count() + 1);
        }
        parts
    };
    let head = fitting(&mut ids.iter());
    let mut tail = fitting(&mut ids[head.len()..].iter().rev());
    tail.reverse();
    let left_out = ids.len() - head.len() - tail.len();
    let (head, tail) = (head.join(" "), tail.join(" "));
    match (left_out, tail.is_empty()) {
        (0, true) => format!("{open}{head}{close}"),
        (0, false) => format!("{open}{head} {tail}{close}"),
        (left_out, _) => format!("{open}{head} … {tail}{close} ({left_out} more)"),
    }
}
