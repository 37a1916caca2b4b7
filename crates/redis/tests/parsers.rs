//! What servers and emitters for Node publish that have another parser than notepack: it is read as
//! what it means, and what is written is what the parser itself decodes to the same.

mod bytes_of;

use bytes_of::{lines, rooms, text, unhex};
use relay_hub::{Audience, Broadcast, Bytes, Packet};
use relay_redis::classic::{
    DecodeLimits, Garbage, Heard, Parser, PeerRequestBody, PeerRequestId, PeerResponseBody,
    ShortId, answered_id, decode_broadcast, decode_request, decode_response, write_ack,
    write_broadcast, write_broadcast_with_ack,
};
use serde_json::Value;

const LIMITS: DecodeLimits = DecodeLimits {
    message_bytes_max: 1_000_000,
    depth_max: 100,
    attachments_max: 10,
    rooms_max: 1_000,
    fetch_bytes_max: 1 << 20,
};
const BYTES_MAX: usize = 100_000;

fn cases(what: &str) -> impl Iterator<Item = Value> {
    let cases = lines(include_str!("golden/parsers.jsonl"));
    let cases: Vec<Value> = cases.into_iter().filter(|it| it["what"] == what).collect();
    assert!(!cases.is_empty(), "{what}");
    cases.into_iter()
}

fn parser(case: &Value) -> Parser {
    let name = text(case, "parser");
    Parser::ALL.into_iter().find(|it| it.name() == name).expect("a parser")
}

fn id(text: &str) -> ShortId {
    ShortId::parse(text.as_bytes()).expect("six characters")
}

fn attachments(case: &Value) -> Vec<Bytes> {
    let list = case["attachments"].as_array().expect("attachments");
    list.iter().map(|it| Bytes::from(unhex(it.as_str().expect("hex")))).collect()
}

fn broadcast(case: &Value) -> Broadcast {
    let packet = Packet::new(text(case, "sent").as_bytes(), &attachments(case));
    let audience = Audience { rooms: rooms(&case["rooms"]), except: rooms(&case["except"]) };
    Broadcast { volatile: case["volatile"] == true, ..Broadcast::new(packet, audience) }
}

/// That what arrived is what a Node server delivers.
fn check_heard(case: &Value, json: &[u8], binaries: &[Bytes]) {
    let value = |json: &[u8]| serde_json::from_slice::<Value>(json).expect("JSON");
    assert_eq!(value(json), value(text(case, "heard").as_bytes()), "{case}");
    let expected = match parser(case) {
        Parser::Json => Vec::new(),
        Parser::Notepack | Parser::Msgpackr => attachments(case),
    };
    assert_eq!(binaries, expected, "{case}");
}

/// That we write the bytes that the package decoded, and read both these and its own.
fn check(case: &Value, written: &[u8], read: impl Fn(&[u8])) {
    read(&unhex(text(case, "hex")));
    if let Some(ours) = case["ours"].as_str() {
        let shown = String::from_utf8_lossy(written);
        assert_eq!(written, unhex(ours), "{shown} instead of {case}");
        read(written);
    }
}

#[test]
fn broadcasts() {
    for case in cases("broadcast") {
        let (parser, nsp) = (parser(&case), text(&case, "nsp"));
        let broadcast = broadcast(&case);
        let mut out = Vec::new();
        write_broadcast(&mut out, parser, &id("abc123"), nsp, &broadcast, BYTES_MAX).expect("fit");
        check(&case, &out, |bytes| {
            let heard = decode_broadcast(parser, bytes, &id("peer02"), nsp, LIMITS);
            let Ok(Heard::Broadcast(it)) = heard else { panic!("{heard:?} of {case}") };
            check_heard(&case, &it.packet.args, &it.packet.attachments);
            assert_eq!(it.audience, broadcast.audience, "{case}");
            assert_eq!(it.flags.volatile, broadcast.volatile, "{case}");
            let elsewhere = decode_broadcast(parser, bytes, &id("peer02"), "/else", LIMITS);
            assert_eq!(elsewhere, Ok(Heard::OtherNamespace));
            if case["by"] == "adapter" {
                let own = decode_broadcast(parser, bytes, &id("abc123"), nsp, LIMITS);
                assert_eq!(own, Ok(Heard::Own));
            }
        });
    }
}

#[test]
fn broadcasts_with_acknowledgement() {
    for case in cases("request") {
        let (parser, nsp) = (parser(&case), text(&case, "nsp"));
        let broadcast = broadcast(&case);
        let (mut out, ids) = (Vec::new(), (&id("abc123"), &id("req001")));
        write_broadcast_with_ack(&mut out, parser, ids, nsp, &broadcast, 500, BYTES_MAX)
            .expect("fit");
        check(&case, &out, |bytes| {
            let request = decode_request(parser, bytes, LIMITS).expect("a request");
            assert_eq!(request.uid.as_deref(), Some("abc123"));
            let PeerRequestBody::Broadcast { id, packet, audience, flags } = request.body else {
                panic!("{request:?} of {case}")
            };
            check_heard(&case, &packet.args, &packet.attachments);
            assert_eq!(audience.as_ref(), Some(&broadcast.audience), "{case}");
            assert_eq!((id.as_bytes(), flags.timeout_ms), (&b"req001"[..], Some(500)));
            assert_eq!(flags.volatile, broadcast.volatile, "{case}");
        });
    }
}

/// The id `req001`, as a peer says it.
fn request_id() -> PeerRequestId {
    let request = br#"{"uid":"peer01","requestId":"req001","type":1}"#;
    match decode_request(Parser::Notepack, request, LIMITS).map(|it| it.body) {
        Ok(PeerRequestBody::AllRooms { id }) => id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn acknowledgements() {
    for case in cases("ack") {
        let parser = parser(&case);
        let mut out = Vec::new();
        let (json, binaries) = (case["sent"].as_str(), attachments(&case));
        write_ack(&mut out, parser, &request_id(), json, &binaries, BYTES_MAX).expect("fit");
        check(&case, &out, |bytes| {
            assert_eq!(answered_id(parser, bytes, LIMITS).as_deref(), Ok(&b"req001"[..]));
            let response = decode_response(parser, bytes, LIMITS).expect("an answer");
            match response.body {
                PeerResponseBody::Ack(Some(it)) => check_heard(&case, &it.json, &it.attachments),
                PeerResponseBody::Ack(None) => assert!(case["heard"].is_null(), "{case}"),
                body => panic!("{body:?} of {case}"),
            }
        });
    }
}

#[test]
fn what_msgpackr_writes_with_other_options_is_no_message() {
    for case in cases("unlike") {
        let bytes = unhex(text(&case, "hex"));
        let heard = decode_broadcast(Parser::Msgpackr, &bytes, &id("peer02"), "/", LIMITS);
        assert_eq!(heard, Err(Garbage::Encoding), "{case}");
        let asked = decode_request(Parser::Msgpackr, &bytes, LIMITS);
        assert_eq!(asked, Err(Garbage::Encoding), "{case}");
    }
}

#[test]
fn what_another_parser_wrote_is_garbage_or_the_same() {
    for what in ["broadcast", "request", "ack"] {
        for case in cases(what) {
            let bytes = unhex(text(&case, "hex"));
            let others = Parser::ALL.into_iter().filter(|it| *it != parser(&case));
            // Msgpack of both libraries is told apart by what is rare in it.
            for other in
                others.filter(|it| (*it == Parser::Json) != (parser(&case) == Parser::Json))
            {
                let nsp = case["nsp"].as_str().unwrap_or("/");
                let broadcast = decode_broadcast(other, &bytes, &id("peer02"), nsp, LIMITS);
                assert!(broadcast.is_err(), "{broadcast:?} of {case}");
                // Requests and answers that are JSON are understood with every parser.
                if other == Parser::Json {
                    assert!(decode_request(other, &bytes, LIMITS).is_err(), "{case}");
                    assert!(decode_response(other, &bytes, LIMITS).is_err(), "{case}");
                }
            }
        }
    }
}

#[test]
fn json_is_read_as_hostile_text() {
    let read =
        |text: &str| decode_broadcast(Parser::Json, text.as_bytes(), &id("peer02"), "/", LIMITS);
    let deep = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!(r#"["u",{{"type":2,"data":["x",{open}{close}]}},{{"rooms":[]}}]"#)
    };
    assert!(matches!(read(&deep(99)), Ok(Heard::Broadcast(_))));
    assert_eq!(read(&deep(100)), Err(Garbage::TooDeep));
    assert_eq!(read(&deep(100_000)), Err(Garbage::TooDeep));
    assert_eq!(read(&format!("[{}", "[".repeat(100_000))), Err(Garbage::Encoding));
    assert_eq!(read(&" ".repeat(LIMITS.message_bytes_max + 1)), Err(Garbage::TooLarge));
    let rooms = vec!["5"; LIMITS.rooms_max + 1].join(",");
    let many = format!(r#"["u",{{"type":2,"data":["x"]}},{{"rooms":[{rooms}]}}]"#);
    assert_eq!(read(&many), Err(Garbage::TooManyRooms));
    for (json, garbage) in [
        ("", Garbage::Encoding),
        ("nul", Garbage::Encoding),
        (r#"["u",{},{}] ,"#, Garbage::Encoding),
        ("null", Garbage::Shape("message")),
        (r#"{"a":["u",{},{}]}"#, Garbage::Shape("message")),
        (r#"["u",{}]"#, Garbage::Shape("message")),
        (r#"["u",{},{},1]"#, Garbage::Shape("message")),
        (r#"[1,{},{}]"#, Garbage::Shape("uid")),
        (r#"["u",{},[]]"#, Garbage::Shape("opts")),
        (r#"["u",{},{"rooms":5}]"#, Garbage::Shape("rooms")),
        (r#"["u",[],{"rooms":[]}]"#, Garbage::Shape("packet")),
        (r#"["u",{"type":3,"data":["x"]},{}]"#, Garbage::Shape("type")),
        (r#"["u",{"type":2},{}]"#, Garbage::Shape("data")),
        (r#"["u",{"type":2,"data":["connect"]},{}]"#, Garbage::Shape("data")),
    ] {
        assert_eq!(read(json), Err(garbage), "{json}");
    }
    assert_eq!(read(r#"["u",{"type":2,"data":["x"],"nsp":null},{}]"#), Ok(Heard::OtherNamespace));
    assert_eq!(read(r#"["u",5,{"rooms":[null]}]"#), Ok(Heard::Nobody));
    assert_eq!(read(r#" [ "\u0070eer02" , 5 , 5 ] "#), Ok(Heard::Own));
    let large = format!(r#"["peer02",{}"#, " ".repeat(LIMITS.message_bytes_max));
    assert_eq!(read(&large), Ok(Heard::Own), "whatever its size");
    // An object that looks like a placeholder is what it is.
    let lookalike = r#"["x",{"_placeholder":true,"num":0}]"#;
    let heard = read(&format!(r#"["u",{{"type":2,"data":{lookalike}}},{{}}]"#));
    let Ok(Heard::Broadcast(it)) = heard else { panic!("{heard:?}") };
    assert_eq!(it.packet, Packet::new(lookalike.as_bytes(), &[]));
    // Bytes that are no UTF-8 are replaced, as in Node.
    let broken = b"[\"u\",{\"type\":2,\"data\":[\"x\",\"\xff\"]},{}]";
    let heard = decode_broadcast(Parser::Json, broken, &id("peer02"), "/", LIMITS);
    let Ok(Heard::Broadcast(it)) = heard else { panic!("{heard:?}") };
    assert_eq!(it.packet.args, "[\"x\",\"\u{fffd}\"]".as_bytes());
}

#[test]
fn a_parser_is_at_the_place_of_its_number() {
    for (at, parser) in Parser::ALL.into_iter().enumerate() {
        assert_eq!(parser as usize, at);
    }
    assert_eq!(Parser::ALL[0], Parser::default());
}
