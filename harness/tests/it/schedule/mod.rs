//! Schedules as files: read, refused, written, explained, drawn; and the library that comes with us.

mod bad;
mod command;
mod draw;
mod library;
mod random;
mod read;
mod write;

use std::path::{Path, PathBuf};

/// A folder of this crate.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The TOML files of a folder, with their names, in order.
pub(crate) fn files(name: &str) -> Vec<(PathBuf, String, String)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder(name))
        .expect("the folder is there")
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        (path, file, text)
    };
    paths.into_iter().map(read).collect()
}

/// Compares with a file that holds what is expected; `UPDATE_GOLDEN=1` writes it anew, and the diff is
/// then the review.
fn golden(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return std::fs::write(path, actual).expect("a writable file");
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert!(actual == expected, "{} now is:\n\n{actual}", path.display());
}
