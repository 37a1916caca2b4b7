//! A gateway on one shard and virtual time, clients over WebSocket frames, and a background whose
//! futures move when the test says so.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use relay_gateway::{
    Background, Fact, Gateway, GatewayStats, Hooks, NamedTypes, Observer, Outcome, Part, Rules,
    TypeNames, Work,
};
use relay_hub::{Alone, Field, Handshake, Head, Hub, Instance, Key, Limits, Output, Ticket};
use relay_websocket::{Decoder, Event, Opcode, Role, write_masked_frame};

pub(crate) const NAMESPACE: &str = "/relay";

/// Works when it is told to.
#[derive(Default)]
pub(crate) struct Bench {
    work: Mutex<Vec<Work>>,
    told: Mutex<VecDeque<(Ticket, Outcome)>>,
}

impl Background for Bench {
    fn spawn(&self, work: Work) {
        self.work.lock().unwrap().push(work);
    }

    fn tell(&self, ticket: Ticket, outcome: Outcome) {
        self.told.lock().unwrap().push_back((ticket, outcome));
    }
}

impl Bench {
    /// Futures that are not finished.
    pub(crate) fn waiting(&self) -> usize {
        self.work.lock().unwrap().len()
    }

    /// Gives every future a turn.
    fn turn(&self) {
        let work = std::mem::take(&mut *self.work.lock().unwrap());
        let mut cx = Context::from_waker(Waker::noop());
        for mut it in work {
            if it.as_mut().poll(&mut cx).is_pending() {
                self.work.lock().unwrap().push(it);
            }
        }
    }
}

/// Writes facts down, a line each.
#[derive(Default)]
pub(crate) struct Notes(Mutex<Vec<String>>);

impl Observer for Notes {
    fn observe(&self, fact: &Fact<'_>) {
        let mut line = fact.name().to_owned();
        fact.parts(&mut |key, part| {
            line += &match part {
                // Ids are random.
                Part::Text(text) if key == "socketId" => format!(" {key}:{}", text.len()),
                Part::Text(text) => format!(" {key}={}", String::from_utf8_lossy(&text)),
                Part::Word(word) => format!(" {key}={word}"),
                Part::Number(number) => format!(" {key}={number}"),
            };
        });
        self.0.lock().unwrap().push(line);
    }
}

impl Notes {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct Peer {
    key: Key,
    decoder: Decoder,
    /// What the server does not read, since it holds the connection.
    unread: Vec<u8>,
    held: bool,
    texts: VecDeque<String>,
    /// The code of the close frame.
    closed: Option<Option<u16>>,
}

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) hub: Hub<Gateway>,
    pub(crate) stats: Arc<GatewayStats>,
    pub(crate) background: Arc<Bench>,
    pub(crate) instance: Arc<Instance>,
    peers: Vec<Peer>,
}

impl World {
    pub(crate) fn new(hooks: Hooks) -> Self {
        Self::with(hooks, Limits::default())
    }

    pub(crate) fn with(hooks: Hooks, limits: Limits) -> Self {
        Self::observed(hooks, limits, Arc::default())
    }

    /// A world whose facts are written down.
    pub(crate) fn observed(hooks: Hooks, limits: Limits, notes: Arc<Notes>) -> Self {
        let stats = GatewayStats::new(&TypeNames::new(&NamedTypes::default(), 10, 20));
        let background = Arc::new(Bench::default());
        let thoughts_max = limits.decisions_max;
        let rules = Rules { namespace: NAMESPACE.into(), hooks, thoughts_max, ..Rules::default() };
        let gateway = Gateway::new(stats.clone()).with_rules(Arc::new(rules), background.clone());
        let gateway = gateway.observed_by(notes);
        let instance = Instance::new(limits, &["/", NAMESPACE], 1, 0);
        let hub = Hub::new(instance.clone(), 0, [7; 32], gateway, Box::new(Alone));
        Self { now: 1_000, hub, stats, background, instance, peers: Vec::new() }
    }

    /// Opens a connection; returns its number.
    pub(crate) fn open(&mut self) -> usize {
        let fields = [Field { name: "x-key".into(), value: (*b"k").into() }];
        let head = Head { query: "EIO=4&room=a%20b".into(), fields: fields.into() };
        let mut handshake = Handshake::new(Ipv4Addr::LOCALHOST.into());
        handshake.head = Some(Arc::new(head));
        let key = self.hub.open(self.now, handshake);
        self.peers.push(Peer {
            key,
            decoder: Decoder::new(Role::Client, 10_000_000),
            unread: Vec::new(),
            held: false,
            texts: VecDeque::new(),
            closed: None,
        });
        self.settle();
        let it = self.peers.len() - 1;
        assert!(self.next(it).is_some_and(|text| text.starts_with("0{")));
        it
    }

    /// Opens a connection that comes in, with this `auth`.
    pub(crate) fn join(&mut self, auth: &str) -> (usize, String) {
        let it = self.open();
        self.send(it, &format!("40{NAMESPACE},{auth}"));
        let answer = self.next(it).expect("an answer");
        let sid = answer.split('"').nth(3).expect("a sid").to_owned();
        assert!(answer.starts_with(&format!("40{NAMESPACE},")), "{answer}");
        (it, sid)
    }

    /// A client says something.
    pub(crate) fn send(&mut self, it: usize, text: &str) {
        write_masked_frame(&mut self.peers[it].unread, Opcode::Text, text.as_bytes(), [3; 4]);
        self.settle();
    }

    /// A client sends an attachment.
    pub(crate) fn send_binary(&mut self, it: usize, bytes: &[u8]) {
        write_masked_frame(&mut self.peers[it].unread, Opcode::Binary, bytes, [3; 4]);
        self.settle();
    }

    /// A client sends an event, with its arguments.
    pub(crate) fn say(&mut self, it: usize, args: &str) {
        self.send(it, &format!("42{NAMESPACE},{args}"));
    }

    /// The next packet that a client got.
    pub(crate) fn next(&mut self, it: usize) -> Option<String> {
        self.peers[it].texts.pop_front()
    }

    /// A client gets exactly these packets, without the namespace.
    #[track_caller]
    pub(crate) fn expect(&mut self, it: usize, packets: &[&str]) {
        let got: Vec<_> = self.peers[it].texts.drain(..).collect();
        let bare: Vec<_> =
            got.iter().map(|text| text.replacen(&format!("{NAMESPACE},"), "", 1)).collect();
        assert_eq!(bare, packets);
    }

    /// The code of the close frame that ended a connection; `None` if it goes on.
    pub(crate) fn closed(&self, it: usize) -> Option<Option<u16>> {
        self.peers[it].closed
    }

    /// The client is gone.
    pub(crate) fn hang_up(&mut self, it: usize) {
        self.hub.transport_ended(self.now, self.peers[it].key, false);
        self.settle();
    }

    /// The program's futures get a turn.
    pub(crate) fn think(&mut self) {
        self.background.turn();
        let told = std::mem::take(&mut *self.background.told.lock().unwrap());
        for (ticket, outcome) in told {
            match outcome {
                Outcome::Decided(decided) => self.hub.decide(self.now, ticket, decided),
                Outcome::Panicked => self.hub.abandon(self.now, ticket),
                Outcome::Resumed(resume) => self.hub.resume(self.now, ticket, resume),
            }
        }
        self.settle();
    }

    /// Time goes by.
    pub(crate) fn wait(&mut self, millis: u64) {
        self.now += millis;
        self.hub.handle_deadlines(self.now, |_| false);
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            self.hub.catch_up(self.now);
            let mut moved = self.read();
            while let Some(output) = self.hub.output() {
                moved = true;
                self.obey(&output);
            }
            while let Some(key) = self.hub.dirty().or_else(|| self.hub.dirty_bulk()) {
                moved = true;
                self.flush(key);
            }
            if !moved && !self.hub.is_behind() {
                return;
            }
        }
    }

    fn read(&mut self) -> bool {
        let readable = |peer: &Peer| !peer.held && !peer.unread.is_empty();
        let Some(it) = self.peers.iter().position(readable) else { return false };
        let mut bytes = std::mem::take(&mut self.peers[it].unread);
        self.hub.receive(self.now, self.peers[it].key, &mut bytes);
        true
    }

    fn obey(&mut self, output: &Output) {
        let (key, held) = match output {
            Output::Hold(key) => (key, true),
            Output::Read(key) => (key, false),
            _ => return,
        };
        if let Some(peer) = self.peers.iter_mut().find(|it| it.key == *key) {
            peer.held = held;
        }
    }

    fn flush(&mut self, key: Key) {
        let Some(outbox) = self.hub.outbox(key) else { return };
        let mut bytes: Vec<u8> = outbox.frames().flat_map(|it| it.bytes().to_vec()).collect();
        self.hub.wrote(self.now, key, bytes.len());
        let Some(peer) = self.peers.iter_mut().find(|it| it.key == key) else { return };
        let mut rest = &mut bytes[..];
        loop {
            let step = peer.decoder.decode(rest).expect("legal frames");
            let consumed = step.consumed;
            match step.event {
                Some(Event::Text(text)) => peer.texts.push_back(text.to_owned()),
                Some(Event::Binary(bytes)) => peer.texts.push_back(shown(bytes)),
                Some(Event::Close(close)) => peer.closed = Some(close.map(|it| it.code)),
                Some(other) => panic!("{other:?}"),
                None => return,
            }
            rest = &mut std::mem::take(&mut rest)[consumed..];
        }
    }
}

/// Bytes as a text that no packet looks like.
fn shown(bytes: &[u8]) -> String {
    let numbers: Vec<_> = bytes.iter().map(u8::to_string).collect();
    format!("<{}>", numbers.join(","))
}
