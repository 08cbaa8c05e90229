//! The frontier against an oracle that tries every order.

mod oracle;
mod simulate;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::drive::{Effort, decide_with};
use super::order::order_with;
use super::{Answer, core, decide};
use crate::budget::{Budget, Meter};

/// How many seeds a test tries: more by `CHECKER_SEEDS`.
fn seeds(usually: u64) -> std::ops::Range<u64> {
    let asked = std::env::var("CHECKER_SEEDS").ok().and_then(|text| text.parse().ok());
    0..asked.unwrap_or(usually)
}

fn failing(answer: Answer) -> Option<usize> {
    match answer {
        Answer::Valid => None,
        Answer::Invalid { failing } => Some(failing),
        Answer::Undecided { why, .. } => panic!("undecided: {why}"),
    }
}

#[test]
fn agrees_with_trying_every_order() {
    let meter = Meter::new(&Budget::default());
    let (mut valid, mut invalid) = (0, 0);
    for seed in seeds(100_000) {
        let history = simulate::small(&mut ChaCha8Rng::seed_from_u64(seed));
        let expected = oracle::first_impossible(&history.ops);
        let answer = failing(decide(&history.ops, history.values, &meter));
        assert_eq!(answer, expected, "seed {seed}\n{}", oracle::show(&history.ops));
        // As narrow as can be: all that comes of going back, going wide and looking at windows.
        let narrow = Effort {
            width: 1 + seed as usize % 3,
            window: 1 + seed as usize % 5,
            unknown: 0,
            unknown_max: 1,
        };
        let answer = failing(decide_with(&history.ops, history.values, narrow, &meter));
        assert_eq!(answer, expected, "seed {seed}, {narrow:?}\n{}", oracle::show(&history.ops));
        let found = order_with(&history.ops, history.values, narrow, &meter).unwrap();
        match found {
            None => assert!(expected.is_some(), "seed {seed}: an order was expected"),
            Some(found) => oracle::follow(&history.ops, &found)
                .unwrap_or_else(|why| panic!("seed {seed}: {why} in {found:?}\n{}", oracle::show(&history.ops))),
        }
        *(if expected.is_some() { &mut invalid } else { &mut valid }) += 1;
    }
    assert!(valid > invalid / 8 && invalid > valid / 8, "{valid} valid and {invalid} invalid");
}

#[test]
fn a_core_is_impossible_and_minimal() {
    let meter = Meter::new(&Budget::default());
    let (mut cores, mut longest) = (0, 0);
    for seed in seeds(20_000) {
        let history = simulate::small(&mut ChaCha8Rng::seed_from_u64(seed));
        let Some(failing) = failing(decide(&history.ops, history.values, &meter)) else { continue };
        let found = core(&history.ops, history.values, failing, &meter).unwrap();
        let found = found.unwrap_or_else(|| panic!("seed {seed}: no core\n{}", oracle::show(&history.ops)));
        let tell = || format!("seed {seed}: {found:?}\n{}", oracle::show(&history.ops));
        let position = history.ops[failing].end;
        assert!(!oracle::core_has_an_order(&history, &found, &found.ops, position), "possible: {}", tell());
        for left_out in &found.ops {
            let fewer: Vec<usize> = found.ops.iter().copied().filter(|op| op != left_out).collect();
            assert!(
                oracle::core_has_an_order(&history, &found, &fewer, position),
                "not minimal, #{left_out} can go: {}",
                tell()
            );
        }
        (cores, longest) = (cores + 1, longest.max(found.ops.len()));
    }
    assert!(cores > 1000 && longest > 2, "{cores} cores, the longest of {longest} operations");
}
