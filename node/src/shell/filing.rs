//! The thread for snapshots' files: what the service orders is done here, one order after the other,
//! beside the log's thread, which does not wait for it.
//!
//! The queue has no bound of its own: a snapshot or a fetch has one part under way, others may wait
//! for a bounded number of parts. Answers go through a channel
//! that is as bounded, by the same count.

use super::failure::Failure;
use crate::service::{SnapshotDone, SnapshotOrder};
use crate::snapshot::{Files, SnapshotError};
use crate::wal::Folder;
use std::io;
use std::sync::mpsc as orders;
use std::thread::JoinHandle;
use tokio::sync::mpsc;

/// A handle to the thread. Dropping it ends the thread after the order it is at.
#[derive(Debug)]
pub(super) struct Filing {
    orders: Option<orders::Sender<SnapshotOrder>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread reports: what an order came to, or, once and last, what failed.
pub(super) type Filed = Result<SnapshotDone, SnapshotError>;

impl Filing {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub(super) fn start(files: Files<Folder>) -> io::Result<(Filing, mpsc::UnboundedReceiver<Filed>)> {
        let (ordered, to_do) = orders::channel();
        let (report, reports) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new()
            .name("snapshots".to_owned())
            .spawn(move || carry_out(files, &to_do, &report))?;
        Ok((Filing { orders: Some(ordered), thread: Some(thread) }, reports))
    }

    /// Orders something. What it comes to is reported.
    ///
    /// # Errors
    /// If the thread has ended: the disk failed, which it has reported.
    pub(super) fn order(&self, order: SnapshotOrder) -> Result<(), Failure> {
        let sent = self.orders.as_ref().map(|orders| orders.send(order));
        match sent {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(Failure::Io("the snapshots' thread has stopped".to_owned())),
        }
    }
}

impl Drop for Filing {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic over there has been reported there.
            let _ = thread.join();
        }
    }
}

fn carry_out(
    mut files: Files<Folder>,
    to_do: &orders::Receiver<SnapshotOrder>,
    report: &mpsc::UnboundedSender<Filed>,
) {
    while let Ok(order) = to_do.recv() {
        let report_on = match files.carry_out(order) {
            Ok(None) => continue,
            Ok(Some(done)) => report.send(Ok(done)),
            Err(error) => {
                // Nobody listens to a node that has stopped.
                let _ = report.send(Err(error));
                return;
            }
        };
        if report_on.is_err() {
            return;
        }
    }
}
