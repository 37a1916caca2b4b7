//! The public id of a socket: 20 characters that begin with `~`.
//!
//! Unlike the Engine.IO session id it is no secret: peers and clients see it, and it names a room
//! that holds this socket alone. It carries its shard and its place there, so that no table of ids
//! is kept and only the owner looks; 80 random bits make it unguessable and unrepeated.

use crate::slots::Key;

/// Characters of a socket id, the leading `~` included.
pub const SOCKET_ID_CHARS: usize = 20;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// 8 bits of shard, 26 bits of slot, 80 bits of randomness: 114 bits, 19 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SocketId(u128);

impl SocketId {
    pub(crate) fn new(shard: u8, key: Key, random: [u8; 10]) -> Self {
        let mut low = [0; 16];
        low[6..].copy_from_slice(&random);
        let slot = key.slot() as u128 & 0x3ff_ffff;
        Self(u128::from(shard) << 106 | slot << 80 | u128::from_be_bytes(low))
    }

    /// The shard that owns the socket.
    #[must_use]
    pub fn shard(self) -> usize {
        (self.0 >> 106) as usize & 0xff
    }

    pub(crate) fn slot(self) -> usize {
        (self.0 >> 80) as usize & 0x3ff_ffff
    }

    /// Reads an id from its text. `None` if the text has not the shape of one.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let [b'~', digits @ ..] = text else { return None };
        if text.len() != SOCKET_ID_CHARS {
            return None;
        }
        digits
            .iter()
            .try_fold(0_u128, |bits, &c| {
                let digit = match c {
                    b'A'..=b'Z' => c - b'A',
                    b'a'..=b'z' => c - b'a' + 26,
                    b'0'..=b'9' => c - b'0' + 52,
                    b'-' => 62,
                    b'_' => 63,
                    _ => return None,
                };
                Some(bits << 6 | u128::from(digit))
            })
            .map(Self)
    }

    /// The id as ASCII.
    #[must_use]
    pub fn to_ascii(self) -> [u8; SOCKET_ID_CHARS] {
        let mut text = [b'~'; SOCKET_ID_CHARS];
        for (index, place) in text[1..].iter_mut().enumerate() {
            *place = ALPHABET[(self.0 >> (6 * (18 - index))) as usize & 63];
        }
        text
    }
}

impl std::fmt::Display for SocketId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_ascii().iter().try_for_each(|&c| write!(f, "{}", char::from(c)))
    }
}

impl std::fmt::Debug for SocketId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SocketId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::SocketId;
    use crate::slots::Slots;

    #[test]
    fn text_and_parts_survive_the_round_trip() {
        let mut slots = Slots::default();
        for _ in 0..300 {
            slots.insert(());
        }
        let key = slots.insert(());
        let id = SocketId::new(201, key, [0xff; 10]);
        assert_eq!((id.shard(), id.slot()), (201, 300));
        assert_eq!(SocketId::parse(&id.to_ascii()), Some(id));
        assert_eq!(id.to_string().len(), 20);
    }

    #[test]
    fn other_shapes_are_no_ids() {
        for text in ["", "~", "~short", "aAAAAAAAAAAAAAAAAAAA", "~AAAAAAAAAAAAAAAAAA*", "~u:5"] {
            assert_eq!(SocketId::parse(text.as_bytes()), None, "{text}");
        }
    }
}
