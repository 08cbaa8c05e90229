//! Every value of a history once, and a small number for each.
//!
//! A history of a million operations has far fewer different values than places for one, and the
//! engines only ever ask whether two are the same. So values are interned as they are read: equal
//! values have equal [`ValueId`]s, whatever they looked like in the file. Lists, sets and maps hold the
//! ids of what is in them, so that equality is never deep, and a list of a thousand elements costs
//! four kilobytes.

use hashbrown::HashTable;

use super::value::{Float, Value};
use crate::hash::mix;

/// A value of one history. Ids of different histories have nothing to do with each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub(crate) u32);

impl ValueId {
    /// Nil has the same id everywhere.
    pub const NIL: ValueId = ValueId(0);

    /// The number, from 0: ids of a history are dense.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a value is, with the ids of what it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueView<'v> {
    /// Nothing.
    Nil,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A fraction.
    Float(f64),
    /// Text.
    Text(&'v str),
    /// A list, in order.
    List(&'v [ValueId]),
    /// A set: distinct, in the order of the ids.
    Set(&'v [ValueId]),
    /// A map: keys and values in turn, distinct keys, in the order of their ids.
    Map(&'v [ValueId]),
}

/// The values of a history.
#[derive(Clone, Debug)]
pub struct Values {
    nodes: Vec<Node>,
    text: String,
    children: Vec<ValueId>,
    /// Ids of small whole numbers, or [`ABSENT`]: most values of most histories.
    small: Vec<u32>,
    /// Whether the table has small numbers too, from before their places were there.
    small_in_table: bool,
    table: HashTable<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Nil,
    Bool(bool),
    Int(i64),
    Float(Float),
    Text(Span),
    List(Span),
    Set(Span),
    Map(Span),
}

/// A stretch of the text or of the children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    /// Low and high half of where it begins: as two halves it does not widen [`Node`].
    at: [u32; 2],
    length: u32,
}

const ABSENT: u32 = u32::MAX;
/// Whole numbers from 0 up to here may be found by place.
const SMALL_MAX: i64 = 1 << 23;
/// How much wider than the values seen the places may be, so that few numbers far apart cost little.
const SMALL_SPREAD: usize = 4;
const SMALL_ALWAYS: usize = 1 << 10;

impl Span {
    fn new(at: usize, length: usize) -> Self {
        let length = u32::try_from(length).expect("no single value has four thousand million parts");
        Self { at: [at as u32, (at as u64 >> 32) as u32], length }
    }

    fn range(self) -> std::ops::Range<usize> {
        let at = (u64::from(self.at[1]) << 32 | u64::from(self.at[0])) as usize;
        at..at + self.length as usize
    }
}

impl Default for Values {
    fn default() -> Self {
        let (small, table) = (Vec::new(), HashTable::new());
        Self {
            nodes: vec![Node::Nil],
            text: String::new(),
            children: Vec::new(),
            small,
            small_in_table: false,
            table,
        }
    }
}

impl Values {
    /// How many different values there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never: nil is always among them.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Whether hardly any of them is a list, a set or a map.
    pub(crate) fn are_mostly_plain(&self) -> bool {
        const PLAIN_PER_CHILD_MIN: usize = 4;
        self.children.len() * PLAIN_PER_CHILD_MIN <= self.nodes.len()
    }

    /// The id of true or false.
    pub fn bool(&mut self, truth: bool) -> ValueId {
        self.scalar(Node::Bool(truth), mix([1, u64::from(truth)]))
    }

    /// The id of a whole number.
    pub fn int(&mut self, number: i64) -> ValueId {
        if let Some(&id) = usize::try_from(number).ok().and_then(|place| self.small.get(place))
            && id != ABSENT
        {
            return ValueId(id);
        }
        self.int_not_in_place(number)
    }

    fn int_not_in_place(&mut self, number: i64) -> ValueId {
        let (node, hash) = (Node::Int(number), mix([2, number as u64]));
        if !(0..SMALL_MAX).contains(&number) {
            return self.scalar(node, hash);
        }
        let place = number as usize;
        if place >= self.small.len() && place < SMALL_ALWAYS + SMALL_SPREAD * self.nodes.len() {
            self.small.resize((place + 1).next_power_of_two(), ABSENT);
        }
        if place >= self.small.len() {
            self.small_in_table = true;
            return self.scalar(node, hash);
        }
        let known = if self.small_in_table { self.find_scalar(node, hash) } else { None };
        let id = known.unwrap_or_else(|| self.push(node));
        self.small[place] = id.0;
        id
    }

    /// The id of a fraction.
    pub fn float(&mut self, number: f64) -> ValueId {
        let number = Float::new(number);
        self.scalar(Node::Float(number), mix([3, number.bits()]))
    }

    /// The id of a text.
    pub fn text(&mut self, text: &str) -> ValueId {
        let hash = mix([4 ^ (text.len() as u64) << 8, hash_of_text(text)]);
        let same = |id: &u32| match self.nodes[*id as usize] {
            Node::Text(span) => &self.text[span.range()] == text,
            _ => false,
        };
        if let Some(id) = self.table.find(hash, same) {
            return ValueId(*id);
        }
        let span = Span::new(self.text.len(), text.len());
        self.text.push_str(text);
        self.insert(Node::Text(span), hash)
    }

    /// The id of a list.
    pub fn list(&mut self, elements: &[ValueId]) -> ValueId {
        self.composite(elements, 5, Node::List, |node| match node {
            Node::List(span) => Some(span),
            _ => None,
        })
    }

    /// The id of a set of these, in any order, repeats allowed.
    pub fn set(&mut self, mut elements: Vec<ValueId>) -> ValueId {
        elements.sort_unstable();
        elements.dedup();
        self.composite(&elements, 6, Node::Set, |node| match node {
            Node::Set(span) => Some(span),
            _ => None,
        })
    }

    /// The id of a map; of two entries with one key the later counts.
    pub fn map(&mut self, mut entries: Vec<(ValueId, ValueId)>) -> ValueId {
        entries.reverse();
        entries.sort_by_key(|(key, _)| *key);
        entries.dedup_by_key(|(key, _)| *key);
        let flat: Vec<ValueId> = entries.into_iter().flat_map(|(key, value)| [key, value]).collect();
        self.composite(&flat, 7, Node::Map, |node| match node {
            Node::Map(span) => Some(span),
            _ => None,
        })
    }

    /// The id of any value.
    pub fn intern(&mut self, value: &Value) -> ValueId {
        match value {
            Value::Nil => ValueId::NIL,
            Value::Bool(truth) => self.bool(*truth),
            Value::Int(number) => self.int(*number),
            Value::Float(number) => self.float(number.get()),
            Value::Text(text) => self.text(text),
            Value::List(values) => {
                let ids: Vec<ValueId> = values.iter().map(|value| self.intern(value)).collect();
                self.list(&ids)
            }
            Value::Set(values) => {
                let ids = values.iter().map(|value| self.intern(value)).collect();
                self.set(ids)
            }
            Value::Map(entries) => {
                let ids = entries.iter().map(|(key, value)| (self.intern(key), self.intern(value))).collect();
                self.map(ids)
            }
        }
    }

    /// The id of a value that is there already; none if it is not.
    pub fn find(&self, value: &Value) -> Option<ValueId> {
        match value {
            Value::Nil => Some(ValueId::NIL),
            Value::Bool(truth) => self.find_scalar(Node::Bool(*truth), mix([1, u64::from(*truth)])),
            Value::Int(number) => {
                let placed = usize::try_from(*number).ok().and_then(|place| self.small.get(place));
                match placed {
                    Some(&id) if id != ABSENT => Some(ValueId(id)),
                    _ => self.find_scalar(Node::Int(*number), mix([2, *number as u64])),
                }
            }
            Value::Float(number) => self.find_scalar(Node::Float(*number), mix([3, number.bits()])),
            Value::Text(_) | Value::List(_) | Value::Set(_) | Value::Map(_) => {
                (0..self.nodes.len() as u32).map(ValueId).find(|id| self.get(*id) == *value)
            }
        }
    }

    /// What a value is.
    ///
    /// # Panics
    ///
    /// If the id is of another history with more values.
    #[inline]
    pub fn view(&self, id: ValueId) -> ValueView<'_> {
        match self.nodes[id.index()] {
            Node::Nil => ValueView::Nil,
            Node::Bool(truth) => ValueView::Bool(truth),
            Node::Int(number) => ValueView::Int(number),
            Node::Float(number) => ValueView::Float(number.get()),
            Node::Text(span) => ValueView::Text(&self.text[span.range()]),
            Node::List(span) => ValueView::List(&self.children[span.range()]),
            Node::Set(span) => ValueView::Set(&self.children[span.range()]),
            Node::Map(span) => ValueView::Map(&self.children[span.range()]),
        }
    }

    /// The elements, if it is a list.
    #[inline]
    pub fn list_view(&self, id: ValueId) -> Option<&[ValueId]> {
        match self.view(id) {
            ValueView::List(elements) => Some(elements),
            _ => None,
        }
    }

    /// The value itself, standing on its own.
    pub fn get(&self, id: ValueId) -> Value {
        let all = |ids: &[ValueId]| ids.iter().map(|id| self.get(*id)).collect::<Vec<Value>>();
        match self.view(id) {
            ValueView::Nil => Value::Nil,
            ValueView::Bool(truth) => Value::Bool(truth),
            ValueView::Int(number) => Value::Int(number),
            ValueView::Float(number) => Value::Float(Float::new(number)),
            ValueView::Text(text) => Value::from(text),
            ValueView::List(ids) => Value::List(all(ids)),
            ValueView::Set(ids) => Value::set(all(ids)),
            ValueView::Map(ids) => {
                let entries = ids.as_chunks::<2>().0.iter();
                Value::map(entries.map(|[key, value]| (self.get(*key), self.get(*value))).collect())
            }
        }
    }

    /// About how much memory all of it takes, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + self.text.capacity()
            + self.children.capacity() * size_of::<ValueId>()
            + self.small.capacity() * size_of::<u32>()
            + self.table.allocation_size()
    }

    fn scalar(&mut self, node: Node, hash: u64) -> ValueId {
        match self.find_scalar(node, hash) {
            Some(id) => id,
            None => self.insert(node, hash),
        }
    }

    fn find_scalar(&self, node: Node, hash: u64) -> Option<ValueId> {
        self.table.find(hash, |id| self.nodes[*id as usize] == node).map(|id| ValueId(*id))
    }

    fn composite(
        &mut self,
        elements: &[ValueId],
        kind: u64,
        make: fn(Span) -> Node,
        span_of: fn(Node) -> Option<Span>,
    ) -> ValueId {
        let hash =
            mix([kind ^ (elements.len() as u64) << 8, hash_of(elements.iter().map(|id| u64::from(id.0)))]);
        let same = |id: &u32| match span_of(self.nodes[*id as usize]) {
            Some(span) => self.children[span.range()] == *elements,
            None => false,
        };
        if let Some(id) = self.table.find(hash, same) {
            return ValueId(*id);
        }
        let span = Span::new(self.children.len(), elements.len());
        self.children.extend_from_slice(elements);
        self.insert(make(span), hash)
    }

    fn insert(&mut self, node: Node, hash: u64) -> ValueId {
        let id = self.push(node);
        let Self { nodes, text, children, table, .. } = self;
        table.insert_unique(hash, id.0, |id| rehash(nodes[*id as usize], text, children));
        id
    }

    fn push(&mut self, node: Node) -> ValueId {
        let id =
            u32::try_from(self.nodes.len()).expect("memory ends long before four thousand million values");
        self.nodes.push(node);
        ValueId(id)
    }
}

/// The same hash as the one a value was inserted with.
fn rehash(node: Node, text: &str, children: &[ValueId]) -> u64 {
    let composite = |kind: u64, span: Span| {
        let ids = children[span.range()].iter().map(|id| u64::from(id.0));
        mix([kind ^ u64::from(span.length) << 8, hash_of(ids)])
    };
    match node {
        Node::Nil => 0,
        Node::Bool(truth) => mix([1, u64::from(truth)]),
        Node::Int(number) => mix([2, number as u64]),
        Node::Float(number) => mix([3, number.bits()]),
        Node::Text(span) => mix([4 ^ u64::from(span.length) << 8, hash_of_text(&text[span.range()])]),
        Node::List(span) => composite(5, span),
        Node::Set(span) => composite(6, span),
        Node::Map(span) => composite(7, span),
    }
}

fn hash_of(words: impl Iterator<Item = u64>) -> u64 {
    words.fold(0x2545_f491_4f6c_dd1d, |hash, word| mix([hash, word]))
}

fn hash_of_text(text: &str) -> u64 {
    hash_of(text.as_bytes().chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    }))
}
