//! What an operator may choose of the connections.

use std::time::Duration;

/// Bounds and times of a [`super::Link`]. Their defaults, with reasons, are in
/// [`relay_hub::limits`].
#[derive(Clone, Debug)]
pub struct LinkSettings {
    /// Bytes that go to Redis in one pipeline, at least one message.
    pub batch_bytes_max: usize,
    /// Bytes that are read from Redis ahead of the listener.
    pub inbound_bytes_max: usize,
    /// Bytes of one message, or of the name of its channel; it is counted, but not kept whole, if it
    /// is larger.
    pub message_bytes_max: usize,
    /// Time for a connection: TCP, TLS, authentication.
    pub connect_timeout: Duration,
    /// Time for an answer of Redis.
    pub response_timeout: Duration,
    /// Silence after which Redis is asked whether it is there.
    pub ping_interval: Duration,
    /// Pause before the second attempt to connect.
    pub retry_min: Duration,
    /// The longest pause between two attempts.
    pub retry_max: Duration,
}
