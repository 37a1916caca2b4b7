//! Latency histograms: recording in constant memory, merging of threads, percentiles.

use crate::clock::Nanos;
use hdrhistogram::Histogram;

/// Everything longer is recorded as this: ten minutes.
const LATENCY_NANOS_MAX: u64 = 600_000_000_000;

/// Three decimal digits: a p99 of 14.2 ms is told from one of 14.3 ms.
const SIGNIFICANT_DIGITS: u8 = 3;

/// A distribution of durations.
#[derive(Clone, Debug)]
pub struct Latency {
    // `None` until the first sample: a histogram takes some 250 KB, and most streams of most
    // threads never record one.
    histogram: Option<Histogram<u64>>,
}

/// The percentiles that a report shows, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Number of samples.
    pub count: u64,
    /// Median.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p999_ms: f64,
    /// The longest sample.
    pub max_ms: f64,
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

impl Latency {
    /// An empty distribution.
    #[must_use]
    pub const fn new() -> Self {
        Self { histogram: None }
    }

    /// Adds one sample.
    pub fn record(&mut self, duration: Nanos) {
        let histogram = self.histogram.get_or_insert_with(|| {
            Histogram::new_with_max(LATENCY_NANOS_MAX, SIGNIFICANT_DIGITS)
                .expect("the bounds are constants that hdrhistogram accepts")
        });
        histogram.saturating_record(duration);
    }

    /// Adds all samples of another distribution.
    pub fn merge(&mut self, other: &Self) {
        let Some(theirs) = &other.histogram else { return };
        match &mut self.histogram {
            Some(ours) => ours.add(theirs).expect("all histograms have the same bounds"),
            none => *none = Some(theirs.clone()),
        }
    }

    /// The value below which `percent` of the samples lie, in milliseconds; 0 without samples.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "at most ten minutes in ns")]
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        self.histogram.as_ref().map_or(0.0, |h| h.value_at_percentile(percent) as f64 / 1e6)
    }

    /// The percentiles that are reported.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "at most ten minutes in ns")]
    pub fn summary(&self) -> Summary {
        let Some(histogram) = &self.histogram else { return Summary::default() };
        Summary {
            count: histogram.len(),
            p50_ms: self.percentile_ms(50.0),
            p90_ms: self.percentile_ms(90.0),
            p99_ms: self.percentile_ms(99.0),
            p999_ms: self.percentile_ms(99.9),
            max_ms: histogram.max() as f64 / 1e6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{MILLISECOND, SECOND};

    fn near(actual: f64, expected: f64) {
        assert!((actual - expected).abs() <= expected * 0.002, "{actual} is not near {expected}");
    }

    #[test]
    fn percentiles_of_a_ramp() {
        let mut latency = Latency::new();
        for millisecond in 1..=1000 {
            latency.record(millisecond * MILLISECOND);
        }
        let summary = latency.summary();
        assert_eq!(summary.count, 1000);
        near(summary.p50_ms, 500.0);
        near(summary.p90_ms, 900.0);
        near(summary.p99_ms, 990.0);
        near(summary.p999_ms, 999.0);
        near(summary.max_ms, 1000.0);
    }

    #[test]
    fn empty_is_zero() {
        assert_eq!(Latency::new().summary(), Summary::default());
    }

    #[test]
    fn merging_is_recording_both() {
        let (mut a, mut b, mut both) = (Latency::new(), Latency::new(), Latency::new());
        for i in 1..500 {
            let sample = i * i * 1_000;
            if i % 3 == 0 {
                a.record(sample);
            } else {
                b.record(sample);
            }
            both.record(sample);
        }
        let mut merged = Latency::new();
        merged.merge(&a);
        merged.merge(&b);
        merged.merge(&Latency::new());
        assert_eq!(merged.summary(), both.summary());
    }

    #[test]
    fn too_long_saturates() {
        let mut latency = Latency::new();
        latency.record(10_000 * SECOND);
        near(latency.summary().max_ms, 600_000.0);
    }
}
