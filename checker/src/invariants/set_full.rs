//! A set read again and again: what became of each element.
//!
//! An element is *known* from its add's acknowledgement, or from the first read that has it, whichever
//! is first. Of the reads that began later:
//!
//! | outcome | means | verdict |
//! |---|---|---|
//! | stable | from some time on every read has it | fine; *stale* if a read begun after it was known lacked it |
//! | lost | it was known, and from some time on no read has it | invalid |
//! | never read | nobody looked since it was known | fine, but if all are such: unknown |
//! | stale | see above | invalid if the set is to be linearizable, told otherwise |
//! | twice | one read has it twice | invalid |
//! | unexpected | it was never added, or its add failed, or had not begun | invalid |
//!
//! [`SetCheck`](crate::SetCheck) asks more: one order for the whole set. This one asks of each element
//! alone, so that a set that is late but loses nothing passes. Time is linear in the elements read.

use super::{Finding, elements, few, judge};
use crate::budget::{Budget, Meter};
use crate::check::Check;
use crate::explain::witness::{Anomaly, Argument};
use crate::explain::words;
use crate::hash::Table;
use crate::history::History;
use crate::history::pair::Outcome;
use crate::history::values::ValueId;
use crate::linearizability::partition::{NEVER, Part};
use crate::verdict::Report;

/// Jepsen's `set-full`: no element is lost or there twice.
#[derive(Clone, Debug, Default)]
pub struct SetFull {
    linearizable: bool,
}

impl SetFull {
    /// An element that a read lacks after it was known is invalid, too, even if it came later.
    #[must_use]
    pub fn linearizable(self) -> Self {
        Self { linearizable: true }
    }
}

impl Check for SetFull {
    fn name(&self) -> &str {
        if self.linearizable { "set-full (linearizable)" } else { "set-full" }
    }

    fn check(&self, history: &History, budget: &Budget) -> Report {
        judge(self.name(), "set-full", history, budget, |part, meter, note| {
            let set = match Elements::of(part, meter) {
                Ok(set) => set,
                Err(finding) => return finding,
            };
            set.judge(part, self.linearizable, note)
        })
    }
}

/// What is known about one element.
#[derive(Clone, Copy, Debug)]
struct Element {
    value: ValueId,
    /// Its add, the most certain of several.
    add: usize,
    /// When its first add that did not fail began.
    asked: u32,
    /// Position from which it was known, and by which call.
    known: Option<(u32, usize)>,
    /// The last read to begin that has it, and the last that lacks it: beginning and call.
    present: Option<(u32, usize)>,
    absent: Option<(u32, usize)>,
}

struct Elements {
    elements: Vec<Element>,
    /// What is wrong whatever became of each: a read, an element, and why.
    wrong: Option<Argument>,
}

fn wrong(read: usize, anomaly: Anomaly, summary: String) -> Argument {
    Argument::new(anomaly, summary).failing(read, "the read")
}

impl Elements {
    fn of(part: &Part<'_>, meter: &Meter) -> Result<Self, Finding> {
        let mut place: Table<ValueId, u32> = Table::default();
        let mut all: Vec<Element> = Vec::new();
        for (number, (call, span)) in part.spanned().enumerate() {
            if call.f() != "add" {
                continue;
            }
            let value = call.argument_id().map_err(Finding::Unclear)?;
            let new = all.len() as u32;
            let at = *place.entry(value).or_insert(new) as usize;
            if at == all.len() {
                let (known, present, absent) = (None, None, None);
                all.push(Element { value, add: number, asked: NEVER, known, present, absent });
            }
            let element = &mut all[at];
            if call.outcome() != Outcome::Failed {
                element.asked = element.asked.min(span.start);
            }
            if call.outcome() == Outcome::Ok && element.known.is_none_or(|(known, _)| span.end < known) {
                (element.known, element.add) = (Some((span.end, number)), number);
            }
        }
        let mut reads = Vec::new();
        for (number, call, span) in part.possible() {
            if call.f() == "read"
                && let Some(result) = call.result_id()
            {
                let elements = elements(part.history, result).ok_or_else(|| {
                    Finding::Unclear(format!("the read of op {} answers no set", call.invoke_index()))
                })?;
                reads.push((span, number, elements));
            }
        }
        let mut set = Self { elements: all, wrong: None };
        set.look(part, &place, &reads, meter)?;
        Ok(set)
    }

    /// Goes through the reads from the last to begin to the first.
    #[allow(clippy::type_complexity, reason = "reads: their span, call and elements")]
    fn look(
        &mut self,
        part: &Part<'_>,
        place: &Table<ValueId, u32>,
        reads: &[(crate::linearizability::partition::Span, usize, &[ValueId])],
        meter: &Meter,
    ) -> Result<(), Finding> {
        // Elements that all reads so far had; each read removes those that it lacks.
        let mut always: Vec<u32> = (0..self.elements.len() as u32).collect();
        // In which read an element was met last.
        let mut met = vec![0u32; self.elements.len()];
        for (round, (span, number, read)) in (1u32..).zip(reads.iter().rev()) {
            if round % 64 == 0 {
                meter.check()?;
            }
            for value in *read {
                let name = || part.history.values().get(*value);
                let Some(at) = place.get(value).map(|at| *at as usize) else {
                    let summary = format!("nobody ever asked to add {}", name());
                    self.wrong = Some(wrong(*number, Anomaly::NeverWritten, summary));
                    continue;
                };
                let element = &mut self.elements[at];
                if met[at] == round {
                    let summary = format!("one read has {} twice", name());
                    self.wrong = Some(wrong(*number, Anomaly::Duplicate, summary));
                }
                met[at] = round;
                if element.asked > span.end {
                    let (anomaly, what) = match element.asked {
                        NEVER => (Anomaly::FailedWriteSeen, "failed"),
                        _ => (Anomaly::ReadFromFuture, "had not begun"),
                    };
                    let summary = format!("a read has {}, whose add {what}", name());
                    self.wrong = Some(wrong(*number, anomaly, summary).with(element.add, "its add"));
                }
                element.present = element.present.or(Some((span.start, *number)));
                if element.known.is_none_or(|(known, _)| span.end < known) {
                    element.known = Some((span.end, *number));
                }
            }
            always.retain(|at| {
                let has = met[*at as usize] == round;
                if !has {
                    self.elements[*at as usize].absent = Some((span.start, *number));
                }
                has
            });
        }
        Ok(())
    }

    fn judge(self, part: &Part<'_>, linearizable: bool, note: &mut String) -> Finding {
        let (mut lost, mut stale): (Vec<Element>, Vec<Element>) = (Vec::new(), Vec::new());
        let mut stable = 0;
        let mut latencies_ms: Vec<u64> = Vec::new();
        for element in &self.elements {
            let begun = |read: Option<(u32, usize)>| read.map_or(0, |(begun, _)| begun);
            let known = element.known.map_or(NEVER, |(known, _)| known);
            if begun(element.present) > begun(element.absent) {
                stable += 1;
                let late = known < begun(element.absent);
                latencies_ms.push(if late { latency_ms(part, element) } else { 0 });
                if late {
                    stale.push(*element);
                }
            } else if known < begun(element.absent) {
                lost.push(*element);
            }
        }
        latencies_ms.sort_unstable();
        let never_read = self.elements.len() - stable - lost.len();
        *note = format!(
            "{} elements: {stable} stable, {} stale, {} lost, {never_read} never read since they were known",
            self.elements.len(),
            stale.len(),
            lost.len()
        );
        let quantile = |percent: usize| {
            latencies_ms.get((latencies_ms.len() * percent / 100).min(latencies_ms.len() - 1))
        };
        if !latencies_ms.is_empty() {
            let shown = [0, 50, 95, 99, 100].map(|percent| quantile(percent).map_or(0, |ms| *ms).to_string());
            *note += &format!("; stable after {} ms (least, median, 95 %, 99 %, most)", shown.join(", "));
        }
        if let Some(argument) = self.wrong {
            return Finding::Wrong(argument);
        }
        if let Some(argument) = missing(part, &lost, "lost") {
            return Finding::Wrong(argument);
        }
        match missing(part, &stale, "stale").filter(|_| linearizable) {
            Some(argument) => Finding::Wrong(argument),
            None if stable == 0 => {
                Finding::Unclear("no element was read since it was known, so nothing is shown".to_owned())
            }
            None => Finding::Fine,
        }
    }
}

/// From when it was known to when the last read began that lacked it.
fn latency_ms(part: &Part<'_>, element: &Element) -> u64 {
    let (Some((_, known)), Some((_, absent))) = (element.known, element.absent) else { return 0 };
    let known_ns = part.call(known).end_ns().unwrap_or(0);
    part.call(absent).start_ns().saturating_sub(known_ns) / 1_000_000
}

fn missing(part: &Part<'_>, elements: &[Element], how: &str) -> Option<Argument> {
    let first = elements.iter().min_by_key(|element| element.absent)?;
    let ((_, known), (_, absent)) = (first.known?, first.absent?);
    let values: Vec<ValueId> = elements.iter().map(|element| element.value).collect();
    let name = part.history.values().get(first.value);
    let (anomaly, then) = match how {
        "lost" => (Anomaly::LostUpdate, "and no later read has it"),
        _ => (Anomaly::StaleRead, "though a later read has it"),
    };
    let argument = Argument::new(anomaly, format!("{how}: {}", few(part.history, &values)))
        .because(format!(
            "{name} was known {}, by process {}.",
            words::ended(&part.call(known)),
            part.call(known).process()
        ))
        .because(format!("The read of process {} lacks it, {then}.", part.call(absent).process()))
        .with(first.add, "its add")
        .with(known, "from here on it was known")
        .failing(absent, "lacks it");
    Some(match first.present {
        Some((_, present)) if how != "lost" => argument.with(present, "has it"),
        Some((_, present)) => argument.with(present, "the last to have it"),
        None => argument,
    })
}
