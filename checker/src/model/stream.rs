//! A durable stream of records, as S2 is one.

use std::sync::Arc;

use super::{Model, no_such_function};
use crate::history::op::Value;
use crate::history::pair::Call;

/// Records with a number each, from 0, that can be appended in batches and are never changed; empty at first.
///
/// `append {record_hashes [..]}` adds a record for each of these and answers the number of the record that will be
/// next, the *tail*. With `match_seq_num n` it does so only if the tail is n, with `fencing_token t` only if that is
/// the stream's token; with `set_fencing_token t` it becomes it. `read` answers `[tail hash]`, where the
/// hash is that of all records up to there, `check-tail` the tail alone.
///
/// A record is known by the hash of its body, 64 bits told as a signed number, and so is all of the stream:
/// [`chain_hash`] goes from one record to the next. So a state is a few words, however long the stream is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stream;

/// An operation on a stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StreamOp {
    /// Added records, and answered this tail, or did not live to tell.
    Append(Batch, Option<u64>),
    /// Answered this tail.
    Tail(u64),
    /// Answered this tail and the hash of all that is before it.
    Read(u64, u64),
}

/// What is appended, and on which conditions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Batch {
    record_hashes: Arc<[u64]>,
    match_seq_num: Option<u64>,
    fencing_token: Option<Value>,
    set_fencing_token: Option<Value>,
}

/// What a stream holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StreamState {
    tail: u64,
    hash: u64,
    fencing_token: Option<Value>,
}

/// The hash of a stream with one more record: XXH3 of 64 bits over the eight bytes of the record's hash, with that
/// of the stream before as the seed. An empty stream has the hash 0.
pub fn chain_hash(stream: u64, record: u64) -> u64 {
    // XXH3 for inputs of four to eight bytes; see the specification at xxhash.com.
    const SECRET: u64 = 0xc73a_b174_c5ec_d5a2;
    const PRIME: u64 = 0x9fb2_1c65_1e98_df25;
    const LENGTH: u64 = 8;
    let seed = stream ^ (u64::from((stream as u32).swap_bytes()) << 32);
    let keyed = record.rotate_left(32) ^ SECRET.wrapping_sub(seed);
    let mixed = (keyed ^ keyed.rotate_left(49) ^ keyed.rotate_left(24)).wrapping_mul(PRIME);
    let mixed = (mixed ^ (mixed >> 35).wrapping_add(LENGTH)).wrapping_mul(PRIME);
    mixed ^ (mixed >> 28)
}

fn wrong(call: &Call<'_>, what: &str, value: &Value) -> String {
    format!("op {}: {} {value}: {what}", call.invoke_index(), call.f())
}

fn number(value: &Value, call: &Call<'_>) -> Result<u64, String> {
    let number = value.as_int().and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| wrong(call, "the number of a record is a whole number from 0 on", value))
}

impl Batch {
    fn of(call: &Call<'_>) -> Result<Self, String> {
        let asked = call.asked();
        let Value::Map(entries) = &asked else {
            return Err(wrong(call, "what is appended is {record_hashes [..]}", &asked));
        };
        let field = |name: &str| {
            let entry = entries.iter().find(|(key, _)| *key == Value::from(name));
            entry.map(|(_, value)| value).filter(|value| !value.is_nil())
        };
        let hashes = field("record_hashes").and_then(Value::as_list);
        let hashes: Option<Arc<[u64]>> =
            hashes.and_then(|hashes| hashes.iter().map(|hash| Some(hash.as_int()? as u64)).collect());
        Ok(Self {
            record_hashes: hashes.ok_or_else(|| {
                wrong(call, "what is appended has record_hashes, a list of numbers", &asked)
            })?,
            match_seq_num: field("match_seq_num").map(|value| number(value, call)).transpose()?,
            fencing_token: field("fencing_token").cloned(),
            set_fencing_token: field("set_fencing_token").cloned(),
        })
    }

    fn onto(&self, state: &StreamState) -> Option<StreamState> {
        let matches = self.match_seq_num.is_none_or(|number| number == state.tail)
            && (self.fencing_token.is_none() || self.fencing_token == state.fencing_token);
        let hash =
            || self.record_hashes.iter().fold(state.hash, |stream, record| chain_hash(stream, *record));
        matches.then(|| StreamState {
            tail: state.tail.saturating_add(self.record_hashes.len() as u64),
            hash: hash(),
            fencing_token: self.set_fencing_token.clone().or_else(|| state.fencing_token.clone()),
        })
    }
}

impl Model for Stream {
    type Op = StreamOp;
    type State = StreamState;

    fn name(&self) -> &str {
        "stream"
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<StreamOp>, String> {
        let result = call.result();
        Ok(match (call.f(), &result) {
            ("append", Some(tail)) => Some(StreamOp::Append(Batch::of(call)?, Some(number(tail, call)?))),
            ("append", None) => Some(StreamOp::Append(Batch::of(call)?, None)),
            ("read" | "check-tail", None) => None,
            ("read", Some(Value::List(seen))) => match &seen[..] {
                [tail, Value::Int(hash)] => Some(StreamOp::Read(number(tail, call)?, *hash as u64)),
                _ => return Err(wrong(call, "a read answers [tail hash]", &Value::List(seen.clone()))),
            },
            ("read" | "check-tail", Some(tail)) => Some(StreamOp::Tail(number(tail, call)?)),
            _ => return Err(no_such_function("stream", call)),
        })
    }

    fn initial(&self) -> StreamState {
        StreamState::default()
    }

    fn step(&self, state: &StreamState, op: &StreamOp) -> Option<StreamState> {
        match op {
            StreamOp::Append(batch, tail) => {
                // Most orders that can't be are told by the tail, before anything is hashed.
                let next = state.tail.saturating_add(batch.record_hashes.len() as u64);
                tail.is_none_or(|tail| tail == next).then(|| batch.onto(state))?
            }
            StreamOp::Tail(tail) => (state.tail == *tail).then(|| state.clone()),
            StreamOp::Read(tail, hash) => (state.tail == *tail && state.hash == *hash).then(|| state.clone()),
        }
    }

    fn is_pure(&self, op: &StreamOp) -> bool {
        matches!(op, StreamOp::Tail(_) | StreamOp::Read(..))
    }

    fn describe(&self, StreamState { tail, hash, fencing_token }: &StreamState) -> String {
        let token = fencing_token.as_ref().map_or(String::new(), |token| format!(", with the token {token}"));
        format!("{tail} records (hash {}{token})", *hash as i64)
    }

    fn state_bytes(&self, state: &StreamState) -> usize {
        state.fencing_token.as_ref().map_or(0, Value::heap_bytes)
    }

    /// The stream only grows, and most answers say how long it was.
    fn order_hint(&self, op: &StreamOp) -> Option<u64> {
        match op {
            StreamOp::Append(_, tail) => *tail,
            StreamOp::Tail(tail) | StreamOp::Read(tail, _) => Some(*tail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::chain_hash;

    #[test]
    fn hashes_are_those_that_everybody_has() {
        // XXH3 of "foo", onto the empty stream.
        assert_eq!(chain_hash(0, 0xab6e_5f64_077e_7d8a), 0x4d2b_003e_e417_c3a5);
        assert_eq!(chain_hash(chain_hash(0, 11), 22), 9_088_626_441_339_717_343);
    }
}
