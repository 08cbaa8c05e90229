//! The stages of a campaign, and what it says and keeps on the way.

use std::future::Future;
use std::path::PathBuf;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::super::interrupt::Interrupts;
use super::super::output::remark;
use super::super::planted::{IN_THE_SHELL, Planted};
use super::{Arguments, real, shrunk, simulated};
use crate::results::matrix::{Matrix, Row, Shrunk, Trial};
use crate::results::store::Store;
use crate::run::verdict::{Answer, HARNESS_FAILED};
use crate::system::paxos::simulation::activate;

/// An exit code, and why nothing more could be done.
pub(super) type Refused = (u8, String);

/// A campaign over planted bugs.
pub(super) struct Campaign<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) chosen: Vec<&'static Planted>,
    pub(super) binary: PathBuf,
    pub(super) store: Store,
    pub(super) interrupts: Interrupts,
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
        let (seed, interrupts) = (self.matrix.seed, self.interrupts.clone());
        let work = |planted: &'static Planted| simulated::trial(planted, seed, interrupts.clone());
        let put = |row: &mut Row, trial: Trial| row.simulated = Some(trial);
        self.stage("in virtual time", open, jobs, work, put, trial_told).await
    }

    async fn with_processes(&mut self) -> Result<(), Refused> {
        let tries = self.arguments.tries;
        let given_up = |trial: &Trial| trial.caught.is_some() || trial.runs >= tries;
        let open = self.open(|row| !row.real.as_ref().is_some_and(given_up));
        let hint = |planted: &Planted| {
            let row = self.matrix.rows.iter().find(|row| row.name == planted.name);
            let caught = row.and_then(|row| row.simulated.as_ref()?.caught.as_ref());
            caught.map(|caught| caught.cell.clone())
        };
        let hints: Vec<Option<String>> = self.chosen.iter().map(|planted| hint(planted)).collect();
        let (store, interrupts, chosen) = (self.store.clone(), self.interrupts.clone(), self.chosen.clone());
        let plan = real::Plan {
            binary: self.binary.clone(),
            seed: self.matrix.seed,
            tries: self.arguments.tries,
            rates: self.arguments.rates,
        };
        let work = |planted: &'static Planted| {
            let place = chosen.iter().position(|of| of.name == planted.name).unwrap_or(0);
            real::trial(planted, hints[place].clone(), plan.clone(), store.clone(), interrupts.clone())
        };
        let put = |row: &mut Row, trial: Trial| row.real = Some(trial);
        self.stage("with processes", open, usize::from(self.arguments.jobs), work, put, trial_told).await
    }

    async fn shrunk(&mut self) -> Result<(), Refused> {
        let caught = |row: &Row| row.simulated.as_ref().is_some_and(|trial| trial.caught.is_some());
        let open = self.open(|row| row.shrunk.is_none() && caught(row));
        let cells: Vec<(String, String)> = self
            .matrix
            .rows
            .iter()
            .filter_map(|row| Some((row.name.clone(), row.simulated.as_ref()?.caught.as_ref()?.cell.clone())))
            .collect();
        let work_of = shrunk::Plan {
            binary: self.binary.clone(),
            seed: self.matrix.seed,
            budget: self.arguments.budget,
            confirm: self.arguments.rates,
            results: self.arguments.results.clone(),
        };
        let (store, interrupts) = (self.store.clone(), self.interrupts.clone());
        let work = |planted: &'static Planted| {
            let cell = cells.iter().find(|(name, _)| name == planted.name).map(|(_, cell)| cell.clone());
            shrunk::shrunk(
                planted,
                cell.unwrap_or_default(),
                work_of.clone(),
                store.clone(),
                interrupts.clone(),
            )
        };
        let put = |row: &mut Row, shrunk: Option<Shrunk>| row.shrunk = shrunk;
        let told = |shrunk: &Option<Shrunk>| {
            shrunk.as_ref().map_or_else(|| "does not show again".to_owned(), |shrunk| shrunk.size.clone())
        };
        self.stage("shrunk", open, usize::from(self.arguments.jobs), work, put, told).await
    }

    /// Those of the chosen whose row is still open.
    fn open(&self, open: impl Fn(&Row) -> bool) -> Vec<&'static Planted> {
        let row = |name: &str| self.matrix.rows.iter().find(|row| row.name == name);
        self.chosen.iter().copied().filter(|planted| row(planted.name).is_none_or(&open)).collect()
    }

    /// Works on all of them, so many at a time; every result is kept at once. `None` from the work:
    /// interrupted, the row stays open.
    async fn stage<T, F: Future<Output = Result<Option<T>, Refused>>>(
        &mut self,
        stage: &str,
        open: Vec<&'static Planted>,
        jobs: usize,
        work: impl Fn(&'static Planted) -> F,
        put: impl Fn(&mut Row, T),
        told: impl Fn(&T) -> String,
    ) -> Result<(), Refused> {
        let (began, all, mut done) = (Instant::now(), open.len(), 0_usize);
        let mut waiting = open.into_iter();
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < jobs && !self.interrupts.came() {
                let Some(planted) = waiting.next() else { break };
                let work = work(planted);
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
        let row = |name: &str| self.matrix.rows.iter().find(|row| row.name == name);
        let real = |planted: &&Planted| row(planted.name).and_then(|row| row.real.as_ref());
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
    match &trial.caught {
        Some(caught) => format!(
            "caught by {} after {:.1} s, {} ({})",
            caught.seen_by(),
            caught.seconds,
            caught.rate.short(),
            caught.cell
        ),
        None => format!("MISSED in {} runs", trial.runs),
    }
}

fn time(seconds: f64) -> String {
    if seconds < 90.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}
