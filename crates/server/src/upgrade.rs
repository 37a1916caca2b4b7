//! The opening handshake of a WebSocket (RFC 6455 §4.2) as header fields: what a request must say,
//! and the 101.
//!
//! Does not own who is let in, nor what the WebSocket is for.

use std::collections::HashSet;

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode, Version};
use relay_websocket::handshake::accept;

use crate::answer::{Answer, AnswerBody, raw};

/// Whether a request asks for a WebSocket. One that asks for another protocol (a client that would
/// rather speak HTTP/2) is answered as if it had not asked (RFC 9110 §7.8); so is HTTP/1.0.
pub(crate) fn is_upgrade(head: &Parts) -> bool {
    head.version == Version::HTTP_11
        && has_token(&head.headers, &header::CONNECTION, "upgrade")
        && has_token(&head.headers, &header::UPGRADE, "websocket")
}

/// Whether a list, which may be spread over several lines, has this word in any case.
pub(crate) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let mut words = lines.flat_map(|line| line.split(|&byte| byte == b','));
    words.any(|word| word.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// The 101.
///
/// # Errors
/// The answer that says what is wrong with the request, in the stock server's words and order.
pub(crate) fn switching(head: &Parts) -> Result<Answer, Box<Answer>> {
    if head.method != Method::GET {
        return Err(raw(405, "Invalid HTTP method").into());
    }
    let headers = &head.headers;
    // One word and no choice: what came after the 101 would depend on it.
    if !sole(headers, &header::UPGRADE).is_some_and(|it| it.eq_ignore_ascii_case(b"websocket")) {
        return Err(raw(400, "Invalid Upgrade header").into());
    }
    let key = sole(headers, &header::SEC_WEBSOCKET_KEY);
    let key = key.and_then(|key| accept(std::str::from_utf8(key).ok()?));
    let Some(Ok(key)) = key.map(|key| HeaderValue::from_str(&key)) else {
        return Err(raw(400, "Missing or invalid Sec-WebSocket-Key header").into());
    };
    if sole(headers, &header::SEC_WEBSOCKET_VERSION) != Some(b"13") {
        let mut wrong = raw(400, "Missing or invalid Sec-WebSocket-Version header");
        let versions = HeaderValue::from_static("13");
        wrong.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, versions);
        return Err(wrong.into());
    }
    let Ok(protocol) = first_protocol(headers) else {
        return Err(raw(400, "Invalid Sec-WebSocket-Protocol header").into());
    };
    let mut switch = Response::new(AnswerBody::default());
    *switch.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let fields = switch.headers_mut();
    fields.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    fields.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    fields.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    if let Some(protocol) = protocol {
        fields.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    Ok(switch)
}

/// The value of a field that may stand there once.
fn sole<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut lines = headers.get_all(name).iter();
    let one = lines.next()?;
    lines.next().is_none().then(|| one.as_bytes().trim_ascii())
}

/// Why a list of protocols is none.
#[derive(PartialEq, Eq, Debug)]
struct BadProtocols;

/// The first protocol that the client offers, as the stock server takes it; `None` if it offers
/// none. The list has at least one token, none of them twice (RFC 6455 §11.3.4).
fn first_protocol(headers: &HeaderMap) -> Result<Option<HeaderValue>, BadProtocols> {
    let mut first = None;
    let mut seen = HashSet::new();
    for line in headers.get_all(header::SEC_WEBSOCKET_PROTOCOL) {
        for token in line.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            if token.is_empty() || !token.iter().all(|&byte| is_token_byte(byte)) {
                return Err(BadProtocols);
            }
            if !seen.insert(token) {
                return Err(BadProtocols);
            }
            first = first.or(Some(token));
        }
    }
    first.map(HeaderValue::from_bytes).transpose().map_err(|_| BadProtocols)
}

/// RFC 9110 §5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::{BadProtocols, first_protocol, has_token, is_upgrade, switching};
    use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
    use hyper::{Request, Version};

    fn map(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        let value = |line: &&str| HeaderValue::from_bytes(line.as_bytes()).unwrap();
        lines.iter().map(|line| (name.clone(), value(line))).collect()
    }

    #[test]
    fn a_list_has_a_word_in_any_of_its_lines() {
        let check = |lines: &[&str], expected| {
            let headers = map(&header::CONNECTION, lines);
            assert_eq!(has_token(&headers, &header::CONNECTION, "upgrade"), expected, "{lines:?}");
        };
        check(&[], false);
        check(&["Upgrade"], true);
        check(&["keep-alive,\tUPGRADE"], true);
        check(&["keep-alive", "upgrade"], true);
        check(&["upgrades"], false);
        check(&["keep-alive upgrade"], false);
    }

    #[test]
    fn the_first_of_the_protocols_is_taken_and_a_broken_list_refused() {
        let check = |lines: &[&str], expected: Result<Option<&'static str>, BadProtocols>| {
            let headers = map(&header::SEC_WEBSOCKET_PROTOCOL, lines);
            let expected = expected.map(|it| it.map(HeaderValue::from_static));
            assert_eq!(first_protocol(&headers), expected, "{lines:?}");
        };
        check(&[], Ok(None));
        check(&["one"], Ok(Some("one")));
        check(&["one, two", "three"], Ok(Some("one")));
        check(&[""], Err(BadProtocols));
        check(&["one,"], Err(BadProtocols));
        check(&["one,,two"], Err(BadProtocols));
        check(&["one, one"], Err(BadProtocols));
        check(&["one", "one"], Err(BadProtocols));
        check(&["one two"], Err(BadProtocols));
        check(&["ñ"], Err(BadProtocols));
        check(&["one/two"], Err(BadProtocols));
    }

    const GOOD: [(&str, &str); 4] = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ];

    /// What a handshake with another `name` (none if it is empty) is answered.
    fn check(version: Version, name: &str, value: &str, expected: Option<u16>) {
        let mut request = Request::builder().version(version);
        for (known, usual) in GOOD {
            let value = if known == name { value } else { usual };
            request = request.header(known, value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let status = is_upgrade(&head).then(|| match switching(&head) {
            Ok(answer) => answer.status().as_u16(),
            Err(answer) => answer.status().as_u16(),
        });
        assert_eq!(status, expected, "{version:?} {name}: {value}");
    }

    #[test]
    fn a_handshake_is_one_only_with_all_its_fields() {
        check(Version::HTTP_11, "", "", Some(101));
        check(Version::HTTP_10, "", "", None);
        check(Version::HTTP_11, "Connection", "keep-alive", None);
        check(Version::HTTP_11, "Connection", "keep-alive, upgrade", Some(101));
        check(Version::HTTP_11, "Upgrade", "h2c", None);
        check(Version::HTTP_11, "Upgrade", "WebSocket", Some(101));
        check(Version::HTTP_11, "Upgrade", "websocket, h2c", Some(400));
        check(Version::HTTP_11, "Sec-WebSocket-Key", "AAAA", Some(400));
        check(Version::HTTP_11, "Sec-WebSocket-Version", "12", Some(400));
    }
}
