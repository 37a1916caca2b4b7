//! Pauses between attempts: twice as long each time, and never the same for two instances.

use std::time::Duration;

/// The pauses of one connection.
#[derive(Debug)]
pub(super) struct Backoff {
    random: u64,
    attempts: u32,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: seed, attempts: 0 }
    }

    /// The connection had worked: the next pause is the shortest.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// The next pause: between half of `min`, doubled for each attempt up to `max`, and all of it.
    pub(super) fn next(&mut self, min: Duration, max: Duration) -> Duration {
        let whole = min.saturating_mul(1 << self.attempts.min(16)).min(max);
        self.attempts = self.attempts.saturating_add(1);
        let half = whole / 2;
        let steps = u32::from(self.random_byte()) + 1;
        half + half * steps / 256
    }

    /// SplitMix64: nothing secret depends on it.
    fn random_byte(&mut self) -> u8 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 56).to_le_bytes()[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest_and_differ_between_instances() {
        let (min, max) = (Duration::from_millis(100), Duration::from_secs(2));
        let pauses = |seed| {
            let mut backoff = Backoff::new(seed);
            (0..40).map(|_| backoff.next(min, max)).collect::<Vec<_>>()
        };
        for (at, pause) in pauses(1).into_iter().enumerate() {
            let whole = (min * (1 << at.min(10))).min(max);
            assert!(pause > whole / 2 && pause <= whole, "{at}: {pause:?}");
        }
        assert_ne!(pauses(1), pauses(2));
        assert_eq!(pauses(1), pauses(1));
    }

    #[test]
    fn the_first_pause_after_success_is_short() {
        let (min, max) = (Duration::from_millis(100), Duration::from_secs(2));
        let mut backoff = Backoff::new(3);
        for _ in 0..10 {
            backoff.next(min, max);
        }
        backoff.reset();
        assert!(backoff.next(min, max) <= min);
    }
}
