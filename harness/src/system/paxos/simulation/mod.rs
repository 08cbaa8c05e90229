//! A run in virtual time: the same schedule, workload and checks as with real processes, over the
//! node's own simulation. Thousands of times cheaper, and the same seed gives the same run, event by
//! event.
//!
//! What is the same: the director, the hands' bookkeeping, the policies of links and the code that
//! decides by them, the generators, what a client says and takes an answer for, the parts of the
//! verdict. What is not: processes, sockets, the machine's disk. The nodes' protocol, state machine and
//! log are the real ones; every invariant of the protocol is checked after every event, and takes the
//! place of the examination of logs.
//!
//! What the simulation can't do to a cluster (reset connections, disturb the clients'
//! links other than by cutting them) is reported as indeterminate, with that reason.

mod clients;
mod links;
mod stage;
mod tape;
mod victim;

use std::collections::BTreeMap;
use std::time::Duration;

use checker::{History, Report};
use workloads::UnknownWorkload;

use self::stage::Cut;
use crate::run::facts::Facts;
use crate::run::judge::{self, Evidence};
use crate::run::options::Options;
use crate::run::score::Counts;
use crate::run::stop::StopReason;
use crate::run::verdict::RunVerdict;
use crate::system::WhiteBoxReport;

/// What came of a simulated run.
pub struct Simulated {
    /// In its parts, as for real runs.
    pub verdict: RunVerdict,
    /// Of the history.
    pub report: Report,
    /// What the clients saw.
    pub history: History,
    /// What happened besides.
    pub facts: Facts,
    /// What was asked, and what came of it.
    pub ops: Counts,
    /// Events of the simulation.
    pub events: u64,
    /// How long it was, in its own time.
    pub virtual_time: Duration,
}

/// Simulates a run. It depends on the options alone (and, in a build with planted bugs, on the one
/// that is active on this thread).
///
/// # Errors
/// There is no such workload.
pub fn simulate(options: &Options) -> Result<Simulated, UnknownWorkload> {
    let workload = workloads::by_name(
        &options.workload,
        &workloads::Options {
            seed: options.seed,
            processes: options.concurrency as u64,
            keys: options.keys,
            ops_per_key: options.ops_per_key,
        },
    )?;
    let online = if options.stop_early { workload.check.online() } else { None };
    let played = stage::play(options, workload.generator, online);
    let stage::Played { mut facts, tape, cut, events, now_us } = played;
    let (broken, impossible) = match cut {
        None => (None, false),
        Some(Cut::Invariant(broken)) => (Some(broken), false),
        Some(Cut::History) => (None, true),
    };
    let examined = BTreeMap::from([("events of the simulation".to_owned(), events)]);
    let white_box =
        WhiteBoxReport { violations: broken.iter().cloned().collect(), unknown: Vec::new(), examined };
    let report = workload.check.check(&tape.history, &judge::CHECK_BUDGET);
    let early = impossible.then(|| format!("{} finds the history so far invalid", report.check));
    facts.stopped = broken.or(early).map(StopReason::Violation).or(facts.stopped);
    let verdict = judge::judge(&Evidence {
        options,
        facts: &facts,
        stopped: facts.stopped.as_ref(),
        report: Some(&report),
        white_box: Some(&white_box),
        stalls: &[],
        recorder_failure: None,
    });
    let virtual_time = Duration::from_micros(now_us);
    Ok(Simulated {
        verdict,
        report,
        history: tape.history,
        facts,
        ops: tape.score.counts(),
        events,
        virtual_time,
    })
}

/// From now on this thread simulates nodes with that rule removed; `None`: with all of them.
///
/// # Errors
/// There is no such rule, or this build holds none to remove.
#[cfg(feature = "mutants")]
pub fn activate(mutant: Option<&str>) -> Result<(), String> {
    use paxos_node::mutants::Mutant;
    let by_name = |name| Mutant::by_name(name).ok_or_else(|| format!("no mutant is called `{name}`"));
    paxos_node::mutants::activate(mutant.map(by_name).transpose()?);
    Ok(())
}

/// From now on this thread simulates nodes with that rule removed: a normal build has none to remove.
///
/// # Errors
/// A rule was named.
#[cfg(not(feature = "mutants"))]
pub fn activate(mutant: Option<&str>) -> Result<(), String> {
    match mutant {
        None => Ok(()),
        Some(name) => {
            Err(format!("mutant {name}: this harness holds no mutants (build it with --features mutants)"))
        }
    }
}
