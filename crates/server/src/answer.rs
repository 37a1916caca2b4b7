//! What is answered over HTTP: statuses, media types, and the two forms of a refusal.
//!
//! Does not own when: that is `http` and `polling`. Nor the cross-origin fields, which are added
//! to whatever comes out of here.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use relay_engineio::handshake::HandshakeError;

use crate::hook::{Broken, Streamed};
use crate::refused::because;

pub(crate) type Answer = Response<AnswerBody>;

/// What is written behind the head of an answer.
pub(crate) enum AnswerBody {
    /// Bytes that are there.
    Whole(Full<Bytes>),
    /// Bytes that the program has yet to make.
    Streamed(Streamed),
}

impl Default for AnswerBody {
    fn default() -> Self {
        Self::Whole(Full::default())
    }
}

impl<B: Into<Bytes>> From<B> for AnswerBody {
    fn from(body: B) -> Self {
        Self::Whole(Full::new(body.into()))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Streamed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Streamed(body) => body.size_hint(),
        }
    }
}

/// An answer with a body.
pub(crate) fn response(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(AnswerBody::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// An answer that is a status and nothing else.
pub(crate) fn bare(status: StatusCode) -> Answer {
    let mut bare = Response::new(AnswerBody::default());
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
    let answer = if upgrade {
        raw(400, error.message())
    } else {
        response(error.status(), "application/json", error.json_body())
    };
    because(error.into(), answer)
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
