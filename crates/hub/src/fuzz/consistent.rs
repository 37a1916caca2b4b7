//! What must hold between any two calls of a hub.

use std::collections::BTreeMap;

use relay_socketio::decoder::Decoder;

use crate::connection::{Connection, NEVER, Stage, Transport};
use crate::core::millis;
use crate::deliver::QUEUE_ENTRY_BYTES;
use crate::{Application, Hub, Key};

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
            held += u64::from(connection.heavy);
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
            assert_transport(key, connection);
            if let Some(Transport::Polling(polling)) = &connection.transport
                && let Some(out) = polling.probe_outbox()
            {
                probes += 1;
                bytes += out.len() * QUEUE_ENTRY_BYTES;
                frames.extend(out.frames().map(|frame| (frame.serial(), frame.bytes().len())));
            }
            let heartbeat = &connection.heartbeat;
            let runs = heartbeat.is_awaiting() && heartbeat.deadline() != NEVER;
            assert!(!is_open || !connection.held || !runs, "the time of {key:?}, who is not read");
            assert_eq!(is_open, connection.decoder.is_some(), "the decoder of {key:?}");
            assert!(is_open || connection.sockets.is_empty(), "sockets of {key:?} have ended");
        }
        let pending = core.pending.iter().flat_map(crate::fan_out::Pending::frames);
        frames.extend(pending.map(|frame| (frame.serial(), frame.bytes().len())));
        let frame_bytes = |len: &usize| len + limits.outbox_entry_bytes;
        bytes += frames.values().map(frame_bytes).sum::<usize>();
        bytes += core.collectors.values().map(crate::collect::Collector::bytes).sum::<usize>();
        assert_eq!(core.memory.used(), bytes, "the memory that is charged");
        assert_eq!(core.memory.by_kind().iter().sum::<usize>(), bytes, "its kinds");
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
        assert!(core.ended_sessions.is_empty(), "an end was not told");
        assert!(core.refused_connects.is_empty(), "a refusal was not told");
        assert!(core.overflowed.is_empty(), "a slow consumer was not ended");
        let changes = core.pending.iter().filter(|pending| pending.changes_rooms()).count();
        assert_eq!(core.changes_pending, changes, "entries that change rooms");
        assert!(core.closing.is_empty(), "a connection was not closed");
    }

    /// What the senders of this shard have caused and their receivers have not taken.
    #[must_use]
    pub fn outstanding_bytes(&self) -> usize {
        let windows = self.core.connections.iter().filter_map(|(_, it)| it.window.as_ref());
        windows.map(|window| window.outstanding_bytes()).sum()
    }

    /// Questions of other instances that are under way.
    #[must_use]
    pub fn questions(&self) -> usize {
        self.core.questions
    }

    /// What waits in all outboxes.
    #[must_use]
    pub fn outbox_bytes(&self) -> usize {
        self.core.connections.iter().map(|(_, it)| it.outbox.bytes()).sum()
    }
}

/// What a connection's transport holds, and what waits in it.
fn assert_transport(key: Key, connection: &Connection) {
    let is_open = connection.stage == Stage::Open;
    let transport = connection.transport.as_ref();
    assert!(!is_open || transport.is_some(), "the transport of {key:?}");
    let partial = transport.map_or(0, Transport::buffered_bytes)
        + connection.decoder.as_ref().map_or(0, Decoder::pending_bytes);
    assert_eq!(connection.partial_bytes, partial, "what {key:?} holds");
    let Some(Transport::Polling(polling)) = transport else {
        return assert!(is_open || partial == 0, "{key:?} holds what it will not read");
    };
    assert_eq!(connection.blocked, polling.get.is_none(), "{key:?} and its GET");
    assert!(connection.held || polling.post_held.is_none(), "{key:?} and its POST");
    let is_known = polling.probe_outbox().is_none_or(crate::Outbox::is_empty);
    assert!(is_known || connection.dirty.is_some(), "{key:?}, whose WebSocket probes");
}
