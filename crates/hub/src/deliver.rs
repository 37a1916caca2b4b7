//! From an emit to outboxes: encoding, the order, fan-out.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use relay_socketio::packet::{write_ack_header, write_event_header};
use relay_websocket::{Opcode, header_len, write_header};

use crate::acks::{Outcome, ack_key};
use crate::application::SocketKey;
use crate::broadcast::{Broadcast, Collect, EmitError, Entry, Packet};
use crate::connection::Stage;
use crate::core::Core;
use crate::frame::{Frame, Weight};
use crate::hub::{Effect, Output};
use crate::namespace::AckFor;
use crate::room::Room;
use crate::slots::Key;

/// What a queue entry costs in memory beyond the frame it shares.
pub(crate) const QUEUE_ENTRY_BYTES: usize = size_of::<Rc<Frame>>();

/// Which Socket.IO packet carries the arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Header {
    Event { ack: Option<u64> },
    Ack { id: u64 },
}

/// What one fan-out carries along.
struct FanOut<'a> {
    entry: &'a Entry,
    stamp: u32,
    /// Encoded when the first receiver is found, once.
    frame: Option<Rc<Frame>>,
    receivers: u32,
}

impl<D> Core<D> {
    /// Encodes a text packet and its attachments as WebSocket frames in one piece.
    fn encode(
        &mut self,
        namespace: usize,
        header: Header,
        args: &[u8],
        attachments: &[Bytes],
    ) -> Rc<Frame> {
        let head = &mut self.scratch;
        head.clear();
        head.push(b'4');
        let name = self.instance.namespace_name(namespace);
        match header {
            Header::Event { ack } => write_event_header(head, name, ack, attachments.len()),
            Header::Ack { id } => write_ack_header(head, name, id, attachments.len()),
        }
        let text = head.len() + args.len();
        let binary: usize =
            attachments.iter().map(|data| header_len(data.len()) + data.len()).sum();
        let mut bytes = Vec::with_capacity(header_len(text) + text + binary);
        write_header(&mut bytes, Opcode::Text, text);
        bytes.extend_from_slice(head);
        bytes.extend_from_slice(args);
        for data in attachments {
            write_header(&mut bytes, Opcode::Binary, data.len());
            bytes.extend_from_slice(data);
        }
        self.frame(bytes)
    }

    /// A frame around bytes that are encoded already, charged to the memory budget.
    pub(crate) fn frame(&mut self, bytes: Vec<u8>) -> Rc<Frame> {
        self.memory.add(bytes.len() + self.limits().outbox_entry_bytes);
        self.frames += 1;
        Frame::new(bytes.into_boxed_slice(), self.frames, self.now)
    }

    fn check(&self, args: usize, attachments: &[Bytes]) -> Result<(), EmitError> {
        if attachments.len() > self.limits().attachments_max {
            return Err(EmitError::TooManyAttachments);
        }
        // Headers of the packet and the frames are far below the slack of a kilobyte.
        let encoded = args + attachments.iter().map(|data| data.len() + 16).sum::<usize>() + 1_024;
        if encoded > self.limits().encoded_bytes_max {
            self.stats.encoded_too_large.add(1);
            return Err(EmitError::TooLarge);
        }
        Ok(())
    }

    /// Sends to one socket, behind everything that was placed for it before.
    pub(crate) fn emit(
        &mut self,
        socket: SocketKey,
        header: Header,
        args: &[u8],
        attachments: &[Bytes],
        volatile: bool,
    ) -> Result<(), EmitError> {
        self.check(args.len(), attachments)?;
        // Another shard may have placed something that this one was not woken for yet.
        self.catch_up();
        let Some(connection) = self.socket(socket).map(|socket| socket.connection) else {
            return Err(EmitError::Gone);
        };
        let frame = self.encode(socket.namespace, header, args, attachments);
        self.send(connection, frame, volatile);
        Ok(())
    }

    /// Puts a frame of its own into one outbox; its weight is on the cause.
    pub(crate) fn send(&mut self, connection: Key, frame: Rc<Frame>, volatile: bool) {
        self.push(connection, &frame, volatile);
        if let Some(window) = self.cause.and_then(|cause| self.window(cause)) {
            let weight = Weight::new(&window, frame.bytes().len(), 1);
            if let Some(weight) = frame.weigh(weight, 1) {
                self.lift(&weight);
            }
        }
        self.drop_frame(frame);
    }

    /// Gives a broadcast its place in the order and works everything off up to it, so that what
    /// this shard does next comes behind it.
    pub(crate) fn broadcast(
        &mut self,
        namespace: usize,
        broadcast: Broadcast,
        collect: Option<Collect>,
        remote: bool,
    ) -> Result<(), EmitError> {
        self.check(broadcast.packet.args.len(), &broadcast.packet.attachments)?;
        let shards = u32::try_from(self.instance.shards()).unwrap_or(u32::MAX);
        let bytes = broadcast.packet.len() + self.limits().outbox_entry_bytes;
        let weight = self
            .cause
            .and_then(|cause| self.window(cause))
            .map(|window| Weight::new(&window, bytes, shards));
        if remote {
            self.stats.remote_broadcasts.add(1);
        } else {
            self.stats.broadcasts.add(1);
            if !broadcast.local {
                let name = self.instance.namespace_name(namespace);
                self.cluster.0.publish(name, &broadcast);
            }
        }
        let entry = Entry { namespace, broadcast, collect, weight };
        self.instance.order().place(entry, bytes, self.instance.credit(self.shard));
        self.placed = true;
        self.catch_up();
        Ok(())
    }

    /// Works off every place of the order that is taken.
    pub(crate) fn catch_up(&mut self) {
        while let Some(node) = self.cursor.advance() {
            if let Some(entry) = node.entry() {
                self.fan_out(entry);
            }
            drop(node);
            // Leaving the place may have been what another shard waited for.
            for shard in 0..self.instance.shards() {
                if self.instance.credit(shard).wake() {
                    self.outputs.push_back(Output::Wake { shard });
                }
            }
        }
    }

    fn fan_out(&mut self, entry: &Entry) {
        let namespace = &mut self.namespaces[entry.namespace];
        let stamp = namespace.next_stamp();
        let mut fan_out = FanOut { entry, stamp, frame: None, receivers: 0 };
        for room in &entry.broadcast.audience.except {
            self.each_member(entry.namespace, room, |core, slot| {
                if let Some(socket) = core.namespaces[entry.namespace].sockets.at_mut(slot) {
                    socket.stamp = stamp;
                }
            });
        }
        if entry.broadcast.audience.rooms.is_empty() {
            for slot in 0..self.namespaces[entry.namespace].sockets.bound() {
                self.deliver(&mut fan_out, slot);
            }
        }
        for room in &entry.broadcast.audience.rooms {
            self.each_member(entry.namespace, room, |core, slot| core.deliver(&mut fan_out, slot));
        }
        self.conclude(fan_out);
    }

    /// Visits the slots of a room's members; no room changes meanwhile.
    fn each_member(
        &mut self,
        namespace: usize,
        room: &Room,
        mut visit: impl FnMut(&mut Self, usize),
    ) {
        if let Room::Socket(id) = room {
            if id.shard() == self.shard
                && let Some(key) = self.namespaces[namespace].find(*id)
            {
                visit(self, key.slot());
            }
            return;
        }
        let Some(key) = self.namespaces[namespace].room(room) else { return };
        let Some(members) = self.namespaces[namespace].rooms.get_mut(key) else { return };
        let slots = std::mem::take(&mut members.slots);
        for &slot in &slots {
            visit(self, slot as usize);
        }
        if let Some(members) = self.namespaces[namespace].rooms.get_mut(key) {
            members.slots = slots;
        }
    }

    fn deliver(&mut self, fan_out: &mut FanOut<'_>, slot: usize) {
        let entry = fan_out.entry;
        let sockets = &mut self.namespaces[entry.namespace].sockets;
        let Some(socket) = sockets.at_mut(slot) else { return };
        if socket.stamp == fan_out.stamp || socket.ended {
            return;
        }
        socket.stamp = fan_out.stamp;
        let connection = socket.connection;
        if let Some(collect) = &entry.collect {
            let &Collect { id, shard, request, due } = collect;
            let max = self.instance.limits().acks_per_socket_max;
            if socket.may_await(self.now, max) {
                let pending = socket.acks.get_or_insert_default();
                let older = pending.insert(id, AckFor::Collect { shard, request, due });
                // The counter has come round to an id that is pending still: its time is over.
                if let Some(AckFor::Application { token }) = older {
                    self.outcomes.push_back(Outcome::Timeout { token, connection });
                }
            } else {
                // Its answer could not be told apart; the broadcast ends incomplete.
                self.stats.acks_refused.add(1);
            }
        }
        let frame = match &fan_out.frame {
            Some(frame) => frame.clone(),
            None => {
                let packet: &Packet = &entry.broadcast.packet;
                let ack = entry.collect.map(|collect| ack_key(collect.id));
                let header = Header::Event { ack };
                let frame = self.encode(entry.namespace, header, &packet.args, &packet.attachments);
                fan_out.frame = Some(frame.clone());
                frame
            }
        };
        fan_out.receivers += 1;
        self.push(connection, &frame, entry.broadcast.volatile);
    }

    /// After the last receiver: the sender bears the weight, the collector knows the number.
    fn conclude(&mut self, fan_out: FanOut<'_>) {
        let share = self.limits().sender_window_share;
        if let Some(weight) = &fan_out.entry.weight {
            let lifted = match &fan_out.frame {
                Some(frame) => frame.weigh(weight.clone(), share),
                None => Some(weight.clone()),
            };
            if let Some(weight) = lifted {
                self.lift(&weight);
            }
        }
        if let Some(frame) = fan_out.frame {
            self.drop_frame(frame);
        }
        if let Some(collect) = &fan_out.entry.collect {
            let effect = Effect::AckAsked { request: collect.request, sockets: fan_out.receivers };
            self.tell(collect.shard, effect);
        }
    }

    /// Puts a frame into an outbox. The one place where anything is queued for a client.
    fn push(&mut self, key: Key, frame: &Rc<Frame>, volatile: bool) {
        let limits = self.instance.limits();
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.stage == Stage::Closing {
            return;
        }
        if volatile && connection.blocked {
            self.stats.volatile_dropped.add(1);
            return;
        }
        connection.outbox.push(frame.clone(), !connection.stalled);
        self.memory.add(QUEUE_ENTRY_BYTES);
        self.stats.deliveries.add(1);
        if connection.blocked {
            if connection.outbox.weight(limits.outbox_entry_bytes) > limits.outbox_bytes_max {
                self.overflowed.push(key);
            }
        } else if !connection.dirty {
            connection.dirty = true;
            self.fresh.push_back(key);
        }
    }

    /// One holder is rid of the frame.
    pub(crate) fn drop_frame(&mut self, frame: Rc<Frame>) {
        if let Some(frame) = Rc::into_inner(frame) {
            self.memory.sub(frame.bytes().len() + self.limits().outbox_entry_bytes);
        }
    }

    /// A frame left an outbox, written or not.
    pub(crate) fn taken(&mut self, frame: Rc<Frame>, counted: bool) {
        self.memory.sub(QUEUE_ENTRY_BYTES);
        if counted && let Some(weight) = frame.uncount() {
            self.lift(&weight);
        }
        self.drop_frame(frame);
    }

    /// This shard's part of a message no longer weighs on its sender.
    pub(crate) fn lift(&mut self, weight: &Arc<Weight>) {
        let Some(window) = weight.lift() else { return };
        if window.release_if(self.window_low()) {
            let (shard, connection) = (window.shard, window.connection);
            self.tell(shard, Effect::ReadAgain(connection));
        }
    }

    /// What may still wait of a held sender's when it is read again.
    pub(crate) fn window_low(&self) -> usize {
        if self.instance.memory().is_high() { 0 } else { self.limits().sender_window_bytes / 2 }
    }
}
