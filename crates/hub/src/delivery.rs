//! How long messages take through a shard: from the turn in which they were read until a client's
//! socket has them.
//!
//! A look at the clock for each write would cost more than it tells, so it is one write in some. The
//! hub reads no clock: it says when it wants the time, and is told.

use crate::application::Application;
use crate::connection::Transport;
use crate::hub::Hub;
use crate::slots::Key;

/// One write in this many is looked at. A prime: rooms of round sizes do not hit the same member
/// again and again.
const WRITES_PER_SAMPLE: u32 = 61;

/// Upper ends of the buckets of deliveries, in microseconds.
pub const DELIVERY_BUCKETS_MICROS: [u64; 12] =
    [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 500_000, 5_000_000];

impl<A: Application> Hub<A> {
    /// A turn begins; `micros` is a clock's that all shards share, and never 0. What is read from now
    /// on was read then.
    pub fn begin_turn(&mut self, micros: u64) {
        self.core().turn_micros = micros;
    }

    /// Whether [`Self::delivered`] wants to be told of the write that was just done.
    pub fn wants_time(&mut self) -> bool {
        let core = self.core();
        core.writes = core.writes.wrapping_add(1);
        core.writes.is_multiple_of(WRITES_PER_SAMPLE)
    }

    /// The socket took `n` bytes by now; told ahead of [`Self::wrote`].
    pub fn delivered(&mut self, micros: u64, key: Key, n: usize) {
        let core = self.core();
        let Some(connection) = core.connections.get(key) else { return };
        // What is written to a session that polls says nothing but that its WebSocket works.
        if matches!(connection.transport, Some(Transport::Polling(_))) {
            return;
        }
        let outbox = &connection.outbox;
        let Some(frame) = outbox.frames().next() else { return };
        let (is_message, is_whole) =
            (frame.caused_at() > 0, n >= frame.bytes().len() - outbox.written());
        if is_message && is_whole {
            core.stats.delivery.took(micros.saturating_sub(frame.caused_at()));
        }
    }
}
