//! Texts against an oracle that tries every order.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Kind, TextOp, quick};
use crate::linearizability::partition::NEVER;
use crate::model::Quick;

fn seeds() -> u64 {
    std::env::var("CHECKER_SEEDS").map_or(15_000, |seeds| seeds.parse().unwrap())
}

#[derive(Clone, Debug)]
enum Owned {
    Get(String),
    Put(String),
    Append(String),
}

type OwnedOp = (Owned, u32, u32);

#[derive(Clone, Copy)]
struct Plan {
    ops: usize,
    clients: usize,
    /// How many different texts updates write; none if each writes its own.
    repeated: Option<u32>,
    spoiled: usize,
}

/// A text that was really there, under clients whose operations overlap, and then perhaps spoiled.
fn generate(plan: Plan, seed: u64) -> Vec<OwnedOp> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut ops: Vec<OwnedOp> = Vec::new();
    let (mut state, mut position, mut updates) = (String::new(), 0, 0);
    let (mut pending, mut done) = (Vec::new(), Vec::new());
    while ops.len() < plan.ops || !pending.is_empty() || !done.is_empty() {
        match random.random_range(0..3) {
            0 if ops.len() < plan.ops && pending.len() + done.len() < plan.clients => {
                position += 1;
                let text = match plan.repeated {
                    // Some begin others, and some are others joined.
                    Some(texts @ 0..10) => ["a", "b", "aa", "ab", "ba", "", "abb"]
                        [random.random_range(0..texts) as usize % 7]
                        .to_owned(),
                    // None begins another.
                    Some(texts) => ["a", "b", "c"][random.random_range(0..texts - 9) as usize].to_owned(),
                    None => {
                        updates += 1;
                        format!("x{updates}y")
                    }
                };
                let asked = match random.random_range(0..9) {
                    0..4 => Owned::Get(String::new()),
                    // Puts that repeat may be for the search.
                    4 if plan.repeated.is_some_and(|texts| texts >= 10) && random.random_ratio(2, 3) => {
                        updates += 1;
                        Owned::Put(format!("x{updates}y"))
                    }
                    4 => Owned::Put(text),
                    _ => Owned::Append(text),
                };
                pending.push(ops.len());
                ops.push((asked, position, NEVER));
            }
            1 if !pending.is_empty() => {
                let place = pending.swap_remove(random.random_range(0..pending.len()));
                match &mut ops[place].0 {
                    Owned::Get(seen) => *seen = state.clone(),
                    Owned::Put(text) => state = text.clone(),
                    Owned::Append(text) => state.push_str(text),
                }
                done.push(place);
            }
            _ if !done.is_empty() => {
                let place = done.swap_remove(random.random_range(0..done.len()));
                if !random.random_ratio(1, 8) {
                    position += 1;
                    ops[place].2 = position;
                }
            }
            _ => {}
        }
    }
    for _ in 0..random.random_range(0..=plan.spoiled) {
        spoil(&mut ops, &mut random);
    }
    ops.retain(|(op, _, end)| *end != NEVER || !matches!(op, Owned::Get(_)));
    ops
}

/// An operation ends early, or a get shows what another one did, or loses or gains a part.
fn spoil(ops: &mut [OwnedOp], random: &mut ChaCha8Rng) {
    let place = random.random_range(0..ops.len());
    let early = ops[place].1 + 1;
    if random.random_ratio(1, 2) {
        if ops.iter().all(|(_, start, end)| *start != early && *end != early) {
            ops[place].2 = early;
        }
        return;
    }
    let gets = ops.iter().filter_map(|(op, ..)| match op {
        Owned::Get(text) => Some(text.clone()),
        Owned::Put(_) | Owned::Append(_) => None,
    });
    let gets: Vec<String> = gets.collect();
    let Owned::Get(seen) = &mut ops[place].0 else { return };
    let other = gets[random.random_range(0..gets.len())].clone();
    match random.random_range(0..8) {
        0 => seen.push_str(&other),
        1 => *seen = other + seen,
        2 => drop(seen.pop()),
        _ => *seen = other,
    }
}

fn text_ops(ops: &[OwnedOp]) -> Vec<TextOp<'_>> {
    ops.iter()
        .map(|(op, start, end)| {
            let kind = match op {
                Owned::Get(text) => Kind::Get(text),
                Owned::Put(text) => Kind::Put(text),
                Owned::Append(text) => Kind::Append(text),
            };
            TextOp { kind, start: *start, end: *end }
        })
        .collect()
}

/// The oracle.
fn is_linearizable(ops: &[TextOp<'_>]) -> bool {
    fn place(ops: &[TextOp<'_>], done: u32, state: &str, tried: &mut Vec<(u32, String)>) -> bool {
        let rest = |n: &usize| done & (1 << n) == 0;
        let horizon = (0..ops.len()).filter(rest).map(|n| ops[n].end).min().unwrap_or(NEVER);
        if horizon == NEVER {
            return true;
        }
        if tried.iter().any(|(mask, text)| *mask == done && text == state) {
            return false;
        }
        tried.push((done, state.to_owned()));
        (0..ops.len()).filter(rest).filter(|n| ops[*n].start < horizon).any(|n| {
            let after = match ops[n].kind {
                Kind::Get(seen) => (seen == state).then(|| state.to_owned()),
                Kind::Put(text) => Some(text.to_owned()),
                Kind::Append(text) => Some([state, text].concat()),
            };
            after.is_some_and(|state| place(ops, done | 1 << n, &state, tried))
        })
    }
    place(ops, 0, "", &mut Vec::new())
}

fn plan_of(seed: u64, repeated: Option<u32>) -> Plan {
    let (ops, clients) = (5 + seed as usize % 6, 1 + seed as usize / 7 % 5);
    Plan { ops, clients, repeated, spoiled: seed as usize % 8 }
}

/// How many keys were decided in which way.
#[derive(Debug, Default)]
struct Tally {
    valid: u64,
    invalid: u64,
    /// Of these, what is no text of anybody's.
    impossible: u64,
    not_applicable: u64,
}

fn agree(repeated: impl Fn(u64) -> Option<u32>) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..seeds() {
        let owned = generate(plan_of(seed, repeated(seed)), seed);
        let ops = text_ops(&owned);
        let truth = is_linearizable(&ops);
        match quick(&ops) {
            Quick::Valid => {
                assert!(truth, "seed {seed}: {ops:?}");
                tally.valid += 1;
            }
            Quick::Violation(violation) => {
                assert!(!truth, "seed {seed}: {violation:?}: {ops:?}");
                assert!(violation.ops.len() <= 8);
                tally.invalid += 1;
                tally.impossible += u64::from(violation.ops[0].1 == "shows it");
            }
            Quick::NotApplicable => tally.not_applicable += 1,
        }
    }
    tally
}

#[test]
fn texts_written_once_are_decided_like_the_oracle_does() {
    let tally = agree(|_| None);
    let enough = tally.valid > seeds() / 4 && tally.invalid > seeds() / 12;
    assert!(enough && tally.not_applicable == 0 && tally.impossible < tally.invalid / 4 * 3, "{tally:?}");
}

#[test]
fn appends_that_repeat_are_told_apart_where_they_can_be() {
    let tally = agree(|seed| Some(10 + seed as u32 % 3));
    let enough = tally.valid > seeds() / 4 && tally.invalid > seeds() / 20;
    assert!(enough && tally.not_applicable < seeds() / 4, "{tally:?}");
    assert!(tally.not_applicable > seeds() / 100, "{tally:?}");
}

#[test]
fn what_falls_apart_in_several_ways_is_left_to_others() {
    let tally = agree(|seed| Some(1 + seed as u32 % 7));
    assert!(tally.not_applicable > seeds() / 4 && tally.valid > seeds() / 20, "{tally:?}");
}
