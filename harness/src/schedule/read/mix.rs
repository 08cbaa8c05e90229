//! Random faults: `[[mix]]` and `[[phase.mix]]`, and their choices.

use std::time::Duration;

use super::references::Sort;
use super::table::Table;
use super::{Reader, amount};
use crate::schedule::limits::{DURATION_MAX, FAULTS_MAX, NODES_MAX, WEIGHT_MAX};
use crate::schedule::words::{GUARDS, Time};
use crate::schedule::{Choice, GAP_MIN, Guard, LENGTH_MIN, Mix, Span};

/// The gap of a mix that gives none: an election fits, and what follows it.
const USUAL_GAP: Span = Span::between(Duration::from_secs(1), Duration::from_secs(2));
/// The id of a mix that gives none.
const USUAL_ID: &str = "mix";

impl<'a> Reader<'a> {
    /// One mix of a phase that lasts so long.
    pub(super) fn mix(&mut self, mut table: Table<'a>, phase: Duration) -> Mix {
        let declared = self.declare(Sort::Mix, table.span.clone());
        let named = self.id(&mut table);
        let id = named.as_ref().map_or(USUAL_ID, |(id, _)| id).to_owned();
        self.call(declared, &id, named.map(|(_, span)| span));
        let gap = self.span(&mut table, "gap", DURATION_MAX).unwrap_or(USUAL_GAP);
        let overlap = self.integer(&mut table, "overlap", 1..=u64::from(NODES_MAX)).unwrap_or(1) as u32;
        let calm = self.calm(&mut table, phase);
        let swarm = self.boolean(&mut table, "swarm", false);
        let guard = self.word(&mut table, "guard", GUARDS).unwrap_or_default();
        let extend = self.duration(&mut table, "extend", Duration::ZERO..=DURATION_MAX).unwrap_or_default();
        let choices = self.choices(&mut table, guard, phase);
        let mix = Mix { id, gap, overlap, calm, swarm, guard, extend, choices };
        self.check_owed(&mix, phase, &table);
        table.finish(self);
        mix
    }

    /// `3s every 12s`.
    fn calm(&mut self, table: &mut Table<'a>, phase: Duration) -> Option<(Duration, Duration)> {
        let value = table.get("calm")?;
        let wanted = "how much of which time is free of faults, such as \"3s every 12s\"";
        let text = self.string(value, "calm", wanted)?;
        let Some((calm, every)) = text.split_once(" every ") else {
            self.refuse_with(
                value.span(),
                "`calm` is no such text".to_owned(),
                vec![format!("it must be {wanted}")],
            );
            return None;
        };
        let read = amount::duration(calm).and_then(|calm| Ok((calm, amount::duration(every)?)));
        let (calm, every) = match read {
            Ok(both) => both,
            Err(reason) => {
                self.refuse(value.span(), format!("`calm`: {reason}"));
                return None;
            }
        };
        let wrong = if calm.is_zero() {
            "no calm at all: leave `calm` out".to_owned()
        } else if every > DURATION_MAX {
            format!("`calm` comes every {} at most", Time(DURATION_MAX))
        } else if calm >= every {
            "all of the time is calm: no fault could come".to_owned()
        } else {
            if every > phase {
                let what = format!("the phase ends after {}, before the first calm is due", Time(phase));
                self.warn_with(value.span(), what, Vec::new());
            }
            return Some((calm, every));
        };
        self.refuse(value.span(), wrong);
        None
    }

    fn choices(&mut self, table: &mut Table<'a>, guard: Guard, phase: Duration) -> Vec<Choice> {
        let refused = self.refused();
        let tables = self.tables(table, "choices", "a choice");
        if tables.is_empty() && refused == self.refused() {
            let hint = "choices = [{ do = \"kill\", target = \"leader\", for = \"2s\" }, …]".to_owned();
            self.refuse_with(table.span.clone(), "a mix needs `choices`".to_owned(), vec![hint]);
        }
        let count = tables.len();
        let mut choices = Vec::new();
        for choice in tables.into_iter().take(FAULTS_MAX) {
            choices.extend(self.choice(choice, guard, phase));
        }
        let drawn = |choice: &Choice| choice.weight > 0 || choice.required;
        if count > 0 && choices.len() == count && !choices.iter().any(drawn) {
            let hint = "give one a `weight`, or say that it is `required`".to_owned();
            self.refuse_with(table.key_span("choices"), "no choice is ever drawn".to_owned(), vec![hint]);
        }
        choices
    }

    fn choice(&mut self, mut table: Table<'a>, guard: Guard, phase: Duration) -> Option<Choice> {
        let declared = self.declare(Sort::Choice, table.span.clone());
        let named = self.id(&mut table);
        let weight = self.integer(&mut table, "weight", 0..=u64::from(WEIGHT_MAX)).unwrap_or(1) as u32;
        let required = self.boolean(&mut table, "required", false);
        let refused = self.refused();
        let body = self.body(&mut table, Sort::Choice);
        let id = self.call_or_infer(declared, named, body.as_ref(), refused);
        if weight == 0 && !required {
            let what = "a choice of no weight that is not required is never drawn".to_owned();
            self.warn_with(table.key_span("weight"), what, Vec::new());
        }
        if let Some(body) = &body {
            self.check_guard(body, guard, &table);
            let (_, takes) = self.takes(body);
            if takes > phase {
                let what = format!("this takes {} at least, and its phase {}", Time(takes), Time(phase));
                self.warn_with(table.key_span("for"), format!("{what}: it is cut short"), Vec::new());
            }
        }
        table.finish(self);
        Some(Choice { id, weight, body: body?, required })
    }

    /// Whether all that a mix owes can be done, shrunk as far as it may be.
    fn check_owed(&mut self, mix: &Mix, phase: Duration, table: &Table<'a>) {
        let owed = mix.choices.iter().filter(|choice| choice.required).count();
        let rounds = u32::try_from(owed).unwrap_or(u32::MAX).div_ceil(mix.overlap);
        let needed = (LENGTH_MIN + GAP_MIN).saturating_mul(rounds);
        let disturbed = match mix.calm {
            Some((calm, every)) => phase.mul_f64(1.0 - calm.as_secs_f64() / every.as_secs_f64()),
            None => phase,
        };
        if needed > disturbed + mix.extend {
            let what = format!(
                "{owed} required choices take {} even if all shrink, and there are {}",
                Time(needed),
                Time(Duration::from_millis((disturbed + mix.extend).as_millis() as u64))
            );
            let hint = "make the phase longer, or let the mix `extend` it".to_owned();
            self.refuse_with(table.key_span("choices"), what, vec![hint]);
        }
    }
}
