//! Linearizability: is there one order of all operations that explains every answer and respects
//! real time?
//!
//! Herlihy & Wing (1990). Keys are judged each on its own and in parallel; for each key the
//! portfolio takes the cheapest method that is exact:
//!
//! | engine | for | cost |
//! |---|---|---|
//! | zones | registers and lists whose values are written once | linear |
//! | frontier | registers whose values repeat | exponential at worst, within a budget |
//! | inclusion | growing sets whose elements are added once | linear |
//! | monitor | queues, stacks, priority queues, bags whose values are put in once; set elements, plain locks, semaphores; texts that fall apart in one way; counters that break a bound | n log n |
//! | search | everything else, any [`Model`] | exponential at worst, within a budget |

pub(crate) mod append;
mod condition;
pub(crate) mod counter;
pub(crate) mod frontier;
mod hand_over;
pub(crate) mod inclusion;
pub(crate) mod judge;
pub(crate) mod lives;
mod monitor_condition;
#[cfg(test)]
mod monitor_tests;
pub(crate) mod numbered;
pub(crate) mod numbers;
pub(crate) mod object;
mod orders;
pub(crate) mod partition;
pub(crate) mod portfolio;
pub(crate) mod positions;
pub(crate) mod priority_queue;
pub(crate) mod queue;
pub(crate) mod register_decode;
pub(crate) mod register_op;
pub(crate) mod search;
pub(crate) mod set_element;
pub(crate) mod shown;
pub(crate) mod stack;
pub(crate) mod string_kv;
pub(crate) mod tree;
pub(crate) mod verify;
pub(crate) mod zones;

pub(crate) use crate::hash;

use std::sync::Arc;

use crate::budget::{Budget, Meter};
use crate::check::{Check, KeyOrder};
use crate::history::History;
use crate::model::{CasRegister, Model};
use crate::online::Checker;
use crate::verdict::{Decision, Report};

/// A compare-and-set that succeeded says what it found.
const REGISTER_LOOKS: &[&str] = &["read", "cas"];

/// Every key is a register with `read`, `write v` and `cas [old, new]`, nil before its first write.
#[derive(Clone, Debug, Default)]
pub struct LinearizableRegister {
    model: CasRegister,
}

impl LinearizableRegister {
    /// Registers with other rules: another initial value, reads of nil that say nothing.
    pub fn of(model: CasRegister) -> Self {
        Self { model }
    }
}

impl Check for LinearizableRegister {
    fn name(&self) -> &str {
        "cas-register"
    }

    fn check(&self, history: &History, budget: &Budget) -> Report {
        let meter = &Meter::new(budget);
        if let Some(found) = portfolio::registers(REGISTER_LOOKS, history, &self.model, meter)
            && found.is_valid
        {
            return Report::valid(self.name(), portfolio::ZONES, found.keys, found.ops());
        }
        judge::check(REGISTER_LOOKS, self.name(), history, meter, |part, meter| {
            portfolio::register(part, &self.model, meter)
        })
    }

    fn decide(&self, history: &History, budget: &Budget) -> Decision {
        let meter = &Meter::new(budget);
        match portfolio::registers(REGISTER_LOOKS, history, &self.model, meter) {
            Some(found) if found.is_valid => return Decision::Valid,
            Some(_) => return Decision::Invalid,
            None => {}
        }
        judge::decide(REGISTER_LOOKS, history, meter, |part, meter| {
            portfolio::register(part, &self.model, meter)
        })
    }

    fn online(&self) -> Option<Checker> {
        Some(Checker::registers_of(&self.model))
    }

    fn order(&self, history: &History, budget: &Budget) -> Result<Vec<KeyOrder>, String> {
        orders::of_keys(history, budget, |part, meter| orders::register(part, &self.model, meter))
    }
}

/// Every key is a list with `append v` and `read`, empty before its first append.
#[derive(Clone, Debug, Default)]
pub struct LinearizableAppend {}

impl Check for LinearizableAppend {
    fn name(&self) -> &str {
        "append"
    }

    fn check(&self, history: &History, budget: &Budget) -> Report {
        judge::check(&["read"], self.name(), history, &Meter::new(budget), |part, meter| {
            portfolio::append(part, meter)
        })
    }

    fn decide(&self, history: &History, budget: &Budget) -> Decision {
        judge::decide(&["read"], history, &Meter::new(budget), |part, meter| portfolio::append(part, meter))
    }

    fn online(&self) -> Option<Checker> {
        Some(Checker::lists())
    }

    fn order(&self, history: &History, budget: &Budget) -> Result<Vec<KeyOrder>, String> {
        orders::of_keys(history, budget, orders::append)
    }
}

/// Every key is an object of a model of your own: by the model's own quick way where it has one
/// ([`Model::quick`]), else by search.
#[derive(Debug)]
pub struct Linearizable<M> {
    model: Arc<M>,
    name: Option<&'static str>,
}

impl<M> Clone for Linearizable<M> {
    fn clone(&self) -> Self {
        Self { model: Arc::clone(&self.model), name: self.name }
    }
}

impl<M: Model> Linearizable<M> {
    /// Judges every key by this model.
    pub fn new(model: M) -> Self {
        Self { model: Arc::new(model), name: None }
    }

    /// The same under another name than the model's.
    #[must_use]
    pub fn called(self, name: &'static str) -> Self {
        Self { name: Some(name), ..self }
    }
}

impl<M: Model + 'static> Check for Linearizable<M> {
    fn name(&self) -> &str {
        self.name.unwrap_or_else(|| self.model.name())
    }

    fn check(&self, history: &History, budget: &Budget) -> Report {
        let meter = &Meter::new(budget);
        if let Some((true, ops)) = portfolio::whole(history, &*self.model, meter) {
            return Report::valid(self.name(), object::MONITOR, 1, ops);
        }
        judge::check(&[], self.name(), history, meter, |part, meter| {
            portfolio::any_model(part, &*self.model, meter)
        })
    }

    fn decide(&self, history: &History, budget: &Budget) -> Decision {
        let meter = &Meter::new(budget);
        match portfolio::whole(history, &*self.model, meter) {
            Some((true, _)) => return Decision::Valid,
            Some((false, _)) => return Decision::Invalid,
            None => {}
        }
        judge::decide(&[], history, meter, |part, meter| portfolio::any_model(part, &*self.model, meter))
    }

    fn online(&self) -> Option<Checker> {
        Some(Checker::of(Arc::clone(&self.model)))
    }

    fn order(&self, history: &History, budget: &Budget) -> Result<Vec<KeyOrder>, String> {
        orders::of_keys(history, budget, |part, meter| orders::by_search(part, &*self.model, meter))
    }
}
