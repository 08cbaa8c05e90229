//! A failure to repeat: what a run's folder, or a schedule file, says about it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::planted::Planted;
use super::shape;
use super::{neighbour, paxos, progress, the_file};
use crate::results::store::{MANIFEST_FILE, RESOLVED_FILE, Store, StoreError, VERDICT_FILE};
use crate::run::options::Options;
use crate::run::stop::Stop;
use crate::run::verdict::{Answer, RunVerdict, Subject};
use crate::run::{Ended, RunError, run};
pub(super) use crate::schedule::Failure;
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
    /// What was wrong, if a run, or a file of the corpus, says so.
    pub(super) failure: Option<Failure>,
}

impl Failure {
    /// What is wrong with a run, if anything is; safety first.
    pub(super) fn in_verdict(verdict: &RunVerdict) -> Option<Failure> {
        let wrong = |subject| verdict.part(subject).is_some_and(|part| part.answer == Answer::Invalid);
        if wrong(Subject::History) || wrong(Subject::Nodes) {
            return Some(Failure::Safety);
        }
        wrong(Subject::Liveness).then_some(Failure::Liveness)
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
        let failure = schedule.found.as_ref().map(|found| found.failure);
        let mut case = Case { schedule, file, folder: None, mutant: None, binary: None, failure };
        if let Some(folder) = folder {
            let Ran { options } = read_json(&folder.join(MANIFEST_FILE))?;
            case.mutant = options.mutant;
            case.binary = Some(options.binary).filter(|binary| binary.is_absolute());
            case.failure = Failure::in_verdict(&read_json(&folder.join(VERDICT_FILE))?);
            case.folder = Some(folder);
        }
        Ok(case)
    }

    /// What there is to say before it is tried, if anything.
    pub(super) fn warning(&self) -> Option<String> {
        let found = self.schedule.found.as_ref()?;
        let planted = Planted::by_name(&found.bug)?;
        self.mutant.is_none().then(|| {
            format!(
                "the bug that this once showed is a planted one, and not switched on: --mutant {} does it",
                planted.name
            )
        })
    }

    /// The run of this schedule.
    pub(super) fn options(&self, schedule: &Schedule, seed: u64) -> Options {
        let binary = self.binary.clone().unwrap_or_else(|| neighbour("paxos-node"));
        // What is made of the case's schedule stands in no file.
        let file = (*schedule == self.schedule).then_some(&*self.file);
        let options = Options::of_schedule(file, schedule.clone(), &binary, seed);
        Options { seed, mutant: self.mutant.clone(), ..options }
    }

    /// Whether what was wrong with a run is the failure in question: any, if it is not known which.
    pub(super) fn shows(&self, found: Option<Failure>) -> bool {
        match self.failure {
            Some(wanted) => found == Some(wanted),
            None => found.is_some(),
        }
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

/// What a run's manifest says that its schedule does not.
#[derive(Deserialize)]
struct Ran {
    options: RanOptions,
}

#[derive(Deserialize)]
struct RanOptions {
    mutant: Option<String>,
    binary: PathBuf,
}

fn read_json<T: DeserializeOwned>(file: &Path) -> Result<T, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

/// Where repetitions go, below the results: they are many, and their failures are no news.
pub(super) fn replays(results: &Path) -> Result<Store, StoreError> {
    // A place that can't be used is told by the name that the user gave.
    Store::open(results)?;
    Store::expendable(&results.join("replays"))
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
    use crate::run::verdict::Part;
    use serde_json::json;

    #[test]
    fn safety_is_what_clients_or_nodes_show_and_comes_first() {
        use Answer::*;
        let of = |parts: &[(Subject, Answer)]| {
            let parts = parts.iter().map(|&(subject, answer)| Part::new(subject, answer, "because"));
            Failure::in_verdict(&RunVerdict::fold(parts.collect()))
        };
        assert_eq!(of(&[(Subject::History, Valid), (Subject::Coverage, Invalid)]), None);
        assert_eq!(of(&[(Subject::Liveness, Invalid)]), Some(Failure::Liveness));
        assert_eq!(of(&[(Subject::Liveness, Invalid), (Subject::Nodes, Invalid)]), Some(Failure::Safety));
    }

    /// A run's folder with what this one left.
    fn folder(manifest: &str, verdict: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let schedule = "schema = 1\nname = \"quiet\"\ntime-limit = \"10s\"\n";
        for (name, text) in [(RESOLVED_FILE, schedule), (MANIFEST_FILE, manifest), (VERDICT_FILE, verdict)] {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        folder
    }

    #[test]
    fn a_folder_says_what_ran_and_what_was_wrong_with_it() {
        let mut options = Options::usual("set", "/tmp/paxos-node".into(), 7);
        options.mutant = Some("strict-accept".to_owned());
        let manifest = json!({ "options": options, "seed": 7 });
        let stuck = Part::new(Subject::Liveness, Answer::Invalid, "no progress");
        let verdict = RunVerdict::fold(vec![stuck, Part::new(Subject::History, Answer::Valid, "fine")]);
        let mut verdict = json!(verdict);
        verdict["leader_changes"] = json!(3);
        let ran = folder(&manifest.to_string(), &verdict.to_string());
        let case = Case::open(ran.path()).expect("a case");
        assert_eq!(case.mutant.as_deref(), Some("strict-accept"));
        assert_eq!(case.binary.as_deref(), Some(Path::new("/tmp/paxos-node")));
        assert_eq!(case.failure, Some(Failure::Liveness));
        assert!(case.shows(Some(Failure::Liveness)) && !case.shows(Some(Failure::Safety)));

        // What is damaged is not taken for a run without a failure.
        let damaged = folder(&manifest.to_string(), "{\"verdict\": \"invalid\"}");
        let refused = Case::open(damaged.path()).expect_err("a verdict without parts");
        assert!(refused.contains(VERDICT_FILE), "{refused}");
    }

    #[test]
    fn only_what_the_file_says_is_repeated_by_its_name() {
        let ran = folder("", "");
        let case = Case::open(&ran.path().join(RESOLVED_FILE)).expect("a schedule");
        let smaller = Schedule { phases: Vec::new(), ..case.schedule.clone() };
        let repeats = |schedule| case.options(schedule, 1).command_line("antipaxos", Path::new("results"));
        assert!(repeats(&case.schedule).contains("--schedule"));
        assert!(!repeats(&smaller).contains("--schedule"), "{}", repeats(&smaller));
    }

    #[test]
    fn any_failure_will_do_where_none_is_known() {
        let ran = folder("", "");
        let case = Case::open(&ran.path().join(RESOLVED_FILE)).expect("a schedule");
        assert!(case.shows(Some(Failure::Safety)) && case.shows(Some(Failure::Liveness)));
        assert!(!case.shows(None));
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
