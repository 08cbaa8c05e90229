//! What a run did to its cluster, as a schedule that repeats it.

use crate::run::facts::Facts;
use crate::run::options::Options;
use crate::run::stop::StopReason;
use crate::schedule::{Concurrency, Preset, Schedule, WorkloadSpec};
use std::time::Duration;

/// How long a schedule without faults goes on.
const CALM: Duration = Duration::from_secs(1);

/// The schedule of a run with every draw made, and with the run's own load. What went wrong before any
/// fault is repeated by none at all; `None` if nothing happened that could be repeated.
pub fn resolved(options: &Options, facts: &Facts) -> Option<Schedule> {
    let resolved = facts.resolved.clone().or_else(|| before_any_fault(facts))?;
    let workload = WorkloadSpec {
        name: Some(options.workload.clone()),
        concurrency: Some(Concurrency::Clients(options.concurrency)),
        rate: options.rate,
        keys: Some(options.keys),
        ops_per_key: options.ops_per_key,
        retries: Some(options.retries),
        op_timeout: Some(options.op_timeout),
    };
    let story = format!(
        "What came of {} with seed {}: every draw is made, times count from the start of their phase.",
        options.faults.title(),
        options.seed
    );
    Some(Schedule {
        name: format!("{}-resolved", resolved.name.trim_end_matches("-resolved")),
        story,
        nodes: Some(options.nodes),
        seed: Some(options.seed),
        snapshot_every_bytes: options.snapshot_every_bytes,
        election: options.election,
        read_mode: options.read_mode,
        workload,
        ..resolved
    })
}

/// A moment of calm, for a violation that needed no more.
fn before_any_fault(facts: &Facts) -> Option<Schedule> {
    let violated = matches!(facts.stopped, Some(StopReason::Violation(_)));
    let nobody = Preset { kinds: Vec::new(), owed: Vec::new(), interval: CALM };
    violated.then(|| Schedule { name: "calm".to_owned(), ..nobody.schedule(CALM, Duration::ZERO) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_before_any_fault_is_repeated_without_one() {
        let options = Options::usual("append", "paxos-node".into(), 7);
        assert_eq!(resolved(&options, &Facts::default()), None);
        let violated = StopReason::Violation("append finds the history so far invalid".to_owned());
        let facts = Facts { stopped: Some(violated), ..Facts::default() };
        let calm = resolved(&options, &facts).expect("a schedule");
        assert_eq!((calm.ids().count(), calm.seed, calm.nodes), (0, Some(7), Some(5)));
        let read = Schedule::read("calm.toml", &calm.to_toml()).expect("it can be read again");
        assert_eq!(read.lasts(), CALM);
    }
}
