//! Why a connection or a socket ended: one closed table from the reason to everything that is seen
//! of it.

/// The one reason of an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum EndReason {
    /// The client left the namespace (`41`).
    ClientNamespaceDisconnect,
    /// The application made the socket leave its namespace.
    ServerNamespaceDisconnect,
    /// The application closed the whole connection.
    ForcedServerClose,
    /// The instance is stopping.
    ServerShuttingDown,
    /// The client closed, or the TCP connection ended.
    TransportClose,
    /// The TCP connection failed, or a client sent Engine.IO's ping.
    TransportError,
    /// No pong in time.
    PingTimeout,
    /// A packet that Engine.IO does not know.
    ParseError,
    /// A packet that Socket.IO does not allow: the peer misbehaved.
    ProtocolError,
    /// A frame that RFC 6455 does not allow.
    WebSocketProtocol,
    /// Text that is no UTF-8.
    InvalidUtf8,
    /// A message above `maxPayload`.
    PayloadTooLarge,
    /// No namespace was joined in time.
    ConnectTimeout,
    /// The announced attachments did not arrive in time.
    AttachmentsTimeout,
    /// The client did not take what was sent to it.
    SlowConsumer,
    /// The process held too much for its clients, and this one was among the oldest holders.
    MemoryBudget,
    /// The application's handler panicked.
    HandlerPanic,
}

/// What happens on the wire at an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WireEnd {
    /// The namespace is left with `41`, or was by the client; the connection lives on.
    Namespace,
    /// A WebSocket close frame, with this code or with none (the peer sees 1005).
    Close(Option<u16>),
    /// The TCP connection is dropped: nothing could be written any more, or nobody is there.
    Abort,
}

/// Who closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closer {
    /// The client left, or its TCP connection ended in order.
    Client,
    /// We did: the application, a limit, or what the peer said was not allowed.
    Server,
    /// Nobody: the peer was not heard any more.
    Network,
}

impl Closer {
    /// A word for records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Network => "network",
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// The reason as Socket.IO applications see it.
    pub reason: &'static str,
    /// What the peer sees.
    pub wire: WireEnd,
    /// Whether a stock client connects again by itself.
    pub reconnects: bool,
    /// The value of the metric label `reason`.
    pub label: &'static str,
}

impl EndReason {
    /// All reasons, in the order of their metric.
    pub const ALL: [Self; 17] = [
        Self::ClientNamespaceDisconnect,
        Self::ServerNamespaceDisconnect,
        Self::ForcedServerClose,
        Self::ServerShuttingDown,
        Self::TransportClose,
        Self::TransportError,
        Self::PingTimeout,
        Self::ParseError,
        Self::ProtocolError,
        Self::WebSocketProtocol,
        Self::InvalidUtf8,
        Self::PayloadTooLarge,
        Self::ConnectTimeout,
        Self::AttachmentsTimeout,
        Self::SlowConsumer,
        Self::MemoryBudget,
        Self::HandlerPanic,
    ];

    /// The table. A Socket.IO decode error is `forced close` to applications, as in Node.
    #[must_use]
    pub const fn end(self) -> End {
        use WireEnd::{Abort, Close, Namespace};
        const fn row(
            reason: &'static str,
            wire: WireEnd,
            reconnects: bool,
            label: &'static str,
        ) -> End {
            End { reason, wire, reconnects, label }
        }
        match self {
            Self::ClientNamespaceDisconnect => {
                row("client namespace disconnect", Namespace, false, "client_namespace_disconnect")
            }
            Self::ServerNamespaceDisconnect => {
                row("server namespace disconnect", Namespace, false, "server_namespace_disconnect")
            }
            Self::ForcedServerClose => {
                row("forced server close", Close(None), false, "forced_server_close")
            }
            Self::ServerShuttingDown => {
                row("server shutting down", Close(None), true, "server_shutting_down")
            }
            Self::TransportClose => row("transport close", Close(None), true, "transport_close"),
            Self::TransportError => row("transport error", Close(None), true, "transport_error"),
            Self::PingTimeout => row("ping timeout", Close(None), true, "ping_timeout"),
            Self::ParseError => row("parse error", Close(None), true, "parse_error"),
            Self::ProtocolError => row("forced close", Close(None), true, "protocol_error"),
            Self::WebSocketProtocol => {
                row("transport error", Close(Some(1002)), true, "websocket_protocol")
            }
            Self::InvalidUtf8 => row("transport error", Close(Some(1007)), true, "invalid_utf8"),
            Self::PayloadTooLarge => {
                row("transport error", Close(Some(1009)), true, "payload_too_large")
            }
            Self::ConnectTimeout => {
                row("forced server close", Close(None), true, "connect_timeout")
            }
            Self::AttachmentsTimeout => {
                row("forced close", Close(None), true, "attachments_timeout")
            }
            Self::SlowConsumer => row("slow consumer", Abort, true, "slow_consumer"),
            Self::MemoryBudget => row("memory budget", Abort, true, "memory_budget"),
            Self::HandlerPanic => row("forced server close", Close(Some(1011)), true, "panic"),
        }
    }

    /// Whose doing it was.
    #[must_use]
    pub const fn closer(self) -> Closer {
        match self {
            Self::ClientNamespaceDisconnect | Self::TransportClose => Closer::Client,
            Self::TransportError | Self::PingTimeout => Closer::Network,
            Self::ServerNamespaceDisconnect
            | Self::ForcedServerClose
            | Self::ServerShuttingDown
            | Self::ParseError
            | Self::ProtocolError
            | Self::WebSocketProtocol
            | Self::InvalidUtf8
            | Self::PayloadTooLarge
            | Self::ConnectTimeout
            | Self::AttachmentsTimeout
            | Self::SlowConsumer
            | Self::MemoryBudget
            | Self::HandlerPanic => Closer::Server,
        }
    }

    /// The place of the reason in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::EndReason;
    use std::collections::HashSet;

    #[test]
    fn every_end_of_a_connection_has_exactly_one_reason_from_a_closed_table() {
        for (place, reason) in EndReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), place);
        }
        let labels: HashSet<_> = EndReason::ALL.iter().map(|reason| reason.end().label).collect();
        assert_eq!(labels.len(), EndReason::ALL.len(), "labels are distinct");
    }
}
