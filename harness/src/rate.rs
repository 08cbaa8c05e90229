//! How often something happens, judged from a few tries.

use std::fmt;

/// The quantile of the normal distribution for an interval of 95 %.
const Z: f64 = 1.96;

/// So many of so many tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rate {
    /// Those that did.
    pub hits: u64,
    /// All of them.
    pub tries: u64,
}

impl Rate {
    /// Counts one more try.
    pub fn count(&mut self, hit: bool) {
        self.tries += 1;
        self.hits += u64::from(hit);
    }

    /// The true rate lies in there with 95 % probability (Wilson's score interval, which does not
    /// break down at none or all of few).
    #[must_use]
    pub fn interval(&self) -> (f64, f64) {
        if self.tries == 0 {
            return (0.0, 1.0);
        }
        let (hits, tries) = (self.hits as f64, self.tries as f64);
        let share = hits / tries;
        let spread = Z * Z / tries;
        let middle = (share + spread / 2.0) / (1.0 + spread);
        let half = Z / (1.0 + spread) * (share * (1.0 - share) / tries + spread / (4.0 * tries)).sqrt();
        ((middle - half).max(0.0), (middle + half).min(1.0))
    }

    /// For tables: `3/5 (23–88 %)`.
    #[must_use]
    pub fn short(&self) -> String {
        let (low, high) = self.interval();
        format!("{}/{} ({}–{} %)", self.hits, self.tries, percent(low), percent(high))
    }
}

fn percent(share: f64) -> f64 {
    (share * 100.0).round()
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.interval();
        write!(
            f,
            "{} of {} ({}–{} % with 95 % confidence)",
            self.hits,
            self.tries,
            percent(low),
            percent(high)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_tables() {
        // Wilson's intervals as any statistics package gives them.
        for (hits, tries, low, high) in
            [(0, 10, 0.0, 0.278), (5, 10, 0.237, 0.763), (10, 10, 0.722, 1.0), (3, 20, 0.052, 0.360)]
        {
            let (l, h) = Rate { hits, tries }.interval();
            assert!((l - low).abs() < 0.001 && (h - high).abs() < 0.001, "{hits}/{tries}: {l} {h}");
        }
        assert_eq!(Rate::default().interval(), (0.0, 1.0));
        assert_eq!(Rate { hits: 7, tries: 20 }.to_string(), "7 of 20 (18–57 % with 95 % confidence)");
    }
}
