//! JSON as text (RFC 8259): checking the grammar, walking checked text, reading and writing
//! strings.
//!
//! [`check`] runs once per message. Everything else takes text that has passed it and hands out
//! slices of that same text. Nothing here recurses and nothing builds a tree: nesting costs one
//! bit per level that has arrived.
//!
//! The accepted language is that of JavaScript's `JSON.parse`, which every stock client writes
//! for: any nesting depth, numbers of any size (`1e400`), duplicate keys and escaped lone
//! surrogates are legal. How deep is too deep is the caller's policy; [`Checked`] says how deep
//! it was.
//!
//! [`elements`], [`members`] and the string functions tolerate text that was never checked: they
//! do not panic, they end early or return something meaningless.

mod check;
mod scan;
mod string;
mod walk;

pub use check::{Checked, JsonError, JsonErrorKind, check};
pub use string::{replace_surrogates, string_is, unescape, write_string, write_string_wtf8};
pub use walk::{Elements, Members, elements, members};

pub(crate) use scan::{is_space, skip_space, skip_string, skip_value};

/// The six kinds of JSON value (RFC 8259 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number of any size.
    Number,
    /// A string.
    String,
    /// `[…]`
    Array,
    /// `{…}`
    Object,
}

/// The kind of a checked value without surrounding white space, told by its first byte.
///
/// Unchecked text that begins no value gives [`Kind::Null`].
pub fn kind(raw: &str) -> Kind {
    match raw.as_bytes().first() {
        Some(b't' | b'f') => Kind::Bool,
        Some(b'-' | b'0'..=b'9') => Kind::Number,
        Some(b'"') => Kind::String,
        Some(b'[') => Kind::Array,
        Some(b'{') => Kind::Object,
        _ => Kind::Null,
    }
}

/// The value of a checked number as `JSON.parse` reads it: the nearest double, `1e400` is
/// infinite, `-0` keeps its sign. Text that is no number gives NaN.
pub fn number(raw: &str) -> f64 {
    match kind(raw) {
        Kind::Number => raw.parse().unwrap_or(f64::NAN),
        _ => f64::NAN,
    }
}

/// `raw` without surrounding JSON white space (RFC 8259 §2), which is narrower than Unicode's.
pub fn trim(raw: &str) -> &str {
    raw.trim_matches([' ', '\t', '\n', '\r'])
}
