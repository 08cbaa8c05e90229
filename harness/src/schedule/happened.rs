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
}

/// A moment, and how much had happened by then: only what is noted later counts from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    place: usize,
    pub(super) at: Duration,
}

/// All that happened, in the order in which it became known.
#[derive(Debug, Default)]
pub(super) struct Trail {
    all: Vec<(Duration, Happened)>,
    now: Duration,
    ballot: Option<Ballot>,
    leader: Option<NodeId>,
    /// Since when the leader is the same, or there is none.
    leader_since: Duration,
    conditions: BTreeMap<NodeId, Condition>,
    last_came: BTreeMap<String, Mark>,
    /// Operations that had succeeded: each look at which there were more.
    ops_ok: Vec<(Duration, u64)>,
}

impl Trail {
    /// Notes what is different from the last look.
    pub(super) fn look(&mut self, observed: &Observed) {
        let now = observed.now;
        self.now = now;
        if self.ops_ok.last().is_none_or(|&(_, ops)| observed.ops_ok > ops) {
            self.ops_ok.push((now, observed.ops_ok));
        }
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

    /// Here and now.
    pub(super) fn mark(&self) -> Mark {
        Mark { place: self.all.len(), at: self.now }
    }

    /// Gives the moment after its coming: what set it off counts no more.
    pub(super) fn fault_came(&mut self, id: &str) -> Mark {
        self.push(self.now, Happened::Came(id.to_owned()));
        let came = self.mark();
        self.last_came.insert(id.to_owned(), came);
        came
    }

    /// When the fault of this id last came.
    pub(super) fn came(&self, id: &str) -> Option<Mark> {
        self.last_came.get(id).copied()
    }

    /// When this trigger is or will be set off, as far as can be known now: counted from `since` and
    /// from the coming of the fault it names, whichever is later.
    pub(super) fn fires(&self, trigger: &Trigger, key: &str, since: Mark) -> Option<Duration> {
        let base = match (&trigger.what, &trigger.after) {
            // The coming itself is what counts.
            (What::Came, _) | (_, None) => since,
            (_, Some(id)) => since.max(self.came(id)?),
        };
        let nth = trigger.nth.max(1) - 1;
        let at = match &trigger.what {
            What::Came => {
                let id = trigger.after.as_ref()?;
                self.nth(base, nth, |happened| matches!(happened, Happened::Came(came) if came == id))?
            }
            What::Message { .. } => {
                self.nth(base, nth, |happened| matches!(happened, Happened::Message(seen) if seen == key))?
            }
            What::Event { kind: EventKind::LeaderStable, holds } => {
                self.leader?;
                self.leader_since.max(base.at) + *holds
            }
            What::Event { kind, holds } => {
                let fits =
                    |place: &usize| kind_of(&self.all[*place].1) == Some(*kind) && self.held(*place, *holds);
                let place = self.places(base).filter(fits).nth(nth as usize)?;
                self.all[place].0 + *holds
            }
            What::OpsOk(count) => {
                let known = self.ops_ok.partition_point(|&(at, _)| at <= base.at);
                let before = known.checked_sub(1).map_or(0, |last| self.ops_ok[last].1);
                let wanted = count.saturating_mul(u64::from(nth) + 1).saturating_add(before);
                self.ops_ok.get(self.ops_ok.partition_point(|&(_, ops)| ops < wanted))?.0
            }
        };
        Some(at + trigger.plus)
    }

    /// What counts from a mark on: it became known later, and did not happen before.
    fn places(&self, base: Mark) -> impl Iterator<Item = usize> + '_ {
        (base.place..self.all.len()).filter(move |&place| self.all[place].0 >= base.at)
    }

    fn nth(&self, base: Mark, nth: u32, fits: impl Fn(&Happened) -> bool) -> Option<Duration> {
        let place = self.places(base).filter(|&place| fits(&self.all[place].1)).nth(nth as usize)?;
        Some(self.all[place].0)
    }

    /// Whether what happened there held for so long, or still does.
    fn held(&self, place: usize, holds: Duration) -> bool {
        let (at, happened) = &self.all[place];
        let undone = |later: &Happened| match happened {
            Happened::Elected(_) => matches!(later, Happened::Elected(_) | Happened::Leaderless),
            Happened::Leaderless => matches!(later, Happened::Elected(_)),
            Happened::Down(node) => *later == Happened::Up(*node),
            Happened::Up(node) => *later == Happened::Down(*node),
            Happened::Message(_) | Happened::Came(_) => false,
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
        Happened::Message(_) | Happened::Came(_) => None,
    }
}
