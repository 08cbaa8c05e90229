//! The director: repeatable, complete, bounded; what it begins it undoes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use harness::schedule::{
    Action, ActionSpec, Body, Condition, Contract, Coverage, Director, EventKind, Family, Fault, Guard, Kind,
    Lasts, LinkEnd, LinkSpec, NetworkModel, Observed, Order, Passed, Phase, Preset, Schedule, Span, Start,
    Step, Target, Trigger, What, Who, WorkloadSpec,
};
use harness::system::NodeId;
use proptest::prelude::*;

const STEP: Duration = Duration::from_millis(10);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A cluster that does what it is told at once, and elects whoever has the lowest number of those
/// that run.
struct Toy {
    now: Duration,
    nodes: u16,
    ballot: u64,
    leader: Option<NodeId>,
    standing: BTreeMap<(u64, usize), Action>,
    ops_ok: u64,
    /// Everything ordered, with its time.
    log: Vec<(Duration, Order)>,
}

impl Toy {
    fn new(nodes: u16) -> Toy {
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

    fn condition(&self, node: NodeId) -> Condition {
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

    fn observe(&mut self) -> Observed {
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
    fn play(&mut self, director: &mut Director, stop: Option<Duration>, mut bites: impl FnMut(&str) -> bool) {
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

    fn came(&self) -> Vec<(Duration, &str)> {
        self.log
            .iter()
            .filter_map(|(at, order)| match order {
                Order::Begin { id, item: 0, .. } => Some((*at, id.as_str())),
                _ => None,
            })
            .collect()
    }

    fn ids(&self) -> Vec<&str> {
        self.came().into_iter().map(|(_, id)| id).collect()
    }
}

fn preset(kinds: &[Kind], seconds: u64, extend: u64) -> Schedule {
    let preset = Preset { kinds: kinds.to_vec(), owed: kinds.to_vec(), interval: Duration::from_secs(5) };
    preset.schedule(Duration::from_secs(seconds), Duration::from_secs(extend))
}

fn play(schedule: Schedule, seed: u64, nodes: u16) -> Toy {
    let mut toy = Toy::new(nodes);
    toy.play(&mut Director::new(schedule, seed), None, |_| true);
    assert!(toy.standing.is_empty(), "seed {seed}: left standing: {:?}", toy.standing);
    toy
}

#[test]
fn the_same_seed_gives_the_same_orders_and_another_seed_others() {
    let log = |seed| play(preset(&Kind::ALL, 120, 0), seed, 5).log;
    assert_eq!(log(7), log(7));
    assert_ne!(log(7), log(8));
}

#[test]
fn a_run_that_was_written_down_comes_out_the_same() {
    // Without the limping forms: their followers are anybody's, each time.
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|&kind| kind != Kind::LinkDrop).collect();
    for seed in 0..20 {
        let mut director = Director::new(preset(&kinds, 60, 0), seed);
        let mut first = Toy::new(5);
        first.play(&mut director, None, |_| true);
        let again = play(director.resolved(), seed + 1, 5);
        let did = |toy: &Toy| -> Vec<(Duration, Action)> {
            let begun = |(at, order): &(Duration, Order)| match order {
                Order::Begin { action, .. } => Some((*at, action.clone())),
                _ => None,
            };
            toy.log.iter().filter_map(begun).collect()
        };
        assert!(did(&first).len() > 8);
        assert_eq!(did(&first), did(&again), "seed {seed}");
    }
}

#[test]
fn what_is_owed_comes_first_and_then_the_rest_at_random() {
    for seed in 0..30 {
        let toy = play(preset(&Kind::ALL, 240, 0), seed, 5);
        let ids = toy.ids();
        let owed: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        let first: BTreeSet<&str> = ids.iter().take(Kind::ALL.len()).copied().collect();
        assert_eq!(first, owed, "seed {seed}");
        assert!(ids.len() > Kind::ALL.len(), "seed {seed}: nothing at random in four minutes");
    }
}

#[test]
fn every_kind_fits_into_half_a_minute() {
    for seed in 0..30 {
        let toy = play(preset(&Kind::ALL, 28, 0), seed, 5);
        let came: BTreeSet<&str> = toy.ids().into_iter().collect();
        assert!(Kind::ALL.iter().all(|kind| came.contains(kind.name())), "seed {seed}: {came:?}");
        assert!(toy.now <= Duration::from_secs(28) + 2 * STEP, "seed {seed}: {:?}", toy.now);
    }
}

#[test]
fn what_is_still_owed_is_worth_an_extension_and_nothing_else_is() {
    let ids = |extend| {
        let toy = play(preset(&Kind::ALL, 6, extend), 3, 5);
        (toy.ids().len(), toy.now)
    };
    let (within, _) = ids(0);
    assert!(within < Kind::ALL.len());
    let (extended, ended) = ids(60);
    assert_eq!(extended, Kind::ALL.len());
    assert!(ended < Duration::from_secs(40), "{ended:?}");
}

#[test]
fn what_did_not_bite_is_owed_again_behind_the_others() {
    let kinds = [Kind::KillOne, Kind::PauseOne, Kind::PartitionHalves];
    for seed in 0..20 {
        let mut toy = Toy::new(5);
        let mut failed = None;
        let mut director = Director::new(preset(&kinds, 60, 0), seed);
        toy.play(&mut director, None, |id| failed.replace(id.to_owned()).is_some());
        let ids = toy.ids();
        let first = ids[0];
        assert_eq!(ids[..3].iter().collect::<BTreeSet<_>>().len(), 3, "seed {seed}");
        assert_eq!(ids[3], first, "seed {seed}: {ids:?}");
    }
}

#[test]
fn one_fault_at_a_time_with_calm_after_it() {
    for seed in 0..20 {
        let toy = play(preset(&Kind::ALL, 120, 0), seed, 5);
        let mut active = BTreeSet::new();
        let mut ended: Option<Duration> = None;
        for (at, order) in &toy.log {
            match order {
                Order::Begin { occurrence, .. } => {
                    if active.insert(*occurrence)
                        && let Some(ended) = ended
                    {
                        assert!(*at >= ended + ms(500), "seed {seed}: no calm before {at:?}");
                    }
                    assert_eq!(active.len(), 1, "seed {seed} at {at:?}");
                }
                Order::Ended(occurrence) => {
                    active.remove(occurrence);
                    ended = Some(*at);
                }
                _ => {}
            }
        }
    }
}

proptest! {
    #[test]
    fn whenever_it_is_stopped_nothing_is_left(seed: u64, at in 0_u64..20_000, nodes in 3_u16..8) {
        let mut toy = Toy::new(nodes);
        let mut director = Director::new(preset(&Kind::ALL, 20, 0), seed);
        toy.play(&mut director, Some(ms(at)), |_| true);
        prop_assert!(toy.standing.is_empty());
        prop_assert_eq!(director.standing().count(), 0);
        prop_assert!(director.advance(&toy.observe()).is_empty());
    }

    #[test]
    fn one_fault_more_shifts_no_draw_of_another(seed: u64) {
        let fault = |id: &str, at: u64| Fault {
            id: id.to_owned(),
            start: Start::At(Span::between(ms(at), ms(at + 500))),
            times_max: Some(1),
            body: kill(Who::One, Span::between(ms(100), ms(300))),
            guard: Guard::Any,
            required: true,
        };
        let one = play(schedule(vec![fault("a", 100)], 5), seed, 5);
        let two = play(schedule(vec![fault("b", 2_000), fault("a", 100)], 5), seed, 5);
        prop_assert_eq!(one.came()[0], two.came()[0]);
    }
}

// ---- Single faults ---------------------------------------------------------------------------

fn schedule(faults: Vec<Fault>, seconds: u64) -> Schedule {
    Schedule {
        name: "test".to_owned(),
        story: String::new(),
        nodes: None,
        seed: None,
        model: NetworkModel::MessageLossy,
        contract: Contract::SafetyAndLiveness,
        workload: WorkloadSpec::default(),
        phases: vec![Phase {
            name: "faults".to_owned(),
            lasts: Duration::from_secs(seconds),
            ok_rate_min: None,
            faults,
            mixes: Vec::new(),
        }],
        settle_max: None,
        coverage: Coverage::default(),
        found: None,
    }
}

fn kill(who: Who, lasts: Span) -> Body {
    let action = ActionSpec::Kill(Target::now(who));
    Body { steps: vec![Step { after: Span::ZERO, action }], lasts: Lasts::For(lasts) }
}

fn when(id: &str, trigger: Trigger, body: Body) -> Fault {
    Fault {
        id: id.to_owned(),
        start: Start::When(trigger),
        times_max: Some(1),
        body,
        guard: Guard::Any,
        required: true,
    }
}

fn trigger(what: What) -> Trigger {
    Trigger { what, after: None, nth: 1, plus: Duration::ZERO }
}

#[test]
fn faults_come_one_after_the_other_and_remember_whom_they_struck() {
    let stable = What::Event { kind: EventKind::LeaderStable, holds: ms(200) };
    let elected = What::Event { kind: EventKind::LeaderElected, holds: Duration::ZERO };
    let again = Target { who: Who::Leader, as_of: Some("first".to_owned()) };
    let second = Body {
        steps: vec![Step { after: Span::exactly(ms(50)), action: ActionSpec::Pause(again) }],
        lasts: Lasts::For(Span::exactly(ms(300))),
    };
    let first = when("first", trigger(stable), kill(Who::Leader, Span::exactly(ms(400))));
    let after = Trigger { after: Some("first".to_owned()), plus: ms(500), ..trigger(What::Came) };
    let third = Trigger { after: Some("first".to_owned()), ..trigger(elected) };
    let toy = play(
        schedule(
            vec![
                first,
                when("second", after, second),
                when("third", third, kill(Who::Leader, Span::exactly(ms(50)))),
            ],
            3,
        ),
        1,
        5,
    );
    // n1 leads; it dies after 200 ms, n2 is elected at the next look and dies as well.
    assert_eq!(toy.came(), [(ms(200), "first"), (ms(210), "third"), (ms(750), "second")]);
    let did = |id: &str| {
        toy.log.iter().find_map(|(_, order)| match order {
            Order::Begin { id: its, action, .. } if its == id => Some(action.clone()),
            _ => None,
        })
    };
    assert_eq!(did("first"), Some(Action::Kill(vec![NodeId(1)])));
    assert_eq!(did("third"), Some(Action::Kill(vec![NodeId(2)])));
    assert_eq!(did("second"), Some(Action::Pause(vec![NodeId(1)])));
}

#[test]
fn each_node_has_its_turn_and_no_two_at_once() {
    let each = Fault {
        id: "rolling".to_owned(),
        start: Start::At(Span::ZERO),
        times_max: Some(1),
        body: kill(Who::Each, Span::exactly(ms(300))),
        guard: Guard::Any,
        required: true,
    };
    let toy = play(schedule(vec![each], 5), 4, 5);
    let mut down = BTreeSet::new();
    let mut struck = BTreeSet::new();
    for (_, order) in &toy.log {
        match order {
            Order::Begin { action, .. } => {
                down.extend(action.nodes().to_vec());
                struck.extend(action.nodes().to_vec());
                assert_eq!(down.len(), 1);
            }
            Order::Undo { action, .. } => down.retain(|node| !action.nodes().contains(node)),
            _ => {}
        }
    }
    assert_eq!(struck.len(), 5);
}

#[test]
fn a_guard_skips_with_a_reason_and_tries_again() {
    let faults = |guard| {
        let at = |id: &str, at, who| Fault {
            id: id.to_owned(),
            start: Start::At(Span::exactly(ms(at))),
            times_max: Some(1),
            body: kill(who, Span::exactly(ms(1_000))),
            guard,
            required: true,
        };
        vec![Fault { guard: Guard::Any, ..at("half", 0, Who::Minority) }, at("one", 100, Who::One)]
    };
    let toy = play(schedule(faults(Guard::KeepQuorum), 5), 1, 5);
    let skipped: Vec<&str> = toy
        .log
        .iter()
        .filter_map(|(_, order)| match order {
            Order::Skipped { reason, .. } => Some(reason.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(skipped, ["it would take the quorum away"]);
    assert_eq!(toy.came()[1].1, "one");
    assert!(toy.came()[1].0 >= ms(1_000));
    let breaking = play(schedule(faults(Guard::BreakQuorum), 5), 1, 5);
    assert_eq!(breaking.came()[1], (ms(100), "one"));
}

#[test]
fn a_watched_frame_sets_a_fault_off_at_its_count() {
    let on = LinkSpec { from: LinkEnd::Nodes(Target::now(Who::Leader)), to: LinkEnd::Any, both: false };
    let third = Trigger { nth: 3, ..trigger(What::Message { kind: "Accept".to_owned(), on }) };
    let mut director =
        Director::new(schedule(vec![when("hit", third, kill(Who::Leader, Span::exactly(ms(100))))], 2), 1);
    let mut toy = Toy::new(3);
    assert_eq!(director.advance(&toy.observe()), [Order::Phase("faults".to_owned())]);
    let watches = director.watches(&toy.observe());
    assert_eq!(watches.len(), 1);
    assert_eq!((watches[0].kind.as_str(), watches[0].links.len()), ("Accept", 2));
    for count in 1..=3 {
        assert!(director.advance(&toy.observe()).is_empty(), "too early: {count}");
        toy.now += STEP;
        director.saw(&watches[0].key, toy.now);
    }
    assert!(matches!(&director.advance(&toy.observe())[..], [Order::Begin { .. }]));
    assert!(director.watches(&toy.observe()).is_empty());
}

/// n1 leads, is down from 100 ms to 1100 ms, and leads again: two elections.
fn two_elections(mut other: Fault) -> Toy {
    other.times_max = None;
    let first = Fault {
        start: Start::At(Span::exactly(ms(100))),
        ..when("first", trigger(What::Came), kill(Who::Leader, Span::exactly(ms(1_000))))
    };
    play(schedule(vec![first, other], 3), 1, 5)
}

fn elected() -> Trigger {
    trigger(What::Event { kind: EventKind::LeaderElected, holds: Duration::ZERO })
}

#[test]
fn what_set_a_fault_off_is_used_up() {
    let bystander = || Who::Nodes(vec![NodeId(5)]);
    let toy = two_elections(when("hit", elected(), kill(bystander(), Span::exactly(ms(50)))));
    assert_eq!(toy.came()[1..], [(ms(110), "hit"), (ms(1_110), "hit")]);

    let until_the_next = Body { lasts: Lasts::Until(elected()), ..kill(bystander(), Span::ZERO) };
    let toy = two_elections(when("hit", elected(), until_the_next));
    let undone: Vec<Duration> = toy
        .log
        .iter()
        .filter(|(_, order)| matches!(order, Order::Undo { action, .. } if action.nodes() == [NodeId(5)]))
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(toy.came()[1], (ms(110), "hit"));
    assert_eq!(undone[0], ms(1_110));

    let follows = Trigger { after: Some("hit".to_owned()), plus: ms(20), ..trigger(What::Came) };
    let follows = Fault {
        times_max: None,
        ..when("next", follows, kill(Who::Nodes(vec![NodeId(4)]), Span::exactly(ms(30))))
    };
    let hit = Fault {
        start: Start::Every(Span::exactly(ms(400))),
        ..when("hit", elected(), kill(bystander(), Span::exactly(ms(50))))
    };
    let toy = play(schedule(vec![Fault { times_max: Some(2), ..hit }, follows], 3), 1, 5);
    assert_eq!(toy.came(), [(ms(400), "hit"), (ms(420), "next"), (ms(850), "hit"), (ms(870), "next")]);
}

#[test]
fn what_waits_after_another_comes_once_for_each_of_its_comings() {
    // Elections at 110 ms and 1110 ms, both after the one coming of "first".
    let after = |id: &str| Trigger { after: Some(id.to_owned()), ..elected() };
    let bystander = || kill(Who::Nodes(vec![NodeId(5)]), Span::exactly(ms(50)));
    let toy = two_elections(when("hit", after("first"), bystander()));
    assert_eq!(toy.came()[1..], [(ms(110), "hit")]);
    // Its own coming is another matter: each time, it waits for the next election.
    let toy = two_elections(when("hit", elected(), bystander()));
    assert_eq!(toy.came()[1..], [(ms(110), "hit"), (ms(1_110), "hit")]);
}

#[test]
fn operations_are_counted_from_the_last_coming_and_waited_after() {
    // Four succeed every 10 ms: a hundred in 250 ms.
    let counted = Trigger { plus: ms(250), ..trigger(What::OpsOk(100)) };
    let fault = when("hit", counted, kill(Who::Leader, Span::exactly(ms(50))));
    let toy = play(schedule(vec![Fault { times_max: Some(3), ..fault }], 3), 1, 5);
    assert_eq!(toy.came(), [(ms(500), "hit"), (ms(1_000), "hit"), (ms(1_500), "hit")]);
}

#[test]
fn a_phase_that_is_over_is_told_with_what_succeeded_in_it() {
    let mut two = schedule(Vec::new(), 1);
    two.phases.push(Phase { name: "second".to_owned(), ok_rate_min: Some(10.0), ..two.phases[0].clone() });
    let mut director = Director::new(two, 1);
    Toy::new(3).play(&mut director, None, |_| true);
    let passed = |name: &str, ok_rate_min| Passed {
        name: name.to_owned(),
        lasted: ms(1_000),
        ops_ok: 400,
        ok_rate_min,
    };
    assert_eq!(director.passed(), [passed("faults", None), passed("second", Some(10.0))]);
}

#[test]
fn every_kind_can_be_done_to_every_cluster_that_is_large_enough() {
    for nodes in 1..=9 {
        for kind in Kind::ALL.into_iter().filter(|kind| kind.nodes_min() <= nodes) {
            let toy = play(preset(&[kind], 10, 0), 5, nodes);
            assert!(!toy.ids().is_empty(), "{kind} on {nodes} nodes: {:?}", toy.log);
            if kind.family() == Family::Kill && nodes > 2 && kind != Kind::KillAll {
                let struck = toy.log.iter().filter_map(|(_, order)| match order {
                    Order::Begin { action, .. } => Some(action.nodes().len()),
                    _ => None,
                });
                assert!(
                    struck.into_iter().all(|count| count < usize::from(nodes).div_ceil(2)),
                    "{kind} on {nodes}"
                );
            }
        }
    }
}
