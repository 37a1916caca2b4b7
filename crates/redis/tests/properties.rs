//! Whatever this instance sends, a peer that speaks as we do reads the same from it.

use proptest::prelude::*;
use relay_hub::{Audience, Broadcast, Bytes, Packet, Room};
use relay_redis::classic::{
    Answer, Change, DecodeLimits, Heard, OwnRequest, PeerRequestBody, PeerResponseBody, ShortId,
    SocketFacts, decode_broadcast, decode_request, decode_response, write_answer, write_broadcast,
    write_request,
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

proptest! {
    #[test]
    fn broadcasts_arrive_as_they_were(
        packet in packet(), audience in audience(), volatile: bool, random: [u8; 6],
    ) {
        let broadcast = Broadcast { volatile, ..Broadcast::new(packet, audience) };
        let (uid, mut out) = (ShortId::new(random), Vec::new());
        write_broadcast(&mut out, &uid, "/é", &broadcast, 1 << 20).unwrap();
        let peer = ShortId::new(random.map(|it| it ^ 1));
        let heard = decode_broadcast(&out, &peer, "/é", LIMITS).unwrap();
        let Heard::Broadcast(it) = heard else { panic!("{heard:?}") };
        prop_assert_eq!((&it.packet, &it.audience), (&broadcast.packet, &broadcast.audience));
        prop_assert_eq!(it.flags.volatile, volatile);
        prop_assert_eq!(decode_broadcast(&out, &uid, "/é", LIMITS), Ok(Heard::Own));
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
            let decoded = decode_request(&out, LIMITS).unwrap();
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
        let asked = decode_request(&out, LIMITS).unwrap().body;
        let PeerRequestBody::Fetch { id, .. } = asked else { panic!("{asked:?}") };
        let facts = SocketFacts {
            id: &socket, handshake_json: "{}", rooms: &rooms, data_json: &data,
        };
        out.clear();
        write_answer(&mut out, &id, &Answer::Sockets(&[facts, facts]));
        let response = decode_response(&out, LIMITS).unwrap();
        prop_assert_eq!(response.request_id, own.as_bytes());
        let PeerResponseBody::Sockets(sockets) = response.body else { panic!("sockets") };
        prop_assert_eq!(sockets.len(), 2);
        for it in sockets {
            prop_assert_eq!((&it.id, &it.rooms, &it.data_json), (&socket, &rooms, &data));
        }
    }
}
