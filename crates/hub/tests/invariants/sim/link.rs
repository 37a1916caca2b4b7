//! The TCP connection under a WebSocket, between a client and its shard: what is on its way in
//! either direction, and who has ended it.

use std::collections::VecDeque;

use relay_websocket::{Decoder, Opcode, Role, write_masked_frame};

use super::random::Random;

pub(crate) struct Link {
    /// It refused bytes.
    pub(super) refused: bool,
    /// The server shut its sending side down.
    pub(super) finished: bool,
    /// The server dropped the TCP connection, or it was never made.
    pub(crate) dropped: bool,
    /// The server has seen the end of the TCP connection.
    pub(super) is_gone: bool,
    /// The server's close frame came.
    pub(super) closed: bool,
    /// It hangs up when everything it sent has been read.
    pub(crate) hangs_up: bool,
    /// From the client, not yet read by the server.
    sent: VecDeque<u8>,
    /// From the server, not yet read by the client.
    socket: VecDeque<u8>,
    /// `None` only while bytes are being worked on.
    pub(super) frames: Option<Decoder>,
}

impl Link {
    pub(super) fn new() -> Self {
        Self {
            refused: false,
            finished: false,
            dropped: false,
            is_gone: false,
            closed: false,
            hangs_up: false,
            sent: VecDeque::new(),
            socket: VecDeque::new(),
            frames: Some(Decoder::new(Role::Client, 16_000_000)),
        }
    }

    /// No connection at all.
    pub(super) fn none() -> Self {
        Self { dropped: true, is_gone: true, ..Self::new() }
    }

    /// Sends one frame; the key is as good as any, since the stream is not looked at in between.
    pub(super) fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut bytes = Vec::new();
        let mask = u32::try_from(self.sent.len()).unwrap_or(7).to_be_bytes();
        write_masked_frame(&mut bytes, opcode, payload, mask);
        self.send_raw(&bytes);
    }

    pub(super) fn send_raw(&mut self, bytes: &[u8]) {
        self.sent.extend(bytes);
    }

    /// Whether the server can read something of it: bytes or the end.
    pub(super) fn is_readable(&self) -> bool {
        !self.dropped && !self.is_gone && (!self.sent.is_empty() || self.hangs_up)
    }

    /// Whether the client's side, which holds so many bytes, has room again after it refused.
    pub(super) fn is_writable(&self, bytes_max: usize) -> bool {
        self.refused && !self.dropped && self.socket.len() < bytes_max
    }

    /// Whether the client would read, or notice the end.
    pub(super) fn has_work(&self) -> bool {
        !self.socket.is_empty() || (self.finished && !self.hangs_up)
    }

    /// Whether nothing is on its way to the client.
    pub(super) fn is_quiet(&self) -> bool {
        self.socket.is_empty() && !self.refused
    }

    /// What one read call gives; `None` at the end.
    pub(super) fn take_sent(&mut self, max: usize, random: &mut Random) -> Option<Vec<u8>> {
        if self.sent.is_empty() {
            return None;
        }
        let small = if random.one_in(4) { 1 + random.up_to(40) } else { max };
        let n = self.sent.len().min(small).min(max);
        Some(self.sent.drain(..n).collect())
    }

    /// Takes as much as fits.
    pub(super) fn offer(&mut self, bytes: &[u8], bytes_max: usize) -> usize {
        let n = bytes.len().min(bytes_max.saturating_sub(self.socket.len()));
        self.socket.extend(&bytes[..n]);
        n
    }

    /// The client takes some of what waits for it: at most `most` bytes if it is slow.
    pub(super) fn take_received(&mut self, slow: Option<usize>, random: &mut Random) -> Vec<u8> {
        let waiting = self.socket.len();
        let n = slow.map_or(waiting, |most| waiting.min(1 + random.up_to(most)));
        self.socket.drain(..n).collect()
    }
}
