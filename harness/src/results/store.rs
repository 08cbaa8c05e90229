//! The results folder: one folder per run, `latest` and `latest-failed`, bounded retention.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::utc::Utc;
use crate::run::verdict::Answer;

/// Valid runs kept; a run that was not valid is never removed.
pub const VALID_RUNS_MAX: usize = 20;
/// Runs that may start within one second under the same name.
const SAME_NAME_MAX: u32 = 100;

/// What a run did to its cluster, as a schedule that repeats it.
pub const RESOLVED_FILE: &str = "schedule.resolved.toml";
/// What was run, where, from which sources.
pub const MANIFEST_FILE: &str = "manifest.json";
/// What was to be done, if it stood in no file before.
pub const ASKED_FILE: &str = "schedule.toml";
/// The verdict's file: also how retention knows which runs were valid.
pub const VERDICT_FILE: &str = "verdict.json";

/// Why results can't be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub struct StoreError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StoreError + 'a {
    move |source| StoreError { action, path: path.to_owned(), source }
}

/// A folder of run folders.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    /// Whether runs that failed are removed in their turn like the others.
    expendable: bool,
}

impl Store {
    /// Opens it, creating it if need be; fails now rather than after a minute of chaos if
    /// nothing can be written there.
    pub fn open(root: &Path) -> Result<Store, StoreError> {
        fs::create_dir_all(root).map_err(failed("create the results folder", root))?;
        let root = root.canonicalize().map_err(failed("find the results folder", root))?;
        let probe = root.join(format!(".probe-{}", std::process::id()));
        fs::write(&probe, b"").map_err(failed("write to the results folder", &root))?;
        fs::remove_file(&probe).map_err(failed("write to the results folder", &root))?;
        Ok(Store { root, expendable: false })
    }

    /// A place for runs that fail by design: planted bugs. They come and go like valid ones.
    pub fn expendable(root: &Path) -> Result<Store, StoreError> {
        Ok(Store { expendable: true, ..Store::open(root)? })
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Creates the folder of a run that starts now, and points `latest` at it.
    pub fn create_run(&self, now: Utc, name: &str, seed: u64) -> Result<RunFolder, StoreError> {
        let base = format!("{}-{name}-{seed}", now.compact());
        for attempt in 1..=SAME_NAME_MAX {
            let name = if attempt == 1 { base.clone() } else { format!("{base}-{attempt}") };
            let path = self.root.join(&name);
            match fs::create_dir(&path) {
                Ok(()) => {
                    self.point("latest", &name)?;
                    return Ok(RunFolder { path, name, store: self.clone() });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed("create the run folder", &path)(error)),
            }
        }
        let path = self.root.join(&base);
        Err(failed("create the run folder", &path)(io::ErrorKind::AlreadyExists.into()))
    }

    /// Removes the oldest valid runs beyond [`VALID_RUNS_MAX`]. Gives what was removed.
    pub fn retain(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut valid = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(failed("list", &self.root))? {
            let path = entry.map_err(failed("list", &self.root))?.path();
            let is_run = !path.is_symlink() && path.join(VERDICT_FILE).is_file();
            if is_run && (self.expendable || was_valid(&path)) {
                valid.push(path);
            }
        }
        // Names begin with the date.
        valid.sort();
        valid.truncate(valid.len().saturating_sub(VALID_RUNS_MAX));
        for path in &valid {
            fs::remove_dir_all(path).map_err(failed("remove the old run", path))?;
        }
        Ok(valid)
    }

    /// Points a symlink of the root at a run, in one step.
    fn point(&self, link: &str, run: &str) -> Result<(), StoreError> {
        let target = self.root.join(link);
        let fresh = self.root.join(format!(".{link}-{}", std::process::id()));
        let swap = || -> io::Result<()> {
            if fresh.is_symlink() {
                fs::remove_file(&fresh)?;
            }
            symlink(run, &fresh)?;
            fs::rename(&fresh, &target)
        };
        swap().map_err(failed("point the symlink", &target))
    }
}

fn was_valid(run: &Path) -> bool {
    #[derive(serde::Deserialize)]
    struct Verdict {
        verdict: Answer,
    }
    fs::read(run.join(VERDICT_FILE))
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Verdict>(&bytes).ok())
        .is_some_and(|verdict| verdict.verdict == Answer::Valid)
}

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
    name: String,
    store: Store,
}

impl RunFolder {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a text file.
    pub fn write(&self, name: &str, text: &str) -> Result<(), StoreError> {
        let path = self.file(name);
        fs::write(&path, text).map_err(failed("write", &path))
    }

    /// Writes a value as indented JSON.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), StoreError> {
        let path = self.file(name);
        let text =
            serde_json::to_string_pretty(value).map_err(|error| failed("write", &path)(error.into()))?;
        self.write(name, &(text + "\n"))
    }

    /// Appends a value as one line of JSON.
    pub fn append_json(&self, name: &str, value: &impl Serialize) -> Result<(), StoreError> {
        let path = self.file(name);
        let append = || -> io::Result<()> {
            let line = serde_json::to_string(value)? + "\n";
            OpenOptions::new().create(true).append(true).open(&path)?.write_all(line.as_bytes())
        };
        append().map_err(failed("append to", &path))
    }

    /// Creates a folder in it.
    pub fn folder(&self, name: &str) -> Result<PathBuf, StoreError> {
        let path = self.file(name);
        fs::create_dir_all(&path).map_err(failed("create", &path))?;
        Ok(path)
    }

    /// Points `latest-failed` here.
    pub fn mark_failed(&self) -> Result<(), StoreError> {
        self.store.point("latest-failed", &self.name)
    }

    /// Removes a file in it, if it is there.
    pub fn remove_file(&self, name: &str) -> Result<(), StoreError> {
        let path = self.file(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &path)(error)),
            _ => Ok(()),
        }
    }

    /// Removes a folder in it, if it is there.
    pub fn remove_folder(&self, name: &str) -> Result<(), StoreError> {
        let path = self.file(name);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &path)(error)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(store: &Store, second: u64, verdict: &str) -> RunFolder {
        let folder = store.create_run(Utc::from_unix(second), "set", 7).expect("a run folder");
        folder.write_json(VERDICT_FILE, &serde_json::json!({ "verdict": verdict })).expect("a verdict");
        folder
    }

    #[test]
    fn latest_points_at_the_newest_run_and_names_never_collide() {
        let root = tempfile::tempdir().expect("a folder");
        let store = Store::open(&root.path().join("deep/results")).expect("a store");
        let first = run(&store, 0, "valid");
        let second = run(&store, 0, "invalid");
        assert_ne!(first.path(), second.path());
        assert_eq!(store.root().join("latest").canonicalize().expect("a link"), second.path());
        second.mark_failed().expect("a link");
        assert_eq!(
            fs::read_link(store.root().join("latest-failed")).expect("a link").to_str(),
            Some("19700101T000000Z-set-7-2")
        );
    }

    #[test]
    fn only_old_valid_runs_are_removed() {
        let root = tempfile::tempdir().expect("a folder");
        let store = Store::open(root.path()).expect("a store");
        let failed = run(&store, 0, "invalid");
        let unjudged = store.create_run(Utc::from_unix(1), "set", 7).expect("a run folder");
        let oldest = run(&store, 2, "valid");
        for second in 0..VALID_RUNS_MAX as u64 {
            run(&store, 10 + second, "valid");
        }
        let removed = store.retain().expect("retention");
        assert_eq!(removed, [oldest.path()]);
        assert!(failed.path().exists() && unjudged.path().exists() && !oldest.path().exists());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_refused_at_once() {
        let root = tempfile::tempdir().expect("a folder");
        let file = root.path().join("file");
        fs::write(&file, "").expect("a file");
        let error = Store::open(&file.join("results")).expect_err("not a folder").to_string();
        assert!(
            error.starts_with("cannot create the results folder") && error.contains("file/results"),
            "{error}"
        );
    }
}
