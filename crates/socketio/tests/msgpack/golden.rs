//! Compares the msgpack parser with what the stock one made of the same inputs.
//!
//! `golden/msgpack.mjs` wrote the files. Where this crate differs on purpose, the files keep what
//! the stock parser did, and the tests name the reason.

use std::collections::BTreeMap;

use crate::support::{lines, same_value, text, unhex};
use bytes::Bytes;
use relay_socketio::json;
use relay_socketio::msgpack::{
    self, Library, Reader, decode, read_value, write_ack, write_connect, write_connect_error,
    write_disconnect, write_event, write_value,
};
use relay_socketio::{Args, Attachments, Body, DecodeError, DecoderLimits, Packet, Role};
use serde_json::Value;

const BYTES_MAX: usize = 4_000_000;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text of a case; large ones are not in the file.
fn value_text(case: &Value) -> String {
    let Some(count) = case["count"].as_u64() else { return text(case, "text").to_owned() };
    let parts = 0..count;
    match text(case, "make") {
        "list" => format!("[{}]", parts.map(|i| i.to_string()).collect::<Vec<_>>().join(",")),
        "object" => {
            let members = parts.map(|i| format!("\"k{}\":{i}", count - i));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        "string" => format!("\"{}\"", parts.map(|_| 'x').collect::<String>()),
        other => panic!("{other}"),
    }
}

fn is_as_recorded(bytes: &[u8], case: &Value) -> bool {
    if let Some(expected) = case["hex"].as_str() {
        return hex(bytes) == expected;
    }
    let sum =
        bytes.iter().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
    case["length"].as_u64() == Some(bytes.len() as u64)
        && text(case, "begin") == hex(&bytes[..40])
        && case["sum"].as_u64() == Some(sum.into())
}

/// Why our bytes for a value are not those of notepack; `None` would be a defect.
fn accepted_difference_of_value(json: &str) -> Option<&'static str> {
    if json.contains("\\ud800") || json.contains("\\udfff") || json.contains("\\udc00") {
        return Some("notepack writes a wrong character for a lone surrogate in a short string");
    }
    let is_large = json::kind(json) == json::Kind::Number && {
        let number = json::number(json);
        number.is_finite() && number.abs() >= 9_007_199_254_740_992.0
    };
    is_large.then_some("integral doubles from 2^53 on are floats, as notepack's integers overflow")
}

#[test]
fn values_are_written_as_by_notepack() {
    let mut differences = BTreeMap::new();
    for case in lines(include_str!("../golden/msgpack_values.jsonl")) {
        let json = value_text(&case);
        json::check(&json).expect("JSON");
        let mut out = Vec::new();
        write_value(&mut out, &json, &[], Library::Notepack, BYTES_MAX).expect("small enough");
        if !is_as_recorded(&out, &case) {
            let reason = accepted_difference_of_value(&json);
            let reason = reason.unwrap_or_else(|| panic!("{} for {case}", hex(&out)));
            *differences.entry(reason).or_insert(0) += 1;
        }
        // Whatever the bytes are, they must read back as a value.
        let mut reader = Reader::new(&out, Library::Notepack);
        let value = read_value(&mut reader, 0, 1_000).expect("msgpack");
        reader.finish().expect("nothing behind it");
        let is_lossy = ["\\ud", "__proto__", "e400"].iter().any(|part| json.contains(part));
        assert!(is_lossy || same_value(&value.json, json::trim(&json), &[]), "{json}");
    }
    assert_eq!(differences.len(), 2, "{differences:?}");
}

#[test]
fn packets_are_written_as_by_the_stock_encoder() {
    for case in lines(include_str!("../golden/msgpack_encode.jsonl")) {
        let mut out = Vec::new();
        let nsp = text(&case, "nsp");
        let id = case["id"].as_u64();
        let payload = case["payload"].as_str();
        let attachments: Vec<Bytes> = case["attachments"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|hex| unhex(hex.as_str().expect("hexadecimal")).into())
            .collect();
        let written = match case["type"].as_u64() {
            Some(0) => write_connect(&mut out, nsp, payload, BYTES_MAX),
            Some(1) => {
                write_disconnect(&mut out, nsp);
                Ok(())
            }
            Some(2) => write_event(&mut out, nsp, id, payload.unwrap(), &attachments, BYTES_MAX),
            Some(3) => {
                write_ack(&mut out, nsp, id.unwrap(), payload.unwrap(), &attachments, BYTES_MAX)
            }
            Some(4) => {
                let data = case["data"].as_str();
                write_connect_error(&mut out, nsp, text(&case, "message"), data, BYTES_MAX)
            }
            other => panic!("type {other:?}"),
        };
        assert_eq!(written, Ok(()));
        assert_eq!(hex(&out), text(&case, "hex"), "{case}");
    }
}

/// Why we refuse what the stock parser accepts; `None` would be a defect.
fn accepted_refusal(error: &DecodeError) -> Option<&'static str> {
    match error {
        DecodeError::EventNameInvalid => Some("an event has a name"),
        DecodeError::EventNameReserved => Some("a reserved name would call the server's listeners"),
        DecodeError::AckIdMissing => Some("an ACK of nothing is ignored by the stock library"),
        DecodeError::AckIdTooLarge => Some("ids beyond 2^53 - 1 are rounded by JavaScript"),
        DecodeError::AckIdInvalid => Some("no stock client counts below zero"),
        DecodeError::TooManyAttachments => Some("receivers with the default parser would drop"),
        DecodeError::PlaceholderInvalid => Some("a literal placeholder beside attachments"),
        DecodeError::PayloadInvalid => Some("credentials have no attachments"),
        DecodeError::NotMsgpack(msgpack::MsgpackError {
            what: msgpack::MsgpackErrorKind::KeyInvalid,
            ..
        }) => Some("keys that are containers, binaries or dates"),
        _ => None,
    }
}

/// Why we read something else than the stock parser; `None` would be a defect.
fn accepted_difference(hex: &str) -> Option<&'static str> {
    if ["d6ff", "d7ff", "c70cff"].iter().any(|ext| hex.contains(ext)) {
        return Some("timestamps are dates, as in notepack 3");
    }
    // A member `__proto__` of the packet itself.
    if hex.contains("2fa95f5f70726f746f5f5f81a2696405") {
        return Some("a packet inherits no members");
    }
    // Key `a` with the value "a", then with undefined.
    hex.contains("82a16101a161d40000").then_some("undefined takes nothing back")
}

#[test]
fn packets_are_decoded_as_by_the_stock_decoder() {
    let mut differences = BTreeMap::new();
    for case in lines(include_str!("../golden/msgpack_decode.jsonl")) {
        let data = unhex(text(&case, "hex"));
        let theirs = Some(&case["packet"]).filter(|packet| !packet.is_null());
        let message = match decode(&data, Role::Client, DecoderLimits::default(), 1_000) {
            Ok(message) => message,
            Err(error) if theirs.is_some() => {
                let reason = accepted_refusal(&error);
                let reason = reason.unwrap_or_else(|| panic!("we refuse with {error}: {case}"));
                *differences.entry(reason).or_insert(0) += 1;
                continue;
            }
            Err(_) => continue,
        };
        let theirs = theirs.unwrap_or_else(|| panic!("we accept {case}"));
        if let Err(what) = compare(&message.packet(), theirs) {
            let reason = accepted_difference(text(&case, "hex"));
            let reason = reason.unwrap_or_else(|| panic!("{what}: {case}"));
            *differences.entry(reason).or_insert(0) += 1;
        }
    }
    // Each reason is needed; a difference that nothing shows any more should go.
    assert_eq!(differences.len(), 12, "{differences:?}");
}

fn compare(ours: &Packet<'_>, theirs: &Value) -> Result<(), String> {
    let list = |args: &Args<'_>| match args.attachments() {
        Attachments::List(list) => list.to_vec(),
        Attachments::TooLarge { bytes } => panic!("{bytes} bytes are too large"),
    };
    let (packet_type, id, payload, attachments) = match &ours.body {
        Body::Connect { auth } => (0, None, *auth, Vec::new()),
        Body::Disconnect => (1, None, None, Vec::new()),
        Body::Event { id, args } => (2, *id, Some(args.raw()), list(args)),
        Body::Ack { id, args } => (3, Some(*id), Some(args.raw()), list(args)),
        Body::ConnectError { payload } => (4, None, Some(*payload), Vec::new()),
    };
    let same = |what: &str, same: bool| same.then_some(()).ok_or_else(|| what.to_owned());
    // 2.0 is a type too.
    same("type", theirs["type"].as_f64() == Some(packet_type.into()))?;
    same("namespace", ours.namespace == text(theirs, "nsp"))?;
    // The stock decoder reads an id in any packet; only in these it means something.
    if matches!(packet_type, 2 | 3) {
        same("id", id.map(|id| id as f64) == theirs["id"].as_f64())?;
    }
    let data = theirs["data"].as_str();
    same("presence", payload.is_some() == data.is_some())?;
    if let (Some(payload), Some(data)) = (payload, data) {
        let checked = json::check(payload).map_err(|error| error.to_string())?;
        same("value", same_value(payload, data, &attachments))?;
        if let Body::Event { args, .. } | Body::Ack { args, .. } = &ours.body {
            same("depth", args.depth() == checked.depth)?;
        }
    }
    // Where the order of keys plays no part, the text is the very text.
    match theirs["text"].as_str() {
        Some(expected) if payload != Some(expected) => Err(format!("{payload:?}")),
        _ => Ok(()),
    }
}
