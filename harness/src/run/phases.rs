//! A run, read from top to bottom:
//! start → warm-up → faults → heal → settle → final reads → stop → judge.
//!
//! Whatever happens in between (a violation, Ctrl-C, a node that dies), the later phases still
//! do their part: everything is healed, the nodes are stopped, and what was recorded is judged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use checker::{Check, Report};
use tokio::task::JoinSet;

use super::clients::{Load, Running};
use super::cluster::{Casualty, Cluster, ClusterError, READY_MAX};
use super::contract::Demands;
use super::coverage::OK_OPS_MIN;
use super::heartbeat::Heartbeat;
use super::liveness::{Recovery, SETTLE_MAX, WARM_UP_MAX, Window, answers_wanted, missed, nearly_all};
use super::lookout::Lookout;
use super::observer::Observer;
use super::online;
use super::options::Options;
use super::phase::Phase;
use super::progress::{Moment, Progress};
use super::recorder::{Counts, FLUSH_INTERVAL, Recorder};
use super::stop::{Stop, StopReason};
use super::verdict::Answer;
use super::vigil::Vigil;
use crate::nemesis::{FaultReport, Hands, Processes, heal};
use crate::results::store::RunFolder;
use crate::schedule::{Action, Ballot, Condition, Damage, Director, Observed, Order, Schedule};
use crate::system::NodeId;

/// The calm before the first fault, at least: something must have been written to be lost.
const WARM_UP_MIN: Duration = Duration::from_millis(500);
/// How much longer than asked the faults may go on at least, if some are still owed.
const EXTENSION_MIN: Duration = Duration::from_secs(5);
/// Between two looks at whether a wait is over.
const LOOK: Duration = Duration::from_millis(20);
/// Between two looks for nodes that died.
const CASUALTIES_POLL: Duration = Duration::from_millis(50);
/// Between two words to the progress display.
const PROGRESS_POLL: Duration = Duration::from_millis(200);
/// How long the final reads may take.
const FINAL_READS_MAX: Duration = Duration::from_secs(20);
/// How long nothing may change before the nodes are stopped: several of the observer's polls.
const QUIET_MIN: Duration = Duration::from_millis(400);
/// How long that is waited for.
const QUIET_MAX: Duration = Duration::from_secs(3);
/// How long answers under way are waited for when the run was interrupted.
const INTERRUPTED_PATIENCE: Duration = Duration::from_millis(500);
/// Operations per slot that must succeed after the heal for the cluster to be live again.
const ANSWERS_PER_SLOT: u64 = 2;

/// What a run left to be judged, besides its history.
#[derive(Debug, Default)]
pub struct Facts {
    /// What was to be done; none if it never came that far.
    pub schedule: Option<Schedule>,
    /// What came of it, with every draw made.
    pub resolved: Option<Schedule>,
    /// Every fault that came up.
    pub faults: Vec<FaultReport>,
    /// Stretches in which a cluster that was hurt had to make progress.
    pub windows: Vec<Window>,
    /// Operations per phase under load.
    pub phases: Vec<(Phase, Counts)>,
    /// How the cluster came back; none if it never came that far.
    pub recovery: Option<Recovery>,
    /// Whether a fresh cluster elected and answered; none if that was not looked at.
    pub warmed_up: Option<Answer>,
    /// What the check said that found a violation while the run went on.
    pub found_early: Option<Report>,
    /// Keys to read at the end, and those never read; none if it never came that far.
    pub final_reads: Option<(usize, usize)>,
    /// Nodes that ended by themselves.
    pub casualties: Vec<Casualty>,
    /// Nodes that did not stop when asked to, and were killed.
    pub hung: Vec<String>,
    /// Nodes that could not be started, restarted or stopped.
    pub troubles: Vec<String>,
    /// Why the run ended before its time.
    pub stopped: Option<StopReason>,
    /// Arrivals that were never asked.
    pub not_issued: u64,
    /// Elections seen after the first.
    pub leader_changes: u64,
    /// Under load, in seconds.
    pub seconds: f64,
    /// What every node said of itself last.
    pub last_status: std::collections::BTreeMap<String, serde_json::Value>,
}

/// Everything a run works with.
pub struct Stage {
    /// What was asked for.
    pub options: Options,
    /// The nodes and links.
    pub cluster: Arc<Cluster>,
    /// The history.
    pub recorder: Arc<Recorder>,
    /// The clients.
    pub load: Arc<Load>,
    /// Judges the history, also while it grows.
    pub check: Arc<dyn Check>,
    /// The harness's own pulse.
    pub heartbeat: Heartbeat,
    /// Ends the run early.
    pub stop: Stop,
    /// Shows it.
    pub progress: Arc<dyn Progress>,
    /// Where it goes.
    pub folder: RunFolder,
}

/// What the phases share while they go on.
struct Play<'run> {
    stage: &'run Stage,
    facts: Facts,
    observer: Arc<Observer>,
    now: Arc<std::sync::Mutex<(Phase, Option<String>)>>,
    phase_start: Counts,
    found_early: Arc<std::sync::Mutex<Option<Report>>>,
}

impl Stage {
    /// Plays all phases but the judgement. Leaves no node running.
    pub async fn play(&self) -> Facts {
        let mut background = JoinSet::new();
        let mut play = Play {
            stage: self,
            facts: Facts::default(),
            observer: Arc::default(),
            now: Arc::new(std::sync::Mutex::new((Phase::Start, None))),
            phase_start: Counts::default(),
            found_early: Arc::default(),
        };
        play.enter(Phase::Start);
        let nodes = self.cluster.ids();
        let started = tokio::select! {
            started = self.cluster.start(&nodes) => started,
            // Those that came up so far are stopped with the others.
            () = self.stop.stopped() => Ok(()),
        };
        if play.came_up(started) && !self.stop.is_stopped() {
            play.observer = Observer::start(&self.cluster, &self.stop);
            play.background(&mut background);
            play.under_load().await;
        }
        play.enter(Phase::Stop);
        // Some end, with the run; none may fail.
        while let Some(ended) = background.try_join_next() {
            if let Err(error) = ended {
                self.stop.now(StopReason::Broken(format!("a task of the harness failed: {error}")));
            }
        }
        drop(background);
        let stopped = self.cluster.stop().await;
        for failure in &stopped.failures {
            self.stop.now(StopReason::Broken(failure.clone()));
        }
        play.facts.troubles.extend(stopped.failures);
        play.facts.hung = stopped.hung;
        play.facts.found_early = super::lock(&play.found_early).take();
        play.facts.casualties.extend(self.cluster.casualties());
        play.facts.stopped = self.stop.reason();
        play.facts.not_issued = self.load.not_issued();
        play.facts.leader_changes = play.observer.leader_changes();
        play.facts.last_status = play.observer.answers();
        self.recorder.sync();
        play.facts
    }
}

impl Play<'_> {
    /// Everything between start and stop.
    async fn under_load(&mut self) {
        let Stage { options, load, stop, recorder, .. } = self.stage;
        let began = Instant::now();
        let limit = began + options.time_limit;
        let clients = load.start(options.rate, options.seed);

        self.enter(Phase::WarmUp);
        self.warm_up(began).await;
        if options.faults.is_none() {
            // Nobody is ever hurt.
            stop.sleep_until(limit).await;
        }
        self.leave(Phase::WarmUp);
        if !options.faults.is_none() {
            self.enter(Phase::Faults);
            self.faults(limit).await;
            self.leave(Phase::Faults);
        }

        self.enter(Phase::Heal);
        let healed = heal(&self.stage.cluster, recorder, !stop.is_stopped()).await;
        let whole = self.came_up(healed);

        self.enter(Phase::Settle);
        if whole && self.facts.warmed_up == Some(Answer::Valid) {
            self.settle().await;
        }
        self.leave(Phase::Settle);
        self.quieten(clients).await;
        self.facts.seconds = began.elapsed().as_secs_f64();

        if !stop.is_stopped() {
            self.enter(Phase::FinalReads);
            self.facts.final_reads = Some(load.final_reads(FINAL_READS_MAX, stop).await);
            self.until_quiet().await;
        }
    }

    /// Lets the nodes write down what they know: nobody asks anything any more, and the slots that
    /// nodes tell stop changing. Its log is examined afterwards.
    async fn until_quiet(&self) {
        let began = Instant::now();
        while began.elapsed() < QUIET_MAX {
            let since = self.observer.quiet_since().unwrap_or(began).max(began);
            if since.elapsed() >= QUIET_MIN || !self.stage.stop.sleep(LOOK).await {
                return;
            }
        }
    }

    /// Waits for a leader and for operations that succeed. Time that the harness lost does not
    /// count.
    async fn warm_up(&mut self, began: Instant) {
        let Stage { stop, recorder, heartbeat, .. } = self.stage;
        let enough = self.answers_needed(WARM_UP_MAX);
        let earliest = began + WARM_UP_MIN;
        loop {
            let (counts, leader) = (recorder.counts(), self.observer.leader());
            if counts.ok >= enough && leader.is_some() && Instant::now() >= earliest {
                self.facts.warmed_up = Some(Answer::Valid);
                return;
            }
            let (waited, lost) = (began.elapsed(), heartbeat.lost_since(began));
            if waited >= WARM_UP_MAX + lost {
                let asked_too_little =
                    nearly_all(counts.ok, counts.asked) && (leader.is_some() || counts.ok > 0);
                self.facts.warmed_up =
                    Some(if asked_too_little { Answer::Unknown } else { missed(lost, waited) });
                stop.now(StopReason::Violation(format!(
                    "a fresh cluster did not get going within {} s: {}, {} of {} operations succeeded",
                    waited.as_secs(),
                    if leader.is_some() { "a leader leads" } else { "nobody leads" },
                    counts.ok,
                    counts.asked
                )));
                return;
            }
            if !stop.sleep(LOOK).await {
                return;
            }
        }
    }

    /// What the schedule says, until it is over.
    async fn faults(&mut self, limit: Instant) {
        let Stage { options, cluster, recorder, stop, progress, .. } = self.stage;
        // What is owed may overrun the limit by as much.
        let extend = (options.time_limit / 2).max(EXTENSION_MIN);
        let schedule = options.faults.schedule(limit.saturating_duration_since(Instant::now()), extend);
        self.facts.schedule = Some(schedule.clone());
        let mut director = Director::new(schedule, options.seed);
        let mut hands = Hands::new(Processes { cluster, recorder });
        let mut vigil = Vigil::default();
        let began = Instant::now();
        let mut lookout = Lookout::new(cluster.mesh(), began);
        while !director.is_finished() {
            lookout.tell(&mut director);
            let observed = self.look(began.elapsed());
            let orders = if stop.is_stopped() { director.stop() } else { director.advance(&observed) };
            let turns = orders.iter().any(|order| matches!(order, Order::Begin { .. } | Order::Undo { .. }));
            for order in orders {
                match order {
                    Order::Phase(name) => progress.say(&format!("phase {name}")),
                    Order::Begin { occurrence, id, item, action, must_bite } => {
                        hands.begin(occurrence, &id, item, action, must_bite).await;
                    }
                    Order::Undo { occurrence, item, .. } => {
                        let cured = hands.undo(occurrence, item).await;
                        self.came_up(cured);
                    }
                    Order::Ended(occurrence) => {
                        let Some(mut report) = hands.ended(occurrence) else { continue };
                        report.evidence.extend(observed.leader.map(led));
                        director.settle(&report.fault, report.bit);
                        progress.say(&told(&report));
                        self.note_fault(report);
                    }
                    Order::Skipped { occurrence, id, reason } => {
                        progress.say(&format!("{id}: skipped: {reason}"));
                        self.note_fault(FaultReport::skipped(occurrence, &id, reason, recorder.now_ns()));
                    }
                    Order::Finished => {}
                }
            }
            if turns {
                let window = vigil.turn(recorder, self.demanding(&director));
                self.facts.windows.extend(window);
                let names: Vec<&str> = director.standing_ids().collect();
                self.show_fault((!names.is_empty()).then(|| names.join(" ")));
            }
            vigil.look(recorder);
            if let Err(error) = lookout.watch(director.watches(&observed)) {
                stop.now(StopReason::Broken(error.to_string()));
            }
            let wake = director
                .wake_at(observed.now)
                .map_or(LOOK, |at| at.saturating_sub(began.elapsed()).min(LOOK));
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

    /// The faults in force, if the cluster must make progress all the same.
    fn demanding(&self, director: &Director) -> Option<String> {
        let conditions = self.stage.cluster.conditions();
        let nodes: Vec<NodeId> = conditions.keys().copied().collect();
        let silent = conditions.iter().filter(|(_, is)| **is != Condition::Up).map(|(&node, _)| node);
        let standing: Vec<&Action> = director.standing().collect();
        let damage = Damage::of(&nodes, silent, standing.iter().copied());
        let words: Vec<String> = standing.iter().map(|action| action.describe()).collect();
        (!words.is_empty() && Demands::of(&damage).progress_during).then(|| words.join(", "))
    }

    /// Everything is restored: the cluster must elect, answer and catch up.
    async fn settle(&mut self) {
        let Stage { cluster, recorder, stop, heartbeat, .. } = self.stage;
        let healed = Instant::now();
        recorder.mark();
        let nodes = cluster.ids();
        let goal = self.observer.applied_max();
        let enough = self.answers_needed(SETTLE_MAX);
        let before = recorder.counts();
        let mut recovery = Recovery { goal_unknown: goal == 0 && before.ok > 0, ..Recovery::default() };
        loop {
            let waited = healed.elapsed();
            if recovery.elected_after.is_none() && self.observer.leader_since(healed).is_some() {
                recovery.elected_after = Some(waited);
            }
            if recovery.answered_after.is_none() && recorder.ok_since_mark() >= enough {
                recovery.answered_after = Some(waited);
            }
            recovery.lagging = self.observer.behind(&nodes, goal, healed);
            if recovery.caught_up_after.is_none() && recovery.lagging.is_empty() {
                recovery.caught_up_after = Some(waited);
            }
            recovery.waited = waited;
            if recovery.is_complete() || waited >= SETTLE_MAX || !stop.sleep(LOOK).await {
                break;
            }
        }
        recovery.lost = heartbeat.lost_since(healed);
        let since = recorder.counts().since(before);
        recovery.asked_too_little = nearly_all(since.ok, since.asked + before.open());
        self.facts.recovery = Some(recovery);
    }

    async fn quieten(&self, clients: Running) {
        let patience = match self.stage.stop.reason() {
            Some(StopReason::Interrupted) => INTERRUPTED_PATIENCE,
            _ => self.stage.options.op_timeout * 2,
        };
        clients.finish(patience).await;
    }

    /// A few per slot, and as many as a phase must have to count; fewer if so few are asked.
    fn answers_needed(&self, within: Duration) -> u64 {
        let options = &self.stage.options;
        let most = (options.concurrency as u64 * ANSWERS_PER_SLOT).max(OK_OPS_MIN);
        answers_wanted(most, options.rate, within)
    }

    /// Tasks that end with the run: they watch, flush and show.
    fn background(&self, tasks: &mut JoinSet<()>) {
        let Stage { cluster, recorder, check, load, stop, progress, options, .. } = self.stage;
        let (cluster, stop_here, asking) = (Arc::clone(cluster), stop.clone(), Arc::clone(&self.observer));
        tasks.spawn(async move {
            loop {
                if !cluster.mesh().is_running() {
                    stop_here.now(StopReason::Broken("the proxies' thread has ended".to_owned()));
                }
                if !asking.is_running() {
                    stop_here.now(StopReason::Broken("a task of the observer has ended".to_owned()));
                }
                if let Some(first) = cluster.casualties().first() {
                    stop_here.now(StopReason::Violation(format!(
                        "{} ended by itself: {}",
                        first.node, first.exit.kind
                    )));
                }
                tokio::time::sleep(CASUALTIES_POLL).await;
            }
        });
        let (flushed, timed) = (Arc::clone(recorder), Arc::clone(load));
        tasks.spawn(async move {
            loop {
                tokio::time::sleep(FLUSH_INTERVAL).await;
                flushed.flush();
                timed.latencies().rotate(Duration::from_nanos(flushed.now_ns()));
            }
        });
        if options.stop_early {
            let found = Arc::clone(&self.found_early);
            tasks.spawn(online::watch(Arc::clone(recorder), Arc::clone(check), stop.clone(), found));
        }
        let (progress, recorder, observer) =
            (Arc::clone(progress), Arc::clone(recorder), Arc::clone(&self.observer));
        let (now, time_limit) = (Arc::clone(&self.now), options.time_limit);
        tasks.spawn(async move {
            loop {
                let (phase, fault) = super::lock(&now).clone();
                progress.show(&Moment {
                    phase,
                    elapsed: Duration::from_nanos(recorder.now_ns()),
                    time_limit,
                    counts: recorder.counts(),
                    leader: observer.leader().map_or_else(|| "-".to_owned(), |node| node.to_string()),
                    fault,
                });
                tokio::time::sleep(PROGRESS_POLL).await;
            }
        });
    }

    /// Notes why nodes did not come up, and stops the run for it.
    fn came_up(&mut self, result: Result<(), ClusterError>) -> bool {
        let Err(error) = result else { return true };
        let text = error.to_string();
        // A harness that stood still did not look for the node.
        let overdue = matches!(error, ClusterError::NotReady { .. });
        let lost = Instant::now()
            .checked_sub(READY_MAX)
            .map_or(Duration::ZERO, |since| self.stage.heartbeat.lost_since(since));
        let excused = overdue && missed(lost, READY_MAX) == Answer::Unknown;
        let blames_node = error.blames_node() && !excused;
        match error {
            ClusterError::DiedAtStart { node, exit } if blames_node => {
                self.facts.casualties.push(Casualty { node, exit });
            }
            _ => self.facts.troubles.push(text.clone()),
        }
        self.stage.stop.now(if blames_node { StopReason::Violation(text) } else { StopReason::Broken(text) });
        false
    }

    fn note_fault(&mut self, report: FaultReport) {
        if let Err(error) = self.stage.folder.append_json("nemesis.jsonl", &report) {
            self.stage.stop.now(StopReason::Broken(error.to_string()));
        }
        self.facts.faults.push(report);
    }

    fn enter(&mut self, phase: Phase) {
        super::lock(&self.now).0 = phase;
        self.stage.progress.say(phase.name());
        self.phase_start = self.stage.recorder.counts();
        self.stage.recorder.sync();
    }

    /// Notes what was asked and answered in a phase under load.
    fn leave(&mut self, phase: Phase) {
        self.facts.phases.push((phase, self.stage.recorder.counts().since(self.phase_start)));
    }

    fn show_fault(&self, fault: Option<String>) {
        super::lock(&self.now).1 = fault;
    }
}

/// One line about a fault that is over.
fn told(report: &FaultReport) -> String {
    let length_ms = (report.end_ns - report.start_ns) / 1_000_000;
    let bit = if report.bit { "bit" } else { "did not bite" };
    format!("{}: {} for {length_ms} ms: {bit} ({})", report.fault, report.words(), report.evidence.join("; "))
}

/// Who leads by its own word.
fn led((node, (round, of)): (NodeId, Ballot)) -> String {
    format!("{node} leads in ballot {round}.{of} afterwards")
}
