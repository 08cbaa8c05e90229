//! Claims that are cheaper to judge than an order of all operations, and that people know by name.
//!
//! Each is a [`Check`](crate::Check) over every key on its own, by the name that the
//! [catalogue](crate::catalogue) has it under. They ask less than linearizability, so a valid one
//! says less; what they find is found in any history, however many operations are open at once.
//!
//! | name | check | operations | claim |
//! |---|---|---|---|
//! | `final-set` | [`FinalSet`] | `add v`, `read` | the last read has all that was acknowledged and nothing else |
//! | `set-full` | [`SetFull`] | the same | no element is lost, twice there, or (if asked) late |
//! | `dequeues` | [`Queue`] | `enqueue v`, `dequeue` | what comes out went in before |
//! | `total-queue` | [`TotalQueue`] | the same, `drain` | and what went in comes out |
//! | `unique-ids` | [`UniqueIds`] | `generate` | no id twice |
//! | `counter-bounds` | [`Counter`] | `add n`, `read` | each read is within what could have been added |
//! | `bank` | [`Bank`] | `read` of a map | the total of all accounts stays |
//! | `long-fork` | [`LongFork`] | lists of `[w k v]`, `[r k v]` | reads agree on an order of writes |
//! | `causal-reverse` | [`CausalReverse`] | `write v`, `read` of all | no write is seen without those before it |
//! | `monotonic` | [`Monotonic`] | `read`, `inc` | a number that grows never goes back |
//! | `sessions` | [`Sessions`] | `write v`, `read` | the four session guarantees |
//! | `stats` | [`Stats`] | any | every function succeeded once |
//! | `unhandled-exceptions` | [`UnhandledErrors`] | any | none: it lists errors of unknown outcomes |
//!
//! After Jepsen's checkers. Where it counts an operation of unknown outcome as lost or as wrong, these
//! don't: it may have happened or not, and only what neither explains is invalid.

mod bank;
mod causal_reverse;
mod compose;
mod counter;
mod final_set;
mod long_fork;
mod monotonic;
mod queue;
mod sessions;
mod set_full;
mod stats;
mod unique_ids;

pub use bank::Bank;
pub use causal_reverse::CausalReverse;
pub use compose::Compose;
pub use counter::Counter;
pub use final_set::FinalSet;
pub use long_fork::LongFork;
pub use monotonic::Monotonic;
pub use queue::{Queue, TotalQueue};
pub use sessions::{Guarantee, Sessions};
pub use set_full::SetFull;
pub use stats::{Stats, UnhandledErrors};
pub use unique_ids::UniqueIds;

use std::sync::Mutex;

use crate::budget::{Budget, Exhausted, Meter};
use crate::explain::witness::Argument;
use crate::history::History;
use crate::history::values::{ValueId, ValueView};
use crate::linearizability::judge::{self, Judged, Located};
use crate::linearizability::partition::Part;
use crate::verdict::Report;

/// What is to be said of one key.
enum Finding {
    Fine,
    Wrong(Argument),
    Unclear(String),
}

impl From<Exhausted> for Finding {
    fn from(why: Exhausted) -> Self {
        Finding::Unclear(format!("not decided: {why}"))
    }
}

/// Judges every key; a history without keys gets the note beside the method's name.
fn judge(
    check: &str,
    method: &'static str,
    history: &History,
    budget: &Budget,
    judge: impl Fn(&Part<'_>, &Meter, &mut String) -> Finding + Sync,
) -> Report {
    let notes = Mutex::new(Vec::new());
    let mut report = judge::check(&[], check, history, &Meter::new(budget), |part, meter| {
        let mut note = String::new();
        let judged = match judge(part, meter, &mut note) {
            Finding::Fine => Judged::valid(method),
            Finding::Wrong(argument) => Judged::invalid(method, || Located::told(part, argument)),
            Finding::Unclear(reason) => Judged::undecided(method, reason),
        };
        if let Ok(mut notes) = notes.lock() {
            notes.push(note);
        }
        judged
    });
    if let Ok(notes) = notes.into_inner()
        && let [note] = &notes[..]
        && !note.is_empty()
    {
        report.engine = format!("{method}: {note}");
    }
    report
}

/// The elements of a list or a set; nil is the empty one.
fn elements(history: &History, value: ValueId) -> Option<&[ValueId]> {
    match history.values().view(value) {
        ValueView::List(elements) | ValueView::Set(elements) => Some(elements),
        ValueView::Nil => Some(&[]),
        _ => None,
    }
}

/// A few values, the rest counted.
fn few(history: &History, values: &[ValueId]) -> String {
    const SHOWN_MAX: usize = 8;
    let shown = values.iter().take(SHOWN_MAX).map(|value| history.values().get(*value).to_string());
    let mut text = shown.collect::<Vec<_>>().join(" ");
    if values.len() > SHOWN_MAX {
        text += &format!(" … ({} in all)", values.len());
    }
    text
}

/// "1 read", "2 reads".
fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}
