//! `paxos-node`: arguments in, a node or one clear line out.

use clap::Parser as _;
use clap::error::ErrorKind;
use paxos_node::shell::arguments::Arguments;
use paxos_node::shell::failure::Failure;
use paxos_node::shell::{console, start};
use std::process::ExitCode;

fn main() -> ExitCode {
    console::exit_on_panic();
    // Before the others are missed: it comes alone.
    #[cfg(feature = "mutants")]
    if std::env::args_os().skip(1).eq(["--list-mutants"]) {
        print!("{}", paxos_node::mutants::Mutant::list());
        return ExitCode::SUCCESS;
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // Nothing to be done about a terminal that has gone.
            let _ = error.print();
            let usage = Failure::Usage(String::new()).exit_code();
            return if asked { ExitCode::SUCCESS } else { ExitCode::from(usage) };
        }
    };
    match arguments.check().and_then(start::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            console::say_fatal(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}
