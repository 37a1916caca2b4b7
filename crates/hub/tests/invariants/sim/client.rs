//! A client of Socket.IO over WebSocket or long-polling.
//!
//! Owns what a stock client does by itself (pongs, acknowledgements, the closing handshake, the
//! upgrade), how fast it reads, and all that it saw. What the server sends must be legal: anything
//! that a client would refuse fails the test at once.

use relay_engineio::{Packet, SessionId, decode_text, payload};
use relay_hub::Key;
use relay_socketio::{Decoder, DecoderLimits, Role};
use relay_websocket::{Event as Frame, Opcode};

use super::link::Link;
use super::packets::base64;
use super::poller::{Phase, Poller, Style};
use super::random::Random;

/// How fast a client reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reading {
    /// Whatever there is.
    All,
    /// At most so many bytes at a time.
    Slow(usize),
    /// Nothing.
    Nothing,
}

/// What a client does about events that want an acknowledgement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answering {
    /// Answers with its number.
    Once,
    /// Answers twice, as no stock client would.
    Twice,
    /// Does not answer.
    Never,
}

/// An event that arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Event {
    pub(crate) namespace: String,
    pub(crate) ack: Option<u64>,
    /// The JSON array.
    pub(crate) args: String,
    pub(crate) attachments: Vec<Vec<u8>>,
}

pub(crate) struct Client {
    pub(crate) id: usize,
    pub(crate) shard: usize,
    /// What the server calls the connection under its WebSocket, if it has one.
    pub(super) key: Option<Key>,
    pub(crate) reading: Reading,
    pub(crate) answering: Answering,
    pub(crate) answers_pings: bool,
    /// Bytes that its socket holds before it refuses more.
    pub(crate) socket_bytes_max: usize,
    /// The server does not read it.
    pub(crate) held: bool,
    /// The server has forgotten it.
    pub(crate) dropped: bool,
    /// What it has heard, in order.
    pub(crate) events: Vec<Event>,
    /// Acknowledgements of its own events: id and arguments.
    pub(crate) acks: Vec<(u64, String)>,
    /// Namespaces that it was let into, with its id there.
    pub(crate) joined: Vec<(String, String)>,
    /// Refusals: namespace and payload.
    pub(crate) refusals: Vec<(String, String)>,
    /// Namespaces that it was put out of.
    pub(crate) put_out: Vec<String>,
    /// Pings that arrived.
    pub(crate) pings: usize,
    /// WebSocket pongs that arrived.
    pub(crate) ws_pongs: Vec<Vec<u8>>,
    /// The open packet.
    pub(crate) open: String,
    /// The close frame of its session: its code, if it has one.
    pub(crate) closed: Option<Option<u16>>,
    /// The end came as a packet.
    pub(crate) told_the_end: bool,
    /// Frames that a scripted client got, in order.
    pub(crate) frames: Vec<String>,
    pub(crate) link: Link,
    /// Its side of long-polling, if that is how it began.
    pub(crate) poller: Option<Poller>,
    pub(super) packets: Decoder,
}

impl Client {
    /// A client whose session is a WebSocket from the beginning.
    pub(super) fn new(id: usize, shard: usize, key: Key) -> Self {
        let link = Link::new();
        Self { key: Some(key), link, ..Self::unconnected(id, shard) }
    }

    /// A client whose session begins by polling.
    pub(super) fn polling(id: usize, shard: usize, session: SessionId, style: Style) -> Self {
        let poller = Some(Poller::new(session, style));
        Self { poller, ..Self::unconnected(id, shard) }
    }

    fn unconnected(id: usize, shard: usize) -> Self {
        let limits = DecoderLimits { attachments_max: 10, message_bytes_max: 16_000_000 };
        Self {
            id,
            shard,
            key: None,
            reading: Reading::All,
            answering: Answering::Once,
            answers_pings: true,
            socket_bytes_max: 100_000,
            held: false,
            dropped: false,
            events: Vec::new(),
            acks: Vec::new(),
            joined: Vec::new(),
            refusals: Vec::new(),
            put_out: Vec::new(),
            pings: 0,
            ws_pongs: Vec::new(),
            open: String::new(),
            closed: None,
            told_the_end: false,
            frames: Vec::new(),
            link: Link::none(),
            poller: None,
            packets: Decoder::new(Role::Client, limits),
        }
    }

    pub(crate) fn is_joined(&self, namespace: &str) -> bool {
        self.joined.iter().any(|(joined, _)| joined == namespace)
    }

    /// Its public id in `/`.
    pub(crate) fn socket_id(&self) -> &str {
        self.joined.iter().find(|(name, _)| name == "/").map_or("", |(_, id)| id)
    }

    /// The arguments of all events, in order.
    pub(crate) fn heard(&self) -> Vec<&str> {
        self.events.iter().map(|event| event.args.as_str()).collect()
    }

    /// Whether what it says goes by POST.
    pub(crate) fn is_polling(&self) -> bool {
        self.poller.as_ref().is_some_and(Poller::is_current)
    }

    /// Whether a GET, and a POST, of it is unanswered.
    pub(crate) fn unanswered(&self) -> (bool, bool) {
        self.poller.as_ref().map_or((false, false), Poller::unanswered)
    }

    fn is_scripted(&self) -> bool {
        self.poller.as_ref().is_some_and(|poller| poller.style == Style::Scripted)
    }

    // ---- what it sends -----------------------------------------------------------------------

    /// Sends one frame over its WebSocket.
    pub(crate) fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        self.link.send(opcode, payload);
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.link.send_raw(bytes);
    }

    /// Sends a packet in text form.
    pub(crate) fn text(&mut self, packet: &str) {
        match &mut self.poller {
            Some(poller) if poller.is_current() => poller.push(packet.into()),
            _ => self.send(Opcode::Text, packet.as_bytes()),
        }
    }

    /// Sends a binary message.
    pub(crate) fn binary(&mut self, data: &[u8]) {
        match &mut self.poller {
            Some(poller) if poller.is_current() => poller.push(base64(data)),
            _ => self.send(Opcode::Binary, data),
        }
    }

    /// Asks to join a namespace; the application learns its number.
    pub(crate) fn connect(&mut self, namespace: &str) {
        let comma = if namespace == "/" { "" } else { "," };
        let name = if namespace == "/" { "" } else { namespace };
        let packet = format!("40{name}{comma}{{\"n\":{}}}", self.id);
        self.text(&packet);
    }

    /// Sends an event to `/`: a JSON array.
    pub(crate) fn emit(&mut self, args: &str) {
        self.text(&format!("42{args}"));
    }

    pub(crate) fn close(&mut self, code: Option<u16>) {
        let code = code.map(u16::to_be_bytes);
        self.send(Opcode::Close, code.as_ref().map_or(&[], |code| &code[..]));
    }

    /// Goes away without a word. A client that polls takes its requests back.
    pub(crate) fn hang_up(&mut self) {
        self.link.hangs_up = true;
        if let Some(poller) = &mut self.poller {
            poller.hangs_up = true;
        }
    }

    // ---- its socket --------------------------------------------------------------------------

    /// Whether the server can read something of its WebSocket: bytes or the end.
    pub(crate) fn is_readable(&self) -> bool {
        !self.held && self.link.is_readable()
    }

    /// Whether its WebSocket has room again after it refused.
    pub(super) fn is_writable(&self) -> bool {
        self.link.is_writable(self.socket_bytes_max)
    }

    /// Whether it would read, ask for something, or notice an end.
    pub(super) fn has_work(&self) -> bool {
        let reads = self.reading != Reading::Nothing;
        (reads && self.link.has_work())
            || self.has_lost_its_probe()
            || self.poller.as_ref().is_some_and(|poller| poller.has_work(reads))
    }

    /// Whether nothing is on its way to it.
    pub(crate) fn has_read_all(&self) -> bool {
        let polls = self.poller.as_ref().is_none_or(Poller::is_quiet);
        let reads = !self.is_polling() || self.reading != Reading::Nothing;
        self.link.is_quiet() && polls && reads
    }

    /// The WebSocket that it asked for is there, or is not.
    pub(super) fn dialed(&mut self, key: Option<Key>) {
        let is_scripted = self.is_scripted();
        let Some(poller) = &mut self.poller else { return };
        if key.is_none() {
            return poller.probe_failed();
        }
        self.key = key;
        self.link = Link::new();
        if !is_scripted {
            poller.phase = Phase::Probing;
            self.send(Opcode::Text, b"2probe");
        }
    }

    fn has_lost_its_probe(&self) -> bool {
        let is_over = self.link.dropped || self.link.closed;
        self.poller.as_ref().is_some_and(|poller| {
            is_over && !poller.is_over && !matches!(poller.phase, Phase::Polling | Phase::Dialing)
        })
    }

    // ---- what it reads -----------------------------------------------------------------------

    pub(super) fn read(&mut self, random: &mut Random) {
        let reads = self.reading != Reading::Nothing;
        while let Some(answer) = self.poller.as_mut().and_then(|poller| poller.read(reads)) {
            if let Some(body) = answer {
                self.on_body(&body);
            }
        }
        match self.reading {
            Reading::All => self.read_link(None, random),
            Reading::Slow(most) => self.read_link(Some(most), random),
            Reading::Nothing => {}
        }
        let is_lost = self.has_lost_its_probe();
        if let Some(poller) = &mut self.poller {
            if is_lost {
                if poller.is_current() && self.link.dropped {
                    self.link = Link::none();
                }
                poller.probe_failed();
            }
            self.link.hangs_up |= poller.is_over;
        }
        if self.poller.as_ref().is_some_and(|poller| poller.is_paused() && !poller.is_over) {
            self.go_over();
        }
    }

    /// Its last GET and POST are over: it says so, and speaks through the WebSocket from now on.
    fn go_over(&mut self) {
        let Some(poller) = &mut self.poller else { return };
        poller.phase = Phase::Upgraded;
        self.link.send(Opcode::Text, b"5");
        for packet in poller.take_outgoing() {
            match decode_text(std::str::from_utf8(&packet).expect("text")) {
                Ok(Packet::Binary(data)) => self.link.send(Opcode::Binary, &data),
                _ => self.link.send(Opcode::Text, &packet),
            }
        }
    }

    fn on_body(&mut self, body: &[u8]) {
        let body = std::str::from_utf8(body).expect("text");
        let packets: Vec<_> = payload::decode(body).collect();
        assert!(packets.len() <= 16, "more packets than python-engineio takes: {}", packets.len());
        for packet in packets {
            self.on_engine_packet(packet.expect("the server's packets are legal"));
        }
        if let Some(poller) = &mut self.poller {
            poller.is_over |= self.told_the_end;
        }
    }

    fn read_link(&mut self, slow: Option<usize>, random: &mut Random) {
        let mut bytes = self.link.take_received(slow, random);
        let Some(mut frames) = self.link.frames.take() else { return };
        let mut input = &mut bytes[..];
        loop {
            let step = frames.decode(input).expect("the server's frames are legal");
            let consumed = step.consumed;
            let Some(frame) = step.event else { break };
            assert!(!self.link.closed, "nothing follows a close frame");
            if self.is_scripted() {
                self.note(frame);
            } else {
                self.on_frame(frame);
            }
            input = &mut std::mem::take(&mut input)[consumed..];
        }
        self.link.frames = Some(frames);
        if self.link.finished && self.link.is_quiet() {
            // When a scripted client hangs up, its script says.
            self.link.finished = false;
            self.link.hangs_up = !self.is_scripted();
        }
    }

    fn on_frame(&mut self, frame: Frame<'_>) {
        let probes = self.poller.as_mut().filter(|poller| poller.is_current());
        match (frame, probes) {
            (Frame::Text("3probe"), Some(poller)) => {
                assert_eq!(poller.phase, Phase::Probing, "one 2probe, one 3probe");
                poller.phase = Phase::Pausing;
            }
            (Frame::Text(_) | Frame::Binary(_), Some(_)) => {
                panic!("{frame:?} on a WebSocket that probes")
            }
            (Frame::Text(text), None) => {
                let packet = decode_text(text).expect("the server's packets are legal");
                self.on_engine_packet(packet);
            }
            (Frame::Binary(data), None) => self.on_engine_packet(Packet::Binary(data.into())),
            (Frame::Ping(_), _) => panic!("the server sends no WebSocket pings"),
            (Frame::Pong(data), _) => self.ws_pongs.push(data.to_vec()),
            (Frame::Close(close), probes) => {
                if probes.is_none() {
                    self.closed = Some(close.map(|close| close.code));
                }
                self.link.closed = true;
                self.close(None);
            }
        }
    }

    /// What a scripted client got.
    fn note(&mut self, frame: Frame<'_>) {
        let note = match frame {
            Frame::Text(text) => text.to_owned(),
            Frame::Binary(data) => format!("binary {}", String::from_utf8_lossy(data)),
            Frame::Ping(_) => panic!("the server sends no WebSocket pings"),
            Frame::Pong(data) => format!("pong {}", String::from_utf8_lossy(data)),
            Frame::Close(close) => {
                self.link.closed = true;
                close.map_or("close".to_owned(), |close| format!("close {}", close.code))
            }
        };
        self.frames.push(note);
    }
}
