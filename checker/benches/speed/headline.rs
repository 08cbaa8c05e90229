//! The headline: with how many clients and how many unknown outcomes a five-value CAS register is decided
//! within ten seconds and a gigabyte, a linearizable history and a phantom read alike.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use checker::simulate::{Object, Plan, Spoil};

use super::case::{self, Job, Limits, Mode};
use super::spec::Spec;

const TIME: Duration = Duration::from_secs(10);
const MEMORY_MB: u64 = 1_000;
const OPERATIONS: [u64; 3] = [1_000, 10_000, 100_000];
const CLIENTS: [u32; 5] = [5, 10, 20, 50, 100];
const UNKNOWN: [f64; 4] = [0.0, 0.001, 0.01, 0.05];

/// Prints the table: in each place the milliseconds for a linearizable history and for one with a phantom
/// read, `-` where it was not decided. With `quick` without the longest histories. Fails on a wrong verdict.
pub(crate) fn print(quick: bool, only: &str) -> ExitCode {
    println!("five-value CAS register, seed 1: ms for a linearizable history / with a phantom read;");
    println!("- is not decided within {} s and {MEMORY_MB} MB", TIME.as_secs());
    let mut wrong = 0;
    let (mut decided, mut asked) = (0, 0);
    for operations in OPERATIONS.into_iter().filter(|operations| !quick || *operations < 100_000) {
        print!("\n{:<20}", format!("{operations} operations"));
        UNKNOWN.iter().for_each(|unknown| print!("{:>22}", format!("{}% unknown", unknown * 100.0)));
        println!();
        for clients in CLIENTS {
            print!("{:<20}", format!("  {clients} clients"));
            for unknown in UNKNOWN {
                let mut shown = Vec::new();
                for spoil in [None, Some(Spoil::Phantom)] {
                    let object = Object::CasRegister { values: 5 };
                    let plan = Plan { operations, clients, unknown, spoil, seed: 1, ..Plan::of(object) };
                    let spec = Spec { plan };
                    if !spec.to_string().contains(only) {
                        continue;
                    }
                    let limits = Limits { time: TIME, memory_mb: MEMORY_MB, runs: 1 };
                    let measured = case::measure(&Job { spec, limits, mode: Mode::Check });
                    asked += 1;
                    let within =
                        measured.seconds <= TIME.as_secs_f64() && measured.peak_mb <= MEMORY_MB as f64;
                    if measured.is_expected() && within {
                        decided += 1;
                        shown.push(format!("{:.1}", measured.seconds * 1e3));
                    } else {
                        wrong += u32::from(matches!(&*measured.verdict, "valid" | "invalid") && within);
                        shown.push("-".to_owned());
                    }
                }
                print!("{:>22}", shown.join(" / "));
                // A pipe shows each place as it comes; a closed one is no reason to stop.
                let _ = std::io::stdout().flush();
            }
            println!();
        }
    }
    println!("\n{decided} of {asked} decided");
    if wrong > 0 {
        println!("{wrong} verdicts are not the ones that the simulation calls for");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
