//! `antipaxos test-all`: the main workloads, every kind of fault, and a planted bug that must be
//! found.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use super::campaign::main_runs;
use super::interrupt::Interrupts;
use super::output::{self, show};
use super::planted::{CANARY, Planted};
use super::test::one_run;
use super::{complain, fresh_seed, neighbour, seconds, the_file, verify};
use crate::process::ExitKind;
use crate::results::store::Store;
use crate::run::Ended;
use crate::run::cluster::Casualty;
use crate::run::options::shell_word;
use crate::run::verdict::{Answer, HARNESS_FAILED, Part, Subject, USAGE};
use crate::schedule::Territory;
use crate::schedule::limits::NODES_MAX;
use crate::system::WhiteBoxReport;

/// Where the canary's runs go: they fail by design, and must not hide a real failure.
const CANARY_FOLDER: &str = "canary";
/// The exit status of a node whose state differs from another's, or contradicts itself.
const FOUND_ITSELF_WRONG: i32 = 70;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Seconds that the main runs share; the canary takes up to 30 more
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
    let seed = arguments.seed.unwrap_or_else(fresh_seed);
    // What the last run needs is looked at before the first one begins.
    let binaries = the_file(&arguments.bin.clone().unwrap_or_else(|| neighbour("paxos-node")))
        .and_then(|binary| Ok((binary, the_file(&arguments.mutant_bin)?)));
    let (binary, mutant_binary) = match binaries {
        Ok(binaries) => binaries,
        Err(error) => return complain(USAGE, &error.to_string()),
    };
    let main = main_runs(arguments.time, seed, arguments.node_count, &binary);
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
    for options in main {
        let name = options.workload.clone();
        let row = match one_run(options, &store, interrupts.stop()).await {
            Ok(ended) => {
                show(&format!("{}\n", ended.summary.render()));
                reached.add(&ended.facts.reached);
                main_row(name, &ended)
            }
            Err(error) => broken(name, &error.to_string()),
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
        let row = match one_run(canary_run, &canary_store, interrupts.stop()).await {
            Ok(ended) => canary_row(canary, &ended),
            Err(error) => broken("canary".to_owned(), &error.to_string()),
        };
        rows.push(row);
    }
    let (table, exit) = closing(&rows, &reached, began.elapsed(), &repeat(&arguments, seed));
    output::answer(&table, exit)
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
    match caught_by(ended, canary.counts) {
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

/// What found the planted bug, if it was found by a part of the verdict that `counts`.
pub(super) fn caught_by(ended: &Ended, counts: &[Subject]) -> Option<String> {
    let check = ended.report.as_ref().map(|report| report.check.as_str());
    let wrong_inside = wrong_inside(ended.white_box.as_ref(), &ended.facts.casualties);
    found(&ended.verdict.parts, counts, check, wrong_inside)
}

/// Whether the nodes themselves show that a rule was broken: their logs contradict the protocol, or
/// one found its own state wrong, however early. That a node ended shows nothing by itself: it may have
/// been called wrongly, or found no disk to write to, and says so by another status.
fn wrong_inside(white_box: Option<&WhiteBoxReport>, casualties: &[Casualty]) -> bool {
    let contradicted = white_box.is_some_and(|report| !report.violations.is_empty());
    let found_itself_wrong = ExitKind::Status(FOUND_ITSELF_WRONG);
    contradicted || casualties.iter().any(|casualty| casualty.exit.kind == found_itself_wrong)
}

fn found(parts: &[Part], counts: &[Subject], check: Option<&str>, wrong_inside: bool) -> Option<String> {
    let by: Vec<String> = parts
        .iter()
        .filter(|part| part.answer == Answer::Invalid && counts.contains(&part.subject))
        .filter(|part| part.subject != Subject::Nodes || wrong_inside)
        .map(|part| match (part.subject, check) {
            (Subject::History, Some(check)) => check.to_owned(),
            (subject, _) => subject.to_string(),
        })
        .collect();
    (!by.is_empty()).then(|| by.join(" + "))
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
        let _ = write!(text, "\n{}", reached.table());
    }
    let _ = writeln!(text, "\n  repeat        {repeat}");
    let _ = writeln!(text, "verdict: {answer} (exit {exit})");
    (text, exit)
}

fn repeat(arguments: &Arguments, seed: u64) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "antipaxos".to_owned());
    let mut words = format!(
        "{} test-all --time {} --node-count {} --seed {seed} --mutant-bin {} --canary {} --results {}",
        shell_word(&program),
        arguments.time.as_secs_f64(),
        arguments.node_count,
        shell_word(&arguments.mutant_bin),
        arguments.canary,
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
    use crate::process::ExitInfo;
    use crate::system::NodeId;

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
    fn a_planted_bug_is_caught_only_by_what_it_did_wrong() {
        let invalid = |subjects: &[Subject]| -> Vec<Part> {
            subjects.iter().map(|&subject| Part::new(subject, Answer::Invalid, "because")).collect()
        };
        let both = [Subject::History, Subject::Nodes];
        let check = Some("set");
        let noise = invalid(&[Subject::Liveness, Subject::Coverage, Subject::Harness]);
        assert_eq!(found(&noise, &both, check, true), None);
        // It died, but nothing says that it was wrong.
        assert_eq!(found(&invalid(&[Subject::Nodes]), &both, check, false), None);
        assert_eq!(found(&invalid(&[Subject::Nodes]), &both, check, true).as_deref(), Some("nodes"));
        assert_eq!(found(&invalid(&[Subject::Nodes]), &[Subject::History], check, true), None);
        assert_eq!(found(&invalid(&both), &both, check, true).as_deref(), Some("set + nodes"));
        assert_eq!(found(&invalid(&both), &both, check, false).as_deref(), Some("set"));
    }

    #[test]
    fn a_node_that_found_itself_wrong_is_evidence_and_one_that_only_ended_is_none() {
        let ended = |kind| {
            let exit = ExitInfo { pid: 1, kind, last_words: Vec::new() };
            vec![Casualty { node: NodeId(1), exit }]
        };
        assert!(wrong_inside(None, &ended(ExitKind::Status(70))));
        for kind in [64, 65, 74, 101].map(ExitKind::Status).into_iter().chain([ExitKind::Signal(9)]) {
            assert!(!wrong_inside(None, &ended(kind)), "{kind}");
        }
        let clean = WhiteBoxReport::default();
        assert!(!wrong_inside(Some(&clean), &[]));
        let contradicted = WhiteBoxReport { violations: vec!["two leaders".to_owned()], ..clean };
        assert!(wrong_inside(Some(&contradicted), &[]));
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
