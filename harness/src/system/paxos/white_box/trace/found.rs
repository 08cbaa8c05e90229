//! What contradicts which rule, in sentences; of one rule only the first few in full.

use super::super::Findings;
use crate::system::WhiteBoxReport;
use paxos_node::paxos::NodeId;
use std::collections::BTreeMap;

/// Of one rule, findings told in full: one bug shows everywhere, and the first are the cause.
pub const FINDINGS_PER_RULE_MAX: usize = 4;

/// A rule that traces are held to. See [`super`].
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Debug)]
pub enum Rule {
    /// 1.
    OnlyProposed,
    /// 2.
    OneValuePerSlot,
    /// 3.
    LearntIsChosen,
    /// 4.
    OneValuePerBallot,
    /// 5.
    HighestReported,
    /// 6.
    NeverBelowPromise,
    /// 7.
    DiskBeforeAck,
    /// 8.
    GapFreePrefix,
    /// 9.
    EqualStates,
    /// 10.
    FreshBallot,
    /// 11.
    PromiseTellsAll,
    /// 12.
    NothingForgotten,
    /// 13.
    AnsweredIsChosen,
    /// 14.
    ReadSeesChosen,
    /// 15.
    ToldIsDeposed,
    /// 16.
    OneSuccession,
}

impl Rule {
    /// Its name, as findings say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Rule::OnlyProposed => "only what was proposed",
            Rule::OneValuePerSlot => "one value per slot",
            Rule::LearntIsChosen => "learnt is chosen",
            Rule::OneValuePerBallot => "one value per ballot",
            Rule::HighestReported => "highest ballot reported",
            Rule::NeverBelowPromise => "never below the promise",
            Rule::DiskBeforeAck => "disk before ACK",
            Rule::GapFreePrefix => "gap-free prefix",
            Rule::EqualStates => "equal states",
            Rule::FreshBallot => "fresh ballots",
            Rule::PromiseTellsAll => "a promise tells all",
            Rule::NothingForgotten => "nothing forgotten",
            Rule::AnsweredIsChosen => "answered is chosen",
            Rule::ReadSeesChosen => "a read sees what is chosen",
            Rule::ToldIsDeposed => "who is told of a higher ballot leads no more",
            Rule::OneSuccession => "one succession of configurations",
        }
    }
}

/// A turn of a node.
#[derive(Copy, Clone, Debug)]
pub(super) struct At {
    pub(super) node: NodeId,
    /// Where in its trace.
    pub(super) offset: u64,
    pub(super) began_ns: u64,
    pub(super) written_ns: u64,
}

/// What was found so far.
pub(super) struct Found {
    /// When the first node began.
    epoch_ns: u64,
    broken: BTreeMap<Rule, Told>,
    rest: Findings,
}

#[derive(Default)]
struct Told {
    words: Vec<String>,
    more: usize,
}

impl Found {
    pub(super) fn new(epoch_ns: Option<u64>) -> Found {
        Found { epoch_ns: epoch_ns.unwrap_or_default(), broken: BTreeMap::new(), rest: Findings::default() }
    }

    /// A rule is broken; `words` go on from "n2 (byte 64, 0.012 s)".
    pub(super) fn broken(&mut self, rule: Rule, at: At, words: &str) {
        let told = self.broken.entry(rule).or_default();
        if told.words.len() == FINDINGS_PER_RULE_MAX {
            told.more += 1;
            return;
        }
        let seconds = at.written_ns.saturating_sub(self.epoch_ns) as f64 / 1e9;
        let (name, node, offset) = (rule.name(), at.node, at.offset);
        told.words.push(format!("trace: {name}: {node} at {seconds:.3} s (byte {offset}) {words}"));
    }

    /// Something could not be examined.
    pub(super) fn unknown(&mut self, words: String) {
        self.rest.unknown(words);
    }

    pub(super) fn examined(&mut self, what: &str, count: usize) {
        self.rest.examined(what, count);
    }

    pub(super) fn report(self) -> WhiteBoxReport {
        let mut report = self.rest.report();
        for (rule, told) in self.broken {
            report.violations.extend(told.words);
            if told.more > 0 {
                let (name, more) = (rule.name(), told.more);
                report.violations.push(format!("trace: {name}: and {more} more like these"));
            }
        }
        report.examined.retain(|_, count| *count > 0);
        report
    }
}
