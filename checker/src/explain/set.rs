//! What was found about a set, told as a story about a set.

use super::append::{never_updated, twice};
use super::register::cap;
use super::witness::{Anomaly, Argument};
use super::words::{began, brief, did, ended, span, whose};
use crate::history::op::Value;
use crate::linearizability::inclusion::{Member, Set, Violation};
use crate::linearizability::partition::{NEVER, Part};

/// Elements that are named when many are lost.
const LOST_NAMED_MAX: usize = 20;

/// Why a set has no order.
pub(crate) fn tell(part: &Part<'_>, set: &Set, violation: &Violation) -> Argument {
    let argument = match violation {
        Violation::NeverAdded { read, element } => {
            never_updated(part, "add", set.reads[*read].call, &set.elements[*element as usize])
        }
        Violation::Twice { read, element } => {
            twice(part, "add", set.reads[*read].call, &set.elements[*element as usize])
        }
        Violation::Fork { one, other, element } => fork(part, set, *one, *other, *element),
        Violation::OutOfOrder { early, late } => out_of_order(part, set, *early, *late),
    };
    match lost(set) {
        lost if lost.is_empty() => argument,
        lost => argument.because(format!(
            "In all, {} acknowledged elements are in no read although reads began later: {}.",
            lost.len(),
            brief(&Value::List(lost.into_iter().take(LOST_NAMED_MAX).collect()))
        )),
    }
}

/// Acknowledged elements that are in no read at all, though a read began after their add had finished.
fn lost(set: &Set) -> Vec<Value> {
    let mut seen = vec![false; set.elements.len()];
    set.reads.iter().flat_map(|read| &read.elements).for_each(|element| seen[*element as usize] = true);
    let last_read = set.reads.iter().map(|read| read.span.start).max().unwrap_or(0);
    let lost = set
        .adds
        .iter()
        .filter(|add| add.span.end != NEVER && add.span.end < last_read && !seen[add.element as usize]);
    lost.map(|add| set.elements[add.element as usize].clone()).collect()
}

fn fork(part: &Part<'_>, set: &Set, one: usize, other: usize, element: u32) -> Argument {
    let value = &set.elements[element as usize];
    let (a, b) = (&part.call(set.reads[one].call), &part.call(set.reads[other].call));
    if set.reads[one].span.end < set.reads[other].span.start {
        return Argument::new(
            Anomaly::LostUpdate,
            format!(
                "{} {} without {value}, but {} had seen {value} {}: it was lost, and nothing here removes elements",
                did(b),
                span(b),
                whose(a),
                ended(a)
            ),
        )
        .failing(set.reads[other].call, format!("lacks {value}"))
        .with(set.reads[one].call, format!("has {value}"));
    }
    let missing = set.reads[other].elements.iter().find(|&&element| !set.has(one, element));
    let missing = missing.map_or(Value::Nil, |element| set.elements[*element as usize].clone());
    let later = if set.reads[one].span.end > set.reads[other].span.end { one } else { other };
    Argument::new(
        Anomaly::Fork,
        format!(
            "{} {} and {} {}: the one has {value} without {missing}, the other {missing} without {value}, so they can't be two states of one set",
            did(a),
            span(a),
            did(b),
            span(b)
        ),
    )
    .failing(set.reads[later].call, "")
    .with(set.reads[one].call, format!("has {value}, lacks {missing}"))
    .with(set.reads[other].call, format!("has {missing}, lacks {value}"))
}

fn out_of_order(part: &Part<'_>, set: &Set, early: Member, late: Member) -> Argument {
    let (early_number, late_number) = (set.call(early), set.call(late));
    let (before, after) = (&part.call(early_number), &part.call(late_number));
    match (early, late) {
        // An add that finished before a read which lacks it began.
        (Member::Add(add), Member::Read(_)) => {
            let element = set.adds[add].element;
            let value = &set.elements[element as usize];
            let (anomaly, name, proof) = match set.reads.iter().find(|read| read.elements.contains(&element))
            {
                None => (Anomaly::LostUpdate, "a lost update", None),
                Some(proof) => (Anomaly::StaleRead, "a stale read", Some(proof.call)),
            };
            let argument = Argument::new(
                anomaly,
                format!(
                    "{} {} without {value}, but {} had finished {}: {name}",
                    did(after),
                    span(after),
                    whose(before),
                    ended(before)
                ),
            )
            .failing(late_number, format!("lacks {value}"))
            .with(early_number, format!("acknowledged {value}"));
            match proof {
                None => argument.because(format!("No completed read shows {value} at all.")),
                Some(proof) => {
                    let call = &part.call(proof);
                    argument
                        .because(format!("{value} did get in: {} {}.", did(call), span(call)))
                        .with(proof, format!("has {value}"))
                }
            }
        }
        // A larger read that finished before a smaller one began.
        (Member::Read(larger), Member::Read(smaller)) => {
            let missing = set.reads[larger].elements.iter().find(|&&element| !set.has(smaller, element));
            let missing = missing.map_or(Value::Nil, |element| set.elements[*element as usize].clone());
            Argument::new(
                Anomaly::StaleRead,
                format!(
                    "{} {} without {missing}, but {} had shown {missing} {}: a stale read",
                    did(after),
                    span(after),
                    whose(before),
                    ended(before)
                ),
            )
            .failing(late_number, format!("lacks {missing}"))
            .with(early_number, format!("has {missing}"))
        }
        // A read that has an element, or was followed by a read that must come earlier and has it.
        (Member::Read(read), Member::Add(add)) => {
            let element = set.adds[add].element;
            let value = &set.elements[element as usize];
            let argument = Argument::new(
                Anomaly::ReadFromFuture,
                format!(
                    "{} {} with {value} in it, but {} began only {}",
                    did(before),
                    span(before),
                    whose(after),
                    began(after)
                ),
            );
            debug_assert!(set.has(read, element), "a read has everything of its layer and below");
            argument
                .failing(early_number, format!("has {value} too early"))
                .with(late_number, format!("the only add of {value}"))
        }
        // The later add is in a read that lacks the earlier one.
        (Member::Add(first), Member::Add(second)) => {
            let (first, second) = (set.adds[first].element, set.adds[second].element);
            let (lacked, shown) = (&set.elements[first as usize], &set.elements[second as usize]);
            let argument = Argument::new(
                Anomaly::LostUpdate,
                format!(
                    "{} had finished {}, before {} began {}, but a read has {shown} without {lacked}",
                    whose(before),
                    ended(before),
                    whose(after),
                    began(after)
                ),
            )
            .with(early_number, "finished first")
            .with(late_number, "began later");
            let proof = (0..set.reads.len()).find(|&read| set.has(read, second) && !set.has(read, first));
            match proof {
                None => argument,
                Some(proof) => {
                    let call = &part.call(set.reads[proof].call);
                    argument
                        .because(format!("{} {}.", cap(&did(call)), span(call)))
                        .failing(set.reads[proof].call, format!("has {shown} without {lacked}"))
                }
            }
        }
    }
}
