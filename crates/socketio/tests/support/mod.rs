//! What the tests that read golden files have in common: opening them, and comparing values.

use std::collections::BTreeMap;

use bytes::Bytes;
use relay_socketio::json::{self, Kind};
use serde_json::Value;

/// The cases of a golden file.
pub(crate) fn lines(file: &str) -> Vec<Value> {
    let cases: Vec<Value> =
        file.lines().map(|line| serde_json::from_str(line).expect("golden line")).collect();
    assert!(cases.len() > 100);
    cases
}

/// A string of a case.
pub(crate) fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{key} in {case}"))
}

/// The bytes that hexadecimal digits spell.
pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Whether `ours` means what the stock library read from the same text and wrote as `theirs`.
pub(crate) fn same_value(ours: &str, theirs: &str, attachments: &[Bytes]) -> bool {
    let mut pairs = vec![(ours, theirs)];
    while let Some((ours, theirs)) = pairs.pop() {
        let same = match (json::kind(ours), json::kind(theirs)) {
            // `JSON.stringify` has no infinity.
            (Kind::Number, Kind::Null) => json::number(ours).is_infinite(),
            (Kind::Number, Kind::Number) => json::number(ours) == json::number(theirs),
            (Kind::String, Kind::String) => json::unescape(ours) == json::unescape(theirs),
            (Kind::Array, Kind::Array) => {
                pairs.extend(json::elements(ours).zip(json::elements(theirs)));
                json::elements(ours).count() == json::elements(theirs).count()
            }
            (Kind::Object, Kind::Object) => match member(theirs, "$hex") {
                Some(hex) => is_attachment(ours, hex, attachments),
                None => {
                    let (ours, theirs) = (last_members(ours), last_members(theirs));
                    pairs.extend(ours.values().copied().zip(theirs.values().copied()));
                    ours.keys().eq(theirs.keys())
                }
            },
            _ => ours == theirs,
        };
        if !same {
            return false;
        }
    }
    true
}

fn is_attachment(placeholder: &str, hex: &str, attachments: &[Bytes]) -> bool {
    let index = member(placeholder, "num").map(json::number);
    let expected = unhex(hex.trim_matches('"'));
    attachments.iter().enumerate().any(|(at, data)| index == Some(at as f64) && *data == expected)
}

fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    json::members(object).filter(|(key, _)| json::string_is(key, name)).last().map(|(_, v)| v)
}

fn last_members(object: &str) -> BTreeMap<Vec<u8>, &str> {
    json::members(object).map(|(key, value)| (json::unescape(key).into_owned(), value)).collect()
}
