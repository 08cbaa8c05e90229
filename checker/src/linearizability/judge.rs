//! The part that all checks share: pair, split by key, judge each key, sum up.

use std::collections::BTreeMap;

use super::partition::{self, Part};
use super::shown;
use crate::budget::{Budget, Meter};
use crate::history::History;
use crate::history::op::Value;
use crate::verdict::{Report, Verdict, raw_counts};

/// The answer for one key, and what gave it.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) engine: &'static str,
}

impl Judged {
    pub(crate) fn new(engine: &'static str, verdict: Verdict) -> Self {
        Self { verdict, engine }
    }

    pub(crate) fn unknown(reason: impl Into<String>) -> Self {
        Self { verdict: Verdict::Unknown(reason.into()), engine: "none" }
    }
}

/// Judges every key of a history, within one budget for all. A history without a successful operation of
/// those that `look` is not valid, see [`shown`].
pub(crate) fn judge_keys(
    check: &str,
    history: &History,
    budget: &Budget,
    look: &[&str],
    judge: impl Fn(&Part<'_>, &Meter) -> Judged + Sync,
) -> Report {
    let calls = match history.calls() {
        Ok(calls) => calls,
        Err(broken) => {
            let ops = raw_counts(history);
            return Report { ops, ..Report::unknown(check, broken.to_string()) };
        }
    };
    let ops = calls.counts();
    if ops.ok == 0 {
        let reason = match ops.invoked {
            0 => "the history has no operations of clients: nothing was asked".to_owned(),
            invoked => format!("none of the {invoked} operations succeeded: nothing was shown"),
        };
        return Report { ops, ..Report::unknown(check, reason) };
    }
    let too_little = shown::too_little(&calls, look);
    let parts = partition::by_key(calls);
    let meter = Meter::new(budget);
    let judged = partition::judge_all(&parts, |part| match meter.check() {
        Ok(()) => judge(part, &meter),
        Err(why) => Judged::unknown(format!("not looked at: {why}")),
    });
    let engine = engines(&judged);
    let (mut invalid_keys, mut unknown_keys) = (Vec::new(), 0);
    let (mut witness, mut first_unknown) = (None, None);
    for (part, Judged { verdict, .. }) in parts.iter().zip(judged) {
        match verdict {
            Verdict::Valid => {}
            Verdict::Invalid(found) => {
                invalid_keys.push(part.key().unwrap_or(Value::Nil));
                // The violation that was complete first is the one to look at first.
                witness = match witness {
                    Some(Verdict::Invalid(best)) if best.window.last_index <= found.window.last_index => {
                        Some(Verdict::Invalid(best))
                    }
                    _ => Some(Verdict::Invalid(found)),
                };
            }
            Verdict::Unknown(reason) => {
                unknown_keys += 1;
                first_unknown.get_or_insert(match part.key() {
                    Some(key) => format!("key {key}: {reason}"),
                    None => reason,
                });
            }
        }
    }
    let undecided = first_unknown.map(|reason| match unknown_keys {
        1 => reason,
        more => format!("{reason} (and {} more keys could not be decided)", more - 1),
    });
    let verdict = witness.or(undecided.or(too_little).map(Verdict::Unknown)).unwrap_or(Verdict::Valid);
    let keys = parts.len() as u64;
    Report { check: check.to_owned(), verdict, engine, keys, invalid_keys, unknown_keys, ops }
}

fn engines(judged: &[Judged]) -> String {
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
