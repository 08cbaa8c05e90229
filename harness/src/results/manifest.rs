//! What was run, where, and from which sources: enough to repeat it and to doubt it.

use std::fs;
use std::process::{Command, Stdio};

use serde::Serialize;

/// A run's manifest: written when it starts, and again when it ends.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    /// When it started, UTC.
    pub started: String,
    /// When it ended; absent while it runs, or if the harness died.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// Whether it went through all its phases.
    pub complete: bool,
    /// The command line that started it.
    pub command_line: Vec<String>,
    /// The command that repeats its plan.
    pub repeat: String,
    /// Decides the plan and the operations; not how the processes race.
    pub seed: u64,
    /// The workload's name.
    pub workload: String,
    /// Every option of the run, defaults included.
    pub options: serde_json::Value,
    /// The binary under test: path, version, build id, size, checksum.
    pub binary: serde_json::Value,
    /// Version of the harness.
    pub harness: String,
    /// The sources, if this is a git checkout.
    pub git: Option<Commit>,
    /// The machine.
    pub machine: Machine,
}

/// Which sources.
#[derive(Clone, Debug, Serialize)]
pub struct Commit {
    /// The commit's hash.
    pub commit: String,
    /// Whether the tree differed from it.
    pub dirty: bool,
}

impl Commit {
    /// Asks git, if it is installed and this is a checkout.
    pub fn read() -> Option<Commit> {
        let commit = git(&["rev-parse", "HEAD"])?.trim().to_owned();
        let dirty = git(&["status", "--porcelain", "--untracked-files=no"])?;
        Some(Commit { commit, dirty: !dirty.trim().is_empty() })
    }
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Where it ran: a latency means nothing without it.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Kernel release.
    pub kernel: String,
    /// Processor model.
    pub processor: String,
    /// Processors that this process may use.
    pub processors: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
}

impl Machine {
    /// Asks /proc.
    pub fn read() -> Machine {
        let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processor = field(&file("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown".to_owned());
        let memory_kib = field(&file("/proc/meminfo"), "MemTotal")
            .and_then(|line| line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()));
        Machine {
            kernel: file("/proc/sys/kernel/osrelease").trim().to_owned(),
            processor,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: memory_kib.unwrap_or_default() / 1_024,
        }
    }
}

/// The value of the first `name : value` line.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_can_be_described() {
        let machine = Machine::read();
        assert!(
            machine.processors > 0 && machine.memory_mib > 0 && !machine.kernel.is_empty(),
            "{machine:?}"
        );
        assert_eq!(field("a: 1\nmodel name\t: x: y\n", "model name"), Some("x: y".to_owned()));
    }
}
