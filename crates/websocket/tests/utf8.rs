//! Text is refused at the octet that makes it invalid (RFC 6455 §8.1), wherever frames and reads end.

mod common;

use common::{Seen, feed, frame};
use relay_websocket::{Decoder, Error, Role};

/// How many octets of the text a reader that knows UTF-8 accepts, by the standard library's judgement
/// of each prefix; `None` if all of them and they are complete.
fn refused_at(text: &[u8]) -> Option<usize> {
    (1..=text.len()).find(|end| {
        std::str::from_utf8(&text[..*end]).is_err_and(|error| error.error_len().is_some())
    })
}

/// Octet by octet, as one frame and as one frame per octet, the decoder agrees with the standard library.
#[track_caller]
fn check(text: &[u8]) {
    let one_frame = frame(Role::Client, 0x81, text);
    let header_len = one_frame.len() - text.len();
    let mut octets: Vec<Vec<u8>> =
        one_frame[header_len..].iter().map(|octet| vec![*octet]).collect();
    octets[0] = one_frame[..=header_len].to_vec();
    check_octets(text, &octets, text.len());

    let mut fragments: Vec<Vec<u8>> = text
        .iter()
        .enumerate()
        .map(|(i, octet)| frame(Role::Client, u8::from(i == 0), &[*octet]))
        .collect();
    fragments.push(frame(Role::Client, 0x80, b""));
    check_octets(text, &fragments, text.len() + 1);

    let mut decoder = Decoder::new(Role::Client, 1000);
    let result = feed(&mut decoder, &one_frame, &mut Vec::new());
    assert_eq!(result.is_ok(), std::str::from_utf8(text).is_ok(), "whole: {text:02x?}");
}

/// `reads` bring one octet each; an incomplete text is refused by the read numbered `end`.
#[track_caller]
fn check_octets(text: &[u8], reads: &[Vec<u8>], end: usize) {
    let valid = std::str::from_utf8(text).ok();
    let expected = match valid {
        Some(_) => None,
        None => Some(refused_at(text).unwrap_or(end)),
    };
    let mut decoder = Decoder::new(Role::Client, 1000);
    let mut seen = Vec::new();
    let mut refused = None;
    for (i, read) in reads.iter().enumerate() {
        if let Err(error) = feed(&mut decoder, read, &mut seen) {
            assert_eq!(error, Error::InvalidUtf8);
            assert_eq!(error.close_code(), 1007);
            refused = Some(i + 1);
            break;
        }
    }
    assert_eq!(refused, expected, "{text:02x?}");
    let message = valid.map(|text| Seen::Text(text.to_owned()));
    assert_eq!(seen.first(), message.as_ref(), "{text:02x?}");
}

#[test]
fn table() {
    let cases: &[&[u8]] = &[
        b"ascii",
        "κόσμε".as_bytes(),
        "a€😀\u{10ffff}\u{ffff}\u{d7ff}\u{e000}\0".as_bytes(),
        b"\x80",
        b"\xbf",
        b"a\xff",
        b"a\xfe",
        // Incomplete at the end.
        b"a\xc3",
        b"a\xe2\x82",
        b"a\xf0\x9f\x98",
        b"\xce\xba\xe1\xbd",
        // A character cut short by the next.
        b"\xc3a",
        b"\xe2\x82a",
        b"\xf0\x9f\x98a",
        b"\xe2\x82\xe2\x82\xac",
        // Overlong.
        b"\xc0\x80",
        b"\xc1\xbf",
        b"\xe0\x80\xaf",
        b"\xe0\x9f\xbf",
        b"\xf0\x80\x80\xaf",
        b"\xf0\x8f\xbf\xbf",
        // Surrogates.
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
        // Beyond U+10FFFF.
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xfc\x84\x80\x80\x80\x80",
    ];
    for text in cases {
        check(text);
    }
}

#[test]
fn every_pair_of_leading_octets() {
    for first in 0x7f..=0xff {
        for second in 0x7f..=0xff {
            check(&[b'a', first, second, 0x80, 0xbf]);
        }
    }
}

#[test]
fn the_middle_of_a_frame_is_not_waited_for() {
    let mut decoder = Decoder::new(Role::Client, 1 << 20);
    let header = [0x81, 0x7f, 0, 0, 0, 0, 0, 0x0f, 0, 0];
    feed(&mut decoder, &header, &mut Vec::new()).unwrap();
    feed(&mut decoder, b"fine so far \xed", &mut Vec::new()).unwrap();
    assert_eq!(feed(&mut decoder, b"\xa0", &mut Vec::new()), Err(Error::InvalidUtf8));
    assert_eq!(decoder.buffered_bytes(), 0);
}
