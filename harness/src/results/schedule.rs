//! What a run did to its cluster, as a schedule that repeats it.

use crate::run::facts::Facts;
use crate::run::options::Options;
use crate::schedule::{Concurrency, Schedule, WorkloadSpec};

/// The schedule of a run with every draw made, and with the run's own load: `None` if it never came
/// to any fault.
pub fn resolved(options: &Options, facts: &Facts) -> Option<Schedule> {
    let resolved = facts.resolved.clone()?;
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
        workload,
        ..resolved
    })
}
