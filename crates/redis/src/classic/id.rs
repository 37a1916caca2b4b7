//! Ids of this dialect: ours, and those that peers made.

use super::garbage::Garbage;

/// Bytes of an id of a peer, or of one of its requests, which answers repeat. Adapters make them of
/// 6 to 36 characters.
pub const ID_BYTES_MAX: usize = 256;

/// Characters of an id of an instance or a request.
pub(super) const SHORT_ID_CHARS: usize = 6;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// An id of ours: six characters of `A-Za-z0-9-_`. There is one per namespace for the instance,
/// by which it knows its own messages again, and one per request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ShortId([u8; SHORT_ID_CHARS]);

impl ShortId {
    /// An id of 36 of these 48 random bits.
    #[must_use]
    pub fn new(random: [u8; SHORT_ID_CHARS]) -> Self {
        Self(random.map(|byte| ALPHABET[usize::from(byte & 63)]))
    }

    /// The id whose text this is, if it has the shape of one.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let characters: [u8; SHORT_ID_CHARS] = text.try_into().ok()?;
        characters.iter().all(|c| ALPHABET.contains(c)).then_some(Self(characters))
    }

    /// The text, which is ASCII.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; SHORT_ID_CHARS] {
        &self.0
    }

    /// The same as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// How a peer spells its requests, and wants their answers spelt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spelling {
    /// `requestId`: adapters from 6.0 on, for Socket.IO 3 and 4.
    Current,
    /// `requestid`: adapters 5.x, for Socket.IO 2, whose types have other numbers.
    Version5,
}

/// The id that a peer gave its request, which the answers must repeat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerRequestId {
    /// Its contents, as WTF-8.
    pub(super) text: Box<[u8]>,
    pub(super) spelling: Spelling,
}

impl PeerRequestId {
    /// The id with these contents, of an adapter 5.x or of a later one.
    pub(crate) fn new(text: &[u8], is_version_5: bool) -> Self {
        let spelling = if is_version_5 { Spelling::Version5 } else { Spelling::Current };
        Self { text: text.into(), spelling }
    }

    /// Whether an adapter 5.x asks.
    pub(crate) fn is_version_5(&self) -> bool {
        self.spelling == Spelling::Version5
    }

    /// The contents, as WTF-8.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }
}

/// An id that is no longer than ids are.
pub(super) fn bounded(id: &[u8]) -> Result<&[u8], Garbage> {
    if id.len() > ID_BYTES_MAX { Err(Garbage::IdTooLong) } else { Ok(id) }
}

#[cfg(test)]
mod tests {
    use super::ShortId;

    #[test]
    fn random_bytes_become_characters_that_are_read_again() {
        for random in [[0; 6], [255; 6], [1, 63, 64, 128, 200, 7]] {
            let id = ShortId::new(random);
            assert_eq!(ShortId::parse(id.as_bytes()), Some(id));
            assert_eq!(id.as_str().len(), 6);
        }
        for text in ["", "abcde", "abcdefg", "abcde#", "abcd\u{e9}"] {
            assert_eq!(ShortId::parse(text.as_bytes()), None, "{text}");
        }
    }
}
