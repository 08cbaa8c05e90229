//! The command line: one thin file per subcommand.
//!
//! Exit codes, the same for every subcommand: 0 valid, 1 invalid, 2 unknown, 254 wrong usage,
//! 255 the harness itself failed.

mod bench;
mod campaign;
mod case;
mod cell;
mod check;
mod convert;
mod corpus;
mod interrupt;
mod mutants;
mod output;
mod planted;
mod progress;
mod reading;
mod replay;
mod schedule;
mod shape;
mod shrink;
mod sighting;
mod sim;
mod test;
mod test_all;
mod version;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};

use crate::run::options::Options;
use crate::run::verdict::{HARNESS_FAILED, USAGE};
use crate::system::paxos::{PaxosOptions, PaxosSystem};
use crate::system::{System, SystemError};

/// Batters a replicated system with real faults, and proves what its clients saw correct, or
/// shows exactly where it is not.
#[derive(Debug, Parser)]
#[command(name = "antipaxos", disable_help_subcommand = true, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    valid: what was recorded is correct, and the faults that were asked for did bite
  1    invalid: something is wrong with the system under test; the witness is in the output
  2    unknown: it could not be told (too little was tested, time ran out, interrupted, unreadable)
  254  wrong usage
  255  the harness itself failed";

#[derive(Debug, Subcommand)]
enum Command {
    /// One run: a cluster, one workload, a nemesis, a verdict
    #[command(after_help = test::EXAMPLES)]
    Test(Box<test::Arguments>),
    /// A run in virtual time, over the node's simulation: many seeds in seconds
    #[command(after_help = sim::EXAMPLES)]
    Sim(Box<sim::Arguments>),
    /// A run's faults again, and how often they do it again
    #[command(after_help = replay::EXAMPLES)]
    Replay(replay::Arguments),
    /// Makes a failing schedule small: the faults that matter, and no more
    #[command(after_help = shrink::EXAMPLES)]
    Shrink(shrink::Arguments),
    /// The main workloads in turn under every kind of fault, then a planted bug that must be found
    #[command(visible_alias = "campaign")]
    TestAll(test_all::Arguments),
    /// Plants forty-eight bugs, one after the other, and shows which are caught, by what, how fast
    #[command(after_help = mutants::EXAMPLES)]
    Mutants(mutants::Arguments),
    /// Judges recorded histories, ours or anybody's
    Check(check::Arguments),
    /// Writes a recorded history in another format
    Convert(convert::Arguments),
    /// What a file of faults says, before anything runs: lint, explain, draw
    #[command(after_help = schedule::EXAMPLES)]
    Schedule(schedule::Arguments),
    /// How fast the node is, without faults and observers, and what that costs; also beside others
    #[command(after_help = bench::EXAMPLES)]
    Bench(Box<bench::Arguments>),
    /// What was built, and from which sources
    Version,
}

/// Runs the command line; the launcher's hidden subcommand is handled before.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to stdout and is no error.
            let code = if error.use_stderr() { USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    ExitCode::from(match cli.command {
        Command::Test(arguments) => with_runtime(test::main(*arguments)),
        Command::Sim(arguments) => with_runtime(sim::main(*arguments)),
        Command::Replay(arguments) => with_runtime(replay::main(arguments)),
        Command::Shrink(arguments) => with_runtime(shrink::main(arguments)),
        Command::TestAll(arguments) => with_runtime(test_all::main(arguments)),
        Command::Mutants(arguments) => with_runtime(mutants::main(arguments)),
        Command::Check(arguments) => check::main(&arguments),
        Command::Convert(arguments) => convert::main(&arguments),
        Command::Schedule(arguments) => schedule::main(&arguments),
        Command::Bench(arguments) => bench::main(*arguments),
        Command::Version => version::main(),
    })
}

/// Runs the clients and the nemesis on this thread, as one loop: the order of what they record
/// is the order in which they did it.
fn with_runtime(command: impl Future<Output = u8>) -> u8 {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(HARNESS_FAILED, &format!("cannot start the runtime: {error}")),
    };
    let code = runtime.block_on(command);
    // A check that was given up may still be computing; nobody waits for it.
    runtime.shutdown_background();
    code
}

/// Says why nothing was done, and gives the exit code.
fn complain(code: u8, reason: &str) -> u8 {
    output::remark(&format!("antipaxos: {reason}"));
    code
}

/// The node's binary next to this one, as cargo leaves them.
fn neighbour(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.parent().unwrap_or(Path::new(".")).join(name)
}

/// The one file that is looked at, hashed and run: a name without a slash is a file here, never one
/// that a search path finds.
fn the_file(binary: &Path) -> Result<PathBuf, SystemError> {
    binary.canonicalize().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => SystemError::MissingBinary(binary.to_owned()),
        _ => SystemError::NotExecutable { path: binary.to_owned(), reason: error.to_string() },
    })
}

/// Looks at the binary of a run before anything is done.
fn verify(options: &Options) -> Result<(), SystemError> {
    paxos(options).verify_binary().map(drop)
}

/// Our own node as this run wants it.
fn paxos(options: &Options) -> PaxosSystem {
    // Two runs on one machine must not take each other's nodes for their own.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let cluster = since.as_secs() << 24 | u64::from(std::process::id()) & 0xff_ffff;
    PaxosSystem::new(PaxosOptions {
        mutant: options.mutant.clone(),
        retries: options.retries,
        snapshot_every_bytes: options.snapshot_every_bytes,
        election: options.election,
        read_mode: options.read_mode,
        ..PaxosOptions::new(options.binary.clone(), cluster, options.seed)
    })
}

/// A seed for whoever gave none: printed with everything that depends on it.
fn fresh_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) ^ since.as_secs().rotate_left(20) & 0xffff_ffff
}

/// `12.5` as a duration, for flags in seconds.
fn seconds(text: &str) -> Result<std::time::Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is needed".to_owned())?;
    if !(seconds > 0.0 && seconds <= 86_400.0) {
        return Err("more than 0 and at most 86400 seconds".to_owned());
    }
    Ok(std::time::Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_command_line_that_a_run_prints_is_understood() {
        let text =
            "schema = 1\nname = \"quiet\"\nstory = \"Nothing.\"\n[[phase]]\nname = \"calm\"\nfor = \"1s\"\n";
        let schedule = crate::schedule::Schedule::read("quiet.toml", text).expect("a schedule");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("quiet.toml");
        std::fs::write(&file, text).expect("a file");
        let of_file = Options::of_schedule(Some(&file), schedule, Path::new("paxos-node"), 7);
        let drawn = Options { retries: 2, rate: Some(50.0), ..Options::usual("set", "paxos-node".into(), 7) };
        let unsteered = Options { steer: false, ..drawn.clone() };
        for options in [of_file, drawn, unsteered] {
            let test = options.command_line("antipaxos", Path::new("results"));
            let sim = options.simulated_command_line("antipaxos");
            for line in [test, sim] {
                let parsed =
                    Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
                let shape = match &parsed.command {
                    Command::Test(arguments) => &arguments.shape,
                    Command::Sim(arguments) => &arguments.shape,
                    other => panic!("{line}: {other:?}"),
                };
                let again = shape.options(&options.binary, 7).expect("a run");
                assert_eq!(format!("{again:?}"), format!("{options:?}"), "{line}");
            }
        }
    }

    #[test]
    fn a_binary_is_one_file_and_never_searched_for() {
        let error = the_file(Path::new("sh")).expect_err("there is no such file here").to_string();
        assert!(error.starts_with("missing binary: sh"), "{error}");
        let here = the_file(Path::new("Cargo.toml")).expect("a file of this folder");
        assert!(here.is_absolute() && here.ends_with("Cargo.toml"), "{}", here.display());
    }

    #[test]
    fn seconds_are_positive_and_finite() {
        assert_eq!(seconds("1.5"), Ok(std::time::Duration::from_millis(1_500)));
        for wrong in ["0", "-1", "inf", "NaN", "ten", "1e9"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
