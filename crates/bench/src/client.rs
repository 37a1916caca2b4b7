//! One client: from the upgrade request to a joined namespace, heartbeats, and its unsent bytes.
//!
//! It owns the protocol of one connection. It does not know what is measured: events of the
//! namespace are handed to the caller as they lie in the shared read buffer.

use crate::clock::{Clock, Nanos};
use crate::link::Link;
use crate::masks::Masks;
use crate::target::Target;
use mio::net::TcpStream;
use relay_websocket::{Decoder, Event, Opcode, Role, handshake};
use std::io::{self, ErrorKind, Read};

/// The largest message that a server may send us.
const MESSAGE_BYTES_MAX: u32 = 16 << 20;

/// The largest head of the server's answer to the upgrade request.
const RESPONSE_HEAD_BYTES_MAX: usize = 16 << 10;

/// Bytes of one client that wait for its socket; more are refused, since then the server has long
/// held this client back.
pub const PENDING_BYTES_MAX: usize = 64 << 20;

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The TCP connection is being made.
    Dialing,
    /// The upgrade request was sent.
    Upgrading,
    /// Waits for the Engine.IO open packet, `0{…}`.
    Opening,
    /// Sent `40`, waits for the answer.
    Joining,
    /// In the namespace.
    Joined,
    /// The connection is gone.
    Closed,
}

/// Times of a client that has joined.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// From the first SYN to the 101.
    pub upgraded_after: Nanos,
    /// From the first SYN to the answer to CONNECT.
    pub joined_after: Nanos,
}

/// What all clients of a thread share while one of them reads.
pub struct Shared<'a> {
    /// The read buffer; messages are decoded where they lie.
    pub buffer: &'a mut [u8],
    /// Whom the clients talk to.
    pub target: &'a Target,
    /// The measurement's clock.
    pub clock: Clock,
    /// Masking keys.
    pub masks: &'a mut Masks,
}

/// What is needed only until the namespace is joined.
#[derive(Debug)]
struct Handshake {
    dialed_at: Nanos,
    upgraded_at: Nanos,
    joined_at: Nanos,
    key: String,
    head: Vec<u8>,
}

/// One connection to the server.
#[derive(Debug)]
pub struct Client {
    /// `None` once it is closed.
    link: Option<Link>,
    decoder: Decoder,
    phase: Phase,
    handshake: Option<Box<Handshake>>,
    /// Whether the server has acknowledged the last event that asked for it.
    acknowledged: bool,
}

impl Client {
    /// A client whose connection was begun at `now`.
    #[must_use]
    pub fn new(stream: TcpStream, now: Nanos, masks: &mut Masks) -> Self {
        let key = masks.handshake_key();
        Self {
            link: Some(Link::new(stream)),
            decoder: Decoder::new(Role::Client, MESSAGE_BYTES_MAX),
            phase: Phase::Dialing,
            handshake: Some(Box::new(Handshake {
                dialed_at: now,
                upgraded_at: now,
                joined_at: now,
                key,
                head: Vec::new(),
            })),
            acknowledged: false,
        }
    }

    /// How far it has come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Bytes that wait for the socket.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.link.as_ref().map_or(0, |link| link.pending.len())
    }

    /// Bytes that the kernel has taken from this client.
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.link.as_ref().map_or(0, |link| link.written)
    }

    /// Whether the connection is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.link.is_none()
    }

    /// Whether the last event that asked for an acknowledgement has got it.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.acknowledged
    }

    /// The socket, for registration; `None` once it is closed.
    pub fn stream(&mut self) -> Option<&mut TcpStream> {
        self.link.as_mut().map(|link| &mut link.stream)
    }

    /// Its opening times, once: after it has joined.
    pub fn take_opened(&mut self) -> Option<Opened> {
        if self.phase != Phase::Joined {
            return None;
        }
        let done = self.handshake.take()?;
        Some(Opened {
            upgraded_after: done.upgraded_at.saturating_sub(done.dialed_at),
            joined_after: done.joined_at.saturating_sub(done.dialed_at),
        })
    }

    /// Ends the connection.
    pub fn close(&mut self) {
        self.link = None;
        self.handshake = None;
        self.phase = Phase::Closed;
    }

    /// Sends bytes that are already framed; what the socket does not take waits.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send(&mut self, frames: &[u8]) -> io::Result<()> {
        match &mut self.link {
            Some(link) => link.send(frames),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// Sends one Engine.IO packet; `wants_ack` says that its answer is to be waited for.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send_packet(
        &mut self,
        packet: &str,
        masks: &mut Masks,
        wants_ack: bool,
    ) -> io::Result<()> {
        self.acknowledged &= !wants_ack;
        let mut frame = Vec::new();
        relay_websocket::write_masked_frame(
            &mut frame,
            Opcode::Text,
            packet.as_bytes(),
            masks.next_key(),
        );
        self.send(&frame)
    }

    /// To be called when the socket became writable.
    ///
    /// # Errors
    /// A description when the connection failed.
    pub fn writable(&mut self, shared: &mut Shared<'_>) -> Result<(), String> {
        let Some(link) = &mut self.link else { return Ok(()) };
        if self.phase == Phase::Dialing {
            if let Ok(Some(error)) | Err(error) = link.stream.take_error() {
                return Err(format!("cannot connect: {error}"));
            }
            let Some(handshake) = &self.handshake else { return Ok(()) };
            self.phase = Phase::Upgrading;
            let request = shared.target.request(&handshake.key);
            return link.send(request.as_bytes()).map_err(|e| format!("cannot connect: {e}"));
        }
        link.flush().map_err(|e| describe(&e))
    }

    /// Reads until the kernel has no more. Each event of the namespace goes to `on_event`, with
    /// the time of the read that completed it.
    ///
    /// # Errors
    /// A description when the connection has ended or the server broke the protocol.
    pub fn readable(
        &mut self,
        shared: &mut Shared<'_>,
        read_closed: bool,
        mut on_event: impl FnMut(&[u8], Nanos),
    ) -> Result<(), String> {
        loop {
            let Some(link) = &mut self.link else { return Ok(()) };
            let count = match link.stream.read(shared.buffer) {
                Ok(0) => return Err("the server closed the connection".to_owned()),
                Ok(count) => count,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(describe(&e)),
            };
            let now = shared.clock.now();
            let is_full = count == shared.buffer.len();
            if self.phase == Phase::Upgrading {
                let Some(mut rest) = self.upgrade(&shared.buffer[..count], now)? else { continue };
                self.decode(&mut rest, now, shared, &mut on_event)?;
            } else {
                // The buffer leaves `shared` for the call, since decoding needs the rest of it.
                let buffer = std::mem::take(&mut shared.buffer);
                let outcome = self.decode(&mut buffer[..count], now, shared, &mut on_event);
                shared.buffer = buffer;
                outcome?;
            }
            // A read that did not fill the buffer has emptied the socket, unless an end of the
            // stream lies behind the data.
            if !is_full && !read_closed {
                return Ok(());
            }
        }
    }

    /// Takes bytes of the response to the upgrade request; the bytes after it, once it is whole.
    fn upgrade(&mut self, bytes: &[u8], now: Nanos) -> Result<Option<Vec<u8>>, String> {
        let Some(handshake) = &mut self.handshake else { return Ok(None) };
        handshake.head.extend_from_slice(bytes);
        let Some(end) = handshake.head.windows(4).position(|window| window == b"\r\n\r\n") else {
            if handshake.head.len() > RESPONSE_HEAD_BYTES_MAX {
                return Err("the answer to the upgrade request is too long".to_owned());
            }
            return Ok(None);
        };
        let rest = handshake.head.split_off(end + 4);
        check_response(&handshake.head, &handshake.key)?;
        handshake.head = Vec::new();
        handshake.upgraded_at = now;
        self.phase = Phase::Opening;
        Ok(Some(rest))
    }

    fn decode(
        &mut self,
        bytes: &mut [u8],
        now: Nanos,
        shared: &mut Shared<'_>,
        on_event: &mut impl FnMut(&[u8], Nanos),
    ) -> Result<(), String> {
        let mut at = 0;
        let Self { link, decoder, phase, handshake, acknowledged } = self;
        let Some(link) = link else { return Ok(()) };
        loop {
            let step = decoder
                .decode(&mut bytes[at..])
                .map_err(|e| format!("the server broke the WebSocket protocol: {e}"))?;
            at += step.consumed;
            let (opcode, answer) = match step.event {
                None => return Ok(()),
                Some(Event::Text(text)) => match text.as_bytes() {
                    [b'4', b'2' | b'5', ..] => {
                        on_event(text.as_bytes(), now);
                        continue;
                    }
                    [b'2', payload @ ..] => (Opcode::Text, [b"3", payload].concat()),
                    [b'0', ..] if *phase == Phase::Opening => {
                        *phase = Phase::Joining;
                        (Opcode::Text, shared.target.join.clone().into_bytes())
                    }
                    [b'4', b'0', ..] if *phase == Phase::Joining => {
                        *phase = Phase::Joined;
                        if let Some(handshake) = handshake {
                            handshake.joined_at = now;
                        }
                        continue;
                    }
                    [b'4', b'3', ..] => {
                        *acknowledged = true;
                        continue;
                    }
                    [b'4', b'4', ..] => return Err(format!("the namespace was refused: {text}")),
                    [b'4', b'1', ..] | [b'1', ..] => {
                        return Err("the server ended the session".to_owned());
                    }
                    _ => continue,
                },
                Some(Event::Ping(payload)) => (Opcode::Pong, payload.to_vec()),
                Some(Event::Close(frame)) => {
                    return Err(format!("the server closed the WebSocket ({frame:?})"));
                }
                Some(Event::Binary(_) | Event::Pong(_)) => continue,
            };
            let mut out = Vec::new();
            let mask = shared.masks.next_key();
            relay_websocket::write_masked_frame(&mut out, opcode, &answer, mask);
            link.send(&out).map_err(|e| describe(&e))?;
        }
    }
}

fn describe(error: &io::Error) -> String {
    format!("the connection broke: {error}")
}

/// Checks status and `Sec-WebSocket-Accept` of the answer (RFC 6455 §4.1).
fn check_response(head: &[u8], key: &str) -> Result<(), String> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("101") {
        return Err(format!("the upgrade was refused: {status}"));
    }
    let accept = lines.filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("sec-websocket-accept").then(|| value.trim())
    });
    if accept.map(str::to_owned) != handshake::accept(key) {
        return Err("Sec-WebSocket-Accept does not belong to our key".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses() {
        // Key and answer are the example of RFC 6455 §1.3.
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        let check = |head: String, expected: bool| {
            assert_eq!(check_response(head.as_bytes(), key).is_ok(), expected, "{head}");
        };
        check(format!("HTTP/1.1 101 X\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"), true);
        check(format!("HTTP/1.1 101\r\nsec-websocket-accept:{accept}\r\n\r\n"), true);
        check(format!("HTTP/1.1 200 OK\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"), false);
        check("HTTP/1.1 101 X\r\nSec-WebSocket-Accept: AAAA\r\n\r\n".to_owned(), false);
        check("HTTP/1.1 101 X\r\n\r\n".to_owned(), false);
        check(String::new(), false);
    }
}
