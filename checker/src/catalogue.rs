//! Every check by the name that people ask for it.

use crate::check::Check;
use crate::history::op::Value;
use crate::linearizability::{LinearizableAppend, LinearizableRegister};
use crate::model::CasRegister;
use crate::set_full::SetCheck;

/// A check that can be asked for.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// What it asks of a history, in one line.
    pub about: &'static str,
    make: fn(&Rules) -> Box<dyn Check>,
}

/// What a history's fails and nils mean: not every recorder says the same by them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What a register holds before its first write.
    pub initial: Value,
    /// A read of nil is no answer (Knossos) instead of "there is nothing".
    pub nil_read_says_nothing: bool,
    /// A failed compare-and-set found another value (Porcupine's etcd) instead of "it did not happen".
    pub failed_cas_is_read: bool,
}

impl Entry {
    /// The check, for histories that keep these rules.
    pub fn check(&self, rules: &Rules) -> Box<dyn Check> {
        (self.make)(rules)
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.about)
    }
}

const ENTRIES: [Entry; 3] = [
    Entry {
        name: "cas-register",
        about: "registers, one per key: read, write, cas [old, new]; linearizable",
        make: |rules| Box::new(LinearizableRegister::of(register(rules))),
    },
    Entry {
        name: "append",
        about: "lists, one per key: append, and reads that give every element in order; linearizable",
        make: |_| Box::new(LinearizableAppend::default()),
    },
    Entry {
        name: "set",
        about: "growing sets: add, and reads that give every element; linearizable, and read back at the end",
        make: |_| Box::new(SetCheck::default()),
    },
];

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
pub fn entries() -> Vec<Entry> {
    ENTRIES.to_vec()
}

/// The one with this name.
pub fn by_name(name: &str) -> Option<Entry> {
    entries().into_iter().find(|entry| entry.name == name)
}
