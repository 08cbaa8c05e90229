//! Transactions over several keys: which isolation does a history show, and what breaks it?
//!
//! Each operation is a list of micro-operations that are meant to happen together. From what they
//! read follows which transaction came before which; a transaction that comes before itself shows an
//! anomaly, and each consistency model is the absence of some (Adya 1999). This is the method of
//! Kingsbury & Alvaro's Elle (2020).
//!
//! | check | operations | micro-operations |
//! |---|---|---|
//! | [`ListAppend`] | any `f` whose value is a list of them | `["append", k, v]`, `["r", k, [..]]` |
//! | [`RwRegister`] | the same | `["w", k, v]`, `["r", k, v]` |
//!
//! 1. `decode`: columns of small numbers, from the history.
//! 2. `list_append`, `rw_register`: the order of versions of each key, the dependencies that follow,
//!    and the anomalies that need no graph. A transaction of unknown outcome counts as one that
//!    happened if somebody saw what it wrote; otherwise as one that did not.
//! 3. `time`: the orders of processes and of real time.
//! 4. `cycles`: strongly connected components, and of each class of anomaly a short cycle in them.
//! 5. `analysis`: what they rule out, in words and drawn; [`consistency`] has the models.
//!
//! No alarm is false: every dependency holds in every order that the model admits. What is missed is
//! what nobody's reads show; lists that are all read at the end show everything. Time and memory are
//! linear in the history (for registers times a logarithm).

pub mod analysis;
pub mod consistency;
pub(crate) mod cycles;
pub(crate) mod decode;
pub mod graph;
pub(crate) mod inferred;
pub(crate) mod list_append;
pub(crate) mod rw_register;
pub(crate) mod time;
pub(crate) mod txn;
pub(crate) mod why;

use analysis::{Analysis, Finding, NoAnalysis};
pub use consistency::{ConsistencyModel, TransactionAnomaly};

use crate::budget::{Budget, Meter};
use crate::check::Check;
use crate::explain::witness::{Anomaly, Witness};
use crate::history::History;
use crate::history::pair::OpCounts;
use crate::verdict::{Report, Verdict, raw_counts};

/// What is behind each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    List,
    Register,
}

impl Object {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Object::List => "a list",
            Object::Register => "a register",
        }
    }
}

/// Every key is a list, empty at first; transactions append to lists and read them.
#[derive(Clone, Copy, Debug)]
pub struct ListAppend {
    expected: ConsistencyModel,
}

/// Every key is a register, nil at first; transactions write and read them.
#[derive(Clone, Copy, Debug)]
pub struct RwRegister {
    expected: ConsistencyModel,
}

impl Default for ListAppend {
    /// Strict serializability is expected.
    fn default() -> Self {
        Self::expecting(ConsistencyModel::StrictSerializable)
    }
}

impl Default for RwRegister {
    /// Strict serializability is expected.
    fn default() -> Self {
        Self::expecting(ConsistencyModel::StrictSerializable)
    }
}

impl ListAppend {
    /// Invalid is what contradicts this model, and nothing else.
    pub fn expecting(model: ConsistencyModel) -> Self {
        Self { expected: model }
    }

    /// Everything that is wrong, whatever is expected; or why nobody can tell.
    pub fn analyse(&self, history: &History, budget: &Budget) -> Result<Analysis, String> {
        analyse(history, Object::List, budget)
    }
}

impl RwRegister {
    /// Invalid is what contradicts this model, and nothing else.
    pub fn expecting(model: ConsistencyModel) -> Self {
        Self { expected: model }
    }

    /// Everything that is wrong, whatever is expected; or why nobody can tell.
    pub fn analyse(&self, history: &History, budget: &Budget) -> Result<Analysis, String> {
        analyse(history, Object::Register, budget)
    }
}

impl Check for ListAppend {
    fn name(&self) -> &str {
        "list-append"
    }

    fn check(&self, history: &History, budget: &Budget) -> Report {
        check(self.name(), self.expected, Object::List, history, budget)
    }
}

impl Check for RwRegister {
    fn name(&self) -> &str {
        "rw-register"
    }

    fn check(&self, history: &History, budget: &Budget) -> Report {
        check(self.name(), self.expected, Object::Register, history, budget)
    }
}

fn analyse(history: &History, object: Object, budget: &Budget) -> Result<Analysis, String> {
    let calls = history.calls().map_err(|broken| broken.to_string())?;
    analysis::analyse(&calls, object, &Meter::new(budget)).map_err(|why| match why {
        NoAnalysis::NoTransactions(why) => why,
        NoAnalysis::Exhausted(why) => format!("not decided: {why}"),
    })
}

fn check(
    name: &str,
    expected: ConsistencyModel,
    object: Object,
    history: &History,
    budget: &Budget,
) -> Report {
    let ops = match history.calls() {
        Ok(calls) => calls.counts(),
        Err(_) => raw_counts(history),
    };
    let name = format!("{name} ({expected})");
    let analysis = match analyse(history, object, budget) {
        Ok(analysis) => analysis,
        Err(why) => return Report { ops, ..Report::unknown(name, why) },
    };
    let against: Vec<&Finding> =
        analysis.findings.iter().filter(|finding| expected.forbids(finding.anomaly)).collect();
    let verdict = match against.first() {
        Some(worst) => Verdict::Invalid(witness(shortened(worst, &against), worst, &analysis, history)),
        None => match shows_too_little(&analysis, &ops) {
            Some(reason) => Verdict::Unknown(reason),
            None => Verdict::Valid,
        },
    };
    let mut invalid_keys: Vec<_> = against.iter().filter_map(|finding| finding.key.clone()).collect();
    invalid_keys.dedup();
    Report {
        check: name,
        verdict,
        engine: "cycles".to_owned(),
        keys: analysis.keys,
        invalid_keys,
        unknown_keys: analysis.unclear.len() as u64,
        ops,
    }
}

fn shows_too_little(analysis: &Analysis, ops: &OpCounts) -> Option<String> {
    if ops.invoked == 0 {
        return Some("the history has no operations of clients: nothing was asked".to_owned());
    }
    if analysis.reads == 0 {
        let ok = ops.ok;
        return Some(format!("{ok} acknowledged transactions and not one read, so nothing is shown"));
    }
    analysis.unclear.first().cloned()
}

/// The worst, or the worst that people can follow.
fn shortened<'f>(worst: &'f Finding, against: &[&'f Finding]) -> &'f Finding {
    let short = against.iter().find(|finding| finding.transactions.len() <= cycles::LONG);
    short.copied().unwrap_or(worst)
}

fn witness(finding: &Finding, worst: &Finding, analysis: &Analysis, history: &History) -> Witness {
    use TransactionAnomaly as A;
    let anomaly = match finding.anomaly {
        A::G1a | A::DirtyUpdate => Anomaly::FailedWriteSeen,
        A::GarbageRead => Anomaly::NeverWritten,
        A::FutureRead => Anomaly::ReadFromFuture,
        A::DuplicateElements => Anomaly::Duplicate,
        A::LostUpdate => Anomaly::LostUpdate,
        A::IncompatibleOrder => Anomaly::Fork,
        A::G1b => Anomaly::IntermediateRead,
        A::Internal => Anomaly::SelfContradiction,
        _ => Anomaly::Cycle,
    };
    let mut reasons: Vec<String> = finding.steps.iter().map(|step| step.why.clone()).collect();
    if finding != worst {
        reasons.push(format!(
            "Worse by its kind, and longer: {}, a cycle of {} transactions.",
            worst.anomaly,
            worst.transactions.len()
        ));
    }
    let names = analysis.not.iter().map(|model| model.name()).collect::<Vec<_>>();
    reasons.push(format!("So the history is not {}.", names.join(" and not ")));
    let summary = format!("{}: {}", finding.anomaly, finding.summary);
    let ops = finding.transactions.clone();
    let drawing = (!finding.steps.is_empty()).then(|| finding.drawing());
    Witness { drawing, ..Witness::from_ops(history, anomaly, finding.key.clone(), summary, reasons, ops) }
}
