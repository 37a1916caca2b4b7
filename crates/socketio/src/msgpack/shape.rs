//! What must be known of a JSON text before its msgpack can be written in one go.
//!
//! Msgpack puts the length of a container before its elements, and JavaScript may order the
//! members of an object otherwise than the text. Both are found here in one pass from the front,
//! so that writing is linear too, however deep the text nests. Owns the order of members as
//! `JSON.parse` has it, and which objects are placeholders; writes nothing.

use std::borrow::Cow;
use std::ops::Range;

use crate::json::{self, skip_space, skip_string, skip_value};

/// The containers of a text, in the order of their opening brackets.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) containers: Vec<Container>,
    pub(super) irregular: Vec<Irregular>,
    /// The members of all irregular objects, in the order of JavaScript.
    pub(super) members: Vec<Member>,
}

/// How a container is to be written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Container {
    /// As it stands; the number of its elements or members.
    Regular(u32),
    /// An object at this place of [`Shape::irregular`].
    Irregular(u32),
}

/// An object that is not written as it stands.
#[derive(Debug, Clone)]
pub(super) struct Irregular {
    /// Where the text goes on behind it.
    pub(super) end: u32,
    /// The first container that opens behind it.
    pub(super) next_container: u32,
    pub(super) instead: Instead,
}

/// What is written instead of an irregular object as it stands.
#[derive(Debug, Clone)]
pub(super) enum Instead {
    /// These of [`Shape::members`].
    Members(Range<u32>),
    /// The attachment with this index.
    Attachment(u32),
}

/// A member of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    /// Where its key begins, the quote included.
    pub(super) key: u32,
    /// The first container that opens in its value or behind it.
    pub(super) container: u32,
}

/// A container whose end was not seen yet.
struct Open {
    container: u32,
    /// Where its keys begin among those of all open objects; `None` for an array.
    keys: Option<u32>,
}

/// Finds the shape of a checked text below 4 GiB. `attachments` is how many its placeholders may
/// refer to; with 0 there are no placeholders.
///
/// An open container costs 12 bytes, every container 8, and every key of an open object 8.
pub(super) fn shape(text: &str, attachments: usize) -> Shape {
    let bytes = text.as_bytes();
    let mut shape = Shape::default();
    let mut open: Vec<Open> = Vec::new();
    let mut keys: Vec<Member> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'}' | b']' => {
                at += 1;
                let Some(Open { container, keys: Some(begin) }) = open.pop() else { continue };
                let of_object = &keys[begin as usize..];
                if let Some(instead) = shape.irregularity(text, of_object, attachments) {
                    shape.note_irregular(container, at, instead);
                } else {
                    shape.containers[container as usize] =
                        Container::Regular(narrow(of_object.len()));
                }
                keys.truncate(begin as usize);
                continue;
            }
            b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            _ => {}
        }
        let container = narrow(shape.containers.len());
        match open.last() {
            Some(Open { keys: Some(_), .. }) if is_key(bytes, at) => {
                keys.push(Member { key: narrow(at), container });
                at = skip_string(bytes, at).unwrap_or(bytes.len());
                continue;
            }
            Some(Open { keys: None, container }) => {
                if let Some(Container::Regular(count)) =
                    shape.containers.get_mut(*container as usize)
                {
                    *count += 1;
                }
            }
            _ => {}
        }
        if matches!(byte, b'{' | b'[') {
            let keys = (byte == b'{').then_some(narrow(keys.len()));
            open.push(Open { container, keys });
            shape.containers.push(Container::Regular(0));
            at += 1;
        } else {
            // Never empty-handed, also in a text that was never checked.
            at = skip_value(bytes, at).unwrap_or(at + 1);
        }
    }
    shape
}

/// Whether the string at `at` is followed by a colon.
fn is_key(bytes: &[u8], at: usize) -> bool {
    bytes.get(at) == Some(&b'"')
        && skip_string(bytes, at)
            .is_some_and(|end| bytes.get(skip_space(bytes, end)) == Some(&b':'))
}

/// The text is below 4 GiB, and nothing that is counted here outnumbers its bytes.
fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

impl Shape {
    fn note_irregular(&mut self, container: u32, end: usize, instead: Instead) {
        self.containers[container as usize] = Container::Irregular(narrow(self.irregular.len()));
        self.irregular.push(Irregular {
            end: narrow(end),
            next_container: narrow(self.containers.len()),
            instead,
        });
    }

    /// What is to be written instead of an object with these keys, if anything.
    fn irregularity(&mut self, text: &str, keys: &[Member], attachments: usize) -> Option<Instead> {
        if let Some(index) = placeholder_index(text, keys, attachments) {
            return Some(Instead::Attachment(index));
        }
        if are_plainly_regular(text, keys) {
            return None;
        }
        let members = in_javascript_order(text, keys);
        let positions = members.iter().map(|member| member.key);
        if positions.eq(keys.iter().map(|member| member.key)) {
            return None;
        }
        let begin = narrow(self.members.len());
        self.members.extend(members);
        Some(Instead::Members(begin..narrow(self.members.len())))
    }
}

/// The index of the attachment that an object stands for.
fn placeholder_index(text: &str, keys: &[Member], attachments: usize) -> Option<u32> {
    if attachments == 0 {
        return None;
    }
    let last = |name| keys.iter().rev().find(|member| json::string_is(key(text, **member), name));
    let says_so = text[value_begin(text, *last("_placeholder")?)..].starts_with("true");
    let from_num = &text[value_begin(text, *last("num")?)..];
    let end = skip_value(from_num.as_bytes(), 0).unwrap_or(0);
    let index = json::number(&from_num[..end]);
    // The decoder has refused other indices; here they would leave an object as it is.
    let is_index = index >= 0.0 && index < attachments as f64 && index.fract() == 0.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "integral, and below a number of attachments"
    )]
    (says_so && is_index).then_some(index as u32)
}

/// Whether a quick look already shows that the text's order is that of JavaScript. Objects of a
/// few ordinary names, which are nearly all, need no sorting.
fn are_plainly_regular(text: &str, keys: &[Member]) -> bool {
    const FEW: usize = 8;
    keys.len() <= 1
        || keys.len() <= FEW
            && keys.iter().enumerate().all(|(place, member)| {
                let name = key(text, *member);
                !matches!(name.as_bytes().get(1), Some(b'0'..=b'9'))
                    && !name.contains('\\')
                    && keys[..place].iter().all(|other| key(text, *other) != name)
            })
}

/// The members that `JSON.parse` keeps, in the order of `Object.keys`: array indices ascending,
/// the others as they first appear; of duplicates the last one, at the place of the first.
fn in_javascript_order(text: &str, keys: &[Member]) -> Vec<Member> {
    let mut sorted: Vec<(Cow<'_, [u8]>, Member)> =
        keys.iter().map(|member| (json::unescape(key(text, *member)), *member)).collect();
    // Stable, so that duplicates stay in the order of the text.
    sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut kept: Vec<(u64, Member)> = sorted
        .chunk_by(|(one, _), (other, _)| one == other)
        .filter_map(|same| Some((same.first()?, same.last()?)))
        .map(|((name, first), (_, last))| {
            let place = match array_index(name) {
                Some(index) => u64::from(index),
                // Behind every index.
                None => 1 << 32 | u64::from(first.key),
            };
            (place, *last)
        })
        .collect();
    kept.sort_unstable_by_key(|(place, _)| *place);
    kept.into_iter().map(|(_, member)| member).collect()
}

/// The value of a key that JavaScript takes for an array index: `0` to `4294967294`, spelt in the
/// one canonical way (ECMA-262 §6.1.7).
fn array_index(name: &[u8]) -> Option<u32> {
    let is_canonical = match name {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.len() < 10 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let index: u32 = is_canonical.then(|| std::str::from_utf8(name).ok())??.parse().ok()?;
    (index != u32::MAX).then_some(index)
}

/// The key of a member, with its quotes.
pub(super) fn key(text: &str, member: Member) -> &str {
    let begin = member.key as usize;
    let end = skip_string(text.as_bytes(), begin).unwrap_or(text.len());
    text.get(begin..end).unwrap_or_default()
}

/// Where the value of a member begins.
pub(super) fn value_begin(text: &str, member: Member) -> usize {
    let bytes = text.as_bytes();
    let end = skip_string(bytes, member.key as usize).unwrap_or(bytes.len());
    let colon = skip_space(bytes, end);
    skip_space(bytes, colon.saturating_add(1)).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn array_indices_are_canonical_and_below_the_largest_integer_of_32_bits() {
        for (name, expected) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("10", Some(10)),
            ("4294967294", Some(4_294_967_294)),
            ("4294967295", None),
            ("99999999999", None),
            ("01", None),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            ("1e3", None),
            ("", None),
            ("a", None),
        ] {
            assert_eq!(array_index(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn what_is_kept_of_a_text_is_small() {
        assert_eq!(size_of::<Open>(), 12);
        assert_eq!(size_of::<Container>(), 8);
        assert_eq!(size_of::<Member>(), 8);
    }
}
