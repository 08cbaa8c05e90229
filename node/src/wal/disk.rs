//! What the log asks of a disk: a folder of files that are written in place or at their ends.
//!
//! The log itself knows no threads, clocks or paths; everything it does to the world goes
//! through [`Disk`], so that a simulated disk can stand in and lose what a real one may lose.

use bytes::Bytes;
use std::io;

/// A folder of files, with the two kinds of durability kept apart.
///
/// What an implementation may forget at a crash, and a simulated one should:
/// - *contents* of a file since its last [`sync`](Disk::sync): any mix of old and new 512-byte
///   sectors, zeros where a sector never arrived, any length between old and new;
/// - *entries* of the folder since the last [`sync_folder`](Disk::sync_folder): a file created may
///   be gone, one renamed may have its old name, one removed may be back. Syncing a file says
///   nothing about its name.
///
/// What it may not: bytes once synced, even where a later write touches the same sector
/// ("power-safe overwrite": a torn sector is old or new, never a third thing).
///
/// A call that fails may have done any part of its work. Names are plain file names.
pub trait Disk {
    /// The names of all files, in any order. An error is never an empty list.
    fn list(&mut self) -> io::Result<Vec<String>>;

    /// How many bytes a file has.
    fn length(&mut self, name: &str) -> io::Result<u64>;

    /// The whole content of a file: what the disk itself holds, past any cache, where that can be had.
    fn read(&mut self, name: &str) -> io::Result<Bytes>;

    /// Up to `length` bytes of a file from `offset` on: fewer only where the file ends.
    fn read_part(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>>;

    /// Creates an empty file; fails if the name is taken.
    fn create(&mut self, name: &str) -> io::Result<()>;

    /// Writes all of `bytes` at the end of a file.
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Writes all of `bytes` over what is there from `offset` on; a file never grows by it.
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes a file's content and length durable (fdatasync).
    fn sync(&mut self, name: &str) -> io::Result<()>;

    /// Gives a file another name, replacing whatever had it.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// Makes the folder's entries durable.
    fn sync_folder(&mut self) -> io::Result<()>;

    /// Makes what the next `read` returns and what is durable the same thing. Recovery asks for
    /// it because an earlier process may have left content that was written but never synced, or
    /// whose sync failed: the page cache then shows what the disk doesn't hold.
    fn settle(&mut self, name: &str) -> io::Result<()> {
        self.sync(name)
    }

    /// How to call a file in a message to a person.
    fn place(&self, name: &str) -> String {
        name.to_owned()
    }
}

/// A borrowed disk is a disk: whoever simulates crashes keeps the disk and lends it.
impl<D: Disk + ?Sized> Disk for &mut D {
    fn list(&mut self) -> io::Result<Vec<String>> {
        (**self).list()
    }
    fn length(&mut self, name: &str) -> io::Result<u64> {
        (**self).length(name)
    }
    fn read(&mut self, name: &str) -> io::Result<Bytes> {
        (**self).read(name)
    }
    fn read_part(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        (**self).read_part(name, offset, length)
    }
    fn create(&mut self, name: &str) -> io::Result<()> {
        (**self).create(name)
    }
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        (**self).append(name, bytes)
    }
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        (**self).write_at(name, offset, bytes)
    }
    fn sync(&mut self, name: &str) -> io::Result<()> {
        (**self).sync(name)
    }
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        (**self).rename(from, to)
    }
    fn remove(&mut self, name: &str) -> io::Result<()> {
        (**self).remove(name)
    }
    fn sync_folder(&mut self) -> io::Result<()> {
        (**self).sync_folder()
    }
    fn settle(&mut self, name: &str) -> io::Result<()> {
        (**self).settle(name)
    }
    fn place(&self, name: &str) -> String {
        (**self).place(name)
    }
}
