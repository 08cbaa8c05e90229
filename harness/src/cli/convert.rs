//! `antipaxos convert`: a recorded history in another format.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use checker::History;
use checker::format::{Format, WriteError};
use clap::Args;

use super::complain;
use crate::run::verdict::{Answer, HARNESS_FAILED};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The history, in any format that check reads
    file: PathBuf,

    /// The format to write: jsonl, edn, history-txt or elle-json
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    to: Format,

    /// Where to write it; to stdout if not given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn format(name: &str) -> Result<Format, String> {
    Format::by_name(name).ok_or_else(|| "there is no such format".to_owned())
}

pub(super) fn main(arguments: &Arguments) -> u8 {
    let path = arguments.file.display();
    let read = File::open(&arguments.file)
        .map_err(|error| format!("cannot read {path}: {error}"))
        .and_then(|file| History::read(file).map_err(|error| format!("{path}: {error}")));
    let history = match read {
        Ok(recorded) => recorded.history,
        Err(reason) => return complain(Answer::Unknown.code(), &reason),
    };
    let written = match &arguments.output {
        None => write(&history, arguments.to, io::stdout().lock()),
        Some(path) => match File::create(path) {
            Ok(file) => write(&history, arguments.to, file),
            Err(error) => {
                return complain(HARNESS_FAILED, &format!("cannot write {}: {error}", path.display()));
            }
        },
    };
    match written {
        Ok(()) => 0,
        Err(WriteError::Io(error)) => complain(HARNESS_FAILED, &format!("cannot write the history: {error}")),
        Err(error) => {
            complain(Answer::Unknown.code(), &format!("{path} can't be written as {}: {error}", arguments.to))
        }
    }
}

fn write(history: &History, format: Format, out: impl Write) -> Result<(), WriteError> {
    let mut out = BufWriter::new(out);
    history.write(format, &mut out)?;
    out.flush().map_err(WriteError::Io)
}
