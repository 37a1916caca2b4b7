//! The one computation of the opening handshake (RFC 6455 §4.2.2). The HTTP around it, its other
//! header fields and its status codes belong to whoever speaks HTTP.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The constant that a server appends to the key, to prove that it knows WebSocket (§1.3).
pub const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Base64 characters that hold the 16 octets of a key, before the padding.
const KEY_DIGITS: usize = 22;

/// The value of `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key`, or `None` if the key is not the
/// base64 of 16 octets (§4.2.1). The key comes without the white space around a header's value.
///
/// The four bits of the last digit that carry nothing may be set: the key is hashed as it is written
/// and never decoded, so a client that writes 22 arbitrary digits does no harm.
#[must_use]
pub fn accept(key: &str) -> Option<String> {
    let digits = key.strip_suffix("==")?.as_bytes();
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    if digits.len() != KEY_DIGITS || !digits.iter().all(is_digit) {
        return None;
    }
    let mut sha1 = sha1_smol::Sha1::new();
    sha1.update(key.as_bytes());
    sha1.update(GUID.as_bytes());
    Some(STANDARD.encode(sha1.digest().bytes()))
}
