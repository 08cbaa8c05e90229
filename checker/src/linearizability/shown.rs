//! Does a history show anything? One in which nobody looked contradicts nothing, whatever was lost.

use std::collections::BTreeMap;

use crate::history::History;
use crate::history::op::{OpType, Process};
use crate::verdict::{Report, Verdict};

/// A function that was asked at least this often should have succeeded once: less may be bad luck.
const ASKED_MIN: u64 = 50;

/// The same report, unless it says valid of a history that shows too little: none of the functions
/// that `look` ever succeeded, or one that was asked again and again never did.
pub(crate) fn or_unknown(report: Report, history: &History, look: &[&str]) -> Report {
    if !report.verdict.is_valid() {
        return report;
    }
    match too_little(history, look) {
        Some(reason) => Report { verdict: Verdict::Unknown(reason), ..report },
        None => report,
    }
}

fn too_little(history: &History, look: &[&str]) -> Option<String> {
    // Invoked and ok, per function.
    let mut counts = vec![(0, 0); history.functions().len()];
    let of_client = |position: &usize| matches!(history.process(*position), Process::Client(_));
    for position in (0..history.len()).filter(of_client) {
        let (invoked, ok): &mut (u64, u64) = &mut counts[usize::from(history.f_id(position).0)];
        match history.op_type(position) {
            OpType::Invoke => *invoked += 1,
            OpType::Ok => *ok += 1,
            OpType::Fail | OpType::Info => {}
        }
    }
    let counts: BTreeMap<&str, (u64, u64)> =
        history.functions().iter().map(|name| &**name).zip(counts).collect();
    if !look.iter().any(|f| counts.get(f).is_some_and(|(_, ok)| *ok > 0)) {
        let updates: u64 = counts.values().map(|(_, ok)| ok).sum();
        return Some(format!(
            "{updates} acknowledged updates and not one successful read, so nothing shows that they are there"
        ));
    }
    counts.iter().find(|(_, (invoked, ok))| *invoked >= ASKED_MIN && *ok == 0).map(|(f, (invoked, _))| {
        format!("none of the {invoked} operations {f} succeeded, so nothing is shown about them")
    })
}
