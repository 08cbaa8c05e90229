//! How long operations took: histograms per operation type, from the intended start under an
//! open loop.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError, Tag};
use serde::Serialize;

/// Longest latency that is told apart, in microseconds: operations time out long before.
const LATENCY_US_MAX: u64 = 600_000_000;
/// Three digits of every latency are right.
const DIGITS: u8 = 3;

/// Latencies of successful operations, per operation type.
#[derive(Default)]
pub struct Latencies {
    totals: BTreeMap<&'static str, Histogram<u64>>,
    interval: BTreeMap<&'static str, Histogram<u64>>,
    intervals: Vec<Interval>,
    interval_start: Duration,
}

/// One interval of one operation type.
struct Interval {
    f: &'static str,
    start: Duration,
    length: Duration,
    histogram: Histogram<u64>,
}

/// The quantiles that reports show, in microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quantiles {
    /// The operation type.
    pub f: String,
    /// How many operations succeeded.
    pub count: u64,
    /// Half were faster.
    pub us_p50: u64,
    /// Nine in ten were faster.
    pub us_p90: u64,
    /// 99 in 100 were faster.
    pub us_p99: u64,
    /// The slowest.
    pub us_max: u64,
}

impl Latencies {
    /// Adds one successful operation.
    pub fn record(&mut self, f: &'static str, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        for histograms in [&mut self.totals, &mut self.interval] {
            histograms.entry(f).or_insert_with(histogram).saturating_record(us);
        }
    }

    /// Ends the current interval at `now` since the run started.
    pub fn rotate(&mut self, now: Duration) {
        let (start, length) = (self.interval_start, now.saturating_sub(self.interval_start));
        self.interval_start = now;
        for (f, histogram) in std::mem::take(&mut self.interval) {
            self.intervals.push(Interval { f, start, length, histogram });
        }
    }

    /// The quantiles of every operation type.
    pub fn quantiles(&self) -> Vec<Quantiles> {
        self.totals
            .iter()
            .map(|(&f, histogram)| Quantiles {
                f: f.to_owned(),
                count: histogram.len(),
                us_p50: histogram.value_at_quantile(0.5),
                us_p90: histogram.value_at_quantile(0.9),
                us_p99: histogram.value_at_quantile(0.99),
                us_max: histogram.max(),
            })
            .collect()
    }

    /// Writes `<folder>/<f>.hgrm` for each operation type, and `<folder>/intervals.hlog`.
    pub fn write(&self, folder: &Path, started: SystemTime) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        for (f, histogram) in &self.totals {
            let mut file = BufWriter::new(File::create(folder.join(format!("{f}.hgrm")))?);
            write_percentiles(&mut file, histogram)?;
            file.flush()?;
        }
        let mut file = BufWriter::new(File::create(folder.join("intervals.hlog"))?);
        self.write_intervals(&mut file, started)?;
        file.flush()
    }

    fn write_intervals(&self, writer: &mut impl Write, started: SystemTime) -> io::Result<()> {
        let mut serializer = V2DeflateSerializer::new();
        let mut builder = IntervalLogWriterBuilder::new();
        builder
            .add_comment(
                "Latencies of successful operations, in microseconds; the tag is the operation type.",
            )
            .with_start_time(started)
            .with_base_time(started)
            .with_max_value_divisor(1.0);
        let mut log = builder.begin_log_with(writer, &mut serializer)?;
        for Interval { f, start, length, histogram } in &self.intervals {
            log.write_histogram(histogram, *start, *length, Tag::new(f)).map_err(|error| match error {
                IntervalLogWriterError::IoError(error) => error,
                IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
            })?;
        }
        Ok(())
    }
}

fn histogram() -> Histogram<u64> {
    let mut histogram = Histogram::new_with_max(LATENCY_US_MAX, DIGITS)
        .expect("the bounds are constants that hdrhistogram accepts");
    histogram.auto(true);
    histogram
}

/// The text form that HdrHistogram's plotters read: milliseconds, as is their custom.
fn write_percentiles(writer: &mut impl Write, histogram: &Histogram<u64>) -> io::Result<()> {
    writeln!(writer, "{:>12} {:>14} {:>10} {:>14}", "Value", "Percentile", "TotalCount", "1/(1-Percentile)")?;
    writeln!(writer)?;
    let mut below = 0;
    for step in histogram.iter_quantiles(5) {
        let quantile = step.quantile_iterated_to();
        let value_ms = step.value_iterated_to() as f64 / 1_000.0;
        below += step.count_since_last_iteration();
        if quantile < 1.0 {
            writeln!(
                writer,
                "{value_ms:>12.3} {quantile:>14.12} {below:>10} {:>14.2}",
                1.0 / (1.0 - quantile)
            )?;
        } else {
            writeln!(writer, "{value_ms:>12.3} {quantile:>14.12} {below:>10}")?;
        }
    }
    writeln!(
        writer,
        "#[Mean = {:.3}, StdDeviation = {:.3}]\n#[Max = {:.3}, Total count = {}]",
        histogram.mean() / 1_000.0,
        histogram.stdev() / 1_000.0,
        histogram.max() as f64 / 1_000.0,
        histogram.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_files_tell_what_was_recorded() {
        let mut latencies = Latencies::default();
        for ms in 1..=100 {
            latencies.record("read", Duration::from_millis(ms));
        }
        latencies.rotate(Duration::from_secs(1));
        latencies.record("write", Duration::from_millis(5));
        latencies.rotate(Duration::from_secs(2));
        let quantiles = latencies.quantiles();
        assert_eq!(quantiles.len(), 2);
        assert_eq!(quantiles[0].count, 100);
        assert!((49_900..=50_100).contains(&quantiles[0].us_p50), "{quantiles:?}");
        assert!((99_900..=100_200).contains(&quantiles[0].us_max), "{quantiles:?}");

        let folder = tempfile::tempdir().expect("a folder");
        latencies.write(folder.path(), SystemTime::UNIX_EPOCH).expect("files");
        let read = fs::read_to_string(folder.path().join("read.hgrm")).expect("a file");
        assert!(read.contains("Total count = 100"), "{read}");
        let log = fs::read_to_string(folder.path().join("intervals.hlog")).expect("a file");
        assert!(log.contains("Tag=read,") && log.contains("Tag=write,"), "{log}");
    }
}
