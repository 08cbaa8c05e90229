//! Makes a failing schedule small: fewer faults, fewer steps, less time, fewer nodes and clients.
//!
//! Pure but for the [`Oracle`], who says whether a smaller schedule still fails. What it says is a
//! matter of chance: a smaller schedule is another run, and processes race. So an oracle tries several
//! times and answers by the rate; see [`rate`](crate::rate).
//!
//! Passes, from the greatest saving to the smallest, again and again until none of them helps or the
//! patience is over: whole faults are left out (delta debugging: halves, quarters, … single ones), then
//! steps, then what message-lossy faults do is exchanged for what TCP can show, then the cluster and its
//! load get smaller, then waiting times and lengths.

mod candidates;
mod ddmin;

use crate::schedule::{NetworkModel, Schedule, Start};

/// Says whether a schedule still fails in the way in question.
pub trait Oracle {
    /// `None`: the patience is over.
    fn fails(&mut self, schedule: &Schedule) -> Option<bool>;
}

/// What shrinking came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Shrunk {
    /// The smallest that still fails.
    pub schedule: Schedule,
    /// How many others were tried.
    pub tried: u64,
    /// How many of them still failed, each smaller than the one before.
    pub steps: Vec<String>,
    /// Whether nothing smaller was left to try, and not just no patience.
    pub complete: bool,
}

/// Shrinks a schedule that fails: one that a run wrote down, of single faults.
pub fn shrink(schedule: &Schedule, oracle: &mut dyn Oracle) -> Shrunk {
    let mut search = Search { best: schedule.clone(), oracle, tried: 0, steps: Vec::new() };
    let mut complete = false;
    while let Some(helped) = search.round() {
        if !helped {
            complete = true;
            break;
        }
    }
    let Search { mut best, tried, steps, .. } = search;
    if candidates::is_tcp_legal(&best) {
        best.model = NetworkModel::TcpLegal;
    }
    Shrunk { schedule: best, tried, steps, complete }
}

struct Search<'a> {
    best: Schedule,
    oracle: &'a mut dyn Oracle,
    tried: u64,
    steps: Vec<String>,
}

impl Search<'_> {
    /// All passes once; whether any of them helped, or `None` if the patience is over.
    fn round(&mut self) -> Option<bool> {
        let mut helped = self.leave_out_faults()?;
        for pass in candidates::PASSES {
            helped |= self.each(pass)?;
        }
        Some(helped)
    }

    /// Fewer faults, by delta debugging.
    fn leave_out_faults(&mut self) -> Option<bool> {
        let before = count(&self.best);
        let places: Vec<(usize, usize)> = self
            .best
            .phases
            .iter()
            .enumerate()
            .flat_map(|(phase, of)| (0..of.faults.len()).map(move |fault| (phase, fault)))
            .collect();
        let whole = self.best.clone();
        let kept =
            ddmin::minimise(places, |kept| self.try_one(candidates::only(&whole, kept), "fewer faults"))?;
        debug_assert_eq!(count(&self.best), kept.len());
        Some(count(&self.best) < before)
    }

    /// Goes through all that one pass proposes; what helps is kept, and the pass asked again.
    fn each(&mut self, pass: &candidates::Pass) -> Option<bool> {
        let mut helped = false;
        let mut at = 0;
        while let Some(smaller) = (pass.propose)(&self.best, at) {
            let fails = smaller.map(|smaller| self.try_one(smaller, pass.name));
            match fails {
                Some(fails) if fails? => helped = true,
                // The same place may get smaller still; else on to the next.
                _ => at += 1,
            }
        }
        Some(helped)
    }

    /// Whether this still fails; then it is the best so far.
    fn try_one(&mut self, smaller: Schedule, how: &str) -> Option<bool> {
        self.tried += 1;
        let fails = self.oracle.fails(&smaller)?;
        if fails {
            self.steps.push(format!("{how}: {}", sizes(&smaller)));
            self.best = smaller;
        }
        Some(fails)
    }
}

/// How many faults there are.
pub fn count(schedule: &Schedule) -> usize {
    schedule.phases.iter().map(|phase| phase.faults.len()).sum()
}

/// How large a schedule is, in words.
pub fn sizes(schedule: &Schedule) -> String {
    let faults = || schedule.phases.iter().flat_map(|phase| &phase.faults);
    let steps: usize = faults().map(|fault| fault.body.steps.len()).sum();
    let seconds: f64 = schedule.phases.iter().map(|phase| phase.lasts.as_secs_f64()).sum();
    let waiting = faults().filter(|fault| matches!(fault.start, Start::When(_))).count();
    let mut words = format!("{} faults, {steps} steps, {seconds:.1} s", faults().count());
    if let Some(nodes) = schedule.nodes {
        words += &format!(", {nodes} nodes");
    }
    if waiting > 0 {
        words += &format!(", {waiting} waiting for an event");
    }
    words
}
