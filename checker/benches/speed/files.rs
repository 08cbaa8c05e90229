//! Recorded histories of other projects, if a folder of them is at hand: `CHECKER_HISTORIES` names it, with a
//! `manifest.tsv` of path, format, model, operations, processes, verdict and what another checker took for
//! the check alone, in milliseconds (the last two may be empty).
//!
//! What is compared is the verdict alone; what it takes with the explanation of those that are invalid stands
//! beside it.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use checker::catalogue;
use checker::format::Recorded;
use checker::{Budget, Check, History, Op, OpType, Value};

/// The shortest of so many runs counts, as long as they take no longer than this together.
const RUNS: u32 = 20;
const RUNS_TIME: Duration = Duration::from_secs(5);

/// A file of the manifest.
struct Entry<'m> {
    path: &'m str,
    model: &'m str,
    verdict: &'m str,
    other_ms: Option<f64>,
}

/// A class of files and what all of them took.
#[derive(Default)]
struct Sum {
    files: u32,
    ms: f64,
    explained_ms: f64,
    other_ms: f64,
    slower: Vec<String>,
    slowest: (f64, String),
}

/// Prints what each class of files takes. Fails on a wrong verdict.
pub(crate) fn print(only: &str) -> ExitCode {
    let Some(folder) = std::env::var_os("CHECKER_HISTORIES") else {
        eprintln!("CHECKER_HISTORIES names no folder of recorded histories");
        return ExitCode::FAILURE;
    };
    let folder = Path::new(&folder);
    let manifest = match std::fs::read_to_string(folder.join("manifest.tsv")) {
        Ok(manifest) => manifest,
        Err(error) => {
            eprintln!("{}: {error}", folder.join("manifest.tsv").display());
            return ExitCode::FAILURE;
        }
    };
    let mut sums: Vec<(String, Sum)> = Vec::new();
    let mut wrong = 0;
    for entry in manifest.lines().skip(1).filter_map(entry).filter(|entry| entry.path.contains(only)) {
        let class = entry.path.rsplit_once('/').map_or("", |(class, _)| class);
        // Valid and invalid ones of a kind count together.
        let class = class.trim_end_matches("/good").trim_end_matches("/bad");
        for (variant, history, check) in variants(folder, &entry) {
            let budget = Budget::default();
            let (ms, word) = shortest(|| check.decide(&history, &budget).word());
            let (explained_ms, explained) = shortest(|| check.check(&history, &budget).verdict.word());
            if explained != word {
                wrong += 1;
                println!("{}{variant}: {word}, but {explained} with the explanation", entry.path);
            }
            if word != entry.verdict {
                wrong += 1;
                println!("{}{variant}: {word} instead of {}", entry.path, entry.verdict);
            }
            let name = format!("{class}{variant}");
            let place = sums.iter().position(|(other, _)| *other == name).unwrap_or_else(|| {
                sums.push((name, Sum::default()));
                sums.len() - 1
            });
            sums[place].1.add(&entry, ms, explained_ms, variant.is_empty());
        }
    }
    println!(
        "shortest of {RUNS} runs of the verdict alone, and explained, on the threads it chooses, in milliseconds"
    );
    println!(
        "{:<40} {:>6} {:>10} {:>10} {:>12} {:>8}  slowest",
        "files", "", "verdict", "explained", "other total", "ratio"
    );
    for (class, Sum { files, ms, explained_ms, other_ms, slower, slowest }) in sums {
        let ratio = other_ms / ms;
        let (slowest_ms, slowest) = slowest;
        println!(
            "{class:<40} {files:>6} {ms:>10.4} {explained_ms:>10.4} {other_ms:>12.3} {ratio:>7.1}×  {slowest} {slowest_ms:.4}"
        );
        if !slower.is_empty() {
            println!("  slower than the other: {}", slower.join(", "));
        }
    }
    if wrong > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

impl Sum {
    fn add(&mut self, entry: &Entry<'_>, ms: f64, explained_ms: f64, comparable: bool) {
        self.files += 1;
        self.ms += ms;
        self.explained_ms += explained_ms;
        if let Some(other) = entry.other_ms.filter(|_| comparable) {
            self.other_ms += other;
            if other < ms {
                self.slower.push(format!("{} ({ms:.4} after {other})", entry.path));
            }
        }
        if ms > self.slowest.0 {
            self.slowest = (ms, entry.path.to_owned());
        }
    }
}

/// One that has a verdict.
fn entry(line: &str) -> Option<Entry<'_>> {
    let fields: Vec<&str> = line.split('\t').collect();
    let &[path, _, model, _, _, verdict, ref rest @ ..] = fields.as_slice() else { return None };
    let other_ms = rest.first().and_then(|ms| ms.trim().parse().ok());
    (!verdict.is_empty()).then_some(Entry { path, model, verdict, other_ms })
}

/// The history with its check, and for several keys the same as one object.
fn variants(folder: &Path, entry: &Entry<'_>) -> Vec<(&'static str, History, Box<dyn Check>)> {
    let read = std::fs::File::open(folder.join(entry.path)).map_err(|error| error.to_string());
    let read = read.and_then(|file| History::read(file).map_err(|error| error.to_string()));
    let Recorded { history, suggests, .. } = match read {
        Ok(recorded) => recorded,
        Err(error) => {
            println!("{}: {error}", entry.path);
            return Vec::new();
        }
    };
    let rules = suggests.rules();
    let model = match entry.model.split_once(' ') {
        Some((first, _)) => first,
        None if entry.model == "priorityqueue" => "priority-queue",
        None => entry.model,
    };
    let check = |name: &str| catalogue::by_name(name).map(|entry| entry.check(&rules));
    let mut variants = Vec::new();
    if model == "kv"
        && let Some(check) = check("kv-map")
    {
        variants.push((" as one map", in_one(&history), check));
    }
    match check(model) {
        Some(check) => variants.push(("", history, check)),
        None => println!("{}: nothing judges {model:?}", entry.path),
    }
    variants
}

/// The operations of several keys as those of one map.
fn in_one(history: &History) -> History {
    let moved = |mut op: Op| {
        if let Some(key) = op.key.take() {
            let asks = op.f == "get";
            op.value = match (asks, op.op_type) {
                (true, OpType::Invoke) => key,
                (true, _) => op.value,
                (false, _) => Value::List(vec![key, op.value]),
            };
        }
        op
    };
    history.ops().map(moved).collect()
}

fn shortest(word: impl Fn() -> &'static str) -> (f64, &'static str) {
    let began = Instant::now();
    let mut best = (f64::INFINITY, "unknown");
    for _ in 0..RUNS {
        let now = Instant::now();
        let word = word();
        let ms = now.elapsed().as_secs_f64() * 1e3;
        if ms < best.0 {
            best = (ms, word);
        }
        if began.elapsed() > RUNS_TIME {
            break;
        }
    }
    best
}
