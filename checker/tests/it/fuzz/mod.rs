//! Every check against the oracle, without end: see [`driver`].
//!
//! A target makes a small history of one object from its seed, as it was, surely spoiled or falsified at
//! random, and asks the check of that object and the oracle. To add one, add a line to [`TARGETS`].

pub(crate) mod driver;
mod kept;

use checker::catalogue::{self, Rules};
use checker::online::{Checker, Status};
use checker::simulate::{Pace, Plan, Spoil, simulate};
use checker::{Budget, Check, Decision, History, Op, OpType, Report, Verdict};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::brute_force::{Step, is_linearizable};
use crate::simulated::objects;
use driver::{Target, shrink};
use kept::{KEPT, Kept};

/// The objects of [`objects`], by their places there.
const TARGETS: &[Target] = &[
    ("register", against_oracle::<0>),
    ("unique-cas", against_oracle::<1>),
    ("cas-register", against_oracle::<2>),
    ("queue", against_oracle::<QUEUE>),
    ("stack", against_oracle::<4>),
    ("priority-queue", against_oracle::<5>),
    ("element-set", against_oracle::<6>),
    ("append", against_oracle::<7>),
    ("list-append", against_oracle::<8>),
    ("mutex", against_oracle::<9>),
    ("counter", against_oracle::<10>),
];

/// The place of queues.
const QUEUE: usize = 3;

/// Targets that judge event by event.
const OTHER_TARGETS: &[Target] =
    &[("event-by-event", event_by_event), ("long-queues-event-by-event", long_queues_event_by_event)];

#[test]
fn fuzz() {
    // Objects that no check is there for have nothing to be wrong about.
    let judged = |(place, _): &(usize, &Target)| catalogue::by_name(objects()[*place].0.check()).is_some();
    let of_objects = TARGETS.iter().enumerate().filter(judged).map(|(_, target)| target);
    let targets: Vec<Target> = of_objects.chain(OTHER_TARGETS).copied().collect();
    assert_eq!(TARGETS.len(), objects().len());
    driver::run(&targets, 400);
}

#[test]
fn what_was_wrong_once_is_right() {
    for Kept { name, check, said, jsonl } in KEPT {
        let check = catalogue::by_name(check).unwrap().check(&Rules::default());
        let history = History::read_jsonl(jsonl.as_bytes()).unwrap();
        let told = Decision::from(check.check(&history, &Budget::default()).verdict);
        for decision in [check.decide(&history, &Budget::default()), told] {
            assert_eq!(decision.word(), *said, "{name}");
        }
        let ops = history.into_ops();
        let reported = check.online().map(|checker| reported(checker, &ops).unwrap());
        if let Some(Reported::At(at)) = reported {
            assert_eq!(at, first_invalid(&*check, &ops), "{name}");
        }
    }
}

fn against_oracle<const OBJECT: usize>(seed: u64) -> Result<(), String> {
    let (object, step, spoils, _) = objects()[OBJECT];
    let check = catalogue::by_name(object.check()).ok_or("no such check")?.check(&Rules::default());
    let random = &mut ChaCha8Rng::seed_from_u64(seed);
    let spoil: Option<Spoil> = random.random_bool(0.2).then(|| spoils[random.random_range(0..spoils.len())]);
    let plan = Plan {
        clients: random.random_range(1..=5),
        operations: random.random_range(2..=11),
        unknown: [0.0, 0.1, 0.3][random.random_range(0..3)],
        pace: [Pace::Busy, Pace::Irregular][random.random_range(0..2)],
        spoil,
        seed: random.random(),
        ..Plan::of(object)
    };
    let simulated = simulate(&plan);
    let mut history = simulated.history;
    if simulated.spoiled_at.is_some() && is_linearizable(&history, step) {
        return Err(format!("the oracle allows what can't be:\n{}", text(&history)));
    }
    if spoil.is_none() {
        for _ in 0..random.random_range(0..4) {
            history = falsified(&history, random);
        }
    }
    match disagreement(&*check, step, &history) {
        None => Ok(()),
        Some(_) => {
            let ops = calls(&history);
            let left = shrink(&ops, |ops| disagreement(&*check, step, &joined(ops)).is_some());
            let history = joined(&left);
            let what = disagreement(&*check, step, &history).unwrap_or_default();
            Err(format!("{what}{}", text(&history)))
        }
    }
}

/// What is said of one event after the other, and what the check says of everything up to there.
fn event_by_event(seed: u64) -> Result<(), String> {
    let random = &mut ChaCha8Rng::seed_from_u64(seed);
    let object = random.random_range(0..objects().len());
    judged_as_it_comes(object, 7, 60, random)
}

/// More clients than a search can follow.
fn long_queues_event_by_event(seed: u64) -> Result<(), String> {
    judged_as_it_comes(QUEUE, 30, 100, &mut ChaCha8Rng::seed_from_u64(seed))
}

/// An object by its place, under clients and operations up to so many.
fn judged_as_it_comes(
    object: usize,
    clients: u32,
    operations: u64,
    random: &mut ChaCha8Rng,
) -> Result<(), String> {
    let (object, _, spoils, _) = objects()[object];
    let check = catalogue::by_name(object.check()).ok_or("no such check")?.check(&Rules::default());
    let Some(checker) = check.online() else { return Ok(()) };
    let plan = Plan {
        clients: random.random_range(1..=clients),
        operations: random.random_range(2..=operations),
        unknown: [0.0, 0.05, 0.2][random.random_range(0..3)],
        pace: [Pace::Busy, Pace::Irregular][random.random_range(0..2)],
        spoil: random.random_bool(0.3).then(|| spoils[random.random_range(0..spoils.len())]),
        seed: random.random(),
        ..Plan::of(object)
    };
    let mut history = simulate(&plan).history;
    for _ in 0..random.random_range(0..3) {
        history = falsified(&history, random);
    }
    let ops = history.clone().into_ops();
    let Reported::At(reported) = reported(checker, &ops)? else { return Ok(()) };
    let first = first_invalid(&*check, &ops);
    match reported == first {
        true => Ok(()),
        false => Err(format!("reported at {reported:?}, invalid from {first:?} on\n{}", text(&history))),
    }
}

/// What came of judging event by event.
enum Reported {
    /// The event at which a violation was reported, if there was one.
    At(Option<usize>),
    /// It may give up, if it says so.
    Undecided,
}

fn reported(mut checker: Checker, ops: &[Op]) -> Result<Reported, String> {
    for (position, op) in ops.iter().enumerate() {
        match checker.event(op).map_err(|rule| rule.to_string())? {
            Status::Fine => {}
            Status::Violation(_) => return Ok(Reported::At(Some(position))),
            Status::Undecided(_) => return Ok(Reported::Undecided),
        }
    }
    Ok(Reported::At(None))
}

/// The event with which a check of everything up to there finds that no order is left.
fn first_invalid(check: &dyn Check, ops: &[Op]) -> Option<usize> {
    let invalid = |length: usize| {
        let prefix: History = ops[..length].iter().cloned().collect();
        check.decide(&prefix, &Budget::default()) == Decision::Invalid
    };
    let lengths: Vec<usize> = (1..=ops.len()).collect();
    Some(lengths.partition_point(|length| !invalid(*length))).filter(|at| *at < ops.len())
}

/// How the check and the oracle differ.
fn disagreement(check: &dyn Check, step: Step, history: &History) -> Option<String> {
    let truth = is_linearizable(history, step);
    let report: Report = check.check(history, &Budget::default());
    let right = match &report.verdict {
        Verdict::Valid => truth,
        Verdict::Invalid(_) => !truth,
        // Nothing was shown, so nothing can be wrong.
        Verdict::Unknown(_) => truth,
    };
    let alone = check.decide(history, &Budget::default());
    let same = alone == report.verdict.clone().into();
    (!right || !same).then(|| format!("linearizable: {truth}, {} without why\n{report}", alone.word()))
}

/// Changes a history in one place; it stays well-formed.
fn falsified(history: &History, random: &mut ChaCha8Rng) -> History {
    let mut ops: Vec<Op> = history.ops().collect();
    let (at, other) = (random.random_range(0..ops.len()), random.random_range(0..ops.len()));
    let alike = |a: &Op, b: &Op| a.f == b.f && a.op_type == OpType::Ok && b.op_type == OpType::Ok;
    match random.random_range(0..4) {
        // What only asks answers what another one answered; updates repeat their arguments.
        0 | 1 if alike(&ops[at], &ops[other]) && answers(&ops[at].f) => {
            ops[at].value = ops[other].value.clone()
        }
        // What failed has happened.
        2 if ops[at].op_type == OpType::Fail => ops[at].op_type = OpType::Ok,
        // An operation begins or ends earlier.
        _ if at > 0 && ops[at].process != ops[at - 1].process => {
            ops.swap(at - 1, at);
            for place in [at - 1, at] {
                (ops[place].index, ops[place].time_ns) = (place as u64, place as u64);
            }
        }
        _ => {}
    }
    History::new(ops)
}

/// Whether its result is not its argument.
fn answers(f: &str) -> bool {
    matches!(f, "read" | "dequeue" | "pop" | "poll" | "contains")
}

/// The ops of each call, with their places.
fn calls(history: &History) -> Vec<Vec<(usize, Op)>> {
    let calls = history.calls().unwrap();
    let op = |place: usize| (place, history.op(place));
    calls
        .iter()
        .map(|call| [Some(call.start()), call.completion()].into_iter().flatten().map(op).collect())
        .collect()
}

fn joined(calls: &[Vec<(usize, Op)>]) -> History {
    let mut ops: Vec<&(usize, Op)> = calls.iter().flatten().collect();
    ops.sort_by_key(|(place, _)| *place);
    ops.into_iter().map(|(_, op)| op.clone()).collect()
}

fn text(history: &History) -> String {
    let mut lines = Vec::new();
    history.write_jsonl(&mut lines).unwrap();
    String::from_utf8(lines).unwrap()
}
