//! The two orders that clients see: of one process, and of real time. Both linear in the history.

use super::graph::{Builder, Kind, Label, Via};
use super::txn::{NEVER, Txns};
use crate::hash::Table;

/// Adds an edge from each transaction to the next of its process.
pub(crate) fn processes(txns: &Txns<'_>, happened: &[bool], builder: &mut Builder) {
    let mut last: Table<u64, u32> = Table::default();
    for (number, txn) in (0u32..).zip(&txns.txns).filter(|(number, _)| happened[*number as usize]) {
        if let Some(before) = last.insert(txn.process, number) {
            builder.edge(before, number, Label::new(Kind::Process, Via::Data));
        }
    }
}

/// Adds the order of real time: everything complete comes before everything begun later.
///
/// Between two beginnings, what completes meets in one node; each such node leads to the next, and to
/// the transaction that begins then. So each transaction has one edge in and one out.
pub(crate) fn real_time(txns: &Txns<'_>, happened: &[bool], builder: &mut Builder) {
    // Position, transaction, and whether it ends there.
    let mut events: Vec<(u32, u32, bool)> = Vec::with_capacity(2 * txns.len());
    for (number, txn) in (0u32..).zip(&txns.txns).filter(|(number, _)| happened[*number as usize]) {
        events.push((txn.start, number, false));
        if txn.end != NEVER {
            events.push((txn.end, number, true));
        }
    }
    events.sort_unstable();
    let label = Label::new(Kind::RealTime, Via::Data);
    let mut barrier: Option<u32> = None;
    let mut begun_since = true;
    for (_, number, ends) in events {
        match (ends, barrier) {
            (false, None) => {}
            (false, Some(node)) => {
                builder.pass(node, number);
                begun_since = true;
            }
            (true, Some(node)) if !begun_since => builder.edge(number, node, label),
            (true, before) => {
                let node = builder.node();
                if let Some(before) = before {
                    builder.pass(before, node);
                }
                builder.edge(number, node, label);
                (barrier, begun_since) = (Some(node), false);
            }
        }
    }
}
