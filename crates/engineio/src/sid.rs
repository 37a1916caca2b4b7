//! Session ids (Engine.IO v4 `sid`): what they contain and how they are written.
//!
//! Owns the layout. Does not own where the random bytes come from, nor which session has which
//! id. An id is a secret: whoever knows it can take the session over. It is never logged, never
//! exported, and different from the public id of a socket.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Length of an id in text. Load balancers match exactly twenty of `[A-Za-z0-9_-]`.
pub const TEXT_BYTES: usize = 20;

/// A session id: 96 random bits, and 24 that say where the session lives, so that any instance
/// can find the owner of a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId([u8; 15]);

impl SessionId {
    /// An id for a session on `shard` of `instance`. `random` must come from a cryptographically
    /// secure generator and be used once.
    pub fn new(random: [u8; 12], shard: u8, instance: u16) -> Self {
        let mut bytes = [0; 15];
        bytes[..12].copy_from_slice(&random);
        bytes[12] = shard;
        bytes[13..].copy_from_slice(&instance.to_be_bytes());
        SessionId(bytes)
    }

    /// Reads the twenty characters of an id. Any twenty of the alphabet are an id of somebody;
    /// everything else is nobody's.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != TEXT_BYTES {
            return None;
        }
        let mut bytes = [0; 15];
        let written = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (written == bytes.len()).then_some(SessionId(bytes))
    }

    /// The shard that owns the session.
    pub fn shard(&self) -> u8 {
        self.0[12]
    }

    /// The instance that owns the session.
    pub fn instance(&self) -> u16 {
        u16::from_be_bytes([self.0[13], self.0[14]])
    }

    /// The random part.
    pub fn random(&self) -> [u8; 12] {
        let mut random = [0; 12];
        random.copy_from_slice(&self.0[..12]);
        random
    }

    /// Appends the id as text.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to_text().as_bytes());
    }

    /// The id as text. Whoever holds the result holds the secret.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

/// Keeps the secret out of logs.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(…)")
    }
}
