//! A disk that forgets what was not synced.
//!
//! It keeps two views of a folder: what a process sees (the page cache), and what the platter has.
//! A killed process loses nothing of the former; a power loss leaves the latter, and of the
//! difference whatever chance decides, within what [`Disk`] says a disk may do: any mix of old and
//! new 512-byte sectors of a file, zeros where there was none, any length in between; of the folder's
//! entries any part of what was done to them since the last folder sync.
//!
//! A power loss can also be armed to strike inside a call: after so many more calls one fails, and
//! every call after it. That is how crashes get between the steps of making a segment or of a
//! recovery.

use super::dice::Dice;
use crate::wal::Disk;
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

const SECTOR_BYTES: usize = 512;

/// A folder on a simulated disk. Clones are handles of the same folder.
#[derive(Clone, Debug, Default)]
pub struct SimDisk(Rc<RefCell<Folder>>);

#[derive(Debug, Default)]
struct Folder {
    files: Vec<File>,
    /// The entries as processes see them: name to index of `files`.
    entries: BTreeMap<String, usize>,
    /// The entries on the platter.
    entries_durable: BTreeMap<String, usize>,
    /// What was done to the entries since they were last synced, in order.
    pending: Vec<EntryChange>,
    /// Calls until the power fails.
    calls_left: Option<u64>,
}

#[derive(Debug)]
enum EntryChange {
    Created(String, usize),
    Renamed(String, String),
    Removed(String),
}

#[derive(Debug, Default)]
struct File {
    /// As processes see it.
    content: Vec<u8>,
    /// How many bytes the platter has.
    durable: usize,
    /// What the platter has in the sectors that were written since: number of the sector to its bytes
    /// there, of which there are none behind the end.
    old_sectors: BTreeMap<usize, Vec<u8>>,
}

impl SimDisk {
    /// An empty folder.
    #[must_use]
    pub fn new() -> SimDisk {
        SimDisk::default()
    }

    /// After `calls` more calls, the power fails inside one.
    pub(crate) fn arm(&self, calls: u64) {
        self.0.borrow_mut().calls_left = Some(calls);
    }

    /// Whether an armed power failure has struck.
    pub(crate) fn has_failed(&self) -> bool {
        self.0.borrow().calls_left == Some(0)
    }

    /// The process is gone, the machine is not: the page cache stays as it is.
    pub(crate) fn process_died(&self) {
        self.0.borrow_mut().calls_left = None;
    }

    /// The machine is gone: what was not synced is up to chance.
    pub(crate) fn power_failed(&self, dice: &mut Dice) {
        let mut folder = self.0.borrow_mut();
        folder.calls_left = None;
        let mut entries = std::mem::take(&mut folder.entries_durable);
        for change in std::mem::take(&mut folder.pending) {
            if dice.coin() {
                change.apply(&mut entries);
            }
        }
        for file in &mut folder.files {
            file.power_failed(dice);
        }
        folder.entries = entries.clone();
        folder.entries_durable = entries;
    }

    /// Counts a call; fails it if the power does.
    fn call(&self) -> io::Result<std::cell::RefMut<'_, Folder>> {
        let mut folder = self.0.borrow_mut();
        match &mut folder.calls_left {
            Some(0) => Err(io::Error::other("the power has failed")),
            Some(left) => {
                *left -= 1;
                Ok(folder)
            }
            None => Ok(folder),
        }
    }
}

impl Folder {
    fn file(&mut self, name: &str) -> io::Result<&mut File> {
        match self.entries.get(name) {
            Some(index) => Ok(&mut self.files[*index]),
            None => Err(io::Error::new(io::ErrorKind::NotFound, name.to_owned())),
        }
    }

    fn change(&mut self, change: EntryChange) {
        change.apply(&mut self.entries);
        self.pending.push(change);
    }
}

impl EntryChange {
    fn apply(&self, entries: &mut BTreeMap<String, usize>) {
        match self {
            EntryChange::Created(name, index) => {
                entries.insert(name.clone(), *index);
            }
            EntryChange::Renamed(from, to) => {
                if let Some(index) = entries.remove(from) {
                    entries.insert(to.clone(), index);
                }
            }
            EntryChange::Removed(name) => {
                entries.remove(name);
            }
        }
    }
}

impl File {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len();
        for sector in offset / SECTOR_BYTES..=(end - 1) / SECTOR_BYTES {
            let (content, durable) = (&self.content, self.durable);
            self.old_sectors.entry(sector).or_insert_with(|| {
                let start = (sector * SECTOR_BYTES).min(durable);
                content[start..((sector + 1) * SECTOR_BYTES).min(durable)].to_vec()
            });
        }
        if self.content.len() < end {
            self.content.resize(end, 0);
        }
        self.content[offset..end].copy_from_slice(bytes);
    }

    fn sync(&mut self) {
        self.durable = self.content.len();
        self.old_sectors.clear();
    }

    fn power_failed(&mut self, dice: &mut Dice) {
        if self.old_sectors.is_empty() {
            return;
        }
        let (old_length, new_length) = (self.durable, self.content.len());
        let length = match dice.within(0..=3) {
            0 => old_length,
            1 => new_length,
            _ => usize::try_from(dice.within(old_length as u64..=new_length as u64)).unwrap_or(new_length),
        };
        // Sector by sector: the new bytes or the old ones, and zeros where there are none.
        let all_arrive = dice.chance(200_000);
        for (sector, old) in std::mem::take(&mut self.old_sectors) {
            if !all_arrive && dice.coin() {
                let start = sector * SECTOR_BYTES;
                let end = (start + SECTOR_BYTES).min(new_length);
                let place = &mut self.content[start..end];
                place[..old.len()].copy_from_slice(&old);
                place[old.len()..].fill(0);
            }
        }
        self.content.truncate(length);
        self.sync();
    }
}

impl Disk for SimDisk {
    fn list(&mut self) -> io::Result<Vec<String>> {
        Ok(self.call()?.entries.keys().cloned().collect())
    }

    fn length(&mut self, name: &str) -> io::Result<u64> {
        Ok(self.call()?.file(name)?.content.len() as u64)
    }

    fn read(&mut self, name: &str) -> io::Result<Bytes> {
        Ok(Bytes::copy_from_slice(&self.call()?.file(name)?.content))
    }

    fn read_part(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut folder = self.call()?;
        let content = &folder.file(name)?.content;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        let end = start.saturating_add(length).min(content.len());
        Ok(content[start..end].to_vec())
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        let mut folder = self.call()?;
        if folder.entries.contains_key(name) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, name.to_owned()));
        }
        folder.files.push(File::default());
        let index = folder.files.len() - 1;
        folder.change(EntryChange::Created(name.to_owned(), index));
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut folder = self.call()?;
        let file = folder.file(name)?;
        file.write(file.content.len(), bytes);
        Ok(())
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        self.call()?.file(name)?.write(offset, bytes);
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.call()?.file(name)?.sync();
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut folder = self.call()?;
        folder.file(from)?;
        folder.change(EntryChange::Renamed(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut folder = self.call()?;
        folder.file(name)?;
        folder.change(EntryChange::Removed(name.to_owned()));
        Ok(())
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        let mut folder = self.call()?;
        folder.pending.clear();
        folder.entries_durable = folder.entries.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_power_loss(seed: u64, prepare: impl Fn(&mut SimDisk)) -> SimDisk {
        let mut disk = SimDisk::new();
        prepare(&mut disk);
        disk.power_failed(&mut Dice::new(seed, "disk"));
        disk
    }

    #[test]
    fn what_was_synced_survives_and_what_was_not_may_be_torn() {
        let old = [1; 700];
        let new = [2; 1500];
        let mut outcomes = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut disk = after_power_loss(seed, |disk| {
                disk.create("a").unwrap();
                disk.append("a", &old).unwrap();
                disk.sync("a").unwrap();
                disk.sync_folder().unwrap();
                disk.append("a", &new).unwrap();
            });
            let content = disk.read("a").unwrap();
            assert_eq!(content[..old.len()], old, "seed {seed}");
            assert!(content[old.len()..].iter().all(|byte| [0, 2].contains(byte)), "seed {seed}");
            outcomes.insert(content);
        }
        assert!(outcomes.len() > 20, "many different remains, not {}", outcomes.len());
    }

    #[test]
    fn names_need_a_sync_of_their_own() {
        let mut names = std::collections::BTreeSet::new();
        for seed in 0..100 {
            let mut disk = after_power_loss(seed, |disk| {
                disk.create("a.new").unwrap();
                disk.append("a.new", b"synced").unwrap();
                disk.sync("a.new").unwrap();
                disk.rename("a.new", "a").unwrap();
            });
            names.insert(disk.list().unwrap());
        }
        let of = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names, [of(&[]), of(&["a"]), of(&["a.new"])].into());
    }

    #[test]
    fn what_is_written_over_durable_bytes_arrives_sector_by_sector() {
        let old = vec![7; 4096];
        let mut new = old.clone();
        new[600..2600].fill(8);
        new[1000..1100].fill(9);
        let mut outcomes = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut disk = after_power_loss(seed, |disk| {
                disk.create("a").unwrap();
                disk.append("a", &old).unwrap();
                disk.sync("a").unwrap();
                disk.sync_folder().unwrap();
                disk.write_at("a", 600, &[8; 2000]).unwrap();
                disk.write_at("a", 1000, &[9; 100]).unwrap();
            });
            let content = disk.read("a").unwrap();
            let arrived: Vec<bool> = content.chunks(512).zip(new.chunks(512)).map(|(a, b)| a == b).collect();
            for (sector, bytes) in content.chunks(512).enumerate() {
                let place = sector * 512..(sector + 1) * 512;
                assert!(bytes == &old[place.clone()] || bytes == &new[place], "seed {seed}, sector {sector}");
            }
            assert_eq!(content.len(), old.len());
            outcomes.insert(arrived);
        }
        assert!(outcomes.len() > 20, "many different remains, not {}", outcomes.len());
    }

    #[test]
    fn a_process_that_dies_leaves_the_page_cache() {
        let mut disk = SimDisk::new();
        disk.create("a").unwrap();
        disk.append("a", b"not synced").unwrap();
        disk.process_died();
        assert_eq!(disk.read("a").unwrap(), b"not synced"[..]);
    }
}
