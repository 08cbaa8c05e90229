//! What a person reads at the end of a run: `summary.txt`, and the last lines on the terminal.

use std::fmt::Write as _;

use super::latency::Quantiles;
use super::reached;
use crate::nemesis::report::FaultTally;
use crate::run::score::Counts;
use crate::run::verdict::{Answer, RunVerdict};
use crate::schedule::Territory;

/// Lines of evidence shown per part; the rest is in `verdict.json`.
const DETAILS_MAX: usize = 40;

/// Everything a summary tells.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What was run: workload, nodes, nemesis, seed.
    pub title: String,
    /// The verdict in its parts.
    pub verdict: RunVerdict,
    /// What was asked, and what came of it.
    pub ops: Counts,
    /// Arrivals that found no free process and a full backlog.
    pub not_issued: u64,
    /// Seconds under load.
    pub seconds: f64,
    /// How often each fault came up, and bit.
    pub faults: Vec<FaultTally>,
    /// How often another node, or the same in a new ballot, came to lead.
    pub leader_changes: u64,
    /// Who was held where it was, if the run was stopped by a violation.
    pub frozen: Option<String>,
    /// Where its faults struck.
    pub reached: Territory,
    /// Latencies per operation type.
    pub latencies: Vec<Quantiles>,
    /// Whether latencies count from the intended start.
    pub open_loop: bool,
    /// Where everything is.
    pub folder: String,
    /// How to repeat the plan.
    pub repeat: String,
}

impl Summary {
    /// The text, ending with the verdict's line.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "{}\n", self.title)?;
        for part in &self.verdict.parts {
            writeln!(out, "  {:<9} {:<8} {}", part.subject, part.answer, part.reason)?;
            if part.answer != Answer::Valid {
                for line in part.details.iter().flat_map(|detail| detail.lines()).take(DETAILS_MAX) {
                    writeln!(out, "    | {line}")?;
                }
            }
        }
        writeln!(out)?;
        let Counts { asked, ok, failed, unknown } = self.ops;
        let rate = if self.seconds > 0.0 { ok as f64 / self.seconds } else { 0.0 };
        write!(
            out,
            "  ops       {asked} asked: {ok} ok, {failed} failed, {} unknown",
            unknown + self.ops.open()
        )?;
        write!(out, " ({rate:.0} ok/s)")?;
        if self.not_issued > 0 {
            write!(out, "; {} more were due but found no free process", self.not_issued)?;
        }
        writeln!(out)?;
        writeln!(out, "  leaders   {} changes", self.leader_changes)?;
        if let Some(frozen) = &self.frozen {
            writeln!(out, "  frozen    {frozen}")?;
        }
        self.write_faults(out)?;
        out.write_str(&reached::table(&self.reached))?;
        self.write_latencies(out)?;
        writeln!(out, "\n  folder    {}", self.folder)?;
        writeln!(out, "  repeat    {}", self.repeat)?;
        writeln!(out, "{}", self.verdict.last_line())
    }

    fn write_faults(&self, out: &mut String) -> std::fmt::Result {
        if self.faults.is_empty() {
            return writeln!(out, "  faults    none were asked for");
        }
        let cells: Vec<String> = self
            .faults
            .iter()
            .map(|tally| format!("{} {}/{}", tally.fault, tally.bit, tally.drawn))
            .collect();
        for (number, line) in cells.chunks(4).enumerate() {
            let label = if number == 0 { "faults" } else { "" };
            writeln!(out, "  {label:<9} {}", line.join("  "))?;
        }
        writeln!(out, "            (bit/drawn)")
    }

    fn write_latencies(&self, out: &mut String) -> std::fmt::Result {
        if self.latencies.is_empty() {
            return Ok(());
        }
        let from = if self.open_loop { "from the intended start" } else { "from the invocation" };
        writeln!(out, "  latency   ms, {from}")?;
        writeln!(
            out,
            "            {:<8} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "op", "count", "p50", "p90", "p99", "max"
        )?;
        let ms = |us: u64| format!("{:.1}", us as f64 / 1_000.0);
        for q in &self.latencies {
            writeln!(
                out,
                "            {:<8} {:>9} {:>9} {:>9} {:>9} {:>9}",
                q.f,
                q.count,
                ms(q.us_p50),
                ms(q.us_p90),
                ms(q.us_p99),
                ms(q.us_max)
            )?;
        }
        Ok(())
    }
}
