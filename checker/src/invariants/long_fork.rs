//! Single writes and reads of several keys: do all reads agree on an order of the writes?
//!
//! Parallel snapshot isolation lets two reads see two writes in opposite orders; snapshot isolation
//! does not. Every key is written once; a transaction is one `[w k v]` or several `[r k v]`.
//!
//! | found | verdict |
//! |---|---|
//! | of two reads of the same keys each has a write that the other lacks | invalid |
//! | a value that nobody wrote to its key | invalid |
//! | a key written twice | unknown |
//! | no read | unknown |
//!
//! Reads of one group of keys are in an order exactly if each, sorted by how many writes it has, has
//! all those of the one before: no pair has to be compared with every other.

use super::{Finding, count, judge};
use crate::budget::Budget;
use crate::check::Check;
use crate::explain::witness::{Anomaly, Argument};
use crate::explain::words;
use crate::hash::Table;
use crate::history::History;
use crate::history::pair::Outcome;
use crate::history::values::{ValueId, ValueView};
use crate::linearizability::partition::Part;
use crate::verdict::Report;

/// Jepsen's `long-fork`.
#[derive(Clone, Debug, Default)]
pub struct LongFork {}

impl Check for LongFork {
    fn name(&self) -> &str {
        "long-fork"
    }

    fn check(&self, history: &History, budget: &Budget) -> Report {
        judge(self.name(), "read order", history, budget, |part, _, note| match look(part, note) {
            Ok(Some(argument)) => Finding::Wrong(argument),
            Ok(None) => Finding::Fine,
            Err(why) => Finding::Unclear(why),
        })
    }
}

/// What a read of some keys saw, keys in order.
struct Read {
    call: usize,
    keys: Vec<ValueId>,
    seen: Vec<ValueId>,
}

fn look(part: &Part<'_>, note: &mut String) -> Result<Option<Argument>, String> {
    let values = part.history.values();
    let mut written: Table<ValueId, (ValueId, usize)> = Table::default();
    let mut groups: std::collections::BTreeMap<Vec<ValueId>, Vec<Read>> = std::collections::BTreeMap::new();
    let mut reads = 0;
    for (number, call, _) in part.possible() {
        let id = call.result_id().filter(|id| *id != ValueId::NIL).unwrap_or_else(|| call.asked_id());
        let mut read: Vec<(ValueId, ValueId)> = Vec::new();
        for mop in values.list_view(id).unwrap_or(&[]) {
            let part = values.list_view(*mop).and_then(|part| <&[ValueId; 3]>::try_from(part).ok());
            let Some([f, key, value]) = part else {
                return Err(format!("op {}: no list of [f key value]", call.invoke_index()));
            };
            match values.view(*f) {
                ValueView::Text("r" | "read") => read.push((*key, *value)),
                ValueView::Text("w" | "write") => {
                    if written.insert(*key, (*value, number)).is_some_and(|(_, earlier)| earlier != number) {
                        return Err(format!("key {} is written more than once", values.get(*key)));
                    }
                }
                _ => return Err(format!("op {}: neither a read nor a write", call.invoke_index())),
            }
        }
        if call.outcome() == Outcome::Ok && !read.is_empty() {
            reads += 1;
            read.sort_unstable();
            let (keys, seen) = read.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
            groups.entry(keys.clone()).or_default().push(Read { call: number, keys, seen });
        }
    }
    *note = format!("{} of {}", count(reads, "read"), count(groups.len(), "group"));
    for read in groups.values().flatten() {
        for (key, value) in read.keys.iter().zip(&read.seen).filter(|(_, value)| **value != ValueId::NIL) {
            if written.get(key).is_none_or(|(written, _)| written != value) {
                let summary = format!(
                    "a read has {} for key {}, which nobody wrote there",
                    values.get(*value),
                    values.get(*key)
                );
                return Ok(Some(
                    Argument::new(Anomaly::NeverWritten, summary).failing(read.call, "the read"),
                ));
            }
        }
    }
    let fork = groups.into_values().find_map(fork);
    match fork {
        Some((a, b)) => Ok(Some(argument(part, &written, &a, &b))),
        None if reads == 0 => Err("no keys were read".to_owned()),
        None => Ok(None),
    }
}

/// Two reads each of which has what the other lacks.
fn fork(mut reads: Vec<Read>) -> Option<(Read, Read)> {
    let has = |read: &Read| read.seen.iter().filter(|value| **value != ValueId::NIL).count();
    reads.sort_by_key(has);
    let later = reads.windows(2).position(|pair| lacks(&pair[1], &pair[0]).is_some())? + 1;
    let b = reads.swap_remove(later);
    Some((reads.swap_remove(later - 1), b))
}

/// A key whose write the one read lacks and the other has.
fn lacks(one: &Read, other: &Read) -> Option<ValueId> {
    let pairs = one.seen.iter().zip(&other.seen);
    let at = pairs.into_iter().position(|(one, other)| *one == ValueId::NIL && *other != ValueId::NIL)?;
    Some(one.keys[at])
}

fn argument(part: &Part<'_>, written: &Table<ValueId, (ValueId, usize)>, a: &Read, b: &Read) -> Argument {
    let values = part.history.values();
    let name = |key: Option<ValueId>| key.map_or_else(String::new, |key| values.get(key).to_string());
    let (only_a, only_b) = (lacks(b, a), lacks(a, b));
    let summary = format!(
        "process {} saw the write of key {} and not that of {}, process {} the other way round",
        part.call(a.call).process(),
        name(only_a),
        name(only_b),
        part.call(b.call).process()
    );
    let mut argument = Argument::new(Anomaly::Fork, summary)
        .because(format!("The first read {}.", words::span(&part.call(a.call))))
        .because(format!("The second read {}.", words::span(&part.call(b.call))));
    for key in [only_a, only_b].into_iter().flatten() {
        if let Some((_, call)) = written.get(&key) {
            argument = argument.with(*call, "a write");
        }
    }
    argument.with(a.call, "one side").failing(b.call, "the other side")
}
