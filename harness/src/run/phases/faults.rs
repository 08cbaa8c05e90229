//! The faults: what the schedule says, until it is over.

use std::time::{Duration, Instant};

use super::{LOOK, Play, Stage};
use crate::nemesis::{FaultReport, Hands, Outcome, Processes};
use crate::run::contract;
use crate::run::lookout::Lookout;
use crate::run::stop::StopReason;
use crate::run::vigil::Vigil;
use crate::schedule::{Ballot, Director, Observed, Order};
use crate::system::NodeId;

impl Play<'_> {
    /// Looks, does what is due, waits for what comes next.
    pub(super) async fn faults(&mut self, limit: Instant) {
        let Stage { options, cluster, recorder, stop, progress, .. } = self.stage;
        let schedule = options.schedule(limit.saturating_duration_since(Instant::now()));
        self.facts.schedule = Some(schedule.clone());
        let mut director = Director::new(schedule, options.seed).steering(options.steer);
        let mut hands = Hands::new(Processes { cluster, recorder });
        let mut vigil = Vigil::default();
        let began = Instant::now();
        let mut lookout = Lookout::new(cluster.mesh(), began);
        while !director.is_finished() {
            self.freezer.on_violation().await;
            lookout.tell(&mut director);
            let observed = self.look(began.elapsed());
            let orders = if stop.is_stopped() { director.stop() } else { director.advance(&observed) };
            let turns = orders.iter().any(Order::changes_something);
            for order in orders {
                if let Order::Phase(name) = &order {
                    progress.say(&format!("phase {name}"));
                }
                if stop.is_stopped()
                    && let Order::Begin { occurrence, id, .. } = &order
                {
                    // The run was stopped since it was ordered: nothing new is done.
                    if !hands.has_begun(*occurrence) {
                        director.retract(id, *occurrence);
                    }
                    continue;
                }
                match hands.obey(order, &mut director).await {
                    Ok(Some(report)) => self.note_fault(report, &observed),
                    Ok(None) => {}
                    Err(error) => {
                        self.came_up(Err(error));
                    }
                }
            }
            if turns {
                let conditions = cluster.conditions();
                let demanded =
                    contract::progress_demanded(&conditions, director.standing(), options.op_timeout);
                self.facts.windows.extend(vigil.turn(began.elapsed(), recorder.since_mark(), demanded));
                let names: Vec<&str> = director.standing_ids().collect();
                self.show_fault((!names.is_empty()).then(|| names.join(" ")));
            }
            if vigil.begins_counting(began.elapsed()) {
                recorder.mark();
            }
            if let Err(error) = lookout.watch(director.watches(&observed)) {
                stop.now(StopReason::Broken(error.to_string()));
            }
            let wake = director.wake_at(observed.now);
            let wake = wake.map_or(LOOK, |at| at.saturating_sub(began.elapsed()).min(LOOK));
            if !director.is_finished() {
                tokio::select! {
                    _ = stop.sleep(wake) => {}
                    () = lookout.seen() => {}
                }
            }
        }
        // Nothing is watched for any more, and nothing could be refused.
        let _ = lookout.watch(Vec::new());
        self.show_fault(None);
        self.facts.passed = director.passed().to_vec();
        self.facts.reached = director.territory().clone();
        self.facts.resolved = Some(director.resolved());
    }

    /// What can be known of the cluster now.
    fn look(&self, now: Duration) -> Observed {
        let leaders = self.observer.leaders();
        Observed {
            now,
            nodes: self.stage.cluster.conditions(),
            leader: leaders.first().copied(),
            leaders: leaders.into_iter().map(|(node, _)| node).collect(),
            applied: self.observer.applied(),
            ops_ok: self.stage.recorder.counts().ok,
        }
    }

    fn note_fault(&mut self, mut report: FaultReport, observed: &Observed) {
        let Stage { progress, folder, stop, .. } = self.stage;
        if !matches!(report.outcome, Outcome::Skipped(_)) {
            report.evidence.extend(observed.leader.map(led));
        }
        progress.say(&told(&report));
        if let Err(error) = folder.append_json("nemesis.jsonl", &report) {
            stop.now(StopReason::Broken(error.to_string()));
        }
        self.facts.faults.push(report);
    }

    fn show_fault(&self, fault: Option<String>) {
        crate::run::lock(&self.now).1 = fault;
    }
}

/// One line about a fault that is over.
fn told(report: &FaultReport) -> String {
    if let Outcome::Skipped(reason) = &report.outcome {
        return format!("{}: skipped: {reason}", report.fault);
    }
    let length_ms = (report.end_ns - report.start_ns) / 1_000_000;
    let bit = if report.bit { "bit" } else { "did not bite" };
    format!("{}: {} for {length_ms} ms: {bit} ({})", report.fault, report.words(), report.evidence.join("; "))
}

/// Who leads by its own word.
fn led((node, (round, of)): (NodeId, Ballot)) -> String {
    format!("{node} leads in ballot {round}.{of} afterwards")
}
