//! One file, in a process that may be killed for it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use checker::explain::html::Page;
use checker::format::{Format, Recorded};
use checker::{Budget, History, KeyOrder, Process, Report, catalogue};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use super::{Arguments, Said};
use crate::cli::reading;
use crate::run::verdict::HARNESS_FAILED;

/// Beyond the memory that was granted: code, stacks, what the allocator keeps back.
const OVERHEAD_BYTES: u64 = 32 << 20;

/// Judges one file and says so on stdout.
pub(super) fn main(arguments: &Arguments, parent: i32, file: &Path) -> u8 {
    let began = Instant::now();
    // Nobody would hear the answer. Whoever asked may have gone before the kernel was told.
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
    if getppid().as_raw() != parent {
        return HARNESS_FAILED;
    }
    let memory_bytes = arguments.memory << 20;
    // The kernel's word is the last one: what the checker does not count is counted there.
    let hard = memory_bytes + OVERHEAD_BYTES;
    if let Err(error) = setrlimit(Resource::RLIMIT_DATA, hard, hard) {
        return say(&Said::Refused(format!("cannot limit the memory of the check: {error}")));
    }
    let recorded = match reading::read(file, arguments.independent()) {
        Ok(recorded) => recorded,
        Err(reason) => return say(&Said::Refused(reason)),
    };
    let Some(model) = arguments.model.as_deref().or(model(&recorded)) else {
        return say(&Said::Refused(format!(
            "the file does not tell what it is a history of; its operations are {}. Say so with --model (antipaxos check --models shows what there is)",
            functions(&recorded.history)
        )));
    };
    let Some(entry) = catalogue::by_name(model) else {
        return say(&Said::Refused(format!("there is no model {model}")));
    };
    if let Some(flag) = arguments.meaningless(&entry) {
        return say(&Said::Refused(format!("{flag} says nothing to the check {}", entry.name)));
    }
    let rules = arguments.rules(recorded.suggests.rules());
    if let Some(reason) = entry.refuses(&rules) {
        return say(&Said::Refused(reason));
    }
    let judging = Said::Judging {
        format: recorded.format.to_string(),
        model: model.to_owned(),
        ops: recorded.history.len(),
    };
    say(&judging);
    let check = entry.check(&rules);
    let time = arguments.timeout.saturating_sub(began.elapsed());
    if time.is_zero() {
        let reason = format!("the time limit of {:?} was met while the file was read", arguments.timeout);
        return say(&Said::Refused(reason));
    }
    let budget = Budget { time, memory_bytes: memory_bytes.saturating_sub(resident_bytes()) };
    let report = check.check(&recorded.history, &budget);
    let code = say(&Said::Judged(Box::new(report.clone())));
    let mut orders = Vec::new();
    if arguments.explain && report.verdict.is_valid() {
        match check.order(&recorded.history, &budget) {
            Ok(found) => orders = found,
            Err(reason) => {
                say(&Said::Missing(format!("no order to show: {reason}")));
            }
        }
    }
    if let Some(page) = &arguments.html
        && let Err(error) = draw(page, file, &recorded.history, &report, &orders)
    {
        say(&Said::Missing(format!("cannot write {}: {error}", page.display())));
    }
    if orders.is_empty() { code } else { say(&Said::Ordered(orders)) }
}

/// The names of the functions that clients called.
fn functions(history: &History) -> String {
    const SHOWN_MAX: usize = 8;
    let called = history.ops().filter(|op| matches!(op.process, Process::Client(_)));
    let names: BTreeSet<String> = called.map(|op| op.f.to_string()).collect();
    let more = if names.len() > SHOWN_MAX { ", …" } else { "" };
    names.into_iter().take(SHOWN_MAX).collect::<Vec<_>>().join(", ") + more
}

/// What a file like this one is a history of, as far as it tells. Where Jepsen has a check of its own for
/// what its clients recorded, that is the one it is meant for: its sets and counters promise less than
/// linearizability.
fn model(recorded: &Recorded) -> Option<&'static str> {
    let jepsen = matches!(
        recorded.format,
        Format::Edn | Format::HistoryTxt | Format::ConsoleLog | Format::Store | Format::ElleJson
    );
    Some(match recorded.suggests.model? {
        "set" if jepsen => "set-full",
        "counter" if jepsen => "counter-bounds",
        model => model,
    })
}

fn draw(
    page: &Path,
    file: &Path,
    history: &History,
    report: &Report,
    orders: &[KeyOrder],
) -> std::io::Result<()> {
    let order: Vec<u64> = orders.iter().flat_map(|order| order.order.iter().copied()).collect();
    let mut drawn =
        Page::new(history, report).title(format!("{}: {}", file.display(), report.verdict.word()));
    if !order.is_empty() {
        drawn = drawn.order(&order);
    }
    let mut out = BufWriter::new(File::create(page)?);
    drawn.write(&mut out)?;
    out.flush()
}

/// Whoever asked is gone if it can't be said: nothing is left to do but to end.
fn say(said: &Said) -> u8 {
    let mut stdout = std::io::stdout().lock();
    let written = serde_json::to_writer(&mut stdout, said)
        .map_err(std::io::Error::from)
        .and_then(|()| stdout.write_all(b"\n"))
        .and_then(|()| stdout.flush());
    if written.is_ok() { 0 } else { HARNESS_FAILED }
}

/// Memory that this process has now; what can't be told is taken for nothing.
fn resident_bytes() -> u64 {
    const PAGE_BYTES: u64 = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * PAGE_BYTES
}
