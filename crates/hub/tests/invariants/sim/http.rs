//! Requests on their way between clients that poll and their shards.
//!
//! Owns when a request, the body of a POST, the end of patience or a new WebSocket reaches the
//! shard: in any order, but for those of one request. Each request is answered once, or taken back
//! before.

use std::collections::BTreeMap;

use relay_hub::{Body, Reply, Request};
use relay_websocket::{Opcode, write_masked_frame};

use super::World;
use super::client::{Client, Reading};
use super::link::Link;
use super::poller::{Phase, Style, Wish};

/// What comes to a shard by HTTP, and of which client.
#[derive(Debug)]
pub(crate) enum Input {
    /// A request; whether it names the protocol's revision.
    Request(usize, u64, Request, bool),
    /// The body of a POST; `None` if it is too large.
    Body(usize, u64, Option<Vec<u8>>),
    /// The client takes a request back.
    Abort(usize, u64),
    /// A WebSocket that wants to take the session over.
    Dial(usize),
}

impl Input {
    fn number(&self) -> Option<u64> {
        match self {
            Self::Request(_, number, ..) | Self::Body(_, number, _) | Self::Abort(_, number) => {
                Some(*number)
            }
            Self::Dial(_) => None,
        }
    }
}

/// What the network knows of requests.
#[derive(Default)]
pub(crate) struct Http {
    /// Requests made, by all clients.
    pub(super) made: u64,
    /// Who waits for the answer to a request that has reached its shard.
    pub(super) waiting: BTreeMap<u64, usize>,
    /// What scripted clients were answered, until they look at it.
    pub(crate) answers: BTreeMap<u64, Reply>,
}

impl World {
    /// Opens a session that polls; it has joined no namespace.
    pub(crate) fn open_polling(&mut self, shard: usize, style: Style) -> usize {
        let id = self.clients.len();
        let (session, packet) = self.shards[shard].hub.open_polling(self.now, super::handshake());
        let mut client = Client::polling(id, shard, session, style);
        let packet = std::str::from_utf8(&packet).expect("text");
        client.on_engine_packet(relay_engineio::decode_text(packet).expect("the open packet"));
        self.clients.push(client);
        self.carry_out(shard);
        id
    }

    /// Opens a session that polls and joins `/`.
    pub(crate) fn join_polling(&mut self, shard: usize, style: Style) -> usize {
        let id = self.open_polling(shard, style);
        self.clients[id].connect("/");
        self.settle();
        assert!(self.clients[id].is_joined("/"), "client {id} joined");
        id
    }

    /// A client looks at what it got and does what it does about it.
    pub(crate) fn client_reads(&mut self, id: usize) {
        let payload_bytes_max = self.instance.limits().payload_bytes_max;
        let client = &mut self.clients[id];
        client.read(&mut self.random);
        let (shard, reads) = (client.shard, client.reading != Reading::Nothing);
        let Some(poller) = &mut client.poller else { return };
        let inputs = &mut self.shards[shard].inputs;
        while let Some(wish) =
            poller.wish(self.http.made, reads, payload_bytes_max, &mut self.random)
        {
            let number = self.http.made;
            match wish {
                Wish::Get => inputs.push_back(Input::Request(id, number, Request::Get, true)),
                Wish::Post(body) => {
                    inputs.push_back(Input::Request(id, number, Request::Post, true));
                    inputs.push_back(Input::Body(id, number, Some(body)));
                }
                Wish::Dial => inputs.push_back(Input::Dial(id)),
                Wish::Abort(number) => inputs.push_back(Input::Abort(id, number)),
            }
            self.http.made += 1;
        }
    }

    /// Takes some of what came by HTTP; those of one request in their order.
    pub(super) fn take_inputs(&mut self, shard: usize) {
        while !self.shards[shard].inputs.is_empty() && !self.random.one_in(3) {
            if !self.shards[shard].hub.may_read() {
                self.shards[shard].starved = true;
                return;
            }
            let inputs = &mut self.shards[shard].inputs;
            let any = self.random.below(inputs.len()).expect("it is not empty");
            let number = inputs[any].number();
            let first = inputs.iter().position(|it| number.is_some() && it.number() == number);
            let Some(input) = inputs.remove(first.unwrap_or(any)) else { return };
            self.take_input(shard, input);
            self.carry_out(shard);
        }
    }

    fn take_input(&mut self, shard: usize, input: Input) {
        let now = self.now;
        let session = |clients: &[Client], id: usize| {
            clients[id].poller.as_ref().expect("it began by polling").session
        };
        match input {
            Input::Request(id, number, request, eio_matches) => {
                let session = session(&self.clients, id);
                assert_eq!(self.http.waiting.insert(number, id), None);
                if request == Request::Get {
                    self.shards[shard].hub.judge(now, session);
                }
                let request = (number, request);
                self.shards[shard].hub.request(now, session, eio_matches, request);
            }
            Input::Body(id, number, body) => {
                let body = body.as_deref().map_or(Body::TooLarge, Body::Whole);
                let session = session(&self.clients, id);
                self.shards[shard].hub.post(now, session, number, &body);
            }
            Input::Abort(id, number) => {
                if self.http.waiting.remove(&number).is_some() {
                    let session = session(&self.clients, id);
                    self.shards[shard].hub.request_aborted(now, session, number);
                }
                // What was left of its body is not coming.
                self.shards[shard].inputs.retain(|it| it.number() != Some(number));
            }
            Input::Dial(id) => self.dial(shard, id),
        }
    }

    /// A WebSocket for a session that polls: taken in, refused, or accepted and closed.
    fn dial(&mut self, shard: usize, id: usize) {
        let Some(poller) = &self.clients[id].poller else { return };
        let session = poller.session;
        let may = self.shards[shard].hub.may_probe(session, true);
        let key = self.shards[shard].hub.probe(self.now, session);
        assert!(may.is_ok() || key.is_none(), "a session that is unknown is probed");
        if let Some(key) = key {
            self.attach(shard, key, id);
        }
        self.clients[id].dialed(key);
    }

    /// Attaches a WebSocket to a session right now; whether it was taken in.
    pub(crate) fn probe(&mut self, id: usize) -> bool {
        let shard = self.clients[id].shard;
        let probes = self.stat(|stats| stats.probes.get());
        self.dial(shard, id);
        self.carry_out(shard);
        self.stat(|stats| stats.probes.get()) > probes
    }

    /// A client's WebSocket brings the end of the upgrade with its handshake, which no client waits
    /// for that does as it should.
    pub(crate) fn goes_over_at_once(&mut self, id: usize) {
        let shard = self.clients[id].shard;
        self.dial(shard, id);
        let client = &mut self.clients[id];
        let key = client.key.expect("it was let in");
        client.link = Link::new();
        client.poller.as_mut().expect("it polls").phase = Phase::Upgraded;
        let mut bytes = Vec::new();
        write_masked_frame(&mut bytes, Opcode::Text, b"5", [1, 2, 3, 4]);
        self.shards[shard].hub.receive(self.now, key, &mut bytes);
        self.carry_out(shard);
    }

    /// A client that does not read makes a GET and takes it back, and nothing is written meanwhile.
    pub(crate) fn request_and_abort(&mut self, id: usize) {
        let (shard, number) = (self.clients[id].shard, self.http.made);
        self.http.made += 1;
        self.take_input(shard, Input::Request(id, number, Request::Get, true));
        self.take_input(shard, Input::Abort(id, number));
        self.carry_out(shard);
    }

    /// Looks whether the time of a session is over, as before every GET.
    pub(crate) fn judge(&mut self, id: usize) {
        let Some(poller) = &self.clients[id].poller else { return };
        let shard = self.clients[id].shard;
        self.shards[shard].hub.judge(self.now, poller.session);
        self.carry_out(shard);
    }

    /// An answer goes back to whoever waits for it.
    pub(super) fn answer(&mut self, number: u64, reply: Reply) {
        let id = self.http.waiting.remove(&number);
        let id = id.unwrap_or_else(|| panic!("{reply:?} to {number}, for which nobody waits"));
        if let Reply::Payload(body) = &reply {
            assert!(!body.is_empty(), "a GET is never answered with nothing");
        }
        match &mut self.clients[id].poller {
            Some(poller) if poller.style != Style::Scripted => poller.answered(number, reply),
            _ => _ = self.http.answers.insert(number, reply),
        }
    }

    /// Notes which sessions that began by polling are over.
    pub(super) fn notice_ends(&mut self, shard: usize) {
        let hub = &self.shards[shard].hub;
        for client in &mut self.clients {
            if let Some(poller) = &client.poller
                && !client.dropped
                && client.shard == shard
                && hub.may_probe(poller.session, true).is_err()
            {
                // An upgraded session is unknown from its close frame on.
                client.dropped = !self.shards[shard].peers.contains(&Some(client.id));
            }
        }
    }
}
