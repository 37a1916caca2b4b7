//! The one clock of a measurement: nanoseconds since the generator started.
//!
//! Every thread shares it, so a time stamp that one thread puts into a message can be compared
//! with the time of arrival in another. It is monotonic and knows nothing of the wall clock.

use std::time::{Duration, Instant};

/// Nanoseconds since the generator started.
pub type Nanos = u64;

/// One second in [`Nanos`].
pub const SECOND: Nanos = 1_000_000_000;

/// One millisecond in [`Nanos`].
pub const MILLISECOND: Nanos = 1_000_000;

/// A copyable reference to the moment at which the generator started.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that reads zero now.
    #[must_use]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Nanoseconds since [`Clock::start`].
    #[must_use]
    pub fn now(self) -> Nanos {
        nanos(self.origin.elapsed())
    }
}

/// A duration in nanoseconds; one of more than 584 years saturates.
#[must_use]
pub fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Seconds, as they are printed.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a printed figure; 2^53 ns are 104 days")]
pub fn seconds(nanos: Nanos) -> f64 {
    nanos as f64 / 1e9
}
