//! Simulates clusters, a seed each: `paxos-sim --seeds 0..10000`, or one of them, with what
//! happened: `paxos-sim --seed 4711 --trace`. With `--walk`, random walks of replicas alone.
//!
//! Exit code 0: nothing found. 1: found something; the command that repeats it is printed.

use clap::Parser;
use paxos_node::sim::{Failure, Summary, simulate, simulate_traced, walk, walk_traced};
use std::collections::BTreeMap;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Lines of a failure's trace that are shown unless all are asked for.
const TRACE_LINES: usize = 200;

/// Time between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// Simulates clusters of nodes in virtual time, under faults, and looks for broken rules.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The seeds to simulate, the last one excluded.
    #[arg(long, value_name = "A..B", value_parser = parse_seeds, conflicts_with = "seed", required_unless_present = "seed")]
    seeds: Option<Range<u64>>,

    /// One seed.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Let replicas alone walk at random, without clocks, disks and clients: shorter, stranger.
    #[arg(long)]
    walk: bool,

    /// Print everything that happened, not just the last lines before a failure.
    #[arg(long, requires = "seed")]
    trace: bool,

    /// Threads; as many as there are processors unless said.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,

    /// Plant a bug.
    #[cfg(feature = "mutants")]
    #[arg(long, value_name = "NAME", value_parser = parse_mutant)]
    mutant: Option<paxos_node::mutants::Mutant>,
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let parse = |number: &str| number.parse::<u64>().map_err(|error| format!("{number:?}: {error}"));
    let (first, last) = text.split_once("..").ok_or("expected A..B, like 0..1000")?;
    let range = parse(first)?..parse(last)?;
    if range.is_empty() { Err("no seeds in that range".into()) } else { Ok(range) }
}

#[cfg(feature = "mutants")]
fn parse_mutant(name: &str) -> Result<paxos_node::mutants::Mutant, String> {
    use paxos_node::mutants::Mutant;
    Mutant::by_name(name).ok_or_else(|| {
        let names: Vec<_> = Mutant::ALL.iter().map(|mutant| mutant.name()).collect();
        format!("no such mutant; there are {}", names.join(", "))
    })
}

impl Arguments {
    fn run(&self, seed: u64) -> Result<Summary, Failure> {
        if self.walk { walk(seed) } else { simulate(seed) }
    }

    fn run_traced(&self, seed: u64) -> (Result<Summary, Failure>, String) {
        if self.walk { walk_traced(seed) } else { simulate_traced(seed) }
    }

    /// What this thread needs before it simulates.
    fn prepare_thread(&self) {
        #[cfg(feature = "mutants")]
        paxos_node::mutants::activate(self.mutant);
    }

    fn repeat_command(&self, seed: u64) -> String {
        let walk = if self.walk { " --walk" } else { "" };
        #[cfg(feature = "mutants")]
        if let Some(mutant) = self.mutant {
            return format!(
                "cargo run --release -p paxos-node --bin paxos-sim --features mutants --target-dir target-mutants -- --mutant {}{walk} --seed {seed}",
                mutant.name()
            );
        }
        format!("cargo run --release -p paxos-node --bin paxos-sim --{walk} --seed {seed}")
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A node that panics is a finding like any other, and reported as one.
    std::panic::set_hook(Box::new(|_| {}));
    match (&arguments.seeds, arguments.seed) {
        (Some(seeds), _) => many(&arguments, seeds.clone()),
        (None, Some(seed)) => one(&arguments, seed),
        (None, None) => unreachable!("clap demands one of them"),
    }
}

fn one(arguments: &Arguments, seed: u64) -> ExitCode {
    arguments.prepare_thread();
    let (result, trace) = arguments.run_traced(seed);
    if arguments.trace {
        print!("{trace}");
    }
    match result {
        Ok(summary) => {
            println!("seed {seed}: {}", Totals::of(&summary));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            if !arguments.trace {
                print_end(&trace);
            }
            report(arguments, seed, &failure);
            ExitCode::FAILURE
        }
    }
}

fn print_end(trace: &str) {
    let lines: Vec<&str> = trace.lines().collect();
    let cut = lines.len().saturating_sub(TRACE_LINES);
    if cut > 0 {
        println!("… {cut} lines before these; --seed N --trace shows them all");
    }
    lines[cut..].iter().for_each(|line| println!("{line}"));
}

fn many(arguments: &Arguments, seeds: Range<u64>) -> ExitCode {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = arguments.threads.unwrap_or(processors).max(1);
    let next = AtomicU64::new(seeds.start);
    let stop = AtomicBool::new(false);
    let started = Instant::now();
    let (sender, results) = mpsc::channel::<(u64, Result<Summary, Failure>)>();
    let mut totals = Totals::default();
    let mut failed = None;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let sender = sender.clone();
            let (next, stop, seeds) = (&next, &stop, &seeds);
            scope.spawn(move || {
                arguments.prepare_thread();
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || sender.send((seed, arguments.run(seed))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut told = Instant::now();
        for (seed, result) in results {
            match result {
                Ok(summary) => totals.add(&summary),
                // Of several that fail, the lowest: threads finish in any order.
                Err(failure) => {
                    stop.store(true, Ordering::Relaxed);
                    if failed.as_ref().is_none_or(|(lowest, _)| seed < *lowest) {
                        failed = Some((seed, failure));
                    }
                }
            }
            if told.elapsed() >= PROGRESS_EVERY {
                told = Instant::now();
                eprintln!("{} of {} seeds, {}", totals.seeds, seeds.end - seeds.start, totals.speed(started));
            }
        }
    });
    println!("{totals}");
    println!("in {:.1}s on {threads} threads: {}", started.elapsed().as_secs_f64(), totals.speed(started));
    match failed {
        None => ExitCode::SUCCESS,
        Some((seed, failure)) => {
            // Tracing costs more than simulating, so only now, and once more.
            arguments.prepare_thread();
            let (again, trace) = arguments.run_traced(seed);
            print_end(&trace);
            if again.err().as_ref() != Some(&failure) {
                println!("seed {seed} did not do the same thing twice: something is not deterministic");
            }
            report(arguments, seed, &failure);
            ExitCode::FAILURE
        }
    }
}

fn report(arguments: &Arguments, seed: u64, failure: &Failure) {
    println!("seed {seed} failed {failure}");
    println!("repeat: {}", arguments.repeat_command(seed));
}

/// Many simulations, summed up.
#[derive(Default)]
struct Totals {
    seeds: u64,
    sum: Summary,
    sizes: BTreeMap<u16, u64>,
}

impl Totals {
    fn of(summary: &Summary) -> Totals {
        let mut totals = Totals::default();
        totals.add(summary);
        totals
    }

    fn add(&mut self, summary: &Summary) {
        self.seeds += 1;
        *self.sizes.entry(summary.nodes).or_default() += 1;
        let sum = &mut self.sum;
        sum.events += summary.events;
        sum.virtual_us += summary.virtual_us;
        sum.calls.0 += summary.calls.0;
        sum.calls.1 += summary.calls.1;
        sum.calls.2 += summary.calls.2;
        sum.ballots += summary.ballots;
        sum.slots += summary.slots;
        sum.snapshots += summary.snapshots;
        sum.installs += summary.installs;
        sum.reads.0 += summary.reads.0;
        sum.reads.1 += summary.reads.1;
        sum.members += summary.members;
        for (kind, times) in &summary.faults {
            *sum.faults.entry(kind).or_default() += times;
        }
    }

    fn speed(&self, since: Instant) -> String {
        let seconds = since.elapsed().as_secs_f64().max(0.001);
        format!(
            "{:.0} events/s, {:.1} seeds/s",
            self.sum.events as f64 / seconds,
            self.seeds as f64 / seconds
        )
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Summary {
            events,
            virtual_us,
            calls,
            ballots,
            slots,
            snapshots,
            installs,
            reads,
            members,
            faults,
            ..
        } = &self.sum;
        let sizes: Vec<String> =
            self.sizes.iter().map(|(nodes, seeds)| format!("{nodes}: {seeds}")).collect();
        let faults: Vec<String> = faults.iter().map(|(kind, times)| format!("{kind} {times}")).collect();
        writeln!(f, "{} seeds clean; nodes to seeds {{{}}}", self.seeds, sizes.join(", "))?;
        writeln!(f, "{events} events in {:.1}s of virtual time", *virtual_us as f64 / 1e6)?;
        writeln!(
            f,
            "{} calls ok, {} failed, {} unknown; {ballots} ballots, {slots} slots, {snapshots} snapshots, {installs} of them fetched; members changed {members} times; {} reads by lease, {} by barrier",
            calls.0, calls.1, calls.2, reads.0, reads.1
        )?;
        write!(f, "faults: {}", faults.join(", "))
    }
}
