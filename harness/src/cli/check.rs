//! `antipaxos check`: judges a recorded history, ours or anybody's in the same format.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::time::Duration;

use checker::{Budget, Check, History, LinearizableAppend, LinearizableRegister, SetCheck};
use clap::{Args, ValueEnum};

use super::{complain, output, seconds};
use crate::run::verdict::USAGE;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A history: one operation per line of JSON, such as results/latest/history.jsonl
    file: PathBuf,

    /// What the history must be a history of
    #[arg(short, long)]
    model: Model,

    /// Seconds it may take; after that the verdict is unknown
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    time_limit: Duration,

    /// MiB it may take beyond the history; after that the verdict is unknown
    #[arg(long, value_name = "MIB", default_value_t = 1_024, value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    memory: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Model {
    /// Registers, one per key: read, write, cas with [old, new]
    CasRegister,
    /// Sets: add, and reads that give every element
    Set,
    /// Lists, one per key: append, and reads that give every element in order
    Append,
}

impl Model {
    fn check(self) -> Box<dyn Check> {
        match self {
            Model::CasRegister => Box::new(LinearizableRegister::default()),
            Model::Set => Box::new(SetCheck::default()),
            Model::Append => Box::new(LinearizableAppend::default()),
        }
    }
}

pub(super) fn main(arguments: &Arguments) -> u8 {
    let path = arguments.file.display();
    let file = match File::open(&arguments.file) {
        Ok(file) => file,
        Err(error) => return complain(USAGE, &format!("cannot read {path}: {error}")),
    };
    let history = match History::read_jsonl(BufReader::new(file)) {
        Ok(history) => history,
        Err(error) => return complain(USAGE, &format!("{path}: {error}")),
    };
    let budget = Budget { time: arguments.time_limit, memory_bytes: arguments.memory << 20 };
    let report = arguments.model.check().check(&history, &budget);
    let exit = report.verdict.exit_code();
    output::answer(&format!("{report}verdict: {} (exit {exit})\n", report.verdict.word()), exit)
}
