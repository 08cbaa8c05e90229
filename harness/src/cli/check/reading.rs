//! A file as a history, and what it is a history of.

use std::fs::File;
use std::path::Path;

use checker::History;
use checker::catalogue::Rules;
use checker::format::keys::Independent;
use checker::format::{FailedCas, Format, NilReads, Recorded};
use checker::transactions::ConsistencyModel;

/// Reads a file in whatever format it is.
pub(super) fn read(path: &Path, independent: Independent) -> Result<Recorded, String> {
    let file = File::open(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    History::read_with(file, independent).map_err(|error| error.to_string())
}

/// What fails and nils mean in files like this one.
pub(super) fn rules(recorded: &Recorded) -> Rules {
    let suggests = &recorded.suggests;
    Rules {
        initial: suggests.initial.clone(),
        nil_read_says_nothing: suggests.nil_reads == NilReads::SayNothing,
        consistency: ConsistencyModel::default(),
        failed_cas_is_read: suggests.failed_cas == FailedCas::HeldSomethingElse,
    }
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
