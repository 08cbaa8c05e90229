//! A key-value store of texts: one key, or a whole map.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{CallIds, Guide, Model, Quick, SearchOp, no_such_function};
use crate::history::History;
use crate::history::op::Value;
use crate::history::pair::Call;
use crate::history::values::{ValueId, ValueView};
use crate::linearizability::string_kv::{self, TextOp};

/// The text of one key: `get`, `put v`, `append v`; empty at first, and nil is the empty text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kv;

/// Texts by key in one object: `get key`, `put [key v]`, `append [key v]`. What is not there is the
/// empty text. A get answers the text, or `[key text]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct KvMap;

/// An operation on a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KvOp {
    /// Answered this.
    Get(Arc<str>),
    /// Put this there instead.
    Put(Arc<str>),
    /// Put this at the end.
    Append(Arc<str>),
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Text {
    /// This.
    Is(Arc<str>),
    /// Something that no get of the history has seen, and none can see until the next put.
    Unseen,
}

impl Text {
    fn step(&self, op: &KvOp) -> Option<Text> {
        match (op, self) {
            (KvOp::Put(text), _) => Some(Text::Is(text.clone())),
            (KvOp::Get(seen), Text::Is(text)) => (seen == text).then(|| self.clone()),
            (KvOp::Get(_), Text::Unseen) => None,
            (KvOp::Append(_), Text::Unseen) => Some(Text::Unseen),
            (KvOp::Append(more), Text::Is(text)) => Some(Text::Is([&**text, &**more].concat().into())),
        }
    }

    fn told(&self) -> String {
        match self {
            Text::Is(text) => format!("{text:?}"),
            Text::Unseen => "a text that no get shows".to_owned(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Text::Is(text) => text.len() + 16,
            Text::Unseen => 0,
        }
    }
}

/// All texts that gets have seen, sorted.
struct Seen<'o>(Vec<&'o str>);

impl<'o> Seen<'o> {
    fn of(ops: impl Iterator<Item = &'o KvOp>) -> Self {
        let seen = ops.filter_map(|op| match op {
            KvOp::Get(text) => Some(&**text),
            KvOp::Put(_) | KvOp::Append(_) => None,
        });
        let mut seen: Vec<&str> = seen.collect();
        seen.sort_unstable();
        seen.dedup();
        Self(seen)
    }

    /// Appends only make a text longer: one that no text seen begins with can't be seen any more.
    fn guide(&self, text: Text) -> Text {
        match text {
            Text::Is(text) => {
                let next = self.0.partition_point(|seen| **seen < *text);
                let may_be_seen = self.0.get(next).is_some_and(|seen| seen.starts_with(&*text));
                if may_be_seen { Text::Is(text) } else { Text::Unseen }
            }
            Text::Unseen => Text::Unseen,
        }
    }
}

/// What a function is to a text.
#[derive(Clone, Copy)]
enum Function {
    Get,
    Put,
    Append,
}

fn function(f: &str) -> Option<Function> {
    match f {
        "get" | "read" => Some(Function::Get),
        "put" | "write" => Some(Function::Put),
        "append" => Some(Function::Append),
        _ => None,
    }
}

fn text(value: &Value, call: &Call<'_>) -> Result<Arc<str>, String> {
    match value {
        Value::Nil => Ok("".into()),
        Value::Text(text) => Ok(text.clone()),
        other => Err(format!("op {}: {} {other}: not a text", call.invoke_index(), call.f())),
    }
}

impl Model for Kv {
    type Op = KvOp;
    type State = Text;

    fn name(&self) -> &str {
        "kv"
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<KvOp>, String> {
        Ok(match function(call.f()) {
            Some(Function::Get) => match call.result() {
                None => None,
                Some(value) => Some(KvOp::Get(text(&value, call)?)),
            },
            Some(Function::Put) => Some(KvOp::Put(text(&call.argument()?, call)?)),
            Some(Function::Append) => Some(KvOp::Append(text(&call.argument()?, call)?)),
            None => return Err(no_such_function("kv", call)),
        })
    }

    fn initial(&self) -> Text {
        Text::Is("".into())
    }

    fn step(&self, state: &Text, op: &KvOp) -> Option<Text> {
        state.step(op)
    }

    fn is_pure(&self, op: &KvOp) -> bool {
        matches!(op, KvOp::Get(_))
    }

    fn describe(&self, state: &Text) -> String {
        state.told()
    }

    fn state_bytes(&self, state: &Text) -> usize {
        state.bytes()
    }

    fn guide<'o>(&self, ops: &[&'o KvOp]) -> Option<Guide<'o, Text>> {
        let seen = Seen::of(ops.iter().copied());
        Some(Box::new(move |text| seen.guide(text)))
    }

    fn quick(&self, ops: &[SearchOp<KvOp>]) -> Quick {
        string_kv::quick(&ops.iter().map(|op| op.op.at(op.start, op.end)).collect::<Vec<_>>())
    }

    fn quick_calls(&self, history: &History, calls: impl Iterator<Item = SearchOp<CallIds>>) -> Option<bool> {
        let functions: Vec<Option<Function>> = history.functions().iter().map(|f| function(f)).collect();
        let text = |value: ValueId| match history.values().view(value) {
            ValueView::Nil => Some(""),
            ValueView::Text(text) => Some(text),
            _ => None,
        };
        let mut ops: Vec<TextOp<'_>> = Vec::with_capacity(calls.size_hint().1.unwrap_or(0));
        for SearchOp { op: call, start, end } in calls {
            let kind = match (functions[call.f.index()]?, call.answer) {
                (Function::Get, None) => continue,
                (Function::Get, Some(value)) => string_kv::Kind::Get(text(value)?),
                (Function::Put, _) => string_kv::Kind::Put(text(call.argument()?)?),
                (Function::Append, _) => string_kv::Kind::Append(text(call.argument()?)?),
            };
            ops.push(TextOp { kind, start, end });
        }
        string_kv::is_valid(&ops)
    }
}

impl KvOp {
    fn at(&self, start: u32, end: u32) -> TextOp<'_> {
        let kind = match self {
            KvOp::Get(text) => string_kv::Kind::Get(text),
            KvOp::Put(text) => string_kv::Kind::Put(text),
            KvOp::Append(text) => string_kv::Kind::Append(text),
        };
        TextOp { kind, start, end }
    }
}

impl Model for KvMap {
    /// The key, and what was done to its text.
    type Op = (Value, KvOp);
    /// What is not there is the empty text.
    type State = Arc<BTreeMap<Value, Text>>;

    fn name(&self) -> &str {
        "kv map"
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<(Value, KvOp)>, String> {
        let pair = |value: Value| match value {
            Value::List(pair) => <[Value; 2]>::try_from(pair).ok(),
            _ => None,
        };
        let strange = || {
            let asked = call.asked();
            format!("op {}: {} {asked}: a kv map wants [key value]", call.invoke_index(), call.f())
        };
        match call.f() {
            "get" | "read" => {
                let Some(result) = call.result() else { return Ok(None) };
                let key = pair(call.asked()).map_or_else(|| call.asked(), |[key, _]| key);
                let value = match pair(result.clone()) {
                    Some([same, value]) if same == key => value,
                    _ => result,
                };
                Ok(Some((key, KvOp::Get(text(&value, call)?))))
            }
            f @ ("put" | "write" | "append") => {
                let [key, value] = pair(call.argument()?).ok_or_else(strange)?;
                let text = text(&value, call)?;
                Ok(Some((key, if f == "append" { KvOp::Append(text) } else { KvOp::Put(text) })))
            }
            _ => Err(no_such_function("kv map", call)),
        }
    }

    fn initial(&self) -> Self::State {
        Arc::default()
    }

    fn step(&self, state: &Self::State, (key, op): &(Value, KvOp)) -> Option<Self::State> {
        let empty = Text::Is("".into());
        let before = state.get(key).unwrap_or(&empty);
        let after = before.step(op)?;
        if after == *before {
            return Some(state.clone());
        }
        let mut map = BTreeMap::clone(state);
        // The empty text is not there, so that equal states are equal.
        if after == empty {
            map.remove(key)
        } else {
            map.insert(key.clone(), after)
        };
        Some(Arc::new(map))
    }

    fn is_pure(&self, (_, op): &(Value, KvOp)) -> bool {
        matches!(op, KvOp::Get(_))
    }

    fn describe(&self, state: &Self::State) -> String {
        let entries = state.iter().map(|(key, text)| format!("{key} {}", text.told()));
        format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
    }

    fn state_bytes(&self, state: &Self::State) -> usize {
        let entry =
            |(key, text): (&Value, &Text)| 2 * size_of::<(Value, Text)>() + key.heap_bytes() + text.bytes();
        state.iter().map(entry).sum()
    }

    /// Of one key; see [`Model::part`].
    fn quick(&self, ops: &[SearchOp<(Value, KvOp)>]) -> Quick {
        let one_key = ops.windows(2).all(|pair| pair[0].op.0 == pair[1].op.0);
        if !one_key {
            return Quick::NotApplicable;
        }
        string_kv::quick(&ops.iter().map(|op| op.op.1.at(op.start, op.end)).collect::<Vec<_>>())
    }

    fn guide<'o>(&self, ops: &[&'o (Value, KvOp)]) -> Option<Guide<'o, Self::State>> {
        let mut by_key: BTreeMap<&'o Value, Vec<&'o KvOp>> = BTreeMap::new();
        for (key, op) in ops {
            by_key.entry(key).or_default().push(op);
        }
        let seen: BTreeMap<&Value, Seen<'_>> =
            by_key.into_iter().map(|(key, ops)| (key, Seen::of(ops.into_iter()))).collect();
        Some(Box::new(move |mut state: Self::State| {
            let guided = |(key, text): (&Value, &Text)| {
                let guided = seen.get(key).map_or(Text::Unseen, |seen| seen.guide(text.clone()));
                (guided != *text).then(|| (key.clone(), guided))
            };
            let changed: Vec<(Value, Text)> = state.iter().filter_map(guided).collect();
            if !changed.is_empty() {
                Arc::make_mut(&mut state).extend(changed);
            }
            state
        }))
    }

    /// Each key is an object of its own.
    fn part(&self, (key, _): &(Value, KvOp)) -> Option<Value> {
        Some(key.clone())
    }
}
