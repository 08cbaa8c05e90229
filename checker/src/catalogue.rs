//! Every check by the name that people ask for it.

use crate::check::Check;
use crate::history::op::Value;
use crate::invariants;
use crate::linearizability::{Linearizable, LinearizableAppend, LinearizableRegister};
use crate::model::{
    Bag, CasRegister, Counter, ElementSet, FencedLock, Kv, KvMap, Model, MultiRegister, Mutex, PriorityQueue,
    Queue, ReentrantLock, Semaphore, Stack, Stream,
};
use crate::set::SetCheck;
use crate::transactions::{ConsistencyModel, ListAppend, RwRegister};

/// A check that can be asked for.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// What it asks of a history, in one line.
    pub about: &'static str,
    make: fn(&'static str, &Rules) -> Box<dyn Check>,
}

/// What a history's fails and nils mean: not every recorder says the same by them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What a register holds before its first write, and a counter at first, where nil is zero.
    pub initial: Value,
    /// A read of nil is no answer (Knossos) instead of "there is nothing".
    pub nil_read_says_nothing: bool,
    /// A failed compare-and-set found another value (Porcupine's etcd) instead of "it did not happen".
    pub failed_cas_is_read: bool,
    /// What transactions are expected to be.
    pub consistency: ConsistencyModel,
}

/// One of [`Rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// [`Rules::initial`].
    Initial,
    /// [`Rules::nil_read_says_nothing`].
    NilReads,
    /// [`Rules::failed_cas_is_read`].
    FailedCas,
    /// [`Rules::consistency`].
    Consistency,
}

impl Entry {
    /// Whether the check asks for this rule; all others are nothing to it.
    pub fn takes(&self, rule: Rule) -> bool {
        let takers: &[&str] = match rule {
            Rule::Initial => &["cas-register", "counter", "multi-register"],
            Rule::FailedCas => &["cas-register"],
            Rule::NilReads => &["cas-register", "multi-register"],
            Rule::Consistency => &["list-append", "rw-register"],
        };
        takers.contains(&self.name)
    }

    /// The check, for histories that keep these rules.
    pub fn check(&self, rules: &Rules) -> Box<dyn Check> {
        (self.make)(self.name, rules)
    }

    /// Why the check can't go by these rules, if so.
    pub fn refuses(&self, rules: &Rules) -> Option<String> {
        let initial = &rules.initial;
        (self.name == "counter" && !initial.is_nil() && initial.as_int().is_none())
            .then(|| format!("a counter starts with a whole number, not {initial}"))
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.about)
    }
}

const ENTRIES: [Entry; 32] = [
    Entry {
        name: "cas-register",
        about: "registers, one per key: read, write, cas [old, new]; linearizable",
        make: |_, rules| Box::new(LinearizableRegister::of(register(rules))),
    },
    Entry {
        name: "append",
        about: "lists, one per key: append, and reads that give every element in order; linearizable",
        make: |_, _| Box::new(LinearizableAppend::default()),
    },
    Entry {
        name: "set",
        about: "growing sets: add, and reads that give every element; linearizable, and read at the end",
        make: |_, _| Box::new(SetCheck::default()),
    },
    Entry {
        name: "element-set",
        about: "sets: add, remove (each may answer whether it changed anything), contains, read; linearizable",
        make: |name, _| linearizable(name, ElementSet),
    },
    Entry {
        name: "queue",
        about: "first in, first out: enqueue v, dequeue (nil when empty); linearizable",
        make: |name, _| linearizable(name, Queue::default()),
    },
    Entry {
        name: "stack",
        about: "last in, first out: push v, pop, peek (nil when empty); linearizable",
        make: |name, _| linearizable(name, Stack::default()),
    },
    Entry {
        name: "priority-queue",
        about: "the greatest first: insert v, poll, peek (nil when empty); linearizable",
        make: |name, _| linearizable(name, PriorityQueue::default()),
    },
    Entry {
        name: "unordered-queue",
        about: "in any order: enqueue v, dequeue (nil when empty); linearizable",
        make: |name, _| linearizable(name, Bag::default()),
    },
    Entry {
        name: "mutex",
        about: "a lock: acquire, release, whoever does it; linearizable",
        make: |name, _| linearizable(name, Mutex),
    },
    Entry {
        name: "reentrant-lock",
        about: "a lock that its owner may take again: acquire, release; linearizable",
        make: |name, _| linearizable(name, ReentrantLock::default()),
    },
    Entry {
        name: "fenced-lock",
        about: "a lock whose acquire answers a token that rises: acquire, release; linearizable",
        make: |name, _| linearizable(name, FencedLock),
    },
    Entry {
        name: "counter",
        about: "a counter: add n, inc, dec, read; linearizable",
        make: |name, rules| linearizable(name, Counter::starting_with(rules.initial.as_int().unwrap_or(0))),
    },
    Entry {
        name: "multi-register",
        about: "several registers at once: txn [[r k nil] [w k v] ..], read {k v}, write {k v}; linearizable",
        make: |name, rules| {
            let model = MultiRegister::all_starting_with(rules.initial.clone());
            let model = match rules.nil_read_says_nothing {
                true => model.nil_read_says_nothing(),
                false => model,
            };
            linearizable(name, model)
        },
    },
    Entry {
        name: "kv",
        about: "texts, one per key: get, put v, append v; linearizable",
        make: |name, _| linearizable(name, Kv),
    },
    Entry {
        name: "kv-map",
        about: "texts in one map: get k, put [k v], append [k v]; linearizable",
        make: |name, _| linearizable(name, KvMap),
    },
    Entry {
        name: "semaphore",
        about: "permits: acquire [n], release [n], as many as there were; linearizable",
        make: |name, _| linearizable(name, Semaphore::default()),
    },
    Entry {
        name: "stream",
        about: "a stream of records: append, read, check-tail; with tails, tokens and hashes as S2's; linearizable",
        make: |name, _| linearizable(name, Stream),
    },
    Entry {
        name: "list-append",
        about: "transactions of [append k v] and [r k [..]]: anomalies and cycles (--consistency)",
        make: |_, rules| Box::new(ListAppend::expecting(rules.consistency)),
    },
    Entry {
        name: "rw-register",
        about: "transactions of [w k v] and [r k v]: anomalies and cycles (--consistency)",
        make: |_, rules| Box::new(RwRegister::expecting(rules.consistency)),
    },
    Entry {
        name: "final-set",
        about: "sets: add, read; the last read has all that was acknowledged and nothing else (Jepsen's set)",
        make: |_, _| Box::new(invariants::FinalSet::default()),
    },
    Entry {
        name: "set-full",
        about: "sets: add, read; no element is lost or there twice (Jepsen's set-full)",
        make: |_, _| Box::new(invariants::SetFull::default()),
    },
    Entry {
        name: "dequeues",
        about: "queues: nothing is dequeued that nobody enqueued (Jepsen's queue)",
        make: |_, _| Box::new(invariants::Queue::default()),
    },
    Entry {
        name: "total-queue",
        about: "queues in any order: enqueue v, dequeue, drain; what goes in comes out (Jepsen's total-queue)",
        make: |_, _| Box::new(invariants::TotalQueue::default()),
    },
    Entry {
        name: "unique-ids",
        about: "generate; no id is answered twice",
        make: |_, _| Box::new(invariants::UniqueIds::default()),
    },
    Entry {
        name: "counter-bounds",
        about: "counters: add n, read; each read is within what could have been added (Jepsen's counter)",
        make: |_, _| Box::new(invariants::Counter::default()),
    },
    Entry {
        name: "bank",
        about: "accounts: transfer, read {account balance}; the total stays, nothing below zero",
        make: |_, _| Box::new(invariants::Bank::default()),
    },
    Entry {
        name: "long-fork",
        about: "single writes and reads of several keys: [[w k v]], [[r k v] ..]; reads agree on an order",
        make: |_, _| Box::new(invariants::LongFork::default()),
    },
    Entry {
        name: "causal-reverse",
        about: "write v, reads of all that was written; nothing is seen without what was there before",
        make: |_, _| Box::new(invariants::CausalReverse::default()),
    },
    Entry {
        name: "monotonic",
        about: "read, inc; a number that grows never goes back",
        make: |_, _| Box::new(invariants::Monotonic::default()),
    },
    Entry {
        name: "sessions",
        about: "registers: write v, read; the four session guarantees",
        make: |_, _| Box::new(invariants::Sessions::default()),
    },
    Entry {
        name: "stats",
        about: "any; every function succeeded at least once",
        make: |_, _| Box::new(invariants::Stats::default()),
    },
    Entry {
        name: "unhandled-exceptions",
        about: "operations that ended with an error nobody expected",
        make: |_, _| Box::new(invariants::UnhandledErrors::default()),
    },
];

fn linearizable(name: &'static str, model: impl Model + 'static) -> Box<dyn Check> {
    Box::new(Linearizable::new(model).called(name))
}

fn register(rules: &Rules) -> CasRegister {
    let mut register = CasRegister::starting_with(rules.initial.clone());
    if rules.nil_read_says_nothing {
        register = register.nil_read_says_nothing();
    }
    if rules.failed_cas_is_read {
        register = register.failed_cas_is_read();
    }
    register
}

/// All of them.
pub fn entries() -> &'static [Entry] {
    &ENTRIES
}

/// The one with this name, or another name that people know it by.
pub fn by_name(name: &str) -> Option<Entry> {
    let name = match name {
        "register" => "cas-register",
        "list" => "append",
        "priorityqueue" => "priority-queue",
        "multiset" | "bag" => "unordered-queue",
        "lock" => "mutex",
        name => name,
    };
    ENTRIES.into_iter().find(|entry| entry.name == name)
}
