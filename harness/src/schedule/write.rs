//! From a schedule to the text of a file. What is written is read back as the same schedule, and the
//! same schedule is always written the same: runs leave it behind, and people compare it.

use std::fmt::{Display, Write};

use super::words::{CONTRACTS, EVENTS, FAILURES, GUARDS, MODELS, Time, WAYS, word};
use super::{
    ActionSpec, Body, Choice, Concurrency, Fault, Guard, Lasts, LinkEffect, LinkSpec, Mix, Phase, SCHEMA,
    Schedule, Shape, Span, Start, Trigger, What,
};

/// Keys and their values, spelled out.
#[derive(Default)]
struct Keys(Vec<(&'static str, String)>);

impl Keys {
    fn plain(&mut self, key: &'static str, value: impl Display) {
        self.0.push((key, value.to_string()));
    }

    fn text(&mut self, key: &'static str, value: impl Display) {
        self.0.push((key, quoted(&value.to_string())));
    }

    fn some(&mut self, key: &'static str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.plain(key, value);
        }
    }

    /// One below the other.
    fn block(&self, out: &mut String, indent: &str) {
        for (key, value) in &self.0 {
            out.push_str(&format!("{indent}{key} = {value}\n"));
        }
    }

    /// On one line, in braces.
    fn inline(&self) -> String {
        let keys: Vec<String> = self.0.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        format!("{{ {} }}", keys.join(", "))
    }
}

/// A string as TOML has it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        escape(character, &mut out);
    }
    out.push('"');
    out
}

fn escape(character: char, out: &mut String) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        control if control.is_control() => {
            let _ = write!(out, "\\u{:04X}", u32::from(control));
        }
        other => out.push(other),
    }
}

/// The same with its lines as they are.
fn told(text: &str) -> String {
    let mut out = String::from("\"\"\"\n");
    for character in text.trim().chars() {
        match character {
            '\n' => out.push('\n'),
            other => escape(other, &mut out),
        }
    }
    out.push_str("\n\"\"\"");
    out
}

impl Schedule {
    /// The file that means this schedule. Whatever a file may leave out is left out, but for what a
    /// reader of the file should not have to look up.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        let mut keys = Keys::default();
        keys.plain("schema", SCHEMA);
        keys.text("name", &self.name);
        if !self.story.trim().is_empty() {
            keys.plain("story", told(&self.story));
        }
        keys.some("nodes", self.nodes);
        keys.some("seed", self.seed);
        keys.some("snapshot-every-bytes", self.snapshot_every_bytes);
        if let Some(election) = self.election {
            keys.text("election", election.name());
        }
        if let Some(mode) = self.read_mode {
            keys.text("read-mode", mode.name());
        }
        keys.text("model", word(MODELS, &self.model));
        keys.text("contract", word(CONTRACTS, &self.contract));
        keys.block(&mut out, "");
        self.write_workload(&mut out);
        for phase in &self.phases {
            write_phase(phase, &mut out);
        }
        if let Some(settle) = self.settle_max {
            out.push_str(&format!("\n[final]\nsettle = \"{}\"\n", Time(settle)));
        }
        let coverage = &self.coverage;
        let mut keys = Keys::default();
        keys.some(
            "leader-changes-min",
            (coverage.leader_changes_min > 0).then_some(coverage.leader_changes_min),
        );
        keys.some("ops-ok-min", (coverage.ops_ok_min > 0).then_some(coverage.ops_ok_min));
        if !keys.0.is_empty() {
            out.push_str("\n[coverage]\n");
            keys.block(&mut out, "");
        }
        if let Some(found) = &self.found {
            let mut keys = Keys::default();
            keys.text("bug", &found.bug);
            keys.text("failure", word(FAILURES, &found.failure));
            keys.plain("required", found.required);
            out.push_str("\n[found]\n");
            keys.block(&mut out, "");
        }
        out
    }

    fn write_workload(&self, out: &mut String) {
        let workload = &self.workload;
        let mut keys = Keys::default();
        keys.some("name", workload.name.as_deref().map(quoted));
        keys.some(
            "concurrency",
            workload.concurrency.map(|clients| match clients {
                Concurrency::Clients(number) => number.to_string(),
                Concurrency::PerNode(number) => format!("\"{number}n\""),
            }),
        );
        keys.some("rate", workload.rate);
        keys.some("keys", workload.keys);
        keys.some("ops-per-key", workload.ops_per_key);
        keys.some("retries", workload.retries);
        keys.some("op-timeout", workload.op_timeout.map(|timeout| quoted(&Time(timeout).to_string())));
        if !keys.0.is_empty() {
            out.push_str("\n[workload]\n");
            keys.block(out, "");
        }
    }
}

fn write_phase(phase: &Phase, out: &mut String) {
    out.push_str("\n[[phase]]\n");
    let mut keys = Keys::default();
    keys.text("name", &phase.name);
    keys.text("for", Time(phase.lasts));
    keys.some("require", phase.ok_rate_min.map(|rate| format!("{{ ok-rate-min = {rate} }}")));
    keys.block(out, "");
    for fault in &phase.faults {
        out.push_str("\n  [[phase.fault]]\n");
        fault_keys(fault).block(out, "  ");
    }
    for mix in &phase.mixes {
        write_mix(mix, out);
    }
}

fn fault_keys(fault: &Fault) -> Keys {
    let mut keys = Keys::default();
    keys.text("id", &fault.id);
    match &fault.start {
        Start::At(span) => keys.text("at", span),
        Start::Every(span) => keys.text("every", span),
        Start::When(trigger) => keys.plain("when", trigger_keys(trigger).inline()),
    }
    match (&fault.start, fault.times_max) {
        (Start::When(_), Some(1)) | (Start::At(_) | Start::Every(_), None) => {}
        (Start::When(_), None) => keys.text("max", "any"),
        (_, Some(max)) => keys.plain("max", max),
    }
    write_guard(fault.guard, &mut keys);
    if !fault.required {
        keys.plain("required", false);
    }
    body_keys(&fault.body, &mut keys);
    keys
}

fn write_guard(guard: Guard, keys: &mut Keys) {
    if guard != Guard::Any {
        keys.text("guard", word(GUARDS, &guard));
    }
}

fn write_mix(mix: &Mix, out: &mut String) {
    out.push_str("\n  [[phase.mix]]\n");
    let mut keys = Keys::default();
    keys.text("id", &mix.id);
    keys.text("gap", mix.gap);
    keys.some("overlap", (mix.overlap != 1).then_some(mix.overlap));
    keys.some("calm", mix.calm.map(|(calm, every)| format!("\"{} every {}\"", Time(calm), Time(every))));
    keys.some("swarm", mix.swarm.then_some(true));
    write_guard(mix.guard, &mut keys);
    keys.some("extend", (!mix.extend.is_zero()).then(|| quoted(&Time(mix.extend).to_string())));
    keys.block(out, "  ");
    out.push_str("  choices = [\n");
    for choice in &mix.choices {
        out.push_str(&format!("    {},\n", choice_keys(choice).inline()));
    }
    out.push_str("  ]\n");
}

fn choice_keys(choice: &Choice) -> Keys {
    let mut keys = Keys::default();
    keys.text("id", &choice.id);
    keys.plain("weight", choice.weight);
    if choice.required {
        keys.plain("required", true);
    }
    body_keys(&choice.body, &mut keys);
    keys
}

fn body_keys(body: &Body, keys: &mut Keys) {
    match &body.steps[..] {
        [step] if step.after == Span::ZERO => action_keys(&step.action, keys),
        steps => {
            let steps = steps.iter().map(|step| {
                let mut keys = Keys::default();
                if step.after != Span::ZERO {
                    keys.text("after", step.after);
                }
                action_keys(&step.action, &mut keys);
                keys.inline()
            });
            keys.plain("steps", format!("[{}]", steps.collect::<Vec<_>>().join(", ")));
        }
    }
    let momentary = body.steps.iter().all(|step| step.action.is_momentary());
    match &body.lasts {
        Lasts::For(span) if momentary && *span == Span::ZERO => {}
        Lasts::For(span) => keys.text("for", span),
        Lasts::Until(trigger) => keys.plain("until", trigger_keys(trigger).inline()),
        Lasts::Phase => keys.text("for", "phase"),
    }
}

fn action_keys(action: &ActionSpec, keys: &mut Keys) {
    keys.text("do", action.word());
    match action {
        ActionSpec::Kill(target)
        | ActionSpec::Wipe(target)
        | ActionSpec::Pause(target)
        | ActionSpec::Swizzle(target) => keys.text("target", target),
        ActionSpec::Partition(shape) => {
            keys.text("shape", shape.word());
            if let Some(target) = shape.target() {
                keys.text("target", target);
            }
            if let Shape::OneWay(_, way) = shape {
                keys.text("way", word(WAYS, way));
            }
        }
        ActionSpec::Reset(links) => keys.plain("on", links_text(links)),
        ActionSpec::Link(links, effect) => {
            keys.plain("on", links_text(links));
            effect_keys(effect, keys);
        }
    }
}

/// A list has brackets only if there are several.
fn links_text(links: &[LinkSpec]) -> String {
    let texts: Vec<String> = links.iter().map(|link| quoted(&link.to_string())).collect();
    if let [one] = &texts[..] { one.clone() } else { format!("[{}]", texts.join(", ")) }
}

fn effect_keys(effect: &LinkEffect, keys: &mut Keys) {
    let text = |value: &dyn Display| Some(quoted(&value.to_string()));
    let share = |share: super::Share| if share.is_none() { None } else { text(&share) };
    keys.some("cut", effect.cut.then_some(true));
    keys.some("delay", effect.delay.and_then(|span| text(&span)));
    keys.some("jitter", effect.jitter.and_then(|span| text(&span)));
    keys.some("bandwidth", effect.bandwidth.and_then(|bandwidth| text(&bandwidth)));
    keys.some("half-open", effect.half_open.then_some(true));
    keys.some("hold", effect.hold.then_some(true));
    keys.some("drop", share(effect.drop));
    keys.some("duplicate", share(effect.duplicate));
    keys.some("reorder", share(effect.reorder));
    keys.some("corrupt", share(effect.corrupt));
    if !effect.messages.is_empty() {
        let kinds: Vec<String> = effect.messages.iter().map(|kind| quoted(kind)).collect();
        keys.plain("messages", format!("[{}]", kinds.join(", ")));
    }
}

fn trigger_keys(trigger: &Trigger) -> Keys {
    let mut keys = Keys::default();
    match &trigger.what {
        What::Came => {}
        What::Event { kind, holds } => {
            keys.text("event", word(EVENTS, kind));
            if !holds.is_zero() {
                keys.text("for", Time(*holds));
            }
        }
        What::Message { kind, on } => {
            keys.text("message", kind);
            keys.text("on", on);
        }
        What::OpsOk(count) => keys.plain("ops-ok", count),
    }
    keys.some("after", trigger.after.as_deref().map(quoted));
    if trigger.nth != 1 {
        keys.plain("nth", trigger.nth);
    }
    if !trigger.plus.is_zero() {
        keys.text("plus", Time(trigger.plus));
    }
    keys
}
