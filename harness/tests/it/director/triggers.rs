//! Single faults: what sets them off, when they end, whom they strike.

use std::collections::BTreeSet;
use std::time::Duration;

use harness::schedule::{
    Action, ActionSpec, Body, Director, EventKind, Fault, Guard, Lasts, LinkEnd, LinkSpec, Order, Passed,
    Phase, Span, Start, Step, Target, Trigger, What, Who,
};
use harness::system::NodeId;

use super::toy::*;

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
