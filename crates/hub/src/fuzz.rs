//! What must hold between any two calls of a hub, and the body of the fuzz target that drives one.
//!
//! A fuzzer and the crate's tests call the body directly; the tests' simulator checks its hubs with
//! the same invariants. Not part of the crate's interface.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use relay_socketio::decoder::Decoder;
use relay_socketio::json;
use relay_socketio::packet::Attachments;
use relay_websocket::{Opcode, write_masked_frame};

use crate::connection::{Stage, Transport};
use crate::core::millis;
use crate::deliver::QUEUE_ENTRY_BYTES;
use crate::{
    Alone, Application, Audience, Broadcast, ConnectRequest, Context, Decision, Effect, Handshake,
    Happening, Hub, Instance, Key, Limits, Output, Packet, Refusal, Room, SocketKey,
};

impl<A: Application> Hub<A> {
    /// Panics unless counts, timers, queues and the memory that is charged agree with each other.
    pub fn assert_consistent(&self) {
        let core = &self.core;
        let limits = core.limits();
        let stall_ms = millis(limits.receiver_stall);
        let mut frames = BTreeMap::new();
        let (mut bytes, mut held, mut open, mut sockets, mut probes) = (0, 0, 0, 0, 0);
        for (key, connection) in core.connections.iter() {
            let outbox = &connection.outbox;
            let is_open = connection.stage == Stage::Open;
            open += usize::from(is_open);
            held += u64::from(connection.held);
            sockets += connection.sockets.len();
            bytes += connection.partial_bytes + outbox.len() * QUEUE_ENTRY_BYTES;
            frames.extend(outbox.frames().map(|frame| (frame.serial(), frame.bytes().len())));
            let sum: usize = outbox.frames().map(|frame| frame.bytes().len()).sum();
            assert_eq!(outbox.bytes() + outbox.written(), sum, "bytes of {key:?}");
            assert!(
                outbox.is_empty() || connection.blocked || connection.dirty.is_some(),
                "{key:?} has something to write, and nobody knows"
            );
            // What is overdue only because bytes were not read yet is looked at again at once.
            let due = connection.next_deadline(stall_ms).max(core.now + 1);
            assert!(connection.scheduled <= due, "{key:?} is not looked at in time");
            let transport = connection.transport.as_ref();
            let partial = transport.map(Transport::buffered_bytes);
            assert!(!is_open || partial.is_some(), "the transport of {key:?}");
            let pending = connection.decoder.as_ref().map(Decoder::pending_bytes);
            let partial = partial.unwrap_or(0) + pending.unwrap_or(0);
            assert_eq!(connection.partial_bytes, partial, "what {key:?} holds");
            if let Some(Transport::Polling(polling)) = transport {
                assert_eq!(connection.blocked, polling.get.is_none(), "{key:?} and its GET");
                assert!(connection.held || polling.post_held.is_none(), "{key:?} and its POST");
                if let Some(out) = polling.probe_outbox() {
                    probes += 1;
                    bytes += out.len() * QUEUE_ENTRY_BYTES;
                    frames.extend(out.frames().map(|it| (it.serial(), it.bytes().len())));
                    assert!(out.is_empty() || connection.dirty.is_some(), "{key:?}, who probes");
                }
            } else {
                assert!(is_open || partial == 0, "{key:?} holds what it will not read");
            }
            assert_eq!(is_open, connection.decoder.is_some(), "the decoder of {key:?}");
            assert!(is_open || connection.sockets.is_empty(), "sockets of {key:?} have ended");
        }
        let pending = core.pending.iter().flat_map(crate::fan_out::Pending::frames);
        frames.extend(pending.map(|frame| (frame.serial(), frame.bytes().len())));
        let frame_bytes = |len: &usize| len + limits.outbox_entry_bytes;
        bytes += frames.values().map(frame_bytes).sum::<usize>();
        bytes += core.collectors.values().map(crate::acks::Collector::bytes).sum::<usize>();
        assert_eq!(core.memory.used(), bytes, "the memory that is charged");
        assert_eq!(core.stats.senders_held_now.get(), held, "gauge: senders held");
        assert_eq!(core.stats.connections.get(), open as u64, "gauge: connections");
        assert_eq!(core.stats.sockets.get(), sockets as u64, "gauge: sockets");
        let over = core.stats.probes_failed.get() + core.stats.upgrades.get();
        assert_eq!(core.stats.probes.get(), over + probes, "each probe comes to one end");
        assert_eq!(core.sessions.len(), core.connections.len(), "sessions are of connections");
        assert_eq!(self.sockets().len(), sockets, "sockets are of connections");
        let rooms: usize = core.namespaces.iter().map(|namespace| namespace.rooms.len()).sum();
        assert_eq!((core.rooms, core.stats.rooms.get()), (rooms, rooms as u64), "gauge: rooms");
        assert!(core.ended.is_empty() && core.outcomes.is_empty(), "something was not told");
        assert!(core.overflowed.is_empty(), "a slow consumer was not ended");
    }

    /// What the senders of this shard have caused and their receivers have not taken.
    #[must_use]
    pub fn outstanding_bytes(&self) -> usize {
        let windows = self.core.connections.iter().filter_map(|(_, it)| it.window.as_ref());
        windows.map(|window| window.outstanding_bytes()).sum()
    }

    /// What waits in all outboxes.
    #[must_use]
    pub fn outbox_bytes(&self) -> usize {
        self.core.connections.iter().map(|(_, it)| it.outbox.bytes()).sum()
    }
}

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
        broadcast_ack_bytes_max: 40,
        rooms_per_socket_max: 4,
        rooms_per_shard_max: 6,
        room_name_bytes_max: 8,
        ..Limits::default()
    }
}

/// Connections that one input can open.
const CONNECTIONS_MAX: usize = 8;

/// Two shards, driven by the bytes of an input.
struct Drive<'a> {
    input: &'a [u8],
    now: u64,
    hubs: [Hub<Puppet>; 2],
    connections: Vec<(usize, Key)>,
}

impl Drive<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.input.split_first()?;
        self.input = rest;
        Some(byte)
    }

    fn take(&mut self) -> Vec<u8> {
        let wanted = usize::from(self.byte().unwrap_or(0));
        let (taken, rest) = self.input.split_at(wanted.min(self.input.len()));
        self.input = rest;
        taken.to_vec()
    }

    /// One step; `None` when the input is used up.
    fn step(&mut self) -> Option<()> {
        let step = self.byte()?;
        let which = usize::from(step >> 4);
        if self.connections.len() < CONNECTIONS_MAX && step & 15 == 0 {
            let handshake = Handshake { address: IpAddr::V4(Ipv4Addr::LOCALHOST) };
            let key = self.hubs[which % 2].open(self.now, handshake);
            self.connections.push((which % 2, key));
        }
        let (shard, key) = *self.connections.get(which % self.connections.len().max(1))?;
        match step & 15 {
            0..=2 => {
                let mut bytes = self.take();
                self.receive(shard, key, &mut bytes);
            }
            3 => self.say(shard, key, Opcode::Binary, b""),
            4 => self.say(shard, key, Opcode::Text, b"40"),
            5..=7 => self.say(shard, key, Opcode::Text, b"42"),
            8 => self.say(shard, key, Opcode::Text, b""),
            9 => {
                let most = usize::from(self.byte()?) * 16;
                self.write(shard, key, most);
            }
            10 => self.hubs[shard].writable(key),
            11 => self.hubs[shard].catch_up(self.now),
            12 => {
                self.now += u64::from(self.byte()?) * 100;
                let unread = step & 16 != 0;
                self.hubs[shard].handle_deadlines(self.now, |_| unread);
            }
            13 => self.hubs[shard].relieve_memory(self.now),
            14 => self.hubs[shard].transport_ended(self.now, key, step & 16 != 0),
            _ => {
                let packet = Packet::new(b"[\"remote\"]", &[]);
                let broadcast = Broadcast::new(packet, Audience::all());
                _ = self.hubs[shard].remote(self.now, "/", broadcast);
            }
        }
        self.carry_out();
        Some(())
    }

    fn receive(&mut self, shard: usize, key: Key, bytes: &mut [u8]) {
        if self.hubs[shard].may_read() {
            self.hubs[shard].receive(self.now, key, bytes);
        }
    }

    fn say(&mut self, shard: usize, key: Key, opcode: Opcode, prefix: &[u8]) {
        let payload = [prefix, &self.take()].concat();
        let mut bytes = Vec::new();
        write_masked_frame(&mut bytes, opcode, &payload, [1, 2, 3, 4]);
        self.receive(shard, key, &mut bytes);
    }

    fn write(&mut self, shard: usize, key: Key, most: usize) {
        let hub = &mut self.hubs[shard];
        let Some(offered) = hub.outbox(key).map(crate::Outbox::bytes) else { return };
        hub.wrote(self.now, key, offered.min(most));
        if most < offered {
            hub.write_blocked(self.now, key);
        }
    }

    /// Effects go over at once: another order is the simulator's to try.
    fn carry_out(&mut self) {
        let mut effects: Vec<(usize, Effect)> = Vec::new();
        loop {
            for hub in &mut self.hubs {
                while let Some(output) = hub.output() {
                    if let Output::Effect { shard, effect } = output {
                        effects.push((shard, effect));
                    }
                }
                hub.take_placed();
                hub.assert_consistent();
            }
            if effects.is_empty() {
                return;
            }
            for (shard, effect) in effects.drain(..) {
                self.hubs[shard].effect(self.now, effect);
            }
        }
    }
}

/// Drives an instance of two shards by any bytes: connections say what they like, their sockets
/// take what they like, time passes. Panics when an invariant does not hold.
pub fn hub(data: &[u8]) {
    let instance = Instance::new(limits(), &["/", "/b"], 2, 1);
    let hubs = [0, 1].map(|shard| {
        let seed = [u8::from(shard == 1); 32];
        Hub::new(instance.clone(), shard, seed, Puppet, Box::new(Alone))
    });
    let mut drive = Drive { input: data, now: 0, hubs, connections: Vec::new() };
    while drive.step().is_some() {}
    check_end(drive, &instance);
}

/// Nothing is held for anybody when all connections are gone.
fn check_end(mut drive: Drive<'_>, instance: &Arc<Instance>) {
    for (shard, key) in drive.connections.clone() {
        drive.hubs[shard].transport_ended(drive.now, key, false);
        drive.carry_out();
    }
    for shard in 0..drive.hubs.len() {
        while drive.hubs[shard].is_behind() {
            drive.hubs[shard].catch_up(drive.now);
        }
        drive.hubs[shard].handle_deadlines(drive.now + 60_000, |_| false);
        drive.carry_out();
        assert_eq!(drive.hubs[shard].core.memory.used(), 0, "memory of shard {shard}");
    }
    drop(drive);
    assert_eq!(instance.memory().used(), 0, "memory of the instance");
}
