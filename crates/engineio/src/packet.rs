//! Packets in their text form (Engine.IO v4): a type digit and data, or `b` and base64.
//!
//! Owns the grammar of one packet, which is a WebSocket text frame or one part of a polling body.
//! A WebSocket binary frame is a message without any framing and never comes here. What a packet
//! means at its moment (a ping from a client, an upgrade without probe) is the caller's to judge.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The standard alphabet; written with padding, read without it too, because not every client
/// pads.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Packet types, one digit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum PacketType {
    /// The server's first packet: session id and parameters.
    Open = 0,
    /// The end of the session.
    Close = 1,
    /// Heartbeat request, from the server; with data `probe` it begins an upgrade.
    Ping = 2,
    /// Heartbeat answer.
    Pong = 3,
    /// A message of the layer above.
    Message = 4,
    /// The end of an upgrade.
    Upgrade = 5,
    /// Nothing; it ends a pending poll.
    Noop = 6,
}

impl PacketType {
    /// The type that an ASCII digit stands for.
    pub fn from_digit(digit: u8) -> Option<Self> {
        Some(match digit {
            b'0' => PacketType::Open,
            b'1' => PacketType::Close,
            b'2' => PacketType::Ping,
            b'3' => PacketType::Pong,
            b'4' => PacketType::Message,
            b'5' => PacketType::Upgrade,
            b'6' => PacketType::Noop,
            _ => return None,
        })
    }

    /// The ASCII digit of this type.
    pub fn digit(self) -> u8 {
        b'0' + self as u8
    }
}

/// A packet. Data that means nothing to its type is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    /// `0` and the parameters of the session as JSON, unchecked.
    Open(&'a str),
    /// `1`
    Close,
    /// `2` and its data, which is empty or `probe`.
    Ping(&'a str),
    /// `3` and its data, which is empty or `probe`.
    Pong(&'a str),
    /// `4` and a text message.
    Text(&'a str),
    /// `b` and a binary message in base64. It is a message, not a type of its own.
    Binary(Cow<'a, [u8]>),
    /// `5`
    Upgrade,
    /// `6`
    Noop,
}

/// Why a text is no packet. The peer is at fault; the session ends with `parse error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketError {
    /// No characters at all.
    Empty,
    /// The first character is neither a type nor `b`.
    UnknownType,
    /// What follows `b` is not base64.
    InvalidBase64,
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PacketError::Empty => "empty packet",
            PacketError::UnknownType => "unknown packet type",
            PacketError::InvalidBase64 => "invalid base64",
        })
    }
}

impl std::error::Error for PacketError {}

/// Decodes one packet in text form. Allocates only for a binary message, three quarters of its
/// length in base64.
///
/// # Errors
/// See [`PacketError`].
pub fn decode_text(text: &str) -> Result<Packet<'_>, PacketError> {
    let first = *text.as_bytes().first().ok_or(PacketError::Empty)?;
    if first == b'b' {
        return Ok(Packet::Binary(Cow::Owned(decode_base64(&text[1..])?)));
    }
    let packet_type = PacketType::from_digit(first).ok_or(PacketError::UnknownType)?;
    let data = &text[1..];
    Ok(match packet_type {
        PacketType::Open => Packet::Open(data),
        PacketType::Close => Packet::Close,
        PacketType::Ping => Packet::Ping(data),
        PacketType::Pong => Packet::Pong(data),
        PacketType::Message => Packet::Text(data),
        PacketType::Upgrade => Packet::Upgrade,
        PacketType::Noop => Packet::Noop,
    })
}

/// Decodes base64. The Java client breaks it into lines, so white space is skipped.
fn decode_base64(text: &str) -> Result<Vec<u8>, PacketError> {
    BASE64.decode(text).or_else(|_| {
        let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        BASE64.decode(digits).map_err(|_| PacketError::InvalidBase64)
    })
}

/// Appends a packet in text form.
pub fn encode_text(packet: &Packet<'_>, out: &mut Vec<u8>) {
    let (packet_type, data) = match packet {
        Packet::Open(data) => (PacketType::Open, *data),
        Packet::Close => (PacketType::Close, ""),
        Packet::Ping(data) => (PacketType::Ping, *data),
        Packet::Pong(data) => (PacketType::Pong, *data),
        Packet::Text(data) => (PacketType::Message, *data),
        Packet::Binary(data) => {
            out.push(b'b');
            out.extend_from_slice(BASE64.encode(data).as_bytes());
            return;
        }
        Packet::Upgrade => (PacketType::Upgrade, ""),
        Packet::Noop => (PacketType::Noop, ""),
    };
    out.push(packet_type.digit());
    out.extend_from_slice(data.as_bytes());
}
