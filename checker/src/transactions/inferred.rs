//! What an inference over transactions tells beside its dependencies.

use super::consistency::TransactionAnomaly;
use super::txn::Txns;
use crate::history::values::ValueId;

/// Everything but the graph.
#[derive(Debug)]
pub(crate) struct Inferred {
    /// Which transactions certainly happened: those acknowledged, and those somebody saw.
    pub(crate) happened: Vec<bool>,
    /// Anomalies that are no cycles.
    pub(crate) odd: Vec<Odd>,
    /// What could not be judged, and why.
    pub(crate) unclear: Vec<String>,
}

/// A value of a key as one number.
pub(crate) fn slot(key: u32, value: ValueId) -> u64 {
    u64::from(key) << 32 | u64::from(value.0)
}

/// An anomaly of one or a few transactions.
#[derive(Clone, Debug)]
pub(crate) struct Odd {
    pub(crate) anomaly: TransactionAnomaly,
    /// In the text they are T1, T2, ….
    pub(crate) txns: Vec<u32>,
    pub(crate) key: u32,
    pub(crate) text: String,
}

/// Examples kept of one anomaly.
const EXAMPLES_MAX: usize = 4;

/// Elements of a list that are spelt out.
const ELEMENTS_SHOWN_MAX: usize = 12;

/// A few examples of each anomaly.
#[derive(Debug)]
pub(crate) struct Odds<'t> {
    txns: &'t Txns<'t>,
    pub(crate) found: Vec<Odd>,
}

impl<'t> Odds<'t> {
    pub(crate) fn new(txns: &'t Txns<'t>) -> Self {
        Self { txns, found: Vec::new() }
    }

    pub(crate) fn add(&mut self, anomaly: TransactionAnomaly, txns: &[u32], key: u32, text: String) {
        let alike = self.found.iter().filter(|odd| odd.anomaly == anomaly).count();
        if alike < EXAMPLES_MAX {
            self.found.push(Odd { anomaly, txns: txns.to_vec(), key, text });
        }
    }

    pub(crate) fn list(&self, list: ValueId) -> String {
        self.elements(self.txns.list(list))
    }

    /// A list, shortened in its middle.
    pub(crate) fn elements(&self, values: &[ValueId]) -> String {
        let shown = |values: &[ValueId]| {
            let names = values.iter().map(|value| self.txns.value(*value).to_string());
            names.collect::<Vec<_>>().join(" ")
        };
        if values.len() <= ELEMENTS_SHOWN_MAX {
            return format!("[{}]", shown(values));
        }
        let half = ELEMENTS_SHOWN_MAX / 2;
        let (head, tail) = (&values[..half], &values[values.len() - half..]);
        format!("[{} … {}] ({} elements)", shown(head), shown(tail), values.len())
    }
}
