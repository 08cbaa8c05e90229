//! How fast is each kind of history judged, and with how much memory?
//!
//! A program of its own rather than criterion or divan: what is promised of a check is a verdict, a time and
//! a peak of memory together, and a peak belongs to a process. So every case runs in a process of its own
//! (this one, started again), which simulates its history, decides it a few times, and reports the verdict,
//! the shortest time and the kernel's high-water mark; then, once, the time with an explanation. Statistics would add nothing: a check always does the
//! same work, so the shortest time is the one that other programs disturbed least. No dependency is needed.
//!
//! | argument | what it does |
//! |---|---|
//! | none | every case, as a table |
//! | `--quick` | the same with a tenth of the operations, once each |
//! | `--headline` | clients × unknown outcomes, how far a five-value CAS register is decided in 10 s and 1 GB |
//! | `--files` | recorded histories of other projects: see `files.rs` |
//! | `--only TEXT` | only cases whose class, history or file contains the text; to be given first |
//! | `--write SPEC` | the history as JSON lines, for other programs |
//! | `--write-edn SPEC` | the same as Jepsen's EDN |
//! | `--case SPEC` | one history, as a line of a table |
//!
//! A history is named by its specification, as the tables print it: `cas5 ops=1000 clients=20 unknown=0.01
//! spoil=phantom seed=1`. The program fails if a verdict is not the one that the simulation calls for.

mod case;
mod files;
mod headline;
mod spec;
mod table;

use std::io::Write;
use std::process::ExitCode;

use case::{Job, Limits, Mode};
use spec::Spec;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    // What cargo adds.
    arguments.retain(|argument| argument != "--bench");
    let mut quick = false;
    let mut only = String::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let mut next = || arguments.next().unwrap_or_default();
        match &*argument {
            "--quick" => quick = true,
            "--only" => only = next(),
            "--headline" => return headline::print(quick, &only),
            "--files" => return files::print(&only),
            "--write" => return done(write(&next())),
            "--write-edn" => return done(write_edn(&next())),
            "--case" => return done(print_case(&next())),
            "--child" => return done(child(&next())),
            other => return done(Err(format!("what is {other:?}? See the top of benches/speed/main.rs"))),
        }
    }
    table::print(quick, &only)
}

fn done(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes a history to standard output, keeping none of it.
fn write(spec: &str) -> Result<(), String> {
    let spec: Spec = spec.parse()?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut failed = None;
    checker::simulate::each_op(&spec.plan, |op| {
        if failed.is_none() {
            failed = op.write_jsonl(&mut out).err();
        }
    });
    match failed.or(out.flush().err()) {
        Some(error) => Err(error.to_string()),
        None => Ok(()),
    }
}

fn write_edn(spec: &str) -> Result<(), String> {
    let spec: Spec = spec.parse()?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let history = checker::simulate::simulate(&spec.plan).history;
    history.write(checker::format::Format::Edn, &mut out).map_err(|error| error.to_string())?;
    out.flush().map_err(|error| error.to_string())
}

fn print_case(spec: &str) -> Result<(), String> {
    let limits = Limits { runs: 5, ..Limits::default() };
    let measured = case::measure(&Job { spec: spec.parse()?, limits, mode: Mode::Check });
    println!("{measured}");
    Ok(())
}

/// What a process started for one case does: one line for its parent.
fn child(job: &str) -> Result<(), String> {
    println!("{}", case::run(&job.parse()?)?);
    Ok(())
}
