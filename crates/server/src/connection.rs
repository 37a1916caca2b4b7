//! One TCP connection of HTTP/1.1, from its first byte until it ends or becomes a WebSocket.
//!
//! `hyper` holds the connection while something is said, and buffers of many kilobytes with it.
//! Between requests, and while a poll waits for its answer, nothing is said: then the connection is
//! taken apart and is a bare socket. Does not own what a request is answered: that is `visit`.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::header;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Version};
use mio::net::TcpStream;

use crate::answer::{Answer, AnswerBody};
use crate::http::{Accepted, Door, OpenSlot, Upgraded, close_politely, names_session};
use crate::patient::{Covered, Ear, Patient};
use crate::polling;
use crate::reactor::{HttpTimer, Socket, defer, timeout};
use crate::upgrade::has_token;
use crate::visit::Visit;

/// What a poll that was answered is to `hyper`: a request whose answer is there. So there is one
/// writer of answers.
const ASKED_BEFORE: &[u8] = b"GET / HTTP/1.1\r\nhost: relay\r\n\r\n";

/// Whoever has more to ask at once, as a pipeline, goes on in the next turn.
const REQUESTS_PER_TURN: u32 = 16;

/// What is read at once while `hyper` is not there: the head of a browser's request, and a small body.
const HEAR_BYTES: usize = 2 * 1024;

/// Serves one TCP connection until it ends or becomes a WebSocket.
pub(crate) async fn serve(door: Rc<Door>, stream: TcpStream, peer: IpAddr, slot: OpenSlot) {
    let accepted = Rc::new(Cell::new(None));
    let reserved = slot.reserved;
    let client = Client { door: door.clone(), peer, reserved, accepted: accepted.clone() };
    let served = if reserved {
        let patience = door.shared.limits().reserved_http_timeout;
        Box::pin(timeout(patience, client.serve(stream))).await.unwrap_or(Ok(None))
    } else {
        client.serve(stream).await
    };
    let (stream, leftover) = match served {
        Ok(Some((stream, leftover))) => (stream, leftover),
        Ok(None) => return,
        Err(_) => {
            door.shared.stats.http_errors.fetch_add(1, Ordering::Relaxed);
            return;
        }
    };
    let Some(accepted) = accepted.take() else { return };
    let upgraded = |stream, is_registered| Upgraded { stream, is_registered, leftover, slot };
    match accepted {
        Accepted::Session(handshake) => {
            let upgraded = upgraded(stream.into_registered(), true);
            door.upgraded.borrow_mut().push((handshake, upgraded));
            door.shared.mailboxes[door.shard].wake();
        }
        Accepted::Probe(session) => {
            if let Ok(stream) = stream.into_bare() {
                polling::probe(&door.shared, session, upgraded(stream, false));
            }
        }
        Accepted::Nothing => {
            if let Ok(stream) = stream.into_bare() {
                let patience = door.shared.limits().close_timeout;
                Box::pin(close_politely(upgraded(stream, false), patience)).await;
            }
        }
    }
}

/// Who is served.
struct Client {
    door: Rc<Door>,
    peer: IpAddr,
    /// The connection uses a reserved descriptor.
    reserved: bool,
    accepted: Rc<Cell<Option<Accepted>>>,
}

/// A request under way.
type Visiting = Pin<Box<dyn Future<Output = Answer>>>;

/// Where `hyper` leaves a request and finds its answer.
#[derive(Default)]
struct Desk {
    visiting: RefCell<Option<Visiting>>,
    answer: RefCell<Option<Answer>>,
    /// Requests taken.
    taken: Cell<u32>,
    /// The answer to the last of them is not yet with `hyper`.
    busy: Cell<bool>,
    /// The last of them may wait for long.
    is_poll: Cell<bool>,
    /// Something of its body may still be to be read, and only `hyper` knows where it ends.
    unread: Rc<Cell<bool>>,
    /// The last answer is written as the program makes it.
    streams: Cell<bool>,
    /// Until `hyper` has the answer.
    covered: Rc<Cell<Option<Covered>>>,
}

impl Desk {
    fn advance(&self, cx: &mut Context<'_>) {
        let mut visiting = self.visiting.borrow_mut();
        if let Some(Poll::Ready(answer)) = visiting.as_mut().map(|it| it.as_mut().poll(cx)) {
            *visiting = None;
            *self.answer.borrow_mut() = Some(answer);
        }
    }

    /// What `hyper` awaits. It is polled in one turn with the visit and behind it: nobody needs to
    /// be woken.
    fn poll_answer(&self) -> Poll<Answer> {
        let Some(answer) = self.answer.take() else { return Poll::Pending };
        self.busy.set(false);
        self.streams.set(matches!(answer.body(), AnswerBody::Streamed(_)));
        self.covered.set(None);
        Poll::Ready(answer)
    }

    /// Whether `hyper` is not needed for now, once it has nothing more to write.
    fn is_quiet(&self) -> bool {
        let waits = if self.busy.get() { self.is_poll.get() } else { self.taken.get() > 0 };
        waits && !self.unread.get() && !self.streams.get()
    }
}

/// Something is said until this is dropped.
struct Speaking<'a>(&'a Door);

impl<'a> Speaking<'a> {
    fn begin(door: &'a Door) -> Self {
        door.speaking.set(door.speaking.get() + 1);
        Self(door)
    }
}

impl Drop for Speaking<'_> {
    fn drop(&mut self) {
        self.0.speaking.set(self.0.speaking.get() - 1);
    }
}

/// Why `hyper` does not hold a connection any more; with what was read of it behind the last
/// request.
enum Pause {
    /// It ended, or is a WebSocket.
    End(Socket, Bytes),
    /// Nothing is asked.
    Idle(Socket, Bytes),
    /// A poll waits.
    Poll(Socket, Bytes, Visiting),
}

impl Client {
    /// Serves requests until the connection ends, or is a WebSocket.
    async fn serve(&self, stream: TcpStream) -> io::Result<Option<(Socket, Bytes)>> {
        let mut stream = Socket::new(stream)?;
        let mut read = Bytes::new();
        let mut answer = None;
        // Who has just come has something to ask.
        let mut speaking = Some(Speaking::begin(&self.door));
        loop {
            if read.is_empty() {
                let patience = self.door.shared.limits().http_head_timeout;
                // Who asks nothing for so long is owed nothing.
                let heard = timeout(patience, hear(&stream)).await;
                let Some(Some(heard)) = heard else { return Ok(None) };
                read = heard;
            }
            let spoken = speaking.take().unwrap_or_else(|| Speaking::begin(&self.door));
            let pause = self.speak(stream, read, answer.take()).await?;
            drop(spoken);
            (stream, read) = match pause {
                Pause::End(stream, read) => return Ok(Some((stream, read))),
                Pause::Idle(stream, read) => (stream, read),
                Pause::Poll(stream, read, visiting) => {
                    let waited = wait(&stream, visiting).await;
                    let Some((answered, behind)) = waited else { return Ok(None) };
                    answer = Some(answered);
                    (stream, [ASKED_BEFORE, &read, &behind].concat().into())
                }
            };
        }
    }

    /// Gives the connection to `hyper`, `read` being what was read of it, until nothing is said any
    /// more. `answer` is for the first request.
    async fn speak(
        &self,
        stream: Socket,
        read: Bytes,
        answer: Option<Answer>,
    ) -> io::Result<Pause> {
        let limits = self.door.shared.limits();
        let ear = Rc::new(Ear::default());
        let desk = Rc::new(Desk { answer: RefCell::new(answer), ..Desk::default() });
        let service = service_fn(|request| {
            self.take(request, &desk, &ear);
            let desk = desk.clone();
            std::future::poll_fn(move |_| desk.poll_answer().map(Ok::<_, Infallible>))
        });
        let io = Patient::new(stream, read, ear.clone(), limits.http_write_timeout);
        let connection = http1::Builder::new()
            .timer(HttpTimer)
            .header_read_timeout(limits.http_head_timeout)
            .max_headers(limits.http_headers_max)
            .max_buf_size(limits.http_head_bytes_max)
            .serve_connection(io, service);
        // On the heap: while it is not there, nothing is held for it.
        let mut connection = Box::new(connection);
        let ended = std::future::poll_fn(|cx| {
            for _ in 0..REQUESTS_PER_TURN {
                let taken = desk.taken.get();
                desk.advance(cx);
                match connection.poll_without_shutdown(cx) {
                    Poll::Ready(ended) => return Poll::Ready(Some(ended)),
                    Poll::Pending if desk.taken.get() != taken => {}
                    Poll::Pending if desk.is_quiet() && !ear.is_stuck() => {
                        return Poll::Ready(None);
                    }
                    Poll::Pending => return Poll::Pending,
                }
            }
            defer(cx);
            Poll::Pending
        });
        let is_over = match ended.await {
            Some(ended) => ended.map(|()| true).map_err(io::Error::other)?,
            None => false,
        };
        let parts = connection.into_parts();
        let (stream, behind) = parts.io.into_inner();
        // A copy: even an empty part of its buffer would keep the whole.
        let read = [&parts.read_buf[..], &behind].concat().into();
        Ok(match desk.visiting.take() {
            _ if is_over => Pause::End(stream, read),
            Some(visiting) => Pause::Poll(stream, read, visiting),
            None => Pause::Idle(stream, read),
        })
    }

    /// Begins to answer a request.
    fn take(&self, request: Request<Incoming>, desk: &Desk, ear: &Rc<Ear>) {
        desk.taken.set(desk.taken.get() + 1);
        desk.busy.set(true);
        desk.streams.set(false);
        if desk.answer.borrow().is_some() {
            return;
        }
        desk.unread.set(!request.body().is_end_stream());
        let for_session = names_session(request.uri());
        desk.is_poll.set(for_session && may_wait(&request));
        desk.covered.set((!for_session).then(|| ear.cover()));
        let visit = Visit {
            door: self.door.clone(),
            peer: self.peer,
            reserved: self.reserved,
            accepted: self.accepted.clone(),
            unread: desk.unread.clone(),
            covered: desk.covered.clone(),
        };
        *desk.visiting.borrow_mut() = Some(Box::pin(visit.answer(request)));
    }
}

/// Whether `hyper` needs to know nothing of a request to write its answer.
fn may_wait(request: &Request<Incoming>) -> bool {
    let headers = request.headers();
    request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && !headers.contains_key(header::UPGRADE)
        && !headers.contains_key(header::EXPECT)
        && !has_token(headers, &header::CONNECTION, "close")
}

/// Waits for bytes and takes what is there; `None` at the end of the connection.
async fn hear(stream: &Socket) -> Option<Bytes> {
    std::future::poll_fn(|cx| {
        // Here and not in the connection: between two requests there is no buffer.
        let mut buffer = [0; HEAR_BYTES];
        poll_read(stream, cx, &mut buffer).map(|read| Some(Bytes::copy_from_slice(read?)))
    })
    .await
}

/// Waits for the answer to a poll, and notices that the client goes away: then there is `None`.
/// What the client sends meanwhile comes back too; no stock client sends anything, and past the size
/// of one read the kernel keeps it.
async fn wait(stream: &Socket, mut visiting: Visiting) -> Option<(Answer, Vec<u8>)> {
    let mut behind = Vec::new();
    let answer = std::future::poll_fn(|cx| {
        if let Poll::Ready(answer) = visiting.as_mut().poll(cx) {
            return Poll::Ready(Some(answer));
        }
        let mut buffer = [0; HEAR_BYTES];
        while behind.len() < HEAR_BYTES {
            match ready!(poll_read(stream, cx, &mut buffer)) {
                Some(read) => behind.extend_from_slice(read),
                None => return Poll::Ready(None),
            }
        }
        Poll::Pending
    });
    Some((answer.await?, behind))
}

/// Reads once; `None` at the end of the connection, in peace or not.
fn poll_read<'a>(
    stream: &Socket,
    cx: &mut Context<'_>,
    buffer: &'a mut [u8],
) -> Poll<Option<&'a [u8]>> {
    let read = ready!(stream.poll_read(cx, buffer)).unwrap_or(0);
    Poll::Ready((read > 0).then(|| &buffer[..read]))
}

#[cfg(test)]
mod tests {
    use super::serve;
    use crate::visit::Visit;

    /// What a connection costs that waits, and what a poll costs beside it. Most of it is what the
    /// futures below hold while they answer.
    #[test]
    fn a_connection_that_waits_is_small() {
        fn four<A, B, C, D, F>(_: impl FnOnce(A, B, C, D) -> F) -> usize {
            size_of::<F>()
        }
        fn two<A, B, F>(_: impl FnOnce(A, B) -> F) -> usize {
            size_of::<F>()
        }
        let (serving, visiting) = (four(serve), two(Visit::answer));
        assert!(serving <= 1_024, "{serving} bytes");
        assert!(visiting <= 2_048, "{visiting} bytes");
    }
}
