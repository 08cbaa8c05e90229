//! A file as a history, and what it is a history of.

use std::fs::File;
use std::path::Path;

use checker::History;
use checker::catalogue::Rules;

/// A history with what its file says about it.
pub(super) struct Recorded {
    pub(super) history: History,
    pub(super) format: &'static str,
    /// What it seems to be a history of.
    pub(super) model: Option<&'static str>,
    /// What its fails and nils usually mean.
    pub(super) rules: Rules,
}

pub(super) fn read(path: &Path) -> Result<Recorded, String> {
    let file = File::open(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let checker::Recorded { history, format, suggests } =
        History::read(file).map_err(|error| error.to_string())?;
    let rules = suggests.rules();
    Ok(Recorded { history, format: format.name(), model: suggests.model, rules })
}
