//! What arrives from Redis and is no message, or one that must not be taken at its word.

use relay_hub::{Audience, Broadcast, Bytes, Packet, Room};
use relay_redis::classic::{
    AnswerKind, Change, DecodeLimits, Garbage, Heard, ID_BYTES_MAX, OwnRequest, Parser, PeerCount,
    PeerRequestBody, PeerResponseBody, Refused, ShortId, answered_id, decode_broadcast,
    decode_broadcast_for, decode_count, decode_request, decode_response, write_broadcast,
    write_request,
};
use relay_socketio::msgpack::{Library, write_value};

const LIMITS: DecodeLimits = DecodeLimits {
    message_bytes_max: 2_000,
    depth_max: 8,
    attachments_max: 10,
    rooms_max: 3,
    fetch_bytes_max: 1_000,
};

fn own() -> ShortId {
    ShortId::new([0; 6])
}

/// The msgpack of a JSON text.
fn msgpack(json: &str, attachments: &[Bytes]) -> Vec<u8> {
    let mut out = Vec::new();
    write_value(&mut out, json, attachments, Library::Notepack, 1 << 20).expect("short");
    out
}

fn check_broadcast(json: &str, expected: Result<(), Garbage>) {
    let heard = decode_broadcast(Parser::Notepack, &msgpack(json, &[]), &own(), "/", LIMITS);
    let taken = heard.map(|it| assert!(matches!(it, Heard::Broadcast(_)), "{it:?} of {json}"));
    assert_eq!(taken, expected, "{json}");
}

#[test]
fn broadcasts_of_other_shapes_are_garbage() {
    const OPTS: &str = r#"{"rooms":[],"except":[],"flags":{}}"#;
    let data = |data: &str| format!(r#"["u",{{"type":2,"data":{data}}},{OPTS}]"#);
    let opts = |opts: &str| format!(r#"["u",{{"type":2,"data":["x"]}},{opts}]"#);
    let shape = |part| Err(Garbage::Shape(part));
    for (json, expected) in [
        (data(r#"["x"]"#), Ok(())),
        (data("[5]"), Ok(())),
        (data("[]"), shape("data")),
        (data("[null]"), shape("data")),
        (data("\"x\""), shape("data")),
        (data(r#"["disconnect"]"#), shape("data")),
        (data("[[[[[[[[[1]]]]]]]]]"), Err(Garbage::TooDeep)),
        (opts("{}"), Ok(())),
        (opts(r#"{"rooms":null,"except":null,"flags":null,"more":[{}]}"#), Ok(())),
        (opts(r#"{"rooms":5}"#), shape("rooms")),
        (opts(r#"{"rooms":["a","b","c","d"]}"#), Err(Garbage::TooManyRooms)),
        (opts(r#"{"flags":[]}"#), shape("flags")),
        (opts(r#"{"flags":{"volatile":[1,[2]],"timeout":"x","x":{"y":[]}}}"#), Ok(())),
        (opts("null"), shape("opts")),
        (opts("[]"), shape("opts")),
        (r#"["u",{"type":2,"data":["x"]}]"#.to_owned(), shape("message")),
        (format!(r#"["u",null,{OPTS}]"#), shape("packet")),
        (format!(r#"["u",{{"type":3,"data":["x"]}},{OPTS}]"#), shape("type")),
        (format!(r#"["u",{{"data":["x"]}},{OPTS}]"#), shape("type")),
        (r#"{"type":3,"data":{},"uid":"u","nsp":"/"}"#.to_owned(), shape("message")),
        ("null".to_owned(), shape("message")),
    ] {
        check_broadcast(&json, expected);
    }
    for bytes in [&b""[..], b"\xc1", b"[1,2,3]", b"\x93", b"\xdd\xff\xff\xff\xff", b"{}"] {
        let heard = decode_broadcast(Parser::Notepack, bytes, &own(), "/", LIMITS);
        assert!(heard.is_err(), "{heard:?} of {bytes:?}");
    }
    let mut long = msgpack(&data(r#"["x"]"#), &[]);
    long.push(0);
    assert_eq!(
        decode_broadcast(Parser::Notepack, &long, &own(), "/", LIMITS),
        Err(Garbage::Encoding)
    );
    let large = msgpack(&data(&format!("[\"{}\"]", "x".repeat(2_000))), &[]);
    assert_eq!(
        decode_broadcast(Parser::Notepack, &large, &own(), "/", LIMITS),
        Err(Garbage::TooLarge)
    );
}

/// An event with that many binaries, to everybody.
fn with_binaries(count: usize) -> Broadcast {
    let list: Vec<String> =
        (0..count).map(|at| format!(",{{\"_placeholder\":true,\"num\":{at}}}")).collect();
    let args = format!("[\"x\"{}]", list.concat());
    let binaries = vec![Bytes::from_static(b"b"); count];
    Broadcast::new(Packet::new(args.as_bytes(), &binaries), Audience::all())
}

#[test]
fn no_more_binaries_come_in_or_go_out_than_clients_accept() {
    let data = |count: usize| {
        let broadcast = with_binaries(count);
        let args = std::str::from_utf8(&broadcast.packet.args).expect("text");
        let json = format!(r#"["u",{{"type":2,"data":{args}}},{{"rooms":[]}}]"#);
        decode_broadcast(
            Parser::Notepack,
            &msgpack(&json, &broadcast.packet.attachments),
            &own(),
            "/",
            LIMITS,
        )
    };
    assert!(matches!(data(10), Ok(Heard::Broadcast(it)) if it.packet.attachments.len() == 10));
    assert_eq!(data(11), Err(Garbage::TooManyAttachments));

    let send = |broadcast: &Broadcast| {
        let mut out = Vec::new();
        let written = write_broadcast(&mut out, Parser::Notepack, &own(), "/", broadcast, 100_000);
        assert_eq!(written.is_err(), out.is_empty());
        written
    };
    assert_eq!(send(&with_binaries(10)), Ok(()));
    assert_eq!(send(&with_binaries(11)), Err(Refused::TooManyAttachments));
    // One binary that is named eleven times is eleven for whoever receives it.
    let mut repeated = with_binaries(1);
    let placeholders = ",{\"_placeholder\":true,\"num\":0}".repeat(11);
    repeated.packet.args = Bytes::from(format!("[\"x\"{placeholders}]"));
    assert_eq!(send(&repeated), Err(Refused::TooManyAttachments));
    repeated.packet.args = Bytes::from_static(b"[\"x\",{\"_placeholder\":true,\"num\":1}]");
    assert_eq!(send(&repeated), Err(Refused::PlaceholderInvalid));
}

#[test]
fn what_would_break_clients_or_peers_is_not_written() {
    for args in ["[]", "[null]", "{}", "\"x\"", r#"["connect"]"#, r#"["dis\u0063onnect",1]"#, ""] {
        let packet = Packet::new(args.as_bytes(), &[]);
        let broadcast = Broadcast::new(packet, Audience::all());
        let mut out = Vec::new();
        let written = write_broadcast(&mut out, Parser::Notepack, &own(), "/", &broadcast, 1_000);
        assert_eq!((written, out.len()), (Err(Refused::NotAnEvent), 0), "{args}");
    }
    for args in ["[]", r#"["error",1]"#, r#"["connection",1]"#, r#"["new_namespace"]"#] {
        let request = OwnRequest::ServerSideEmit { id: None, args_json: args };
        let mut out = Vec::new();
        assert_eq!(write_request(&mut out, &own(), &request), Err(Refused::NotAnEvent), "{args}");
    }
    let packet = Packet::new(format!("[\"{}\"]", "x".repeat(1_000)).as_bytes(), &[]);
    let mut out = vec![1];
    let broadcast = Broadcast::new(packet, Audience::all());
    let written = write_broadcast(&mut out, Parser::Notepack, &own(), "/", &broadcast, 999);
    assert_eq!((written, out), (Err(Refused::TooLarge), vec![1]));
}

/// `None` for what is no request at all; else what it was understood as.
fn asked(json: &str) -> Option<PeerRequestBody> {
    let as_text = decode_request(Parser::Notepack, json.as_bytes(), LIMITS);
    let as_msgpack = decode_request(Parser::Notepack, &msgpack(json, &[]), LIMITS);
    assert_eq!(as_text, as_msgpack, "{json}");
    as_text.ok().map(|it| it.body)
}

#[test]
fn a_request_that_makes_no_sense_is_still_answered_if_its_sender_waits() {
    let unusable = |json: &str| match asked(json) {
        Some(PeerRequestBody::Unusable { id, answer, .. }) if id.as_bytes() == b"r" => answer,
        other => panic!("{other:?} of {json}"),
    };
    for (json, expected) in [
        (r#"{"requestId":"r","type":0,"rooms":5}"#, AnswerKind::Ids),
        (r#"{"requestId":"r","type":5}"#, AnswerKind::Sockets),
        (r#"{"requestId":"r","type":5,"opts":7}"#, AnswerKind::Sockets),
        (r#"{"requestId":"r","type":6}"#, AnswerKind::ServerSide),
        (r#"{"requestId":"r","type":6,"data":{}}"#, AnswerKind::ServerSide),
        (r#"{"requestId":"r","type":7}"#, AnswerKind::ClientCount),
        (r#"{"requestId":"r","type":7,"packet":{"data":[]},"opts":{}}"#, AnswerKind::ClientCount),
    ] {
        assert_eq!(unusable(json), expected, "{json}");
    }
    for json in [
        "{}",
        r#"{"type":"5","requestId":"r"}"#,
        r#"{"type":5.5,"requestId":"r"}"#,
        r#"{"type":10,"requestId":"r"}"#,
        r#"{"type":5,"opts":{}}"#,
        r#"{"type":5,"requestId":7,"opts":{}}"#,
        r#"{"type":6,"data":[]}"#,
        r#"{"type":2}"#,
        r#"{"type":2,"opts":5}"#,
    ] {
        assert_eq!(asked(json), None, "{json}");
    }
}

#[test]
fn rooms_that_cannot_be_are_nobody_and_never_everybody() {
    let fetched = |rooms: &str| match asked(&format!(
        r#"{{"requestId":"r","type":5,"opts":{{"rooms":{rooms}}}}}"#
    )) {
        Some(PeerRequestBody::Fetch { audience, .. }) => audience,
        other => panic!("{other:?}"),
    };
    assert_eq!(fetched("[]"), Some(Audience::all()));
    assert_eq!(fetched("null"), Some(Audience::all()));
    assert_eq!(fetched("[null]"), None);
    assert_eq!(fetched("[true,{}]"), None);
    assert_eq!(fetched("[null,5]"), Some(Audience::rooms(vec![Room::number(5.0)])));
    let body = asked(r#"{"type":4,"opts":{"rooms":[null]},"close":true}"#);
    assert_eq!(body, Some(PeerRequestBody::ChangeNobody));
    let json = r#"["u",{"type":2,"data":["x"]},{"rooms":[null]}]"#;
    let heard = decode_broadcast(Parser::Notepack, &msgpack(json, &[]), &own(), "/", LIMITS);
    assert_eq!(heard, Ok(Heard::Nobody));
}

#[test]
fn the_old_forms_that_name_one_socket_are_understood() {
    let one = |change, with_id| {
        let audience = Audience::rooms(vec![Room::text(b"S")]);
        move |body| match body {
            Some(PeerRequestBody::Change { audience: a, change: c, confirm }) => {
                assert_eq!((&a, &c, confirm.is_some()), (&audience, &change, with_id));
            }
            other => panic!("{other:?}"),
        }
    };
    let joins = Change::Join(vec![Room::text(b"r")]);
    one(joins.clone(), true)(asked(r#"{"requestId":"x","type":2,"sid":"S","room":"r"}"#));
    one(joins, false)(asked(r#"{"type":2,"sid":"S","room":"r"}"#));
    let leaves = Change::Leave(vec![Room::number(5.0)]);
    one(leaves, true)(asked(r#"{"requestId":"x","type":3,"sid":"S","room":5}"#));
    let ends = Change::Disconnect { close: false };
    one(ends, true)(asked(r#"{"requestId":"x","type":4,"sid":"S"}"#));
}

#[test]
fn answers_of_other_shapes_are_garbage() {
    for json in [
        "{}",
        r#"{"requestId":5}"#,
        r#"{"requestId":"r","type":8}"#,
        r#"{"requestId":"r","type":8,"clientCount":-1}"#,
        r#"{"requestId":"r","sockets":[{"rooms":[]}]}"#,
        r#"{"requestId":"r","sockets":[{"id":"x","rooms":5}]}"#,
    ] {
        assert!(decode_response(Parser::Notepack, json.as_bytes(), LIMITS).is_err(), "{json}");
        assert!(decode_response(Parser::Notepack, &msgpack(json, &[]), LIMITS).is_err(), "{json}");
    }
    for bytes in [&b"\xc0"[..], b"[]", b"{", b"", b"\xef\xbb\xbf{}"] {
        assert!(decode_response(Parser::Notepack, bytes, LIMITS).is_err(), "{bytes:?}");
    }
}

#[test]
fn ids_are_no_longer_than_ids_are() {
    for (length, expected) in [(ID_BYTES_MAX, None), (ID_BYTES_MAX + 1, Some(Garbage::IdTooLong))] {
        let id = "i".repeat(length);
        for request in [
            format!(r#"{{"uid":"{id}","requestId":"q","type":1}}"#),
            format!(r#"{{"uid":"u","requestId":"{id}","type":1}}"#),
            format!(r#"{{"requestid":"{id}","type":2}}"#),
        ] {
            let decoded = decode_request(Parser::Notepack, request.as_bytes(), LIMITS);
            assert_eq!(decoded.err(), expected, "{request}");
        }
        let broadcast = msgpack(&format!(r#"["{id}",{{"type":2,"data":["x"]}},{{}}]"#), &[]);
        assert_eq!(
            decode_broadcast(Parser::Notepack, &broadcast, &own(), "/", LIMITS).err(),
            expected
        );
        let answer = format!(r#"{{"requestId":"{id}","sockets":[]}}"#);
        assert_eq!(answered_id(Parser::Notepack, answer.as_bytes(), LIMITS).err(), expected);
    }
}

#[test]
fn whose_answer_it_is_stands_in_front_of_what_is_looked_at() {
    for json in [r#"{"requestId":"q\u0031","sockets":[}"#, r#"{"type":6,"requestId":"q1","data":"#]
    {
        assert_eq!(
            answered_id(Parser::Notepack, json.as_bytes(), LIMITS).as_deref(),
            Ok(&b"q1"[..]),
            "{json}"
        );
        assert!(decode_response(Parser::Notepack, json.as_bytes(), LIMITS).is_err());
    }
    let mut cut = msgpack(r#"{"type":9,"requestId":"q1","packet":["x"]}"#, &[]);
    cut.pop();
    assert_eq!(answered_id(Parser::Notepack, &cut, LIMITS).as_deref(), Ok(&b"q1"[..]));
    for none in [&b""[..], b"{", b"{}", b"[]", b"\x80", b"\xc1", br#"{"requestId":5}"#] {
        assert!(answered_id(Parser::Notepack, none, LIMITS).is_err(), "{none:?}");
    }
}

#[test]
fn more_sockets_than_may_be_kept_are_not_taken() {
    let sockets = |count: usize| {
        let list = vec![r#""s""#; count].join(",");
        let json = format!(r#"{{"requestId":"q","sockets":[{list}]}}"#);
        match decode_response(Parser::Notepack, json.as_bytes(), LIMITS).expect("an answer").body {
            PeerResponseBody::Sockets(sockets) => sockets.len(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(sockets(3), 3);
    let most = sockets(400);
    assert!(most > 3 && most < 20, "{most}");
}

#[test]
fn a_count_is_asked_for_by_instances_of_relay_alone() {
    let fetch = |more: &str| match asked(&format!(
        r#"{{"requestId":"r","type":5,"opts":{{"rooms":[]}}{more}}}"#
    )) {
        Some(PeerRequestBody::Fetch { .. }) => None,
        Some(PeerRequestBody::Count { asker, audience: Some(_), .. }) => Some(asker),
        other => panic!("{other:?}"),
    };
    assert_eq!(fetch(r#","uid":"AAAAAA","relay":"count""#), Some(own()));
    assert_eq!(fetch(r#","relay":"coun\u0074","uid":"AAAAAA""#), Some(own()));
    // The channel of the answer is made of the id: no id of another shape is.
    for more in [
        r#","relay":"count""#,
        r#","uid":"AAAAA#","relay":"count""#,
        r#","uid":"AAAAAAA","relay":"count""#,
        r#","uid":7,"relay":"count""#,
        r#","uid":"AAAAAA","relay":["count"]"#,
        r#","uid":"AAAAAA","relay":"counts""#,
        r#","uid":"AAAAAA","relay":null"#,
        r#","uid":"AAAAAA""#,
    ] {
        assert_eq!(fetch(more), None, "{more}");
    }
    let body = asked(r#"{"uid":"AAAAAA","requestId":"r","type":5,"opts":7,"relay":"count"}"#);
    let Some(PeerRequestBody::Unusable { answer, .. }) = body else { panic!("{body:?}") };
    assert_eq!(answer, AnswerKind::Count(own()));
}

#[test]
fn counts_of_other_shapes_are_garbage_and_no_list_is_too_long_to_be_counted() {
    for (json, expected) in [
        (r#""count":3,"complete":true"#, Ok((3, true))),
        (r#""count":3"#, Ok((3, false))),
        (r#""count":3,"complete":"true","sockets":[{}]"#, Ok((3, false))),
        (r#""count":9007199254740991,"complete":true"#, Ok((9_007_199_254_740_991, true))),
        (r#""count":9007199254740992"#, Err("count")),
        (r#""count":-1"#, Err("count")),
        (r#""count":1.5"#, Err("count")),
        (r#""count":"3""#, Err("count")),
        (r#""count":null,"sockets":[]"#, Err("count")),
        (r#""count":1e400"#, Err("count")),
        (r#""sockets":[]"#, Ok((0, true))),
        (r#""sockets":["a",{"id":"b"},{}]"#, Ok((3, true))),
        (r#""sockets":["a",null]"#, Err("sockets")),
        (r#""sockets":[[]]"#, Err("sockets")),
        (r#""sockets":{}"#, Err("sockets")),
        (r#""rooms":[]"#, Err("sockets")),
    ] {
        let json = format!(r#"{{"requestId":"r",{json}}}"#);
        let expected = expected
            .map(|(sockets, complete)| PeerCount { sockets, complete })
            .map_err(Garbage::Shape);
        assert_eq!(decode_count(Parser::Notepack, json.as_bytes(), LIMITS), expected, "{json}");
        assert_eq!(
            decode_count(Parser::Notepack, &msgpack(&json, &[]), LIMITS),
            expected,
            "{json}"
        );
    }
    for bytes in [&b"\xc0"[..], b"[]", b"{", b"", br#"{"count":1,"complete":true"#] {
        assert!(decode_count(Parser::Notepack, bytes, LIMITS).is_err(), "{bytes:?}");
    }
    let large = format!(r#"{{"requestId":"q","count":1{}}}"#, " ".repeat(2_000));
    assert_eq!(decode_count(Parser::Notepack, large.as_bytes(), LIMITS), Err(Garbage::TooLarge));
    // Far more than may be kept of a fetch.
    let list = vec![r#""s""#; 400].join(",");
    let json = format!(r#"{{"requestId":"q","sockets":[{list}]}}"#);
    let counted = decode_count(Parser::Notepack, json.as_bytes(), LIMITS).map(|it| it.sockets);
    assert_eq!(counted, Ok(400));
}

#[test]
fn of_a_packet_for_nobody_nothing_is_made() {
    let opts = r#"{"rooms":["a",5],"except":["b"],"flags":{}}"#;
    for (packet, wanted) in [
        (r#"{"type":2,"data":["x"]}"#, None),
        (r#"{"type":3}"#, Some(Garbage::Shape("type"))),
        ("5", Some(Garbage::Shape("packet"))),
    ] {
        let message = msgpack(&format!(r#"["u",{packet},{opts}]"#), &[]);
        let decode = |wanted: bool| {
            decode_broadcast_for(Parser::Notepack, &message, &own(), "/", LIMITS, |audience| {
                let rooms = vec![Room::text(b"a"), Room::number(5.0)];
                assert_eq!(*audience, Audience { rooms, except: vec![Room::text(b"b")] });
                wanted
            })
        };
        assert_eq!(decode(false), Ok(Heard::Nobody), "{packet}");
        assert_eq!(decode(true).err(), wanted, "{packet}");
    }
}
