//! A file as a history. Whatever is wrong with it is said with what to do about it.

use std::fs::File;
use std::path::Path;

use checker::format::Recorded;
use checker::format::keys::Independent;
use checker::format::{Format, Misread};
use checker::{History, ReadError};

/// The name that stands for what is piped in.
pub(super) const STDIN: &str = "-";

/// What a folder with a history in it has, ours first.
const HISTORIES: [&str; 4] = ["history.jsonl", "test.jepsen", "history.edn", "history.txt"];

/// Reads a file in whatever format it is.
pub(super) fn read(path: &Path, independent: Independent) -> Result<Recorded, String> {
    if path.is_dir() {
        return Err(folder(path));
    }
    let name = path.display();
    let source = if path == Path::new(STDIN) { Path::new("/dev/stdin") } else { path };
    let file = File::open(source).map_err(|error| format!("cannot read {name}: {error}"))?;
    History::read_known(file, independent).map_err(|misread| told(path, &misread))
}

fn folder(path: &Path) -> String {
    let name = path.display();
    match HISTORIES.iter().find(|history| path.join(history).is_file()) {
        Some(history) => {
            format!("{name} is a folder: give the history in it, {}", path.join(history).display())
        }
        None => format!("{name} is a folder, and no history is in it: give a file"),
    }
}

fn told(path: &Path, misread: &Misread) -> String {
    let name = path.display();
    match &misread.error {
        ReadError::Empty => format!("{}: {name} was never written to, or is the wrong file", misread.error),
        ReadError::UnknownFormat { .. } => {
            format!("{misread}; what is read: {}", Format::ALL.map(|format| format.to_string()).join(", "))
        }
        ReadError::Malformed { line: line @ 2.., torn_tail: true, .. } => format!(
            "{misread}: its writer was interrupted there. If each line is an op, what is before can be judged: head -n {} {name} | antipaxos check -",
            line - 1
        ),
        _ => misread.to_string(),
    }
}
