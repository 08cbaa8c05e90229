//! Histories of objects that really are atomic, and of such that are so no longer from some point on.
//!
//! A simulated object has a state, and every operation takes effect on it at one instant between its
//! start and its end. So what is recorded is linearizable by construction, and the instants are its proof.
//! Clients do one operation at a time and wait for nothing between two; an operation whose outcome stays
//! unknown retires its process, takes effect in time, late or never, and a new process goes on.
//!
//! A [`Spoil`] falsifies one answer, or drops updates until an answer shows it, and only where what was
//! recorded *proves* that no order explains it: a spoiled history is certainly invalid.
//!
//! Everything comes from the seed: the same [`Plan`], the same ops, on every machine. A million operations
//! take less than a second, and [`each_op`] keeps none of them.
//!
//! ```
//! use checker::simulate::{Object, Plan, Spoil, simulate};
//! use checker::{Budget, Check, LinearizableRegister};
//!
//! let plan = Plan { operations: 1_000, clients: 8, seed: 7, ..Plan::of(Object::Register) };
//! let good = simulate(&plan);
//! assert!(LinearizableRegister::default().check(&good.history, &Budget::default()).verdict.is_valid());
//!
//! let bad = simulate(&Plan { spoil: Some(Spoil::Stale), ..plan });
//! assert!(bad.spoiled_at.is_some());
//! assert!(LinearizableRegister::default().check(&bad.history, &Budget::default()).verdict.is_invalid());
//! ```

mod clients;
mod container;
mod counter;
mod list;
mod mutex;
mod random;
mod register;
mod set;

use crate::history::History;
use crate::history::op::Op;
use random::Random;

/// What is simulated. Functions and values are those of the models of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// A register: `read`, and `write` of a value that nobody wrote before.
    Register,
    /// The same with `cas` from the value that was there at its invocation; most fail under contention.
    UniqueCas,
    /// Jepsen's classic: `read`, `write` and `cas` in equal shares over a few values, chosen blindly.
    CasRegister {
        /// How many values there are, at least two.
        values: u32,
    },
    /// A first-in-first-out queue: `enqueue` of unique values and `dequeue`, which answers nil on an empty queue.
    Queue,
    /// A stack: `push` of unique values and `pop`, which answers nil on an empty stack.
    Stack,
    /// A priority queue: `insert` of unique numbers and `poll` of the greatest, nil if there is none.
    PriorityQueue,
    /// A set: `add`, `remove` and `contains` answer true when they changed something or found it.
    Set {
        /// Of how many elements clients choose. They also ask for one more, which nobody adds.
        elements: u32,
    },
    /// Lists: `append` of unique values and `read`. A full list is left alone and a new key taken.
    List {
        /// How many appends a list gets.
        appends: u32,
    },
    /// Strictly serializable transactions `txn` of one to four `["append", key, value]` and `["r", key, list]`
    /// over lists. A full list is left alone and a new key taken.
    ListTransactions {
        /// How many appends a list gets.
        appends: u32,
    },
    /// A lock: `acquire`, which waits, and `release` by its holder.
    Mutex,
    /// A number: `add` of one to five, and `read`.
    Counter,
}

impl Object {
    /// The name in the [catalogue](crate::catalogue) of the check that judges it.
    pub fn check(&self) -> &'static str {
        match self {
            Object::Register | Object::UniqueCas | Object::CasRegister { .. } => "cas-register",
            Object::Queue => "queue",
            Object::Stack => "stack",
            Object::PriorityQueue => "priority-queue",
            Object::Set { .. } => "element-set",
            Object::List { .. } => "append",
            Object::ListTransactions { .. } => "list-append",
            Object::Mutex => "mutex",
            Object::Counter => "counter",
        }
    }
}

/// How a history is spoiled.
///
/// Where no answer proves it, nothing is spoiled, and [`Simulated::spoiled_at`] tells: locks know only
/// stale answers; a loss does not show in queues, stacks and priority queues with unknown outcomes; and with
/// many clients or unknown outcomes each of a few values may always just have been written, and each of a few
/// elements changed, so that registers and sets of a few then know only phantoms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoil {
    /// An answer that was right once and certainly is no longer: an overwritten value, an element taken
    /// before, a lock that somebody holds.
    Stale,
    /// An answer that can't come from anywhere: a value that nobody wrote by then, or one that was written
    /// once, long before, and certainly overwritten.
    Phantom,
    /// Acknowledged updates that never took effect, until an answer shows it.
    Lost,
}

/// How clients spend their time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// Every client is always in an operation; most take about as long, one in 64 four times as long.
    #[default]
    Busy,
    /// Thinking, waiting for the effect and waiting for the answer each take a memoryless time of the same
    /// mean, so a third of the clients think and a few operations span very many others.
    Irregular,
}

/// What to simulate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// The object.
    pub object: Object,
    /// How many independent ones there are, keys from 0. One has no key. Transactions use them as lists.
    pub keys: u32,
    /// How many operations are invoked.
    pub operations: u64,
    /// How many clients there are, each doing one operation at a time.
    pub clients: u32,
    /// The share of operations whose outcome nobody learns, from 0 to 1.
    pub unknown: f64,
    /// How clients spend their time.
    pub pace: Pace,
    /// Whether and how it is spoiled, at a seeded place in the second half.
    pub spoil: Option<Spoil>,
    /// Where all choices come from.
    pub seed: u64,
}

/// A history and what is known about it.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// What the clients recorded.
    pub history: History,
    /// The index of the op that makes it certainly invalid. None if no spoil was asked for or no place was fit
    /// for it: then it is linearizable, unless updates were [lost](Spoil::Lost) and no answer proved it.
    pub spoiled_at: Option<u64>,
}

impl Plan {
    /// A thousand operations of five clients on one object, all outcomes known, unspoiled, seed 0.
    pub fn of(object: Object) -> Self {
        Self {
            object,
            keys: 1,
            operations: 1_000,
            clients: 5,
            unknown: 0.0,
            pace: Pace::Busy,
            spoil: None,
            seed: 0,
        }
    }
}

/// Simulates into a history.
pub fn simulate(plan: &Plan) -> Simulated {
    let mut history = History::default();
    let spoiled_at = each_op(plan, |op| history.push(op));
    Simulated { history, spoiled_at }
}

/// Simulates, hands over one op after the other and keeps none. Answers the index of the op that makes the
/// whole certainly invalid, if there is one.
pub fn each_op(plan: &Plan, sink: impl FnMut(Op)) -> Option<u64> {
    let random = Random::new(plan.seed);
    match plan.object {
        Object::Register => clients::run(register::Register::new(plan, None, false), plan, random, sink),
        Object::UniqueCas => clients::run(register::Register::new(plan, None, true), plan, random, sink),
        Object::CasRegister { values } => {
            clients::run(register::Register::new(plan, Some(values.max(2)), true), plan, random, sink)
        }
        Object::Queue => clients::run(container::Container::new(plan, container::FIFO), plan, random, sink),
        Object::Stack => clients::run(container::Container::new(plan, container::LIFO), plan, random, sink),
        Object::PriorityQueue => {
            clients::run(container::Container::new(plan, container::GREATEST), plan, random, sink)
        }
        Object::Set { elements } => clients::run(set::Set::new(plan, elements.max(1)), plan, random, sink),
        Object::List { appends } => {
            clients::run(list::Lists::new(plan, appends.max(1), false), plan, random, sink)
        }
        Object::ListTransactions { appends } => {
            clients::run(list::Lists::new(plan, appends.max(1), true), plan, random, sink)
        }
        Object::Mutex => clients::run(mutex::Mutex::new(plan), plan, random, sink),
        Object::Counter => clients::run(counter::Counter::new(plan), plan, random, sink),
    }
}
