//! The corpus: every file of it says what it found, the node as it is passes all of it, and the planted
//! bug that a file names is still caught by it.

use std::path::Path;

use harness::run::options::Options;
use harness::run::verdict::Answer;
use harness::schedule::{Found, Schedule};
use harness::system::paxos::simulation::{Simulated, simulate};

use crate::schedule::files;

fn corpus() -> Vec<(String, Schedule, Found)> {
    let read = |(path, name, text): (std::path::PathBuf, String, String)| {
        let schedule = Schedule::read(&name, &text).unwrap_or_else(|refusals| panic!("{refusals}"));
        let found = schedule.found.clone().unwrap_or_else(|| panic!("{name} does not say what it found"));
        (path.file_stem().unwrap().to_string_lossy().into_owned(), schedule, found)
    };
    files("corpus").into_iter().map(read).collect()
}

/// The run of a schedule with this seed, as the command line would have it.
fn run(schedule: &Schedule, seed: u64) -> Simulated {
    let options = Options::of_schedule(None, schedule.clone(), Path::new("paxos-node"), seed);
    // The file's own seed is one of those to be tried.
    let options = Options { seed, ..options };
    simulate(&options).expect("a workload")
}

#[test]
fn each_file_is_small_and_tells_its_story() {
    let corpus = corpus();
    assert!(corpus.len() >= 5, "only {} files", corpus.len());
    for (file, schedule, found) in corpus {
        assert_eq!(schedule.name, file, "a schedule is called as its file is");
        assert!(schedule.story.len() > 80, "{file} does not say what it tells");
        assert!(schedule.ids().count() <= 3, "{file} is not shrunk");
        assert!(!found.bug.is_empty() && schedule.seed.is_some(), "{file} leaves the main things open");
    }
}

#[test]
fn the_node_as_it_is_passes_all_of_it() {
    for (file, schedule, _) in corpus() {
        let first = schedule.seed.unwrap_or(0);
        let answers: Vec<Answer> =
            (first..first + 4).map(|seed| run(&schedule, seed).verdict.verdict).collect();
        assert!(!answers.contains(&Answer::Invalid), "{file}: {answers:?}");
        assert!(answers.contains(&Answer::Valid), "{file} shows nothing: {answers:?}");
    }
}

#[cfg(feature = "mutants")]
#[test]
fn each_file_still_catches_the_planted_bug_that_it_names() {
    use harness::run::verdict::Subject;
    use harness::schedule::Failure;
    use harness::system::paxos::simulation::activate;

    for (file, schedule, found) in corpus() {
        activate(Some(&found.bug)).unwrap_or_else(|reason| panic!("{file}: {reason}"));
        let first = schedule.seed.unwrap_or(0);
        let caught = (first..first + 24).any(|seed| {
            let verdict = run(&schedule, seed).verdict;
            let wrong = |subject| verdict.part(subject).is_some_and(|part| part.answer == Answer::Invalid);
            match found.failure {
                Failure::Safety => wrong(Subject::History) || wrong(Subject::Nodes),
                Failure::Liveness => wrong(Subject::Liveness),
            }
        });
        activate(None).expect("all rules again");
        assert!(caught, "{file} no longer catches {} in 24 seeds", found.bug);
    }
}
