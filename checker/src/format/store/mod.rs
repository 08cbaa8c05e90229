//! Jepsen's `test.jepsen`: blocks of Fressian, found by an index.
//!
//! After the word JEPSEN and a version stands the place of the index block, which says where every other
//! block is and which one holds the test. The test is a map; its history is in another block: a vector
//! in chunks, a list, or a stream of ops. Every block that is read is checked against its CRC-32.

mod fressian;

use std::collections::HashMap;

use super::builder::{Builder, Fields};
use super::edn;
use super::error::ReadError;
use super::{Format, Recorded};
use crate::history::op::{OpType, Process};
use crate::history::values::{ValueId, Values};
use fressian::{Fressian, Reader};

pub(super) const MAGIC: &[u8] = b"JEPSEN";

/// Length, checksum and type; two bytes say the type, and fourteen say nothing.
const HEADER_BYTES: usize = 28;
/// How many blocks may refer to each other in a row.
const REFERENCES_MAX: usize = 16;
/// How many parts the values of one op may have: shared parts make large things of small files.
const PARTS_MAX: usize = 4 << 20;

mod kind {
    pub(super) const INDEX: u16 = 1;
    pub(super) const FRESSIAN: u16 = 2;
    pub(super) const PARTIAL_MAP: u16 = 3;
    pub(super) const STREAM: u16 = 4;
    pub(super) const BIG_VECTOR: u16 = 5;
}

struct Store<'b> {
    bytes: &'b [u8],
    blocks: HashMap<u32, usize>,
}

struct Block<'b> {
    kind: u16,
    /// Where its data begins in the file.
    at: usize,
    data: &'b [u8],
}

fn wrong(at: usize, reason: impl Into<String>) -> ReadError {
    ReadError::Binary { offset: at as u64, reason: reason.into() }
}

pub(super) fn read(bytes: &[u8], mut builder: Builder) -> Result<Recorded, ReadError> {
    let version = number(bytes, MAGIC.len(), 4)?;
    if version > 1 {
        return Err(wrong(MAGIC.len(), format!("version {version} of the store is not known, only 0 and 1")));
    }
    let index_at = number(bytes, MAGIC.len() + 4, 8)?;
    if index_at == 0 {
        return Err(wrong(MAGIC.len() + 4, "the store has no index: its test was never saved"));
    }
    let (store, root) = Store::open(bytes, index_at)?;
    let history = store.history(root)?;
    store.ops(history, 0, &mut builder)?;
    if builder.is_empty() {
        return Err(wrong(bytes.len(), "the history in the store has no ops"));
    }
    builder.finish(Format::Store, 0)
}

/// An unsigned number of so many bytes, the highest first.
fn number(bytes: &[u8], at: usize, length: usize) -> Result<u64, ReadError> {
    let bytes = bytes.get(at..).and_then(|rest| rest.get(..length));
    let bytes = bytes.ok_or_else(|| wrong(at, "the file ends where a number should be"))?;
    Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

impl<'b> Store<'b> {
    /// The store, and which block holds the test.
    fn open(bytes: &'b [u8], index_at: u64) -> Result<(Self, u32), ReadError> {
        let mut store = Store { bytes, blocks: HashMap::new() };
        let index = store.block_at(index_at)?;
        if index.kind != kind::INDEX || index.data.len() % 12 != 4 {
            return Err(wrong(index.at, "expected the index block"));
        }
        let root = number(index.data, 0, 4)? as u32;
        for entry in index.data[4..].chunks_exact(12) {
            let place = usize::try_from(number(entry, 4, 8)?).unwrap_or(usize::MAX);
            store.blocks.insert(number(entry, 0, 4)? as u32, place);
        }
        Ok((store, root))
    }

    fn block(&self, id: u32) -> Result<Block<'b>, ReadError> {
        let place =
            self.blocks.get(&id).ok_or_else(|| wrong(0, format!("block {id} is not in the index")))?;
        self.block_at(*place as u64)
    }

    fn block_at(&self, place: u64) -> Result<Block<'b>, ReadError> {
        let at = usize::try_from(place).unwrap_or(usize::MAX);
        let outside = || wrong(at, "a block that is not within the file");
        let rest = self.bytes.get(at..).ok_or_else(outside)?;
        if rest.len() < HEADER_BYTES {
            return Err(outside());
        }
        let length = usize::try_from(number(rest, 0, 8)?).unwrap_or(usize::MAX);
        let block = rest.get(..length).filter(|block| block.len() >= HEADER_BYTES).ok_or_else(outside)?;
        let (header, data) = block.split_at(HEADER_BYTES);
        // Over the data, then the header with no checksum in it.
        let mut crc = crc32fast::Hasher::new();
        crc.update(data);
        crc.update(&header[..8]);
        crc.update(&[0; 4]);
        crc.update(&header[12..]);
        let (expected, actual) = (number(header, 8, 4)? as u32, crc.finalize());
        if expected != actual {
            return Err(wrong(
                at,
                format!("a damaged block: its CRC-32 is {actual:08x}, not {expected:08x}"),
            ));
        }
        Ok(Block { kind: number(header, 12, 2)? as u16, at: at + HEADER_BYTES, data })
    }

    /// What the test says its history is, following the rest of its map from block to block.
    fn history(&self, root: u32) -> Result<Fressian, ReadError> {
        let mut id = root;
        for _ in 0..REFERENCES_MAX {
            let block = self.block(id)?;
            let skipped = match block.kind {
                kind::PARTIAL_MAP => 4,
                kind::FRESSIAN => 0,
                _ => return Err(wrong(block.at, "expected the map of a test")),
            };
            let data = block.data.get(skipped..).unwrap_or_default();
            let test = value(&mut Reader::new(data), block.at + skipped)?;
            let Fressian::Map(entries) = test else {
                return Err(wrong(block.at, "expected the map of a test"));
            };
            let found = entries
                .chunks_exact(2)
                .find(|entry| matches!(&entry[0], Fressian::Text(name) if **name == *"history"));
            if let Some([_, history]) = found {
                return Ok(history.clone());
            }
            id = if skipped == 0 { 0 } else { number(block.data, 0, 4)? as u32 };
            if id == 0 {
                return Err(wrong(block.at, "the test in the store has no history"));
            }
        }
        Err(wrong(0, "the map of the test never ends"))
    }

    /// Appends the ops of a history, wherever they are.
    fn ops(&self, history: Fressian, depth: usize, builder: &mut Builder) -> Result<(), ReadError> {
        if depth > REFERENCES_MAX {
            return Err(wrong(0, "blocks that refer to each other without end"));
        }
        let id = match history {
            Fressian::Block(id) => id,
            Fressian::List(ops) => return ops.iter().try_for_each(|value| op(value, 0, builder)),
            Fressian::Nil => return Ok(()),
            _ => return Err(wrong(0, "expected a history")),
        };
        let block = self.block(id)?;
        match block.kind {
            kind::FRESSIAN => {
                let inner = value(&mut Reader::new(block.data), block.at)?;
                self.ops(inner, depth + 1, builder)
            }
            kind::STREAM => {
                let mut reader = Reader::new(block.data);
                while !reader.is_at_end() {
                    let at = block.at + reader.at;
                    op(&value(&mut reader, block.at)?, at, builder)?;
                }
                Ok(())
            }
            kind::BIG_VECTOR => {
                let chunks = block.data.get(8..).unwrap_or_default();
                for chunk in chunks.chunks_exact(12) {
                    // A chunk belongs to one vector only, so nothing is ever read twice.
                    let chunk = number(chunk, 8, 4)? as u32;
                    self.ops(Fressian::Block(chunk), depth + 1, builder)?;
                }
                let (count, read) = (number(block.data, 0, 8)?, builder.history.len() as u64);
                if depth == 0 && count != read {
                    return Err(wrong(
                        block.at,
                        format!("a history of {count} ops with {read} in its chunks"),
                    ));
                }
                Ok(())
            }
            _ => Err(wrong(block.at, "expected a block of ops")),
        }
    }
}

fn value(reader: &mut Reader<'_>, base: usize) -> Result<Fressian, ReadError> {
    reader.value().map_err(|error| wrong(base + error.at, error.reason))
}

/// Appends one op, a map or a record.
fn op(value: &Fressian, at: usize, builder: &mut Builder) -> Result<(), ReadError> {
    let mut fields = Fields::default();
    let mut parts = PARTS_MAX;
    let mut all = |name: &str, value: &Fressian| field(&mut fields, builder, name, value, &mut parts);
    let result = match value {
        Fressian::Op(values) => {
            let names = ["index", "time", "type", "process", "f", "value"];
            let mut named = names.iter().zip(values.iter());
            named.try_for_each(|(name, value)| all(name, value)).and_then(|()| match values.get(6) {
                Some(Fressian::Map(rest)) => entries(rest, &mut all),
                _ => Ok(()),
            })
        }
        Fressian::Map(values) => entries(values, &mut all),
        _ => Err("expected an op".to_owned()),
    };
    result.and_then(|()| builder.push(fields)).map_err(|reason| wrong(at, reason))
}

fn entries(
    map: &[Fressian],
    each: &mut impl FnMut(&str, &Fressian) -> Result<(), String>,
) -> Result<(), String> {
    map.chunks_exact(2).try_for_each(|entry| match &entry[0] {
        Fressian::Text(name) => each(name, &entry[1]),
        _ => Err("a field of an op whose name is no keyword".to_owned()),
    })
}

fn field(
    fields: &mut Fields,
    builder: &mut Builder,
    name: &str,
    value: &Fressian,
    parts: &mut usize,
) -> Result<(), String> {
    match (name, value) {
        ("index" | "time", Fressian::Nil | Fressian::Int(-1)) => {}
        ("index", Fressian::Int(index @ 0..)) => fields.index = Some(*index as u64),
        ("time", Fressian::Int(time @ 0..)) => fields.time_ns = Some(*time as u64),
        ("index" | "time", _) => return Err(format!("expected a number as {name}")),
        ("type", Fressian::Text(name)) => {
            fields.op_type = Some(match &**name {
                "invoke" => OpType::Invoke,
                "ok" => OpType::Ok,
                "fail" => OpType::Fail,
                "info" => OpType::Info,
                _ => return Err(format!("expected invoke, ok, fail or info, found `{name}`")),
            });
        }
        ("process", Fressian::Int(client @ 0..)) => fields.process = Some(Process::Client(*client as u64)),
        ("process", Fressian::Text(name)) => {
            if &**name != "nemesis" {
                fields.extra("process", (&**name).into());
            }
            fields.process = Some(Process::Nemesis);
        }
        ("type" | "process", _) => return Err(format!("expected another {name}")),
        ("f", Fressian::Text(name)) => fields.f = Some(builder.function(name.as_bytes())?),
        ("f", Fressian::Nil) => {}
        ("f", _) => return Err("expected the name of a function".to_owned()),
        ("value", value) => fields.value = Some(interned(value, builder.values(), parts)?),
        ("key", value) => fields.key = Some(interned(value, builder.values(), parts)?),
        ("error", Fressian::Nil) => {}
        ("error", Fressian::Text(error)) => fields.more().error = Some(error.to_string()),
        ("error", value) => {
            let mut values = Values::default();
            let error = interned(value, &mut values, parts)?;
            let mut text = String::new();
            edn::write::value(&values, error, &mut text);
            fields.more().error = Some(text);
        }
        (name, value) => {
            let mut values = Values::default();
            let value = interned(value, &mut values, parts)?;
            fields.extra(name, edn::as_json(&values, value));
        }
    }
    Ok(())
}

fn interned(value: &Fressian, values: &mut Values, parts: &mut usize) -> Result<ValueId, String> {
    *parts = parts.checked_sub(1).ok_or("a value that unfolds to more parts than any history has")?;
    let mut all = |elements: &[Fressian]| -> Result<Vec<ValueId>, String> {
        elements.iter().map(|element| interned(element, values, parts)).collect()
    };
    Ok(match value {
        Fressian::Nil => ValueId::NIL,
        Fressian::Bool(truth) => values.bool(*truth),
        Fressian::Int(number) => values.int(*number),
        Fressian::Float(number) => values.float(*number),
        Fressian::Text(text) => values.text(text),
        Fressian::Big(number) => edn::value_of(number.as_bytes(), values)
            .map_err(|_| format!("expected a number, found `{number}`"))?,
        Fressian::List(elements) | Fressian::Op(elements) => {
            let elements = all(elements)?;
            values.list(&elements)
        }
        Fressian::Set(elements) => {
            let elements = all(elements)?;
            values.set(elements)
        }
        Fressian::Map(entries) => {
            let entries = all(entries)?;
            values.map(entries.as_chunks::<2>().0.iter().map(|[key, value]| (*key, *value)).collect())
        }
        Fressian::Block(id) => {
            return Err(format!("a value in block {id}: only histories may be in blocks of their own"));
        }
    })
}
