//! What the disk itself takes: the divisor of every commit latency.
//!
//! As many threads as there are nodes append to a file each, at once, as a log would that is as good as
//! can be: into space that was zeroed and synced beforehand, so that no flush has to wait for the file
//! system's own journal.

use super::BenchError;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of each append: the size that the goals speak of.
pub const APPEND_BYTES: usize = 256;

/// Zeroed ahead, per file; appends begin again at its start.
const FILE_BYTES: u64 = 8 << 20;

/// Time from a write's beginning until it is durable.
#[derive(Copy, Clone, PartialEq, Debug, Serialize)]
pub struct RawDisk {
    /// Threads that wrote at once.
    pub threads: usize,
    /// Appends of all threads.
    pub count: u64,
    /// Half were faster, in microseconds.
    pub us_p50: f64,
    /// 99 in 100 were faster, in microseconds.
    pub us_p99: f64,
}

/// Measures for `time` in files of its own under `folder`, which it removes.
///
/// # Errors
/// The disk says no.
pub fn measure(folder: &Path, threads: usize, time: Duration) -> Result<RawDisk, BenchError> {
    let files: Vec<PathBuf> = (0..threads).map(|thread| folder.join(format!("raw-{thread}"))).collect();
    let measured = measure_in(&files, time);
    for file in &files {
        // A file that was never made can't be removed, and that was told.
        let _ = fs::remove_file(file);
    }
    let latencies =
        measured.map_err(|error| BenchError::new(format!("raw disk in {}", folder.display()), error))?;
    let us = |quantile| latencies.value_at_quantile(quantile) as f64 / 1e3;
    Ok(RawDisk { threads, count: latencies.len(), us_p50: us(0.5), us_p99: us(0.99) })
}

fn measure_in(paths: &[PathBuf], time: Duration) -> io::Result<Histogram<u64>> {
    let files: Vec<File> = paths.iter().map(|path| zeroed(path)).collect::<io::Result<_>>()?;
    let barrier = Barrier::new(files.len());
    let mut all = super::tally::histogram();
    let each: io::Result<Vec<Vec<u64>>> = thread::scope(|scope| {
        let threads: Vec<_> =
            files.iter().map(|file| scope.spawn(|| append_for(file, time, &barrier))).collect();
        let gone = |_| Err(io::Error::other("a thread that writes has panicked"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(gone)).collect()
    });
    each?.into_iter().flatten().for_each(|nanoseconds| all.saturating_record(nanoseconds));
    Ok(all)
}

fn zeroed(path: &Path) -> io::Result<File> {
    let mut file = File::create(path)?;
    let zeros = vec![0; 1 << 20];
    for _ in 0..FILE_BYTES / zeros.len() as u64 {
        file.write_all(&zeros)?;
    }
    file.sync_all()?;
    Ok(file)
}

fn append_for(file: &File, time: Duration, together: &Barrier) -> io::Result<Vec<u64>> {
    let record = [0x5a; APPEND_BYTES];
    let (mut latencies, mut at) = (Vec::new(), 0);
    together.wait();
    let end = Instant::now() + time;
    loop {
        let begun = Instant::now();
        if begun >= end {
            return Ok(latencies);
        }
        file.write_all_at(&record, at)?;
        file.sync_data()?;
        latencies.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
        at = (at + record.len() as u64) % FILE_BYTES;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_measured_and_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let found = measure(folder.path(), 2, Duration::from_millis(30)).unwrap();
        assert!(found.count >= 2 && found.us_p50 > 0.0 && found.us_p99 >= found.us_p50, "{found:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let nowhere = measure(&folder.path().join("none"), 1, Duration::from_millis(1)).unwrap_err();
        assert!(nowhere.to_string().contains("none: No such file"), "{nowhere}");
    }
}
