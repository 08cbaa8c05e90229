//! The verdict of a run, in its parts, and their fold for the exit code.
//!
//! Every part is told separately with its reason: a run that is unsafe and one that is merely
//! untested must never look alike. The fold is the least that can be said in one number:
//! invalid beats unknown beats valid.

use std::fmt;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

/// Exit code of `antipaxos` when it was called wrongly.
pub const USAGE: u8 = 254;
/// Exit code of `antipaxos` when the harness itself failed.
pub const HARNESS_FAILED: u8 = 255;

/// The answer to one question, or to all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Looked for, and not found wanting.
    Valid,
    /// Could not be told.
    Unknown,
    /// Wrong, with evidence.
    Invalid,
}

impl Answer {
    /// The exit code of `antipaxos`.
    pub fn code(self) -> u8 {
        match self {
            Answer::Valid => 0,
            Answer::Invalid => 1,
            Answer::Unknown => 2,
        }
    }

    /// The same, for `main`.
    pub fn exit_code(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Answer::Valid => "valid",
            Answer::Unknown => "unknown",
            Answer::Invalid => "invalid",
        })
    }
}

/// What a part of the verdict looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// Black box: the history of what the clients saw, against the workload's models.
    History,
    /// White box: no node died on its own, and the nodes' logs agree with each other and with
    /// what was acknowledged.
    Nodes,
    /// After the faults, the cluster elects and answers again.
    Liveness,
    /// The faults asked for did bite, and enough was asked meanwhile.
    Coverage,
    /// The harness did its own work: nothing interrupted, starved or lost.
    Harness,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Subject::History => "history",
            Subject::Nodes => "nodes",
            Subject::Liveness => "liveness",
            Subject::Coverage => "coverage",
            Subject::Harness => "harness",
        })
    }
}

/// One part of a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What was looked at.
    pub subject: Subject,
    /// What came out.
    pub answer: Answer,
    /// Why, in one line.
    pub reason: String,
    /// The evidence, for people: a witness, last words, what is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

impl Part {
    /// A part without evidence beyond its reason.
    pub fn new(subject: Subject, answer: Answer, reason: impl Into<String>) -> Part {
        Part { subject, answer, reason: reason.into(), details: Vec::new() }
    }

    /// The same part with its evidence.
    pub fn with_details(mut self, details: Vec<String>) -> Part {
        self.details = details;
        self
    }
}

/// All parts, and their fold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunVerdict {
    /// Invalid if any part is, else unknown if any part is, else valid.
    pub verdict: Answer,
    /// The exit code that says so.
    pub exit: u8,
    /// In the order of [`Subject`].
    pub parts: Vec<Part>,
}

impl RunVerdict {
    /// Folds the parts. A verdict over nothing is unknown, not valid.
    pub fn fold(mut parts: Vec<Part>) -> RunVerdict {
        parts.sort_by_key(|part| part.subject);
        let verdict = parts.iter().map(|part| part.answer).max().unwrap_or(Answer::Unknown);
        RunVerdict { verdict, exit: verdict.code(), parts }
    }

    /// The same verdict of a harness that failed itself: its exit code says so, unless something
    /// invalid was found all the same.
    pub fn of_broken_harness(mut self) -> RunVerdict {
        if self.verdict != Answer::Invalid {
            self.exit = HARNESS_FAILED;
        }
        self
    }

    /// The same verdict of a run whose results could not be kept: a harness that failed.
    pub fn of_lost_results(mut self, reason: &str) -> RunVerdict {
        self.parts.retain(|part| part.subject != Subject::Harness);
        let reason = format!("the results could not be kept: {reason}");
        self.parts.push(Part::new(Subject::Harness, Answer::Unknown, reason));
        RunVerdict::fold(self.parts).of_broken_harness()
    }

    /// The part about this subject, if it was looked at.
    pub fn part(&self, subject: Subject) -> Option<&Part> {
        self.parts.iter().find(|part| part.subject == subject)
    }

    /// Why it came out as it did: the first part that says so, in a line.
    pub fn told(&self) -> String {
        let decides = self.parts.iter().find(|part| part.answer == self.verdict);
        decides.map(|part| format!("{}: {}", part.subject, part.reason)).unwrap_or_default()
    }

    /// The last line of every report.
    pub fn last_line(&self) -> String {
        format!("verdict: {} (exit {})", self.verdict, self.exit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(answers: &[Answer]) -> RunVerdict {
        let subjects = [Subject::Harness, Subject::History, Subject::Coverage];
        RunVerdict::fold(
            answers
                .iter()
                .zip(subjects)
                .map(|(&answer, subject)| Part::new(subject, answer, "because"))
                .collect(),
        )
    }

    #[test]
    fn invalid_beats_unknown_beats_valid() {
        use Answer::*;
        for (answers, verdict, exit) in [
            (&[Valid, Valid][..], Valid, 0),
            (&[Valid, Unknown], Unknown, 2),
            (&[Unknown, Invalid, Valid], Invalid, 1),
            (&[Invalid, Unknown], Invalid, 1),
            (&[], Unknown, 2),
        ] {
            let folded = folded(answers);
            assert_eq!((folded.verdict, folded.exit), (verdict, exit), "{answers:?}");
        }
    }

    #[test]
    fn lost_results_are_a_failure_of_the_harness_unless_something_was_found() {
        let lost = folded(&[Answer::Valid, Answer::Valid]).of_lost_results("disk full");
        assert_eq!(lost.last_line(), "verdict: unknown (exit 255)");
        assert_eq!(lost.part(Subject::Harness).map(|part| part.answer), Some(Answer::Unknown));
        let lost = folded(&[Answer::Valid, Answer::Invalid]).of_lost_results("disk full");
        assert_eq!(lost.last_line(), "verdict: invalid (exit 1)");
    }

    #[test]
    fn parts_are_told_in_one_order_and_the_last_line_is_exact() {
        let verdict = folded(&[Answer::Valid, Answer::Invalid, Answer::Unknown]);
        let subjects: Vec<_> = verdict.parts.iter().map(|part| part.subject).collect();
        assert_eq!(subjects, [Subject::History, Subject::Coverage, Subject::Harness]);
        assert_eq!(verdict.last_line(), "verdict: invalid (exit 1)");
    }
}
