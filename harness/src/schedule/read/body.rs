//! What a fault or a choice does, and how long it lasts.

use std::time::Duration;

use super::Reader;
use super::references::Sort;
use super::table::Table;
use crate::schedule::limits::{DURATION_MAX, STEPS_MAX};
use crate::schedule::{ActionSpec, Body, Guard, Lasts, Span, Step, Target, Who};

impl<'a> Reader<'a> {
    /// `do` and its keys, or `steps`; and `for` or `until`. `None` if nothing to do is left.
    pub(super) fn body(&mut self, table: &mut Table<'a>, sort: Sort) -> Option<Body> {
        let what = table.what.clone();
        let steps = match table.present(&["do", "steps"])[..] {
            [_, _] => {
                let span = table.key_span("steps");
                self.refuse(span, format!("{what} has either `do` or `steps`"));
                let _ = self.action(table);
                Vec::new()
            }
            ["steps"] => self.steps(table),
            _ => {
                let action = self.action(table);
                action.map(|action| Step { after: Span::ZERO, action }).into_iter().collect()
            }
        };
        let momentary = !steps.is_empty() && steps.iter().all(|step| step.action.is_momentary());
        let lasts = self.lasts(table, sort, momentary);
        (!steps.is_empty()).then_some(Body { steps, lasts })
    }

    fn steps(&mut self, table: &mut Table<'a>) -> Vec<Step> {
        let refused = self.refused();
        let tables = self.tables(table, "steps", "a step");
        if tables.is_empty() && refused == self.refused() {
            self.refuse(table.key_span("steps"), "a fault must have a step at least".to_owned());
        }
        if tables.len() > STEPS_MAX {
            self.refuse(table.key_span("steps"), format!("a fault has at most {STEPS_MAX} steps"));
        }
        let mut steps = Vec::new();
        for mut step in tables.into_iter().take(STEPS_MAX) {
            let after = self.span(&mut step, "after", DURATION_MAX).unwrap_or(Span::ZERO);
            if let Some(action) = self.action(&mut step) {
                steps.push(Step { after, action });
            }
            step.finish(self);
        }
        steps
    }

    fn lasts(&mut self, table: &mut Table<'a>, sort: Sort, momentary: bool) -> Lasts {
        let usual = if momentary { Lasts::For(Span::ZERO) } else { Lasts::Phase };
        match table.present(&["for", "until"])[..] {
            [_, _] => {
                self.refuse(table.key_span("until"), "a fault lasts either `for` or `until`".to_owned());
                Lasts::For(Span::ZERO)
            }
            ["until"] => {
                self.starts = false;
                let trigger = table.get("until").and_then(|value| self.trigger(value, "until"));
                self.starts = true;
                trigger.map_or(Lasts::For(Span::ZERO), Lasts::Until)
            }
            ["for"] => self.lasts_for(table, sort, momentary).unwrap_or(Lasts::For(Span::ZERO)),
            _ if sort == Sort::Choice && !momentary => {
                let what = "a choice must say how long it lasts: `for` or `until`".to_owned();
                self.refuse_with(table.span.clone(), what, vec!["such as for = \"1s..3s\"".to_owned()]);
                Lasts::For(Span::ZERO)
            }
            _ => usual,
        }
    }

    fn lasts_for(&mut self, table: &mut Table<'a>, sort: Sort, momentary: bool) -> Option<Lasts> {
        let value = table.get("for")?;
        if value.get_ref().as_str() == Some("phase") {
            if sort == Sort::Choice {
                let what = "a choice can't last for the phase: others are to be drawn after it".to_owned();
                self.refuse(value.span(), what);
            }
            return Some(Lasts::Phase);
        }
        let span = self.span_of(value, "for", DURATION_MAX)?;
        if span.max.is_zero() && !momentary {
            self.refuse(value.span(), "a fault that lasts no time at all can't bite".to_owned());
        }
        Some(Lasts::For(span))
    }

    /// Refuses what its own guard would always skip.
    pub(super) fn check_guard(&mut self, body: &Body, guard: Guard, table: &Table<'a>) {
        if guard != Guard::KeepQuorum {
            return;
        }
        for step in &body.steps {
            if let ActionSpec::Kill(target) | ActionSpec::Wipe(target) | ActionSpec::Pause(target) =
                &step.action
                && matches!(target, Target { who: Who::All | Who::Majority, as_of: None })
            {
                let what =
                    format!("`{}` takes the quorum away, and the guard is \"keep-quorum\"", target.who);
                let hint = "it would always be skipped: `minority` is as many as can be spared".to_owned();
                self.refuse_with(table.key_span("target"), what, vec![hint]);
            }
        }
    }

    /// How long a body takes at least, up to its last step, and up to its undoing.
    pub(super) fn takes(&self, body: &Body) -> (Duration, Duration) {
        let to_last = body.steps.iter().map(|step| step.after.min).sum::<Duration>();
        let one_by_one = body.steps.iter().any(|step| {
            matches!(&step.action, ActionSpec::Kill(target) | ActionSpec::Pause(target) if target.who == Who::Each)
        });
        let times = if one_by_one { u32::from(self.nodes.unwrap_or(1)) } else { 1 };
        match &body.lasts {
            Lasts::For(span) => (to_last, to_last + span.min * times),
            Lasts::Until(_) | Lasts::Phase => (to_last, to_last),
        }
    }
}
