//! `antipaxos mutants`: the bench proves itself. Each planted bug gets the load and the faults
//! that expose it; the table shows which were caught, by what, and how fast.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::interrupt::Interrupts;
use super::output::{self, remark, show};
use super::planted::{PLANTED, Planted};
use super::test::one_run;
use super::test_all::caught_by;
use super::{complain, fresh_seed, the_file, verify};
use crate::results::store::Store;
use crate::run::verdict::{Answer, HARNESS_FAILED, USAGE};

/// Where these runs go: they fail by design, and must not hide a real failure.
const MUTANTS_FOLDER: &str = "mutants";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The node built with its planted bugs
    #[arg(long, value_name = "PATH", default_value = "target-mutants/release/paxos-node")]
    mutant_bin: PathBuf,

    /// Only these, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,

    /// Tries per planted bug, each with another seed, before it counts as missed
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    tries: u64,

    /// Repeats the plans of faults and operations [default: random]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Where run folders go
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
}

/// What became of one planted bug.
struct Row {
    name: &'static str,
    caught_by: Option<String>,
    took: Duration,
    tries: u64,
    folder: String,
}

pub(super) async fn main(arguments: Arguments) -> u8 {
    let chosen = match choose(&arguments.only) {
        Ok(chosen) => chosen,
        Err(reason) => return complain(USAGE, &reason),
    };
    let looked_at = the_file(&arguments.mutant_bin).map_err(|error| error.to_string()).and_then(|binary| {
        let run = |planted: &&Planted| planted.run(binary.clone(), 0);
        let runs: Vec<_> = chosen.iter().map(run).collect::<Result<_, String>>()?;
        runs.iter().try_for_each(verify).map_err(|error| error.to_string())?;
        Ok(binary)
    });
    let binary = match looked_at {
        Ok(binary) => binary,
        Err(reason) => return complain(USAGE, &reason),
    };
    let stores = Store::open(&arguments.results)
        .and_then(|store| Ok((store, Store::expendable(&arguments.results.join(MUTANTS_FOLDER))?)));
    let (root, store) = match stores {
        Ok(stores) => stores,
        Err(error) => return complain(USAGE, &error.to_string()),
    };
    let interrupts = match Interrupts::listen() {
        Ok(interrupts) => interrupts,
        Err(error) => return complain(HARNESS_FAILED, &format!("cannot listen for signals: {error}")),
    };
    let seed = arguments.seed.unwrap_or_else(fresh_seed);
    let mut rows = Vec::new();
    let mut broken = false;
    for planted in &chosen {
        let mut row = Row {
            name: planted.name,
            caught_by: None,
            took: Duration::ZERO,
            tries: 0,
            folder: String::new(),
        };
        while row.caught_by.is_none() && row.tries < arguments.tries && !interrupts.came() {
            let options = match planted.run(binary.clone(), seed.wrapping_add(row.tries)) {
                Ok(options) => options,
                Err(reason) => return complain(HARNESS_FAILED, &reason),
            };
            row.tries += 1;
            let ended = match one_run(options, &store, interrupts.stop()).await {
                Ok(ended) => ended,
                Err(error) => {
                    remark(&format!("antipaxos: {}: {error}", planted.name));
                    row.folder = error.to_string();
                    broken = true;
                    break;
                }
            };
            show(&ended.summary.render());
            broken |= ended.verdict.exit == HARNESS_FAILED;
            row.caught_by = caught_by(&ended, planted.counts);
            row.took += ended.took;
            row.folder = ended.summary.folder;
        }
        rows.push(row);
        if interrupts.came() || broken {
            break;
        }
    }
    let table = render(&rows, seed);
    if let Err(error) = root.write_matrix(&table) {
        remark(&format!("antipaxos: {error}"));
        broken = true;
    }
    let all = rows.len() == chosen.len() && rows.iter().all(|row| row.caught_by.is_some());
    let answer = match (interrupts.came() || broken, all) {
        (true, _) => Answer::Unknown,
        (false, true) => Answer::Valid,
        (false, false) => Answer::Invalid,
    };
    let exit = if broken { HARNESS_FAILED } else { answer.code() };
    output::answer(&format!("\n{table}verdict: {answer} (exit {exit})\n"), exit)
}

fn choose(only: &[String]) -> Result<Vec<&'static Planted>, String> {
    if only.is_empty() {
        return Ok(PLANTED.iter().collect());
    }
    only.iter()
        .map(|name| {
            Planted::by_name(name).ok_or_else(|| {
                let names: Vec<_> = PLANTED.iter().map(|planted| planted.name).collect();
                format!("no planted bug is called `{name}`; there are: {}", names.join(", "))
            })
        })
        .collect()
}

/// The table, in Markdown: it reads well on a terminal too.
fn render(rows: &[Row], seed: u64) -> String {
    let caught = rows.iter().filter(|row| row.caught_by.is_some()).count();
    let mut text = format!("{caught} of {} planted bugs caught (seed {seed})\n\n", rows.len());
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "| {:<31} | {:<6} | {:<37} | {:>5} | {:>7} |",
        "mutant", "caught", "by", "tries", "seconds"
    );
    let _ = writeln!(text, "|{:-<33}|{:-<8}|{:-<39}|{:->7}|{:->9}|", "", "", "", "", "");
    for row in rows {
        let (caught, by) = match &row.caught_by {
            Some(by) => ("yes", by.as_str()),
            // Where to look, below the folder of these runs: the table is kept, and the place is not.
            None => ("MISSED", row.folder.rsplit('/').next().unwrap_or_default()),
        };
        let seconds = row.took.as_secs_f64();
        let _ = writeln!(
            text,
            "| {:<31} | {caught:<6} | {by:<37} | {:>5} | {seconds:>7.1} |",
            row.name, row.tries
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_refused_with_the_known_ones() {
        let error = choose(&["bug".to_owned()]).err().expect("no such bug");
        assert!(error.contains("`bug`") && error.contains("reply-on-accept"), "{error}");
        assert_eq!(choose(&[]).map(|chosen| chosen.len()), Ok(40));
    }

    #[test]
    fn the_table_shows_what_was_missed() {
        let row = |caught_by: Option<&str>| Row {
            name: "reply-on-accept",
            caught_by: caught_by.map(str::to_owned),
            took: Duration::from_millis(4_200),
            tries: 1,
            folder: "somewhere".to_owned(),
        };
        let text = render(&[row(Some("nodes")), row(None)], 9);
        assert!(text.starts_with("1 of 2 planted bugs caught (seed 9)\n"), "{text}");
        assert!(text.contains("| yes    | nodes ") && text.contains("| MISSED | somewhere "), "{text}");
    }
}
