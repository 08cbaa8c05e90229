//! The corpus: schedules that each once showed a bug, replayed against the node as it is. All of them in
//! the simulation, where a run costs milliseconds; on real processes as many as a share of the time holds,
//! in turn from a place that the seed chooses, and those that are required in any case.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::case::Case;
use super::interrupt::Interrupts;
use super::output::remark;
use super::test_all::Row;
use crate::results::store::Store;
use crate::run::facts::Facts;
use crate::run::options::shell_word;
use crate::run::verdict::{Answer, HARNESS_FAILED, Part, RunVerdict, Subject};
use crate::schedule::Found;

/// Where it is, in a checkout.
pub(super) const FOLDER: &str = "harness/corpus";
/// Seeds with which each file is simulated, counted from its own.
const SEEDS: u64 = 8;
/// What a run on real processes takes besides its faults: start, warm-up, settling, reads, judgement.
const OVERHEAD: Duration = Duration::from_secs(6);

/// A file of the corpus.
#[derive(Clone)]
struct Entry {
    name: String,
    found: Found,
    case: Case,
}

/// All of them.
#[derive(Clone)]
pub(super) struct Corpus(Vec<Entry>);

impl Corpus {
    /// Reads every schedule of a folder, in the order of their names.
    pub(super) fn read(folder: &Path) -> Result<Corpus, String> {
        let trouble = |error| format!("{}: {error}", folder.display());
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(trouble)? {
            files.push(entry.map_err(trouble)?.path());
        }
        files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
        files.sort();
        let entry = |file: PathBuf| {
            let case = Case::open(&file)?;
            let Some(found) = case.schedule.found.clone() else {
                return Err(format!(
                    "{}: no [found]: a schedule of the corpus says which bug it showed",
                    file.display()
                ));
            };
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Ok(Entry { name, found, case })
        };
        let entries: Vec<Entry> = files.into_iter().map(entry).collect::<Result<_, String>>()?;
        if entries.is_empty() {
            Err(format!("{}: no schedules", folder.display()))
        } else {
            Ok(Corpus(entries))
        }
    }

    /// Replays all of it in virtual time. A failure stops it.
    pub(super) fn simulate(&self, interrupts: &Interrupts) -> Row {
        let (mut valid, mut weak, mut hollow) = (0, 0, Vec::new());
        for Entry { name, case, .. } in &self.0 {
            let before = valid;
            for number in 0..SEEDS {
                if interrupts.came() {
                    return row("corpus", Answer::Unknown, "interrupted".to_owned());
                }
                let seed = case.seed().wrapping_add(number);
                let simulated = match case.simulate(&case.schedule, seed) {
                    Ok(simulated) => simulated,
                    Err(reason) => return row("corpus", Answer::Unknown, format!("{name}: {reason}")),
                };
                match simulated.verdict.verdict {
                    Answer::Valid | Answer::Unknown => {
                        match proves(case, &simulated.verdict, &simulated.facts) {
                            true => valid += 1,
                            false => weak += 1,
                        }
                    }
                    Answer::Invalid => {
                        let told = simulated.verdict.told();
                        return row("corpus", Answer::Invalid, red(name, &told, &again(&case.file, seed)));
                    }
                }
            }
            if valid == before {
                hollow.push(&**name);
            }
        }
        if !hollow.is_empty() {
            let told = format!("no run of these proves anything any more: {}", hollow.join(", "));
            return row("corpus", Answer::Unknown, told);
        }
        let told = format!("{} schedules in the simulation: {}", self.0.len(), counted(valid, weak));
        row("corpus", if valid > 0 { Answer::Valid } else { Answer::Unknown }, told)
    }

    /// Replays on real processes what this time holds; none if it holds none of them.
    pub(super) async fn run(
        &self,
        binary: &Path,
        seed: u64,
        time: Duration,
        store: &Store,
        interrupts: &Interrupts,
    ) -> Option<Row> {
        let chosen = self.choose(seed, time);
        let left: Vec<&str> = (0..self.0.len())
            .filter(|place| !chosen.contains(place))
            .map(|place| &*self.0[place].name)
            .collect();
        let (mut valid, mut weak, mut names) = (0, 0, Vec::new());
        for entry in chosen.iter().map(|&place| &self.0[place]) {
            if interrupts.came() {
                return Some(row("corpus, real", Answer::Unknown, "interrupted".to_owned()));
            }
            let case = Case { binary: Some(binary.to_owned()), ..entry.case.clone() };
            match case.run(&case.schedule, seed, store, interrupts.stop()).await {
                Ok(ended) if ended.verdict.verdict == Answer::Invalid => {
                    let told = red(&entry.name, &ended.verdict.told(), &ended.summary.repeat);
                    return Some(row("corpus, real", Answer::Invalid, told));
                }
                Ok(ended) if ended.verdict.exit == HARNESS_FAILED => {
                    return Some(broken(format!(
                        "{}: the harness failed ({})",
                        entry.name, ended.summary.folder
                    )));
                }
                Ok(ended) if proves(&case, &ended.verdict, &ended.facts) => valid += 1,
                Ok(_) => weak += 1,
                Err(error) => return Some(broken(format!("{}: {error}", entry.name))),
            }
            names.push(&*entry.name);
        }
        let not =
            if left.is_empty() { String::new() } else { format!("; not this time: {}", left.join(" ")) };
        if names.is_empty() {
            remark(&format!("corpus: no time for real processes{not}"));
            return None;
        }
        let told = format!("{} on real processes: {}{not}", names.join(" "), counted(valid, weak));
        Some(row("corpus, real", if valid > 0 { Answer::Valid } else { Answer::Unknown }, told))
    }

    /// Which of them are run on real processes, as places.
    fn choose(&self, seed: u64, time: Duration) -> Vec<usize> {
        let cost = |place: usize| self.0[place].case.schedule.lasts() + OVERHEAD;
        let (mut chosen, others): (Vec<usize>, Vec<usize>) =
            (0..self.0.len()).partition(|&place| self.0[place].found.required);
        let mut left = time.saturating_sub(chosen.iter().map(|&place| cost(place)).sum());
        let first = usize::try_from(seed % others.len().max(1) as u64).unwrap_or(0);
        for &place in others.iter().cycle().skip(first).take(others.len()) {
            if cost(place) > left {
                break;
            }
            left -= cost(place);
            chosen.push(place);
        }
        chosen
    }
}

/// Whether a run that did not fail shows that the old failure is gone: its faults bit, and all was looked
/// at. How much succeeded meanwhile is not asked: such a schedule may be nothing but an outage.
fn proves(case: &Case, verdict: &RunVerdict, facts: &Facts) -> bool {
    let looked_at = |part: &Part| part.answer == Answer::Valid || part.subject == Subject::Coverage;
    let bit = facts.faults.iter().filter(|fault| fault.bit).count();
    bit >= case.schedule.ids().count() && verdict.parts.iter().all(looked_at)
}

fn row(name: &str, answer: Answer, told: String) -> Row {
    Row { name: name.to_owned(), answer, exit: answer.code(), told }
}

fn broken(told: String) -> Row {
    Row { name: "corpus, real".to_owned(), answer: Answer::Unknown, exit: HARNESS_FAILED, told }
}

/// The complaint about a file that fails.
fn red(name: &str, told: &str, again: &str) -> String {
    format!("{name} fails: {told}\n                         {again}")
}

fn again(file: &Path, seed: u64) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "antipaxos".to_owned());
    format!("{} sim --schedule {} --seed {seed}", shell_word(&program), shell_word(file))
}

fn counted(valid: u64, weak: u64) -> String {
    match weak {
        0 => format!("{valid} runs valid"),
        _ => format!("{valid} runs valid, {weak} too weak to count"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Body, Fault, Guard, Lasts, Span, Start};

    fn corpus(required: &[bool]) -> Corpus {
        let folder = tempfile::tempdir().expect("a folder");
        for (number, required) in required.iter().enumerate() {
            let text = format!(
                "schema = 1\nname = \"quiet\"\ntime-limit = \"4s\"\n[found]\nbug = \"strict-accept\"\n\
                 failure = \"safety\"\nrequired = {required}\n"
            );
            std::fs::write(folder.path().join(format!("{number}.toml")), text).expect("a file");
        }
        Corpus::read(folder.path()).expect("a corpus")
    }

    #[test]
    fn what_is_required_runs_and_the_others_in_turn() {
        let corpus = corpus(&[false, true, false, false]);
        let seconds = Duration::from_secs;
        assert_eq!(corpus.choose(0, seconds(0)), [1]);
        assert_eq!(corpus.choose(0, seconds(30)), [1, 0, 2]);
        assert_eq!(corpus.choose(1, seconds(30)), [1, 2, 3]);
        assert_eq!(corpus.choose(2, seconds(30)), [1, 3, 0]);
        assert_eq!(corpus.choose(7, seconds(300)), [1, 2, 3, 0]);
    }

    #[test]
    fn a_file_that_does_not_say_what_it_found_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(Corpus::read(folder.path()).is_err_and(|reason| reason.contains("no schedules")));
        let text = "schema = 1\nname = \"quiet\"\ntime-limit = \"4s\"\n";
        std::fs::write(folder.path().join("a.toml"), text).expect("a file");
        assert!(Corpus::read(folder.path()).is_err_and(|reason| reason.contains("no [found]")));
    }

    #[test]
    fn an_outage_proves_as_much_as_it_was_looked_at() {
        let case = &corpus(&[false]).0[0].case;
        let verdict = |nodes| {
            let part = |subject, answer| Part::new(subject, answer, "because");
            RunVerdict::fold(vec![part(Subject::Nodes, nodes), part(Subject::Coverage, Answer::Unknown)])
        };
        let facts = Facts::default();
        assert!(proves(case, &verdict(Answer::Valid), &facts));
        assert!(!proves(case, &verdict(Answer::Unknown), &facts));
        let mut struck = case.clone();
        struck.schedule.phases[0].faults.push(Fault {
            id: "kill".to_owned(),
            start: Start::At(Span::ZERO),
            times_max: None,
            body: Body { steps: Vec::new(), lasts: Lasts::Phase },
            guard: Guard::Any,
            required: false,
        });
        assert!(!proves(&struck, &verdict(Answer::Valid), &facts), "the fault did not come");
    }
}
