//! What no schedule may exceed, nor a flag of the command line: what a run did is written down as a
//! schedule, and must be read again. Each with its reason.

use std::time::Duration;

/// A file larger than that was not written by hand, nor by a run.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// More nodes only wait for each other.
pub const NODES_MAX: u16 = 9;
/// More stretches than that are no story any more.
pub const PHASES_MAX: usize = 50;
/// Faults, mixes and choices together: a run writes down what it did, a few a second.
pub const FAULTS_MAX: usize = 1_000;
/// Steps of one fault.
pub const STEPS_MAX: usize = 20;
/// Of one choice: the sum of all weights must stay a small number.
pub const WEIGHT_MAX: u32 = 1_000_000;
/// The shortest time that is a phase, or that a client waits.
pub const INSTANT: Duration = Duration::from_millis(1);
/// Any length of time, and all phases together: a longer run is several runs.
pub const DURATION_MAX: Duration = Duration::from_secs(3_600);
/// How late a frame may come, or an answer: longer is a cut link.
pub const LATENESS_MAX: Duration = Duration::from_secs(60);
/// More clients than that measure the harness.
pub const CLIENTS_MAX: usize = 1_000;
/// Operations per second: the clients of one machine can't ask faster.
pub const RATE_MAX: f64 = 1_000_000.0;
/// Keys in use at a time.
pub const KEYS_MAX: u64 = 10_000;
/// How often a client may send the same request again.
pub const RETRIES_MAX: u32 = 1_000;
/// Of a name or an id: they become names of files and columns of tables.
pub const NAME_CHARS_MAX: usize = 80;
/// How soon a fault may come again: faster than that nothing else is done.
pub const EVERY_MIN: Duration = Duration::from_millis(10);

/// A node that takes snapshots more often does little else; ours refuses to.
pub const SNAPSHOT_EVERY_BYTES_MIN: u64 = 4 << 10;
