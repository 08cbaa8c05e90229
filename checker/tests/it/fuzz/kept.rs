//! Histories that something once said the wrong thing of, with what is right. They are kept themselves: a seed means
//! another history once its generator draws otherwise.
//!
//! A disagreement of the fuzz is written down with its history in JSONL. To keep it, put that into a file under
//! `kept/` and add an entry here; both test binaries try it then.

/// A history and what is to be said of it.
pub(crate) struct Kept {
    /// What was wrong.
    pub(crate) name: &'static str,
    /// The check that judges it.
    pub(crate) check: &'static str,
    /// Its verdict in one word.
    pub(crate) said: &'static str,
    pub(crate) jsonl: &'static str,
}

pub(crate) const KEPT: &[Kept] = &[
    Kept {
        name: "where nobody was asked anything, all keys at once were found valid",
        check: "cas-register",
        said: "unknown",
        jsonl: include_str!("kept/no-calls.jsonl"),
    },
    Kept {
        name: "a write of unknown outcome of the value that is there was left out, but it can hide another write",
        check: "cas-register",
        said: "valid",
        jsonl: include_str!("kept/unknown-write-of-the-same-value.jsonl"),
    },
    Kept {
        name: "the same without it",
        check: "cas-register",
        said: "invalid",
        jsonl: include_str!("kept/no-write-hides-another.jsonl"),
    },
];
