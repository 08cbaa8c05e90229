//! The parts of a schedule in words for people: whom, what, when, for how long.

use std::time::Duration;

use super::words::Time;
use super::{
    ActionSpec, Body, EventKind, Lasts, LinkEffect, LinkEnd, LinkSpec, Shape, Share, Span, Start, Step,
    Target, Trigger, Way, What, Who,
};

/// `2 s`, `500 ms`.
pub(super) fn time(duration: Duration) -> String {
    let text = Time(duration).to_string();
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    format!("{} {}", &text[..unit], &text[unit..])
}

/// `2 s`, `1–3 s`, `500 ms to 2 s`.
pub(super) fn span(span: Span) -> String {
    let (min, max) = (time(span.min), time(span.max));
    if min == max {
        return min;
    }
    let (Some((low, low_unit)), Some((_, high_unit))) = (min.split_once(' '), max.split_once(' ')) else {
        return max;
    };
    if low_unit == high_unit || span.min.is_zero() {
        format!("{low}–{max}")
    } else {
        format!("{min} to {max}")
    }
}

/// `1st`, `2nd`, `13th`.
pub(super) fn ordinal(number: u32) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// `a, b and c`.
pub(super) fn list(words: &[String], and: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {and} {last}", first.join(", ")),
    }
}

pub(super) fn target(target: &Target) -> String {
    let who = match &target.who {
        Who::Leader => "the leader".to_owned(),
        Who::Leaders => "everybody who says that it leads".to_owned(),
        Who::Followers => "the followers".to_owned(),
        Who::Follower(0) => "one follower".to_owned(),
        Who::Follower(place) => {
            format!("a {} follower", ordinal(u32::try_from(*place).unwrap_or(u32::MAX - 1) + 1))
        }
        Who::One => "one node".to_owned(),
        Who::Minority => "a minority".to_owned(),
        Who::Majority => "a majority".to_owned(),
        Who::All => "all nodes".to_owned(),
        Who::Each => "each node in turn".to_owned(),
        Who::Nodes(nodes) => {
            list(&nodes.iter().map(|node| format!("n{}", node.0)).collect::<Vec<_>>(), "and")
        }
        Who::MostBehind => "the node that is furthest behind".to_owned(),
        Who::MostAhead => "the node that is furthest ahead".to_owned(),
        Who::LastFaulted => "whoever was struck last".to_owned(),
    };
    match &target.as_of {
        None => who,
        Some(id) => format!("{who} (as of `{id}`)"),
    }
}

fn end(end: &LinkEnd) -> String {
    match end {
        LinkEnd::Any => "the other nodes".to_owned(),
        LinkEnd::Clients => "clients".to_owned(),
        LinkEnd::Nodes(nodes) => target(nodes),
    }
}

/// `from the leader to the others`.
fn link(link: &LinkSpec) -> String {
    match (&link.from, &link.to) {
        (LinkEnd::Any, LinkEnd::Any) => "between all nodes".to_owned(),
        (LinkEnd::Clients, LinkEnd::Any) => "from clients to all nodes".to_owned(),
        (from, to) if link.both => format!("between {} and {}", end(from), end(to)),
        (from, to) => format!("from {} to {}", end(from), end(to)),
    }
}

pub(super) fn links(specs: &[LinkSpec]) -> String {
    list(&specs.iter().map(link).collect::<Vec<_>>(), "and")
}

fn share(share: Share, of: &str) -> String {
    match share {
        Share { min_ppm: 1_000_000, max_ppm: 1_000_000 } => of.to_owned(),
        other => format!("{} of {of}", other.to_string().replace("%..", "–")),
    }
}

/// What is wrong with links.
fn effect(effect: &LinkEffect) -> String {
    let all = match &effect.messages[..] {
        [] => "all frames".to_owned(),
        kinds => {
            let kinds: Vec<String> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
            format!("every {}", list(&kinds, "and"))
        }
    };
    let mut parts: Vec<String> = Vec::new();
    let mut part = |text: Option<String>| parts.extend(text);
    part(effect.cut.then(|| "cut the links".to_owned()));
    part(effect.delay.map(|delay| format!("delay {all} by {}", span(delay))));
    part(effect.jitter.map(|jitter| format!("add up to {} to {all}", span(jitter))));
    part(effect.bandwidth.map(|bandwidth| format!("let {bandwidth} pass")));
    part(effect.half_open.then(|| "leave connections half open".to_owned()));
    part(effect.hold.then(|| format!("hold back {all}")));
    for (verb, amount) in [
        ("lose", effect.drop),
        ("double", effect.duplicate),
        ("reorder", effect.reorder),
        ("corrupt", effect.corrupt),
    ] {
        part((!amount.is_none()).then(|| format!("{verb} {}", share(amount, &all))));
    }
    list(&parts, "and")
}

fn shape(shape: &Shape) -> String {
    match shape {
        Shape::Halves => "cut the cluster into halves".to_owned(),
        Shape::Isolate(who) => format!("cut {} off from the others", target(who)),
        Shape::OneWay(who, Way::In) => format!("make {} deaf", target(who)),
        Shape::OneWay(who, Way::Out) => format!("make {} mute", target(who)),
        Shape::OneWay(who, Way::Either) => format!("make {} deaf, or mute", target(who)),
        Shape::Bridge(who) => format!("split the cluster into two groups that meet only in {}", target(who)),
        Shape::MajoritiesRing => "let each node reach another majority".to_owned(),
        Shape::Chain(who) => {
            format!("let nodes reach only their neighbours in a line, with {} at its end", target(who))
        }
        Shape::QuorumLoss(who) => format!("leave nobody but {} in reach of a majority", target(who)),
        Shape::Clients(who) => format!("cut clients off from {}", target(who)),
    }
}

pub(super) fn action(action: &ActionSpec) -> String {
    match action {
        ActionSpec::Kill(who) => format!("kill {}", target(who)),
        ActionSpec::Wipe(who) => format!("kill {} and wipe the disk", target(who)),
        ActionSpec::Pause(who) => format!("freeze {}", target(who)),
        ActionSpec::Partition(of) => shape(of),
        ActionSpec::Link(on, what) => format!("{} {}", effect(what), links(on)),
        ActionSpec::Reset(on) => format!("reset the connections {}", links(on)),
        ActionSpec::Swizzle(who) => {
            format!("cut the links of {} one by one, and mend them in another order", target(who))
        }
    }
}

/// Its steps, and how long they last.
pub(super) fn body(body: &Body) -> String {
    let mut text = String::new();
    for (at, step) in body.steps.iter().enumerate() {
        match (at, step.after == Span::ZERO) {
            (0, true) => {}
            (0, false) => text.push_str(&format!("wait {}, then ", span(step.after))),
            (_, true) => text.push_str(" and "),
            (_, false) => text.push_str(&format!(", {} later ", span(step.after))),
        }
        text.push_str(&action(&step.action));
    }
    let holds = |step: &Step| matches!(&step.action, ActionSpec::Link(_, effect) if effect.hold);
    let released = if body.steps.iter().any(holds) { ", then let the held frames go" } else { "" };
    let momentary = body.steps.iter().all(|step| step.action.is_momentary());
    match &body.lasts {
        Lasts::For(length) if momentary && *length == Span::ZERO => text,
        Lasts::For(length) => format!("{text} for {}{released}", span(*length)),
        Lasts::Until(until) => format!("{text} until {}{released}", trigger(until)),
        Lasts::Phase => format!("{text} until the phase ends{released}"),
    }
}

/// `at once`, `after 2 s`, `when somebody has led for 2 s`.
pub(super) fn start(start: &Start) -> String {
    match start {
        Start::At(at) if *at == Span::ZERO => "at once".to_owned(),
        Start::At(at) => format!("after {}", span(*at)),
        Start::Every(every) => format!("every {}", span(*every)),
        Start::When(when) if when.plus.is_zero() => format!("when {}", trigger(when)),
        Start::When(when) => trigger(when),
    }
}

/// A clause: `a leader is elected for the 2nd time since `a` came`.
pub(super) fn trigger(trigger: &Trigger) -> String {
    let lasting = |holds: &Duration, text: &str| {
        if holds.is_zero() { text.to_owned() } else { format!("{text} for {}", time(*holds)) }
    };
    let mut clause = match &trigger.what {
        What::Came => format!("`{}` comes", trigger.after.as_deref().unwrap_or_default()),
        What::Event { kind: EventKind::LeaderElected, holds } if holds.is_zero() => {
            "a leader is elected".to_owned()
        }
        What::Event { kind: EventKind::LeaderElected, holds } => {
            lasting(holds, "a leader is elected and stays")
        }
        What::Event { kind: EventKind::LeaderStable, holds } => lasting(holds, "somebody has led"),
        What::Event { kind: EventKind::LeaderLost, holds } => lasting(holds, "nobody leads"),
        What::Event { kind: EventKind::NodeDown, holds } => lasting(holds, "a node is down"),
        What::Event { kind: EventKind::NodeUp, holds } => lasting(holds, "a node is back"),
        What::Message { kind, on } => format!("`{kind}` is sent {}", link(on)),
        What::OpsOk(1) => "an operation has succeeded".to_owned(),
        What::OpsOk(count) => format!("{count} operations have succeeded"),
    };
    if let (What::OpsOk(_), 2..) = (&trigger.what, trigger.nth) {
        clause.push_str(&format!(", {} times as many", trigger.nth));
    } else if trigger.nth > 1 {
        clause.push_str(&format!(" for the {} time", ordinal(trigger.nth)));
    }
    if let (Some(id), false) = (&trigger.after, trigger.what == What::Came) {
        clause.push_str(&format!(" since `{id}` came"));
    }
    if trigger.plus.is_zero() { clause } else { format!("{} after {clause}", time(trigger.plus)) }
}
