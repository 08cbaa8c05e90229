//! Recorded histories of other projects, where they lie beside the repository.

use std::path::{Path, PathBuf};

use checker::format::Format;
use checker::{History, Recorded};

/// The folder of recorded histories, if it is there; `CHECKER_HISTORIES` names another.
pub(crate) fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/histories");
    let folder = std::env::var_os("CHECKER_HISTORIES").map_or(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// Every history in it: path and bytes.
pub(crate) fn files() -> Vec<(String, Vec<u8>)> {
    let Some(folder) = folder() else { return Vec::new() };
    let (mut folders, mut files) = (vec![folder.clone()], Vec::new());
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !["README.md", "LICENSE", "LICENSE.md", "manifest.tsv"].contains(&name.as_str()) {
                let bytes = std::fs::read(&path).unwrap();
                files.push((path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned(), bytes));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn every_recorded_history_is_read_well_formed_with_its_format_and_model() {
    for (path, bytes) in files() {
        let Recorded { history, format, suggests } = History::read(&bytes[..]).unwrap_or_else(|error| panic!("{path}: {error}"));
        let calls = history.calls().unwrap_or_else(|error| panic!("{path}: {error}"));
        let model = suggests.model;
        println!("{path}: {format}, {} ops, {} calls, {suggests:?}", history.len(), calls.len());
        let _ = model;
    }
}
