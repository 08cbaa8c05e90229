//! What a check answers.

use std::fmt;

use crate::explain::witness::Witness;
use crate::history::History;
use crate::history::op::{OpType, Process, Value};
use crate::history::pair::OpCounts;

/// The answer to "is this history allowed?".
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase", tag = "verdict", content = "because")]
pub enum Verdict {
    /// It is.
    Valid,
    /// It is not, and this is why.
    Invalid(Witness),
    /// Nobody can tell, for this reason. Never to be taken for valid.
    Unknown(String),
}

impl Verdict {
    /// Whether it is [`Verdict::Valid`].
    pub fn is_valid(&self) -> bool {
        matches!(self, Verdict::Valid)
    }

    /// Whether it is [`Verdict::Invalid`].
    pub fn is_invalid(&self) -> bool {
        matches!(self, Verdict::Invalid(_))
    }

    /// Whether it is [`Verdict::Unknown`].
    pub fn is_unknown(&self) -> bool {
        matches!(self, Verdict::Unknown(_))
    }

    /// The one word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::Invalid(_) => "invalid",
            Verdict::Unknown(_) => "unknown",
        }
    }

    /// The exit code of a program that asked: 0 valid, 1 invalid, 2 unknown.
    pub fn exit_code(&self) -> u8 {
        match self {
            Verdict::Valid => 0,
            Verdict::Invalid(_) => 1,
            Verdict::Unknown(_) => 2,
        }
    }

    /// The verdict of both: invalid beats unknown beats valid; of two alike the first is kept.
    #[must_use]
    pub fn merge(self, other: Verdict) -> Verdict {
        let weight = |verdict: &Verdict| match verdict {
            Verdict::Valid => 0,
            Verdict::Unknown(_) => 1,
            Verdict::Invalid(_) => 2,
        };
        if weight(&other) > weight(&self) { other } else { self }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Valid => f.write_str("valid"),
            Verdict::Invalid(witness) => write!(f, "invalid: {witness}"),
            Verdict::Unknown(reason) => write!(f, "unknown: {reason}"),
        }
    }
}

/// A verdict alone, without why: what [`Check::decide`](crate::Check::decide) answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The history is allowed.
    Valid,
    /// It is not. [`Check::check`](crate::Check::check) tells why.
    Invalid,
    /// Nobody can tell, for this reason. Never to be taken for valid.
    Unknown(String),
}

impl Decision {
    /// The one word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Decision::Valid => "valid",
            Decision::Invalid => "invalid",
            Decision::Unknown(_) => "unknown",
        }
    }
}

impl From<Verdict> for Decision {
    /// The same without why.
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Valid => Decision::Valid,
            Verdict::Invalid(_) => Decision::Invalid,
            Verdict::Unknown(reason) => Decision::Unknown(reason),
        }
    }
}

/// A verdict and what it rests on.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Report {
    /// The check's name.
    pub check: String,
    /// The answer.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What decided it: the engines used, with how many keys each.
    pub engine: String,
    /// How many independent keys were judged.
    pub keys: u64,
    /// The keys found invalid, in the order of their first op. The verdict's witness is about the first.
    pub invalid_keys: Vec<Value>,
    /// How many keys could not be decided.
    pub unknown_keys: u64,
    /// Operations by outcome.
    pub ops: OpCounts,
}

impl Report {
    /// A report on keys that one engine found valid.
    pub(crate) fn valid(
        check: impl Into<String>,
        engine: impl Into<String>,
        keys: u64,
        ops: OpCounts,
    ) -> Self {
        Self {
            verdict: Verdict::Valid,
            engine: engine.into(),
            keys,
            ops,
            ..Self::unknown(check, String::new())
        }
    }

    /// A report that judged nothing, for this reason.
    pub fn unknown(check: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            verdict: Verdict::Unknown(reason.into()),
            engine: "none".into(),
            keys: 0,
            invalid_keys: Vec::new(),
            unknown_keys: 0,
            ops: OpCounts::default(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OpCounts { invoked, ok, failed, unknown } = self.ops;
        if invoked == 0 && self.keys == 0 {
            writeln!(f, "{}: {}", self.check, self.verdict.word())?;
        } else {
            writeln!(
                f,
                "{}: {} ({invoked} ops: {ok} ok, {failed} failed, {unknown} unknown; {} {}; {})",
                self.check,
                self.verdict.word(),
                self.keys,
                if self.keys == 1 { "key" } else { "keys" },
                self.engine
            )?;
        }
        match &self.verdict {
            Verdict::Valid => Ok(()),
            Verdict::Invalid(witness) => write!(f, "{witness}"),
            Verdict::Unknown(reason) => writeln!(f, "  {reason}"),
        }
    }
}

/// Counts without pairing: for a history that is not well-formed.
pub(crate) fn raw_counts(history: &History) -> OpCounts {
    let mut counts = OpCounts::default();
    let of_client = |position: &usize| matches!(history.process(*position), Process::Client(_));
    for position in (0..history.len()).filter(of_client) {
        match history.op_type(position) {
            OpType::Invoke => counts.invoked += 1,
            OpType::Ok => counts.ok += 1,
            OpType::Fail => counts.failed += 1,
            OpType::Info => counts.unknown += 1,
        }
    }
    counts
}
