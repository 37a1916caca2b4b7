//! Bodies of the fuzz targets, kept beside the code that they drive, so that a test can run them too.
//! Not part of the crate's interface.

use crate::{CloseFrame, Decoder, Error, Event, Role};

/// Octets of the input that choose the scenario; the rest is the stream.
pub const SCENARIO_BYTES: usize = 4;

/// Heap beyond the message limit that a decoder may hold: one control frame.
const SLACK_BYTES: usize = 125;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Owned {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl From<Event<'_>> for Owned {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.to_owned()),
            Event::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Event::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Event::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Event::Close(frame) => Self::Close(
                frame.map(|CloseFrame { code, reason }: CloseFrame<'_>| (code, reason.to_owned())),
            ),
        }
    }
}

/// Decodes a stream whole and in pieces. Panics unless both give the same events, within the limits.
///
/// `data` is the role, the message limit, the size of the pieces and whether the sizes vary, then the
/// stream.
pub fn decoder(data: &[u8]) {
    let Some((&[role, limit, piece, vary], stream)) = data.split_first_chunk::<SCENARIO_BYTES>()
    else {
        return;
    };
    let role = if role & 1 == 0 { Role::Server } else { Role::Client };
    let message_bytes_max = match limit & 3 {
        0 => u32::from(limit),
        1 => 64 * u32::from(limit),
        2 => 70_000,
        _ => u32::MAX,
    };
    let whole = run(role, message_bytes_max, stream, |_| stream.len());
    let octets = run(role, message_bytes_max, stream, |_| 1);
    assert_eq!(whole, octets, "a stream read octet by octet differs");
    let pieces = run(role, message_bytes_max, stream, |turn| {
        1 + (usize::from(piece) + turn * usize::from(vary)) % 97
    });
    assert_eq!(whole, pieces, "a stream read in pieces differs");
}

/// The events of a stream that is read in pieces of the given sizes, and the violation that ended it.
fn run(
    role: Role,
    message_bytes_max: u32,
    stream: &[u8],
    piece_bytes: impl Fn(usize) -> usize,
) -> (Vec<Owned>, Option<Error>) {
    let mut decoder = Decoder::new(role, message_bytes_max);
    let mut events = Vec::new();
    let mut violation = None;
    let mut is_closed = false;
    let mut rest = stream;
    let mut turn = 0;
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(piece_bytes(turn).clamp(1, rest.len()));
        rest = later;
        turn += 1;
        let mut piece = piece.to_vec();
        let mut input = piece.as_mut_slice();
        loop {
            let available = input.len();
            let consumed = match decoder.decode(input) {
                Ok(step) => {
                    assert!(step.consumed <= available);
                    let Some(event) = step.event else {
                        assert_eq!(step.consumed, available, "input is left without an event");
                        break;
                    };
                    assert!(!is_closed, "an event after the end of the stream");
                    let event = Owned::from(event);
                    check_limits(&event, message_bytes_max);
                    is_closed = matches!(event, Owned::Close(_));
                    events.push(event);
                    step.consumed
                }
                Err(error) => {
                    assert!(!is_closed, "a violation after the end of the stream");
                    assert!(matches!(error.close_code(), 1002 | 1007 | 1009));
                    violation = Some(error);
                    is_closed = true;
                    break;
                }
            };
            input = &mut input[consumed..];
        }
        check_heap(&decoder, message_bytes_max, stream.len(), is_closed);
    }
    (events, violation)
}

fn check_limits(event: &Owned, message_bytes_max: u32) {
    match event {
        Owned::Text(text) => assert!(text.len() <= message_bytes_max as usize),
        Owned::Binary(bytes) => assert!(bytes.len() <= message_bytes_max as usize),
        Owned::Ping(bytes) | Owned::Pong(bytes) => assert!(bytes.len() <= 125),
        Owned::Close(frame) => {
            assert!(frame.as_ref().is_none_or(|(_, reason)| reason.len() <= 123));
        }
    }
}

/// What is held follows what has arrived, not what was claimed, and nothing is held at the end.
fn check_heap(decoder: &Decoder, message_bytes_max: u32, stream_bytes: usize, is_closed: bool) {
    let held = decoder.buffered_bytes();
    assert!(held <= message_bytes_max as usize + SLACK_BYTES, "{held} bytes exceed the limit");
    assert!(held <= 2 * stream_bytes + 64, "{held} bytes are more than what arrived");
    assert!(!is_closed || held == 0, "{held} bytes are held after the end");
}
