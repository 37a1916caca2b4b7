//! A bound on what is read from Redis ahead of whoever takes the messages.
//!
//! The client reads whatever the socket has into a list without bound. So its socket is wrapped:
//! past the bound it reads nothing more until the list is empty, and Redis is held back by TCP.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the reading and the taking end know of each other.
#[derive(Debug)]
pub(super) struct Gate {
    bytes_max: u64,
    /// Everything read so far.
    read_bytes: AtomicU64,
    /// The same when the taking end was last without work.
    taken_bytes: AtomicU64,
    /// The taking end waits for messages: whatever is read now is wanted.
    is_idle: AtomicBool,
    reader: Mutex<Option<Waker>>,
}

impl Gate {
    pub(super) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes_max: bytes_max as u64,
            read_bytes: AtomicU64::new(0),
            taken_bytes: AtomicU64::new(0),
            is_idle: AtomicBool::new(true),
            reader: Mutex::new(None),
        })
    }

    /// Everything read so far, in bytes: while it grows, Redis is there.
    pub(super) fn read_bytes(&self) -> u64 {
        self.read_bytes.load(Ordering::SeqCst)
    }

    /// The taking end has found nothing to take.
    pub(super) fn idle(&self) {
        self.taken_bytes.store(self.read_bytes(), Ordering::SeqCst);
        self.is_idle.store(true, Ordering::SeqCst);
        let waiting = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reader) = waiting {
            reader.wake();
        }
    }

    /// The taking end has taken something.
    pub(super) fn busy(&self) {
        self.is_idle.store(false, Ordering::SeqCst);
    }

    /// Whether anything is read now.
    pub(super) fn is_open(&self) -> bool {
        self.is_idle.load(Ordering::SeqCst)
            || self.read_bytes() - self.taken_bytes.load(Ordering::SeqCst) < self.bytes_max
    }
}

/// A stream that reads through a [`Gate`].
#[derive(Debug)]
pub(super) struct Gated<S> {
    stream: S,
    gate: Arc<Gate>,
}

impl<S> Gated<S> {
    pub(super) fn new(stream: S, gate: Arc<Gate>) -> Self {
        Self { stream, gate }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gated<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.gate.is_open() {
            let mut reader = self.gate.reader.lock().unwrap_or_else(PoisonError::into_inner);
            *reader = Some(context.waker().clone());
            drop(reader);
            // It may have opened before it could wake anybody.
            if !self.gate.is_open() {
                return Poll::Pending;
            }
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let read = buffer.filled().len() - before;
        self.gate.read_bytes.fetch_add(read as u64, Ordering::SeqCst);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gated<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(gated: &mut Gated<&[u8]>, bytes: usize) -> Option<usize> {
        let mut space = vec![0; bytes];
        let mut buffer = ReadBuf::new(&mut space);
        let context = &mut Context::from_waker(Waker::noop());
        match Pin::new(gated).poll_read(context, &mut buffer) {
            Poll::Ready(_) => Some(buffer.filled().len()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn nothing_is_read_past_the_bound_until_all_is_taken() {
        let gate = Gate::new(10);
        let source = [0_u8; 100];
        let mut gated = Gated::new(&source[..], gate.clone());
        // Somebody waits: a message larger than the bound must get through.
        assert_eq!(read(&mut gated, 8), Some(8));
        assert_eq!(read(&mut gated, 8), Some(8));
        gate.busy();
        assert_eq!(read(&mut gated, 8), None);
        gate.idle();
        gate.busy();
        assert_eq!(read(&mut gated, 8), Some(8));
        assert_eq!(read(&mut gated, 8), Some(8));
        assert_eq!(read(&mut gated, 8), None);
        assert_eq!(gate.read_bytes(), 32);
        gate.idle();
        assert_eq!(read(&mut gated, 8), Some(8));
    }
}
