//! The grammar check: one value, in full, in one pass (RFC 8259 §2–§7).
//!
//! Owns what is legal and how deep it nests; allocates only beyond 64 levels, and then one bit
//! for each level that has arrived.

use std::fmt;

use super::scan::{skip_space, string_run_end};
use super::{Kind, kind};

/// What [`check`] learnt about a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Kind of the outermost value.
    pub kind: Kind,
    /// Deepest nesting of arrays and objects: 0 for a scalar, 1 for `[]`, 2 for `[{}]`.
    pub depth: u32,
}

/// Why a text is no JSON value. The sender is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonError {
    /// Where the text went wrong, in bytes from its beginning.
    pub offset: usize,
    /// What was found there.
    pub what: JsonErrorKind,
}

/// What [`check`] stumbled over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonErrorKind {
    /// The text ended inside a value, or was empty.
    UnexpectedEnd,
    /// A character that cannot stand here: text behind the value, a missing or trailing comma, a
    /// misspelt literal, a byte order mark.
    UnexpectedCharacter,
    /// A raw control character (below U+0020) inside a string.
    ControlCharacter,
    /// A backslash followed by something else than an escape (RFC 8259 §7).
    InvalidEscape,
    /// A number with a leading zero or with digits missing (RFC 8259 §6).
    InvalidNumber,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            JsonErrorKind::UnexpectedEnd => "unexpected end",
            JsonErrorKind::UnexpectedCharacter => "unexpected character",
            JsonErrorKind::ControlCharacter => "raw control character in a string",
            JsonErrorKind::InvalidEscape => "invalid escape",
            JsonErrorKind::InvalidNumber => "invalid number",
        };
        write!(f, "{what} at byte {}", self.offset)
    }
}

impl std::error::Error for JsonError {}

/// Checks that `text` is exactly one JSON value, with white space around it at most.
///
/// Accepts and refuses what `JSON.parse` accepts and refuses. Linear in the length of `text`.
///
/// # Errors
/// The first offence, with its place.
pub fn check(text: &str) -> Result<Checked, JsonError> {
    let mut checker =
        Checker { bytes: text.as_bytes(), at: 0, nesting: Nesting::default(), deepest: 0 };
    checker.skip_space();
    let kind = text.get(checker.at..).map_or(Kind::Null, kind);
    checker.value()?;
    checker.skip_space();
    if checker.at < checker.bytes.len() {
        return Err(checker.unexpected());
    }
    let depth = u32::try_from(checker.deepest).unwrap_or(u32::MAX);
    Ok(Checked { kind, depth })
}

/// The containers that are open around the current place, one bit each: 1 for an object.
///
/// The innermost 64 live in one word, so that ordinary messages allocate nothing.
#[derive(Default)]
struct Nesting {
    innermost: u64,
    depth: usize,
    outer: Vec<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Array,
    Object,
}

impl Nesting {
    fn push(&mut self, container: Container) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.innermost);
            self.innermost = 0;
        }
        self.innermost = self.innermost << 1 | u64::from(container == Container::Object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.innermost >>= 1;
        self.depth = self.depth.saturating_sub(1);
        if self.depth.is_multiple_of(64) {
            // Empty only at depth 0, where no bit means anything.
            self.innermost = self.outer.pop().unwrap_or(0);
        }
    }

    fn current(&self) -> Option<Container> {
        match (self.depth, self.innermost & 1) {
            (0, _) => None,
            (_, 0) => Some(Container::Array),
            _ => Some(Container::Object),
        }
    }
}

struct Checker<'a> {
    bytes: &'a [u8],
    at: usize,
    nesting: Nesting,
    deepest: usize,
}

impl Checker<'_> {
    /// Checks one value, nested ones included, by walking instead of recursing: either a
    /// container was opened, and its first value comes next, or a value is complete.
    fn value(&mut self) -> Result<(), JsonError> {
        loop {
            self.skip_space();
            let complete = match self.peek() {
                Some(b'"') => {
                    self.string()?;
                    true
                }
                Some(b'{') => self.open_object()?,
                Some(b'[') => self.open_array(),
                Some(b'-' | b'0'..=b'9') => {
                    self.number()?;
                    true
                }
                Some(b't') => self.literal(b"true")?,
                Some(b'f') => self.literal(b"false")?,
                Some(b'n') => self.literal(b"null")?,
                _ => return Err(self.unexpected()),
            };
            if complete && self.after_value()? {
                return Ok(());
            }
        }
    }

    /// Closes the containers that end behind a complete value and moves to where the next value
    /// begins. True when the outermost value is complete.
    fn after_value(&mut self) -> Result<bool, JsonError> {
        while let Some(container) = self.nesting.current() {
            self.skip_space();
            match (self.peek(), container) {
                (Some(b','), Container::Array) => {
                    self.at += 1;
                    return Ok(false);
                }
                (Some(b','), Container::Object) => {
                    self.at += 1;
                    self.key()?;
                    return Ok(false);
                }
                (Some(b']'), Container::Array) | (Some(b'}'), Container::Object) => {
                    self.at += 1;
                    self.nesting.pop();
                }
                _ => return Err(self.unexpected()),
            }
        }
        Ok(true)
    }

    /// True when the array is empty and therefore complete.
    fn open_array(&mut self) -> bool {
        self.at += 1;
        self.deepest = self.deepest.max(self.nesting.depth + 1);
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return true;
        }
        self.nesting.push(Container::Array);
        false
    }

    /// Like [`Checker::open_array`], and moves past the first key.
    fn open_object(&mut self) -> Result<bool, JsonError> {
        self.at += 1;
        self.deepest = self.deepest.max(self.nesting.depth + 1);
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(true);
        }
        self.key()?;
        self.nesting.push(Container::Object);
        Ok(false)
    }

    fn key(&mut self) -> Result<(), JsonError> {
        self.skip_space();
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        self.string()?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        loop {
            self.at = string_run_end(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.error(JsonErrorKind::ControlCharacter)),
                None => return Err(self.unexpected()),
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        let length = match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6).unwrap_or_default();
                if digits.len() < 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(self.error(JsonErrorKind::InvalidEscape));
                }
                6
            }
            _ => return Err(self.error(JsonErrorKind::InvalidEscape)),
        };
        self.at += length;
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.error(JsonErrorKind::InvalidNumber));
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), JsonError> {
        let begin = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == begin { Err(self.error(JsonErrorKind::InvalidNumber)) } else { Ok(()) }
    }

    /// Always true, a literal being complete.
    fn literal(&mut self, word: &[u8]) -> Result<bool, JsonError> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.unexpected());
        }
        self.at += word.len();
        Ok(true)
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn skip_space(&mut self) {
        self.at = skip_space(self.bytes, self.at);
    }

    #[cold]
    fn unexpected(&self) -> JsonError {
        self.error(match self.peek() {
            Some(_) => JsonErrorKind::UnexpectedCharacter,
            None => JsonErrorKind::UnexpectedEnd,
        })
    }

    #[cold]
    fn error(&self, what: JsonErrorKind) -> JsonError {
        JsonError { offset: self.at, what }
    }
}
