//! A planted bug in virtual time: its own cell, then the pool.

use super::super::cell::Cell;
use super::super::interrupt::Interrupts;
use super::super::planted::Planted;
use super::super::sighting::{Sighting, in_simulated};
use super::bench::Refused;
use crate::rate::Rate;
use crate::results::matrix::{Catch, Trial};
use crate::run::options::Options;
use crate::run::verdict::{Answer, HARNESS_FAILED, USAGE};
use crate::system::paxos::simulation::{Simulated, activate, simulate};

/// Seeds for the bug's own cell, and for each of the pool's.
const OWN_SEEDS: u64 = 8;
const POOL_SEEDS: u64 = 3;
/// Seeds for the rate of the cell that caught it.
pub(super) const RATE_SEEDS: u64 = 20;

/// Looks for it; none if interrupted. Keeps a thread of its own busy.
pub(super) async fn trial(
    planted: &'static Planted,
    seed: u64,
    interrupts: Interrupts,
) -> Result<Option<Trial>, Refused> {
    let looking = tokio::task::spawn_blocking(move || {
        activate(Some(planted.name))?;
        let found = look(planted, seed, &interrupts);
        activate(None)?;
        found
    });
    let found = looking.await.map_err(|error| (HARNESS_FAILED, format!("{}: {error}", planted.name)))?;
    found.map_err(|reason| (USAGE, format!("{}: {reason}", planted.name)))
}

fn look(planted: &Planted, seed: u64, interrupts: &Interrupts) -> Result<Option<Trial>, String> {
    let mut trial = Trial::default();
    let own = (planted.cell, OWN_SEEDS);
    for (cell, seeds) in std::iter::once(own).chain(Cell::pool().into_iter().map(|cell| (cell, POOL_SEEDS))) {
        for number in 0..seeds {
            if interrupts.came() {
                return Ok(None);
            }
            trial.runs += 1;
            let Some((simulated, seen)) = once(planted, &cell, seed.wrapping_add(number))? else { continue };
            let options = cell.run(planted.name, "paxos-node".into(), seed.wrapping_add(number))?;
            if !is_sound_without(planted, &options)? {
                continue;
            }
            let Some(rate) = rate(planted, &cell, seed, interrupts)? else { return Ok(None) };
            trial.caught = Some(Catch {
                cell: cell.to_string(),
                command: options.simulated_command_line("antipaxos"),
                check: seen.check,
                by: seen.by,
                seconds: simulated.virtual_time.as_secs_f64(),
                rate,
            });
            return Ok(Some(trial));
        }
    }
    Ok(Some(trial))
}

fn rate(planted: &Planted, cell: &Cell, seed: u64, interrupts: &Interrupts) -> Result<Option<Rate>, String> {
    let mut rate = Rate::default();
    for number in 0..RATE_SEEDS {
        if interrupts.came() {
            return Ok(None);
        }
        rate.count(once(planted, cell, seed.wrapping_add(number))?.is_some());
    }
    Ok(Some(rate))
}

/// The control: the same run of a node that has all its rules. Where that one fails too, the bug has
/// shown nothing.
fn is_sound_without(planted: &Planted, options: &Options) -> Result<bool, String> {
    activate(None)?;
    let simulated = simulate(&Options { mutant: None, ..options.clone() });
    activate(Some(planted.name))?;
    let simulated = simulated.map_err(|error| error.to_string())?;
    Ok(simulated.verdict.verdict != Answer::Invalid)
}

/// One run, if it shows the bug.
fn once(planted: &Planted, cell: &Cell, seed: u64) -> Result<Option<(Simulated, Sighting)>, String> {
    let options = cell.run(planted.name, "paxos-node".into(), seed)?;
    let simulated = simulate(&options).map_err(|error| error.to_string())?;
    Ok(in_simulated(&simulated, planted.counts).map(|seen| (simulated, seen)))
}
