//! Two shards, driven by the bytes of an input.
//!
//! Owns what a server would keep: the names of connections, and which requests wait for an answer.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use relay_engineio::SessionId;
use relay_engineio::payload::SEPARATOR;
use relay_websocket::{Opcode, write_masked_frame};

use super::Puppet;
use super::peers::{Answers, remote};
use crate::{Body, Effect, Handshake, Hub, Key, Output, Reply, Request};

/// Connections that one input can open.
const CONNECTIONS_MAX: usize = 8;

/// A connection. The session's id is that of one that began by polling.
#[derive(Clone, Copy)]
struct Peer {
    shard: usize,
    key: Key,
    session: Option<SessionId>,
}

pub(super) struct Drive<'a> {
    input: &'a [u8],
    now: u64,
    hubs: [Hub<Puppet>; 2],
    peers: Vec<Peer>,
    requests: u64,
    /// The peers of the requests that were neither answered nor taken back.
    waiting: BTreeMap<u64, usize>,
    /// The peers of the POSTs whose bodies are on their way.
    bodies: BTreeMap<u64, usize>,
    /// What the other instances were answered.
    answers: Answers,
}

impl<'a> Drive<'a> {
    pub(super) fn new(input: &'a [u8], hubs: [Hub<Puppet>; 2], answers: Answers) -> Self {
        let (waiting, bodies) = (BTreeMap::new(), BTreeMap::new());
        Self { input, now: 0, hubs, peers: Vec::new(), requests: 0, waiting, bodies, answers }
    }

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
    pub(super) fn step(&mut self) -> Option<()> {
        let step = self.byte()?;
        let which = usize::from(step >> 4);
        if self.peers.len() < CONNECTIONS_MAX && step & 15 == 0 {
            let shard = which % 2;
            let key = self.hubs[shard].open(self.now, handshake());
            self.peers.push(Peer { shard, key, session: None });
        }
        if step & 15 == 1 {
            self.http(which)?;
            self.carry_out();
            return Some(());
        }
        let Peer { shard, key, .. } = *self.peers.get(which % self.peers.len().max(1))?;
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
                let kind = self.byte()?;
                let name = self.take();
                if self.hubs[shard].may_read() {
                    let remote = remote(kind, &name, &self.answers);
                    self.hubs[shard].remote(self.now, remote);
                }
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

    /// Something of a session that began by polling; its kind is in the next byte.
    fn http(&mut self, which: usize) -> Option<()> {
        let kind = self.byte()?;
        if kind & 7 == 0 && self.peers.len() < CONNECTIONS_MAX {
            let shard = which % 2;
            let (session, _) = self.hubs[shard].open_polling(self.now, handshake());
            let key = *self.hubs[shard].core.sessions.get(&session)?;
            self.peers.push(Peer { shard, key, session: Some(session) });
            return Some(());
        }
        let of = which % self.peers.len().max(1);
        let &Peer { shard, session: Some(session), .. } = self.peers.get(of)? else {
            return Some(());
        };
        let now = self.now;
        match kind & 7 {
            0 | 1 => _ = self.request(of, Request::Get, kind & 0xf8 != 0xf8),
            2 => {
                let number = self.request(of, Request::Post, true);
                let body = self.take();
                self.hubs[shard].post(now, session, number, &Body::Whole(&body));
            }
            3 => {
                let number = self.request(of, Request::Post, true);
                self.bodies.insert(number, of);
            }
            4 => {
                let ready = self.bodies.iter().find(|&(_, peer)| *peer == of);
                let Some(number) = ready.map(|(&number, _)| number) else { return Some(()) };
                self.bodies.remove(&number);
                let body = self.take();
                let body = if kind & 8 == 0 { Body::Whole(&body) } else { Body::TooLarge };
                self.hubs[shard].post(now, session, number, &body);
            }
            5 => {
                let mut own = self.waiting.iter().filter(|&(_, peer)| *peer == of);
                let Some((&number, _)) = own.nth(usize::from(kind >> 3) % 2) else {
                    return Some(());
                };
                self.waiting.remove(&number);
                self.bodies.remove(&number);
                self.hubs[shard].request_aborted(now, session, number);
            }
            6 => {
                let may = self.hubs[shard].may_probe(session, true);
                let key = self.hubs[shard].probe(now, session);
                assert!(may.is_ok() || key.is_none(), "a session that is unknown is probed");
            }
            _ if kind & 8 == 0 => self.hubs[shard].judge(now, session),
            _ if kind & 16 == 0 => _ = self.request(of, Request::BinaryPost, true),
            _ => _ = self.request(of, Request::Other, true),
        }
        Some(())
    }

    fn request(&mut self, of: usize, request: Request, eio_matches: bool) -> u64 {
        let number = self.requests;
        self.requests += 1;
        let Peer { shard, session, .. } = self.peers[of];
        if let Some(session) = session {
            self.waiting.insert(number, of);
            self.hubs[shard].request(self.now, session, eio_matches, (number, request));
        }
        number
    }

    /// Effects go over at once: another order is the simulator's to try.
    fn carry_out(&mut self) {
        let mut effects: Vec<(usize, Effect)> = Vec::new();
        loop {
            for hub in &mut self.hubs {
                while let Some(output) = hub.output() {
                    match output {
                        Output::Effect { shard, effect } => effects.push((shard, effect)),
                        Output::Reply { number, reply } => {
                            let waited = self.waiting.remove(&number);
                            assert!(waited.is_some(), "{reply:?} to {number}: nobody waits for it");
                            check_reply(&reply);
                        }
                        Output::Wake { .. }
                        | Output::Hold(_)
                        | Output::Read(_)
                        | Output::Finish(_)
                        | Output::Drop(_) => {}
                    }
                }
                hub.take_concerned();
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

    /// Ends every connection, and whatever time ends.
    pub(super) fn end(&mut self) {
        for Peer { shard, key, .. } in self.peers.clone() {
            self.hubs[shard].transport_ended(self.now, key, false);
            self.carry_out();
        }
        for shard in 0..self.hubs.len() {
            // Sessions that poll have no transport that could end.
            self.hubs[shard].shut_down(self.now, usize::MAX);
            self.carry_out();
            self.hubs[shard].catch_up(self.now);
            while self.hubs[shard].is_behind() {
                self.hubs[shard].catch_up(self.now);
            }
            self.hubs[shard].handle_deadlines(self.now + 60_000, |_| false);
            self.carry_out();
            let core = &self.hubs[shard].core;
            assert_eq!(core.connections.iter().count(), 0, "connections of shard {shard}");
            assert_eq!(core.memory.used(), 0, "memory of shard {shard}");
        }
        self.answers.assert_complete();
        assert!(self.waiting.is_empty(), "requests without an answer: {:?}", self.waiting);
    }
}

fn handshake() -> Handshake {
    Handshake::new(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// The body of a GET is never empty, and no longer than any client takes.
fn check_reply(reply: &Reply) {
    if let Reply::Payload(body) = reply {
        let packets = body.split(|&byte| byte == SEPARATOR);
        assert!(!body.is_empty() && packets.count() <= 16, "a body: {}", body.escape_ascii());
    }
}
