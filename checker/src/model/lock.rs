//! Locks: plain, counted by owner, and with a token that rises.

use super::quick::{Quick, SearchOp};
use super::{Model, no_such_function};
use crate::history::op::Value;
use crate::history::pair::Call;
use crate::linearizability::set_element;

/// `acquire` takes the lock and `release` gives it back, whoever does it; free at first. An acquire that
/// answers false found it taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mutex;

/// An operation on a plain lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockOp {
    /// Took it.
    Acquire,
    /// Gave it back.
    Release,
    /// Found it taken.
    Refused,
}

/// Whether the acquire was told that the lock is taken.
fn refused(call: &Call<'_>) -> bool {
    call.result() == Some(Value::Bool(false))
}

const ACQUIRE: &[&str] = &["acquire", "lock"];
const RELEASE: &[&str] = &["release", "unlock"];

impl Model for Mutex {
    type Op = LockOp;
    type State = bool;

    fn name(&self) -> &str {
        "mutex"
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<LockOp>, String> {
        match call.f() {
            f if ACQUIRE.contains(&f) && refused(call) => Ok(Some(LockOp::Refused)),
            f if ACQUIRE.contains(&f) => Ok(Some(LockOp::Acquire)),
            f if RELEASE.contains(&f) => Ok(Some(LockOp::Release)),
            _ => Err(no_such_function("mutex", call)),
        }
    }

    fn initial(&self) -> bool {
        false
    }

    fn step(&self, held: &bool, op: &LockOp) -> Option<bool> {
        match op {
            LockOp::Acquire => (!held).then_some(true),
            LockOp::Release => held.then_some(false),
            LockOp::Refused => held.then_some(true),
        }
    }

    fn is_pure(&self, op: &LockOp) -> bool {
        *op == LockOp::Refused
    }

    fn describe(&self, held: &bool) -> String {
        if *held { "the lock".to_owned() } else { "nothing".to_owned() }
    }

    fn quick(&self, ops: &[SearchOp<LockOp>]) -> Quick {
        set_element::judge_steps(ops, 1, |op| match op {
            LockOp::Acquire => set_element::Move::Up,
            LockOp::Release => set_element::Move::Down,
            LockOp::Refused => set_element::Move::See(1),
        })
    }
}

/// A lock that its owner may take several times, and gives back as often: `acquire`, `release`. The
/// owner is the argument, or the process when there is none.
#[derive(Clone, Copy, Debug)]
pub struct ReentrantLock {
    holds_max: u32,
}

impl Default for ReentrantLock {
    fn default() -> Self {
        Self { holds_max: u32::MAX }
    }
}

impl ReentrantLock {
    /// One that its owner can take so many times at most.
    pub fn at_most(holds_max: u32) -> Self {
        Self { holds_max }
    }
}

/// An operation on a lock with owners.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OwnerOp {
    /// This owner took it.
    Acquire(Value),
    /// This owner gave it back once.
    Release(Value),
    /// This owner could not take it.
    Refused(Value),
}

fn owner(call: &Call<'_>) -> Value {
    match call.asked() {
        Value::Nil => Value::Int(call.process() as i64),
        owner => owner,
    }
}

impl Model for ReentrantLock {
    type Op = OwnerOp;
    /// Who holds it, and how many times.
    type State = Option<(Value, u32)>;

    fn name(&self) -> &str {
        "reentrant lock"
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<OwnerOp>, String> {
        match call.f() {
            f if ACQUIRE.contains(&f) && refused(call) => Ok(Some(OwnerOp::Refused(owner(call)))),
            f if ACQUIRE.contains(&f) => Ok(Some(OwnerOp::Acquire(owner(call)))),
            f if RELEASE.contains(&f) => Ok(Some(OwnerOp::Release(owner(call)))),
            _ => Err(no_such_function("reentrant lock", call)),
        }
    }

    fn initial(&self) -> Self::State {
        None
    }

    fn step(&self, state: &Self::State, op: &OwnerOp) -> Option<Self::State> {
        let can = |owner: &Value| match state {
            None => self.holds_max > 0,
            Some((holder, holds)) => holder == owner && *holds < self.holds_max,
        };
        match op {
            OwnerOp::Acquire(owner) => {
                let holds = state.as_ref().map_or(0, |(_, holds)| *holds);
                can(owner).then(|| Some((owner.clone(), holds + 1)))
            }
            OwnerOp::Refused(owner) => (!can(owner)).then(|| state.clone()),
            OwnerOp::Release(owner) => match state {
                Some((holder, 1)) if holder == owner => Some(None),
                Some((holder, holds)) if holder == owner => Some(Some((holder.clone(), holds - 1))),
                Some(_) | None => None,
            },
        }
    }

    fn is_pure(&self, op: &OwnerOp) -> bool {
        matches!(op, OwnerOp::Refused(_))
    }

    fn describe(&self, state: &Self::State) -> String {
        match state {
            None => "no owner".to_owned(),
            Some((owner, holds)) => format!("owner {owner} ({holds} times)"),
        }
    }

    fn state_bytes(&self, state: &Self::State) -> usize {
        state.as_ref().map_or(0, |(owner, _)| owner.heap_bytes())
    }
}

/// A lock whose `acquire` answers a token, a whole number greater than every one before, by which
/// resources tell late owners from the present one; `release` by its owner. The owner is the argument,
/// or the process when there is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct FencedLock;

/// An operation on a lock with tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FencedOp {
    /// This owner took it and was given this token, or did not live to tell.
    Acquire(Value, Option<i64>),
    /// This owner gave it back.
    Release(Value),
}

impl Model for FencedLock {
    type Op = FencedOp;
    /// Who holds it, and the least that the last token can have been.
    type State = (Option<Value>, i64);

    fn name(&self) -> &str {
        "fenced lock"
    }

    fn decode(&self, call: &Call<'_>) -> Result<Option<FencedOp>, String> {
        match call.f() {
            f if ACQUIRE.contains(&f) => match call.result() {
                None => Ok(Some(FencedOp::Acquire(owner(call), None))),
                Some(Value::Int(token)) => Ok(Some(FencedOp::Acquire(owner(call), Some(token)))),
                Some(other) => Err(format!(
                    "the {f} of op {} answers {other}: a fenced lock answers a whole number",
                    call.invoke_index()
                )),
            },
            f if RELEASE.contains(&f) => Ok(Some(FencedOp::Release(owner(call)))),
            _ => Err(no_such_function("fenced lock", call)),
        }
    }

    fn initial(&self) -> Self::State {
        (None, i64::MIN)
    }

    fn step(&self, (holder, last): &Self::State, op: &FencedOp) -> Option<Self::State> {
        match op {
            FencedOp::Acquire(owner, token) => {
                // A token that nobody told was at least the next number; less leaves more room.
                let token = (*token).or(last.checked_add(1))?;
                (holder.is_none() && token > *last).then(|| (Some(owner.clone()), token))
            }
            FencedOp::Release(owner) => (holder.as_ref() == Some(owner)).then_some((None, *last)),
        }
    }

    fn is_pure(&self, _op: &FencedOp) -> bool {
        false
    }

    fn describe(&self, (holder, last): &Self::State) -> String {
        let holder = holder.as_ref().map_or("no owner".to_owned(), |owner| format!("owner {owner}"));
        if *last == i64::MIN { holder } else { format!("{holder} (last token {last})") }
    }

    fn state_bytes(&self, (holder, _): &Self::State) -> usize {
        holder.as_ref().map_or(0, Value::heap_bytes)
    }
}
