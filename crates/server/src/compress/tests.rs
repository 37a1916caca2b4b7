//! The choice of the encoding, and the encodings.

use std::io::Read as _;

use hyper::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use serde_json::Value;

use super::{Encoding, THRESHOLD_BYTES, compress, compress_well, gunzip, negotiate};

#[track_caller]
fn check(accept: &[&str], expected: Option<Encoding>) {
    let mut request = HeaderMap::new();
    for value in accept {
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header value");
        request.append(ACCEPT_ENCODING, value);
    }
    assert_eq!(negotiate(&request), expected, "{accept:?}");
}

/// `tests/golden/generate.mjs` wrote what the stock server chooses.
#[test]
fn the_choice_is_the_stock_servers() {
    let mut chosen = [0; 3];
    for line in include_str!("../../tests/golden/encoding.jsonl").lines() {
        let case: Value = serde_json::from_str(line).expect("golden line");
        let expected = match case["chosen"].as_str() {
            Some("gzip") => Some(Encoding::Gzip),
            Some("deflate") => Some(Encoding::Deflate),
            None => None,
            Some(other) => panic!("{other}"),
        };
        let accept: Vec<&str> = case["accept"].as_str().into_iter().collect();
        check(&accept, expected);
        chosen[expected.map_or(0, |it| 1 + it as usize)] += 1;
    }
    assert!(chosen.iter().all(|&cases| cases > 100), "{chosen:?}");
}

#[test]
fn several_fields_are_one_list_and_what_is_unreadable_is_left_out() {
    check(&["br", "deflate, gzip"], Some(Encoding::Deflate));
    check(&["gzip;q=0.5", "deflate"], Some(Encoding::Deflate));
    check(&["gzip;q=0", "*;q=0"], None);
    check(&["gzip \u{e9}"], None);
    check(&["\u{e9}", "gzip"], Some(Encoding::Gzip));
    let long = ",".repeat(8_000) + "gzip;q=" + &"1".repeat(8_000);
    check(&[&long], Some(Encoding::Gzip));
}

fn restored(encoding: Encoding, compressed: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    match encoding {
        Encoding::Gzip => body = gunzip(compressed).expect("gzip"),
        Encoding::Deflate => {
            // The two bytes of the zlib format: raw deflate data is not what `deflate` means.
            assert_eq!(
                (
                    compressed[0] & 15,
                    (u16::from(compressed[0]) << 8 | u16::from(compressed[1])) % 31
                ),
                (8, 0)
            );
            flate2::read::ZlibDecoder::new(compressed).read_to_end(&mut body).expect("zlib");
        }
    }
    body
}

#[test]
fn bodies_come_back_and_grow_by_little_at_most() {
    // What deflate cannot make smaller: a linear congruential generator's upper bytes.
    let noise = |length: usize| -> Vec<u8> {
        let next = |state: &mut u64| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            Some((*state >> 56) as u8)
        };
        let mut state = 1;
        std::iter::from_fn(|| next(&mut state)).take(length).collect()
    };
    let event = br#"42/chat,["event",{"from":"ana","kind":"text","data":{"x":1}}]"#;
    let events = event.repeat(THRESHOLD_BYTES / event.len() + 1);
    let bodies = [Vec::new(), vec![b'1'], events.clone(), vec![b'a'; 1_000_000], noise(1_000_000)];
    for body in &bodies {
        for encoding in [Encoding::Gzip, Encoding::Deflate] {
            for compressed in [compress(encoding, body), compress_well(encoding, body)] {
                assert!(compressed.len() <= body.len() + body.len() / 200 + 64);
                assert!(restored(encoding, &compressed) == *body, "{} bytes", body.len());
            }
        }
    }
    assert!(compress(Encoding::Gzip, &events).len() * 4 < events.len());
}

#[test]
fn what_is_no_gzip_file_is_an_error() {
    for file in
        [&b""[..], b"x", b"\x1f\x8b\x08\0\0\0\0\0\0\xff", &compress(Encoding::Deflate, b"x")]
    {
        assert!(gunzip(file).is_err(), "{file:?}");
    }
}
