//! The stock browser client: eight files below the path of the protocol, as the stock server has
//! them.
//!
//! Owns the files and the answers to requests for them (RFC 9110). Does not own their names in the
//! URL's path, nor cross-origin rules, which the caller adds. `scripts/client-bundle.sh` fetched
//! the files; their licence lies beside them.
//!
//! The files lie in the program as gzip, a quarter of their size: 310 kB instead of 1.2 MB. What a
//! client without gzip needs is made when the first one asks and kept.

use std::sync::OnceLock;

use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Response, StatusCode};

use crate::compress::{Encoding, compress_well, gunzip, negotiate};
use crate::cors::vary;

/// The release of `socket.io-client` that the files are of. It is their entity tag.
const VERSION: &str = "4.8.4";
const ETAG: &str = "\"4.8.4\"";

struct File {
    name: &'static str,
    gzip: &'static [u8],
    plain: OnceLock<Bytes>,
    deflate: OnceLock<Bytes>,
}

macro_rules! file {
    ($name:literal) => {
        File {
            name: $name,
            gzip: include_bytes!(concat!("../client/", $name, ".gz")),
            plain: OnceLock::new(),
            deflate: OnceLock::new(),
        }
    };
}

static FILES: [File; 8] = [
    file!("socket.io.js"),
    file!("socket.io.js.map"),
    file!("socket.io.min.js"),
    file!("socket.io.min.js.map"),
    file!("socket.io.esm.min.js"),
    file!("socket.io.esm.min.js.map"),
    file!("socket.io.msgpack.min.js"),
    file!("socket.io.msgpack.min.js.map"),
];

impl File {
    fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static(if self.name.ends_with(".map") {
            "application/json; charset=utf-8"
        } else {
            "application/javascript; charset=utf-8"
        })
    }

    fn body(&self, encoding: Option<Encoding>) -> Bytes {
        match encoding {
            Some(Encoding::Gzip) => Bytes::from_static(self.gzip),
            Some(Encoding::Deflate) => {
                let make = || compress_well(Encoding::Deflate, &self.plain()).into();
                self.deflate.get_or_init(make).clone()
            }
            None => self.plain(),
        }
    }

    fn plain(&self) -> Bytes {
        let make = || gunzip(self.gzip).expect("the files are tested to be gzip").into();
        self.plain.get_or_init(make).clone()
    }
}

/// The answer to a request for a file of the client, or `None` if there is no such file.
/// `file_name` is what follows the protocol's path, without the query.
///
/// Unlike the stock server it answers methods other than `GET` and `HEAD` with 405 instead of the
/// file, reads lists and `*` in `If-None-Match`, repeats `ETag` and `Cache-Control` in the 304, and
/// says that the answer varies by `Accept-Encoding`. It has no `br`.
pub(crate) fn serve(
    method: &Method,
    file_name: &str,
    request: &HeaderMap,
) -> Option<Response<Bytes>> {
    let file = FILES.iter().find(|file| file.name == file_name)?;
    let mut answer = Response::new(Bytes::new());
    if method != Method::GET && method != Method::HEAD {
        *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(answer);
    }
    let fields = answer.headers_mut();
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=0"));
    fields.insert(header::ETAG, HeaderValue::from_static(ETAG));
    vary(fields, "Accept-Encoding");
    if has_this_version(request) {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        return Some(answer);
    }
    fields.insert(header::CONTENT_TYPE, file.content_type());
    let encoding = negotiate(request);
    if let Some(encoding) = encoding {
        fields.insert(header::CONTENT_ENCODING, encoding.header_value());
    }
    let body = file.body(encoding);
    fields.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    if method == Method::GET {
        *answer.body_mut() = body;
    }
    Some(answer)
}

/// Whether `If-None-Match` names the version (RFC 9110 §13.1.2: `W/` makes no difference).
fn has_this_version(request: &HeaderMap) -> bool {
    let lists = request.get_all(header::IF_NONE_MATCH).iter();
    lists.map(HeaderValue::as_bytes).any(|list| list.trim_ascii() == b"*" || names_version(list))
}

/// Whether the entity tag stands in a list of them, read up to the first thing that is none.
fn names_version(mut list: &[u8]) -> bool {
    loop {
        list = list.trim_ascii_start();
        while let Some(rest) = list.strip_prefix(b",") {
            list = rest.trim_ascii_start();
        }
        list = list.strip_prefix(b"W/").unwrap_or(list);
        let Some(opened) = list.strip_prefix(b"\"") else { return false };
        let Some(length) = opened.iter().position(|&byte| byte == b'"') else { return false };
        if &opened[..length] == VERSION.as_bytes() {
            return true;
        }
        list = &opened[length + 1..];
    }
}

#[cfg(test)]
mod tests;
