//! Bodies of fuzz targets: each takes any bytes and panics when an invariant does not hold.
//!
//! A fuzzer calls them directly; the crate's tests run them over a bounded number of inputs.

use bytes::Bytes;

use crate::decoder::{Decoder, DecoderLimits, Role};
use crate::json::{self, Kind};
use crate::packet::{self, Attachments, Body, Packet};

/// Inputs beyond this are cut: re-checking every nested value is quadratic in the depth.
const JSON_BYTES_MAX: usize = 4096;

/// JSON: whatever passes the check comes apart into parts that pass it too, and strings survive
/// being read and written.
pub fn json(data: &[u8]) {
    let text = String::from_utf8_lossy(&data[..data.len().min(JSON_BYTES_MAX)]);
    walk_unchecked(&text);
    let Ok(checked) = json::check(&text) else { return };
    let mut values = vec![(json::trim(&text), checked.depth)];
    while let Some((raw, depth_max)) = values.pop() {
        let checked = json::check(raw).expect("a part of a checked value passes the check");
        assert_eq!(checked.kind, json::kind(raw));
        assert!(checked.depth <= depth_max);
        assert_eq!(raw, json::trim(raw));
        match checked.kind {
            Kind::Array => {
                let parts = json::elements(raw);
                values.extend(parts.map(|element| (element, checked.depth - 1)));
            }
            Kind::Object => {
                for (key, value) in json::members(raw) {
                    values.extend([(key, 0), (value, checked.depth - 1)]);
                }
            }
            Kind::String => string_survives(raw),
            Kind::Number => assert!(!json::number(raw).is_nan()),
            Kind::Null | Kind::Bool => {}
        }
    }
}

/// Text that was never checked must not make a reader panic or go on for ever.
fn walk_unchecked(text: &str) {
    assert!(json::elements(text).count() <= text.len());
    assert!(json::members(text).count() <= text.len());
    json::unescape(text);
    json::number(text);
    json::string_is(text, "name");
    let mut out = Vec::new();
    json::write_string(&mut out, text);
    string_survives(std::str::from_utf8(&out).expect("what is written is UTF-8"));
}

fn string_survives(raw: &str) {
    let contents = json::unescape(raw);
    let mut written = Vec::new();
    json::write_string_wtf8(&mut written, &contents);
    let written = String::from_utf8(written).expect("what is written is UTF-8");
    assert_eq!(json::check(&written).map(|checked| checked.kind), Ok(Kind::String));
    assert_eq!(json::unescape(&written), contents);
    if let Ok(contents) = std::str::from_utf8(&contents) {
        assert!(json::string_is(raw, contents));
    }
}

/// The decoder as a state machine: any sequence of messages keeps its memory within bounds, and
/// a packet that it accepts is the same after being written and decoded again.
///
/// `data` is a byte for the role, then messages: a byte whose lowest bit says binary and whose
/// others are ignored, a byte of length, the contents.
pub fn decoder(data: &[u8]) {
    let limits = DecoderLimits { attachments_max: 10, message_bytes_max: 64 };
    let Some((role, mut rest)) = data.split_first() else { return };
    let role = if role & 1 == 0 { Role::Server } else { Role::Client };
    let mut decoder = Decoder::new(role, limits);
    let mut last_text_bytes = 0;
    while let [tag, length, tail @ ..] = rest {
        let (contents, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        let awaited = decoder.awaits_attachments();
        let text = String::from_utf8_lossy(contents);
        let decoded = if tag & 1 == 1 {
            decoder.binary(contents)
        } else {
            last_text_bytes = text.len();
            decoder.text(&text)
        };
        match decoded {
            Ok(Some(packet)) => survives_encoding(&packet, role),
            Ok(None) => assert!(decoder.awaits_attachments()),
            Err(_) => assert_eq!(decoder.pending_bytes(), 0),
        }
        assert!(!(awaited && tag & 1 == 0 && decoder.awaits_attachments()));
        let bookkeeping = 256 + 16 * 64;
        let bound = last_text_bytes + limits.message_bytes_max + bookkeeping;
        assert!(decoder.pending_bytes() <= bound);
    }
    decoder.clear();
    assert_eq!(decoder.pending_bytes(), 0);
}

fn survives_encoding(packet: &Packet<'_>, role: Role) {
    let Some((text, attachments)) = encode(packet) else { return };
    let mut decoder = Decoder::new(role, DecoderLimits::default());
    let text = String::from_utf8(text).expect("what is written is UTF-8");
    if attachments.is_empty() {
        assert_eq!(decoder.text(&text), Ok(Some(packet.clone())));
        return;
    }
    assert_eq!(decoder.text(&text), Ok(None));
    let (last, others) = attachments.split_last().expect("there are some");
    for attachment in others {
        assert_eq!(decoder.binary(attachment), Ok(None));
    }
    assert_eq!(decoder.binary(last), Ok(Some(packet.clone())));
}

/// The text and the attachments of a packet, unless its attachments are gone.
fn encode<'a>(packet: &Packet<'a>) -> Option<(Vec<u8>, &'a [Bytes])> {
    let mut text = Vec::new();
    let (args, attachments) = match &packet.body {
        Body::Connect { auth } => {
            packet::write_connect(&mut text, packet.namespace, *auth);
            return Some((text, &[]));
        }
        Body::Disconnect => {
            packet::write_disconnect(&mut text, packet.namespace);
            return Some((text, &[]));
        }
        // Only objects with a message are ever written.
        Body::ConnectError { .. } => return None,
        Body::Event { id, args } => {
            let Attachments::List(list) = args.attachments() else { return None };
            packet::write_event_header(&mut text, packet.namespace, *id, list.len());
            (args, list)
        }
        Body::Ack { id, args } => {
            let Attachments::List(list) = args.attachments() else { return None };
            packet::write_ack_header(&mut text, packet.namespace, *id, list.len());
            (args, list)
        }
    };
    text.extend_from_slice(args.raw().as_bytes());
    Some((text, attachments))
}
