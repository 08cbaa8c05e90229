//! The oracle: tries every order. Slow and obviously right.

use checker::{Call, History, Outcome, Value};

/// The sequential object, told as simply as possible: what an operation answers and leaves, or `None`
/// when it can't have happened in this state.
pub(crate) type Step = fn(state: &Value, call: &Call<'_>) -> Option<Value>;

/// A register: reads see the value, cas sees its first argument and leaves its second.
pub(crate) fn register(state: &Value, call: &Call<'_>) -> Option<Value> {
    match call.f() {
        "read" => (call.result().unwrap() == *state).then(|| state.clone()),
        "write" => Some(call.asked()),
        "cas" => {
            let asked = call.asked();
            let pair = asked.as_list().unwrap();
            (pair[0] == *state).then(|| pair[1].clone())
        }
        other => panic!("{other}"),
    }
}

/// A list: nil is the empty one.
pub(crate) fn list(state: &Value, call: &Call<'_>) -> Option<Value> {
    let elements = state.as_list().unwrap_or(&[]);
    match call.f() {
        "read" => (call.result().unwrap().as_list().unwrap_or(&[]) == elements).then(|| state.clone()),
        "append" => Some(Value::List(elements.iter().chain([&call.asked()]).cloned().collect())),
        other => panic!("{other}"),
    }
}

/// A set, held as a sorted list without repeats.
pub(crate) fn set(state: &Value, call: &Call<'_>) -> Option<Value> {
    let elements = state.as_list().unwrap_or(&[]);
    match call.f() {
        "read" => {
            let mut seen = call.result().unwrap().as_list().unwrap_or(&[]).to_vec();
            seen.sort();
            (seen == elements).then(|| state.clone())
        }
        "add" => {
            let mut elements = elements.to_vec();
            elements.push(call.asked());
            elements.sort();
            elements.dedup();
            Some(Value::List(elements))
        }
        other => panic!("{other}"),
    }
}

/// Whether some order of all ok calls and some of the unknown ones is legal and respects real time.
pub(crate) fn is_linearizable(history: &History, step: Step) -> bool {
    let calls = history.calls().unwrap();
    let possible = calls.iter().filter(|call| match call.outcome() {
        Outcome::Ok => true,
        Outcome::Failed => false,
        Outcome::Unknown => call.f() != "read",
    });
    place_rest(&mut possible.collect(), &Value::Nil, step)
}

fn place_rest(rest: &mut Vec<Call<'_>>, state: &Value, step: Step) -> bool {
    if rest.iter().all(|call| call.outcome() == Outcome::Unknown) {
        return true;
    }
    let first_end = rest.iter().filter_map(|call| call.end()).min().unwrap_or(usize::MAX);
    for index in 0..rest.len() {
        let call = rest[index];
        // Whatever began after another operation ended can't be placed before it.
        if call.start() < first_end
            && let Some(state) = step(state, &call)
        {
            rest.remove(index);
            let found = place_rest(rest, &state, step);
            rest.insert(index, call);
            if found {
                return true;
            }
        }
    }
    false
}

/// Whether these invocations, in this order, are a linearization.
pub(crate) fn explains(history: &History, order: &[u64], step: Step) -> bool {
    let calls = history.calls().unwrap();
    let ordered: Vec<_> =
        order.iter().filter_map(|index| calls.iter().find(|call| call.invoke_index() == *index)).collect();
    let distinct: std::collections::HashSet<_> = order.iter().collect();
    let all_there =
        calls.iter().all(|call| call.outcome() != Outcome::Ok || order.contains(&call.invoke_index()));
    let in_time = (0..ordered.len()).all(|later| {
        ordered[..later].iter().all(|earlier| ordered[later].end().is_none_or(|end| earlier.start() < end))
    });
    let stepped = ordered.iter().try_fold(Value::Nil, |state, call| step(&state, call));
    ordered.len() == order.len()
        && distinct.len() == order.len()
        && ordered.iter().all(|call| call.outcome() != Outcome::Failed)
        && all_there
        && in_time
        && stepped.is_some()
}
