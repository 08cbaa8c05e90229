//! One EDN form after another, as interned values.
//!
//! All that Clojure's printer writes into histories is read: commas as blanks, `;` comments, `#_` discards,
//! tagged literals (the tag is dropped), namespaced maps, metadata (dropped), characters, ratios, big
//! and decimal numbers. Keywords, symbols and characters become text; a list and a vector are the same.
//! Numbers are equal when Clojure's `=` says so: `1N` is `1`, `2/4` is `1/2`. What 64 bits can't hold
//! becomes text with its digits in one spelling, so that equal numbers stay equal.

use super::number;
use crate::format::digits::{self, DIGITS_MAX};
use crate::format::error::{NESTING_MAX, found};
use crate::format::window::Stop;
use crate::history::values::{ValueId, Values};

pub(crate) struct Parser<'b> {
    pub(crate) bytes: &'b [u8],
    pub(crate) at: usize,
    /// Whether nothing comes after `bytes`.
    pub(crate) last: bool,
    depth: usize,
    /// Room for the elements of the next list: most lists are short, and none is in another.
    spare: Vec<ValueId>,
}

/// What ends a token.
const fn is_end(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'"' | b';')
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b',' | b'\n' | b'\r' | b'\t' | 0x0b | 0x0c | 0x1c..=0x1f)
}

const ENDS: [bool; 256] = table(true);
const BLANKS: [bool; 256] = table(false);

const fn table(ends: bool) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = if ends { is_end(byte as u8) } else { is_blank(byte as u8) };
        byte += 1;
    }
    table
}

impl<'b> Parser<'b> {
    pub(crate) fn new(bytes: &'b [u8], last: bool) -> Self {
        Self { bytes, at: 0, last, depth: 0, spare: Vec::new() }
    }

    /// The next byte; [`Stop::More`] where more may come.
    pub(crate) fn peek(&self) -> Result<Option<u8>, Stop> {
        match self.bytes.get(self.at) {
            Some(byte) => Ok(Some(*byte)),
            None if self.last => Ok(None),
            None => Err(Stop::More),
        }
    }

    /// The next byte of something that can't end here.
    fn peek_inside(&self, what: &str) -> Result<u8, Stop> {
        self.bytes.get(self.at).copied().ok_or_else(|| self.ends_inside(what))
    }

    /// That the bytes end inside something.
    fn ends_inside(&self, what: &str) -> Stop {
        match self.last {
            true => Stop::torn(self.bytes.len(), format!("the file ends inside {what}")),
            false => Stop::More,
        }
    }

    /// An error at a place, with what was found there.
    pub(crate) fn expected(&self, at: usize, what: &str) -> Stop {
        let rest = &self.bytes[at.min(self.bytes.len())..];
        let reason = format!("expected {what}, found {}", found(rest));
        if rest.is_empty() && self.last { Stop::torn(at, reason) } else { Stop::bad(at, reason) }
    }

    /// Skips blanks, commas, comments and discarded forms.
    #[inline]
    pub(crate) fn blanks(&mut self) -> Result<(), Stop> {
        loop {
            let Some(&byte) = self.bytes.get(self.at) else {
                return if self.last { Ok(()) } else { Err(Stop::More) };
            };
            if BLANKS[usize::from(byte)] {
                self.at += 1;
            } else if byte == b';' || byte == b'#' {
                if !self.comment(byte)? {
                    return Ok(());
                }
            } else {
                return Ok(());
            }
        }
    }

    /// Skips a comment or a discarded form; whether there was one.
    #[cold]
    fn comment(&mut self, byte: u8) -> Result<bool, Stop> {
        if byte == b';' {
            match memchr::memchr(b'\n', &self.bytes[self.at..]) {
                Some(length) => self.at += length + 1,
                None if self.last => self.at = self.bytes.len(),
                None => return Err(Stop::More),
            }
            return Ok(true);
        }
        let start = self.at;
        self.at += 1;
        if self.peek()? != Some(b'_') {
            self.at = start;
            return Ok(false);
        }
        self.at += 1;
        self.nested(|parser| parser.value(&mut Values::default()))?;
        Ok(true)
    }

    /// Reads these bytes and what ends a token after them, if they stand here; the end is left.
    #[inline]
    pub(crate) fn takes<const N: usize>(&mut self, token: &[u8; N]) -> bool {
        let rest = &self.bytes[self.at..];
        let here =
            rest.first_chunk() == Some(token) && rest.get(N).is_some_and(|end| ENDS[usize::from(*end)]);
        self.at += if here { N } else { 0 };
        here
    }

    /// A token from here to where it ends.
    #[inline]
    pub(crate) fn token(&mut self) -> Result<&'b [u8], Stop> {
        let start = self.at;
        let rest = &self.bytes[start..];
        match rest.iter().position(|byte| ENDS[usize::from(*byte)]) {
            Some(length) => {
                self.at += length;
                Ok(&rest[..length])
            }
            None if self.last => {
                self.at = self.bytes.len();
                Ok(rest)
            }
            None => Err(Stop::More),
        }
    }

    /// A whole number of up to 18 digits that ends where a token ends; none, and nothing read, if it is
    /// anything else.
    #[inline]
    pub(crate) fn plain_int(&mut self) -> Option<i64> {
        let negative = self.bytes.get(self.at) == Some(&b'-');
        let start = self.at + usize::from(negative);
        let (number, length) = digits::leading(self.bytes.get(start..)?);
        let ends = self.bytes.get(start + length).map_or(self.last, |end| ENDS[usize::from(*end)]);
        let leading_zero = length > 1 && self.bytes[start] == b'0';
        if !(1..=DIGITS_MAX).contains(&length) || !ends || leading_zero {
            return None;
        }
        self.at = start + length;
        let number = number as i64;
        Some(if negative { -number } else { number })
    }

    /// The next form. Blanks before it are skipped.
    pub(crate) fn value(&mut self, values: &mut Values) -> Result<ValueId, Stop> {
        self.blanks()?;
        if let Some(number) = self.plain_int() {
            return Ok(values.int(number));
        }
        let start = self.at;
        match self.peek()? {
            None => Err(self.expected(start, "a value")),
            Some(b'[') => self.list(values, b']', "a vector"),
            Some(b'(') => self.list(values, b')', "a list"),
            Some(b'{') => self.map(values, None),
            Some(b'"') => Ok(values.text(&self.string()?)),
            Some(b'\\') => self.character(values),
            Some(b'#') => self.dispatch(values),
            Some(b'\'' | b'`' | b'@' | b'~') => {
                self.at += 1;
                self.nested(|parser| parser.value(values))
            }
            Some(b'^') => {
                self.at += 1;
                self.nested(|parser| parser.value(&mut Values::default()))?;
                self.nested(|parser| parser.value(values))
            }
            Some(b')' | b']' | b'}') => Err(self.expected(start, "a value")),
            Some(_) => self.atom(values),
        }
    }

    /// The bytes of the next form, as they stand.
    pub(crate) fn raw(&mut self) -> Result<&'b [u8], Stop> {
        self.blanks()?;
        let start = self.at;
        self.value(&mut Values::default())?;
        Ok(&self.bytes[start..self.at])
    }

    fn nested<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T, Stop>) -> Result<T, Stop> {
        if self.depth >= NESTING_MAX {
            return Err(Stop::bad(self.at, format!("nested deeper than {NESTING_MAX} levels")));
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }

    fn elements(&mut self, values: &mut Values, close: u8, what: &str) -> Result<Vec<ValueId>, Stop> {
        self.at += 1;
        let mut elements = std::mem::take(&mut self.spare);
        elements.clear();
        self.nested(|parser| {
            loop {
                parser.blanks()?;
                let byte = parser.peek_inside(what)?;
                if byte == close {
                    parser.at += 1;
                    return Ok(elements);
                }
                if matches!(byte, b')' | b']' | b'}') {
                    let wanted = format!("a value or `{}` of {what}", char::from(close));
                    return Err(parser.expected(parser.at, &wanted));
                }
                elements.push(parser.value(values)?);
            }
        })
    }

    fn list(&mut self, values: &mut Values, close: u8, what: &str) -> Result<ValueId, Stop> {
        let elements = self.elements(values, close, what)?;
        let list = values.list(&elements);
        self.spare = elements;
        Ok(list)
    }

    /// A map; keyword keys without a namespace get this one.
    fn map(&mut self, values: &mut Values, namespace: Option<&str>) -> Result<ValueId, Stop> {
        let start = self.at;
        self.at += 1;
        self.nested(|parser| {
            let mut entries = Vec::new();
            loop {
                parser.blanks()?;
                if parser.peek_inside("a map")? == b'}' {
                    parser.at += 1;
                    return Ok(values.map(entries));
                }
                let key = match namespace {
                    Some(namespace) if parser.peek()? == Some(b':') => {
                        let name = parser.keyword()?;
                        values.text(&qualified(namespace, name))
                    }
                    _ => parser.value(values)?,
                };
                parser.blanks()?;
                if parser.peek_inside("a map")? == b'}' {
                    return Err(Stop::bad(start, "a map with a key that has no value"));
                }
                entries.push((key, parser.value(values)?));
            }
        })
    }

    /// The name of a keyword, its colons left out.
    pub(crate) fn keyword(&mut self) -> Result<&'b str, Stop> {
        let start = self.at;
        let token = self.token()?;
        let name = token.strip_prefix(b"::").or_else(|| token.strip_prefix(b":")).unwrap_or(token);
        if name.is_empty() {
            return Err(self.expected(start, "a keyword"));
        }
        self.utf8(name, start)
    }

    fn utf8(&self, bytes: &'b [u8], start: usize) -> Result<&'b str, Stop> {
        std::str::from_utf8(bytes)
            .map_err(|error| Stop::bad(start + error.valid_up_to(), "the text is not UTF-8"))
    }

    /// The content of a string.
    pub(crate) fn string(&mut self) -> Result<std::borrow::Cow<'b, str>, Stop> {
        let start = self.at + 1;
        let (mut at, mut escaped) = (start, false);
        loop {
            let Some(length) = memchr::memchr2(b'"', b'\\', &self.bytes[at..]) else {
                return Err(self.ends_inside("a string"));
            };
            at += length;
            if self.bytes[at] == b'"' {
                break;
            }
            escaped = true;
            at = (at + 2).min(self.bytes.len());
        }
        self.at = at + 1;
        let content = self.utf8(&self.bytes[start..at], start)?;
        match escaped {
            false => Ok(content.into()),
            true => unescaped(content, start).map(Into::into),
        }
    }

    fn character(&mut self, values: &mut Values) -> Result<ValueId, Stop> {
        let start = self.at;
        self.at += 1;
        self.peek_inside("a character")?;
        // The first byte belongs to it whatever it is: `\(`, `\ `.
        self.at += 1;
        let token = self.token()?;
        let name = self.utf8(&self.bytes[start + 1..start + 1 + 1 + token.len()], start + 1)?;
        let hexadecimal = |digits: &str| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
        let character = match name {
            "newline" => Some('\n'),
            "space" => Some(' '),
            "tab" => Some('\t'),
            "return" => Some('\r'),
            "backspace" => Some('\u{8}'),
            "formfeed" => Some('\u{c}'),
            _ if name.chars().count() == 1 => name.chars().next(),
            _ if name.len() == 5 && name.starts_with('u') => hexadecimal(&name[1..]),
            _ if name.starts_with('o') => u32::from_str_radix(&name[1..], 8).ok().and_then(char::from_u32),
            _ => None,
        };
        let character = character.ok_or_else(|| self.expected(start, "a character"))?;
        Ok(values.text(character.encode_utf8(&mut [0; 4])))
    }

    /// What begins with `#`, but for a discard.
    fn dispatch(&mut self, values: &mut Values) -> Result<ValueId, Stop> {
        let start = self.at;
        self.at += 1;
        match self.peek_inside("a form that begins with #")? {
            b'{' => {
                let elements = self.elements(values, b'}', "a set")?;
                Ok(values.set(elements))
            }
            b'"' => Ok(values.text(&self.string()?)),
            b'\'' => {
                self.at += 1;
                self.nested(|parser| parser.value(values))
            }
            b'#' => {
                self.at += 1;
                match self.token()? {
                    b"Inf" => Ok(values.float(f64::INFINITY)),
                    b"-Inf" => Ok(values.float(f64::NEG_INFINITY)),
                    b"NaN" => Ok(values.float(f64::NAN)),
                    _ => Err(self.expected(start, "##Inf, ##-Inf or ##NaN")),
                }
            }
            b':' => {
                let namespace = self.keyword()?;
                self.blanks()?;
                if self.peek_inside("a namespaced map")? != b'{' {
                    return Err(self.expected(self.at, "the map of a namespaced map"));
                }
                self.map(values, Some(namespace))
            }
            b'<' => self.unreadable(values),
            b'(' | b'[' | b'=' | b'^' | b'?' => Err(self.expected(start, "a value")),
            _ => {
                self.tag(start)?;
                self.nested(|parser| parser.value(values))
            }
        }
    }

    /// The tag of a tagged literal, after its `#`.
    pub(crate) fn tag(&mut self, start: usize) -> Result<&'b [u8], Stop> {
        let token = self.token()?;
        if token.first().is_some_and(|byte| byte.is_ascii_alphabetic()) {
            Ok(token)
        } else {
            Err(self.expected(start, "a value"))
        }
    }

    /// `#<Object java.lang.Object@1f>`, what older Clojure writes for what it can't.
    fn unreadable(&mut self, values: &mut Values) -> Result<ValueId, Stop> {
        let start = self.at - 1;
        let mut open = 0;
        loop {
            match self.peek_inside("an unreadable object")? {
                b'<' => open += 1,
                b'>' => open -= 1,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return Ok(values.text(self.utf8(&self.bytes[start..self.at], start)?));
            }
        }
    }

    fn atom(&mut self, values: &mut Values) -> Result<ValueId, Stop> {
        let start = self.at;
        if self.bytes[start] == b':' {
            return Ok(values.text(self.keyword()?));
        }
        let token = self.token()?;
        match token {
            b"nil" => return Ok(ValueId::NIL),
            b"true" => return Ok(values.bool(true)),
            b"false" => return Ok(values.bool(false)),
            _ => {}
        }
        let digits = token.strip_prefix(b"-").or_else(|| token.strip_prefix(b"+")).unwrap_or(token);
        let text = self.utf8(token, start)?;
        match digits.first() {
            Some(b'0'..=b'9') => number::parse(text, values).ok_or_else(|| self.expected(start, "a number")),
            Some(_) => Ok(values.text(text)),
            None if token.is_empty() => Err(self.expected(start, "a value")),
            None => Ok(values.text(text)),
        }
    }
}

/// A keyword's name in a namespaced map: `_/a` stands for one without a namespace.
fn qualified(namespace: &str, name: &str) -> String {
    match name.strip_prefix("_/") {
        Some(plain) => plain.to_owned(),
        None if name.contains('/') => name.to_owned(),
        None => format!("{namespace}/{name}"),
    }
}

fn unescaped(content: &str, start: usize) -> Result<String, Stop> {
    let mut text = String::with_capacity(content.len());
    let mut rest = content;
    while let Some(place) = rest.find('\\') {
        let bad = |what: &str| {
            let at = start + content.len() - rest.len() + place;
            Stop::bad(at, format!("expected {what}, found {}", found(&rest.as_bytes()[place..])))
        };
        text.push_str(&rest[..place]);
        let escape = &rest[place + 1..];
        let (character, length) = match escape.as_bytes().first() {
            Some(b'n') => ('\n', 1),
            Some(b't') => ('\t', 1),
            Some(b'r') => ('\r', 1),
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'"') => ('"', 1),
            Some(b'\\') => ('\\', 1),
            Some(b'/') => ('/', 1),
            Some(b'u') => unicode(escape).ok_or_else(|| bad("four hexadecimal digits"))?,
            Some(b'0'..=b'7') => octal(escape).ok_or_else(|| bad("an octal escape"))?,
            _ => return Err(bad("an escape")),
        };
        text.push(character);
        rest = &escape[length..];
    }
    text.push_str(rest);
    Ok(text)
}

/// `u` with four digits, or two of them for one character beyond the first 65,536; and its length.
pub(crate) fn unicode(escape: &str) -> Option<(char, usize)> {
    let unit = |escape: &str| u32::from_str_radix(escape.get(1..5)?, 16).ok();
    let high = unit(escape)?;
    if let Some(character) = char::from_u32(high) {
        return Some((character, 5));
    }
    let low = escape.get(5..)?.strip_prefix('\\').filter(|rest| rest.starts_with('u')).and_then(unit);
    let pair = low.filter(|low| (0xdc00..0xe000).contains(low) && high < 0xdc00);
    match pair {
        Some(low) => Some((char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))?, 11)),
        // Half a character: the JVM writes such things, and nothing else has a place for them.
        None => Some((char::REPLACEMENT_CHARACTER, 5)),
    }
}

fn octal(escape: &str) -> Option<(char, usize)> {
    let length = escape.bytes().take(3).take_while(|digit| (b'0'..=b'7').contains(digit)).count();
    let code = u32::from_str_radix(&escape[..length], 8).ok()?;
    Some((char::from_u32(code)?, length))
}
