//! Sets that only grow: nothing acknowledged is ever missing, nothing unexpected ever there.
//!
//! Jepsen's set-full asks of each element alone whether it was lost or came late. Here a read answers
//! the whole set at one moment, so the set as a whole must be linearizable, which is more: also two
//! reads that each saw what the other did not are found. And a set that nobody read at the end proves
//! nothing about what was acknowledged before: that is unknown.

use std::sync::Arc;

use crate::budget::{Budget, Meter};
use crate::check::Check;
use crate::history::History;
use crate::history::pair::Outcome;
use crate::linearizability::judge::{self, Found, Judged};
use crate::linearizability::partition::Part;
use crate::linearizability::portfolio;
use crate::model::GrowSet;
use crate::online::Checker;
use crate::verdict::{Decision, Report};

/// Every key is a set with `add v` and `read`, which answers all elements in any order.
#[derive(Clone, Debug, Default)]
pub struct SetCheck {}

impl Check for SetCheck {
    fn name(&self) -> &str {
        "set"
    }

    fn check(&self, history: &History, budget: &Budget) -> Report {
        judge::check(&[], self.name(), history, &Meter::new(budget), judge)
    }

    fn decide(&self, history: &History, budget: &Budget) -> Decision {
        judge::decide(&[], history, &Meter::new(budget), judge)
    }

    fn online(&self) -> Option<Checker> {
        Some(Checker::of(Arc::new(GrowSet)))
    }
}

fn judge<'p>(part: &'p Part<'_>, meter: &Meter) -> Judged<'p> {
    let judged = portfolio::set(part, meter);
    match (&judged.found, never_read_back(part)) {
        (Found::Valid, Some(reason)) => Judged::undecided(judged.engine, reason),
        _ => judged,
    }
}

/// Why the acknowledged adds of a key prove nothing, if so.
fn never_read_back(part: &Part<'_>) -> Option<String> {
    let ok = |f: &'static str| {
        part.spanned()
            .filter(move |(call, _)| call.f() == f && call.outcome() == Outcome::Ok)
            .map(|(_, span)| span)
    };
    let last_add = ok("add").map(|span| span.end).max()?;
    let last_read = ok("read").map(|span| span.start).max().unwrap_or(0);
    let unread = ok("add").filter(|span| span.end > last_read).count();
    (last_read < last_add).then(|| {
        format!(
            "{unread} acknowledged adds were followed by no successful read, so nothing shows that they are still there"
        )
    })
}
