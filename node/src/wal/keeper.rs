//! Keeps segments in stock: makes them ahead of their use, and takes back what is trimmed.
//!
//! A file that grows costs every sync the file system's journal; one whose blocks were written before does
//! not. So segments are zeroed before they are used, away from the log's own thread, and used again when
//! the records in them are needed no more: under the number that comes after all others, as PostgreSQL
//! does it (`InstallXLogFileSegment`). What they held stays in them until it is overwritten, and is
//! recognised by its checksums ([`Generation`](super::segment::Generation)).
//!
//! Trimming goes segment by segment, the oldest first, and the next only when the folder's entries are
//! durable without it: what a crash leaves is always an unbroken row.
//!
//! A disk without space for another segment is no reason to stop: the one that is ready is the reserve. It
//! is reported, so that whoever proposes can stop proposing, and tried again.

use super::error::is_full;
use super::recovery::io;
use super::segment;
use super::stock::{Duty, Stock, Trimmed};
use super::{Disk, WalError};
use crate::mutants;
use crate::paxos::Lsn;
use std::io as std_io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// So often a disk that was full is asked whether it still is.
const FULL_PATIENCE: Duration = Duration::from_millis(500);

/// Makes and trims a log's segments, over a disk handle of its own.
#[derive(Debug)]
pub struct Keeper<D> {
    disk: D,
    stock: Arc<Stock>,
}

impl<D: Disk> Keeper<D> {
    pub(crate) fn new(disk: D, stock: Arc<Stock>) -> Keeper<D> {
        Keeper { disk, stock }
    }

    /// Makes one segment if fewer are ready than should be; returns whether it did.
    ///
    /// # Errors
    /// If the disk fails. If it is full ([`WalError::is_full`]), nothing is lost, and this may be tried again.
    pub fn make(&mut self) -> Result<bool, WalError> {
        let Some(sequence) = self.stock.next_to_make() else { return Ok(false) };
        let made = segment::make(&mut self.disk, sequence, self.stock.segment_bytes);
        let is_lacking = made.as_ref().is_err_and(|(_, _, error)| is_full(error));
        self.stock.made(made.is_ok(), is_lacking);
        match made {
            Ok(()) => Ok(true),
            Err((operation, file, source)) => Err(io(&self.disk, operation, &file, source)),
        }
    }

    /// Whether fewer are ready than should be.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.stock.is_short()
    }

    /// Takes all segments out of the log that hold only records before `first`, durably, the oldest
    /// first; returns how many. The last segment stays, whatever it holds.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn trim(&mut self, first: Lsn) -> Result<u64, WalError> {
        let mut trimmed = 0;
        while let Some(segment) = self.stock.next_to_trim(first) {
            let done = self.take_out(segment);
            self.stock.trimmed(segment, done.is_ok());
            done?;
            trimmed += 1;
        }
        Ok(trimmed)
    }

    fn take_out(&mut self, Trimmed { sequence, becomes }: Trimmed) -> Result<(), WalError> {
        let name = segment::name(sequence);
        let disk = &mut self.disk;
        match becomes {
            Some(next) => disk
                .rename(&name, &segment::name(next))
                .map_err(|source| io(disk, "recycling the trimmed segment", &name, source))?,
            None => disk
                .remove(&name)
                .map_err(|source| io(disk, "removing the trimmed segment", &name, source))?,
        }
        disk.sync_folder().map_err(|source| io(disk, "syncing the folder without", &name, source))
    }
}

/// Whether there is room on the disk for what will be proposed.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Room {
    /// As far as is known.
    Enough,
    /// No: what is left is for what others propose.
    Short,
}

/// Told whenever [`Room`] changes; or, once and last, what failed. Runs on the keeper's thread.
pub type Report = Box<dyn FnMut(Result<Room, WalError>) + Send>;

/// A keeper at work, on a thread of its own. Dropping it ends the thread after what it is at.
#[derive(Debug)]
pub struct KeeperThread {
    stock: Arc<Stock>,
    thread: Option<JoinHandle<()>>,
}

impl KeeperThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn spawn<D>(keeper: Keeper<D>, report: Report) -> std_io::Result<KeeperThread>
    where
        D: Disk + Send + 'static,
    {
        let stock = Arc::clone(&keeper.stock);
        let thread = std::thread::Builder::new()
            .name("segments".to_owned())
            .spawn(mutants::carried(move || work(keeper, report)))?;
        Ok(KeeperThread { stock, thread: Some(thread) })
    }

    /// The log's records before `first` are needed no more.
    pub fn trim(&self, first: Lsn) {
        self.stock.ask_to_trim(first);
    }
}

impl Drop for KeeperThread {
    fn drop(&mut self) {
        self.stock.close();
        if let Some(thread) = self.thread.take() {
            // A panic over there has been reported there.
            let _ = thread.join();
        }
    }
}

fn work<D: Disk>(mut keeper: Keeper<D>, mut report: Report) {
    let mut said = Room::Enough;
    loop {
        let done = match keeper.stock.duty(FULL_PATIENCE) {
            Duty::Trim(first) => keeper.trim(first).map(drop),
            Duty::Make => keeper.make().map(drop),
            Duty::End => return,
        };
        if let Err(error) = done
            && !error.is_full()
        {
            report(Err(error));
            return;
        }
        let room = if keeper.stock.lacks_space() { Room::Short } else { Room::Enough };
        if room != said {
            said = room;
            report(Ok(room));
        }
    }
}
