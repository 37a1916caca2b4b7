//! Names of rooms, and who a broadcast goes to.

use std::collections::HashSet;

use crate::id::SocketId;

/// A room's name as JavaScript tells rooms apart: `5` and `"5"` are different rooms.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Room {
    /// A string; WTF-8, since JSON strings may hold lone surrogates.
    Text(Box<[u8]>),
    /// A number, by the bits of its value (`-0` is `0`).
    Number(u64),
    /// The room that every socket has alone: its id.
    Socket(SocketId),
}

impl From<&str> for Room {
    /// The room of a string.
    fn from(name: &str) -> Self {
        Self::text(name.as_bytes())
    }
}

impl From<String> for Room {
    /// The room of a string.
    fn from(name: String) -> Self {
        Self::from(&*name)
    }
}

impl From<f64> for Room {
    /// The room of a number.
    fn from(value: f64) -> Self {
        Self::number(value)
    }
}

impl From<i32> for Room {
    /// The room of a number.
    fn from(value: i32) -> Self {
        Self::number(value.into())
    }
}

impl From<SocketId> for Room {
    /// The room that this socket has alone.
    fn from(id: SocketId) -> Self {
        Self::Socket(id)
    }
}

/// What begins with this is ours: socket ids, and the rooms of users.
pub const RESERVED_PREFIX: u8 = b'~';

impl Room {
    /// The room of a string (WTF-8). A socket's id is that socket's own room.
    #[must_use]
    pub fn text(name: &[u8]) -> Self {
        match SocketId::parse(name) {
            Some(id) => Self::Socket(id),
            None => Self::Text(name.into()),
        }
    }

    /// The room of a number.
    #[must_use]
    pub fn number(value: f64) -> Self {
        Self::Number(if value == 0.0 { 0 } else { value.to_bits() })
    }

    /// Bytes of its name, where that has no length of its own.
    pub(crate) fn name_bytes(&self) -> usize {
        match self {
            Self::Text(name) => name.len(),
            Self::Number(_) | Self::Socket(_) => 0,
        }
    }

    /// What it costs to keep, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.name_bytes()
    }

    /// Whether clients are kept out of it: its name begins with `~`.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        match self {
            Self::Text(name) => name.first() == Some(&RESERVED_PREFIX),
            Self::Number(_) => false,
            Self::Socket(_) => true,
        }
    }
}

/// The destination of a broadcast within a namespace, resolved by each shard when it reaches the
/// broadcast's place in the order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Audience {
    /// The union of these rooms, each socket once; empty means every socket of the namespace.
    pub rooms: Vec<Room>,
    /// Minus the members of these.
    pub except: Vec<Room>,
}

impl Audience {
    /// Every socket of the namespace.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// The union of `rooms`. An empty union reaches nobody in Relay's rules, so callers that may
    /// have none must not ask: here it would mean everybody.
    #[must_use]
    pub fn rooms(rooms: Vec<Room>) -> Self {
        Self { rooms, except: Vec::new() }
    }

    /// Names every room once: what is done for a room is not done again because a peer repeats it.
    pub(crate) fn name_once(&mut self) {
        name_once(&mut self.rooms);
        name_once(&mut self.except);
    }

    /// What it costs to keep, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        rooms_bytes(&self.rooms) + rooms_bytes(&self.except)
    }

    /// The same without the members of `room`.
    #[must_use]
    pub fn except(mut self, room: Room) -> Self {
        self.except.push(room);
        self
    }
}

/// Leaves every room in its first place.
pub(crate) fn name_once(rooms: &mut Vec<Room>) {
    if rooms.len() > 1 {
        let mut seen = HashSet::with_capacity(rooms.len());
        rooms.retain(|room| seen.insert(room.clone()));
    }
}

/// What a list of rooms costs to keep, roughly.
pub(crate) fn rooms_bytes(rooms: &[Room]) -> usize {
    rooms.iter().map(Room::bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::{Audience, Room};

    #[test]
    fn rooms_are_told_apart_as_javascript_does() {
        assert_ne!(Room::number(5.0), Room::text(b"5"));
        assert_eq!(Room::number(-0.0), Room::number(0.0));
        let beyond: f64 = "1e400".parse().unwrap();
        assert_eq!(Room::number(beyond), Room::number(f64::INFINITY));
    }

    #[test]
    fn an_audience_names_every_room_once() {
        let rooms = |names: &[&str]| names.iter().map(|name| Room::from(*name)).collect::<Vec<_>>();
        let mut audience =
            Audience { rooms: rooms(&["a", "b", "a", "a"]), except: rooms(&["c", "c"]) };
        audience.rooms.push(Room::number(5.0));
        audience.name_once();
        let mut expected = rooms(&["a", "b"]);
        expected.push(Room::number(5.0));
        assert_eq!(audience, Audience { rooms: expected, except: rooms(&["c"]) });
    }

    #[test]
    fn names_that_begin_with_a_tilde_are_reserved() {
        assert!(Room::text(b"~u:ana").is_reserved());
        assert!(Room::text(b"~AAAAAAAAAAAAAAAAAAA").is_reserved());
        assert!(!Room::text(b"sala").is_reserved());
        assert!(!Room::number(5.0).is_reserved());
    }
}
