//! A client's socket and the bytes that it has not taken: a write may be partial.

use mio::net::TcpStream;
use std::io::{self, ErrorKind, Write};

/// The socket and what it has not taken yet.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) stream: TcpStream,
    /// What waits for the socket to become writable.
    pub(crate) pending: Vec<u8>,
    /// Bytes that the kernel has taken.
    pub(crate) written: u64,
}

impl Link {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, pending: Vec::new(), written: 0 }
    }

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
        self.written += taken as u64;
        Ok(taken)
    }
}
