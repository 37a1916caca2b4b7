//! From an emit to an outbox: encoding, a place in the order, the queue of a client.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use relay_engineio::packet::{Packet as EnginePacket, encode_text};
use relay_socketio::packet::{write_ack_header, write_event_header};
use relay_websocket::{Opcode, header_len, write_header};

use crate::application::{Message, SocketKey};
use crate::broadcast::{Broadcast, Collect, EmitError, Entry};
use crate::connection::Stage;
use crate::core::Core;
use crate::frame::{Format, Frame, Load, Weight};
use crate::hub::Effect;
use crate::slots::Key;

/// What a queue entry costs in memory beyond the frame it shares.
pub(crate) const QUEUE_ENTRY_BYTES: usize = size_of::<Rc<Frame>>();

/// Which Socket.IO packet carries the arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Header {
    Event { ack: Option<u64> },
    Ack { id: u64 },
}

/// How soon a queued frame is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Urgency {
    /// It went to one client, or to few: ahead of what goes to many.
    Direct,
    /// It goes to many, who are written to in turn.
    Bulk,
}

impl<D> Core<D> {
    /// Encodes a packet and its attachments for one kind of client, in one piece.
    pub(crate) fn encode(
        &mut self,
        format: Format,
        namespace: usize,
        header: Header,
        (args, attachments): (&[u8], &[Bytes]),
        load: Rc<Load>,
    ) -> Rc<Frame> {
        let head = &mut self.scratch;
        head.clear();
        head.push(b'4');
        let name = self.namespaces[namespace].name();
        match header {
            Header::Event { ack } => write_event_header(head, name, ack, attachments.len()),
            Header::Ack { id } => write_ack_header(head, name, id, attachments.len()),
        }
        let bytes = match format {
            Format::WebSocket => websocket(head, args, attachments),
            Format::Polling => polling(head, args, attachments),
        };
        let packets = u16::try_from(1 + attachments.len()).unwrap_or(u16::MAX);
        self.frame(bytes, packets, load)
    }

    /// A frame around bytes that are encoded already, charged to the memory budget.
    pub(crate) fn frame(&mut self, bytes: Vec<u8>, packets: u16, load: Rc<Load>) -> Rc<Frame> {
        self.memory.add(bytes.len() + self.limits().outbox_entry_bytes);
        self.frames += 1;
        Frame::new(bytes.into_boxed_slice(), packets, self.frames, self.now, load)
    }

    fn check(&self, args: usize, attachments: &[Bytes]) -> Result<(), EmitError> {
        if attachments.len() > self.limits().attachments_max {
            return Err(EmitError::TooManyAttachments);
        }
        // The largest encoding, whoever the receivers are: base64. Headers of the packet and the
        // frames are far below the slack of a kilobyte.
        let base64 = |data: &Bytes| data.len().div_ceil(3) * 4 + 16;
        let encoded = args + attachments.iter().map(base64).sum::<usize>() + 1_024;
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
        self.bring_up(socket);
        let Some(connection) = self.socket(socket).map(|socket| socket.connection) else {
            return Err(EmitError::Gone);
        };
        let Some(format) = self.connections.get(connection).map(|it| it.format) else {
            return Err(EmitError::Gone);
        };
        let packet = (args, attachments);
        let frame = self.encode(format, socket.namespace, header, packet, Load::new());
        self.send(connection, frame, volatile);
        Ok(())
    }

    /// Sends a message of Engine.IO to one session.
    pub(crate) fn send_message(&mut self, connection: Key, message: Message<'_>) {
        let Some(format) = self.connections.get(connection).map(|it| it.format) else { return };
        let mut bytes = Vec::new();
        match (format, message) {
            (Format::WebSocket, Message::Text(text)) => {
                write_header(&mut bytes, Opcode::Text, text.len() + 1);
                bytes.push(b'4');
                bytes.extend_from_slice(text.as_bytes());
            }
            (Format::WebSocket, Message::Binary(data)) => {
                relay_websocket::write_frame(&mut bytes, Opcode::Binary, data);
            }
            (Format::Polling, Message::Text(text)) => {
                encode_text(&EnginePacket::Text(text), &mut bytes);
            }
            (Format::Polling, Message::Binary(data)) => {
                encode_text(&EnginePacket::Binary(Cow::Borrowed(data)), &mut bytes);
            }
        }
        let frame = self.frame(bytes, 1, Load::new());
        self.send(connection, frame, false);
    }

    /// Puts a frame of its own into one outbox; its weight is on the cause.
    pub(crate) fn send(&mut self, connection: Key, frame: Rc<Frame>, volatile: bool) {
        self.push(connection, &frame, volatile, Urgency::Direct);
        if let Some(window) = self.cause.and_then(|cause| self.window(cause)) {
            let weight = Weight::new(&window, frame.bytes().len(), 1);
            if let Some(weight) = frame.load().weigh(weight, 1) {
                self.lift(&weight);
            }
        }
        self.drop_frame(frame);
    }

    /// Gives a broadcast its place in the order; what this shard does next to any receiver comes
    /// behind it.
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
                let name = self.namespaces[namespace].name();
                self.cluster.0.publish(name, &broadcast);
            }
        }
        let entry = Entry { namespace, broadcast, collect, weight };
        self.instance.order().place(entry, bytes, self.instance.credit(self.shard));
        self.placed = true;
        self.take_in();
        Ok(())
    }

    /// Puts a frame into an outbox. The one place where anything is queued for a client.
    pub(crate) fn push(&mut self, key: Key, frame: &Rc<Frame>, volatile: bool, urgency: Urgency) {
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
            return;
        }
        self.mark_dirty(key, urgency);
    }

    /// Something of the connection waits to be written, as soon as `urgency` says.
    pub(crate) fn mark_dirty(&mut self, key: Key, urgency: Urgency) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        match (urgency, connection.dirty) {
            // Something direct takes what waited in bulk along.
            (Urgency::Direct, None | Some(Urgency::Bulk)) => self.fresh.push_back(key),
            (Urgency::Bulk, None) => self.bulk.push_back(key),
            (_, Some(Urgency::Direct)) | (Urgency::Bulk, Some(Urgency::Bulk)) => return,
        }
        connection.dirty = Some(urgency);
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
        if counted && let Some(weight) = frame.load().uncount() {
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

/// A packet and its attachments as frames of RFC 6455.
fn websocket(head: &[u8], args: &[u8], attachments: &[Bytes]) -> Vec<u8> {
    let text = head.len() + args.len();
    let binary: usize = attachments.iter().map(|data| header_len(data.len()) + data.len()).sum();
    let mut bytes = Vec::with_capacity(header_len(text) + text + binary);
    write_header(&mut bytes, Opcode::Text, text);
    bytes.extend_from_slice(head);
    bytes.extend_from_slice(args);
    for data in attachments {
        write_header(&mut bytes, Opcode::Binary, data.len());
        bytes.extend_from_slice(data);
    }
    bytes
}

/// The same as part of a polling body.
fn polling(head: &[u8], args: &[u8], attachments: &[Bytes]) -> Vec<u8> {
    let binary: usize = attachments.iter().map(|data| data.len().div_ceil(3) * 4 + 2).sum();
    let mut bytes = Vec::with_capacity(head.len() + args.len() + binary);
    bytes.extend_from_slice(head);
    bytes.extend_from_slice(args);
    for data in attachments {
        bytes.push(relay_engineio::payload::SEPARATOR);
        encode_text(&EnginePacket::Binary(Cow::Borrowed(data)), &mut bytes);
    }
    bytes
}
