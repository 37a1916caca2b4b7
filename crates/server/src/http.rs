//! What the program and the shards are shown of HTTP connections, and what is counted of them.
//!
//! Does not own a connection's course (`connection`), nor what a request is answered (`visit`).

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::Uri;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use relay_engineio::sid::SessionId;
use relay_hub::Handshake;

use crate::Shared;
use crate::reactor::{Socket, timeout};

/// A plain HTTP request, as far as it is shown to the program.
#[derive(Debug)]
pub struct HttpRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The path without its query.
    pub path: &'a str,
}

/// What the program answers.
#[derive(Debug)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

/// A request that begins a session, as it is shown to the program before it is let in.
#[derive(Debug)]
pub struct HandshakeRequest {
    /// The client's address: the peer's, or what a trusted proxy says.
    pub address: IpAddr,
    /// Path and query.
    pub uri: Uri,
    /// The header fields.
    pub headers: HeaderMap,
}

/// What the server counts beside the hubs. All shards write it, at the pace of connections.
#[derive(Debug, Default)]
pub struct ServerStats {
    /// TCP connections open now, upgraded or not.
    pub open: AtomicUsize,
    /// How many of them may become sessions; 0 at the start means as many as descriptors allow.
    pub connections_max: AtomicUsize,
    /// Accepts that failed, for want of descriptors above all.
    pub accept_errors: AtomicU64,
    /// Sessions refused with 503 because the descriptors are taken, or the server ends.
    pub full: AtomicU64,
    /// Handshakes refused, by Engine.IO error code.
    pub refused: [AtomicU64; 6],
    /// HTTP connections that ended with an error: broken requests, time-outs.
    pub http_errors: AtomicU64,
    /// Hooks that gave no answer in time.
    pub hooks_overdue: AtomicU64,
    /// Hooks that panicked.
    pub hook_panics: AtomicU64,
    /// Bodies for hooks that were larger than they may be.
    pub hook_bodies_refused: AtomicU64,
    /// Calls of other threads that were refused because too much waited for their shard.
    pub calls_refused: AtomicU64,
    /// The same of what came from other instances by [`Remotes::try_send`](crate::Remotes::try_send).
    pub remotes_refused: AtomicU64,
}

/// An answered WebSocket handshake.
pub(crate) struct Upgraded {
    pub(crate) stream: mio::net::TcpStream,
    /// It is on the epoll of the shard that served it, and may go nowhere else.
    pub(crate) is_registered: bool,
    /// What the client sent behind its request.
    pub(crate) leftover: Bytes,
    pub(crate) slot: OpenSlot,
}

/// One of the process's TCP connections; counted until it is dropped.
pub(crate) struct OpenSlot {
    stats: Arc<ServerStats>,
    /// Beyond what may become sessions: plain HTTP only, and briefly.
    pub(crate) reserved: bool,
}

impl OpenSlot {
    pub(crate) fn take(stats: &Arc<ServerStats>) -> Self {
        let open = stats.open.fetch_add(1, Ordering::SeqCst);
        let reserved = open >= stats.connections_max.load(Ordering::Relaxed);
        Self { stats: stats.clone(), reserved }
    }
}

impl Drop for OpenSlot {
    fn drop(&mut self) {
        self.stats.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What connections of a shard share with its loop.
pub(crate) struct Door {
    pub(crate) shared: Arc<Shared>,
    pub(crate) shard: usize,
    /// Sessions that begin here.
    pub(crate) upgraded: RefCell<Vec<(Handshake, Upgraded)>>,
    /// Requests that wait for a session's answer.
    pub(crate) requests: Cell<usize>,
    /// Connections on which something is said, or that have yet to say something.
    pub(crate) speaking: Cell<usize>,
}

impl Door {
    pub(crate) fn new(shared: Arc<Shared>, shard: usize) -> Self {
        Self {
            shared,
            shard,
            upgraded: RefCell::default(),
            requests: Cell::new(0),
            speaking: Cell::new(0),
        }
    }

    /// Whether somebody may be about to be answered.
    pub(crate) fn is_serving(&self) -> bool {
        self.requests.get() > 0 || self.speaking.get() > 0
    }
}

/// What an answered WebSocket handshake is for.
pub(crate) enum Accepted {
    /// A session that begins here.
    Session(Handshake),
    /// A session that polls, wherever it lives.
    Probe(SessionId),
    /// Nothing: it is closed at once.
    Nothing,
}

/// Header fields that share nothing: whoever keeps one of those that were read keeps all that was
/// read with it.
pub(crate) fn own_headers(headers: &HeaderMap) -> HeaderMap {
    let own = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        Some((name.clone(), value))
    };
    headers.iter().filter_map(own).collect()
}

/// The same of a target.
pub(crate) fn own_uri(uri: &Uri) -> Uri {
    // It was one, so it is one.
    uri.to_string().parse().unwrap_or_default()
}

/// Whether a request looks as if it had a body that is read, or an answer that takes its time. No
/// more than a hint: it decides on nothing that a client could want.
pub(crate) fn names_session(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| query.contains("sid="))
}

/// Closes a WebSocket that nobody wants: with a close frame, and without a reset that could
/// overtake it.
pub(crate) async fn close_politely(upgraded: Upgraded, patience: Duration) {
    let Ok(stream) = Socket::new(upgraded.stream) else { return };
    let mut frame = Vec::with_capacity(4);
    relay_websocket::write_close(&mut frame, None, "");
    let closing = async {
        // As short as it is, it goes out whole: nothing else was written to the socket.
        poll_fn(|cx| stream.poll_write(cx, &frame)).await?;
        stream.end()?;
        let mut rest = [0; 512];
        while poll_fn(|cx| stream.poll_read(cx, &mut rest)).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    // Whoever does not even end its connection is dropped; nothing else is owed to it.
    let _ = timeout(patience, closing).await;
}
