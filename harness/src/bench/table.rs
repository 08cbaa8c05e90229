//! Figures for people: one line for each contender and load, medians over the rounds.

use super::compare::{Ratios, main_latency, median};
use super::outage::{Outages, Strike};
use super::report::Report;
use super::restart::Restart;
use super::round::Figures;
use std::fmt::Write as _;

/// The report as text.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    if !report.figures.is_empty() {
        loads(&mut out, report);
    }
    for found in &report.ratios {
        out.push_str(&ratio(found));
    }
    for refused in &report.refused {
        let _ = writeln!(out, "{refused}");
    }
    for outages in &report.outages {
        out.push_str(&outage(outages));
    }
    for found in &report.restarts {
        out.push_str(&restart(found));
    }
    if let Some(reason) = &report.skipped {
        let _ = writeln!(out, "comparison skipped: {reason}");
    }
    out
}

const COLUMNS: [(&str, usize); 12] = [
    ("contender", 12),
    ("clients", 8),
    ("op/s", 9),
    ("p50 µs", 9),
    ("p99 µs", 9),
    ("p99.9 µs", 10),
    ("cpu µs/op", 10),
    ("rss MiB", 8),
    ("raw p50 µs", 11),
    ("p50/raw", 8),
    ("generator", 10),
    ("foreign", 8),
];

fn loads(out: &mut String, report: &Report) {
    let first = &report.figures[0].asked;
    let loop_ =
        first.rate.map_or("closed loop".to_owned(), |rate| format!("open loop, {rate} requests a second"));
    let _ = writeln!(
        out,
        "{} nodes, {} B, {:.0} % reads, {loop_}, {} rounds of {:.1} s: medians; generator and foreign in processors",
        first.nodes,
        first.value_bytes,
        first.read_share * 100.0,
        report.rounds(),
        report.figures[0].tallied.seconds,
    );
    for (name, width) in COLUMNS {
        let _ = write!(out, "{name:>width$}");
    }
    out.push('\n');
    for same in report.groups() {
        line(out, &same);
    }
}

/// One contender under one load.
fn line(out: &mut String, same: &[&Figures]) {
    let of = |figure: fn(&Figures) -> f64| median(same.iter().map(|figures| figure(figures)));
    let p999 = |figures: &Figures| {
        let latency = figures.tallied.puts.as_ref().or(figures.tallied.gets.as_ref());
        latency.map_or(f64::NAN, |latency| latency.us_p999)
    };
    let first = same[0];
    let cells = [
        first.contender.clone(),
        first.asked.clients.to_string(),
        format!("{:.0}", of(|figures| figures.tallied.per_second)),
        format!("{:.0}", of(|figures| main_latency(figures).0)),
        format!("{:.0}", of(|figures| main_latency(figures).1)),
        format!("{:.0}", of(p999)),
        format!("{:.1}", of(|figures| figures.cpu_us_per_op)),
        format!("{:.0}", of(|figures| figures.resident_bytes_max as f64 / f64::from(1 << 20))),
        format!("{:.0}", of(|figures| figures.raw_disk.us_p50)),
        format!("{:.2}", of(|figures| figures.put_p50_per_raw_p50.unwrap_or(f64::NAN))),
        format!("{:.2}", of(|figures| figures.usage.generator_cores)),
        format!("{:.2}", of(|figures| figures.usage.foreign_cores)),
    ];
    for (cell, (_, width)) in cells.iter().zip(COLUMNS) {
        // Reads alone have nothing to do with the disk.
        let cell = if cell == "NaN" { "-" } else { cell };
        let _ = write!(out, "{cell:>width$}");
    }
    out.push('\n');
    for figures in same {
        let (round, tallied) = (figures.round, &figures.tallied);
        for (reason, count) in &tallied.failures {
            let _ = writeln!(out, "  round {round}: {count} not done: {reason}");
        }
        if tallied.unanswered > 0 {
            let _ = writeln!(out, "  round {round}: {} never answered", tallied.unanswered);
        }
    }
}

fn ratio(found: &Ratios) -> String {
    format!(
        "{:>5} clients: {:.2} x {}'s throughput, p50 {:.2} x lower, p99 {:.2} x lower, {:.2} x less CPU ({} of {} pairs of rounds)\n",
        found.clients,
        found.throughput,
        found.other,
        found.p50,
        found.p99,
        found.cpu,
        found.balanced,
        found.pairs
    )
}

fn outage(outages: &Outages) -> String {
    let done = match outages.strike {
        Strike::Kill => "leader killed",
        Strike::Freeze => "leader stopped (SIGSTOP)",
    };
    let times = outages.ms.len();
    let Outages { contender, ms_median, ms_worst, hanging, .. } = outages;
    format!(
        "{contender}, {done} {times} times: no write for {ms_median:.0} ms (median), {ms_worst:.0} ms (worst); {hanging} probes left hanging\n"
    )
}

fn restart(found: &Restart) -> String {
    let Restart { contender, serving_s, writing_s, .. } = found;
    let records = match (found.records, found.records_per_second) {
        (Some(records), Some(rate)) => format!("{records} records, {rate:.0} a second; "),
        _ => String::new(),
    };
    format!(
        "{contender}, restart of all nodes: {records}served after {serving_s:.3} s, wrote after {writing_s:.3} s\n"
    )
}
