//! What generators ask, whoever answers.

use crate::system::{PROCESSES, Run};
use checker::{History, Op, OpType, Value};
use std::collections::{BTreeMap, BTreeSet};
use workloads::{Context, Generator, Limit, Next, Options, Workload, by_name, names};

const STEPS: usize = 20_000;

fn options(seed: u64) -> Options {
    Options { seed, processes: PROCESSES, keys: 5, ops_per_key: Some(60) }
}

fn make(name: &str, seed: u64) -> Workload {
    by_name(name, &options(seed)).expect("one of the names")
}

/// A run against the perfect system.
fn history(name: &str, seed: u64) -> History {
    Run::history(name, &mut *make(name, seed).generator, None, seed, STEPS)
}

fn invocations(history: &History) -> impl Iterator<Item = Op> + '_ {
    history.ops().filter(|op| op.op_type == OpType::Invoke)
}

/// The value that an operation puts into its key.
fn given(op: &Op) -> Option<i64> {
    match (&*op.f, &op.value) {
        ("read", _) => None,
        ("cas", Value::List(pair)) => pair[1].as_int(),
        (_, value) => value.as_int(),
    }
}

#[test]
fn the_names_are_listed_where_one_is_wrong() {
    assert_eq!(names(), ["cas-register", "set", "append"]);
    let error = by_name("queue", &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "no workload is called `queue`; there are: cas-register, set, append");
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
    for name in names() {
        let mut seen = BTreeSet::new();
        for op in invocations(&history(name, 1)) {
            if let Some(value) = given(&op) {
                assert!(seen.insert(value), "{name}: {value} again in op {}", op.index);
            }
        }
        assert!(seen.len() > 1000, "{name}");
    }
}

#[test]
fn keys_retire_and_fresh_ones_take_their_place() {
    for name in names() {
        let mut generator = make(name, 2).generator;
        let mut asked: BTreeMap<i64, u64> = BTreeMap::new();
        let mut order = Vec::new();
        for time_ns in 0..5000 {
            let Next::Invoke(next) = generator.next(&Context { time_ns, process: time_ns % PROCESSES })
            else {
                panic!("{name} ends on its own");
            };
            let key = next.key.expect("every operation has a key");
            *asked.entry(key).or_insert_with(|| {
                order.push(key);
                0
            }) += 1;
            let in_use = asked.iter().filter(|(key, count)| **count < 60 && **key >= 5).count();
            assert!(in_use <= 5, "{name}: {in_use} keys at a time");
        }
        assert!(asked.values().all(|count| *count <= 60), "{name}: {asked:?}");
        assert!(order.len() > 80, "{name}: {} keys for 5000 operations", order.len());
        assert!(order.iter().copied().eq(0..order.len() as i64), "{name}: numbered by first use");
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
        let mut generator = make(name, 4).generator;
        assert!(generator.final_reads().is_empty());
        let mut used = BTreeSet::new();
        for time_ns in 0..3000 {
            if let Next::Invoke(next) = generator.next(&Context { time_ns, process: 0 }) {
                used.insert(next.key);
            }
        }
        let reads = generator.final_reads();
        assert_eq!(reads.len(), used.len(), "{name}: one for each key");
        assert!(reads.iter().all(|read| read.f == "read" && read.value.is_nil() && used.contains(&read.key)));
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
