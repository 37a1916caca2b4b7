//! The end of a server, in steps that a load balancer and its clients can follow.
//!
//! Owns what is refused and closed when. The hub closes; the shards call it.

use std::sync::OnceLock;
use std::time::Duration;

/// How a server ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Drain {
    /// New sessions are still accepted for this long, since whoever balances the load has yet to
    /// notice.
    pub delay: Duration,
    /// Then transports are closed, spread over this time, so that not all clients come back at
    /// once.
    pub window: Duration,
    /// What is not over by then, counted from the beginning, is cut.
    pub deadline: Duration,
}

impl Drain {
    /// Everything is closed at once, with a few seconds for the goodbyes.
    #[must_use]
    pub fn at_once(deadline: Duration) -> Self {
        Self { delay: Duration::ZERO, window: Duration::ZERO, deadline }
    }
}

/// A drain under way, in milliseconds of the shards' clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draining {
    refuse_at: u64,
    closed_at: u64,
    pub(crate) cut_at: u64,
}

impl Draining {
    pub(crate) fn new(now: u64, drain: Drain) -> Self {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let refuse_at = now.saturating_add(millis(drain.delay));
        Self {
            refuse_at,
            closed_at: refuse_at.saturating_add(millis(drain.window)),
            cut_at: now.saturating_add(millis(drain.deadline)),
        }
    }

    /// New sessions go elsewhere.
    pub(crate) fn refuses(&self, now: u64) -> bool {
        now >= self.refuse_at
    }

    /// How many of `all` connections may be open still.
    pub(crate) fn may_be_open(&self, now: u64, all: usize) -> usize {
        if now < self.refuse_at {
            return usize::MAX;
        }
        let window = self.closed_at - self.refuse_at;
        let left = self.closed_at.saturating_sub(now);
        if left == 0 || window == 0 {
            return 0;
        }
        let open = all as u128 * u128::from(left) / u128::from(window);
        usize::try_from(open).unwrap_or(usize::MAX)
    }
}

/// Set once, read by all shards.
pub(crate) type DrainCell = OnceLock<Draining>;

#[cfg(test)]
mod tests {
    use super::{Drain, Draining};
    use std::time::Duration;

    #[test]
    fn connections_are_closed_evenly_over_the_window() {
        let drain = Drain {
            delay: Duration::from_secs(1),
            window: Duration::from_secs(10),
            deadline: Duration::from_secs(30),
        };
        let draining = Draining::new(100, drain);
        assert!(!draining.refuses(1_099) && draining.refuses(1_100));
        assert_eq!(draining.may_be_open(1_099, 1_000), usize::MAX);
        assert_eq!(draining.may_be_open(1_100, 1_000), 1_000);
        assert_eq!(draining.may_be_open(6_100, 1_000), 500);
        assert_eq!(draining.may_be_open(11_100, 1_000), 0);
        assert_eq!(draining.cut_at, 30_100);
    }

    #[test]
    fn at_once_is_at_once() {
        let draining = Draining::new(0, Drain::at_once(Duration::from_secs(5)));
        assert!(draining.refuses(0));
        assert_eq!(draining.may_be_open(0, 1_000), 0);
    }
}
