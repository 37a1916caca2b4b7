//! Long-polling under a session: parked GETs, POSTs, and a WebSocket that probes for an upgrade.
//!
//! Owns what a request of a session is answered and when. HTTP itself (heads, bodies as they
//! stream, connections that go away) is the server's, which names each request by a number.

use relay_engineio::handshake::HandshakeError;
use relay_engineio::packet::{PacketError, decode_text};
use relay_engineio::payload;
use relay_engineio::sid::SessionId;
use relay_websocket::{Opcode, write_close, write_frame};

use crate::application::{Application, Handshake};
use crate::connection::{Connection, NEVER, Stage, Transport};
use crate::core::{Core, millis};
use crate::deliver::Urgency;
use crate::frame::Load;
use crate::hub::{Hub, Output};
use crate::outbox::Outbox;
use crate::reason::EndReason;
use crate::slots::Key;

/// A request of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// It waits until there is something to send.
    Get,
    /// Its body is on its way.
    Post,
    /// A POST whose media type cannot be (`application/octet-stream`).
    BinaryPost,
    /// Any other method.
    Other,
}

/// What became of a POST's body.
#[derive(Debug)]
pub enum Body<'a> {
    /// It is here.
    Whole(&'a [u8]),
    /// It is larger than `maxPayload`.
    TooLarge,
}

/// The answer to a request of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// 200: packets, to a GET.
    Payload(Vec<u8>),
    /// 200 `ok`, to a POST.
    Done,
    /// The status and the JSON body of the error.
    Refused(HandshakeError),
    /// This status without a body.
    Bare(u16),
}

/// Long-polling as the transport of a session.
#[derive(Debug, Default)]
pub(crate) struct Polling {
    /// The GET that waits.
    pub(crate) get: Option<u64>,
    /// The POST whose body is on its way.
    post: Option<u64>,
    /// A POST that was worked off; its answer waits until the sender is read again.
    pub(crate) post_held: Option<u64>,
    probe: Option<Box<Probe>>,
}

/// A WebSocket that asks to take the session over.
#[derive(Debug)]
struct Probe {
    /// `None` only while bytes of it are being worked on.
    decoder: Option<relay_websocket::Decoder>,
    out: Outbox,
    /// `2probe` came: the client waits for its GET to end.
    probed: bool,
    /// It was refused: its close frame is on its way.
    closing: bool,
    /// When a parked GET is ended, so that the client goes on.
    noop_at: u64,
    /// When patience ends.
    until: u64,
}

impl Polling {
    pub(crate) fn buffered_bytes(&self) -> usize {
        let decoder = self.probe.as_ref().and_then(|probe| probe.decoder.as_ref());
        decoder.map_or(0, relay_websocket::Decoder::buffered_bytes)
    }

    /// What waits for the WebSocket that probes.
    pub(crate) fn probe_outbox(&self) -> Option<&Outbox> {
        self.probe.as_ref().map(|probe| &probe.out)
    }

    /// When something is due.
    pub(crate) fn deadline(&self) -> u64 {
        self.probe.as_ref().map_or(NEVER, |probe| probe.until.min(probe.noop_at))
    }
}

/// What a frame of a probing WebSocket means.
enum Said {
    Probe,
    Upgrade,
    Nothing,
    Closed,
    Nonsense,
}

impl<A: Application> Hub<A> {
    /// Opens a session over long-polling. The open packet is the whole answer to the request that
    /// asked for it; what the session says next goes out with its first GET.
    pub fn open_polling(&mut self, now: u64, handshake: Handshake) -> (SessionId, Vec<u8>) {
        let core = self.core();
        core.now = now;
        let transport = Transport::Polling(Polling::default());
        let (key, session) = core.open_connection(transport, handshake);
        let upgrades: &[&str] = if core.upgrades { &["websocket"] } else { &[] };
        let packet = core.open_packet(key, upgrades);
        if let Some(connection) = core.connections.get_mut(key) {
            connection.blocked = true;
            core.schedule(key);
        }
        (session, packet)
    }

    /// Ends a session that polls if its time for a pong is over, without waiting for the timer.
    pub fn judge(&mut self, now: u64, session: SessionId) {
        self.core().now = now;
        let Ok(key) = self.core().polling_of(session, true) else { return };
        let connection = self.core().connections.get(key);
        let is_due = connection.is_some_and(|it| {
            it.stage == Stage::Open && it.heartbeat.is_awaiting() && it.heartbeat.deadline() <= now
        });
        if is_due {
            self.core().end_connection(key, EndReason::PingTimeout);
            self.settle();
        }
    }

    /// Takes a request of a session, which is answered by [`Output::Reply`] with its number, now
    /// or later. `eio_matches` says whether it names the revision of our sessions.
    pub fn request(
        &mut self,
        now: u64,
        session: SessionId,
        eio_matches: bool,
        (number, request): (u64, Request),
    ) {
        let core = self.core();
        core.now = now;
        let key = match core.polling_of(session, eio_matches) {
            Ok(key) => key,
            Err(error) => return core.reply(number, Reply::Refused(error)),
        };
        match request {
            Request::Get => core.park(key, number),
            Request::Post => core.post_begun(key, number),
            Request::BinaryPost => {
                core.reply(number, Reply::Bare(400));
                core.end_connection(key, EndReason::TransportError);
            }
            Request::Other => core.reply(number, Reply::Bare(500)),
        }
        self.settle();
    }

    /// Takes the body of a POST that was [announced](Self::request).
    pub fn post(&mut self, now: u64, session: SessionId, number: u64, body: &Body<'_>) {
        let core = self.core();
        core.now = now;
        // One that was refused, or whose session ended or went over meanwhile, is answered already.
        let Ok(key) = core.polling_of(session, true) else { return };
        let Some(polling) = core.polling(key).filter(|it| it.post == Some(number)) else { return };
        polling.post = None;
        match body {
            Body::TooLarge => core.reply(number, Reply::Bare(413)),
            Body::Whole(body) => self.post_body(key, number, body),
        }
    }

    fn post_body(&mut self, key: Key, number: u64, body: &[u8]) {
        self.core().stats.bytes_received.add(body.len() as u64);
        self.core().cause = Some(key);
        let read = self.read_payload(key, &String::from_utf8_lossy(body));
        self.core().cause = None;
        self.posted(key, number, read);
    }

    /// The packets of a POST were worked off, up to the first that is none or is thought about.
    pub(crate) fn posted(&mut self, key: Key, number: u64, read: Result<(), PacketError>) {
        let core = self.core();
        if read.is_err() {
            core.reply(number, Reply::Bare(400));
            core.end_connection(key, EndReason::ParseError);
        }
        self.settle();
        let core = self.core();
        core.account_partial(key);
        core.hold_if_heavy(key);
        core.schedule(key);
        if read.is_err() {
            return;
        }
        let held = core.connections.get(key).is_some_and(|connection| connection.held);
        match core.polling(key) {
            // The client says nothing more before it has the answer: that holds it back.
            Some(polling) if held => polling.post_held = Some(number),
            _ => core.reply(number, Reply::Done),
        }
    }

    /// Handles the packets of a body in order, up to the first that is none; what stands behind
    /// one that the application thinks about is kept.
    pub(crate) fn read_payload(&mut self, key: Key, body: &str) -> Result<(), PacketError> {
        let mut rest = Some(body);
        while let Some(text) = rest {
            let stage = self.core().connections.get(key).map(|connection| connection.stage);
            // What a session says after its end counts no more.
            if stage != Some(Stage::Open) {
                return Ok(());
            }
            if self.core().is_deferred(key) {
                self.core().stash(key, text.as_bytes());
                return Ok(());
            }
            let (packet, behind) = payload::split(text);
            rest = behind;
            self.on_engine_packet(key, decode_text(packet)?);
            self.settle();
        }
        Ok(())
    }

    /// The peer took a request back: its connection went away before the answer.
    pub fn request_aborted(&mut self, now: u64, session: SessionId, number: u64) {
        let core = self.core();
        core.now = now;
        let Ok(key) = core.polling_of(session, true) else { return };
        let Some(polling) = core.polling(key) else { return };
        let is_get = polling.get.take_if(|get| *get == number).is_some();
        let is_post = polling.post.take_if(|post| *post == number).is_some()
            || polling.post_held.take_if(|post| *post == number).is_some();
        if is_get && let Some(connection) = core.connections.get_mut(key) {
            // It may be closing already: what is left waits for another GET.
            connection.blocked = true;
            core.schedule(key);
        }
        if is_get || is_post {
            core.end_connection(key, EndReason::TransportError);
            self.settle();
        }
    }

    /// Whether a WebSocket may be accepted for a session: whatever the session is on, if it lives.
    ///
    /// # Errors
    /// What the request is to be refused with.
    pub fn may_probe(&self, session: SessionId, eio_matches: bool) -> Result<(), HandshakeError> {
        self.core.session(session, eio_matches).map(|_| ())
    }

    /// Attaches a WebSocket to a session that polls, to probe for an upgrade. Its bytes come by
    /// [`Self::receive`] from now on. `None` if the session cannot be upgraded (any more): the
    /// WebSocket is to be closed.
    pub fn probe(&mut self, now: u64, session: SessionId) -> Option<Key> {
        let core = self.core();
        core.now = now;
        let key = core.polling_of(session, true).ok()?;
        let limits = core.limits();
        let payload_bytes_max = u32::try_from(limits.payload_bytes_max).unwrap_or(u32::MAX);
        let until = now + millis(limits.upgrade_timeout);
        let (is_open, is_held) =
            core.connections.get(key).map(|it| (it.stage == Stage::Open, it.held))?;
        let polling = core.polling(key)?;
        if polling.probe.is_some() || !is_open {
            return None;
        }
        let role = relay_websocket::Role::Server;
        polling.probe = Some(Box::new(Probe {
            decoder: Some(relay_websocket::Decoder::new(role, payload_bytes_max)),
            out: Outbox::default(),
            probed: false,
            closing: false,
            noop_at: NEVER,
            until,
        }));
        core.stats.probes.add(1);
        if is_held {
            core.outputs.push_back(Output::Hold(key));
        }
        core.schedule(key);
        Some(key)
    }

    /// Bytes of the WebSocket that probes.
    pub(crate) fn read_probe(&mut self, key: Key, mut input: &mut [u8]) {
        let Some(probe) = self.core().probe_mut(key) else { return };
        let Some(mut decoder) = probe.decoder.take() else { return };
        loop {
            let Ok(step) = decoder.decode(input) else { return self.core().end_probe(key) };
            let consumed = step.consumed;
            let Some(frame) = step.event else { break };
            let said = match frame {
                relay_websocket::Event::Text("2probe") => Said::Probe,
                relay_websocket::Event::Text("5") => Said::Upgrade,
                relay_websocket::Event::Ping(data) => {
                    self.core().send_probe(key, Opcode::Pong, data);
                    Said::Nothing
                }
                relay_websocket::Event::Pong(_) => Said::Nothing,
                relay_websocket::Event::Close(_) => Said::Closed,
                relay_websocket::Event::Text(_) | relay_websocket::Event::Binary(_) => {
                    Said::Nonsense
                }
            };
            input = &mut std::mem::take(&mut input)[consumed..];
            let closing = self.core().probe_mut(key).is_none_or(|probe| probe.closing);
            match said {
                Said::Closed => return self.core().end_probe(key),
                _ if closing => {}
                Said::Probe => self.core().probed(key),
                Said::Nonsense => self.core().refuse_probe(key),
                Said::Upgrade => {
                    self.core().upgrade(key, decoder);
                    return self.read(key, input);
                }
                Said::Nothing => {}
            }
        }
        if let Some(probe) = self.core().probe_mut(key) {
            probe.decoder = Some(decoder);
        }
    }
}

impl<D> Core<D> {
    /// The connection of a session that a request may speak for.
    fn session(&self, session: SessionId, eio_matches: bool) -> Result<Key, HandshakeError> {
        let found = self.sessions.get(&session).copied();
        let lives = |key: &Key| match self.connections.get(*key) {
            Some(it) => it.stage == Stage::Open || it.format.polling,
            None => false,
        };
        match found.filter(lives) {
            None => Err(HandshakeError::SessionIdUnknown),
            Some(_) if !eio_matches => Err(HandshakeError::BadRequest),
            Some(key) => Ok(key),
        }
    }

    /// The same; the session must be on long-polling.
    fn polling_of(&self, session: SessionId, eio_matches: bool) -> Result<Key, HandshakeError> {
        let key = self.session(session, eio_matches)?;
        match self.connections.get(key).map(|connection| &connection.transport) {
            Some(Some(Transport::Polling(_))) => Ok(key),
            _ => Err(HandshakeError::BadRequest),
        }
    }

    fn polling(&mut self, key: Key) -> Option<&mut Polling> {
        match self.connections.get_mut(key)?.transport.as_mut()? {
            Transport::Polling(polling) => Some(polling),
            Transport::WebSocket(_) => None,
        }
    }

    fn probe_mut(&mut self, key: Key) -> Option<&mut Probe> {
        self.polling(key)?.probe.as_deref_mut()
    }

    fn reply(&mut self, number: u64, reply: Reply) {
        self.outputs.push_back(Output::Reply { number, reply });
    }

    /// A GET waits from now on; what is queued goes out with it at the next flush.
    fn park(&mut self, key: Key, number: u64) {
        let now = self.now;
        let Some(polling) = self.polling(key) else { return };
        if polling.get.is_some() {
            self.reply(number, Reply::Bare(400));
            return self.end_connection(key, EndReason::TransportError);
        }
        polling.get = Some(number);
        let probe = polling.probe.as_deref_mut();
        if let Some(probe) = probe.filter(|probe| probe.probed && !probe.closing) {
            probe.noop_at = now + NOOP_MS;
        }
        if let Some(connection) = self.connections.get_mut(key) {
            connection.blocked = false;
            connection.progress = now;
            connection.stalled = false;
            if !connection.outbox.is_empty() {
                self.mark_dirty(key, Urgency::Direct);
            }
        }
        self.schedule(key);
    }

    fn post_begun(&mut self, key: Key, number: u64) {
        let Some(polling) = self.polling(key) else { return };
        if polling.post.is_some() || polling.post_held.is_some() {
            self.reply(number, Reply::Bare(400));
            return self.end_connection(key, EndReason::TransportError);
        }
        polling.post = Some(number);
    }

    /// Takes the POST whose answer waits.
    pub(crate) fn take_held_post(&mut self, key: Key) -> Option<u64> {
        self.polling(key)?.post_held.take()
    }

    /// The sender is read again: the answer to its POST has waited for that.
    pub(crate) fn release_post(&mut self, key: Key) {
        if let Some(number) = self.polling(key).and_then(|polling| polling.post_held.take()) {
            self.reply(number, Reply::Done);
        }
    }

    /// Answers the GET that waits, if there is something to send.
    pub(crate) fn answer_get(&mut self, key: Key) {
        let (packets_max, bytes_max) =
            (self.limits().poll_packets_max, self.limits().payload_bytes_max);
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Some(Transport::Polling(polling)) = &mut connection.transport else { return };
        if connection.outbox.is_empty() {
            return;
        }
        let Some(number) = polling.get.take() else { return };
        let (mut body, mut packets, mut bytes) = (Vec::new(), 0, 0);
        for frame in connection.outbox.frames() {
            packets += usize::from(frame.packets);
            let fits = packets <= packets_max && body.len() + frame.bytes().len() < bytes_max;
            if !body.is_empty() && !fits {
                break;
            }
            payload::append(&mut body, frame.bytes());
            bytes += frame.bytes().len();
        }
        self.reply(number, Reply::Payload(body));
        self.polled(key, bytes);
    }

    /// The outbox is rid of what a GET took along; until the next one nothing can be sent.
    fn polled(&mut self, key: Key, bytes: usize) {
        self.stats.bytes_sent.add(bytes as u64);
        let now = self.now;
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.blocked = true;
        connection.progress = now;
        let mut outbox = std::mem::take(&mut connection.outbox);
        outbox.advance(bytes, |frame, counted| self.taken(frame, counted));
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.outbox = outbox;
        if connection.stage == Stage::Closing && connection.outbox.is_empty() {
            self.drop_connection(key);
        } else {
            self.schedule(key);
        }
    }

    /// What is due for a session that polls.
    pub(crate) fn polling_due(&mut self, key: Key) {
        let now = self.now;
        let patience = millis(self.limits().upgrade_timeout);
        let is_held = self.connections.get(key).is_some_and(|connection| connection.held);
        let Some(probe) = self.probe_mut(key) else { return };
        if is_held && !probe.closing && now >= probe.until {
            // Nor is its WebSocket read: what is awaited may be there.
            probe.until = now + patience;
        }
        if now >= probe.until {
            let closing = probe.closing;
            return if closing { self.end_probe(key) } else { self.refuse_probe(key) };
        }
        if now >= probe.noop_at {
            probe.noop_at = NEVER;
            self.end_get_with_noop(key);
        }
    }

    /// Ends a GET that waits with nothing, since its client must not wait in it.
    fn end_get_with_noop(&mut self, key: Key) {
        let Some(connection) = self.connections.get(key) else { return };
        if !connection.outbox.is_empty() {
            return self.answer_get(key);
        }
        let Some(number) = self.polling(key).and_then(|polling| polling.get.take()) else { return };
        self.reply(number, Reply::Payload(b"6".to_vec()));
        self.polled(key, 0);
    }

    fn probed(&mut self, key: Key) {
        self.send_probe(key, Opcode::Text, b"3probe");
        if let Some(probe) = self.probe_mut(key) {
            probe.probed = true;
        }
        self.end_get_with_noop(key);
    }

    /// Sends a frame to the WebSocket that probes. It says little; one that reads not even that
    /// is given up.
    fn send_probe(&mut self, key: Key, opcode: Opcode, data: &[u8]) {
        let mut bytes = Vec::with_capacity(data.len() + 10);
        write_frame(&mut bytes, opcode, data);
        self.push_probe(key, bytes);
    }

    fn push_probe(&mut self, key: Key, bytes: Vec<u8>) {
        let frame = self.frame(bytes, 1, Load::new());
        match self.probe_mut(key) {
            Some(probe) if probe.out.bytes() < PROBE_BYTES_MAX => {
                probe.out.push(frame, false);
                self.memory.add(crate::deliver::QUEUE_ENTRY_BYTES);
                self.mark_dirty(key, Urgency::Direct);
            }
            _ => {
                self.drop_frame(frame);
                self.end_probe(key);
            }
        }
    }

    /// The WebSocket said what it must not, or nothing for too long: it is closed, the session
    /// goes on.
    fn refuse_probe(&mut self, key: Key) {
        let until = self.now + millis(self.limits().close_timeout);
        let mut bytes = Vec::with_capacity(4);
        write_close(&mut bytes, None, "");
        self.push_probe(key, bytes);
        if let Some(probe) = self.probe_mut(key) {
            probe.closing = true;
            probe.noop_at = NEVER;
            probe.until = until;
        }
        self.schedule(key);
    }

    /// Bytes went out to the WebSocket that probes.
    pub(crate) fn probe_wrote(&mut self, key: Key, bytes: usize) {
        let Some(probe) = self.probe_mut(key) else { return };
        let mut out = std::mem::take(&mut probe.out);
        out.advance(bytes, |frame, counted| self.taken(frame, counted));
        let Some(probe) = self.probe_mut(key) else { return };
        probe.out = out;
        if probe.closing && probe.out.is_empty() {
            self.outputs.push_back(Output::Finish(key));
        }
    }

    /// The WebSocket that probed is gone; the session goes on.
    pub(crate) fn end_probe(&mut self, key: Key) {
        let Some(mut probe) = self.polling(key).and_then(|polling| polling.probe.take()) else {
            return;
        };
        probe.out.clear(|frame, counted| self.taken(frame, counted));
        self.account_partial(key);
        self.stats.probes_failed.add(1);
        self.outputs.push_back(Output::Drop(key));
    }

    /// The WebSocket takes the session over: what waits goes out on it, in order; the heartbeat
    /// begins anew.
    fn upgrade(&mut self, key: Key, decoder: relay_websocket::Decoder) {
        let now = self.now;
        // Senders are not held back any more for what waited: it is encoded again.
        self.uncount(key);
        let Some(connection) = self.connections.get_mut(key) else { return };
        let polling = match connection.transport.replace(Transport::WebSocket(decoder)) {
            Some(Transport::Polling(polling)) => polling,
            before => return connection.transport = before,
        };
        let Some(probe) = polling.probe else { return };
        let waiting = std::mem::replace(&mut connection.outbox, probe.out);
        connection.format.polling = false;
        connection.blocked = false;
        connection.progress = now;
        connection.heartbeat = relay_engineio::heartbeat::Heartbeat::new(now, &self.heartbeat);
        if connection.held {
            connection.heartbeat.pause(now);
        }
        self.reencode(key, waiting);
        if let Some(number) = polling.get {
            self.reply(number, Reply::Refused(HandshakeError::BadRequest));
        }
        if let Some(number) = polling.post {
            self.reply(number, Reply::Refused(HandshakeError::BadRequest));
        }
        if let Some(number) = polling.post_held {
            self.reply(number, Reply::Done);
        }
        self.stats.upgrades.add(1);
        self.finish_closing(key);
        self.mark_dirty(key, Urgency::Direct);
        self.schedule(key);
    }

    /// A session that was closing when its client upgraded ends with a close frame.
    fn finish_closing(&mut self, key: Key) {
        let until = self.now + millis(self.limits().close_timeout);
        let mut bytes = Vec::with_capacity(4);
        write_close(&mut bytes, None, "");
        if let Some(connection) = self.connections.get_mut(key)
            && connection.stage == Stage::Closing
        {
            connection.deadline = until;
            self.requeue(key, bytes);
        }
    }

    /// Encodes what waited for polls as WebSocket frames.
    fn reencode(&mut self, key: Key, mut waiting: Outbox) {
        let mut old = Vec::with_capacity(waiting.len());
        waiting.clear(|frame, counted| old.push((frame, counted)));
        for (frame, counted) in old {
            let mut bytes = Vec::with_capacity(frame.bytes().len() + 10);
            for packet in frame.bytes().split(|&byte| byte == payload::SEPARATOR) {
                let text = std::str::from_utf8(packet).unwrap_or_default();
                match decode_text(text) {
                    Ok(relay_engineio::Packet::Binary(data)) => {
                        write_frame(&mut bytes, Opcode::Binary, &data);
                    }
                    _ => write_frame(&mut bytes, Opcode::Text, packet),
                }
            }
            self.taken(frame, counted);
            self.requeue(key, bytes);
        }
    }

    fn requeue(&mut self, key: Key, bytes: Vec<u8>) {
        let frame = self.frame(bytes, 1, Load::new());
        if let Some(connection) = self.connections.get_mut(key) {
            // Like any other frame, or those before it would count for their senders for ever.
            connection.outbox.push(frame, !connection.stalled);
            self.memory.add(crate::deliver::QUEUE_ENTRY_BYTES);
        }
    }

    /// Ends a session that polls. Its last packets and the close go out with the GET that waits;
    /// if none does, they wait for one, unless the client is taken to be gone.
    pub(crate) fn end_polling(&mut self, key: Key, reason: EndReason) {
        // A client that closed itself is waiting for nothing.
        let last: &[u8] = if reason == EndReason::TransportClose { b"6" } else { b"1" };
        self.requeue(key, last.to_vec());
        let until = self.now + millis(self.limits().poll_close_timeout);
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.stage = Stage::Closing;
        connection.deadline = until;
        connection.decoder = None;
        self.answer_get(key);
        if !lingers(reason) {
            self.drop_connection(key);
        } else {
            self.release_post(key);
            // Its WebSocket that probes may have said half a frame.
            self.account_partial(key);
            self.schedule(key);
        }
    }

    /// Nobody waits for an answer of a session that is forgotten.
    pub(crate) fn leave_requests(&mut self, connection: &mut Connection) {
        let Some(Transport::Polling(polling)) = &mut connection.transport else { return };
        let polling = std::mem::take(polling);
        if let Some(mut probe) = polling.probe {
            probe.out.clear(|frame, counted| self.taken(frame, counted));
            self.stats.probes_failed.add(1);
        }
        if let Some(number) = polling.get {
            self.reply(number, Reply::Payload(b"1".to_vec()));
        }
        if let Some(number) = polling.post {
            self.reply(number, Reply::Refused(HandshakeError::SessionIdUnknown));
        }
        if let Some(number) = polling.post_held {
            self.reply(number, Reply::Done);
        }
    }
}

/// How often a GET that waits is ended while its client wants to upgrade (Engine.IO v4, upgrade).
const NOOP_MS: u64 = 100;

/// What may wait for a WebSocket that probes: answers to its pings.
const PROBE_BYTES_MAX: usize = 4_096;

/// Whether the client may still come for its last packets.
fn lingers(reason: EndReason) -> bool {
    match reason {
        EndReason::ForcedServerClose
        | EndReason::ServerShuttingDown
        | EndReason::ProtocolError
        | EndReason::ConnectTimeout
        | EndReason::AttachmentsTimeout
        | EndReason::HandlerPanic => true,
        EndReason::ClientNamespaceDisconnect
        | EndReason::ServerNamespaceDisconnect
        | EndReason::TransportClose
        | EndReason::TransportError
        | EndReason::PingTimeout
        | EndReason::ParseError
        | EndReason::WebSocketProtocol
        | EndReason::InvalidUtf8
        | EndReason::PayloadTooLarge
        | EndReason::SlowConsumer
        | EndReason::MemoryBudget => false,
    }
}
