//! `antipaxos test-all`: the main workloads, every kind of fault, and a planted bug that must be
//! found.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use super::campaign::main_runs;
use super::corpus::{Corpus, FOLDER};
use super::interrupt::Interrupts;
use super::output::{self, show};
use super::planted::{CANARY, Planted};
use super::sighting::in_ended;
use super::test::one_run;
use super::{complain, fresh_seed, neighbour, seconds, the_file, verify};
use crate::results::reached;
use crate::results::store::Store;
use crate::run::Ended;
use crate::run::options::shell_word;
use crate::run::verdict::{Answer, HARNESS_FAILED, USAGE};
use crate::schedule::Territory;
use crate::schedule::limits::NODES_MAX;

/// Where the canary's runs go: they fail by design, and must not hide a real failure.
const CANARY_FOLDER: &str = "canary";

/// What part of the time replays of the corpus on real processes may take, and how much at most.
const CORPUS_SHARE: u32 = 6;
const CORPUS_TIME_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Seconds that the main runs and replays of the corpus share; the canary takes up to 30 more
    #[arg(long, alias = "time-limit", value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    time: Duration,

    /// Nodes in each cluster
    #[arg(short = 'n', long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(3..=i64::from(NODES_MAX)))]
    node_count: u16,

    /// Repeats the plans of faults and operations [default: random]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// The node's binary [default: paxos-node next to antipaxos]
    #[arg(long, value_name = "PATH")]
    bin: Option<PathBuf>,

    /// The node built with its planted bugs
    #[arg(long, value_name = "PATH", default_value = "target-mutants/release/paxos-node")]
    mutant_bin: PathBuf,

    /// The planted bug that must be found
    #[arg(long, value_name = "NAME", default_value = CANARY)]
    canary: String,

    /// The schedules that once showed a bug, to be replayed
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    corpus: PathBuf,

    /// Where run folders go
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
}

/// What one of the runs came to, as the closing table shows it.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) answer: Answer,
    pub(super) exit: u8,
    pub(super) told: String,
}

pub(super) async fn main(arguments: Arguments) -> u8 {
    let Some(canary) = Planted::by_name(&arguments.canary) else {
        return complain(USAGE, &format!("no planted bug is called `{}`", arguments.canary));
    };
    let stores = Store::open(&arguments.results)
        .and_then(|store| Ok((store, Store::expendable(&arguments.results.join(CANARY_FOLDER))?)));
    let (store, canary_store) = match stores {
        Ok(stores) => stores,
        Err(error) => return complain(USAGE, &error.to_string()),
    };
    let seed = arguments.seed.unwrap_or_else(fresh_seed);
    // What the last run needs is looked at before the first one begins.
    let binaries = the_file(&arguments.bin.clone().unwrap_or_else(|| neighbour("paxos-node")))
        .and_then(|binary| Ok((binary, the_file(&arguments.mutant_bin)?)));
    let (binary, mutant_binary) = match binaries {
        Ok(binaries) => binaries,
        Err(error) => return complain(USAGE, &error.to_string()),
    };
    let corpus = match corpus(&arguments) {
        Ok(corpus) => corpus,
        Err(reason) => return complain(USAGE, &reason),
    };
    let share =
        if corpus.is_some() { (arguments.time / CORPUS_SHARE).min(CORPUS_TIME_MAX) } else { Duration::ZERO };
    let main = main_runs(arguments.time - share, seed, arguments.node_count, &binary);
    let canary_run = match canary.run(mutant_binary, seed) {
        Ok(run) => run,
        Err(reason) => return complain(HARNESS_FAILED, &reason),
    };
    if let Err(error) = main.iter().take(1).chain([&canary_run]).try_for_each(verify) {
        return complain(USAGE, &error.to_string());
    }
    let interrupts = match Interrupts::listen() {
        Ok(interrupts) => interrupts,
        Err(error) => return complain(HARNESS_FAILED, &format!("cannot listen for signals: {error}")),
    };
    let began = Instant::now();

    let (mut rows, mut reached) = (Vec::new(), Territory::default());
    if let Some(corpus) = &corpus {
        rows.extend(replayed(corpus, &binary, seed, share, &store, &interrupts).await);
    }
    for options in main {
        if is_over(&rows, &interrupts) {
            break;
        }
        let name = options.workload.clone();
        let row = match one_run(options, &store, interrupts.stop()).await {
            Ok(ended) => {
                show(&format!("{}\n", ended.summary.render()));
                reached.add(&ended.facts.reached);
                main_row(name, &ended)
            }
            Err(error) => broken(name, &error.to_string()),
        };
        rows.push(row);
    }
    if interrupts.came() {
        rows.push(unknown("canary", "not run: interrupted"));
    } else if is_over(&rows, &interrupts) {
        rows.push(unknown("canary", "not run: there is a failure to look at"));
    } else {
        let row = match one_run(canary_run, &canary_store, interrupts.stop()).await {
            Ok(ended) => canary_row(canary, &ended),
            Err(error) => broken("canary".to_owned(), &error.to_string()),
        };
        rows.push(row);
    }
    let (table, exit) = closing(&rows, &reached, began.elapsed(), &repeat(&arguments, seed));
    output::answer(&table, exit)
}

/// Whether nothing more is to be run: there is something to look at.
fn is_over(rows: &[Row], interrupts: &Interrupts) -> bool {
    interrupts.came() || rows.iter().any(|row| row.answer == Answer::Invalid || row.exit == HARNESS_FAILED)
}

/// The schedules that once showed a bug; none away from a checkout.
fn corpus(arguments: &Arguments) -> Result<Option<Corpus>, String> {
    if arguments.corpus == Path::new(FOLDER) && !arguments.corpus.exists() {
        output::remark(&format!("antipaxos: {FOLDER} is not here: no old failure is replayed"));
        return Ok(None);
    }
    Corpus::read(&arguments.corpus).map(Some)
}

/// Replays them, in the simulation first.
async fn replayed(
    corpus: &Corpus,
    binary: &Path,
    seed: u64,
    share: Duration,
    store: &Store,
    interrupts: &Interrupts,
) -> Vec<Row> {
    let (simulated, heard) = (corpus.clone(), interrupts.clone());
    // The simulation keeps its thread busy; signals are heard on this one.
    let simulated = tokio::task::spawn_blocking(move || simulated.simulate(&heard)).await;
    let mut rows = vec![simulated.unwrap_or_else(|error| broken("corpus".to_owned(), &error.to_string()))];
    if !is_over(&rows, interrupts) {
        rows.extend(corpus.run(binary, seed, share, store, interrupts).await);
    }
    rows
}

fn main_row(name: String, ended: &Ended) -> Row {
    let bit: u32 = ended.summary.faults.iter().map(|tally| tally.bit).sum();
    let told = format!(
        "{} ok of {} operations, {bit} faults bit, {} leader changes, {:.0} s",
        ended.summary.ops.ok,
        ended.summary.ops.asked,
        ended.summary.leader_changes,
        ended.took.as_secs_f64()
    );
    Row { name, answer: ended.verdict.verdict, exit: ended.verdict.exit, told }
}

/// The canary is fine when it was found: its own verdict turned around.
fn canary_row(canary: &Planted, ended: &Ended) -> Row {
    let mutant = canary.name;
    if ended.verdict.exit == HARNESS_FAILED {
        return broken("canary".to_owned(), &format!("the harness failed ({})", ended.summary.folder));
    }
    match in_ended(ended, canary.counts) {
        Some(by) => Row {
            name: "canary".to_owned(),
            answer: Answer::Valid,
            exit: Answer::Valid.code(),
            told: format!("{mutant} was caught by {by} after {:.0} s", ended.took.as_secs_f64()),
        },
        None => unknown(
            "canary",
            &format!("{mutant} was NOT caught ({}): this bench proves nothing", ended.summary.folder),
        ),
    }
}

/// A run that came to no verdict, though all was well when the first one began.
fn broken(name: String, told: &str) -> Row {
    Row { name, answer: Answer::Unknown, exit: HARNESS_FAILED, told: told.to_owned() }
}

fn unknown(name: &str, told: &str) -> Row {
    let answer = Answer::Unknown;
    Row { name: name.to_owned(), answer, exit: answer.code(), told: told.to_owned() }
}

/// The table over all runs, and the exit code: invalid, then a broken harness, then unknown.
fn closing(rows: &[Row], reached: &Territory, took: Duration, repeat: &str) -> (String, u8) {
    let answer = rows.iter().map(|row| row.answer).max().unwrap_or(Answer::Unknown);
    let broken = rows.iter().any(|row| row.exit == HARNESS_FAILED);
    let exit = if broken && answer != Answer::Invalid { HARNESS_FAILED } else { answer.code() };
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(text, "all runs, {:.0} s\n", took.as_secs_f64());
    for row in rows {
        let _ = writeln!(text, "  {:<13} {:<8} {}", row.name, row.answer, row.told);
    }
    if !reached.is_empty() {
        let _ = write!(text, "\n{}", reached::table(reached));
    }
    let _ = writeln!(text, "\n  repeat        {repeat}");
    let _ = writeln!(text, "verdict: {answer} (exit {exit})");
    (text, exit)
}

fn repeat(arguments: &Arguments, seed: u64) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "antipaxos".to_owned());
    let mut words = format!(
        "{} test-all --time {} --node-count {} --seed {seed} --mutant-bin {} --canary {} --corpus {} --results {}",
        shell_word(&program),
        arguments.time.as_secs_f64(),
        arguments.node_count,
        shell_word(&arguments.mutant_bin),
        arguments.canary,
        shell_word(&arguments.corpus),
        shell_word(&arguments.results),
    );
    if let Some(binary) = &arguments.bin {
        let _ = write!(words, " --bin {}", shell_word(binary));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(answer: Answer, exit: u8) -> Row {
        Row { name: "set".to_owned(), answer, exit, told: "told".to_owned() }
    }

    #[test]
    fn the_whole_is_as_good_as_its_worst_run() {
        use Answer::*;
        for (rows, exit) in [
            (vec![row(Valid, 0), row(Valid, 0)], 0),
            (vec![row(Valid, 0), row(Unknown, 2)], 2),
            (vec![row(Unknown, 255), row(Unknown, 2)], 255),
            (vec![row(Unknown, 255), row(Invalid, 1)], 1),
            (vec![], 2),
        ] {
            assert_eq!(closing(&rows, &Territory::default(), Duration::ZERO, "again").1, exit);
        }
    }

    #[test]
    fn the_last_line_is_the_verdict() {
        let (text, _) =
            closing(&[row(Answer::Invalid, 1)], &Territory::default(), Duration::from_secs(3), "again");
        assert_eq!(
            text,
            "all runs, 3 s\n\n  set           invalid  told\n\n  repeat        again\nverdict: invalid (exit 1)\n"
        );
    }
}
