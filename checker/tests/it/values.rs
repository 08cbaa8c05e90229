//! Values have one id each, whatever way they came in.

use std::collections::HashMap;

use checker::{Float, History, Op, OpType, Process, Value, ValueId, Values};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn random_value(random: &mut ChaCha8Rng, depth: u32) -> Value {
    let several = |random: &mut ChaCha8Rng| {
        (0..random.random_range(0..4usize)).map(|_| random_value(random, depth - 1)).collect::<Vec<_>>()
    };
    match random.random_range(0..if depth == 0 { 6 } else { 9 }) {
        0 => Value::Nil,
        1 => Value::Bool(random.random_range(0..2u32) == 0),
        // Near and far, so that places and look-ups both serve.
        2 => Value::Int(random.random_range(-3..6i64)),
        3 => Value::Int(random.random_range(-1i64..1 << 24) << random.random_range(0..20u32)),
        4 => Value::Float(Float::new(f64::from(random.random_range(0..4u32)) / 2.0)),
        5 => Value::from("abcdefghijk".split_at(random.random_range(0..11usize)).0),
        6 => Value::List(several(random)),
        7 => Value::set(several(random)),
        _ => {
            let (keys, values) = (several(random), several(random));
            Value::map(keys.into_iter().zip(values).collect())
        }
    }
}

#[test]
fn equal_values_have_equal_ids_and_come_back_as_they_were() {
    for seed in 0..200 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut values = Values::default();
        let mut known: HashMap<Value, ValueId> = HashMap::new();
        for _ in 0..300 {
            let value = random_value(&mut random, 3);
            let id = values.intern(&value);
            assert_eq!(values.get(id), value, "seed {seed}");
            assert_eq!(values.find(&value), Some(id), "seed {seed}: {value}");
            assert_eq!(*known.entry(value.clone()).or_insert(id), id, "seed {seed}: {value}");
        }
        let ids: std::collections::HashSet<_> = known.values().collect();
        assert_eq!(ids.len(), known.len(), "seed {seed}: two values with one id");
        assert!(values.len() >= known.len());
    }
}

#[test]
fn numbers_of_any_spread_are_told_apart() {
    for step in [1i64, 3, 1_000, 1 << 20, 1 << 40] {
        let mut values = Values::default();
        let ids: Vec<ValueId> = (0..5_000).map(|number| values.int((4_999 - number) * step)).collect();
        let again: Vec<ValueId> = (0..5_000).map(|number| values.int((4_999 - number) * step)).collect();
        assert_eq!(ids, again, "step {step}");
        assert_eq!(values.len(), 5_001, "step {step}");
        assert!(
            (0..5_000).all(|number| values.get(ids[number]) == Value::Int((4_999 - number as i64) * step))
        );
    }
    // A few numbers far apart must not cost a table for all between.
    let mut values = Values::default();
    for number in 0..20 {
        values.int(number * 400_000);
    }
    assert!(values.memory_bytes() < 1 << 20, "{} bytes", values.memory_bytes());
}

#[test]
fn one_number_has_one_spelling() {
    assert_eq!(Float::new(0.0), Float::new(-0.0));
    assert_eq!(Float::new(f64::NAN), Float::new(-f64::NAN));
    assert_eq!(Value::set(vec![2.into(), 1.into(), 2.into()]), Value::set(vec![1.into(), 2.into()]));
    let entries = vec![(1.into(), 5.into()), (0.into(), 0.into()), (1.into(), 6.into())];
    assert_eq!(Value::map(entries), Value::Map(vec![(0.into(), 0.into()), (1.into(), 6.into())]));
}

#[test]
fn a_history_is_the_same_whatever_numbers_its_parts_have() {
    let op = |index, f: &'static str, value: i64| {
        Op::new(index, 0, OpType::Invoke, Process::Client(index), f, value)
    };
    let (a, b) = (op(3, "read", 9), op(7, "write", 2));
    let straight = History::new([a.clone(), b.clone()]);
    let mut detour = History::default();
    detour.values_mut().int(77);
    detour.f("cas");
    detour.push(a.clone());
    detour.push(b);
    assert_eq!(straight, detour);
    assert_eq!(straight.position_of(7), Some(1));
    assert_eq!(straight.position_of(4), None);
    assert_ne!(straight, History::new([a]));
}
