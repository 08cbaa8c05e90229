//! What has happened so far, and which triggers that sets off.

use std::collections::BTreeMap;
use std::time::Duration;

use super::observed::{Ballot, Condition, Observed};
use super::{EventKind, Trigger, What};
use crate::system::NodeId;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// Somebody leads in a ballot in which nobody was seen leading before.
    Elected(NodeId),
    /// Nobody leads any more.
    Leaderless,
    Down(NodeId),
    Up(NodeId),
    /// A frame that a trigger watches for, by the trigger's key.
    Message(String),
    /// The fault of this id came.
    Came(String),
    /// So many operations had succeeded: noted at the beginning of a phase and of each fault.
    Ok(u64),
}

/// All that happened, in order.
#[derive(Debug, Default)]
pub(super) struct Trail {
    all: Vec<(Duration, Happened)>,
    now: Duration,
    ballot: Option<Ballot>,
    leader: Option<NodeId>,
    /// Since when the leader is the same, or there is none.
    leader_since: Duration,
    conditions: BTreeMap<NodeId, Condition>,
    last_came: BTreeMap<String, Duration>,
}

impl Trail {
    /// Notes what is different from the last look.
    pub(super) fn look(&mut self, observed: &Observed) {
        let now = observed.now;
        self.now = now;
        let leader = observed.leader.map(|(node, _)| node);
        if leader != self.leader {
            self.leader_since = now;
            if leader.is_none() {
                self.push(now, Happened::Leaderless);
            }
            self.leader = leader;
        }
        if let Some((node, ballot)) = observed.leader
            && self.ballot.is_none_or(|highest| ballot > highest)
        {
            // One that led before the first look was not elected since.
            if self.ballot.is_some() || !self.conditions.is_empty() {
                self.push(now, Happened::Elected(node));
            }
            self.leader_since = now;
            self.ballot = Some(ballot);
        }
        for (&node, &is) in &observed.nodes {
            let was = self.conditions.insert(node, is);
            match (was, is) {
                (Some(Condition::Up | Condition::Paused), Condition::Down) => {
                    self.push(now, Happened::Down(node))
                }
                (Some(Condition::Down), Condition::Up) => self.push(now, Happened::Up(node)),
                _ => {}
            }
        }
    }

    pub(super) fn push(&mut self, at: Duration, happened: Happened) {
        self.all.push((at, happened));
    }

    pub(super) fn now(&self) -> Duration {
        self.now
    }

    pub(super) fn phase_began(&mut self, at: Duration, ops_ok: u64) {
        self.push(at, Happened::Ok(ops_ok));
    }

    pub(super) fn fault_came(&mut self, id: &str, at: Duration, ops_ok: u64) {
        self.last_came.insert(id.to_owned(), at);
        self.push(at, Happened::Came(id.to_owned()));
        self.push(at, Happened::Ok(ops_ok));
    }

    /// When the fault of this id last came.
    pub(super) fn came(&self, id: &str) -> Option<Duration> {
        self.last_came.get(id).copied()
    }

    /// When this trigger is or will be set off, as far as can be known now: counted from the phase's
    /// beginning, the coming of the fault it names, and after `since`, whichever is the latest.
    pub(super) fn fires(
        &self,
        trigger: &Trigger,
        key: &str,
        since: Duration,
        began: Duration,
        observed: &Observed,
    ) -> Option<Duration> {
        let mut base = began.max(since);
        if let Some(id) = &trigger.after {
            base = base.max(self.came(id)?);
        }
        let nth = trigger.nth.max(1) as usize - 1;
        let later = |(at, _): &&(Duration, Happened)| *at >= base;
        let at = match &trigger.what {
            What::Came => {
                let id = trigger.after.as_ref()?;
                let came = |(_, happened): &&(Duration, Happened)| *happened == Happened::Came(id.clone());
                // Its own coming at the same moment has used this one up.
                let used = |at: Duration| since > Duration::ZERO && at <= since;
                let times = self.all.iter().filter(came).map(|(at, _)| *at);
                times.filter(|&at| at >= began && !used(at)).nth(nth)?
            }
            What::Event { kind: EventKind::LeaderStable, holds } => {
                self.leader?;
                self.leader_since.max(base) + *holds
            }
            What::Event { kind, holds } => {
                let fits =
                    |place: usize| kind_of(&self.all[place].1) == Some(*kind) && self.held(place, *holds);
                let mut places =
                    (0..self.all.len()).filter(|&place| self.all[place].0 >= base && fits(place));
                self.all[places.nth(nth)?].0 + *holds
            }
            What::Message { .. } => {
                let seen =
                    |(_, happened): &&(Duration, Happened)| *happened == Happened::Message(key.to_owned());
                self.all.iter().filter(later).filter(seen).nth(nth)?.0
            }
            What::OpsOk(count) => {
                let before = self.all.iter().rev().find_map(|(at, happened)| match happened {
                    Happened::Ok(ops) if *at <= base => Some(*ops),
                    _ => None,
                });
                let asked = count.saturating_mul(nth as u64 + 1);
                (observed.ops_ok.saturating_sub(before.unwrap_or(0)) >= asked).then_some(observed.now)?
            }
        };
        Some(at + trigger.plus)
    }

    /// Whether what happened there held for so long, or still does.
    fn held(&self, place: usize, holds: Duration) -> bool {
        let (at, happened) = &self.all[place];
        let undone = |later: &Happened| match happened {
            Happened::Elected(_) => matches!(later, Happened::Elected(_) | Happened::Leaderless),
            Happened::Leaderless => matches!(later, Happened::Elected(_)),
            Happened::Down(node) => *later == Happened::Up(*node),
            Happened::Up(node) => *later == Happened::Down(*node),
            Happened::Message(_) | Happened::Came(_) | Happened::Ok(_) => false,
        };
        !self.all[place + 1..].iter().any(|(then, later)| *then < *at + holds && undone(later))
    }
}

fn kind_of(happened: &Happened) -> Option<EventKind> {
    match happened {
        Happened::Elected(_) => Some(EventKind::LeaderElected),
        Happened::Leaderless => Some(EventKind::LeaderLost),
        Happened::Down(_) => Some(EventKind::NodeDown),
        Happened::Up(_) => Some(EventKind::NodeUp),
        Happened::Message(_) | Happened::Came(_) | Happened::Ok(_) => None,
    }
}
