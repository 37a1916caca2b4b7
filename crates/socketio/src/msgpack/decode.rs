//! Decoding packets.
//!
//! Owns the shape of a packet and the rules of every type. Both are those of
//! socket.io-msgpack-parser, made stricter where the default decoder is: events have a name that
//! is not reserved, acknowledgements have an id, and ids are not negative. A CONNECT with binaries
//! is refused, as credentials have no attachments.

use bytes::Bytes;

use super::Library;
use super::read::{Reader, Token};
use super::value::{Value, read_key, read_value};
use crate::decoder::{ACK_ID_MAX, DecodeError, DecoderLimits, Role, check_event_name};
use crate::packet::{Args, Attachments, Body, Packet, PacketType};

/// A decoded packet, which owns what [`Message::packet`] lends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    packet_type: PacketType,
    namespace: String,
    id: Option<u64>,
    /// The payload as JSON; empty if there is none.
    json: String,
    depth: u32,
    attachments: Vec<Bytes>,
    /// Size of text and attachments, if that is beyond the limit.
    too_large_bytes: Option<usize>,
}

/// Decodes one binary Engine.IO message. `role` is the end that decodes.
///
/// Of `limits`, [`DecoderLimits::message_bytes_max`] is held against the text and the attachments
/// that come out, so that it means the same for both parsers. `depth_max` is about arrays and
/// maps in the payload; an open one costs eight bytes meanwhile.
///
/// # Errors
/// What the introduction of this module and [`read_value`] say. The connection cannot go on.
pub fn decode(
    data: &[u8],
    role: Role,
    limits: DecoderLimits,
    depth_max: u32,
) -> Result<Message, DecodeError> {
    if data.is_empty() {
        return Err(DecodeError::Empty);
    }
    let fields = Fields::read(data, limits.attachments_max, depth_max)?;
    let packet_type = packet_type(fields.packet_type)?;
    let Some(Token::Str(namespace)) = fields.namespace else {
        return Err(DecodeError::NamespaceInvalid);
    };
    let id = ack_id(fields.id)?;
    check_payload(packet_type, fields.payload.as_ref(), role)?;
    if packet_type == PacketType::Ack && id.is_none() {
        return Err(DecodeError::AckIdMissing);
    }
    let (json, depth, mut attachments) = match fields.payload {
        Some((_, Value { json, depth, attachments })) => (json, depth, attachments),
        None => (String::new(), 0, Vec::new()),
    };
    let bytes = json.len() + attachments.iter().map(Bytes::len).sum::<usize>();
    let too_large_bytes = (bytes > limits.message_bytes_max).then_some(bytes);
    if too_large_bytes.is_some() {
        attachments = Vec::new();
    }
    let namespace = String::from_utf8_lossy(namespace).into_owned();
    let message = Message { packet_type, namespace, id, json, depth, attachments, too_large_bytes };
    if let Body::Event { args, .. } = message.packet().body {
        check_event_name(&args)?;
    }
    Ok(message)
}

impl Message {
    /// The packet, in the shape that the default decoder yields.
    pub fn packet(&self) -> Packet<'_> {
        let attachments = match self.too_large_bytes {
            Some(bytes) => Attachments::TooLarge { bytes },
            None => Attachments::List(&self.attachments),
        };
        let args = Args::new(&self.json, self.depth, attachments);
        let body = match self.packet_type {
            PacketType::Connect => {
                Body::Connect { auth: (!self.json.is_empty()).then_some(&self.json) }
            }
            PacketType::Disconnect => Body::Disconnect,
            PacketType::Event | PacketType::BinaryEvent => Body::Event { id: self.id, args },
            // Decoding has made sure that there is an id.
            PacketType::Ack | PacketType::BinaryAck => {
                Body::Ack { id: self.id.unwrap_or_default(), args }
            }
            PacketType::ConnectError => Body::ConnectError { payload: &self.json },
        };
        Packet { namespace: &self.namespace, body }
    }
}

/// The members of a packet's map that mean something; of duplicates the last one counts.
#[derive(Default)]
struct Fields<'a> {
    packet_type: Option<Token<'a>>,
    namespace: Option<Token<'a>>,
    id: Option<Token<'a>>,
    /// The payload by its first token, which tells a map from a placeholder, and as a whole.
    payload: Option<(Token<'a>, Value)>,
}

impl<'a> Fields<'a> {
    fn read(data: &'a [u8], attachments_max: usize, depth_max: u32) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data, Library::Notepack);
        let Token::Map(length) = reader.token()? else { return Err(DecodeError::UnknownType) };
        let mut fields = Fields::default();
        for _ in 0..length {
            match read_key(&mut reader)? {
                Token::Str(b"type") => fields.packet_type = defined(reader.whole()?),
                Token::Str(b"nsp") => fields.namespace = defined(reader.whole()?),
                Token::Str(b"id") => fields.id = defined(reader.whole()?),
                Token::Str(b"data") => {
                    let mut ahead = reader;
                    let first = defined(ahead.token()?);
                    let value = read_value(&mut reader, attachments_max, depth_max)?;
                    fields.payload = first.map(|first| (first, value));
                }
                // Such as `options`, by which a client remembers how to send.
                _ => {
                    reader.whole()?;
                }
            }
        }
        reader.finish()?;
        Ok(fields)
    }
}

/// What is undefined is as good as absent.
fn defined(token: Token<'_>) -> Option<Token<'_>> {
    (token != Token::Undefined).then_some(token)
}

fn packet_type(token: Option<Token<'_>>) -> Result<PacketType, DecodeError> {
    // The binary types do not exist in this parser.
    const TYPES: [PacketType; 5] = [
        PacketType::Connect,
        PacketType::Disconnect,
        PacketType::Event,
        PacketType::Ack,
        PacketType::ConnectError,
    ];
    let Some(Token::Number(number)) = token else { return Err(DecodeError::UnknownType) };
    let is_it = |it: &PacketType| f64::from(*it as u8) == number;
    TYPES.into_iter().find(is_it).ok_or(DecodeError::UnknownType)
}

fn ack_id(token: Option<Token<'_>>) -> Result<Option<u64>, DecodeError> {
    let number = match token {
        None => return Ok(None),
        Some(Token::Number(number)) if number.fract() == 0.0 && number >= 0.0 => number,
        Some(_) => return Err(DecodeError::AckIdInvalid),
    };
    if number > ACK_ID_MAX as f64 {
        return Err(DecodeError::AckIdTooLarge);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "integral, and between 0 and 2^53 - 1"
    )]
    Ok(Some(number as u64))
}

fn check_payload(
    packet_type: PacketType,
    payload: Option<&(Token<'_>, Value)>,
    role: Role,
) -> Result<(), DecodeError> {
    if packet_type == PacketType::ConnectError && role == Role::Server {
        return Err(DecodeError::ConnectErrorFromClient);
    }
    let may_be_absent = matches!(packet_type, PacketType::Connect | PacketType::Disconnect);
    let Some((first, value)) = payload else {
        return if may_be_absent { Ok(()) } else { Err(DecodeError::PayloadMissing) };
    };
    let is_legal = match packet_type {
        PacketType::Connect => matches!(first, Token::Map(_)) && value.attachments.is_empty(),
        PacketType::Disconnect => false,
        PacketType::ConnectError => {
            matches!(first, Token::Map(_) | Token::Str(_)) && value.attachments.is_empty()
        }
        // An unknown extension is an array for JavaScript, but nobody means an event by it.
        _ => matches!(first, Token::Array(_)),
    };
    if is_legal { Ok(()) } else { Err(DecodeError::PayloadInvalid) }
}
