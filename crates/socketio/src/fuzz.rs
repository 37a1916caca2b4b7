//! Bodies of fuzz targets: each takes any bytes and panics when an invariant does not hold.
//!
//! A fuzzer calls them directly; the crate's tests run them over a bounded number of inputs.

use bytes::Bytes;

use crate::decoder::{Decoder, DecoderLimits, Role};
use crate::json::{self, Kind};
use crate::msgpack::{self, Library, Reader, TooLarge};
use crate::packet::{self, Args, Attachments, Body, Packet};
use crate::placeholder;

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

/// Nesting that the msgpack targets allow.
const DEPTH_MAX: u32 = 64;

/// What the msgpack targets may write: far more than their inputs can need.
const MSGPACK_BYTES_MAX: usize = 1 << 16;

/// The msgpack decoder: what comes out of any bytes is text that passes the check, of bounded
/// size, and the packet is the same after being written and decoded again.
///
/// `data` is a byte for the role, then one message.
pub fn msgpack_decoder(data: &[u8]) {
    let Some((role, data)) = data.split_first() else { return };
    let role = if role & 1 == 0 { Role::Server } else { Role::Client };
    let data = &data[..data.len().min(JSON_BYTES_MAX)];
    let limits = DecoderLimits::default();
    let Ok(message) = msgpack::decode(data, role, limits, DEPTH_MAX) else { return };
    check_msgpack_packet(&message.packet(), data.len());
    let Some(written) = encode_msgpack(&message.packet()) else { return };
    // Duplicate members are gone now, and with them their attachments; an extension is an array.
    let again = msgpack::decode(&written, role, limits, DEPTH_MAX + 1).expect("what is written");
    check_msgpack_packet(&again.packet(), written.len());
    assert_eq!(again.packet().namespace, message.packet().namespace);
    assert_eq!(encode_msgpack(&again.packet()), Some(written));
}

fn check_msgpack_packet(packet: &Packet<'_>, received_bytes: usize) {
    let check_payload = |payload: &str, attachments: usize| {
        assert!(payload.len() <= 7 * received_bytes + 40 * attachments);
        json::check(payload).expect("what is written is JSON")
    };
    let check_args = |args: &Args<'_>| {
        let Attachments::List(list) = args.attachments() else { panic!("nothing is too large") };
        let checked = check_payload(args.raw(), list.len());
        assert_eq!((checked.kind, checked.depth), (Kind::Array, args.depth()));
        assert!(args.depth() <= DEPTH_MAX + 2);
        assert!(list.is_empty() || placeholder::are_valid(args.raw(), list.len()));
    };
    match &packet.body {
        Body::Connect { auth: Some(payload) } | Body::ConnectError { payload } => {
            check_payload(payload, 0);
        }
        Body::Connect { auth: None } | Body::Disconnect => {}
        Body::Event { id, args } => {
            assert!(id.is_none_or(|id| id <= crate::decoder::ACK_ID_MAX));
            args.event_name();
            check_args(args);
        }
        Body::Ack { args, .. } => check_args(args),
    }
}

fn encode_msgpack(packet: &Packet<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (namespace, bytes_max) = (packet.namespace, MSGPACK_BYTES_MAX);
    let list = |args: &Args<'_>| match args.attachments() {
        Attachments::List(list) => list.to_vec(),
        Attachments::TooLarge { .. } => Vec::new(),
    };
    match &packet.body {
        Body::Connect { auth } => msgpack::write_connect(&mut out, namespace, *auth, bytes_max),
        Body::Disconnect => {
            msgpack::write_disconnect(&mut out, namespace);
            Ok(())
        }
        // Only objects with a message are ever written.
        Body::ConnectError { .. } => return None,
        Body::Event { id, args } => {
            msgpack::write_event(&mut out, namespace, *id, args.raw(), &list(args), bytes_max)
        }
        Body::Ack { id, args } => {
            msgpack::write_ack(&mut out, namespace, *id, args.raw(), &list(args), bytes_max)
        }
    }
    .expect("a short packet");
    Some(out)
}

/// Msgpack from any text: writing ends whatever the text is, and what is written of JSON is
/// msgpack of bounded size that keeps its value.
pub fn msgpack_encoder(data: &[u8]) {
    let text = String::from_utf8_lossy(&data[..data.len().min(JSON_BYTES_MAX)]);
    for library in [Library::Notepack, Library::Msgpackr] {
        check_msgpack_of(&text, library);
    }
}

fn check_msgpack_of(text: &str, library: Library) {
    let attachments = [Bytes::from_static(b"one"), Bytes::new()];
    let mut out = vec![7];
    let written = msgpack::write_value(&mut out, text, &attachments, library, MSGPACK_BYTES_MAX);
    assert!(out.len() <= 1 + MSGPACK_BYTES_MAX && out[0] == 7);
    assert!(written != Err(TooLarge) || out.len() == 1);
    let Ok(checked) = json::check(text) else { return };
    assert_eq!(written, Ok(()));
    let mut first = Vec::new();
    let bytes_max = text.len() * 9 / 4 + 8;
    msgpack::write_value(&mut first, text, &[], library, bytes_max).expect("a short value");
    // A member `__proto__`, infinity and lone surrogates do not come back; what does, stays.
    let second = rewrite(&first, checked.depth, library);
    assert_eq!(rewrite(&second, checked.depth, library), second);
}

/// Reads a value and writes it again.
fn rewrite(msgpack: &[u8], depth_max: u32, library: Library) -> Vec<u8> {
    let mut reader = Reader::new(msgpack, library);
    let value = msgpack::read_value(&mut reader, 0, depth_max).expect("what is written");
    reader.finish().expect("nothing is behind it");
    assert_eq!(json::check(&value.json).map(|checked| checked.depth), Ok(value.depth));
    let mut out = Vec::new();
    msgpack::write_value(&mut out, &value.json, &[], library, MSGPACK_BYTES_MAX)
        .expect("a short value");
    out
}
