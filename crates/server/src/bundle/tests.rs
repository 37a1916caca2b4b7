//! The files and the answers of the bundle.

use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Response};

use super::{ETAG, FILES, VERSION, serve};
use crate::compress::gunzip;

/// Name and length in the package; the lengths are those that the stock server sends.
const STOCK: [(&str, usize); 8] = [
    ("socket.io.js", 153_519),
    ("socket.io.js.map", 307_898),
    ("socket.io.min.js", 47_295),
    ("socket.io.min.js.map", 194_361),
    ("socket.io.esm.min.js", 40_759),
    ("socket.io.esm.min.js.map", 191_545),
    ("socket.io.msgpack.min.js", 50_630),
    ("socket.io.msgpack.min.js.map", 205_108),
];

fn ask(method: &Method, name: &str, request: &[(HeaderName, &str)]) -> Option<Response<Bytes>> {
    let mut fields = HeaderMap::new();
    for (name, value) in request {
        fields.append(name, HeaderValue::from_str(value).expect("a header value"));
    }
    serve(method, name, &fields)
}

/// Status, the fields in the order of the header, and the length of the body.
#[track_caller]
fn check(
    method: &Method,
    request: &[(HeaderName, &str)],
    status: u16,
    fields: &[(&str, &str)],
    body_bytes: usize,
) {
    let answer = ask(method, "socket.io.js", request).expect("there is such a file");
    let shown = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.to_string(), value.to_str().expect("plain ASCII").to_owned())
    };
    let found: Vec<_> = answer.headers().iter().map(shown).collect();
    let expected: Vec<_> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert_eq!((answer.status().as_u16(), found), (status, expected), "{method} {request:?}");
    assert_eq!(answer.body().len(), body_bytes, "{method} {request:?}");
}

#[test]
fn the_files_are_the_packages() {
    assert_eq!(ETAG, format!("\"{VERSION}\""));
    let notice = include_str!("../../client/NOTICE");
    assert!(notice.contains(&format!("socket.io-client-{VERSION}.tgz")));
    assert_eq!(FILES.len(), STOCK.len());
    for (name, length) in STOCK {
        let answer = ask(&Method::GET, name, &[]).expect("there is such a file");
        let body = std::str::from_utf8(answer.body()).expect("UTF-8");
        assert_eq!(body.len(), length, "{name}");
        let (kind, starts) = if name.ends_with(".map") {
            ("json", "{\"version\":3,".to_owned())
        } else {
            ("javascript", format!("/*!\n * Socket.IO v{VERSION}\n"))
        };
        assert!(body.starts_with(&starts), "{name}");
        let content_type = format!("application/{kind}; charset=utf-8");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], content_type, "{name}");
    }
}

#[test]
fn other_names_are_not_ours() {
    for name in
        ["", "socket.io", "socket.io.mjs", "socket.io.js/", "x/socket.io.js", "Socket.io.js"]
    {
        assert!(ask(&Method::GET, name, &[]).is_none(), "{name}");
    }
}

const CACHE: (&str, &str) = ("cache-control", "public, max-age=0");
const TAG: (&str, &str) = ("etag", "\"4.8.4\"");
const VARY: (&str, &str) = ("vary", "Accept-Encoding");
const TYPE: (&str, &str) = ("content-type", "application/javascript; charset=utf-8");

fn encoded<'a>(encoding: &'a str, length: &'a str) -> [(&'a str, &'a str); 6] {
    [CACHE, TAG, VARY, TYPE, ("content-encoding", encoding), ("content-length", length)]
}

#[test]
fn encodings_by_the_clients_preference() {
    let gzip = FILES[0].gzip.len().to_string();
    let accept = |value| [(header::ACCEPT_ENCODING, value)];
    let plain = [CACHE, TAG, VARY, TYPE, ("content-length", "153519")];
    for (method, sent) in [(Method::GET, true), (Method::HEAD, false)] {
        let bytes = |length| if sent { length } else { 0 };
        check(&method, &[], 200, &plain, bytes(153_519));
        check(&method, &accept("br, gzip;q=0"), 200, &plain, bytes(153_519));
        for value in ["gzip", "gzip, deflate, br", "br, gzip", "*"] {
            let fields = encoded("gzip", &gzip);
            check(&method, &accept(value), 200, &fields, bytes(FILES[0].gzip.len()));
        }
        let request = &accept("deflate, gzip");
        let deflate = ask(&Method::GET, "socket.io.js", request).expect("the file").into_body();
        let length = deflate.len().to_string();
        check(&method, request, 200, &encoded("deflate", &length), bytes(deflate.len()));
        let mut content = Vec::new();
        let mut decoder = flate2::read::ZlibDecoder::new(&deflate[..]);
        std::io::Read::read_to_end(&mut decoder, &mut content).expect("zlib");
        assert!(content == gunzip(FILES[0].gzip).expect("gzip"));
    }
}

#[test]
fn a_client_that_has_the_version_gets_a_304() {
    let plain = [CACHE, TAG, VARY, TYPE, ("content-length", "153519")];
    for value in [
        "\"4.8.4\"",
        "W/\"4.8.4\"",
        " \"4.8.4\" ",
        "*",
        "\"x\", \"4.8.4\"",
        "W/\"a,b\" ,W/\"4.8.4\", \"y\"",
        ",,\"4.8.4\"",
    ] {
        for method in [Method::GET, Method::HEAD] {
            check(&method, &[(header::IF_NONE_MATCH, value)], 304, &[CACHE, TAG, VARY], 0);
        }
    }
    let two = [(header::IF_NONE_MATCH, "\"x\""), (header::IF_NONE_MATCH, "\"4.8.4\"")];
    check(&Method::GET, &two, 304, &[CACHE, TAG, VARY], 0);
    for value in
        ["", "4.8.4", "\"4.8.4", "\"4.8.3\"", "w/\"4.8.4\"", "x, \"4.8.4\"", "\"a\" *", ",", "W/"]
    {
        check(&Method::GET, &[(header::IF_NONE_MATCH, value)], 200, &plain, 153_519);
    }
}

#[test]
fn other_methods_are_refused() {
    for method in [Method::POST, Method::PUT, Method::OPTIONS, Method::DELETE] {
        check(&method, &[(header::IF_NONE_MATCH, "*")], 405, &[("allow", "GET, HEAD")], 0);
    }
}
