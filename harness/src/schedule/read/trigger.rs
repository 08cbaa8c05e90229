//! Triggers: what `when` and `until` wait for.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Reader;
use super::references::Role;
use super::table::{Table, Value};
use crate::schedule::limits::DURATION_MAX;
use crate::schedule::words::EVENTS;
use crate::schedule::{EventKind, LinkEnd, LinkSpec, Trigger, What};

const ANY_TIME: RangeInclusive<Duration> = Duration::ZERO..=DURATION_MAX;
/// How the things that can be waited for are written.
const THERE_ARE: &str = "such as { event = \"leader-elected\" }, { message = \"accept\" }, { ops-ok = 500 }, { after = \"another\" }";

impl<'a> Reader<'a> {
    /// The trigger under this key.
    pub(super) fn trigger(&mut self, value: Value<'a>, key: &str) -> Option<Trigger> {
        if value.get_ref().as_table().is_none() {
            let hint = format!("it must be a table, {THERE_ARE}");
            self.refuse_with(value.span(), format!("`{key}` says nothing to wait for"), vec![hint]);
            return None;
        }
        let mut table = self.table(value, key, &format!("`{key}`"))?;
        let found = table.present(&["event", "message", "ops-ok"]);
        let after = self.after(&mut table, found.is_empty());
        let what = match found[..] {
            [] if after.is_some() || table.get("after").is_some() => Some(What::Came),
            // Something else was meant, and is refused below.
            [] if !table.has_only(&["on", "for", "nth", "plus"]) => None,
            [] => {
                let what = format!("`{key}` waits for nothing");
                self.refuse_with(
                    table.span.clone(),
                    what,
                    vec![format!("it must say what it waits for, {THERE_ARE}")],
                );
                None
            }
            ["event"] => self.event(&mut table),
            ["message"] => self.message_trigger(&mut table),
            ["ops-ok"] => self.integer(&mut table, "ops-ok", 1..=u64::MAX).map(What::OpsOk),
            _ => {
                let what = format!("`{key}` can wait for one thing, not for `{}`", found.join("` and `"));
                self.refuse(table.span.clone(), what);
                None
            }
        };
        self.only_with(&mut table, "on", &found, "message");
        self.only_with(&mut table, "for", &found, "event");
        let nth = self.integer(&mut table, "nth", 1..=1_000_000).map_or(1, |nth| nth as u32);
        if nth > 1 && matches!(what, Some(What::Event { kind: EventKind::LeaderStable, .. })) {
            let hint = "`leader-elected` happens again and again, and `for` says for how long it must stand";
            let what = "a stable leader is a state, and has no number".to_owned();
            self.refuse_with(table.key_span("nth"), what, vec![hint.to_owned()]);
        }
        let plus = self.duration(&mut table, "plus", ANY_TIME).unwrap_or_default();
        table.finish(self);
        Some(Trigger { what: what?, after, nth, plus })
    }

    fn after(&mut self, table: &mut Table<'a>, alone: bool) -> Option<String> {
        let value = table.get("after")?;
        let id = self.string(value, "after", "the id of another fault")?;
        self.refer(id, value.span(), if alone { Role::Came } else { Role::Since });
        Some(id.to_owned())
    }

    /// A key that has a meaning only beside another.
    fn only_with(&mut self, table: &mut Table<'a>, key: &'static str, found: &[&str], other: &str) {
        if table.get(key).is_some() && found.len() < 2 && !found.contains(&other) {
            self.refuse(table.key_span(key), format!("`{key}` goes only with `{other}`"));
        }
    }

    fn event(&mut self, table: &mut Table<'a>) -> Option<What> {
        let kind = self.word(table, "event", EVENTS);
        let holds = self.duration(table, "for", ANY_TIME).unwrap_or_default();
        if kind == Some(EventKind::LeaderStable) && holds.is_zero() {
            let what = "`leader-stable` for no time is any leader at all".to_owned();
            self.warn_with(table.key_span("event"), what, vec!["say for how long: for = \"1s\"".to_owned()]);
        }
        Some(What::Event { kind: kind?, holds })
    }

    fn message_trigger(&mut self, table: &mut Table<'a>) -> Option<What> {
        let value = table.get("message")?;
        let kind = self.message_kind(value, "message");
        let anywhere = LinkSpec { from: LinkEnd::Any, to: LinkEnd::Any, both: false };
        let on = match table.get("on") {
            None => anywhere,
            Some(value) => {
                let text = self.string(value, "on", "links, such as \"leader->followers\"")?;
                self.link_of(value, text)?
            }
        };
        let kind = kind?;
        self.check_passes(&kind, std::slice::from_ref(&on), value);
        Some(What::Message { kind, on })
    }
}
