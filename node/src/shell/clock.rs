//! The clock that leases are measured by.

use crate::paxos::LocalTime;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Microseconds since the machine was booted, the time it slept included: while a leader's machine
/// sleeps, its lease runs out. Nobody sets this clock; that it is slewed is part of its drift.
pub(super) fn now() -> LocalTime {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has this clock since 2.6.39");
    LocalTime(u64::try_from(Duration::from(now).as_micros()).expect("not up for half a million years"))
}
