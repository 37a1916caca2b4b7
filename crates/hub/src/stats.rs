//! Counters of one shard. Only the shard writes them, anyone may read: plain loads and stores, no
//! contended instruction on the message path.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::memory::{Held, LocalMemory};
use crate::reason::EndReason;
use crate::spread::Spread;

/// A number that one thread changes and all may read.
#[derive(Debug, Default)]
pub struct Cell(AtomicU64);

impl Cell {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Takes `n` away.
    pub fn sub(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_sub(n), Relaxed);
    }

    /// Replaces the number.
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    /// The number.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// What one shard's hub counts. Gauges say so; the rest only grow.
        #[derive(Debug, Default)]
        pub struct Stats {
            $($(#[$doc])* pub $name: Cell,)+
            /// Ends by reason: connections, and sockets that left a namespace alone.
            pub ends: [Cell; EndReason::ALL.len()],
            /// Gauges: what `memory_bytes` is made of, by [`Held`].
            pub held: [Cell; Held::ALL.len()],
            /// Receivers on this shard of each broadcast.
            pub fan_out: Spread,
            /// How long messages took from their turn to a socket, in microseconds: a sample.
            pub delivery: Spread,
            /// How long the oldest of what a client took at once had been in its outbox.
            pub waits: Spread,
        }
    };
}

stats! {
    /// Gauge: open connections.
    connections,
    /// Connections opened.
    connections_opened,
    /// WebSockets that asked to take a polling session over.
    probes,
    /// Those that failed: the session went on polling, or ended first.
    probes_failed,
    /// Sessions that went from polling to WebSocket.
    upgrades,
    /// Gauge: sockets in namespaces.
    sockets,
    /// Gauge: rooms with members.
    rooms,
    /// Socket.IO packets received.
    packets_received,
    /// Bytes received after the handshake.
    bytes_received,
    /// Bytes written after the handshake.
    bytes_sent,
    /// Events handed to the application.
    events,
    /// Broadcasts placed in the order.
    broadcasts,
    /// Bulk joins, leaves and disconnects placed in the order, those of other instances included.
    bulks,
    /// Packets put into outboxes.
    deliveries,
    /// Volatile packets dropped because the client could not take them at once.
    volatile_dropped,
    /// Broadcasts of other instances delivered here.
    remote_broadcasts,
    /// Questions that other instances asked this one.
    remote_questions,
    /// Those that were answered with nothing, since too many were under way.
    remote_questions_refused,
    /// Events of other instances' applications for this one's.
    server_side_events,
    /// Answers about sockets from which some were left out, since they were too large.
    fetches_cut,
    /// Messages whose encoding would exceed the bound of one message.
    encoded_too_large,
    /// Joins refused: a socket's, a request's or the shard's bound of rooms.
    rooms_refused,
    /// Acknowledgements that could not be awaited: the bound was reached.
    acks_refused,
    /// Answers to broadcasts with acknowledgement that were counted but not kept.
    ack_answers_dropped,
    /// Times a connection was not read because what it sent still waited elsewhere.
    senders_held,
    /// Gauge: connections that are not read now for that reason.
    senders_held_now,
    /// Times the shard did not read for want of credit in the order.
    reads_held,
    /// Gauge: bytes of frames, partial messages and queues held for peers.
    memory_bytes,
    /// Gauge: the heaviest outbox that was ever seen blocked, in bytes.
    outbox_bytes_peak,
    /// Panics of the application that were caught.
    panics,
    /// Gauge: CONNECTs that the application has yet to decide on.
    decisions,
    /// CONNECTs refused because too many were undecided.
    decisions_refused,
    /// CONNECTs that the application did not decide on in time.
    decisions_overdue,
    /// Gauge: events that the application has yet to go on with.
    deferrals,
    /// Events that the application did not go on with in time.
    deferrals_overdue,
    /// Events that could not be deferred: too many were.
    deferrals_refused,
    /// CONNECTs refused: no such namespace, or the application said no.
    connects_refused,
}

impl Stats {
    /// Shows what the shard holds now.
    pub(crate) fn holds(&self, memory: &LocalMemory) {
        self.memory_bytes.set(memory.used() as u64);
        for (cell, bytes) in self.held.iter().zip(memory.by_kind()) {
            cell.set(bytes as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Stats;

    #[test]
    fn a_gauge_goes_up_and_down() {
        let stats = Stats::default();
        stats.connections.add(2);
        stats.connections.sub(1);
        assert_eq!(stats.connections.get(), 1);
    }
}
