//! The hidden subcommand through which every process under test is started.
//!
//! `antipaxos __launch --parent PID -- PROGRAM ARGS…` ties its own life to its parent's, checks
//! that the parent is still there, and replaces itself with the program. A small program of our
//! own between fork and exec needs none of the `unsafe` that a pre-exec hook would, and may
//! allocate and report errors like any other.
//!
//! Two races, and what settles them:
//!
//! - The parent dies before the death signal is set: then no signal ever comes. So the parent's
//!   id is compared *after* setting it; if the parent is gone we were adopted, and exit.
//! - The program undoes it: the signal survives `exec` unless the program is set-uid or carries
//!   file capabilities, which programs under test do not.

use nix::sys::prctl;
use nix::sys::signal::Signal;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

/// The subcommand's name, as the first argument of the harness's binary.
pub const SUBCOMMAND: &str = "__launch";

/// Exit status when the program could not be executed (the shell's convention).
pub const EXIT_CANNOT_EXECUTE: u8 = 126;

/// Exit status when the arguments make no sense, or the parent is gone.
pub const EXIT_USAGE: u8 = 254;

/// The arguments, up to and including the subcommand, that make the harness's binary start
/// `program` as a child of process `parent`.
pub(super) fn prefix(parent: u32, program: &OsStr) -> [OsString; 5] {
    [SUBCOMMAND.into(), "--parent".into(), parent.to_string().into(), "--".into(), program.to_owned()]
}

/// Runs the subcommand; `args` are those after [`SUBCOMMAND`]. Returns only when it failed, after
/// saying why on stderr.
#[must_use = "the exit code is the process's"]
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let Some((parent, program, rest)) = parse(args) else {
        eprintln!("antipaxos {SUBCOMMAND}: usage: --parent PID -- PROGRAM ARGS… (internal, not for people)");
        return ExitCode::from(EXIT_USAGE);
    };
    if let Err(error) = prctl::set_pdeathsig(Signal::SIGKILL) {
        eprintln!("antipaxos {SUBCOMMAND}: cannot ask to die with the harness: {error}");
        return ExitCode::from(EXIT_USAGE);
    }
    if nix::unistd::getppid().as_raw() != parent {
        eprintln!("antipaxos {SUBCOMMAND}: the harness (pid {parent}) is gone");
        return ExitCode::from(EXIT_USAGE);
    }
    let error = Command::new(&program).args(rest).exec();
    eprintln!("antipaxos {SUBCOMMAND}: cannot execute {}: {error}", program.display());
    ExitCode::from(EXIT_CANNOT_EXECUTE)
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Option<(i32, OsString, Vec<OsString>)> {
    let mut args = args.into_iter();
    (args.next()? == "--parent").then_some(())?;
    let parent = args.next()?.to_str()?.parse().ok()?;
    (args.next()? == "--").then_some(())?;
    let program = args.next()?;
    Some((parent, program, args.collect()))
}
