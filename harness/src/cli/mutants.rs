//! `antipaxos mutants`: the bench proves itself. Each planted bug gets the load and the faults that
//! expose it, in both worlds; the matrix shows which were caught, by what, how fast, how reliably, and
//! how little it takes.
//!
//! Three stages, each over all planted bugs: in virtual time (seconds; needs a harness that holds the
//! planted bugs itself), with processes, and shrinking. What is known is written down after every step,
//! and a later call with the same two binaries goes on where this one ended.

mod bench;
mod campaign;
mod real;
mod shrunk;
mod simulated;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::Args;

use self::bench::Bench;
use self::campaign::Campaign;
use super::case::budget;
use super::interrupt::Interrupts;
use super::output::{self, remark};
use super::planted::{PLANTED, Planted};
use super::{complain, fresh_seed, the_file, verify};
use crate::results::matrix::{Binaries, Matrix, fingerprint};
use crate::results::store::Store;
use crate::run::verdict::{HARNESS_FAILED, USAGE};

/// Where these runs go: they fail by design, and must not hide a real failure.
const MUTANTS_FOLDER: &str = "mutants";

pub(super) const EXAMPLES: &str = "\
Examples:
  make mutants
  antipaxos mutants --only reply-on-accept,read-without-quorum --rates 0 --no-shrink
  antipaxos mutants --jobs 3";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The node built with its planted bugs
    #[arg(long, value_name = "PATH", default_value = "target-mutants/release/paxos-node")]
    mutant_bin: PathBuf,

    /// Only these, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,

    /// Runs with processes per planted bug, in its own cell and then others, before it counts as missed
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    tries: u64,

    /// Seeds that the cell which caught it is run with, for the rate
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=1_000))]
    rates: u64,

    /// How long to shrink each: 90s, 5m
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = budget)]
    budget: Duration,

    /// Shrink nothing
    #[arg(long)]
    no_shrink: bool,

    /// Clusters at a time: more of them are sooner done, and disturb each other's times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,

    /// Forget what earlier calls measured
    #[arg(long)]
    fresh: bool,

    /// Repeats the plans of faults and operations [default: that of the matrix gone on with, else random]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Where run folders and the matrix go
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
}

pub(super) async fn main(arguments: Arguments) -> u8 {
    let (binary, chosen) = match look(&arguments) {
        Ok(looked) => looked,
        Err(reason) => return complain(USAGE, &reason),
    };
    let matrix = match begin(&arguments, &binary) {
        Ok(matrix) => matrix,
        Err(reason) => return complain(USAGE, &reason),
    };
    let store = Store::open(&arguments.results)
        .and_then(|_| Store::expendable(&arguments.results.join(MUTANTS_FOLDER)));
    let store = match store {
        Ok(store) => store,
        Err(error) => return complain(USAGE, &error.to_string()),
    };
    let interrupts = match Interrupts::listen() {
        Ok(interrupts) => interrupts,
        Err(error) => return complain(HARNESS_FAILED, &format!("cannot listen for signals: {error}")),
    };
    let bench = Bench { binary, seed: matrix.seed, store, interrupts };
    let mut campaign = Campaign { arguments: &arguments, chosen, bench, matrix };
    match campaign.go().await {
        Ok((text, exit)) => output::answer(&text, exit),
        Err((exit, reason)) => {
            remark("what is known so far is kept, and gone on from");
            complain(exit, &reason)
        }
    }
}

/// What is wrong with the call, told before anything is done.
fn look(arguments: &Arguments) -> Result<(PathBuf, Vec<&'static Planted>), String> {
    let chosen = choose(&arguments.only)?;
    let binary = the_file(&arguments.mutant_bin).map_err(|error| error.to_string())?;
    for planted in &chosen {
        verify(&planted.run(binary.clone(), 0)?).map_err(|error| error.to_string())?;
    }
    Ok((binary, chosen))
}

/// The matrix of the last call if it was measured with the same programs, else an empty one.
fn begin(arguments: &Arguments, binary: &std::path::Path) -> Result<Matrix, String> {
    let own = std::env::current_exe().map_err(|error| format!("this program's own file: {error}"))?;
    let binaries = Binaries { antipaxos: fingerprint(&own)?, node: fingerprint(binary)? };
    let before = if arguments.fresh { None } else { Matrix::read(&arguments.results)? };
    let mut matrix = match before {
        Some(before)
            if before.binaries == binaries && arguments.seed.is_none_or(|seed| seed == before.seed) =>
        {
            remark(&format!("going on with the matrix of seed {}; --fresh starts anew", before.seed));
            before
        }
        Some(_) => {
            let kept = Matrix::put_aside(&arguments.results)?;
            remark(&format!(
                "the matrix there is of other binaries, or another seed: kept as {}",
                kept.display()
            ));
            Matrix::new(binaries, arguments.seed.unwrap_or_else(fresh_seed))
        }
        None => Matrix::new(binaries, arguments.seed.unwrap_or_else(fresh_seed)),
    };
    let rules = rules(binary)?;
    for planted in &PLANTED {
        let rule = rules.iter().find(|(name, _)| name == planted.name);
        let (_, rule) = rule.ok_or_else(|| {
            format!(
                "{}: knows no planted bug called {}: is it of another version?",
                binary.display(),
                planted.name
            )
        })?;
        matrix.row(planted.name).rule.clone_from(rule);
    }
    Ok(matrix)
}

/// The node's own list: each planted bug, and what is removed.
fn rules(binary: &std::path::Path) -> Result<Vec<(String, String)>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{} --list-mutants: {error}", binary.display());
    let listed = Command::new(binary).arg("--list-mutants").output().map_err(|error| failed(&error))?;
    if !listed.status.success() {
        return Err(failed(&listed.status));
    }
    let text = String::from_utf8_lossy(&listed.stdout);
    let rule = |line: &str| {
        let mut fields = line.split('\t');
        Some((fields.next()?.to_owned(), fields.nth(1)?.to_owned()))
    };
    Ok(text.lines().filter_map(rule).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_refused_with_the_known_ones() {
        let error = choose(&["bug".to_owned()]).err().expect("no such bug");
        assert!(error.contains("`bug`") && error.contains("reply-on-accept"), "{error}");
        assert_eq!(choose(&[]).map(|chosen| chosen.len()), Ok(56));
    }
}
