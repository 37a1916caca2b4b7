//! Why an Engine.IO connection ended.
//!
//! Owns the closed list and its exact texts, which the stock server hands to applications. The
//! mapping to close codes, metrics and the reasons of single sockets belongs to whoever closes.

use std::fmt;

/// The five reasons of the stock server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The peer closed the connection, or it broke.
    TransportClose,
    /// The transport failed: a protocol violation, a message too large.
    TransportError,
    /// A ping was not answered in time.
    PingTimeout,
    /// A packet could not be decoded.
    ParseError,
    /// We ended it.
    ForcedClose,
}

impl CloseReason {
    /// The reason as applications know it.
    pub fn as_str(self) -> &'static str {
        match self {
            CloseReason::TransportClose => "transport close",
            CloseReason::TransportError => "transport error",
            CloseReason::PingTimeout => "ping timeout",
            CloseReason::ParseError => "parse error",
            CloseReason::ForcedClose => "forced close",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
