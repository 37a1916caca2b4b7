//! What is answered over HTTP: statuses, media types, and the two forms of a refusal.
//!
//! Does not own when: that is `http` and `polling`. Nor the cross-origin fields, which are added
//! to whatever comes out of here.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use relay_engineio::handshake::HandshakeError;

pub(crate) type Answer = Response<Full<Bytes>>;

/// An answer with a body.
pub(crate) fn response(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// An answer that is a status and nothing else.
pub(crate) fn bare(status: StatusCode) -> Answer {
    let mut bare = Response::new(Full::default());
    *bare.status_mut() = status;
    bare
}

/// The same; the connection ends with it.
pub(crate) fn last(status: StatusCode) -> Answer {
    let mut last = bare(status);
    close(&mut last);
    last
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
pub(crate) fn forbidden(message: &str, upgrade: bool) -> Answer {
    if upgrade {
        return raw(400, message.to_owned());
    }
    let mut body = b"{\"code\":4,\"message\":".to_vec();
    relay_hub::write_json_string(&mut body, message);
    body.push(b'}');
    response(403, "application/json", body)
}

/// The answer to an upgrade that fails: plain text, and the connection ends.
pub(crate) fn raw(status: u16, message: impl Into<Bytes>) -> Answer {
    let mut raw = response(status, "text/html", message);
    close(&mut raw);
    raw
}

/// Ends the connection with this answer.
pub(crate) fn close(answer: &mut Answer) {
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}
