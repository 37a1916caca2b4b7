//! From the order to outboxes, in slices: what one broadcast to very many costs is spread over
//! passes, so that everybody else is served in between.
//!
//! Every entry of the order gets a stamp, one more than the last; every socket bears the stamp of
//! the last entry that it was considered for. Entries reach each socket in their order, but one
//! socket may be brought up to date ahead of the others: before something is sent to it alone,
//! before it joins or leaves a room, before it ends. So no socket can tell that the fan-out of
//! others is not over yet.

use std::rc::Rc;
use std::sync::Arc;

use crate::acks::{Outcome, ack_key};
use crate::application::SocketKey;
use crate::broadcast::{Collect, Entry, Sending, Work};
use crate::core::Core;
use crate::deliver::Urgency;
use crate::encode::Outgoing;
use crate::frame::{Frame, Frames, Load};
use crate::hub::{Effect, Output};
use crate::namespace::{AckFor, Namespace};
use crate::order::Node;
use crate::questions::Found;
use crate::room::Room;

/// An entry on its way to the sockets of this shard. It holds its place in the order.
#[derive(Debug)]
pub(crate) struct Pending {
    node: Arc<Node<Entry>>,
    stamp: u64,
    urgency: Urgency,
    load: Rc<Load>,
    /// Encoded when the first receiver that needs a format is found, once.
    frames: Frames,
    /// The sockets that got it, or were counted.
    receivers: u32,
    /// The sockets that were looked for, as far as they were visited.
    found: Vec<SocketKey>,
    /// Whether the excepted sockets were marked and the members of its rooms noted.
    started: bool,
    /// The slots of its rooms' members, as they were when the first slice came to it: whoever
    /// changes rooms later is brought up to date before.
    members: Vec<u32>,
    /// The next of the members, or the next slot of the namespace.
    next: usize,
}

impl Pending {
    fn new(node: Arc<Node<Entry>>, stamp: u64, urgency: Urgency) -> Self {
        Self {
            node,
            stamp,
            urgency,
            load: Load::new(),
            frames: Frames::default(),
            receivers: 0,
            found: Vec::new(),
            started: false,
            members: Vec::new(),
            next: 0,
        }
    }

    /// Whether who is in a room may be another after it.
    pub(crate) fn changes_rooms(&self) -> bool {
        self.node.entry().is_some_and(|entry| entry.work.changes_rooms())
    }

    /// What it is encoded into already.
    pub(crate) fn frames(&self) -> impl Iterator<Item = &Rc<Frame>> {
        self.frames.iter()
    }
}

impl<D> Core<D> {
    /// Grants the fan-out another slice, and works off what it covers. With much to catch up on
    /// the slice is larger: throughput is what is short then.
    pub(crate) fn catch_up(&mut self) {
        self.fan_out_left = self.limits().fan_out_slice * self.pending.len().max(1);
        self.take_in();
    }

    /// Takes every place of the order that is taken. What concerns few goes to them at once, the
    /// rest waits for its slice.
    pub(crate) fn take_in(&mut self) {
        while let Some(node) = self.cursor.advance() {
            let Some(entry) = node.entry() else { continue };
            self.stamp += 1;
            self.make_room_for(entry.namespace);
            if self.namespaces[entry.namespace].serial() != entry.serial {
                // Nobody of this shard was ever in it, or it is gone and another has its index.
                self.conclude(Pending::new(node, self.stamp, Urgency::Direct));
            } else if let Some(receivers) = self.count_at_once(entry) {
                let pending = Pending::new(node, self.stamp, Urgency::Direct);
                self.conclude(Pending { receivers, ..pending });
            } else if self.concerns_few(entry) {
                let pending = Pending::new(node, self.stamp, Urgency::Direct);
                self.deliver_to_few(pending);
            } else {
                self.changes_pending += usize::from(entry.work.changes_rooms());
                let pending = Pending::new(node, self.stamp, Urgency::Bulk);
                self.pending.push_back(pending);
            }
        }
        while self.fan_out_left > 0
            && let Some(mut pending) = self.pending.pop_front()
        {
            if self.visit_some(&mut pending) {
                self.conclude(pending);
            } else {
                self.pending.push_front(pending);
            }
        }
    }

    /// A namespace that no socket of this shard ever joined has nobody here.
    pub(crate) fn make_room_for(&mut self, namespace: usize) {
        if self.namespaces.len() <= namespace {
            self.namespaces.resize_with(namespace + 1, Namespace::default);
        }
    }

    /// Brings one socket up to date with the order: whatever is done to it next comes behind all
    /// that was placed before.
    pub(crate) fn bring_up(&mut self, socket: SocketKey) {
        self.take_in();
        if self.namespaces[socket.namespace].sockets.get(socket.key).is_some() {
            self.bring_up_slot(socket.namespace, socket.key.slot());
        }
    }

    fn bring_up_slot(&mut self, namespace: usize, slot: usize) {
        let Some(last) = self.pending.back().map(|pending| pending.stamp) else { return };
        let Some(socket) = self.namespaces[namespace].sockets.at_mut(slot) else { return };
        let stamp = socket.stamp;
        if stamp >= last {
            return;
        }
        let mut queue = std::mem::take(&mut self.pending);
        let from = queue.partition_point(|pending| pending.stamp <= stamp);
        for pending in queue.range_mut(from..) {
            let node = pending.node.clone();
            if let Some(entry) = node.entry()
                && entry.namespace == namespace
                && self.is_in(entry, slot)
                && !self.is_excepted(entry, slot)
            {
                self.reach(pending, entry, slot);
            }
        }
        self.pending = queue;
        if let Some(socket) = self.namespaces[namespace].sockets.at_mut(slot) {
            socket.stamp = socket.stamp.max(last);
        }
    }

    /// Whether the audience on this shard is so small that it need not wait for a slice. While
    /// rooms are about to change nobody can tell yet who is in them.
    fn concerns_few(&self, entry: &Entry) -> bool {
        let namespace = &self.namespaces[entry.namespace];
        let few = self.limits().fan_out_few;
        let mut members = 0;
        for room in &entry.audience.rooms {
            members += match room {
                Room::Socket(_) => 1,
                Room::Text(_) | Room::Number(_) if self.changes_pending > 0 => return false,
                Room::Text(_) | Room::Number(_) => namespace.members(room).len(),
            };
            if members > few {
                return false;
            }
        }
        !entry.audience.rooms.is_empty()
    }

    /// How many sockets are in the audience, if that is asked and a room's table says it. What is yet
    /// to be visited may change rooms before.
    fn count_at_once(&self, entry: &Entry) -> Option<u32> {
        let Work::Count { .. } = entry.work else { return None };
        let audience = &entry.audience;
        let [room @ (Room::Text(_) | Room::Number(_))] = &audience.rooms[..] else { return None };
        let is_settled = self.changes_pending == 0 && audience.except.is_empty();
        let members = || self.namespaces[entry.namespace].members(room).len();
        is_settled.then(|| u32::try_from(members()).unwrap_or(u32::MAX))
    }

    fn deliver_to_few(&mut self, mut pending: Pending) {
        let node = pending.node.clone();
        if let Some(entry) = node.entry() {
            let mut members = std::mem::take(&mut self.members);
            self.note_members(entry.namespace, &entry.audience.rooms, &mut members);
            for slot in members.drain(..) {
                let slot = slot as usize;
                self.bring_up_slot(entry.namespace, slot);
                if !self.is_excepted(entry, slot) {
                    self.reach(&mut pending, entry, slot);
                }
            }
            self.members = members;
        }
        drop(node);
        self.conclude(pending);
    }

    /// Visits receivers while the slice lasts; whether all were visited.
    fn visit_some(&mut self, pending: &mut Pending) -> bool {
        let node = pending.node.clone();
        let Some(entry) = node.entry() else { return true };
        let is_to_all = entry.audience.rooms.is_empty();
        if !pending.started {
            pending.started = true;
            self.skip_excepted(pending.stamp, entry);
            self.note_members(entry.namespace, &entry.audience.rooms, &mut pending.members);
        }
        let bound = match is_to_all {
            true => self.namespaces[entry.namespace].sockets.bound(),
            false => pending.members.len(),
        };
        let until = bound.min(pending.next + self.fan_out_left);
        self.fan_out_left -= until.saturating_sub(pending.next);
        for next in pending.next..until {
            let slot = if is_to_all { next } else { pending.members[next] as usize };
            self.reach(pending, entry, slot);
        }
        pending.next = until;
        until >= bound
    }

    /// The excepted sockets count as having got it.
    fn skip_excepted(&mut self, stamp: u64, entry: &Entry) {
        if entry.audience.except.is_empty() {
            return;
        }
        let mut excepted = Vec::new();
        self.note_members(entry.namespace, &entry.audience.except, &mut excepted);
        for slot in excepted {
            if let Some(socket) = self.namespaces[entry.namespace].sockets.at_mut(slot as usize) {
                socket.stamp = socket.stamp.max(stamp);
            }
        }
    }

    /// Appends the slots of the members of rooms; who is in two of them may stand there twice, but all
    /// of it is never more than twice the sockets that there are.
    fn note_members(&self, namespace: usize, rooms: &[Room], slots: &mut Vec<u32>) {
        let namespace = &self.namespaces[namespace];
        for room in rooms {
            match room {
                Room::Socket(id) if id.shard() == self.shard => {
                    let key = namespace.find(*id);
                    slots.extend(key.and_then(|key| u32::try_from(key.slot()).ok()));
                }
                Room::Socket(_) => {}
                Room::Text(_) | Room::Number(_) => slots.extend_from_slice(namespace.members(room)),
            }
            if slots.len() > namespace.sockets.bound() {
                slots.sort_unstable();
                slots.dedup();
            }
        }
    }

    fn is_in(&self, entry: &Entry, slot: usize) -> bool {
        let rooms = &entry.audience.rooms;
        rooms.is_empty() || self.is_member_of_any(entry.namespace, rooms, slot)
    }

    fn is_excepted(&self, entry: &Entry, slot: usize) -> bool {
        self.is_member_of_any(entry.namespace, &entry.audience.except, slot)
    }

    fn is_member_of_any(&self, namespace: usize, rooms: &[Room], slot: usize) -> bool {
        let namespace = &self.namespaces[namespace];
        let Some(key) = namespace.sockets.key_at(slot) else { return false };
        rooms.iter().any(|room| match room {
            Room::Socket(id) => namespace.find(*id) == Some(key),
            Room::Text(_) | Room::Number(_) => namespace.is_member(key, room),
        })
    }

    /// Does to one socket what the entry says, unless it was considered for it before.
    fn reach(&mut self, pending: &mut Pending, entry: &Entry, slot: usize) {
        let sockets = &mut self.namespaces[entry.namespace].sockets;
        let Some(socket) = sockets.at_mut(slot) else { return };
        if socket.stamp >= pending.stamp || socket.ended {
            return;
        }
        socket.stamp = pending.stamp;
        match &entry.work {
            Work::Send(sending) => self.deliver(pending, entry.namespace, sending, slot),
            Work::Change(op) => self.change(entry.namespace, slot, op),
            Work::Find { .. } => {
                let key = sockets.key_at(slot);
                let namespace = entry.namespace;
                pending.found.extend(key.map(|key| SocketKey { namespace, key }));
            }
            Work::Count { .. } => pending.receivers += 1,
        }
    }

    /// Puts a packet into the outbox of one socket.
    fn deliver(&mut self, pending: &mut Pending, namespace: usize, sending: &Sending, slot: usize) {
        let sockets = &mut self.namespaces[namespace].sockets;
        let Some(socket) = sockets.at_mut(slot) else { return };
        let connection = socket.connection;
        if let Some(collect) = &sending.collect {
            let &Collect { id, shard, request, due } = collect;
            let max = self.instance.limits().acks_per_socket_max;
            if socket.may_await(self.now, max) {
                let awaited = socket.acks.get_or_insert_default();
                let older = awaited.insert(id, AckFor::Collect { shard, request, due });
                // The counter has come round to an id that is pending still: its time is over.
                if let Some(AckFor::Application { token }) = older {
                    self.outcomes.push_back(Outcome::Timeout { token, connection });
                }
            } else {
                // Its answer could not be told apart; the broadcast ends incomplete.
                self.stats.acks_refused.add(1);
            }
        }
        pending.receivers += 1;
        let Some(format) = self.connections.get(connection).map(|it| it.format) else { return };
        if pending.frames.get(format).is_none() {
            let ack = sending.collect.map(|collect| ack_key(collect.id));
            let (args, attachments) = (&sending.packet.args[..], &sending.packet.attachments[..]);
            let outgoing = Outgoing::Event { ack, args, attachments };
            // Who cannot have it goes without, and it is counted.
            let load = pending.load.clone();
            match self.encode(format, namespace, outgoing, load) {
                Some(frame) => {
                    frame.set_caused_at(sending.caused_at);
                    pending.frames.set(format, frame);
                }
                None => return,
            }
        }
        if let Some(frame) = pending.frames.get(format) {
            self.push(connection, frame, sending.volatile, pending.urgency);
        }
    }

    /// After the last receiver: the sender bears the weight, the collector knows the number, the
    /// place in the order is left.
    fn conclude(&mut self, pending: Pending) {
        let Pending { node, load, frames, receivers, found, urgency, .. } = pending;
        if let Some(entry) = node.entry() {
            let waited = urgency == Urgency::Bulk;
            self.changes_pending -= usize::from(waited && entry.work.changes_rooms());
            if let Some(weight) = &entry.weight
                && let Some(weight) = load.weigh(weight.clone(), self.limits().sender_window_share)
            {
                self.lift(&weight);
            }
            if matches!(entry.work, Work::Send(_)) {
                self.stats.fan_out.receivers(receivers);
            }
            match &entry.work {
                Work::Send(Sending { collect: Some(collect), .. }) => {
                    let effect = Effect::AckAsked { request: collect.request, sockets: receivers };
                    self.tell(collect.shard, effect);
                }
                &Work::Find { shard, request } => {
                    self.found.push_back(Found::new(shard, request, found));
                }
                &Work::Count { shard, request } => {
                    self.tell(shard, Effect::Counted { request, sockets: receivers });
                }
                Work::Send(_) | Work::Change(_) => {}
            }
        }
        for frame in frames {
            self.drop_frame(frame);
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
