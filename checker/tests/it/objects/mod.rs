//! Every model from outside, against an oracle that knows the object in other words and tries every order.

mod oracles;

use checker::catalogue::{self, Rules};
use checker::model::{PriorityQueue, Semaphore};
use checker::online::{Checker, Status};
use checker::{Budget, Check, Decision, History, Linearizable, Op, OpType, Process, Value, Verdict};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use oracles::{
    bag, counter, element_set, fenced, kv, kv_map, least_first, multi_register, priority_queue, queue,
    reentrant, semaphore, stack, stream, stream_hash,
};

/// What a client asked and was told; no result when nobody knows what became of it.
#[derive(Clone, Debug)]
struct Did {
    f: &'static str,
    asked: Value,
    result: Option<Value>,
    start: u32,
    end: u32,
}

/// The states that may follow.
type Oracle = fn(&Value, &Did) -> Vec<Value>;
/// Something to ask, with something that may be answered.
type Asked = (&'static str, Value, Value);

fn seeds() -> u64 {
    std::env::var("CHECKER_SEEDS").map_or(400, |seeds| seeds.parse().unwrap())
}

/// Whether some order of all ok operations and some of the others fits.
fn is_linearizable(oracle: Oracle, state: &Value, rest: &mut Vec<Did>) -> bool {
    let first_end = rest.iter().map(|did| did.end).min().unwrap_or(u32::MAX);
    if first_end == u32::MAX {
        return true;
    }
    for index in 0..rest.len() {
        // At a tie both are open: an interval has its ends.
        if rest[index].start <= first_end {
            let did = rest.remove(index);
            let found = oracle(state, &did).iter().any(|state| is_linearizable(oracle, state, rest));
            rest.insert(index, did);
            if found {
                return true;
            }
        }
    }
    false
}

/// A history of what the oracle allows, spoiled in so many places. Every operation has a process of its own.
fn random(oracle: Oracle, ask: fn(&mut ChaCha8Rng) -> Asked, seed: u64) -> Vec<Did> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut state = Value::Nil;
    let mut all: Vec<Did> = Vec::new();
    let (mut moment, mut refused) = (1000, 0);
    let count = random.random_range(1..=7);
    while all.len() < count && refused < 2000 {
        let (f, asked, result) = ask(&mut random);
        let known = random.random_range(0..100) >= [0, 25][seed as usize % 2];
        let width = [150, 400][seed as usize / 2 % 2];
        let start = moment - random.random_range(1..width);
        let end = if known { moment + random.random_range(1..width) } else { u32::MAX };
        let did = Did { f, asked, result: known.then_some(result), start, end };
        let mut next = oracle(&state, &did);
        let happened = !next.is_empty() && (known || random.random_ratio(1, 2));
        if happened {
            state = next.swap_remove(random.random_range(0..next.len()));
        } else if known {
            refused += 1;
            continue;
        }
        moment += 100;
        all.push(did);
    }
    for _ in 0..[0, 2, 5][seed as usize % 3] {
        let Some(place) = all.len().checked_sub(1).map(|last| random.random_range(0..=last)) else { break };
        let other = random.random_range(0..all.len());
        if random.random_ratio(1, 3) && all[place].end != u32::MAX {
            all[place].start = all[place].end - 1;
        } else if random.random_ratio(1, 2) && all[place].result.is_some() {
            let (f, asked, result) = ask(&mut random);
            let Did { start, end, .. } = all[place];
            all[place] = Did { f, asked, result: Some(result), start, end };
        } else if all[place].f == all[other].f && all[place].result.is_some() && all[other].result.is_some() {
            let (asked, result) = (all[other].asked.clone(), all[other].result.clone());
            (all[place].asked, all[place].result) = (asked, result);
        }
    }
    all
}

fn recorded(all: &[Did]) -> History {
    let mut events: Vec<(u32, bool, u64, &Did)> = Vec::new();
    for (process, did) in all.iter().enumerate() {
        events.push((did.start, false, process as u64, did));
        events.push((did.end, true, process as u64, did));
    }
    events.sort_by_key(|(at, is_end, process, _)| (*at, *is_end, *process));
    let ops = events.into_iter().enumerate().map(|(index, (at, is_end, process, did))| {
        let (op_type, value) = match (is_end, &did.result) {
            (false, _) => (OpType::Invoke, did.asked.clone()),
            (true, None) => (OpType::Info, did.asked.clone()),
            (true, Some(result)) => (OpType::Ok, result.clone()),
        };
        Op::new(index as u64, u64::from(at), op_type, Process::Client(process), did.f, value)
    });
    ops.collect()
}

fn agree(check: &dyn Check, oracle: Oracle, ask: fn(&mut ChaCha8Rng) -> Asked) {
    let (mut valid, mut invalid) = (0, 0);
    for seed in 0..seeds() {
        let all = random(oracle, ask, seed);
        if all.iter().all(|did| did.result.is_none()) {
            continue;
        }
        let truth = is_linearizable(oracle, &Value::Nil, &mut all.clone());
        assert!(truth || seed % 3 > 0, "seed {seed}: the simulation is wrong: {all:#?}");
        let report = check.check(&recorded(&all), &Budget::default());
        assert_eq!(report.verdict.is_valid(), truth, "{} seed {seed}: {report}{all:#?}", check.name());
        assert_eq!(report.verdict.is_invalid(), !truth, "{} seed {seed}: {report}", check.name());
        if let Verdict::Invalid(witness) = &report.verdict {
            assert!(witness.ops.iter().any(|op| op.failing), "{} seed {seed}: {report}", check.name());
        }
        assert_eq!(
            reported(check.online().unwrap(), &recorded(&all)),
            first_invalid(check, &recorded(&all)),
            "{} seed {seed}: {report}{all:#?}",
            check.name()
        );
        if truth { valid += 1 } else { invalid += 1 }
    }
    println!("{}: {valid} valid, {invalid} invalid", check.name());
    assert!(
        valid > seeds() / 4 && invalid > seeds() / 25,
        "{}: {valid} valid, {invalid} invalid",
        check.name()
    );
}

/// The event with which a checker of events says that it became impossible.
pub(crate) fn reported(mut checker: Checker, history: &History) -> Option<usize> {
    history.ops().position(|op| match checker.event(&op).unwrap() {
        Status::Fine => false,
        Status::Violation(violation) => {
            assert_eq!(violation.index, op.index);
            true
        }
        Status::Undecided(undecided) => panic!("{undecided:?}"),
    })
}

/// The event with which the whole history so far is invalid for the first time.
pub(crate) fn first_invalid(check: &dyn Check, history: &History) -> Option<usize> {
    let mut prefix = History::default();
    history.ops().position(|op| {
        let judges = op.op_type != OpType::Invoke;
        prefix.push(op);
        judges && check.decide(&prefix, &Budget::default()) == Decision::Invalid
    })
}

fn named(name: &str) -> Box<dyn Check> {
    catalogue::by_name(name).unwrap().check(&Rules::default())
}

fn small(random: &mut ChaCha8Rng) -> Value {
    Value::Int(random.random_range(1..4))
}

fn put_or_take(random: &mut ChaCha8Rng, [put, take]: [&'static str; 2]) -> Asked {
    let value = small(random);
    match random.random_range(0..7) {
        0..3 => (put, value.clone(), value),
        6 => (take, Value::Nil, Value::Nil),
        _ => (take, Value::Nil, value),
    }
}

#[test]
fn containers() {
    let ask = |random: &mut ChaCha8Rng| put_or_take(random, ["enqueue", "dequeue"]);
    agree(&*named("queue"), queue, ask);
    agree(&*named("unordered-queue"), bag, ask);
    agree(&*named("stack"), stack, |random| match random.random_range(0..8) {
        0 => ("peek", Value::Nil, small(random)),
        _ => put_or_take(random, ["push", "pop"]),
    });
    let ask = |random: &mut ChaCha8Rng| match random.random_range(0..8) {
        0 => ("peek", Value::Nil, small(random)),
        _ => put_or_take(random, ["insert", "poll"]),
    };
    agree(&*named("priority-queue"), priority_queue, ask);
    agree(&Linearizable::new(PriorityQueue::least_first()), least_first, ask);
}

#[test]
fn sets_with_and_without_answers() {
    let answered = |random: &mut ChaCha8Rng| {
        let f = ["add", "remove", "contains"][random.random_range(0..3)];
        (f, small(random), Value::Bool(random.random_ratio(1, 2)))
    };
    agree(&*named("element-set"), element_set, answered);
    agree(&*named("element-set"), element_set, |random| {
        let value = small(random);
        let mut elements: Vec<Value> = (0..random.random_range(0..3)).map(|_| small(random)).collect();
        elements.sort();
        elements.dedup();
        match random.random_range(0..5) {
            0 | 1 => ("add", value.clone(), value),
            2 => ("remove", value.clone(), value),
            3 => ("contains", value, Value::Bool(random.random_ratio(1, 2))),
            _ => ("read", Value::Nil, Value::List(elements)),
        }
    });
}

#[test]
fn locks() {
    let acquire_or_release = |random: &mut ChaCha8Rng| match random.random_range(0..5) {
        0 | 1 => ("acquire", Value::Nil, Value::Nil),
        2 | 3 => ("release", Value::Nil, Value::Nil),
        _ => ("acquire", Value::Nil, Value::Bool(false)),
    };
    agree(&*named("mutex"), |state, did| semaphore(state, did, 1), acquire_or_release);
    agree(&Linearizable::new(Semaphore::of(2)), |state, did| semaphore(state, did, 2), acquire_or_release);
    agree(
        &Linearizable::new(Semaphore::of(3)),
        |state, did| semaphore(state, did, 3),
        |random| {
            let permits = Value::Int(random.random_range(1..3));
            match random.random_range(0..2) {
                0 => ("acquire", permits.clone(), permits),
                _ => ("release", permits.clone(), permits),
            }
        },
    );
    agree(&*named("reentrant-lock"), reentrant, |random| {
        let owner = Value::Int(random.random_range(1..3));
        (["acquire", "release"][random.random_range(0..2)], owner.clone(), owner)
    });
    agree(&*named("fenced-lock"), fenced, |random| {
        let owner = Value::Int(random.random_range(1..3));
        match random.random_range(0..2) {
            0 => ("acquire", owner, Value::Int(random.random_range(0..15))),
            _ => ("release", owner.clone(), owner),
        }
    });
}

#[test]
fn counters() {
    agree(&*named("counter"), counter, |random| {
        let by = small(random);
        match random.random_range(0..7) {
            0 => ("add", by.clone(), by),
            1 => ("inc", Value::Nil, Value::Nil),
            2 => ("dec", Value::Nil, Value::Nil),
            3 => ("read", Value::Nil, Value::Nil),
            _ => ("read", Value::Nil, Value::Int(random.random_range(-1..6))),
        }
    });
}

#[test]
fn several_registers() {
    agree(&*named("multi-register"), multi_register, |random| {
        let (mut asked, mut told) = (Vec::new(), Vec::new());
        for _ in 0..random.random_range(1..3) {
            let register = Value::Int(random.random_range(0..2));
            let value = if random.random_ratio(1, 3) { Value::Nil } else { small(random) };
            let micro_op =
                |f: &str, value: &Value| Value::List(vec![f.into(), register.clone(), value.clone()]);
            if random.random_ratio(1, 2) {
                asked.push(micro_op("r", &Value::Nil));
                told.push(micro_op("r", &value));
            } else {
                asked.push(micro_op("w", &value));
                told.push(micro_op("w", &value));
            }
        }
        ("txn", Value::List(asked), Value::List(told))
    });
}

#[test]
fn texts() {
    fn some_text(random: &mut ChaCha8Rng) -> Value {
        Value::from(["a", "b", "ab", "ba", "aab"][random.random_range(0..5)])
    }
    fn ask(random: &mut ChaCha8Rng, text: Value) -> Asked {
        match random.random_range(0..5) {
            0 => ("put", text.clone(), text),
            1 | 2 => ("append", text.clone(), text),
            _ if random.random_ratio(1, 4) => ("get", Value::Nil, Value::Nil),
            _ => ("get", Value::Nil, text),
        }
    }
    agree(&*named("kv"), kv, |random| {
        let text = some_text(random);
        ask(random, text)
    });
    agree(&*named("kv-map"), kv_map, |random| {
        let text = some_text(random);
        let key = Value::Int(random.random_range(0..2));
        let (f, asked, result) = ask(random, text);
        let pair = |value| Value::List(vec![key.clone(), value]);
        match f {
            "get" if random.random_ratio(1, 2) => (f, pair(asked), pair(result)),
            "get" => (f, key, result),
            _ => (f, pair(asked), pair(result)),
        }
    });
}

#[test]
fn streams() {
    agree(&*named("stream"), stream, |random| {
        let mut records = |count| -> Vec<Value> {
            (0..count).map(|_| Value::Int([11, 22][random.random_range(0..2)])).collect()
        };
        let (added, seen) = (records(1), records(3));
        let seen = &seen[..random.random_range(0..=3)];
        let tail = Value::Int(seen.len() as i64);
        let token = |random: &mut ChaCha8Rng| Value::from(["a", "b"][random.random_range(0..2)]);
        match random.random_range(0..5) {
            0 => ("check-tail", Value::Nil, tail),
            1 => ("read", Value::Nil, Value::List(vec![tail, stream_hash(seen)])),
            _ => {
                let mut fields = vec![(Value::from("record_hashes"), Value::List(added))];
                if random.random_ratio(1, 3) {
                    fields.push((Value::from("match_seq_num"), Value::Int(random.random_range(0..3))));
                }
                if random.random_ratio(1, 4) {
                    fields.push((Value::from("fencing_token"), token(random)));
                }
                if random.random_ratio(1, 4) {
                    fields.push((Value::from("set_fencing_token"), token(random)));
                }
                ("append", Value::Map(fields), Value::Int(random.random_range(1..5)))
            }
        }
    });
}

#[test]
fn functions_that_an_object_does_not_have_are_refused() {
    let text = "0 0 invoke steal 1\n 1 0 ok steal 1";
    let objects = [
        "cas-register",
        "append",
        "element-set",
        "queue",
        "stack",
        "priority-queue",
        "unordered-queue",
        "mutex",
        "reentrant-lock",
        "fenced-lock",
        "counter",
        "multi-register",
        "kv",
        "kv-map",
        "stream",
    ];
    for name in objects {
        let report = named(name).check(&crate::history::history(text), &Budget::default());
        assert!(report.verdict.is_unknown(), "{name}: {report}");
    }
}
