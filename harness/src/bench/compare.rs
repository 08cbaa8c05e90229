//! Medians over rounds, and the ratio of one contender's to another's, if the rounds were alike.
//!
//! Two contenders that took turns are compared round by round: where others took much more of the
//! processors in one turn than in the other, that pair says more of the others than of the two. Such
//! pairs are left out; if too few remain there is no ratio, and the reason is told.
//!
//! On a machine that others keep busy for good, what they use is what a contender leaves to them. One that
//! waits for the disk leaves more than one that computes, and so such a machine gives no ratios between the
//! two, however even-handedly it disturbs them. That is as it should be: there the slower one's share of
//! the processors decides, not its speed.

use super::round::Figures;
use serde::Serialize;

/// What is compared of two contenders under one load: the second's divided by the first's where more
/// is worse, so that a number above 1 always speaks for the first.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Ratios {
    /// Who is compared.
    pub contender: String,
    /// With whom.
    pub other: String,
    /// Clients at a time.
    pub clients: usize,
    /// Pairs of rounds that were alike.
    pub balanced: usize,
    /// All pairs.
    pub pairs: usize,
    /// Requests per second.
    pub throughput: f64,
    /// The median's latency, the other's by ours.
    pub p50: f64,
    /// The 99th percentile's latency, the other's by ours.
    pub p99: f64,
    /// Processor time for each request, the other's by ours.
    pub cpu: f64,
}

/// Why there is no ratio.
#[derive(Clone, PartialEq, Debug, Serialize, thiserror::Error)]
#[error(
    "{clients} clients: no ratio: in {unbalanced} of {pairs} pairs of rounds the processors that others \
     used differ by more than {limit} (by {worst:.2} at worst); try on a quieter machine, or raise \
     --foreign-difference-max and say so"
)]
pub struct Refused {
    /// Clients at a time.
    pub clients: usize,
    /// Pairs left out.
    pub unbalanced: usize,
    /// All pairs.
    pub pairs: usize,
    /// The limit, in processors.
    pub limit: f64,
    /// The largest difference, in processors.
    pub worst: f64,
}

/// Compares two contenders' figures under one load; element `i` of both stems from round `i`.
///
/// # Errors
/// [`Refused`] if not even half of the pairs were alike.
///
/// # Panics
/// If the rounds don't pair up, or there are none.
pub fn ratios(ours: &[&Figures], theirs: &[&Figures], limit: f64) -> Result<Ratios, Refused> {
    assert!(!ours.is_empty() && ours.len() == theirs.len(), "rounds come in pairs");
    let difference =
        |pair: &(&&Figures, &&Figures)| (pair.0.usage.foreign_cores - pair.1.usage.foreign_cores).abs();
    let pairs: Vec<_> = ours.iter().zip(theirs).collect();
    let balanced: Vec<_> = pairs.iter().filter(|pair| difference(pair) <= limit).collect();
    let clients = ours[0].asked.clients;
    if balanced.len() * 2 < pairs.len().max(2) {
        let worst = pairs.iter().map(difference).fold(0.0, f64::max);
        let unbalanced = pairs.len() - balanced.len();
        return Err(Refused { clients, unbalanced, pairs: pairs.len(), limit, worst });
    }
    let of_ours = |figure: fn(&Figures) -> f64| median(balanced.iter().map(|pair| figure(pair.0)));
    let of_theirs = |figure: fn(&Figures) -> f64| median(balanced.iter().map(|pair| figure(pair.1)));
    let p50 = |figures: &Figures| main_latency(figures).0;
    let p99 = |figures: &Figures| main_latency(figures).1;
    Ok(Ratios {
        contender: ours[0].contender.clone(),
        other: theirs[0].contender.clone(),
        clients,
        balanced: balanced.len(),
        pairs: pairs.len(),
        throughput: of_ours(|figures| figures.tallied.per_second)
            / of_theirs(|figures| figures.tallied.per_second),
        p50: of_theirs(p50) / of_ours(p50),
        p99: of_theirs(p99) / of_ours(p99),
        cpu: of_theirs(|figures| figures.cpu_us_per_op) / of_ours(|figures| figures.cpu_us_per_op),
    })
}

/// Median and 99th percentile of the writes, or of the reads where there was nothing but reads.
#[must_use]
pub fn main_latency(figures: &Figures) -> (f64, f64) {
    let latency = figures.tallied.puts.as_ref().or(figures.tallied.gets.as_ref());
    latency.map_or((f64::NAN, f64::NAN), |latency| (latency.us_p50, latency.us_p99))
}

/// The middle one; of an even number the mean of the middle two; of none, not a number.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::processor::Usage;
    use crate::bench::raw_disk::RawDisk;
    use crate::bench::round::Asked;
    use crate::bench::tally::{Latency, Tallied};
    use std::collections::BTreeMap;

    fn figures(contender: &str, per_second: f64, us: f64, foreign_cores: f64) -> Figures {
        let puts = Latency { count: 1, us_p50: us, us_p90: us, us_p99: 4.0 * us, us_p999: us, us_max: us };
        Figures {
            contender: contender.to_owned(),
            round: 1,
            asked: Asked {
                nodes: 3,
                clients: 16,
                connections: 1,
                rate: None,
                read_share: 0.0,
                value_bytes: 256,
            },
            tallied: Tallied {
                seconds: 1.0,
                per_second,
                puts: Some(puts),
                gets: None,
                failures: BTreeMap::new(),
                unanswered: 0,
            },
            usage: Usage { nodes_s: 1.0, generator_cores: 0.1, foreign_cores },
            cpu_us_per_op: us / 10.0,
            resident_bytes_max: 1,
            raw_disk: RawDisk { threads: 3, count: 1, us_p50: 100.0, us_p99: 200.0 },
            put_p50_per_raw_p50: None,
        }
    }

    fn compared(ours: &[Figures], theirs: &[Figures]) -> Result<Ratios, Refused> {
        ratios(&ours.iter().collect::<Vec<_>>(), &theirs.iter().collect::<Vec<_>>(), 0.25)
    }

    #[test]
    fn the_middle_of_values_is_what_one_expects() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }

    #[test]
    fn a_ratio_above_one_speaks_for_the_first() {
        let ours = [10.0, 12.0, 11.0].map(|thousands| figures("ours", thousands * 1e3, 500.0, 0.1));
        let theirs = [2.0, 1.0, 3.0].map(|thousands| figures("theirs", thousands * 1e3, 5_000.0, 0.2));
        let found = compared(&ours, &theirs).unwrap();
        assert_eq!((found.throughput, found.p50, found.p99, found.cpu), (5.5, 10.0, 10.0, 10.0));
        assert_eq!((found.balanced, found.pairs, found.clients), (3, 3, 16));
    }

    #[test]
    fn a_pair_of_rounds_that_others_disturbed_unequally_counts_for_nothing() {
        let calm = |rate| figures("ours", rate, 500.0, 0.1);
        let disturbed = figures("theirs", 1.0, 500.0, 1.4);
        let ours = [calm(10.0), calm(20.0), calm(30.0)];
        let theirs = [figures("theirs", 5.0, 500.0, 0.1), disturbed, figures("theirs", 5.0, 500.0, 0.0)];
        let found = compared(&ours, &theirs).unwrap();
        assert_eq!((found.throughput, found.balanced, found.pairs), (4.0, 2, 3), "20/5 without the second");
    }

    #[test]
    fn there_is_no_ratio_where_most_rounds_were_disturbed_unequally() {
        let ours = [0.1, 0.1, 0.1].map(|foreign| figures("ours", 10.0, 500.0, foreign));
        let theirs = [0.1, 1.1, 0.6].map(|foreign| figures("theirs", 10.0, 500.0, foreign));
        let refused = compared(&ours, &theirs).unwrap_err();
        assert_eq!((refused.unbalanced, refused.pairs, refused.limit), (2, 3, 0.25));
        let said = refused.to_string();
        assert!(said.contains("in 2 of 3 pairs") && said.contains("by 1.00 at worst"), "{said}");
        // A single pair must be alike, not half of it.
        assert!(compared(&ours[..1], &theirs[1..2]).is_err());
        assert!(compared(&ours[..1], &theirs[..1]).is_ok());
    }
}
