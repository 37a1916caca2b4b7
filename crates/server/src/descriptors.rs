//! How many descriptors the process may have, and which of them are kept for plain HTTP.

use rustix::process::{Resource, getrlimit, setrlimit};

/// The descriptors of the process after its limit was raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// The limit.
    pub limit: usize,
}

/// Epolls, listeners, standard streams: what the process needs for itself.
const OWN: usize = 64;

impl Descriptors {
    /// Raises the soft limit to the hard one; where that is refused the soft one stays.
    #[must_use]
    pub fn raise() -> Self {
        let mut limits = getrlimit(Resource::Nofile);
        if limits.current != limits.maximum {
            let soft = limits.current;
            limits.current = limits.maximum;
            if setrlimit(Resource::Nofile, limits).is_err() {
                limits.current = soft;
            }
        }
        let limit = limits.current.and_then(|n| usize::try_from(n).ok()).unwrap_or(1 << 20);
        Self { limit }
    }

    /// How many connections that leaves, with `reserved` kept for plain HTTP.
    #[must_use]
    pub fn connections_max(self, reserved: usize) -> usize {
        self.limit.saturating_sub(OWN + reserved)
    }
}
