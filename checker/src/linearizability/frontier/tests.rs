//! The frontier against an oracle that tries every order.

mod oracle;
mod simulate;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::condition::Condition;
use super::drive::{Effort, decide_with};
use super::order::order_with;
use super::plan::Plan;
use super::run::{Run, Stop};
use super::{Answer, core, decide, order};
use crate::budget::{Budget, Meter};
use crate::linearizability::condition::idle;

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
    for seed in seeds(40_000) {
        let history = simulate::of_seed(seed);
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
            Some(found) => oracle::follow(&history.ops, &found).unwrap_or_else(|why| {
                panic!("seed {seed}: {why} in {found:?}\n{}", oracle::show(&history.ops))
            }),
        }
        *(if expected.is_some() { &mut invalid } else { &mut valid }) += 1;
    }
    assert!(valid > invalid / 8 && invalid > valid / 8, "{valid} valid and {invalid} invalid");
}

#[test]
fn a_core_is_impossible_and_minimal() {
    let meter = Meter::new(&Budget::default());
    let (mut cores, mut longest) = (0, 0);
    for seed in seeds(5_000) {
        let history = simulate::of_seed(seed);
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
    assert!(cores > 50 && longest > 2, "{cores} cores, the longest of {longest} operations");
}

/// The event at which a frontier that is never cut dies, begun at this one: at the real beginning, or
/// anywhere.
fn dies_at(plan: &Plan<'_>, first: Option<usize>, meter: &Meter) -> Option<usize> {
    let mut run: Run<'_, 1> = match first {
        None => Run::new(plan, meter),
        Some(first) => Run::anywhere(plan, first, meter),
    };
    match run.advance(plan.events.len(), Effort::all(usize::MAX)).unwrap() {
        Stop::There => None,
        Stop::Died(event) => Some(event),
    }
}

/// The first event that a window refutes and the real frontier gets past.
fn refuted_wrongly(history: &simulate::History, meter: &Meter) -> Option<usize> {
    let plan = Plan::new(&history.ops, history.values);
    let really = dies_at(&plan, None, meter).unwrap_or(usize::MAX);
    (0..plan.events.len())
        .filter_map(|first| dies_at(&plan, Some(first), meter))
        .find(|event| *event < really)
}

#[test]
fn a_window_refutes_nothing_that_is_possible() {
    let meter = Meter::new(&Budget::default());
    for seed in seeds(5_000) {
        let history = simulate::of_seed(seed);
        let wrong = refuted_wrongly(&history, &meter);
        assert_eq!(wrong, None, "seed {seed}\n{}", oracle::show(&history.ops));
    }
}

/// A history and what is said of it, with the usual effort and with little: nothing where that gave up.
#[derive(Debug)]
struct Judged {
    history: simulate::History,
    efforts: [Effort; 2],
    said: [Option<Option<usize>>; 2],
}

impl Judged {
    fn of_seed(seed: u64) -> Self {
        let history = simulate::of_seed(seed);
        let narrow = Effort { width: 1 + seed as usize % 3, window: 1 + seed as usize % 5, ..Effort::USUAL };
        let efforts = [Effort::USUAL, narrow];
        let said = efforts.map(|effort| says(&history, effort));
        Self { history, efforts, said }
    }

    fn is_said_again(&self) -> bool {
        let same =
            |(effort, said): (&Effort, &Option<_>)| said.is_none() || says(&self.history, *effort) == *said;
        let meter = Meter::new(&Budget::default());
        self.efforts.iter().zip(&self.said).all(same) && refuted_wrongly(&self.history, &meter).is_none()
    }
}

fn says(history: &simulate::History, effort: Effort) -> Option<Option<usize>> {
    let meter = Meter::new(&Budget::default());
    match decide_with(&history.ops, history.values, effort, &meter) {
        Answer::Undecided { .. } => None,
        answer => Some(failing(answer)),
    }
}

#[test]
fn every_condition_is_needed() {
    let idle: Vec<Condition> = idle(100_000, Judged::of_seed, Judged::is_said_again);
    assert!(idle.is_empty(), "nothing goes wrong without {idle:?}");
}

fn large(seed: u64, load: simulate::Load) -> simulate::History {
    simulate::large(&mut ChaCha8Rng::seed_from_u64(seed), load)
}

#[test]
fn long_histories_have_an_order() {
    let meter = Meter::new(&Budget::default());
    for seed in seeds(2) {
        for (clients, values, unknown_per_10k) in
            [(3, 3, 0), (10, 5, 0), (10, 5, 100), (30, 4, 300), (90, 5, 0), (150, 2, 50), (10, 40, 1000)]
        {
            let load = simulate::Load {
                clients,
                operations: 2000,
                values,
                unknown_per_10k,
                failures: seed % 2 == 0,
            };
            let history = large(seed, load);
            let answer = decide(&history.ops, history.values, &meter);
            assert_eq!(answer, Answer::Valid, "seed {seed}, {load:?}");
            let found = order(&history.ops, history.values, &meter).unwrap().unwrap();
            oracle::follow(&history.ops, &found).unwrap_or_else(|why| panic!("seed {seed}, {load:?}: {why}"));
        }
    }
}

#[test]
fn a_spoiled_read_is_found_where_it_is() {
    let meter = Meter::new(&Budget::default());
    let (mut spoiled, mut wrong) = (0, 0);
    for seed in seeds(6) {
        for (clients, values, unknown_per_10k) in [(5, 10, 0), (10, 5, 20), (90, 200, 0)] {
            let load = simulate::Load { clients, operations: 2000, values, unknown_per_10k, failures: false };
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let history = large(seed, load);
            let Some((history, place)) = simulate::spoil(&mut random, &history, 500) else { continue };
            spoiled += 1;
            let narrow = Effort { width: 2, window: 8, ..Effort::USUAL };
            let answer = decide(&history.ops, history.values, &meter);
            assert_eq!(
                answer,
                decide_with(&history.ops, history.values, narrow, &meter),
                "seed {seed}, {load:?}"
            );
            let Some(failing) = failing(answer) else { continue };
            wrong += 1;
            let end = history.ops[place].end;
            assert!(history.ops[failing].end >= end, "seed {seed}, {load:?}: nothing is wrong before that");
            let core = core(&history.ops, history.values, failing, &meter).unwrap().unwrap();
            assert!(core.ops.len() <= 10, "seed {seed}, {load:?}: {core:?}");
        }
    }
    assert!(wrong > spoiled / 3, "only {wrong} of {spoiled}");
}
