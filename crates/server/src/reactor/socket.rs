//! A socket that tasks read and write.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt;
use mio::net::TcpStream;
use tokio::task::coop::{has_budget_remaining, poll_proceed};

use super::{REACTOR, Registration, Side, defer, with_registry};

/// A TCP connection of HTTP, on the epoll of the shard whose thread this is.
pub(crate) struct Socket {
    stream: TcpStream,
    registration: Registration,
}

impl Socket {
    /// # Errors
    /// What the kernel says of one more registration.
    pub(crate) fn new(mut stream: TcpStream) -> io::Result<Self> {
        let registration = Registration::new(&mut stream)?;
        Ok(Self { stream, registration })
    }

    /// The bare socket, still on this shard's epoll.
    pub(crate) fn into_registered(self) -> TcpStream {
        self.stream
    }

    /// The bare socket, for whichever thread.
    pub(crate) fn into_bare(self) -> io::Result<TcpStream> {
        let Self { mut stream, .. } = self;
        with_registry(|registry| registry.deregister(&mut stream))?;
        Ok(stream)
    }

    /// Reads what is there; 0 at the end.
    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let ready = &self.registration.ready;
        let read = poll(&ready.read, cx, || (&self.stream).read(buffer));
        if let Poll::Ready(Ok(read)) = read
            && read < buffer.len()
        {
            // A short read has emptied the socket; the next bytes announce themselves.
            ready.read.ready.set(ready.ending.get());
        }
        read
    }

    /// Writes what the socket takes.
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        poll(&self.registration.ready.write, cx, || (&self.stream).write(bytes))
    }

    /// Ends this side.
    pub(crate) fn end(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }
}

/// Tries while the kernel says that it may succeed, and has the task woken when it says so next. Who
/// has been served for long enough in this turn is served on in the next: a client that always has
/// more to say must not keep its shard.
fn poll<T>(
    side: &Side,
    cx: &mut Context<'_>,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> Poll<io::Result<T>> {
    if !has_budget_remaining() {
        defer(cx);
        return Poll::Pending;
    }
    let turn = ready!(poll_proceed(cx));
    while side.ready.get() {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => side.ready.set(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => {
                turn.made_progress();
                return Poll::Ready(done);
            }
        }
    }
    let task = side.task.take().filter(|task| task.will_wake(cx.waker()));
    side.task.set(Some(task.unwrap_or_else(|| cx.waker().clone())));
    Poll::Pending
}

impl rt::Read for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut to: rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        REACTOR.with(|reactor| {
            let buffer = &mut *reactor.buffer.borrow_mut();
            let room = to.remaining().min(buffer.len());
            Socket::poll_read(&self, cx, &mut buffer[..room])
                .map_ok(|read| to.put_slice(&buffer[..read]))
        })
    }
}

impl rt::Write for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Socket::poll_write(&self, cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        poll(&self.registration.ready.write, cx, || (&self.stream).write_vectored(parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.end())
    }
}
