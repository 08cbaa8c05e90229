//! What files mean: short texts against the schedule they stand for, and the places of what is wrong.

use std::time::Duration;

use harness::schedule::{
    ActionSpec, Concurrency, Contract, Dialect, EventKind, Guard, Lasts, LinkEnd, NetworkModel, Schedule,
    Shape, Share, Span, Start, Target, Way, What, Who,
};
use harness::system::NodeId;

/// A whole file around some faults.
fn file(rest: &str) -> String {
    format!("schema = 1\nname = \"test\"\nnodes = 5\ntime-limit = \"30s\"\n{rest}")
}

fn read(rest: &str) -> Schedule {
    Schedule::read("test.toml", &file(rest)).unwrap_or_else(|refusals| panic!("{rest}\n{refusals}"))
}

/// What is wrong, with line and column, the file's first lines not counted.
fn refused(rest: &str) -> Vec<(usize, usize, String)> {
    let refusals = Schedule::read("test.toml", &file(rest)).expect_err(rest);
    refusals.remarks.into_iter().map(|r| (r.line.saturating_sub(4), r.column, r.what)).collect()
}

fn warned(rest: &str) -> Vec<String> {
    let reading = Schedule::read_for(&Dialect::PAXOS, "test.toml", &file(rest));
    let reading = reading.unwrap_or_else(|refusals| panic!("{rest}\n{refusals}"));
    reading.warnings.into_iter().map(|warning| warning.what).collect()
}

fn action(rest: &str) -> ActionSpec {
    let schedule = read(&format!("[[fault]]\n{rest}"));
    schedule.phases[0].faults[0].body.steps[0].action.clone()
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_smallest_schedule_is_one_quiet_phase() {
    let schedule = read("");
    assert_eq!((schedule.name.as_str(), schedule.nodes, schedule.seed), ("test", Some(5), None));
    assert_eq!(
        (schedule.model, schedule.contract),
        (NetworkModel::MessageLossy, Contract::SafetyAndLiveness)
    );
    assert_eq!(schedule.phases.len(), 1);
    assert_eq!((schedule.phases[0].name.as_str(), schedule.phases[0].lasts), ("faults", s(30)));
    assert!(schedule.phases[0].faults.is_empty() && schedule.phases[0].mixes.is_empty());
}

#[test]
fn what_a_fault_leaves_out_has_its_usual_value() {
    let schedule = read("[[fault]]\ndo = \"kill\"\ntarget = \"leader\"");
    let fault = &schedule.phases[0].faults[0];
    assert_eq!(fault.id, "kill:leader");
    assert_eq!(fault.start, Start::At(Span::ZERO));
    assert_eq!((fault.times_max, fault.guard, fault.required), (None, Guard::Any, true));
    assert_eq!(fault.body.lasts, Lasts::Phase);
    assert_eq!(fault.body.steps[0].action, ActionSpec::Kill(Target::now(Who::Leader)));
}

#[test]
fn what_waits_comes_once_unless_it_says_more() {
    let when = |max: &str| {
        let text = format!(
            "[[fault]]\nwhen = {{ ops-ok = 5 }}\ndo = \"kill\"\ntarget = \"one\"\nfor = \"1s\"\n{max}"
        );
        read(&text).phases[0].faults[0].times_max
    };
    assert_eq!(when(""), Some(1));
    assert_eq!(when("max = 3"), Some(3));
    assert_eq!(when("max = \"any\""), None);
}

#[test]
fn ids_follow_from_what_is_done() {
    for (rest, id) in [
        ("do = \"kill\"\ntarget = \"follower[1]\"", "kill:follower-1"),
        ("do = \"pause\"\ntarget = [\"n1\", \"n3\"]", "pause:n1-n3"),
        ("do = \"partition\"\nshape = \"isolate\"\ntarget = \"leader\"", "partition:isolate-leader"),
        ("do = \"partition\"\nshape = \"halves\"", "partition:halves"),
        ("do = \"link\"\non = \"*->*\"\ndrop = \"5%\"\ndelay = \"2ms\"", "link:delay-drop"),
        ("do = \"reset\"\non = \"clients->*\"", "reset"),
        (
            "steps = [{ do = \"pause\", target = \"one\" }, { do = \"kill\", target = \"leader\" }]",
            "pause:one+kill:leader",
        ),
    ] {
        assert_eq!(read(&format!("[[fault]]\n{rest}")).phases[0].faults[0].id, id);
    }
}

#[test]
fn targets_mean_what_they_say() {
    let target = |word: &str| match action(&format!("do = \"pause\"\ntarget = {word}")) {
        ActionSpec::Pause(target) => target,
        other => panic!("{other:?}"),
    };
    for (word, who) in [
        ("\"leader\"", Who::Leader),
        ("\"leaders\"", Who::Leaders),
        ("\"follower[3]\"", Who::Follower(3)),
        ("\"most-behind\"", Who::MostBehind),
        ("\"each\"", Who::Each),
        ("\"n2\"", Who::Nodes(vec![NodeId(2)])),
        ("\"n2,n5\"", Who::Nodes(vec![NodeId(2), NodeId(5)])),
        ("[\"n5\", \"n2\"]", Who::Nodes(vec![NodeId(5), NodeId(2)])),
    ] {
        assert_eq!(target(word), Target::now(who), "{word}");
    }
}

#[test]
fn links_mean_what_they_say() {
    let ActionSpec::Reset(links) = action(
        "do = \"reset\"\non = [\"leader->follower[0]\", \"* <-> n1,n2\", \"clients->most-ahead\", \"*->*\"]",
    ) else {
        panic!("a reset is a reset");
    };
    let words: Vec<String> = links.iter().map(ToString::to_string).collect();
    assert_eq!(words, ["leader->follower[0]", "*<->n1,n2", "clients->most-ahead", "*->*"]);
    assert_eq!(links[1].from, LinkEnd::Any);
    assert_eq!(links[1].to, LinkEnd::Nodes(Target::now(Who::Nodes(vec![NodeId(1), NodeId(2)]))));
    assert!(links[1].both && !links[0].both);
    assert_eq!(links[2].from, LinkEnd::Clients);
}

#[test]
fn link_effects_mean_what_they_say() {
    let ActionSpec::Link(_, effect) = action(
        "do = \"link\"\non = \"*->*\"\ndelay = \"20ms±10ms\"\ndrop = \"10%..40%\"\nhold = true\n\
         messages = [\"Accept\", \"heartbeat-ack\", \"LearnReply\"]",
    ) else {
        panic!("a link is a link");
    };
    assert_eq!(effect.delay, Some(Span::between(Duration::from_millis(10), Duration::from_millis(30))));
    assert_eq!((effect.drop, effect.hold, effect.cut), (Share::percent(10, 40), true, false));
    assert_eq!(effect.messages, ["accept", "heartbeat-ack", "learn-reply"]);
}

#[test]
fn shapes_mean_what_they_say() {
    let shape = |rest: &str| match action(&format!("do = \"partition\"\n{rest}")) {
        ActionSpec::Partition(shape) => shape,
        other => panic!("{other:?}"),
    };
    let one_way = |way: &str| shape(&format!("shape = \"one-way\"\ntarget = \"leader\"\n{way}"));
    assert_eq!(one_way(""), Shape::OneWay(Target::now(Who::Leader), Way::Either));
    assert_eq!(one_way("way = \"in\""), Shape::OneWay(Target::now(Who::Leader), Way::In));
    assert_eq!(shape("shape = \"bridge\""), Shape::Bridge(Target::now(Who::One)));
    assert_eq!(
        shape("shape = \"quorum-loss\"\ntarget = \"n1\"").target().unwrap().who,
        Who::Nodes(vec![NodeId(1)])
    );
}

#[test]
fn triggers_mean_what_they_say() {
    let schedule = read(
        "[[fault]]\nid = \"a\"\nwhen = { event = \"leader-elected\", for = \"2s\", nth = 2 }\ndo = \"pause\"\ntarget = \"leader\"\nfor = \"1s\"\n\
         [[fault]]\nid = \"b\"\nwhen = { after = \"a\", plus = \"200ms\" }\ndo = \"kill\"\ntarget = \"leader@a\"\n\
         until = { message = \"Accept\", on = \"leader->*\", after = \"b\" }",
    );
    let [a, b] = &schedule.phases[0].faults[..] else { panic!("two faults") };
    let Start::When(when) = &a.start else { panic!("a waits") };
    assert_eq!(when.what, What::Event { kind: EventKind::LeaderElected, holds: s(2) });
    assert_eq!((when.nth, when.plus, when.after.as_deref()), (2, Duration::ZERO, None));
    let Start::When(when) = &b.start else { panic!("b waits") };
    assert_eq!((&when.what, when.plus.as_millis(), when.after.as_deref()), (&What::Came, 200, Some("a")));
    let Lasts::Until(until) = &b.body.lasts else { panic!("b lasts until") };
    assert!(matches!(&until.what, What::Message { kind, .. } if kind == "accept"));
    let ActionSpec::Kill(target) = &b.body.steps[0].action else { panic!("b kills") };
    assert_eq!(target.as_of.as_deref(), Some("a"));
}

#[test]
fn workloads_and_the_end_mean_what_they_say() {
    let schedule = read(
        "[workload]\nname = \"append\"\nconcurrency = \"2n\"\nrate = 500\nkeys = 3\nops-per-key = 100\n\
         retries = 2\nop-timeout = \"100ms\"\n[final]\nsettle = \"9s\"\n[coverage]\nleader-changes-min = 2\nops-ok-min = 7",
    );
    let workload = &schedule.workload;
    assert_eq!(workload.name.as_deref(), Some("append"));
    assert_eq!((workload.concurrency, workload.rate), (Some(Concurrency::PerNode(2)), Some(500.0)));
    assert_eq!((workload.keys, workload.ops_per_key, workload.retries), (Some(3), Some(100), Some(2)));
    assert_eq!(workload.op_timeout, Some(Duration::from_millis(100)));
    assert_eq!(schedule.settle_max, Some(s(9)));
    assert_eq!((schedule.coverage.leader_changes_min, schedule.coverage.ops_ok_min), (2, 7));
}

#[test]
fn a_place_is_the_word_that_is_wrong_and_not_its_line() {
    for (rest, line, column, what) in [
        ("[[fault]]\ndo = \"kill\"\ntagret = \"one\"", 3, 1, "has no key `tagret`"),
        (
            "[[fault]]\ndo = \"link\"\non = \"leader->folower[0]\"\ncut = true",
            3,
            15,
            "nobody is called `folower[0]`",
        ),
        ("[[fault]]\ndo = \"pause\"\ntarget = \"leader@x\"", 3, 18, "no fault has the id `x`"),
        ("[[fault]]\ndo = \"pause\"\ntarget = \"n1,n9\"", 3, 14, "there is no `n9`"),
        ("[[mix]]\nchoices = [{ do = \"kill\", target = \"all\", for = \"2\" }]", 2, 49, "unit is missing"),
        ("[[fault]]\ndo = \"kill\"\ntarget = ", 3, 10, "this is no TOML"),
    ] {
        let found = refused(rest);
        assert!(
            found.iter().any(|(l, c, w)| (*l, *c) == (line, column) && w.contains(what)),
            "{rest}\n{found:#?}"
        );
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once_and_in_order() {
    let found = refused(
        "[[fault]]\ndo = \"kil\"\n[[fault]]\ndo = \"pause\"\ntarget = \"ledaer\"\nguard = \"keep\"\n\
         [workload]\nrate = -1\nname = \"register\"",
    );
    let lines: Vec<usize> = found.iter().map(|(line, ..)| *line).collect();
    assert_eq!(lines, [2, 5, 6, 8, 9], "{found:#?}");
}

#[test]
fn what_waits_for_itself_is_refused_wherever_the_circle_begins() {
    let fault = |id: &str, after: &str| {
        format!(
            "[[fault]]\nid = \"{id}\"\nwhen = {{ after = \"{after}\" }}\ndo = \"kill\"\ntarget = \"one\"\nfor = \"1s\"\n"
        )
    };
    let found = refused(&(fault("tail", "a") + &fault("a", "b") + &fault("b", "c") + &fault("c", "a")));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].2.contains("`a` → `b` → `c` → `a` wait for each other"), "{found:#?}");
    let found = refused(&(fault("a", "a") + &fault("b", "c") + &fault("c", "b")));
    assert_eq!(found.len(), 2, "{found:#?}");
    // Behind `until` nobody waits to begin.
    read(
        "[[fault]]\nid = \"a\"\ndo = \"kill\"\ntarget = \"one\"\nuntil = { event = \"leader-elected\", after = \"a\" }",
    );
}

#[test]
fn what_is_hardly_meant_is_allowed_with_a_warning() {
    let pause = "do = \"pause\"\ntarget = \"one\"";
    for (rest, warning) in [
        (format!("[[fault]]\nat = \"29s\"\nfor = \"3s\"\n{pause}"), "it is cut short"),
        (format!("[[fault]]\nat = \"20s..31s\"\nfor = \"1s\"\n{pause}"), "may come as late as 31s"),
        (format!("[[fault]]\nat = \"40s\"\nrequired = false\nfor = \"1s\"\n{pause}"), "it never comes"),
        (format!("[[fault]]\nat = \"1s\"\nmax = 2\nfor = \"1s\"\n{pause}"), "comes once"),
        (
            format!("[[fault]]\nwhen = {{ event = \"leader-stable\" }}\nfor = \"1s\"\n{pause}"),
            "any leader at all",
        ),
        ("[[fault]]\ndo = \"link\"\non = \"*->*\"\ncut = true\ndelay = \"1s\"".to_owned(), "nothing passes"),
        (
            "[[mix]]\nchoices = [{ id = \"a\", do = \"kill\", target = \"one\", for = \"1s\" }, \
             { id = \"b\", weight = 0, do = \"kill\", target = \"one\", for = \"1s\" }]"
                .to_owned(),
            "never drawn",
        ),
    ] {
        let warnings = warned(&rest);
        assert!(warnings.iter().any(|said| said.contains(warning)), "{rest}\n{warnings:#?}");
    }
    assert_eq!(warned(&format!("[[fault]]\nat = \"1s\"\nfor = \"1s\"\n{pause}")), [] as [&str; 0]);
}

#[test]
fn a_system_whose_frames_nobody_knows_has_none_to_name() {
    let text = file("[[fault]]\ndo = \"link\"\non = \"*->*\"\ndrop = \"5%\"\nmessages = [\"accept\"]");
    let bytes = Dialect { between_nodes: &[], with_clients: &[] };
    assert!(Schedule::read_for(&bytes, "test.toml", &text).is_err());
    assert!(Schedule::read_for(&Dialect::PAXOS, "test.toml", &text).is_ok());
}

#[test]
fn our_own_frames_are_those_of_the_node() {
    let (between, with): (Vec<_>, Vec<_>) =
        paxos_node::wire::Kind::ALL.into_iter().partition(|kind| kind.is_peer());
    let names =
        |kinds: Vec<paxos_node::wire::Kind>| kinds.into_iter().map(|kind| kind.name()).collect::<Vec<_>>();
    assert_eq!(names(between), Dialect::PAXOS.between_nodes);
    assert_eq!(names(with), Dialect::PAXOS.with_clients);
}

#[test]
fn nothing_in_a_file_steers_the_terminal() {
    let refusals =
        Schedule::read("x.toml", "schema = 1\nname = \"a\\u001b[31m\"\n# \u{7f}\n").expect_err("a name");
    assert!(!refusals.to_string().contains(|c: char| c.is_control() && c != '\n'), "{refusals:?}");
    let refusals = Schedule::read("x.toml", "schema = \u{1b}[31m").expect_err("no TOML");
    assert!(!refusals.to_string().contains('\u{1b}'), "{refusals:?}");
}
