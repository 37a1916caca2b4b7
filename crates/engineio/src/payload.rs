//! Bodies of HTTP long-polling (Engine.IO v4, payload): packets in text form, joined by the record
//! separator.
//!
//! Owns how packets are joined and taken apart. How many fit one body, and what each of them
//! means, is for others to say.

use crate::packet::{Packet, PacketError, decode_text};

/// Stands between two packets. No packet contains it: JSON escapes it, base64 has no such digit.
pub const SEPARATOR: u8 = 0x1e;

/// The packets of a body, in order; the first that is none ends the session of its sender. An
/// empty body is one empty packet, which is none.
pub fn decode(body: &str) -> impl Iterator<Item = Result<Packet<'_>, PacketError>> {
    let mut rest = Some(body);
    std::iter::from_fn(move || {
        let (packet, behind) = split(rest?);
        rest = behind;
        Some(decode_text(packet))
    })
}

/// The first packet of a body, in text form, and what stands behind its separator.
pub fn split(body: &str) -> (&str, Option<&str>) {
    match body.split_once(char::from(SEPARATOR)) {
        Some((packet, rest)) => (packet, Some(rest)),
        None => (body, None),
    }
}

/// Appends a packet, already in its text form, to a body.
pub fn append(body: &mut Vec<u8>, packet: &[u8]) {
    if !body.is_empty() {
        body.push(SEPARATOR);
    }
    body.extend_from_slice(packet);
}

#[cfg(test)]
mod tests {
    use super::{append, decode};
    use crate::packet::{Packet, PacketError};

    fn check(body: &str, packets: &[Result<Packet<'_>, PacketError>]) {
        assert_eq!(decode(body).collect::<Vec<_>>(), packets, "{body:?}");
    }

    #[test]
    fn bodies_are_taken_apart() {
        check("4a", &[Ok(Packet::Text("a"))]);
        check("4\x1e3", &[Ok(Packet::Text("")), Ok(Packet::Pong(""))]);
        check("4a\x1ebAQI=", &[Ok(Packet::Text("a")), Ok(Packet::Binary(vec![1, 2].into()))]);
        check("", &[Err(PacketError::Empty)]);
        check("4a\x1e", &[Ok(Packet::Text("a")), Err(PacketError::Empty)]);
        check("bAQ\nI=\r\n", &[Ok(Packet::Binary(vec![1, 2].into()))]);
        check("4a\x1eabc", &[Ok(Packet::Text("a")), Err(PacketError::UnknownType)]);
        check("\u{feff}4a", &[Err(PacketError::UnknownType)]);
    }

    #[test]
    fn packets_are_joined() {
        let mut body = Vec::new();
        append(&mut body, b"4a");
        append(&mut body, b"2");
        assert_eq!(body, b"4a\x1e2");
    }
}
