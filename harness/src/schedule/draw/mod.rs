//! When a schedule's faults can come, as a timeline: laid out once, drawn as text and as SVG.
//!
//! A timeline is drawn before anything runs, so it shows what may be: a fault at its earliest and shortest,
//! and how far it may reach if every draw is long; an arrow where something is waited for.

mod svg;
mod text;

use std::collections::BTreeMap;
use std::time::Duration;

use super::phrase::{body, span, start, time};
use super::{ActionSpec, Body, Fault, Lasts, Mix, Phase, Schedule, Span, Start, Target, What, Who};

/// How many repetitions of one fault are drawn apart from each other; the rest is one range.
const REPETITIONS_MAX: usize = 200;

/// What is to be drawn.
struct Timeline {
    name: String,
    /// `30 s`, and what may come on top.
    length: String,
    whole: Duration,
    /// Names, beginnings and ends.
    phases: Vec<(String, Duration, Duration)>,
    lanes: Vec<Lane>,
}

/// A fault, a mix, or a choice of it.
struct Lane {
    id: String,
    /// What it does, in words.
    note: String,
    /// A choice stands below its mix.
    is_choice: bool,
    bars: Vec<Bar>,
    /// Where what it waits for can come at the earliest.
    arrows: Vec<Duration>,
}

/// From when to when.
struct Bar {
    from: Duration,
    to: Duration,
    /// Whether that is its earliest and shortest, or how far it may reach.
    sure: bool,
}

/// When something comes: at the earliest, and at the latest if that is known.
#[derive(Clone, Copy)]
struct Comes {
    earliest: Duration,
    latest: Option<Duration>,
}

impl Schedule {
    /// The timeline as text, so many characters wide.
    #[must_use]
    pub fn draw_text(&self, width: usize) -> String {
        text::draw(&Timeline::of(self), width)
    }

    /// The timeline as a picture that needs nothing else, and is dark where its reader is.
    #[must_use]
    pub fn draw_svg(&self) -> String {
        svg::draw(&Timeline::of(self))
    }
}

impl Timeline {
    fn of(schedule: &Schedule) -> Timeline {
        let mut timeline = Timeline {
            name: schedule.name.clone(),
            length: String::new(),
            whole: Duration::ZERO,
            phases: Vec::new(),
            lanes: Vec::new(),
        };
        let nodes = u32::from(schedule.nodes.unwrap_or(1));
        let mut begins = Duration::ZERO;
        for phase in &schedule.phases {
            let ends = begins + phase.lasts;
            timeline.phases.push((phase.name.clone(), begins, ends));
            timeline.whole = timeline.whole.max(ends);
            let comes = comes(phase, begins);
            for fault in &phase.faults {
                timeline.lanes.push(fault_lane(fault, &comes, (begins, ends), nodes));
            }
            for mix in &phase.mixes {
                // The run goes on while something is owed.
                timeline.whole = timeline.whole.max(ends + extension(mix));
                timeline.lanes.push(mix_lane(mix, begins, ends));
                timeline.lanes.extend(choice_lanes(mix));
            }
            begins = ends;
        }
        timeline.length = time(begins);
        if timeline.whole > begins {
            let more = time(timeline.whole - begins);
            timeline.length.push_str(&format!(", and up to {more} more while something is owed"));
        }
        timeline
    }
}

fn extension(mix: &Mix) -> Duration {
    if mix.choices.iter().any(|choice| choice.required) { mix.extend } else { Duration::ZERO }
}

/// When the faults of a phase come, as far as one can tell from the file.
fn comes(phase: &Phase, begins: Duration) -> BTreeMap<&str, Comes> {
    let mut known: BTreeMap<&str, Comes> = BTreeMap::new();
    // One round settles at least one more of those that wait for others.
    for _ in 0..=phase.faults.len() {
        for fault in &phase.faults {
            let exactly =
                |span: &Span| Comes { earliest: begins + span.min, latest: Some(begins + span.max) };
            let found = match &fault.start {
                Start::At(span) | Start::Every(span) => exactly(span),
                Start::When(trigger) => {
                    let other = trigger.after.as_deref().and_then(|id| known.get(id)).copied();
                    let since = other.unwrap_or(Comes { earliest: begins, latest: None });
                    let holds = match trigger.what {
                        What::Event { holds, .. } => holds,
                        What::Came | What::Message { .. } | What::OpsOk(_) => Duration::ZERO,
                    };
                    let latest = since.latest.filter(|_| trigger.what == What::Came && trigger.nth == 1);
                    Comes {
                        earliest: since.earliest + holds + trigger.plus,
                        latest: latest.map(|latest| latest + trigger.plus),
                    }
                }
            };
            known.insert(&fault.id, found);
        }
    }
    known
}

/// How long a fault takes: at least, and at most if that is known.
fn takes(body: &Body, nodes: u32) -> (Duration, Option<Duration>) {
    let first = body.steps.first().map_or(Span::ZERO, |step| step.after);
    let steps = body
        .steps
        .iter()
        .skip(1)
        .fold(Span::ZERO, |sum, step| Span::between(sum.min + step.after.min, sum.max + step.after.max));
    let in_turn = body.steps.iter().any(|step| {
        matches!(
            &step.action,
            ActionSpec::Kill(Target { who: Who::Each, .. })
                | ActionSpec::Pause(Target { who: Who::Each, .. })
        )
    });
    let times = if in_turn { nodes } else { 1 };
    match &body.lasts {
        Lasts::For(span) => {
            (first.min + steps.min + span.min * times, Some(first.max + steps.max + span.max * times))
        }
        Lasts::Until(_) | Lasts::Phase => (first.min + steps.min, None),
    }
}

fn fault_lane(fault: &Fault, comes: &BTreeMap<&str, Comes>, phase: (Duration, Duration), nodes: u32) -> Lane {
    let (begins, ends) = phase;
    let unknown = Comes { earliest: begins, latest: None };
    let first = comes.get(fault.id.as_str()).copied().unwrap_or(unknown);
    let (shortest, longest) = takes(&fault.body, nodes);
    let to_the_end = fault.body.lasts == Lasts::Phase;
    let mut bars = Vec::new();
    let mut bar = |from: Duration, to: Duration, sure: bool| {
        let (from, to) = (from.min(ends), to.min(ends));
        if from < ends {
            bars.push(Bar { from, to, sure });
        }
    };
    let reach = |latest: Option<Duration>| match (latest, longest) {
        (Some(latest), Some(longest)) => latest + longest,
        _ => ends,
    };
    match &fault.start {
        Start::Every(every) => {
            let exact = every.min == every.max && longest == Some(shortest);
            let times = fault.times_max.map_or(REPETITIONS_MAX, |max| (max as usize).min(REPETITIONS_MAX));
            if !exact {
                let longest_round = longest.map(|longest| every.max + longest);
                let known =
                    fault.times_max.and_then(|times| Some(begins + longest_round?.checked_mul(times)?));
                bar(first.earliest, known.unwrap_or(ends), false);
            }
            let mut at = first.earliest;
            for _ in 0..if exact { times } else { 1 } {
                bar(at, at + shortest, true);
                at += shortest + every.min;
            }
        }
        Start::At(_) | Start::When(_) => {
            let again = matches!(fault.start, Start::When(_)) && fault.times_max != Some(1);
            bar(first.earliest, if again { ends } else { reach(first.latest) }, false);
            if first.latest.is_some() {
                bar(first.earliest, if to_the_end { ends } else { first.earliest + shortest }, true);
            }
        }
    }
    let waits = matches!(fault.start, Start::When(_)) && first.earliest < ends;
    Lane {
        id: fault.id.clone(),
        note: format!("{}: {}", start(&fault.start), body(&fault.body)),
        is_choice: false,
        bars,
        arrows: if waits { vec![first.earliest] } else { Vec::new() },
    }
}

/// Everywhere but in its calm, which is the last part of each of its rounds.
fn mix_lane(mix: &Mix, begins: Duration, ends: Duration) -> Lane {
    let ends = ends + extension(mix);
    let mut bars = Vec::new();
    match mix.calm {
        None => bars.push(Bar { from: begins, to: ends, sure: false }),
        Some((calm, every)) => {
            let mut at = begins;
            while at < ends && bars.len() < REPETITIONS_MAX {
                bars.push(Bar { from: at, to: (at + every - calm).min(ends), sure: false });
                at += every;
            }
        }
    }
    let mut note = format!("one of {} at random, {} of calm after each", mix.choices.len(), span(mix.gap));
    if mix.overlap > 1 {
        note.push_str(&format!(", up to {} at a time", mix.overlap));
    }
    Lane { id: mix.id.clone(), note, is_choice: false, bars, arrows: Vec::new() }
}

fn choice_lanes(mix: &Mix) -> impl Iterator<Item = Lane> {
    let whole: u64 = mix.choices.iter().map(|choice| u64::from(choice.weight)).sum();
    mix.choices.iter().map(move |choice| {
        let owed = if choice.required { ", required" } else { "" };
        Lane {
            id: choice.id.clone(),
            note: format!("{} in {whole}{owed}: {}", choice.weight, body(&choice.body)),
            is_choice: true,
            bars: Vec::new(),
            arrows: Vec::new(),
        }
    })
}

/// The distance between two marks on the axis: the smallest round one that leaves room for labels.
fn tick(whole: Duration, marks_max: u32) -> Duration {
    const ROUND_MS: [u64; 17] = [
        1, 10, 100, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
        900_000, 1_800_000, 3_600_000,
    ];
    let fits = |tick: &Duration| *tick * marks_max.max(1) >= whole;
    ROUND_MS.into_iter().map(Duration::from_millis).find(fits).unwrap_or(whole)
}
