//! A fault that came and is not over: which of its items stand, and when it ends.

use std::time::Duration;

use super::action::Action;
use super::bind::Item;
use super::happened::{Mark, Trail};
use super::order::Order;
use super::{Lasts, Trigger};

/// A fault that came and is not over.
#[derive(Debug)]
pub(super) struct Occurrence {
    pub(super) number: u64,
    pub(super) id: String,
    pub(super) owner: Owner,
    /// The trail as of its coming.
    came: Mark,
    items: Vec<(Item, Stage)>,
    ends: Ends,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Standing,
    Over,
}

/// To whom an occurrence belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Single(usize),
    /// A mix and its choice.
    Mix(usize, usize),
}

#[derive(Clone, Debug)]
enum Ends {
    At(Duration),
    /// What is waited for, and the key under which frames are watched for it.
    Until(Trigger, String),
    WithPhase,
}

impl Occurrence {
    /// One that has just come; its last step lasts for `length` where `lasts` does not say otherwise.
    pub(super) fn new(
        number: u64,
        id: &str,
        owner: Owner,
        came: Mark,
        items: Vec<Item>,
        lasts: &Lasts,
        length: Duration,
    ) -> Occurrence {
        let ends = match lasts {
            Lasts::For(_) => Ends::At(came.at + end_of(&items, length)),
            Lasts::Until(trigger) => Ends::Until(trigger.clone(), format!("{id}/until")),
            Lasts::Phase => Ends::WithPhase,
        };
        let items = items.into_iter().map(|item| (item, Stage::Waiting)).collect();
        Occurrence { number, id: id.to_owned(), owner, came, items, ends }
    }

    /// The actions in force.
    pub(super) fn standing(&self) -> impl Iterator<Item = &Action> + Clone {
        self.items.iter().filter(|(_, stage)| *stage == Stage::Standing).map(|(item, _)| &item.action)
    }

    /// When it ends, as far as can be known now.
    pub(super) fn ends_at(&self, trail: &Trail) -> Option<Duration> {
        match &self.ends {
            Ends::At(end) => Some(*end),
            Ends::Until(trigger, key) => trail.fires(trigger, key, self.came),
            Ends::WithPhase => None,
        }
    }

    /// What its end waits for, and under which key.
    pub(super) fn waits_for(&self) -> Option<(&str, &Trigger)> {
        match &self.ends {
            Ends::Until(trigger, key) => Some((key, trigger)),
            Ends::At(_) | Ends::WithPhase => None,
        }
    }

    /// When its items begin and end.
    pub(super) fn moments(&self) -> impl Iterator<Item = Duration> + '_ {
        self.items.iter().filter_map(|(item, stage)| match stage {
            Stage::Waiting => Some(self.came.at + item.from),
            Stage::Standing => item.until.map(|until| self.came.at + until),
            Stage::Over => None,
        })
    }

    /// Begins and ends the items that are due.
    pub(super) fn advance(&mut self, now: Duration, orders: &mut Vec<Order>) {
        let Occurrence { number, id, came, items, .. } = self;
        // What ends comes before what begins: one node after the other.
        for (place, (item, stage)) in items.iter_mut().enumerate() {
            if *stage == Stage::Standing && item.until.is_some_and(|until| came.at + until <= now) {
                *stage = Stage::Over;
                orders.push(Order::Undo { occurrence: *number, item: place, action: item.action.clone() });
            }
        }
        for (place, (item, stage)) in items.iter_mut().enumerate() {
            if *stage == Stage::Waiting && came.at + item.from <= now {
                *stage = Stage::Standing;
                orders.push(Order::Begin {
                    occurrence: *number,
                    id: id.clone(),
                    item: place,
                    action: item.action.clone(),
                    must_bite: item.must_bite,
                });
            }
        }
    }

    /// Undoes all that stands, the last first.
    pub(super) fn end(&mut self, orders: &mut Vec<Order>) {
        for (place, (item, stage)) in self.items.iter_mut().enumerate().rev() {
            if *stage == Stage::Standing {
                orders.push(Order::Undo {
                    occurrence: self.number,
                    item: place,
                    action: item.action.clone(),
                });
            }
            *stage = Stage::Over;
        }
        orders.push(Order::Ended(self.number));
    }
}

/// From coming to undoing: the last step lasts for `length`; rounds last as long as they take.
fn end_of(items: &[Item], length: Duration) -> Duration {
    let steps = items.iter().filter(|item| item.until.is_none()).map(|item| item.from + length).max();
    let rounds = items.iter().filter_map(|item| item.until).max();
    steps.max(rounds).unwrap_or(length)
}
