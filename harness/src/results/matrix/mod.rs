//! The detection matrix: which planted bugs the bench sees, in which world, by what, how fast, how
//! reliably, and how little it takes.
//!
//! Kept in `results/matrix/` as `latest.json` (all of it, and what a later call goes on from),
//! `latest.md` and `latest.html`. The shrunk schedules stand in the first and the last, and where they were
//! found also in `shrunk/NAME.toml`, to be run. What was measured is bound
//! to the two binaries that it was measured with: with others a campaign starts anew.

mod markdown;
mod page;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::rate::Rate;
use crate::run::verdict::Subject;

/// The folder of it, in the results folder.
pub const FOLDER: &str = "matrix";
const FILE: &str = "latest.json";

/// The whole table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// With what it was measured.
    pub binaries: Binaries,
    /// From which all runs count their seeds.
    pub seed: u64,
    /// A row for each planted bug, in the order of the node's list.
    pub rows: Vec<Row>,
}

/// What two programs were, told apart by their bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binaries {
    /// The bench.
    pub antipaxos: String,
    /// The node with its planted bugs.
    pub node: String,
}

/// What is known of one planted bug.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// As the node knows it.
    pub name: String,
    /// What is removed, in words.
    pub rule: String,
    /// In virtual time; none: not tried yet, or this bench holds no planted bugs of its own.
    pub simulated: Option<Trial>,
    /// With processes; none: not tried yet.
    pub real: Option<Trial>,
    /// What shows it at least; none: not tried yet, or not found in the simulation.
    pub shrunk: Option<Shrunk>,
}

/// What came of looking for one planted bug in one world.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Runs until it was caught, or until it was given up.
    pub runs: u64,
    /// What caught it; none: missed.
    pub caught: Option<Catch>,
    /// How its clients alone saw it, where what the nodes said ended the runs before: found in runs that
    /// went on for all of that. None: not seen so, or caught by clients anyway.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by_clients: Option<Catch>,
    /// The command of the last run that missed it. (The folders of such runs come and go.)
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub missed: Option<String>,
}

/// How a planted bug was caught.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Catch {
    /// The schedule and the load, in words.
    pub cell: String,
    /// The command that shows it again.
    pub command: String,
    /// What the history's check is called, if clients saw it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub check: Option<String>,
    /// The parts of the verdict that were invalid because of it.
    pub by: Vec<Subject>,
    /// Seconds from the start of the run, warm-up included, to its end, in the world's own time: what is
    /// found in logs and traces is found at the end.
    pub seconds: f64,
    /// How often the cell catches it, over fresh seeds with processes, over fixed ones in virtual time.
    pub rate: Rate,
}

/// The smallest schedule that still shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shrunk {
    /// How many faults are left.
    pub faults: usize,
    /// How large it is, in words.
    pub size: String,
    /// It, in full: what `shrunk/NAME.toml` holds where it was found.
    pub schedule: String,
    /// Whether nothing smaller was left to try, and not just no time.
    pub complete: bool,
    /// How often it shows the bug in virtual time.
    pub simulated: Rate,
    /// How often with processes; none: not tried.
    pub real: Option<Rate>,
}

impl Catch {
    /// By what clients saw, or waited for in vain: without a look inside.
    #[must_use]
    pub fn is_black_box(&self) -> bool {
        self.by.iter().any(|subject| matches!(subject, Subject::History | Subject::Liveness))
    }

    /// By the nodes' own logs, traces and states.
    #[must_use]
    pub fn is_white_box(&self) -> bool {
        self.by.contains(&Subject::Nodes)
    }

    /// What saw it, in a word or two.
    #[must_use]
    pub fn seen_by(&self) -> String {
        let words = self.by.iter().map(|subject| match (subject, &self.check) {
            (Subject::History, Some(check)) => check.clone(),
            _ => subject.to_string(),
        });
        words.collect::<Vec<_>>().join(" + ")
    }
}

impl Trial {
    /// How it was caught without a look inside, if it was.
    #[must_use]
    pub fn black_box(&self) -> Option<&Catch> {
        self.caught.as_ref().filter(|caught| caught.is_black_box()).or(self.by_clients.as_ref())
    }
}

impl Row {
    /// What caught it in that world, if anything did.
    #[must_use]
    pub fn caught(trial: Option<&Trial>) -> Option<&Catch> {
        trial.and_then(|trial| trial.caught.as_ref())
    }
}

/// What all rows come to.
#[derive(Clone, Debug, Default, PartialEq)]
struct Totals {
    rows: usize,
    /// Caught with processes: all; those by what clients saw; those by what the nodes hold.
    real: usize,
    black_box: usize,
    white_box: usize,
    /// Seconds to detection with processes.
    median: Option<f64>,
    simulated: usize,
    /// Shrunk, and to three faults at most.
    shrunk: usize,
    small: usize,
}

/// As many faults as a person takes in at a glance.
const FEW: usize = 3;

impl Matrix {
    /// An empty table.
    #[must_use]
    pub fn new(binaries: Binaries, seed: u64) -> Matrix {
        Matrix { binaries, seed, rows: Vec::new() }
    }

    /// Reads what an earlier campaign left in this results folder; none if there was none.
    ///
    /// # Errors
    /// It is there and can't be read, or is no matrix: in words, with the file.
    pub fn read(results: &Path) -> Result<Option<Matrix>, String> {
        let file = results.join(FOLDER).join(FILE);
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| format!("{}: {error}", file.display()))?,
        };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            format!("{}: {error}: not a matrix of this version; --fresh starts anew", file.display())
        })
    }

    /// Keeps what is there under another name, and gives that.
    ///
    /// # Errors
    /// In words, with the file.
    pub fn put_aside(results: &Path) -> Result<PathBuf, String> {
        let folder = results.join(FOLDER);
        let kept = folder.join("earlier.json");
        fs::rename(folder.join(FILE), &kept).map_err(|error| format!("{}: {error}", kept.display()))?;
        Ok(kept)
    }

    /// Writes it in its three forms. Each is replaced in one step: a campaign that is killed while it
    /// writes loses nothing.
    ///
    /// # Errors
    /// In words, with the file.
    pub fn write(&self, results: &Path) -> Result<(), String> {
        let folder = results.join(FOLDER);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let json = serde_json::to_string_pretty(self).map_err(|error| error.to_string())? + "\n";
        for (name, text) in [(FILE, json), ("latest.md", self.markdown()), ("latest.html", self.page())] {
            replace(&folder.join(name), &text)?;
        }
        Ok(())
    }

    /// Writes a shrunk schedule beside it, to be run; gives where.
    ///
    /// # Errors
    /// In words, with the file.
    pub fn keep_shrunk(results: &Path, name: &str, text: &str) -> Result<PathBuf, String> {
        let folder = results.join(FOLDER).join("shrunk");
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let file = folder.join(name).with_extension("toml");
        replace(&file, text)?;
        Ok(file)
    }

    /// What is known of this planted bug.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// The row of this planted bug, made if need be.
    pub fn row(&mut self, name: &str) -> &mut Row {
        let place = self.rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            self.rows.push(Row { name: name.to_owned(), ..Row::default() });
            self.rows.len() - 1
        });
        &mut self.rows[place]
    }

    fn totals(&self) -> Totals {
        let real: Vec<&Catch> = self.rows.iter().filter_map(|row| Row::caught(row.real.as_ref())).collect();
        let mut seconds: Vec<f64> = real.iter().map(|caught| caught.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        let trials = || self.rows.iter().filter_map(|row| row.real.as_ref());
        let shrunk = || self.rows.iter().filter_map(|row| row.shrunk.as_ref());
        Totals {
            rows: self.rows.len(),
            real: real.len(),
            black_box: trials().filter(|trial| trial.black_box().is_some()).count(),
            white_box: real.iter().filter(|caught| caught.is_white_box()).count(),
            median: seconds.get(seconds.len() / 2).copied(),
            simulated: self.rows.iter().filter(|row| Row::caught(row.simulated.as_ref()).is_some()).count(),
            shrunk: shrunk().count(),
            small: shrunk().filter(|shrunk| shrunk.faults <= FEW).count(),
        }
    }

    /// What it comes to, in a few lines.
    #[must_use]
    pub fn told(&self) -> String {
        let totals = self.totals();
        let median = totals.median.map(|median| format!(", median {median:.1} s")).unwrap_or_default();
        format!(
            "{} planted bugs, seed {}\n\
             with processes: {} caught{median}; {} by what clients saw, {} by what the nodes hold\n\
             in virtual time: {} caught\n\
             shrunk: {}, {} of them to {FEW} faults at most\n",
            totals.rows,
            self.seed,
            totals.real,
            totals.black_box,
            totals.white_box,
            totals.simulated,
            totals.shrunk,
            totals.small
        )
    }
}

/// Writes a file beside, and puts it in place.
fn replace(path: &Path, text: &str) -> Result<(), String> {
    let fresh = PathBuf::from(format!("{}.{}", path.display(), std::process::id()));
    fs::write(&fresh, text)
        .and_then(|()| fs::rename(&fresh, path))
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// What tells one build of a program from another: its length and the CRC-32C of its bytes.
///
/// # Errors
/// It can't be read.
pub fn fingerprint(binary: &Path) -> Result<String, String> {
    let bytes = fs::read(binary).map_err(|error| format!("{}: {error}", binary.display()))?;
    Ok(format!("{} bytes, crc32c {:08x}", bytes.len(), crc32c::crc32c(&bytes)))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A table with one bug caught everywhere, one caught inside alone, one that clients
    /// see later, one missed, one not tried.
    pub(super) fn sample() -> Matrix {
        let caught = |by: &[Subject], seconds| Catch {
            cell: "append under harness/schedules/ring.toml".to_owned(),
            command: "antipaxos test -w append --seed 7".to_owned(),
            check: by.contains(&Subject::History).then(|| "append".to_owned()),
            by: by.to_vec(),
            seconds,
            rate: Rate { hits: 3, tries: 5 },
        };
        let trial = |caught| Some(Trial { runs: 2, caught, ..Trial::default() });
        let row = |name: &str| Row { name: name.to_owned(), rule: "a <rule>".to_owned(), ..Row::default() };
        let mut matrix = Matrix::new(Binaries { antipaxos: "one".to_owned(), node: "another".to_owned() }, 7);
        matrix.rows = vec![
            Row {
                real: trial(Some(caught(&[Subject::History, Subject::Nodes], 1.5))),
                simulated: trial(Some(caught(&[Subject::Nodes], 9.0))),
                shrunk: Some(Shrunk {
                    faults: 1,
                    size: "1 faults".to_owned(),
                    schedule: "name = \"<least>\"\n".to_owned(),
                    complete: true,
                    simulated: Rate { hits: 20, tries: 20 },
                    real: Some(Rate { hits: 4, tries: 5 }),
                }),
                ..row("everywhere")
            },
            Row { real: trial(Some(caught(&[Subject::Nodes], 12.0))), ..row("inside") },
            Row {
                real: Some(Trial {
                    by_clients: Some(caught(&[Subject::History], 31.5)),
                    ..trial(Some(caught(&[Subject::Nodes], 12.0))).expect("a trial")
                }),
                ..row("later")
            },
            Row {
                real: Some(Trial {
                    runs: 3,
                    missed: Some("mutants/the-last".to_owned()),
                    ..Trial::default()
                }),
                ..row("missed")
            },
            row("not-tried"),
        ];
        matrix
    }

    #[test]
    fn what_was_written_is_gone_on_from() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Matrix::read(folder.path()), Ok(None));
        let matrix = sample();
        matrix.write(folder.path()).expect("written");
        assert_eq!(Matrix::read(folder.path()), Ok(Some(matrix)));
        let kept = Matrix::put_aside(folder.path()).expect("put aside");
        assert!(kept.is_file() && Matrix::read(folder.path()) == Ok(None));
        fs::write(folder.path().join(FOLDER).join(FILE), "{}").expect("a file");
        let refused = Matrix::read(folder.path()).expect_err("no matrix");
        assert!(refused.contains("latest.json") && refused.contains("--fresh"), "{refused}");
    }

    #[test]
    fn totals_tell_clients_from_insiders() {
        let told = sample().told();
        assert!(told.contains("3 caught, median 12.0 s; 2 by what clients saw, 3 by"), "{told}");
        assert!(told.contains("in virtual time: 1 caught\nshrunk: 1, 1 of them"), "{told}");
    }

    #[test]
    fn other_bytes_are_another_build() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("program");
        fs::write(&file, "one").expect("a file");
        let one = fingerprint(&file);
        fs::write(&file, "two").expect("a file");
        assert!(one.is_ok() && one != fingerprint(&file));
        assert!(fingerprint(&folder.path().join("none")).is_err());
    }
}
