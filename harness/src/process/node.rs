//! One incarnation of one process under test.

use super::exit::{ExitInfo, ExitKind, last_words};
use super::{launch, spawner};
use nix::errno::Errno;
use nix::sys::signal::{self, Signal};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a signal may take to show. Stopping waits for the process's system calls in flight,
/// and an fsync on a loaded machine may take seconds.
pub const CONFIRM_DEADLINE: Duration = Duration::from_secs(10);

/// Between two looks at a process that is changing state: such changes take microseconds.
const CONFIRM_INTERVAL: Duration = Duration::from_micros(200);

/// What to execute.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct CommandSpec {
    /// The program; a path, not looked up anywhere.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// Everything needed to start one incarnation of a process.
#[derive(Clone, Debug)]
pub struct SpawnSpec {
    /// The harness's own binary, which understands [`launch::SUBCOMMAND`]; see [`launcher`].
    pub launcher: PathBuf,
    /// For people: "n1".
    pub name: String,
    /// Which life of this process it is, from 1: written into the marker lines.
    pub incarnation: u32,
    /// What to execute.
    pub command: CommandSpec,
    /// Appended to; created with its folder if missing.
    pub stdout: PathBuf,
    /// Appended to; created with its folder if missing. Quoted when the process dies.
    pub stderr: PathBuf,
}

/// The running binary, for [`SpawnSpec::launcher`]: `/proc/self/exe`'s target, so that a harness
/// started by a relative path finds itself from any folder.
///
/// # Errors
/// `/proc` is not mounted, or the binary was deleted.
pub fn launcher() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// Why a process could not be started, signalled or observed.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// A log file could not be opened or written.
    #[error("{name}: cannot write {}: {source}", path.display())]
    Log {
        /// The process's name.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The launcher could not be started.
    #[error("{name}: cannot start {}: {source}", launcher.display())]
    Spawn {
        /// The process's name.
        name: String,
        /// The harness's own binary.
        launcher: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A system call on the process failed.
    #[error("{name} (pid {pid}): {action}: {source}")]
    Signal {
        /// The process's name.
        name: String,
        /// Its id.
        pid: u32,
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: Errno,
    },
    /// The process was no longer there to be signalled.
    #[error("{name}: {action}: it had gone: {exit}")]
    Gone {
        /// The process's name.
        name: String,
        /// What was tried.
        action: &'static str,
        /// How it ended.
        exit: ExitInfo,
    },
    /// The signal was sent, and its effect did not show in time: indeterminate.
    #[error("{name} (pid {pid}): {action}: not confirmed within {} s", CONFIRM_DEADLINE.as_secs())]
    Unconfirmed {
        /// The process's name.
        name: String,
        /// Its id.
        pid: u32,
        /// What was tried.
        action: &'static str,
    },
}

/// What the last confirmed observation said.
#[derive(Clone, Debug)]
enum State {
    Running,
    Paused,
    /// Reaped: the pid may belong to somebody else by now and is never signalled again.
    Exited(ExitInfo),
}

/// One incarnation of one process under test, in its own process group. Killed and reaped on
/// drop.
#[derive(Debug)]
pub struct NodeProcess {
    name: String,
    pid: Pid,
    stderr: PathBuf,
    /// Where in `stderr` this incarnation begins.
    stderr_start: u64,
    state: State,
}

impl NodeProcess {
    /// Starts a process. It dies with the harness, and has its own process group.
    ///
    /// Returns once the launcher runs: that the program itself could be executed shows only in
    /// its getting ready, or in [`NodeProcess::try_exited`] (status
    /// [`launch::EXIT_CANNOT_EXECUTE`], with the reason in its last words).
    ///
    /// # Errors
    /// [`ProcessError::Log`], [`ProcessError::Spawn`].
    pub fn spawn(spec: &SpawnSpec) -> Result<NodeProcess, ProcessError> {
        let (stdout, _) = open_log(spec, &spec.stdout)?;
        let (stderr, stderr_start) = open_log(spec, &spec.stderr)?;
        let mut command = Command::new(&spec.launcher);
        command
            .args(launch::prefix(std::process::id(), spec.command.program.as_os_str()))
            .args(&spec.command.args)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0);
        let child = spawner::spawn(command).map_err(|source| ProcessError::Spawn {
            name: spec.name.clone(),
            launcher: spec.launcher.clone(),
            source,
        })?;
        Ok(NodeProcess {
            name: spec.name.clone(),
            pid: Pid::from_raw(child.id().cast_signed()),
            stderr: spec.stderr.clone(),
            stderr_start,
            state: State::Running,
        })
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().cast_unsigned()
    }

    /// Whether it is stopped by [`NodeProcess::pause`].
    #[must_use]
    pub fn is_paused(&self) -> bool {
        matches!(self.state, State::Paused)
    }

    /// Kills it, paused or not, with all of its process group, and reaps it. If it had ended
    /// already, this tells how.
    ///
    /// # Errors
    /// [`ProcessError::Signal`], [`ProcessError::Unconfirmed`].
    pub fn kill(&mut self) -> Result<ExitInfo, ProcessError> {
        self.end(Signal::SIGKILL, "kill", CONFIRM_DEADLINE)
    }

    /// Asks it to stop (SIGTERM, to the process alone: its children are its own affair) and waits
    /// for its exit. A paused process would not hear it:
    /// resume it before.
    ///
    /// # Errors
    /// [`ProcessError::Signal`]; [`ProcessError::Unconfirmed`] if it still runs after `patience`.
    pub fn terminate(&mut self, patience: Duration) -> Result<ExitInfo, ProcessError> {
        self.end(Signal::SIGTERM, "terminate", patience)
    }

    /// Freezes it (SIGSTOP) and confirms that all of its threads have stopped.
    ///
    /// # Errors
    /// [`ProcessError::Gone`], [`ProcessError::Signal`], [`ProcessError::Unconfirmed`].
    pub fn pause(&mut self) -> Result<(), ProcessError> {
        let action = "pause";
        self.must_live(action)?;
        if self.is_paused() {
            return Ok(());
        }
        self.signal(Signal::SIGSTOP, action)?;
        self.confirm(WaitPidFlag::WUNTRACED, action, CONFIRM_DEADLINE, |state| {
            matches!(state, State::Paused)
        })?;
        self.must_live(action)
    }

    /// Lets it run on (SIGCONT), and confirms that it does if it was known to be paused. Sent in
    /// any case: a pause that was not confirmed in time may still take hold.
    ///
    /// # Errors
    /// [`ProcessError::Gone`], [`ProcessError::Signal`], [`ProcessError::Unconfirmed`].
    pub fn resume(&mut self) -> Result<(), ProcessError> {
        let action = "resume";
        self.must_live(action)?;
        self.signal(Signal::SIGCONT, action)?;
        if !self.is_paused() {
            return Ok(());
        }
        self.confirm(WaitPidFlag::WCONTINUED, action, CONFIRM_DEADLINE, |state| {
            matches!(state, State::Running)
        })?;
        self.must_live(action)
    }

    /// Looks, without waiting, whether it has ended.
    ///
    /// # Errors
    /// [`ProcessError::Signal`]: it could not be observed.
    pub fn try_exited(&mut self) -> Result<Option<&ExitInfo>, ProcessError> {
        self.observe(WaitPidFlag::empty(), "observe")?;
        Ok(match &self.state {
            State::Exited(exit) => Some(exit),
            State::Running | State::Paused => None,
        })
    }

    fn end(
        &mut self,
        signal: Signal,
        action: &'static str,
        patience: Duration,
    ) -> Result<ExitInfo, ProcessError> {
        self.observe(WaitPidFlag::empty(), action)?;
        if !matches!(self.state, State::Exited(_)) {
            self.signal(signal, action)?;
            self.confirm(WaitPidFlag::empty(), action, patience, |_| false)?;
        }
        match &self.state {
            State::Exited(exit) => Ok(exit.clone()),
            State::Running | State::Paused => Err(self.unconfirmed(action)),
        }
    }

    /// Signals the process group, so that a program that forked takes its children along; but the
    /// request to stop goes to the process alone.
    fn signal(&self, signal: Signal, action: &'static str) -> Result<(), ProcessError> {
        assert!(!matches!(self.state, State::Exited(_)), "a reaped pid is never signalled again");
        let sent = match signal {
            Signal::SIGTERM => signal::kill(self.pid, signal),
            _ => signal::killpg(self.pid, signal),
        };
        sent.map_err(|source| self.failed(action, source))
    }

    /// Observes until the state is as wanted or final.
    fn confirm(
        &mut self,
        flags: WaitPidFlag,
        action: &'static str,
        patience: Duration,
        wanted: impl Fn(&State) -> bool,
    ) -> Result<(), ProcessError> {
        let deadline = Instant::now() + patience;
        loop {
            self.observe(flags, action)?;
            if wanted(&self.state) || matches!(self.state, State::Exited(_)) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.unconfirmed(action));
            }
            thread::sleep(CONFIRM_INTERVAL);
        }
    }

    /// Takes in one change of state, if there is one. Without WUNTRACED and WCONTINUED in `flags`
    /// only the end shows.
    fn observe(&mut self, flags: WaitPidFlag, action: &'static str) -> Result<(), ProcessError> {
        if matches!(self.state, State::Exited(_)) {
            return Ok(());
        }
        if self.has_ended(action)? {
            // Before it is reaped its id can't be anybody else's. What it leaves behind goes with
            // it; usually there is nothing.
            let _ = signal::killpg(self.pid, Signal::SIGKILL);
        }
        let status = loop {
            match waitpid(self.pid, Some(flags | WaitPidFlag::WNOHANG)) {
                Err(Errno::EINTR) => {}
                other => break other.map_err(|source| self.failed(action, source))?,
            }
        };
        match status {
            WaitStatus::Exited(_, status) => self.exited(ExitKind::Status(status)),
            WaitStatus::Signaled(_, signal, _) => self.exited(ExitKind::Signal(signal as i32)),
            WaitStatus::Stopped(..) => self.state = State::Paused,
            WaitStatus::Continued(_) => self.state = State::Running,
            _ => {}
        }
        Ok(())
    }

    fn has_ended(&self, action: &'static str) -> Result<bool, ProcessError> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        loop {
            match waitid(Id::Pid(self.pid), flags) {
                Err(Errno::EINTR) => {}
                Err(source) => return Err(self.failed(action, source)),
                Ok(status) => return Ok(status != WaitStatus::StillAlive),
            }
        }
    }

    fn exited(&mut self, kind: ExitKind) {
        let last_words = last_words(&self.stderr, self.stderr_start)
            .unwrap_or_else(|error| vec![format!("(cannot read {}: {error})", self.stderr.display())]);
        self.state = State::Exited(ExitInfo { pid: self.pid(), kind, last_words });
    }

    fn must_live(&mut self, action: &'static str) -> Result<(), ProcessError> {
        self.observe(WaitPidFlag::empty(), action)?;
        match &self.state {
            State::Exited(exit) => {
                Err(ProcessError::Gone { name: self.name.clone(), action, exit: exit.clone() })
            }
            State::Running | State::Paused => Ok(()),
        }
    }

    fn failed(&self, action: &'static str, source: Errno) -> ProcessError {
        ProcessError::Signal { name: self.name.clone(), pid: self.pid(), action, source }
    }

    fn unconfirmed(&self, action: &'static str) -> ProcessError {
        ProcessError::Unconfirmed { name: self.name.clone(), pid: self.pid(), action }
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // Nobody is left to tell: the kernel kills it at the latest when the harness ends.
        let _ = self.kill();
    }
}

/// Opens a log for appending, and marks where a new life begins; gives the offset after the mark.
fn open_log(spec: &SpawnSpec, path: &Path) -> Result<(File, u64), ProcessError> {
    let open = || -> io::Result<(File, u64)> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        writeln!(file, "=== {} life {} starts at {now_ms} ms ===", spec.name, spec.incarnation)?;
        let start = file.metadata()?.len();
        Ok((file, start))
    };
    open().map_err(|source| ProcessError::Log { name: spec.name.clone(), path: path.to_owned(), source })
}
