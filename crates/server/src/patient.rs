//! A TCP connection of HTTP: its peer takes what it is sent, or loses it, and may end its own side
//! behind a request.
//!
//! Between requests and while one waits for its answer there is nothing to send, and no timer.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use hyper::rt::{Read, ReadBufCursor, Write};

use crate::reactor::{Sleep, Socket, sleep};

/// Whether a connection is read. `hyper` takes the end of a client's side for the end of the client
/// and gives an answer up that is about to be written; so it does not see the end before. Not for
/// requests that wait for long: a client that goes away meanwhile must be noticed.
#[derive(Default)]
pub(crate) struct Ear {
    covered: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
    stuck: Cell<bool>,
}

impl Ear {
    /// Reads nothing until the value is dropped.
    pub(crate) fn cover(self: &Rc<Self>) -> Covered {
        self.covered.set(true);
        Covered(self.clone())
    }

    /// Whether the peer does not take what is written to it.
    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck.get()
    }
}

pub(crate) struct Covered(Rc<Ear>);

impl Drop for Covered {
    fn drop(&mut self) {
        self.0.covered.set(false);
        if let Some(waiting) = self.0.waiting.take() {
            waiting.wake();
        }
    }
}

pub(crate) struct Patient {
    io: Socket,
    /// What was read of it before.
    read: Bytes,
    ear: Rc<Ear>,
    patience: Duration,
    /// Runs while the peer takes nothing.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    pub(crate) fn new(stream: Socket, read: Bytes, ear: Rc<Ear>, patience: Duration) -> Self {
        Self { io: stream, read, ear, patience, stuck: None }
    }

    /// The socket, and what was read of it before and nobody asked for.
    pub(crate) fn into_inner(self) -> (Socket, Bytes) {
        (self.io, self.read)
    }

    /// Passes on what a write said; one that waits for too long has failed.
    fn judge<T>(
        &mut self,
        cx: &mut Context<'_>,
        wrote: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.ear.stuck.set(wrote.is_pending());
        if wrote.is_ready() {
            self.stuck = None;
            return wrote;
        }
        let patience = self.patience;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(patience)));
        stuck.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Read for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ear.covered.get() {
            *self.ear.waiting.borrow_mut() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if !self.read.is_empty() {
            let part = self.read.len().min(buffer.remaining());
            buffer.put_slice(&self.read.split_to(part));
            return Poll::Ready(Ok(()));
        }
        Read::poll_read(Pin::new(&mut self.io), cx, buffer)
    }
}

impl Write for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Write::poll_write(Pin::new(&mut self.io), cx, bytes);
        self.judge(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.io).poll_write_vectored(cx, parts);
        self.judge(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
