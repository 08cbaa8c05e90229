//! What it takes at least to see a planted bug: shrunk in virtual time, and tried with processes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::super::case::{Case, Failure};
use super::super::cell::Cell;
use super::super::planted::Planted;
use super::super::shrink::Simulation;
use super::super::sighting::{in_ended, in_simulated};
use super::bench::{Bench, Refused};
use crate::rate::Rate;
use crate::results::matrix::{Matrix, Row, Shrunk};
use crate::results::schedule::resolved;
use crate::run::verdict::HARNESS_FAILED;
use crate::schedule::Schedule;
use crate::shrink::{count, shrink, sizes};
use crate::system::paxos::simulation::{activate, simulate};

/// Shrinks the run of the cell that shows it in virtual time, for as long as the budget; what is left is
/// run with processes so many times. None if interrupted; the inner none: no seed shows it again.
pub(super) async fn shrunk(
    planted: &'static Planted,
    row: Row,
    bench: Bench,
    budget: Duration,
    confirm: u64,
    results: PathBuf,
) -> Result<Option<Option<Shrunk>>, Refused> {
    let search = {
        let bench = bench.clone();
        move || {
            activate(Some(planted.name))?;
            let found = in_virtual_time(planted, &row, &bench, budget);
            activate(None)?;
            found
        }
    };
    let found = tokio::task::spawn_blocking(search).await.map_err(|error| error.to_string());
    let found = found.and_then(|found| found).map_err(|reason| (HARNESS_FAILED, reason))?;
    let Some((case, mut shrunk)) = found else {
        return Ok(if bench.interrupts.came() { None } else { Some(None) });
    };
    // There to be run, by whoever reads the matrix.
    let file = Matrix::keep_shrunk(&results, planted.name, &shrunk.schedule);
    let case = Case { file: file.map_err(|reason| (HARNESS_FAILED, reason))?, ..case };
    let mut rate = Rate::default();
    for number in 0..confirm {
        let seed = case.seed().wrapping_add(number);
        let Some(ended) = bench.run(case.options(&case.schedule, seed)).await? else { return Ok(None) };
        rate.count(in_ended(&ended, planted.counts).is_some());
    }
    shrunk.real = (confirm > 0).then_some(rate);
    Ok(Some(Some(shrunk)))
}

/// The smallest, as a case of its own.
fn in_virtual_time(
    planted: &Planted,
    row: &Row,
    bench: &Bench,
    budget: Duration,
) -> Result<Option<(Case, Shrunk)>, String> {
    let Some(case) = failing(planted, row, bench)? else { return Ok(None) };
    let whole = case.schedule.clone();
    let mut simulation = Simulation::new(case.clone(), bench.interrupts.clone(), Instant::now() + budget);
    if simulation.baseline().hits == 0 {
        return Ok(None);
    }
    let found = shrink(&whole, &mut simulation);
    let rate = simulation.full_rate(&found.schedule);
    let schedule = Schedule {
        name: format!("{}-shrunk", whole.name.trim_end_matches("-resolved")),
        story: format!(
            "The least that shows `{}`: found in virtual time in {} tries, where it shows it in {rate}.",
            planted.name, found.tried
        ),
        ..found.schedule
    };
    let shrunk = Shrunk {
        faults: count(&schedule),
        size: sizes(&schedule),
        schedule: schedule.to_toml(),
        complete: found.complete,
        simulated: rate,
        real: None,
    };
    Ok(Some((Case { schedule, ..case }, shrunk)))
}

/// A run of this cell that shows it, with every draw made.
fn failing(planted: &Planted, row: &Row, bench: &Bench) -> Result<Option<Case>, String> {
    let shown = Row::caught(row.simulated.as_ref()).map(|caught| caught.cell.as_str());
    let mut cells = std::iter::once(planted.cell).chain(Cell::pool());
    let Some(cell) = cells.find(|known| Some(known.to_string().as_str()) == shown) else { return Ok(None) };
    for number in 0..super::simulated::RATE_SEEDS {
        if bench.interrupts.came() {
            return Ok(None);
        }
        let options = cell.run(planted.name, bench.binary.clone(), bench.seed.wrapping_add(number))?;
        let simulated = simulate(&options).map_err(|error| error.to_string())?;
        let seen = in_simulated(&simulated, planted.counts);
        if let (Some(_), Some(schedule)) = (seen, resolved(&options, &simulated.facts)) {
            return Ok(Some(Case {
                schedule,
                file: PathBuf::new(),
                folder: None,
                mutant: Some(planted.name.to_owned()),
                binary: Some(bench.binary.clone()),
                failure: Failure::in_verdict(&simulated.verdict),
            }));
        }
    }
    Ok(None)
}
