//! Whether shards run, and how long their passes take.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A shard that finished no pass for this long is stuck. An idle one passes every second.
pub(crate) const STUCK_MS: u64 = 5_000;

/// The longest pass is told for one to two of these.
const WINDOW_MS: u64 = 10_000;

/// Upper ends of the buckets of passes, in microseconds: from what one message takes to what is felt as
/// a stall.
pub const PASS_BUCKETS_MICROS: [u64; 12] =
    [20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 250_000, 1_000_000];

/// How long passes took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Passes {
    /// By the buckets of [`PASS_BUCKETS_MICROS`]; the last one is for all that are longer.
    pub counts: [u64; PASS_BUCKETS_MICROS.len() + 1],
    /// All of them together, in microseconds.
    pub micros: u64,
}

/// One shard's sign of life. Only the shard writes it.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// When it finished its last pass, in milliseconds of the shards' clock.
    passed_at: AtomicU64,
    window: AtomicU64,
    /// In microseconds: the longest of this window, and of the one before.
    longest: AtomicU64,
    longest_before: AtomicU64,
    counts: [AtomicU64; PASS_BUCKETS_MICROS.len() + 1],
    micros: AtomicU64,
}

impl Pulse {
    pub(crate) fn passed(&self, now: u64, micros: u64) {
        self.passed_at.store(now, Relaxed);
        let bucket = PASS_BUCKETS_MICROS.partition_point(|end| *end < micros);
        for (cell, more) in [(&self.counts[bucket], 1), (&self.micros, micros)] {
            cell.store(cell.load(Relaxed).wrapping_add(more), Relaxed);
        }
        let window = now / WINDOW_MS;
        let last = self.window.load(Relaxed);
        if window != last {
            let before = if window == last + 1 { self.longest.load(Relaxed) } else { 0 };
            self.longest_before.store(before, Relaxed);
            self.longest.store(micros, Relaxed);
            self.window.store(window, Relaxed);
        } else if micros > self.longest.load(Relaxed) {
            self.longest.store(micros, Relaxed);
        }
    }

    /// Adds this shard's passes.
    pub(crate) fn add_to(&self, passes: &mut Passes) {
        for (sum, count) in passes.counts.iter_mut().zip(&self.counts) {
            *sum += count.load(Relaxed);
        }
        passes.micros += self.micros.load(Relaxed);
    }

    /// All passes together, in microseconds.
    pub(crate) fn busy_micros(&self) -> u64 {
        self.micros.load(Relaxed)
    }

    pub(crate) fn is_stuck(&self, now: u64) -> bool {
        now.saturating_sub(self.passed_at.load(Relaxed)) > STUCK_MS
    }

    /// The longest pass of the last ten to twenty seconds, one that is still going on included.
    pub(crate) fn longest_micros(&self, now: u64) -> u64 {
        let idle_ms = now.saturating_sub(self.passed_at.load(Relaxed));
        let going_on = if idle_ms > STUCK_MS { idle_ms.saturating_mul(1_000) } else { 0 };
        let told = self.longest.load(Relaxed).max(self.longest_before.load(Relaxed));
        let is_old = now / WINDOW_MS > self.window.load(Relaxed) + 1;
        going_on.max(if is_old { 0 } else { told })
    }
}

#[cfg(test)]
mod tests {
    use super::{Passes, Pulse};

    #[test]
    fn passes_are_counted_by_their_length() {
        let pulse = Pulse::default();
        for micros in [0, 20, 21, 1_000_000, 1_000_001] {
            pulse.passed(1_000, micros);
        }
        let mut passes = Passes::default();
        pulse.add_to(&mut passes);
        assert_eq!(passes.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(passes.micros, 2_000_042);
    }

    #[test]
    fn the_longest_pass_is_forgotten_after_a_while() {
        let pulse = Pulse::default();
        pulse.passed(1_000, 700);
        pulse.passed(2_000, 50);
        assert_eq!(pulse.longest_micros(2_000), 700);
        pulse.passed(11_000, 60);
        assert_eq!(pulse.longest_micros(11_000), 700);
        pulse.passed(21_000, 70);
        assert_eq!(pulse.longest_micros(21_000), 70);
    }

    #[test]
    fn a_shard_without_a_pass_is_stuck() {
        let pulse = Pulse::default();
        pulse.passed(1_000, 10);
        assert!(!pulse.is_stuck(6_000));
        assert!(pulse.is_stuck(6_001));
        assert_eq!(pulse.longest_micros(6_001), 5_001_000);
    }
}
