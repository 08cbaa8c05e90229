//! Explanations of histories that are certainly invalid: few operations, none of them idle, and enough.

use checker::catalogue::{self, Rules};
use checker::explain::witness::WitnessOp;
use checker::model::{Counter, Stack};
use checker::simulate::{Object, Pace, Plan, simulate};
use checker::{Budget, Check, History, Linearizable, Op, Outcome, Process, Value, Verdict, Witness};

use crate::history::history;
use crate::simulated::objects;

/// What is read at one go.
const FEW: usize = 8;

/// The ops of a witness, without those of one operation.
fn shown(history: &History, witness: &Witness, without: Option<usize>) -> History {
    let kept = witness.ops.iter().enumerate().filter(|(place, _)| Some(*place) != without);
    let mut indexes: Vec<u64> =
        kept.flat_map(|(_, op)| [Some(op.invoke_index), op.complete_index]).flatten().collect();
    indexes.sort_unstable();
    let ops: Vec<Op> = history.ops().collect();
    let place = |index: &u64| ops.partition_point(|op| op.index < *index);
    indexes.iter().map(|index| ops[place(index)].clone()).collect()
}

/// The check for what a witness shows: a counter starts with what the first read showed.
fn check_of(object: Object, witness: &Witness) -> Box<dyn Check> {
    let from = witness.ops.iter().find(|op| op.role == "shows what was there before");
    match (object, from.map(|op| &op.value)) {
        (Object::Counter, Some(Value::Int(from))) => {
            Box::new(Linearizable::new(Counter::starting_with(*from)))
        }
        _ => catalogue::by_name(object.check()).unwrap().check(&Rules::default()),
    }
}

/// Whether the additions that are shown, but for one, make more than what was read. (With one less the counter is
/// none either if nothing else was added; but something may have been.)
fn makes_too_much_without(witness: &Witness, without: usize) -> bool {
    let number = |op: &WitnessOp| op.value.as_int().unwrap();
    let others = witness.ops.iter().enumerate().filter(|(place, _)| *place != without);
    let sum = |failing: bool| -> i64 {
        others.clone().filter(|(_, op)| op.failing == failing).map(|(_, op)| number(op)).sum()
    };
    sum(false) > sum(true)
}

/// Why a witness is not what it should be.
fn fault(object: Object, history: &History, witness: &Witness) -> Option<String> {
    let check = check_of(object, witness);
    let judged = |without| check.check(&shown(history, witness, without), &Budget::default()).verdict;
    // Where nobody read for long, many additions are what it takes to make too much.
    if witness.ops.len() > FEW && !(object == Object::Counter && witness.ops.iter().any(|op| op.f == "add")) {
        return Some(format!("{} operations", witness.ops.len()));
    }
    if !judged(None).is_invalid() {
        return Some("alone it is no violation".to_owned());
    }
    let failing = |witness: &Witness| {
        let op = witness.ops.iter().find(|op| op.failing);
        (witness.anomaly, op.map(|op| op.invoke_index))
    };
    for (place, op) in witness.ops.iter().enumerate() {
        // What may have happened is shown because it does not help; what failed was never there.
        if op.failing || op.outcome != Outcome::Ok || op.role == "shows what was there before" {
            continue;
        }
        if object == Object::Counter {
            if !makes_too_much_without(witness, place) {
                continue;
            }
            return Some(format!("without {place} there is too much, too"));
        }
        if let Verdict::Invalid(other) = judged(Some(place))
            // Who made a value goes: somebody saw what nobody made.
            && other.ops.len() > 1
            && failing(&other) == failing(witness)
        {
            return Some(format!("without {} ({}) it is a violation, too", place, op.role));
        }
    }
    None
}

#[test]
fn every_violation_is_told_by_a_few_operations_each_of_which_is_needed() {
    let mut told = 0;
    for (object, _, spoils, _) in objects() {
        for (&spoil, clients) in
            spoils.iter().flat_map(|spoil| [2, 5, 10, 20].map(|clients| (spoil, clients)))
        {
            for seed in 0..4 {
                let plan = Plan {
                    clients,
                    operations: 400,
                    unknown: [0.0, 0.02][seed as usize % 2],
                    pace: [Pace::Busy, Pace::Irregular][seed as usize / 2],
                    spoil: Some(spoil),
                    seed,
                    ..Plan::of(object)
                };
                let simulated = simulate(&plan);
                if simulated.spoiled_at.is_none() {
                    continue;
                }
                let history = &simulated.history;
                let check = catalogue::by_name(object.check()).unwrap().check(&Rules::default());
                let report = check.check(history, &Budget::default());
                let Verdict::Invalid(witness) = &report.verdict else { panic!("{plan:?}: {report}") };
                let fault = fault(object, history, witness);
                assert_eq!(fault, None, "{plan:?}: {report}");
                told += 1;
            }
        }
    }
    assert!(told > 250, "{told}");
}

/// Five values, each of which is inside while the next one comes and goes, in a ring.
#[test]
fn what_takes_more_operations_is_said_to() {
    let text = "0 0 invoke push 1\n 1 0 ok push 1\n 2 0 invoke push 5\n 3 1 invoke push 4\n 4 2 invoke push 3
                5 3 invoke push 2\n 6 3 ok push 2\n 7 3 invoke pop\n 8 2 ok push 3\n 9 2 invoke pop
                10 1 ok push 4\n 11 1 invoke pop\n 12 0 ok push 5\n 13 0 invoke pop\n 14 3 ok pop 1
                15 3 invoke pop\n 16 3 ok pop 5\n 17 0 ok pop 4\n 18 1 ok pop 3\n 19 2 ok pop 2";
    let report = Linearizable::new(Stack::default()).check(&history(text), &Budget::default());
    let Verdict::Invalid(witness) = &report.verdict else { panic!("{report}") };
    assert_eq!(witness.ops.len(), 10, "{report}");
    let told = witness.reasons.iter().any(|reason| reason.starts_with("It takes all of them"));
    assert!(told, "{report}");
    // And it does.
    for spared in 1..=5 {
        let value = |op: &WitnessOp| op.value == Value::Int(spared);
        let places: Vec<usize> = (0..10).filter(|place| value(&witness.ops[*place])).collect();
        assert_eq!(places.len(), 2, "{report}");
        let others: Vec<Op> = history(text)
            .ops()
            .filter(|op| {
                places.iter().all(|place| {
                    let shown = &witness.ops[*place];
                    op.index != shown.invoke_index && Some(op.index) != shown.complete_index
                })
            })
            .collect();
        let rest = Linearizable::new(Stack::default()).check(&History::new(others), &Budget::default());
        assert!(rest.verdict.is_valid(), "without {spared}: {rest}");
    }
    // Nor can one of the ten be told by its value alone, because nobody can pop what was not pushed: with any one of
    // them at whatever time, there is an order. So every argument needs to say when each of the ten was.
    for place in 0..10 {
        let rest = Linearizable::new(Stack::default()).check(&at_any_time(text, place), &Budget::default());
        assert!(rest.verdict.is_valid(), "operation {place} at any time: {rest}");
    }
}

/// The same with one of its operations open from the first event to the last, and every one by a process of its own.
fn at_any_time(text: &str, freed: usize) -> History {
    let history = history(text);
    let calls = history.calls().unwrap();
    let mut events: Vec<(usize, u64, usize)> = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        let (start, end) = (call.start(), call.completion().unwrap());
        let (first, last) = if number == freed { (0, usize::MAX) } else { (start + 1, end + 1) };
        events.extend([(first, number as u64, start), (last, number as u64, end)]);
    }
    events.sort_unstable();
    let moved = events.into_iter().zip(0..).map(|((_, process, position), index)| Op {
        index,
        process: Process::Client(process),
        ..history.op(position)
    });
    moved.collect()
}

/// A read that is too little, and one that is too much: with what is certain, what may have been, and what came too
/// late.
#[test]
fn a_counter_is_told_by_its_bounds() {
    let reasons = |check: &str, text: &str| {
        let check = catalogue::by_name(check).unwrap().check(&Rules::default());
        let Verdict::Invalid(witness) = check.check(&history(text), &Budget::default()).verdict else {
            panic!("{text}")
        };
        witness.reasons.into_iter().take_while(|reason| !reason.starts_with("No other")).collect::<Vec<_>>()
    };
    let text = "0 0 invoke add 5\n 1 0 ok add 5\n 2 1 invoke read\n 3 1 ok read 5\n 4 2 invoke add 3\n 5 2 ok add 3\n \
        6 3 invoke add -1\n 7 3 info add -1\n 8 1 invoke read\n 9 1 ok read 4\n 10 0 invoke add -4\n 11 0 ok add -4";
    assert_eq!(
        reasons("counter", text),
        [
            "Process 1's read of 5 at 0.002 s–0.003 s shows that the counter held 5 then.",
            "Process 2's add of 3 at 0.004 s–0.005 s was asked for after that read and was over before the read \
             began: it can neither be left out nor come later.",
            "It may have been lowered by then by process 3's add of -1 begun at 0.006 s, given up at 0.007 s, \
             outcome unknown (−1): by 1 at most.",
            "So the lowest that could have been read is 7: 5, and +3 certainly added in between, and −1 that may \
             have been. All in all it could only be 7 to 8, and it was 4.",
            "Process 0's add of -4 at 0.010 s–0.011 s comes too late: it was asked for when the read was over.",
        ]
    );
    let text = "0 0 invoke add 5\n 1 0 ok add 5\n 2 1 invoke read\n 3 1 ok read 9";
    assert_eq!(
        reasons("counter-bounds", text),
        [
            "The counter held 0 at first.",
            "Nothing that may have happened by then raises it.",
            "So the highest that could have been read is 5: 0, and +5 certainly added in between. All in all it \
             could only be 5 to 5, and it was 9.",
        ]
    );
}
