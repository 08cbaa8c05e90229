//! A file as a history, and what it is a history of.

use std::fs::File;
use std::path::Path;

use checker::History;
use checker::format::keys::Independent;
use checker::format::{Format, Recorded};

/// Reads a file in whatever format it is.
pub(super) fn read(path: &Path, independent: Independent) -> Result<Recorded, String> {
    let file = File::open(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    History::read_with(file, independent).map_err(|error| error.to_string())
}

/// What a file like this one is a history of, as far as it tells. Where Jepsen has a check of its own for
/// what its clients recorded, that is the one it is meant for: its sets and counters promise less than
/// linearizability.
pub(super) fn model(recorded: &Recorded) -> Option<&'static str> {
    let jepsen = matches!(
        recorded.format,
        Format::Edn | Format::HistoryTxt | Format::ConsoleLog | Format::Store | Format::ElleJson
    );
    Some(match recorded.suggests.model? {
        "set" if jepsen => "set-full",
        "counter" if jepsen => "counter-bounds",
        model => model,
    })
}
