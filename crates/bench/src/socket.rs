//! A client's WebSocket: the upgrade request, frames, and the heartbeat of the protocol itself.
//!
//! What the text messages mean is the caller's business.

use crate::clock::Nanos;
use crate::http::Parser;
use crate::link::{Lane, Link, Shared, describe};
use relay_websocket::{Decoder, Event, Opcode, Role, handshake, write_masked_frame};
use std::io::{self, ErrorKind, Read};

/// The largest message that a server may send us.
const MESSAGE_BYTES_MAX: u32 = 16 << 20;

/// What comes out of the socket.
pub(crate) enum Inbound<'a> {
    /// The server has agreed to speak WebSocket.
    Open,
    /// A text message.
    Text(&'a [u8]),
}

/// The connection and what is incomplete of it.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) link: Link,
    decoder: Decoder,
    /// `None` after the 101.
    upgrade: Option<Box<Upgrade>>,
}

#[derive(Debug)]
struct Upgrade {
    key: String,
    parser: Parser,
}

impl Socket {
    /// Begins the connection; `sid` names the session that is to be upgraded, or is empty.
    pub(crate) fn dial(sid: &str, shared: &mut Shared<'_>) -> io::Result<Self> {
        let key = shared.masks.handshake_key();
        let request = shared.target.upgrade(&key, sid);
        Ok(Self {
            link: shared.dial(Lane::Socket, request.into_bytes())?,
            decoder: Decoder::new(Role::Client, MESSAGE_BYTES_MAX),
            upgrade: Some(Box::new(Upgrade { key, parser: Parser::default() })),
        })
    }

    /// Whether frames may be sent: the server has agreed.
    pub(crate) fn is_open(&self) -> bool {
        self.upgrade.is_none()
    }

    /// Sends one message.
    pub(crate) fn send(
        &mut self,
        opcode: Opcode,
        message: &[u8],
        shared: &mut Shared<'_>,
    ) -> io::Result<()> {
        let frames = &mut shared.scratch.frames;
        frames.clear();
        write_masked_frame(frames, opcode, message, shared.masks.next_key());
        self.link.send(frames)
    }

    /// Reads until the kernel has no more. All that comes goes to `on_inbound`, with the time of
    /// the read that completed it; what that puts into the buffer is sent back as a text message.
    ///
    /// # Errors
    /// A description when the connection has ended or the server broke the protocol.
    pub(crate) fn readable(
        &mut self,
        shared: &mut Shared<'_>,
        read_closed: bool,
        mut on_inbound: impl FnMut(Inbound<'_>, Nanos, &mut Vec<u8>) -> Result<(), String>,
    ) -> Result<(), String> {
        loop {
            let count = match self.link.stream.read(shared.buffer) {
                Ok(0) => return Err("the server closed the connection".to_owned()),
                Ok(count) => count,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(describe(&e)),
            };
            let now = shared.clock.now();
            let is_full = count == shared.buffer.len();
            // The buffer leaves `shared` for the call, since decoding needs the rest of it.
            let buffer = std::mem::take(&mut shared.buffer);
            let outcome = self.take(&mut buffer[..count], now, shared, &mut on_inbound);
            shared.buffer = buffer;
            outcome?;
            // A read that did not fill the buffer has emptied the socket, unless an end of the
            // stream lies behind the data.
            if !is_full && !read_closed {
                return Ok(());
            }
        }
    }

    fn take(
        &mut self,
        bytes: &mut [u8],
        now: Nanos,
        shared: &mut Shared<'_>,
        on_inbound: &mut impl FnMut(Inbound<'_>, Nanos, &mut Vec<u8>) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut at = 0;
        if let Some(upgrade) = &mut self.upgrade {
            let Some(used) = upgrade.take(bytes)? else { return Ok(()) };
            at = used;
            self.upgrade = None;
            shared.scratch.packet.clear();
            on_inbound(Inbound::Open, now, &mut shared.scratch.packet)?;
            answer(&mut self.link, Opcode::Text, shared)?;
        }
        loop {
            let step = self
                .decoder
                .decode(&mut bytes[at..])
                .map_err(|e| format!("the server broke the WebSocket protocol: {e}"))?;
            at += step.consumed;
            let opcode = match step.event {
                None => return Ok(()),
                Some(Event::Text(text)) => {
                    shared.scratch.packet.clear();
                    on_inbound(Inbound::Text(text.as_bytes()), now, &mut shared.scratch.packet)?;
                    if shared.scratch.packet.is_empty() {
                        continue;
                    }
                    Opcode::Text
                }
                Some(Event::Ping(payload)) => {
                    shared.scratch.packet.clear();
                    shared.scratch.packet.extend_from_slice(payload);
                    Opcode::Pong
                }
                Some(Event::Close(frame)) => {
                    return Err(format!("the server closed the WebSocket ({frame:?})"));
                }
                Some(Event::Binary(_) | Event::Pong(_)) => continue,
            };
            write_answer(&mut self.link, opcode, shared).map_err(|e| describe(&e))?;
        }
    }
}

/// Sends what was put into the packet buffer, if anything was.
fn answer(link: &mut Link, opcode: Opcode, shared: &mut Shared<'_>) -> Result<(), String> {
    if shared.scratch.packet.is_empty() {
        return Ok(());
    }
    write_answer(link, opcode, shared).map_err(|e| describe(&e))
}

fn write_answer(link: &mut Link, opcode: Opcode, shared: &mut Shared<'_>) -> io::Result<()> {
    let scratch = &mut *shared.scratch;
    scratch.frames.clear();
    write_masked_frame(&mut scratch.frames, opcode, &scratch.packet, shared.masks.next_key());
    link.send(&scratch.frames)
}

impl Upgrade {
    /// Takes bytes of the answer to the request; how many belong to it, once it is whole.
    fn take(&mut self, bytes: &[u8]) -> Result<Option<usize>, String> {
        let step = self
            .parser
            .parse(bytes)
            .map_err(|e| format!("the answer to the upgrade request is no HTTP: {e}"))?;
        let Some(response) = step.response else { return Ok(None) };
        if response.status != 101 {
            let body = String::from_utf8_lossy(response.body);
            return Err(format!("the upgrade was refused: {} {body}", response.status));
        }
        // RFC 6455 §4.1: the proof that the server has read the key.
        if response.accept.is_none() || response.accept != handshake::accept(&self.key) {
            return Err("Sec-WebSocket-Accept does not belong to our key".to_owned());
        }
        Ok(Some(step.consumed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses() {
        // Key and answer are the example of RFC 6455 §1.3.
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        let check = |head: String, expected: Result<Option<usize>, ()>| {
            let mut upgrade = Upgrade { key: key.to_owned(), parser: Parser::default() };
            let taken = upgrade.take(head.as_bytes()).map_err(|_| ());
            assert_eq!(taken, expected, "{head}");
        };
        let good = format!("HTTP/1.1 101 X\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");
        check(good.clone(), Ok(Some(good.len())));
        check(format!("{good}\u{1}"), Ok(Some(good.len())));
        check(good[..good.len() - 1].to_owned(), Ok(None));
        let lower = format!("HTTP/1.1 101 X\r\nsec-websocket-accept:{accept}\r\n\r\n");
        check(lower.clone(), Ok(Some(lower.len())));
        let refused = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nContent-Length: 0";
        check(format!("HTTP/1.1 200 OK\r\n{refused}\r\n\r\n"), Err(()));
        check("HTTP/1.1 101 X\r\nSec-WebSocket-Accept: AAAA\r\n\r\n".to_owned(), Err(()));
        check("HTTP/1.1 101 X\r\n\r\n".to_owned(), Err(()));
    }
}
