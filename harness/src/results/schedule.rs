//! The plan as it came out: concrete actions and times, one TOML table each.
//!
//! What a seed decides is the plan; what the cluster did with it decides targets such as "the
//! leader". This file holds both, resolved, in the order in which they were done.

use std::fmt::Write as _;

use crate::nemesis::report::{FaultReport, Outcome};

/// Renders `schedule.resolved.toml`.
pub fn render(seed: u64, nodes: usize, reports: &[FaultReport]) -> String {
    let mut text = String::from(
        "# The faults of this run as they were done: concrete targets, times since the run started.\n",
    );
    // Writing to a string does not fail.
    let _ = writeln!(text, "schema = 1\nnodes = {nodes}\nseed = {seed}");
    for report in reports {
        let (outcome, reason) = match &report.outcome {
            Outcome::Installed => ("installed", None),
            Outcome::Skipped(reason) => ("skipped", Some(reason)),
            Outcome::Indeterminate(reason) => ("indeterminate", Some(reason)),
        };
        let _ = writeln!(text, "\n[[fault]]\nnumber = {}\nfault = {}", report.number, quoted(&report.fault));
        let _ = writeln!(text, "do = {}", quoted(&report.words()));
        let _ = writeln!(text, "at = {}\nuntil = {}", seconds(report.start_ns), seconds(report.end_ns));
        let _ = writeln!(text, "outcome = {}", quoted(outcome));
        if let Some(reason) = reason {
            let _ = writeln!(text, "reason = {}", quoted(reason));
        }
        let _ = writeln!(text, "bit = {}", report.bit);
    }
    text
}

fn seconds(ns: u64) -> String {
    format!("\"{}.{:03}s\"", ns / 1_000_000_000, ns / 1_000_000 % 1_000)
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_a_table_with_its_times() {
        let mut report = FaultReport::skipped(3, "kill:leader", "said \"no\"\n".to_owned(), 1_234_567_890);
        report.end_ns = 2_000_000_000;
        let text = render(42, 5, &[report]);
        let table = text.split_once("\n\n").expect("a table").1;
        assert_eq!(
            table,
            "[[fault]]\nnumber = 3\nfault = \"kill:leader\"\ndo = \"nothing\"\nat = \"1.234s\"\nuntil = \"2.000s\"\n\
             outcome = \"skipped\"\nreason = \"said \\\"no\\\"\\n\"\nbit = false\n"
        );
    }
}
