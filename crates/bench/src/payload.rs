//! The messages that the generator sends, and the stamp by which it knows them again.
//!
//! A message is one Socket.IO EVENT (`wire` form: `42/relay,["relay",{…}]`) whose data object
//! begins with the user's template and ends with `seq`, `from`, `t` and padding. Receivers look
//! for those three fields by their bytes: at several hundred thousand deliveries a second on one
//! core there is no time for a JSON parser, and the bytes are our own.

use crate::clock::Nanos;
use std::fmt;
use std::io::Write;

/// What identifies a message and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Number of the message among those of its sender, from 0.
    pub seq: u32,
    /// The sender's number, never used again by a later run.
    pub from: u32,
    /// When the message was to be sent.
    pub at: Nanos,
}

/// Why a template was refused.
#[derive(Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// Not the text of a JSON object.
    NotAnObject(String),
    /// It has one of the stamp's own keys.
    ReservedKey(String),
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject(why) => write!(f, "the template must be a JSON object: {why}"),
            Self::ReservedKey(key) => write!(f, "the template must not have a key {key:?}"),
        }
    }
}

impl std::error::Error for TemplateError {}

/// The keys that a stamp adds to the data.
const STAMP_KEYS: [&str; 4] = ["seq", "from", "t", "pad"];

/// What every message of a measurement has in common.
#[derive(Clone, Debug)]
pub struct Template {
    /// Everything before the data object's first member.
    opening: String,
    /// The members of the user's object, without its braces.
    members: String,
}

impl Template {
    /// A template for `event` in `namespace`. `data` is the text of a JSON object; `$destino`
    /// and `$room` in it are replaced in each message.
    ///
    /// # Errors
    /// When `data` is no JSON object or has a key of the stamp.
    pub fn new(namespace: &str, event: &str, data: &str) -> Result<Self, TemplateError> {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(data).map_err(|e| TemplateError::NotAnObject(e.to_string()))?;
        if let Some(key) = STAMP_KEYS.iter().find(|key| object.contains_key(**key)) {
            return Err(TemplateError::ReservedKey((*key).to_owned()));
        }
        let members = data.trim();
        let members = members.strip_prefix('{').unwrap_or(members);
        let members = members.strip_suffix('}').unwrap_or(members).trim().to_owned();
        let event = serde_json::Value::from(event);
        Ok(Self { opening: format!("42{}[{event},{{", namespace_prefix(namespace)), members })
    }

    /// The part of a message that comes before its stamp.
    #[must_use]
    pub fn head(&self, destination: &str, room: &str) -> Vec<u8> {
        let members = self.members.replace("$destino", destination).replace("$room", room);
        let comma = if members.is_empty() { "" } else { "," };
        format!("{}{members}{comma}", self.opening).into_bytes()
    }
}

/// The namespace as it stands in a packet: nothing for `/` (Socket.IO v5).
#[must_use]
pub fn namespace_prefix(namespace: &str) -> String {
    if namespace == "/" { String::new() } else { format!("{namespace},") }
}

const SEQ: &[u8] = b"\"seq\":";
const FROM: &[u8] = b"\"from\":";
const AT: &[u8] = b"\"t\":";
const PAD: &[u8] = b",\"pad\":\"";
const TAIL: &[u8] = b"}]";

/// Writes a whole message to the end of `out`: `head`, stamp, and padding up to `bytes` in all.
/// A message that is already as long has none.
pub fn compose(out: &mut Vec<u8>, head: &[u8], stamp: Stamp, bytes: usize) {
    let start = out.len();
    out.extend_from_slice(head);
    let Stamp { seq, from, at } = stamp;
    // Writing to a vector cannot fail.
    let _ = write!(out, "\"seq\":{seq},\"from\":{from},\"t\":{at}");
    let padded = bytes.saturating_sub(TAIL.len() + 1 + PAD.len());
    if out.len() - start <= padded {
        out.extend_from_slice(PAD);
        out.resize(start + bytes - TAIL.len() - 1, b'.');
        out.push(b'"');
    }
    out.extend_from_slice(TAIL);
}

/// Finds stamps in messages. It remembers where the last one stood, since nearly all messages of
/// a measurement have theirs at the same place.
#[derive(Debug, Default)]
pub struct Finder {
    /// Where `"seq":` stood in the last message.
    hint: usize,
}

impl Finder {
    /// The stamp in `message`; `None` when it has none.
    pub fn find(&mut self, message: &[u8]) -> Option<Stamp> {
        if let Some(stamp) = message.get(self.hint..).and_then(adjacent) {
            return Some(stamp);
        }
        let at = position(message, SEQ)?;
        self.hint = at;
        adjacent(&message[at..]).or_else(|| scattered(message))
    }
}

/// A stamp at the beginning of `bytes`, with its fields in our own order.
fn adjacent(bytes: &[u8]) -> Option<Stamp> {
    let (seq, rest) = number(bytes.strip_prefix(SEQ)?)?;
    let (from, rest) = number(rest.strip_prefix(b",")?.strip_prefix(FROM)?)?;
    let (at, _) = number(rest.strip_prefix(b",")?.strip_prefix(AT)?)?;
    stamp(seq, from, at)
}

/// A stamp whose fields are anywhere: the server writes objects in an order of its own.
fn scattered(message: &[u8]) -> Option<Stamp> {
    let field = |key: &[u8]| {
        let after = &message[position(message, key)? + key.len()..];
        number(after.trim_ascii_start()).map(|(value, _)| value)
    };
    stamp(field(SEQ)?, field(FROM)?, field(AT)?)
}

fn stamp(seq: u64, from: u64, at: u64) -> Option<Stamp> {
    Some(Stamp { seq: seq.try_into().ok()?, from: from.try_into().ok()?, at })
}

fn position(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// The decimal number at the beginning of `bytes`, and what follows it.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (text, rest) = bytes.split_at(digits);
    let mut value = 0_u64;
    for &digit in text {
        value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    (digits > 0).then_some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { seq: 7, from: 42, at: 123_456_789 };

    fn composed(namespace: &str, data: &str, bytes: usize) -> String {
        let template = Template::new(namespace, "relay", data).unwrap();
        let mut out = b"before".to_vec();
        compose(&mut out, &template.head("yo", "r1"), STAMP, bytes);
        String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_owned()
    }

    #[test]
    fn messages() {
        let expected = r#"42/relay,["relay",{"destino":"yo","seq":7,"from":42,"t":123456789}]"#;
        assert_eq!(composed("/relay", r#"{"destino":"$destino"}"#, 0), expected);
        assert_eq!(composed("/", "{}", 0), r#"42["relay",{"seq":7,"from":42,"t":123456789}]"#);
        let rooms = composed("/", r#" {"a":[1, 2], "room":"$room"} "#, 0);
        assert!(rooms.starts_with(r#"42["relay",{"a":[1, 2], "room":"r1","seq":7,"#), "{rooms}");
    }

    #[test]
    fn padding_is_exact_and_json() {
        let bare = composed("/", "{}", 0).len();
        for bytes in bare..400 {
            let message = composed("/", "{}", bytes);
            // The shortest padding takes 9 bytes; below that there is none.
            let expected = if bytes < bare + PAD.len() + 1 { bare } else { bytes };
            assert_eq!(message.len(), expected);
            serde_json::from_str::<serde_json::Value>(&message[2..]).unwrap();
        }
    }

    #[test]
    fn stamps_are_found() {
        let check = |message: &str, expected: Option<Stamp>| {
            for hint in [0, 3, 9, 1_000] {
                let mut finder = Finder { hint };
                assert_eq!(finder.find(message.as_bytes()), expected, "{message}");
                assert_eq!(finder.find(message.as_bytes()), expected, "again: {message}");
            }
        };
        check(&composed("/relay", r#"{"destino":"$destino"}"#, 150), Some(STAMP));
        check(&composed("/", "{}", 0), Some(STAMP));
        check(r#"42["x",{"t": 123456789,"seq":7 ,"pad":"","from": 42}]"#, Some(STAMP));
        check(r#"42["x",{"seq":7,"from":42}]"#, None);
        check(r#"42["x",{"seq":"7","from":42,"t":1}]"#, None);
        check(r#"42["x",{"seq":99999999999,"from":42,"t":1}]"#, None);
        check("", None);
    }

    #[test]
    fn templates_are_checked() {
        let refused = |data| Template::new("/", "e", data).unwrap_err();
        assert!(matches!(refused("[1]"), TemplateError::NotAnObject(_)));
        assert!(matches!(refused("{"), TemplateError::NotAnObject(_)));
        assert_eq!(refused(r#"{"seq":1}"#), TemplateError::ReservedKey("seq".to_owned()));
    }
}
