//! `antipaxos shrink`: the two faults that matter.
//!
//! In the simulation first, where thousands of tries are cheap; what is left is confirmed on real
//! processes. Where the simulation does not show the failure, real processes alone, and it says so.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;

use super::case::{Case, Failure, budget, replays};
use super::complain;
use super::interrupt::Interrupts;
use super::output::{self, remark};
use super::replay::World;
use crate::rate::Rate;
use crate::results::manifest::Commit;
use crate::results::store::Store;
use crate::run::verdict::{Answer, HARNESS_FAILED, USAGE};
use crate::schedule::{Found, Schedule};
use crate::shrink::{Oracle, Shrunk, shrink, sizes};
use crate::system::paxos::simulation::activate;

pub(super) const EXAMPLES: &str = "\
Examples:
  antipaxos shrink results/latest-failed
  antipaxos shrink results/latest-failed --budget 5m --confirm 10 --corpus harness/corpus/stale-read.toml";

/// Seeds that each smaller schedule is tried with in the simulation.
const SEEDS: u64 = 24;
/// Tries of each smaller schedule on real processes.
const REAL_TRIES: u64 = 3;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder of a run that failed, or a schedule that makes one fail
    #[arg(value_name = "RUN")]
    case: PathBuf,

    /// How long to look for something smaller: 90s, 15m. How often the whole fails, and the result, is
    /// measured on top of that
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = budget)]
    budget: Duration,

    /// Look only there [default: in the simulation, if it shows the failure]
    #[arg(long, value_enum)]
    world: Option<World>,

    /// How often the result is run on real processes
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=1_000))]
    confirm: u64,

    /// The node's binary [default: the run's]
    #[arg(long, value_name = "PATH")]
    bin: Option<PathBuf>,

    /// The rule to remove [default: the run's]
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,

    /// Write the result there as well, with its story and what it found, under the file's name
    #[arg(long, value_name = "FILE")]
    corpus: Option<PathBuf>,

    /// Where run folders go
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
}

pub(super) async fn main(arguments: Arguments) -> u8 {
    let mut case = match Case::open(&arguments.case) {
        Ok(case) => case,
        Err(reason) => return complain(USAGE, &reason),
    };
    case.binary = arguments.bin.clone().or(case.binary);
    case.mutant = arguments.mutant.clone().or(case.mutant);
    if let Some(warning) = case.warning() {
        remark(&format!("antipaxos: warning: {warning}"));
    }
    if case.folder.is_some() && case.failure.is_none() {
        return complain(USAGE, &format!("{}: this run did not fail", arguments.case.display()));
    }
    let prepared = Interrupts::listen().map_err(|error| error.to_string()).and_then(|interrupts| {
        let store = replays(&arguments.results).map_err(|error| error.to_string())?;
        Ok((interrupts, store))
    });
    let (interrupts, store) = match prepared {
        Ok(prepared) => prepared,
        Err(reason) => return complain(HARNESS_FAILED, &reason),
    };
    let work = Work { arguments: &arguments, case, store, interrupts };
    match work.go().await {
        Ok((text, answer)) => output::answer(&text, answer.code()),
        Err((exit, reason)) => complain(exit, &reason),
    }
}

type Refused = (u8, String);

struct Work<'a> {
    arguments: &'a Arguments,
    case: Case,
    store: Store,
    interrupts: Interrupts,
}

impl Work<'_> {
    async fn go(&self) -> Result<(String, Answer), Refused> {
        let began = Instant::now();
        let deadline = began + self.arguments.budget;
        let case = &self.case;
        remark(&format!("from {}", sizes(&case.schedule)));
        let in_simulation = match self.arguments.world {
            Some(World::Real) => None,
            wanted => match activate(case.mutant.as_deref()) {
                Ok(()) => self.in_simulation(deadline).await?,
                Err(reason) if wanted.is_some() => return Err((USAGE, reason)),
                Err(reason) => {
                    remark(&format!("not in the simulation: {reason}"));
                    None
                }
            },
        };
        let (world, (shrunk, baseline)) = match in_simulation {
            Some(found) => ("in the simulation", found),
            None if self.arguments.world == Some(World::Sim) => {
                return Err((Answer::Unknown.code(), "the simulation does not show this failure".to_owned()));
            }
            None => {
                remark("the simulation does not show it: real processes alone");
                ("on real processes", self.on_processes(deadline).await?)
            }
        };
        let confirmed = self.confirm(&shrunk.schedule).await?;
        let text = self.leave(&shrunk, world, baseline, confirmed, began.elapsed())?;
        // Something to look at was found, as long as it still fails anywhere.
        Ok((text, Answer::Invalid))
    }

    /// None: the simulation does not show the failure. The search keeps a thread of its own busy:
    /// signals are heard on this one.
    async fn in_simulation(&self, deadline: Instant) -> Result<Option<(Shrunk, Rate)>, Refused> {
        let (case, interrupts) = (self.case.clone(), self.interrupts.clone());
        let search = tokio::task::spawn_blocking(move || {
            let schedule = case.schedule.clone();
            let mut simulation = Simulation::new(case, interrupts, deadline);
            let baseline = simulation.baseline;
            (baseline.hits > 0).then(|| {
                remark(&format!("in the simulation it fails in {baseline}"));
                (shrink(&schedule, &mut simulation), baseline)
            })
        });
        search.await.map_err(|error| (HARNESS_FAILED, error.to_string()))
    }

    /// Real processes can't be waited for from inside the search: it runs beside them.
    async fn on_processes(&self, deadline: Instant) -> Result<(Shrunk, Rate), Refused> {
        let (ask, mut asked) =
            tokio::sync::mpsc::channel::<(Schedule, std::sync::mpsc::Sender<Option<bool>>)>(1);
        let whole = self.case.schedule.clone();
        let baseline = self.tries(&whole, REAL_TRIES).await?;
        if baseline.hits == 0 {
            let tries = baseline.tries;
            return Err((
                Answer::Unknown.code(),
                format!("in {tries} tries on real processes it did not fail again"),
            ));
        }
        let search = tokio::task::spawn_blocking(move || shrink(&whole, &mut Asking { ask }));
        while let Some((schedule, answer)) = asked.recv().await {
            let over = Instant::now() >= deadline || self.interrupts.came();
            let fails = if over { None } else { Some(self.tries(&schedule, REAL_TRIES).await?.hits > 0) };
            // A search that has ended asks no more.
            let _ = answer.send(fails);
        }
        let shrunk = search.await.map_err(|error| (HARNESS_FAILED, error.to_string()))?;
        Ok((shrunk, baseline))
    }

    /// Runs it until it fails once.
    async fn tries(&self, schedule: &Schedule, times: u64) -> Result<Rate, Refused> {
        let mut rate = Rate::default();
        for number in 0..times {
            if rate.hits == 0 {
                rate.count(self.once(schedule, number).await?);
            }
        }
        Ok(rate)
    }

    async fn confirm(&self, schedule: &Schedule) -> Result<Rate, Refused> {
        let mut rate = Rate::default();
        for number in 0..self.arguments.confirm {
            if !self.interrupts.came() {
                rate.count(self.once(schedule, number).await?);
            }
        }
        Ok(rate)
    }

    async fn once(&self, schedule: &Schedule, number: u64) -> Result<bool, Refused> {
        let seed = self.case.seed().wrapping_add(number);
        let ended = self.case.run(schedule, seed, &self.store, self.interrupts.stop()).await;
        let ended = ended.map_err(|error| (error.exit(), error.to_string()))?;
        Ok(self.case.shows(Failure::in_verdict(&ended.verdict)))
    }

    fn leave(
        &self,
        shrunk: &Shrunk,
        world: &str,
        baseline: Rate,
        confirmed: Rate,
        took: Duration,
    ) -> Result<String, Refused> {
        let Shrunk { schedule, tried, steps, complete } = shrunk;
        let mut schedule = schedule.clone();
        schedule.name = schedule.name.trim_end_matches("-resolved").to_owned() + "-shrunk";
        let rule = self
            .case
            .mutant
            .as_ref()
            .map(|name| format!(" The rule removed was {name}."))
            .unwrap_or_default();
        schedule.story = format!(
            "What is left of a failure after {tried} smaller schedules were tried {world}.{rule} On real processes \
             it failed in {confirmed}."
        );
        schedule.found = self.case.failure.map(|failure| Found {
            bug: self.case.mutant.clone().unwrap_or_else(commit),
            failure,
            required: false,
        });
        if let Some(name) = self.arguments.corpus.as_ref().and_then(|file| file.file_stem()) {
            schedule.name = name.to_string_lossy().into_owned();
        }
        let text = schedule.to_toml();
        let mut told = String::new();
        // Writing to a string does not fail.
        let _ = writeln!(told, "\n{}", schedule.explain());
        let _ = writeln!(told, "from {} to {}", sizes(&self.case.schedule), sizes(&schedule));
        let _ = writeln!(
            told,
            "{} steps in {tried} tries {world}, {:.0} s{}",
            steps.len(),
            took.as_secs_f64(),
            if *complete { "" } else { "; the budget ended it, there may be something smaller" }
        );
        let _ = writeln!(told, "before, {world}: {baseline}");
        let _ = writeln!(told, "now, on real processes: {confirmed}");
        let folder = self.case.folder.as_ref().map(|folder| folder.join("shrink").join("shrunk.toml"));
        for file in folder.iter().chain(&self.arguments.corpus) {
            let kept = file
                .parent()
                .map_or(Ok(()), std::fs::create_dir_all)
                .and_then(|()| std::fs::write(file, &text));
            kept.map_err(|error| (HARNESS_FAILED, format!("{}: {error}", file.display())))?;
            let _ = writeln!(told, "written to {}", file.display());
        }
        Ok(told)
    }
}

/// The commit that has the bug, as far as is known.
fn commit() -> String {
    Commit::read().map_or_else(|| "unknown".to_owned(), |read| read.commit)
}

/// Asks whoever runs processes.
struct Asking {
    ask: tokio::sync::mpsc::Sender<(Schedule, std::sync::mpsc::Sender<Option<bool>>)>,
}

impl Oracle for Asking {
    fn fails(&mut self, schedule: &Schedule) -> Option<bool> {
        let (answer, answered) = std::sync::mpsc::channel();
        self.ask.blocking_send((schedule.clone(), answer)).ok()?;
        answered.recv().ok()?
    }
}

/// Tries seeds in the simulation, on all processors.
#[derive(Clone)]
pub(super) struct Simulation {
    case: Case,
    interrupts: Interrupts,
    deadline: Instant,
    /// How often the whole schedule fails.
    baseline: Rate,
    /// Failing seeds that are enough.
    needed: u64,
}

impl Simulation {
    /// Measures first how often the whole schedule fails.
    pub(super) fn new(case: Case, interrupts: Interrupts, deadline: Instant) -> Simulation {
        let mut simulation =
            Simulation { case, interrupts, deadline, baseline: Rate::default(), needed: SEEDS };
        simulation.baseline = simulation.rate(&simulation.case.schedule);
        // Half as often as the whole schedule will do: what matters less than that may go.
        simulation.needed = (simulation.baseline.hits / 2).max(1);
        simulation
    }

    /// How often the whole schedule fails.
    pub(super) fn baseline(&self) -> Rate {
        self.baseline
    }

    /// How often this one fails, over all seeds.
    pub(super) fn full_rate(&self, schedule: &Schedule) -> Rate {
        Simulation { needed: u64::MAX, baseline: Rate::default(), ..self.clone() }.rate(schedule)
    }

    /// Whether no smaller one is to be looked for any more. How often the whole fails, and the result, is
    /// measured all the same.
    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline || self.interrupts.came()
    }

    /// Tries until there are enough that fail, or there can't be any more.
    fn rate(&self, schedule: &Schedule) -> Rate {
        let (next, hits, tries) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    if activate(self.case.mutant.as_deref()).is_err() {
                        return;
                    }
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let found = hits.load(Ordering::Relaxed);
                        let hopeless = found + SEEDS.saturating_sub(number) < self.needed;
                        let enough = found >= self.needed && self.baseline.tries > 0;
                        let late = self.baseline.tries > 0 && self.is_over();
                        if number >= SEEDS || late || enough || hopeless && self.baseline.tries > 0 {
                            return;
                        }
                        let seed = self.case.seed().wrapping_add(number);
                        let failure = self
                            .case
                            .simulate(schedule, seed)
                            .ok()
                            .and_then(|simulated| Failure::in_verdict(&simulated.verdict));
                        tries.fetch_add(1, Ordering::Relaxed);
                        hits.fetch_add(u64::from(self.case.shows(failure)), Ordering::Relaxed);
                    }
                });
            }
        });
        Rate { hits: hits.into_inner(), tries: tries.into_inner() }
    }
}

impl Oracle for Simulation {
    fn fails(&mut self, schedule: &Schedule) -> Option<bool> {
        if self.is_over() {
            return None;
        }
        let fails = self.rate(schedule).hits >= self.needed;
        // One that was cut short has not failed too seldom.
        (fails || !self.is_over()).then_some(fails)
    }
}
