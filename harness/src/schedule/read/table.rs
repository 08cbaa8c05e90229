//! A table of the file, asked key by key: whatever nobody asked for is refused.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Reader;
use super::nearest::nearest;
use super::remark::quoted;

/// A value with its place.
pub(super) type Value<'a> = &'a Spanned<DeValue<'a>>;

/// A table while it is read.
pub(super) struct Table<'a> {
    entries: &'a DeTable<'a>,
    /// Where it begins: its header, or the whole of an inline table.
    pub(super) span: Range<usize>,
    /// What it is, for sentences: `a fault`, `[workload]`.
    pub(super) what: String,
    asked: Vec<&'static str>,
}

impl<'a> Table<'a> {
    pub(super) fn new(entries: &'a DeTable<'a>, span: Range<usize>, what: &str) -> Table<'a> {
        Table { entries, span, what: what.to_owned(), asked: Vec::new() }
    }

    /// The value of a key; from now on the key is known here.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.asked.push(key);
        self.entries.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// The place of a key that is there.
    pub(super) fn key_span(&self, key: &str) -> Range<usize> {
        let entry = self.entries.iter().find(|(name, _)| name.get_ref() == key);
        entry.map_or(self.span.clone(), |(name, _)| name.span())
    }

    /// Which of these keys are there, in this order.
    pub(super) fn present(&mut self, keys: &[&'static str]) -> Vec<&'static str> {
        keys.iter().copied().filter(|key| self.get(key).is_some()).collect()
    }

    /// Lets these keys pass unread.
    pub(super) fn spare(&mut self, keys: &[&'static str]) {
        self.asked.extend(keys);
    }

    /// Whether there is no key but these.
    pub(super) fn has_only(&self, keys: &[&str]) -> bool {
        self.entries.keys().all(|key| keys.contains(&key.get_ref().as_ref()))
    }

    /// Refuses every key that nobody asked for.
    pub(super) fn finish(mut self, reader: &mut Reader<'a>) {
        self.asked.sort_unstable();
        self.asked.dedup();
        for (key, _) in self.entries.iter() {
            let name: &str = key.get_ref();
            if self.asked.contains(&name) {
                continue;
            }
            let mut hints = Vec::new();
            if let Some(meant) = self.asked.iter().find(|known| name.replace('_', "-") == **known) {
                hints.push(format!("it is written `{meant}`"));
            } else if let Some(hint) = said_otherwise(name) {
                hints.push(hint.to_owned());
            } else if let Some(reason) = later(name) {
                let what = format!("{} is not part of this version", quoted(name));
                reader.refuse_with(key.span(), what, vec![reason.to_owned()]);
                continue;
            } else if let Some(meant) = nearest(name, self.asked.iter().copied()) {
                hints.push(format!("did you mean `{meant}`?"));
            }
            hints.push(format!("there are: {}", self.asked.join(", ")));
            reader.refuse_with(key.span(), format!("{} has no key {}", self.what, quoted(name)), hints);
        }
    }
}

/// What other benches, and earlier drafts of the format, call what we have.
fn said_otherwise(key: &str) -> Option<&'static str> {
    Some(match key {
        "stable" => "it is called `calm` here: calm = \"3s every 12s\"",
        "repeat" | "times" => "it is called `max` here; `every` makes a fault come again",
        "duration" | "length" | "lasts" => "it is called `for` here",
        "interval" => "it is called `every` in a fault, and `gap` in a mix",
        "action" | "type" | "kind" | "fault-type" => "it is called `do` here",
        "msg" => "it is called `message` in a trigger, and `messages` in a link fault",
        "link" | "links" => "it is called `on` here",
        "from" | "to" => "whom a one-way partition concerns is its `target`, and `way` says what is cut",
        "nodes" => "it stands at the top of the file; whom a fault concerns is its `target`",
        "faults-installed" => "say `required = true` in the fault itself",
        "latency" => "it is called `delay` here",
        "loss" | "lose" => "it is called `drop` here",
        "optional" => "say `required = false`",
        _ => return None,
    })
}

/// What the format will have, or had in drafts, and this version has not: why, or what to do instead.
fn later(key: &str) -> Option<&'static str> {
    Some(match key {
        "disk" | "slow-fsync" | "enospc" | "fdatasync" | "file" | "timing" => "disks can't be faulted yet",
        "power-loss" => "a kill keeps what was written; `wipe` loses all of it",
        "clock" | "step" | "drift" | "strobe" => "clocks can't be faulted yet",
        "log" => "a trigger can wait for an `event`, a `message`, `ops-ok`, or another fault (`after`)",
        "metric" | "gt" | "lt" => {
            "a trigger can wait for an `event`, a `message`, `ops-ok`, or another fault (`after`)"
        }
        "binaries" | "start-with" | "upgrade" | "downgrade" => {
            "a run has one binary, named on the command line"
        }
        "gate" => "latencies are reported, not gated",
        "expect" => "every run ends by reading every key and comparing the nodes",
        "accounts" => "there is no workload of accounts",
        _ => return None,
    })
}
