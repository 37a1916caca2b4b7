//! Compares this crate with what the stock parser and Node's query reader made of the same texts.
//!
//! `golden/generate.mjs` wrote the files. Where this crate is stricter on purpose, the files keep
//! the stock verdict and the test names the reason.

use std::borrow::Cow;

use relay_engineio::packet::encode_text;
use relay_engineio::{Packet, PacketError, Query, decode_text};
use serde_json::Value;

fn lines(file: &str) -> Vec<Value> {
    file.lines().map(|line| serde_json::from_str(line).expect("golden line")).collect()
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{key} in {case}"))
}

fn unhex(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The packet that a line describes.
fn packet(case: &Value) -> Packet<'_> {
    if let Some(hex) = case["hex"].as_str() {
        return Packet::Binary(Cow::Owned(unhex(hex)));
    }
    let data = text(case, "data");
    match text(case, "type") {
        "open" => Packet::Open(data),
        "close" => Packet::Close,
        "ping" => Packet::Ping(data),
        "pong" => Packet::Pong(data),
        "message" => Packet::Text(data),
        "upgrade" => Packet::Upgrade,
        "noop" => Packet::Noop,
        other => panic!("type {other}"),
    }
}

#[test]
fn packets_are_decoded_as_by_the_stock_parser() {
    let mut stricter = 0;
    for case in lines(include_str!("golden/packets.jsonl")) {
        let decoded = decode_text(text(&case, "text"));
        if case["refused"] == true {
            assert!(decoded.is_err(), "{case}");
        } else if decoded == Err(PacketError::InvalidBase64) {
            // Node skips whatever is not base64, reads the URL alphabet too, and drops a rest of
            // six bits; no client writes such texts, and guessing what they mean helps nobody.
            stricter += 1;
        } else {
            assert_eq!(decoded, Ok(packet(&case)), "{case}");
        }
    }
    assert!((1..=20).contains(&stricter), "{stricter} texts are refused by us alone");
}

#[test]
fn packets_are_encoded_as_by_the_stock_parser() {
    for case in lines(include_str!("golden/encoded.jsonl")) {
        let mut out = Vec::new();
        encode_text(&packet(&case), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text(&case, "text"));
    }
}

#[test]
fn queries_are_read_as_by_node() {
    for case in lines(include_str!("golden/queries.jsonl")) {
        let query = Query::parse(text(&case, "query"));
        let parameters = case["parameters"].as_array().expect("a list");
        for parameter in parameters {
            let (name, value) = (parameter[0].as_str().unwrap(), parameter[1].as_str().unwrap());
            assert_eq!(query.get(name).as_deref(), Some(value), "{name} in {case}");
        }
        for (name, _) in query.parameters() {
            assert!(parameters.iter().any(|parameter| parameter[0] == *name), "{name} in {case}");
        }
    }
}
