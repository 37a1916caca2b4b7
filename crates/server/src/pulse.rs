//! Whether shards run, and how long their passes take.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A shard that finished no pass for this long is stuck. An idle one passes every second.
pub(crate) const STUCK_MS: u64 = 5_000;

/// The longest pass is told for one to two of these.
const WINDOW_MS: u64 = 10_000;

/// One shard's sign of life. Only the shard writes it.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// When it finished its last pass, in milliseconds of the shards' clock.
    passed_at: AtomicU64,
    window: AtomicU64,
    /// In microseconds: the longest of this window, and of the one before.
    longest: AtomicU64,
    longest_before: AtomicU64,
}

impl Pulse {
    pub(crate) fn passed(&self, now: u64, micros: u64) {
        self.passed_at.store(now, Relaxed);
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
    use super::Pulse;

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
