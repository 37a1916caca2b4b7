//! Choices from a seed.

use std::env;

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, if there is one.
    pub(crate) fn below(&mut self, end: usize) -> Option<usize> {
        let end = u64::try_from(end).ok().filter(|&end| end > 0)?;
        usize::try_from(self.next() % end).ok()
    }

    /// A number from 0 to `most`.
    pub(crate) fn up_to(&mut self, most: usize) -> usize {
        self.below(most + 1).unwrap_or(0)
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == Some(0)
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let at = self.below(from.len()).expect("something to pick from");
        from[at]
    }
}

/// Runs `body` for each of `count` seeds, or for the one in `RELAY_SEED`. A failure is preceded by
/// its seed.
pub(crate) fn seeds(count: u64, body: impl Fn(u64)) {
    let one = env::var("RELAY_SEED").ok().and_then(|seed| seed.parse().ok());
    let (first, count) = one.map_or((1, count), |seed| (seed, 1));
    for seed in first..first + count {
        let report = ReportSeed(seed);
        body(seed);
        std::mem::forget(report);
    }
}

/// Prints the seed of a run that panics.
struct ReportSeed(u64);

impl Drop for ReportSeed {
    fn drop(&mut self) {
        eprintln!("repeat with RELAY_SEED={}", self.0);
    }
}
