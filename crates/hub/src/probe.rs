//! From long-polling to WebSocket: a WebSocket that probes, and the moment when it takes over
//! (Engine.IO v4, upgrade).
//!
//! Owns the WebSocket until then, and what waits when the transport changes. Requests are
//! [`crate::polling`]'s.

use relay_engineio::handshake::HandshakeError;
use relay_engineio::packet::decode_text;
use relay_engineio::payload;
use relay_engineio::sid::SessionId;
use relay_websocket::{Opcode, write_close, write_frame};

use crate::application::Application;
use crate::connection::{NEVER, Stage, Transport};
use crate::core::{Core, millis};
use crate::deliver::Urgency;
use crate::frame::Load;
use crate::hub::{Hub, Output};
use crate::memory::Held;
use crate::outbox::Outbox;
use crate::polling::Reply;
use crate::slots::Key;

/// How often a GET that waits is ended while its client wants to upgrade (Engine.IO v4, upgrade).
pub(crate) const NOOP_MS: u64 = 100;

/// What may wait for a WebSocket that probes: answers to its pings.
const PROBE_BYTES_MAX: usize = 4_096;

/// A WebSocket that asks to take the session over.
#[derive(Debug)]
pub(crate) struct Probe {
    /// `None` only while bytes of it are being worked on.
    pub(crate) decoder: Option<relay_websocket::Decoder>,
    pub(crate) out: Outbox,
    /// `2probe` came: the client waits for its GET to end.
    pub(crate) probed: bool,
    /// It was refused: its close frame is on its way.
    pub(crate) closing: bool,
    /// When a parked GET is ended, so that the client goes on.
    pub(crate) noop_at: u64,
    /// When patience ends.
    pub(crate) until: u64,
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
    fn probe_mut(&mut self, key: Key) -> Option<&mut Probe> {
        self.polling(key)?.probe.as_deref_mut()
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
                self.memory.add(Held::Outboxes, crate::deliver::QUEUE_ENTRY_BYTES);
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
}
