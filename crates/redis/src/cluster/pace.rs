//! How often the thread of the cluster looks what there is to do.
//!
//! Every look costs a wake-up and the system calls around it, whatever it finds. Under load they are
//! kept apart, so that what comes in quick succession, in either direction, shares one; a few in a
//! row after a silence are not, so that a question and its answers go at full speed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Looks in quick succession that nobody waits for, after a silence.
const AT_ONCE_MAX: u32 = 8;

#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    /// When looks that had always been `interval` apart would have come to this point.
    due: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(interval: Duration, now: Instant) -> Self {
        Self { interval, due: Mutex::new(now) }
    }

    /// How long to wait before the next look, which is counted.
    pub(super) fn pause(&self, now: Instant) -> Duration {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        *due = (*due).max(now) + self.interval;
        (*due - now).saturating_sub(self.interval * AT_ONCE_MAX)
    }

    /// Waits as long as there is to wait.
    pub(super) fn keep(&self) {
        let pause = self.pause(Instant::now());
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_few_looks_after_a_silence_are_free_then_each_takes_its_time() {
        let begun = Instant::now();
        let (pace, mut now) = (Pace::new(MS, begun), begun + 20 * MS);
        for _ in 0..2 {
            for _ in 0..AT_ONCE_MAX {
                assert_eq!(pace.pause(now), Duration::ZERO);
            }
            for _ in 0..10 {
                assert_eq!(pace.pause(now), MS);
                now += MS;
            }
            now += 20 * MS;
        }
    }

    #[test]
    fn looks_that_come_late_do_not_add_up() {
        let begun = Instant::now();
        let (pace, mut now) = (Pace::new(MS, begun), begun);
        for _ in 0..1_000 {
            pace.pause(now);
            now += MS * 2;
        }
        assert_eq!(pace.pause(now), Duration::ZERO);
        let unlimited = Pace::new(Duration::ZERO, begun);
        assert!((0..100).all(|_| unlimited.pause(begun).is_zero()));
    }
}
