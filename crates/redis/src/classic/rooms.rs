//! Rooms in messages. A room is a string or a number, and keeps its type: Node tells `5` from
//! `"5"`. What is neither is a room that nothing can be in.

use std::borrow::Cow;

use relay_hub::{Audience, Room};
use relay_socketio::json::{self, Kind};
use relay_socketio::msgpack::{self, Library, Reader, Token};

use super::garbage::Garbage;

/// The rooms that an array names.
#[derive(Default, Debug)]
pub(super) struct RoomList {
    pub(super) rooms: Vec<Room>,
    /// It names others, of types that no room has.
    has_others: bool,
}

impl RoomList {
    /// Reads an array; what is absent or null is empty.
    pub(super) fn from_json(raw: Option<&str>, rooms_max: usize) -> Result<Self, Garbage> {
        let mut list = Self::default();
        let Some(raw) = raw.filter(|it| json::kind(it) != Kind::Null) else { return Ok(list) };
        if json::kind(raw) != Kind::Array {
            return Err(Garbage::Shape("rooms"));
        }
        for (count, element) in json::elements(raw).enumerate() {
            if count >= rooms_max {
                return Err(Garbage::TooManyRooms);
            }
            match room_from_json(element) {
                Some(room) => list.rooms.push(room),
                None => list.has_others = true,
            }
        }
        Ok(list)
    }

    /// Reads the next value as an array; nil and undefined are empty.
    pub(super) fn from_msgpack(reader: &mut Reader<'_>, rooms_max: usize) -> Result<Self, Garbage> {
        let mut list = Self::default();
        let count = match reader.token()? {
            Token::Nil | Token::Undefined => return Ok(list),
            Token::Array(count) => count,
            _ => return Err(Garbage::Shape("rooms")),
        };
        if count as usize > rooms_max {
            return Err(Garbage::TooManyRooms);
        }
        for _ in 0..count {
            match reader.whole()? {
                Token::Str(name) => {
                    list.rooms.push(Room::text(String::from_utf8_lossy(name).as_bytes()));
                }
                Token::Number(number) => list.rooms.push(Room::number(number)),
                _ => list.has_others = true,
            }
        }
        Ok(list)
    }

    /// Whom these rooms address. `None` is nobody: all that is named cannot be a room, which must
    /// not be taken for "no room named", which is everybody.
    pub(super) fn audience(self, except: Self) -> Option<Audience> {
        (!self.rooms.is_empty() || !self.has_others)
            .then_some(Audience { rooms: self.rooms, except: except.rooms })
    }
}

pub(super) fn room_from_json(raw: &str) -> Option<Room> {
    match json::kind(raw) {
        Kind::String => Some(Room::text(&json::unescape(raw))),
        Kind::Number => Some(Room::number(json::number(raw))),
        Kind::Null | Kind::Bool | Kind::Array | Kind::Object => None,
    }
}

pub(super) fn write_json_rooms(out: &mut Vec<u8>, rooms: &[Room]) {
    out.push(b'[');
    for (at, room) in rooms.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match room {
            Room::Text(name) => json::write_string_wtf8(out, name),
            Room::Number(bits) if f64::from_bits(*bits).is_finite() => {
                msgpack::write_javascript(out, f64::from_bits(*bits));
            }
            // As `JSON.stringify` has it. Nothing can be in such a room elsewhere.
            Room::Number(_) => out.extend_from_slice(b"null"),
            Room::Socket(id) => {
                out.push(b'"');
                out.extend_from_slice(&id.to_ascii());
                out.push(b'"');
            }
        }
    }
    out.push(b']');
}

pub(super) fn write_msgpack_rooms(out: &mut Vec<u8>, rooms: &[Room], library: Library) {
    // No list is that long: limits are far below.
    let count = u32::try_from(rooms.len()).unwrap_or(u32::MAX);
    msgpack::write_array_header(out, count);
    for room in rooms.iter().take(count as usize) {
        match room {
            Room::Text(name) => msgpack::write_str(out, &utf8(name)),
            Room::Number(bits) => msgpack::write_number(out, f64::from_bits(*bits), library),
            Room::Socket(id) => msgpack::write_str(out, &id.to_ascii()),
        }
    }
}

/// What `String(room)` is in Node, as it goes into the name of a channel.
pub(super) fn room_text(room: &Room) -> Cow<'_, [u8]> {
    match room {
        Room::Text(name) => utf8(name),
        Room::Number(bits) => {
            let mut text = Vec::new();
            msgpack::write_javascript(&mut text, f64::from_bits(*bits));
            Cow::Owned(text)
        }
        Room::Socket(id) => Cow::Owned(id.to_ascii().to_vec()),
    }
}

/// UTF-8 of WTF-8: what cannot be encoded is U+FFFD, as in Node's buffers.
pub(super) fn utf8(wtf8: &[u8]) -> Cow<'_, [u8]> {
    match std::str::from_utf8(wtf8) {
        Ok(_) => Cow::Borrowed(wtf8),
        Err(_) => {
            let mut contents = wtf8.to_vec();
            json::replace_surrogates(&mut contents);
            Cow::Owned(String::from_utf8_lossy(&contents).into_owned().into_bytes())
        }
    }
}
