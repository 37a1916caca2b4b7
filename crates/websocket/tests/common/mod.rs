//! Frames as a peer may write them, legal or not, and a decoder driven as a reader drives it.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use relay_websocket::{Decoder, Error, Event, Role};

pub(crate) const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// An [`Event`] that can outlive its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.to_owned()),
            Event::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Event::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Event::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Event::Close(None) => Self::Close(None),
            Event::Close(Some(close)) => Self::Close(Some((close.code, close.reason.to_owned()))),
        }
    }
}

pub(crate) fn text(text: &str) -> Seen {
    Seen::Text(text.to_owned())
}

/// One frame with the minimal length encoding and, for a server to read, masked.
pub(crate) fn frame(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let mask_bit = if role == Role::Server { 0x80 } else { 0 };
    let mut out = vec![first];
    match payload.len() {
        len @ 0..=125 => out.push(mask_bit | u8::try_from(len).unwrap()),
        len @ 126..=0xffff => {
            out.push(mask_bit | 126);
            out.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            out.push(mask_bit | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    if role == Role::Server {
        out.extend(MASK);
        out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    } else {
        out.extend(payload);
    }
    out
}

/// Hands one read to the decoder and drains it.
pub(crate) fn feed(decoder: &mut Decoder, read: &[u8], seen: &mut Vec<Seen>) -> Result<(), Error> {
    let mut read = read.to_vec();
    let mut input = read.as_mut_slice();
    loop {
        let step = decoder.decode(input)?;
        let consumed = step.consumed;
        let Some(event) = step.event else {
            assert_eq!(consumed, input.len(), "input is left without an event");
            return Ok(());
        };
        seen.push(event.into());
        input = &mut input[consumed..];
    }
}

/// The events of a stream that arrives in the given reads, and the violation that ended it.
pub(crate) fn decode<'a>(
    role: Role,
    message_bytes_max: u32,
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Seen>, Option<Error>) {
    let mut decoder = Decoder::new(role, message_bytes_max);
    let mut seen = Vec::new();
    for read in reads {
        if let Err(error) = feed(&mut decoder, read, &mut seen) {
            return (seen, Some(error));
        }
    }
    (seen, None)
}
