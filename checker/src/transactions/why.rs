//! Why one transaction came before another, in words.
//!
//! The graph keeps no evidence; it is looked up again for the few dependencies of a cycle that is shown.

use super::cycles::Edge;
use super::graph::{Kind, Via};
use super::inferred::Odds;
use super::list_append::{Append, Lists};
use super::rw_register::Registers;
use super::txn::{Action, Mop, Txns};
use crate::history::values::ValueId;

/// The orders of versions that an inference found.
#[derive(Debug)]
pub(crate) enum Versions {
    Lists(Lists),
    Registers(Registers),
}

/// What a sentence about an edge is made from.
pub(crate) struct Why<'t> {
    pub(crate) txns: &'t Txns<'t>,
    pub(crate) versions: &'t Versions,
    pub(crate) happened: &'t [bool],
    /// The history's index of an event at a position.
    pub(crate) index: &'t dyn Fn(u32) -> u64,
}

impl Why<'_> {
    /// The reason for an edge between transactions of these names.
    pub(crate) fn edge(&self, edge: &Edge, from: &str, to: &str) -> String {
        let txn = |number: u32| &self.txns.txns[number as usize];
        match edge.label.kind() {
            Kind::Process => format!("process {} did {from} and then {to}", txn(edge.from).process),
            Kind::RealTime => format!(
                "{from} was complete (op {}) before {to} began (op {})",
                (self.index)(txn(edge.from).end),
                (self.index)(txn(edge.to).start)
            ),
            Kind::Pass => unreachable!("a collapsed cycle has no nodes in between"),
            kind @ (Kind::Ww | Kind::Wr | Kind::Rw) => {
                let why = match self.versions {
                    Versions::Lists(lists) => self.of_lists(lists, edge, kind, from, to),
                    Versions::Registers(registers) => self.of_registers(registers, edge, kind, from, to),
                };
                why.unwrap_or_else(|| format!("the order of versions puts {from} first"))
            }
        }
    }

    fn name(&self, value: ValueId) -> String {
        self.txns.value(value).to_string()
    }

    fn of_lists(&self, lists: &Lists, edge: &Edge, kind: Kind, from: &str, to: &str) -> Option<String> {
        let appends_of = |txn: u32, key: u32| {
            let appends = &lists.keys[key as usize].appends;
            let begin = appends.partition_point(|append| lists.appends[*append as usize].txn < txn);
            let own = move |append: &&u32| lists.appends[**append as usize].txn == txn;
            appends[begin..].iter().take_while(own).map(|append| lists.appends[*append as usize])
        };
        // The first append of the second transaction after a version; one in no read comes last.
        let rank = |append: &Append| if append.version == 0 { u32::MAX } else { append.version };
        let next = |key: u32, version: u32| {
            appends_of(edge.to, key).filter(|append| rank(append) > version).min_by_key(rank)
        };
        let odds = Odds::new(self.txns);
        let mut best: Option<(u32, String)> = None;
        let mut offer = |distance: u32, text: String| {
            if best.as_ref().is_none_or(|(other, _)| distance < *other) {
                best = Some((distance, text));
            }
        };
        for mop in self.txns.mops(edge.from).iter().chain(self.txns.mops(edge.to)) {
            let (key, name) = (mop.key, &self.txns.keys[mop.key as usize]);
            if lists.keys[key as usize].broken && kind != Kind::Wr {
                continue;
            }
            match (kind, mop.action) {
                (Kind::Ww, Action::Append(value)) => {
                    let own = appends_of(edge.from, key).find(|append| append.value == value);
                    let Some(own) = own.filter(|own| own.version > 0) else { continue };
                    let Some(other) = next(key, own.version) else { continue };
                    let (first, second) = (self.name(value), self.name(other.value));
                    let text = match other.version {
                        0 => format!(
                            "{from} appended {first} to key {name}, the last one anybody read, and {to}'s {second} is in no read"
                        ),
                        _ => format!(
                            "{from} appended {first} to key {name} and {to} appended {second} after it"
                        ),
                    };
                    offer(rank(&other) - own.version, text);
                }
                (Kind::Rw, Action::ReadList(list)) if self.did(edge.from, mop) => {
                    let length = self.txns.list(list).len() as u32;
                    let Some(other) = next(key, length) else { continue };
                    let text = format!(
                        "{from} read key {name} as {}, without {}, which {to} appended",
                        odds.list(list),
                        self.name(other.value)
                    );
                    offer(rank(&other) - length, text);
                }
                (Kind::Wr, Action::ReadList(list)) if self.did(edge.to, mop) => {
                    let read = self.txns.list(list).iter().rev();
                    let mine =
                        |value: &ValueId| appends_of(edge.to, key).any(|append| append.value == *value);
                    let last = read.copied().find(|value| !mine(value));
                    let theirs = last
                        .and_then(|value| appends_of(edge.from, key).find(|append| append.value == value));
                    if let Some(append) = theirs {
                        let text = format!(
                            "{to} read key {name} as {}, and {from} appended {}",
                            odds.list(list),
                            self.name(append.value)
                        );
                        offer(0, text);
                    }
                }
                _ => {}
            }
        }
        best.map(|(_, text)| text)
    }

    fn did(&self, txn: u32, mop: &Mop) -> bool {
        self.txns.mops(txn).contains(mop)
    }

    fn of_registers(
        &self,
        registers: &Registers,
        edge: &Edge,
        kind: Kind,
        from: &str,
        to: &str,
    ) -> Option<String> {
        let version = |id: u32| &registers.versions[id as usize];
        // What the first did to a key and what the second did, on each key that both touched.
        for mop in self.txns.mops(edge.from) {
            let name = &self.txns.keys[mop.key as usize];
            let (first, did) = match (kind, mop.action) {
                (Kind::Ww | Kind::Wr, Action::Write(value)) => (value, "wrote"),
                (Kind::Rw, Action::Read(value)) => (value, "read"),
                _ => continue,
            };
            let first_id = registers.version_of(mop.key, first)?;
            for other in self.txns.mops(edge.to).iter().filter(|other| other.key == mop.key) {
                let value = match (kind, other.action) {
                    (Kind::Wr, Action::Read(value)) if value == first => {
                        return Some(format!(
                            "{to} read {} from key {name}, which {from} wrote",
                            self.name(first)
                        ));
                    }
                    (Kind::Ww | Kind::Rw, Action::Write(value)) if value != first => value,
                    _ => continue,
                };
                let second_id = registers.version_of(mop.key, value)?;
                let because = self.order(registers, first_id, second_id, edge, to);
                let Some(because) = because else { continue };
                debug_assert!(version(second_id).writer == Some(edge.to), "only its writer writes a version");
                return Some(format!(
                    "{from} {did} {} {} key {name} and {to} wrote {} later: {because}",
                    self.name(first),
                    if did == "read" { "from" } else { "to" },
                    self.name(value)
                ));
            }
        }
        None
    }

    /// Why one version came before the other.
    fn order(&self, registers: &Registers, first: u32, second: u32, edge: &Edge, to: &str) -> Option<String> {
        let (before, after) = (&registers.versions[first as usize], &registers.versions[second as usize]);
        let (first_name, second_name) = (self.name(before.value), self.name(after.value));
        match edge.label.via() {
            Via::Data | Via::Unread => Some(format!("{first_name} is there only before the first write")),
            Via::ReadThenWrite => {
                let replaced = before.readers.contains(&edge.to);
                replaced.then(|| format!("{to} read {first_name} before it wrote {second_name}"))
            }
            Via::Session => Some(format!("one process saw {first_name} and then {second_name}")),
            Via::Clock => {
                let (end, last) = registers.span(first, self.txns, self.happened).0?;
                let (start, begun) = registers.span(second, self.txns, self.happened).1?;
                let index = self.index;
                (end < start).then(|| {
                    format!(
                        "process {} had it at {first_name} by op {}, and process {}, which began at op {}, had it at {second_name}",
                        self.txns.txns[last as usize].process,
                        index(end),
                        self.txns.txns[begun as usize].process,
                        index(start)
                    )
                })
            }
        }
    }
}
