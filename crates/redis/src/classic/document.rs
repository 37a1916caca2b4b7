//! Requests and answers as documents: JSON text, told by its first byte, or what the cluster's parser
//! makes of an object.
//!
//! Owns turning both into JSON text whose members can be looked up; binaries become placeholders.

use std::borrow::Cow;

use relay_hub::Bytes;
use relay_socketio::json::{self, Kind};
use relay_socketio::msgpack::{Reader, read_value};

use super::garbage::Garbage;
use super::parser::{Form, Parser};

/// What is taken from Redis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecodeLimits {
    /// Bytes of one message.
    pub message_bytes_max: usize,
    /// Nesting of the arguments of an event.
    pub depth_max: u32,
    /// Binaries of one event.
    pub attachments_max: usize,
    /// Rooms named in one list.
    pub rooms_max: usize,
    /// What the sockets of one answer cost to keep, roughly, in bytes; what is beyond is left out.
    pub fetch_bytes_max: usize,
}

/// How deep the arguments of an event lie in a request: `{packet: {data: …}}`.
const ENVELOPE_DEPTH: u32 = 4;

/// A message that is an object.
#[derive(Debug)]
pub(super) struct Document<'a> {
    json: Cow<'a, str>,
    /// What its placeholders refer to.
    pub(super) attachments: Vec<Bytes>,
}

impl<'a> Document<'a> {
    pub(super) fn read(
        parser: Parser,
        bytes: &'a [u8],
        limits: DecodeLimits,
    ) -> Result<Self, Garbage> {
        if bytes.len() > limits.message_bytes_max {
            return Err(Garbage::TooLarge);
        }
        let depth_max = limits.depth_max.saturating_add(ENVELOPE_DEPTH);
        let library = match parser.form() {
            Form::Msgpack(library) if bytes.first() != Some(&b'{') => library,
            Form::Json | Form::Msgpack(_) => return Self::from_json(bytes, depth_max),
        };
        let mut reader = Reader::new(bytes, library);
        let value = read_value(&mut reader, limits.attachments_max, depth_max)?;
        reader.finish()?;
        if json::kind(&value.json) != Kind::Object {
            return Err(Garbage::Shape("message"));
        }
        Ok(Self { json: Cow::Owned(value.json), attachments: value.attachments })
    }

    fn from_json(bytes: &'a [u8], depth_max: u32) -> Result<Self, Garbage> {
        let json = String::from_utf8_lossy(bytes);
        let checked = json::check(&json).map_err(|_| Garbage::Encoding)?;
        if checked.depth > depth_max {
            return Err(Garbage::TooDeep);
        }
        if checked.kind != Kind::Object {
            return Err(Garbage::Shape("message"));
        }
        Ok(Self { json, attachments: Vec::new() })
    }

    /// The values of the members with these names.
    pub(super) fn members<const N: usize>(&self, names: [&str; N]) -> [Option<&str>; N] {
        members(&self.json, names)
    }
}

/// The values of the members of `object` with these names; of duplicates the last one. What is no
/// object has none.
pub(super) fn members<'a, const N: usize>(
    object: &'a str,
    names: [&str; N],
) -> [Option<&'a str>; N] {
    let mut found = [None; N];
    for (key, value) in json::members(object) {
        if let Some(at) = names.iter().position(|name| json::string_is(key, name)) {
            found[at] = Some(value);
        }
    }
    found
}

/// What is there and not null.
pub(super) fn defined(raw: Option<&str>) -> Option<&str> {
    raw.filter(|it| json::kind(it) != Kind::Null)
}

/// A number, if it is one.
pub(super) fn number(raw: Option<&str>) -> Option<f64> {
    raw.filter(|it| json::kind(it) == Kind::Number).map(json::number)
}

/// The contents of a string, if it is one.
pub(super) fn string(raw: Option<&str>) -> Option<Cow<'_, [u8]>> {
    raw.filter(|it| json::kind(it) == Kind::String).map(json::unescape)
}
