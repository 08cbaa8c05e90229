//! A planted bug on processes: its own cell, then where virtual time showed it, then the pool.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::cell::Cell;
use super::super::interrupt::Interrupts;
use super::super::planted::Planted;
use super::super::sighting::{Sighting, in_ended};
use super::super::{paxos, progress};
use super::campaign::Refused;
use crate::rate::Rate;
use crate::results::matrix::{Catch, Trial};
use crate::results::store::Store;
use crate::run::options::Options;
use crate::run::verdict::{Answer, HARNESS_FAILED, Subject};
use crate::run::{Ended, run};

/// What is the same for all of them.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) binary: PathBuf,
    pub(super) seed: u64,
    /// Runs before it counts as missed.
    pub(super) tries: u64,
    /// Seeds for the rate of the cell that caught it.
    pub(super) rates: u64,
}

/// Looks for it; none if interrupted. `hint`: the cell that showed it in virtual time.
pub(super) async fn trial(
    planted: &'static Planted,
    hint: Option<String>,
    plan: Plan,
    store: Store,
    interrupts: Interrupts,
) -> Result<Option<Trial>, Refused> {
    let mut trial = Trial::default();
    let work = Work { planted, plan, store, interrupts };
    for (cell, seed) in work.tries(hint.as_deref()) {
        let Some((ended, seen)) = work.once(&cell, seed, true).await? else { return Ok(None) };
        trial.runs += 1;
        let options = work.options(&cell, seed)?;
        let shown = Options { binary: "target-mutants/release/paxos-node".into(), ..options };
        let command = shown.command_line("antipaxos", "results/mutants".as_ref());
        let Some(seen) = seen else {
            trial.missed = Some(command);
            continue;
        };
        trial.missed = None;
        let Some(rate) = work.rate(&cell, seed).await? else { return Ok(None) };
        trial.caught = Some(Catch {
            cell: cell.to_string(),
            command,
            check: seen.check,
            by: seen.by,
            seconds: ended.facts.seconds,
            rate,
        });
        return Ok(Some(trial));
    }
    Ok(Some(trial))
}

struct Work {
    planted: &'static Planted,
    plan: Plan,
    store: Store,
    interrupts: Interrupts,
}

impl Work {
    /// The bug's own cell twice, the one that showed it in virtual time, then the pool.
    fn tries(&self, hint: Option<&str>) -> Vec<(Cell, u64)> {
        let own = self.planted.cell;
        let hinted = Cell::pool().into_iter().find(|cell| Some(cell.to_string().as_str()) == hint);
        let cells = [Some(own), hinted, Some(own), hinted].into_iter().flatten().chain(Cell::pool());
        let numbered = cells.zip(0_u64..).take(self.plan.tries as usize);
        numbered.map(|(cell, number)| (cell, self.plan.seed.wrapping_add(number))).collect()
    }

    fn options(&self, cell: &Cell, seed: u64) -> Result<Options, Refused> {
        let options = cell.run(self.planted.name, self.plan.binary.clone(), seed);
        options.map_err(|reason| (HARNESS_FAILED, reason))
    }

    /// One run; none if interrupted.
    async fn run(&self, options: Options) -> Result<Option<Ended>, Refused> {
        if self.interrupts.came() {
            return Ok(None);
        }
        let system = Arc::new(paxos(&options));
        let command_line: Vec<String> = std::env::args().collect();
        let stop = self.interrupts.stop();
        let ended = run(options, system, &self.store, &command_line, progress::quiet(), stop).await;
        let ended = ended.map_err(|error| (error.exit(), format!("{}: {error}", self.planted.name)))?;
        if self.interrupts.came() {
            return Ok(None);
        }
        if ended.verdict.exit == HARNESS_FAILED {
            let told = format!("{}: {} ({})", self.planted.name, ended.verdict.told(), ended.summary.folder);
            return Err((HARNESS_FAILED, told));
        }
        Ok(Some(ended))
    }

    /// One run, and what was seen of the bug; none if interrupted. With a `control`, a sound node in the
    /// same cell must make progress where the bug makes none.
    async fn once(
        &self,
        cell: &Cell,
        seed: u64,
        control: bool,
    ) -> Result<Option<(Ended, Option<Sighting>)>, Refused> {
        let Some(ended) = self.run(self.options(cell, seed)?).await? else { return Ok(None) };
        let mut seen = in_ended(&ended, self.planted.counts);
        // No progress may be the machine's fault: then it is none of the bug's.
        if seen.as_ref().is_some_and(|seen| seen.by == [Subject::Liveness]) && control {
            let sound = Options { mutant: None, ..self.options(cell, seed)? };
            let Some(ended) = self.run(sound).await? else { return Ok(None) };
            if ended.verdict.verdict == Answer::Invalid {
                seen = None;
            }
        }
        Ok(Some((ended, seen)))
    }

    /// How often this cell shows it, over fresh seeds; none if interrupted.
    async fn rate(&self, cell: &Cell, caught_with: u64) -> Result<Option<Rate>, Refused> {
        let mut rate = Rate::default();
        for number in 1..=self.plan.rates {
            let seed = caught_with.wrapping_add(self.plan.tries).wrapping_add(number);
            let Some((_, seen)) = self.once(cell, seed, false).await? else {
                return Ok(None);
            };
            rate.count(seen.is_some());
        }
        Ok(Some(rate))
    }
}
