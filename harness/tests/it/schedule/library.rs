//! The schedules that come with us: each is one, says what it tells, and counts only if it did it.

use std::time::Duration;

use harness::schedule::library::LIBRARY;
use harness::schedule::{Dialect, Schedule, Start};

use super::{files, folder};

/// What a run of one may take: a person waits for it.
const LENGTH_MAX: Duration = Duration::from_secs(40);

fn library() -> Vec<(String, Schedule)> {
    let read = |(path, name, text): (std::path::PathBuf, String, String)| {
        let reading = Schedule::read_for(&Dialect::PAXOS, &name, &text);
        let reading = reading.unwrap_or_else(|refusals| panic!("{refusals}"));
        let warnings: Vec<String> = reading.warnings.iter().map(ToString::to_string).collect();
        assert!(warnings.is_empty(), "{}", warnings.join("\n"));
        (path.file_stem().unwrap().to_string_lossy().into_owned(), reading.schedule)
    };
    files("schedules").into_iter().map(read).collect()
}

#[test]
fn what_is_compiled_in_is_what_is_there() {
    let there: Vec<(String, String)> = files("schedules")
        .into_iter()
        .map(|(path, _, text)| (path.file_stem().unwrap().to_string_lossy().into_owned(), text))
        .collect();
    let compiled: Vec<(String, String)> =
        LIBRARY.iter().map(|entry| (entry.name.to_owned(), entry.text.to_owned())).collect();
    assert_eq!(compiled, there, "harness/src/schedule/library.rs lists them");
}

#[test]
fn the_library_is_what_it_says() {
    let library = library();
    assert!(library.len() >= 12, "only {} schedules", library.len());
    for (file, schedule) in library {
        assert_eq!(schedule.name, file, "a schedule is called as its file is");
        assert!(schedule.story.len() > 80, "{file} does not say what it tells");
        assert!(schedule.lasts() <= LENGTH_MAX, "{file} lasts {:?}", schedule.lasts());
        assert!(
            schedule.nodes.is_some() && schedule.workload.name.is_some(),
            "{file} leaves the main things open"
        );
        assert!(schedule.workload.rate.is_some(), "{file}: without a rate a run measures the machine");
    }
}

#[test]
fn a_run_of_any_of_them_counts_only_if_it_did_what_it_tells() {
    for (file, schedule) in library() {
        assert!(schedule.required().next().is_some(), "{file} requires no fault");
        assert!(schedule.coverage.ops_ok_min > 0, "{file} counts even if nothing succeeded");
        assert!(schedule.settle_max.is_some(), "{file} gives no time to settle");
        let first = &schedule.phases[0];
        assert!(first.faults.is_empty() && first.mixes.is_empty(), "{file} begins before the cluster works");
        assert!(first.ok_rate_min.is_some(), "{file} does not say when the cluster works");
        let rate = schedule.workload.rate.unwrap_or(0.0);
        let asked = rate * schedule.lasts().as_secs_f64();
        assert!(
            schedule.coverage.ops_ok_min as f64 <= asked / 3.0,
            "{file} demands more than a bad day gives"
        );
    }
}

#[test]
fn each_kind_of_thing_occurs_in_the_library() {
    let all: String = library().iter().map(|(_, schedule)| schedule.to_toml()).collect();
    for word in [
        "\"kill\"",
        "\"pause\"",
        "\"partition\"",
        "\"link\"",
        "\"reset\"",
        "\"swizzle\"",
        "\"halves\"",
        "\"isolate\"",
        "\"one-way\"",
        "\"bridge\"",
        "\"majorities-ring\"",
        "\"chain\"",
        "\"quorum-loss\"",
        "\"clients\"",
        "cut = true",
        "delay = ",
        "jitter = ",
        "bandwidth = ",
        "half-open = ",
        "hold = ",
        "drop = ",
        "duplicate = ",
        "reorder = ",
        "corrupt = ",
        "messages = ",
        "when = ",
        "until = ",
        "steps = ",
        "[[phase.mix]]",
        "\"each\"",
        "keep-quorum",
        "break-quorum",
        "tcp-legal",
        "message-lossy",
    ] {
        assert!(all.contains(word), "nothing in the library uses {word}");
    }
}

#[test]
fn nothing_recurs_so_fast_that_it_is_all_that_happens() {
    for (file, schedule) in library() {
        for fault in schedule.phases.iter().flat_map(|phase| &phase.faults) {
            if let Start::Every(every) = &fault.start {
                assert!(every.min >= Duration::from_millis(100), "{file}: {}", fault.id);
            }
        }
    }
}

#[test]
fn the_reference_shows_a_schedule_and_names_every_key() {
    let page = std::fs::read_to_string(folder("schedules/README.md")).unwrap();
    let example =
        page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let reading = Schedule::read_for(&Dialect::PAXOS, "README.md", example)
        .unwrap_or_else(|refusals| panic!("{refusals}"));
    assert_eq!(reading.warnings, []);
    let everything = include_str!("../../schedules/everything.toml");
    let written = Schedule::read("everything.toml", everything).unwrap().to_toml();
    let mut seen = 0;
    for (at, _) in written.match_indices(" = ") {
        let key = written[..at].rsplit([' ', '\n']).next().unwrap_or_default();
        let named = page.contains(&format!("`{key}`")) || page.contains(&format!("{key} = "));
        assert!(named, "the reference does not name {key}");
        seen += 1;
    }
    assert!(seen > 40, "only {seen} keys");
    for kind in Dialect::PAXOS.between_nodes.iter().chain(Dialect::PAXOS.with_clients) {
        assert!(page.contains(kind), "the reference does not name the frames {kind}");
    }
}
