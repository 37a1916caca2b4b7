//! From a msgpack value to JSON text and attachments.
//!
//! Owns the first table of [`super`]. One pass, linear in the bytes; an open container costs
//! eight bytes. Does not own which values a packet may have.

use bytes::Bytes;

use super::date::write_date;
use super::number::write_javascript;
use super::read::{Reader, Token};
use super::{MsgpackError, MsgpackErrorKind};
use crate::decoder::DecodeError;
use crate::json;

/// A value on its way from msgpack to JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// JSON text that passes [`json::check`], with placeholders where binaries were.
    pub json: String,
    /// Deepest nesting of the text: 0 for a scalar. A placeholder counts, being an object.
    pub depth: u32,
    /// The binaries, in the order of their placeholders.
    pub attachments: Vec<Bytes>,
}

/// Reads one value with everything it contains.
///
/// # Errors
/// [`DecodeError::NotMsgpack`] for what [`Reader::token`] refuses, for invalid keys, and for
/// containers nested deeper than `depth_max`; [`DecodeError::TooManyAttachments`] beyond
/// `attachments_max` of them; [`DecodeError::PlaceholderInvalid`] for what looks like a
/// placeholder beside attachments.
pub fn read_value(
    reader: &mut Reader<'_>,
    attachments_max: usize,
    depth_max: u32,
) -> Result<Value, DecodeError> {
    let mut conversion = Conversion {
        reader: *reader,
        out: Vec::new(),
        levels: Vec::new(),
        deepest: 0,
        depth_max: depth_max as usize,
        attachments: Vec::new(),
        attachments_max,
        has_lookalike: false,
    };
    conversion.run()?;
    *reader = conversion.reader;
    if conversion.has_lookalike && !conversion.attachments.is_empty() {
        return Err(DecodeError::PlaceholderInvalid);
    }
    Ok(Value {
        // Nothing but UTF-8 was written.
        json: String::from_utf8(conversion.out).map_err(|_| DecodeError::PayloadInvalid)?,
        depth: u32::try_from(conversion.deepest).unwrap_or(u32::MAX),
        attachments: conversion.attachments,
    })
}

/// An open container.
struct Level {
    /// Elements or members still to come.
    remaining: u32,
    is_map: bool,
    /// Nothing was written since its opening bracket.
    is_empty: bool,
    /// The last member `_placeholder` so far is `true`.
    is_lookalike: bool,
}

struct Conversion<'a> {
    reader: Reader<'a>,
    out: Vec<u8>,
    levels: Vec<Level>,
    deepest: usize,
    depth_max: usize,
    attachments: Vec<Bytes>,
    attachments_max: usize,
    /// A map stands in the text that a receiver would take for a placeholder.
    has_lookalike: bool,
}

impl Conversion<'_> {
    fn run(&mut self) -> Result<(), DecodeError> {
        loop {
            self.value()?;
            if !self.advance()? {
                return Ok(());
            }
        }
    }

    /// Writes a scalar, or opens a container.
    fn value(&mut self) -> Result<(), DecodeError> {
        let begin = self.reader.offset();
        match self.reader.token()? {
            Token::Bool(true) => self.out.extend_from_slice(b"true"),
            Token::Bool(false) => self.out.extend_from_slice(b"false"),
            Token::Number(number) if number.is_finite() => {
                write_javascript(&mut self.out, number);
            }
            Token::Nil | Token::Undefined | Token::Number(_) => {
                self.out.extend_from_slice(b"null");
            }
            Token::Str(contents) => write_lossy(&mut self.out, contents),
            Token::Bin(data) => self.attachment(data, 0)?,
            Token::Date(time_ms) => write_date(&mut self.out, time_ms),
            Token::Ext { ext_type, data } => {
                self.out.push(b'[');
                write_javascript(&mut self.out, f64::from(ext_type));
                self.out.push(b',');
                self.attachment(data, 1)?;
                self.out.push(b']');
            }
            Token::Array(length) => self.open(begin, length, false)?,
            Token::Map(length) => self.open(begin, length, true)?,
        }
        Ok(())
    }

    /// Closes the containers that are complete and moves to where the next value begins. False
    /// when the outermost value is complete.
    fn advance(&mut self) -> Result<bool, DecodeError> {
        while let Some(level) = self.levels.last_mut() {
            if level.remaining == 0 {
                self.has_lookalike |= level.is_lookalike;
                self.out.push(if level.is_map { b'}' } else { b']' });
                self.levels.pop();
                continue;
            }
            level.remaining -= 1;
            if level.is_map {
                if self.key()? {
                    return Ok(true);
                }
            } else {
                separate(&mut self.out, level);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes a key, or leaves it and its value out. True when the value comes next.
    fn key(&mut self) -> Result<bool, DecodeError> {
        let key = read_key(&mut self.reader)?;
        if key == Token::Str(b"__proto__") {
            self.reader.whole()?;
            return Ok(false);
        }
        if self.reader.skip_undefined() {
            return Ok(false);
        }
        let value_is_true = self.reader.peek() == Some(0xc3);
        if let Some(level) = self.levels.last_mut() {
            separate(&mut self.out, level);
            if key == Token::Str(b"_placeholder") {
                level.is_lookalike = value_is_true;
            }
        }
        self.write_key(&key);
        self.out.push(b':');
        Ok(true)
    }

    fn write_key(&mut self, key: &Token<'_>) {
        if let Token::Str(contents) = key {
            return write_lossy(&mut self.out, contents);
        }
        self.out.push(b'"');
        match key {
            Token::Number(number) => write_javascript(&mut self.out, *number),
            Token::Bool(true) => self.out.extend_from_slice(b"true"),
            Token::Bool(false) => self.out.extend_from_slice(b"false"),
            Token::Undefined => self.out.extend_from_slice(b"undefined"),
            _ => self.out.extend_from_slice(b"null"),
        }
        self.out.push(b'"');
    }

    fn open(&mut self, begin: usize, length: u32, is_map: bool) -> Result<(), DecodeError> {
        if self.levels.len() >= self.depth_max {
            return Err(MsgpackError { offset: begin, what: MsgpackErrorKind::TooDeep }.into());
        }
        self.out.push(if is_map { b'{' } else { b'[' });
        self.levels.push(Level { remaining: length, is_map, is_empty: true, is_lookalike: false });
        self.deepest = self.deepest.max(self.levels.len());
        Ok(())
    }

    /// Keeps a binary and writes its placeholder, `around` brackets inside the current level.
    fn attachment(&mut self, data: &[u8], around: usize) -> Result<(), DecodeError> {
        if self.attachments.len() >= self.attachments_max {
            return Err(DecodeError::TooManyAttachments);
        }
        self.out.extend_from_slice(b"{\"_placeholder\":true,\"num\":");
        self.out.extend_from_slice(self.attachments.len().to_string().as_bytes());
        self.out.push(b'}');
        self.deepest = self.deepest.max(self.levels.len() + around + 1);
        self.attachments.push(Bytes::copy_from_slice(data));
        Ok(())
    }
}

/// Reads the key of a map: a string, or a scalar that JavaScript makes one of.
pub(super) fn read_key<'a>(reader: &mut Reader<'a>) -> Result<Token<'a>, MsgpackError> {
    let offset = reader.offset();
    match reader.token()? {
        Token::Bin(_) | Token::Date(_) | Token::Ext { .. } | Token::Array(_) | Token::Map(_) => {
            Err(MsgpackError { offset, what: MsgpackErrorKind::KeyInvalid })
        }
        key => Ok(key),
    }
}

/// Writes a comma unless nothing is before it.
fn separate(out: &mut Vec<u8>, level: &mut Level) {
    if !level.is_empty {
        out.push(b',');
    }
    level.is_empty = false;
}

/// Rust replaces the same bytes as Node's `buffer.toString()`: each maximal part of a character.
fn write_lossy(out: &mut Vec<u8>, contents: &[u8]) {
    json::write_string(out, &String::from_utf8_lossy(contents));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_container_is_small() {
        assert_eq!(size_of::<Level>(), 8);
    }
}
