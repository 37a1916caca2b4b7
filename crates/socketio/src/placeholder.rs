//! Placeholders: the objects that stand for attachments in the text of a binary packet.
//!
//! Owns the rule what a placeholder is and which index it may have. Only the text of binary
//! packets is scanned: elsewhere an object that looks like a placeholder is plain data.

use crate::json::{self, skip_space, skip_string, skip_value};

/// What the scan remembers of one open container, in one byte per level that has arrived.
#[derive(Clone, Copy, Default)]
struct Level {
    /// The last `_placeholder` member so far is `true`.
    is_placeholder: bool,
    /// The last `num` member so far is the index of an attachment.
    has_index: bool,
}

/// Whether every placeholder in `checked` refers to one of `attachments` binaries.
///
/// A placeholder is an object whose `_placeholder` is `true`; of duplicate members the last
/// counts, and escaped keys count as what they mean, as `JSON.parse` has it. Missing, repeated
/// and reordered indices are legal. An index that refers to nothing would be a type confusion in
/// every receiver.
pub fn are_valid(checked: &str, attachments: usize) -> bool {
    let bytes = checked.as_bytes();
    let mut levels: Vec<Level> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => levels.push(Level::default()),
            b'}' | b']' => {
                let level = levels.pop().unwrap_or_default();
                if level.is_placeholder && !level.has_index {
                    return false;
                }
            }
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
                if let Some(level) = levels.last_mut() {
                    note_member(level, &checked[at..end], &checked[value..], attachments);
                }
                at = value;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    true
}

/// `from_value` begins with the member's value and runs to the end of the packet.
fn note_member(level: &mut Level, key: &str, from_value: &str, attachments: usize) {
    if json::string_is(key, "_placeholder") {
        level.is_placeholder = from_value.starts_with("true");
    } else if json::string_is(key, "num") {
        level.has_index = is_index(from_value, attachments);
    }
}

fn is_index(from_value: &str, attachments: usize) -> bool {
    if json::kind(from_value) != json::Kind::Number {
        return false;
    }
    let end = skip_value(from_value.as_bytes(), 0).unwrap_or(0);
    let index = json::number(&from_value[..end]);
    // Attachments are few: the count is exact as a double.
    index >= 0.0 && index.fract() == 0.0 && index < attachments as f64
}
