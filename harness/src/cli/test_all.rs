//! `antipaxos test-all`: every workload, every kind of fault, and a planted bug that must be
//! found.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use super::interrupt::Interrupts;
use super::schedules::{CANARY, Planted, main_runs};
use super::test::one_run;
use super::{complain, fresh_seed, neighbour, seconds};
use crate::results::store::Store;
use crate::run::Ended;
use crate::run::verdict::{Answer, HARNESS_FAILED, Subject, USAGE};

/// Where the canary's runs go: they fail by design, and must not hide a real failure.
const CANARY_FOLDER: &str = "canary";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Seconds that the main runs share; the canary takes up to 30 more
    #[arg(long, alias = "time-limit", value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    time: Duration,

    /// Nodes in each cluster
    #[arg(short = 'n', long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(3..=9))]
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

    /// Where run folders go
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
}

/// What one of the runs came to, as the closing table shows it.
struct Row {
    name: String,
    answer: Answer,
    exit: u8,
    told: String,
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
    let interrupts = match Interrupts::listen() {
        Ok(interrupts) => interrupts,
        Err(error) => return complain(HARNESS_FAILED, &format!("cannot listen for signals: {error}")),
    };
    let seed = arguments.seed.unwrap_or_else(fresh_seed);
    let binary = arguments.bin.clone().unwrap_or_else(|| neighbour("paxos-node"));
    let began = Instant::now();

    let mut rows = Vec::new();
    for options in main_runs(arguments.time, seed, arguments.node_count, &binary) {
        let name = options.workload.clone();
        let row = match one_run(options, &store, interrupts.stop()).await {
            Ok(ended) => {
                println!("{}", ended.summary.render());
                main_row(name, &ended)
            }
            Err(error) => return complain(error.exit(), &error.to_string()),
        };
        let go_on = row.answer != Answer::Invalid && row.exit != HARNESS_FAILED;
        rows.push(row);
        if interrupts.came() || !go_on {
            break;
        }
    }
    if interrupts.came() {
        rows.push(unknown("canary", "not run: interrupted"));
    } else if rows.iter().any(|row| row.answer == Answer::Invalid || row.exit == HARNESS_FAILED) {
        rows.push(unknown("canary", "not run: there is a failure to look at"));
    } else {
        let options = canary.run(arguments.mutant_bin.clone(), seed);
        let row = match one_run(options, &canary_store, interrupts.stop()).await {
            Ok(ended) => canary_row(&arguments.canary, &ended),
            Err(error) => return complain(error.exit(), &format!("the canary: {error}")),
        };
        rows.push(row);
    }
    let (table, exit) = closing(&rows, began.elapsed(), &repeat(&arguments, seed));
    print!("{table}");
    exit
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
fn canary_row(mutant: &str, ended: &Ended) -> Row {
    match caught_by(ended) {
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

/// Which parts of the verdict found the planted bug.
pub(super) fn caught_by(ended: &Ended) -> Option<String> {
    let invalid = ended.verdict.parts.iter().filter(|part| part.answer == Answer::Invalid);
    let found: Vec<String> = invalid
        .map(|part| match (part.subject, &ended.report) {
            (Subject::History, Some(report)) => report.check.clone(),
            (subject, _) => subject.to_string(),
        })
        .collect();
    (!found.is_empty()).then(|| found.join(" + "))
}

fn unknown(name: &str, told: &str) -> Row {
    let answer = Answer::Unknown;
    Row { name: name.to_owned(), answer, exit: answer.code(), told: told.to_owned() }
}

/// The table over all runs, and the exit code: invalid, then a broken harness, then unknown.
fn closing(rows: &[Row], took: Duration, repeat: &str) -> (String, u8) {
    let answer = rows.iter().map(|row| row.answer).max().unwrap_or(Answer::Unknown);
    let broken = rows.iter().any(|row| row.exit == HARNESS_FAILED);
    let exit = if broken && answer != Answer::Invalid { HARNESS_FAILED } else { answer.code() };
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(text, "all runs, {:.0} s\n", took.as_secs_f64());
    for row in rows {
        let _ = writeln!(text, "  {:<13} {:<8} {}", row.name, row.answer, row.told);
    }
    let _ = writeln!(text, "\n  repeat        {repeat}");
    let _ = writeln!(text, "verdict: {answer} (exit {exit})");
    (text, exit)
}

fn repeat(arguments: &Arguments, seed: u64) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "antipaxos".to_owned());
    let mut words = format!(
        "{program} test-all --time {} --node-count {} --seed {seed} --mutant-bin {}",
        arguments.time.as_secs_f64(),
        arguments.node_count,
        arguments.mutant_bin.display()
    );
    if let Some(binary) = &arguments.bin {
        let _ = write!(words, " --bin {}", binary.display());
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
            assert_eq!(closing(&rows, Duration::ZERO, "again").1, exit);
        }
    }

    #[test]
    fn the_last_line_is_the_verdict() {
        let (text, _) = closing(&[row(Answer::Invalid, 1)], Duration::from_secs(3), "again");
        assert_eq!(
            text,
            "all runs, 3 s\n\n  set           invalid  told\n\n  repeat        again\nverdict: invalid (exit 1)\n"
        );
    }
}
