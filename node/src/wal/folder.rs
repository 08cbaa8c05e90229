//! The real disk: one folder of the file system, locked for one process.

use super::{Disk, WalError};
use bytes::Bytes;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, PosixFadviseAdvice, posix_fadvise};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Held (flock) as long as a process uses the folder; the kernel lets go when the process dies,
/// however it dies, so a stale lock can't exist.
const LOCK_FILE: &str = "lock";

/// No file this program writes is larger. A bound on what reading one may allocate.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 30;

/// Memory and file positions of a read past the page cache are multiples of this: the largest that a
/// disk in use asks for.
const DIRECT_ALIGNMENT: usize = 4096;

/// Files kept open: the segment being written and the superblock.
const OPEN_MAX: usize = 2;

/// A folder of the real file system.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The files written last, the latest at the end: one system call per write and one per sync.
    open: Vec<(String, File)>,
    /// Whether every file was read past the page cache.
    reads_directly: bool,
    /// `None` for a reader, which changes nothing and needs no lock, and beside a handle that has it.
    _lock: Option<Flock<File>>,
}

impl Folder {
    /// Opens the folder for one node, creating it (durably) where it is missing.
    ///
    /// # Errors
    /// [`WalError::Locked`] if another process, or another `Folder` of this one, has it;
    /// [`WalError::Io`] if the file system says no.
    pub fn open(path: impl Into<PathBuf>) -> Result<Folder, WalError> {
        let path = path.into();
        create_durably(&path).map_err(|source| WalError::Io {
            operation: "creating the folder",
            file: path.display().to_string(),
            source,
        })?;
        let lock = lock(&path.join(LOCK_FILE))?;
        Ok(Folder { path, open: Vec::new(), reads_directly: true, _lock: Some(lock) })
    }

    /// Another handle of a folder that is open, for another thread of the same process. Whoever
    /// has the first keeps the lock, and must outlive this one; the two write different files.
    #[must_use]
    pub fn beside(&self) -> Folder {
        Folder { path: self.path.clone(), open: Vec::new(), reads_directly: true, _lock: None }
    }

    /// Opens the folder to look at it only: no lock, nothing created. Only [`Disk::list`],
    /// [`Disk::length`], [`Disk::read`] and [`Disk::read_part`] are for such a folder.
    pub(crate) fn look(path: &Path) -> Folder {
        Folder { path: path.to_owned(), open: Vec::new(), reads_directly: true, _lock: None }
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether every file read so far was read from the disk itself. Where the file system can't do that,
    /// the page cache was asked to let go of it first; but that is advice.
    #[must_use]
    pub fn reads_directly(&self) -> bool {
        self.reads_directly
    }

    fn file(&mut self, name: &str) -> io::Result<&mut File> {
        let kept = match self.open.iter().position(|(open, _)| open == name) {
            Some(position) => self.open.remove(position),
            None => (name.to_owned(), OpenOptions::new().read(true).write(true).open(self.path.join(name))?),
        };
        Ok(self.keep(kept))
    }

    fn keep(&mut self, kept: (String, File)) -> &mut File {
        if self.open.len() >= OPEN_MAX {
            self.open.remove(0);
        }
        self.open.push(kept);
        &mut self.open.last_mut().expect("pushed in the line above").1
    }
}

impl Disk for Folder {
    fn list(&mut self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn length(&mut self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.path.join(name))?.len())
    }

    fn read(&mut self, name: &str) -> io::Result<Bytes> {
        let path = self.path.join(name);
        let length = fs::metadata(&path)?.len();
        if length > FILE_BYTES_MAX {
            let message = format!("{length} bytes are more than any segment has ({FILE_BYTES_MAX})");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        match read_directly(&path, length) {
            // What a file system says that has no such reads (tmpfs before Linux 6.6, some FUSE).
            Err(error) if error.raw_os_error() == Some(Errno::EINVAL as i32) => {
                self.reads_directly = false;
                fs::read(path).map(Bytes::from)
            }
            other => other,
        }
    }

    fn read_part(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.path.join(name))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(self.path.join(name))?;
        self.keep((name.to_owned(), file));
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = self.file(name)?;
        file.seek(SeekFrom::End(0))?;
        file.write_all(bytes)
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file(name)?.write_all_at(bytes, offset)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.file(name)?.sync_data()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))?;
        self.open.retain(|(name, _)| name != to);
        if let Some((name, _)) = self.open.iter_mut().find(|(name, _)| name == from) {
            to.clone_into(name);
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.open.retain(|(open, _)| open != name);
        fs::remove_file(self.path.join(name))
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn settle(&mut self, name: &str) -> io::Result<()> {
        self.sync(name)?;
        let file = self.file(name)?;
        // After a failed fsync Linux marks the pages clean: the cache shows bytes that the disk
        // never got. Clean pages can be dropped, so that the next read asks the disk itself. It
        // is advice; a kernel that ignores it leaves us where every other program is.
        let _ = posix_fadvise(&*file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
        Ok(())
    }

    fn place(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }
}

/// Reads a file past the page cache. Aligned memory is had by taking somewhat more, and beginning where
/// it fits.
fn read_directly(path: &Path, length: usize) -> io::Result<Bytes> {
    let mut file = OpenOptions::new().read(true).custom_flags(OFlag::O_DIRECT.bits()).open(path)?;
    let whole = length.next_multiple_of(DIRECT_ALIGNMENT);
    let mut memory = vec![0; whole + DIRECT_ALIGNMENT];
    let start = memory.as_ptr().align_offset(DIRECT_ALIGNMENT);
    let mut filled = 0;
    while filled < length {
        match file.read(&mut memory[start + filled..start + whole]) {
            Ok(0) => break,
            // A read that ends between two blocks has come to the end of the file.
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if filled < length {
        let message = format!("{filled} of {length} bytes could be read");
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
    }
    Ok(Bytes::from(memory).slice(start..start + length))
}

/// Creates a folder and its missing parents, each entry made durable in the folder above.
fn create_durably(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    fs::create_dir_all(path)?;
    for folder in missing {
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    // A path that exists and is no folder would only surface later, as something stranger.
    fs::read_dir(path).map(drop)
}

fn lock(path: &Path) -> Result<Flock<File>, WalError> {
    let file = path.display().to_string();
    let io = |operation, source| WalError::Io { operation, file: file.clone(), source };
    let handle = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|source| io("opening the lock file", source))?;
    let mut lock = match Flock::lock(handle, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => lock,
        Err((_, Errno::EWOULDBLOCK)) => {
            let holder = fs::read_to_string(path).unwrap_or_default();
            let holder = if holder.is_empty() { "unknown".to_owned() } else { holder };
            return Err(WalError::Locked { file, holder });
        }
        Err((_, errno)) => return Err(io("locking", errno.into())),
    };
    // For the message above only; the lock is the flock, not this text.
    lock.set_len(0)
        .and_then(|()| lock.write_all(format!("pid {}", std::process::id()).as_bytes()))
        .map_err(|source| io("writing the lock file", source))?;
    Ok(lock)
}
