//! Pseudo-random bytes for masking keys and handshake keys.

/// A source of masking keys (RFC 6455 §5.3): cheap, and unpredictable enough for a server that is
/// our own; no proxy needs to be protected here.
#[derive(Debug)]
pub struct Masks {
    state: u64,
}

impl Masks {
    /// A source that yields the same keys for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed | 1 }
    }

    /// The next key: never zero, so that the server has work to do.
    pub fn next_key(&mut self) -> [u8; 4] {
        // Marsaglia's xorshift64 with the shifts 13, 7, 17.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let [a, b, c, d, ..] = self.state.to_be_bytes();
        [a, b, c, d | 1]
    }

    /// A `Sec-WebSocket-Key`: 22 base64 digits and the padding.
    #[must_use]
    pub fn handshake_key(&mut self) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut key = String::with_capacity(24);
        while key.len() < 21 {
            let [a, ..] = self.next_key();
            key.push(char::from(DIGITS[usize::from(a & 63)]));
        }
        // The last digit carries two bits of the sixteen bytes.
        key.push_str("g==");
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use relay_websocket::handshake;

    #[test]
    fn keys_are_valid_and_differ() {
        let mut masks = Masks::new(1);
        let (a, b) = (masks.handshake_key(), masks.handshake_key());
        assert_ne!(a, b);
        assert!(handshake::accept(&a).is_some() && handshake::accept(&b).is_some());
        assert_ne!(masks.next_key(), [0; 4]);
    }
}
