//! Single values: of the right type, and within their limits. What is wrong is refused at its place,
//! and a harmless value takes its place so that reading goes on.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::de::DeValue;

use super::nearest::nearest;
use super::remark::quoted;
use super::table::{Table, Value};
use super::{Reader, amount};
use crate::schedule::limits::NAME_CHARS_MAX;
use crate::schedule::words::{Time, Words, meaning};
use crate::schedule::{Share, Span};

impl<'a> Reader<'a> {
    /// Refuses a value of the wrong type.
    fn mistyped(&mut self, value: Value<'_>, key: &str, wanted: &str) {
        let is = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.refuse_with(
            value.span(),
            format!("`{key}` can't be {is}"),
            vec![format!("it must be {wanted}")],
        );
    }

    pub(super) fn string(&mut self, value: Value<'a>, key: &str, wanted: &str) -> Option<&'a str> {
        let found = value.get_ref().as_str();
        if found.is_none() {
            self.mistyped(value, key, wanted);
        }
        found
    }

    /// Where a part of a string's content stands in the file: the string itself if it is not
    /// spelled out letter by letter.
    pub(super) fn within(&self, value: Value<'_>, part: Range<usize>) -> Range<usize> {
        let whole = value.span();
        let content = value.get_ref().as_str().unwrap_or_default();
        match self.text.get(whole.start + 1..whole.start + 1 + content.len()) {
            Some(spelled) if spelled == content => {
                whole.start + 1 + part.start..whole.start + 1 + part.end.max(part.start + 1)
            }
            _ => whole,
        }
    }

    pub(super) fn boolean(&mut self, table: &mut Table<'a>, key: &'static str, usual: bool) -> bool {
        let Some(value) = table.get(key) else { return usual };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.mistyped(value, key, "true or false");
            usual
        })
    }

    /// A whole number within limits.
    pub(super) fn integer(
        &mut self,
        table: &mut Table<'a>,
        key: &'static str,
        limits: RangeInclusive<u64>,
    ) -> Option<u64> {
        let value = table.get(key)?;
        self.integer_of(value, key, limits)
    }

    pub(super) fn integer_of(
        &mut self,
        value: Value<'a>,
        key: &str,
        limits: RangeInclusive<u64>,
    ) -> Option<u64> {
        let (min, max) = (*limits.start(), *limits.end());
        let Some(number) = value.get_ref().as_integer() else {
            self.mistyped(value, key, "a whole number");
            return None;
        };
        let number = i128::from_str_radix(number.as_str(), number.radix()).ok();
        match number.and_then(|number| u64::try_from(number).ok()) {
            Some(number) if limits.contains(&number) => Some(number),
            _ if max == u64::MAX => {
                self.refuse(value.span(), format!("`{key}` must be a whole number from {min}"));
                None
            }
            _ => {
                self.refuse(value.span(), format!("`{key}` must be from {min} to {max}"));
                None
            }
        }
    }

    /// So many a second: above zero, finite.
    pub(super) fn rate(&mut self, table: &mut Table<'a>, key: &'static str, max: f64) -> Option<f64> {
        let value = table.get(key)?;
        let number: Option<f64> = match value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse().ok(),
            DeValue::Float(number) => number.as_str().parse().ok(),
            _ => {
                self.mistyped(value, key, "a number of operations a second");
                return None;
            }
        };
        match number {
            Some(number) if number > 0.0 && number <= max => Some(number),
            _ => {
                let what = format!("`{key}` must be more than 0 and at most {max} operations a second");
                self.refuse(value.span(), what);
                None
            }
        }
    }

    /// An amount of any kind.
    fn amount<T>(&mut self, value: Value<'a>, key: &str, wanted: &str, read: Parse<T>) -> Option<T> {
        let text = self.string(value, key, wanted)?;
        read(text).map_err(|reason| self.refuse_with(value.span(), format!("`{key}`: {reason}"), vec![])).ok()
    }

    pub(super) fn share(&mut self, table: &mut Table<'a>, key: &'static str) -> Share {
        let Some(value) = table.get(key) else { return Share::default() };
        self.amount(value, key, "a share such as \"20%\" or \"10%..40%\"", amount::share).unwrap_or_default()
    }

    pub(super) fn bandwidth(&mut self, table: &mut Table<'a>) -> Option<crate::schedule::Bandwidth> {
        let value = table.get("bandwidth")?;
        self.amount(value, "bandwidth", "bytes a second, such as \"64KiB/s\"", amount::bandwidth)
    }

    /// A length of time up to a limit, or a range of them.
    pub(super) fn span(&mut self, table: &mut Table<'a>, key: &'static str, max: Duration) -> Option<Span> {
        let value = table.get(key)?;
        self.span_of(value, key, max)
    }

    pub(super) fn span_of(&mut self, value: Value<'a>, key: &str, max: Duration) -> Option<Span> {
        let wanted = "a length of time with its unit, such as \"2s\", \"500ms\" or \"1s..2s\"";
        let span = self.amount(value, key, wanted, amount::span)?;
        if span.max > max {
            self.refuse(value.span(), format!("`{key}` is at most {}", Time(max)));
            return None;
        }
        Some(span)
    }

    /// A length of time that is no range.
    pub(super) fn duration(
        &mut self,
        table: &mut Table<'a>,
        key: &'static str,
        limits: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let value = table.get(key)?;
        let wanted = "a length of time with its unit, such as \"2s\" or \"500ms\"";
        let duration = self.amount(value, key, wanted, |text| {
            if text.contains("..") || text.contains('±') || text.contains("+-") {
                return Err(format!("{} is a range, and one length of time is needed", quoted(text)));
            }
            amount::duration(text)
        })?;
        if !limits.contains(&duration) {
            let (min, max) = (Time(*limits.start()), Time(*limits.end()));
            self.refuse(value.span(), format!("`{key}` must be from {min} to {max}"));
            return None;
        }
        Some(duration)
    }

    /// One of some words.
    pub(super) fn word<T: Clone>(
        &mut self,
        table: &mut Table<'a>,
        key: &'static str,
        words: &Words<T>,
    ) -> Option<T> {
        let value = table.get(key)?;
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let word = self.string(value, key, &format!("one of: {}", names.join(", ")))?;
        let found = meaning(words, word);
        if found.is_none() {
            self.unknown_word(value.span(), &format!("`{key}`"), word, &names);
        }
        found
    }

    /// Refuses a word that is none of those that there are.
    pub(super) fn unknown_word(&mut self, span: Range<usize>, what: &str, word: &str, names: &[&str]) {
        let mut hints = Vec::new();
        if let Some(meant) = nearest(word, names.iter().copied()) {
            hints.push(format!("did you mean `{meant}`?"));
        }
        hints.push(format!("there are: {}", names.join(", ")));
        self.refuse_with(span, format!("{what} can't be {}", quoted(word)), hints);
    }

    /// A name of a phase, a fault, or the schedule: it becomes a file, a column, a word in a report.
    pub(super) fn name(
        &mut self,
        table: &mut Table<'a>,
        key: &'static str,
    ) -> Option<(&'a str, Range<usize>)> {
        let value = table.get(key)?;
        let name = self.string(value, key, "a name such as \"leader-frozen\"")?;
        if is_name(name) {
            return Some((name, value.span()));
        }
        self.refuse_with(
            value.span(),
            format!("{} is no name", quoted(name)),
            vec![format!(
                "letters, digits, and in between - _ . : + are allowed, at most {NAME_CHARS_MAX} of them"
            )],
        );
        None
    }

    /// The table that a value is.
    pub(super) fn table(&mut self, value: Value<'a>, key: &str, what: &str) -> Option<Table<'a>> {
        match value.get_ref().as_table() {
            Some(entries) => Some(Table::new(entries, value.span(), what)),
            None => {
                self.mistyped(value, key, "a table");
                None
            }
        }
    }

    /// The tables of a list.
    pub(super) fn tables(&mut self, table: &mut Table<'a>, key: &'static str, what: &str) -> Vec<Table<'a>> {
        let Some(value) = table.get(key) else { return Vec::new() };
        let Some(list) = value.get_ref().as_array() else {
            self.mistyped(value, key, &format!("a list of tables, each begun with [[{key}]]"));
            return Vec::new();
        };
        list.iter().filter_map(|entry| self.table(entry, key, what)).collect()
    }

    /// Strings: one, or a list of them.
    pub(super) fn strings(&mut self, value: Value<'a>, key: &str, wanted: &str) -> Vec<(&'a str, Value<'a>)> {
        match value.get_ref().as_array() {
            Some(list) => list
                .iter()
                .filter_map(|entry| self.string(entry, key, wanted).map(|text| (text, entry)))
                .collect(),
            None => self.string(value, key, wanted).map(|text| (text, value)).into_iter().collect(),
        }
    }
}

type Parse<T> = fn(&str) -> Result<T, String>;

/// Whether it can be a name.
pub(super) fn is_name(text: &str) -> bool {
    let ends = |c: char| c.is_ascii_alphanumeric();
    let inside = |c: char| ends(c) || "-_.:+".contains(c);
    text.len() <= NAME_CHARS_MAX && text.starts_with(ends) && text.ends_with(ends) && text.chars().all(inside)
}
