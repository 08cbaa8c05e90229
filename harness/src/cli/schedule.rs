//! `antipaxos schedule`: what a file of faults says, before anything runs.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{complain, output};
use crate::run::verdict::{HARNESS_FAILED, USAGE};
use crate::schedule::limits::FILE_BYTES_MAX;
use crate::schedule::{Dialect, Reading, Schedule};

pub(super) const EXAMPLES: &str = "\
Examples:
  antipaxos schedule lint harness/schedules/*.toml
  antipaxos schedule explain harness/schedules/ci-mix.toml
  antipaxos schedule draw harness/schedules/ci-mix.toml --svg ci-mix.svg

Every key is described in harness/schedules/README.md.";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Whether files are schedules; what is wrong is said with line and column
    Lint {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// What schedules do, in sentences
    Explain {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// When what can happen, as a timeline
    Draw {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,

        /// A picture instead; of one file
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,

        /// Characters in a line [default: COLUMNS, or 100]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(40..=1000), conflicts_with = "svg")]
        width: Option<u16>,
    },
}

/// The width of what is not a terminal.
const WIDTH: u16 = 100;

pub(super) fn main(arguments: &Arguments) -> u8 {
    match &arguments.command {
        Command::Lint { files } => of_all(files, lint),
        Command::Explain { files } => of_all(files, |_, reading| reading.schedule.explain()),
        Command::Draw { files, svg: Some(svg), .. } => match &files[..] {
            [file] => picture(file, svg),
            _ => complain(USAGE, "--svg draws one file"),
        },
        Command::Draw { files, svg: None, width } => {
            let width = width.unwrap_or_else(terminal_width);
            of_all(files, |_, reading| reading.schedule.draw_text(usize::from(width)))
        }
    }
}

/// Reads every file, also behind one that is refused, and shows what is to be said of each.
fn of_all(files: &[PathBuf], say: impl Fn(&Path, &Reading) -> String) -> u8 {
    let mut said = Vec::new();
    let mut code = 0;
    for file in files {
        match read(file) {
            Ok(reading) => said.push(say(file, &reading)),
            Err(reason) => {
                output::remark(reason.trim_end());
                code = USAGE;
            }
        }
    }
    let mut said = said.join("\n");
    if !said.is_empty() && !said.ends_with('\n') {
        said.push('\n');
    }
    output::answer(&said, code)
}

fn lint(file: &Path, reading: &Reading) -> String {
    for warning in &reading.warnings {
        output::remark(format!("warning: {warning}").trim_end());
    }
    let schedule = &reading.schedule;
    let faults: usize = schedule.phases.iter().map(|phase| phase.faults.len()).sum();
    let choices: usize =
        schedule.phases.iter().flat_map(|phase| &phase.mixes).map(|mix| mix.choices.len()).sum();
    format!(
        "{}: {}, {} s, {faults} single and {choices} random faults, {} required, {} warnings",
        file.display(),
        schedule.name,
        schedule.lasts().as_secs_f64(),
        schedule.required().count(),
        reading.warnings.len()
    )
}

/// A schedule, or why there is none.
fn read(file: &Path) -> Result<Reading, String> {
    let name = file.display().to_string();
    let failed = |reason: &dyn std::fmt::Display| format!("antipaxos: cannot read {name}: {reason}");
    let length = std::fs::metadata(file).map_err(|error| failed(&error))?.len();
    if length > FILE_BYTES_MAX as u64 {
        return Err(failed(&format!("{length} bytes are more than a schedule has")));
    }
    let text = std::fs::read_to_string(file).map_err(|error| failed(&error))?;
    Schedule::read_for(&Dialect::PAXOS, &name, &text).map_err(|refusals| refusals.to_string())
}

fn picture(file: &Path, svg: &Path) -> u8 {
    let reading = match read(file) {
        Ok(reading) => reading,
        Err(reason) => {
            output::remark(reason.trim_end());
            return USAGE;
        }
    };
    match std::fs::write(svg, reading.schedule.draw_svg()) {
        Ok(()) => 0,
        Err(error) => complain(HARNESS_FAILED, &format!("cannot write {}: {error}", svg.display())),
    }
}

fn terminal_width() -> u16 {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns.unwrap_or(WIDTH).clamp(40, 1_000)
}
