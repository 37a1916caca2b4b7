//! Placeholders: the objects that stand for attachments in the text of a binary packet.
//!
//! Owns the rule what a placeholder is and which index it may have. Only the text of binary
//! packets is scanned: elsewhere an object that looks like a placeholder is plain data.

use std::ops::Range;

use crate::json::{self, skip_space, skip_string, skip_value};

/// Whether every placeholder in `checked` refers to one of `attachments` binaries.
///
/// A placeholder is an object whose `_placeholder` is `true`; of duplicate members the last
/// counts, and escaped keys count as what they mean, as `JSON.parse` has it. Missing, repeated
/// and reordered indices are legal. An index that refers to nothing would be a type confusion in
/// every receiver.
pub fn are_valid(checked: &str, attachments: usize) -> bool {
    walk(checked, &mut Check { attachments, levels: Vec::new() })
}

/// A placeholder in a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Placeholder {
    /// Where it stands, with its brackets.
    pub(crate) at: Range<usize>,
    /// The attachment that it refers to.
    pub(crate) index: usize,
}

/// The placeholders of `checked` that refer to one of `attachments` binaries, in their order. What
/// is inside of one is part of it. An open container costs 32 bytes.
pub(crate) fn find(checked: &str, attachments: usize) -> Vec<Placeholder> {
    let mut search = Search { attachments, levels: Vec::new(), found: Vec::new() };
    walk(checked, &mut search);
    search.found
}

/// What is done on the way through a text.
trait Watch {
    /// A container begins at this place.
    fn open(&mut self, at: usize);
    /// The innermost container has this member; `from_value` begins with its value and runs to the
    /// end of the text.
    fn member(&mut self, key: &str, from_value: &str);
    /// The innermost container ends before this place. False: enough was seen.
    fn close(&mut self, end: usize) -> bool;
}

/// Walks through a text. False if it is broken, or enough was seen.
fn walk(checked: &str, watch: &mut impl Watch) -> bool {
    let bytes = checked.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => watch.open(at),
            b'}' | b']' if !watch.close(at + 1) => return false,
            b'"' => {
                let Some(end) = skip_string(bytes, at) else { return false };
                let colon = skip_space(bytes, end);
                if bytes.get(colon) != Some(&b':') {
                    at = end;
                    continue;
                }
                // Only a key is followed by a colon. Its value is looked at here and then
                // scanned like any other.
                let value = skip_space(bytes, colon + 1);
                watch.member(&checked[at..end], &checked[value..]);
                at = value;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    true
}

/// What the check remembers of one open container, in one byte per level that has arrived.
#[derive(Clone, Copy, Default)]
struct Level {
    /// The last `_placeholder` member so far is `true`.
    is_placeholder: bool,
    /// The last `num` member so far is the index of an attachment.
    has_index: bool,
}

struct Check {
    attachments: usize,
    levels: Vec<Level>,
}

impl Watch for Check {
    fn open(&mut self, _: usize) {
        self.levels.push(Level::default());
    }

    fn member(&mut self, key: &str, from_value: &str) {
        let Some(level) = self.levels.last_mut() else { return };
        if json::string_is(key, "_placeholder") {
            level.is_placeholder = from_value.starts_with("true");
        } else if json::string_is(key, "num") {
            level.has_index = index(from_value, self.attachments).is_some();
        }
    }

    fn close(&mut self, _: usize) -> bool {
        let level = self.levels.pop().unwrap_or_default();
        !level.is_placeholder || level.has_index
    }
}

/// What the search remembers of one open container.
#[derive(Clone, Copy)]
struct Begun {
    at: usize,
    is_placeholder: bool,
    index: Option<usize>,
}

struct Search {
    attachments: usize,
    levels: Vec<Begun>,
    found: Vec<Placeholder>,
}

impl Watch for Search {
    fn open(&mut self, at: usize) {
        self.levels.push(Begun { at, is_placeholder: false, index: None });
    }

    fn member(&mut self, key: &str, from_value: &str) {
        let Some(level) = self.levels.last_mut() else { return };
        if json::string_is(key, "_placeholder") {
            level.is_placeholder = from_value.starts_with("true");
        } else if json::string_is(key, "num") {
            level.index = index(from_value, self.attachments);
        }
    }

    fn close(&mut self, end: usize) -> bool {
        if let Some(Begun { at, is_placeholder: true, index: Some(index) }) = self.levels.pop() {
            let within = self.found.iter().rev().take_while(|it| it.at.start > at).count();
            self.found.truncate(self.found.len() - within);
            self.found.push(Placeholder { at: at..end, index });
        }
        true
    }
}

/// The index that a member `num` says, if there is such an attachment.
fn index(from_value: &str, attachments: usize) -> Option<usize> {
    if json::kind(from_value) != json::Kind::Number {
        return None;
    }
    let end = skip_value(from_value.as_bytes(), 0).unwrap_or(0);
    let index = json::number(&from_value[..end]);
    // Attachments are few: the count is exact as a double.
    let is_index = index >= 0.0 && index.fract() == 0.0 && index < attachments as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "integral, and between 0 and a count in memory"
    )]
    is_index.then_some(index as usize)
}
