//! Between the socket of the connection that listens and the client library: messages go to a list
//! of our own.
//!
//! The library would put all it reads into a list without bound, and take every message apart into
//! values first. So it is given a stream that holds no messages; they are cut out on the way
//! ([`Sifter`]). Past the bound nothing more is read until the list is empty, and Redis is held back
//! by TCP.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use super::Arrived;
use super::sift::Sifter;
use super::stats::{LinkStats, count};

/// Space for one read.
const READ_BYTES: usize = 16 * 1024;

#[derive(Debug, Default)]
struct List {
    messages: VecDeque<Arrived>,
    /// What the messages cost.
    bytes: usize,
    /// The bound was reached: nothing is read until all is taken.
    is_closed: bool,
    /// Everything read so far.
    read_bytes: u64,
    reader: Option<Waker>,
    taker: Option<Waker>,
}

/// What the reading and the taking end know of each other.
#[derive(Debug)]
pub(super) struct Gate {
    bytes_max: usize,
    stats: Arc<LinkStats>,
    list: Mutex<List>,
}

/// What a message costs beside its bytes, roughly.
const MESSAGE_BYTES: usize = size_of::<Arrived>();

fn bytes(message: &Arrived) -> usize {
    let pattern = message.pattern.as_ref().map_or(0, Bytes::len);
    MESSAGE_BYTES + pattern + message.channel.len() + message.payload.len()
}

impl Gate {
    pub(super) fn new(bytes_max: usize, stats: Arc<LinkStats>) -> Arc<Self> {
        Arc::new(Self { bytes_max, stats, list: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything read so far, in bytes: while it grows, Redis is there.
    pub(super) fn read_bytes(&self) -> u64 {
        self.lock().read_bytes
    }

    /// Whether anything is read now.
    pub(super) fn is_open(&self) -> bool {
        !self.lock().is_closed
    }

    /// Whether all that was read is taken.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().messages.is_empty()
    }

    /// The next message. Without one, `context` is woken when there is.
    pub(super) fn poll_take(&self, context: &Context<'_>) -> Poll<Arrived> {
        let mut list = self.lock();
        if let Some(message) = list.messages.pop_front() {
            list.bytes -= bytes(&message);
            return Poll::Ready(message);
        }
        list.is_closed = false;
        list.taker = Some(context.waker().clone());
        let reader = list.reader.take();
        drop(list);
        if let Some(reader) = reader {
            reader.wake();
        }
        Poll::Pending
    }
}

/// A stream without messages.
#[derive(Debug)]
pub(super) struct Gated<S> {
    stream: S,
    gate: Arc<Gate>,
    sifter: Sifter,
    /// What was read and is not whole yet.
    input: BytesMut,
    /// What is for the client library.
    rest: BytesMut,
}

impl<S> Gated<S> {
    pub(super) fn new(stream: S, gate: Arc<Gate>, sifter: Sifter) -> Self {
        Self { stream, gate, sifter, input: BytesMut::new(), rest: BytesMut::new() }
    }
}

impl<S: AsyncRead + Unpin> Gated<S> {
    /// Reads once. Zero bytes are the end.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let spare = self.input.capacity() - self.input.len();
        if self.input.is_empty() && spare > 4 * READ_BYTES {
            // A large message needed it.
            self.input = BytesMut::with_capacity(READ_BYTES);
        } else if spare < READ_BYTES / 4 {
            // Not before it is full: a message keeps all of the space that it was read into.
            self.input.reserve(READ_BYTES);
        }
        let reading = pin!(self.stream.read_buf(&mut self.input));
        let read = match reading.poll(context) {
            Poll::Ready(Ok(read)) => read,
            other => return other,
        };
        let mut list = self.gate.lock();
        list.read_bytes += read as u64;
        let before = list.messages.len();
        let sifted = self.sifter.sift(&mut self.input, &mut self.rest, |message| {
            list.bytes += bytes(&message);
            list.messages.push_back(message);
        });
        let taker = if list.messages.len() > before { list.taker.take() } else { None };
        drop(list);
        if let Some(taker) = taker {
            taker.wake();
        }
        sifted.map_err(|it| io::Error::new(io::ErrorKind::InvalidData, it))?;
        Poll::Ready(Ok(read))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gated<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.rest.is_empty() {
            let mut list = this.gate.lock();
            if !list.is_closed && list.bytes >= this.gate.bytes_max {
                list.is_closed = true;
                count(&this.gate.stats.held, 1);
            }
            if list.is_closed {
                list.reader = Some(context.waker().clone());
                return Poll::Pending;
            }
            drop(list);
            match this.poll_fill(context) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        let count = this.rest.len().min(buffer.remaining());
        buffer.put_slice(&this.rest.split_to(count));
        Poll::Ready(Ok(()))
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
    use std::sync::atomic::Ordering;

    use super::*;

    const MESSAGE: &[u8] = b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n";

    fn read(gated: &mut Gated<&[u8]>) -> Option<Vec<u8>> {
        let mut space = [0; 64];
        let mut buffer = ReadBuf::new(&mut space);
        let context = &mut Context::from_waker(Waker::noop());
        match Pin::new(gated).poll_read(context, &mut buffer) {
            Poll::Ready(_) => Some(buffer.filled().to_vec()),
            Poll::Pending => None,
        }
    }

    fn take(gate: &Gate) -> Option<Vec<u8>> {
        match gate.poll_take(&Context::from_waker(Waker::noop())) {
            Poll::Ready(message) => Some(message.payload.to_vec()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn the_client_library_reads_what_is_no_message() {
        let gate = Gate::new(1_000_000, Arc::default());
        let source = [b"+OK\r\n", MESSAGE, b":7\r\n", MESSAGE].concat();
        let mut gated = Gated::new(&*source, gate.clone(), Sifter::new(100));
        assert_eq!(read(&mut gated).as_deref(), Some(&b"+OK\r\n:7\r\n"[..]));
        assert_eq!(read(&mut gated).as_deref(), Some(&b""[..]), "the end");
        assert_eq!([(); 3].map(|()| take(&gate)), [Some(b"m".to_vec()), Some(b"m".to_vec()), None]);
        assert_eq!((gate.read_bytes(), gate.lock().bytes), (source.len() as u64, 0));
    }

    #[test]
    fn nothing_is_read_past_the_bound_until_all_is_taken() {
        let gate = Gate::new(10, Arc::default());
        // More than one read takes.
        let source = MESSAGE.repeat(2 * READ_BYTES / MESSAGE.len());
        let mut gated = Gated::new(&*source, gate.clone(), Sifter::new(100));
        assert_eq!(read(&mut gated), None);
        let once = gate.read_bytes();
        assert!(once < source.len() as u64 && !gate.is_open());
        while !gate.is_empty() {
            assert_eq!((read(&mut gated), gate.read_bytes()), (None, once));
            assert!(take(&gate).is_some());
        }
        assert_eq!((take(&gate), gate.stats.held.load(Ordering::Relaxed)), (None, 1));
        assert!(gate.is_open());
        assert_eq!(read(&mut gated), None);
        assert!(gate.read_bytes() > once);
    }

    #[test]
    fn what_is_no_resp_ends_the_stream() {
        let mut gated =
            Gated::new(&b"HTTP/1.1 400\r\n"[..], Gate::new(10, Arc::default()), Sifter::new(100));
        let context = &mut Context::from_waker(Waker::noop());
        let polled = Pin::new(&mut gated).poll_read(context, &mut ReadBuf::new(&mut [0; 8]));
        assert!(
            matches!(polled, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::InvalidData)
        );
    }
}
