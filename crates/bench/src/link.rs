//! A client's sockets: the bytes that one has not taken (a write may be partial), and what the
//! clients of a thread share when they make one or read from it.

use crate::clock::{Clock, Nanos, SECOND};
use crate::masks::Masks;
use crate::os;
use crate::target::Target;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};

/// Bytes of one client that wait for its socket; more are refused, since then the server has long
/// held this client back.
pub(crate) const PENDING_BYTES_MAX: usize = 64 << 20;

/// What one of a client's connections is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// The WebSocket.
    Socket,
    /// The GETs that wait for packets.
    Poll,
    /// The POSTs.
    Post,
}

impl Lane {
    pub(crate) const ALL: [Self; 3] = [Self::Socket, Self::Poll, Self::Post];

    /// The token of this connection of the client with this local number.
    fn token(self, local: usize) -> Token {
        Token(local * Self::ALL.len() + self as usize)
    }

    /// The local number of a client and which of its connections has this token.
    pub(crate) fn of(token: Token) -> (usize, Self) {
        (token.0 / Self::ALL.len(), Self::ALL[token.0 % Self::ALL.len()])
    }
}

/// What all clients of a thread share while one of them is served.
pub(crate) struct Shared<'a> {
    /// The read buffer; messages are decoded where they lie.
    pub(crate) buffer: &'a mut [u8],
    /// For packets and frames while they are put together; empty between two uses.
    pub(crate) scratch: &'a mut Scratch,
    /// Whom the clients talk to.
    pub(crate) target: &'a Target,
    /// The measurement's clock.
    pub(crate) clock: Clock,
    /// Masking keys.
    pub(crate) masks: &'a mut Masks,
    /// Where new connections are registered.
    pub(crate) registry: &'a Registry,
    /// Connections of clients that are gone without a word.
    pub(crate) ghosts: &'a mut Ghosts,
    /// The client's number in this thread, and over all threads.
    pub(crate) local: usize,
    pub(crate) number: usize,
}

/// Connections that stay open while nobody reads them, with the time at which each was left alone.
#[derive(Debug, Default)]
pub(crate) struct Ghosts(VecDeque<(Nanos, TcpStream)>);

impl Ghosts {
    /// Longer than any server waits for a sign of life.
    const STAY: Nanos = 90 * SECOND;

    fn add(&mut self, stream: TcpStream, now: Nanos) {
        while self.0.front().is_some_and(|&(since, _)| since + Self::STAY < now) {
            self.0.pop_front();
        }
        self.0.push_back((now, stream));
    }
}

/// Buffers that are used again and again.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Engine.IO packets to be sent.
    pub(crate) packet: Vec<u8>,
    /// WebSocket frames to be sent.
    pub(crate) frames: Vec<u8>,
}

impl Shared<'_> {
    /// Begins a connection; `first` is what it sends as soon as it is open.
    pub(crate) fn dial(&self, lane: Lane, first: Vec<u8>) -> io::Result<Link> {
        let mut stream =
            os::dial(self.target.instance(self.number), self.target.source(self.number))?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut stream, lane.token(self.local), interest)?;
        Ok(Link { stream, pending: first })
    }

    /// Leaves a connection alone, open.
    pub(crate) fn haunt(&mut self, link: Link) {
        let Link { mut stream, .. } = link;
        // If this fails its events go to whoever has its place, and mean nothing there.
        let _ = self.registry.deregister(&mut stream);
        self.ghosts.add(stream, self.clock.now());
    }
}

/// Says what went wrong with a connection.
pub(crate) fn describe(error: &io::Error) -> String {
    format!("the connection broke: {error}")
}

/// The socket and what it has not taken yet.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) stream: TcpStream,
    /// What waits for the socket to become writable.
    pub(crate) pending: Vec<u8>,
}

impl Link {
    /// Sends behind what waits already.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.pending.is_empty() {
            self.pending.extend_from_slice(bytes);
            return Ok(());
        }
        let taken = self.write(bytes)?;
        self.pending.extend_from_slice(&bytes[taken..]);
        Ok(())
    }

    /// Writes what waits; to be called when the socket became writable.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        let taken = self.write(&pending)?;
        if taken < pending.len() {
            self.pending = pending;
            self.pending.drain(..taken);
        }
        Ok(())
    }

    /// Writes until the kernel takes no more; returns how much it took.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        while taken < bytes.len() {
            match self.stream.write(&bytes[taken..]) {
                Ok(count) => taken += count,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        for local in [0, 1, 7, 20_000] {
            for lane in Lane::ALL {
                assert_eq!(Lane::of(lane.token(local)), (local, lane));
            }
        }
    }
}
