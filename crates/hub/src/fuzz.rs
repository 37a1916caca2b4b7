//! What must hold between any two calls of a hub, and the body of the fuzz target that drives one.
//!
//! A fuzzer and the crate's tests call the body directly; the tests' simulator checks its hubs with
//! the same invariants. Not part of the crate's interface.

mod consistent;
mod drive;
mod peers;

use std::time::Duration;

use relay_socketio::json;
use relay_socketio::packet::Attachments;

use crate::{
    Application, Audience, Broadcast, ConnectRequest, Context, Decision, Happening, Hub, Instance,
    Limits, Packet, Refusal, Room, SocketKey,
};

use drive::Drive;
use peers::{Answers, Peers};

/// Does a little of everything that an application can do, as the first letter of an event's name
/// says.
struct Puppet;

impl Puppet {
    fn event(
        cx: &mut Context<'_, ()>,
        socket: SocketKey,
        name: &[u8],
        raw: &str,
        list: &[bytes::Bytes],
    ) {
        let room = Room::text(&name[1.min(name.len())..]);
        let packet = || Packet::new(raw.as_bytes(), list);
        let all = || Broadcast::new(packet(), Audience::all());
        let timeout = Duration::from_millis(500);
        // Whatever is refused is refused: nothing here depends on it.
        match name.first() {
            Some(b'a') => _ = cx.broadcast(socket, all()),
            Some(b'v') => _ = cx.broadcast(socket, Broadcast { volatile: true, ..all() }),
            Some(b'e') => _ = cx.emit(socket, raw.as_bytes(), list, false),
            Some(b'j') => _ = cx.join(socket, &room),
            Some(b'l') => _ = cx.leave(socket, &room),
            Some(b'r') => {
                let audience = Audience::rooms(vec![room]);
                _ = cx.broadcast(socket, Broadcast::new(packet(), audience));
            }
            Some(b'q') => _ = cx.emit_with_ack(socket, raw.as_bytes(), list, timeout, 1),
            Some(b'w') => _ = cx.broadcast_with_ack(socket, all(), timeout, 2),
            Some(b'J') => _ = cx.sockets_join("/", Audience::all(), vec![room]),
            Some(b'L') => {
                _ = cx.sockets_leave("/", Audience::rooms(vec![room.clone()]), vec![room]);
            }
            Some(b'D') => {
                let close = name.len().is_multiple_of(2);
                _ = cx.disconnect_sockets("/", Audience::rooms(vec![room]), close);
            }
            Some(b'f') => _ = cx.fetch_sockets("/", Audience::rooms(vec![room]), timeout, 3),
            Some(b'n') => _ = cx.count_sockets("/", Audience::rooms(vec![room]), timeout, 5),
            Some(b's') => _ = cx.server_side_emit_with_ack("/", raw, timeout, 4),
            Some(b'd') => cx.disconnect(socket, false),
            Some(b'c') => cx.disconnect(socket, true),
            _ => {}
        }
    }
}

impl Application for Puppet {
    type Data = ();

    fn authorize(&mut self, request: &ConnectRequest<'_>) -> Decision<()> {
        match request.auth {
            Some(auth) if json::members(auth).any(|(key, _)| json::string_is(key, "no")) => {
                Decision::Refuse(Refusal::new("no"))
            }
            _ => Decision::Admit(()),
        }
    }

    fn handle(&mut self, cx: &mut Context<'_, ()>, happening: Happening<'_>) {
        if let Happening::Event { socket, args, ack } = happening {
            let Attachments::List(list) = args.attachments() else { return };
            if let relay_socketio::EventName::Text(name) = args.event_name() {
                Self::event(cx, socket, &name, args.raw(), list);
            }
            if let Some(ack) = ack {
                _ = cx.acknowledge(socket, ack, args.raw().as_bytes(), list);
            }
        }
    }
}

/// Small enough that a short input reaches every one of them.
fn limits() -> Limits {
    Limits {
        payload_bytes_max: 1_000,
        message_bytes_max: 2_000,
        encoded_bytes_max: 4_000,
        outbox_bytes_max: 8_000,
        fan_out_slice: 2,
        fan_out_few: 1,
        memory_bytes_max: 30_000,
        memory_step_bytes: 100,
        order_bytes_per_shard: 10_000,
        read_bytes: 1_000,
        sender_window_bytes: 1_000,
        acks_per_socket_max: 4,
        broadcast_acks_max: 4,
        broadcast_ack_bytes_max: 200,
        remote_questions_max: 4,
        fetch_bytes_max: 400,
        rooms_per_socket_max: 4,
        rooms_per_shard_max: 6,
        room_name_bytes_max: 8,
        ..Limits::default()
    }
}

/// Drives an instance of two shards by any bytes: sessions on either transport say and ask what
/// they like, go over or do not, their sockets take what they like, time passes. Panics when an
/// invariant does not hold.
pub fn hub(data: &[u8]) {
    let instance = Instance::new(limits(), &["/", "/b"], 2, 1);
    let answers = Answers::default();
    let hubs = [0, 1].map(|shard| {
        let seed = [u8::from(shard == 1); 32];
        Hub::new(instance.clone(), shard, seed, Puppet, Box::new(Peers(answers.clone())))
    });
    let mut drive = Drive::new(data, hubs, answers);
    while drive.step().is_some() {}
    // Nothing is held for anybody when all connections are gone.
    drive.end();
    drop(drive);
    assert_eq!(instance.memory().used(), 0, "memory of the instance");
}
