//! The command line of the bench.

use harness::process::launch;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == launch::SUBCOMMAND) {
        return launch::main(args);
    }
    harness::cli::main()
}
