//! Records: what is known when something is said, before it is text.

use std::time::SystemTime;

use super::LogLevel;

/// Something that was said.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) time: SystemTime,
    pub(super) level: LogLevel,
    pub(super) event: &'static str,
    pub(super) fields: Vec<(&'static str, Value)>,
}

/// A part of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    /// A word of ours.
    Word(&'static str),
    /// Any text.
    Text(Box<str>),
    /// A number.
    Number(u64),
}

impl Value {
    /// The text of a stranger: what is no UTF-8 is replaced, what is longer than `bytes_max` ends
    /// with an ellipsis.
    pub(crate) fn capped(bytes: &[u8], bytes_max: usize) -> Self {
        if bytes.len() <= bytes_max {
            return Self::Text(String::from_utf8_lossy(bytes).into());
        }
        let is_inside = |at: usize| bytes[at] & 0xc0 == 0x80;
        // Three bytes back at most, whatever the bytes are.
        let back = (0..4).find(|back| !is_inside(bytes_max.saturating_sub(*back))).unwrap_or(0);
        let end = bytes_max.saturating_sub(back);
        let mut text = String::from_utf8_lossy(&bytes[..end]).into_owned();
        text.push('…');
        Self::Text(text.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl Record {
    /// A record of this moment.
    pub(super) fn new(
        level: LogLevel,
        event: &'static str,
        fields: Vec<(&'static str, Value)>,
    ) -> Self {
        Self { time: SystemTime::now(), level, event, fields }
    }

    /// The memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        let texts = self.fields.iter().map(|(_, value)| match value {
            Value::Text(text) => text.len(),
            Value::Word(_) | Value::Number(_) => 0,
        });
        let fields = self.fields.capacity() * size_of::<(&str, Value)>();
        size_of::<Self>() + fields + texts.sum::<usize>()
    }
}
