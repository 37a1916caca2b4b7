//! Who a client says it is, and the room that all sockets of one user share.

use relay_hub::{Limits, Room, SocketInfo};
use relay_socketio::json::{self, Kind};
use relay_socketio::msgpack::write_javascript;

/// The rooms that a user's sockets share begin with this.
const PREFIX: &[u8] = b"~u:";

/// A user that can be looked up: a string or a number, which are told apart (`5` is not `"5"`).
#[derive(Clone, PartialEq, Debug)]
pub enum User {
    /// A string; WTF-8, since JSON strings may hold lone surrogates.
    Text(Vec<u8>),
    /// A number.
    Number(f64),
}

impl From<&str> for User {
    fn from(name: &str) -> Self {
        Self::Text(name.as_bytes().to_vec())
    }
}

impl From<String> for User {
    fn from(name: String) -> Self {
        Self::Text(name.into_bytes())
    }
}

impl From<f64> for User {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<i32> for User {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl User {
    /// The user of a JSON value. `None` if it is neither a string nor a number.
    #[must_use]
    pub fn from_json(json: &str) -> Option<Self> {
        match json::kind(json) {
            Kind::String => Some(Self::Text(json::unescape(json).into_owned())),
            Kind::Number => Some(Self::Number(json::number(json))),
            Kind::Null | Kind::Bool | Kind::Array | Kind::Object => None,
        }
    }

    /// Whose a socket is, by what its instance tells of it.
    #[must_use]
    pub fn of(socket: &SocketInfo) -> Option<Self> {
        if json::kind(&socket.data) != Kind::Object {
            return None;
        }
        let named = json::members(&socket.data).filter(|(key, _)| json::string_is(key, "usuario"));
        named.last().and_then(|(_, usuario)| Self::from_json(usuario))
    }

    /// The JSON text of it, as a client would send it. `None` for a number that JSON does not know.
    #[must_use]
    pub fn to_json(&self) -> Option<String> {
        let mut json = Vec::new();
        match self {
            Self::Text(name) => json::write_string_wtf8(&mut json, name),
            Self::Number(number) if number.is_finite() => write_javascript(&mut json, *number),
            Self::Number(_) => return None,
        }
        String::from_utf8(json).ok()
    }

    /// The name, if it is a string without lone surrogates.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(name) => std::str::from_utf8(name).ok(),
            Self::Number(_) => None,
        }
    }

    /// The room that this user's sockets share. `None` if the name does not fit a room's: such a
    /// user cannot be looked up.
    #[must_use]
    pub fn room(&self, limits: &Limits) -> Option<Room> {
        let mut name = PREFIX.to_vec();
        match self {
            Self::Text(text) => {
                name.push(b's');
                name.extend_from_slice(text);
            }
            Self::Number(number) => {
                // The room of a number knows `-0` for `0`.
                let Room::Number(bits) = Room::number(*number) else { return None };
                name.push(b'n');
                name.extend_from_slice(&bits.to_be_bytes());
            }
        }
        // An end of its own, so that no user's name can look like a socket's id.
        name.push(b'~');
        let fits = name.len() <= limits.room_name_bytes_max;
        fits.then(|| Room::Text(name.into()))
    }
}

/// What other instances are told of a socket: whose it is.
pub(crate) fn told(usuario: &str) -> String {
    format!(r#"{{"usuario":{usuario}}}"#)
}

/// The room of whoever this JSON value names.
pub(crate) fn room(usuario: &str, limits: &Limits) -> Option<Room> {
    User::from_json(usuario)?.room(limits)
}

#[cfg(test)]
mod tests {
    use super::{User, room};
    use relay_hub::{Limits, Room};

    #[test]
    fn a_user_has_one_room_however_its_json_is_written() {
        let limits = Limits::default();
        let check = |json: &str, user: User| {
            assert_eq!(room(json, &limits), user.room(&limits), "{json}");
            assert!(user.room(&limits).is_some_and(|room| room.is_reserved()));
            let again = user.to_json().and_then(|json| User::from_json(&json));
            assert_eq!(again, Some(user));
        };
        check(r#""ana""#, User::from("ana"));
        check(r#""\u0061na""#, User::from("ana"));
        check("5", User::from(5));
        check("5.0", User::from(5));
        check("-0", User::from(0));
        check(r#""\ud800\n\"""#, User::Text(vec![0xed, 0xa0, 0x80, b'\n', b'"']));
        assert_ne!(User::from("5").room(&limits), User::from(5).room(&limits));
        assert_eq!(room("{}", &limits), None);
        assert_eq!(User::from("x".repeat(300)).room(&limits), None);
        // A socket's own room is another kind of room.
        assert!(matches!(User::from("x".repeat(15)).room(&limits), Some(Room::Text(_))));
    }
}
