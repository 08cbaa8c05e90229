//! The one thread that starts every process under test.
//!
//! `PR_SET_PDEATHSIG` is delivered when the *thread* that forked the process exits, not when the
//! harness does: started from a thread of a runtime's pool, a node would be killed whenever that
//! pool shrinks. This thread never ends while the harness lives, and does nothing else.

use std::io;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

/// Requests that may wait: starting is quick, and a cluster has a handful of nodes.
const REQUESTS_MAX: usize = 64;

struct Request {
    command: Command,
    answer: SyncSender<io::Result<Child>>,
}

/// Starts `command` from the never-ending thread.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    static REQUESTS: OnceLock<Option<SyncSender<Request>>> = OnceLock::new();
    let gone = || io::Error::other("the thread that starts processes is not running");
    let requests = REQUESTS.get_or_init(start).as_ref().ok_or_else(gone)?;
    let (answer, answered) = sync_channel(1);
    requests.send(Request { command, answer }).map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())?
}

fn start() -> Option<SyncSender<Request>> {
    let (sender, receiver) = sync_channel::<Request>(REQUESTS_MAX);
    let body = move || {
        // Ends never: the sender lives in a static.
        for mut request in receiver {
            let child = request.command.spawn();
            // Whoever asked and did not wait for the answer gets no process either.
            if let Err(unwanted) = request.answer.send(child)
                && let Ok(mut child) = unwanted.0
            {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    };
    thread::Builder::new().name("spawner".into()).spawn(body).ok().map(|_| sender)
}
