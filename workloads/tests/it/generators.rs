//! What generators ask, whoever answers.

use crate::clients::{PROCESSES, Run};
use checker::{History, Op, OpType, Value};
use std::collections::{BTreeMap, BTreeSet};
use workloads::{Context, Generator, Invocation, Limit, Next, Options, Workload, by_name, names};

const STEPS: usize = 20_000;

fn options(seed: u64) -> Options {
    Options { seed, processes: PROCESSES, keys: 5, ops_per_key: Some(60) }
}

fn make(name: &str, seed: u64) -> Workload {
    by_name(name, &options(seed)).expect("one of the names")
}

/// A run against the perfect system.
fn history(name: &str, seed: u64) -> History {
    Run::history(&mut *make(name, seed).generator, None, seed, STEPS, 1)
}

fn invocations(history: &History) -> impl Iterator<Item = Op> + '_ {
    history.ops().filter(|op| op.op_type == OpType::Invoke)
}

/// A generator that asks nothing in the end.
struct Endless(Box<dyn Generator>);

impl Generator for Endless {
    fn next(&mut self, context: &Context) -> Next {
        self.0.next(context)
    }

    fn update(&mut self, op: &Op) {
        self.0.update(op);
    }

    fn final_reads(&self) -> Vec<Invocation> {
        Vec::new()
    }
}

/// What is asked of the perfect system before the final reads, and those.
fn asked(name: &str, seed: u64) -> (Vec<Op>, Vec<Invocation>) {
    let mut generator = Endless(make(name, seed).generator);
    let history = Run::history(&mut generator, None, seed, STEPS, 1);
    (invocations(&history).collect(), generator.0.final_reads())
}

/// The parts of a transaction, `[f, key, value]` each.
fn micros(f: &str, value: &Value) -> Vec<Vec<Value>> {
    let parts = if f == "txn" { value.as_list().expect("a list of parts") } else { &[] };
    parts.iter().map(|part| part.as_list().expect("a list of three").to_vec()).collect()
}

/// The keys that an operation is about.
fn keys(f: &str, key: Option<i64>, value: &Value) -> Vec<i64> {
    match key {
        Some(key) => vec![key],
        None => micros(f, value).iter().map(|part| part[1].as_int().expect("a number")).collect(),
    }
}

fn keys_of(op: &Op) -> Vec<i64> {
    keys(&op.f, op.key.as_ref().and_then(Value::as_int), &op.value)
}

/// The values that an operation puts somewhere.
fn given(op: &Op) -> Vec<i64> {
    let values: Vec<Value> = match (&*op.f, &op.value) {
        ("write" | "append" | "add" | "enqueue", value) => vec![value.clone()],
        ("cas", Value::List(pair)) => vec![pair[1].clone()],
        ("txn", value) => micros("txn", value).into_iter().map(|part| part[2].clone()).collect(),
        _ => Vec::new(),
    };
    values.iter().filter_map(Value::as_int).collect()
}

#[test]
fn the_names_are_listed_where_one_is_wrong() {
    let all = "cas-register, set, append, list-append, rw-register, bank, queue, counter, lock, unique-ids, \
               long-fork, monotonic";
    assert_eq!(names().join(", "), all);
    let error = by_name("stack", &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), format!("no workload is called `stack`; there are: {all}"));
}

#[test]
fn the_same_seed_and_the_same_answers_ask_the_same() {
    for name in names() {
        assert_eq!(history(name, 7), history(name, 7), "{name}");
        let first = |seed| invocations(&history(name, seed)).take(50).collect::<Vec<_>>();
        assert_ne!(first(7), first(8), "{name}");
    }
}

#[test]
fn no_value_is_given_twice() {
    for name in ["cas-register", "set", "append", "list-append", "rw-register", "queue", "long-fork"] {
        let mut seen = BTreeSet::new();
        for op in invocations(&history(name, 1)) {
            for value in given(&op) {
                assert!(seen.insert(value), "{name}: {value} again in op {}", op.index);
            }
        }
        assert!(seen.len() > 250, "{name}: {}", seen.len());
    }
}

#[test]
fn keys_retire_and_fresh_ones_take_their_place() {
    for name in names() {
        let (ops, _) = asked(name, 2);
        let asked: Vec<Vec<i64>> = ops.iter().map(keys_of).collect();
        let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
        let mut order = Vec::new();
        for key in asked.iter().flatten() {
            *counts.entry(*key).or_insert_with(|| {
                order.push(*key);
                0
            }) += 1;
        }
        assert!(counts.values().all(|count| *count <= 60), "{name}: {counts:?}");
        assert!(order.len() > 80, "{name}: {} keys for {} operations", order.len(), ops.len());
        assert!(order.iter().copied().eq(0..order.len() as i64), "{name}: numbered by first use");
        for some in asked.windows(20) {
            let some: BTreeSet<i64> = some.iter().flatten().copied().collect();
            assert!(some.len() <= 10, "{name}: {some:?} at a time");
        }
    }
}

/// Else every fault that falls on the change would meet five empty keys.
#[test]
fn the_first_keys_do_not_retire_together() {
    let options = Options { ops_per_key: Some(600), ..options(3) };
    let mut generator = by_name("append", &options).unwrap().generator;
    let mut last_asked = [0; 5];
    for time_ns in 0..10_000 {
        if let Next::Invoke(next) = generator.next(&Context { time_ns, process: 0 })
            && let Some(last) = next.key.and_then(|key| last_asked.get_mut(key as usize))
        {
            *last = time_ns;
        }
    }
    last_asked.sort_unstable();
    assert!(last_asked.windows(2).all(|pair| pair[1] - pair[0] > 200), "{last_asked:?}");
}

#[test]
fn a_key_is_shared_by_two_processes_at_least() {
    let options = Options { processes: 4, keys: 5, ..options(1) };
    let mut generator = by_name("set", &options).unwrap().generator;
    let mut keys = BTreeSet::new();
    for process in 0..20 {
        if let Next::Invoke(next) = generator.next(&Context { time_ns: 0, process: process % 4 }) {
            keys.insert(next.key);
        }
    }
    assert_eq!(keys.len(), 2);
}

#[test]
fn final_reads_cover_every_key_ever_used() {
    for name in names() {
        assert!(make(name, 4).generator.final_reads().is_empty(), "{name}");
        let (ops, finals) = asked(name, 4);
        let used: BTreeSet<i64> = ops.iter().flat_map(keys_of).collect();
        let read = finals.iter().flat_map(|read| keys(read.f, read.key, &read.value));
        let read: BTreeSet<i64> = read.collect();
        if *name == "bank" {
            // But for banks of which nobody knows whether they were opened.
            assert!(read.is_subset(&used) && read.len() * 10 > used.len() * 9, "{read:?} of {used:?}");
        } else {
            assert_eq!(read, used, "{name}");
        }
    }
}

#[test]
fn a_queue_is_empty_in_the_end() {
    let mut last: BTreeMap<i64, Value> = BTreeMap::new();
    for op in history("queue", 9).ops().filter(|op| op.op_type == OpType::Ok) {
        last.insert(keys_of(&op)[0], op.value);
    }
    assert!(last.len() > 80);
    assert!(last.values().all(Value::is_nil), "{last:?}");
}

#[test]
fn locks_are_fought_over_and_had() {
    let history = history("lock", 3);
    let count = |f: &str, value: Option<bool>| {
        let is_it = |op: &Op| op.f == f && value.is_none_or(|value| op.value == Value::Bool(value));
        history.ops().filter(|op| op.op_type == OpType::Ok && is_it(op)).count()
    };
    let (had, refused, released) =
        (count("acquire", Some(true)), count("acquire", Some(false)), count("release", None));
    assert!(had * 8 > refused && refused > had, "{had} had, {refused} refused");
    assert!(released * 2 > had, "{released} of {had} released");
}

/// Else nothing would go by the way of reads, which is another than that of changes.
#[test]
fn transactions_are_small_and_some_only_read() {
    for name in ["list-append", "rw-register"] {
        let (ops, _) = asked(name, 5);
        let sizes: BTreeSet<usize> = ops.iter().map(|op| micros("txn", &op.value).len()).collect();
        assert!(sizes.iter().copied().eq(1..=4), "{name}: {sizes:?}");
        let reads = ops.iter().filter(|op| given(op).is_empty()).count();
        assert!((15..35).contains(&(reads * 100 / ops.len())), "{name}: {reads} of {}", ops.len());
    }
}

#[test]
fn a_register_is_read_written_and_compared_2_to_1_to_1() {
    let history = history("cas-register", 5);
    let share = |f| {
        let count = invocations(&history).filter(|op| op.f == f).count();
        count * 100 / invocations(&history).count()
    };
    let shares = (share("read"), share("write"), share("cas"));
    assert!(matches!(shares, (45..55, 20..32, 20..30)), "{shares:?} percent");
}

/// Against a register that never errs, with ten processes at five keys.
#[test]
fn a_fair_share_of_compare_and_sets_succeeds_and_a_fair_share_does_not() {
    for seed in 0..5 {
        let history = history("cas-register", seed);
        let count = |op_type| {
            let ops = history.ops();
            ops.filter(|op| op.f == "cas" && op.op_type == op_type).count()
        };
        let (ok, fail) = (count(OpType::Ok), count(OpType::Fail));
        let percent = ok * 100 / (ok + fail);
        assert!((35..85).contains(&percent), "seed {seed}: {ok} ok, {fail} failed");
    }
}

#[test]
fn a_limit_ends_a_generator() {
    let mut limited = Limit::new(make("set", 6).generator, 3);
    let context = Context { time_ns: 0, process: 0 };
    assert!((0..3).all(|_| matches!(limited.next(&context), Next::Invoke(_))));
    assert_eq!(limited.next(&context), Next::Exhausted);
    assert!(!limited.final_reads().is_empty());
}
