//! Whose processor time it was: the nodes', the generator's, or somebody else's.
//!
//! The kernel counts in ticks of a hundredth of a second (`USER_HZ`, fixed by the ABI of every platform
//! that Rust's tier 1 has), so a window shorter than a second tells little.

use super::BenchError;
use serde::Serialize;
use std::fs;
use std::time::{Duration, Instant};

/// Ticks per second in `/proc`.
const TICKS_PER_SECOND: f64 = 100.0;

/// Where everybody's counters stand.
#[derive(Clone, Debug)]
pub struct Sample {
    at: Instant,
    /// Ticks of each node.
    nodes: Vec<u64>,
    /// Ticks of this process.
    own: u64,
    /// Ticks in which a processor was busy, whoever kept it so.
    machine: u64,
}

/// Who used how much between two samples.
#[derive(Copy, Clone, PartialEq, Debug, Default, Serialize)]
pub struct Usage {
    /// Processor seconds of all nodes.
    pub nodes_s: f64,
    /// Processors that the generator kept busy.
    pub generator_cores: f64,
    /// Processors that others kept busy: other processes, kernel threads, and a hypervisor that gave
    /// them to others.
    pub foreign_cores: f64,
}

impl Sample {
    /// Reads the counters. A node that is not there counts from nothing.
    ///
    /// # Errors
    /// `/proc` says something else than expected.
    pub fn take(pids: &[u32]) -> Result<Sample, BenchError> {
        let nodes = pids.iter().map(|pid| process_ticks(&read(&format!("/proc/{pid}/stat"))?));
        Ok(Sample {
            at: Instant::now(),
            nodes: nodes.collect::<Result<_, _>>()?,
            own: process_ticks(&read("/proc/self/stat")?)?,
            machine: machine_ticks(&read("/proc/stat")?)?,
        })
    }

    /// What was used since an earlier sample of the same nodes.
    #[must_use]
    pub fn since(&self, earlier: &Sample) -> Usage {
        let nodes: u64 =
            self.nodes.iter().zip(&earlier.nodes).map(|(now, then)| now.saturating_sub(*then)).sum();
        let own = self.own.saturating_sub(earlier.own);
        let machine = self.machine.saturating_sub(earlier.machine);
        usage(nodes, own, machine, self.at.saturating_duration_since(earlier.at))
    }
}

/// Shares of a window, from ticks. Counters are rounded one by one, so that the parts may come to a
/// little more than the whole: then nobody else used anything.
fn usage(nodes: u64, own: u64, machine: u64, window: Duration) -> Usage {
    let seconds = |ticks: u64| ticks as f64 / TICKS_PER_SECOND;
    let window = window.as_secs_f64().max(f64::MIN_POSITIVE);
    Usage {
        nodes_s: seconds(nodes),
        generator_cores: seconds(own) / window,
        foreign_cores: seconds(machine.saturating_sub(nodes + own)) / window,
    }
}

/// Resident memory of a process, in bytes.
///
/// # Errors
/// There is no such process.
pub fn resident_bytes(pid: u32) -> Result<u64, BenchError> {
    let text = read(&format!("/proc/{pid}/status"))?;
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| BenchError(format!("/proc/{pid}/status tells no VmRSS")))
}

fn read(path: &str) -> Result<String, BenchError> {
    fs::read_to_string(path).map_err(|error| BenchError::new(format!("cannot read {path}"), error))
}

/// utime and stime of `/proc/PID/stat`. The name before them is in brackets and may hold anything,
/// brackets and blanks too.
fn process_ticks(stat: &str) -> Result<u64, BenchError> {
    const UTIME: usize = 11;
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_ascii_whitespace());
    let ticks = fields.and_then(|mut fields| {
        let user: u64 = fields.nth(UTIME)?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        Some(user + system)
    });
    ticks.ok_or_else(|| BenchError(format!("not a process's stat: {stat:?}")))
}

/// The busy ticks of `/proc/stat`'s first line: all but idle and iowait, and without guests, who are
/// counted under user already.
fn machine_ticks(stat: &str) -> Result<u64, BenchError> {
    let line = stat.lines().next().unwrap_or_default();
    let fields: Option<Vec<u64>> = line
        .strip_prefix("cpu ")
        .map(|rest| rest.split_whitespace().map_while(|field| field.parse().ok()).collect());
    match fields.as_deref() {
        Some([user, nice, system, _idle, _iowait, irq, softirq, steal, ..]) => {
            Ok(user + nice + system + irq + softirq + steal)
        }
        _ => Err(BenchError(format!("not a machine's stat: {line:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_counted_whatever_it_calls_itself() {
        let stat = "12 (a) (b c) S 1 2 3 4 5 6 7 8 9 10 300 45 0 0 20 0 1 0";
        assert_eq!(process_ticks(stat).unwrap(), 345);
        assert!(process_ticks("12 (cut) S 1 2").is_err());
        assert!(process_ticks("").is_err());
    }

    #[test]
    fn a_machine_is_busy_when_it_neither_idles_nor_waits() {
        let stat = "cpu  1 20 300 4000 50000 600000 7000000 80000000 9 9\ncpu0 1 1 1 1 1 1 1 1\n";
        assert_eq!(machine_ticks(stat).unwrap(), 1 + 20 + 300 + 600_000 + 7_000_000 + 80_000_000);
        assert!(machine_ticks("cpu0 1 2 3").is_err());
        assert!(machine_ticks("cpu  1 2 3").is_err());
    }

    #[test]
    fn what_is_neither_the_nodes_nor_ours_is_foreign() {
        let found = usage(150, 50, 320, Duration::from_secs(2));
        assert_eq!(found, Usage { nodes_s: 1.5, generator_cores: 0.25, foreign_cores: 0.6 });
        let rounded = usage(150, 51, 200, Duration::from_secs(2));
        assert_eq!(rounded.foreign_cores, 0.0);
    }

    #[test]
    fn this_process_can_be_measured() {
        let earlier = Sample::take(&[std::process::id()]).unwrap();
        let usage = Sample::take(&[std::process::id()]).unwrap().since(&earlier);
        assert!(usage.nodes_s >= 0.0 && usage.generator_cores >= 0.0);
        assert!(resident_bytes(std::process::id()).unwrap() > 1 << 20);
        assert!(resident_bytes(u32::MAX).is_err());
    }
}
