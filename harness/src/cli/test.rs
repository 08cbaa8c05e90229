//! `antipaxos test`: one run.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::interrupt::Interrupts;
use super::shape::{Shape, warning};
use super::{complain, fresh_seed, neighbour, output, paxos, progress, the_file};
use crate::results::store::Store;
use crate::run::options::Options;
use crate::run::stop::Stop;
use crate::run::verdict::{HARNESS_FAILED, USAGE};
use crate::run::{Ended, RunError, run};

pub(super) const EXAMPLES: &str = "\
Examples:
  antipaxos test -w cas-register --nemesis kill,pause,partition --nemesis-interval 5 \\
      --concurrency 2n --rate 500 --time-limit 60 --node-count 5 --seed 42
  antipaxos test -w append --nemesis all --time-limit 45
  antipaxos test -w set --nemesis kill:leader,drop --retries 3
  antipaxos test --schedule harness/schedules/rolling-restarts.toml";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) shape: Shape,

    /// The node's binary [default: paxos-node next to antipaxos]. A script must exec the node: what
    /// it starts besides would outlive a harness that is killed
    #[arg(long, value_name = "PATH", help_heading = "Cluster")]
    bin: Option<PathBuf>,

    /// The rule to remove; needs a binary built with --features mutants
    #[arg(long, value_name = "NAME", help_heading = "Cluster")]
    mutant: Option<String>,

    /// Repeats the plan of faults and operations (not how the processes race) [default: random]
    #[arg(long, value_name = "N", help_heading = "Run")]
    seed: Option<u64>,

    /// Where run folders go
    #[arg(long, value_name = "DIR", default_value = "results", help_heading = "Run")]
    results: PathBuf,

    /// Keep the nodes' data folders even if the run is valid
    #[arg(long, help_heading = "Run")]
    keep_data: bool,

    /// Go on to the time limit even if a violation was found already
    #[arg(long, help_heading = "Run")]
    no_stop_early: bool,
}

impl Arguments {
    fn options(&self) -> Result<Options, String> {
        let binary = self.bin.clone().unwrap_or_else(|| neighbour("paxos-node"));
        let binary = the_file(&binary).map_err(|error| error.to_string())?;
        let options = self.shape.options(&binary, self.seed.unwrap_or_else(fresh_seed))?;
        Ok(Options {
            // Said on the command line it beats what a file says.
            seed: self.seed.unwrap_or(options.seed),
            mutant: self.mutant.clone(),
            keep_data: self.keep_data,
            stop_early: !self.no_stop_early,
            ..options
        })
    }
}

pub(super) async fn main(arguments: Arguments) -> u8 {
    let options = match arguments.options() {
        Ok(options) => options,
        Err(reason) => return complain(USAGE, &reason),
    };
    if let Some(warning) = warning(&options) {
        output::remark(&format!("antipaxos: warning: {warning}"));
    }
    let interrupts = match Interrupts::listen() {
        Ok(interrupts) => interrupts,
        Err(error) => return complain(HARNESS_FAILED, &format!("cannot listen for signals: {error}")),
    };
    let store = match Store::open(&arguments.results) {
        Ok(store) => store,
        Err(error) => return complain(USAGE, &error.to_string()),
    };
    match one_run(options, &store, interrupts.stop()).await {
        Ok(ended) => output::answer(&ended.summary.render(), ended.verdict.exit),
        Err(error) => complain(error.exit(), &error.to_string()),
    }
}

/// A run of our own node, shown as it goes.
pub(super) async fn one_run(options: Options, store: &Store, stop: Stop) -> Result<Ended, RunError> {
    let system = Arc::new(paxos(&options));
    let command_line: Vec<String> = std::env::args().collect();
    run(options, system, store, &command_line, progress::suitable(), stop).await
}
