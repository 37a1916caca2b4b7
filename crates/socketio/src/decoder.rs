//! Decoding packets, and putting the text of a binary packet and its attachments together.
//!
//! Owns the header grammar in the reading direction, the payload rules of every packet type and
//! the bounds of an incomplete packet. Does not own the time within which a packet must become
//! complete, nor what a namespace or an id means.
//!
//! The rules are those of the stock decoder (socket.io-parser 4.2), with these differences, all
//! towards the specification: events and acknowledgements must have a payload, acknowledgements
//! an id, counts and ids are ASCII digits, and a payload begins where the header ends.

use std::fmt;

use crate::json::{self, Checked, JsonError, Kind};
use crate::msgpack::{MsgpackError, MsgpackErrorKind};
use crate::packet::{Args, Attachments, Body, Packet, PacketType, RESERVED_EVENT_NAMES};
use crate::placeholder;
use crate::reassembly::Incomplete;

/// The largest acknowledgement id: beyond it JavaScript peers cannot tell ids apart.
pub const ACK_ID_MAX: u64 = (1 << 53) - 1;

/// Which end of a connection decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Packets come from a client, which never sends CONNECT_ERROR.
    Server,
    /// Packets come from a server.
    Client,
}

/// Bounds of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecoderLimits {
    /// Attachments of one packet. Ten is what current stock clients accept, so that what is
    /// passed on stays acceptable; at most 255.
    pub attachments_max: usize,
    /// Text and attachments of one packet together, in bytes as received; at most 4 GiB. A
    /// packet beyond it is still yielded, with [`Attachments::TooLarge`].
    pub message_bytes_max: usize,
}

impl Default for DecoderLimits {
    fn default() -> Self {
        DecoderLimits { attachments_max: 10, message_bytes_max: 2_000_000 }
    }
}

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The peer broke the protocol.
    Peer,
    /// The peer may be right, but asks for more than our limit.
    OurLimit,
}

/// Why a packet was refused. The connection cannot go on: where the next packet begins is known,
/// but what the peer believes is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// An Engine.IO message without contents.
    Empty,
    /// The first character is none of the seven types.
    UnknownType,
    /// A binary type without a count of attachments, or with a count of zero.
    AttachmentCountInvalid,
    /// More attachments announced than [`DecoderLimits::attachments_max`].
    TooManyAttachments,
    /// An acknowledgement id above [`ACK_ID_MAX`].
    AckIdTooLarge,
    /// An acknowledgement without the id of what it acknowledges.
    AckIdMissing,
    /// An event, acknowledgement or CONNECT_ERROR without a payload.
    PayloadMissing,
    /// The payload is not JSON.
    PayloadNotJson(JsonError),
    /// The payload is JSON of a kind that this type of packet must not have.
    PayloadInvalid,
    /// The first argument of an event is absent, or neither string nor number.
    EventNameInvalid,
    /// The event has one of [`RESERVED_EVENT_NAMES`].
    EventNameReserved,
    /// A placeholder refers to no attachment of its packet.
    PlaceholderInvalid,
    /// A text arrived where attachments were awaited.
    TextWhileAttachmentsAwaited,
    /// A binary message arrived that no packet announced.
    UnexpectedBinary,
    /// A client sent CONNECT_ERROR.
    ConnectErrorFromClient,
    /// A msgpack packet is not msgpack, or nests too deeply.
    NotMsgpack(MsgpackError),
    /// A msgpack packet whose namespace is no string.
    NamespaceInvalid,
    /// A msgpack packet whose id is no integer, or negative.
    AckIdInvalid,
}

impl From<MsgpackError> for DecodeError {
    fn from(error: MsgpackError) -> Self {
        DecodeError::NotMsgpack(error)
    }
}

impl DecodeError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            DecodeError::TooManyAttachments
            | DecodeError::NotMsgpack(MsgpackError { what: MsgpackErrorKind::TooDeep, .. }) => {
                Fault::OurLimit
            }
            DecodeError::Empty
            | DecodeError::UnknownType
            | DecodeError::AttachmentCountInvalid
            | DecodeError::AckIdTooLarge
            | DecodeError::AckIdMissing
            | DecodeError::PayloadMissing
            | DecodeError::PayloadNotJson(_)
            | DecodeError::PayloadInvalid
            | DecodeError::EventNameInvalid
            | DecodeError::EventNameReserved
            | DecodeError::PlaceholderInvalid
            | DecodeError::TextWhileAttachmentsAwaited
            | DecodeError::UnexpectedBinary
            | DecodeError::ConnectErrorFromClient
            | DecodeError::NotMsgpack(_)
            | DecodeError::NamespaceInvalid
            | DecodeError::AckIdInvalid => Fault::Peer,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DecodeError::Empty => "empty packet",
            DecodeError::UnknownType => "unknown packet type",
            DecodeError::AttachmentCountInvalid => "invalid count of attachments",
            DecodeError::TooManyAttachments => "too many attachments",
            DecodeError::AckIdTooLarge => "acknowledgement id too large",
            DecodeError::AckIdMissing => "acknowledgement without id",
            DecodeError::PayloadMissing => "payload missing",
            DecodeError::PayloadNotJson(error) => return write!(f, "payload is not JSON: {error}"),
            DecodeError::PayloadInvalid => "payload of the wrong kind",
            DecodeError::EventNameInvalid => "invalid event name",
            DecodeError::EventNameReserved => "reserved event name",
            DecodeError::PlaceholderInvalid => "placeholder without attachment",
            DecodeError::TextWhileAttachmentsAwaited => "text while attachments were awaited",
            DecodeError::UnexpectedBinary => "unexpected binary message",
            DecodeError::ConnectErrorFromClient => "CONNECT_ERROR from a client",
            DecodeError::NotMsgpack(error) => return write!(f, "packet is not msgpack: {error}"),
            DecodeError::NamespaceInvalid => "invalid namespace",
            DecodeError::AckIdInvalid => "invalid acknowledgement id",
        })
    }
}

impl std::error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DecodeError::PayloadNotJson(error) => Some(error),
            DecodeError::NotMsgpack(error) => Some(error),
            _ => None,
        }
    }
}

/// Decodes the packets of one connection in one direction.
///
/// It holds memory only between the text of a binary packet and the call after its last
/// attachment. After an error nothing is held and the connection should be closed.
#[derive(Debug)]
pub struct Decoder {
    incomplete: Option<Box<Incomplete>>,
    message_bytes_max: u32,
    attachments_max: u8,
    role: Role,
}

impl Decoder {
    /// A decoder for what comes from the other end than `role`.
    pub fn new(role: Role, limits: DecoderLimits) -> Self {
        // Narrow, because every idle connection has one.
        Decoder {
            incomplete: None,
            message_bytes_max: u32::try_from(limits.message_bytes_max).unwrap_or(u32::MAX),
            attachments_max: u8::try_from(limits.attachments_max).unwrap_or(u8::MAX),
            role,
        }
    }

    /// Takes the text of one Engine.IO message, without its leading `4`.
    ///
    /// `None` means that attachments must follow; the packet comes from [`Decoder::binary`] then.
    ///
    /// # Errors
    /// Whatever stock decoders refuse, see the module's introduction.
    pub fn text<'a>(&'a mut self, text: &'a str) -> Result<Option<Packet<'a>>, DecodeError> {
        let awaited = self.awaits_attachments();
        self.clear();
        if awaited {
            return Err(DecodeError::TextWhileAttachmentsAwaited);
        }
        let header = Header::parse(text, self.attachments_max)?;
        let body = match header.packet_type {
            PacketType::Connect => Body::Connect { auth: connect_payload(header.payload)? },
            PacketType::Disconnect if header.payload.is_empty() => Body::Disconnect,
            PacketType::Disconnect => return Err(DecodeError::PayloadInvalid),
            PacketType::ConnectError => self.connect_error(header.payload)?,
            PacketType::Event | PacketType::BinaryEvent => {
                let args = self.args(text, &header)?;
                check_event_name(&args)?;
                Body::Event { id: header.id, args }
            }
            PacketType::Ack | PacketType::BinaryAck => Body::Ack {
                args: self.args(text, &header)?,
                id: header.id.ok_or(DecodeError::AckIdMissing)?,
            },
        };
        if header.attachments > 0 {
            self.incomplete =
                Incomplete::new(text.len(), header.namespace, &body, header.attachments);
            return Ok(None);
        }
        Ok(Some(Packet { namespace: header.namespace, body }))
    }

    /// Takes one binary Engine.IO message: the next attachment.
    ///
    /// The last attachment completes the packet, which borrows the decoder: what it holds is
    /// freed by the next call of [`Decoder::text`], [`Decoder::binary`] or [`Decoder::clear`].
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedBinary`] when no attachment is awaited.
    pub fn binary(&mut self, data: &[u8]) -> Result<Option<Packet<'_>>, DecodeError> {
        if !self.awaits_attachments() {
            self.clear();
            return Err(DecodeError::UnexpectedBinary);
        }
        let bytes_max = self.message_bytes_max as usize;
        Ok(self.incomplete.as_deref_mut().and_then(|incomplete| {
            incomplete.take(data, bytes_max);
            incomplete.is_complete().then(|| incomplete.packet())
        }))
    }

    /// Heap held for the current packet, its bookkeeping included, in bytes.
    ///
    /// At most the size of its text, plus the limit of a message, plus about a hundred bytes per
    /// attachment.
    pub fn pending_bytes(&self) -> usize {
        self.incomplete.as_deref().map_or(0, Incomplete::heap_bytes)
    }

    /// Whether a packet is incomplete, so that only a binary message may come next.
    pub fn awaits_attachments(&self) -> bool {
        self.incomplete.as_deref().is_some_and(|incomplete| !incomplete.is_complete())
    }

    /// Frees what the last packet borrowed, or gives an incomplete packet up.
    pub fn clear(&mut self) {
        self.incomplete = None;
    }

    fn connect_error<'a>(&self, payload: &'a str) -> Result<Body<'a>, DecodeError> {
        if self.role == Role::Server {
            return Err(DecodeError::ConnectErrorFromClient);
        }
        let (payload, checked) = checked_payload(payload)?;
        match checked.kind {
            Kind::Object | Kind::String => Ok(Body::ConnectError { payload }),
            _ => Err(DecodeError::PayloadInvalid),
        }
    }

    fn args<'a>(&self, text: &str, header: &Header<'a>) -> Result<Args<'a>, DecodeError> {
        let (raw, checked) = checked_payload(header.payload)?;
        if checked.kind != Kind::Array {
            return Err(DecodeError::PayloadInvalid);
        }
        if header.attachments > 0 && !placeholder::are_valid(raw, usize::from(header.attachments)) {
            return Err(DecodeError::PlaceholderInvalid);
        }
        let attachments = if text.len() > self.message_bytes_max as usize {
            Attachments::TooLarge { bytes: text.len() }
        } else {
            Attachments::List(&[])
        };
        Ok(Args::new(raw, checked.depth, attachments))
    }
}

/// The parts of a packet's text: `<type>[<n>-][<namespace>,][<id>][<payload>]`.
struct Header<'a> {
    packet_type: PacketType,
    attachments: u8,
    namespace: &'a str,
    id: Option<u64>,
    payload: &'a str,
}

impl<'a> Header<'a> {
    fn parse(text: &'a str, attachments_max: u8) -> Result<Self, DecodeError> {
        let digit = *text.as_bytes().first().ok_or(DecodeError::Empty)?;
        let packet_type = PacketType::from_digit(digit).ok_or(DecodeError::UnknownType)?;
        let mut rest = &text[1..];
        let mut attachments = 0;
        if matches!(packet_type, PacketType::BinaryEvent | PacketType::BinaryAck) {
            let (count, tail) = split_digits(rest);
            rest = tail.strip_prefix('-').ok_or(DecodeError::AttachmentCountInvalid)?;
            // No digits at all are no count; a count that overflows is too large.
            attachments = match parse_decimal(count, u64::from(attachments_max)) {
                Some(0) => return Err(DecodeError::AttachmentCountInvalid),
                _ if count.is_empty() => return Err(DecodeError::AttachmentCountInvalid),
                Some(count) => u8::try_from(count).unwrap_or(u8::MAX),
                None => return Err(DecodeError::TooManyAttachments),
            };
        }
        let mut namespace = "/";
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        let (id, payload) = split_digits(rest);
        let id = match id {
            "" => None,
            id => Some(parse_decimal(id, ACK_ID_MAX).ok_or(DecodeError::AckIdTooLarge)?),
        };
        Ok(Header { packet_type, attachments, namespace, id, payload })
    }
}

/// Splits `text` behind its leading ASCII digits.
fn split_digits(text: &str) -> (&str, &str) {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(length)
}

/// The value of ASCII digits, unless it exceeds `max`.
fn parse_decimal(digits: &str, max: u64) -> Option<u64> {
    digits.bytes().try_fold(0u64, |value, digit| {
        let value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        (value <= max).then_some(value)
    })
}

fn connect_payload(payload: &str) -> Result<Option<&str>, DecodeError> {
    if payload.is_empty() {
        return Ok(None);
    }
    match checked_payload(payload)? {
        (auth, Checked { kind: Kind::Object, .. }) => Ok(Some(auth)),
        _ => Err(DecodeError::PayloadInvalid),
    }
}

/// A payload may be followed by white space, but not preceded: there a stock decoder would read
/// white space as digits of an id.
fn checked_payload(payload: &str) -> Result<(&str, Checked), DecodeError> {
    let first = *payload.as_bytes().first().ok_or(DecodeError::PayloadMissing)?;
    if json::is_space(first) {
        return Err(DecodeError::PayloadInvalid);
    }
    let checked = json::check(payload).map_err(DecodeError::PayloadNotJson)?;
    Ok((json::trim(payload), checked))
}

pub(crate) fn check_event_name(args: &Args<'_>) -> Result<(), DecodeError> {
    let name = args.elements().next().ok_or(DecodeError::EventNameInvalid)?;
    match json::kind(name) {
        Kind::Number => Ok(()),
        Kind::String => {
            let reserved = RESERVED_EVENT_NAMES.iter().any(|word| json::string_is(name, word));
            if reserved { Err(DecodeError::EventNameReserved) } else { Ok(()) }
        }
        _ => Err(DecodeError::EventNameInvalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_is_small() {
        assert!(size_of::<Decoder>() <= 16);
    }
}
