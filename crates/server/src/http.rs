//! HTTP/1.1 on a shard: the protocol's handshake, and whatever the program answers itself.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use relay_engineio::handshake::{self, Enabled, HandshakeError, Query, Verified};
use relay_engineio::sid::SessionId;
use relay_websocket::handshake::accept;
use tokio::net::TcpStream;

use crate::Shared;

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

/// What the server counts beside the hubs. All shards write it, at the pace of connections.
#[derive(Debug, Default)]
pub struct ServerStats {
    /// TCP connections open now, upgraded or not.
    pub open: AtomicUsize,
    /// How many of them may become sessions: set once at the start.
    pub connections_max: AtomicUsize,
    /// Accepts that failed, for want of descriptors above all.
    pub accept_errors: AtomicU64,
    /// Sessions refused with 503 because the descriptors are taken.
    pub full: AtomicU64,
    /// Handshakes refused, by Engine.IO error code.
    pub refused: [AtomicU64; 6],
    /// HTTP connections that ended with an error: broken requests, time-outs.
    pub http_errors: AtomicU64,
}

/// An answered WebSocket handshake.
pub(crate) struct Upgraded {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) address: IpAddr,
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
    pub(crate) upgraded: RefCell<Vec<Upgraded>>,
}

/// Serves one TCP connection until it ends or becomes a WebSocket.
pub(crate) async fn serve(door: Rc<Door>, stream: TcpStream, address: IpAddr, slot: OpenSlot) {
    let limits = door.shared.limits();
    let accepted = Rc::new(Cell::new(false));
    let reserved = slot.reserved;
    let service = {
        let (door, accepted) = (door.clone(), accepted.clone());
        service_fn(move |request| {
            let response = answer(&door, &request, reserved, &accepted);
            std::future::ready(Ok::<_, Infallible>(response))
        })
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.http_head_timeout)
        .max_headers(limits.http_headers_max)
        .max_buf_size(limits.http_head_bytes_max)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(Some(connection));
    let served = std::future::poll_fn(|cx| match connection.as_mut().get_mut() {
        Some(connection) => connection.poll_without_shutdown(cx),
        None => std::task::Poll::Ready(Ok(())),
    });
    let served = if reserved {
        tokio::time::timeout(limits.reserved_http_timeout, served).await.unwrap_or(Ok(()))
    } else {
        served.await
    };
    if served.is_err() {
        door.shared.stats.http_errors.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let Some(connection) = connection.take() else { return };
    if !accepted.get() {
        return;
    }
    let parts = connection.into_parts();
    let Ok(stream) = parts.io.into_inner().into_std() else { return };
    let upgraded = Upgraded { stream, address, leftover: parts.read_buf, slot };
    door.upgraded.borrow_mut().push(upgraded);
    door.shared.mailboxes[door.shard].wake();
}

type Answer = Response<Full<Bytes>>;

fn answer(
    door: &Door,
    request: &Request<Incoming>,
    reserved: bool,
    accepted: &Cell<bool>,
) -> Answer {
    let path = request.uri().path();
    if !path.starts_with(&door.shared.path) {
        let plain = HttpRequest { method: request.method().as_str(), path };
        return match (door.shared.http)(&plain) {
            Some(made) => response(made.status, made.content_type, made.body),
            None => response(404, "text/plain; charset=utf-8", "not found\n"),
        };
    }
    let upgrade = is_upgrade(request.headers());
    match verified(door, request, upgrade) {
        Ok(()) if !upgrade => refuse(door, HandshakeError::BadRequest, upgrade),
        Ok(()) if reserved => {
            door.shared.stats.full.fetch_add(1, Ordering::Relaxed);
            let mut full = response(503, "text/plain; charset=utf-8", "no connections left\n");
            close(&mut full);
            full
        }
        Ok(()) => switch(request.headers(), accepted),
        Err(Refused::Handshake(error)) => refuse(door, error, upgrade),
        Err(Refused::Method) => raw(405, "Method Not Allowed"),
    }
}

enum Refused {
    Handshake(HandshakeError),
    Method,
}

impl From<HandshakeError> for Refused {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

fn verified(door: &Door, request: &Request<Incoming>, upgrade: bool) -> Result<(), Refused> {
    let facts = handshake::Request {
        method_is_get: request.method() == Method::GET,
        upgrade,
        origin: request.headers().get(header::ORIGIN).map(HeaderValue::as_bytes),
        query: Query::parse(request.uri().query().unwrap_or("")),
    };
    match handshake::verify(&facts, Enabled { polling: false, websocket: true })? {
        Verified::Handshake(_) => Ok(()),
        Verified::Existing { sid, .. } => {
            // A session that lives on a WebSocket has no second transport: whoever knows its id
            // must not be able to take it over.
            let known = SessionId::parse(sid).is_some_and(|id| door.shared.instance.knows(&id));
            match (known, facts.method_is_get) {
                (false, _) => Err(HandshakeError::SessionIdUnknown.into()),
                (true, true) => Err(HandshakeError::BadRequest.into()),
                (true, false) => Err(Refused::Method),
            }
        }
    }
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    headers
        .get(header::UPGRADE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|it| it.trim().eq_ignore_ascii_case("websocket")))
}

/// The 101, or what is wrong with the WebSocket handshake (RFC 6455 §4.2.1).
fn switch(headers: &HeaderMap, accepted: &Cell<bool>) -> Answer {
    let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok());
    let Some(key) = key.and_then(|key| accept(key.trim())) else {
        return raw(400, "Missing or invalid Sec-WebSocket-Key header");
    };
    let version = headers.get(header::SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes);
    if version != Some(b"13") {
        let mut wrong = raw(400, "Missing or invalid Sec-WebSocket-Version header");
        let versions = HeaderValue::from_static("13");
        wrong.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, versions);
        return wrong;
    }
    let Ok(key) = HeaderValue::from_str(&key) else {
        return raw(400, "Missing or invalid Sec-WebSocket-Key header");
    };
    let mut switch = Response::new(Full::default());
    *switch.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let fields = switch.headers_mut();
    fields.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    fields.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    fields.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    // The first protocol that the client offers, as the stock server does.
    let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|it| it.to_str().ok());
    let first = offered.and_then(|it| it.split(',').next()).map(str::trim);
    if let Some(Ok(protocol)) = first.filter(|it| !it.is_empty()).map(HeaderValue::from_str) {
        fields.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    accepted.set(true);
    switch
}

fn refuse(door: &Door, error: HandshakeError, upgrade: bool) -> Answer {
    door.shared.stats.refused[usize::from(error.code())].fetch_add(1, Ordering::Relaxed);
    if upgrade {
        raw(400, error.message())
    } else {
        response(error.status(), "application/json", error.json_body())
    }
}

/// The answer to an upgrade that fails: plain text, and the connection ends.
fn raw(status: u16, message: &'static str) -> Answer {
    let mut raw = response(status, "text/html", message);
    close(&mut raw);
    raw
}

fn close(response: &mut Answer) {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}

fn response(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}
