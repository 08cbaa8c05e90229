//! May this binary be trusted to be what it is taken for?
//!
//! A bench that batters yesterday's build proves nothing about today's: the build id printed by
//! `--version` is a hash over the node's sources, and must be the one this harness was built with.

use crate::system::{BinaryInfo, SystemError};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long `--version` may take: it does nothing but print, so that only a machine in distress
/// or a program of another kind needs longer.
pub const VERSION_PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of its answer that are read at most.
const VERSION_BYTES_MAX: u64 = 4096;

/// What the first word of the answer must be.
const EXPECTED: &str = "paxos-node";

/// Looks at the file, asks it for its version, compares the build id with this harness's own.
///
/// # Errors
/// [`SystemError`], in the order in which one would look.
pub fn verify(path: &Path, mutant: Option<&str>) -> Result<BinaryInfo, SystemError> {
    verify_against(path, paxos_node::BUILD_ID, mutant, VERSION_PATIENCE)
}

fn verify_against(
    path: &Path,
    expected: &str,
    mutant: Option<&str>,
    patience: Duration,
) -> Result<BinaryInfo, SystemError> {
    let not_executable = |reason: String| SystemError::NotExecutable { path: path.to_owned(), reason };
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(SystemError::MissingBinary(path.to_owned()));
        }
        other => other.map_err(|error| not_executable(error.to_string()))?,
    };
    if !metadata.is_file() {
        return Err(not_executable("not a file".into()));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(not_executable("it has no execute permission".into()));
    }
    let content = fs::read(path).map_err(|error| not_executable(error.to_string()))?;
    let version = ask(path, patience)?;
    let foreign = || SystemError::Foreign {
        path: path.to_owned(),
        expected: EXPECTED,
        said: format!("says {version:?}"),
    };
    let (build_id, mutants) = parse(&version).ok_or_else(foreign)?;
    if build_id != expected {
        return Err(SystemError::Stale {
            path: path.to_owned(),
            expected: expected.to_owned(),
            found: build_id.to_owned(),
        });
    }
    if let Some(mutant) = mutant
        && !mutants
    {
        return Err(SystemError::NoMutants { path: path.to_owned(), mutant: mutant.to_owned() });
    }
    Ok(BinaryInfo {
        path: path.to_owned(),
        version: version.clone(),
        build_id: build_id.to_owned(),
        bytes: metadata.len(),
        crc32c: crc32c::crc32c(&content),
        mutants,
    })
}

/// `paxos-node 0.1.0 build <id>`, and ` mutants` at the end of a build that holds them.
fn parse(version: &str) -> Option<(&str, bool)> {
    let mut words = version.split_whitespace();
    (words.next()? == EXPECTED).then_some(())?;
    let _number = words.next()?;
    (words.next()? == "build").then_some(())?;
    let build_id = words.next()?;
    match words.next() {
        None => Some((build_id, false)),
        Some("mutants") => Some((build_id, true)),
        Some(_) => None,
    }
}

/// What it prints for `--version`, in one line.
fn ask(path: &Path, patience: Duration) -> Result<String, SystemError> {
    let mut command = Command::new(path);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0);
    let mut child = command
        .spawn()
        .map_err(|error| SystemError::NotExecutable { path: path.to_owned(), reason: error.to_string() })?;
    let answer = answer(&mut child, patience);
    // Whatever it did: it is not to go on, nor what it started. Not waited for yet, so that its
    // number is still its own; it may have ended already.
    if let Ok(group) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let ended = child.wait();
    let foreign = |said: String| SystemError::Foreign { path: path.to_owned(), expected: EXPECTED, said };
    match (answer, ended) {
        (None, _) => Err(SystemError::Hangs { path: path.to_owned(), patience }),
        (Some(Ok(bytes)), Ok(_)) if !bytes.is_empty() => {
            Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
        }
        (Some(Ok(_)), Ok(status)) => Err(foreign(format!("said nothing ({status})"))),
        (Some(Err(error)), _) | (_, Err(error)) => Err(foreign(format!("can't be read: {error}"))),
    }
}

/// All of its output, or `None` if it has not ended its output in time.
fn answer(child: &mut Child, patience: Duration) -> Option<io::Result<Vec<u8>>> {
    let stdout = child.stdout.take()?;
    let (sender, receiver) = mpsc::sync_channel(1);
    // Ends with the child's output: at the latest when the child is killed.
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let result = stdout.take(VERSION_BYTES_MAX).read_to_end(&mut bytes);
        // Nobody listens any more if it came too late.
        let _ = sender.send(result.map(|_| bytes));
    });
    receiver.recv_timeout(patience).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::path::PathBuf;

    fn script(folder: &Path, name: &str, body: &str) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Called by the one test that writes scripts: a script that a test running beside it forks away
    /// from while it is being written can't be executed.
    fn a_probe_that_hangs_takes_its_children_with_it(folder: &Path) {
        use nix::fcntl::{FcntlArg, OFlag, fcntl};
        let held = folder.join("held");
        nix::unistd::mkfifo(&held, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let flags = OFlag::O_NONBLOCK.bits();
        let mut end = fs::File::options().read(true).custom_flags(flags).open(&held).unwrap();
        fcntl(&end, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
        let body = format!("exec 3>'{}'; sleep 60 & wait", held.display());
        let hangs = script(folder, "hangs-with-child", &body);
        let began = std::time::Instant::now();
        let error = verify_against(&hangs, "abc", None, Duration::from_millis(500)).unwrap_err();
        assert!(matches!(error, SystemError::Hangs { .. }), "{error}");
        // Ends when nobody holds the other end any more.
        assert_eq!(end.read(&mut [0]).unwrap(), 0);
        assert!(began.elapsed() < Duration::from_secs(30), "its child lived on");
    }

    #[test]
    fn each_untrustworthy_binary_gets_its_own_words() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let check = |path: &Path, mutant: Option<&str>| {
            verify_against(path, "abc", mutant, Duration::from_millis(500)).unwrap_err().to_string()
        };
        assert!(check(&folder.join("nowhere"), None).starts_with("missing binary"));
        assert!(check(folder, None).contains("not a file"));
        let plain = folder.join("plain");
        fs::write(&plain, "hello").unwrap();
        assert!(check(&plain, None).contains("no execute permission"));
        let garbage = folder.join("garbage");
        fs::write(&garbage, [0u8; 64]).unwrap();
        fs::set_permissions(&garbage, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(check(&garbage, None).contains("cannot execute"));
        assert!(check(&script(folder, "hangs", "exec sleep 60"), None).contains("did not end within"));
        assert!(check(&script(folder, "mute", "exit 3"), None).contains("said nothing"));
        assert!(check(&script(folder, "other", "echo etcd 3.5"), None).contains("not a paxos-node"));
        let stale = check(&script(folder, "stale", "echo paxos-node 0.1.0 build xyz"), None);
        assert!(
            stale.starts_with("stale binary") && stale.contains("xyz") && stale.contains("abc"),
            "{stale}"
        );
        a_probe_that_hangs_takes_its_children_with_it(folder);
        let clean = script(folder, "clean", "echo paxos-node 0.1.0 build abc");
        assert!(check(&clean, Some("noop-overwrites-accepted")).contains("holds no mutants"));
        let info = verify_against(&clean, "abc", None, VERSION_PATIENCE).unwrap();
        assert_eq!((info.build_id.as_str(), info.mutants), ("abc", false));
        let mutants = script(folder, "mutants", "echo paxos-node 0.1.0 build abc mutants");
        assert!(verify_against(&mutants, "abc", Some("any"), VERSION_PATIENCE).unwrap().mutants);
    }
}
