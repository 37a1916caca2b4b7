//! The packet of a broadcast: `{type: 2, data: [name, …arguments], nsp}`.
//!
//! Owns which events may go to clients, in both directions: what would make a stock client drop
//! its connection neither comes in nor goes out.

use std::fmt;

use relay_hub::{Bytes, Packet};
use relay_socketio::json::{self, Kind};
use relay_socketio::msgpack::{
    Library, Reader, Token, Value, write_map_header, write_number, write_str, write_value,
};
use relay_socketio::packet::RESERVED_EVENT_NAMES;
use relay_socketio::{placeholders_are_valid, write_with_buffers};

use super::document::DecodeLimits;
use super::garbage::Garbage;
use super::parser::{Form, Parser};

/// Binaries that clients accept in one packet. Node servers pass on whatever they get, so that
/// more must not leave towards them either.
pub const ATTACHMENTS_MAX: usize = 10;

/// Why something was not written. Nothing of it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// It would be larger than the bound given: our limit.
    TooLarge,
    /// It has more than [`ATTACHMENTS_MAX`] binaries, each counted as often as the text refers to
    /// it: our limit.
    TooManyAttachments,
    /// A placeholder beside binaries refers to none of them: our bug.
    PlaceholderInvalid,
    /// The arguments are no JSON array that begins with a name that clients accept: our bug.
    NotAnEvent,
}

impl Refused {
    /// The label by which it is counted.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::TooManyAttachments => "too_many_attachments",
            Self::PlaceholderInvalid => "placeholder_invalid",
            Self::NotAnEvent => "not_an_event",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "too large for the other instances",
            Self::TooManyAttachments => "more binaries than clients accept",
            Self::PlaceholderInvalid => "a placeholder without its binary",
            Self::NotAnEvent => "no event that clients accept",
        })
    }
}

impl std::error::Error for Refused {}

/// Takes `data` of a packet for the arguments of an event.
pub(super) fn packet(data: Value, limits: DecodeLimits) -> Result<Packet, Garbage> {
    if data.depth > limits.depth_max {
        return Err(Garbage::TooDeep);
    }
    if data.attachments.len() > limits.attachments_max {
        return Err(Garbage::TooManyAttachments);
    }
    if !is_event(&data.json, &RESERVED_EVENT_NAMES) {
        return Err(Garbage::Shape("data"));
    }
    Ok(Packet { args: Bytes::from(data.json), attachments: data.attachments })
}

/// Whether a checked text is an array that begins with a number, or with a string that is none of
/// `reserved`.
pub(super) fn is_event(args_json: &str, reserved: &[&str]) -> bool {
    let first = json::elements(args_json).next();
    first.is_some_and(|name| match json::kind(name) {
        Kind::Number => true,
        Kind::String => !reserved.iter().any(|it| json::string_is(name, it)),
        Kind::Null | Kind::Bool | Kind::Array | Kind::Object => false,
    })
}

/// The text of a packet's arguments.
pub(super) fn text(packet: &Packet) -> Result<&str, Refused> {
    std::str::from_utf8(&packet.args).map_err(|_| Refused::NotAnEvent)
}

/// Appends the packet of an event.
pub(super) fn write_packet(
    out: &mut Vec<u8>,
    parser: Parser,
    namespace: &str,
    packet: &Packet,
    bytes_max: usize,
) -> Result<(), Refused> {
    let args = text(packet)?;
    if !is_event(args, &RESERVED_EVENT_NAMES) {
        return Err(Refused::NotAnEvent);
    }
    match parser.form() {
        Form::Json => {
            out.extend_from_slice(b"{\"type\":2,\"data\":");
            write_with_binaries(out, parser, args, &packet.attachments, bytes_max)?;
            out.extend_from_slice(b",\"nsp\":");
            json::write_string(out, namespace);
            out.push(b'}');
        }
        Form::Msgpack(library) => {
            write_map_header(out, 3);
            write_str(out, b"type");
            write_number(out, 2.0, library);
            write_str(out, b"data");
            write_with_binaries(out, parser, args, &packet.attachments, bytes_max)?;
            write_str(out, b"nsp");
            write_str(out, namespace.as_bytes());
        }
    }
    Ok(())
}

/// Appends a value with its binaries inline.
pub(super) fn write_with_binaries(
    out: &mut Vec<u8>,
    parser: Parser,
    json: &str,
    attachments: &[Bytes],
    bytes_max: usize,
) -> Result<(), Refused> {
    if attachments.len() > ATTACHMENTS_MAX {
        return Err(Refused::TooManyAttachments);
    }
    // It would be plain data here, and be taken for a binary by the next in line.
    if !attachments.is_empty() && !placeholders_are_valid(json, attachments.len()) {
        return Err(Refused::PlaceholderInvalid);
    }
    let library = match parser.form() {
        Form::Json => {
            return write_with_buffers(out, json, attachments, bytes_max)
                .map_err(|_| Refused::TooLarge);
        }
        Form::Msgpack(library) => library,
    };
    let begin = out.len();
    write_value(out, json, attachments, library, bytes_max).map_err(|_| Refused::TooLarge)?;
    // A text may refer to one binary more than once; receivers see as many binaries.
    if !attachments.is_empty() && binaries(&out[begin..], library) > ATTACHMENTS_MAX {
        return Err(Refused::TooManyAttachments);
    }
    Ok(())
}

fn binaries(value: &[u8], library: Library) -> usize {
    let mut reader = Reader::new(value, library);
    let tokens = std::iter::from_fn(|| reader.token().ok());
    tokens.filter(|token| matches!(token, Token::Bin(_))).count()
}
