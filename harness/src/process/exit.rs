//! How a process ended, and what it said last.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Lines of stderr quoted at most: a panic with its message and the milestones before it.
pub const LAST_WORDS_LINES: usize = 20;

/// Bytes of stderr read for the quote at most: a line gone wild must not flood the verdict.
pub const LAST_WORDS_BYTES: u64 = 16 << 10;

/// What `waitpid` said.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum ExitKind {
    /// It exited by itself with this status.
    Status(i32),
    /// It was ended by this signal.
    Signal(i32),
}

/// How one incarnation of a process ended.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct ExitInfo {
    /// The process id it had.
    pub pid: u32,
    /// Exit status or signal.
    pub kind: ExitKind,
    /// The last lines this incarnation wrote to stderr, oldest first.
    pub last_words: Vec<String>,
}

impl ExitInfo {
    /// Whether it exited by itself with status 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.kind == ExitKind::Status(0)
    }
}

impl fmt::Display for ExitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitKind::Status(status) => write!(f, "exited with status {status}"),
            ExitKind::Signal(signal) => match nix::sys::signal::Signal::try_from(*signal) {
                Ok(name) => write!(f, "was ended by {name}"),
                Err(_) => write!(f, "was ended by signal {signal}"),
            },
        }
    }
}

impl fmt::Display for ExitInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {} {}", self.pid, self.kind)?;
        if self.last_words.is_empty() {
            return write!(f, "; it wrote nothing to stderr");
        }
        write!(f, "; its last words:")?;
        for line in &self.last_words {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

/// The last lines of `file` at or after byte `from`, within the limits of this module.
pub(super) fn last_words(file: &Path, from: u64) -> io::Result<Vec<String>> {
    let mut file = File::open(file)?;
    let end = file.metadata()?.len();
    let start = end.saturating_sub(LAST_WORDS_BYTES).max(from);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(LAST_WORDS_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<&str> = text.lines().collect();
    if start > from && lines.len() > 1 {
        // The window opened in the middle of a line.
        lines.remove(0);
    }
    let skipped = lines.len().saturating_sub(LAST_WORDS_LINES);
    Ok(lines[skipped..].iter().map(|line| line.trim_end().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_the_last_lines_of_this_incarnation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stderr.log");
        let old = "old life\n";
        let new: String = (0..100).map(|line| format!("line {line}\n")).collect();
        std::fs::write(&path, format!("{old}{new}")).unwrap();
        let words = last_words(&path, old.len() as u64).unwrap();
        assert_eq!(words.len(), LAST_WORDS_LINES);
        assert_eq!(words.last().unwrap(), "line 99");
        std::fs::write(&path, format!("{old}only")).unwrap();
        assert_eq!(last_words(&path, old.len() as u64).unwrap(), ["only"]);
        assert!(last_words(&path, 1000).unwrap().is_empty());
    }

    #[test]
    fn a_line_gone_wild_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stderr.log");
        std::fs::write(&path, format!("{}\nthe end\n", "x".repeat(1 << 20))).unwrap();
        assert_eq!(last_words(&path, 0).unwrap(), ["the end"]);
    }

    #[test]
    fn an_exit_reads_as_a_sentence() {
        let info = ExitInfo { pid: 7, kind: ExitKind::Signal(9), last_words: vec!["boom".into()] };
        assert_eq!(info.to_string(), "pid 7 was ended by SIGKILL; its last words:\n    boom");
    }
}
