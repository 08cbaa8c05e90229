//! A failure to repeat: what a run's folder, or a schedule file, says about it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::shape;
use super::{neighbour, paxos, progress, the_file};
use crate::results::store::{RESOLVED_FILE, Store, VERDICT_FILE};
use crate::run::options::Options;
use crate::run::stop::Stop;
use crate::run::verdict::{Answer, RunVerdict, Subject};
use crate::run::{Ended, RunError, run};
use crate::schedule::Schedule;
use crate::system::paxos::simulation::{Simulated, simulate};

/// A schedule that did something, and what it takes to run it again.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// With its own load, nodes and seed.
    pub(super) schedule: Schedule,
    /// The file it was read from.
    pub(super) file: PathBuf,
    /// The run's folder, if one was given.
    pub(super) folder: Option<PathBuf>,
    /// The rule that was removed.
    pub(super) mutant: Option<String>,
    /// The binary that ran; none if it was simulated, or only a file was given.
    pub(super) binary: Option<PathBuf>,
    /// What was wrong, if a run says so.
    pub(super) failure: Option<Failure>,
}

/// What kind of thing was wrong: what a repetition must show to count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Clients saw what can't be, or the nodes contradict the protocol: one bug shows as either.
    Safety,
    /// The cluster did not come back.
    Liveness,
}

impl Failure {
    /// What is wrong in these parts, if anything is; safety first.
    fn of(invalid: &BTreeSet<Subject>) -> Option<Failure> {
        if invalid.contains(&Subject::History) || invalid.contains(&Subject::Nodes) {
            return Some(Failure::Safety);
        }
        invalid.contains(&Subject::Liveness).then_some(Failure::Liveness)
    }

    /// What is wrong with a run, if anything is.
    pub(super) fn in_verdict(verdict: &RunVerdict) -> Option<Failure> {
        let invalid = verdict.parts.iter().filter(|part| part.answer == Answer::Invalid);
        Failure::of(&invalid.map(|part| part.subject).collect())
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Failure::Safety => "safety",
            Failure::Liveness => "liveness",
        })
    }
}

impl Case {
    /// Reads a run's folder, or a schedule file.
    pub(super) fn open(path: &Path) -> Result<Case, String> {
        let folder = path.is_dir().then(|| path.to_owned());
        let file = folder.as_ref().map_or_else(|| path.to_owned(), |folder| folder.join(RESOLVED_FILE));
        if folder.is_some() && !file.is_file() {
            return Err(format!(
                "{}: no {RESOLVED_FILE}: the run was given up before any fault, or is older than this format",
                path.display()
            ));
        }
        let schedule = shape::read(&file)?;
        let mut case = Case { schedule, file, folder: None, mutant: None, binary: None, failure: None };
        if let Some(folder) = folder {
            let manifest = json(&folder.join("manifest.json"))?;
            let option = |name: &str| manifest["options"][name].as_str().map(str::to_owned);
            case.mutant = option("mutant");
            case.binary = option("binary").map(PathBuf::from).filter(|binary| binary.is_absolute());
            case.failure = failure_of(&json(&folder.join(VERDICT_FILE))?);
            case.folder = Some(folder);
        }
        Ok(case)
    }

    /// The run of this schedule.
    pub(super) fn options(&self, schedule: &Schedule, seed: u64) -> Options {
        let binary = self.binary.clone().unwrap_or_else(|| neighbour("paxos-node"));
        let options = shape::of_schedule(&self.file, schedule.clone(), &binary, seed);
        Options { seed, mutant: self.mutant.clone(), ..options }
    }

    /// The seed from which seeds are counted.
    pub(super) fn seed(&self) -> u64 {
        self.schedule.seed.unwrap_or(0)
    }

    /// Runs it on real processes.
    pub(super) async fn run(
        &self,
        schedule: &Schedule,
        seed: u64,
        store: &Store,
        stop: Stop,
    ) -> Result<Ended, RunError> {
        let mut options = self.options(schedule, seed);
        options.binary = the_file(&options.binary)?;
        let system = Arc::new(paxos(&options));
        let command_line: Vec<String> = std::env::args().collect();
        run(options, system, store, &command_line, progress::quiet(), stop).await
    }

    /// Runs it in the simulation.
    pub(super) fn simulate(&self, schedule: &Schedule, seed: u64) -> Result<Simulated, String> {
        simulate(&self.options(schedule, seed)).map_err(|error| error.to_string())
    }
}

fn failure_of(verdict: &Value) -> Option<Failure> {
    let parts = verdict["parts"].as_array()?;
    let subject = |part: &Value| match part["subject"].as_str() {
        Some("history") => Some(Subject::History),
        Some("nodes") => Some(Subject::Nodes),
        Some("liveness") => Some(Subject::Liveness),
        _ => None,
    };
    let invalid = parts.iter().filter(|part| part["answer"] == "invalid");
    Failure::of(&invalid.filter_map(subject).collect())
}

fn json(file: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

/// `90`, `90s`, `15m`: a time to be spent.
pub(super) fn budget(text: &str) -> Result<Duration, String> {
    let (digits, unit) = match text.strip_suffix('m') {
        Some(digits) => (digits, 60.0),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    match digits.parse::<f64>() {
        Ok(number) if number > 0.0 && number * unit <= 86_400.0 => Ok(Duration::from_secs_f64(number * unit)),
        _ => Err("a time such as 90s or 15m, at most a day".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn safety_is_what_clients_or_nodes_show_and_comes_first() {
        let of = |parts: &str| failure_of(&serde_json::from_str(parts).expect("JSON"));
        let part =
            |subject: &str, answer: &str| format!(r#"{{"subject": "{subject}", "answer": "{answer}"}}"#);
        let all = |parts: &[String]| format!(r#"{{"parts": [{}]}}"#, parts.join(","));
        assert_eq!(of(&all(&[part("history", "valid"), part("coverage", "invalid")])), None);
        assert_eq!(of(&all(&[part("liveness", "invalid")])), Some(Failure::Liveness));
        assert_eq!(of(&all(&[part("liveness", "invalid"), part("nodes", "invalid")])), Some(Failure::Safety));
    }

    #[test]
    fn budgets_are_seconds_or_minutes() {
        assert_eq!(budget("90"), Ok(Duration::from_secs(90)));
        assert_eq!(budget("1.5m"), Ok(Duration::from_secs(90)));
        for wrong in ["", "0", "m", "-1s", "2d", "nan"] {
            assert!(budget(wrong).is_err(), "{wrong}");
        }
    }
}
