//! The options of a broadcast: `{rooms, except, flags}`.

use relay_hub::Audience;
use relay_socketio::json;
use relay_socketio::msgpack::{
    self, Library, Reader, Token, write_map_header, write_number, write_str,
};

use super::document::{defined, members, number};
use super::garbage::Garbage;
use super::parser::{Form, Parser};
use super::rooms::{RoomList, write_json_rooms, write_msgpack_rooms};

/// How a broadcast is delivered, as far as it matters to receivers. Others (`compress`) are left
/// to the receiving instance.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Flags {
    /// Clients that cannot take it at once go without.
    pub volatile: bool,
    /// How long acknowledgements are awaited, in milliseconds.
    pub timeout_ms: Option<u32>,
    /// The sender wants one acknowledgement, not a list. Its own business; peers set it.
    pub expect_single_response: bool,
}

/// Whom a broadcast addresses, and how.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Options {
    /// `None`: nobody.
    pub(super) audience: Option<Audience>,
    pub(super) flags: Flags,
}

impl Options {
    /// Reads the next value.
    pub(super) fn from_msgpack(reader: &mut Reader<'_>, rooms_max: usize) -> Result<Self, Garbage> {
        let Token::Map(count) = reader.token()? else { return Err(Garbage::Shape("opts")) };
        let (mut rooms, mut except, mut flags) =
            (RoomList::default(), RoomList::default(), Flags::default());
        for _ in 0..count {
            match reader.whole()? {
                Token::Str(b"rooms") => rooms = RoomList::from_msgpack(reader, rooms_max)?,
                Token::Str(b"except") => except = RoomList::from_msgpack(reader, rooms_max)?,
                Token::Str(b"flags") => flags = flags_from_msgpack(reader)?,
                _ => {
                    reader.whole()?;
                }
            }
        }
        Ok(Self { audience: rooms.audience(except), flags })
    }

    pub(super) fn from_json(raw: &str, rooms_max: usize) -> Result<Self, Garbage> {
        if json::kind(raw) != json::Kind::Object {
            return Err(Garbage::Shape("opts"));
        }
        let [rooms, except, flags] = members(raw, ["rooms", "except", "flags"]);
        let rooms = RoomList::from_json(rooms, rooms_max)?;
        let except = RoomList::from_json(except, rooms_max)?;
        let [volatile, timeout, single] = members(
            defined(flags).unwrap_or_default(),
            ["volatile", "timeout", "expectSingleResponse"],
        );
        let flags = Flags {
            volatile: volatile == Some("true"),
            timeout_ms: number(timeout).and_then(milliseconds),
            expect_single_response: single == Some("true"),
        };
        Ok(Self { audience: rooms.audience(except), flags })
    }
}

fn flags_from_msgpack(reader: &mut Reader<'_>) -> Result<Flags, Garbage> {
    let mut flags = Flags::default();
    let count = match reader.token()? {
        Token::Nil | Token::Undefined => return Ok(flags),
        Token::Map(count) => count,
        _ => return Err(Garbage::Shape("flags")),
    };
    for _ in 0..count {
        let key = reader.whole()?;
        match (key, reader.whole()?) {
            (Token::Str(b"volatile"), value) => flags.volatile = value == Token::Bool(true),
            (Token::Str(b"timeout"), Token::Number(value)) => {
                flags.timeout_ms = milliseconds(value);
            }
            (Token::Str(b"expectSingleResponse"), value) => {
                flags.expect_single_response = value == Token::Bool(true);
            }
            _ => {}
        }
    }
    Ok(flags)
}

/// A time as JavaScript's timers take it: what they cannot take is none.
fn milliseconds(value: f64) -> Option<u32> {
    let is_taken = (0.0..=f64::from(i32::MAX)).contains(&value);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 2^31 - 1, fractions are cut off"
    )]
    is_taken.then_some(value as u32)
}

/// Appends the options with all their members: a Node server ends without them.
pub(super) fn write_options(out: &mut Vec<u8>, parser: Parser, audience: &Audience, flags: Flags) {
    match parser.form() {
        Form::Json => write_json_options(out, audience, flags),
        Form::Msgpack(library) => write_msgpack_options(out, library, audience, flags),
    }
}

fn write_json_options(out: &mut Vec<u8>, audience: &Audience, flags: Flags) {
    write_json_audience_members(out, audience);
    out.extend_from_slice(b",\"flags\":{");
    let begin = out.len();
    if flags.volatile {
        out.extend_from_slice(b"\"volatile\":true,");
    }
    if let Some(timeout_ms) = flags.timeout_ms {
        out.extend_from_slice(b"\"timeout\":");
        msgpack::write_javascript(out, f64::from(timeout_ms));
        out.push(b',');
    }
    if flags.expect_single_response {
        out.extend_from_slice(b"\"expectSingleResponse\":true,");
    }
    if out.len() > begin {
        // The last comma.
        out.pop();
    }
    out.extend_from_slice(b"}}");
}

fn write_msgpack_options(out: &mut Vec<u8>, library: Library, audience: &Audience, flags: Flags) {
    write_map_header(out, 3);
    write_str(out, b"rooms");
    write_msgpack_rooms(out, &audience.rooms, library);
    write_str(out, b"except");
    write_msgpack_rooms(out, &audience.except, library);
    write_str(out, b"flags");
    // A flag that is false is left out: its mere presence means something to Node.
    let count = u32::from(flags.volatile)
        + u32::from(flags.timeout_ms.is_some())
        + u32::from(flags.expect_single_response);
    write_map_header(out, count);
    if flags.volatile {
        write_str(out, b"volatile");
        out.push(0xc3);
    }
    if let Some(timeout_ms) = flags.timeout_ms {
        write_str(out, b"timeout");
        write_number(out, f64::from(timeout_ms), library);
    }
    if flags.expect_single_response {
        write_str(out, b"expectSingleResponse");
        out.push(0xc3);
    }
}

/// Appends whom a request addresses, as JSON: requests have no flags.
pub(super) fn write_json_audience(out: &mut Vec<u8>, audience: &Audience) {
    write_json_audience_members(out, audience);
    out.push(b'}');
}

fn write_json_audience_members(out: &mut Vec<u8>, audience: &Audience) {
    out.extend_from_slice(b"{\"rooms\":");
    write_json_rooms(out, &audience.rooms);
    out.extend_from_slice(b",\"except\":");
    write_json_rooms(out, &audience.except);
}
