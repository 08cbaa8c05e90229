//! OS processes under test: started so that nothing outlives the run, signalled with confirmation.
//!
//! The promises, and where each is kept:
//!
//! - *No process survives the harness*, not even one killed with SIGKILL: every process is started
//!   through a re-exec of the harness's own binary ([`launch`]) which asks the kernel for SIGKILL
//!   at its parent's death and then replaces itself. That signal is bound to the parent's
//!   *thread*, so one never-ending thread starts them all ([`spawner`]).
//! - *A signal sent is a signal seen*: [`NodeProcess::kill`], [`pause`](NodeProcess::pause) and
//!   [`resume`](NodeProcess::resume) return once `waitpid` has confirmed the new state, within
//!   [`CONFIRM_DEADLINE`], or say that they could not.
//! - *Nobody blocks on a pipe*: stdout and stderr go to files, appended across restarts with a
//!   marker line for each incarnation.
//! - *An unexpected exit is noticed and quoted*: [`NodeProcess::try_exited`] gives an [`ExitInfo`]
//!   with the last lines that the process wrote.

pub mod exit;
pub mod launch;
pub mod node;
mod spawner;

pub use exit::{ExitInfo, ExitKind};
pub use node::{CONFIRM_DEADLINE, CommandSpec, NodeProcess, ProcessError, SpawnSpec, launcher};
