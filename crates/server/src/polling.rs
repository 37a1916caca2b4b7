//! Long-polling over HTTP: requests carried to the shard that owns the session, and back.

use std::rc::Rc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use relay_engineio::handshake::HandshakeError;
use relay_engineio::sid::SessionId;
use relay_hub::{Handshake, Reply, Request as Asked};
use tokio::sync::oneshot;

use crate::Shared;
use crate::answer::{Answer, bare, last, refusal, response};
use crate::body::{BodyError, whole};
use crate::compress::{self, Encoding};
use crate::http::{Door, Upgraded};
use crate::mailbox::{Input, Mailbox};

/// Larger bodies are compressed on another thread.
const COMPRESS_INLINE_BYTES_MAX: usize = 32 * 1024;

/// The mailbox of the shard that owns a session; `None` if no shard of ours can.
fn owner(shared: &Shared, session: SessionId) -> Option<&Mailbox> {
    shared.mailboxes.get(usize::from(session.shard()))
}

/// What of a request shapes its answer.
struct Asker {
    encoding: Option<Encoding>,
    /// A browser that takes some answers for an attack, unless it is told otherwise.
    is_explorer: bool,
}

impl Asker {
    fn new(headers: &HeaderMap) -> Self {
        let agent = headers.get(header::USER_AGENT).map_or(&b""[..], HeaderValue::as_bytes);
        let has = |word: &[u8]| agent.windows(word.len()).any(|part| part == word);
        Self {
            encoding: compress::negotiate(headers),
            is_explorer: has(b";MSIE") || has(b"Trident/"),
        }
    }

    /// A 200 of a session: nobody may keep it.
    fn answer(&self, content_type: &'static str, body: Bytes) -> Answer {
        let mut answer = response(200, content_type, body);
        let fields = answer.headers_mut();
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.is_explorer {
            fields.insert(header::X_XSS_PROTECTION, HeaderValue::from_static("0"));
        }
        answer
    }

    fn payload(&self, body: Bytes) -> Answer {
        self.answer("text/plain; charset=UTF-8", body)
    }
}

/// Opens a session on this shard and answers with its open packet.
pub(crate) async fn open(door: &Door, handshake: Handshake, headers: &HeaderMap) -> Answer {
    let (answer, opened) = oneshot::channel();
    door.shared.mailboxes[door.shard].push_input(Input::Open { handshake, answer });
    let Ok((session, packet)) = opened.await else { return stopped() };
    let mut answer = Asker::new(headers).payload(packet.into());
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
    head: Box<Parts>,
    body: &mut Incoming,
) -> Answer {
    let shared = door.shared.clone();
    let Some(mailbox) = owner(&shared, session) else {
        return refusal(HandshakeError::SessionIdUnknown, false);
    };
    let asked = match head.method {
        Method::GET => Asked::Get,
        Method::POST if is_binary(&head.headers) => Asked::BinaryPost,
        Method::POST => Asked::Post,
        _ => Asked::Other,
    };
    let asker = Asker::new(&head.headers);
    // It may wait for long: what is not needed any more is not kept.
    drop(head);
    let number = shared.requests.fetch_add(1, Ordering::Relaxed);
    let (answer, mut answered) = oneshot::channel();
    door.requests.set(door.requests.get() + 1);
    let mut carried = Carried { door, session, number, answered: false };
    mailbox.push_input(Input::Request { session, eio_matches, number, request: asked, answer });
    let reply = if asked == Asked::Post {
        let limits = shared.limits();
        let body = whole(body, limits.payload_bytes_max, limits.http_body_timeout);
        let body = tokio::select! {
            biased;
            // Refused, or its session ended: its body says nothing any more.
            reply = &mut answered => {
                carried.answered = true;
                return reply_to(reply, &shared, &asker).await;
            }
            body = body => body,
        };
        let body = match body {
            Ok(body) => Some(body),
            Err(BodyError::TooLarge) => None,
            Err(BodyError::TimedOut) => {
                shared.stats.http_errors.fetch_add(1, Ordering::Relaxed);
                return last(StatusCode::REQUEST_TIMEOUT);
            }
            // Nobody is there to be answered.
            Err(BodyError::Broken) => return last(StatusCode::BAD_REQUEST),
        };
        mailbox.push_input(Input::Body { session, number, body });
        answered.await
    } else {
        answered.await
    };
    carried.answered = true;
    drop(carried);
    reply_to(reply, &shared, &asker).await
}

/// The stock server compares the whole value.
fn is_binary(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type == Some(b"application/octet-stream")
}

async fn reply_to(
    reply: Result<Reply, oneshot::error::RecvError>,
    shared: &Shared,
    asker: &Asker,
) -> Answer {
    match reply {
        Ok(Reply::Payload(body)) => match asker.encoding {
            Some(encoding) if shared.compression && body.len() >= compress::THRESHOLD_BYTES => {
                let mut answer = asker.payload(compressed(encoding, body).await.into());
                let fields = answer.headers_mut();
                fields.insert(header::CONTENT_ENCODING, encoding.header_value());
                answer
            }
            _ => asker.payload(body.into()),
        },
        Ok(Reply::Done) => asker.answer("text/html", Bytes::from_static(b"ok")),
        Ok(Reply::Refused(error)) => {
            shared.stats.refused[usize::from(error.code())].fetch_add(1, Ordering::Relaxed);
            refusal(error, false)
        }
        Ok(Reply::Bare(status)) => {
            bare(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
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

/// The server ends: whoever asks again finds another one, or none.
fn stopped() -> Answer {
    response(503, "text/plain; charset=utf-8", "stopping\n")
}
