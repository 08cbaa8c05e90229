//! One fault, from its installation to its cure; and the heal that restores everything.

use std::collections::BTreeMap;
use std::time::Duration;

use checker::Value;

use super::report::FaultReport;
use super::{Action, Fault, Outcome, kill, network, pause};
use crate::run::cluster::{Cluster, ClusterError};
use crate::run::recorder::Recorder;
use crate::run::stop::Stop;

/// How long a cluster may take to get over the beginning of a fault: clients time out, a new
/// leader is elected.
const GET_OVER: Duration = Duration::from_secs(5);
/// The shortest window in which the absence of any success means something.
const PROGRESS_WINDOW_MIN: Duration = Duration::from_secs(2);

/// Operations that must have come to an end in it for their failure to mean something.
const PROGRESS_OPS_MIN: u64 = 5;

/// Installs a fault, lets it last, gathers its evidence and cures it, whether or not the run is
/// stopped meanwhile. An error is a node that did not come back.
pub async fn inject(
    cluster: &Cluster,
    recorder: &Recorder,
    stop: &Stop,
    fault: &Fault,
) -> (FaultReport, Result<(), ClusterError>) {
    let mut report = FaultReport::begin(fault, recorder.now_ns());
    let mesh = cluster.mesh();
    for (number, layer) in fault.beneath.iter().enumerate() {
        let so_far = fault.beneath.iter().take(number + 1).map(|layer| &layer.action);
        network::install(mesh, network::policies(so_far), &mut report);
        stop.sleep(layer.lead).await;
    }
    note(recorder, fault, "begins", &report);
    let before = network::read(mesh, &fault.action);
    report.start_ns = recorder.now_ns();
    let stopped = match &fault.action {
        Action::Kill(nodes) => {
            kill::install(cluster, nodes, &mut report).await;
            pause::Stopped::new()
        }
        Action::Pause(nodes) => pause::install(cluster, nodes, &mut report).await,
        Action::Cut(_) | Action::Trouble(..) => {
            let actions = fault.beneath.iter().map(|layer| &layer.action).chain([&fault.action]);
            network::install(mesh, network::policies(actions), &mut report);
            pause::Stopped::new()
        }
    };

    report.progress = last(recorder, stop, fault.length).await;

    let cured = match &fault.action {
        Action::Kill(nodes) => kill::cure(cluster, nodes).await,
        Action::Pause(nodes) => {
            pause::examine(nodes, &stopped, &mut report);
            pause::cure(cluster, nodes, &mut report).await;
            Ok(())
        }
        Action::Cut(_) | Action::Trouble(..) => {
            network::examine(mesh, &fault.action, &before, &mut report);
            Ok(())
        }
    };
    network::install(mesh, network::policies([]), &mut report);
    if let Err(error) = &cured {
        report.doubt(format!("its cure failed: {error}"));
    }
    report.end_ns = recorder.now_ns();
    note(recorder, fault, "ends", &report);
    (report, cured)
}

/// Lets a fault last. If that is long enough, says how many operations began and succeeded in the
/// part of it in which a cluster that still can must work again.
async fn last(recorder: &Recorder, stop: &Stop, length: Duration) -> Option<u64> {
    let Some(window) = length.checked_sub(GET_OVER).filter(|window| *window >= PROGRESS_WINDOW_MIN) else {
        stop.sleep(length).await;
        return None;
    };
    stop.sleep(GET_OVER).await;
    recorder.mark();
    let whole = stop.sleep(window).await;
    // A window cut short, or one in which hardly anybody asked, proves nothing.
    (whole && recorder.finished_since_mark() >= PROGRESS_OPS_MIN).then(|| recorder.ok_since_mark())
}

/// Restores everything, whatever was done: links, paused nodes, dead nodes. The dead are left
/// alone where the run ends here: a node that died by itself is evidence, not to be run over.
pub async fn heal(cluster: &Cluster, recorder: &Recorder, restart: bool) -> Result<(), ClusterError> {
    let nodes = cluster.ids();
    let links = cluster.mesh().set_links(network::policies([]));
    let resumed = cluster.resume(&nodes).await;
    let restarted = if restart { cluster.restart(&nodes).await } else { Ok(()) };
    recorder.nemesis("heal", Value::Nil, BTreeMap::new());
    links.expect("an empty map names no link and no fault that could be refused");
    for (_, result) in resumed {
        result?;
    }
    restarted
}

/// Puts a fault's beginning or end into the history, where its place in the order counts.
fn note(recorder: &Recorder, fault: &Fault, moment: &'static str, report: &FaultReport) {
    let mut extra = BTreeMap::new();
    extra.insert("fault".to_owned(), fault.number.into());
    extra.insert("moment".to_owned(), moment.into());
    if moment == "ends" {
        extra.insert("bit".to_owned(), report.bit.into());
        let outcome = match &report.outcome {
            Outcome::Installed => "installed",
            Outcome::Skipped(_) => "skipped",
            Outcome::Indeterminate(_) => "indeterminate",
        };
        extra.insert("outcome".to_owned(), outcome.into());
    }
    recorder.nemesis(fault.kind.name(), Value::from(report.action.as_str()), extra);
}
