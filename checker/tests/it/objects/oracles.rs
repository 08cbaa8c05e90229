//! What each object does, in other words than the models': the states that may follow an operation.

use checker::Value;
use checker::model::chain_hash;

use super::Did;

fn list(state: &Value) -> Vec<Value> {
    state.as_list().unwrap_or(&[]).to_vec()
}

fn without(elements: &[Value], place: usize) -> Value {
    let mut rest = elements.to_vec();
    rest.remove(place);
    Value::List(rest)
}

/// A container whose elements come out at these places.
pub(super) fn container(state: &Value, did: &Did, next: fn(&[Value]) -> Vec<usize>) -> Vec<Value> {
    let elements = list(state);
    match (did.f, &did.result) {
        ("enqueue" | "push" | "insert", _) => vec![Value::List([elements, vec![did.asked.clone()]].concat())],
        ("dequeue" | "pop" | "poll", None) => {
            next(&elements).into_iter().map(|place| without(&elements, place)).collect()
        }
        (_, Some(Value::Nil)) => {
            if elements.is_empty() {
                vec![state.clone()]
            } else {
                vec![]
            }
        }
        (f, Some(seen)) => {
            let places = next(&elements).into_iter().filter(|place| elements[*place] == *seen);
            places.map(|place| if f == "peek" { state.clone() } else { without(&elements, place) }).collect()
        }
        (_, None) => vec![state.clone()],
    }
}

pub(super) fn queue(state: &Value, did: &Did) -> Vec<Value> {
    container(state, did, |elements| if elements.is_empty() { vec![] } else { vec![0] })
}

pub(super) fn stack(state: &Value, did: &Did) -> Vec<Value> {
    container(state, did, |elements| elements.len().checked_sub(1).into_iter().collect())
}

pub(super) fn priority_queue(state: &Value, did: &Did) -> Vec<Value> {
    container(state, did, |elements| {
        let greatest = elements.iter().max();
        (0..elements.len()).filter(|place| Some(&elements[*place]) == greatest).take(1).collect()
    })
}

pub(super) fn least_first(state: &Value, did: &Did) -> Vec<Value> {
    container(state, did, |elements| {
        let least = elements.iter().min();
        (0..elements.len()).filter(|place| Some(&elements[*place]) == least).take(1).collect()
    })
}

pub(super) fn bag(state: &Value, did: &Did) -> Vec<Value> {
    container(state, did, |elements| (0..elements.len()).collect())
}

pub(super) fn element_set(state: &Value, did: &Did) -> Vec<Value> {
    let mut elements = list(state);
    let place = elements.iter().position(|element| *element == did.asked);
    let answers = |answer: bool| match &did.result {
        None | Some(Value::Int(_)) => true,
        Some(told) => *told == Value::Bool(answer),
    };
    match (did.f, place) {
        ("add", Some(_)) => {
            if answers(false) {
                vec![state.clone()]
            } else {
                vec![]
            }
        }
        ("add", None) => {
            elements.push(did.asked.clone());
            elements.sort();
            if answers(true) { vec![Value::List(elements)] } else { vec![] }
        }
        ("remove", Some(place)) => {
            if answers(true) {
                vec![without(&elements, place)]
            } else {
                vec![]
            }
        }
        ("remove", None) => {
            if answers(false) {
                vec![state.clone()]
            } else {
                vec![]
            }
        }
        ("contains", place) => {
            if answers(place.is_some()) {
                vec![state.clone()]
            } else {
                vec![]
            }
        }
        (_, _) => match &did.result {
            Some(Value::List(seen)) if *seen != elements => vec![],
            _ => vec![state.clone()],
        },
    }
}

/// Held by so many; the number is in the state.
pub(super) fn semaphore(state: &Value, did: &Did, permits: i64) -> Vec<Value> {
    let taken = state.as_int().unwrap_or(0);
    let by = did.asked.as_int().unwrap_or(1);
    let refused = did.result == Some(Value::Bool(false));
    match did.f {
        "acquire" if refused => {
            if taken + by > permits {
                vec![state.clone()]
            } else {
                vec![]
            }
        }
        "acquire" => {
            if taken + by <= permits {
                vec![Value::Int(taken + by)]
            } else {
                vec![]
            }
        }
        _ => {
            if taken >= by {
                vec![Value::Int(taken - by)]
            } else {
                vec![]
            }
        }
    }
}

/// The list of the owner, once for each hold.
pub(super) fn reentrant(state: &Value, did: &Did) -> Vec<Value> {
    let mut holds = list(state);
    match did.f {
        "acquire" if holds.iter().all(|owner| *owner == did.asked) => {
            holds.push(did.asked.clone());
            vec![Value::List(holds)]
        }
        "release" if holds.pop().is_some_and(|owner| owner == did.asked) => vec![Value::List(holds)],
        _ => vec![],
    }
}

/// The holder or nil, and the last token.
pub(super) fn fenced(state: &Value, did: &Did) -> Vec<Value> {
    let parts = list(state);
    let (holder, last) = match &parts[..] {
        [holder, Value::Int(last)] => (holder.clone(), *last),
        _ => (Value::Nil, -9),
    };
    match (did.f, &did.result) {
        ("acquire", _) if !holder.is_nil() => vec![],
        ("acquire", Some(Value::Int(token))) if *token <= last => vec![],
        ("acquire", Some(token)) => vec![Value::List(vec![did.asked.clone(), token.clone()])],
        // Any token above; the answers are from 0 to 14, and few are not told.
        ("acquire", None) => {
            (last + 1..22).map(|token| Value::List(vec![did.asked.clone(), Value::Int(token)])).collect()
        }
        _ if holder == did.asked => vec![Value::List(vec![Value::Nil, Value::Int(last)])],
        _ => vec![],
    }
}

pub(super) fn counter(state: &Value, did: &Did) -> Vec<Value> {
    let number = state.as_int().unwrap_or(0);
    let by = did.asked.as_int().unwrap_or(1);
    match (did.f, &did.result) {
        ("add" | "inc", _) => vec![Value::Int(number + by)],
        ("dec", _) => vec![Value::Int(number - by)],
        // Nothing, of a counter that nobody has touched.
        (_, Some(seen)) if seen.as_int().unwrap_or(0) != number => vec![],
        _ => vec![state.clone()],
    }
}

/// Registers 0 and 1, as a list of two.
pub(super) fn multi_register(state: &Value, did: &Did) -> Vec<Value> {
    let mut registers = list(state);
    registers.resize(2, Value::Nil);
    for micro_op in did.result.as_ref().unwrap_or(&did.asked).as_list().unwrap() {
        let [f, Value::Int(register), value] = micro_op.as_list().unwrap() else { panic!("{micro_op}") };
        let held = &mut registers[*register as usize];
        if *f == Value::from("w") {
            *held = value.clone();
        } else if did.result.is_some() && held != value {
            return vec![];
        }
    }
    vec![Value::List(registers)]
}

fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        _ => String::new(),
    }
}

pub(super) fn kv(state: &Value, did: &Did) -> Vec<Value> {
    match (did.f, &did.result) {
        ("put", _) => vec![did.asked.clone()],
        ("append", _) => vec![Value::from(text(state) + &text(&did.asked))],
        (_, Some(seen)) if text(seen) != text(state) => vec![],
        _ => vec![state.clone()],
    }
}

/// Keys 0 and 1, as a list of two.
pub(super) fn kv_map(state: &Value, did: &Did) -> Vec<Value> {
    let mut texts = list(state);
    texts.resize(2, Value::Nil);
    let (key, asked) = match &did.asked {
        Value::List(pair) => (pair[0].as_int().unwrap(), pair[1].clone()),
        key => (key.as_int().unwrap(), Value::Nil),
    };
    let result = did.result.clone().map(|told| match told {
        Value::List(pair) => pair[1].clone(),
        told => told,
    });
    let next = kv(&texts[key as usize], &Did { asked, result, ..did.clone() });
    let put = |text: Value| {
        let mut texts = texts.clone();
        texts[key as usize] = text;
        Value::List(texts)
    };
    next.into_iter().map(put).collect()
}

/// What a stream holds: its records, and its token.
fn stream_state(state: &Value) -> (Vec<Value>, Value) {
    match state {
        Value::List(parts) => (list(&parts[0]), parts[1].clone()),
        _ => (Vec::new(), Value::Nil),
    }
}

/// The hash of a stream of these records.
pub(super) fn stream_hash(records: &[Value]) -> Value {
    let hash = records.iter().fold(0, |hash, record| chain_hash(hash, record.as_int().unwrap() as u64));
    Value::Int(hash as i64)
}

pub(super) fn stream(state: &Value, did: &Did) -> Vec<Value> {
    let (mut records, mut token) = stream_state(state);
    let tail = |records: &[Value]| Value::Int(records.len() as i64);
    let fits = match did.f {
        "append" => {
            let Value::Map(fields) = &did.asked else { return vec![] };
            let field = |name: &str| {
                fields.iter().find(|(key, _)| *key == Value::from(name)).map(|(_, value)| value.clone())
            };
            if field("match_seq_num").is_some_and(|number| number != tail(&records))
                || field("fencing_token").is_some_and(|asked| asked != token)
            {
                return vec![];
            }
            records.extend(field("record_hashes").iter().flat_map(list));
            token = field("set_fencing_token").unwrap_or(token);
            did.result.as_ref().is_none_or(|result| *result == tail(&records))
        }
        "read" => {
            let seen = Value::List(vec![tail(&records), stream_hash(&records)]);
            did.result.as_ref().is_none_or(|result| *result == seen)
        }
        _ => did.result.as_ref().is_none_or(|result| *result == tail(&records)),
    };
    if fits { vec![Value::List(vec![Value::List(records), token])] } else { vec![] }
}
