//! From an emit to an outbox: encoding, a place in the order, the queue of a client.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use crate::application::{Message, SocketKey};
use crate::broadcast::{Broadcast, Collect, EmitError, Entry, Sending, Work, check};
use crate::bulk::BulkOp;
use crate::cluster::Publication;
use crate::connection::Stage;
use crate::core::Core;
use crate::directory::ShardSet;
use crate::encode::{Outgoing, encode, message};
use crate::frame::{Format, Frame, Load, Weight};
use crate::hub::Effect;
use crate::memory::Held;
use crate::room::Audience;
use crate::slots::Key;

/// What a queue entry costs in memory beyond the frame it shares.
pub(crate) const QUEUE_ENTRY_BYTES: usize = size_of::<Rc<Frame>>();

/// How soon a queued frame is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Urgency {
    /// It went to one client, or to few: ahead of what goes to many.
    Direct,
    /// It goes to many, who are written to in turn.
    Bulk,
}

impl<D> Core<D> {
    /// Encodes a packet and its attachments for one kind of client, in one piece. `None` if that
    /// exceeds the bound of one message.
    pub(crate) fn encode(
        &mut self,
        format: Format,
        namespace: usize,
        outgoing: Outgoing<'_>,
        load: Rc<Load>,
    ) -> Option<Rc<Frame>> {
        let bytes_max = self.instance.limits().encoded_bytes_max;
        let name = self.namespaces[namespace].name();
        let Some(bytes) = encode(format, name, outgoing, bytes_max, &mut self.scratch) else {
            self.stats.encoded_too_large.add(1);
            return None;
        };
        Some(self.frame(bytes, outgoing.packets(format), load))
    }

    /// A frame around bytes that are encoded already, charged to the memory budget.
    pub(crate) fn frame(&mut self, bytes: Vec<u8>, packets: u16, load: Rc<Load>) -> Rc<Frame> {
        self.memory.add(Held::Frames, bytes.len() + self.limits().outbox_entry_bytes);
        self.frames += 1;
        Frame::new(bytes.into_boxed_slice(), packets, self.frames, self.now, load)
    }

    /// Whether a message is within our limits, whoever its receivers are.
    pub(crate) fn check(&self, args: usize, attachments: &[Bytes]) -> Result<(), EmitError> {
        let checked = check(args, attachments, self.limits());
        if checked == Err(EmitError::TooLarge) {
            self.stats.encoded_too_large.add(1);
        }
        checked
    }

    /// Sends arguments to one socket, behind everything that was placed for it before.
    pub(crate) fn emit(
        &mut self,
        socket: SocketKey,
        outgoing: Outgoing<'_>,
        volatile: bool,
    ) -> Result<(), EmitError> {
        if let Outgoing::Event { args, attachments, .. } | Outgoing::Ack { args, attachments, .. } =
            outgoing
        {
            self.check(args.len(), attachments)?;
        }
        // Another shard may have placed something that this one was not woken for yet.
        self.bring_up(socket);
        let connection = self.socket(socket).map(|socket| socket.connection);
        let connection = connection.ok_or(EmitError::Gone)?;
        let found = self.connections.get(connection).ok_or(EmitError::Gone)?;
        let format = found.format;
        let frame = self.encode(format, socket.namespace, outgoing, Load::new());
        let frame = frame.ok_or(EmitError::TooLarge)?;
        frame.set_caused_at(self.turn_micros);
        self.send(connection, frame, volatile);
        Ok(())
    }

    /// Sends a packet about a namespace that the connection need not be in.
    pub(crate) fn send_packet(&mut self, key: Key, namespace: &str, outgoing: Outgoing<'_>) {
        let Some(format) = self.connections.get(key).map(|it| it.format) else { return };
        let bytes_max = self.instance.limits().encoded_bytes_max;
        match encode(format, namespace, outgoing, bytes_max, &mut self.scratch) {
            Some(bytes) => {
                let frame = self.frame(bytes, 1, Load::new());
                self.send(key, frame, false);
            }
            None => self.stats.encoded_too_large.add(1),
        }
    }

    /// Sends a message of Engine.IO to one session.
    pub(crate) fn send_message(&mut self, key: Key, said: Message<'_>) {
        let Some(format) = self.connections.get(key).map(|it| it.format) else { return };
        let frame = self.frame(message(format, said), 1, Load::new());
        self.send(key, frame, false);
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
        remote: bool,
    ) -> Result<(), EmitError> {
        self.check(broadcast.packet.args.len(), &broadcast.packet.attachments)?;
        let publication = Publication::Broadcast(broadcast);
        if remote {
            self.stats.remote_broadcasts.add(1);
        } else {
            self.stats.broadcasts.add(1);
            let name = self.namespaces[namespace].name();
            self.cluster.publish(name, &publication);
        }
        if let Publication::Broadcast(broadcast) = publication {
            self.place_broadcast(namespace, broadcast, None);
        }
        Ok(())
    }

    pub(crate) fn place_broadcast(
        &mut self,
        namespace: usize,
        broadcast: Broadcast,
        collect: Option<Collect>,
    ) {
        let Broadcast { packet, audience, volatile, .. } = broadcast;
        let bytes = packet.bytes() + audience.bytes();
        let caused_at = self.turn_micros;
        let work = Work::Send(Sending { packet, volatile, collect, caused_at });
        self.place(namespace, audience, work, bytes);
    }

    /// Hands a broadcast to the other instances alone: its namespace does not exist here.
    pub(crate) fn broadcast_elsewhere(
        &mut self,
        namespace: &str,
        broadcast: Broadcast,
    ) -> Result<(), EmitError> {
        self.check(broadcast.packet.args.len(), &broadcast.packet.attachments)?;
        self.cluster.publish(namespace, &Publication::Broadcast(broadcast));
        Ok(())
    }

    /// Takes the next place of the order, which costs `bytes` and an entry's own weight.
    pub(crate) fn place(
        &mut self,
        namespace: usize,
        mut audience: Audience,
        work: Work,
        bytes: usize,
    ) {
        audience.name_once();
        let shards = u32::try_from(self.instance.shards()).unwrap_or(u32::MAX);
        let bytes = bytes + self.limits().outbox_entry_bytes;
        let weight = self
            .cause
            .and_then(|cause| self.window(cause))
            .map(|window| Weight::new(&window, bytes, shards));
        let serial = self.namespaces[namespace].serial();
        let _expected = match &work {
            Work::Change(BulkOp::Join(rooms)) => {
                let name = self.namespaces[namespace].name();
                Some(self.instance.directory().expect(name, rooms))
            }
            Work::Change(_) | Work::Send(_) | Work::Find { .. } | Work::Count { .. } => None,
        };
        let entry = Entry { namespace, serial, audience, work, weight, _expected };
        let credit = self.instance.credit(self.shard);
        let node = self.instance.order().place(entry, bytes, credit);
        // Afterwards: whoever joins later is not concerned.
        if let Some(entry) = node.entry() {
            let concerned = self.concerned_by(entry);
            self.concerned.add(concerned);
        }
        drop(node);
        self.take_in();
    }

    /// The shards that are to look at what was placed just now. Who is left out passes by it when it
    /// looks next, for whatever reason; what is kept meanwhile is a small part of what holds anybody
    /// back.
    fn concerned_by(&self, entry: &Entry) -> ShardSet {
        let outstanding = self.instance.credit(self.shard).outstanding_bytes();
        let limits = self.limits();
        let unseen_max = (limits.order_bytes_per_shard / 16).min(limits.sender_window_bytes) / 16;
        let may_wait = outstanding <= unseen_max && !self.instance.memory().is_high();
        match &entry.work {
            Work::Send(Sending { collect: None, .. }) if may_wait && self.instance.shards() > 1 => {
                let name = self.namespaces[entry.namespace].name();
                self.instance.shards_of(name, &entry.audience)
            }
            Work::Send(_) | Work::Change(_) | Work::Find { .. } | Work::Count { .. } => {
                self.instance.all_shards()
            }
        }
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
        self.memory.add(Held::Outboxes, QUEUE_ENTRY_BYTES);
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
            self.memory.sub(Held::Frames, frame.bytes().len() + self.limits().outbox_entry_bytes);
        }
    }

    /// A frame left an outbox, written or not.
    pub(crate) fn taken(&mut self, frame: Rc<Frame>, counted: bool) {
        self.memory.sub(Held::Outboxes, QUEUE_ENTRY_BYTES);
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
