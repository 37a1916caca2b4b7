//! How many lines a second there may be of what clients can cause at will.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use relay_hub::LogLimits;
use rustix::time::{ClockId, clock_gettime};

/// Lines that are bounded together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    /// Who came, and who went as clients do.
    Sessions,
    /// Messages and notifications.
    Messages,
    /// Who says who it is.
    Identifications,
    /// Events and CONNECTs that were refused.
    Refusals,
    /// Handshakes that were refused.
    Handshakes,
}

impl Class {
    pub(super) const ALL: [Self; 5] =
        [Self::Sessions, Self::Messages, Self::Identifications, Self::Refusals, Self::Handshakes];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Messages => "messages",
            Self::Identifications => "identifications",
            Self::Refusals => "refusals",
            Self::Handshakes => "handshakes",
        }
    }

    fn lines_max(self, limits: &LogLimits) -> u64 {
        let lines_max = match self {
            Self::Sessions => limits.sessions_per_second_max,
            Self::Messages | Self::Identifications | Self::Refusals | Self::Handshakes => {
                limits.lines_per_second_max
            }
        };
        lines_max as u64
    }
}

/// The bounds of all shards together.
pub(super) struct Caps {
    lines_max: [u64; Class::ALL.len()],
    /// For each class: the second in the upper half, the lines of it in the lower half.
    now: [AtomicU64; Class::ALL.len()],
    locals: Mutex<Vec<Arc<Local>>>,
}

/// What one shard knows of them: in a second that is used up it asks nobody any more, and what it
/// leaves out it counts by itself. On cache lines of its own, since that is done for each message.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Local {
    used_up: [AtomicU64; Class::ALL.len()],
    /// Added to, not set: where the program's futures run it is told facts as well.
    left_out: [AtomicU64; Class::ALL.len()],
}

impl Caps {
    pub(super) fn new(limits: &LogLimits) -> Self {
        let lines_max = Class::ALL.map(|class| class.lines_max(limits));
        Self { lines_max, now: Default::default(), locals: Mutex::default() }
    }

    /// For one more shard.
    pub(super) fn local(&self) -> Arc<Local> {
        let local = Arc::<Local>::default();
        self.locals.lock().unwrap_or_else(PoisonError::into_inner).push(local.clone());
        local
    }

    /// Whether there may be one more line in this second, which is never 0.
    pub(super) fn admit(&self, local: &Local, class: Class, second: u64) -> bool {
        let used_up = &local.used_up[class as usize];
        let admitted = used_up.load(Ordering::Relaxed) != second && self.take(class, second);
        if !admitted {
            used_up.store(second, Ordering::Relaxed);
            local.left_out[class as usize].fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    fn take(&self, class: Class, second: u64) -> bool {
        let lines_max = self.lines_max[class as usize];
        let next = |now: u64| {
            let lines = if now >> 32 == second { now & 0xffff_ffff } else { 0 };
            (lines < lines_max).then_some(second << 32 | (lines + 1))
        };
        let (order, cell) = (Ordering::Relaxed, &self.now[class as usize]);
        cell.fetch_update(order, order, next).is_ok()
    }

    /// Lines left out by all shards.
    pub(super) fn left_out(&self, class: Class) -> u64 {
        let locals = self.locals.lock().unwrap_or_else(PoisonError::into_inner);
        locals.iter().map(|local| local.left_out[class as usize].load(Ordering::Relaxed)).sum()
    }
}

/// The second that it is, never 0: a clock that takes a few nanoseconds and is late by as many
/// milliseconds.
pub(super) fn second() -> u64 {
    let now = clock_gettime(ClockId::MonotonicCoarse).tv_sec;
    u64::try_from(now).unwrap_or(0) + 1
}

#[cfg(test)]
mod tests {
    use relay_hub::LogLimits;

    use super::{Caps, Class};

    fn caps_of(lines_max: usize) -> Caps {
        Caps::new(&LogLimits {
            lines_per_second_max: lines_max,
            sessions_per_second_max: 1,
            ..LogLimits::default()
        })
    }

    #[test]
    fn what_is_above_the_bound_is_counted() {
        let caps = caps_of(3);
        let (one, two) = (caps.local(), caps.local());
        let admitted = |local, second| caps.admit(local, Class::Messages, second);
        let first: Vec<_> = (0..3).map(|_| (admitted(&one, 1), admitted(&two, 1))).collect();
        assert_eq!(first, [(true, true), (true, false), (false, false)]);
        assert!(caps.admit(&one, Class::Refusals, 1), "each class has a bound of its own");
        let sessions = [(); 2].map(|()| caps.admit(&one, Class::Sessions, 1));
        assert_eq!((sessions, caps.left_out(Class::Sessions)), ([true, false], 1));
        assert!(admitted(&one, 2) && admitted(&two, 2), "each second too");
        assert_eq!(caps.left_out(Class::Messages), 3);
        assert!(!caps_of(0).admit(&one, Class::Messages, 3));
    }
}
