//! `antipaxos sim`: runs in virtual time, one seed or many.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Args;

use super::interrupt::Interrupts;
use super::output::{self, remark};
use super::shape::{Shape, warning};
use super::{complain, fresh_seed};
use crate::nemesis::report::{FaultTally, tally};
use crate::results::store::{MANIFEST_FILE, RESOLVED_FILE, Store, VERDICT_FILE};
use crate::results::summary::Summary;
use crate::results::utc::Utc;
use crate::results::{reached, schedule};
use crate::run::options::{Options, shell_word};
use crate::run::verdict::{Answer, HARNESS_FAILED, USAGE};
use crate::schedule::Territory;
use crate::system::paxos::simulation::{Simulated, activate, simulate};

pub(super) const EXAMPLES: &str = "\
Examples:
  antipaxos sim -w append --nemesis all --time-limit 30 --seeds 0..1000
  antipaxos sim --schedule harness/schedules/bridge.toml --seeds 100
  antipaxos sim --schedule harness/schedules/bridge.toml --seed 17";

/// Failing seeds that are told one by one.
const TOLD_MAX: usize = 5;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) shape: Shape,

    /// The seeds to try: so many from 0 on, or A..B with B excluded [default: one at random]
    #[arg(long, value_name = "N", value_parser = parse_seeds, conflicts_with = "seed", help_heading = "Run")]
    seeds: Option<Range<u64>>,

    /// One seed; what it did is kept in a run folder
    #[arg(long, value_name = "N", help_heading = "Run")]
    seed: Option<u64>,

    /// The rule to remove; needs a harness built with --features mutants
    #[arg(long, value_name = "NAME", help_heading = "Cluster")]
    mutant: Option<String>,

    /// Threads [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256), help_heading = "Run")]
    threads: Option<u16>,

    /// Where run folders go: of one seed, or of the first of many that failed
    #[arg(long, value_name = "DIR", default_value = "results", help_heading = "Run")]
    results: PathBuf,
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
    let range = match text.split_once("..") {
        Some((first, end)) => number(first)?..number(end)?,
        None => 0..number(text)?,
    };
    if range.is_empty() { Err("no seeds in that range".to_owned()) } else { Ok(range) }
}

/// What one seed came to.
struct Row {
    seed: u64,
    answer: Answer,
    told: String,
}

pub(super) async fn main(arguments: Arguments) -> u8 {
    let interrupts = match Interrupts::listen() {
        Ok(interrupts) => interrupts,
        Err(error) => return complain(HARNESS_FAILED, &format!("cannot listen for signals: {error}")),
    };
    // The simulation keeps its threads busy; signals are heard on this one.
    let tried = tokio::task::spawn_blocking(move || match Campaign::new(&arguments) {
        Ok(campaign) => campaign.run(&interrupts),
        Err(reason) => complain(USAGE, &reason),
    });
    tried.await.unwrap_or(HARNESS_FAILED)
}

struct Campaign<'a> {
    arguments: &'a Arguments,
    options: Options,
    seeds: Range<u64>,
    store: Store,
}

impl Campaign<'_> {
    fn new(arguments: &Arguments) -> Result<Campaign<'_>, String> {
        let options = arguments.shape.options(Path::new("simulated"), fresh_seed())?;
        let options = Options { mutant: arguments.mutant.clone(), ..options };
        let one = arguments.seed.unwrap_or(options.seed);
        let seeds = arguments.seeds.clone().unwrap_or(one..one.saturating_add(1));
        activate(options.mutant.as_deref())?;
        if let Some(warning) = warning(&options) {
            remark(&format!("antipaxos: warning: {warning}"));
        }
        let store = Store::open(&arguments.results).map_err(|error| error.to_string())?;
        Ok(Campaign { arguments, options, seeds, store })
    }

    fn run(self, interrupts: &Interrupts) -> u8 {
        let began = Instant::now();
        let next = AtomicU64::new(self.seeds.start);
        let found: Mutex<Found> = Mutex::default();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.arguments.threads.map_or(processors, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    if activate(self.options.mutant.as_deref()).is_err() {
                        return;
                    }
                    while !interrupts.came() {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= self.seeds.end {
                            return;
                        }
                        let options = Options { seed, ..self.options.clone() };
                        if let Ok(simulated) = simulate(&options) {
                            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                            found.take(&options, simulated);
                        }
                    }
                });
            }
        });
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.tell(found, began.elapsed().as_secs_f64(), interrupts.came())
    }

    fn tell(&self, found: Found, seconds: f64, interrupted: bool) -> u8 {
        let mut text = String::new();
        let single = self.seeds.end - self.seeds.start == 1;
        // The run that is kept: the only one, or the first that failed.
        let kept = found.worst.filter(|(_, simulated)| single || simulated.verdict.verdict != Answer::Valid);
        let mut answer = found.rows.iter().map(|row| row.answer).max().unwrap_or(Answer::Unknown);
        let mut broken = false;
        if let Some((options, simulated)) = &kept {
            match leave(&self.store, options, simulated, &self.repeat(options.seed)) {
                Ok(summary) => text += &summary,
                Err(error) => {
                    remark(&format!("antipaxos: {error}"));
                    broken = true;
                }
            }
        }
        if !single {
            let _ = writeln!(text, "\n{}", found.counts.told(seconds));
            text += &reached::table(&found.counts.reached);
            let bad = found.rows.iter().filter(|row| row.answer != Answer::Valid);
            for row in bad.clone().take(TOLD_MAX) {
                let _ = writeln!(text, "  seed {:<10} {:<8} {}", row.seed, row.answer, row.told);
                let _ = writeln!(text, "    {}", self.repeat(row.seed));
            }
            if bad.count() > TOLD_MAX {
                let _ = writeln!(text, "  …");
            }
        }
        if interrupted {
            let _ = writeln!(text, "interrupted: only {} of the seeds were tried", found.rows.len());
            answer = answer.max(Answer::Unknown);
        }
        let exit = if broken && answer != Answer::Invalid { HARNESS_FAILED } else { answer.code() };
        if !single {
            let _ = writeln!(text, "verdict: {answer} (exit {exit})");
        }
        output::answer(&text, exit)
    }

    /// The command that shows one of these seeds again.
    fn repeat(&self, seed: u64) -> String {
        let mut words: Vec<String> = std::env::args().map(shell_word).collect();
        if let Some(place) = words.iter().position(|word| word == "--seeds") {
            words.drain(place..(place + 2).min(words.len()));
        }
        words.retain(|word| !word.starts_with("--seeds="));
        if self.arguments.seed.is_none() {
            words.push(format!("--seed {seed}"));
        }
        words.join(" ")
    }
}

#[derive(Default)]
struct Found {
    rows: Vec<Row>,
    counts: Tally,
    /// The first of the worst.
    worst: Option<(Options, Simulated)>,
}

#[derive(Default)]
struct Tally {
    answers: BTreeMap<Answer, u64>,
    events: u64,
    ops: u64,
    bit: u64,
    virtual_seconds: f64,
    reached: Territory,
}

impl Tally {
    fn told(&self, seconds: f64) -> String {
        let of = |answer| self.answers.get(&answer).copied().unwrap_or(0);
        format!(
            "{} valid, {} invalid, {} unknown; {} operations, {} faults bit, {} events; {:.0} s of virtual time \
             in {seconds:.1} s",
            of(Answer::Valid),
            of(Answer::Invalid),
            of(Answer::Unknown),
            self.ops,
            self.bit,
            self.events,
            self.virtual_seconds
        )
    }
}

impl Found {
    fn take(&mut self, options: &Options, simulated: Simulated) {
        let (seed, answer) = (options.seed, simulated.verdict.verdict);
        *self.counts.answers.entry(answer).or_default() += 1;
        self.counts.events += simulated.events;
        self.counts.ops += simulated.ops.asked;
        self.counts.bit += simulated.facts.faults.iter().filter(|fault| fault.bit).count() as u64;
        self.counts.reached.add(&simulated.facts.reached);
        self.counts.virtual_seconds += simulated.virtual_time.as_secs_f64();
        let told = simulated.verdict.told();
        let row = Row { seed, answer, told };
        let place = self.rows.partition_point(|row| row.seed < seed);
        self.rows.insert(place, row);
        let worse = self.worst.as_ref().is_none_or(|(before, worst)| {
            let worst = worst.verdict.verdict;
            answer > worst || (answer == worst && seed < before.seed)
        });
        if worse {
            self.worst = Some((options.clone(), simulated));
        }
    }
}

/// Leaves a run folder, as real runs do, and gives what a person reads.
fn leave(store: &Store, options: &Options, simulated: &Simulated, repeat: &str) -> Result<String, String> {
    let folder = store.create_run(Utc::now(), &format!("sim-{}", options.workload), options.seed);
    let folder = folder.map_err(|error| error.to_string())?;
    let facts = &simulated.facts;
    let tallies: Vec<FaultTally> =
        facts.schedule.as_ref().map(|schedule| tally(schedule, &facts.faults)).unwrap_or_default();
    let summary = Summary {
        title: format!("{} (simulated)", options.title()),
        verdict: simulated.verdict.clone(),
        ops: simulated.ops,
        not_issued: facts.not_issued,
        seconds: facts.seconds,
        faults: tallies.clone(),
        leader_changes: facts.leader_changes,
        frozen: None,
        reached: facts.reached.clone(),
        latencies: Vec::new(),
        open_loop: options.rate.is_some(),
        folder: folder.path().display().to_string(),
        repeat: repeat.to_owned(),
    };
    let mut history = Vec::new();
    simulated.history.write_jsonl(&mut history).map_err(|error| error.to_string())?;
    let verdict = serde_json::json!({
        "verdict": simulated.verdict.verdict,
        "exit": simulated.verdict.exit,
        "parts": simulated.verdict.parts,
        "check": simulated.report,
        "ops": simulated.ops,
        "phases": facts.phases,
        "faults": tallies,
        "leader_changes": facts.leader_changes,
        "reached": facts.reached,
        "simulated": { "events": simulated.events, "seconds": simulated.virtual_time.as_secs_f64() },
    });
    let manifest = serde_json::json!({
        "command_line": std::env::args().collect::<Vec<_>>(),
        "repeat": repeat,
        "seed": options.seed,
        "options": options,
        "simulated": true,
    });
    let kept = folder
        .write("summary.txt", &summary.render())
        .and_then(|()| folder.write("history.jsonl", &String::from_utf8_lossy(&history)))
        .and_then(|()| folder.write_json(VERDICT_FILE, &verdict))
        .and_then(|()| folder.write_json(MANIFEST_FILE, &manifest))
        .and_then(|()| match schedule::resolved(options, facts) {
            Some(resolved) => folder.write(RESOLVED_FILE, &resolved.to_toml()),
            None => Ok(()),
        })
        .and_then(|()| facts.faults.iter().try_for_each(|fault| folder.append_json("nemesis.jsonl", fault)));
    kept.map_err(|error| error.to_string())?;
    if simulated.verdict.verdict != Answer::Valid {
        folder.mark_failed().map_err(|error| error.to_string())?;
    }
    Ok(summary.render())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_number_or_a_range() {
        assert_eq!(parse_seeds("3"), Ok(0..3));
        assert_eq!(parse_seeds("7..9"), Ok(7..9));
        for wrong in ["0", "9..7", "", "..", "a", "-1"] {
            assert!(parse_seeds(wrong).is_err(), "{wrong}");
        }
    }
}
