//! What a session has been, for whoever keeps records of sessions.

use std::net::IpAddr;
use std::time::Duration;

use crate::application::SocketKey;
use crate::connection::Connection;
use crate::core::Core;
use crate::reason::EndReason;
use crate::slots::Key;

/// What a session has been up to now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionSummary {
    /// The peer's address.
    pub address: IpAddr,
    /// Whether its transport is HTTP long-polling; a WebSocket otherwise.
    pub is_polling: bool,
    /// How long it has lasted, by the shard's clock.
    pub age: Duration,
    /// What came from the peer: bytes of frames, or of the bodies of its POSTs.
    pub received_bytes: u64,
    /// What the peer's socket took: bytes of frames, or of the packets in answers to its GETs.
    pub sent_bytes: u64,
}

/// The end of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionEnd {
    /// What it was.
    pub session: SessionSummary,
    /// Why it ended.
    pub reason: EndReason,
    /// Whether it ever was in a namespace.
    pub joined: bool,
}

/// A socket whose end the application has not heard of.
#[derive(Debug)]
pub(crate) struct EndedSocket {
    pub(crate) socket: SocketKey,
    pub(crate) reason: EndReason,
    pub(crate) session: SessionSummary,
}

impl Connection {
    pub(crate) fn summary(&self, now: u64) -> SessionSummary {
        SessionSummary {
            address: self.handshake.address,
            is_polling: self.format.polling,
            age: Duration::from_millis(now.saturating_sub(self.opened)),
            received_bytes: self.received_bytes,
            sent_bytes: self.sent_bytes,
        }
    }
}

impl<D> Core<D> {
    /// Counts what came from a peer.
    pub(crate) fn received(&mut self, key: Key, bytes: usize) {
        self.stats.bytes_received.add(bytes as u64);
        if let Some(connection) = self.connections.get_mut(key) {
            connection.received_bytes += bytes as u64;
        }
    }
}
