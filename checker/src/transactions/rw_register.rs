//! Registers: a read tells one version and nothing about the others, so their order must be inferred.
//!
//! | this version before that one | because | holds |
//! |---|---|---|
//! | nil before everything | nothing is there before the first write | always |
//! | what a transaction read before what it wrote | otherwise it read from its own future | read-committed and up |
//! | what a process saw before what it saw later | snapshots go forward | strong-session-snapshot-isolation and up |
//! | what was done with before the other was last begun | they go forward in real time | strong-snapshot-isolation and up |
//!
//! Dependencies carry what they rest on, so that no cycle claims more than it shows. Relies on every
//! value being written to its key once and nil never.

use super::consistency::TransactionAnomaly as A;
use super::graph::{Builder, Fan, Kind, Label, Via};
use super::inferred::{Inferred, Odds, slot};
use super::txn::{Action, NEVER, Txns};
use crate::budget::{Exhausted, Meter};
use crate::hash::Table;
use crate::history::pair::Outcome;
use crate::history::values::ValueId;

/// One version of one key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Version {
    pub(crate) key: u32,
    pub(crate) value: ValueId,
    /// Who wrote it, and whether it was that transaction's last word.
    pub(crate) writer: Option<u32>,
    last: bool,
    /// Who read it, having written nothing there before. Sorted, distinct.
    pub(crate) readers: Vec<u32>,
}

/// The versions of every key, for telling why.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registers {
    pub(crate) versions: Vec<Version>,
    of_key: Vec<Vec<u32>>,
    by_value: Table<u64, u32>,
    ambiguous: Vec<bool>,
}

/// What one transaction did to one key, seen from outside.
#[derive(Clone, Copy, Debug)]
struct Touch {
    key: u32,
    /// The version it read before it wrote.
    read: Option<u32>,
    /// The version it left.
    wrote: Option<u32>,
}

struct Inference<'t> {
    txns: &'t Txns<'t>,
    registers: Registers,
    happened: Vec<bool>,
    odds: Odds<'t>,
    unclear: Vec<String>,
}

/// Infers what can be; the dependencies go into the builder.
pub(crate) fn infer(
    txns: &Txns<'_>,
    builder: &mut Builder,
    meter: &Meter,
) -> Result<(Inferred, Registers), Exhausted> {
    let keys = txns.keys.len();
    let registers =
        Registers { of_key: vec![Vec::new(); keys], ambiguous: vec![false; keys], ..Registers::default() };
    let mut inference = Inference {
        txns,
        registers,
        happened: txns.txns.iter().map(|txn| txn.outcome == Outcome::Ok).collect(),
        odds: Odds::new(txns),
        unclear: Vec::new(),
    };
    inference.find_writes();
    meter.check()?;
    for (number, _) in txns.ok() {
        inference.judge(number);
    }
    meter.check()?;
    let touches: Vec<Vec<Touch>> = (0..txns.len() as u32).map(|number| inference.touches(number)).collect();
    inference.lost_updates(&touches);
    inference.order_by_data(&touches, builder);
    meter.check()?;
    inference.order_by_sessions(&touches, builder);
    meter.check()?;
    for key in 0..keys as u32 {
        if key % 256 == 0 {
            meter.check()?;
        }
        inference.order_by_time(key, &touches, builder);
    }
    let Inference { registers, happened, odds, unclear, .. } = inference;
    Ok((Inferred { happened, odd: odds.found, unclear }, registers))
}

impl Registers {
    pub(crate) fn version_of(&self, key: u32, value: ValueId) -> Option<u32> {
        self.by_value.get(&slot(key, value)).copied()
    }

    /// The version, new if need be.
    fn version(&mut self, key: u32, value: ValueId) -> u32 {
        let next = self.versions.len() as u32;
        let version = *self.by_value.entry(slot(key, value)).or_insert(next);
        if version == next {
            self.versions.push(Version { key, value, ..Version::default() });
            self.of_key[key as usize].push(version);
        }
        version
    }
}

impl Inference<'_> {
    fn find_writes(&mut self) {
        for number in 0..self.txns.len() as u32 {
            let mops = self.txns.mops(number);
            for (place, mop) in mops.iter().enumerate() {
                let Action::Write(value) = mop.action else { continue };
                let version = self.registers.version(mop.key, value);
                let again = mops[place + 1..]
                    .iter()
                    .any(|other| other.key == mop.key && matches!(other.action, Action::Write(_)));
                let version = &mut self.registers.versions[version as usize];
                let ambiguous = &mut self.registers.ambiguous[mop.key as usize];
                if (version.writer.is_some() || value == ValueId::NIL) && !*ambiguous {
                    *ambiguous = true;
                    self.unclear.push(format!(
                        "{} is written to key {} {}, so nobody can tell which one was read",
                        self.txns.value(value),
                        self.txns.keys[mop.key as usize],
                        if value == ValueId::NIL { "and there before" } else { "more than once" },
                    ));
                }
                (version.writer, version.last) = (Some(number), !again);
            }
        }
    }

    /// Each read of an acknowledged transaction, against itself and against who wrote it.
    fn judge(&mut self, number: u32) {
        let mut known: Vec<(u32, ValueId)> = Vec::new();
        for (place, mop) in self.txns.mops(number).iter().enumerate() {
            let before = known.iter().position(|(key, _)| *key == mop.key);
            match (mop.action, before) {
                (Action::Write(value), Some(at)) => known[at].1 = value,
                (Action::Write(value), None) => known.push((mop.key, value)),
                (Action::Read(value), before) => {
                    match before {
                        Some(at) if known[at].1 == value => continue,
                        Some(at) => {
                            let text = format!(
                                "T1 had key {} at {} and then read {} from it",
                                self.txns.keys[mop.key as usize],
                                self.txns.value(known[at].1),
                                self.txns.value(value)
                            );
                            self.odds.add(A::Internal, &[number], mop.key, text);
                            known[at].1 = value;
                        }
                        None => known.push((mop.key, value)),
                    }
                    self.judge_read(number, place, mop.key, value);
                }
                (Action::Append(_) | Action::ReadList(_), _) => {}
            }
        }
    }

    fn judge_read(&mut self, number: u32, place: usize, key: u32, value: ValueId) {
        if self.registers.ambiguous[key as usize] {
            return;
        }
        let id = self.registers.version(key, value);
        let version = &self.registers.versions[id as usize];
        let (name, value_name) = (&self.txns.keys[key as usize], self.txns.value(value));
        let Some(writer) = version.writer else {
            if value != ValueId::NIL {
                let text = format!("T1 read {value_name} from key {name}, but nobody ever wrote that");
                self.odds.add(A::GarbageRead, &[number], key, text);
            }
            return self.reader(id, number);
        };
        if writer == number {
            if self.txns.mops(number)[place + 1..]
                .iter()
                .any(|mop| mop.key == key && mop.action == Action::Write(value))
            {
                let text = format!("T1 read {value_name} from key {name}, which it wrote there only later");
                self.odds.add(A::FutureRead, &[number], key, text);
            }
            return;
        }
        match self.txns.txns[writer as usize].outcome {
            Outcome::Failed => {
                let text = format!("T2 read {value_name} from key {name}, which T1 wrote; but T1 failed");
                return self.odds.add(A::G1a, &[writer, number], key, text);
            }
            Outcome::Unknown => self.happened[writer as usize] = true,
            Outcome::Ok => {}
        }
        if !version.last {
            let text = format!(
                "T2 read {value_name} from key {name}, which T1 wrote and replaced before it was complete"
            );
            self.odds.add(A::G1b, &[writer, number], key, text);
        }
        self.reader(id, number);
    }

    fn reader(&mut self, version: u32, number: u32) {
        let readers = &mut self.registers.versions[version as usize].readers;
        if readers.last() != Some(&number) {
            readers.push(number);
        }
    }

    /// What a transaction that happened did to each of its keys.
    fn touches(&self, number: u32) -> Vec<Touch> {
        let mut touches: Vec<Touch> = Vec::new();
        if !self.happened[number as usize] {
            return touches;
        }
        for mop in self.txns.mops(number) {
            if self.registers.ambiguous[mop.key as usize] {
                continue;
            }
            let (read, wrote) = match mop.action {
                Action::Read(value) => (self.registers.version_of(mop.key, value), None),
                Action::Write(value) => (None, self.registers.version_of(mop.key, value)),
                Action::Append(_) | Action::ReadList(_) => (None, None),
            };
            match touches.iter_mut().find(|touch| touch.key == mop.key) {
                Some(touch) => touch.wrote = wrote.or(touch.wrote),
                None => touches.push(Touch { key: mop.key, read, wrote }),
            }
        }
        // A read of what is no version of somebody else says nothing about the order.
        for touch in &mut touches {
            touch.read = touch.read.filter(|read| {
                let version = &self.registers.versions[*read as usize];
                match version.writer {
                    Some(writer) => writer != number && self.happened[writer as usize],
                    None => version.value == ValueId::NIL,
                }
            });
        }
        touches
    }

    /// Transactions that read the same version of a key and then each replaced it.
    fn lost_updates(&mut self, touches: &[Vec<Touch>]) {
        let mut first: Table<u32, u32> = Table::default();
        for (number, _) in self.txns.ok() {
            for touch in &touches[number as usize] {
                let (Some(read), Some(_)) = (touch.read, touch.wrote) else { continue };
                let other = *first.entry(read).or_insert(number);
                if other != number {
                    let text = format!(
                        "T1 and T2 both read {} from key {} and then replaced it: one of them did not see the other",
                        self.txns.value(self.registers.versions[read as usize].value),
                        self.txns.keys[touch.key as usize],
                    );
                    self.odds.add(A::LostUpdate, &[other, number], touch.key, text);
                }
            }
        }
    }

    /// Adds that a version comes before those that these transactions wrote: its writer is before
    /// them, and so are its readers.
    fn before(&self, version: u32, writers: &[u32], via: Via, builder: &mut Builder) {
        let version = &self.registers.versions[version as usize];
        if let Some(writer) = version.writer.filter(|writer| self.happened[*writer as usize]) {
            builder.all_pairs(&[writer], writers, Label::new(Kind::Ww, via));
        }
        builder.all_pairs(&version.readers, writers, Label::new(Kind::Rw, via));
    }

    fn order_by_data(&mut self, touches: &[Vec<Touch>], builder: &mut Builder) {
        let mut replaced: Vec<Vec<u32>> = vec![Vec::new(); self.registers.versions.len()];
        for (number, touches) in (0u32..).zip(touches) {
            for touch in touches {
                if let (Some(read), Some(_)) = (touch.read, touch.wrote) {
                    replaced[read as usize].push(number);
                }
            }
        }
        for (id, version) in (0u32..).zip(&self.registers.versions) {
            if self.registers.ambiguous[version.key as usize] {
                continue;
            }
            if let Some(writer) = version.writer.filter(|writer| self.happened[*writer as usize]) {
                for reader in version.readers.iter().filter(|reader| **reader != writer) {
                    builder.edge(writer, *reader, Label::new(Kind::Wr, Via::Data));
                }
            }
            if version.value == ValueId::NIL {
                let versions = self.registers.of_key[version.key as usize].iter();
                let mut writers: Vec<u32> = versions
                    .filter_map(|other| self.registers.versions[*other as usize].writer)
                    .filter(|writer| self.happened[*writer as usize])
                    .collect();
                writers.sort_unstable();
                writers.dedup();
                self.before(id, &writers, Via::Data, builder);
            } else {
                self.before(id, &replaced[id as usize], Via::ReadThenWrite, builder);
            }
        }
        self.cyclic_versions(touches);
    }

    /// Two transactions that each read what the other wrote, on one key.
    fn cyclic_versions(&mut self, touches: &[Vec<Touch>]) {
        for (number, touched) in (0u32..).zip(touches) {
            for touch in touched {
                let (Some(read), Some(wrote)) = (touch.read, touch.wrote) else { continue };
                let Some(other) = self.registers.versions[read as usize].writer else { continue };
                let back = touches[other as usize].iter().find(|back| back.key == touch.key);
                if number < other && back.is_some_and(|back| back.read == Some(wrote)) {
                    let name =
                        |version: u32| self.txns.value(self.registers.versions[version as usize].value);
                    let text = format!(
                        "on key {} T1 read {} and wrote {}, T2 read {} and wrote {}",
                        self.txns.keys[touch.key as usize],
                        name(read),
                        name(wrote),
                        name(wrote),
                        name(read)
                    );
                    self.odds.add(A::CyclicVersions, &[number, other], touch.key, text);
                }
            }
        }
    }

    /// What a process saw of a key comes before what it sees of it later.
    fn order_by_sessions(&self, touches: &[Vec<Touch>], builder: &mut Builder) {
        let mut seen: Table<(u64, u32), u32> = Table::default();
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        for (touches, txn) in touches.iter().zip(&self.txns.txns) {
            for touch in touches {
                let Some(last) = touch.wrote.or(touch.read) else { continue };
                let before = seen.insert((txn.process, touch.key), last);
                let first = touch.read.or(touch.wrote).unwrap_or(last);
                if let Some(before) = before.filter(|before| *before != first) {
                    pairs.push((before, first));
                }
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        for (before, after) in pairs {
            let writer = self.registers.versions[after as usize].writer;
            if let Some(writer) = writer.filter(|writer| self.happened[*writer as usize]) {
                self.before(before, &[writer], Via::Session, builder);
            }
        }
    }

    /// Of each version of a key: the first end of a transaction that wrote or read it, and the last
    /// beginning of one. Whatever has the first before the other's second comes before it.
    fn order_by_time(&self, key: u32, touches: &[Vec<Touch>], builder: &mut Builder) {
        if self.registers.ambiguous[key as usize] {
            return;
        }
        let span = |id: u32| self.registers.span(id, self.txns, &self.happened);
        let versions = self.registers.of_key[key as usize].iter().copied();
        // Last beginning, writer, version: of versions that somebody wrote, latest last.
        let mut targets: Vec<(u32, u32, u32)> = versions
            .filter_map(|id| {
                let version = &self.registers.versions[id as usize];
                let writer =
                    version.writer.filter(|writer| version.last && self.happened[*writer as usize])?;
                Some((span(id).1?.0, writer, id))
            })
            .collect();
        if targets.len() < 2 {
            return;
        }
        targets.sort_unstable();
        let place_of: Table<u32, usize> =
            targets.iter().enumerate().map(|(place, (.., id))| (*id, place)).collect();
        let writers: Vec<u32> = targets.iter().map(|(_, writer, _)| *writer).collect();
        let fan = Fan::new(builder, &writers);
        for (place, (_, writer, id)) in targets.iter().enumerate() {
            let Some((end, _)) = span(*id).0 else { continue };
            let later = targets.partition_point(|(begun, ..)| *begun <= end)..targets.len();
            if later.is_empty() {
                continue;
            }
            let label = Label::new(Kind::Ww, Via::Clock);
            fan.connect(builder, *writer, label, later.clone(), [Some(place), None]);
            for reader in &self.registers.versions[*id as usize].readers {
                let own = touches[*reader as usize].iter().find(|touch| touch.key == key);
                let own = own.and_then(|touch| place_of.get(&touch.wrote?).copied());
                let label = Label::new(Kind::Rw, Via::Clock);
                fan.connect(builder, *reader, label, later.clone(), [Some(place), own]);
            }
        }
    }
}

impl Registers {
    /// The first end of a transaction that wrote or read a version, and the last beginning of one,
    /// each with the transaction.
    #[allow(clippy::type_complexity, reason = "two optional ends, used in two places")]
    pub(crate) fn span(
        &self,
        version: u32,
        txns: &Txns<'_>,
        happened: &[bool],
    ) -> (Option<(u32, u32)>, Option<(u32, u32)>) {
        let version = &self.versions[version as usize];
        let writer = version.writer.filter(|writer| happened[*writer as usize]);
        let touched = || version.readers.iter().copied().chain(writer);
        let ends = touched().map(|txn| (txns.txns[txn as usize].end, txn));
        let first_end = ends.filter(|(end, _)| *end != NEVER).min();
        (first_end, touched().map(|txn| (txns.txns[txn as usize].start, txn)).max())
    }
}
