//! Session guarantees (Terry et al. 1994) on registers whose values are written once.
//!
//! | guarantee | a process that did | and then | puts the first value |
//! |---|---|---|---|
//! | read-your-writes | `write v` | `read w` | before w |
//! | monotonic-reads | `read v` | `read w` | before w |
//! | monotonic-writes | `write v` | `write w` | before w |
//! | writes-follow-reads | `read v` | `write w` | before w |
//!
//! Nil is before every value. A guarantee is broken exactly if these orders, of all processes, go in a
//! circle: then no order of the versions keeps it. All four together are causal consistency for one
//! register.
//!
//! | found | verdict |
//! |---|---|
//! | a circle | invalid, with the guarantees that it needs |
//! | a value that nobody wrote, or whose write failed | invalid |
//! | a value written twice, or nil written | unknown |
//! | no read | unknown |

use std::collections::VecDeque;

use super::{Finding, count, judge};
use crate::budget::{Budget, Meter};
use crate::check::Check;
use crate::explain::witness::{Anomaly, Argument};
use crate::explain::words;
use crate::hash::Table;
use crate::history::History;
use crate::history::pair::Outcome;
use crate::history::values::ValueId;
use crate::linearizability::partition::Part;
use crate::verdict::Report;

/// What a session can be promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarantee {
    /// A process sees what it wrote, or later.
    ReadYourWrites,
    /// A process never sees an older version than before.
    MonotonicReads,
    /// Writes of a process take effect in their order.
    MonotonicWrites,
    /// A write takes effect after what its process had read.
    WritesFollowReads,
}

/// The session guarantees, all or some.
#[derive(Clone, Debug)]
pub struct Sessions {
    guarantees: Vec<Guarantee>,
}

impl Default for Sessions {
    /// All four.
    fn default() -> Self {
        use Guarantee as G;
        Self::of([G::ReadYourWrites, G::MonotonicReads, G::MonotonicWrites, G::WritesFollowReads])
    }
}

impl Guarantee {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Guarantee::ReadYourWrites => "read-your-writes",
            Guarantee::MonotonicReads => "monotonic-reads",
            Guarantee::MonotonicWrites => "monotonic-writes",
            Guarantee::WritesFollowReads => "writes-follow-reads",
        }
    }
}

impl Sessions {
    /// Only these.
    pub fn of(guarantees: impl IntoIterator<Item = Guarantee>) -> Self {
        Self { guarantees: guarantees.into_iter().collect() }
    }
}

impl Check for Sessions {
    fn name(&self) -> &str {
        "sessions"
    }

    fn check(&self, history: &History, budget: &Budget) -> Report {
        judge(self.name(), "session order", history, budget, |part, meter, note| {
            match self.look(part, meter, note) {
                Ok(Some(argument)) => Finding::Wrong(argument),
                Ok(None) => Finding::Fine,
                Err(finding) => finding,
            }
        })
    }
}

/// One version before another, as a process saw it by two calls.
#[derive(Clone, Copy, Debug)]
struct Before {
    from: u32,
    to: u32,
    calls: (usize, usize),
    guarantee: Guarantee,
}

#[derive(Default)]
struct Versions {
    number: Table<ValueId, u32>,
    writers: Vec<Option<(usize, Outcome)>>,
}

impl Versions {
    fn of(&mut self, value: ValueId) -> u32 {
        let next = self.writers.len() as u32;
        let number = *self.number.entry(value).or_insert(next);
        if number == next {
            self.writers.push(None);
        }
        number
    }
}

impl Sessions {
    fn look(&self, part: &Part<'_>, meter: &Meter, note: &mut String) -> Result<Option<Argument>, Finding> {
        let mut versions = Versions::default();
        let nil = versions.of(ValueId::NIL);
        for (number, call) in part.all().enumerate().filter(|(_, call)| call.f() == "write") {
            let value = call.argument_id().map_err(Finding::Unclear)?;
            let version = versions.of(value);
            let writer = &mut versions.writers[version as usize];
            if value == ValueId::NIL || writer.is_some() {
                let name = part.history.values().get(value);
                return Err(Finding::Unclear(format!("{name} is written more than once")));
            }
            *writer = Some((number, call.outcome()));
        }
        let (orders, reads) = match self.orders(part, &mut versions, nil) {
            Ok(orders) => orders,
            Err(argument) => return Ok(Some(*argument)),
        };
        *note = count(reads, "read");
        if reads == 0 {
            return Err(Finding::Unclear("nothing was read".to_owned()));
        }
        meter.check()?;
        let cycle = circle(versions.writers.len(), nil, &orders, meter)?;
        Ok(cycle.map(|cycle| argument(part, &cycle)))
    }

    /// What each process puts before what; or a read of what is no version.
    fn orders(
        &self,
        part: &Part<'_>,
        versions: &mut Versions,
        nil: u32,
    ) -> Result<(Vec<Before>, usize), Box<Argument>> {
        // Of each process the last version it read and the last it wrote, each with the call.
        let mut last: Table<u64, [Option<(u32, usize)>; 2]> = Table::default();
        let mut orders = Vec::new();
        let mut reads = 0;
        for (number, call, _) in part.possible() {
            let (version, wrote) = match (call.f(), call.result_id()) {
                ("write", _) => (versions.of(call.asked_id()), true),
                ("read", Some(value)) => (versions.of(value), false),
                _ => continue,
            };
            if !wrote {
                reads += 1;
                let value = || call.result().unwrap_or_default();
                match versions.writers[version as usize] {
                    None if version != nil => {
                        let summary =
                            format!("process {} read {}, which nobody wrote", call.process(), value());
                        let argument = Argument::new(Anomaly::NeverWritten, summary);
                        return Err(Box::new(argument.failing(number, "the read")));
                    }
                    Some((write, Outcome::Failed)) => {
                        let summary =
                            format!("process {} read {}, whose write failed", call.process(), value());
                        let argument = Argument::new(Anomaly::FailedWriteSeen, summary).with(write, "failed");
                        return Err(Box::new(argument.failing(number, "the read")));
                    }
                    _ => {}
                }
            }
            let before = last.entry(call.process()).or_default();
            for (place, (from, earlier)) in
                before.iter().enumerate().filter_map(|(place, seen)| Some((place, (*seen)?)))
            {
                let guarantee = match (place, wrote) {
                    (0, false) => Guarantee::MonotonicReads,
                    (0, true) => Guarantee::WritesFollowReads,
                    (_, false) => Guarantee::ReadYourWrites,
                    (_, true) => Guarantee::MonotonicWrites,
                };
                if from != version && self.guarantees.contains(&guarantee) {
                    orders.push(Before { from, to: version, calls: (earlier, number), guarantee });
                }
            }
            before[usize::from(wrote)] = Some((version, number));
        }
        Ok((orders, reads))
    }
}

/// A short circle of orders; nil comes before everything, so an order towards it is one by itself.
fn circle(
    versions: usize,
    nil: u32,
    orders: &[Before],
    meter: &Meter,
) -> Result<Option<Vec<Before>>, Finding> {
    if let Some(back) = orders.iter().find(|order| order.to == nil) {
        return Ok(Some(vec![*back]));
    }
    let mut out: Vec<Vec<u32>> = vec![Vec::new(); versions];
    let mut into = vec![0u32; versions];
    for (number, order) in (0u32..).zip(orders) {
        out[order.from as usize].push(number);
        into[order.to as usize] += 1;
    }
    // Whatever nothing is before is on no circle; take it away until nothing is left or all is.
    let mut free: Vec<u32> = (0..versions as u32).filter(|version| into[*version as usize] == 0).collect();
    let mut left = versions;
    while let Some(version) = free.pop() {
        left -= 1;
        for order in &out[version as usize] {
            let to = orders[*order as usize].to as usize;
            into[to] -= 1;
            if into[to] == 0 {
                free.push(to as u32);
            }
        }
    }
    if left == 0 {
        return Ok(None);
    }
    let mut best: Option<Vec<Before>> = None;
    // Circles through the first few of what is left: one of them is short enough.
    const STARTS_MAX: usize = 64;
    let starts = (0..versions).filter(|version| into[*version] > 0);
    for start in starts.take(STARTS_MAX) {
        meter.check()?;
        let found = back_to(start as u32, orders, &out);
        if let Some(found) = found
            && best.as_ref().is_none_or(|best| found.len() < best.len())
        {
            best = Some(found);
        }
    }
    // None of them may lie on a circle but only behind one: go back along what is left until one repeats.
    Ok(best.or_else(|| Some(behind(orders, &into))))
}

/// The shortest way from a version back to it.
fn back_to(start: u32, orders: &[Before], out: &[Vec<u32>]) -> Option<Vec<Before>> {
    let mut by: Vec<Option<u32>> = vec![None; out.len()];
    let mut queue = VecDeque::from([start]);
    while let Some(version) = queue.pop_front() {
        for number in &out[version as usize] {
            let to = orders[*number as usize].to;
            if by[to as usize].is_some() {
                continue;
            }
            by[to as usize] = Some(*number);
            if to == start {
                let mut way = Vec::new();
                let mut at = start;
                while let Some(number) = by[at as usize] {
                    let order = orders[number as usize];
                    way.push(order);
                    at = order.from;
                    if at == start {
                        break;
                    }
                }
                way.reverse();
                return Some(way);
            }
            queue.push_back(to);
        }
    }
    None
}

/// A circle found by going backwards from anything that is left: each has something before it.
fn behind(orders: &[Before], into: &[u32]) -> Vec<Before> {
    let mut into_of: Table<u32, usize> = Table::default();
    for (number, order) in orders.iter().enumerate() {
        if into[order.from as usize] > 0 && into[order.to as usize] > 0 {
            into_of.insert(order.to, number);
        }
    }
    let mut at = into.iter().position(|count| *count > 0).unwrap_or(0) as u32;
    let mut way: Vec<Before> = Vec::new();
    loop {
        if let Some(from) = way.iter().position(|order| order.to == at) {
            way.drain(..from);
            way.reverse();
            return way;
        }
        let Some(number) = into_of.get(&at) else { return way };
        way.push(orders[*number]);
        at = orders[*number].from;
    }
}

fn argument(part: &Part<'_>, cycle: &[Before]) -> Argument {
    let mut names: Vec<&str> = cycle.iter().map(|order| order.guarantee.name()).collect();
    names.sort_unstable();
    names.dedup();
    let stale = cycle.len() == 1;
    let (anomaly, summary) = match stale {
        true => (Anomaly::StaleRead, format!("nil again after a value: not {}", names.join(" and "))),
        false => (Anomaly::NoOrder, format!("no order of the versions keeps {}", names.join(" and "))),
    };
    let mut argument = Argument::new(anomaly, summary);
    for Before { calls: (first, second), guarantee, .. } in cycle {
        let (earlier, later) = (part.call(*first), part.call(*second));
        let value = |call: &crate::history::pair::Call<'_>| match call.f() {
            "read" => call.result().unwrap_or_default(),
            _ => call.asked(),
        };
        argument = argument
            .because(format!(
                "{}, and then {}: {} before {} ({})",
                words::did(&earlier),
                words::did(&later),
                value(&earlier),
                value(&later),
                guarantee.name()
            ))
            .with(*first, "before")
            .failing_unless_named(*second, "after");
    }
    argument
}
