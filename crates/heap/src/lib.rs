//! Gives memory that the allocator keeps back to the system, when much of it has become free.
//!
//! glibc keeps what is freed below the top of a heap: after slow clients have held 16 MB, the process
//! has them for ever. Freed pages go back only when it is asked for (`malloc_trim(3)`). Owns the
//! question when to ask, and the call, which is the only unsafe code of the workspace.

use std::time::Duration;

/// How often [`Level::falls_to`] is to be told.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// Bytes. Less is not worth the locks of the allocator, which threads that allocate wait for.
const FALL: u64 = 4 << 20;
/// Intervals for which it must have been low: what goes up and down is used again.
const CALM: u32 = 4;

/// What is held, followed over time.
#[derive(Debug, Default)]
pub struct Level {
    high: u64,
    calm: u32,
}

impl Level {
    /// Takes what is held now, in bytes; whether so much less than before has been held for a while
    /// that [`give_back`] is worth it.
    pub fn falls_to(&mut self, held: u64) -> bool {
        if self.high.saturating_sub(held) < FALL {
            self.high = self.high.max(held);
            self.calm = 0;
            return false;
        }
        self.calm += 1;
        if self.calm < CALM {
            return false;
        }
        *self = Self { high: held, calm: 0 };
        true
    }
}

/// Gives free pages back. Without glibc it does nothing: other allocators do so by themselves.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `malloc_trim` has no preconditions and is safe to call from any thread; it touches
    // only pages without a live allocation.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fall_that_lasts_is_told_once() {
        let mut level = Level::default();
        assert!(!level.falls_to(FALL + 5));
        for _ in 1..CALM {
            assert!(!level.falls_to(5));
        }
        assert!(level.falls_to(5));
        assert!((0..2 * CALM).all(|_| !level.falls_to(5)));
    }

    #[test]
    fn what_goes_up_and_down_and_small_falls_are_left_alone() {
        let mut level = Level::default();
        for held in [FALL, 0, FALL, 0].repeat(20) {
            assert!(!level.falls_to(held));
        }
        for held in (0..FALL - 1).rev().step_by(1 << 16) {
            assert!(!level.falls_to(held));
        }
    }

    #[test]
    fn giving_back_leaves_what_lives() {
        let lives: Vec<Vec<u8>> = (0..100u8).map(|it| vec![it; 10_000]).collect();
        drop(vec![vec![1u8; 10_000]; 1000]);
        give_back();
        assert!((0..100u8).all(|it| lives[usize::from(it)].iter().all(|byte| *byte == it)));
    }
}
