//! Verification of requests, session ids, the open packet and the texts of refusals.

use std::time::Duration;

use proptest::prelude::*;
use relay_engineio::{
    Enabled, HandshakeError, Open, Query, Request, SessionId, Transport, Verified, verify,
};

const BOTH: Enabled = Enabled { polling: true, websocket: true };
const WEBSOCKET: Enabled = Enabled { polling: false, websocket: true };

fn request(query: &str) -> Request<'_> {
    Request { method_is_get: true, upgrade: true, origin: None, query: Query::parse(query) }
}

fn check(request: &Request<'_>, enabled: Enabled, expected: Result<Verified<'_>, HandshakeError>) {
    assert_eq!(verify(request, enabled), expected, "{request:?}");
}

#[test]
fn handshakes() {
    use HandshakeError::*;
    use Transport::*;
    for (query, expected) in [
        (
            "EIO=4&transport=websocket",
            Ok(Verified::Handshake { transport: WebSocket, eio_matches: true }),
        ),
        (
            "EIO=4&transport=polling",
            Ok(Verified::Handshake { transport: Polling, eio_matches: true }),
        ),
        (
            "EIO=4&transport=websocket&sid=",
            Ok(Verified::Handshake { transport: WebSocket, eio_matches: true }),
        ),
        ("", Err(TransportUnknown)),
        ("EIO=4", Err(TransportUnknown)),
        ("EIO=4&transport=", Err(TransportUnknown)),
        ("EIO=4&transport=webtransport", Err(TransportUnknown)),
        ("EIO=4&transport=WebSocket", Err(TransportUnknown)),
        (
            "EIO=4&transport=polling&transport=websocket",
            Ok(Verified::Handshake { transport: WebSocket, eio_matches: true }),
        ),
        (
            "transport=websocket",
            Ok(Verified::Handshake { transport: WebSocket, eio_matches: false }),
        ),
        (
            "EIO=3&transport=websocket",
            Ok(Verified::Handshake { transport: WebSocket, eio_matches: false }),
        ),
        (
            "EIO=04&transport=websocket",
            Ok(Verified::Handshake { transport: WebSocket, eio_matches: false }),
        ),
        (
            "EIO=abc&transport=websocket",
            Ok(Verified::Handshake { transport: WebSocket, eio_matches: false }),
        ),
    ] {
        check(&request(query), BOTH, expected);
    }
    check(&request("EIO=4&transport=polling"), WEBSOCKET, Err(TransportUnknown));
}

#[test]
fn existing_sessions() {
    for (query, sid, eio_matches) in [
        ("EIO=4&transport=websocket&sid=abc", "abc", true),
        ("transport=websocket&sid=abc", "abc", false),
        ("EIO=3&transport=websocket&sid=a%62c", "abc", false),
    ] {
        let transport = Transport::WebSocket;
        check(&request(query), BOTH, Ok(Verified::Existing { sid, transport, eio_matches }));
    }
}

#[test]
fn of_several_faults_the_first_in_order_is_told() {
    use HandshakeError::*;
    let bad_origin = Some(&b"http://a\x01b"[..]);
    let mut everything = Request {
        method_is_get: false,
        upgrade: false,
        origin: bad_origin,
        query: Query::parse("EIO=3&transport=x"),
    };
    check(&everything, BOTH, Err(TransportUnknown));
    everything.query = Query::parse("EIO=3&transport=websocket&sid=abc");
    check(&everything, BOTH, Err(BadRequest));
    everything.query = Query::parse("EIO=3&transport=websocket");
    check(&everything, BOTH, Err(BadRequest));
    everything.origin = Some("http://ñ\t".as_bytes());
    check(&everything, BOTH, Err(BadHandshakeMethod));
    everything.method_is_get = true;
    check(&everything, BOTH, Err(BadRequest));
    everything.upgrade = true;
    check(
        &everything,
        BOTH,
        Ok(Verified::Handshake { transport: Transport::WebSocket, eio_matches: false }),
    );
}

#[test]
fn refusals_have_the_texts_that_clients_compare() {
    use HandshakeError::*;
    for (error, status, body) in [
        (TransportUnknown, 400, r#"{"code":0,"message":"Transport unknown"}"#),
        (SessionIdUnknown, 400, r#"{"code":1,"message":"Session ID unknown"}"#),
        (BadHandshakeMethod, 400, r#"{"code":2,"message":"Bad handshake method"}"#),
        (BadRequest, 400, r#"{"code":3,"message":"Bad request"}"#),
        (Forbidden, 403, r#"{"code":4,"message":"Forbidden"}"#),
        (UnsupportedProtocolVersion, 400, r#"{"code":5,"message":"Unsupported protocol version"}"#),
    ] {
        assert_eq!((error.status(), error.json_body().as_str()), (status, body));
    }
}

#[test]
fn a_long_query_is_cut_off() {
    let long = "a&".repeat(100_000) + "sid=x";
    let query = Query::parse(&long);
    assert_eq!(query.parameters().count(), 1000);
    assert_eq!(query.sid(), None);
}

#[test]
fn the_open_packet_has_five_keys() {
    let sid = SessionId::new([0xff; 12], 1, 2);
    let mut open = Open {
        sid,
        upgrades: &[],
        ping_interval: Duration::from_secs(25),
        ping_timeout: Duration::from_millis(20_000),
        max_payload: 1_000_000,
    };
    let tail = r#""pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    for (upgrades, listed) in [
        (&[][..], "[]"),
        (&["websocket"], r#"["websocket"]"#),
        (&["websocket", "webtransport"], r#"["websocket","webtransport"]"#),
    ] {
        open.upgrades = upgrades;
        let mut out = Vec::new();
        open.write(&mut out);
        let expected = format!(r#"0{{"sid":"________________AQAC","upgrades":{listed},{tail}"#);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn session_ids_are_secret_and_of_one_shape() {
    let sid = SessionId::new([7; 12], 3, 500);
    assert_eq!(format!("{sid:?}"), "SessionId(…)");
    let request = request("EIO=4&transport=websocket&sid=secret&token=secret");
    let verified = verify(&request, BOTH);
    assert!(!format!("{request:?} {verified:?}").contains("secret"));
    for text in [
        "",
        "abc",
        "aaaaaaaaaaaaaaaaaaa",
        "aaaaaaaaaaaaaaaaaaaaa",
        "aaaaaaaaaaaaaaaaaaa+",
        "aaaaaaaaaaaaaaaaaa==",
        "aaaaaaaaaaaaaaaaaa\u{e9}",
        "~aaaaaaaaaaaaaaaaaaa",
    ] {
        assert_eq!(SessionId::parse(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn session_ids_are_read_back(random: [u8; 12], shard: u8, instance: u16) {
        let sid = SessionId::new(random, shard, instance);
        let text = sid.to_text();
        prop_assert_eq!(text.len(), 20);
        prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')));
        let parsed = SessionId::parse(&text).unwrap();
        prop_assert_eq!(parsed, sid);
        prop_assert_eq!((parsed.random(), parsed.shard(), parsed.instance()), (random, shard, instance));
    }

    #[test]
    fn every_text_of_the_alphabet_is_an_id(text in "[A-Za-z0-9_-]{20}") {
        prop_assert_eq!(SessionId::parse(&text).unwrap().to_text(), text);
    }

    #[test]
    fn any_query_is_read(raw in any::<String>()) {
        let query = Query::parse(&raw);
        prop_assert!(query.parameters().count() <= 1000);
    }
}
