//! A run, read from top to bottom:
//! start → warm-up → faults → heal → settle → final reads → stop → judge.
//!
//! Whatever happens in between (Ctrl-C, a harness that fails), the later phases still do their part:
//! everything is healed, the nodes are stopped, and what was recorded is judged. After a violation (a
//! node that dies is one) nothing is healed: the nodes are frozen, and killed as they stand.

mod faults;

use std::sync::Arc;
use std::time::{Duration, Instant};

use checker::Check;
use tokio::task::JoinSet;

use super::clients::{Load, Running};
use super::cluster::{Casualty, Cluster, ClusterError, READY_MAX};
use super::facts::Facts;
use super::freeze::{Freezer, Frozen};
use super::heartbeat::Heartbeat;
use super::liveness::{Recovery, WARM_UP_MAX, WARM_UP_MIN, answers_needed, missed, not_going};
use super::observer::Observer;
use super::online::{self, Found};
use super::options::Options;
use super::phase::{FINAL_READS_MAX, Phase};
use super::progress::{Moment, Progress};
use super::recorder::{FLUSH_INTERVAL, Recorder};
use super::score::Counts;
use super::stop::{Stop, StopReason};
use super::verdict::Answer;
use crate::nemesis::heal;
use crate::results::store::RunFolder;
use crate::system::NodeId;

/// Between two looks at whether a wait is over.
const LOOK: Duration = Duration::from_millis(20);
/// Between two looks for nodes that died.
const CASUALTIES_POLL: Duration = Duration::from_millis(50);
/// Between two words to the progress display.
const PROGRESS_POLL: Duration = Duration::from_millis(200);
/// How long nothing may change before the nodes are stopped: several of the observer's polls.
const QUIET_MIN: Duration = Duration::from_millis(400);
/// How long that is waited for.
const QUIET_MAX: Duration = Duration::from_secs(3);
/// How long answers under way are waited for when the run was cut short: those that are in the proxies
/// already, since frozen nodes give no more.
const CUT_SHORT_PATIENCE: Duration = Duration::from_millis(500);

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
    found_early: Arc<std::sync::Mutex<Option<Found>>>,
    freezer: Arc<Freezer>,
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
            freezer: Arc::new(Freezer::new(
                Arc::clone(&self.cluster),
                Arc::clone(&self.recorder),
                self.stop.clone(),
            )),
        };
        play.enter(Phase::Start);
        let nodes = self.cluster.ids();
        let started = tokio::select! {
            started = self.cluster.start(&nodes) => started,
            // Those that came up so far are stopped with the others.
            () = self.stop.stopped() => Ok(()),
        };
        if play.came_up(started) && !self.stop.is_stopped() {
            play.observer = Observer::start(&self.cluster, &self.stop, &mut background);
            play.background(&mut background);
            play.under_load().await;
        }
        play.freezer.on_violation().await;
        play.enter(Phase::Stop);
        // Some end, with the run; none may fail.
        while let Some(ended) = background.try_join_next() {
            if let Err(error) = ended {
                self.stop.now(StopReason::Broken(format!("a task of the harness failed: {error}")));
            }
        }
        background.shutdown().await;
        let stopped = self.cluster.stop().await;
        for failure in &stopped.failures {
            self.stop.now(StopReason::Broken(failure.clone()));
        }
        play.facts.troubles.extend(stopped.failures);
        play.facts.hung = stopped.hung;
        let found = super::lock(&play.found_early).take();
        let event = found.as_ref().and_then(|found| found.event(&self.recorder));
        play.facts.frozen = play.freezer.frozen().map(|frozen| Frozen { event, ..frozen });
        play.facts
            .troubles
            .extend(play.facts.frozen.iter().flat_map(|frozen| frozen.troubles.iter().cloned()));
        play.facts.found_early = found.map(|found| found.report(&*self.check, &self.recorder.snapshot()));
        play.facts.casualties.extend(self.cluster.casualties());
        play.facts.stopped = self.stop.reason();
        play.facts.not_issued = self.load.not_issued();
        play.facts.leader_changes = play.observer.leader_changes();
        play.facts.beyond = play.observer.beyond();
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
        // What is frozen stays as it is.
        let whole = !self.freezer.on_violation().await && {
            let healed = heal(&self.stage.cluster, recorder, !stop.is_stopped()).await;
            self.came_up(healed)
        };

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
        let Stage { options, stop, recorder, heartbeat, .. } = self.stage;
        let enough = answers_needed(options, WARM_UP_MAX);
        let earliest = began + WARM_UP_MIN;
        loop {
            let (counts, leader) = (recorder.counts(), self.observer.leader());
            if counts.ok >= enough && leader.is_some() && Instant::now() >= earliest {
                self.facts.warmed_up = Some(Answer::Valid);
                return;
            }
            let (waited, lost) = (began.elapsed(), heartbeat.lost_since(began));
            if waited >= WARM_UP_MAX + lost {
                let (answer, reason) = not_going(counts, leader.is_some(), waited, lost);
                self.facts.warmed_up = Some(answer);
                stop.now(match answer {
                    Answer::Invalid => StopReason::Violation(reason),
                    Answer::Valid | Answer::Unknown => StopReason::Weak(reason),
                });
                return;
            }
            if !stop.sleep(LOOK).await {
                return;
            }
        }
    }

    /// Everything is restored: the cluster must elect, answer and catch up.
    async fn settle(&mut self) {
        let Stage { options, cluster, recorder, stop, heartbeat, .. } = self.stage;
        let most = self.facts.settle_max();
        let healed = Instant::now();
        recorder.mark();
        let nodes: Vec<NodeId> =
            cluster.ids().into_iter().filter(|node| !cluster.is_turned_away(*node)).collect();
        let goal = self.observer.applied_max();
        let enough = answers_needed(options, most);
        let before = recorder.counts();
        let mut recovery = Recovery { goal_unknown: goal == 0 && before.ok > 0, ..Recovery::default() };
        loop {
            let waited = healed.elapsed();
            recovery.note(
                waited,
                self.observer.leader_since(healed).is_some(),
                recorder.since_mark().ok >= enough,
                self.observer.behind(&nodes, goal, healed),
            );
            if recovery.is_complete() || waited >= most || !stop.sleep(LOOK).await {
                break;
            }
        }
        recovery.lost = heartbeat.lost_since(healed);
        recovery.counted(before, recorder.counts().since(before));
        self.facts.recovery = Some(recovery);
    }

    async fn quieten(&self, clients: Running) {
        let patience = match self.stage.stop.reason() {
            Some(StopReason::Interrupted | StopReason::Violation(_) | StopReason::Weak(_)) => {
                CUT_SHORT_PATIENCE
            }
            _ => self.stage.options.op_timeout * 2,
        };
        clients.finish(patience).await;
    }

    /// Tasks that end with the run: they watch, flush and show.
    fn background(&self, tasks: &mut JoinSet<()>) {
        let Stage { cluster, recorder, check, load, stop, progress, options, .. } = self.stage;
        let (cluster, stop_here, asking) = (Arc::clone(cluster), stop.clone(), Arc::clone(&self.observer));
        let stop_early = options.stop_early;
        tasks.spawn(async move {
            loop {
                if !cluster.mesh().is_running() {
                    stop_here.now(StopReason::Broken("the proxies' thread has ended".to_owned()));
                }
                if !asking.is_running() {
                    stop_here.now(StopReason::Broken("a task of the observer has ended".to_owned()));
                }
                // Looked for in any case: what is down is to be known as down.
                let ended = cluster.casualties().into_iter().next();
                let ended = ended.map(|first| format!("{} ended by itself: {}", first.node, first.exit.kind));
                if let Some(wrong) = ended.or_else(|| asking.beyond().into_iter().next())
                    && stop_early
                {
                    stop_here.now(StopReason::Violation(wrong));
                }
                tokio::time::sleep(CASUALTIES_POLL).await;
            }
        });
        let freezer = Arc::clone(&self.freezer);
        tasks.spawn(async move { freezer.watch().await });
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
}
