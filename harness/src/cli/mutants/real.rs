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
/// caught, the rate is taken over as many seeds as `rates`.
pub(super) async fn trial(
    planted: &'static Planted,
    row: Row,
    bench: Bench,
    tries: u64,
    rates: u64,
) -> Result<Option<Trial>, Refused> {
    let mut trial = Trial::default();
    let work = Work { planted, bench };
    let simulated = Row::caught(row.simulated.as_ref()).map(|caught| caught.cell.clone());
    for (cell, seed) in work.cells(simulated.as_deref()).zip(0..tries) {
        let seed = work.bench.seed.wrapping_add(seed);
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
        let fresh = work.bench.seed.wrapping_add(tries);
        let Some(rate) = work.rate(&cell, fresh, rates).await? else { return Ok(None) };
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
    bench: Bench,
}

impl Work {
    /// The bug's own cell, the one that showed it in virtual time, both once more, then the pool.
    fn cells(&self, simulated: Option<&str>) -> impl Iterator<Item = Cell> {
        let own = self.planted.cell;
        let hinted = Cell::pool().into_iter().find(|cell| Some(cell.to_string().as_str()) == simulated);
        [Some(own), hinted, Some(own), hinted].into_iter().flatten().chain(Cell::pool())
    }

    fn options(&self, cell: &Cell, seed: u64) -> Result<Options, Refused> {
        let options = cell.run(self.planted.name, self.bench.binary.clone(), seed);
        options.map_err(|reason| (HARNESS_FAILED, reason))
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
        let mut seen = in_ended(&ended, self.planted.counts);
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

    /// How often this cell shows it, over so many seeds from this one on; none if interrupted.
    async fn rate(&self, cell: &Cell, first: u64, seeds: u64) -> Result<Option<Rate>, Refused> {
        let mut rate = Rate::default();
        for number in 0..seeds {
            let Some((_, seen)) = self.once(cell, first.wrapping_add(number), false).await? else {
                return Ok(None);
            };
            rate.count(seen.is_some());
        }
        Ok(Some(rate))
    }
}
