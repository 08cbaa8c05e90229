//! Single faults: `[[fault]]` and `[[phase.fault]]`.

use std::ops::Range;
use std::time::Duration;

use super::Reader;
use super::references::Sort;
use super::table::Table;
use crate::schedule::limits::{DURATION_MAX, EVERY_MIN};
use crate::schedule::words::{GUARDS, Time};
use crate::schedule::{Body, Fault, Lasts, Span, Start, What};

impl<'a> Reader<'a> {
    /// One fault of a phase that lasts so long.
    pub(super) fn fault(&mut self, mut table: Table<'a>, phase: Duration) -> Option<Fault> {
        let declared = self.declare(Sort::Fault, table.span.clone());
        let named = self.id(&mut table);
        let start = self.start(&mut table);
        let guard = self.word(&mut table, "guard", GUARDS).unwrap_or_default();
        let required = self.boolean(&mut table, "required", true);
        let times_max = self.times_max(&mut table, &start);
        let refused = self.refused();
        let body = self.body(&mut table, Sort::Fault);
        let id = self.call_or_infer(declared, named, body.as_ref(), refused);
        if let Some(body) = &body {
            self.check_guard(body, guard, &table);
            if matches!(start, Start::Every(_)) && body.lasts == Lasts::Phase {
                let what = "what lasts until its phase ends can't come again".to_owned();
                self.refuse_with(
                    table.key_span("every"),
                    what,
                    vec!["say how long it lasts: `for`".to_owned()],
                );
            }
            self.check_fits(&start, body, required, phase, &table);
        }
        table.finish(self);
        Some(Fault { id, start, times_max, body: body?, guard, required })
    }

    /// The id that was given, if it can be one; an empty one if it can't.
    pub(super) fn id(&mut self, table: &mut Table<'a>) -> Option<(String, Range<usize>)> {
        let span = table.get("id")?.span();
        Some(self.name(table, "id").map_or((String::new(), span), |(id, span)| (id.to_owned(), span)))
    }

    /// Gives a fault the id that was given, or the one that follows from what it does; none if what it
    /// does was refused, for then it may be called anything.
    pub(super) fn call_or_infer(
        &mut self,
        declared: usize,
        named: Option<(String, Range<usize>)>,
        body: Option<&Body>,
        refused_before: usize,
    ) -> String {
        let inferred = || body.filter(|_| self.refused() == refused_before).map(Body::usual_id);
        let id = named.as_ref().map(|(id, _)| id.clone()).or_else(inferred).unwrap_or_default();
        self.call(declared, &id, named.map(|(_, span)| span));
        id
    }

    fn start(&mut self, table: &mut Table<'a>) -> Start {
        let usual = Start::At(Span::ZERO);
        match table.present(&["at", "every", "when"])[..] {
            [] => usual,
            ["at"] => self.span(table, "at", DURATION_MAX).map_or(usual, Start::At),
            ["every"] => {
                let Some(span) = self.span(table, "every", DURATION_MAX) else { return usual };
                if span.min < EVERY_MIN {
                    let what = format!("`every` is {} at least", Time(EVERY_MIN));
                    self.refuse(table.key_span("every"), what);
                }
                Start::Every(span)
            }
            ["when"] => {
                let trigger = table.get("when").and_then(|value| self.trigger(value, "when"));
                trigger.map_or(usual, Start::When)
            }
            ref several => {
                let what = format!("a fault has one start, not `{}`", several.join("` and `"));
                self.refuse(table.key_span(several[1]), what);
                usual
            }
        }
    }

    /// `max = 3`, or `max = "any"`. What waits for something comes once if nothing else is said: a
    /// script is told once.
    fn times_max(&mut self, table: &mut Table<'a>, start: &Start) -> Option<u32> {
        let Some(value) = table.get("max") else {
            return matches!(start, Start::When(_)).then_some(1);
        };
        if value.get_ref().as_str() == Some("any") {
            return None;
        }
        if value.get_ref().as_integer().is_none() {
            let hint = "it must be a whole number from 1, or \"any\"".to_owned();
            self.refuse_with(value.span(), "`max` says how often a fault may come".to_owned(), vec![hint]);
            return None;
        }
        let max = self.integer_of(value, "max", 1..=1_000_000)?;
        if matches!(start, Start::At(_)) {
            let what = "what comes `at` a time comes once".to_owned();
            self.warn_with(
                table.key_span("max"),
                what,
                vec!["`max` goes with `every` and `when`".to_owned()],
            );
        }
        Some(max as u32)
    }

    /// Whether a fault can come before its phase ends, and be undone by then.
    fn check_fits(&mut self, start: &Start, body: &Body, required: bool, phase: Duration, table: &Table<'a>) {
        let (earliest, latest, key) = match start {
            Start::At(span) => (span.min, span.max, "at"),
            Start::Every(span) => (span.min, span.min, "every"),
            Start::When(trigger) => {
                let holds = match trigger.what {
                    What::Event { holds, .. } => holds,
                    What::Came | What::Message { .. } | What::OpsOk(_) => Duration::ZERO,
                };
                (holds + trigger.plus, holds + trigger.plus, "when")
            }
        };
        let (to_last, to_undoing) = self.takes(body);
        let ends = format!("its phase ends after {}", Time(phase));
        let place = table.key_span(key);
        if earliest + to_last >= phase {
            let what = format!("this is not done before {}, and {ends}", Time(earliest + to_last));
            if required {
                self.refuse(place, format!("{what}: it is required and never comes"));
            } else {
                self.warn_with(place, format!("{what}: it never comes"), Vec::new());
            }
        } else if earliest + to_undoing > phase {
            let what = format!("this takes until {} at least, and {ends}", Time(earliest + to_undoing));
            self.warn_with(table.key_span("for"), format!("{what}: it is cut short"), Vec::new());
        } else if latest + to_last >= phase {
            let what = format!("this may come as late as {}, and {ends}", Time(latest));
            self.warn_with(place, what, Vec::new());
        }
    }
}
