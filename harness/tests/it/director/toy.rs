//! A cluster that only remembers what was ordered: what the director is tried on.

use std::collections::BTreeMap;
use std::time::Duration;

use harness::schedule::{
    Action, ActionSpec, Body, Condition, Director, Fault, Guard, Kind, Lasts, Observed, Order, Preset,
    Schedule, Span, Start, Step, Target, Trigger, What, Who,
};
use harness::system::NodeId;

pub(super) const STEP: Duration = Duration::from_millis(10);

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A cluster that does what it is told at once, and elects whoever has the lowest number of those
/// that run.
pub(super) struct Toy {
    pub(super) now: Duration,
    pub(super) nodes: u16,
    pub(super) ballot: u64,
    pub(super) leader: Option<NodeId>,
    pub(super) standing: BTreeMap<(u64, usize), Action>,
    pub(super) ops_ok: u64,
    /// Everything ordered, with its time.
    pub(super) log: Vec<(Duration, Order)>,
}

impl Toy {
    pub(super) fn new(nodes: u16) -> Toy {
        Toy {
            now: Duration::ZERO,
            nodes,
            ballot: 0,
            leader: None,
            standing: BTreeMap::new(),
            ops_ok: 0,
            log: Vec::new(),
        }
    }

    pub(super) fn condition(&self, node: NodeId) -> Condition {
        let mut is = Condition::Up;
        for action in self.standing.values() {
            match action {
                Action::Kill(nodes) | Action::Wipe(nodes) if nodes.contains(&node) => return Condition::Down,
                Action::Pause(nodes) if nodes.contains(&node) => is = Condition::Paused,
                _ => {}
            }
        }
        is
    }

    pub(super) fn observe(&mut self) -> Observed {
        let nodes: BTreeMap<NodeId, Condition> =
            (1..=self.nodes).map(|node| (NodeId(node), self.condition(NodeId(node)))).collect();
        let up = nodes.iter().filter(|(_, is)| **is == Condition::Up).map(|(&node, _)| node);
        let up: Vec<NodeId> = up.collect();
        let leader = (up.len() > usize::from(self.nodes) / 2).then(|| up[0]);
        if leader.is_some() && leader != self.leader {
            self.ballot += 1;
        }
        self.leader = leader;
        Observed {
            now: self.now,
            leader: leader.map(|leader| (leader, (self.ballot, leader.0))),
            leaders: leader.into_iter().collect(),
            applied: BTreeMap::new(),
            ops_ok: self.ops_ok,
            nodes,
        }
    }

    /// Plays to the end, or to `stop`; `bites` says what becomes of each occurrence.
    pub(super) fn play(
        &mut self,
        director: &mut Director,
        stop: Option<Duration>,
        mut bites: impl FnMut(&str) -> bool,
    ) {
        let mut ids = BTreeMap::new();
        while !director.is_finished() {
            let observed = self.observe();
            let orders = match stop {
                Some(at) if self.now >= at => director.stop(),
                _ => director.advance(&observed),
            };
            for order in orders {
                match &order {
                    Order::Begin { occurrence, id, item, action, .. } => {
                        ids.insert(*occurrence, id.clone());
                        assert!(
                            self.standing.insert((*occurrence, *item), action.clone()).is_none(),
                            "begun twice"
                        );
                    }
                    Order::Undo { occurrence, item, action } => {
                        let begun = self.standing.remove(&(*occurrence, *item));
                        assert_eq!(begun.as_ref(), Some(action), "undone without having begun");
                    }
                    Order::Ended(occurrence) => {
                        let id = &ids[occurrence];
                        director.settle(id, bites(id));
                    }
                    Order::Phase(_) | Order::Skipped { .. } | Order::Finished => {}
                }
                self.log.push((self.now, order));
            }
            self.now += STEP;
            self.ops_ok += 4;
        }
    }

    pub(super) fn came(&self) -> Vec<(Duration, &str)> {
        self.log
            .iter()
            .filter_map(|(at, order)| match order {
                Order::Begin { id, item: 0, .. } => Some((*at, id.as_str())),
                _ => None,
            })
            .collect()
    }

    pub(super) fn ids(&self) -> Vec<&str> {
        self.came().into_iter().map(|(_, id)| id).collect()
    }
}

pub(super) fn preset(kinds: &[Kind], seconds: u64, extend: u64) -> Schedule {
    let preset = Preset { kinds: kinds.to_vec(), owed: kinds.to_vec(), interval: Duration::from_secs(5) };
    preset.schedule(Duration::from_secs(seconds), Duration::from_secs(extend))
}

pub(super) fn play(schedule: Schedule, seed: u64, nodes: u16) -> Toy {
    let mut toy = Toy::new(nodes);
    toy.play(&mut Director::new(schedule, seed), None, |_| true);
    assert!(toy.standing.is_empty(), "seed {seed}: left standing: {:?}", toy.standing);
    toy
}

pub(super) fn schedule(faults: Vec<Fault>, seconds: u64) -> Schedule {
    let nothing = Preset { kinds: Vec::new(), owed: Vec::new(), interval: ms(1_000) };
    let mut schedule = nothing.schedule(Duration::from_secs(seconds), Duration::ZERO);
    schedule.phases[0].faults = faults;
    schedule
}

pub(super) fn kill(who: Who, lasts: Span) -> Body {
    let action = ActionSpec::Kill(Target::now(who));
    Body { steps: vec![Step { after: Span::ZERO, action }], lasts: Lasts::For(lasts) }
}

pub(super) fn when(id: &str, trigger: Trigger, body: Body) -> Fault {
    Fault {
        id: id.to_owned(),
        start: Start::When(trigger),
        times_max: Some(1),
        body,
        guard: Guard::Any,
        required: true,
    }
}

pub(super) fn trigger(what: What) -> Trigger {
    Trigger { what, after: None, nth: 1, plus: Duration::ZERO }
}
