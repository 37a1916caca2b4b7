//! Handshakes that are refused before there is a session: why, and who is told.
//!
//! A refusal travels with its answer, so that it is told in one place. Does not own the answers, nor
//! when there is one.

use std::net::IpAddr;
use std::sync::Arc;

use relay_engineio::handshake::HandshakeError;

use crate::answer::Answer;

/// Told of handshakes that are refused. Called on a shard's thread: it must not block.
pub type RefusalObserver = Arc<dyn Fn(&HandshakeRefused) + Send + Sync>;

/// A request for a session that did not get one, or for a session that there is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HandshakeRefused {
    /// The client's address: the peer's, or what a trusted proxy says.
    pub address: IpAddr,
    /// Why.
    pub reason: RefusalReason,
    /// The HTTP status of the answer.
    pub status: u16,
}

/// Why a handshake was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefusalReason {
    /// `transport` is missing, unknown or switched off.
    TransportUnknown,
    /// There is no session of this id (any more): it ended, or lives in another process.
    SessionUnknown,
    /// A session can only be opened by GET.
    BadMethod,
    /// Transport and request do not fit each other, or the origin is no text.
    BadRequest,
    /// HTTP forbids what was sent.
    BrokenHttp,
    /// The client speaks another revision of Engine.IO.
    ProtocolVersion,
    /// A WebSocket of a page whose origin is not among those of [`Config::cors`](crate::Config).
    Origin,
    /// [`Config::allow`](crate::Config::allow) said no.
    NotAllowed,
    /// [`Config::allow`](crate::Config::allow) said nothing in time.
    Undecided,
    /// [`Config::hook`](crate::Config::hook) answered with an error.
    Hook,
    /// What asks for the WebSocket is wrong.
    BadUpgrade,
    /// The descriptors are taken.
    Full,
    /// The server ends.
    Draining,
}

impl RefusalReason {
    /// A word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TransportUnknown => "transport_unknown",
            Self::SessionUnknown => "session_unknown",
            Self::BadMethod => "bad_method",
            Self::BadRequest => "bad_request",
            Self::BrokenHttp => "broken_http",
            Self::ProtocolVersion => "protocol_version",
            Self::Origin => "origin",
            Self::NotAllowed => "not_allowed",
            Self::Undecided => "undecided",
            Self::Hook => "hook",
            Self::BadUpgrade => "bad_upgrade",
            Self::Full => "full",
            Self::Draining => "draining",
        }
    }

    /// The Engine.IO error code that goes with it; `None` where HTTP has a status alone.
    #[must_use]
    pub fn code(self) -> Option<u8> {
        let error = match self {
            Self::TransportUnknown => HandshakeError::TransportUnknown,
            Self::SessionUnknown => HandshakeError::SessionIdUnknown,
            Self::BadMethod => HandshakeError::BadHandshakeMethod,
            Self::BadRequest => HandshakeError::BadRequest,
            Self::ProtocolVersion => HandshakeError::UnsupportedProtocolVersion,
            Self::Origin | Self::NotAllowed | Self::Undecided => HandshakeError::Forbidden,
            Self::BrokenHttp | Self::BadUpgrade | Self::Hook | Self::Full | Self::Draining => {
                return None;
            }
        };
        Some(error.code())
    }
}

impl From<HandshakeError> for RefusalReason {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::TransportUnknown => Self::TransportUnknown,
            HandshakeError::SessionIdUnknown => Self::SessionUnknown,
            HandshakeError::BadHandshakeMethod => Self::BadMethod,
            HandshakeError::BadRequest => Self::BadRequest,
            HandshakeError::Forbidden => Self::NotAllowed,
            HandshakeError::UnsupportedProtocolVersion => Self::ProtocolVersion,
        }
    }
}

/// The answer, with why it is a refusal.
pub(crate) fn because(reason: RefusalReason, mut answer: Answer) -> Answer {
    answer.extensions_mut().insert(reason);
    answer
}

/// Why the answer is a refusal, if it is one.
pub(crate) fn reason_of(answer: &Answer) -> Option<RefusalReason> {
    answer.extensions().get().copied()
}
