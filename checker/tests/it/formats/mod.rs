//! Reading the histories of the field, and writing them.

mod console_log;
mod detection;
mod edn;
mod fuzz;
mod intervals;
mod json;
mod keys;
mod round_trip;
mod s2;
mod shared;
mod store;

use checker::format::keys::Independent;
use checker::{History, ReadError, Recorded};

fn read(text: impl AsRef<[u8]>) -> Result<Recorded, ReadError> {
    History::read(text.as_ref())
}

fn read_as(text: &str, independent: Independent) -> Result<Recorded, ReadError> {
    History::read_with(text.as_bytes(), independent)
}

/// One op a word or more: `0 invoke write 1`, with `@key` where there is one.
fn shown(history: &History) -> Vec<String> {
    let op = |op: checker::Op| {
        let process = op.process.to_string();
        let process = process.trim_start_matches("process ");
        let key = op.key.map(|key| format!(" @{key}")).unwrap_or_default();
        let error = op.error.map(|error| format!(" !{error}")).unwrap_or_default();
        format!("{process} {} {} {}{key}{error}", op.op_type, op.f, op.value)
    };
    history.ops().map(op).collect()
}

fn error(text: impl AsRef<[u8]>) -> String {
    match read(text) {
        Ok(recorded) => panic!("read as {}: {:?}", recorded.format, shown(&recorded.history)),
        Err(error) => error.to_string(),
    }
}
