//! Published messages, picked out of what Redis says.
//!
//! A subscriber hears far more messages than anything else, most of them short. They are cut out of
//! the bytes as they come, without a copy; the rest (confirmations, errors, pongs) is left to the
//! client library in its order. RESP2 and RESP3 (redis.io, "Redis serialization protocol
//! specification"). Does no IO.

use std::ops::Range;

use bytes::{Buf as _, Bytes, BytesMut};

use super::Arrived;

/// How a message begins: as an array, or with RESP3 as a push.
const MESSAGES: [(&[u8], Kind); 4] = [
    (b"*4\r\n$8\r\npmessage\r\n", Kind::OfPattern),
    (b"*3\r\n$7\r\nmessage\r\n", Kind::OfChannel),
    (b">4\r\n$8\r\npmessage\r\n", Kind::OfPattern),
    (b">3\r\n$7\r\nmessage\r\n", Kind::OfChannel),
];

/// No length takes a longer line, with its type and its end.
const LENGTH_LINE_BYTES_MAX: usize = 24;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// A pattern, the channel, the contents.
    OfPattern,
    /// The channel, the contents.
    OfChannel,
}

/// Where in what Redis says the next byte stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// At the beginning of an answer or a message.
    Between,
    /// In an answer, before an element; so many are to come.
    Elements(u64),
    /// In an element that ends with its line; so many are to come after it.
    Line(u64),
    /// In a string; so many bytes with its end, and so many elements after it.
    Contents(u64, u64),
    /// In the rest of a message that is too large.
    Excess(u64),
}

/// What Redis says is not RESP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NotResp;

impl std::fmt::Display for NotResp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("what Redis says is not RESP")
    }
}

impl std::error::Error for NotResp {}

/// A length line that was read, or why not.
enum Length {
    /// So many, and the bytes of the line. `None` is null.
    Is(Option<u64>, usize),
    /// The line has not ended.
    Incomplete,
}

#[derive(Debug)]
pub(crate) struct Sifter {
    bytes_max: usize,
    place: Place,
    /// What is passed over now is for nobody.
    is_dropped: bool,
}

impl Sifter {
    /// Of the contents of a message only one byte more than `bytes_max` is kept. One whose channel
    /// has a longer name than that is told of without name and contents.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, place: Place::Between, is_dropped: false }
    }

    /// Takes what is whole out of `input`: messages to `take`, everything else to `rest`.
    ///
    /// # Errors
    /// It is not RESP. What stood before that was taken.
    pub(crate) fn sift(
        &mut self,
        input: &mut BytesMut,
        rest: &mut BytesMut,
        mut take: impl FnMut(Arrived),
    ) -> Result<(), NotResp> {
        while !input.is_empty() {
            let goes_on = match self.place {
                Place::Between => self.begin(input, &mut take)?,
                Place::Elements(left) => self.element(left, input, rest)?,
                Place::Line(left) => self.line(left, input, rest),
                Place::Contents(bytes, left) => {
                    let count = within(bytes, input);
                    self.pass(&input.split_to(count), rest);
                    self.place = match bytes - count as u64 {
                        0 => after(left),
                        more => Place::Contents(more, left),
                    };
                    true
                }
                Place::Excess(bytes) => {
                    let count = within(bytes, input);
                    input.advance(count);
                    self.place = match bytes - count as u64 {
                        0 => Place::Between,
                        more => Place::Excess(more),
                    };
                    true
                }
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    fn pass(&self, bytes: &BytesMut, rest: &mut BytesMut) {
        if !self.is_dropped {
            rest.extend_from_slice(bytes);
        }
    }

    /// At the beginning of something. False if more bytes are needed.
    fn begin(
        &mut self,
        input: &mut BytesMut,
        take: &mut impl FnMut(Arrived),
    ) -> Result<bool, NotResp> {
        self.is_dropped = false;
        for (begin, kind) in MESSAGES {
            if input.starts_with(begin) {
                return self.message(begin.len(), kind, input, take);
            }
            if begin.starts_with(input) {
                return Ok(false);
            }
        }
        self.place = Place::Elements(1);
        Ok(true)
    }

    /// A message whose names and contents begin at `at`.
    fn message(
        &mut self,
        at: usize,
        kind: Kind,
        input: &mut BytesMut,
        take: &mut impl FnMut(Arrived),
    ) -> Result<bool, NotResp> {
        let (pattern, at) = match kind {
            Kind::OfChannel => (None, at),
            Kind::OfPattern => match string(input, at, self.bytes_max)? {
                Found::Whole(pattern, end) => (Some(pattern), end),
                Found::Incomplete => return Ok(false),
                Found::TooLong => return Ok(self.drop(take)),
            },
        };
        let (channel, at) = match string(input, at, self.bytes_max)? {
            Found::Whole(channel, end) => (channel, end),
            Found::Incomplete => return Ok(false),
            Found::TooLong => return Ok(self.drop(take)),
        };
        let (length, line) = match length(input.get(at..).unwrap_or_default(), b'$')? {
            Length::Is(Some(length), line) => (length, line),
            Length::Is(None, _) => return Err(NotResp),
            Length::Incomplete => return Ok(false),
        };
        let begin = at + line;
        let whole = length.checked_add(END.len() as u64).ok_or(NotResp)?;
        let kept_max = self.bytes_max as u64 + 1;
        let (kept, excess) =
            if length > kept_max { (kept_max, whole - kept_max) } else { (whole, 0) };
        let kept = usize::try_from(kept).map_err(|_| NotResp)?;
        let Some(end) = begin.checked_add(kept).filter(|end| *end <= input.len()) else {
            // A message comes in as few pieces as its length allows.
            input.reserve(begin.saturating_add(kept).saturating_sub(input.len()));
            return Ok(false);
        };
        let contents_end = if excess == 0 { end - END.len() } else { end };
        if excess == 0 && input.get(contents_end..end) != Some(END) {
            return Err(NotResp);
        }
        let message = input.split_to(end).freeze();
        let part = |range| message.slice(range);
        take(Arrived {
            pattern: pattern.map(part),
            channel: part(channel),
            payload: part(begin..contents_end),
        });
        if excess > 0 {
            self.place = Place::Excess(excess);
        }
        Ok(true)
    }

    /// Passes a message over.
    fn drop(&mut self, take: &mut impl FnMut(Arrived)) -> bool {
        take(Arrived { channel: Bytes::new(), pattern: None, payload: Bytes::new() });
        self.is_dropped = true;
        self.place = Place::Elements(1);
        true
    }

    /// Before an element of an answer, `left` of which are to come.
    fn element(
        &mut self,
        left: u64,
        input: &mut BytesMut,
        rest: &mut BytesMut,
    ) -> Result<bool, NotResp> {
        let Some(&kind) = input.first() else { return Ok(false) };
        let after_it = left.saturating_sub(1);
        // Maps have twice as many; attributes stand before an element and are none.
        let (factor, left_after) = match kind {
            b'$' | b'=' | b'!' => (0, after_it),
            b'*' | b'~' | b'>' => (1, after_it),
            b'%' => (2, after_it),
            b'|' => (2, left),
            b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => {
                self.place = Place::Line(after_it);
                return Ok(true);
            }
            _ => return Err(NotResp),
        };
        let (length, line) = match length(input, kind)? {
            Length::Is(length, line) => (length, line),
            Length::Incomplete => return Ok(false),
        };
        self.pass(&input.split_to(line), rest);
        self.place = match (length, factor) {
            (None, _) => after(left_after),
            (Some(bytes), 0) => {
                let bytes = bytes.checked_add(END.len() as u64).ok_or(NotResp)?;
                Place::Contents(bytes, left_after)
            }
            (Some(count), factor) => {
                let more = count.checked_mul(factor).ok_or(NotResp)?;
                after(left_after.checked_add(more).ok_or(NotResp)?)
            }
        };
        Ok(true)
    }

    fn line(&mut self, left: u64, input: &mut BytesMut, rest: &mut BytesMut) -> bool {
        let end = input.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(input.len(), |at| at + 1);
        self.pass(&input.split_to(count), rest);
        if end.is_some() {
            self.place = after(left);
        }
        true
    }
}

/// The end of a line, and of a string.
const END: &[u8] = b"\r\n";

/// Where it goes on when an element has ended.
fn after(left: u64) -> Place {
    if left == 0 { Place::Between } else { Place::Elements(left) }
}

fn within(bytes: u64, input: &BytesMut) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX).min(input.len())
}

/// The length in the line at the beginning of `input`, which begins with `kind`.
fn length(input: &[u8], kind: u8) -> Result<Length, NotResp> {
    let line = &input[..input.len().min(LENGTH_LINE_BYTES_MAX)];
    match line.first() {
        None => return Ok(Length::Incomplete),
        Some(it) if *it != kind => return Err(NotResp),
        Some(_) => {}
    }
    let Some(end) = line.iter().position(|byte| *byte == b'\n') else {
        let is_short = line.len() < LENGTH_LINE_BYTES_MAX;
        return if is_short { Ok(Length::Incomplete) } else { Err(NotResp) };
    };
    let text = line.get(1..end).and_then(|it| it.strip_suffix(b"\r")).ok_or(NotResp)?;
    if text == b"-1" {
        return Ok(Length::Is(None, end + 1));
    }
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(NotResp);
    }
    let digits = std::str::from_utf8(text).map_err(|_| NotResp)?;
    Ok(Length::Is(Some(digits.parse().map_err(|_| NotResp)?), end + 1))
}

/// A string, as far as it is there.
enum Found {
    /// Its contents, and where it ends itself.
    Whole(Range<usize>, usize),
    Incomplete,
    TooLong,
}

/// The string at `at`, if its contents are no longer than `bytes_max`.
fn string(input: &[u8], at: usize, bytes_max: usize) -> Result<Found, NotResp> {
    let (length, line) = match length(input.get(at..).unwrap_or_default(), b'$')? {
        Length::Is(Some(length), line) => (length, line),
        Length::Is(None, _) => return Err(NotResp),
        Length::Incomplete => return Ok(Found::Incomplete),
    };
    let Some(length) = usize::try_from(length).ok().filter(|it| *it <= bytes_max) else {
        return Ok(Found::TooLong);
    };
    let begin = at + line;
    let end = begin + length;
    match input.get(end..end + END.len()) {
        Some(END) => Ok(Found::Whole(begin..end, end + END.len())),
        Some(_) => Err(NotResp),
        None => Ok(Found::Incomplete),
    }
}

#[cfg(test)]
mod tests;
