//! How a session begins.

use relay_engineio::heartbeat::Heartbeat;
use relay_engineio::open::Open;
use relay_engineio::sid::SessionId;
use relay_socketio::decoder::{Decoder, DecoderLimits, Role};

use crate::application::Handshake;
use crate::connection::{Connection, NEVER, Stage, Transport};
use crate::core::{Core, millis};
use crate::frame::Format;
use crate::memory::Held;
use crate::outbox::Outbox;
use crate::slots::Key;

impl<D> Core<D> {
    /// A connection with a fresh session id. Its timer is the caller's to set.
    pub(crate) fn open_connection(
        &mut self,
        transport: Transport,
        handshake: Handshake,
    ) -> (Key, SessionId) {
        let shard = u8::try_from(self.shard).unwrap_or(u8::MAX);
        let session = SessionId::new(self.random(), shard, self.instance.number());
        let limits = self.instance.limits();
        let decoder_limits = DecoderLimits {
            attachments_max: limits.attachments_max,
            message_bytes_max: limits.message_bytes_max,
        };
        let connection = Connection {
            format: Format { polling: matches!(transport, Transport::Polling(_)), msgpack: false },
            transport: Some(transport),
            parser: None,
            decoder: Some(Decoder::new(Role::Server, decoder_limits)),
            heartbeat: Heartbeat::new(self.now, &self.heartbeat),
            outbox: Outbox::default(),
            session,
            handshake,
            sockets: Vec::new(),
            doors: None,
            window: None,
            deadline: if self.raw { NEVER } else { self.now + millis(limits.connect_timeout) },
            partial_since: NEVER,
            partial_bytes: 0,
            progress: self.now,
            progress_bytes: 0,
            opened: self.now,
            received_bytes: 0,
            sent_bytes: 0,
            scheduled: NEVER,
            stage: Stage::Open,
            joined: self.raw,
            close_received: false,
            blocked: false,
            stalled: false,
            dirty: None,
            held: false,
            heavy: false,
            deferral: None,
        };
        self.memory.add(Held::Handshakes, connection.handshake.kept_bytes());
        let key = self.connections.insert(connection);
        self.sessions.insert(session, key);
        self.stats.connections.add(1);
        self.stats.connections_opened.add(1);
        (key, session)
    }

    /// The first packet of a session.
    pub(crate) fn open_packet(&self, key: Key, upgrades: &[&str]) -> Vec<u8> {
        let limits = self.limits();
        let mut packet = Vec::with_capacity(128);
        if let Some(connection) = self.connections.get(key) {
            Open {
                sid: connection.session,
                upgrades,
                ping_interval: limits.ping_interval,
                ping_timeout: limits.ping_timeout,
                max_payload: u32::try_from(limits.payload_bytes_max).unwrap_or(u32::MAX),
            }
            .write(&mut packet);
        }
        packet
    }
}
