//! Acknowledgements that the server awaits: of one socket, and of a broadcast's receivers on all
//! shards.

use std::cmp::Reverse;
use std::time::Duration;

use bytes::Bytes;

use crate::application::{Answers, SocketKey};
use crate::broadcast::{Broadcast, Collect, EmitError};
use crate::core::{Core, Timer, millis};
use crate::encode::Outgoing;
use crate::namespace::AckFor;
use crate::slots::Key;

/// The ack id as it stands in a packet.
pub(crate) fn ack_key(id: u32) -> u64 {
    u64::from(id)
}

/// What the application has yet to hear of an acknowledgement. Answers of single sockets are
/// handed over at once and never wait here.
#[derive(Debug)]
pub(crate) enum Outcome {
    Timeout { token: u64, connection: Key },
    Disconnected { token: u64 },
    Broadcast { token: u64, answers: Answers },
}

/// The answers to one broadcast, collected on the shard that sent it.
#[derive(Debug)]
pub(crate) struct Collector {
    token: u64,
    /// Shards that have not said how many sockets they asked.
    shards_left: usize,
    asked: u32,
    answered: u32,
    answers: Vec<Bytes>,
    bytes: usize,
}

impl Collector {
    /// Bytes of answers, as charged to the memory budget.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<D> Core<D> {
    /// An id that is pending nowhere on the socket: the counter may have come round.
    fn free_ack(&mut self, socket: SocketKey) -> Result<u32, EmitError> {
        let max = self.instance.limits().acks_per_socket_max;
        let namespace = &mut self.namespaces[socket.namespace];
        let shared = namespace.shared.clone().ok_or(EmitError::Gone)?;
        let found = namespace.sockets.get_mut(socket.key);
        let found = found.filter(|socket| !socket.ended).ok_or(EmitError::Gone)?;
        if !found.may_await(self.now, max) {
            self.stats.acks_refused.add(1);
            return Err(EmitError::TooManyAcks);
        }
        loop {
            let id = shared.next_ack();
            if !found.acks.as_deref().is_some_and(|acks| acks.contains_key(&id)) {
                return Ok(id);
            }
        }
    }

    pub(crate) fn emit_with_ack(
        &mut self,
        socket: SocketKey,
        args: &[u8],
        attachments: &[Bytes],
        timeout: Duration,
        token: u64,
    ) -> Result<(), EmitError> {
        let id = self.free_ack(socket)?;
        let ack = Some(ack_key(id));
        self.emit(socket, Outgoing::Event { ack, args, attachments }, false)?;
        if let Some(socket) = self.namespaces[socket.namespace].sockets.get_mut(socket.key) {
            let pending = socket.acks.get_or_insert_default();
            pending.insert(id, AckFor::Application { token });
        }
        let due = self.now.saturating_add(millis(timeout));
        self.timers.push(Reverse((due, Timer::Ack(socket, id))));
        Ok(())
    }

    pub(crate) fn broadcast_with_ack(
        &mut self,
        namespace: usize,
        broadcast: Broadcast,
        timeout: Duration,
        token: u64,
    ) -> Result<(), EmitError> {
        if self.collectors.len() >= self.limits().broadcast_acks_max {
            self.stats.acks_refused.add(1);
            return Err(EmitError::TooManyAcks);
        }
        let request = self.collectors_made;
        self.collectors_made += 1;
        let collector = Collector {
            token,
            shards_left: self.instance.shards(),
            asked: 0,
            answered: 0,
            answers: Vec::new(),
            bytes: 0,
        };
        self.collectors.insert(request, collector);
        let id = self.namespaces[namespace].next_ack();
        let due = self.now.saturating_add(millis(timeout));
        let collect = Collect { id, shard: self.shard, request, due };
        if let Err(error) = self.broadcast(namespace, broadcast, Some(collect), false) {
            self.collectors.remove(&request);
            return Err(error);
        }
        self.timers.push(Reverse((due, Timer::Collector(request))));
        Ok(())
    }

    /// A shard says how many of its sockets were asked.
    pub(crate) fn ack_asked(&mut self, request: u64, sockets: u32) {
        if let Some(collector) = self.collectors.get_mut(&request) {
            collector.asked += sockets;
            collector.shards_left -= 1;
            self.finish_if_complete(request);
        }
    }

    /// One socket answered. Late answers find no collector.
    pub(crate) fn ack_answered(&mut self, request: u64, answer: Bytes) {
        let max = self.limits().broadcast_ack_bytes_max;
        let Some(collector) = self.collectors.get_mut(&request) else { return };
        collector.answered += 1;
        if collector.bytes + answer.len() > max {
            self.stats.ack_answers_dropped.add(1);
        } else {
            collector.bytes += answer.len();
            self.memory.add(answer.len());
            collector.answers.push(answer);
        }
        self.finish_if_complete(request);
    }

    fn finish_if_complete(&mut self, request: u64) {
        let Some(collector) = self.collectors.get(&request) else { return };
        if collector.shards_left == 0 && collector.answered == collector.asked {
            self.finish(request);
        }
    }

    /// The collector is done, complete or out of time.
    pub(crate) fn finish(&mut self, request: u64) {
        let Some(collector) = self.collectors.remove(&request) else { return };
        self.memory.sub(collector.bytes);
        let complete = collector.shards_left == 0
            && collector.answered == collector.asked
            && collector.answers.len() == collector.asked as usize;
        let answers = Answers { answers: collector.answers, asked: collector.asked, complete };
        self.outcomes.push_back(Outcome::Broadcast { token: collector.token, answers });
    }

    /// An acknowledgement arrived, or its time is over. What it was for, the first time only.
    pub(crate) fn take_ack(&mut self, socket: SocketKey, id: u64) -> Option<AckFor> {
        let id = u32::try_from(id).ok()?;
        let socket = self.namespaces[socket.namespace].sockets.get_mut(socket.key)?;
        let acks = socket.acks.as_deref_mut()?;
        let found = acks.remove(&id)?;
        if acks.is_empty() {
            socket.acks = None;
        }
        Some(found)
    }

    /// The time of an emit's acknowledgement is over. What else bears the id by now is not touched.
    pub(crate) fn ack_timeout(&mut self, socket: SocketKey, id: u32) {
        let Some(found) = self.socket(socket) else { return };
        let connection = found.connection;
        let pending = found.acks.as_deref().and_then(|acks| acks.get(&id)).copied();
        if let Some(AckFor::Application { token }) = pending {
            self.take_ack(socket, ack_key(id));
            self.outcomes.push_back(Outcome::Timeout { token, connection });
        }
    }
}
