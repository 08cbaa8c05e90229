//! The real disk: one folder of the file system, locked for one process.

use super::{Disk, WalError};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, PosixFadviseAdvice, posix_fadvise};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Held (flock) as long as a process uses the folder; the kernel lets go when the process dies,
/// however it dies, so a stale lock can't exist.
const LOCK_FILE: &str = "lock";

/// No file this program writes is larger. A bound on what reading one may allocate.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 30;

/// A folder of the real file system.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The file appended to last, kept open: one system call per append and one per sync.
    open: Option<(String, File)>,
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
        Ok(Folder { path, open: None, _lock: Some(lock) })
    }

    /// Another handle of a folder that is open, for another thread of the same process. Whoever
    /// has the first keeps the lock, and must outlive this one; the two write different files.
    #[must_use]
    pub fn beside(&self) -> Folder {
        Folder { path: self.path.clone(), open: None, _lock: None }
    }

    /// Opens the folder to look at it only: no lock, nothing created. Only [`Disk::list`],
    /// [`Disk::read`] and [`Disk::read_part`] are for such a folder.
    pub(crate) fn look(path: &Path) -> Folder {
        Folder { path: path.to_owned(), open: None, _lock: None }
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn file(&mut self, name: &str) -> io::Result<&mut File> {
        let kept = match self.open.take() {
            Some(kept) if kept.0 == name => kept,
            _ => {
                let file = OpenOptions::new().read(true).append(true).open(self.path.join(name))?;
                (name.to_owned(), file)
            }
        };
        Ok(&mut self.open.insert(kept).1)
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

    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        let path = self.path.join(name);
        let length = fs::metadata(&path)?.len();
        if length > FILE_BYTES_MAX {
            let message = format!("{length} bytes are more than any segment has ({FILE_BYTES_MAX})");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        fs::read(path)
    }

    fn read_part(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.path.join(name))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        let file = OpenOptions::new().read(true).append(true).create_new(true).open(self.path.join(name))?;
        self.open = Some((name.to_owned(), file));
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.file(name)?.write_all(bytes)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.file(name)?.sync_data()
    }

    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        self.file(name)?.set_len(length)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))?;
        if let Some((name, _)) = &mut self.open
            && name == from
        {
            to.clone_into(name);
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.open.take_if(|(open, _)| open == name);
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
