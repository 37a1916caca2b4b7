//! From the arguments of an event to a command: everything a client may have got wrong is found
//! here, once.

use relay_hub::{Limits, Room};
use relay_socketio::json::{self, Kind};
use relay_socketio::packet::{Args, Attachments};

use crate::denial::Code;

/// Where a message goes. The rooms of [`Self::Rooms`] are none of the reserved ones, unless one is
/// a socket's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    /// `yo`, absent or unknown.
    Sender,
    /// `ustedes`.
    Others,
    /// `nosotros`.
    Everyone,
    /// `room`.
    Rooms(Vec<Room>),
}

impl Destination {
    /// Its word on the wire.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Sender => "yo",
            Self::Others => "ustedes",
            Self::Everyone => "nosotros",
            Self::Rooms(_) => "room",
        }
    }
}

/// What is read of a message's data, by the last of duplicate keys, as `JSON.parse` does.
#[derive(Debug, Default)]
pub(crate) struct Routing<'a> {
    destino: Option<&'a str>,
    room: Option<&'a str>,
    /// Raw JSON.
    pub(crate) tipo: Option<&'a str>,
}

impl<'a> Routing<'a> {
    pub(crate) fn read(data: &'a str) -> Self {
        let mut routing = Self::default();
        if json::kind(data) == Kind::Object {
            for (key, value) in json::members(data) {
                if json::string_is(key, "destino") {
                    routing.destino = Some(value);
                } else if json::string_is(key, "room") {
                    routing.room = Some(value);
                } else if json::string_is(key, "tipo") {
                    routing.tipo = Some(value);
                }
            }
        }
        routing
    }

    pub(crate) fn destination(&self, limits: &Limits) -> Result<Destination, Code> {
        let is = |word| {
            self.destino
                .is_some_and(|raw| json::kind(raw) == Kind::String && json::string_is(raw, word))
        };
        if is("nosotros") {
            Ok(Destination::Everyone)
        } else if is("ustedes") {
            Ok(Destination::Others)
        } else if is("room") {
            rooms(self.room.ok_or(Code::BadRoom)?, limits).map(Destination::Rooms)
        } else {
            Ok(Destination::Sender)
        }
    }
}

/// The first argument behind the event's name.
pub(crate) fn argument<'a>(args: &Args<'a>) -> Option<&'a str> {
    args.elements().nth(1)
}

/// The data of `relay` or `notificar`: the first argument behind the event's name.
pub(crate) fn data<'a>(args: &Args<'a>, limits: &Limits) -> Result<&'a str, Code> {
    let mut elements = args.elements().skip(1);
    let data = elements.next().ok_or(Code::BadData)?;
    if json::kind(data) == Kind::Null || args.depth() > limits.json_depth_max {
        return Err(Code::BadData);
    }
    match args.attachments() {
        Attachments::TooLarge { .. } => Err(Code::TooLarge),
        // What is left out would renumber the attachments that stay.
        Attachments::List(list) if !list.is_empty() && elements.next().is_some() => {
            Err(Code::BadData)
        }
        Attachments::List(_) => Ok(data),
    }
}

/// The rooms that a JSON value names: one or an array of them.
pub(crate) fn rooms(value: &str, limits: &Limits) -> Result<Vec<Room>, Code> {
    if json::kind(value) != Kind::Array {
        return Ok(vec![room(value, limits)?]);
    }
    let mut rooms = Vec::new();
    for element in json::elements(value) {
        if rooms.len() >= limits.rooms_per_request_max {
            return Err(Code::TooMany);
        }
        rooms.push(room(element, limits)?);
    }
    if rooms.is_empty() { Err(Code::BadRoom) } else { Ok(rooms) }
}

fn room(value: &str, limits: &Limits) -> Result<Room, Code> {
    match json::kind(value) {
        Kind::Number => Ok(Room::number(json::number(value))),
        Kind::String => {
            let name = json::unescape(value);
            if name.is_empty() {
                Err(Code::BadRoom)
            } else if name.len() > limits.room_name_bytes_max {
                Err(Code::TooLarge)
            } else {
                Ok(Room::text(&name))
            }
        }
        Kind::Null | Kind::Bool | Kind::Array | Kind::Object => Err(Code::BadRoom),
    }
}

#[cfg(test)]
mod tests {
    use super::{Destination, Routing, rooms};
    use crate::denial::Code;
    use relay_hub::{Limits, Room};

    #[expect(clippy::needless_pass_by_value, reason = "a table reads better without borrows")]
    fn check(data: &str, expect: Result<Destination, Code>) {
        assert_eq!(Routing::read(data).destination(&Limits::default()), expect, "{data}");
    }

    #[test]
    fn data_is_routed_by_its_destino() {
        check(r#"{"destino":"yo"}"#, Ok(Destination::Sender));
        check(r#"{}"#, Ok(Destination::Sender));
        check(r#"{"destino":{}}"#, Ok(Destination::Sender));
        check(r#"{"destino":"otros"}"#, Ok(Destination::Sender));
        check("5", Ok(Destination::Sender));
        check(r#"["ustedes"]"#, Ok(Destination::Sender));
        check(r#"{"destino":"ustedes"}"#, Ok(Destination::Others));
        check(r#"{"destino":"nosotros"}"#, Ok(Destination::Everyone));
        let rooms = |rooms: Vec<Room>| Ok(Destination::Rooms(rooms));
        check(r#"{"destino":"room","room":"a"}"#, rooms(vec![Room::text(b"a")]));
        check(r#"{"destino":"room","room":5}"#, rooms(vec![Room::number(5.0)]));
        check(
            r#"{"destino":"room","room":["a",5]}"#,
            rooms(vec![Room::text(b"a"), Room::number(5.0)]),
        );
    }

    #[test]
    fn keys_are_read_as_json_parse_reads_them() {
        check(r#"{"destino":"yo","destino":"nosotros"}"#, Ok(Destination::Everyone));
        check(r#"{"dest\u0069no":"ustedes"}"#, Ok(Destination::Others));
        check(r#"{"x":{"destino":"nosotros"}}"#, Ok(Destination::Sender));
    }

    #[test]
    fn rooms_that_are_none_are_refused() {
        for data in [
            r#"{"destino":"room"}"#,
            r#"{"destino":"room","room":""}"#,
            r#"{"destino":"room","room":null}"#,
            r#"{"destino":"room","room":{}}"#,
            r#"{"destino":"room","room":true}"#,
            r#"{"destino":"room","room":[]}"#,
            r#"{"destino":"room","room":["a",{}]}"#,
        ] {
            check(data, Err(Code::BadRoom));
        }
        let long = format!("\"{}\"", "x".repeat(257));
        assert_eq!(rooms(&long, &Limits::default()), Err(Code::TooLarge));
        let many = format!("[{}1]", "1,".repeat(100));
        assert_eq!(rooms(&many, &Limits::default()), Err(Code::TooMany));
    }
}
