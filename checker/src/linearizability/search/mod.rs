//! A search for an order, for any model.
//!
//! Two arms take turns over one set of states, steps and counts: a [depth-first one](depth), lucky where
//! there is an order, and a [breadth-first one](breadth), which proves that there is none at the first
//! operation at which that shows. Whichever ends first decides; when the breadth-first one has come
//! further than any attempt of the other, the other starts again from its front, since nothing else can
//! still be reached. What both rest on:
//!
//! * **Short keys** instead of a bit for each operation: see [`key`].
//! * **Numbers instead of states**, and every step of the model asked once: see [`machine`].
//! * **Pure reads close greedily**: a read that fits the state is placed at once.
//! * **Of equal operations that are open the one that ends first is placed first.**
//! * **Operations of unknown outcome come last**, count as classes of equal ones, are dropped where
//!   nothing needs what they made, and the search is over as soon as only such are left.
//! * **What the model knows**: states that nothing later can tell apart are one
//!   ([`Model::guide`]), and the order that the object told is tried first ([`Model::order_hint`]).
//!
//! The budget covers time, steps and everything that is held, inside a model's step too.

mod breadth;
mod condition;
mod depth;
pub(crate) mod growing;
mod interned;
mod key;
mod links;
mod machine;
mod plan;
mod space;
#[cfg(test)]
pub(crate) mod tests;

use crate::budget::{Exhausted, Meter};
use crate::model::Model;

pub(crate) use crate::model::SearchOp;
use breadth::Breadth;
use depth::{Depth, Progress};
use key::{Key, Mask};
use machine::{ModelStates, States};
use plan::Plan;
pub(crate) use plan::useful_unknown;
use space::Space;

/// Steps between two looks at the clock and the memory.
const STEPS_PER_CHECK: u64 = 256;

/// Steps of an arm's first turn beyond those that a straight way to the end takes.
const TURN_STEPS_MIN: u64 = 512;

/// The longest turn: the arms must not wait long for one another.
const TURN_STEPS_MAX: u64 = 1 << 16;

/// From this much memory of states on, those that nobody needs any more are dropped where that is easy.
const STATES_BYTES_LARGE: usize = 16 << 20;

/// What a search may spend, and what it is to tell.
#[derive(Clone, Copy)]
pub(crate) struct Limits<'a> {
    pub(crate) meter: &'a Meter,
    /// Places that it may try.
    pub(crate) steps_max: u64,
    pub(crate) told: Told,
}

/// What the answer is to say beyond yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing.
    Verdict,
    /// The order, if there is one.
    Order,
    /// The order, or the longest one that could be made and the states in which it was stuck: memory by
    /// the square of the length, and depth first alone.
    Story,
}

/// What the search found, and the steps it took.
#[derive(Clone, Debug)]
pub(crate) struct Outcome<S> {
    pub(crate) answer: Answer<S>,
    pub(crate) steps: u64,
}

/// Operations are named by their place in the slice that was asked about.
#[derive(Clone, Debug)]
pub(crate) enum Answer<S> {
    Valid {
        /// When told: all completed operations and the unknown ones that took effect, in order.
        order: Vec<usize>,
    },
    Invalid {
        /// The first operation, by end, that no order gets past: without it, and with everything then
        /// open left open, there is an order.
        stuck: usize,
        /// When the story is told: one of the longest orders that got there.
        order: Vec<usize>,
        /// When the story is told: the states that orders which got there end in.
        states: Vec<S>,
    },
    Exhausted {
        why: Exhausted,
        /// Completed operations placed in the best attempt.
        placed: usize,
        /// Completed operations in all.
        completed: usize,
    },
}

/// Looks for an order.
pub(crate) fn search<M: Model>(model: &M, ops: &[SearchOp<M::Op>], limits: Limits<'_>) -> Outcome<M::State> {
    searched(model, ops, limits, |states, plan| match plan.slots {
        0..=64 => Search::<[u64; 1]>::run(states, plan, limits, Arms::Both),
        65..=256 => Search::<[u64; 4]>::run(states, plan, limits, Arms::Both),
        _ => Search::<Box<[u64]>>::run(states, plan, limits, Arms::Both),
    })
}

/// All that a search does in the terms of the model; the rest is numbers, and the same code for all models.
fn searched<M: Model>(
    model: &M,
    ops: &[SearchOp<M::Op>],
    limits: Limits<'_>,
    search: impl FnOnce(&mut dyn States, &Plan) -> Outcome<u32>,
) -> Outcome<M::State> {
    let (plan, by_class) = Plan::new(model, ops);
    // A story shows states, and a reader wants to see the real ones.
    let guided = limits.told != Told::Story;
    let mut states = ModelStates::new(model, &plan, &by_class, limits.meter, guided);
    let Outcome { answer, steps } = search(&mut states, &plan);
    let answer = match answer {
        Answer::Valid { order } => Answer::Valid { order },
        Answer::Invalid { stuck, order, states: numbers } => {
            let states = numbers.into_iter().map(|number| states.state(number).clone()).collect();
            Answer::Invalid { stuck, order, states }
        }
        Answer::Exhausted { why, placed, completed } => Answer::Exhausted { why, placed, completed },
    };
    Outcome { answer, steps }
}

/// Which arms take part: tests ask for each alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arms {
    Both,
    #[cfg(test)]
    Depth,
    #[cfg(test)]
    Breadth,
}

impl Arms {
    fn depth(self) -> bool {
        match self {
            Arms::Both => true,
            #[cfg(test)]
            Arms::Depth => true,
            #[cfg(test)]
            Arms::Breadth => false,
        }
    }

    fn breadth(self) -> bool {
        match self {
            Arms::Both => true,
            #[cfg(test)]
            Arms::Depth => false,
            #[cfg(test)]
            Arms::Breadth => true,
        }
    }
}

struct Search<'a, K> {
    space: Space<'a>,
    limits: Limits<'a>,
    /// None when it does not take part, or had to go for memory.
    depth: Option<Depth<K>>,
    breadth: Option<Breadth<K>>,
    account: Account<'a>,
    /// Completed operations placed in the best attempt.
    placed: u32,
}

/// What an arm's turn came to, when it ended the search.
type Ended = Result<Option<Answer<u32>>, Exhausted>;

impl<'a, K: Mask> Search<'a, K> {
    fn run(states: &'a mut dyn States, plan: &'a Plan, limits: Limits<'a>, arms: Arms) -> Outcome<u32> {
        let mut space = Space::new(states, plan, limits.told);
        let root: Key<K> = space.root();
        // A story is that of one order after the other.
        let breadth = arms.breadth() && limits.told != Told::Story;
        let depth = || Depth::new(plan.slots, root.clone(), limits.told == Told::Story);
        let mut search = Search {
            depth: arms.depth().then(depth),
            breadth: breadth.then(|| Breadth::new(plan.slots, root.clone())),
            space,
            limits,
            account: Account { limits, steps: 0, charged: 0 },
            placed: 0,
        };
        let answer = search.decide();
        search.account.close();
        Outcome { answer, steps: search.account.steps }
    }

    fn decide(&mut self) -> Answer<u32> {
        // Where there is an order, most often the first turn finds it, and follows the hints to the end.
        let mut steps = 2 * self.space.plan.completed.len() as u64 + TURN_STEPS_MIN;
        loop {
            let ended = self.depth_turn(steps).or_else(|why| {
                self.depth = None;
                self.goes_on(why, self.breadth.is_some())
            });
            let ended = match ended {
                Ok(None) => self.breadth_turn(steps).or_else(|why| {
                    self.breadth = None;
                    self.goes_on(why, self.depth.is_some())
                }),
                ended => ended,
            };
            match ended {
                Ok(Some(answer)) => return answer,
                Ok(None) => self.hand_over(),
                Err(why) => {
                    let completed = self.space.plan.completed.len();
                    return Answer::Exhausted { why, placed: self.placed as usize, completed };
                }
            }
            steps = steps.min(TURN_STEPS_MAX);
        }
    }

    /// An arm that filled the memory is gone; the other one goes on with what that gave back.
    fn goes_on(&self, why: Exhausted, other_arm: bool) -> Ended {
        match why {
            Exhausted::Memory(_) if other_arm => Ok(None),
            Exhausted::Memory(_) | Exhausted::Time(_) | Exhausted::Steps(_) => Err(why),
        }
    }

    fn depth_turn(&mut self, steps: u64) -> Ended {
        let Some(depth) = &mut self.depth else { return Ok(None) };
        let beside = self.breadth.as_ref().map_or(0, Breadth::bytes);
        let progress = depth.run(&mut self.space, &mut self.account.turn(steps, beside));
        self.placed = self.placed.max(depth.best_rank);
        Ok(match progress? {
            Progress::More => None,
            Progress::Found => {
                let (link, rest) = depth.found();
                let mut order = Vec::new();
                if self.limits.told != Told::Verdict {
                    order = self.space.links.order(link);
                    order.extend(rest.iter().map(|number| *number as usize));
                }
                Some(Answer::Valid { order })
            }
            Progress::Nothing => Some(Answer::Invalid {
                stuck: self.space.plan.completed[depth.best_rank as usize].number,
                order: depth.best_order().iter().map(|number| *number as usize).collect(),
                states: depth.best_states().to_vec(),
            }),
        })
    }

    fn breadth_turn(&mut self, steps: u64) -> Ended {
        let Some(breadth) = &mut self.breadth else { return Ok(None) };
        let beside = self.depth.as_ref().map_or(0, Depth::bytes);
        let progress = breadth.run(&mut self.space, &mut self.account.turn(steps, beside));
        self.placed = self.placed.max(breadth.rank);
        Ok(match progress? {
            Progress::More => None,
            Progress::Found => Some(Answer::Valid { order: self.space.links.order(breadth.found()) }),
            Progress::Nothing => Some(Answer::Invalid {
                stuck: self.space.plan.completed[breadth.rank as usize].number,
                order: Vec::new(),
                states: Vec::new(),
            }),
        })
    }

    /// Where the breadth-first arm has come as far as the other one ever did, the other starts from its
    /// front, and states that are not in the front can go.
    fn hand_over(&mut self) {
        let Some(breadth) = self.breadth.as_mut().filter(|breadth| breadth.is_begun()) else { return };
        let rank = breadth.rank;
        // Once for each front: an arm that always starts again gets nowhere.
        if self.depth.as_ref().is_some_and(|depth| depth.best_rank > rank || depth.root_rank == rank) {
            return;
        }
        if self.space.machine.bytes() > STATES_BYTES_LARGE
            && breadth.front().len() < self.space.machine.known() / 2
        {
            breadth.renumber_states(&mut self.space);
        }
        if let Some(depth) = &mut self.depth {
            depth.restart(rank, breadth.front().to_vec());
        }
    }
}

/// What a search has spent.
struct Account<'a> {
    limits: Limits<'a>,
    steps: u64,
    charged: u64,
}

/// One arm's turn.
struct Turn<'t, 'a> {
    account: &'t mut Account<'a>,
    steps_left: u64,
    /// Memory of the other arm.
    beside: usize,
}

impl<'a> Account<'a> {
    fn turn(&mut self, steps: u64, beside: usize) -> Turn<'_, 'a> {
        Turn { account: self, steps_left: steps, beside }
    }

    fn close(&mut self) {
        self.limits.meter.give_back(self.charged);
        self.charged = 0;
    }
}

impl Turn<'_, '_> {
    /// Takes a step, if the turn is not over.
    fn step(&mut self) -> bool {
        self.account.steps += u64::from(self.steps_left > 0);
        let more = self.steps_left > 0;
        self.steps_left = self.steps_left.saturating_sub(1);
        more
    }

    /// Whether it is time to call [`Turn::look`].
    fn is_due(&self) -> bool {
        self.account.steps.is_multiple_of(STEPS_PER_CHECK)
    }

    /// Counts work within a step, and looks when it is time. `bytes` is the arm's memory.
    fn work(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.account.steps += 1;
        if self.is_due() { self.look(bytes) } else { Ok(()) }
    }

    /// Accounts for the memory of the arm and of what it shares, and looks whether anything is left.
    fn look(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let Account { limits, steps, charged } = self.account;
        let bytes = (bytes + self.beside) as u64;
        limits.meter.take(bytes);
        limits.meter.give_back(*charged);
        *charged = bytes;
        match *steps > limits.steps_max {
            true => Err(Exhausted::Steps(limits.steps_max)),
            false => limits.meter.check(),
        }
    }
}
