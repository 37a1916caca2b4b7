//! The hub: what comes in, what goes out.
//!
//! Every mutation is followed by a full drain: after any call the server takes [`Hub::output`]
//! until it is empty, writes the connections that [`Hub::dirty`] names, and sleeps no longer than
//! [`Hub::deadline`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use relay_engineio::heartbeat::Action;

use crate::acks::Outcome;
use crate::application::{AckValue, Answer, Application, Handshake, Happening, Layer, SocketKey};
use crate::cluster::{Cluster, Serving, SocketInfo};
use crate::connection::{Stage, Transport};
use crate::context::Context;
use crate::core::{Core, Timer, millis};
use crate::deliver::Urgency;
use crate::directory::ShardSet;
use crate::instance::Instance;
use crate::outbox::Outbox;
use crate::polling::Reply;
use crate::reason::EndReason;
use crate::session::EndedSocket;
use crate::slots::Key;
use crate::stats::Stats;

/// What one shard tells another. An effect is always taken: it causes no broadcast.
#[derive(Clone, Debug)]
pub enum Effect {
    /// What this connection sent has reached enough of its receivers: read it again.
    ReadAgain(Key),
    /// A shard has placed a broadcast with acknowledgement into this many outboxes.
    AckAsked {
        /// The collecting shard's number for the broadcast.
        request: u64,
        /// How many sockets were asked.
        sockets: u32,
    },
    /// A socket answered a broadcast with acknowledgement.
    AckAnswered {
        /// The collecting shard's number for the broadcast.
        request: u64,
        /// The first argument.
        answer: AckValue,
    },
    /// A shard has found the sockets of an audience.
    Found {
        /// The collecting shard's number for the question.
        request: u64,
        /// What is known of them.
        sockets: Vec<SocketInfo>,
        /// There are more than may be told.
        is_cut: bool,
    },
    /// A shard has counted its sockets of an audience.
    Counted {
        /// The collecting shard's number for the question.
        request: u64,
        /// How many.
        sockets: u32,
    },
}

/// What the server must do.
#[derive(Clone, Debug)]
pub enum Output {
    /// Hand an effect to another shard.
    Effect {
        /// Which.
        shard: usize,
        /// The effect.
        effect: Effect,
    },
    /// Wake a shard: it waited for room in the order.
    Wake {
        /// Which.
        shard: usize,
    },
    /// Stop reading a connection; its unread bytes hold its sender back.
    Hold(Key),
    /// Read a connection again.
    Read(Key),
    /// Everything is written: shut the sending side of the TCP connection down.
    Finish(Key),
    /// Drop the TCP connection. The key is stale already, unless it was a WebSocket that failed to
    /// take a polling session over.
    Drop(Key),
    /// Answer a request of a session that polls.
    Reply {
        /// The number that the server gave it.
        number: u64,
        /// The answer.
        reply: Reply,
    },
}

/// The state machine of one shard.
#[derive(Debug)]
pub struct Hub<A: Application> {
    pub(crate) core: Core<A::Data>,
    application: A,
}

impl<A: Application> Hub<A> {
    /// The hub of shard number `shard` of `instance`. `seed` must come from a CSPRNG outside of
    /// tests: session ids are made from it.
    #[must_use]
    pub fn new(
        instance: Arc<Instance>,
        shard: usize,
        seed: [u8; 32],
        application: A,
        cluster: Box<dyn Cluster>,
    ) -> Self {
        let mut core = Core::new(instance, shard, seed, cluster);
        core.raw = A::LAYER == Layer::EngineIo;
        Self { core, application }
    }

    /// Counts in `stats` from now on, which somebody else reads.
    #[must_use]
    pub fn with_stats(mut self, stats: Arc<Stats>) -> Self {
        self.core.stats = stats;
        self
    }

    /// The shard's counters.
    #[must_use]
    pub fn stats(&self) -> &Arc<Stats> {
        &self.core.stats
    }

    /// The application, for what it keeps beside its sockets.
    #[must_use]
    pub fn application(&self) -> &A {
        &self.application
    }

    /// Takes in a WebSocket whose handshake was answered; its open packet waits to be written.
    pub fn open(&mut self, now: u64, handshake: Handshake) -> Key {
        let core = &mut self.core;
        core.now = now;
        let payload_bytes_max = u32::try_from(core.limits().payload_bytes_max).unwrap_or(u32::MAX);
        let decoder =
            relay_websocket::Decoder::new(relay_websocket::Role::Server, payload_bytes_max);
        let transport = Transport::WebSocket(decoder);
        let (key, _) = core.open_connection(transport, handshake);
        let packet = core.open_packet(key, &[]);
        core.send_text(key, &packet);
        core.schedule(key);
        key
    }

    /// Takes bytes that a connection's socket gave, in order. They are unmasked in place.
    pub fn receive(&mut self, now: u64, key: Key, input: &mut [u8]) {
        let core = &mut self.core;
        core.now = now;
        core.received(key, input.len());
        core.cause = Some(key);
        self.read(key, input);
        self.core.cause = None;
        self.settle();
        self.core.account_partial(key);
        self.core.hold_if_heavy(key);
        self.core.schedule(key);
    }

    /// The peer ended the TCP connection, or it failed.
    pub fn transport_ended(&mut self, now: u64, key: Key, failed: bool) {
        self.core.now = now;
        let reason = if failed { EndReason::TransportError } else { EndReason::TransportClose };
        self.core.transport_ended(key, reason);
        self.settle();
    }

    /// Ends a connection for a reason of the server's.
    pub fn end(&mut self, now: u64, key: Key, reason: EndReason) {
        self.core.now = now;
        self.core.end_connection(key, reason);
        self.settle();
    }

    /// Lets somebody outside of the application do what the application can do. A panic is counted;
    /// no connection is to blame for it.
    pub fn run(&mut self, now: u64, act: impl FnOnce(&mut Context<'_, A::Data>)) {
        let core = &mut self.core;
        core.now = now;
        if catch_unwind(AssertUnwindSafe(|| act(&mut Context { core }))).is_err() {
            self.core.stats.panics.add(1);
        }
        self.settle();
    }

    /// Open connections, those that are closing included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.core.connections.len()
    }

    /// Whether something waits to be taken by [`Self::output`] or to be written.
    #[must_use]
    pub fn has_output(&self) -> bool {
        let core = &self.core;
        let nobody_is_dirty =
            core.fresh.is_empty() && core.bulk.is_empty() && core.resumed.is_empty();
        !(core.outputs.is_empty() && nobody_is_dirty)
    }

    /// Ends up to `count` connections: the instance is stopping. Clients come back by themselves.
    pub fn shut_down(&mut self, now: u64, count: usize) {
        if count == 0 {
            return;
        }
        self.core.now = now;
        let open = self.core.connections.iter().filter(|(_, it)| it.stage == Stage::Open);
        let some: Vec<_> = open.map(|(key, _)| key).take(count).collect();
        for key in some {
            self.core.end_connection(key, EndReason::ServerShuttingDown);
        }
        self.settle();
    }

    /// Carries out what another shard sent.
    pub fn effect(&mut self, now: u64, effect: Effect) {
        self.core.now = now;
        self.core.effect(effect);
        self.settle();
    }

    /// Works off what was placed in the order since: a slice of it, if it concerns many. While
    /// the hub [is behind](Self::is_behind) this must be called again, other work between.
    pub fn catch_up(&mut self, now: u64) {
        self.core.now = now;
        self.core.catch_up();
        self.settle();
        self.describe_some();
        self.settle();
    }

    /// Whether something waits for its next slice. What others placed in the order meanwhile is no
    /// matter of this: whom it concerns is woken.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        !self.core.pending.is_empty() || !self.core.found.is_empty()
    }

    /// Who is concerned by what was placed in the order since the last call: those of the others must
    /// be woken.
    pub fn take_concerned(&mut self) -> ShardSet {
        std::mem::take(&mut self.core.concerned)
    }

    /// Whether the shard has credit in the order for whatever one more read may hold. If not, it
    /// is woken ([`Output::Wake`]) when it may look again.
    pub fn may_read(&mut self) -> bool {
        let limits = self.core.instance.limits();
        let needed = limits.message_bytes_max + limits.read_bytes;
        let most = limits.order_bytes_per_shard.saturating_sub(needed);
        let credit = self.core.instance.credit(self.core.shard);
        if credit.outstanding_bytes() <= most {
            return true;
        }
        credit.wait();
        if credit.outstanding_bytes() <= most {
            return true;
        }
        self.core.stats.reads_held.add(1);
        // It may be others that were not concerned, and have not looked, that hold the places.
        self.core.concerned = self.core.instance.all_shards();
        false
    }

    /// When [`Self::handle_deadlines`] has something to do next.
    #[must_use]
    pub fn deadline(&self) -> Option<u64> {
        self.core.timers.peek().map(|entry| entry.0.0)
    }

    /// Does what is due: pings, time-outs. `is_unread` says of a connection whether the kernel
    /// holds bytes of it that were not read yet: it is judged after they were.
    pub fn handle_deadlines(&mut self, now: u64, mut is_unread: impl FnMut(Key) -> bool) {
        self.core.now = now;
        while let Some(timer) = self.core.next_timer(now) {
            match timer {
                Timer::Connection(key) => self.connection_due(key, is_unread(key)),
                Timer::Ack(socket, id) => self.core.ack_timeout(socket, id),
                Timer::Collector(request) => self.core.finish(request),
                Timer::Decision(number) => self.core.decision_timeout(number),
                Timer::Deferral(number) => self.deferral_timeout(number),
            }
            self.settle();
        }
    }

    fn connection_due(&mut self, key: Key, unread: bool) {
        let core = &mut self.core;
        let now = core.now;
        let stall = millis(core.limits().receiver_stall);
        let Some(connection) = core.connections.get_mut(key) else { return };
        if connection.blocked && !connection.stalled && now >= connection.progress + stall {
            core.stall(key);
        }
        let Some(connection) = core.connections.get_mut(key) else { return };
        if connection.stage == Stage::Closing {
            if now >= connection.deadline {
                core.drop_connection(key);
            }
        } else if unread {
            // What it sent may be the very thing that is awaited: look again after the read.
            connection.scheduled = now + 1;
            core.timers.push(std::cmp::Reverse((now + 1, Timer::Connection(key))));
            return;
        } else if now >= connection.running_deadline() {
            let reason = if connection.joined {
                EndReason::AttachmentsTimeout
            } else {
                EndReason::ConnectTimeout
            };
            core.end_connection(key, reason);
        } else if now >= connection.heartbeat.deadline() {
            match connection.heartbeat.poll(now, &core.heartbeat) {
                Action::SendPing => core.send_text(key, b"2"),
                Action::TimedOut => core.end_connection(key, EndReason::PingTimeout),
                Action::None => {}
            }
        }
        core.polling_due(key);
        core.schedule(key);
    }

    /// Once a pass: ends the oldest holders if the process holds too much.
    pub fn relieve_memory(&mut self, now: u64) {
        self.core.now = now;
        self.core.stats.holds(&self.core.memory);
        self.core.relieve_memory();
        self.settle();
    }

    /// The next thing to do.
    pub fn output(&mut self) -> Option<Output> {
        self.core.outputs.pop_front()
    }

    /// The next connection that became dirty, in the order in which they did; then those whose sockets
    /// [take bytes again](Self::writable).
    pub fn dirty(&mut self) -> Option<Key> {
        let core = &mut self.core;
        core.fresh.pop_front().or_else(|| core.resumed.pop_front())
    }

    /// The next connection that became dirty by a broadcast to many: their turn comes after those
    /// of [`Self::dirty`].
    pub fn dirty_bulk(&mut self) -> Option<Key> {
        self.core.bulk.pop_front()
    }

    /// What waits to be written to a connection; `None` if there is none, or nothing to write.
    /// The connection counts as clean until something new is queued.
    pub fn outbox(&mut self, key: Key) -> Option<&Outbox> {
        self.core.connections.get_mut(key)?.dirty = None;
        // A session that polls is answered on the way; its TCP connection is a WebSocket's that
        // probes.
        self.core.answer_get(key);
        let connection = self.core.connections.get(key)?;
        match &connection.transport {
            Some(Transport::Polling(polling)) => polling.probe_outbox(),
            _ if connection.blocked => None,
            _ => Some(&connection.outbox),
        }
    }

    /// The socket took `n` bytes.
    pub fn wrote(&mut self, now: u64, key: Key, n: usize) {
        let core = &mut self.core;
        core.now = now;
        core.stats.bytes_sent.add(n as u64);
        if core.is_polling(key) {
            return core.probe_wrote(key, n);
        }
        let receiver_progress_bytes = core.limits().receiver_progress_bytes;
        let Some(connection) = core.connections.get_mut(key) else { return };
        let mut outbox = std::mem::take(&mut connection.outbox);
        core.stats.waited(&outbox, now);
        outbox.advance(n, |frame, counted| core.taken(frame, counted));
        let Some(connection) = core.connections.get_mut(key) else { return };
        connection.outbox = outbox;
        connection.took(n, now, receiver_progress_bytes);
        if connection.stage == Stage::Closing && connection.outbox.is_empty() {
            if connection.close_received {
                core.drop_connection(key);
            } else {
                core.outputs.push_back(Output::Finish(key));
            }
        }
    }

    /// The socket refused more: the connection waits until [`Self::writable`]. If too much waits
    /// for it, it is a slow consumer.
    pub fn write_blocked(&mut self, now: u64, key: Key) {
        let core = &mut self.core;
        core.now = now;
        if core.is_polling(key) {
            // It does not even take the few bytes of a probe.
            return core.end_probe(key);
        }
        let limits = core.instance.limits();
        let (entry, max) = (limits.outbox_entry_bytes, limits.outbox_bytes_max);
        let Some(connection) = core.connections.get_mut(key) else { return };
        if !connection.blocked {
            connection.blocked = true;
            connection.progress = now;
            connection.progress_bytes = 0;
        }
        let weight = connection.outbox.weight(entry);
        if weight as u64 > core.stats.outbox_bytes_peak.get() {
            core.stats.outbox_bytes_peak.set(weight as u64);
        }
        if weight > max {
            core.end_connection(key, EndReason::SlowConsumer);
            self.settle();
        } else {
            core.schedule(key);
        }
    }

    /// The socket takes bytes again. Its turn comes after those who wait for something of their own,
    /// and, as far as there is time for it, ahead of those who wait for what goes to many: it takes no
    /// more at a time than its buffer holds, and at the end of their line it would fall behind them.
    pub fn writable(&mut self, key: Key) {
        let Some(connection) = self.core.connections.get_mut(key) else { return };
        if connection.blocked && !connection.format.polling {
            connection.blocked = false;
            if !connection.outbox.is_empty() {
                connection.dirty.get_or_insert(Urgency::Bulk);
                self.core.resumed.push_back(key);
            }
        }
    }

    /// Hands everything over that the application has yet to hear, until nothing is left.
    pub(crate) fn settle(&mut self) {
        loop {
            self.core.end_found();
            if let Some(outcome) = self.core.outcomes.pop_front() {
                self.tell_outcome(outcome);
            } else if let Some(EndedSocket { socket, reason, session }) =
                self.core.ended.pop_front()
            {
                let sockets = &self.core.namespaces[socket.namespace].sockets;
                let connection = sockets.get(socket.key).map(|socket| socket.connection);
                self.tell(connection, Happening::Disconnected { socket, reason, session });
                self.core.namespaces[socket.namespace].sockets.remove(socket.key);
                if let Some(gone) = self.core.instance.namespaces().leave(socket.namespace) {
                    self.core.cluster.0.serve(gone.name(), Serving::Ends);
                }
            } else if let Some(end) = self.core.ended_sessions.pop_front() {
                self.record(None, |application| application.session_ended(&end));
            } else if let Some((key, refused)) = self.core.refused_connects.pop_front() {
                self.record(Some(key), |application| application.connect_refused(&refused));
            } else {
                return;
            }
        }
    }

    fn tell_outcome(&mut self, outcome: Outcome) {
        // What a broadcast came to concerns many; no connection ends over it.
        let (connection, token, answer) = match outcome {
            Outcome::Timeout { token, connection } => (Some(connection), token, Answer::Timeout),
            Outcome::Disconnected { token } => (None, token, Answer::Disconnected),
            Outcome::Broadcast { token, answers } => (None, token, Answer::Broadcast(answers)),
            Outcome::Fetched { token, sockets, complete } => {
                return self.tell(None, Happening::Fetched { token, sockets, complete });
            }
            Outcome::Counted { token, sockets, complete } => {
                return self.tell(None, Happening::Counted { token, sockets, complete });
            }
        };
        self.tell(connection, Happening::Acknowledged { token, answer });
    }

    /// Runs the application. Its panic ends the connection on whose behalf it ran.
    pub(crate) fn tell(&mut self, connection: Option<Key>, happening: Happening<'_>) {
        let Self { core, application } = self;
        let handled = catch_unwind(AssertUnwindSafe(|| {
            application.handle(&mut Context { core }, happening);
        }));
        if handled.is_err() {
            self.panicked(connection);
        }
    }

    /// Tells the application something that it has no part in, in the same way.
    fn record(&mut self, connection: Option<Key>, tell: impl FnOnce(&mut A)) {
        if catch_unwind(AssertUnwindSafe(|| tell(&mut self.application))).is_err() {
            self.panicked(connection);
        }
    }

    fn panicked(&mut self, connection: Option<Key>) {
        self.core.stats.panics.add(1);
        if let Some(key) = connection {
            self.core.end_connection(key, EndReason::HandlerPanic);
        }
    }

    pub(crate) fn parts(&mut self) -> (&mut Core<A::Data>, &mut A) {
        (&mut self.core, &mut self.application)
    }

    pub(crate) fn core(&mut self) -> &mut Core<A::Data> {
        &mut self.core
    }

    /// Sockets in all namespaces of the shard, and the rooms they are in.
    #[must_use]
    pub fn sockets(&self) -> Vec<SocketKey> {
        let namespaces = self.core.namespaces.iter().enumerate();
        namespaces
            .flat_map(|(namespace, it)| {
                it.sockets.iter().map(move |(key, _)| SocketKey { namespace, key })
            })
            .collect()
    }
}
