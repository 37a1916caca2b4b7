//! Reading msgpack bytes: one token at a time, borrowed from the message.
//!
//! Owns the formats of msgpack and of the extensions that notepack writes
//! (`https://github.com/msgpack/msgpack/blob/master/spec.md`). Does not own nesting: a container
//! is its header here, and what it holds are the next tokens.

use super::{Library, MsgpackError, MsgpackErrorKind};

/// One value, or the header of a container.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token<'a> {
    /// nil.
    Nil,
    /// `d4 00 xx`, by which notepack 2 writes what JavaScript calls undefined.
    Undefined,
    /// false or true.
    Bool(bool),
    /// Any integer or float, as the double that JavaScript makes of it.
    Number(f64),
    /// A string, of any bytes.
    Str(&'a [u8]),
    /// A bin, or an ext 0 by which notepack 2 writes an `ArrayBuffer`.
    Bin(&'a [u8]),
    /// A date, in milliseconds since 1970: a timestamp (ext -1), or the ext 0 of notepack 2. An
    /// invalid one is NaN.
    Date(f64),
    /// Any other extension.
    Ext {
        /// Its type.
        ext_type: i8,
        /// Its contents.
        data: &'a [u8],
    },
    /// An array of that many values, which follow.
    Array(u32),
    /// A map of that many pairs of a key and a value, which follow.
    Map(u32),
}

/// A place in a message.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    library: Library,
}

impl<'a> Reader<'a> {
    /// A reader at the beginning of `bytes`, written with `library`.
    pub fn new(bytes: &'a [u8], library: Library) -> Self {
        Reader { bytes, at: 0, library }
    }

    /// Bytes read so far.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Demands that nothing follows.
    ///
    /// # Errors
    /// [`MsgpackErrorKind::TrailingBytes`].
    pub fn finish(&self) -> Result<(), MsgpackError> {
        if self.at < self.bytes.len() {
            return Err(MsgpackError { offset: self.at, what: MsgpackErrorKind::TrailingBytes });
        }
        Ok(())
    }

    /// Reads a value, or the header of a container. Not more elements are claimed by one than
    /// there are bytes left.
    ///
    /// # Errors
    /// [`MsgpackErrorKind::UnexpectedEnd`], [`MsgpackErrorKind::UnusedByte`] and
    /// [`MsgpackErrorKind::ExtensionUnknown`], at the beginning of the value.
    pub fn token(&mut self) -> Result<Token<'a>, MsgpackError> {
        let offset = self.at;
        let error = |what| MsgpackError { offset, what };
        let ended = || error(MsgpackErrorKind::UnexpectedEnd);
        let [first] = self.array().ok_or_else(ended)?;
        Ok(match first {
            0x00..=0x7f => Token::Number(f64::from(first)),
            0x80..=0x8f => Token::Map(self.pairs(u32::from(first & 0x0f)).ok_or_else(ended)?),
            0x90..=0x9f => Token::Array(self.values(u32::from(first & 0x0f)).ok_or_else(ended)?),
            0xa0..=0xbf => Token::Str(self.take(usize::from(first & 0x1f)).ok_or_else(ended)?),
            0xc0 => Token::Nil,
            0xc1 => return Err(error(MsgpackErrorKind::UnusedByte)),
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xc4..=0xc6 => Token::Bin(self.sized(first - 0xc4).ok_or_else(ended)?),
            0xc7..=0xc9 | 0xd4..=0xd8 => {
                let extension = self.extension(first).ok_or_else(ended)?;
                return extension.ok_or_else(|| error(MsgpackErrorKind::ExtensionUnknown));
            }
            0xca => Token::Number(f64::from(f32::from_be_bytes(self.array().ok_or_else(ended)?))),
            0xcb => Token::Number(f64::from_be_bytes(self.array().ok_or_else(ended)?)),
            0xcc..=0xcf => Token::Number(self.unsigned(first - 0xcc).ok_or_else(ended)?),
            0xd0..=0xd3 => Token::Number(self.signed(first - 0xd0).ok_or_else(ended)?),
            0xd9..=0xdb => Token::Str(self.sized(first - 0xd9).ok_or_else(ended)?),
            0xdc | 0xdd => {
                let length = self.length(first - 0xdc + 1).ok_or_else(ended)?;
                Token::Array(self.values(length).ok_or_else(ended)?)
            }
            0xde | 0xdf => {
                let length = self.length(first - 0xde + 1).ok_or_else(ended)?;
                Token::Map(self.pairs(length).ok_or_else(ended)?)
            }
            0xe0..=0xff => Token::Number(f64::from(i8::from_be_bytes([first]))),
        })
    }

    /// Reads a value and moves behind what it contains.
    ///
    /// # Errors
    /// As [`Reader::token`].
    pub fn whole(&mut self) -> Result<Token<'a>, MsgpackError> {
        let first = self.token()?;
        let mut awaited = elements_of(&first);
        while awaited > 0 {
            // Claims are checked against the bytes left, so that the sum stays far below 2^64.
            awaited = awaited - 1 + elements_of(&self.token()?);
        }
        Ok(first)
    }

    /// Moves behind an undefined, if that is what comes next.
    pub(super) fn skip_undefined(&mut self) -> bool {
        let is_undefined = matches!(self.bytes.get(self.at..), Some([0xd4, 0, _, ..]));
        if is_undefined {
            self.at += 3;
        }
        is_undefined
    }

    /// The byte that comes next.
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// An extension that begins with this byte. `None` where the bytes end, `Some(None)` for one that
    /// the peer's library does not write.
    #[cold]
    fn extension(&mut self, first: u8) -> Option<Option<Token<'a>>> {
        match first {
            0xc7..=0xc9 => {
                let length = self.length(first - 0xc7)?;
                self.sized_ext(length)
            }
            _ => self.fixed_ext(1 << (first - 0xd4)),
        }
    }

    /// An extension of 1, 2, 4, 8 or 16 bytes.
    fn fixed_ext(&mut self, length: usize) -> Option<Option<Token<'a>>> {
        let ext_type = i8::from_be_bytes(self.array()?);
        let data = self.take(length)?;
        if !self.library.writes_extension(ext_type, length) {
            return Some(None);
        }
        Some(Some(match (ext_type, data) {
            (0, [_]) => Token::Undefined,
            (0, [_, _, _, _, _, _, _, _]) => {
                Token::Date(i64::from_be_bytes(data.try_into().ok()?) as f64)
            }
            (-1, [a, b, c, d]) => {
                Token::Date(f64::from(u32::from_be_bytes([*a, *b, *c, *d])) * 1e3)
            }
            (-1, [_, _, _, _, _, _, _, _]) => {
                // Nanoseconds in the upper 30 bits, seconds in the lower 34.
                let both = u64::from_be_bytes(data.try_into().ok()?);
                Token::Date(date((both & 0x3_ffff_ffff) as f64, (both >> 34) as f64))
            }
            _ => self.other_ext(ext_type, data),
        }))
    }

    /// An extension that says how long it is.
    fn sized_ext(&mut self, length: u32) -> Option<Option<Token<'a>>> {
        let ext_type = i8::from_be_bytes(self.array()?);
        let data = self.take_u32(length)?;
        // Undefined is never written so.
        if self.library == Library::Msgpackr && ext_type != -1 {
            return Some(None);
        }
        Some(Some(match (ext_type, data.split_first_chunk::<4>()) {
            (0, _) => Token::Bin(data),
            (-1, Some((ns, seconds))) if seconds.len() == 8 => {
                let seconds = i64::from_be_bytes(seconds.try_into().ok()?);
                Token::Date(date(seconds as f64, f64::from(u32::from_be_bytes(*ns))))
            }
            _ => self.other_ext(ext_type, data),
        }))
    }

    fn other_ext(&self, ext_type: i8, data: &'a [u8]) -> Token<'a> {
        match self.library {
            Library::Notepack => Token::Ext { ext_type, data },
            // A timestamp of a length that none has: `d4 ff ff` is `new Date(NaN)`.
            Library::Msgpackr => Token::Date(f64::NAN),
        }
    }

    /// A number of values that can follow.
    fn values(&self, length: u32) -> Option<u32> {
        let left = self.bytes.len() - self.at;
        (length as usize <= left).then_some(length)
    }

    /// A number of pairs that can follow.
    fn pairs(&self, length: u32) -> Option<u32> {
        let left = self.bytes.len() - self.at;
        (length as usize <= left / 2).then_some(length)
    }

    /// Bytes whose number is said before them.
    fn sized(&mut self, exponent: u8) -> Option<&'a [u8]> {
        let length = self.length(exponent)?;
        self.take_u32(length)
    }

    /// A length of one, two or four bytes, for an exponent of 0, 1 or 2.
    fn length(&mut self, exponent: u8) -> Option<u32> {
        Some(match exponent {
            0 => u32::from(u8::from_be_bytes(self.array()?)),
            1 => u32::from(u16::from_be_bytes(self.array()?)),
            _ => u32::from_be_bytes(self.array()?),
        })
    }

    fn unsigned(&mut self, exponent: u8) -> Option<f64> {
        match exponent {
            3 => Some(u64::from_be_bytes(self.array()?) as f64),
            _ => self.length(exponent).map(f64::from),
        }
    }

    fn signed(&mut self, exponent: u8) -> Option<f64> {
        Some(match exponent {
            0 => f64::from(i8::from_be_bytes(self.array()?)),
            1 => f64::from(i16::from_be_bytes(self.array()?)),
            2 => f64::from(i32::from_be_bytes(self.array()?)),
            _ => i64::from_be_bytes(self.array()?) as f64,
        })
    }

    fn take_u32(&mut self, length: u32) -> Option<&'a [u8]> {
        self.take(usize::try_from(length).ok()?)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }
}

/// How many values belong to a container beside its header.
fn elements_of(token: &Token<'_>) -> u64 {
    match token {
        Token::Array(length) => u64::from(*length),
        Token::Map(length) => 2 * u64::from(*length),
        _ => 0,
    }
}

/// Milliseconds, rounded where JavaScript rounds.
fn date(seconds: f64, ns: f64) -> f64 {
    seconds * 1e3 + ns / 1e6
}
