//! How a node's process ends when the run does.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::process::{ExitInfo, ExitKind, NodeProcess, ProcessError};

/// How long a node may take to stop when asked, before it is killed.
pub const STOP_MAX: Duration = Duration::from_secs(5);

/// How a process ended when the run did.
pub(super) enum End {
    /// It had ended before anybody asked.
    ByItself(ExitInfo),
    /// It was asked to stop, and ended.
    Asked(ExitInfo),
    /// It was asked to stop, did not, and was killed.
    Hung,
    /// It was killed without being asked.
    Killed,
}

/// Ends a process, gently if it knows what that means (it served, and is not frozen), and waits for its
/// end.
pub(super) fn end(process: &mut NodeProcess, served: bool, frozen: bool) -> Result<End, ProcessError> {
    if let Some(exit) = process.try_exited()? {
        return Ok(End::ByItself(exit.clone()));
    }
    if !served || frozen {
        process.kill()?;
        return Ok(End::Killed);
    }
    match process.resume() {
        Err(ProcessError::Gone { exit, .. }) => return Ok(End::ByItself(exit)),
        resumed => resumed?,
    }
    match process.terminate(STOP_MAX) {
        Err(ProcessError::Unconfirmed { .. }) => {
            process.kill()?;
            Ok(End::Hung)
        }
        ended => ended.map(End::Asked),
    }
}

/// Whether a node that was asked to stop ended as it may: well, or of that very signal, since it
/// may serve before it is ready to hear it.
pub(super) fn ended_as_asked(exit: &ExitInfo) -> bool {
    exit.is_success() || exit.kind == ExitKind::Signal(Signal::SIGTERM as i32)
}
