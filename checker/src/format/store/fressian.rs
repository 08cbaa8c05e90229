//! Fressian, the binary form of Clojure's values, as Jepsen's store uses it.
//!
//! Codes and their meaning are those of the public reader (`org.fressian.impl.Codes`). Values that a
//! writer caches are shared here too, so that a small file stays small in memory.

use std::rc::Rc;

use crate::format::error::NESTING_MAX;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Fressian {
    Nil,
    Bool(bool),
    Int(i64),
    /// A whole number beyond 64 bits, or a ratio, as EDN spells it.
    Big(Rc<str>),
    Float(f64),
    /// A string, keyword (without its colon), symbol or character.
    Text(Rc<str>),
    List(Rc<[Fressian]>),
    Set(Rc<[Fressian]>),
    /// Keys and values in turn.
    Map(Rc<[Fressian]>),
    /// A reference to another block of the store.
    Block(u32),
    /// `jepsen.history.Op`: index, time, type, process, f, value and the rest.
    Op(Rc<[Fressian]>),
}

/// Where and why bytes are no Fressian.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) reason: String,
}

pub(super) struct Reader<'b> {
    bytes: &'b [u8],
    pub(super) at: usize,
    cached: Vec<Fressian>,
    structs: Vec<(Rc<str>, usize)>,
    depth: usize,
}

mod code {
    pub(super) const MAP: u8 = 0xc0;
    pub(super) const SET: u8 = 0xc1;
    pub(super) const UUID: u8 = 0xc3;
    pub(super) const REGEX: u8 = 0xc4;
    pub(super) const URI: u8 = 0xc5;
    pub(super) const BIG_INT: u8 = 0xc6;
    pub(super) const BIG_DECIMAL: u8 = 0xc7;
    pub(super) const INSTANT: u8 = 0xc8;
    pub(super) const SYMBOL: u8 = 0xc9;
    pub(super) const KEYWORD: u8 = 0xca;
    pub(super) const GET_CACHED: u8 = 0xcc;
    pub(super) const PUT_CACHED: u8 = 0xcd;
    pub(super) const FOOTER: u8 = 0xcf;
    pub(super) const BYTES_CHUNK: u8 = 0xd8;
    pub(super) const BYTES: u8 = 0xd9;
    pub(super) const STRING_CHUNK: u8 = 0xe2;
    pub(super) const STRING: u8 = 0xe3;
    pub(super) const LIST: u8 = 0xec;
    pub(super) const BEGIN_CLOSED_LIST: u8 = 0xed;
    pub(super) const BEGIN_OPEN_LIST: u8 = 0xee;
    pub(super) const STRUCT_TYPE: u8 = 0xef;
    pub(super) const STRUCT: u8 = 0xf0;
    pub(super) const TRUE: u8 = 0xf5;
    pub(super) const FALSE: u8 = 0xf6;
    pub(super) const NULL: u8 = 0xf7;
    pub(super) const INT: u8 = 0xf8;
    pub(super) const FLOAT: u8 = 0xf9;
    pub(super) const DOUBLE: u8 = 0xfa;
    pub(super) const DOUBLE_0: u8 = 0xfb;
    pub(super) const DOUBLE_1: u8 = 0xfc;
    pub(super) const END_COLLECTION: u8 = 0xfd;
    pub(super) const RESET_CACHES: u8 = 0xfe;
}

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0, cached: Vec::new(), structs: Vec::new(), depth: 0 }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn wrong<T>(&self, reason: impl Into<String>) -> Result<T, Wrong> {
        Err(Wrong { at: self.at, reason: reason.into() })
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8], Wrong> {
        match self.bytes.get(self.at..).and_then(|rest| rest.get(..length)) {
            Some(taken) => {
                self.at += length;
                Ok(taken)
            }
            None => self.wrong("the block ends inside a value"),
        }
    }

    fn code(&mut self) -> Result<u8, Wrong> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned number of so many bytes, the highest first.
    fn raw(&mut self, bytes: usize) -> Result<i64, Wrong> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | i64::from(*byte)))
    }

    /// The next value.
    pub(super) fn value(&mut self) -> Result<Fressian, Wrong> {
        if self.depth >= NESTING_MAX {
            return self.wrong(format!("nested deeper than {NESTING_MAX} levels"));
        }
        self.depth += 1;
        let code = self.code()?;
        let value = self.value_of(code);
        self.depth -= 1;
        value
    }

    fn value_of(&mut self, code: u8) -> Result<Fressian, Wrong> {
        Ok(match code {
            0x00..=0x7f | 0xff | code::INT => Fressian::Int(self.packed_int(code)?),
            0x80..=0x9f => self.cached_at(usize::from(code - 0x80))?,
            0xa0..=0xaf => self.structure(usize::from(code - 0xa0))?,
            0xb0..=0xb5 => {
                let length = self.count()?;
                self.list(length)?
            }
            code::MAP => Fressian::Map(self.elements("a map")?),
            code::SET => Fressian::Set(self.elements("a set")?),
            code::UUID | code::REGEX | code::URI | code::INSTANT => self.value()?,
            code::BIG_INT => self.big_int()?,
            code::BIG_DECIMAL => self.big_decimal()?,
            code::SYMBOL | code::KEYWORD => self.name()?,
            code::GET_CACHED => {
                let place = self.count()?;
                self.cached_at(place)?
            }
            code::PUT_CACHED => {
                let place = self.cached.len();
                self.cached.push(Fressian::Nil);
                let value = self.value()?;
                self.cached[place] = value.clone();
                value
            }
            code::FOOTER => {
                self.take(11)?;
                self.reset();
                self.value()?
            }
            0xd0..=0xd7 => self.binary(usize::from(code - 0xd0))?,
            code::BYTES => {
                let length = self.count()?;
                self.binary(length)?
            }
            code::BYTES_CHUNK | 0xda..=0xe3 => self.text(code)?,
            0xe4..=0xeb => self.list(usize::from(code - 0xe4))?,
            code::LIST => {
                let length = self.count()?;
                self.list(length)?
            }
            code::BEGIN_CLOSED_LIST | code::BEGIN_OPEN_LIST => self.unbounded_list(code)?,
            code::STRUCT_TYPE => {
                let tag = match self.value()? {
                    Fressian::Text(tag) => tag,
                    _ => return self.wrong("expected the tag of a structure"),
                };
                let fields = self.count()?;
                self.structs.push((tag, fields));
                self.structure(self.structs.len() - 1)?
            }
            code::STRUCT => {
                let place = self.count()?;
                self.structure(place)?
            }
            code::TRUE => Fressian::Bool(true),
            code::FALSE => Fressian::Bool(false),
            code::NULL => Fressian::Nil,
            code::FLOAT => Fressian::Float(f64::from(f32::from_bits(self.raw(4)? as u32))),
            code::DOUBLE => Fressian::Float(f64::from_bits(self.raw(8)? as u64)),
            code::DOUBLE_0 => Fressian::Float(0.0),
            code::DOUBLE_1 => Fressian::Float(1.0),
            code::RESET_CACHES => {
                self.reset();
                self.value()?
            }
            _ => return self.wrong(format!("{code:#04x} is no code of Fressian")),
        })
    }

    fn reset(&mut self) {
        self.cached.clear();
        self.structs.clear();
    }

    /// The first byte of a number says how many follow, and holds its highest bits.
    fn packed_int(&mut self, code: u8) -> Result<i64, Wrong> {
        let high = i64::from(code);
        Ok(match code {
            0xff => -1,
            0x00..=0x3f => high,
            0x40..=0x5f => (high - 0x50) << 8 | self.raw(1)?,
            0x60..=0x6f => (high - 0x68) << 16 | self.raw(2)?,
            0x70..=0x73 => (high - 0x72) << 24 | self.raw(3)?,
            0x74..=0x77 => (high - 0x76) << 32 | self.raw(4)?,
            0x78..=0x7b => (high - 0x7a) << 40 | self.raw(5)?,
            0x7c..=0x7f => (high - 0x7e) << 48 | self.raw(6)?,
            _ => self.raw(8)?,
        })
    }

    /// A number of things, never more than there are bytes.
    fn count(&mut self) -> Result<usize, Wrong> {
        match self.value()? {
            Fressian::Int(number @ 0..=0x7fff_ffff) => Ok(number as usize),
            _ => self.wrong("expected a count"),
        }
    }

    fn cached_at(&self, place: usize) -> Result<Fressian, Wrong> {
        match self.cached.get(place) {
            Some(value) => Ok(value.clone()),
            None => self.wrong(format!("value {place} of the cache is not there")),
        }
    }

    fn list(&mut self, length: usize) -> Result<Fressian, Wrong> {
        if length > self.bytes.len() - self.at {
            return self.wrong("a list that is longer than its block");
        }
        let elements: Result<Rc<[_]>, _> = (0..length).map(|_| self.value()).collect();
        elements.map(Fressian::List)
    }

    fn unbounded_list(&mut self, code: u8) -> Result<Fressian, Wrong> {
        let mut elements = Vec::new();
        loop {
            match self.bytes.get(self.at) {
                Some(&code::END_COLLECTION) => {
                    self.at += 1;
                    break;
                }
                None if code == code::BEGIN_OPEN_LIST => break,
                _ => elements.push(self.value()?),
            }
        }
        Ok(Fressian::List(elements.into()))
    }

    /// The list that a map or a set is written as.
    fn elements(&mut self, what: &str) -> Result<Rc<[Fressian]>, Wrong> {
        match self.value()? {
            Fressian::List(elements) => Ok(elements),
            Fressian::Nil => Ok(Rc::new([])),
            _ => self.wrong(format!("expected the elements of {what}")),
        }
    }

    /// Namespace and name.
    fn name(&mut self) -> Result<Fressian, Wrong> {
        match (self.value()?, self.value()?) {
            (Fressian::Nil, Fressian::Text(name)) => Ok(Fressian::Text(name)),
            (Fressian::Text(namespace), Fressian::Text(name)) => {
                Ok(Fressian::Text(format!("{namespace}/{name}").into()))
            }
            _ => self.wrong("expected the name of a keyword or symbol"),
        }
    }

    /// Bytes: nothing that a history's values are made of, so only told apart.
    fn binary(&mut self, length: usize) -> Result<Fressian, Wrong> {
        let hexadecimal: String = self.take(length)?.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Fressian::Text(hexadecimal.into()))
    }

    /// A string or bytes, in one piece or in chunks.
    fn text(&mut self, first: u8) -> Result<Fressian, Wrong> {
        let (mut code, mut text) = (first, Vec::new());
        loop {
            let length = match code {
                0xda..=0xe1 => usize::from(code - 0xda),
                code::STRING | code::STRING_CHUNK | code::BYTES | code::BYTES_CHUNK => self.count()?,
                _ => return self.wrong("expected the next chunk of a string"),
            };
            text.extend_from_slice(self.take(length)?);
            if !matches!(code, code::STRING_CHUNK | code::BYTES_CHUNK) {
                return Ok(Fressian::Text(java_text(&text).into()));
            }
            code = self.code()?;
        }
    }

    fn big_int(&mut self) -> Result<Fressian, Wrong> {
        let bytes = self.value()?;
        match whole_number(&bytes) {
            Some(number) => Ok(number),
            None => self.wrong("expected the bytes of a whole number"),
        }
    }

    fn big_decimal(&mut self) -> Result<Fressian, Wrong> {
        match (self.big_int()?, self.value()?) {
            (Fressian::Int(unscaled), Fressian::Int(scale)) => Ok(decimal(&unscaled.to_string(), scale)),
            (Fressian::Big(unscaled), Fressian::Int(scale)) => Ok(decimal(&unscaled, scale)),
            _ => self.wrong("expected a decimal number"),
        }
    }

    fn structure(&mut self, place: usize) -> Result<Fressian, Wrong> {
        let Some((tag, fields)) = self.structs.get(place).cloned() else {
            return self.wrong(format!("structure {place} is not there"));
        };
        let Fressian::List(values) = self.list(fields)? else { return self.wrong("expected a structure") };
        match (&*tag, &*values) {
            ("jepsen.history.Op", [_, _, _, _, _, _, _]) => Ok(Fressian::Op(values)),
            ("block-ref", [Fressian::Int(block)]) => match u32::try_from(*block) {
                Ok(block) => Ok(Fressian::Block(block)),
                Err(_) => self.wrong("expected the number of a block"),
            },
            ("persistent-hash-set" | "persistent-sorted-set" | "set", [Fressian::List(elements)]) => {
                Ok(Fressian::Set(elements.clone()))
            }
            ("persistent-hash-set" | "persistent-sorted-set" | "set", [Fressian::Nil]) => {
                Ok(Fressian::Set(Rc::new([])))
            }
            ("map", [Fressian::List(elements)]) => Ok(Fressian::Map(elements.clone())),
            ("ratio", [above, below]) => match (above, below) {
                (Fressian::Int(above), Fressian::Int(below)) => {
                    Ok(Fressian::Big(format!("{above}/{below}").into()))
                }
                _ => Ok(Fressian::List(values)),
            },
            ("char", [Fressian::Int(code)]) => match u32::try_from(*code).ok().and_then(char::from_u32) {
                Some(character) => Ok(Fressian::Text(character.to_string().into())),
                None => self.wrong("expected a character"),
            },
            // Everything else stands for what it holds, as a tagged literal does in EDN.
            (_, [inner]) => Ok(inner.clone()),
            ("record", [_, inner]) => Ok(inner.clone()),
            _ => Ok(Fressian::List(values)),
        }
    }
}

/// Big-endian two's complement, as a number that the writer put into bytes.
fn whole_number(bytes: &Fressian) -> Option<Fressian> {
    let Fressian::Text(hexadecimal) = bytes else { return None };
    let first = u8::from_str_radix(hexadecimal.get(..2)?, 16).ok()?;
    if hexadecimal.len() <= 32 {
        let number = u128::from_str_radix(hexadecimal, 16).ok()?;
        let bits = 4 * hexadecimal.len() as u32;
        let number = if first >= 0x80 && bits < 128 { number | u128::MAX << bits } else { number } as i128;
        return Some(match i64::try_from(number) {
            Ok(number) => Fressian::Int(number),
            Err(_) => Fressian::Big(number.to_string().into()),
        });
    }
    // Beyond 128 bits a number is only told from others.
    Some(Fressian::Text(hexadecimal.clone()))
}

/// A whole number over ten to the power of `scale`, as EDN spells it.
fn decimal(unscaled: &str, scale: i64) -> Fressian {
    const SCALE_MAX: i64 = 1000;
    let (sign, digits) = unscaled.strip_prefix('-').map_or(("", unscaled), |digits| ("-", digits));
    Fressian::Big(match scale {
        0 => format!("{unscaled}M").into(),
        1..=SCALE_MAX => {
            let digits = format!("{digits:0>width$}", width = scale as usize + 1);
            let (above, below) = digits.split_at(digits.len() - scale as usize);
            format!("{sign}{above}.{below}M").into()
        }
        _ => format!("{unscaled}e{}M", scale.saturating_neg()).into(),
    })
}

/// Text as Java writes it: characters beyond the first 65,536 as two halves of three bytes each.
fn java_text(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut units = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&first) = bytes.get(at) {
        let next = |ahead: usize| u16::from(bytes.get(at + ahead).copied().unwrap_or_default() & 0x3f);
        let (unit, length) = match first >> 4 {
            0..=7 => (u16::from(first), 1),
            12 | 13 => (u16::from(first & 0x1f) << 6 | next(1), 2),
            14 => (u16::from(first & 0x0f) << 12 | next(1) << 6 | next(2), 3),
            _ => (0xfffd, 1),
        };
        units.push(unit);
        at += length;
    }
    String::from_utf16_lossy(&units)
}
