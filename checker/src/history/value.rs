//! What clients write and read: a closed set of typed values.
//!
//! In JSON they are the plain things: `null`, `true`, `1`, `1.5`, `"x"`, `[..]`, `{..}`. Whole numbers
//! beyond 64 bits are refused, because two spellings of one number must never count as two values.
//! JSON has no sets, and no keys but text: a set is written as a list, and a key of a map that reads
//! as a whole number is one.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// A value that a client wrote, read or used as a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Nothing: what a register holds before its first write, what an unanswered read carries.
    #[default]
    Nil,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    Text(Arc<str>),
    /// A fraction.
    Float(Float),
    /// A list, in order.
    List(Vec<Value>),
    /// A set; see [`Value::set`].
    Set(Vec<Value>),
    /// A map; see [`Value::map`].
    Map(Vec<(Value, Value)>),
}

/// A fraction that is equal to itself: all NaNs are one, and so are the two zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Float(u64);

impl Float {
    /// The number, as one of its equals.
    pub fn new(number: f64) -> Self {
        let number = if number.is_nan() { f64::NAN } else { number };
        // Adding zero turns the negative zero into the positive one.
        Self((number + 0.0).to_bits())
    }

    /// The number.
    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }

    /// Equal numbers have equal bits.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }
}

impl Value {
    /// The set of these, in any order, repeats allowed.
    pub fn set(mut elements: Vec<Value>) -> Value {
        elements.sort_unstable();
        elements.dedup();
        Value::Set(elements)
    }

    /// The map of these entries, in any order; of two with one key the later counts.
    pub fn map(mut entries: Vec<(Value, Value)>) -> Value {
        entries.reverse();
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        entries.dedup_by(|(a, _), (b, _)| a == b);
        Value::Map(entries)
    }

    /// Whether it is [`Value::Nil`].
    pub fn is_nil(&self) -> bool {
        matches!(self, Value::Nil)
    }

    /// The number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The elements, if it is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(values) => Some(values),
            _ => None,
        }
    }

    /// About how much memory it takes beyond its own size, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Value::Nil | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 0,
            Value::Text(text) => text.len() + 16,
            Value::List(values) | Value::Set(values) => {
                values.iter().map(|value| size_of::<Value>() + value.heap_bytes()).sum()
            }
            Value::Map(entries) => entries
                .iter()
                .map(|(key, value)| 2 * size_of::<Value>() + key.heap_bytes() + value.heap_bytes())
                .sum(),
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Bool(truth)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text.into())
    }
}

impl<V: Into<Value>> From<Vec<V>> for Value {
    fn from(values: Vec<V>) -> Self {
        Value::List(values.into_iter().map(Into::into).collect())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("nil"),
            Value::Bool(truth) => write!(f, "{truth}"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Float(number) => write!(f, "{:?}", number.get()),
            Value::List(values) => spaced(f, "[", values, "]"),
            Value::Set(values) => spaced(f, "#{", values, "}"),
            Value::Map(entries) => {
                f.write_str("{")?;
                for (position, (key, value)) in entries.iter().enumerate() {
                    let comma = if position > 0 { ", " } else { "" };
                    write!(f, "{comma}{key} {value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

fn spaced(f: &mut fmt::Formatter<'_>, open: &str, values: &[Value], close: &str) -> fmt::Result {
    f.write_str(open)?;
    for (position, value) in values.iter().enumerate() {
        let blank = if position > 0 { " " } else { "" };
        write!(f, "{blank}{value}")?;
    }
    f.write_str(close)
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Nil => serializer.serialize_unit(),
            Value::Bool(truth) => serializer.serialize_bool(*truth),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Float(number) => serializer.serialize_f64(number.get()),
            Value::List(values) | Value::Set(values) => values.serialize(serializer),
            Value::Map(entries) => serializer.collect_map(entries.iter().map(|(key, value)| match key {
                Value::Text(text) => (text.to_string(), value),
                _ => (key.to_string(), value),
            })),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, true, false, a number of 64 bits, text, or a list or an object of these")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number)
            .map(Value::Int)
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }

    /// What is too long for a whole number comes here too, and has lost its last digits.
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        const EXACT_MAX: f64 = (1u64 << 53) as f64;
        if number.fract() == 0.0 && number.abs() >= EXACT_MAX {
            return Err(E::invalid_value(de::Unexpected::Float(number), &self));
        }
        Ok(Value::Float(Float::new(number)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            // Only the usual spelling of a number is one: "07" stays text.
            let number = key.parse().ok().filter(|number: &i64| number.to_string() == key);
            entries.push((number.map_or(Value::from(key), Value::Int), map.next_value()?));
        }
        Ok(Value::map(entries))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }
}
