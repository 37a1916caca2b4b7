//! The body of a fuzz target: it takes any bytes and panics when an invariant does not hold.
//!
//! A fuzzer calls it directly; the crate's tests run it over a bounded number of inputs.

mod node;

use bytes::BytesMut;
use node::Node;
use relay_hub::{Audience, Broadcast, Bytes, Packet, Room};
use relay_socketio::json;

use crate::classic::{
    ATTACHMENTS_MAX, Answer, Change, DecodeLimits, Heard, OwnRequest, Parser, PeerRequestBody,
    PeerResponseBody, Refused, ShortId, answered_id, decode_broadcast, decode_count,
    decode_request, decode_response, write_ack, write_answer, write_broadcast,
    write_broadcast_with_ack, write_request,
};
use crate::link::sift::Sifter;

/// Inputs beyond this are cut.
const INPUT_BYTES_MAX: usize = 4_096;
/// More than any input can need.
const WRITTEN_BYTES_MAX: usize = 1 << 16;
const LIMITS: DecodeLimits = DecodeLimits {
    message_bytes_max: WRITTEN_BYTES_MAX,
    depth_max: 32,
    attachments_max: ATTACHMENTS_MAX,
    rooms_max: 64,
    fetch_bytes_max: 1 << 20,
};
/// A binary in JSON is one level deeper than its placeholder, and whoever receives it may take that.
const PEER_LIMITS: DecodeLimits = DecodeLimits { depth_max: LIMITS.depth_max + 1, ..LIMITS };
const NAMESPACE: &str = "/";

fn own() -> ShortId {
    ShortId::new([1; 6])
}

/// The dialect of the classic adapter. Whatever arrives, nothing breaks; whatever is written, be it
/// made of what arrived, a Node server takes it, and it means the same when it is read again.
///
/// `data` is a byte, then a message as it comes from Redis. The lowest two bits of the byte are the
/// channel; 3 stands for the JSON of an event to be sent, as text. The next two are the parser.
pub fn classic(data: &[u8]) {
    let Some((channel, message)) = data.split_first() else { return };
    let message = &message[..message.len().min(INPUT_BYTES_MAX)];
    let parser = Parser::ALL.get(usize::from(channel >> 2 & 3)).copied().unwrap_or_default();
    match channel & 3 {
        0 => hear(parser, message),
        1 => be_asked(parser, message),
        2 => be_answered(parser, message),
        _ => send(parser, message),
    }
}

/// What a Redis says to a subscriber. In whatever pieces it comes, the same is heard and the same is
/// left for the client library, and nothing is kept beyond the bound.
///
/// `data` is a byte for the size of the pieces, then what is said.
pub fn sift(data: &[u8]) {
    const BYTES_MAX: usize = 16;
    let Some((piece, said)) = data.split_first() else { return };
    let said = &said[..said.len().min(INPUT_BYTES_MAX)];
    let sifted = |piece: usize| {
        let (mut input, mut rest, mut heard) = (BytesMut::new(), BytesMut::new(), Vec::new());
        let mut sifter = Sifter::new(BYTES_MAX);
        let mut outcome = Ok(());
        for bytes in said.chunks(piece) {
            input.extend_from_slice(bytes);
            outcome = sifter.sift(&mut input, &mut rest, |it| heard.push(it));
            if outcome.is_err() {
                break;
            }
        }
        (heard, rest, outcome)
    };
    let (heard, rest, outcome) = sifted(said.len().max(1));
    let kept: usize = heard.iter().map(|it| it.channel.len() + it.payload.len()).sum();
    assert!(rest.len() + kept <= said.len());
    assert!(heard.iter().all(|it| it.payload.len() <= BYTES_MAX + 1));
    assert_eq!(sifted(usize::from(*piece).max(1)), (heard, rest, outcome));
}

fn hear(parser: Parser, message: &[u8]) {
    if let Ok(Heard::Broadcast(_)) = decode_broadcast(parser, message, &own(), NAMESPACE, LIMITS) {
        check_sent(parser, &resent(parser, message));
    }
}

/// Sends a broadcast both ways and reads it as a peer would. False if it was refused.
fn check_sent(parser: Parser, broadcast: &Broadcast) -> bool {
    let broadcast = &spelt(parser, broadcast);
    let mut out = vec![7];
    let written =
        write_broadcast(&mut out, parser, &own(), NAMESPACE, broadcast, WRITTEN_BYTES_MAX);
    if let Err(refused) = written {
        assert_eq!((out.as_slice(), refused == Refused::TooLarge), ([7].as_slice(), false));
        return false;
    }
    check_node_takes_broadcast(parser, &out[1..]);
    let again = resent(parser, &out[1..]);
    if parser == Parser::Json && broadcast.packet.attachments.is_empty() {
        let sent = std::str::from_utf8(&broadcast.packet.args).expect("text");
        assert_eq!(again.packet.args, json::trim(sent).as_bytes(), "as it was");
    }
    // A member `__proto__` and infinity do not come back; what does, stays.
    let mut second = Vec::new();
    write_broadcast(&mut second, parser, &own(), NAMESPACE, &again, WRITTEN_BYTES_MAX)
        .expect("again");
    assert_eq!(resent(parser, &second), again);
    assert_eq!(decode_broadcast(parser, &out[1..], &own(), NAMESPACE, LIMITS), Ok(Heard::Own));

    let mut request = Vec::new();
    let ids = (&own(), &ShortId::new([3; 6]));
    write_broadcast_with_ack(
        &mut request,
        parser,
        ids,
        NAMESPACE,
        broadcast,
        500,
        WRITTEN_BYTES_MAX,
    )
    .expect("what can be sent without acknowledgement");
    check_node_takes_request(parser, &request);
    let asked = decode_request(parser, &request, PEER_LIMITS).expect("what is written").body;
    let PeerRequestBody::Broadcast { packet, audience, .. } = asked else { panic!("{asked:?}") };
    assert_eq!(packet, again.packet);
    if spellable(&again.audience.rooms) && spellable(&again.audience.except) {
        assert_eq!(audience, Some(again.audience));
    }
    true
}

/// What a peer would make of a message of ours, if it sent the same on.
fn resent(parser: Parser, message: &[u8]) -> Broadcast {
    let heard = decode_broadcast(parser, message, &ShortId::new([2; 6]), NAMESPACE, PEER_LIMITS);
    let Ok(Heard::Broadcast(it)) = heard else { panic!("{heard:?} of {message:02x?}") };
    Broadcast { volatile: it.flags.volatile, ..Broadcast::new(it.packet, it.audience) }
}

/// What a Node server does with a broadcast, where it has no net.
fn check_node_takes_broadcast(parser: Parser, bytes: &[u8]) {
    let Some(Node::List(parts)) = Node::decode(parser, bytes) else {
        panic!("no {}: {bytes:02x?}", parser.name())
    };
    let [Node::Text(_), packet, options] = parts.as_slice() else { panic!("{parts:?}") };
    check_packet(packet);
    check_options(options);
}

fn check_packet(packet: &Node) {
    assert_eq!(packet.member("type"), Some(&Node::Number(2.0)));
    assert_eq!(packet.member("nsp"), Some(&Node::Text(NAMESPACE.to_owned())));
    assert_eq!(packet.member("id"), None);
    let Some(Node::List(data)) = packet.member("data") else { panic!("{packet:?}") };
    assert!(matches!(data.first(), Some(Node::Text(_) | Node::Number(_))));
    assert!(packet.binaries() <= ATTACHMENTS_MAX);
}

fn check_options(options: &Node) {
    for name in ["rooms", "except"] {
        let Some(Node::List(rooms)) = options.member(name) else { panic!("{options:?}") };
        assert!(rooms.iter().all(|it| matches!(it, Node::Text(_) | Node::Number(_))));
    }
    let Some(Node::Object(flags)) = options.member("flags") else { panic!("{options:?}") };
    assert!(flags.iter().all(|(_, it)| matches!(it, Node::Bool(true) | Node::Number(_))));
}

fn check_node_takes_request(parser: Parser, bytes: &[u8]) {
    let request = Node::decode(parser, bytes).expect("an object");
    for name in ["uid", "requestId"] {
        assert!(matches!(request.member(name), Some(Node::Text(_))));
    }
    assert_eq!(request.member("type"), Some(&Node::Number(7.0)));
    check_packet(request.member("packet").expect("a packet"));
    check_options(request.member("opts").expect("options"));
}

fn be_asked(parser: Parser, message: &[u8]) {
    let Ok(request) = decode_request(parser, message, LIMITS) else { return };
    let check = |id: &_, answer: &Answer<'_>| {
        let mut out = Vec::new();
        write_answer(&mut out, id, answer);
        check_object(&out);
    };
    match request.body {
        PeerRequestBody::Sockets { id, .. } => check(&id, &Answer::Ids(&["a\"b"])),
        PeerRequestBody::AllRooms { id } | PeerRequestBody::RoomsOf { id, .. } => {
            check(&id, &Answer::Rooms(&[Room::text(b"\xed\xa0\x80\""), Room::number(1e300)]));
        }
        PeerRequestBody::Custom { id } => check(&id, &Answer::Custom),
        PeerRequestBody::Fetch { id, .. } => check(&id, &Answer::Sockets(&[])),
        PeerRequestBody::Count { asker, id, audience } => {
            assert_eq!(ShortId::parse(asker.as_bytes()), Some(asker));
            check(&id, &Answer::Count { sockets: u64::MAX, complete: false });
            check_count(&audience.unwrap_or_default());
        }
        PeerRequestBody::Unusable { id, answer, .. } => check(&id, &answer.empty()),
        PeerRequestBody::ServerSideEmit { id, args } => {
            if let Some(id) = id {
                check(&id, &Answer::ServerSide(Some(&args)));
            }
            let own_request = OwnRequest::ServerSideEmit { id: None, args_json: &args };
            let mut out = Vec::new();
            if write_request(&mut out, &own(), &own_request).is_ok() {
                check_object(&out);
            }
        }
        PeerRequestBody::Broadcast { id, packet, audience, .. } => {
            let mut out = Vec::new();
            let args = std::str::from_utf8(&packet.args).expect("text");
            write_ack(&mut out, parser, &id, Some(args), &packet.attachments, WRITTEN_BYTES_MAX)
                .expect("what arrived");
            assert!(matches!(Node::decode(parser, &out), Some(Node::Object(_))));
            check_sent(parser, &Broadcast::new(packet, audience.unwrap_or_default()));
        }
        PeerRequestBody::Change { audience, change, .. } => check_change(&audience, &change),
        PeerRequestBody::ChangeNobody => {}
    }
}

fn check_count(audience: &Audience) {
    let mut out = Vec::new();
    let own_request = OwnRequest::Count { id: ShortId::new([3; 6]), audience };
    write_request(&mut out, &own(), &own_request).expect("no event");
    check_object(&out);
    let again = decode_request(Parser::default(), &out, LIMITS).expect("what is written").body;
    let PeerRequestBody::Count { asker, audience: heard, .. } = again else { panic!("{again:?}") };
    assert_eq!(asker, own());
    if spellable(&audience.rooms) && spellable(&audience.except) {
        assert_eq!(heard.as_ref(), Some(audience));
    }
}

fn check_object(bytes: &[u8]) {
    assert_eq!(bytes.first(), Some(&b'{'));
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    json::check(text).unwrap_or_else(|error| panic!("{error}: {text}"));
}

fn check_change(audience: &Audience, change: &Change) {
    let own_request = match change {
        Change::Join(rooms) => OwnRequest::Join { audience, rooms },
        Change::Leave(rooms) => OwnRequest::Leave { audience, rooms },
        Change::Disconnect { close } => OwnRequest::Disconnect { audience, close: *close },
    };
    let mut out = Vec::new();
    write_request(&mut out, &own(), &own_request).expect("no event");
    check_object(&out);
    let again = decode_request(Parser::default(), &out, LIMITS).expect("what is written");
    assert_eq!(again.uid.as_deref(), Some(own().as_str()));
    let rooms_of = |change: &Change| match change {
        Change::Join(rooms) | Change::Leave(rooms) => rooms.clone(),
        Change::Disconnect { .. } => Vec::new(),
    };
    if [&audience.rooms, &audience.except, &rooms_of(change)].into_iter().all(|it| spellable(it)) {
        let (audience, change) = (audience.clone(), change.clone());
        assert_eq!(again.body, PeerRequestBody::Change { audience, change, confirm: None });
    }
}

/// The same for rooms that the parser can spell.
fn spelt(parser: Parser, broadcast: &Broadcast) -> Broadcast {
    let mut broadcast = broadcast.clone();
    if parser == Parser::Json {
        let Audience { rooms, except } = &mut broadcast.audience;
        // To nobody it would not be sent on.
        if !spellable(rooms) {
            rooms.push(Room::text(b"room"));
        }
        for list in [rooms, except] {
            list.retain(|room| spellable(std::slice::from_ref(room)));
        }
    }
    broadcast
}

/// Whether JSON can spell these rooms: infinity is a room in msgpack alone.
fn spellable(rooms: &[Room]) -> bool {
    let is_finite = |bits: u64| f64::from_bits(bits).is_finite();
    rooms.iter().all(|room| !matches!(room, Room::Number(bits) if !is_finite(*bits)))
}

fn be_answered(parser: Parser, message: &[u8]) {
    let _ = answered_id(parser, message, LIMITS);
    let counted = decode_count(parser, message, LIMITS);
    assert!(counted.is_ok_and(|it| it.sockets < 1 << 53) || counted.is_err());
    let Ok(response) = decode_response(parser, message, LIMITS) else { return };
    let check = |text: &str| assert!(json::check(text).is_ok(), "{text}");
    match response.body {
        PeerResponseBody::Sockets(sockets) => {
            for socket in sockets {
                check(&socket.handshake_json);
                check(&socket.data_json);
            }
        }
        PeerResponseBody::ServerSide(data) => check(data.as_deref().unwrap_or("null")),
        PeerResponseBody::Ack(Some(value)) => {
            check(std::str::from_utf8(&value.json).expect("text"));
            assert!(value.attachments.len() <= ATTACHMENTS_MAX);
        }
        PeerResponseBody::Ack(None)
        | PeerResponseBody::ClientCount(_)
        | PeerResponseBody::Other => {}
    }
}

/// Whatever the application emits, as long as it is JSON of a depth that is taken.
fn send(parser: Parser, message: &[u8]) {
    let text = String::from_utf8_lossy(message);
    if json::check(&text).is_ok_and(|it| it.depth <= LIMITS.depth_max) {
        let attachments = [Bytes::from_static(b"one"), Bytes::new()];
        let rooms = vec![Room::text(message), Room::number(f64::INFINITY), Room::number(1e21)];
        let packet = Packet::new(text.as_bytes(), &attachments);
        let audience = Audience { except: rooms.clone(), rooms };
        let mut broadcast = Broadcast::new(packet, audience);
        let has_binaries = check_sent(parser, &broadcast);
        broadcast.packet.attachments = Vec::new();
        assert!(check_sent(parser, &broadcast) || !has_binaries);
    }
}
