//! What a reader says about a place in a file: where, what is wrong, what was meant.

use std::fmt::{self, Display, Formatter};
use std::ops::Range;

/// How many characters of what a file says are repeated in a sentence about it.
const QUOTED_CHARS_MAX: usize = 60;
/// How many characters of a line are shown around a place.
const SHOWN_CHARS_MAX: usize = 100;

/// A place in a file, and what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The name of the file, as it was given.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What was meant, what there is, what to do instead.
    pub hints: Vec<String>,
    /// The line, or the part of it that matters; nothing in it steers a terminal.
    shown: String,
    /// Where in what is shown the place begins, and how many characters it has.
    marked: (usize, usize),
}

impl Remark {
    pub(super) fn new(
        file: &str,
        text: &str,
        span: &Range<usize>,
        what: String,
        hints: Vec<String>,
    ) -> Remark {
        let start = floor(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let column = text[line_start..start].chars().count();
        let end = floor(text, span.end.clamp(start, line_end));
        let width = text[start..end].trim_end().chars().count().max(1);
        let line: Vec<char> = text[line_start..line_end].trim_end().chars().collect();
        let from = if line.len() > SHOWN_CHARS_MAX { column.saturating_sub(SHOWN_CHARS_MAX / 2) } else { 0 };
        let to = line.len().min(from + SHOWN_CHARS_MAX);
        let shown: String = line[from.min(to)..to].iter().copied().map(harmless).collect();
        let width = width.min((to + 1).saturating_sub(column).max(1));
        Remark {
            file: file.to_owned(),
            line: text[..line_start].matches('\n').count() + 1,
            column: column + 1,
            what,
            hints,
            shown,
            marked: (column - from.min(column), width),
        }
    }
}

/// The nearest boundary between characters that is not after this byte.
fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// What may be shown as it is: tabs would shift what stands below, the others steer terminals.
fn harmless(character: char) -> char {
    match character {
        '\t' => ' ',
        other if other.is_control() => '\u{fffd}',
        other => other,
    }
}

/// A word of the file, in a sentence: shortened, and nothing in it steers a terminal.
pub(super) fn quoted(word: &str) -> String {
    let mut shown: String = word.chars().take(QUOTED_CHARS_MAX).map(harmless).collect();
    if word.chars().nth(QUOTED_CHARS_MAX).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

impl Display for Remark {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (before, width) = self.marked;
        writeln!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.what)?;
        writeln!(f, "{:>5} | {}", self.line, self.shown)?;
        write!(f, "      | {}{}", " ".repeat(before), "^".repeat(width))?;
        let mut hints = self.hints.iter();
        hints.next().iter().try_for_each(|hint| write!(f, " {hint}"))?;
        writeln!(f)?;
        hints.try_for_each(|hint| writeln!(f, "      = {hint}"))
    }
}

/// Why a file is no schedule: everything that is wrong with it, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusals {
    /// Never empty.
    pub remarks: Vec<Remark>,
}

impl Display for Refusals {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.remarks.iter().enumerate().try_for_each(|(at, remark)| {
            if at > 0 {
                writeln!(f)?;
            }
            remark.fmt(f)
        })
    }
}

impl std::error::Error for Refusals {}
