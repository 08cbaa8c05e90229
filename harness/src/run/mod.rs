//! One run: a cluster, its clients, its nemesis, and a verdict over what was recorded.
//!
//! [`phases`] is the story, to be read first. [`recorder`] is the only writer of the history;
//! [`clients`] ask, [`arrivals`] says when; [`observer`] knows who leads; [`online`] judges while
//! the run goes on, and [`freeze`] holds the nodes where they are if it finds something. At the end [`judge`] draws the [`verdict`] from recorded facts, part by part:
//! [`coverage`], [`liveness`] (which [`vigil`] watches over while faults last), and what the fault
//! [`contract`] allows to be demanded. Simulated runs leave the same [`facts`] to be judged.

pub mod arrivals;
pub mod clients;
pub mod cluster;
pub mod contract;
pub mod coverage;
pub mod facts;
pub mod files;
pub mod freeze;
pub mod heartbeat;
pub mod judge;
pub mod liveness;
pub mod lookout;
pub mod observer;
pub mod online;
pub mod options;
pub mod phase;
pub mod phases;
pub mod progress;
pub mod recorder;
pub mod score;
pub mod stop;
pub mod verdict;
pub mod vigil;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use checker::Report;
use serde_json::json;

use self::clients::Load;
use self::cluster::{Cluster, ClusterError, DATA_BEFORE, TRACE_AFTER};
use self::facts::Facts;
use self::freeze::Frozen;
use self::heartbeat::Heartbeat;
use self::judge::Evidence;
use self::options::{Faults, Options};
use self::phase::Phase;
use self::phases::Stage;
use self::progress::Progress;
use self::recorder::Recorder;
use self::stop::{Stop, StopReason};
use self::verdict::{Answer, RunVerdict};
use crate::nemesis::report::{self, FaultTally};
use crate::results::manifest::{Commit, Machine, Manifest};
use crate::results::schedule;
use crate::results::store::{
    ASKED_FILE, MANIFEST_FILE, RESOLVED_FILE, RunFolder, Store, StoreError, VERDICT_FILE,
};
use crate::results::summary::Summary;
use crate::results::utc::Utc;
use crate::system::{BinaryInfo, System, SystemError, WhiteBoxReport};

/// Why a run could not begin: nothing was tested.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The binary can't be trusted.
    #[error(transparent)]
    System(#[from] SystemError),
    /// There is no such workload.
    #[error(transparent)]
    Workload(#[from] workloads::UnknownWorkload),
    /// Results can't be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The cluster could not be laid out.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The history or the heartbeat could not be started.
    #[error("cannot start recording: {0}")]
    Recording(#[from] std::io::Error),
    /// So many clients can't be served here.
    #[error(
        "{clients} clients need {wanted} open files, and only {limit} are allowed: raise the limit \
         (ulimit -n), or lower --concurrency"
    )]
    TooManyClients {
        /// How many were asked for.
        clients: usize,
        /// Descriptors they need.
        wanted: u64,
        /// Descriptors there are.
        limit: u64,
    },
}

impl RunError {
    /// The exit code: wrong use, or a harness that failed.
    pub fn exit(&self) -> u8 {
        match self {
            RunError::System(_)
            | RunError::Workload(_)
            | RunError::Store(_)
            | RunError::TooManyClients { .. } => verdict::USAGE,
            RunError::Cluster(_) | RunError::Recording(_) => verdict::HARNESS_FAILED,
        }
    }
}

/// A run that came to a verdict.
#[derive(Debug)]
pub struct Ended {
    /// What came out.
    pub verdict: RunVerdict,
    /// What a person reads.
    pub summary: Summary,
    /// What the history's check said; none if the run was interrupted.
    pub report: Option<Report>,
    /// What the nodes' logs said; none if the run was interrupted.
    pub white_box: Option<WhiteBoxReport>,
    /// What happened.
    pub facts: Facts,
    /// How long it took, judgement included.
    pub took: std::time::Duration,
}

/// Runs it: from a cluster that does not exist yet to a folder that explains itself. Leaves no
/// process behind.
pub async fn run(
    mut options: Options,
    system: Arc<dyn System>,
    store: &Store,
    command_line: &[String],
    progress: Arc<dyn Progress>,
    stop: Stop,
) -> Result<Ended, RunError> {
    let began = std::time::Instant::now();
    let now = Utc::now();
    let (clients, limit) = (options.concurrency, files::raise_limit()?);
    let wanted = files::wanted(clients);
    if wanted > limit {
        return Err(RunError::TooManyClients { clients, wanted, limit });
    }
    // It may take its time: not on the thread of the clients.
    let looked_at = Arc::clone(&system);
    let binary = tokio::task::spawn_blocking(move || looked_at.verify_binary())
        .await
        .map_err(std::io::Error::other)??;
    let workload = workloads::by_name(&options.workload, &workload_options(&options))?;
    let folder = store.create_run(now, &options.workload, options.seed)?;
    leave_schedule(&mut options, &folder)?;
    let mut manifest = manifest(&options, &binary, command_line, now, store);
    folder.write_json(MANIFEST_FILE, &manifest)?;

    progress.say(&options.title());
    let started = SystemTime::now();
    let recorder = Arc::new(Recorder::create(&folder.file("history.jsonl"))?);
    let cluster = Arc::new(Cluster::new(system, options.nodes, folder.path(), options.seed)?);
    let load = Load::new(
        Arc::clone(&cluster),
        Arc::clone(&recorder),
        workload.generator,
        options.concurrency,
        options.op_timeout,
        stop.clone(),
    );
    let stage = Stage {
        cluster,
        recorder,
        load,
        check: Arc::from(workload.check),
        heartbeat: Heartbeat::start()?,
        stop,
        progress,
        folder,
        options,
    };
    let facts = stage.play().await;
    stage.progress.say(Phase::Judge.name());
    let (mut verdict, report, white_box) = draw_verdict(&stage, &facts).await;

    manifest.ended = Some(Utc::now().rfc3339());
    manifest.complete = facts.stopped.is_none();
    let mut summary = summary(&stage, &facts, &verdict, &manifest.repeat);
    let latencies = summary.latencies.clone();
    let told = |verdict: &RunVerdict| {
        json!({
            "verdict": verdict.verdict,
            "exit": verdict.exit,
            "parts": verdict.parts,
            "check": report,
            "white_box": white_box,
            "ops": stage.recorder.counts(),
            "phases": facts.phases,
            "not_issued": facts.not_issued,
            "faults": tallies(&facts),
            "windows": facts.windows,
            "leader_changes": facts.leader_changes,
            "latencies": latencies,
            "last_status": facts.last_status,
            "frozen": facts.frozen,
            "reached": facts.reached,
        })
    };
    let kept = stage
        .folder
        .write_json(MANIFEST_FILE, &manifest)
        .and_then(|()| stage.folder.write_json(VERDICT_FILE, &told(&verdict)))
        .map_err(RunError::from)
        .and_then(|()| leave_results(&stage, &facts, &verdict, &summary, started, store));
    if let Err(error) = kept {
        // What was found is told all the same; on paper too, if there is room for that much.
        verdict = verdict.of_lost_results(&error.to_string());
        summary.verdict = verdict.clone();
        let _ = stage.folder.write_json(VERDICT_FILE, &told(&verdict));
    }
    stage.progress.done();
    Ok(Ended { verdict, summary, report, white_box, facts, took: began.elapsed() })
}

/// Gives a schedule that was made up on the way a file, which the command that repeats the run names.
fn leave_schedule(options: &mut Options, folder: &RunFolder) -> Result<(), StoreError> {
    if let Faults::Schedule { file: file @ None, schedule } = &mut options.faults {
        folder.write(ASKED_FILE, &schedule.to_toml())?;
        *file = Some(folder.file(ASKED_FILE));
    }
    Ok(())
}

fn workload_options(options: &Options) -> workloads::Options {
    workloads::Options {
        seed: options.seed,
        processes: options.concurrency as u64,
        keys: options.keys,
        ops_per_key: options.ops_per_key,
    }
}

fn manifest(
    options: &Options,
    binary: &BinaryInfo,
    command_line: &[String],
    now: Utc,
    store: &Store,
) -> Manifest {
    let program = command_line.first().map_or("antipaxos", String::as_str);
    Manifest {
        started: now.rfc3339(),
        ended: None,
        complete: false,
        command_line: command_line.to_vec(),
        repeat: options.command_line(program, store.root()),
        seed: options.seed,
        workload: options.workload.clone(),
        options: json!(options),
        binary: json!(binary),
        harness: env!("CARGO_PKG_VERSION").to_owned(),
        git: Commit::read(),
        machine: Machine::read(),
    }
}

/// Judges, unless the user wants to leave: an interrupted run is unknown, and stays judgeable.
async fn draw_verdict(stage: &Stage, facts: &Facts) -> (RunVerdict, Option<Report>, Option<WhiteBoxReport>) {
    let mut report = None;
    let mut white_box = None;
    let mut facts_stopped = facts.stopped.clone();
    if facts_stopped != Some(StopReason::Interrupted) {
        let judging = judge_history_and_logs(stage);
        tokio::select! {
            (checked, examined) = judging => {
                report = Some(judge::no_better_than(checked, facts.found_early.as_ref()));
                white_box = Some(examined);
            }
            () = interrupted(&stage.stop, facts) => facts_stopped = Some(StopReason::Interrupted),
        }
    }
    let stalls = stage.heartbeat.stalls();
    let verdict = judge::judge(&Evidence {
        options: &stage.options,
        facts,
        stopped: facts_stopped.as_ref(),
        report: report.as_ref(),
        white_box: white_box.as_ref(),
        stalls: &stalls,
        recorder_failure: stage.recorder.failure(),
    });
    (verdict, report, white_box)
}

async fn judge_history_and_logs(stage: &Stage) -> (Report, WhiteBoxReport) {
    let history = Arc::new(stage.recorder.snapshot());
    let report = judge::check(Arc::clone(&stage.check), Arc::clone(&history)).await;
    let system = Arc::clone(stage.cluster.system());
    let places = stage.cluster.places();
    let examined = tokio::task::spawn_blocking(move || system.white_box(&places, &history)).await;
    let white_box = examined.unwrap_or_else(|error| WhiteBoxReport {
        unknown: vec![format!("the examination itself failed: {error}")],
        ..WhiteBoxReport::default()
    });
    (report, white_box)
}

/// Waits for a Ctrl-C that comes while the verdict is drawn. A run that was stopped before for
/// another reason has used up its one word, and is judged to the end.
async fn interrupted(stop: &Stop, facts: &Facts) {
    if facts.stopped.is_some() {
        std::future::pending::<()>().await;
    }
    stop.stopped().await;
}

fn summary(stage: &Stage, facts: &Facts, verdict: &RunVerdict, repeat: &str) -> Summary {
    Summary {
        title: stage.options.title(),
        verdict: verdict.clone(),
        ops: stage.recorder.counts(),
        not_issued: facts.not_issued,
        seconds: facts.seconds,
        faults: tallies(facts),
        leader_changes: facts.leader_changes,
        reached: facts.reached.clone(),
        frozen: facts.frozen.as_ref().map(Frozen::words),
        latencies: stage.load.latencies().quantiles(),
        open_loop: stage.options.rate.is_some(),
        folder: stage.folder.path().display().to_string(),
        repeat: repeat.to_owned(),
    }
}

fn tallies(facts: &Facts) -> Vec<FaultTally> {
    facts.schedule.as_ref().map(|schedule| report::tally(schedule, &facts.faults)).unwrap_or_default()
}

fn leave_results(
    stage: &Stage,
    facts: &Facts,
    verdict: &RunVerdict,
    summary: &Summary,
    started: SystemTime,
    store: &Store,
) -> Result<(), RunError> {
    let folder: &RunFolder = &stage.folder;
    let keep_data = stage.options.keep_data;
    if let Some(resolved) = schedule::resolved(&stage.options, facts) {
        folder.write(RESOLVED_FILE, &resolved.to_toml())?;
    }
    folder.write("summary.txt", &summary.render())?;
    let mut latencies = stage.load.latencies();
    latencies.rotate(std::time::Duration::from_nanos(stage.recorder.now_ns()));
    latencies.write(&folder.file("latency"), started)?;
    if verdict.verdict == Answer::Valid {
        if !keep_data {
            for node in stage.cluster.ids() {
                folder.remove_folder(&format!("nodes/{node}/data"))?;
                folder.remove_folder(&format!("nodes/{node}/{DATA_BEFORE}"))?;
                folder.remove_file(&format!("nodes/{node}/trace"))?;
                folder.remove_file(&format!("nodes/{node}/{TRACE_AFTER}"))?;
            }
        }
    } else {
        folder.mark_failed()?;
    }
    store.retain()?;
    Ok(())
}

/// Shared state of tasks of one run: a panic in one must not silence the others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Schedule;

    #[test]
    fn a_run_of_a_schedule_without_a_file_names_the_one_that_it_leaves() {
        let results = tempfile::tempdir().expect("a folder");
        let store = Store::open(results.path()).expect("a store");
        let folder = store.create_run(Utc::from_unix(0), "set", 7).expect("a run folder");
        let text = "schema = 1\nname = \"smaller\"\ntime-limit = \"10s\"\n";
        let schedule = Box::new(Schedule::read("smaller.toml", text).expect("a schedule"));
        let mut options = Options::usual("set", "paxos-node".into(), 7);
        options.faults = Faults::Schedule { file: None, schedule: schedule.clone() };
        leave_schedule(&mut options, &folder).expect("a file");
        let file = folder.file(ASKED_FILE);
        let line = options.command_line("antipaxos", store.root());
        assert!(line.contains(&format!("--schedule {}", options::shell_word(&file))), "{line}");
        let left = std::fs::read_to_string(&file).expect("a file");
        assert_eq!(Schedule::read("left", &left).expect("a schedule"), *schedule);

        // One that has a file keeps it.
        let before = options.clone();
        std::fs::remove_file(&file).expect("a file");
        leave_schedule(&mut options, &folder).expect("nothing to do");
        assert!(options.faults == before.faults && !file.exists());
    }
}
