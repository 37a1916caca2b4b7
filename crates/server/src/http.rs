//! HTTP/1.1 on a shard: the protocol's requests, and whatever the program answers itself.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use relay_engineio::handshake::{self, HandshakeError, Query, Transport, Verified};
use relay_engineio::sid::SessionId;
use relay_websocket::handshake::accept;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Shared;
use crate::bundle;
use crate::polling;

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
    /// The peer's address.
    pub address: IpAddr,
    /// Path and query.
    pub uri: hyper::Uri,
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
    /// Requests that wait for a session's answer.
    pub(crate) requests: Cell<usize>,
}

impl Door {
    pub(crate) fn new(shared: Arc<Shared>, shard: usize) -> Self {
        Self { shared, shard, upgraded: RefCell::default(), requests: Cell::new(0) }
    }
}

/// What an answered WebSocket handshake is for.
#[derive(Clone, Copy)]
enum Accepted {
    /// A session that begins here.
    Session,
    /// A session that polls, wherever it lives.
    Probe(SessionId),
    /// Nothing: it is closed at once.
    Nothing,
}

/// Serves one TCP connection until it ends or becomes a WebSocket.
pub(crate) async fn serve(door: Rc<Door>, stream: TcpStream, address: IpAddr, slot: OpenSlot) {
    let limits = door.shared.limits();
    let accepted = Rc::new(Cell::new(None));
    let reserved = slot.reserved;
    let service = {
        let (door, accepted) = (door.clone(), accepted.clone());
        service_fn(move |request| {
            let visit = Visit { door: door.clone(), address, reserved, accepted: accepted.clone() };
            // On the heap: a connection that waits for its next request holds nothing of it.
            Box::pin(async move { Ok::<_, Infallible>(visit.answer(request).await) })
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
    let Some(accepted) = accepted.get() else { return };
    let parts = connection.into_parts();
    let Ok(stream) = parts.io.into_inner().into_std() else { return };
    let upgraded = Upgraded { stream, address, leftover: parts.read_buf, slot };
    match accepted {
        Accepted::Session => {
            door.upgraded.borrow_mut().push(upgraded);
            door.shared.mailboxes[door.shard].wake();
        }
        Accepted::Probe(session) => polling::probe(&door.shared, session, upgraded),
        Accepted::Nothing => close_politely(upgraded, limits.close_timeout),
    }
}

/// Closes a WebSocket that nobody wants: with a close frame, and without a reset that could
/// overtake it.
pub(crate) fn close_politely(upgraded: Upgraded, patience: Duration) {
    let Upgraded { stream, slot, .. } = upgraded;
    tokio::task::spawn_local(async move {
        let _slot = slot;
        let Ok(mut stream) = TcpStream::from_std(stream) else { return };
        let mut frame = Vec::with_capacity(4);
        relay_websocket::write_close(&mut frame, None, "");
        let closing = async {
            stream.write_all(&frame).await?;
            stream.shutdown().await?;
            let mut rest = [0; 512];
            while stream.read(&mut rest).await? > 0 {}
            Ok::<_, std::io::Error>(())
        };
        // Whoever does not even end its connection is dropped; nothing else is owed to it.
        let _ = tokio::time::timeout(patience, closing).await;
    });
}

pub(crate) type Answer = Response<Full<Bytes>>;

/// One request on a connection.
struct Visit {
    door: Rc<Door>,
    address: IpAddr,
    /// The connection uses a reserved descriptor: no sessions.
    reserved: bool,
    accepted: Rc<Cell<Option<Accepted>>>,
}

impl Visit {
    async fn answer(self, request: Request<Incoming>) -> Answer {
        let shared = self.door.shared.clone();
        let path = request.uri().path();
        let Some(file) = path.strip_prefix(&*shared.path) else {
            let plain = HttpRequest { method: request.method().as_str(), path };
            return match (shared.http)(&plain) {
                Some(made) => response(made.status, made.content_type, made.body),
                None => response(404, "text/plain; charset=utf-8", "not found\n"),
            };
        };
        let cors = shared.cors.as_ref();
        if let Some(cors) = cors.filter(|_| request.method() == Method::OPTIONS) {
            let mut preflight = Response::new(Full::default());
            *preflight.status_mut() = StatusCode::NO_CONTENT;
            *preflight.headers_mut() = cors.preflight(request.headers());
            return preflight;
        }
        let file =
            shared.serve_client.then(|| bundle::serve(request.method(), file, request.headers()));
        // What the answer may be seen by depends on the request's header, which its body outlives.
        let origin = cors.and_then(|_| request.headers().get(header::ORIGIN).cloned());
        let mut answer = match file.flatten() {
            Some(file) => file.map(Full::new),
            None => self.protocol(request).await,
        };
        if let Some(cors) = cors {
            let mut asked = HeaderMap::new();
            if let Some(origin) = origin {
                asked.insert(header::ORIGIN, origin);
            }
            cors.decorate(&asked, answer.headers_mut());
        }
        answer
    }

    /// Answers a request of Engine.IO.
    async fn protocol(self, request: Request<Incoming>) -> Answer {
        let headers = request.headers();
        let upgrade = is_upgrade(headers);
        let is_get = request.method() == Method::GET;
        let facts = handshake::Request {
            method_is_get: is_get,
            upgrade,
            origin: headers.get(header::ORIGIN).map(HeaderValue::as_bytes),
            query: Query::parse(request.uri().query().unwrap_or("")),
        };
        let verified = match handshake::verify(&facts, self.door.shared.transports) {
            Ok(verified) => verified,
            Err(error) => return self.refuse(error, upgrade),
        };
        match verified {
            Verified::Existing { sid, eio_matches, .. } if upgrade => {
                let Some(session) = SessionId::parse(sid) else {
                    return self.refuse(HandshakeError::SessionIdUnknown, upgrade);
                };
                self.probe(&request, session, eio_matches).await
            }
            Verified::Existing { sid, transport, eio_matches } => {
                // A plain request that names the other transport is no better than one for a
                // session that is on it.
                let eio_matches = eio_matches && transport == Transport::Polling;
                match SessionId::parse(sid) {
                    Some(session) => {
                        polling::request(self.door, session, eio_matches, request).await
                    }
                    None => self.refuse(HandshakeError::SessionIdUnknown, upgrade),
                }
            }
            Verified::Handshake { transport, eio_matches } => {
                self.handshake(&request, transport, eio_matches, upgrade).await
            }
        }
    }

    /// Answers a request that begins a session.
    async fn handshake(
        self,
        request: &Request<Incoming>,
        transport: Transport,
        eio_matches: bool,
        upgrade: bool,
    ) -> Answer {
        if let Err(error) = self.welcome(request, upgrade).await {
            return *error;
        }
        if !eio_matches {
            return self.refuse(HandshakeError::UnsupportedProtocolVersion, upgrade);
        }
        if self.reserved || self.door.shared.stopping.load(Ordering::Relaxed) {
            self.door.shared.stats.full.fetch_add(1, Ordering::Relaxed);
            let mut full = response(503, "text/plain; charset=utf-8", "no connections left\n");
            close(&mut full);
            return full;
        }
        match transport {
            Transport::Polling if !upgrade => polling::open(&self.door, self.address).await,
            // The stock server accepts a WebSocket that names the other transport, and closes it.
            Transport::Polling => self.switch(request.headers(), Accepted::Nothing),
            Transport::WebSocket => self.switch(request.headers(), Accepted::Session),
        }
    }

    /// Whether the program and the list of origins let a new session in.
    async fn welcome(&self, request: &Request<Incoming>, upgrade: bool) -> Result<(), Box<Answer>> {
        let shared = &self.door.shared;
        if upgrade && !self.is_origin_allowed(request.headers()) {
            return Err(self.refuse(HandshakeError::Forbidden, upgrade).into());
        }
        let Some(allow) = &shared.allow else { return Ok(()) };
        let asked = HandshakeRequest {
            address: self.address,
            uri: request.uri().clone(),
            headers: request.headers().clone(),
        };
        let patience = shared.limits().decision_timeout;
        match tokio::time::timeout(patience, allow(asked)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(message)) => {
                self.count_refusal(HandshakeError::Forbidden);
                Err(forbidden(&message, upgrade).into())
            }
            Err(_) => Err(self.refuse(HandshakeError::Forbidden, upgrade).into()),
        }
    }

    fn is_origin_allowed(&self, headers: &HeaderMap) -> bool {
        let cors = self.door.shared.cors.as_ref();
        cors.is_none_or(|cors| cors.allows_upgrade(headers.get(header::ORIGIN)))
    }

    /// Answers a WebSocket handshake that names a session.
    async fn probe(
        self,
        request: &Request<Incoming>,
        session: SessionId,
        eio_matches: bool,
    ) -> Answer {
        if let Err(error) = polling::may_probe(&self.door.shared, session, eio_matches).await {
            return self.refuse(error, true);
        }
        if request.method() != Method::GET {
            return raw(405, "Method Not Allowed");
        }
        if !self.is_origin_allowed(request.headers()) {
            return self.refuse(HandshakeError::Forbidden, true);
        }
        self.switch(request.headers(), Accepted::Probe(session))
    }

    fn count_refusal(&self, error: HandshakeError) {
        let refused = &self.door.shared.stats.refused[usize::from(error.code())];
        refused.fetch_add(1, Ordering::Relaxed);
    }

    fn refuse(&self, error: HandshakeError, upgrade: bool) -> Answer {
        self.count_refusal(error);
        refusal(error, upgrade)
    }

    /// The 101, or what is wrong with the WebSocket handshake (RFC 6455 §4.2.1).
    fn switch(&self, headers: &HeaderMap, accepted: Accepted) -> Answer {
        match switching(headers) {
            Ok(switching) => {
                self.accepted.set(Some(accepted));
                switching
            }
            Err(wrong) => *wrong,
        }
    }
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    headers
        .get(header::UPGRADE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|it| it.trim().eq_ignore_ascii_case("websocket")))
}

fn switching(headers: &HeaderMap) -> Result<Answer, Box<Answer>> {
    let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok());
    let key = key.and_then(|key| accept(key.trim())).map(|key| HeaderValue::from_str(&key));
    let Some(Ok(key)) = key else {
        return Err(raw(400, "Missing or invalid Sec-WebSocket-Key header").into());
    };
    let version = headers.get(header::SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes);
    if version != Some(b"13") {
        let mut wrong = raw(400, "Missing or invalid Sec-WebSocket-Version header");
        let versions = HeaderValue::from_static("13");
        wrong.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, versions);
        return Err(wrong.into());
    }
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
    Ok(switch)
}

/// The answer to a request that is refused.
pub(crate) fn refusal(error: HandshakeError, upgrade: bool) -> Answer {
    if upgrade {
        raw(400, error.message())
    } else {
        response(error.status(), "application/json", error.json_body())
    }
}

/// The answer to a client that the program does not want, with the program's words.
fn forbidden(message: &str, upgrade: bool) -> Answer {
    if upgrade {
        let mut raw = response(400, "text/html", message.to_owned());
        close(&mut raw);
        return raw;
    }
    let mut body = b"{\"code\":4,\"message\":".to_vec();
    relay_hub::write_json_string(&mut body, message);
    body.push(b'}');
    response(403, "application/json", body)
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

pub(crate) fn response(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}
