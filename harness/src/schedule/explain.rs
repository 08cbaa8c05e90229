//! A schedule in sentences, to be read before anything runs.

use super::phrase::{body, list, span, start, time};
use super::{Concurrency, Contract, Fault, Guard, Mix, NetworkModel, Phase, Schedule, Start, WorkloadSpec};

/// Lines are broken here.
const WIDTH: usize = 96;

impl Schedule {
    /// What it does, and what must be seen for a run of it to count.
    #[must_use]
    pub fn explain(&self) -> String {
        let mut out = Page::default();
        out.line(0, &format!("{}: {}.", self.name, self.summary()));
        for paragraph in self.story.split("\n\n").filter(|text| !text.trim().is_empty()) {
            out.gap();
            out.line(2, &paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        out.gap();
        out.line(0, &asked(&self.workload));
        for (at, phase) in self.phases.iter().enumerate() {
            out.gap();
            explain_phase(at, phase, &mut out);
        }
        out.gap();
        out.line(0, &self.ending());
        out.line(0, &self.counts());
        out.0
    }

    fn summary(&self) -> String {
        let nodes = match self.nodes {
            None => "as many nodes as the run has".to_owned(),
            Some(1) => "1 node".to_owned(),
            Some(count) => format!("{count} nodes"),
        };
        let network = match self.model {
            NetworkModel::TcpLegal => "a network that does what TCP can show",
            NetworkModel::MessageLossy => "a network that may lose, double and damage single frames",
        };
        format!("{nodes}, {network}, {}", time(self.lasts()))
    }

    fn ending(&self) -> String {
        let settle = match self.settle_max {
            None => "is given time".to_owned(),
            Some(settle) => format!("has {}", time(settle)),
        };
        let demanded = match self.contract {
            Contract::Safety => "Nothing false may have been told; making no progress is forgiven.",
            Contract::SafetyAndLiveness => {
                "Nothing false may have been told, and the cluster must have worked where it could."
            }
        };
        format!(
            "At the end everything is healed, the cluster {settle} to elect, answer and catch up, and every key \
             is read. {demanded}"
        )
    }

    fn counts(&self) -> String {
        let mut needs: Vec<String> = Vec::new();
        let required: Vec<String> = self.required().map(|id| format!("`{id}`")).collect();
        match required.len() {
            0 => {}
            1 => needs.push(format!("{} has bitten", required[0])),
            _ => needs.push(format!("{} have bitten", list(&required, "and"))),
        }
        let coverage = &self.coverage;
        match coverage.leader_changes_min {
            0 => {}
            1 => needs.push("the leader has changed".to_owned()),
            times => needs.push(format!("the leader has changed {times} times")),
        }
        if coverage.ops_ok_min > 0 {
            needs.push(format!("{} operations have succeeded", coverage.ops_ok_min));
        }
        if self.phases.iter().any(|phase| phase.ok_rate_min.is_some()) {
            needs.push("no phase was too weak".to_owned());
        }
        match needs.len() {
            0 => "The run counts whatever came of it: nothing is required.".to_owned(),
            _ => format!("The run counts only if {}.", needs.join("; ")),
        }
    }
}

fn asked(workload: &WorkloadSpec) -> String {
    let clients = match workload.concurrency {
        None => "as many clients as the run has".to_owned(),
        Some(Concurrency::Clients(1)) => "one client".to_owned(),
        Some(Concurrency::Clients(count)) => format!("{count} clients"),
        Some(Concurrency::PerNode(each)) => format!("{each} clients for each node"),
    };
    let what = match &workload.name {
        None => "the run's workload".to_owned(),
        Some(name) => format!("`{name}`"),
    };
    let mut details: Vec<String> = Vec::new();
    details.extend(workload.rate.map(|rate| format!("{rate} operations a second")));
    details.extend(workload.keys.map(|keys| format!("{keys} keys at a time")));
    details.extend(workload.ops_per_key.map(|count| format!("a fresh key after {count} operations")));
    details.extend(workload.op_timeout.map(|timeout| format!("nobody waits longer than {}", time(timeout))));
    details.extend(match workload.retries {
        None => None,
        Some(0) => Some("nobody asks twice".to_owned()),
        Some(times) => Some(format!("asking again up to {times} times")),
    });
    let details = if details.is_empty() { String::new() } else { format!(": {}", details.join(", ")) };
    format!("Load: {what}, {clients}{details}.")
}

fn explain_phase(at: usize, phase: &Phase, out: &mut Page) {
    let quiet = phase.faults.is_empty() && phase.mixes.is_empty();
    let weak = match phase.ok_rate_min {
        None => String::new(),
        Some(rate) => format!(", which counts only if {rate} operations a second succeed"),
    };
    let head = format!("{}. Phase {}, {}{weak}", at + 1, phase.name, time(phase.lasts));
    if quiet {
        return out.line(0, &format!("{head}: no faults."));
    }
    out.line(0, &format!("{head}:"));
    for fault in &phase.faults {
        out.item(3, "- ", &explain_fault(fault));
    }
    for mix in &phase.mixes {
        out.item(3, "- ", &explain_mix(mix));
        let whole: u64 = mix.choices.iter().map(|choice| u64::from(choice.weight)).sum();
        for choice in &mix.choices {
            let odds = format!("{} in {whole}", choice.weight);
            let owed = if choice.required { "; required" } else { "" };
            out.item(7, &format!("{odds:<8} "), &format!("`{}`: {}{owed}", choice.id, body(&choice.body)));
        }
    }
}

fn explain_fault(fault: &Fault) -> String {
    let mut text = format!("`{}`: {}, {}", fault.id, start(&fault.start), body(&fault.body));
    match (&fault.start, fault.times_max) {
        (Start::At(_), _) | (Start::When(_), Some(1)) | (Start::Every(_), None) => {}
        (Start::When(_), None) => text.push_str("; every time"),
        (_, Some(1)) => text.push_str("; once"),
        (_, Some(times)) => text.push_str(&format!("; {times} times at most")),
    }
    text.push_str(guarded(fault.guard));
    if !fault.required {
        text.push_str("; not required");
    }
    text + "."
}

fn guarded(guard: Guard) -> &'static str {
    match guard {
        Guard::Any => "",
        Guard::KeepQuorum => "; never so that the quorum is lost",
        Guard::BreakQuorum => "; only if the quorum is lost by it",
    }
}

fn explain_mix(mix: &Mix) -> String {
    let mut text = format!("`{}`: again and again one of these at random", mix.id);
    match mix.overlap {
        1 => text.push_str(", one at a time"),
        many => text.push_str(&format!(", up to {many} at a time")),
    }
    text.push_str(&format!(", {} of calm after each", span(mix.gap)));
    if let Some((calm, every)) = mix.calm {
        text.push_str(&format!("; {} of every {} are calm", time(calm), time(every)));
    }
    text.push_str(guarded(mix.guard));
    if mix.swarm {
        text.push_str("; each run leaves out some that are not required");
    }
    if mix.choices.iter().any(|choice| choice.required) {
        text.push_str("; what is required comes first");
        if !mix.extend.is_zero() {
            text.push_str(&format!(", if need be up to {} after the phase's end", time(mix.extend)));
        }
    }
    text + ":"
}

/// Text with its lines broken.
#[derive(Default)]
struct Page(String);

impl Page {
    fn gap(&mut self) {
        self.0.push('\n');
    }

    fn line(&mut self, indent: usize, text: &str) {
        self.item(indent, "", text);
    }

    /// The lines after the first stand below the text, not below what leads it.
    fn item(&mut self, indent: usize, lead: &str, text: &str) {
        let hang = indent + lead.chars().count();
        self.0.push_str(&" ".repeat(indent));
        self.0.push_str(lead);
        let mut column = hang;
        for (at, word) in text.split(' ').enumerate() {
            let width = word.chars().count();
            if at > 0 && column + 1 + width > WIDTH {
                self.0.push('\n');
                self.0.push_str(&" ".repeat(hang));
                column = hang;
            } else if at > 0 {
                self.0.push(' ');
                column += 1;
            }
            self.0.push_str(word);
            column += width;
        }
        self.0.push('\n');
    }
}
