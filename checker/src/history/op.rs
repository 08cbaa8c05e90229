//! One event of a history, and its JSON form.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};

pub use super::value::Value;

/// What kind of event an op is, in Jepsen's exact meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OpType {
    /// A process begins an operation. Recorded before its first byte is written.
    Invoke,
    /// The operation *did* happen, between its invocation and here.
    Ok,
    /// The operation *did not* happen and never will.
    Fail,
    /// Nobody knows: it may have happened, or may at any later time. Its process is never used again.
    Info,
}

/// Who an op belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Process {
    /// A logical client that does one thing at a time. In JSON: its number.
    Client(u64),
    /// The fault injector. Its ops are context, never judged. In JSON: `"nemesis"`.
    Nemesis,
}

/// One event of a history.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Op {
    /// Place in the one order of the recorder. Strictly increasing, gaps allowed.
    pub index: u64,
    /// When, in nanoseconds since the run began. For people: no verdict depends on it.
    pub time_ns: u64,
    /// When an open-loop client meant to begin, in nanoseconds since the run began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intended_ns: Option<u64>,
    /// Invocation or which kind of completion.
    #[serde(rename = "type")]
    pub op_type: OpType,
    /// Whose op it is.
    pub process: Process,
    /// The function: `read`, `write`, `cas`, `append`, `add`, or what a nemesis does.
    pub f: Cow<'static, str>,
    /// The object it is about, when there are several independent ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Value>,
    /// The argument on an invocation, the result on a completion (see each model).
    pub value: Value,
    /// Why it failed or is unknown, in the words of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether this is late knowledge: the completion of an operation that had ended as info, learnt from
    /// somewhere else (a log, a watch, a later answer). See [`History::resolve`](super::History::resolve).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
    /// Anything else on the line (slot, request, node, link, …): carried along, never interpreted.
    #[serde(flatten)]
    pub extra: BTreeMap<String, serde_json::Value>,
}

impl Op {
    /// An op with nothing optional on it; the other fields are public.
    pub fn new(
        index: u64,
        time_ns: u64,
        op_type: OpType,
        process: Process,
        f: impl Into<Cow<'static, str>>,
        value: impl Into<Value>,
    ) -> Self {
        Self {
            index,
            time_ns,
            intended_ns: None,
            op_type,
            process,
            f: f.into(),
            key: None,
            value: value.into(),
            error: None,
            late: false,
            extra: BTreeMap::new(),
        }
    }

    /// The same op about this key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Value>) -> Self {
        self.key = Some(key.into());
        self
    }
}

impl fmt::Display for OpType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OpType::Invoke => "invoke",
            OpType::Ok => "ok",
            OpType::Fail => "fail",
            OpType::Info => "info",
        })
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Process::Client(number) => write!(f, "process {number}"),
            Process::Nemesis => f.write_str("nemesis"),
        }
    }
}

impl Serialize for Process {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Process::Client(number) => serializer.serialize_u64(*number),
            Process::Nemesis => serializer.serialize_str("nemesis"),
        }
    }
}

impl<'de> Deserialize<'de> for Process {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ProcessVisitor;
        impl Visitor<'_> for ProcessVisitor {
            type Value = Process;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a process number or \"nemesis\"")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Process, E> {
                Ok(Process::Client(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Process, E> {
                match text {
                    "nemesis" => Ok(Process::Nemesis),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(ProcessVisitor)
    }
}

/// Written by hand rather than derived: `flatten` would buffer every line and lose the column of an
/// error, and a field given twice must be an error, not a choice.
impl<'de> Deserialize<'de> for Op {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OpVisitor)
    }
}

struct OpVisitor;

impl<'de> Visitor<'de> for OpVisitor {
    type Value = Op;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an op: an object with index, time_ns, type, process, f and value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Op, A::Error> {
        let mut index = None;
        let mut time_ns = None;
        let mut intended_ns: Option<Option<u64>> = None;
        let mut op_type = None;
        let mut process = None;
        let mut f: Option<String> = None;
        let mut key: Option<Value> = None;
        let mut value = None;
        let mut error: Option<Option<String>> = None;
        let mut late = None;
        let mut extra = BTreeMap::new();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            match &*name {
                "index" => once(&mut index, "index", &mut map)?,
                "time_ns" => once(&mut time_ns, "time_ns", &mut map)?,
                "intended_ns" => once(&mut intended_ns, "intended_ns", &mut map)?,
                "type" => once(&mut op_type, "type", &mut map)?,
                "process" => once(&mut process, "process", &mut map)?,
                "f" => once(&mut f, "f", &mut map)?,
                "key" => once(&mut key, "key", &mut map)?,
                "value" => once(&mut value, "value", &mut map)?,
                "error" => once(&mut error, "error", &mut map)?,
                "late" => once(&mut late, "late", &mut map)?,
                _ => {
                    let name = name.into_owned();
                    if extra.contains_key(&name) {
                        return Err(de::Error::custom(format_args!("field `{name}` given twice")));
                    }
                    let value = map.next_value()?;
                    extra.insert(name, value);
                }
            }
        }
        Ok(Op {
            index: index.ok_or_else(|| de::Error::missing_field("index"))?,
            time_ns: time_ns.ok_or_else(|| de::Error::missing_field("time_ns"))?,
            intended_ns: intended_ns.flatten(),
            op_type: op_type.ok_or_else(|| de::Error::missing_field("type"))?,
            process: process.ok_or_else(|| de::Error::missing_field("process"))?,
            f: interned(f.ok_or_else(|| de::Error::missing_field("f"))?),
            key: key.filter(|key| !key.is_nil()),
            value: value.unwrap_or_default(),
            error: error.flatten(),
            late: late.unwrap_or(false),
            extra,
        })
    }
}

fn once<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    field: &mut Option<T>,
    name: &'static str,
    map: &mut A,
) -> Result<(), A::Error> {
    if field.is_some() {
        return Err(de::Error::duplicate_field(name));
    }
    *field = Some(map.next_value()?);
    Ok(())
}

/// The functions of our own workloads without an allocation each.
fn interned(f: String) -> Cow<'static, str> {
    const KNOWN: [&str; 5] = ["read", "write", "cas", "append", "add"];
    match KNOWN.iter().find(|known| **known == f) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(f),
    }
}
