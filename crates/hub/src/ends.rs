//! How sockets and connections end, and who must end when too much is held.

use relay_engineio::handshake::HandshakeError;
use relay_websocket::{CloseFrame, Opcode, write_close, write_frame};

use crate::acks::Outcome;
use crate::application::SocketKey;
use crate::connection::{Connection, NEVER, Stage, Transport};
use crate::core::{Core, millis};
use crate::encode::Outgoing;
use crate::frame::Load;
use crate::hub::Output;
use crate::memory::Held;
use crate::namespace::AckFor;
use crate::polling::Reply;
use crate::reason::{EndReason, WireEnd};
use crate::session::{EndedSocket, SessionEnd};
use crate::slots::Key;

impl<D> Core<D> {
    /// A socket leaves its namespace: out of all rooms, its acknowledgements void. The application
    /// hears of it next. What was placed before is worked off first, so that a farewell arrives.
    pub(crate) fn end_socket(&mut self, key: SocketKey, reason: EndReason) {
        self.bring_up(key);
        self.end_socket_here(key, reason);
    }

    /// The same at the place in the order where the socket is.
    fn end_socket_here(&mut self, key: SocketKey, reason: EndReason) {
        let namespace = &mut self.namespaces[key.namespace];
        let before = namespace.rooms.len();
        namespace.leave_all(key.key, &self.rooms_here);
        let vanished = before - namespace.rooms.len();
        let Some(socket) = namespace.sockets.get_mut(key.key) else { return };
        if std::mem::replace(&mut socket.ended, true) {
            return;
        }
        self.rooms -= vanished;
        self.stats.rooms.set(self.rooms as u64);
        self.stats.sockets.sub(1);
        for pending in socket.acks.take().map(|acks| *acks).unwrap_or_default().into_values() {
            if let AckFor::Application { token } = pending {
                self.outcomes.push_back(Outcome::Disconnected { token });
            }
        }
        if let Some(connection) = self.connections.get_mut(socket.connection) {
            connection.sockets.retain(|&other| other != key);
            let session = connection.summary(self.now);
            self.ended.push_back(EndedSocket { socket: key, reason, session });
        }
    }

    /// The application makes a socket leave its namespace; the connection lives on.
    pub(crate) fn disconnect_socket(&mut self, key: SocketKey) {
        self.bring_up(key);
        self.disconnect_here(key, false);
    }

    /// The same at the place in the order where the socket is; with `close` its connection ends
    /// next.
    pub(crate) fn disconnect_here(&mut self, key: SocketKey, close: bool) {
        let Some(socket) = self.socket(key) else { return };
        let connection = socket.connection;
        if close {
            self.end_socket_here(key, EndReason::ForcedServerClose);
            self.closing.push(connection);
        } else {
            self.end_socket_here(key, EndReason::ServerNamespaceDisconnect);
            self.count_end(EndReason::ServerNamespaceDisconnect);
        }
        self.send_disconnect(connection, key.namespace);
        let until = self.now + millis(self.limits().left_namespace_grace);
        let shared = self.namespaces[key.namespace].shared.clone();
        if let Some(connection) = self.connections.get_mut(connection)
            && let Some(shared) = shared
        {
            let left = &mut connection.doors.get_or_insert_default().left;
            left.retain(|(namespace, _)| namespace.name() != shared.name());
            left.push((shared, until));
        }
    }

    fn send_disconnect(&mut self, connection: Key, namespace: usize) {
        if let Some(shared) = self.namespaces[namespace].shared.clone() {
            self.send_packet(connection, shared.name(), Outgoing::Disconnect);
        }
    }

    /// The application closes the whole connection: `41` to every namespace, then the close.
    pub(crate) fn disconnect_connection(&mut self, key: Key, reason: EndReason) {
        let Some(connection) = self.connections.get(key) else { return };
        if reason == EndReason::ForcedServerClose {
            for socket in connection.sockets.clone() {
                self.bring_up(socket);
                self.send_disconnect(key, socket.namespace);
            }
        }
        self.end_connection(key, reason);
    }

    /// Sends one Engine.IO packet in text form.
    pub(crate) fn send_text(&mut self, key: Key, packet: &[u8]) {
        if self.is_polling(key) {
            let frame = self.frame(packet.to_vec(), 1, Load::new());
            self.send(key, frame, false);
        } else {
            self.send_ws(key, Opcode::Text, packet);
        }
    }

    /// Sends one frame that belongs to the transport.
    pub(crate) fn send_ws(&mut self, key: Key, opcode: Opcode, payload: &[u8]) {
        let mut bytes = Vec::with_capacity(payload.len() + 10);
        write_frame(&mut bytes, opcode, payload);
        let frame = self.frame(bytes, 1, Load::new());
        self.send(key, frame, false);
    }

    fn count_end(&self, reason: EndReason) {
        self.stats.ends[reason.index()].add(1);
    }

    /// The one way a connection ends, for its one reason.
    pub(crate) fn end_connection(&mut self, key: Key, reason: EndReason) {
        self.end_connection_with(key, reason, None);
    }

    /// The same; what the peer's own close frame said is sent back to it.
    pub(crate) fn end_connection_with(
        &mut self,
        key: Key,
        reason: EndReason,
        echo: Option<CloseFrame<'_>>,
    ) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.stage == Stage::Closing {
            return;
        }
        let sockets = connection.sockets.clone();
        for socket in sockets {
            self.end_socket(socket, reason);
        }
        self.count_end(reason);
        if let Some(connection) = self.connections.get(key) {
            let (session, joined) = (connection.summary(self.now), connection.joined);
            self.ended_sessions.push_back(SessionEnd { session, reason, joined });
        }
        self.stats.connections.sub(1);
        self.forget_decisions(key);
        self.forget_deferral(key);
        self.free_partial(key);
        match reason.end().wire {
            _ if self.is_polling(key) => self.end_polling(key, reason),
            WireEnd::Abort | WireEnd::Namespace => self.drop_connection(key),
            WireEnd::Close(code) => {
                let own = code.map(|code| CloseFrame { code, reason: "" });
                self.close(key, own.or(echo));
            }
        }
    }

    fn close(&mut self, key: Key, frame: Option<CloseFrame<'_>>) {
        // What it sends is void from now on, but its end must be seen.
        self.read_again(key);
        self.read_if_free(key);
        let mut bytes = Vec::with_capacity(4);
        write_close(&mut bytes, frame.map(|it| it.code), frame.map_or("", |it| it.reason));
        let frame = self.frame(bytes, 1, Load::new());
        self.send(key, frame, false);
        let until = self.now + millis(self.limits().close_timeout);
        if let Some(connection) = self.connections.get_mut(key) {
            connection.stage = Stage::Closing;
            connection.deadline = until;
            connection.decoder = None;
        }
        self.schedule(key);
    }

    /// The peer's close frame: with ours on the wire the closing handshake is over, and the server
    /// ends the TCP connection at once (RFC 6455 §7.1.1).
    pub(crate) fn close_received(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.close_received = true;
        if connection.stage == Stage::Closing && connection.outbox.is_empty() {
            self.drop_connection(key);
        }
    }

    /// Forgets a connection; the server drops its socket.
    pub(crate) fn drop_connection(&mut self, key: Key) {
        let Some(mut connection) = self.connections.remove(key) else { return };
        if connection.heavy {
            self.stats.senders_held_now.sub(1);
        }
        self.sessions.remove(&connection.session);
        self.leave_requests(&mut connection);
        connection.outbox.clear(|frame, counted| self.taken(frame, counted));
        self.memory.sub(Held::Partial, connection.partial_bytes);
        self.memory.sub(Held::Handshakes, connection.handshake.kept_bytes());
        self.outputs.push_back(Output::Drop(key));
    }

    /// The partial message of a connection that ends is of no use any more.
    fn free_partial(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        self.memory.sub(Held::Partial, std::mem::take(&mut connection.partial_bytes));
        connection.decoder = None;
        connection.transport.take_if(|transport| match transport {
            Transport::WebSocket(decoder) => decoder.buffered_bytes() > 0,
            Transport::Polling(_) => false,
        });
        connection.partial_since = NEVER;
    }

    pub(crate) fn is_polling(&self, key: Key) -> bool {
        self.connections.get(key).is_some_and(|connection| connection.format.polling)
    }

    /// The peer's TCP connection is gone. A session that polls has only lost the WebSocket that
    /// asked to take it over.
    pub(crate) fn transport_ended(&mut self, key: Key, reason: EndReason) {
        if self.is_polling(key) {
            return self.end_probe(key);
        }
        self.end_connection(key, reason);
        self.drop_connection(key);
    }

    /// Ends a session that polls. Its last packets go out with the GET that waits, the close with the
    /// next; if none waits they wait for one, unless the client is taken to be gone.
    pub(crate) fn end_polling(&mut self, key: Key, reason: EndReason) {
        // A client that closed itself is waiting for nothing.
        let last: &[u8] = if reason == EndReason::TransportClose { b"6" } else { b"1" };
        self.requeue(key, last.to_vec());
        // A server that stops does not wait for clients that may come or not.
        let patience = match reason {
            EndReason::ServerShuttingDown => self.limits().close_timeout,
            _ => self.limits().poll_close_timeout,
        };
        let until = self.now + millis(patience);
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.stage = Stage::Closing;
        connection.deadline = until;
        connection.decoder = None;
        if let Some(Transport::Polling(polling)) = &mut connection.transport {
            polling.close_within = lingers(reason).then_some(millis(patience));
        }
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

    /// A receiver took no byte for so long that it weighs on no sender any more.
    pub(crate) fn stall(&mut self, key: Key) {
        if let Some(connection) = self.connections.get_mut(key) {
            connection.stalled = true;
            self.uncount(key);
        }
    }

    /// What waits for a client weighs on its senders no more.
    pub(crate) fn uncount(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let mut lifted = Vec::new();
        connection.outbox.uncount(|frame| lifted.extend(frame.load().uncount()));
        for weight in lifted {
            self.lift(&weight);
        }
    }

    /// Ends the slow consumers that the last step found, and the connections that it was told to
    /// close.
    pub(crate) fn end_found(&mut self) {
        while !self.closing.is_empty() {
            for key in std::mem::take(&mut self.closing) {
                self.disconnect_connection(key, EndReason::ForcedServerClose);
            }
        }
        while let Some(key) = self.overflowed.pop() {
            self.end_connection(key, EndReason::SlowConsumer);
        }
    }

    /// Past the budget: ends those who hold what is oldest, until this shard's part of the excess
    /// is freed. While a frame is shared, ending others frees nothing.
    pub(crate) fn relieve_memory(&mut self) {
        let part = self.excess_here();
        if part == 0 {
            return;
        }
        self.memory.publish();
        let goal = self.memory.used().saturating_sub(part);
        let mut holders: Vec<_> = self
            .connections
            .iter()
            .filter_map(|(key, connection)| Some((oldest(connection)?, key)))
            .collect();
        holders.sort_unstable();
        for (_, key) in holders {
            if self.memory.used() <= goal {
                break;
            }
            self.end_connection(key, EndReason::MemoryBudget);
            self.drop_connection(key);
        }
        self.memory.publish();
    }

    /// This shard's part of what the process holds beyond its budget: as large as its part of the
    /// whole. A shard that holds no more than an even share ends nobody for the others' sake.
    fn excess_here(&self) -> usize {
        let budget = self.instance.memory();
        let (excess, here) = (budget.excess(), self.memory.used());
        let beyond_share = here.saturating_sub(budget.max() / self.instance.shards());
        if excess == 0 || beyond_share == 0 {
            return 0;
        }
        let part = (excess as u128 * here as u128).div_ceil(budget.used().max(1) as u128);
        beyond_share.min(usize::try_from(part).unwrap_or(usize::MAX))
    }
}

/// Since when a connection holds memory: the age of its oldest frame or partial message.
fn oldest(connection: &Connection) -> Option<u64> {
    let frame = connection.outbox.frames().next().map(|frame| frame.born);
    let partial = (connection.partial_bytes > 0).then_some(connection.partial_since);
    match (frame, partial) {
        (Some(frame), Some(partial)) => Some(frame.min(partial)),
        (one, other) => one.or(other),
    }
}

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
