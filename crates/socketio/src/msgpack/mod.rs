//! The msgpack parser of Socket.IO (socket.io-msgpack-parser 3.0): a packet is one binary message,
//! a map `{type, nsp, data, id?}` with its binaries inline.
//!
//! Owns both directions between msgpack and what the rest of Relay works on, which is JSON text
//! and attachments. Packets come out of [`decode`] in the shape that the default decoder yields,
//! and go back through [`write_event`] and its like; [`read_value`] and [`write_value`] convert
//! values alone. Does not own which connection speaks msgpack ([`crate::Parser`]) nor how deep is
//! too deep. Nothing here recurses, and no length that a peer claims allocates anything.
//!
//! # What becomes of a value
//! The measure is what a Node server (notepack.io inside) would pass on.
//!
//! | msgpack, as received | JSON text |
//! |---|---|
//! | nil, false, true | `null`, `false`, `true` |
//! | any integer, float 32, float 64 | the double, spelt as `JSON.stringify` spells it; integers beyond 2^53 are rounded to a double, -0 is `0`, NaN and infinities are `null` |
//! | str | a string; bytes that are no UTF-8, surrogates among them, become U+FFFD as in Node |
//! | bin, ext 0 of 8, 16 or 32-bit length (`ArrayBuffer`) | an attachment and its placeholder |
//! | array | an array |
//! | map | an object with its members in the order of the wire, duplicates included: whoever reads JSON lets the last one win at the place of the first |
//! | `d4 00 xx` (undefined) | `null`; as the value of a member the member is left out |
//! | `d7 00` + i64 (ms), ext -1 of 4, 8 or 12 bytes (timestamp) | the string of `Date.prototype.toISOString`, or `null` beyond its range |
//! | any other ext | `[type, attachment]` |
//! | map key that is a number, bool, nil or undefined | the string that JavaScript makes of it |
//! | map key `__proto__` | left out with its value, since in Node it sets a prototype |
//! | map key of any other type; `c1`; a truncated value; bytes behind it | refused |
//!
//! An object that looks like a placeholder is plain data in a packet without binaries. Beside
//! binaries it could be taken for one of them, so that such a packet is refused.
//!
//! Differences to notepack 2.2, which that parser uses: it reads ext -1 as `[-1, attachment]`
//! (notepack 3 reads a date too), it makes strings of containers and binaries as keys, and a
//! member that is written with a value first and as undefined later keeps the value here. No
//! encoder writes the last one. A text is bound to be lossy where JSON is: a date is a string,
//! NaN is `null` for receivers that speak msgpack too.
//!
//! | JSON text | msgpack, as sent |
//! |---|---|
//! | number | the shortest integer form for integral values within ±(2^53 - 1), `-0` being 0; float 64 for everything else (`1e400` is infinite). Larger integral values come out of notepack as integers, from 2^64 on as wrong ones |
//! | string | the shortest str form; a lone surrogate becomes U+FFFD. notepack does so in strings of more than 32 units and writes a wrong character in shorter ones |
//! | array, object | the shortest array or map form; keys as `JSON.parse` orders them: array indices (`"0"` to `"4294967294"`) ascending, then in order of appearance; of duplicates the first one's place and the last one's value; `__proto__` is a key like any other |
//! | placeholder, if the packet has attachments | bin |
//!
//! # Msgpackr
//! A Node server that passes on what msgpackr reads is the measure where [`Library::Msgpackr`] is
//! said. Then integers are sent in at most 32 bits and are floats beyond, as it sends them itself;
//! of extensions ext -1 is taken (a length that no timestamp has is an invalid date, `null`), and
//! `d4 00 xx`. All others are refused: in its own notation the contents of a record, a set or a
//! reference follow as values behind the extension.
//!
//! # Sizes
//! A text is at most seven times as long as the msgpack it comes from (two bytes can be a member
//! `"false":false,`), plus 40 bytes per attachment. Msgpack is at most nine fourths of its text
//! (`1.5,` takes nine bytes) and some bytes for the frame, plus its attachments, each as often as
//! the text refers to it: as senders may repeat a placeholder, writers take a bound.

mod date;
mod decode;
mod encode;
mod library;
mod number;
mod read;
mod shape;
mod value;
mod write;

use std::fmt;

pub use decode::{Message, decode};
pub use encode::{
    TooLarge, write_ack, write_connect, write_connect_error, write_disconnect, write_event,
    write_value,
};
pub use library::Library;
pub use number::write_javascript;
pub use read::{Reader, Token};
pub use value::{Value, read_value};
pub use write::{write_array_header, write_bin, write_map_header, write_number, write_str};

/// Why bytes are no msgpack value that we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MsgpackError {
    /// Where the value that went wrong begins, in bytes from the beginning of the message.
    pub offset: usize,
    /// What was found there.
    pub what: MsgpackErrorKind,
}

/// What a reader of msgpack stumbled over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MsgpackErrorKind {
    /// The bytes end before the value does, or a container claims more elements than can follow.
    UnexpectedEnd,
    /// The byte `c1`, which begins no value.
    UnusedByte,
    /// A map key that is an array, a map, a binary, a date or an extension.
    KeyInvalid,
    /// An extension that the peer's library writes only if it is told to ([`Library`]).
    ExtensionUnknown,
    /// Bytes behind the value.
    TrailingBytes,
    /// Arrays and maps nest deeper than the caller allows. Not the peer's fault.
    TooDeep,
}

impl fmt::Display for MsgpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            MsgpackErrorKind::UnexpectedEnd => "unexpected end",
            MsgpackErrorKind::UnusedByte => "unused byte c1",
            MsgpackErrorKind::KeyInvalid => "invalid map key",
            MsgpackErrorKind::ExtensionUnknown => "unknown extension",
            MsgpackErrorKind::TrailingBytes => "trailing bytes",
            MsgpackErrorKind::TooDeep => "nested too deeply",
        };
        write!(f, "{what} at byte {}", self.offset)
    }
}

impl std::error::Error for MsgpackError {}
