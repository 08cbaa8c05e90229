//! A planted bug on processes: its own cell, then where virtual time showed it, then the pool.

use super::super::cell::Cell;
use super::super::planted::Planted;
use super::super::sighting::{Sighting, in_ended};
use super::bench::{Bench, Refused};
use crate::rate::Rate;
use crate::results::matrix::{Catch, Row, Trial};
use crate::run::Ended;
use crate::run::options::Options;
use crate::run::verdict::{Answer, HARNESS_FAILED, Subject};

/// Looks for it, in so many runs; none if interrupted. `row` is what is known of it already. Where it was
/// caught, the rate is taken over as many seeds as `rates`. What the nodes' own logs and states show ends a
/// run, often before a client can have noticed: then it is looked for again in runs that go on, through the
/// clients' eyes alone.
pub(super) async fn trial(
    planted: &'static Planted,
    row: Row,
    bench: Bench,
    tries: u64,
    rates: u64,
) -> Result<Option<Trial>, Refused> {
    let simulated = Row::caught(row.simulated.as_ref()).map(|caught| caught.cell.clone());
    // An earlier call that missed it is gone on from: its seeds are not tried again.
    let missed = row.real.as_ref().map_or(0, |trial| trial.runs);
    let work = Work { planted, bench, tries, rates, eyes: Eyes::All };
    let Some(mut trial) = work.look(work.cells(simulated.as_deref()), missed).await? else {
        return Ok(None);
    };
    if let Some(caught) = trial.caught.as_ref().filter(|caught| !caught.is_black_box()) {
        let work = Work { eyes: Eyes::ClientsAlone, ..work };
        let Some(again) = work.look(work.cells(Some(&caught.cell)), 0).await? else { return Ok(None) };
        trial.by_clients = again.caught;
    }
    Ok(Some(trial))
}

/// Through whose eyes a run is looked at.
#[derive(Clone, Copy)]
enum Eyes {
    /// All there are: a run ends with the first sign.
    All,
    /// What clients were answered, or waited for in vain: a run goes on to its end.
    ClientsAlone,
}

struct Work {
    planted: &'static Planted,
    bench: Bench,
    /// Runs until it counts as missed.
    tries: u64,
    /// Runs of the cell that caught it, for the rate.
    rates: u64,
    eyes: Eyes,
}

impl Work {
    /// Tries these cells in turn, a seed each, but for the first `missed`, which were; none if interrupted.
    async fn look(&self, cells: impl Iterator<Item = Cell>, missed: u64) -> Result<Option<Trial>, Refused> {
        let mut trial = Trial { runs: missed, ..Trial::default() };
        for (cell, number) in cells.zip(0..self.tries).filter(|(_, number)| *number >= missed) {
            let seed = self.bench.seed.wrapping_add(number);
            let Some((ended, seen)) = self.once(&cell, seed, true).await? else { return Ok(None) };
            trial.runs += 1;
            let options = self.options(&cell, seed)?;
            let shown = Options { binary: "target-mutants/release/paxos-node".into(), ..options };
            let command = shown.command_line("antipaxos", "results/mutants".as_ref());
            let Some(seen) = seen else {
                trial.missed = Some(command);
                continue;
            };
            trial.missed = None;
            let fresh = self.bench.seed.wrapping_add(self.tries);
            let Some(rate) = self.rate(&cell, fresh).await? else { return Ok(None) };
            trial.caught = Some(Catch {
                cell: cell.to_string(),
                command,
                check: seen.check,
                by: seen.by,
                seconds: ended.facts.seconds,
                rate,
            });
            break;
        }
        Ok(Some(trial))
    }

    /// The bug's own cell, another that showed it, both once more, then the pool.
    fn cells(&self, shown: Option<&str>) -> impl Iterator<Item = Cell> + use<> {
        let own = self.planted.cell;
        let hinted = Cell::pool().into_iter().find(|cell| Some(cell.to_string().as_str()) == shown);
        [Some(own), hinted, Some(own), hinted].into_iter().flatten().chain(Cell::pool())
    }

    fn options(&self, cell: &Cell, seed: u64) -> Result<Options, Refused> {
        let options = cell.run(self.planted.name, self.bench.binary.clone(), seed);
        let options = options.map_err(|reason| (HARNESS_FAILED, reason))?;
        Ok(Options { stop_early: matches!(self.eyes, Eyes::All), ..options })
    }

    fn sighting(&self, ended: &Ended) -> Option<Sighting> {
        match self.eyes {
            Eyes::All => in_ended(ended, self.planted.counts),
            Eyes::ClientsAlone => in_ended(ended, &self.planted.counts_for_clients()),
        }
    }

    /// One run, and what was seen of the bug; none if interrupted. With a `control`, a sound node in the
    /// same cell must make progress where the bug makes none.
    async fn once(
        &self,
        cell: &Cell,
        seed: u64,
        control: bool,
    ) -> Result<Option<(Ended, Option<Sighting>)>, Refused> {
        let Some(ended) = self.bench.run(self.options(cell, seed)?).await? else { return Ok(None) };
        let mut seen = self.sighting(&ended);
        // No progress may be the machine's fault: then it is none of the bug's.
        if seen.as_ref().is_some_and(|seen| seen.by == [Subject::Liveness]) && control {
            let sound = Options { mutant: None, ..self.options(cell, seed)? };
            let Some(ended) = self.bench.run(sound).await? else { return Ok(None) };
            if ended.verdict.verdict == Answer::Invalid {
                seen = None;
            }
        }
        Ok(Some((ended, seen)))
    }

    /// How often this cell shows it, over seeds from this one on; none if interrupted.
    async fn rate(&self, cell: &Cell, first: u64) -> Result<Option<Rate>, Refused> {
        let mut rate = Rate::default();
        for number in 0..self.rates {
            let Some((_, seen)) = self.once(cell, first.wrapping_add(number), false).await? else {
                return Ok(None);
            };
            rate.count(seen.is_some());
        }
        Ok(Some(rate))
    }
}
