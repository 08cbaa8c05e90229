//! What every run of a campaign with processes shares.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::interrupt::Interrupts;
use super::super::{paxos, progress};
use crate::results::store::Store;
use crate::run::options::Options;
use crate::run::verdict::HARNESS_FAILED;
use crate::run::{Ended, run};

/// An exit code, and why nothing more could be done.
pub(super) type Refused = (u8, String);

/// The node with its planted bugs, and where its runs go.
#[derive(Clone)]
pub(super) struct Bench {
    pub(super) binary: PathBuf,
    /// From which all runs count their seeds.
    pub(super) seed: u64,
    pub(super) store: Store,
    pub(super) interrupts: Interrupts,
}

impl Bench {
    /// One run; none if interrupted. A harness that failed has nothing to say of a bug.
    pub(super) async fn run(&self, options: Options) -> Result<Option<Ended>, Refused> {
        if self.interrupts.came() {
            return Ok(None);
        }
        let title = options.title();
        let system = Arc::new(paxos(&options));
        let command_line: Vec<String> = std::env::args().collect();
        let stop = self.interrupts.stop();
        let ended = run(options, system, &self.store, &command_line, progress::quiet(), stop).await;
        let ended = ended.map_err(|error| (error.exit(), format!("{title}: {error}")))?;
        if self.interrupts.came() {
            return Ok(None);
        }
        if ended.verdict.exit == HARNESS_FAILED {
            let told = format!("{title}: {} ({})", ended.verdict.told(), ended.summary.folder);
            return Err((HARNESS_FAILED, told));
        }
        Ok(Some(ended))
    }
}
