//! The part that all checks share: pair, split by key, judge each key, sum up.
//!
//! A verdict costs little, telling why it is invalid may cost more than all the rest. So whoever judges a
//! key answers with a [`Reason`] that is told only when asked: never for a [`Decision`], and for a
//! [`Report`] of the one key that is looked at first.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::partition::{self, Part};
use super::shown;
use crate::budget::Meter;
use crate::explain::witness::{Argument, Witness};
use crate::history::History;
use crate::history::op::Value;
use crate::history::pair::{Calls, OpCounts};
use crate::verdict::{Decision, Report, Verdict, raw_counts};

/// The answer for one key, and what gave it.
pub(crate) struct Judged<'a> {
    pub(crate) engine: &'static str,
    pub(crate) found: Found<'a>,
}

/// The answer for one key.
pub(crate) enum Found<'a> {
    Valid,
    Invalid(Reason<'a>),
    Unknown(String),
}

/// Why a key is invalid, not yet told.
pub(crate) struct Reason<'a>(Box<dyn FnOnce() -> Located<'a> + Send + 'a>);

/// The same with its place.
pub(crate) struct Located<'a> {
    /// The position in the history at which it became impossible.
    since: usize,
    tell: Box<dyn FnOnce(&Meter) -> Argument + 'a>,
}

impl<'a> Reason<'a> {
    /// What is found out by this when somebody asks: how it is located, then how it is told. The first must
    /// cost no more than a few looks at every operation.
    pub(crate) fn new(locate: impl FnOnce() -> Located<'a> + Send + 'a) -> Self {
        Self(Box::new(locate))
    }
}

impl<'a> Located<'a> {
    /// An argument that is told when somebody asks, about what was complete at this position.
    pub(crate) fn at(since: usize, tell: impl FnOnce(&Meter) -> Argument + 'a) -> Self {
        Self { since, tell: Box::new(tell) }
    }

    /// An argument that had to be told to know where it belongs: to its last event.
    pub(crate) fn told(part: &Part<'_>, argument: Argument) -> Self {
        Self::at(argument.last_event(part), |_| argument)
    }
}

impl<'a> Judged<'a> {
    pub(crate) fn valid(engine: &'static str) -> Self {
        Self { engine, found: Found::Valid }
    }

    pub(crate) fn invalid(engine: &'static str, locate: impl FnOnce() -> Located<'a> + Send + 'a) -> Self {
        Self { engine, found: Found::Invalid(Reason::new(locate)) }
    }

    pub(crate) fn undecided(engine: &'static str, reason: impl Into<String>) -> Self {
        Self { engine, found: Found::Unknown(reason.into()) }
    }

    pub(crate) fn unknown(reason: impl Into<String>) -> Self {
        Self::undecided("none", reason)
    }
}

/// Judges every key of a history, within what the meter leaves for all. A history without a successful operation of
/// those that `look` is not valid, see [`shown`].
pub(crate) fn check<'h>(
    look: &[&str],
    check: &str,
    history: &'h History,
    meter: &Meter,
    judge: impl for<'p> Fn(&'p Part<'h>, &Meter) -> Judged<'p> + Sync,
) -> Report {
    let (calls, ops) = match asked(history) {
        Ok(calls) => calls,
        Err((ops, reason)) => return Report { ops, ..Report::unknown(check, reason) },
    };
    let too_little = shown::too_little(history, &calls.counts, look);
    let parts = partition::by_key(calls);
    let judged = partition::judge_all(&parts, |part| ControlFlow::Continue(judged(part, meter, &judge)));
    let engine = engines(&judged);
    let (mut invalid, mut unknown) = (Vec::new(), Unknown::default());
    for (part, Judged { found, .. }) in parts.iter().zip(judged) {
        match found {
            Found::Valid => {}
            Found::Invalid(reason) => invalid.push((part, reason)),
            Found::Unknown(reason) => unknown.add(part, reason),
        }
    }
    let invalid_keys = invalid.iter().map(|(part, _)| part.key().unwrap_or(Value::Nil)).collect();
    let unknown_keys = unknown.keys;
    let verdict = match witness(history, invalid, meter) {
        Some(witness) => Verdict::Invalid(witness),
        None => unknown.told().or(too_little).map_or(Verdict::Valid, Verdict::Unknown),
    };
    let keys = parts.len() as u64;
    Report { check: check.to_owned(), verdict, engine, keys, invalid_keys, unknown_keys, ops }
}

/// The same without why, and only until one key is invalid.
pub(crate) fn decide<'h>(
    look: &[&str],
    history: &'h History,
    meter: &Meter,
    judge: impl for<'p> Fn(&'p Part<'h>, &Meter) -> Judged<'p> + Sync,
) -> Decision {
    let calls = match asked(history) {
        Ok((calls, _)) => calls,
        Err((_, reason)) => return Decision::Unknown(reason),
    };
    let too_little = shown::too_little(history, &calls.counts, look);
    let parts = partition::by_key(calls);
    let decisions = partition::judge_all(&parts, |part| match judged(part, meter, &judge).found {
        Found::Valid => ControlFlow::Continue(Decision::Valid),
        Found::Invalid(_) => ControlFlow::Break(Decision::Invalid),
        Found::Unknown(reason) => ControlFlow::Continue(Decision::Unknown(reason)),
    });
    if decisions.contains(&Decision::Invalid) {
        return Decision::Invalid;
    }
    let mut unknown = Unknown::default();
    for (part, decision) in parts.iter().zip(decisions) {
        if let Decision::Unknown(reason) = decision {
            unknown.add(part, reason);
        }
    }
    unknown.told().or(too_little).map_or(Decision::Valid, Decision::Unknown)
}

fn judged<'h, 'p>(
    part: &'p Part<'h>,
    meter: &Meter,
    judge: &impl Fn(&'p Part<'h>, &Meter) -> Judged<'p>,
) -> Judged<'p> {
    match meter.check() {
        Ok(()) => judge(part, meter),
        Err(why) => Judged::unknown(format!("not looked at: {why}")),
    }
}

/// The calls of a history and how many there are; or why there is nothing to judge.
fn asked(history: &History) -> Result<(Calls<'_>, OpCounts), (OpCounts, String)> {
    let calls = history.calls().map_err(|broken| (raw_counts(history), broken.to_string()))?;
    let ops = calls.counts();
    match ops {
        OpCounts { invoked: 0, .. } => {
            Err((ops, "the history has no operations of clients: nothing was asked".to_owned()))
        }
        OpCounts { ok: 0, invoked, .. } => {
            Err((ops, format!("none of the {invoked} operations succeeded: nothing was shown")))
        }
        _ => Ok((calls, ops)),
    }
}

/// What can be said against the key to look at first: that whose violation was complete first.
fn witness(history: &History, invalid: Vec<(&Part<'_>, Reason<'_>)>, meter: &Meter) -> Option<Witness> {
    let located = invalid.into_iter().map(|(part, Reason(locate))| (part, locate()));
    let (part, first) = located.min_by_key(|(_, located)| located.since)?;
    Some(Witness::new(history, part, (first.tell)(meter)))
}

/// The keys that could not be decided.
#[derive(Default)]
struct Unknown {
    keys: u64,
    first: Option<String>,
}

impl Unknown {
    fn add(&mut self, part: &Part<'_>, reason: String) {
        self.keys += 1;
        self.first.get_or_insert_with(|| match part.key() {
            Some(key) => format!("key {key}: {reason}"),
            None => reason,
        });
    }

    /// Why, if there are any.
    fn told(self) -> Option<String> {
        self.first.map(|reason| match self.keys {
            1 => reason,
            more => format!("{reason} (and {} more keys could not be decided)", more - 1),
        })
    }
}

fn engines(judged: &[Judged<'_>]) -> String {
    let mut keys_by_engine: BTreeMap<&str, u64> = BTreeMap::new();
    for Judged { engine, .. } in judged {
        *keys_by_engine.entry(engine).or_default() += 1;
    }
    let named = keys_by_engine.iter().map(|(engine, keys)| match keys {
        _ if keys_by_engine.len() == 1 => (*engine).to_owned(),
        1 => format!("{engine} (1 key)"),
        _ => format!("{engine} ({keys} keys)"),
    });
    named.collect::<Vec<_>>().join(", ")
}
