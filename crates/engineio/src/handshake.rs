//! The query string and the verification of a request (Engine.IO v4, handshake).
//!
//! Owns the order of the checks, the codes of refusals and how a query is read. Does not own
//! sessions (whether an id is known is the caller's to look up), which origins are welcome, or
//! how a refusal is sent.

use std::borrow::Cow;
use std::fmt;

/// The protocol revision of this crate, as a client names it in `EIO`.
const PROTOCOL: &str = "4";

/// Parameters of a query beyond this are ignored, as in the stock server.
const QUERY_PARAMETERS_MAX: usize = 1000;

/// The query string of a request. Values are decoded when they are asked for.
#[derive(Clone)]
pub struct Query<'a> {
    raw: &'a str,
    transport: Option<Cow<'a, str>>,
    sid: Option<Cow<'a, str>>,
    eio: Option<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    /// Reads a query without its `?`. Never fails: escapes that are none stand for themselves,
    /// and bytes that are no UTF-8 become U+FFFD.
    pub fn parse(raw_query: &'a str) -> Self {
        let mut query = Query { raw: raw_query, transport: None, sid: None, eio: None };
        for (name, value) in query.parameters() {
            match &*name {
                "transport" => query.transport = Some(value),
                "sid" => query.sid = Some(value),
                "EIO" => query.eio = Some(value),
                _ => {}
            }
        }
        query
    }

    /// The value of `transport`.
    pub fn transport(&self) -> Option<&str> {
        self.transport.as_deref()
    }

    /// The value of `sid`; an empty one is the same as none.
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref().filter(|sid| !sid.is_empty())
    }

    /// The value of `EIO`, the protocol revision.
    pub fn eio(&self) -> Option<&str> {
        self.eio.as_deref()
    }

    /// The value of any parameter; of duplicates the last.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.parameters().filter(|(key, _)| key == name).last().map(|(_, value)| value)
    }

    /// All parameters in their order, decoded, duplicates included.
    pub fn parameters(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        let parts = self.raw.split('&').filter(|part| !part.is_empty());
        parts.take(QUERY_PARAMETERS_MAX).map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode_component(name), decode_component(value))
        })
    }
}

/// Keeps session ids and tokens out of logs.
impl fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Query(…)")
    }
}

/// Undoes percent-encoding; `+` is a space.
fn decode_component(raw: &str) -> Cow<'_, str> {
    if !raw.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(raw);
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => match escaped_byte(tail) {
                Some(escaped) => {
                    rest = &tail[2..];
                    escaped
                }
                None => b'%',
            },
            other => *other,
        });
    }
    match String::from_utf8(decoded) {
        Ok(text) => Cow::Owned(text),
        Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

/// The byte that two hexadecimal digits at the beginning of `text` stand for.
fn escaped_byte(text: &[u8]) -> Option<u8> {
    let hex = |byte: u8| char::from(byte).to_digit(16);
    let (high, low) = (hex(*text.first()?)?, hex(*text.get(1)?)?);
    u8::try_from(high << 4 | low).ok()
}

/// The transports of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// WebSocket.
    WebSocket,
}

impl Transport {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Polling => "polling",
            Transport::WebSocket => "websocket",
        }
    }
}

/// Which transports are switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enabled {
    /// HTTP long-polling.
    pub polling: bool,
    /// WebSocket.
    pub websocket: bool,
}

impl Enabled {
    fn find(self, name: Option<&str>) -> Option<Transport> {
        match name {
            Some("polling") if self.polling => Some(Transport::Polling),
            Some("websocket") if self.websocket => Some(Transport::WebSocket),
            _ => None,
        }
    }
}

/// Why a request is refused. Every refusal is the client's fault or a mismatch of versions and
/// configuration; none of them ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HandshakeError {
    /// `transport` is missing, unknown or switched off.
    TransportUnknown,
    /// There is no session of this id (any more).
    SessionIdUnknown,
    /// A session can only be opened by GET.
    BadHandshakeMethod,
    /// Transport and request do not fit each other, or the Origin is malformed.
    BadRequest,
    /// The client is not welcome.
    Forbidden,
    /// `EIO` is not 4.
    UnsupportedProtocolVersion,
}

impl HandshakeError {
    /// The code in the body of the answer.
    pub fn code(self) -> u8 {
        match self {
            HandshakeError::TransportUnknown => 0,
            HandshakeError::SessionIdUnknown => 1,
            HandshakeError::BadHandshakeMethod => 2,
            HandshakeError::BadRequest => 3,
            HandshakeError::Forbidden => 4,
            HandshakeError::UnsupportedProtocolVersion => 5,
        }
    }

    /// The message in the body of the answer; clients compare it.
    pub fn message(self) -> &'static str {
        match self {
            HandshakeError::TransportUnknown => "Transport unknown",
            HandshakeError::SessionIdUnknown => "Session ID unknown",
            HandshakeError::BadHandshakeMethod => "Bad handshake method",
            HandshakeError::BadRequest => "Bad request",
            HandshakeError::Forbidden => "Forbidden",
            HandshakeError::UnsupportedProtocolVersion => "Unsupported protocol version",
        }
    }

    /// The HTTP status of the answer to a plain request. The stock server answers a refused
    /// upgrade with 400 whatever the error.
    pub fn status(self) -> u16 {
        match self {
            HandshakeError::Forbidden => 403,
            HandshakeError::TransportUnknown
            | HandshakeError::SessionIdUnknown
            | HandshakeError::BadHandshakeMethod
            | HandshakeError::BadRequest
            | HandshakeError::UnsupportedProtocolVersion => 400,
        }
    }

    /// The body of the answer to a plain request, in the order of keys that clients compare.
    pub fn json_body(self) -> String {
        format!("{{\"code\":{},\"message\":\"{}\"}}", self.code(), self.message())
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for HandshakeError {}

/// What the verification looks at.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The method is GET.
    pub method_is_get: bool,
    /// The request asks for an upgrade to WebSocket.
    pub upgrade: bool,
    /// The Origin header as received.
    pub origin: Option<&'a [u8]>,
    /// The query string.
    pub query: Query<'a>,
}

/// A request that may go on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verified<'a> {
    /// A new session on this transport. A WebSocket upgrade may still name `polling`; the stock
    /// server accepts the WebSocket and closes it.
    Handshake {
        /// The transport.
        transport: Transport,
        /// `EIO` is that of our sessions. If not, a client that is welcome is answered with
        /// [`HandshakeError::UnsupportedProtocolVersion`].
        eio_matches: bool,
    },
    /// A request for an existing session.
    Existing {
        /// The id as the client wrote it. If it is nobody's the answer is
        /// [`HandshakeError::SessionIdUnknown`].
        sid: &'a str,
        /// The transport that the request names. A plain request must name the one that the
        /// session is on, else the answer is [`HandshakeError::BadRequest`].
        transport: Transport,
        /// `EIO` is that of our sessions. If not, and the session exists, the answer is
        /// [`HandshakeError::BadRequest`].
        eio_matches: bool,
    },
}

/// Keeps session ids out of logs.
impl fmt::Debug for Verified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verified::Handshake { transport, eio_matches } => f
                .debug_struct("Handshake")
                .field("transport", transport)
                .field("eio_matches", eio_matches)
                .finish(),
            Verified::Existing { sid: _, transport, eio_matches } => f
                .debug_struct("Existing")
                .field("transport", transport)
                .field("eio_matches", eio_matches)
                .finish_non_exhaustive(),
        }
    }
}

/// Verifies a request in the order of the stock server, so that a request with several faults
/// gets the same answer.
///
/// Whether a client is welcome ([`HandshakeError::Forbidden`]) is for the caller to decide
/// afterwards, for [`Verified::Handshake`] only, and before the revision is judged.
///
/// # Errors
/// The first fault, to be sent to the client.
pub fn verify<'a>(
    request: &'a Request<'_>,
    enabled: Enabled,
) -> Result<Verified<'a>, HandshakeError> {
    let query = &request.query;
    let transport = enabled.find(query.transport()).ok_or(HandshakeError::TransportUnknown)?;
    if request.origin.is_some_and(|origin| !origin.iter().all(|byte| is_header_byte(*byte))) {
        return Err(HandshakeError::BadRequest);
    }
    let eio_matches = query.eio() == Some(PROTOCOL);
    if let Some(sid) = query.sid() {
        return Ok(Verified::Existing { sid, transport, eio_matches });
    }
    if !request.method_is_get {
        return Err(HandshakeError::BadHandshakeMethod);
    }
    if transport == Transport::WebSocket && !request.upgrade {
        return Err(HandshakeError::BadRequest);
    }
    Ok(Verified::Handshake { transport, eio_matches })
}

/// Whether `byte` may stand in a header's value (RFC 9110 §5.5).
fn is_header_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}
