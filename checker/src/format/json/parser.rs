//! One JSON value after another, as interned values.

use std::borrow::Cow;

use crate::format::digits::{self, DIGITS_MAX};
use crate::format::error::{NESTING_MAX, found};
use crate::format::window::Stop;
use crate::history::values::{ValueId, Values};

/// From here on a 64-bit fraction is not exact.
const EXACT_MAX: f64 = (1u64 << 53) as f64;

pub(crate) struct Parser<'b> {
    pub(crate) bytes: &'b [u8],
    pub(crate) at: usize,
    /// Whether nothing comes after `bytes`.
    last: bool,
    depth: usize,
}

impl<'b> Parser<'b> {
    pub(crate) fn new(bytes: &'b [u8], last: bool) -> Self {
        Self { bytes, at: 0, last, depth: 0 }
    }

    /// The next byte that is no blank; none at the end of the file, [`Stop::More`] where more may come.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<Option<u8>, Stop> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
        match self.bytes.get(self.at) {
            Some(byte) => Ok(Some(*byte)),
            None if self.last => Ok(None),
            None => Err(Stop::More),
        }
    }

    pub(crate) fn expected(&self, at: usize, what: &str) -> Stop {
        let rest = &self.bytes[at.min(self.bytes.len())..];
        let reason = format!("expected {what}, found {}", found(rest));
        if rest.is_empty() && self.last { Stop::torn(at, reason) } else { Stop::bad(at, reason) }
    }

    /// This byte, after blanks.
    #[inline]
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), Stop> {
        if self.peek()? == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.expected(self.at, &format!("`{}`", char::from(byte))))
    }

    /// Whether a list or an object goes on; reads the comma, or what closes it. `first` says whether
    /// nothing of it was read yet.
    #[inline]
    pub(crate) fn goes_on(&mut self, close: u8, first: bool) -> Result<bool, Stop> {
        match self.peek()? {
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if !first => {
                self.at += 1;
                Ok(true)
            }
            Some(_) if first => Ok(true),
            _ => Err(self.expected(self.at, &format!("`,` or `{}`", char::from(close)))),
        }
    }

    /// A whole number of up to 18 digits with no sign but minus; none, and nothing read, if it is
    /// anything else.
    #[inline]
    pub(crate) fn plain_int(&mut self) -> Option<i64> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
        let negative = self.bytes.get(self.at) == Some(&b'-');
        let start = self.at + usize::from(negative);
        let (number, length) = digits::leading(self.bytes.get(start..)?);
        let ends =
            matches!(self.bytes.get(start + length)?, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
        let leading_zero = (length > 1 || negative) && self.bytes[start] == b'0';
        if !(1..=DIGITS_MAX).contains(&length) || !ends || leading_zero {
            return None;
        }
        self.at = start + length;
        let number = number as i64;
        Some(if negative { -number } else { number })
    }

    /// The next value.
    pub(crate) fn value(&mut self, values: &mut Values) -> Result<ValueId, Stop> {
        if let Some(number) = self.plain_int() {
            return Ok(values.int(number));
        }
        match self.peek()? {
            Some(b'[') => self.nested(|parser| {
                let (mut elements, mut first) = (Vec::new(), true);
                while parser.goes_on(b']', first)? {
                    first = false;
                    elements.push(parser.value(values)?);
                }
                Ok(values.list(&elements))
            }),
            Some(b'{') => self.nested(|parser| {
                let (mut entries, mut first) = (Vec::new(), true);
                while parser.goes_on(b'}', first)? {
                    first = false;
                    let name = parser.string()?;
                    // JSON has no other keys than text: one that reads as a whole number is one.
                    let number = name.parse().ok().filter(|number: &i64| number.to_string() == *name);
                    let key = match number {
                        Some(number) => values.int(number),
                        None => values.text(&name),
                    };
                    parser.expect(b':')?;
                    entries.push((key, parser.value(values)?));
                }
                Ok(values.map(entries))
            }),
            Some(b'"') => {
                let text = self.string()?;
                Ok(values.text(&text))
            }
            Some(b'-' | b'0'..=b'9') => self.number(values),
            _ => self.word(values),
        }
    }

    fn nested<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T, Stop>) -> Result<T, Stop> {
        if self.depth >= NESTING_MAX {
            return Err(Stop::bad(self.at, format!("nested deeper than {NESTING_MAX} levels")));
        }
        self.at += 1;
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }

    fn word(&mut self, values: &mut Values) -> Result<ValueId, Stop> {
        let start = self.at;
        let rest = &self.bytes[start..];
        let length = rest.iter().position(|byte| !byte.is_ascii_alphabetic());
        let word = match length {
            Some(length) => &rest[..length],
            None if self.last => rest,
            None => return Err(Stop::More),
        };
        let value = match word {
            b"null" => ValueId::NIL,
            b"true" => values.bool(true),
            b"false" => values.bool(false),
            _ => return Err(self.expected(start, "a value")),
        };
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self, values: &mut Values) -> Result<ValueId, Stop> {
        let start = self.at;
        let rest = &self.bytes[start..];
        let is_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let token = match rest.iter().position(|byte| !is_number(byte)) {
            Some(length) => &rest[..length],
            None if self.last => rest,
            None => return Err(Stop::More),
        };
        self.at += token.len();
        let text = std::str::from_utf8(token).unwrap_or_default();
        // The grammar of JSON's numbers is serde_json's to know; a whole number stays one.
        match serde_json::from_str::<serde_json::Number>(text) {
            Ok(number) => match (number.as_i64(), number.as_f64()) {
                (Some(number), _) => Ok(values.int(number)),
                // What is too long for a whole number comes here too, and has lost its last digits.
                (None, Some(number)) if number.fract() != 0.0 || number.abs() < EXACT_MAX => {
                    Ok(values.float(number))
                }
                _ => Err(self.expected(start, "a number of 64 bits")),
            },
            Err(_) => Err(self.expected(start, "a number of 64 bits")),
        }
    }

    /// The name of a field, as bytes: whether they are text is for whoever keeps them.
    #[inline]
    pub(crate) fn name(&mut self) -> Result<Cow<'b, [u8]>, Stop> {
        const SHORT: usize = 16;
        if self.peek()? == Some(b'"') {
            let rest = &self.bytes[self.at + 1..];
            let end = rest.iter().take(SHORT).position(|byte| matches!(byte, b'"' | b'\\'));
            if let Some(length) = end.filter(|end| rest[*end] == b'"') {
                self.at += length + 2;
                return Ok(Cow::Borrowed(&rest[..length]));
            }
        }
        Ok(match self.string()? {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })
    }

    /// A string.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Cow<'b, str>, Stop> {
        if self.peek()? != Some(b'"') {
            return Err(self.expected(self.at, "a string"));
        }
        let start = self.at + 1;
        let (mut at, mut escaped) = (start, false);
        loop {
            let Some(length) = memchr::memchr2(b'"', b'\\', &self.bytes[at..]) else {
                if self.last {
                    return Err(Stop::torn(self.bytes.len(), "the file ends inside a string"));
                }
                return Err(Stop::More);
            };
            at += length;
            if self.bytes[at] == b'"' {
                break;
            }
            escaped = true;
            at = (at + 2).min(self.bytes.len());
        }
        self.at = at + 1;
        let content = &self.bytes[start..at];
        if escaped {
            let string = serde_json::from_slice(&self.bytes[start - 1..at + 1]);
            return string
                .map(Cow::Owned)
                .map_err(|error| Stop::bad(start, format!("a bad string: {error}")));
        }
        std::str::from_utf8(content)
            .map(Cow::Borrowed)
            .map_err(|error| Stop::bad(start + error.valid_up_to(), "the text is not UTF-8"))
    }

    /// The next value as JSON, for what is only carried along.
    pub(crate) fn carried(&mut self) -> Result<serde_json::Value, Stop> {
        let raw = self.raw()?;
        let start = self.at - raw.len();
        serde_json::from_slice(raw).map_err(|error| Stop::bad(start, error.to_string()))
    }

    /// The bytes of the next value, as they stand. Only its brackets and strings are looked at.
    pub(crate) fn raw(&mut self) -> Result<&'b [u8], Stop> {
        self.peek()?;
        let (start, mut depth) = (self.at, 0usize);
        loop {
            match self.peek()? {
                None => return Err(Stop::torn(self.at, "the file ends inside a value")),
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'[' | b'{') => {
                    depth += 1;
                    self.at += 1;
                }
                Some(b']' | b'}') if depth == 0 => return Err(self.expected(self.at, "a value")),
                Some(b']' | b'}') => {
                    depth -= 1;
                    self.at += 1;
                }
                Some(b',' | b':') if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                Some(_) => {
                    let rest = &self.bytes[self.at..];
                    let ends = |byte: &u8| {
                        matches!(byte, b',' | b':' | b']' | b'}' | b'"') || byte.is_ascii_whitespace()
                    };
                    match rest.iter().position(ends) {
                        Some(0) => return Err(self.expected(self.at, "a value")),
                        Some(length) => self.at += length,
                        None if self.last => self.at = self.bytes.len(),
                        None => return Err(Stop::More),
                    }
                }
            }
            if depth == 0 {
                return Ok(&self.bytes[start..self.at]);
            }
        }
    }
}
