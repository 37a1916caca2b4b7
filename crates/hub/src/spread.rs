//! How values are spread: histograms that one thread writes and all may read.

use crate::delivery::DELIVERY_BUCKETS_MICROS;
use crate::stats::Cell;

/// Upper ends of the buckets of receivers.
pub const FAN_OUT_BUCKETS: [u64; 12] = [0, 1, 2, 5, 10, 50, 100, 500, 1_000, 5_000, 10_000, 50_000];
/// Upper ends of the buckets of waiting times, in milliseconds. The clock of the hub has no finer
/// ones.
pub const WAIT_BUCKETS_MS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 30_000];

/// A histogram. The last bucket is for what is beyond the last end.
#[derive(Debug, Default)]
pub struct Spread {
    counts: [Cell; 13],
    sum: Cell,
}

impl Spread {
    /// Counts the receivers of a broadcast.
    pub(crate) fn receivers(&self, receivers: u32) {
        let receivers = u64::from(receivers);
        self.add(FAN_OUT_BUCKETS.partition_point(|end| *end < receivers), receivers);
    }

    /// Counts a time by a clock that rounds down: what shows as 0 ms took less than one.
    pub(crate) fn waited(&self, ms: u64) {
        self.add(WAIT_BUCKETS_MS.partition_point(|end| *end <= ms), ms);
    }

    /// Counts a delivery.
    pub(crate) fn took(&self, micros: u64) {
        self.add(DELIVERY_BUCKETS_MICROS.partition_point(|end| *end < micros), micros);
    }

    fn add(&self, bucket: usize, value: u64) {
        self.counts[bucket].add(1);
        self.sum.add(value);
    }

    /// How many values each bucket has.
    #[must_use]
    pub fn counts(&self) -> [u64; 13] {
        std::array::from_fn(|bucket| self.counts[bucket].get())
    }

    /// All values together.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum.get()
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn values_fall_into_their_buckets() {
        let spread = Spread::default();
        for receivers in [0, 1, 3, 5, 50_000, 50_001] {
            spread.receivers(receivers);
        }
        assert_eq!(spread.counts(), [1, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(spread.sum(), 100_010);
        let spread = Spread::default();
        for micros in [0, 100, 101, 5_000_000, 5_000_001] {
            spread.took(micros);
        }
        assert_eq!(spread.counts(), [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        let spread = Spread::default();
        for ms in [0, 1, 4, 29_999, 30_000] {
            spread.waited(ms);
        }
        assert_eq!(spread.counts(), [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
    }
}
