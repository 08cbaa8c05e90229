//! One case: a process of its own that judges one history, and what came of it.

use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use checker::catalogue::Rules;
use checker::online::{Checker, Status};
use checker::simulate::{Object, each_op, simulate};
use checker::{Budget, Check, Decision, History, Op, Verdict};

use super::spec::Spec;

/// After this long no further run is begun.
const RUNS_TIME: Duration = Duration::from_secs(10);

/// So many ops are simulated, then fed, in turn.
const BATCH: usize = 4_096;

/// What a case may spend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) time: Duration,
    pub(crate) memory_mb: u64,
    /// The shortest of so many runs counts.
    pub(crate) runs: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(60), memory_mb: 1 << 10, runs: 5 }
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The verdict alone.
    Check,
    /// Reading the history from a file of JSON lines, and the verdict.
    ReadJson,
    /// Reading the history from a file of Jepsen's EDN, and the verdict.
    ReadEdn,
    /// Event by event, without ever holding the history.
    Online,
}

impl Mode {
    /// Whether the history comes from a file.
    fn reads(self) -> bool {
        matches!(self, Mode::ReadJson | Mode::ReadEdn)
    }
}

/// One history to judge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) spec: Spec,
    pub(crate) limits: Limits,
    pub(crate) mode: Mode,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) spec: Spec,
    /// `valid`, `invalid`, `unknown` or `failed`.
    pub(crate) verdict: String,
    pub(crate) engine: String,
    /// Reading, if that counts, and deciding.
    pub(crate) seconds: f64,
    /// The same with the explanation of what is invalid, once; nothing where that was not asked.
    pub(crate) explained_seconds: f64,
    /// The most memory that the process held until it was decided, the history included.
    pub(crate) peak_mb: f64,
    /// Why nothing was decided.
    pub(crate) why: String,
}

impl Measured {
    /// What the simulation calls for.
    pub(crate) fn expected(&self) -> &'static str {
        if self.spec.plan.spoil.is_some() { "invalid" } else { "valid" }
    }

    pub(crate) fn is_expected(&self) -> bool {
        self.verdict == self.expected()
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { spec, verdict, engine, seconds, explained_seconds, peak_mb, why } = self;
        let (ms, explained_ms) = (seconds * 1e3, explained_seconds * 1e3);
        write!(
            f,
            "{spec}\t{verdict}\t{ms:.3} ms\texplained {explained_ms:.3} ms\t{peak_mb:.0} MB\t{engine}\t{why}"
        )
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limits { time, memory_mb, runs } = self.limits;
        write!(f, "{},{memory_mb},{runs},{:?},{}", time.as_millis(), self.mode, self.spec)
    }
}

impl FromStr for Job {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(5, ',');
        let mut part = || parts.next().ok_or_else(|| format!("{text:?} is no job"));
        let mut number = || part().and_then(|part| part.parse::<u64>().map_err(|error| error.to_string()));
        let time = Duration::from_millis(number()?);
        let limits = Limits { time, memory_mb: number()?, runs: number()? as u32 };
        let mode = match part()? {
            "Check" => Mode::Check,
            "ReadJson" => Mode::ReadJson,
            "ReadEdn" => Mode::ReadEdn,
            "Online" => Mode::Online,
            other => return Err(format!("no mode is called {other:?}")),
        };
        Ok(Self { limits, mode, spec: part()?.parse()? })
    }
}

/// The check that judges such an object; none if the crate has none of that name.
fn check_for(object: Object) -> Option<Box<dyn Check>> {
    checker::catalogue::by_name(object.check()).map(|entry| entry.check(&Rules::default()))
}

/// Whether [`measure`] can be asked about it.
pub(crate) fn is_judged(spec: &Spec) -> bool {
    check_for(spec.plan.object).is_some()
}

/// Judges in a process of its own, this program started again.
pub(crate) fn measure(job: &Job) -> Measured {
    let nothing = Measured {
        spec: job.spec,
        verdict: "failed".to_owned(),
        engine: String::new(),
        seconds: f64::NAN,
        explained_seconds: f64::NAN,
        peak_mb: f64::NAN,
        why: String::new(),
    };
    let file = file_of(std::process::id());
    let told = if job.mode.reads() { written(job, &file) } else { Ok(()) };
    let told = told.and_then(|()| {
        let child = started("--child", &job.to_string(), Stdio::piped())?;
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()),
            false => Err(format!("the process of the case ended with {}", output.status)),
        }
    });
    if job.mode.reads() {
        // It is in the folder for temporary files: a leftover harms nobody.
        let _ = std::fs::remove_file(&file);
    }
    match told {
        Err(why) => Measured { why, ..nothing },
        Ok(line) => {
            let fields: Vec<&str> = line.splitn(6, '\t').collect();
            let [verdict, seconds, explained_seconds, peak_mb, engine, why] = fields[..] else {
                return Measured { why: format!("the process of the case said {line:?}"), ..nothing };
            };
            Measured {
                verdict: verdict.to_owned(),
                engine: engine.to_owned(),
                seconds: seconds.parse().unwrap_or(f64::NAN),
                explained_seconds: explained_seconds.parse().unwrap_or(f64::NAN),
                peak_mb: peak_mb.parse().unwrap_or(f64::NAN),
                why: why.to_owned(),
                ..nothing
            }
        }
    }
}

fn started(argument: &str, value: &str, output: Stdio) -> Result<std::process::Child, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args([argument, value]).stdin(Stdio::null()).stdout(output);
    command.spawn().map_err(|error| error.to_string())
}

/// Where a history waits to be read, for a parent and its child.
fn file_of(parent: u32) -> PathBuf {
    std::env::temp_dir().join(format!("checker-speed-{parent}.history"))
}

fn written(job: &Job, file: &PathBuf) -> Result<(), String> {
    let output = std::fs::File::create(file).map_err(|error| error.to_string())?;
    let argument = if job.mode == Mode::ReadEdn { "--write-edn" } else { "--write" };
    let mut child = started(argument, &job.spec.to_string(), output.into())?;
    let status = child.wait().map_err(|error| error.to_string())?;
    status.success().then_some(()).ok_or_else(|| format!("writing the history ended with {status}"))
}

/// Does a job in this process; answers the line that [`measure`] reads.
pub(crate) fn run(job: &Job) -> Result<String, String> {
    if job.mode == Mode::Online {
        let (taken, word) = fed(&job.spec)?;
        return Ok(format!("{word}\t{}\tNaN\t{}\ton line\t", taken.as_secs_f64(), peak_mb()));
    }
    let check = check_for(job.spec.plan.object).ok_or("no check for this object")?;
    let budget = Budget { time: job.limits.time, memory_bytes: job.limits.memory_mb << 20 };
    let file = file_of(std::os::unix::process::parent_id());
    let history = if job.mode.reads() { History::default() } else { spoiled_as_asked(job)? };
    let mut best: Option<(Duration, Decision)> = None;
    let began = Instant::now();
    for _ in 0..job.limits.runs.max(1) {
        let now = Instant::now();
        let decision = if job.mode.reads() {
            let file = std::fs::File::open(&file).map_err(|error| error.to_string())?;
            let read = History::read(file).map_err(|error| error.to_string())?;
            check.decide(&read.history, &budget)
        } else {
            check.decide(&history, &budget)
        };
        let taken = now.elapsed();
        if best.as_ref().is_none_or(|(least, _)| taken < *least) {
            best = Some((taken, decision));
        }
        if began.elapsed() > RUNS_TIME {
            break;
        }
    }
    let (taken, decision) = best.ok_or("no run")?;
    let (taken, peak_mb) = (taken.as_secs_f64(), peak_mb());
    if let Decision::Unknown(why) = &decision {
        return Ok(format!("unknown\t{taken}\tNaN\t{peak_mb}\t\t{}", why.replace(['\t', '\n'], " ")));
    }
    let word = decision.word();
    if job.mode.reads() {
        return Ok(format!("{word}\t{taken}\tNaN\t{peak_mb}\t\t"));
    }
    let now = Instant::now();
    let report = check.check(&history, &budget);
    let explained = now.elapsed().as_secs_f64();
    if report.verdict.word() != word {
        return Err(format!("{word} became {} with the explanation", report.verdict.word()));
    }
    let mut engine = report.engine;
    if let Verdict::Invalid(witness) = &report.verdict {
        engine += &format!(", told by {} operations", witness.ops.len());
    }
    Ok(format!("{word}\t{taken}\t{explained}\t{peak_mb}\t{engine}\t"))
}

/// Feeds a checker that judges on line; answers how long that alone took, and its word in the end.
fn fed(spec: &Spec) -> Result<(Duration, &'static str), String> {
    let mut checker = match spec.plan.object {
        Object::List { .. } => Checker::lists(),
        _ => Checker::registers(),
    };
    let (mut taken, mut word, mut broken) = (Duration::ZERO, "valid", None);
    // A batch at a time, so that simulating is not timed and nothing piles up.
    let mut batch: Vec<Op> = Vec::with_capacity(BATCH);
    let mut feed = |batch: &mut Vec<Op>| {
        let now = Instant::now();
        for op in batch.iter() {
            match checker.event(op) {
                Ok(Status::Fine) => {}
                Ok(Status::Violation(_)) => word = "invalid",
                Ok(Status::Undecided(_)) => word = "unknown",
                Err(rule) => broken = Some(rule.to_string()),
            }
        }
        taken += now.elapsed();
        batch.clear();
    };
    each_op(&spec.plan, |op| {
        batch.push(op);
        if batch.len() == BATCH {
            feed(&mut batch);
        }
    });
    feed(&mut batch);
    broken.map_or(Ok((taken, word)), Err)
}

fn spoiled_as_asked(job: &Job) -> Result<History, String> {
    let simulated = simulate(&job.spec.plan);
    match (job.spec.plan.spoil, simulated.spoiled_at) {
        (Some(spoil), None) => Err(format!("no place in it is fit for {spoil:?}")),
        (..) => Ok(simulated.history),
    }
}

/// The kernel's high-water mark of this process; not a number where there is no Linux.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kilobytes.map_or(f64::NAN, |kilobytes| kilobytes / 1024.0)
}
