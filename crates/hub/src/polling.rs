//! Long-polling under a session: parked GETs and POSTs.
//!
//! Owns what a request of a session is answered and when. HTTP itself (heads, bodies as they
//! stream, connections that go away) is the server's, which names each request by a number.

use relay_engineio::handshake::HandshakeError;
use relay_engineio::packet::{PacketError, decode_text};
use relay_engineio::payload;
use relay_engineio::sid::SessionId;

use crate::application::{Application, Handshake};
use crate::connection::{NEVER, Stage, Transport};
use crate::core::Core;
use crate::deliver::Urgency;
use crate::frame::Load;
use crate::hub::{Hub, Output};
use crate::memory::Held;
use crate::outbox::Outbox;
use crate::probe::{NOOP_MS, Probe};
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
    pub(crate) post: Option<u64>,
    /// A POST that was worked off; its answer waits until the sender is read again.
    pub(crate) post_held: Option<u64>,
    /// The last packet is the close, and goes out with a GET of its own: a client handles it before
    /// the messages that stand in one payload with it. Each GET must come within so many
    /// milliseconds.
    pub(crate) close_within: Option<u64>,
    pub(crate) probe: Option<Box<Probe>>,
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
        self.core().received(key, body.len());
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
}

impl<D> Core<D> {
    /// The connection of a session that a request may speak for.
    pub(crate) fn session(
        &self,
        session: SessionId,
        eio_matches: bool,
    ) -> Result<Key, HandshakeError> {
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
    pub(crate) fn polling_of(
        &self,
        session: SessionId,
        eio_matches: bool,
    ) -> Result<Key, HandshakeError> {
        let key = self.session(session, eio_matches)?;
        match self.connections.get(key).map(|connection| &connection.transport) {
            Some(Some(Transport::Polling(_))) => Ok(key),
            _ => Err(HandshakeError::BadRequest),
        }
    }

    pub(crate) fn polling(&mut self, key: Key) -> Option<&mut Polling> {
        match self.connections.get_mut(key)?.transport.as_mut()? {
            Transport::Polling(polling) => Some(polling),
            Transport::WebSocket(_) => None,
        }
    }

    pub(crate) fn reply(&mut self, number: u64, reply: Reply) {
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
        let close_at = polling.close_within.map(|_| connection.outbox.len() - 1);
        let (mut body, mut packets, mut bytes) = (Vec::new(), 0, 0);
        for (at, frame) in connection.outbox.frames().enumerate() {
            packets += usize::from(frame.packets);
            let fits = packets <= packets_max && body.len() + frame.bytes().len() < bytes_max;
            if !body.is_empty() && (!fits || close_at == Some(at)) {
                break;
            }
            payload::append(&mut body, frame.bytes());
            bytes += frame.bytes().len();
        }
        self.reply(number, Reply::Payload(body));
        self.polled(key, bytes);
    }

    /// The outbox is rid of what a GET took along; until the next one nothing can be sent.
    pub(crate) fn polled(&mut self, key: Key, bytes: usize) {
        self.stats.bytes_sent.add(bytes as u64);
        let now = self.now;
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.sent_bytes += bytes as u64;
        connection.blocked = true;
        connection.progress = now;
        let mut outbox = std::mem::take(&mut connection.outbox);
        self.stats.waited(&outbox, now);
        outbox.advance(bytes, |frame, counted| self.taken(frame, counted));
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.outbox = outbox;
        if let Some(Transport::Polling(Polling { close_within: Some(within), .. })) =
            connection.transport
        {
            connection.deadline = now + within;
        }
        if connection.stage == Stage::Closing && connection.outbox.is_empty() {
            self.drop_connection(key);
        } else {
            self.schedule(key);
        }
    }

    pub(crate) fn requeue(&mut self, key: Key, bytes: Vec<u8>) {
        let frame = self.frame(bytes, 1, Load::new());
        if let Some(connection) = self.connections.get_mut(key) {
            // Like any other frame, or those before it would count for their senders for ever.
            connection.outbox.push(frame, !connection.stalled);
            self.memory.add(Held::Outboxes, crate::deliver::QUEUE_ENTRY_BYTES);
        }
    }
}
