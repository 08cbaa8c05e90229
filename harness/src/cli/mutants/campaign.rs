//! The stages of a campaign, and what it says and keeps on the way.

use std::future::Future;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::super::output::remark;
use super::super::planted::{IN_THE_SHELL, Planted};
use super::bench::{Bench, Refused};
use super::{Arguments, real, shrunk, simulated};
use crate::results::matrix::{Catch, Matrix, Row, Shrunk, Trial};
use crate::run::verdict::{Answer, HARNESS_FAILED};
use crate::system::paxos::simulation::activate;

/// A campaign over planted bugs.
pub(super) struct Campaign<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) chosen: Vec<&'static Planted>,
    pub(super) bench: Bench,
    pub(super) matrix: Matrix,
}

impl Campaign<'_> {
    /// All stages; gives the answer and the exit code.
    pub(super) async fn go(&mut self) -> Result<(String, u8), Refused> {
        self.keep()?;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        match activate(Some(super::PLANTED[0].name)).and_then(|()| activate(None)) {
            Ok(()) => self.in_virtual_time(processors).await?,
            Err(reason) => {
                remark(&format!("nothing in virtual time, nothing shrunk: {reason}; `make mutants` does"))
            }
        }
        self.with_processes().await?;
        if !self.arguments.no_shrink {
            self.shrunk().await?;
        }
        Ok(self.answer())
    }

    async fn in_virtual_time(&mut self, jobs: usize) -> Result<(), Refused> {
        let open = self.open(|row| row.simulated.is_none() && !IN_THE_SHELL.contains(&row.name.as_str()));
        let bench = self.bench.clone();
        let work = |planted, _| simulated::trial(planted, bench.seed, bench.interrupts.clone());
        let put = |row: &mut Row, trial: Trial| row.simulated = Some(trial);
        self.stage("in virtual time", open, jobs, work, put, trial_told).await
    }

    async fn with_processes(&mut self) -> Result<(), Refused> {
        let Arguments { tries, rates, jobs, .. } = *self.arguments;
        let given_up = |trial: &Trial| trial.caught.is_some() || trial.runs >= tries;
        let open = self.open(|row| !row.real.as_ref().is_some_and(given_up));
        let bench = self.bench.clone();
        let work = |planted, row| real::trial(planted, row, bench.clone(), tries, rates);
        let put = |row: &mut Row, trial: Trial| row.real = Some(trial);
        self.stage("with processes", open, usize::from(jobs), work, put, trial_told).await
    }

    async fn shrunk(&mut self) -> Result<(), Refused> {
        let Arguments { budget, rates, jobs, .. } = *self.arguments;
        let open = self.open(|row| row.shrunk.is_none() && Row::caught(row.simulated.as_ref()).is_some());
        let (bench, results) = (self.bench.clone(), self.arguments.results.clone());
        let work = |planted, row| shrunk::shrunk(planted, row, bench.clone(), budget, rates, results.clone());
        let put = |row: &mut Row, shrunk: Option<Shrunk>| row.shrunk = shrunk;
        let told = |shrunk: &Option<Shrunk>| {
            shrunk.as_ref().map_or_else(|| "does not show again".to_owned(), |shrunk| shrunk.size.clone())
        };
        self.stage("shrunk", open, usize::from(jobs), work, put, told).await
    }

    /// Those of the chosen whose row is still open, with what it says.
    fn open(&self, open: impl Fn(&Row) -> bool) -> Vec<(&'static Planted, Row)> {
        let row = |planted: &&'static Planted| Some((*planted, self.matrix.get(planted.name)?.clone()));
        self.chosen.iter().filter_map(row).filter(|(_, row)| open(row)).collect()
    }

    /// Works on all of them, so many at a time; every result is kept at once. `None` from the work:
    /// interrupted, the row stays open.
    async fn stage<T, F: Future<Output = Result<Option<T>, Refused>>>(
        &mut self,
        stage: &str,
        open: Vec<(&'static Planted, Row)>,
        jobs: usize,
        work: impl Fn(&'static Planted, Row) -> F,
        put: impl Fn(&mut Row, T),
        told: impl Fn(&T) -> String,
    ) -> Result<(), Refused> {
        let (began, all, mut done) = (Instant::now(), open.len(), 0_usize);
        let mut waiting = open.into_iter();
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < jobs && !self.bench.interrupts.came() {
                let Some((planted, row)) = waiting.next() else { break };
                let work = work(planted, row);
                under_way.push(async move { (planted, work.await) });
            }
            let Some((planted, came)) = under_way.next().await else { return Ok(()) };
            let Some(came) = came? else { continue };
            done += 1;
            let left = began.elapsed().as_secs_f64() / done as f64 * (all - done) as f64;
            let left = if done == all { String::new() } else { format!("; about {} left", time(left)) };
            remark(&format!("{stage} {done}/{all}: {} {}{left}", planted.name, told(&came)));
            put(self.matrix.row(planted.name), came);
            self.keep()?;
        }
    }

    fn keep(&self) -> Result<(), Refused> {
        self.matrix.write(&self.arguments.results).map_err(|reason| (HARNESS_FAILED, reason))
    }

    /// Valid if every planted bug asked for was caught with processes.
    fn answer(&self) -> (String, u8) {
        let real = |planted: &&Planted| self.matrix.get(planted.name).and_then(|row| row.real.as_ref());
        let mut text = format!("\n{}", self.matrix.told());
        let missed: Vec<&str> = self
            .chosen
            .iter()
            .filter(|planted| real(planted).is_some_and(|trial| trial.caught.is_none()))
            .map(|planted| planted.name)
            .collect();
        if !missed.is_empty() {
            text += &format!("missed with processes: {}\n", missed.join(", "));
        }
        let answer = match self.chosen.iter().all(|planted| real(planted).is_some()) {
            false => Answer::Unknown,
            true if missed.is_empty() => Answer::Valid,
            true => Answer::Invalid,
        };
        text += &format!(
            "the table: {}\nverdict: {answer} (exit {})\n",
            self.arguments.results.join("matrix/latest.md").display(),
            answer.code()
        );
        (text, answer.code())
    }
}

fn trial_told(trial: &Trial) -> String {
    let Some(caught) = &trial.caught else { return format!("MISSED in {} runs", trial.runs) };
    let alone = trial.by_clients.as_ref().map(|alone| format!("; by clients alone: {}", told(alone)));
    format!("caught by {}{}", told(caught), alone.unwrap_or_default())
}

fn told(caught: &Catch) -> String {
    format!("{} after {:.1} s, {} ({})", caught.seen_by(), caught.seconds, caught.rate.short(), caught.cell)
}

fn time(seconds: f64) -> String {
    if seconds < 90.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}
