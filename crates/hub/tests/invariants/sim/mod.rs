//! An instance on virtual time: hubs, the sockets between them and their clients, and a seeded
//! choice of what happens next.
//!
//! Owns every interleaving that a real machine could produce: which shard runs, how much it reads,
//! what it writes before a socket refuses more, when an effect arrives. Effects from one shard to
//! another stay in order; a shard that nobody woke sleeps. Does not own what clients say.

mod application;
mod check;
mod client;
mod cluster;
mod doors;
pub(crate) mod flood;
mod http;
mod link;
mod packets;
mod poller;
mod random;
mod remote;
pub(crate) mod script;
mod time;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;

use relay_hub::{Effect, Handshake, Hub, Instance, Key, Limits, MemoryBudget, Output, Publication};

pub(crate) use application::{Change, Fact, Log, Outcome, TestApplication};
pub(crate) use client::{Answering, Client, Reading};
use cluster::Port;
pub(crate) use cluster::{Fleet, Wire, json};
pub(crate) use poller::Style;
pub(crate) use random::{Random, seeds};

/// The namespaces of every simulated instance.
pub(crate) const NAMESPACES: [&str; 2] = ["/", "/other"];

/// What the cluster was handed: the namespace and what for.
pub(crate) type Published = Rc<RefCell<Vec<(String, Publication)>>>;

/// A shard's hub and what is on its way to it.
struct Shard {
    hub: Hub<TestApplication>,
    /// Effects by the shard that sent them.
    inbox: Vec<VecDeque<Effect>>,
    /// Somebody said that there is something to do.
    woken: bool,
    /// It found no credit and sleeps until it is woken.
    starved: bool,
    /// What came by HTTP.
    inputs: VecDeque<http::Input>,
    /// Connections that were dirty when a flush gave way.
    rest: VecDeque<Key>,
    /// The client in each slot.
    peers: Vec<Option<usize>>,
}

/// An instance and its clients.
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) random: Random,
    pub(crate) instance: Arc<Instance>,
    pub(crate) clients: Vec<Client>,
    pub(crate) log: Log,
    pub(crate) published: Published,
    /// The same, and what came from other instances: everything in the order in which it was placed.
    pub(crate) placed: Published,
    pub(crate) http: http::Http,
    shards: Vec<Shard>,
}

fn handshake() -> Handshake {
    Handshake::new(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

impl World {
    /// A world whose fan-out is sliced differently with every seed: nothing that is observed may
    /// depend on it.
    pub(crate) fn sliced(mut limits: Limits, shards: usize, seed: u64) -> Self {
        let choice = usize::try_from(seed).unwrap_or(0);
        limits.fan_out_slice = [1, 2, 5, 512][choice % 4];
        limits.fan_out_few = [0, 2, 64][choice / 4 % 3];
        Self::new(limits, shards, seed)
    }

    pub(crate) fn new(limits: Limits, shards: usize, seed: u64) -> Self {
        Self::on(limits, shards, seed, None)
    }

    /// A world whose instance has others beside it.
    pub(crate) fn on(limits: Limits, shards: usize, seed: u64, wire: Option<&Wire>) -> Self {
        limits.check().expect("the bounds agree with each other");
        let instance = Instance::new(limits, &NAMESPACES, shards, 7);
        let log = Log::default();
        let (published, placed) = (Published::default(), Published::default());
        let hub = |shard: usize| {
            let application = TestApplication::new(log.clone(), placed.clone());
            let noted = [published.clone(), placed.clone()];
            let cluster = Box::new(Port::new(noted, wire.cloned(), shard));
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&(seed ^ (shard as u64) << 56).to_le_bytes());
            Shard {
                hub: Hub::new(instance.clone(), shard, bytes, application, cluster),
                inbox: (0..shards).map(|_| VecDeque::new()).collect(),
                woken: false,
                starved: false,
                inputs: VecDeque::new(),
                rest: VecDeque::new(),
                peers: Vec::new(),
            }
        };
        let shards = (0..shards).map(hub).collect();
        let clients = Vec::new();
        let random = Random::new(seed);
        let http = http::Http::default();
        Self { now: 1_000, random, clients, log, published, placed, http, shards, instance }
    }

    /// Opens a connection on a shard; it has joined no namespace.
    pub(crate) fn open(&mut self, shard: usize) -> usize {
        let id = self.clients.len();
        let key = self.shards[shard].hub.open(self.now, handshake());
        self.attach(shard, key, id);
        self.clients.push(Client::new(id, shard, key));
        self.carry_out(shard);
        id
    }

    /// A client has a WebSocket from now on.
    fn attach(&mut self, shard: usize, key: Key, id: usize) {
        let peers = &mut self.shards[shard].peers;
        if peers.len() <= key.slot() {
            peers.resize(key.slot() + 1, None);
        }
        peers[key.slot()] = Some(id);
    }

    /// Opens a connection that joins `/`.
    pub(crate) fn join(&mut self, shard: usize) -> usize {
        let id = self.open(shard);
        self.clients[id].connect("/");
        self.settle();
        assert!(self.clients[id].is_joined("/"), "client {id} joined");
        id
    }

    pub(crate) fn hub(&self, shard: usize) -> &Hub<TestApplication> {
        &self.shards[shard].hub
    }

    pub(crate) fn memory(&self) -> &MemoryBudget {
        self.instance.memory()
    }

    /// A gauge or counter, all shards together.
    pub(crate) fn stat(&self, of: impl Fn(&relay_hub::Stats) -> u64) -> u64 {
        self.shards.iter().map(|shard| of(shard.hub.stats())).sum()
    }

    /// Runs everything that can run without time passing, in a random interleaving.
    pub(crate) fn settle(&mut self) {
        for _ in 0..2_000_000 {
            if !self.step() {
                self.look();
                if !self.step() {
                    return self.check_rest();
                }
            }
        }
        panic!("the instance finds no rest");
    }

    /// One pass of a shard, or one turn of the clients; `false` if nobody has anything to do.
    pub(crate) fn step(&mut self) -> bool {
        let busy: Vec<_> = (0..self.shards.len()).filter(|&it| self.is_busy(it)).collect();
        let reading: Vec<_> =
            (0..self.clients.len()).filter(|&it| self.clients[it].has_work()).collect();
        match self.random.below(busy.len() + reading.len().min(busy.len() + 2)) {
            None => return false,
            Some(choice) if choice < busy.len() => self.pass(busy[choice]),
            Some(_) => {
                for id in reading {
                    if self.random.one_in(2) {
                        self.client_reads(id);
                    }
                }
            }
        }
        true
    }

    /// Clients of a shard that have sent what was not read, and may be read.
    fn unread(&self, shard: usize) -> impl Iterator<Item = usize> {
        let of = move |(id, client): (usize, &Client)| {
            (client.shard == shard && client.is_readable()).then_some(id)
        };
        self.clients.iter().enumerate().filter_map(of)
    }

    fn is_busy(&self, shard: usize) -> bool {
        let it = &self.shards[shard];
        it.woken
            || it.hub.is_behind()
            || !it.rest.is_empty()
            || it.inbox.iter().any(|from| !from.is_empty())
            || self.clients.iter().any(|client| client.shard == shard && client.is_writable())
            || (!it.starved && !it.inputs.is_empty())
            || (!it.starved && self.unread(shard).next().is_some())
    }

    /// One pass of a shard; each part may be left out or cut short.
    fn pass(&mut self, shard: usize) {
        self.take_effects(shard);
        if self.random.one_in(2) {
            self.shards[shard].woken = false;
            self.catch_up(shard);
        }
        self.notice_writable(shard);
        let unread: Vec<_> = self.unread(shard).collect();
        for id in unread {
            if self.random.one_in(2) && !self.read(id) {
                break;
            }
        }
        self.take_inputs(shard);
        self.shards[shard].hub.relieve_memory(self.now);
        self.carry_out(shard);
        self.flush(shard);
    }

    fn take_effects(&mut self, shard: usize) {
        for from in 0..self.shards.len() {
            while self.random.one_in(2) {
                let Some(effect) = self.shards[shard].inbox[from].pop_front() else { break };
                self.shards[shard].hub.effect(self.now, effect);
                self.carry_out(shard);
            }
        }
    }

    /// Lets a shard work off the order.
    pub(crate) fn catch_up(&mut self, shard: usize) {
        self.shards[shard].hub.catch_up(self.now);
        self.carry_out(shard);
    }

    fn notice_writable(&mut self, shard: usize) {
        for id in 0..self.clients.len() {
            if self.clients[id].shard == shard && self.clients[id].is_writable() {
                self.clients[id].link.refused = false;
                if let Some(key) = self.clients[id].key {
                    self.shards[shard].hub.writable(key);
                }
            }
        }
    }

    /// One read call: some of what a client sent. `false` if the shard has no credit.
    pub(crate) fn read(&mut self, id: usize) -> bool {
        let Client { shard, key, .. } = self.clients[id];
        let Some(key) = key else { return true };
        let read_bytes = self.instance.limits().read_bytes;
        if !self.shards[shard].hub.may_read() {
            self.shards[shard].starved = true;
            return false;
        }
        if !self.clients[id].is_readable() {
            return true;
        }
        match self.clients[id].link.take_sent(read_bytes, &mut self.random) {
            Some(mut bytes) => self.shards[shard].hub.receive(self.now, key, &mut bytes),
            None => {
                self.clients[id].link.is_gone = true;
                self.shards[shard].hub.transport_ended(self.now, key, false);
            }
        }
        self.carry_out(shard);
        true
    }

    /// Reads everything that one client has sent, and writes and catches up nothing.
    pub(crate) fn read_all(&mut self, id: usize) {
        while self.clients[id].is_readable() {
            assert!(self.read(id), "the shard has credit");
        }
    }

    /// Writes dirty connections; whatever is left when the slice ends waits in the rest.
    pub(crate) fn flush(&mut self, shard: usize) {
        let it = &mut self.shards[shard];
        while let Some(key) = it.hub.dirty().or_else(|| it.hub.dirty_bulk()) {
            it.rest.push_back(key);
        }
        let mut turns = self.shards[shard].rest.len();
        if self.random.one_in(4) {
            turns = self.random.up_to(turns);
        }
        for _ in 0..turns {
            if let Some(key) = self.shards[shard].rest.pop_front() {
                self.write(shard, key);
            }
        }
        self.carry_out(shard);
    }

    fn write(&mut self, shard: usize, key: Key) {
        let peer = self.peer(shard, key);
        let hub = &mut self.shards[shard].hub;
        // Asked also for who has no socket: that is how a GET is answered.
        let (Some(outbox), Some(id)) = (hub.outbox(key), peer) else { return };
        let mut offered = Vec::with_capacity(outbox.bytes());
        for frame in outbox.frames() {
            offered.extend_from_slice(frame.bytes());
        }
        let offered = &offered[outbox.written()..];
        if offered.is_empty() {
            return;
        }
        let client = &mut self.clients[id];
        let taken = client.link.offer(offered, client.socket_bytes_max);
        let all = taken == offered.len();
        hub.wrote(self.now, key, taken);
        if !all {
            self.clients[id].link.refused = true;
            self.shards[shard].hub.write_blocked(self.now, key);
        }
    }

    fn peer(&self, shard: usize, key: Key) -> Option<usize> {
        let id = (*self.shards[shard].peers.get(key.slot())?)?;
        (self.clients[id].key == Some(key)).then_some(id)
    }

    /// Does what a hub asked for.
    fn carry_out(&mut self, shard: usize) {
        while let Some(output) = self.shards[shard].hub.output() {
            match output {
                Output::Effect { shard: to, effect } => {
                    self.shards[to].inbox[shard].push_back(effect);
                }
                Output::Wake { shard: to } => {
                    self.shards[to].starved = false;
                }
                Output::Hold(key) => self.with_peer(shard, key, |client| client.held = true),
                Output::Read(key) => self.with_peer(shard, key, |client| client.held = false),
                Output::Finish(key) => {
                    self.with_peer(shard, key, |client| client.link.finished = true);
                }
                Output::Drop(key) => {
                    self.with_peer(shard, key, |client| {
                        client.link.dropped = true;
                        client.held = false;
                        client.dropped = client.poller.is_none();
                    });
                    if let Some(peer) = self.shards[shard].peers.get_mut(key.slot()) {
                        *peer = None;
                    }
                }
                Output::Reply { number, reply } => self.answer(number, reply),
            }
        }
        let concerned = self.shards[shard].hub.take_concerned();
        for (other, it) in self.shards.iter_mut().enumerate() {
            it.woken |= other != shard && concerned.contains(other);
        }
        self.notice_ends(shard);
        let it = &mut self.shards[shard];
        it.hub.assert_consistent();
        while let Some(key) = it.hub.dirty().or_else(|| it.hub.dirty_bulk()) {
            it.rest.push_back(key);
        }
    }

    fn with_peer(&mut self, shard: usize, key: Key, act: impl FnOnce(&mut Client)) {
        match self.peer(shard, key) {
            Some(id) => act(&mut self.clients[id]),
            // A session that polls may have no connection of its own.
            None => assert!(self.has_polled(shard), "outputs name live connections"),
        }
    }

    fn has_polled(&self, shard: usize) -> bool {
        self.clients.iter().any(|client| client.shard == shard && client.poller.is_some())
    }

    /// Stops the instance.
    pub(crate) fn shut_down(&mut self) {
        for shard in 0..self.shards.len() {
            self.shards[shard].hub.shut_down(self.now, usize::MAX);
            self.carry_out(shard);
        }
    }
}
