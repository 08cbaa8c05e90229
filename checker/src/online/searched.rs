//! An object of any model, event by event: by the search that judges whole histories, gone on with.
//!
//! Operations are decoded by the model itself, each as a history of its own, so what a call means is said in one
//! place. How the search goes on is told in [`growing`](crate::linearizability::search::growing).

use std::fmt::Debug;
use std::sync::Arc;

use super::window::Window;
use super::{Broken, Found};
use crate::explain::witness::Anomaly;
use crate::explain::words::{did, span, whose};
use crate::hash::Table;
use crate::history::History;
use crate::history::op::{Op, OpType, Value};
use crate::history::pair::{Call, Outcome, Pair};
use crate::linearizability::search::growing::{Effort, Growing, Stuck};
use crate::model::{Model, decoded};

/// States that are told of where none of them fits.
const STATES_TOLD_MAX: usize = 4;

/// Operations of unknown outcome that are kept though nothing can be learnt about them any more, before they are
/// looked for.
const STALE_MIN: usize = 64;

/// One object, whatever its model.
pub(super) trait Judge: Debug + Send {
    /// An operation begins, at this event.
    fn begin(&mut self, invoke: &Op, start: u64) -> Result<(), Broken>;

    /// It came to this.
    fn complete(&mut self, start: u64, op_type: OpType, result: &Value, time_ns: u64) -> Result<(), Broken>;

    /// How many things it holds.
    fn len(&self) -> usize;
}

/// Makes judges of new objects.
#[derive(Clone)]
pub(super) struct Maker(Arc<dyn Fn() -> Box<dyn Judge> + Send + Sync>);

impl Maker {
    pub(super) fn of<M: Model + 'static>(model: Arc<M>, effort: Effort) -> Self {
        Self(Arc::new(move || Box::new(Searched::new(Arc::clone(&model), effort))))
    }

    pub(super) fn make(&self) -> Box<dyn Judge> {
        (self.0)()
    }
}

impl Debug for Maker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Maker")
    }
}

struct Searched<M: Model> {
    model: Arc<M>,
    /// The search, or why there is none any more.
    growing: Result<Growing<M>, Stuck>,
    /// What the monitor still needs, as long as it can tell.
    window: Option<Window<M>>,
    /// What judging may cost.
    effort: Effort,
    /// Invocations by where they began.
    invoked: Table<u64, Op>,
    /// With so many it is time to forget those about which nothing can be learnt any more.
    invoked_max: usize,
}

impl<M: Model> Searched<M> {
    fn new(model: Arc<M>, effort: Effort) -> Self {
        let window = Window::of(Arc::clone(&model), effort);
        let searched = if window.is_some() { effort.beside_a_monitor() } else { effort };
        Self {
            growing: Ok(Growing::new(Arc::clone(&model), searched)),
            window,
            effort,
            model,
            invoked: Table::default(),
            invoked_max: STALE_MIN,
        }
    }

    /// Goes on with the monitor where the search can't; else that is told.
    fn unless_stuck<T>(&mut self, searched: Result<T, Stuck>) -> Result<Option<T>, Stuck> {
        match searched {
            Ok(found) => Ok(Some(found)),
            Err(why) => {
                self.growing = Err(why);
                if self.window.is_some() { Ok(None) } else { Err(why) }
            }
        }
    }

    /// Whether any order is left, by the monitor if it can tell, else by the search.
    fn end(&mut self, start: u64, op: Option<&M::Op>) -> Result<bool, Stuck> {
        let monitored = self.window.as_mut().and_then(|window| window.end(start, op));
        if monitored.is_none()
            && self.window.take().is_some()
            && let Ok(growing) = &mut self.growing
        {
            growing.allow(self.effort);
        }
        let searched = match &mut self.growing {
            Ok(growing) => growing.end(start, op),
            Err(why) => Err(*why),
        };
        let searched = self.unless_stuck(searched)?;
        if let (Some(monitored), Some(searched)) = (monitored, searched) {
            debug_assert_eq!(
                monitored,
                searched,
                "the monitor of a {} and the search differ",
                self.model.name()
            );
        }
        monitored.or(searched).ok_or(Stuck::Forgotten)
    }

    fn knows(&self, start: u64) -> bool {
        self.growing.as_ref().is_ok_and(|growing| growing.knows(start))
            || self.window.as_ref().is_some_and(|window| window.knows(start))
    }

    fn no_order(&self, history: &History, start: u64, before: &[String]) -> Broken {
        let call = call(history);
        let known = match before {
            [] => String::new(),
            states => {
                let (shown, more) = states.split_at(states.len().min(STATES_TOLD_MAX));
                let more = if more.is_empty() { "" } else { " or more" };
                format!(
                    ": by what had ended before, the {} could hold {}{more}",
                    self.model.name(),
                    shown.join(" or ")
                )
            }
        };
        let what = match call.outcome() {
            Outcome::Failed => format!("{} failed {}", whose(&call), span(&call)),
            Outcome::Ok | Outcome::Unknown => format!("{} {}", did(&call), span(&call)),
        };
        let summary = format!("{what}, and with that no order of the operations is left{known}");
        Found { anomaly: Anomaly::NoOrder, summary, events: vec![start] }.into()
    }
}

impl<M: Model> Debug for Searched<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {} entries", self.model.name(), self.len())
    }
}

impl<M: Model> Judge for Searched<M> {
    fn begin(&mut self, invoke: &Op, start: u64) -> Result<(), Broken> {
        let history = History::new([invoke.clone()]);
        let op = decode(&*self.model, &history)?;
        self.invoked.insert(start, invoke.clone());
        if let Some(window) = &mut self.window {
            window.begin(start, op.as_ref());
        }
        let begun = self.growing.as_mut().map_or(Ok(()), |growing| growing.begin(start, op.as_ref()));
        self.unless_stuck(begun).map(|_| ()).map_err(|why| {
            Broken::undecided(format!("op {} can't be judged as it comes: {why}", invoke.index))
        })
    }

    fn complete(&mut self, start: u64, op_type: OpType, result: &Value, time_ns: u64) -> Result<(), Broken> {
        if op_type == OpType::Info {
            if let Ok(growing) = &mut self.growing {
                growing.give_up(start);
            }
            if let Some(window) = &mut self.window {
                window.give_up(start);
            }
            if self.invoked.len() > self.invoked_max {
                let mut invoked = std::mem::take(&mut self.invoked);
                invoked.retain(|start, _| self.knows(*start));
                self.invoked = invoked;
                self.invoked_max = 2 * self.invoked.len() + STALE_MIN;
            }
            return Ok(());
        }
        let Some(invoke) = self.invoked.remove(&start) else {
            return Err(Broken::undecided(format!(
                "it is learnt what came of what began at position {}, but what was there then is forgotten",
                start - 1
            )));
        };
        let end = Op { op_type, value: result.clone(), index: invoke.index + 1, time_ns, ..invoke.clone() };
        let index = invoke.index;
        let history = History::new([invoke, end]);
        let op = decode(&*self.model, &history)?;
        let states = self.growing.as_ref().map_or(Vec::new(), Growing::states);
        let before: Vec<M::State> = states.into_iter().take(STATES_TOLD_MAX + 1).cloned().collect();
        match self.end(start, op.as_ref()) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let before: Vec<String> = before.iter().map(|state| self.model.describe(state)).collect();
                Err(self.no_order(&history, start, &before))
            }
            Err(why) => {
                Err(Broken::undecided(format!("what came of op {index} can't be judged as it comes: {why}")))
            }
        }
    }

    fn len(&self) -> usize {
        let searched = self.growing.as_ref().map_or(0, Growing::len);
        searched + self.window.as_ref().map_or(0, Window::len) + self.invoked.len()
    }
}

/// The one call of a history.
fn call(history: &History) -> Call<'_> {
    let mut pair = Pair::open(0);
    if history.len() > 1 {
        pair.note(false, 1);
    }
    Call::new(history, pair)
}

/// What its call is to this model, if it is anything.
fn decode<M: Model>(model: &M, history: &History) -> Result<Option<M::Op>, Broken> {
    decoded(model, &call(history)).map_err(Broken::undecided)
}
