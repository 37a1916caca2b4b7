//! Iterators over the parts of checked arrays and objects.
//!
//! They hand out raw slices and skip over what is nested in them; nothing is decoded or copied.

use super::scan::{skip_space, skip_string, skip_value};

/// The elements of a checked array, each as raw text without surrounding white space.
///
/// Text that is no array, or was never checked, makes the iterator end early.
pub fn elements(raw_array: &str) -> Elements<'_> {
    Elements { parts: Parts::open(raw_array, b'[', b']') }
}

/// The members of a checked object in their order, duplicates included: the raw key with its
/// quotes, and the raw value without surrounding white space.
///
/// `JSON.parse` lets the last of duplicate keys win; so should whoever looks one up. Keys are
/// compared with [`super::string_is`]. Text that is no object, or was never checked, makes the
/// iterator end early.
pub fn members(raw_object: &str) -> Members<'_> {
    Members { parts: Parts::open(raw_object, b'{', b'}') }
}

/// Iterator made by [`elements`].
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    parts: Parts<'a>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.parts.begin()?;
        self.parts.value()
    }
}

impl std::iter::FusedIterator for Elements<'_> {}

/// Iterator made by [`members`].
#[derive(Debug, Clone)]
pub struct Members<'a> {
    parts: Parts<'a>,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        self.parts.begin()?;
        let key = self.parts.key()?;
        Some((key, self.parts.value()?))
    }
}

impl std::iter::FusedIterator for Members<'_> {}

/// What arrays and objects have in common: parts between brackets, separated by commas.
#[derive(Debug, Clone)]
struct Parts<'a> {
    text: &'a str,
    /// Where the next part, or the white space before it, begins; the length of the text once
    /// the iteration is over.
    at: usize,
    close: u8,
}

impl<'a> Parts<'a> {
    fn open(text: &'a str, open: u8, close: u8) -> Self {
        let bytes = text.as_bytes();
        let begin = skip_space(bytes, 0);
        let at = if bytes.get(begin) == Some(&open) { begin + 1 } else { bytes.len() };
        Parts { text, at, close }
    }

    /// Moves to the first byte of the next part.
    fn begin(&mut self) -> Option<()> {
        let bytes = self.text.as_bytes();
        self.at = skip_space(bytes, self.at);
        if *bytes.get(self.at)? == self.close {
            return self.end();
        }
        Some(())
    }

    fn key(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let begin = self.at;
        if bytes.get(begin) != Some(&b'"') {
            return self.end();
        }
        let Some(key_end) = skip_string(bytes, begin) else { return self.end() };
        let colon = skip_space(bytes, key_end);
        if bytes.get(colon) != Some(&b':') {
            return self.end();
        }
        self.at = skip_space(bytes, colon + 1);
        self.text.get(begin..key_end)
    }

    /// The value that begins here; moves behind the comma that follows it.
    fn value(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let begin = self.at;
        let Some(value_end) = skip_value(bytes, begin) else { return self.end() };
        let separator = skip_space(bytes, value_end);
        self.at = if bytes.get(separator) == Some(&b',') { separator + 1 } else { bytes.len() };
        self.text.get(begin..value_end)
    }

    fn end<T>(&mut self) -> Option<T> {
        self.at = self.text.len();
        None
    }
}
