//! Why a connection's bytes cannot be decoded any further, whose fault that is, and the close code
//! that tells the peer (RFC 6455 §7.4.1). Closing is the caller's act.

use std::fmt;

/// Whose fault an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The peer sent what RFC 6455 forbids.
    Peer,
    /// The peer sent a legal message that is larger than our limit.
    Limit,
}

/// The first violation met in a stream. It is final: the decoder ignores whatever follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Error {
    /// An RSV bit is set although no extension was negotiated (§5.2).
    ReservedBits,
    /// An opcode that RFC 6455 leaves undefined: 3–7 or 11–15 (§5.2).
    ReservedOpcode(u8),
    /// A client's frame is not masked (§5.1).
    UnmaskedFrame,
    /// A server's frame is masked (§5.1).
    MaskedFrame,
    /// A control frame without FIN (§5.5).
    FragmentedControl,
    /// A control frame that claims more than 125 octets of payload (§5.5).
    OversizedControl,
    /// A payload length in more octets than it needs (§5.2).
    LengthNotMinimal,
    /// A 64-bit payload length whose most significant bit is set (§5.2).
    LengthTopBit,
    /// A continuation frame while no message is in progress (§5.4).
    UnexpectedContinuation,
    /// A Text or Binary frame while a fragmented message is in progress (§5.4).
    InterleavedMessage,
    /// A Close frame whose payload is one octet, half a status code (§5.5.1).
    TruncatedCloseCode,
    /// A Close frame with a status code that must not be sent (§7.4).
    InvalidCloseCode(u16),
    /// A text message or close reason that is not UTF-8 (§8.1).
    InvalidUtf8,
    /// A message whose fragments add up to more than the decoder's limit.
    MessageTooLong {
        /// The limit that [`Decoder::new`](crate::Decoder::new) was given.
        message_bytes_max: u32,
    },
}

impl Error {
    /// The status code that tells the peer why the connection ends (§7.4.1): 1002 (protocol error),
    /// 1007 (payload data that does not fit its type) or 1009 (message too big).
    #[must_use]
    pub fn close_code(&self) -> u16 {
        match self {
            Self::ReservedBits
            | Self::ReservedOpcode(_)
            | Self::UnmaskedFrame
            | Self::MaskedFrame
            | Self::FragmentedControl
            | Self::OversizedControl
            | Self::LengthNotMinimal
            | Self::LengthTopBit
            | Self::UnexpectedContinuation
            | Self::InterleavedMessage
            | Self::TruncatedCloseCode
            | Self::InvalidCloseCode(_) => 1002,
            Self::InvalidUtf8 => 1007,
            Self::MessageTooLong { .. } => 1009,
        }
    }

    /// Whose fault it is, for logs and metrics.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::MessageTooLong { .. } => Fault::Limit,
            Self::ReservedBits
            | Self::ReservedOpcode(_)
            | Self::UnmaskedFrame
            | Self::MaskedFrame
            | Self::FragmentedControl
            | Self::OversizedControl
            | Self::LengthNotMinimal
            | Self::LengthTopBit
            | Self::UnexpectedContinuation
            | Self::InterleavedMessage
            | Self::TruncatedCloseCode
            | Self::InvalidCloseCode(_)
            | Self::InvalidUtf8 => Fault::Peer,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedBits => f.write_str("an RSV bit is set without an extension"),
            Self::ReservedOpcode(opcode) => write!(f, "opcode {opcode:#x} is reserved"),
            Self::UnmaskedFrame => f.write_str("a client's frame is not masked"),
            Self::MaskedFrame => f.write_str("a server's frame is masked"),
            Self::FragmentedControl => f.write_str("a control frame is fragmented"),
            Self::OversizedControl => f.write_str("a control frame exceeds 125 octets"),
            Self::LengthNotMinimal => f.write_str("a payload length is not minimally encoded"),
            Self::LengthTopBit => f.write_str("a payload length has its top bit set"),
            Self::UnexpectedContinuation => f.write_str("a continuation frame continues nothing"),
            Self::InterleavedMessage => f.write_str("a message starts inside a fragmented one"),
            Self::TruncatedCloseCode => f.write_str("a close frame holds half a status code"),
            Self::InvalidCloseCode(code) => write!(f, "close code {code} must not be sent"),
            Self::InvalidUtf8 => f.write_str("text is not UTF-8"),
            Self::MessageTooLong { message_bytes_max } => {
                write!(f, "a message exceeds the limit of {message_bytes_max} bytes")
            }
        }
    }
}

impl std::error::Error for Error {}
