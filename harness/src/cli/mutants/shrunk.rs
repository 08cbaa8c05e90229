//! What it takes at least to see a planted bug: shrunk in virtual time, and tried with processes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::super::case::{Case, Failure};
use super::super::cell::Cell;
use super::super::interrupt::Interrupts;
use super::super::planted::Planted;
use super::super::shrink::Simulation;
use super::super::sighting::{in_ended, in_simulated};
use super::campaign::Refused;
use crate::rate::Rate;
use crate::results::matrix::{Matrix, Shrunk};
use crate::results::schedule::resolved;
use crate::results::store::Store;
use crate::run::verdict::HARNESS_FAILED;
use crate::shrink::{count, shrink, sizes};
use crate::system::paxos::simulation::{activate, simulate};

/// What is the same for all of them.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) binary: PathBuf,
    pub(super) seed: u64,
    pub(super) budget: Duration,
    /// Runs with processes of what is left.
    pub(super) confirm: u64,
    pub(super) results: PathBuf,
}

/// Shrinks the run of this cell that shows it. The inner none: no seed shows it again.
pub(super) async fn shrunk(
    planted: &'static Planted,
    cell: String,
    plan: Plan,
    store: Store,
    interrupts: Interrupts,
) -> Result<Option<Option<Shrunk>>, Refused> {
    let work = {
        let (plan, interrupts) = (plan.clone(), interrupts.clone());
        move || {
            activate(Some(planted.name))?;
            let found = in_virtual_time(planted, &cell, &plan, &interrupts);
            activate(None)?;
            found
        }
    };
    let found = tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string());
    let found = found.and_then(|found| found).map_err(|reason| (HARNESS_FAILED, reason))?;
    let Some((case, mut shrunk)) = found else {
        return Ok(if interrupts.came() { None } else { Some(None) });
    };
    if plan.confirm > 0 {
        let mut rate = Rate::default();
        for number in 0..plan.confirm {
            if interrupts.came() {
                return Ok(None);
            }
            let seed = case.seed().wrapping_add(number);
            let ended = case.run(&case.schedule, seed, &store, interrupts.stop()).await;
            let ended = ended.map_err(|error| (error.exit(), format!("{}: {error}", planted.name)))?;
            if ended.verdict.exit == HARNESS_FAILED {
                let told = format!("{}: {} ({})", planted.name, ended.verdict.told(), ended.summary.folder);
                return Err((HARNESS_FAILED, told));
            }
            rate.count(in_ended(&ended, planted.counts).is_some());
        }
        shrunk.real = Some(rate);
    }
    let file = Matrix::write_shrunk(&plan.results, planted.name, &case.schedule.to_toml());
    shrunk.file = file.map_err(|reason| (HARNESS_FAILED, reason))?;
    Ok((!interrupts.came()).then_some(Some(shrunk)))
}

/// The smallest, as a case of its own.
fn in_virtual_time(
    planted: &Planted,
    cell: &str,
    plan: &Plan,
    interrupts: &Interrupts,
) -> Result<Option<(Case, Shrunk)>, String> {
    let Some(case) = failing(planted, cell, plan, interrupts)? else { return Ok(None) };
    let whole = case.schedule.clone();
    let mut simulation = Simulation::new(case.clone(), interrupts.clone(), Instant::now() + plan.budget);
    if simulation.baseline().hits == 0 {
        return Ok(None);
    }
    let found = shrink(&whole, &mut simulation);
    let mut schedule = found.schedule;
    let rate = simulation.full_rate(&schedule);
    schedule.name = format!("{}-shrunk", whole.name.trim_end_matches("-resolved"));
    schedule.story = format!(
        "The least that shows `{}` ({}): found in virtual time in {} tries, where it shows it in {rate}.",
        planted.name, planted.cell.workload, found.tried
    );
    let shrunk = Shrunk {
        faults: count(&schedule),
        size: sizes(&schedule),
        file: String::new(),
        complete: found.complete,
        simulated: rate,
        real: None,
    };
    Ok(Some((Case { schedule, ..case }, shrunk)))
}

/// A run of this cell that shows it, with every draw made.
fn failing(
    planted: &Planted,
    cell: &str,
    plan: &Plan,
    interrupts: &Interrupts,
) -> Result<Option<Case>, String> {
    let cells = std::iter::once(planted.cell).chain(Cell::pool());
    let Some(cell) = cells.into_iter().find(|known| known.to_string() == cell) else { return Ok(None) };
    for number in 0..super::simulated::RATE_SEEDS {
        if interrupts.came() {
            return Ok(None);
        }
        let options = cell.run(planted.name, plan.binary.clone(), plan.seed.wrapping_add(number))?;
        let simulated = simulate(&options).map_err(|error| error.to_string())?;
        let seen = in_simulated(&simulated, planted.counts);
        if let (Some(_), Some(schedule)) = (seen, resolved(&options, &simulated.facts)) {
            return Ok(Some(Case {
                schedule,
                file: PathBuf::from(format!("{}.toml", planted.name)),
                folder: None,
                mutant: Some(planted.name.to_owned()),
                binary: Some(plan.binary.clone()),
                failure: Failure::in_verdict(&simulated.verdict),
            }));
        }
    }
    Ok(None)
}
