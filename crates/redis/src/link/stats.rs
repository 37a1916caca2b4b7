//! What the connections did, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::queue::Dropped;

/// Upper ends of the buckets of publish latencies, in microseconds.
pub const LATENCY_BUCKETS: [u64; 12] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000];

/// Counters since the start.
#[derive(Debug, Default)]
pub struct LinkStats {
    /// Messages that Redis confirmed.
    pub published: AtomicU64,
    /// Their contents, in bytes.
    pub published_bytes: AtomicU64,
    /// Messages dropped because Redis is away.
    pub dropped_away: AtomicU64,
    /// Messages dropped because the queue is full.
    pub dropped_full: AtomicU64,
    /// Messages on their way when the connection broke: nobody knows whether they arrived.
    pub dropped_lost: AtomicU64,
    /// Messages that Redis refused.
    pub dropped_refused: AtomicU64,
    /// Messages received.
    pub received: AtomicU64,
    /// Bytes read from Redis.
    pub received_bytes: AtomicU64,
    /// Times that nothing more was read until all that had been read was taken.
    pub held: AtomicU64,
    /// Connections made, both kinds.
    pub connections: AtomicU64,
    /// Connections that ended, or could not be made.
    pub failures: AtomicU64,
    /// How often Redis began to be away.
    pub outages: AtomicU64,
    /// How long it was, in microseconds, up to the last time that it came back.
    pub away_us: AtomicU64,
    /// Connections that ended by a panic of ours.
    pub panics: AtomicU64,
    /// From being queued until Redis confirms.
    pub latency: LatencyBuckets,
}

/// A histogram.
#[derive(Debug, Default)]
pub struct LatencyBuckets {
    buckets: [AtomicU64; LATENCY_BUCKETS.len() + 1],
    sum_us: AtomicU64,
}

impl LatencyBuckets {
    pub(super) fn add(&self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let at = LATENCY_BUCKETS.iter().position(|end| us <= *end);
        self.buckets[at.unwrap_or(LATENCY_BUCKETS.len())].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// How many fell into each bucket; the last is for those beyond all.
    #[must_use]
    pub fn counts(&self) -> [u64; LATENCY_BUCKETS.len() + 1] {
        self.buckets.each_ref().map(|it| it.load(Ordering::Relaxed))
    }

    /// The sum of all, in microseconds.
    #[must_use]
    pub fn sum_us(&self) -> u64 {
        self.sum_us.load(Ordering::Relaxed)
    }
}

impl LinkStats {
    pub(super) fn dropped(&self, dropped: Dropped) {
        let counter = match dropped {
            Dropped::Away => &self.dropped_away,
            Dropped::Full => &self.dropped_full,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Adds to a counter.
pub(super) fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}
