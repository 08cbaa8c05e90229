//! `antipaxos replay`: a run's faults again, and how often they do it again.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::case::{Case, Failure, replays};
use super::complain;
use super::interrupt::Interrupts;
use super::output::{self, remark};
use crate::rate::Rate;
use crate::run::verdict::{Answer, HARNESS_FAILED, USAGE};
use crate::system::paxos::simulation::activate;

pub(super) const EXAMPLES: &str = "\
Examples:
  antipaxos replay results/latest-failed --times 10
  antipaxos replay results/latest-failed --world sim --times 100
  antipaxos replay harness/corpus/some-bug.toml --mutant reply-on-accept --bin target-mutants/release/paxos-node";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum World {
    /// Processes, signals, sockets
    Real,
    /// Virtual time
    Sim,
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A run's folder, or a schedule file
    #[arg(value_name = "RUN")]
    case: PathBuf,

    /// How often
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    times: u64,

    /// Where
    #[arg(long, value_enum, default_value_t = World::Real)]
    world: World,

    /// Stop at the first that fails
    #[arg(long)]
    until_fail: bool,

    /// The node's binary [default: the run's]
    #[arg(long, value_name = "PATH")]
    bin: Option<PathBuf>,

    /// The rule to remove [default: the run's]
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,

    /// Where run folders go
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
}

pub(super) async fn main(arguments: Arguments) -> u8 {
    let mut case = match Case::open(&arguments.case) {
        Ok(case) => case,
        Err(reason) => return complain(USAGE, &reason),
    };
    case.binary = arguments.bin.clone().or(case.binary);
    case.mutant = arguments.mutant.clone().or(case.mutant);
    if let Some(warning) = case.warning() {
        remark(&format!("antipaxos: warning: {warning}"));
    }
    let interrupts = match Interrupts::listen() {
        Ok(interrupts) => interrupts,
        Err(error) => return complain(HARNESS_FAILED, &format!("cannot listen for signals: {error}")),
    };
    let tried = match arguments.world {
        World::Real => really(&arguments, &case, &interrupts).await,
        World::Sim => simulated(&arguments, &case, &interrupts).await,
    };
    match tried {
        Ok(tried) => {
            let (text, exit) = tried.told(&case);
            output::answer(&text, exit)
        }
        Err((exit, reason)) => complain(exit, &reason),
    }
}

/// What came of all tries.
#[derive(Default)]
struct Tried {
    rate: Rate,
    /// Other failures than the one in question.
    others: u64,
    unknown: u64,
    /// Where to look: the first that failed.
    first: Option<String>,
}

impl Tried {
    fn count(
        &mut self,
        case: &Case,
        failure: Option<Failure>,
        answer: Answer,
        place: impl FnOnce() -> String,
    ) {
        let hit = case.shows(failure);
        self.rate.count(hit);
        self.others += u64::from(!hit && failure.is_some());
        self.unknown += u64::from(answer == Answer::Unknown);
        if failure.is_some() && self.first.is_none() {
            self.first = Some(place());
        }
    }

    fn told(&self, case: &Case) -> (String, u8) {
        let what =
            case.failure.map_or_else(|| "failed".to_owned(), |failure| format!("failed in {failure} again"));
        let mut text = format!("{what}: {}\n", self.rate);
        // Writing to a string does not fail.
        if self.others > 0 {
            let _ = writeln!(text, "failed otherwise: {}", self.others);
        }
        if self.unknown > 0 {
            let _ = writeln!(text, "unknown: {}", self.unknown);
        }
        if let Some(first) = &self.first {
            let _ = writeln!(text, "the first: {first}");
        }
        let answer = match (self.rate.hits + self.others, self.unknown) {
            (1.., _) => Answer::Invalid,
            (0, 1..) => Answer::Unknown,
            (0, 0) => Answer::Valid,
        };
        let _ = writeln!(text, "verdict: {answer} (exit {})", answer.code());
        (text, answer.code())
    }
}

type Refused = (u8, String);

async fn really(arguments: &Arguments, case: &Case, interrupts: &Interrupts) -> Result<Tried, Refused> {
    let store = replays(&arguments.results).map_err(|error| (USAGE, error.to_string()))?;
    let mut tried = Tried::default();
    for number in 0..arguments.times {
        if interrupts.came() {
            break;
        }
        let seed = case.seed().wrapping_add(number);
        let ended = case.run(&case.schedule, seed, &store, interrupts.stop()).await;
        let ended = ended.map_err(|error| (error.exit(), error.to_string()))?;
        let failure = Failure::in_verdict(&ended.verdict);
        tried.count(case, failure, ended.verdict.verdict, || ended.summary.folder.clone());
        remark(&format!(
            "{} of {}: {} ({})",
            number + 1,
            arguments.times,
            ended.verdict.verdict,
            ended.verdict.told()
        ));
        if arguments.until_fail && tried.rate.hits > 0 {
            break;
        }
    }
    Ok(tried)
}

/// Keeps a thread of its own busy: signals are heard on this one.
async fn simulated(arguments: &Arguments, case: &Case, interrupts: &Interrupts) -> Result<Tried, Refused> {
    let (times, until_fail) = (arguments.times, arguments.until_fail);
    let (case, interrupts) = (case.clone(), interrupts.clone());
    let tried = tokio::task::spawn_blocking(move || {
        activate(case.mutant.as_deref())?;
        let mut tried = Tried::default();
        for number in 0..times {
            if interrupts.came() {
                break;
            }
            let seed = case.seed().wrapping_add(number);
            let simulated = case.simulate(&case.schedule, seed)?;
            let failure = Failure::in_verdict(&simulated.verdict);
            tried.count(&case, failure, simulated.verdict.verdict, || {
                format!("seed {seed}: {}", simulated.verdict.told())
            });
            if until_fail && tried.rate.hits > 0 {
                break;
            }
        }
        Ok(tried)
    });
    let tried = tried.await.map_err(|error| (HARNESS_FAILED, error.to_string()))?;
    tried.map_err(|reason| (USAGE, reason))
}
