//! A model of the decoders in Node servers, stricter than they are: what this refuses must never be
//! sent.
//!
//! Of msgpack it is written apart from the reader that the product uses, so that a mistake in one
//! shows.

use relay_socketio::json::{self, Kind};

use crate::classic::Parser;

/// A decoded value. Extensions do not exist: nothing that we send has one.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Node {
    Nil,
    Bool(bool),
    Number(f64),
    Text(String),
    Binary(Vec<u8>),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Decodes a whole message. `None` if Node would throw, or if a form is not the shortest.
    pub(super) fn decode(parser: Parser, bytes: &[u8]) -> Option<Self> {
        if parser == Parser::Json {
            let text = std::str::from_utf8(bytes).ok()?;
            // Servers look at the first byte.
            let begins = text.starts_with(['{', '[']);
            return (begins && json::check(text).is_ok()).then(|| parsed(text));
        }
        let mut rest = bytes;
        let value = value(parser, &mut rest)?;
        rest.is_empty().then_some(value)
    }

    /// The member of an object.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The binaries within.
    pub(super) fn binaries(&self) -> usize {
        match self {
            Self::Binary(_) => 1,
            Self::List(list) => list.iter().map(Self::binaries).sum(),
            Self::Object(members) => members.iter().map(|(_, it)| it.binaries()).sum(),
            Self::Nil | Self::Bool(_) | Self::Number(_) | Self::Text(_) => 0,
        }
    }
}

/// The value of a checked text.
fn parsed(text: &str) -> Node {
    match json::kind(text) {
        Kind::Null => Node::Nil,
        Kind::Bool => Node::Bool(text == "true"),
        Kind::Number => Node::Number(json::number(text)),
        Kind::String => Node::Text(unquoted(text)),
        Kind::Array => Node::List(json::elements(text).map(parsed).collect()),
        Kind::Object => {
            let members = json::members(text);
            Node::Object(members.map(|(key, value)| (unquoted(key), parsed(value))).collect())
        }
    }
}

fn unquoted(raw: &str) -> String {
    String::from_utf8_lossy(&json::unescape(raw)).into_owned()
}

fn value(parser: Parser, rest: &mut &[u8]) -> Option<Node> {
    let first = u8::try_from(uint(rest, 1)?).ok()?;
    Some(match first {
        0x00..=0x7f => Node::Number(f64::from(first)),
        0x80..=0x8f => object(parser, rest, u64::from(first & 0x0f))?,
        0x90..=0x9f => list(parser, rest, u64::from(first & 0x0f))?,
        0xa0..=0xbf => text(rest, u64::from(first & 0x1f))?,
        0xc0 => Node::Nil,
        0xc2 => Node::Bool(false),
        0xc3 => Node::Bool(true),
        0xc4..=0xc6 => {
            let length = shortest(rest, first - 0xc4, 0)?;
            Node::Binary(take(rest, length)?.to_vec())
        }
        0xcb => {
            let number = f64::from_bits(uint(rest, 8)?);
            (!is_integer(parser, number)).then_some(Node::Number(number))?
        }
        0xcc..=0xcf => integer(parser, shortest(rest, first - 0xcc, 0x80)? as f64)?,
        0xd0..=0xd3 => integer(parser, negative(rest, first - 0xd0)? as f64)?,
        0xd9..=0xdb => {
            let length = shortest(rest, first - 0xd9, 32)?;
            text(rest, length)?
        }
        0xdc | 0xdd => {
            let length = shortest(rest, first - 0xdc + 1, 16)?;
            list(parser, rest, length)?
        }
        0xde | 0xdf => {
            let length = shortest(rest, first - 0xde + 1, 16)?;
            object(parser, rest, length)?
        }
        0xe0..=0xff => Node::Number(f64::from(first) - 256.0),
        0xc1 | 0xc7..=0xca | 0xd4..=0xd8 => return None,
    })
}

fn integer(parser: Parser, number: f64) -> Option<Node> {
    is_integer(parser, number).then_some(Node::Number(number))
}

/// Whether a number is to be written as an integer: msgpackr makes a `BigInt` of a longer one.
fn is_integer(parser: Parser, number: f64) -> bool {
    let is_short = match parser {
        Parser::Msgpackr => (-2_147_483_648.0..4_294_967_296.0).contains(&number),
        Parser::Notepack | Parser::Json => number.abs() < 9_007_199_254_740_992.0,
    };
    is_short && number.fract() == 0.0
}

/// A number of `1 << exponent` bytes that fits no shorter form; the shortest holds `from`.
fn shortest(rest: &mut &[u8], exponent: u8, from: u64) -> Option<u64> {
    let bytes = 1_usize << exponent;
    let number = uint(rest, bytes)?;
    let shorter = if bytes == 1 { from } else { 1 << (4 * bytes) };
    // Arrays and maps have no form of one byte behind the first.
    let is_shortest = number >= shorter || (from == 16 && bytes == 2 && number >= 16);
    is_shortest.then_some(number)
}

fn negative(rest: &mut &[u8], exponent: u8) -> Option<i64> {
    let bytes = 1_usize << exponent;
    let bits = uint(rest, bytes)?;
    let shift = 64 - 8 * u32::try_from(bytes).ok()?;
    let number = i64::from_ne_bytes((bits << shift).to_ne_bytes()) >> shift;
    let shorter = match bytes {
        1 => -32,
        2 => i64::from(i8::MIN),
        4 => i64::from(i16::MIN),
        _ => i64::from(i32::MIN),
    };
    (number < shorter && number > -(1 << 53)).then_some(number)
}

fn list(parser: Parser, rest: &mut &[u8], length: u64) -> Option<Node> {
    (0..length).map(|_| value(parser, rest)).collect::<Option<_>>().map(Node::List)
}

fn object(parser: Parser, rest: &mut &[u8], length: u64) -> Option<Node> {
    let mut member = || match value(parser, rest)? {
        Node::Text(key) => Some((key, value(parser, rest)?)),
        _ => None,
    };
    (0..length).map(|_| member()).collect::<Option<_>>().map(Node::Object)
}

fn text(rest: &mut &[u8], length: u64) -> Option<Node> {
    String::from_utf8(take(rest, length)?.to_vec()).ok().map(Node::Text)
}

fn uint(rest: &mut &[u8], bytes: usize) -> Option<u64> {
    let digits = take(rest, bytes as u64)?;
    Some(digits.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn take<'a>(rest: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, tail) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = tail;
    Some(taken)
}
