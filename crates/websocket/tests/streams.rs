//! Streams as tables: what each yields, whole and cut at every position.

mod common;

use common::{MASK, Seen, decode, feed, frame, text};
use relay_websocket::{Decoder, Error, Fault, Role};

const LIMIT: u32 = 70_000;

/// A stream yields these events, then perhaps a violation, however it is cut in two or into octets.
#[track_caller]
fn check(role: Role, stream: &[u8], events: &[Seen], violation: Option<Error>) {
    let expected = (events.to_vec(), violation);
    assert_eq!(decode(role, LIMIT, [stream]), expected, "whole: {stream:02x?}");
    assert_eq!(decode(role, LIMIT, stream.chunks(1)), expected, "in octets: {stream:02x?}");
    for at in 0..stream.len().min(300) {
        let (one, two) = stream.split_at(at);
        assert_eq!(decode(role, LIMIT, [one, two]), expected, "cut at {at}: {stream:02x?}");
    }
}

#[track_caller]
fn check_refused(role: Role, stream: &[u8], violation: Error, close_code: u16) {
    check(role, stream, &[], Some(violation));
    assert_eq!(violation.close_code(), close_code);
}

#[test]
fn the_examples_of_section_5_7() {
    let hello = [text("Hello")];
    check(Role::Client, &[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f], &hello, None);
    check(
        Role::Server,
        &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58],
        &hello,
        None,
    );
    check(Role::Client, &[0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f], &hello, None);
    check(
        Role::Client,
        &[0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f],
        &[Seen::Ping(b"Hello".to_vec())],
        None,
    );
    check(
        Role::Server,
        &[0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58],
        &[Seen::Pong(b"Hello".to_vec())],
        None,
    );
    for length in [256, 65536] {
        let payload = vec![7; length];
        check(Role::Client, &frame(Role::Client, 0x82, &payload), &[Seen::Binary(payload)], None);
    }
}

#[test]
fn legal_streams() {
    for role in [Role::Server, Role::Client] {
        let frames = |frames: &[(u8, &[u8])]| -> Vec<u8> {
            frames.iter().flat_map(|(first, payload)| frame(role, *first, payload)).collect()
        };
        let cases: Vec<(Vec<u8>, Vec<Seen>)> = vec![
            (vec![], vec![]),
            (frames(&[(0x81, b"")]), vec![text("")]),
            (frames(&[(0x82, b"")]), vec![Seen::Binary(vec![])]),
            (frames(&[(0x01, b""), (0x00, b""), (0x80, b"")]), vec![text("")]),
            (frames(&[(0x01, b""), (0x00, b"a"), (0x80, b"")]), vec![text("a")]),
            (frames(&[(0x02, b""), (0x80, b"\xff")]), vec![Seen::Binary(vec![0xff])]),
            (frames(&[(0x81, b"one"), (0x81, b"two")]), vec![text("one"), text("two")]),
            // A character may be cut by a fragment's end, and a control frame may come in the cut.
            (
                frames(&[(0x01, b"\xe2\x82"), (0x89, b"?"), (0x8a, b""), (0x80, b"\xac!")]),
                vec![Seen::Ping(b"?".to_vec()), Seen::Pong(vec![]), text("€!")],
            ),
            (
                frames(&[(0x01, b"\xf0"), (0x00, b"\x9f"), (0x00, b"\x98"), (0x80, b"\x80")]),
                vec![text("😀")],
            ),
            // What follows a Close is not looked at.
            (frames(&[(0x88, b""), (0xff, b"?")]), vec![Seen::Close(None)]),
            (
                frames(&[(0x02, b"unfinished"), (0x88, b"\x03\xe8bye"), (0x80, b"?")]),
                vec![Seen::Close(Some((1000, "bye".to_owned())))],
            ),
            (frames(&[(0x89, &[b'p'; 125])]), vec![Seen::Ping(vec![b'p'; 125])]),
            (frames(&[(0x82, &[1; 126])]), vec![Seen::Binary(vec![1; 126])]),
            (frames(&[(0x82, &[1; 65535])]), vec![Seen::Binary(vec![1; 65535])]),
        ];
        for (stream, events) in cases {
            check(role, &stream, &events, None);
        }
    }
}

#[test]
fn malformed_headers() {
    let cases: &[(&[u8], Error)] = &[
        (&[0xc1, 0x80, 0, 0, 0, 0], Error::ReservedBits),
        (&[0xa1, 0x80, 0, 0, 0, 0], Error::ReservedBits),
        (&[0x91, 0x80, 0, 0, 0, 0], Error::ReservedBits),
        (&[0x99, 0x80, 0, 0, 0, 0], Error::ReservedBits),
        (&[0x83], Error::ReservedOpcode(3)),
        (&[0x87], Error::ReservedOpcode(7)),
        (&[0x8b], Error::ReservedOpcode(11)),
        (&[0x8f], Error::ReservedOpcode(15)),
        (&[0x80], Error::UnexpectedContinuation),
        (&[0x00], Error::UnexpectedContinuation),
        (&[0x08], Error::FragmentedControl),
        (&[0x09], Error::FragmentedControl),
        (&[0x0a], Error::FragmentedControl),
        (&[0x81, 0x05], Error::UnmaskedFrame),
        (&[0x89, 0x00], Error::UnmaskedFrame),
        (&[0x88, 0xfe], Error::OversizedControl),
        (&[0x89, 0xfe], Error::OversizedControl),
        (&[0x8a, 0xff], Error::OversizedControl),
        (&[0x88, 0x81], Error::TruncatedCloseCode),
        (&[0x82, 0xfe, 0, 0], Error::LengthNotMinimal),
        (&[0x82, 0xfe, 0, 125], Error::LengthNotMinimal),
        (&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 5], Error::LengthNotMinimal),
        (&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], Error::LengthNotMinimal),
        (&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], Error::LengthTopBit),
        (&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Error::LengthTopBit),
    ];
    for (stream, violation) in cases {
        check_refused(Role::Server, stream, *violation, 1002);
        assert_eq!(violation.fault(), Fault::Peer);
    }
    check_refused(Role::Client, &[0x81, 0x85], Error::MaskedFrame, 1002);
    check_refused(Role::Client, &[0x8a, 0x80], Error::MaskedFrame, 1002);
}

#[test]
fn a_message_inside_a_message_is_refused() {
    for first in [0x81, 0x82, 0x01, 0x02] {
        let mut stream = frame(Role::Server, 0x01, b"a");
        stream.push(first);
        check_refused(Role::Server, &stream, Error::InterleavedMessage, 1002);
    }
    let mut stream = frame(Role::Server, 0x81, b"a");
    stream.extend(frame(Role::Server, 0x80, b"b"));
    check(Role::Server, &stream, &[text("a")], Some(Error::UnexpectedContinuation));
}

#[test]
fn close_codes() {
    let allowed = |code| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
    for code in 0..=u16::MAX {
        let stream = frame(Role::Client, 0x88, &code.to_be_bytes());
        let expected = if allowed(code) {
            (vec![Seen::Close(Some((code, String::new())))], None)
        } else {
            (vec![], Some(Error::InvalidCloseCode(code)))
        };
        assert_eq!(decode(Role::Client, LIMIT, [stream.as_slice()]), expected);
        assert_eq!(decode(Role::Client, LIMIT, stream.chunks(3)), expected);
    }
    assert_eq!(Error::InvalidCloseCode(1005).close_code(), 1002);
    let stream = frame(Role::Server, 0x88, b"\x03\xe8caf\xc3");
    check_refused(Role::Server, &stream, Error::InvalidUtf8, 1007);
}

#[test]
fn limits_are_judged_by_the_header() {
    let too_long = Error::MessageTooLong { message_bytes_max: LIMIT };
    assert_eq!(too_long.fault(), Fault::Limit);
    // One more than the limit, then the largest length that is legal. No mask, no payload needed.
    check_refused(Role::Server, &[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0x11, 0x71], too_long, 1009);
    let huge = [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    check_refused(Role::Server, &huge, too_long, 1009);

    let exactly = |fin: u8, last: usize| {
        let mut stream = frame(Role::Client, 0x02, &[0; 69_000]);
        stream.extend(frame(Role::Client, 0x00, &[0; 900]));
        stream.extend(frame(Role::Client, fin, &vec![0; last]));
        stream
    };
    let message = Seen::Binary(vec![0; 70_000]);
    let stream = exactly(0x80, 100);
    assert_eq!(decode(Role::Client, LIMIT, stream.chunks(4096)), (vec![message], None));
    for fin in [0x00, 0x80] {
        let stream = exactly(fin, 101);
        assert_eq!(decode(Role::Client, LIMIT, stream.chunks(4096)), (vec![], Some(too_long)));
    }
    // A control frame does not count, not even in a message that has reached the limit.
    let mut stream = frame(Role::Server, 0x01, b"");
    stream.extend(frame(Role::Server, 0x89, &[1; 125]));
    let events = (vec![Seen::Ping(vec![1; 125])], None);
    assert_eq!(decode(Role::Server, 0, [stream.as_slice()]), events);
    assert_eq!(decode(Role::Server, 0, stream.chunks(50)), events);
}

#[test]
fn the_end_of_a_stream_is_final() {
    let ends: [&[u8]; 6] = [
        &[0x88, 0x00],
        &[0x88, 0x02, 0x03, 0xe8],
        &[0x88, 0x02, 0x03, 0xed],
        &[0x83],
        &[0x80, 0x01, 0xc3],
        &[0x80, 0x02, 0xc3, 0xc3],
    ];
    for end in ends {
        let mut decoder = Decoder::new(Role::Client, LIMIT);
        let mut seen = Vec::new();
        feed(&mut decoder, &frame(Role::Client, 0x01, b"unfinished"), &mut seen).unwrap();
        assert!(decoder.buffered_bytes() > 0);
        for octet in end.chunks(1) {
            let _ = feed(&mut decoder, octet, &mut seen);
        }
        assert_eq!(decoder.buffered_bytes(), 0);
        let before = seen.clone();
        for later in [frame(Role::Client, 0x81, b"more"), vec![0xff; 100]] {
            let step = decoder.decode(&mut later.clone()).unwrap().consumed;
            assert_eq!(step, later.len());
            feed(&mut decoder, &later, &mut seen).unwrap();
        }
        assert_eq!(seen, before);
        assert_eq!(decoder.buffered_bytes(), 0);
    }
}

#[test]
fn a_whole_frame_is_lent_from_the_input() {
    let mut decoder = Decoder::new(Role::Server, LIMIT);
    let mut input = frame(Role::Server, 0x81, b"in place");
    let bounds = input.as_ptr_range();
    let step = decoder.decode(&mut input).unwrap();
    let Some(relay_websocket::Event::Text(lent)) = step.event else { panic!("{step:?}") };
    assert!(bounds.contains(&lent.as_ptr()));
    assert_eq!(decoder.buffered_bytes(), 0);
}

#[test]
fn heap_is_held_only_for_what_is_incomplete() {
    let mut decoder = Decoder::new(Role::Server, LIMIT);
    let mut seen = Vec::new();
    let messages = [(0x81, "text"), (0x82, "binary"), (0x89, "ping"), (0x8a, "pong")];
    for (first, payload) in messages {
        let stream = frame(Role::Server, first, payload.as_bytes());
        for octet in stream.chunks(1) {
            feed(&mut decoder, octet, &mut seen).unwrap();
            assert!(decoder.buffered_bytes() <= payload.len());
        }
        assert_eq!(decoder.buffered_bytes(), 0, "after {payload}");
    }
    assert_eq!(seen.len(), messages.len());
    // A header that claims much is not believed.
    feed(&mut decoder, &[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4], &mut seen).unwrap();
    assert_eq!(decoder.buffered_bytes(), 0);
    feed(&mut decoder, &[0; 10], &mut seen).unwrap();
    assert!(decoder.buffered_bytes() <= 64);
}

#[test]
fn a_message_in_small_fragments_costs_its_bytes() {
    const FRAGMENT: usize = 64;
    const FRAGMENTS: usize = 65_536;
    const MESSAGE: u32 = 4 << 20;
    let mut decoder = Decoder::new(Role::Server, MESSAGE);
    let mut seen = Vec::new();
    // A Ping cut in two between fragments is joined behind the message, again and again.
    let ping = frame(Role::Server, 0x89, &[b'p'; 100]);
    for n in 1..=FRAGMENTS {
        let first = if n == 1 { 0x01 } else { 0x00 } | if n == FRAGMENTS { 0x80 } else { 0 };
        if n % 16 == 0 {
            feed(&mut decoder, &ping[..50], &mut seen).unwrap();
            feed(&mut decoder, &ping[50..], &mut seen).unwrap();
            assert_eq!(seen.pop(), Some(Seen::Ping(vec![b'p'; 100])));
        }
        feed(&mut decoder, &frame(Role::Server, first, &[b'x'; FRAGMENT]), &mut seen).unwrap();
        let arrived = n * FRAGMENT + 125;
        assert!(decoder.buffered_bytes() <= (2 * arrived).min(MESSAGE as usize + 125));
    }
    assert_eq!(seen, [Seen::Text("x".repeat(FRAGMENT * FRAGMENTS))]);
    assert_eq!(decoder.buffered_bytes(), 0);
}

#[test]
fn masking_keys_apply_at_every_phase() {
    let payload: Vec<u8> = (0..=255).collect();
    let stream = frame(Role::Server, 0x82, &payload);
    assert!(stream.windows(4).any(|octets| octets == MASK));
    for size in 1..stream.len() {
        let expected = (vec![Seen::Binary(payload.clone())], None);
        assert_eq!(decode(Role::Server, LIMIT, stream.chunks(size)), expected, "by {size}");
    }
}
