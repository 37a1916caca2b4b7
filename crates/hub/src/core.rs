//! The state of one shard, and what every part of the hub does to it.
//!
//! The core never calls the application. What the application must hear of waits in `ended` and
//! `outcomes` until the hub hands it over, so that no mutation is open while foreign code runs.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use relay_engineio::heartbeat::HeartbeatConfig;
use relay_engineio::sid::SessionId;

use crate::acks::Outcome;
use crate::application::{ConnectRefused, SocketKey};
use crate::broadcast::Entry;
use crate::cluster::{Cluster, ClusterPort, Serving};
use crate::collect::Collector;
use crate::connection::{Connection, NEVER};
use crate::directory::{RoomsHere, ShardSet};
use crate::fan_out::Pending;
use crate::frame::Window;
use crate::hub::{Effect, Output};
use crate::instance::Instance;
use crate::limits::Limits;
use crate::memory::LocalMemory;
use crate::namespace::{Namespace, Socket};
use crate::order::Cursor;
use crate::questions::Found;
use crate::session::{EndedSocket, SessionEnd};
use crate::slots::{Key, Slots};
use crate::stats::Stats;

/// What a timer is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Timer {
    Connection(Key),
    Ack(SocketKey, u32),
    Collector(u64),
    Decision(u64),
    Deferral(u64),
}

/// One shard's state. `D` is what the application keeps for a socket.
#[derive(Debug)]
pub(crate) struct Core<D> {
    pub(crate) instance: Arc<Instance>,
    pub(crate) shard: usize,
    /// Milliseconds of the shard's clock, as last told.
    pub(crate) now: u64,
    random: ChaCha12Rng,
    pub(crate) heartbeat: HeartbeatConfig,
    pub(crate) connections: Slots<Connection>,
    /// Open sessions by their secret ids.
    pub(crate) sessions: HashMap<SessionId, Key>,
    /// Whether sessions that poll are told that they may upgrade.
    pub(crate) upgrades: bool,
    /// Messages go to the application as they are.
    pub(crate) raw: bool,
    pub(crate) namespaces: Vec<Namespace<D>>,
    /// CONNECTs that the application has yet to decide on, by the number of their ticket.
    pub(crate) decisions: HashMap<u64, Key>,
    /// CONNECTs that it was asked about, and events that were deferred.
    pub(crate) tickets_made: u64,
    /// Events that the application has yet to go on with, by the number of their ticket.
    pub(crate) deferrals: HashMap<u64, Key>,
    pub(crate) rooms: usize,
    /// Where others look for rooms of this shard.
    pub(crate) rooms_here: RoomsHere,
    pub(crate) cursor: Cursor<Entry>,
    pub(crate) memory: LocalMemory,
    /// The connection whose bytes are being handled: it bears the weight of what is sent.
    pub(crate) cause: Option<Key>,
    pub(crate) frames: u64,
    /// When this turn began, by the clock of deliveries; 0 if nobody says.
    pub(crate) turn_micros: u64,
    /// Writes so far.
    pub(crate) writes: u32,
    /// The stamp of the last entry taken from the order.
    pub(crate) stamp: u64,
    /// Entries on their way to many sockets, in their order.
    pub(crate) pending: VecDeque<Pending>,
    /// Those of them after which who is in a room may be another.
    pub(crate) changes_pending: usize,
    /// Where the members of few are noted; empty between entries.
    pub(crate) members: Vec<u32>,
    /// Sockets that the fan-out may still visit in this pass.
    pub(crate) fan_out_left: usize,
    /// Connections that became dirty since they were last asked for.
    pub(crate) fresh: VecDeque<Key>,
    /// The same, those whose turn comes after all others.
    pub(crate) bulk: VecDeque<Key>,
    /// The same, whose sockets take bytes again after they had refused some.
    pub(crate) resumed: VecDeque<Key>,
    pub(crate) outputs: VecDeque<Output>,
    /// Connections whose outbox is over its bound.
    pub(crate) overflowed: Vec<Key>,
    /// Connections that end because an entry of the order disconnected one of their sockets.
    pub(crate) closing: Vec<Key>,
    /// Sockets whose end the application has not heard of.
    pub(crate) ended: VecDeque<EndedSocket>,
    /// Sessions whose end it has not heard of; their sockets' ends come first.
    pub(crate) ended_sessions: VecDeque<SessionEnd>,
    /// CONNECTs that were refused without its word, and that it has not heard of.
    pub(crate) refused_connects: VecDeque<(Key, ConnectRefused)>,
    pub(crate) outcomes: VecDeque<Outcome>,
    pub(crate) collectors: HashMap<u64, Collector>,
    pub(crate) collectors_made: u64,
    /// Those of them that other instances asked for.
    pub(crate) questions: usize,
    /// Sockets that were looked for and found; what is known of them is yet to be told.
    pub(crate) found: VecDeque<Found>,
    /// What the application answers to the server-side event that it handles.
    pub(crate) event_answer: Option<Bytes>,
    pub(crate) timers: BinaryHeap<Reverse<(u64, Timer)>>,
    /// Who is concerned by what was placed in the order since the other shards were last woken.
    pub(crate) concerned: ShardSet,
    pub(crate) stats: Arc<Stats>,
    /// Where headers are put together before their length is known.
    pub(crate) scratch: Vec<u8>,
    pub(crate) cluster: ClusterPort,
}

impl<D> Core<D> {
    pub(crate) fn new(
        instance: Arc<Instance>,
        shard: usize,
        seed: [u8; 32],
        mut cluster: Box<dyn Cluster>,
    ) -> Self {
        if shard == 0 {
            for name in instance.namespaces().fixed() {
                cluster.serve(name.name(), Serving::Begins);
            }
        }
        let limits = instance.limits();
        Self {
            shard,
            now: 0,
            random: ChaCha12Rng::from_seed(seed),
            heartbeat: HeartbeatConfig {
                ping_interval_ms: millis(limits.ping_interval),
                ping_timeout_ms: millis(limits.ping_timeout),
            },
            connections: Slots::default(),
            sessions: HashMap::new(),
            upgrades: limits.allow_upgrades,
            raw: false,
            namespaces: instance.namespaces().all().into_iter().map(Namespace::new).collect(),
            decisions: HashMap::new(),
            tickets_made: 0,
            deferrals: HashMap::new(),
            rooms: 0,
            cursor: instance.order().cursor(),
            memory: LocalMemory::new(instance.memory_shared(), limits.memory_step_bytes),
            cause: None,
            frames: 0,
            turn_micros: 0,
            writes: 0,
            stamp: 0,
            pending: VecDeque::new(),
            changes_pending: 0,
            members: Vec::new(),
            fan_out_left: limits.fan_out_slice,
            fresh: VecDeque::new(),
            bulk: VecDeque::new(),
            resumed: VecDeque::new(),
            outputs: VecDeque::new(),
            overflowed: Vec::new(),
            closing: Vec::new(),
            ended: VecDeque::new(),
            ended_sessions: VecDeque::new(),
            refused_connects: VecDeque::new(),
            outcomes: VecDeque::new(),
            collectors: HashMap::new(),
            collectors_made: 0,
            questions: 0,
            found: VecDeque::new(),
            event_answer: None,
            timers: BinaryHeap::new(),
            concerned: ShardSet::default(),
            rooms_here: RoomsHere::new(instance.directory().clone(), shard),
            stats: Arc::default(),
            scratch: Vec::new(),
            cluster: ClusterPort(cluster),
            instance,
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.instance.limits()
    }

    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill_bytes(&mut bytes);
        bytes
    }

    pub(crate) fn socket(&self, socket: SocketKey) -> Option<&Socket<D>> {
        let socket = self.namespaces.get(socket.namespace)?.sockets.get(socket.key)?;
        (!socket.ended).then_some(socket)
    }

    /// The window of a connection, made with its first message.
    pub(crate) fn window(&mut self, key: Key) -> Option<Arc<Window>> {
        let shard = self.shard;
        let connection = self.connections.get_mut(key)?;
        Some(connection.window.get_or_insert_with(|| Window::new(shard, key)).clone())
    }

    /// Sends an effect to a shard; one's own is carried out at once.
    pub(crate) fn tell(&mut self, shard: usize, effect: Effect) {
        if shard == self.shard {
            self.effect(effect);
        } else {
            self.outputs.push_back(Output::Effect { shard, effect });
        }
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::ReadAgain(connection) => self.read_again(connection),
            Effect::AckAsked { request, sockets } => self.ack_asked(request, sockets),
            Effect::AckAnswered { request, answer } => self.ack_answered(request, answer),
            Effect::Found { request, sockets, is_cut } => {
                self.shard_found(request, sockets, is_cut);
            }
            Effect::Counted { request, sockets } => self.shard_counted(request, sockets),
        }
    }

    /// Makes sure the connection's timer fires no later than its next deadline.
    pub(crate) fn schedule(&mut self, key: Key) {
        let stall = millis(self.limits().receiver_stall);
        let Some(connection) = self.connections.get_mut(key) else { return };
        let next = connection.next_deadline(stall);
        if next < connection.scheduled {
            connection.scheduled = next;
            self.timers.push(Reverse((next, Timer::Connection(key))));
        }
    }

    /// Takes the timers that are due; a connection's stale ones are dropped on the way.
    pub(crate) fn next_timer(&mut self, now: u64) -> Option<Timer> {
        while let Some(Reverse((due, timer))) = self.timers.peek().copied() {
            if due > now {
                return None;
            }
            self.timers.pop();
            if let Timer::Connection(key) = timer {
                match self.connections.get_mut(key) {
                    Some(connection) if connection.scheduled == due => {
                        connection.scheduled = NEVER;
                    }
                    _ => continue,
                }
            }
            return Some(timer);
        }
        None
    }
}

/// Milliseconds of a duration; deadlines are far below the 584 million years that fit.
pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(NEVER)
}
