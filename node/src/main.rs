//! `paxos-node`: arguments in, a node or one clear line out. `paxos-node admin` changes the members of a
//! cluster.

use clap::Parser as _;
use clap::error::ErrorKind;
use paxos_node::admin;
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
    let is_admin = std::env::args_os().nth(1).is_some_and(|word| word == "admin");
    let done = if is_admin {
        admin::Arguments::try_parse_from(std::env::args_os().skip(1)).map(admin::run)
    } else {
        Arguments::try_parse().map(|arguments| arguments.check().and_then(start::run))
    };
    let done = match done {
        Ok(done) => done,
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // Nothing to be done about a terminal that has gone.
            let _ = error.print();
            let usage = Failure::Usage(String::new()).exit_code();
            return if asked { ExitCode::SUCCESS } else { ExitCode::from(usage) };
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            match is_admin {
                true => eprintln!("paxos-node admin: {failure}"),
                false => console::say_fatal(&failure),
            }
            ExitCode::from(failure.exit_code())
        }
    }
}
