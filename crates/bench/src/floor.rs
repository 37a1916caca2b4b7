//! The floor: one thread of bare epoll that does as little for a message as can be done.
//!
//! It is an opponent, not a server. It answers just enough of Socket.IO for the generator: the
//! upgrade, one open packet, one CONNECT answer, one acknowledgement for any event that asks for
//! one, `"destino":"yo"` as an echo by one write, and every other event as a broadcast by one write
//! for each frame and each socket. There is no polling, no heartbeat, no check of what clients
//! send, no room, and no bound on a queue.
//!
//! Its frame reader is its own on purpose: a floor must not get slower together with the codec
//! that it is compared with.

use clap::Args;
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use relay_websocket::{Opcode, handshake, write_frame};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

/// Options of the floor.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The port to listen on.
    #[arg(long, default_value_t = 5002)]
    pub port: u16,
    /// Write all frames of one pass of the loop to a socket in one call.
    #[arg(long)]
    pub batch: bool,
}

const LISTENER: Token = Token(usize::MAX);
const EVENTS_MAX: usize = 1024;
const READ_BUFFER_BYTES: usize = 64 << 10;
const OPEN_PACKET: &[u8] =
    br#"0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
const CONNECT_ANSWER: &[u8] = br#"40/relay,{"sid":"b"}"#;
/// What an event that asks for an acknowledgement begins with, and the acknowledgement.
const ASKING: &[u8] = b"42/relay,0";
const ACKNOWLEDGEMENT: &[u8] = b"43/relay,0[true]";
const ECHO_MARK: &[u8] = br#""destino":"yo""#;

/// Listens on all addresses and serves until the process is ended.
///
/// # Errors
/// When the port is taken or epoll fails.
pub fn run(options: &Options) -> io::Result<()> {
    crate::os::raise_descriptor_limit()?;
    Floor::bind(SocketAddr::from(([0, 0, 0, 0], options.port)), options.batch)?.serve()
}

/// One connection.
struct Connection {
    stream: TcpStream,
    /// An incomplete request or frame; no heap between messages.
    partial: Vec<u8>,
    /// What the socket did not take.
    pending: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Reads the upgrade request.
    Http,
    /// Has the open packet.
    Open,
    /// Has sent CONNECT, gets broadcasts.
    Joined,
}

/// The server.
pub struct Floor {
    listener: TcpListener,
    poll: Poll,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    batch: bool,
    buffer: Vec<u8>,
    broadcasts: Broadcasts,
}

/// Frames of this pass for everybody, one after the other.
#[derive(Default)]
struct Broadcasts {
    bytes: Vec<u8>,
    /// Where each frame ends.
    ends: Vec<usize>,
}

impl Floor {
    /// Listens on `address`; with `batch`, frames are written in as few calls as possible.
    ///
    /// # Errors
    /// When the address is taken.
    pub fn bind(address: SocketAddr, batch: bool) -> io::Result<Self> {
        let mut listener = TcpListener::bind(address)?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            listener,
            poll,
            connections: Vec::new(),
            free: Vec::new(),
            batch,
            buffer: vec![0; READ_BUFFER_BYTES],
            broadcasts: Broadcasts::default(),
        })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves for ever.
    ///
    /// # Errors
    /// When epoll fails.
    pub fn serve(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept_all(),
                    Token(index) => self.on_ready(index, event),
                }
            }
            self.send_broadcasts();
        }
    }

    fn accept_all(&mut self) {
        // Any error but "no more" (say, no descriptor left) waits for the next connection.
        while let Ok((mut stream, _)) = self.listener.accept() {
            let _ = stream.set_nodelay(true);
            let index = self.free.pop().unwrap_or(self.connections.len());
            let token = Token(index);
            if self.poll.registry().register(&mut stream, token, Interest::READABLE).is_err() {
                continue;
            }
            let (partial, pending) = (Vec::new(), Vec::new());
            let connection = Some(Connection { stream, partial, pending, state: State::Http });
            match self.connections.get_mut(index) {
                Some(place) => *place = connection,
                None => self.connections.push(connection),
            }
        }
    }

    fn on_ready(&mut self, index: usize, event: &Event) {
        let Some(Some(connection)) = self.connections.get_mut(index) else { return };
        let mut alive = true;
        if event.is_writable() {
            let pending = std::mem::take(&mut connection.pending);
            alive = connection.send(&pending, index, &self.poll);
        }
        if alive && event.is_readable() {
            alive = connection.read(&mut self.buffer, &mut self.broadcasts, index, &self.poll);
        }
        if !alive {
            self.connections[index] = None;
            self.free.push(index);
        }
    }

    fn send_broadcasts(&mut self) {
        let Broadcasts { bytes, ends } = &mut self.broadcasts;
        if self.batch && ends.len() > 1 {
            ends.drain(..ends.len() - 1);
        }
        let mut start = 0;
        for &end in ends.iter() {
            for (index, place) in self.connections.iter_mut().enumerate() {
                let Some(connection) = place.as_mut().filter(|c| c.state == State::Joined) else {
                    continue;
                };
                if !connection.send(&bytes[start..end], index, &self.poll) {
                    *place = None;
                    self.free.push(index);
                }
            }
            start = end;
        }
        bytes.clear();
        ends.clear();
    }
}

impl Connection {
    /// Writes, and keeps what the socket does not take; `false` when the connection is gone.
    fn send(&mut self, bytes: &[u8], index: usize, poll: &Poll) -> bool {
        if !self.pending.is_empty() {
            self.pending.extend_from_slice(bytes);
            return true;
        }
        let mut taken = 0;
        while taken < bytes.len() {
            match self.stream.write(&bytes[taken..]) {
                Ok(count) => taken += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.pending.extend_from_slice(&bytes[taken..]);
                    let both = Interest::READABLE | Interest::WRITABLE;
                    return poll
                        .registry()
                        .reregister(&mut self.stream, Token(index), both)
                        .is_ok();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// Reads until the socket is empty; `false` when the connection is gone.
    fn read(
        &mut self,
        buffer: &mut [u8],
        broadcasts: &mut Broadcasts,
        index: usize,
        poll: &Poll,
    ) -> bool {
        loop {
            let count = match self.stream.read(buffer) {
                Ok(0) => return false,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return false,
            };
            let alive = if self.partial.is_empty() {
                self.take(&mut buffer[..count], broadcasts, index, poll)
            } else {
                let mut bytes = std::mem::take(&mut self.partial);
                bytes.extend_from_slice(&buffer[..count]);
                self.take(&mut bytes, broadcasts, index, poll)
            };
            if !alive || count < buffer.len() {
                return alive;
            }
        }
    }

    /// Handles all that is whole in `bytes` and keeps the rest.
    fn take(
        &mut self,
        bytes: &mut [u8],
        broadcasts: &mut Broadcasts,
        index: usize,
        poll: &Poll,
    ) -> bool {
        let mut at = 0;
        if self.state == State::Http {
            let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
                self.partial = bytes.to_vec();
                return true;
            };
            let Some(answer) = upgrade(&bytes[..end]) else { return false };
            if !self.send(&answer, index, poll) {
                return false;
            }
            self.state = State::Open;
            at = end + 4;
        }
        while let Some((used, message)) = unmask(&mut bytes[at..]) {
            let message = at + message.start..at + message.end;
            if !self.on_message(&bytes[message], broadcasts, index, poll) {
                return false;
            }
            at += used;
        }
        if at < bytes.len() {
            self.partial = bytes[at..].to_vec();
        }
        true
    }

    fn on_message(
        &mut self,
        message: &[u8],
        broadcasts: &mut Broadcasts,
        index: usize,
        poll: &Poll,
    ) -> bool {
        if message.starts_with(ASKING) {
            return self.send(&framed(ACKNOWLEDGEMENT), index, poll);
        }
        if message.starts_with(b"42") {
            if message.windows(ECHO_MARK.len()).any(|window| window == ECHO_MARK) {
                return self.send(&framed(message), index, poll);
            }
            write_frame(&mut broadcasts.bytes, Opcode::Text, message);
            broadcasts.ends.push(broadcasts.bytes.len());
        } else if message.starts_with(b"40") {
            self.state = State::Joined;
            return self.send(&framed(CONNECT_ANSWER), index, poll);
        }
        true
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    write_frame(&mut frame, Opcode::Text, message);
    frame
}

/// The answer to an upgrade request, with the open packet behind it.
fn upgrade(request: &[u8]) -> Option<Vec<u8>> {
    let request = std::str::from_utf8(request).ok()?;
    let key =
        request.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
            name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
        })?;
    let accept = handshake::accept(key)?;
    let mut answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes();
    write_frame(&mut answer, Opcode::Text, OPEN_PACKET);
    Some(answer)
}

/// Unmasks the frame at the beginning of `bytes`, if it is whole: its length and where its
/// payload lies. Frames of more than 65,535 bytes are never whole.
fn unmask(bytes: &mut [u8]) -> Option<(usize, std::ops::Range<usize>)> {
    let (header, length) = match *bytes {
        [_, length, ..] if length & 127 < 126 => (2, usize::from(length & 127)),
        [_, length, high, low, ..] if length & 127 == 126 => {
            (4, usize::from(u16::from_be_bytes([high, low])))
        }
        _ => return None,
    };
    let start = header + 4;
    let end = start + length;
    let frame = bytes.get_mut(..end)?;
    let (head, payload) = frame.split_at_mut(start);
    for (byte, key) in payload.iter_mut().zip(head[header..].iter().cycle()) {
        *byte ^= key;
    }
    Some((end, start..end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use relay_websocket::write_masked_frame;

    #[test]
    fn frames() {
        for length in [0, 1, 125, 126, 150, 65_535] {
            let payload = vec![b'x'; length];
            let mut bytes = Vec::new();
            write_masked_frame(&mut bytes, Opcode::Text, &payload, [1, 2, 3, 4]);
            let whole = bytes.len();
            for cut in [0, 1, whole / 2, whole - 1] {
                assert_eq!(unmask(&mut bytes[..cut]), None, "{length} cut at {cut}");
            }
            bytes.push(b'y');
            let (used, range) = unmask(&mut bytes).unwrap();
            assert_eq!((used, &bytes[range]), (whole, &payload[..]));
        }
    }

    #[test]
    fn upgrades() {
        let request = b"GET / HTTP/1.1\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
        let answer = upgrade(request).unwrap();
        let head = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        assert!(answer.windows(head.len()).any(|window| window == head));
        assert!(answer.ends_with(OPEN_PACKET));
        assert_eq!(upgrade(b"GET / HTTP/1.1\r\nHost: x"), None);
    }
}
