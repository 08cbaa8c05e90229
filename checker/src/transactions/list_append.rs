//! Lists: every read tells the order of all versions so far, which is what makes them worth using.
//!
//! Of each key the longest list read is the order of its versions; each other read must be a prefix of
//! it. What was appended but is in no read comes after all that is: whoever read the longest list did so
//! before it. Relies on every element being appended to its key once.

use super::consistency::TransactionAnomaly as A;
use super::graph::{Builder, Kind, Label, Via};
use super::inferred::{Inferred, Odds, slot};
use super::txn::{Action, Mop, Txns};
use crate::budget::{Exhausted, Meter};
use crate::hash::Table;
use crate::history::pair::Outcome;
use crate::history::values::ValueId;

/// One append.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Append {
    pub(crate) txn: u32,
    pub(crate) value: ValueId,
    /// Whether it is the transaction's last one to this key.
    last: bool,
    /// Its place in the order of versions, from 1; 0 if it is in no read.
    pub(crate) version: u32,
}

/// What is known about one key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Key {
    /// Its appends, in the order of their transactions.
    pub(crate) appends: Vec<u32>,
    /// The longest list read and who read it.
    longest: Option<(ValueId, u32)>,
    /// Whether its order of versions is worth nothing, because reads contradict each other.
    pub(crate) broken: bool,
    /// The first version that nobody appended, or whose transaction failed.
    first_bad: Option<u32>,
    /// One element appended twice, so that nobody can tell who was read.
    ambiguous: bool,
}

/// The order of versions of every key, for telling why.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lists {
    pub(crate) keys: Vec<Key>,
    pub(crate) appends: Vec<Append>,
    by_value: Table<u64, u32>,
}

struct Inference<'t> {
    txns: &'t Txns<'t>,
    lists: Lists,
    happened: Vec<bool>,
    odds: Odds<'t>,
    unclear: Vec<String>,
}

/// Infers what can be; the dependencies go into the builder.
pub(crate) fn infer(
    txns: &Txns<'_>,
    builder: &mut Builder,
    meter: &Meter,
) -> Result<(Inferred, Lists), Exhausted> {
    let mut inference = Inference {
        txns,
        lists: Lists { keys: vec![Key::default(); txns.keys.len()], ..Lists::default() },
        happened: txns.txns.iter().map(|txn| txn.outcome == Outcome::Ok).collect(),
        odds: Odds::new(txns),
        unclear: Vec::new(),
    };
    inference.find_appends();
    meter.check()?;
    inference.order_versions();
    meter.check()?;
    for (number, _) in txns.ok() {
        if number % 1024 == 0 {
            meter.check()?;
        }
        inference.judge_alone(number);
        inference.judge_reads(number);
    }
    inference.lost_updates();
    inference.dirty_updates();
    for key in 0..inference.lists.keys.len() as u32 {
        if key % 1024 == 0 {
            meter.check()?;
        }
        inference.writes_after_writes(key, builder);
    }
    inference.reads(builder);
    let Inference { lists, happened, odds, unclear, .. } = inference;
    Ok((Inferred { happened, odd: odds.found, unclear }, lists))
}

impl Lists {
    fn append_of(&self, key: u32, value: ValueId) -> Option<u32> {
        self.by_value.get(&slot(key, value)).copied()
    }
}

impl Inference<'_> {
    fn find_appends(&mut self) {
        for (number, _) in (0u32..).zip(&self.txns.txns) {
            let mops = self.txns.mops(number);
            for (place, mop) in (0u32..).zip(mops) {
                let Action::Append(value) = mop.action else { continue };
                let append = self.lists.appends.len() as u32;
                let key = &mut self.lists.keys[mop.key as usize];
                if self.lists.by_value.insert(slot(mop.key, value), append).is_some() && !key.ambiguous {
                    key.ambiguous = true;
                    self.unclear.push(format!(
                        "{} is appended to key {} more than once, so nobody can tell which one was read",
                        self.txns.value(value),
                        self.txns.keys[mop.key as usize]
                    ));
                }
                key.appends.push(append);
                let later = &mops[place as usize + 1..];
                let again = |mop: &Mop, key| mop.key == key && matches!(mop.action, Action::Append(_));
                let last = !later.iter().any(|other| again(other, mop.key));
                self.lists.appends.push(Append { txn: number, value, last, version: 0 });
            }
        }
    }

    /// Every read of a transaction: key, list, and place in the transaction.
    fn reads_of(&self, txn: u32) -> impl Iterator<Item = (u32, ValueId, u32)> + use<'_> {
        (0u32..).zip(self.txns.mops(txn)).filter_map(|(place, mop)| match mop.action {
            Action::ReadList(list) => Some((mop.key, list, place)),
            Action::Append(_) | Action::Write(_) | Action::Read(_) => None,
        })
    }

    fn order_versions(&mut self) {
        for (number, _) in self.txns.ok() {
            for mop in self.txns.mops(number) {
                let Action::ReadList(list) = mop.action else { continue };
                let key = &mut self.lists.keys[mop.key as usize];
                let longer = key
                    .longest
                    .is_none_or(|(longest, _)| self.txns.list(longest).len() < self.txns.list(list).len());
                if longer {
                    key.longest = Some((list, number));
                }
            }
        }
        for key in 0..self.lists.keys.len() as u32 {
            let Some((list, reader)) = self.lists.keys[key as usize].longest else { continue };
            for (version, value) in (1u32..).zip(self.txns.list(list)) {
                let Some(append) = self.lists.append_of(key, *value) else {
                    self.lists.keys[key as usize].first_bad.get_or_insert(version);
                    continue;
                };
                let append = &mut self.lists.appends[append as usize];
                if append.version != 0 {
                    self.lists.keys[key as usize].broken = true;
                    continue;
                }
                append.version = version;
                match self.txns.txns[append.txn as usize].outcome {
                    Outcome::Ok => {}
                    Outcome::Unknown => self.happened[append.txn as usize] = true,
                    Outcome::Failed => {
                        self.lists.keys[key as usize].first_bad.get_or_insert(version);
                    }
                }
            }
            if let Some(value) = first_duplicate(self.txns.list(list)) {
                self.duplicate(key, reader, list, value);
            }
        }
    }

    fn duplicate(&mut self, key: u32, reader: u32, list: ValueId, value: ValueId) {
        self.lists.keys[key as usize].broken = true;
        let text = format!(
            "T1 read key {} as {}, with {} in it twice",
            self.txns.keys[key as usize],
            self.odds.list(list),
            self.txns.value(value)
        );
        self.odds.add(A::DuplicateElements, &[reader], key, text);
    }

    /// Does a transaction agree with itself?
    fn judge_alone(&mut self, number: u32) {
        // Of each key so far: the last list read, and what was appended since.
        let mut known: Vec<(u32, Option<ValueId>, Vec<ValueId>)> = Vec::new();
        for (place, mop) in (0u32..).zip(self.txns.mops(number)) {
            let at = known.iter().position(|(key, ..)| *key == mop.key).unwrap_or_else(|| {
                known.push((mop.key, None, Vec::new()));
                known.len() - 1
            });
            let (_, before, since) = &mut known[at];
            match mop.action {
                Action::Append(value) => since.push(value),
                Action::ReadList(list) => {
                    let read = self.txns.list(list);
                    let agrees = match before {
                        Some(before) => {
                            let before = self.txns.list(*before);
                            read.strip_prefix(before).is_some_and(|rest| rest == &since[..])
                        }
                        None => read.ends_with(since),
                    };
                    if !agrees {
                        let text = self.disagreement(mop.key, list, *before, since);
                        self.odds.add(A::Internal, &[number], mop.key, text);
                    }
                    (*before, *since) = (Some(list), Vec::new());
                    self.reads_ahead(number, mop.key, list, place);
                }
                Action::Write(_) | Action::Read(_) => {}
            }
        }
    }

    fn disagreement(&self, key: u32, list: ValueId, before: Option<ValueId>, since: &[ValueId]) -> String {
        let name = &self.txns.keys[key as usize];
        let mut text = String::from("T1 ");
        if let Some(before) = before {
            text += &format!("read key {name} as {}, ", self.odds.list(before));
        }
        if !since.is_empty() {
            text += &format!("appended {} to key {name}, ", self.odds.elements(since));
        }
        text + &format!("and then read it as {}", self.odds.list(list))
    }

    fn reads_ahead(&mut self, number: u32, key: u32, list: ValueId, place: u32) {
        let later = self.txns.mops(number)[place as usize + 1..].iter().find_map(|mop| match mop.action {
            Action::Append(value) if mop.key == key && self.txns.list(list).contains(&value) => Some(value),
            _ => None,
        });
        if let Some(value) = later {
            let text = format!(
                "T1 read key {} as {}, with {} in it, which it appended itself only later",
                self.txns.keys[key as usize],
                self.odds.list(list),
                self.txns.value(value)
            );
            self.odds.add(A::FutureRead, &[number], key, text);
        }
    }

    /// Do its reads fit the order of versions, and are they of what really happened?
    fn judge_reads(&mut self, number: u32) {
        let reads: Vec<_> = self.reads_of(number).collect();
        for (key, list, _) in reads {
            let Some((longest, longest_reader)) = self.lists.keys[key as usize].longest else { continue };
            let read = self.txns.list(list);
            let fits = self.txns.list(longest).starts_with(read);
            let bad = self.lists.keys[key as usize].first_bad;
            if !fits || bad.is_some_and(|bad| bad as usize <= read.len()) {
                self.judge_elements(number, key, list);
            }
            self.judge_last(number, key, list);
            if !fits {
                if let Some(value) = first_duplicate(read) {
                    self.duplicate(key, number, list, value);
                } else {
                    let name = &self.txns.keys[key as usize];
                    let (one, other) = (self.odds.list(longest), self.odds.list(list));
                    let (whose, readers) = match longest_reader == number {
                        true => ("then", &[number][..]),
                        false => ("T2", &[longest_reader, number][..]),
                    };
                    let text = format!(
                        "T1 read key {name} as {one}, {whose} as {other}: neither continues the other"
                    );
                    self.odds.add(A::IncompatibleOrder, readers, key, text);
                }
                self.lists.keys[key as usize].broken = true;
                for value in read {
                    if let Some(append) = self.lists.append_of(key, *value) {
                        let txn = self.lists.appends[append as usize].txn as usize;
                        self.happened[txn] |= self.txns.txns[txn].outcome == Outcome::Unknown;
                    }
                }
            }
        }
    }

    fn judge_elements(&mut self, number: u32, key: u32, list: ValueId) {
        if self.lists.keys[key as usize].ambiguous {
            return;
        }
        let read = self.txns.list(list);
        for value in read {
            let name = &self.txns.keys[key as usize];
            let value_name = self.txns.value(*value);
            match self.lists.append_of(key, *value).map(|append| self.lists.appends[append as usize]) {
                None => {
                    let text = format!(
                        "T1 read key {name} as {}, but nobody ever appended {value_name}",
                        self.odds.list(list)
                    );
                    self.odds.add(A::GarbageRead, &[number], key, text);
                }
                Some(append) if self.txns.txns[append.txn as usize].outcome == Outcome::Failed => {
                    let text = format!(
                        "T2 read key {name} as {}, with {value_name} in it, which T1 appended; but T1 failed",
                        self.odds.list(list)
                    );
                    self.odds.add(A::G1a, &[append.txn, number], key, text);
                }
                Some(_) => {}
            }
        }
    }

    /// Is the last element one that its transaction meant to leave there?
    fn judge_last(&mut self, number: u32, key: u32, list: ValueId) {
        if self.lists.keys[key as usize].ambiguous {
            return;
        }
        let read = self.txns.list(list);
        let last = read.last().and_then(|value| self.lists.append_of(key, *value));
        if let Some(append) = last.map(|append| self.lists.appends[append as usize])
            && !append.last
            && append.txn != number
            && self.txns.txns[append.txn as usize].outcome != Outcome::Failed
        {
            let text = format!(
                "T2 read key {} as {}, up to {}, after which T1 appended more to it",
                self.txns.keys[key as usize],
                self.odds.list(list),
                self.txns.value(append.value)
            );
            self.odds.add(A::G1b, &[append.txn, number], key, text);
        }
    }

    /// Transactions that read the same version of a key and then each appended to it.
    fn lost_updates(&mut self) {
        let mut first: Table<(u32, u32), u32> = Table::default();
        for (number, _) in self.txns.ok() {
            let mops = self.txns.mops(number);
            for (place, mop) in mops.iter().enumerate() {
                let Action::ReadList(list) = mop.action else { continue };
                let (before, after) = (&mops[..place], &mops[place + 1..]);
                let appends = |mops: &[Mop]| {
                    mops.iter().any(|other| other.key == mop.key && matches!(other.action, Action::Append(_)))
                };
                let again = before.iter().any(|other| other.key == mop.key);
                if again || !appends(after) || self.lists.keys[mop.key as usize].broken {
                    continue;
                }
                let version = self.txns.list(list).len() as u32;
                match first.entry((mop.key, version)) {
                    std::collections::hash_map::Entry::Vacant(slot) => {
                        slot.insert(number);
                    }
                    std::collections::hash_map::Entry::Occupied(slot) => {
                        let text = format!(
                            "T1 and T2 both read key {} as {} and then appended to it: one of them did not see the other",
                            self.txns.keys[mop.key as usize],
                            self.odds.list(list)
                        );
                        self.odds.add(A::LostUpdate, &[*slot.get(), number], mop.key, text);
                    }
                }
            }
        }
    }

    /// Elements of transactions that failed, below elements of transactions that happened.
    fn dirty_updates(&mut self) {
        for key in 0..self.lists.keys.len() as u32 {
            let Key { longest: Some((list, reader)), ambiguous: false, .. } = self.lists.keys[key as usize]
            else {
                continue;
            };
            let mut failed: Option<Append> = None;
            for value in self.txns.list(list) {
                let Some(append) = self.lists.append_of(key, *value) else { continue };
                let append = self.lists.appends[append as usize];
                match (self.txns.txns[append.txn as usize].outcome, failed) {
                    (Outcome::Failed, _) => failed = Some(append),
                    (Outcome::Ok | Outcome::Unknown, Some(failed)) => {
                        let text = format!(
                            "T1 failed, but what it appended to key {}, {}, is below T2's {}, as T3 read: {}",
                            self.txns.keys[key as usize],
                            self.txns.value(failed.value),
                            self.txns.value(append.value),
                            self.odds.list(list)
                        );
                        self.odds.add(A::DirtyUpdate, &[failed.txn, append.txn, reader], key, text);
                        break;
                    }
                    (Outcome::Ok | Outcome::Unknown, None) => {}
                }
            }
        }
    }

    /// The transactions of a key's versions, in order, those that did not happen left out.
    fn versions(&self, key: u32) -> Vec<(u32, u32)> {
        let Some((list, _)) = self.lists.keys[key as usize].longest else { return Vec::new() };
        let appends = self.txns.list(list).iter().filter_map(|value| self.lists.append_of(key, *value));
        let versions = appends.map(|append| self.lists.appends[append as usize]);
        versions
            .filter(|append| self.happened[append.txn as usize])
            .map(|append| (append.version, append.txn))
            .collect()
    }

    fn writes_after_writes(&self, key: u32, builder: &mut Builder) {
        let label = Label::new(Kind::Ww, Via::Data);
        let facts = &self.lists.keys[key as usize];
        if facts.broken || facts.ambiguous {
            return;
        }
        let versions = self.versions(key);
        for pair in versions.windows(2) {
            if pair[0].1 != pair[1].1 {
                builder.edge(pair[0].1, pair[1].1, label);
            }
        }
        if facts.longest.is_some()
            && let Some((_, last)) = versions.last()
        {
            builder.all_pairs(&[*last], &self.unread(key), Label::new(Kind::Ww, Via::Unread));
        }
    }

    /// Transactions that happened and whose appends to this key are in no read: sorted, distinct.
    fn unread(&self, key: u32) -> Vec<u32> {
        let appends = self.lists.keys[key as usize].appends.iter();
        let unread =
            appends.map(|append| self.lists.appends[*append as usize]).filter(|append| append.version == 0);
        let mut unread: Vec<u32> =
            unread.map(|append| append.txn).filter(|txn| self.happened[*txn as usize]).collect();
        unread.dedup();
        unread
    }

    /// What each read comes after, and before.
    fn reads(&self, builder: &mut Builder) {
        // Of each key, who read all versions that anybody did.
        let mut saw_all: Vec<Vec<u32>> = vec![Vec::new(); self.lists.keys.len()];
        let versions: Vec<Vec<(u32, u32)>> =
            (0..self.lists.keys.len() as u32).map(|key| self.versions(key)).collect();
        for (number, _) in self.txns.ok() {
            for (key, list, _) in self.reads_of(number) {
                let facts = &self.lists.keys[key as usize];
                if facts.ambiguous {
                    continue;
                }
                let read = self.txns.list(list);
                let writers = read.iter().rev().map(|value| {
                    self.lists.append_of(key, *value).map(|append| self.lists.appends[append as usize].txn)
                });
                let mut foreign = writers.skip_while(|writer| *writer == Some(number));
                if let Some(Some(writer)) = foreign.next()
                    && self.happened[writer as usize]
                {
                    builder.edge(writer, number, Label::new(Kind::Wr, Via::Data));
                }
                if facts.broken {
                    continue;
                }
                let versions = &versions[key as usize];
                let next = versions.partition_point(|(version, _)| *version as usize <= read.len());
                match versions.get(next) {
                    Some((_, writer)) if *writer == number => {}
                    Some((_, writer)) => {
                        builder.edge(number, *writer, Label::new(Kind::Rw, Via::Data));
                    }
                    None => saw_all[key as usize].push(number),
                }
            }
        }
        for (key, mut readers) in (0u32..).zip(saw_all) {
            readers.dedup();
            builder.all_pairs(&readers, &self.unread(key), Label::new(Kind::Rw, Via::Unread));
        }
    }
}

/// The first element that a list has had before.
fn first_duplicate(list: &[ValueId]) -> Option<ValueId> {
    let mut sorted = list.to_vec();
    sorted.sort_unstable();
    let twice = |value: &ValueId| {
        sorted.partition_point(|other| other <= value) - sorted.partition_point(|other| other < value) > 1
    };
    list.iter().copied().find(twice)
}
