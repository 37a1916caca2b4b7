//! Whatever this instance sends, a peer that speaks as we do reads the same from it.

use proptest::prelude::*;
use relay_hub::{AckValue, Audience, Broadcast, Bytes, Packet, Room};
use relay_redis::classic::{
    Answer, Change, DecodeLimits, Heard, OwnRequest, Parser, PeerRequestBody, PeerResponseBody,
    ShortId, SocketFacts, answered_id, decode_broadcast, decode_request, decode_response,
    write_ack, write_answer, write_broadcast, write_broadcast_with_ack, write_request,
};

const LIMITS: DecodeLimits = DecodeLimits {
    message_bytes_max: 1 << 20,
    depth_max: 16,
    attachments_max: 10,
    rooms_max: 100,
    fetch_bytes_max: 1 << 20,
};

fn room() -> impl Strategy<Value = Room> {
    prop_oneof![
        any::<String>().prop_map(|name| Room::text(name.as_bytes())),
        prop::num::f64::NORMAL.prop_map(Room::number),
        (-1_000_i32..1_000).prop_map(|number| Room::number(f64::from(number))),
    ]
}

fn rooms() -> impl Strategy<Value = Vec<Room>> {
    prop::collection::vec(room(), 0..20)
}

fn audience() -> impl Strategy<Value = Audience> {
    (rooms(), rooms()).prop_map(|(rooms, except)| Audience { rooms, except })
}

/// JSON as `JSON.stringify` spells it, so that it comes back as it was.
fn json() -> impl Strategy<Value = String> {
    let text = any::<String>().prop_map(|it| serde_json::Value::from(it).to_string());
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|it| it.to_string()),
        any::<i32>().prop_map(|it| it.to_string()),
        text,
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let members = prop::collection::btree_map("[a-z]{1,40}", inner.clone(), 0..20);
        prop_oneof![
            prop::collection::vec(inner, 0..20).prop_map(|it| format!("[{}]", it.join(","))),
            members.prop_map(|it| {
                let member = |(key, value): (&String, &String)| format!("\"{key}\":{value}");
                format!("{{{}}}", it.iter().map(member).collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

fn packet() -> impl Strategy<Value = Packet> {
    let binaries = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..10);
    ("[a-z]{0,3}x", json(), binaries).prop_map(|(name, argument, binaries)| {
        let mut args = format!("[\"{name}\",{argument}");
        for at in 0..binaries.len() {
            args += &format!(",{{\"_placeholder\":true,\"num\":{at}}}");
        }
        args.push(']');
        let binaries: Vec<Bytes> = binaries.into_iter().map(Bytes::from).collect();
        Packet::new(args.as_bytes(), &binaries)
    })
}

/// What of a packet arrives: in JSON binaries are the objects that `JSON.stringify` makes of them.
fn arriving(parser: Parser, packet: &Packet) -> Packet {
    if parser != Parser::Json {
        return packet.clone();
    }
    let mut args = String::from_utf8(packet.args.to_vec()).unwrap();
    for (at, binary) in packet.attachments.iter().enumerate() {
        let placeholder = format!("{{\"_placeholder\":true,\"num\":{at}}}");
        let bytes = serde_json::to_string(&binary[..]).unwrap();
        args = args.replace(&placeholder, &format!("{{\"type\":\"Buffer\",\"data\":{bytes}}}"));
    }
    Packet::new(args.as_bytes(), &[])
}

proptest! {
    #[test]
    fn broadcasts_arrive_as_they_were(
        packet in packet(), audience in audience(), volatile: bool, random: [u8; 6],
    ) {
        let broadcast = Broadcast { volatile, ..Broadcast::new(packet, audience) };
        let (uid, mut out) = (ShortId::new(random), Vec::new());
        let peer = ShortId::new(random.map(|it| it ^ 1));
        for parser in Parser::ALL {
            out.clear();
            write_broadcast(&mut out, parser, &uid, "/é", &broadcast, 1 << 20).unwrap();
            let heard = decode_broadcast(parser, &out, &peer, "/é", LIMITS).unwrap();
            let Heard::Broadcast(it) = heard else { panic!("{heard:?}") };
            prop_assert_eq!(&it.packet, &arriving(parser, &broadcast.packet));
            prop_assert_eq!((&it.audience, it.flags.volatile), (&broadcast.audience, volatile));
            prop_assert_eq!(decode_broadcast(parser, &out, &uid, "/é", LIMITS), Ok(Heard::Own));
        }
    }

    #[test]
    fn broadcasts_with_acknowledgement_and_what_is_said_to_them_arrive_as_they_were(
        packet in packet(), audience in audience(), timeout_ms in 0..1_u32 << 31, random: [u8; 6],
    ) {
        let broadcast = Broadcast::new(packet, audience);
        let (uid, own) = (ShortId::new(random), ShortId::new([7; 6]));
        for parser in Parser::ALL {
            let mut out = Vec::new();
            let ids = (&uid, &own);
            write_broadcast_with_ack(&mut out, parser, ids, "/", &broadcast, timeout_ms, 1 << 20)
                .unwrap();
            let request = decode_request(parser, &out, LIMITS).unwrap();
            prop_assert_eq!(request.uid.as_deref(), Some(uid.as_str()));
            let PeerRequestBody::Broadcast { id, packet, audience, flags } = request.body else {
                panic!("{request:?}")
            };
            let arrived = arriving(parser, &broadcast.packet);
            prop_assert_eq!((&packet, audience.as_ref()), (&arrived, Some(&broadcast.audience)));
            prop_assert_eq!((id.as_bytes(), flags.timeout_ms), (&own.as_bytes()[..], Some(timeout_ms)));

            out.clear();
            let json = std::str::from_utf8(&broadcast.packet.args).unwrap();
            let attachments = &broadcast.packet.attachments;
            write_ack(&mut out, parser, &id, Some(json), attachments, 1 << 20).unwrap();
            prop_assert_eq!(&*answered_id(parser, &out, LIMITS).unwrap(), own.as_bytes());
            let response = decode_response(parser, &out, LIMITS).unwrap();
            let said = AckValue { json: arrived.args, attachments: arrived.attachments };
            prop_assert_eq!(response.body, PeerResponseBody::Ack(Some(said)));
        }
    }

    #[test]
    fn requests_arrive_as_they_were(
        audience in audience(), rooms in rooms(), argument in json(), close: bool, random: [u8; 6],
    ) {
        let id = ShortId::new(random);
        let args = format!("[\"x\",{argument}]");
        let change = |change| PeerRequestBody::Change {
            audience: audience.clone(), change, confirm: None,
        };
        for (request, expected) in [
            (OwnRequest::Join { audience: &audience, rooms: &rooms }, change(Change::Join(rooms.clone()))),
            (OwnRequest::Leave { audience: &audience, rooms: &rooms }, change(Change::Leave(rooms.clone()))),
            (OwnRequest::Disconnect { audience: &audience, close }, change(Change::Disconnect { close })),
            (
                OwnRequest::ServerSideEmit { id: None, args_json: &args },
                PeerRequestBody::ServerSideEmit { id: None, args: args.clone() },
            ),
        ] {
            let mut out = Vec::new();
            write_request(&mut out, &id, &request).unwrap();
            let decoded = decode_request(Parser::Notepack, &out, LIMITS).unwrap();
            prop_assert_eq!(decoded.uid.as_deref(), Some(id.as_str()));
            prop_assert_eq!(decoded.body, expected);
        }
    }

    #[test]
    fn answers_arrive_as_they_were(
        rooms in rooms(), data in json(), socket: String, random: [u8; 6],
    ) {
        let mut out = Vec::new();
        let (uid, own) = (ShortId::new(random), ShortId::new([7; 6]));
        let audience = Audience::all();
        write_request(&mut out, &uid, &OwnRequest::Fetch { id: own, audience: &audience }).unwrap();
        let asked = decode_request(Parser::Notepack, &out, LIMITS).unwrap().body;
        let PeerRequestBody::Fetch { id, .. } = asked else { panic!("{asked:?}") };
        let facts = SocketFacts {
            id: &socket, handshake_json: "{}", rooms: &rooms, data_json: &data,
        };
        out.clear();
        write_answer(&mut out, &id, &Answer::Sockets(&[facts, facts]));
        let response = decode_response(Parser::Notepack, &out, LIMITS).unwrap();
        prop_assert_eq!(response.request_id, own.as_bytes());
        let PeerResponseBody::Sockets(sockets) = response.body else { panic!("sockets") };
        prop_assert_eq!(sockets.len(), 2);
        for it in sockets {
            prop_assert_eq!((&it.id, &it.rooms, &it.data_json), (&socket, &rooms, &data));
        }
    }
}
