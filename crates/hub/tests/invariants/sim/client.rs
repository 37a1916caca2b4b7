//! A client of Socket.IO over WebSocket, and the socket between it and its shard.
//!
//! Owns what a stock client does by itself (pongs, acknowledgements, the closing handshake), how
//! fast it reads, and all that it saw. What the server sends must be legal: anything that a client
//! would refuse fails the test at once.

use std::collections::VecDeque;

use relay_hub::Key;
use relay_socketio::json;
use relay_socketio::{Attachments, Body, Decoder, DecoderLimits, Packet, Role};
use relay_websocket::{Event as Frame, Opcode, write_masked_frame};

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
    pub(crate) key: Key,
    pub(crate) reading: Reading,
    pub(crate) answering: Answering,
    pub(crate) answers_pings: bool,
    /// Bytes that its socket holds before it refuses more.
    pub(crate) socket_bytes_max: usize,
    /// The server does not read it.
    pub(crate) held: bool,
    /// Its socket refused bytes.
    pub(crate) refused: bool,
    /// The server shut its sending side down.
    pub(crate) finished: bool,
    /// The server dropped the TCP connection.
    pub(crate) dropped: bool,
    /// The server has seen the end of the TCP connection.
    pub(crate) is_gone: bool,
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
    /// The close frame: its code, if it has one.
    pub(crate) closed: Option<Option<u16>>,
    /// It hangs up when everything it sent has been read.
    hangs_up: bool,
    sent: VecDeque<u8>,
    socket: VecDeque<u8>,
    frames: relay_websocket::Decoder,
    packets: Decoder,
}

impl Client {
    pub(crate) fn new(id: usize, shard: usize, key: Key) -> Self {
        let limits = DecoderLimits { attachments_max: 10, message_bytes_max: 16_000_000 };
        Self {
            id,
            shard,
            key,
            reading: Reading::All,
            answering: Answering::Once,
            answers_pings: true,
            socket_bytes_max: 100_000,
            held: false,
            refused: false,
            finished: false,
            dropped: false,
            is_gone: false,
            events: Vec::new(),
            acks: Vec::new(),
            joined: Vec::new(),
            refusals: Vec::new(),
            put_out: Vec::new(),
            pings: 0,
            ws_pongs: Vec::new(),
            open: String::new(),
            closed: None,
            hangs_up: false,
            sent: VecDeque::new(),
            socket: VecDeque::new(),
            frames: relay_websocket::Decoder::new(relay_websocket::Role::Client, 16_000_000),
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

    // ---- what it sends -----------------------------------------------------------------------

    /// Sends one frame; the key is as good as any, since the stream is not looked at in between.
    pub(crate) fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut bytes = Vec::new();
        let mask = u32::try_from(self.sent.len()).unwrap_or(7).to_be_bytes();
        write_masked_frame(&mut bytes, opcode, payload, mask);
        self.send_raw(&bytes);
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.sent.extend(bytes);
    }

    pub(crate) fn text(&mut self, packet: &str) {
        self.send(Opcode::Text, packet.as_bytes());
    }

    pub(crate) fn binary(&mut self, data: &[u8]) {
        self.send(Opcode::Binary, data);
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

    pub(crate) fn hang_up(&mut self) {
        self.hangs_up = true;
    }

    // ---- its socket --------------------------------------------------------------------------

    /// Whether the server can read something of it: bytes or the end.
    pub(crate) fn is_readable(&self) -> bool {
        !self.held && !self.dropped && !self.is_gone && (!self.sent.is_empty() || self.hangs_up)
    }

    /// Whether it has room again after it refused.
    pub(crate) fn is_writable(&self) -> bool {
        self.refused && !self.dropped && self.socket.len() < self.socket_bytes_max
    }

    /// Whether it would read, or notice the end.
    pub(crate) fn has_work(&self) -> bool {
        self.reading != Reading::Nothing
            && (!self.socket.is_empty() || (self.finished && !self.hangs_up))
    }

    /// Whether nothing is on its way to it.
    pub(crate) fn has_read_all(&self) -> bool {
        self.socket.is_empty() && !self.refused
    }

    /// What one read call gives; `None` at the end.
    pub(crate) fn take_sent(&mut self, max: usize, random: &mut Random) -> Option<Vec<u8>> {
        if self.sent.is_empty() {
            return None;
        }
        let small = if random.one_in(4) { 1 + random.up_to(40) } else { max };
        let n = self.sent.len().min(small).min(max);
        Some(self.sent.drain(..n).collect())
    }

    /// Takes as much as fits.
    pub(crate) fn offer(&mut self, bytes: &[u8]) -> usize {
        let n = bytes.len().min(self.socket_bytes_max.saturating_sub(self.socket.len()));
        self.socket.extend(&bytes[..n]);
        n
    }

    // ---- what it reads -----------------------------------------------------------------------

    pub(crate) fn read(&mut self, random: &mut Random) {
        let n = match self.reading {
            Reading::All => self.socket.len(),
            Reading::Slow(most) => self.socket.len().min(1 + random.up_to(most)),
            Reading::Nothing => return,
        };
        let mut bytes: Vec<u8> = self.socket.drain(..n).collect();
        let mut frames = std::mem::replace(
            &mut self.frames,
            relay_websocket::Decoder::new(relay_websocket::Role::Client, 0),
        );
        let mut input = &mut bytes[..];
        loop {
            let step = frames.decode(input).expect("the server's frames are legal");
            let consumed = step.consumed;
            let Some(frame) = step.event else { break };
            assert!(self.closed.is_none(), "nothing follows a close frame");
            self.on_frame(frame);
            input = &mut std::mem::take(&mut input)[consumed..];
        }
        self.frames = frames;
        if self.socket.is_empty() && self.finished {
            self.hang_up();
        }
    }

    fn on_frame(&mut self, frame: Frame<'_>) {
        match frame {
            Frame::Text(text) => match text.split_at(1) {
                ("0", open) => self.open = open.to_owned(),
                ("2", _) => {
                    self.pings += 1;
                    if self.answers_pings {
                        self.text("3");
                    }
                }
                ("4", packet) => self.on_message(Ok(packet)),
                _ => panic!("a client would refuse {text}"),
            },
            Frame::Binary(data) => self.on_message(Err(data)),
            Frame::Ping(_) => panic!("the server sends no WebSocket pings"),
            Frame::Pong(data) => self.ws_pongs.push(data.to_vec()),
            Frame::Close(close) => {
                self.closed = Some(close.map(|close| close.code));
                self.close(None);
            }
        }
    }

    fn on_message(&mut self, message: Result<&str, &[u8]>) {
        let limits = DecoderLimits::default();
        let mut decoder = std::mem::replace(&mut self.packets, Decoder::new(Role::Client, limits));
        let packet = match message {
            Ok(text) => decoder.text(text),
            Err(data) => decoder.binary(data),
        };
        if let Some(packet) = packet.expect("the server's packets are legal") {
            self.on_packet(packet);
        }
        self.packets = decoder;
    }

    fn on_packet(&mut self, packet: Packet<'_>) {
        let Packet { namespace, body } = packet;
        let namespace = namespace.to_owned();
        match body {
            Body::Connect { auth } => {
                let payload = auth.expect("a CONNECT of the server has a payload");
                let sid = json::members(payload).find(|(key, _)| json::string_is(key, "sid"));
                let (_, sid) = sid.expect("a CONNECT of the server has a sid");
                let sid = String::from_utf8_lossy(&json::unescape(sid)).into_owned();
                self.joined.push((namespace, sid));
            }
            Body::Disconnect => self.put_out.push(namespace),
            Body::ConnectError { payload } => self.refusals.push((namespace, payload.to_owned())),
            Body::Ack { id, args } => self.acks.push((id, args.raw().to_owned())),
            Body::Event { id, args } => {
                let Attachments::List(attachments) = args.attachments() else {
                    panic!("more than any client takes");
                };
                self.answer(&namespace, id);
                self.events.push(Event {
                    namespace,
                    ack: id,
                    args: args.raw().to_owned(),
                    attachments: attachments.iter().map(|data| data.to_vec()).collect(),
                });
            }
        }
    }

    fn answer(&mut self, namespace: &str, ack: Option<u64>) {
        let Some(ack) = ack else { return };
        let name = if namespace == "/" { String::new() } else { format!("{namespace},") };
        let packet = format!("43{name}{ack}[{},\"more\"]", self.id);
        for _ in 0..match self.answering {
            Answering::Once => 1,
            Answering::Twice => 2,
            Answering::Never => 0,
        } {
            self.text(&packet);
        }
    }
}
