//! What a decoder lends to its caller: whole messages and control frames, and the checks on payloads
//! that need the whole of them (the status code of a Close, RFC 6455 §7.4).

use crate::error::Error;

/// A whole message, or a control frame. It borrows from the input or from the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A text message, however many frames it came in (§5.6).
    Text(&'a str),
    /// A binary message, however many frames it came in (§5.6).
    Binary(&'a [u8]),
    /// A Ping of at most 125 octets; it asks for a Pong with the same payload (§5.5.2).
    Ping(&'a [u8]),
    /// A Pong of at most 125 octets, asked for or not (§5.5.3).
    Pong(&'a [u8]),
    /// A Close, the peer's last frame; `None` if it gives no status code (§5.5.1).
    Close(Option<CloseFrame<'a>>),
}

/// The payload of a Close frame (§5.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// A status code that may be sent: 1000–1003, 1007–1014 or 3000–4999.
    pub code: u16,
    /// For a human reader, at most 123 octets; often empty.
    pub reason: &'a str,
}

/// What a complete payload is, once fragments are joined: an opcode without the continuation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    Text,
    Binary,
    Ping,
    Pong,
    Close,
}

impl<'a> Event<'a> {
    /// Reads a complete, unmasked payload.
    pub(crate) fn parse(kind: EventKind, payload: &'a [u8]) -> Result<Self, Error> {
        match kind {
            EventKind::Text => utf8(payload).map(Self::Text),
            EventKind::Binary => Ok(Self::Binary(payload)),
            EventKind::Ping => Ok(Self::Ping(payload)),
            EventKind::Pong => Ok(Self::Pong(payload)),
            EventKind::Close => CloseFrame::parse(payload).map(Self::Close),
        }
    }
}

impl<'a> CloseFrame<'a> {
    fn parse(payload: &'a [u8]) -> Result<Option<Self>, Error> {
        match payload {
            [] => Ok(None),
            [_] => Err(Error::TruncatedCloseCode),
            [high, low, reason @ ..] => {
                let code = u16::from_be_bytes([*high, *low]);
                if !may_be_sent(code) {
                    return Err(Error::InvalidCloseCode(code));
                }
                Ok(Some(Self { code, reason: utf8(reason)? }))
            }
        }
    }
}

/// 1005, 1006 and 1015 only ever report what happened locally; 1004 and 1016–2999 have no meaning yet.
/// 1012–1014 were registered with IANA after the RFC.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

fn utf8(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|_| Error::InvalidUtf8)
}
