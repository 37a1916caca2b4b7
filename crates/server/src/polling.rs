//! Long-polling over HTTP: requests carried to the shard that owns the session, and back.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use relay_engineio::handshake::HandshakeError;
use relay_engineio::sid::SessionId;
use relay_hub::{Handshake, Reply, Request as Asked};
use tokio::sync::oneshot;

use crate::Shared;
use crate::compress::{self, Encoding};
use crate::http::{Answer, Door, Upgraded, refusal, response};
use crate::mailbox::{Input, Mailbox};

/// Larger bodies are compressed on another thread.
const COMPRESS_INLINE_BYTES_MAX: usize = 32 * 1024;

/// The mailbox of the shard that owns a session; `None` if no shard of ours can.
fn owner(shared: &Shared, session: SessionId) -> Option<&Mailbox> {
    shared.mailboxes.get(usize::from(session.shard()))
}

/// Opens a session on this shard and answers with its open packet.
pub(crate) async fn open(door: &Door, address: IpAddr) -> Answer {
    let (answer, opened) = oneshot::channel();
    let handshake = Handshake { address };
    door.shared.mailboxes[door.shard].push_input(Input::Open { handshake, answer });
    let Ok((session, packet)) = opened.await else { return stopped() };
    let mut answer = payload(packet.into(), None);
    if let Some(cookie) = &door.shared.cookie {
        answer.headers_mut().insert(header::SET_COOKIE, cookie.header_value(&session));
    }
    answer
}

/// Whether a WebSocket may be accepted for a session.
pub(crate) async fn may_probe(
    shared: &Shared,
    session: SessionId,
    eio_matches: bool,
) -> Result<(), HandshakeError> {
    let mailbox = owner(shared, session).ok_or(HandshakeError::SessionIdUnknown)?;
    let (answer, judged) = oneshot::channel();
    mailbox.push_input(Input::MayProbe { session, eio_matches, answer });
    judged.await.unwrap_or(Err(HandshakeError::SessionIdUnknown))
}

/// Hands an accepted WebSocket over to the shard of its session, with the bytes already read.
pub(crate) fn probe(shared: &Shared, session: SessionId, upgraded: Upgraded) {
    if let Some(mailbox) = owner(shared, session) {
        mailbox.push_input(Input::Probe { session, upgraded });
    }
}

/// A request under way: if its connection goes away, the session's shard is told.
struct Carried {
    door: Rc<Door>,
    session: SessionId,
    number: u64,
    answered: bool,
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.door.requests.set(self.door.requests.get() - 1);
        if !self.answered
            && let Some(mailbox) = owner(&self.door.shared, self.session)
        {
            mailbox.push_input(Input::Aborted { session: self.session, number: self.number });
        }
    }
}

/// Carries a request to its session and answers with what comes back.
pub(crate) async fn request(
    door: Rc<Door>,
    session: SessionId,
    eio_matches: bool,
    request: Request<Incoming>,
) -> Answer {
    let shared = door.shared.clone();
    let Some(mailbox) = owner(&shared, session) else {
        return refusal(HandshakeError::SessionIdUnknown, false);
    };
    let asked = match *request.method() {
        Method::GET => Asked::Get,
        Method::POST if is_binary(request.headers()) => Asked::BinaryPost,
        Method::POST => Asked::Post,
        _ => Asked::Other,
    };
    let encoding = compress::negotiate(request.headers());
    let number = shared.requests.fetch_add(1, Ordering::Relaxed);
    let (answer, mut answered) = oneshot::channel();
    door.requests.set(door.requests.get() + 1);
    let mut carried = Carried { door, session, number, answered: false };
    mailbox.push_input(Input::Request { session, eio_matches, number, request: asked, answer });
    let reply = if asked == Asked::Post {
        let body = whole(request.into_body(), shared.limits().payload_bytes_max);
        let body = tokio::select! {
            biased;
            // Refused already: nobody waits for its body.
            reply = &mut answered => {
                carried.answered = true;
                return reply_to(reply, &shared, encoding).await;
            }
            body = body => body,
        };
        match body {
            Ok(body) => mailbox.push_input(Input::Body { session, number, body }),
            // The client went away in the middle.
            Err(_) => return response(400, "text/html", ""),
        }
        answered.await
    } else {
        answered.await
    };
    carried.answered = true;
    drop(carried);
    reply_to(reply, &shared, encoding).await
}

/// The stock server compares the whole value.
fn is_binary(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type == Some(b"application/octet-stream")
}

/// A body, counted as it streams; `None` if it is larger than `bytes_max`.
async fn whole(mut body: Incoming, bytes_max: usize) -> Result<Option<Bytes>, hyper::Error> {
    let mut first = Bytes::new();
    // Most bodies come in one piece, which is not copied.
    let mut all: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let before = all.as_ref().map_or(first.len(), BytesMut::len);
        if before + data.len() > bytes_max {
            return Ok(None);
        }
        match &mut all {
            Some(all) => all.extend_from_slice(&data),
            None if first.is_empty() => first = data,
            None => {
                let all = all.insert(BytesMut::from(&first[..]));
                all.extend_from_slice(&data);
            }
        }
    }
    Ok(Some(all.map_or(first, BytesMut::freeze)))
}

async fn reply_to(
    reply: Result<Reply, oneshot::error::RecvError>,
    shared: &Shared,
    encoding: Option<Encoding>,
) -> Answer {
    match reply {
        Ok(Reply::Payload(body)) => match encoding {
            Some(encoding) if shared.compression && body.len() >= compress::THRESHOLD_BYTES => {
                let body = compressed(encoding, body).await;
                payload(body.into(), Some(encoding))
            }
            _ => payload(body.into(), None),
        },
        Ok(Reply::Done) => response(200, "text/html", "ok"),
        Ok(Reply::Refused(error)) => {
            shared.stats.refused[usize::from(error.code())].fetch_add(1, Ordering::Relaxed);
            refusal(error, false)
        }
        Ok(Reply::Bare(status)) => {
            let mut bare = Response::new(Full::default());
            *bare.status_mut() =
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            bare
        }
        Err(_) => stopped(),
    }
}

async fn compressed(encoding: Encoding, body: Vec<u8>) -> Vec<u8> {
    if body.len() <= COMPRESS_INLINE_BYTES_MAX {
        return compress::compress(encoding, &body);
    }
    let work = tokio::task::spawn_blocking(move || compress::compress(encoding, &body));
    work.await.unwrap_or_default()
}

fn payload(body: Bytes, encoding: Option<Encoding>) -> Answer {
    let mut answer = response(200, "text/plain; charset=UTF-8", body);
    let fields = answer.headers_mut();
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(encoding) = encoding {
        fields.insert(header::CONTENT_ENCODING, encoding.header_value());
    }
    answer
}

/// The server ends: whoever asks again finds another one, or none.
fn stopped() -> Answer {
    response(503, "text/plain; charset=utf-8", "stopping\n")
}
