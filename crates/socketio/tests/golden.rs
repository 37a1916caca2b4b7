//! Compares this crate with what the stock parser and `JSON.parse` made of the same inputs.
//!
//! `golden/generate.mjs` wrote the files. Where this crate is stricter on purpose, the files keep
//! the stock verdict and [`accepted_difference`] names the reason.

mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use relay_socketio::json::{self, Kind};
use relay_socketio::packet::{
    write_ack_header, write_connect, write_connect_error, write_disconnect, write_event_header,
};
use relay_socketio::{
    Args, Attachments, Body, DecodeError, Decoder, DecoderLimits, Packet, PacketType, Role,
};
use serde_json::Value;
use support::{lines, same_value, text, unhex};

#[test]
fn json_is_accepted_and_read_as_by_json_parse() {
    for case in lines(include_str!("golden/json.jsonl")) {
        let text = text(&case, "text");
        let checked = json::check(text);
        assert_eq!(checked.is_ok(), !case["canonical"].is_null(), "{text:?}: {checked:?}");
        if let Some(canonical) = case["canonical"].as_str() {
            assert!(same_value(json::trim(text), canonical, &[]), "{text:?} is not {canonical:?}");
        }
    }
}

#[test]
fn strings_are_written_as_by_json_stringify() {
    for case in lines(include_str!("golden/json.jsonl")) {
        let Some(canonical) = case["canonical"].as_str() else { continue };
        if json::kind(canonical) == Kind::String {
            let mut written = Vec::new();
            json::write_string_wtf8(&mut written, &json::unescape(text(&case, "text").trim()));
            assert_eq!(String::from_utf8(written).unwrap(), canonical);
        }
    }
}

#[test]
fn packets_are_written_as_by_the_stock_encoder() {
    for case in lines(include_str!("golden/encode.jsonl")) {
        let mut out = Vec::new();
        let nsp = text(&case, "nsp");
        let id = case["id"].as_u64();
        let payload = case["payload"].as_str();
        let attachments = case["attachments"].as_array().expect("a list").len();
        match case["type"].as_u64() {
            Some(0) => write_connect(&mut out, nsp, payload),
            Some(1) => write_disconnect(&mut out, nsp),
            Some(2) => write_event_header(&mut out, nsp, id, attachments),
            Some(3) => write_ack_header(&mut out, nsp, id.expect("an id"), attachments),
            Some(4) => {
                write_connect_error(&mut out, nsp, text(&case, "message"), case["data"].as_str());
            }
            other => panic!("type {other:?}"),
        }
        if matches!(case["type"].as_u64(), Some(2 | 3)) {
            out.extend_from_slice(payload.expect("a payload").as_bytes());
        }
        assert_eq!(String::from_utf8(out).unwrap(), text(&case, "text"));
    }
}

#[test]
fn what_the_stock_encoder_writes_is_decoded() {
    for case in lines(include_str!("golden/encode.jsonl")) {
        let mut decoder = Decoder::new(Role::Client, DecoderLimits::default());
        let text = text(&case, "text");
        let attachments: Vec<Bytes> = case["attachments"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|hex| unhex(hex.as_str().unwrap()).into())
            .collect();
        let mut decoded = decoder.text(text).expect("accepted").map(|packet| seen(&packet));
        for data in &attachments {
            assert_eq!(decoded, None);
            decoded = decoder.binary(data).expect("accepted").map(|packet| seen(&packet));
        }
        let expected = Seen {
            packet_type: case["type"].as_u64().unwrap(),
            namespace: case["nsp"].as_str().unwrap().to_owned(),
            id: case["id"].as_u64(),
            payload: case["payload"].as_str().map(str::to_owned),
            attachments,
        };
        assert_eq!(decoded, Some(expected), "{text}");
    }
}

/// A decoded packet in the shape of the golden files.
#[derive(Debug, PartialEq)]
struct Seen {
    packet_type: u64,
    namespace: String,
    id: Option<u64>,
    payload: Option<String>,
    attachments: Vec<Bytes>,
}

fn seen(packet: &Packet<'_>) -> Seen {
    let list = |args: &Args<'_>| match args.attachments() {
        Attachments::List(list) => list.to_vec(),
        Attachments::TooLarge { bytes } => panic!("{bytes} bytes are too large"),
    };
    let (packet_type, id, payload, attachments) = match &packet.body {
        Body::Connect { auth } => (PacketType::Connect, None, *auth, Vec::new()),
        Body::Disconnect => (PacketType::Disconnect, None, None, Vec::new()),
        Body::Event { id, args } => (PacketType::Event, *id, Some(args.raw()), list(args)),
        Body::Ack { id, args } => (PacketType::Ack, Some(*id), Some(args.raw()), list(args)),
        Body::ConnectError { payload } => {
            (PacketType::ConnectError, None, Some(*payload), Vec::new())
        }
    };
    Seen {
        packet_type: packet_type as u64,
        namespace: packet.namespace.to_owned(),
        id,
        payload: payload.map(str::to_owned),
        attachments,
    }
}

/// Why we refuse what the stock decoder accepts; `None` would be a defect.
fn accepted_difference(error: &DecodeError) -> Option<&'static str> {
    match error {
        DecodeError::Empty => Some("the stock decoder takes an empty message for a CONNECT"),
        DecodeError::PayloadMissing => Some("the specification demands a payload"),
        DecodeError::AckIdMissing => Some("an ACK of nothing is ignored by the stock library"),
        DecodeError::AckIdTooLarge => Some("ids beyond 2^53 - 1 are rounded by JavaScript"),
        DecodeError::AttachmentCountInvalid => Some("counts are ASCII digits, not `Number(x)`"),
        DecodeError::PayloadInvalid => Some("white space is no digit of an id"),
        DecodeError::PlaceholderInvalid => {
            Some("fractional indices, and placeholders that duplicates or placeholders discard")
        }
        _ => None,
    }
}

#[test]
fn packets_are_decoded_as_by_the_stock_decoder() {
    let mut differences = BTreeMap::new();
    for case in lines(include_str!("golden/decode.jsonl")) {
        let (packets, error) = decode_all(&case["frames"]);
        match error {
            Some(error) if case["refused"].is_null() => {
                let reason = accepted_difference(&error);
                let reason = reason.unwrap_or_else(|| panic!("we refuse with {error}: {case}"));
                *differences.entry(reason).or_insert(0) += 1;
                continue;
            }
            None if !case["refused"].is_null() => panic!("we accept {case}"),
            _ => {}
        }
        let theirs = case["packets"].as_array().expect("a list");
        assert_eq!(packets.len(), theirs.len(), "{case}");
        for (ours, theirs) in packets.iter().zip(theirs) {
            check_packet(ours, theirs);
        }
    }
    // Each reason is needed; a difference that nothing shows any more should go.
    assert_eq!(differences.len(), 7, "{differences:?}");
}

fn decode_all(frames: &Value) -> (Vec<Seen>, Option<DecodeError>) {
    let mut decoder = Decoder::new(Role::Client, DecoderLimits::default());
    let mut packets = Vec::new();
    for frame in frames.as_array().expect("a list") {
        let data = frame["hex"].as_str().map(unhex);
        let decoded = match &data {
            Some(data) => decoder.binary(data),
            None => decoder.text(text(frame, "text")),
        };
        match decoded {
            Ok(packet) => packets.extend(packet.as_ref().map(seen)),
            Err(error) => return (packets, Some(error)),
        }
    }
    (packets, None)
}

fn check_packet(ours: &Seen, theirs: &Value) {
    assert_eq!(Some(ours.packet_type), theirs["type"].as_u64(), "{theirs}");
    assert_eq!(ours.namespace, text(theirs, "nsp"));
    // The stock decoder reads an id in any packet; only in these it means something.
    if matches!(ours.packet_type, 2 | 3) {
        assert_eq!(ours.id, theirs["id"].as_u64(), "{theirs}");
    }
    match (&ours.payload, theirs["data"].as_str()) {
        (Some(ours_raw), Some(data)) => {
            assert!(same_value(ours_raw, data, &ours.attachments), "{ours_raw} is not {data}");
        }
        (None, None) => {}
        (ours, theirs) => panic!("payload {ours:?}, not {theirs:?}"),
    }
}
