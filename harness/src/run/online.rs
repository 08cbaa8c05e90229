//! Judging while the run goes on: a prefix of a history is a history.
//!
//! A violation stops the run within seconds of being recorded, instead of being buried under
//! another minute of load. The check runs on its own thread and spends no more than a small share
//! of the time, so that it does not disturb what it judges. The verdict is drawn from the whole
//! history at the end; but a violation found here stands, should that check not get so far.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use checker::{Budget, Check, Report, Verdict};

use super::recorder::Recorder;
use super::stop::{Stop, StopReason};

/// The shortest wait between two checks.
const INTERVAL_MIN: Duration = Duration::from_secs(2);
/// A check that took `t` is followed by at least this many `t` of rest.
const REST_PER_CHECK: u32 = 8;
/// What a single check may spend before it gives up until the end.
const BUDGET: Budget = Budget { time: Duration::from_secs(5), memory_bytes: 256 << 20 };

/// Checks again and again until the run is stopped; leaves the report that found a violation.
pub async fn watch(
    recorder: Arc<Recorder>,
    check: Arc<dyn Check>,
    stop: Stop,
    found: Arc<Mutex<Option<Report>>>,
) {
    let mut rest = INTERVAL_MIN;
    loop {
        if !stop.sleep(rest).await {
            return;
        }
        let began = Instant::now();
        let (recorder, check) = (Arc::clone(&recorder), Arc::clone(&check));
        let judged = tokio::task::spawn_blocking(move || check.check(&recorder.snapshot(), &BUDGET)).await;
        match judged {
            Ok(report) => {
                if let Verdict::Invalid(_) = report.verdict {
                    let reason = format!("{} finds the history so far invalid", report.check);
                    *super::lock(&found) = Some(report);
                    stop.now(StopReason::Violation(reason));
                    return;
                }
            }
            // A checker that panics here panics at the end too, where it makes the verdict unknown.
            Err(_) => return,
        }
        rest = INTERVAL_MIN.max(began.elapsed() * REST_PER_CHECK);
    }
}
