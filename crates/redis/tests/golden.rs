//! The messages of the Node adapters, as their own code publishes them: ours are the same bytes,
//! and theirs are read as what they mean.

use bytes_of::{lines, rooms, text, unhex};
use relay_hub::{Audience, Broadcast, Bytes, Packet, Room};
use relay_redis::classic::{
    Answer, Change, Channels, DEFAULT_PREFIX, DecodeLimits, Garbage, Heard, OwnRequest, Parser,
    PeerCount, PeerRequestBody, PeerRequestId, PeerResponseBody, ShortId, SocketFacts,
    decode_broadcast, decode_count, decode_request, decode_response, write_ack, write_answer,
    write_broadcast, write_broadcast_with_ack, write_request,
};
use serde_json::Value;

mod bytes_of;

const LIMITS: DecodeLimits = DecodeLimits {
    message_bytes_max: 1_000_000,
    depth_max: 100,
    attachments_max: 10,
    rooms_max: 1_000,
    fetch_bytes_max: 1 << 20,
};
const BYTES_MAX: usize = 100_000;

fn id(text: &str) -> ShortId {
    ShortId::parse(text.as_bytes()).expect("six characters")
}

fn peer() -> ShortId {
    id("peer02")
}

fn packet(case: &Value) -> Packet {
    let attachments = case["attachments"].as_array().expect("attachments");
    let attachments: Vec<Bytes> =
        attachments.iter().map(|it| Bytes::from(unhex(it.as_str().expect("hex")))).collect();
    Packet::new(text(case, "args").as_bytes(), &attachments)
}

fn audience(case: &Value) -> Audience {
    Audience { rooms: rooms(&case["rooms"]), except: rooms(&case["except"]) }
}

#[test]
fn broadcasts_are_the_bytes_of_the_adapter() {
    let cases = lines(include_str!("golden/broadcasts.jsonl"));
    for case in cases.iter().filter(|it| it["exact"] == true) {
        let (nsp, uid) = (text(case, "nsp"), id(text(case, "uid")));
        let volatile = case["volatile"] == true;
        let broadcast = Broadcast { volatile, ..Broadcast::new(packet(case), audience(case)) };
        let mut out = Vec::new();
        write_broadcast(&mut out, Parser::Notepack, &uid, nsp, &broadcast, BYTES_MAX)
            .expect("an event");
        assert_eq!(out, unhex(text(case, "hex")), "{case}");
        let channels = Channels::new(DEFAULT_PREFIX, nsp, &uid);
        assert_eq!(channels.of(&broadcast.audience), text(case, "channel").as_bytes());
    }
    assert!(cases.len() > 100);
}

#[test]
fn broadcasts_of_adapters_old_and_new_and_of_the_emitter_are_understood() {
    for case in lines(include_str!("golden/broadcasts.jsonl")) {
        let bytes = unhex(text(&case, "hex"));
        let heard = decode_broadcast(Parser::Notepack, &bytes, &peer(), text(&case, "nsp"), LIMITS);
        let Ok(Heard::Broadcast(it)) = heard else { panic!("{heard:?} of {case}") };
        assert_eq!(it.packet, packet(&case), "{case}");
        assert_eq!((it.audience, it.flags.volatile), (audience(&case), case["volatile"] == true));
        let elsewhere = decode_broadcast(Parser::Notepack, &bytes, &peer(), "/else", LIMITS);
        assert_eq!(elsewhere, Ok(Heard::OtherNamespace));
        if let Some(uid) = ShortId::parse(text(&case, "uid").as_bytes()) {
            assert_eq!(
                decode_broadcast(Parser::Notepack, &bytes, &uid, text(&case, "nsp"), LIMITS),
                Ok(Heard::Own)
            );
        }
    }
}

#[test]
fn requests_are_the_bytes_of_the_adapter() {
    for case in lines(include_str!("golden/requests.jsonl")) {
        let (uid, request) = (id("abc123"), case["id"].as_str().map(id));
        let whom = || audience(&case);
        let mut out = Vec::new();
        let own = match text(&case, "what") {
            // Never asked here.
            "allRooms" => continue,
            "broadcast" => {
                let broadcast = Broadcast::new(packet(&case), whom());
                let ids = (&uid, &request.expect("an id"));
                write_broadcast_with_ack(
                    &mut out,
                    Parser::Notepack,
                    ids,
                    "/relay",
                    &broadcast,
                    500,
                    BYTES_MAX,
                )
                .expect("an event");
                assert_eq!(out, unhex(text(&case, "hex")), "{case}");
                continue;
            }
            "join" => OwnRequest::Join { audience: &whom(), rooms: &rooms(&case["list"]) },
            "leave" => OwnRequest::Leave { audience: &whom(), rooms: &rooms(&case["list"]) },
            "disconnect" => {
                OwnRequest::Disconnect { audience: &whom(), close: case["close"] == true }
            }
            "fetch" => OwnRequest::Fetch { id: request.expect("an id"), audience: &whom() },
            "serverSideEmit" => {
                OwnRequest::ServerSideEmit { id: request, args_json: text(&case, "args") }
            }
            what => panic!("{what}"),
        };
        write_request(&mut out, &uid, &own).expect("a request");
        assert_eq!(out, unhex(text(&case, "hex")), "{case}");
        let channels = Channels::new(DEFAULT_PREFIX, "/relay", &uid);
        assert_eq!(&*channels.requests, text(&case, "channel"));
    }
}

fn check_request(case: &Value) {
    let decoded = decode_request(Parser::Notepack, &unhex(text(case, "hex")), LIMITS)
        .unwrap_or_else(|garbage| panic!("{garbage} in {case}"));
    let uid = match case["by"].as_str() {
        None => Some("abc123"),
        Some("emitter") if case["what"] == "serverSideEmit" => Some("emitter"),
        Some(_) => None,
    };
    assert_eq!(decoded.uid.as_deref(), uid, "{case}");
    let id_is =
        |it: Option<&[u8]>| assert_eq!(it, case["id"].as_str().map(str::as_bytes), "{case}");
    let whom = || audience(case);
    match (text(case, "what"), decoded.body) {
        (
            "join" | "leave" | "disconnect",
            PeerRequestBody::Change { audience, change, confirm },
        ) => {
            assert_eq!(audience, whom(), "{case}");
            let expected = match text(case, "what") {
                "join" => Change::Join(rooms(&case["list"])),
                "leave" => Change::Leave(rooms(&case["list"])),
                _ => Change::Disconnect { close: case["close"] == true },
            };
            assert_eq!(change, expected, "{case}");
            id_is(confirm.as_ref().map(PeerRequestId::as_bytes));
        }
        ("fetch", PeerRequestBody::Fetch { id, audience }) => {
            assert_eq!(audience, Some(whom()));
            id_is(Some(id.as_bytes()));
        }
        ("broadcast", PeerRequestBody::Broadcast { id, packet: it, audience, flags }) => {
            assert_eq!((it, audience), (packet(case), Some(whom())));
            assert_eq!(flags.timeout_ms, Some(500));
            id_is(Some(id.as_bytes()));
        }
        ("serverSideEmit", PeerRequestBody::ServerSideEmit { id, args }) => {
            assert_eq!(args, text(case, "args"));
            id_is(id.as_ref().map(PeerRequestId::as_bytes));
        }
        ("sockets", PeerRequestBody::Sockets { id, audience }) => {
            assert_eq!(audience, Some(Audience::rooms(rooms(&case["rooms"]))));
            id_is(Some(id.as_bytes()));
        }
        ("roomsOf", PeerRequestBody::RoomsOf { id, socket }) => {
            assert_eq!(&*socket, text(case, "socket").as_bytes());
            id_is(Some(id.as_bytes()));
        }
        ("allRooms", PeerRequestBody::AllRooms { id })
        | ("custom", PeerRequestBody::Custom { id }) => id_is(Some(id.as_bytes())),
        (_, body) => panic!("{body:?} of {case}"),
    }
}

#[test]
fn requests_of_adapters_old_and_new_and_of_the_emitter_are_understood() {
    lines(include_str!("golden/requests.jsonl")).iter().for_each(check_request);
    lines(include_str!("golden/emitted.jsonl")).iter().for_each(check_request);
}

#[test]
fn answers_are_the_bytes_of_the_adapter_and_are_understood() {
    let request = br#"{"uid":"peer01","requestId":"req001","type":1}"#;
    let Ok(PeerRequestBody::AllRooms { id }) =
        decode_request(Parser::Notepack, request, LIMITS).map(|it| it.body)
    else {
        panic!("a request")
    };
    for case in lines(include_str!("golden/answers.jsonl")) {
        let mut out = Vec::new();
        let what = text(&case, "what");
        match what {
            "ids" => {
                let ids = case["ids"].as_array().expect("ids");
                let ids: Vec<&str> = ids.iter().filter_map(Value::as_str).collect();
                write_answer(&mut out, &id, &Answer::Ids(&ids));
            }
            "rooms" => write_answer(&mut out, &id, &Answer::Rooms(&rooms(&case["rooms"]))),
            "sockets" => write_sockets(&mut out, &id, &case),
            "serverSide" => write_answer(&mut out, &id, &Answer::ServerSide(case["data"].as_str())),
            "count" => {
                let count = case["count"].as_u64().and_then(|it| u32::try_from(it).ok());
                write_answer(&mut out, &id, &Answer::ClientCount(count.expect("count")));
            }
            "done" => write_answer(&mut out, &id, &Answer::Done),
            "ack" => {
                let attachments = case["attachments"].as_array().expect("attachments");
                let attachments: Vec<Bytes> = attachments
                    .iter()
                    .map(|it| Bytes::from(unhex(it.as_str().expect("hex"))))
                    .collect();
                let json = case["json"].as_str();
                write_ack(&mut out, Parser::Notepack, &id, json, &attachments, BYTES_MAX)
                    .expect("a value");
            }
            what => panic!("{what}"),
        }
        assert_eq!(
            String::from_utf8_lossy(&out),
            String::from_utf8_lossy(&unhex(text(&case, "hex")))
        );
        check_response(what, &case, &out);
    }
}

fn write_sockets(out: &mut Vec<u8>, id: &PeerRequestId, case: &Value) {
    let list = case["sockets"].as_array().expect("sockets");
    let all_rooms: Vec<Vec<Room>> = list.iter().map(|it| rooms(&it["rooms"])).collect();
    let sockets: Vec<SocketFacts<'_>> = list
        .iter()
        .zip(&all_rooms)
        .map(|(it, rooms)| SocketFacts {
            id: text(it, "id"),
            handshake_json: text(it, "handshake"),
            rooms,
            data_json: text(it, "data"),
        })
        .collect();
    write_answer(out, id, &Answer::Sockets(&sockets));
}

fn check_response(what: &str, case: &Value, bytes: &[u8]) {
    let response = decode_response(Parser::Notepack, bytes, LIMITS).expect("an answer");
    assert_eq!(response.request_id, b"req001");
    match (what, response.body) {
        ("ids" | "sockets", PeerResponseBody::Sockets(sockets)) => {
            let ids: Vec<&str> = sockets.iter().map(|it| it.id.as_str()).collect();
            let list = case[what].as_array().expect("a list");
            let expected: Vec<&str> =
                list.iter().map(|it| it.as_str().unwrap_or_else(|| text(it, "id"))).collect();
            assert_eq!(ids, expected);
            for (socket, it) in sockets.iter().zip(list.iter().filter(|it| it.is_object())) {
                assert_eq!(socket.rooms, rooms(&it["rooms"]));
                assert_eq!(socket.handshake_json, text(it, "handshake"));
                assert_eq!(socket.data_json, text(it, "data"));
            }
        }
        ("serverSide", PeerResponseBody::ServerSide(data)) => {
            assert_eq!(data.as_deref(), case["data"].as_str());
        }
        ("count", PeerResponseBody::ClientCount(count)) => assert_eq!(case["count"], count),
        ("ack", PeerResponseBody::Ack(value)) => {
            assert_eq!(
                value.as_ref().map(|it| &*it.json),
                case["json"].as_str().map(str::as_bytes)
            );
            let attachments = value.map(|it| it.attachments).unwrap_or_default();
            assert_eq!(attachments.len(), case["attachments"].as_array().expect("list").len());
        }
        ("rooms" | "done", PeerResponseBody::Other) => {}
        (_, body) => panic!("{body:?} of {case}"),
    }
}

#[test]
fn a_request_to_count_is_a_fetch_for_a_node_server_and_has_an_answer_of_ours() {
    let cases = lines(include_str!("golden/counts.jsonl"));
    for case in &cases {
        let (mut out, whom) = (Vec::new(), audience(case));
        let request = OwnRequest::Count { id: id("req001"), audience: &whom };
        write_request(&mut out, &id("peer01"), &request).expect("a request");
        assert_eq!(String::from_utf8_lossy(&out), text(case, "request"));
        let Ok(PeerRequestBody::Count { asker, id: repeated, audience }) =
            decode_request(Parser::Notepack, &out, LIMITS).map(|it| it.body)
        else {
            panic!("{case}")
        };
        assert_eq!((asker, audience.as_ref()), (id("peer01"), Some(&whom)));
        // A Node server answers once, with its sockets; an instance of Relay with their number.
        assert_eq!(
            (text(case, "channel"), &case["others"]),
            ("socket.io-response#/relay#", &0.into())
        );
        let sockets = case["sockets"].as_u64().expect("how many");
        let count = PeerCount { sockets, complete: true };
        assert_eq!(
            decode_count(Parser::Notepack, &unhex(text(case, "hex")), LIMITS),
            Ok(count),
            "{case}"
        );
        for complete in [true, false] {
            let mut out = Vec::new();
            write_answer(&mut out, &repeated, &Answer::Count { sockets, complete });
            let expected =
                format!("{{\"requestId\":\"req001\",\"count\":{sockets},\"complete\":{complete}}}");
            assert_eq!(String::from_utf8_lossy(&out), expected);
            assert_eq!(
                decode_count(Parser::Notepack, &out, LIMITS),
                Ok(PeerCount { sockets, complete })
            );
        }
    }
    assert_eq!(cases.len(), 8);
}

#[test]
fn of_broken_broadcasts_none_is_taken_that_a_node_server_would_die_of() {
    let cases = lines(include_str!("golden/hostile.jsonl"));
    let mut taken = 0;
    for case in &cases {
        let heard =
            decode_broadcast(Parser::Notepack, &unhex(text(case, "hex")), &peer(), "/", LIMITS);
        let Ok(Heard::Broadcast(it)) = heard else {
            // What Node delivers and we do not are packets that no client takes.
            let is_shape = matches!(heard, Err(Garbage::Shape(_)));
            assert!(is_shape || case["delivered"].is_null(), "{heard:?} of {case}");
            continue;
        };
        taken += 1;
        assert_eq!(case["died"], false, "{it:?} of {case}");
        let delivered = &case["delivered"];
        assert!(delivered.is_object(), "{it:?} of {case}");
        assert_eq!(it.packet, packet(delivered), "{case}");
        assert_eq!(it.audience, audience(delivered), "{case}");
    }
    assert!(taken > 200, "{taken} of {}", cases.len());
}
