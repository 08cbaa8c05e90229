//! What is found in the transactions of a history, as data, in words and drawn.

use std::fmt;

use super::Object;
use super::consistency::{ConsistencyModel, TransactionAnomaly, ruled_out};
use super::cycles::{self, Cycle};
use super::decode::decode;
use super::graph::{Builder, Dependency, Kind};
use super::inferred::{Inferred, Odd};
use super::txn::Txns;
use super::why::{Versions, Why};
use super::{list_append, rw_register, time};
use crate::budget::{Exhausted, Meter};
use crate::explain::witness::WitnessOp;
use crate::explain::words;
use crate::history::op::Value;
use crate::history::pair::{Calls, Outcome};

/// Everything that was found.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Analysis {
    /// Anomalies with their evidence, the worst first; a few of each kind.
    pub findings: Vec<Finding>,
    /// The weakest models that the history can't be of.
    pub not: Vec<ConsistencyModel>,
    /// All stronger ones.
    pub also_not: Vec<ConsistencyModel>,
    /// What could not be judged, and why.
    pub unclear: Vec<String>,
    /// Transactions asked for.
    pub transactions: u64,
    /// Of these: certainly happened, those of unknown outcome that somebody saw among them.
    pub happened: u64,
    /// Reads that were answered.
    pub reads: u64,
    /// Keys they were about.
    pub keys: u64,
}

/// One anomaly.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Finding {
    /// Which.
    pub anomaly: TransactionAnomaly,
    /// The key, where it is about one.
    pub key: Option<Value>,
    /// It in one sentence, where the transactions are T1, T2, ….
    pub summary: String,
    /// The transactions, T1 first.
    pub transactions: Vec<WitnessOp>,
    /// Of a cycle: its dependencies, from T1 all the way back to T1.
    pub steps: Vec<Step>,
}

/// One dependency of a cycle.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Step {
    /// The transaction that came first, by its place in the finding.
    pub from: usize,
    /// The one that came after it.
    pub to: usize,
    /// What orders them.
    pub dependency: Dependency,
    /// Why, in words.
    pub why: String,
}

/// Why there is no analysis.
#[derive(Debug)]
pub(crate) enum NoAnalysis {
    NoTransactions(String),
    Exhausted(Exhausted),
}

impl From<Exhausted> for NoAnalysis {
    fn from(why: Exhausted) -> Self {
        NoAnalysis::Exhausted(why)
    }
}

/// Analyses these calls, which are all of a history.
pub(crate) fn analyse(calls: &Calls<'_>, object: Object, meter: &Meter) -> Result<Analysis, NoAnalysis> {
    let txns = decode(calls, object).map_err(NoAnalysis::NoTransactions)?;
    meter.take(txns.bytes());
    meter.check()?;
    let (inferred, versions, cycles) = search(&txns, object, meter)?;
    let Inferred { happened, odd, unclear } = inferred;
    let index = |position: u32| calls.history.index(position as usize);
    let why = Why { txns: &txns, versions: &versions, happened: &happened, index: &index };
    let mut findings: Vec<Finding> = odd.iter().map(|odd| of_odd(odd, &txns, calls)).collect();
    findings.extend(cycles.iter().map(|cycle| of_cycle(cycle, &why, calls)));
    findings.sort_by_key(|finding| finding.anomaly);
    let anomalies: Vec<TransactionAnomaly> = findings.iter().map(|finding| finding.anomaly).collect();
    let (not, also_not) = ruled_out(&anomalies);
    meter.give_back(txns.bytes());
    Ok(Analysis {
        findings,
        not,
        also_not,
        unclear,
        transactions: calls.len() as u64,
        happened: happened.iter().filter(|happened| **happened).count() as u64,
        reads: txns.reads(),
        keys: txns.keys.len() as u64,
    })
}

/// Infers and searches.
pub(crate) fn search(
    txns: &Txns<'_>,
    object: Object,
    meter: &Meter,
) -> Result<(Inferred, Versions, Vec<Cycle>), Exhausted> {
    let mut builder = Builder::new(txns.len() as u32);
    let (inferred, versions) = match object {
        Object::List => {
            let (inferred, lists) = list_append::infer(txns, &mut builder, meter)?;
            (inferred, Versions::Lists(lists))
        }
        Object::Register => {
            let (inferred, registers) = rw_register::infer(txns, &mut builder, meter)?;
            (inferred, Versions::Registers(registers))
        }
    };
    time::processes(txns, &inferred.happened, &mut builder);
    time::real_time(txns, &inferred.happened, &mut builder);
    let bytes = builder.bytes();
    meter.take(bytes);
    meter.check()?;
    let cycles = cycles::find(&builder.finish(), meter)?;
    meter.give_back(bytes);
    Ok((inferred, versions, cycles))
}

fn evidence(calls: &Calls<'_>, txn: u32, number: usize) -> WitnessOp {
    let call = calls.call(txn as usize);
    let value = call.result().filter(|value| !value.is_nil()).unwrap_or_else(|| call.asked());
    WitnessOp { value, ..WitnessOp::of(&call, format!("T{}", number + 1)) }
}

fn of_odd(odd: &Odd, txns: &Txns<'_>, calls: &Calls<'_>) -> Finding {
    let numbered = odd.txns.iter().enumerate();
    let mut transactions: Vec<WitnessOp> =
        numbered.map(|(number, txn)| evidence(calls, *txn, number)).collect();
    if let Some(last) = transactions.last_mut() {
        last.failing = true;
    }
    Finding {
        anomaly: odd.anomaly,
        key: Some(txns.keys[odd.key as usize].clone()),
        summary: odd.text.clone(),
        transactions,
        steps: Vec::new(),
    }
}

fn of_cycle(cycle: &Cycle, why: &Why<'_>, calls: &Calls<'_>) -> Finding {
    // A walk may pass one transaction twice; it has one name.
    let mut members: Vec<u32> = Vec::new();
    for edge in &cycle.edges {
        if !members.contains(&edge.from) {
            members.push(edge.from);
        }
    }
    let place = |txn: u32| members.iter().position(|member| *member == txn).unwrap_or(0);
    let steps: Vec<Step> = cycle
        .edges
        .iter()
        .map(|edge| {
            let (from, to) = (place(edge.from), place(edge.to));
            let (first, second) = (format!("T{}", from + 1), format!("T{}", to + 1));
            let reason = why.edge(edge, &first, &second);
            let dependency = match edge.label.kind() {
                Kind::Ww => Dependency::WriteWrite,
                Kind::Wr => Dependency::WriteRead,
                Kind::Rw => Dependency::ReadWrite,
                Kind::Process => Dependency::Process,
                Kind::RealTime | Kind::Pass => Dependency::RealTime,
            };
            Step { from, to, dependency, why: format!("{first} < {second}, because {reason}") }
        })
        .collect();
    let mut order = String::from("T1");
    for step in &steps {
        order += &format!(" < T{}", step.to + 1);
    }
    let numbered = members.iter().enumerate();
    Finding {
        anomaly: TransactionAnomaly::cycle(cycle.class, cycle.level),
        key: None,
        summary: format!("{order}: a transaction before itself"),
        transactions: numbered.map(|(number, txn)| evidence(calls, *txn, number)).collect(),
        steps,
    }
}

impl Dependency {
    /// As it is written along an arrow.
    pub fn short(self) -> &'static str {
        match self {
            Dependency::WriteWrite => "ww",
            Dependency::WriteRead => "wr",
            Dependency::ReadWrite => "rw",
            Dependency::Process => "process",
            Dependency::RealTime => "real time",
        }
    }
}

/// A transaction as people write one: "append 4 2, r 5 [1 2]".
pub(crate) fn mops(value: &Value) -> String {
    let Some(mops) = value.as_list() else { return words::brief(value) };
    let mop = |mop: &Value| match mop.as_list() {
        Some([Value::Text(f), key, value]) => format!("{f} {key} {}", words::brief(value)),
        _ => words::brief(mop),
    };
    mops.iter().map(mop).collect::<Vec<_>>().join(", ")
}

impl Finding {
    /// The evidence as a graph in Graphviz's language: transactions, and what orders them.
    pub fn dot(&self) -> String {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut dot = format!("digraph {:?} {{\n  node [shape=box];\n", self.anomaly.name());
        for (number, op) in self.transactions.iter().enumerate() {
            let (name, what) = (format!("T{}", number + 1), quoted(&mops(&op.value)));
            dot += &format!("  {name} [label=\"{name}, process {}\\n{what}\"];\n", op.process);
        }
        for Step { from, to, dependency, why } in &self.steps {
            let (label, tooltip) = (dependency.short(), quoted(why));
            dot += &format!("  T{} -> T{} [label=\"{label}\", tooltip=\"{tooltip}\"];\n", from + 1, to + 1);
        }
        dot + "}\n"
    }

    /// The evidence drawn in text: a cycle runs down and returns to its beginning.
    pub fn drawing(&self) -> String {
        let label = |number: usize| {
            let op = &self.transactions[number];
            let outcome = match op.outcome {
                Outcome::Ok => "",
                Outcome::Failed => " (failed)",
                Outcome::Unknown => " (outcome unknown)",
            };
            format!("T{}  process {}{outcome}: {}", number + 1, op.process, mops(&op.value))
        };
        if self.steps.is_empty() {
            let lines = (0..self.transactions.len()).map(|number| format!("  {}\n", label(number)));
            return lines.collect();
        }
        let mut drawing = String::new();
        for (row, step) in self.steps.iter().enumerate() {
            let edge = if row == 0 { "┌─▶ " } else { "│   " };
            drawing += &format!("  {edge}{}\n", label(step.from));
            if row + 1 == self.steps.len() {
                drawing += &format!("  └──── {}\n", step.dependency.short());
            } else {
                drawing += &format!("  │    │ {}\n  │    ▼\n", step.dependency.short());
            }
        }
        drawing
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => writeln!(f, "{} on key {key}: {}", self.anomaly, self.summary)?,
            None => writeln!(f, "{}: {}", self.anomaly, self.summary)?,
        }
        for step in &self.steps {
            writeln!(f, "  - {}", step.why)?;
        }
        f.write_str(&self.drawing())
    }
}

impl fmt::Display for Analysis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |models: &[ConsistencyModel]| {
            models.iter().map(|model| model.name()).collect::<Vec<_>>().join(", ")
        };
        let Analysis { transactions, happened, keys, .. } = self;
        writeln!(f, "{transactions} transactions on {keys} keys, {happened} of which happened")?;
        if self.findings.is_empty() {
            writeln!(f, "no anomaly found")?;
        }
        if !self.not.is_empty() {
            writeln!(f, "not {}; hence not {}", names(&self.not), names(&self.also_not))?;
        }
        self.unclear.iter().try_for_each(|why| writeln!(f, "unclear: {why}"))?;
        self.findings.iter().try_for_each(|finding| write!(f, "\n{finding}"))
    }
}
