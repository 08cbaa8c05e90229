//! `antipaxos convert`: a recorded history in another format.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use checker::History;
use checker::format::keys::Independent;
use checker::format::{Format, WriteError};
use clap::Args;

use super::{complain, reading};
use crate::run::verdict::{Answer, HARNESS_FAILED};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The history, in any format that check reads; - for what is piped in
    file: PathBuf,

    /// The format to write: jsonl, edn, history-txt or elle-json
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    to: Format,

    /// Where to write it; to stdout if not given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

const WRITTEN: [Format; 4] = [Format::Jsonl, Format::Edn, Format::HistoryTxt, Format::ElleJson];

fn format(name: &str) -> Result<Format, String> {
    WRITTEN.into_iter().find(|format| format.name() == name).ok_or_else(|| {
        format!("no such format is written; there are: {}", WRITTEN.map(Format::name).join(", "))
    })
}

pub(super) fn main(arguments: &Arguments) -> u8 {
    let path = arguments.file.display();
    let history = match reading::read(&arguments.file, Independent::Auto) {
        Ok(recorded) => recorded.history,
        Err(reason) => return complain(Answer::Unknown.code(), &format!("{path}: {reason}")),
    };
    let written = match &arguments.output {
        None => write(&history, arguments.to, io::stdout().lock()),
        Some(path) => replace(path, |file| write(&history, arguments.to, file)),
    };
    match written {
        Ok(()) => 0,
        Err(WriteError::Io(error)) => complain(HARNESS_FAILED, &format!("cannot write the history: {error}")),
        Err(error) => {
            complain(Answer::Unknown.code(), &format!("{path} can't be written as {}: {error}", arguments.to))
        }
    }
}

/// Writes a file, and only when all of it is written puts it in the place of what was there, which may
/// well be the history that was read.
fn replace(path: &Path, write: impl FnOnce(&File) -> Result<(), WriteError>) -> Result<(), WriteError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    let partial = Path::new(&name);
    let file = File::create_new(partial)?;
    let written = write(&file).and_then(|()| Ok(std::fs::rename(partial, path)?));
    if written.is_err() {
        let _ = std::fs::remove_file(partial);
    }
    written
}

fn write(history: &History, format: Format, out: impl Write) -> Result<(), WriteError> {
    let mut out = BufWriter::new(out);
    history.write(format, &mut out)?;
    out.flush().map_err(WriteError::Io)
}
