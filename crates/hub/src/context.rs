//! What an application can do while it handles something. Everything takes effect at once and in
//! the order of the calls.

use std::time::Duration;

use bytes::Bytes;

use crate::application::{Handshake, Message, SocketKey, Ticket};
use crate::broadcast::{Broadcast, EmitError};
use crate::bulk::JoinError;
use crate::core::Core;
use crate::encode::Outgoing;
use crate::id::SocketId;
use crate::limits::Limits;
use crate::reason::EndReason;
use crate::room::Room;
use crate::session::SessionSummary;
use crate::slots::Key;

impl std::fmt::Display for JoinError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooManyRooms => "too many rooms",
            Self::NameTooLong => "the name of the room is too long",
            Self::Gone => "the socket is gone",
        })
    }
}

impl std::error::Error for JoinError {}

/// Access to the shard while the application handles something.
#[derive(Debug)]
pub struct Context<'a, D> {
    pub(crate) core: &'a mut Core<D>,
}

impl<D> Context<'_, D> {
    /// Milliseconds of the shard's clock.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.core.now
    }

    /// The bounds of the instance.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        self.core.limits()
    }

    /// What the application keeps for a socket; also while it hears of the socket's end.
    #[must_use]
    pub fn data(&self, socket: SocketKey) -> Option<&D> {
        let sockets = &self.core.namespaces[socket.namespace].sockets;
        sockets.get(socket.key).map(|socket| &socket.data)
    }

    /// The same, to be changed.
    pub fn data_mut(&mut self, socket: SocketKey) -> Option<&mut D> {
        let sockets = &mut self.core.namespaces[socket.namespace].sockets;
        sockets.get_mut(socket.key).map(|socket| &mut socket.data)
    }

    /// A socket's public id; also while the application hears of its end.
    #[must_use]
    pub fn id(&self, socket: SocketKey) -> Option<SocketId> {
        let sockets = &self.core.namespaces[socket.namespace].sockets;
        sockets.get(socket.key).map(|socket| socket.id)
    }

    /// The namespace of a socket.
    #[must_use]
    pub fn namespace(&self, socket: SocketKey) -> &str {
        self.core.namespaces[socket.namespace].name()
    }

    /// The handshake of a socket's connection.
    #[must_use]
    pub fn handshake(&self, socket: SocketKey) -> Option<Handshake> {
        let connection = self.core.socket(socket)?.connection;
        self.core.connections.get(connection).map(|connection| connection.handshake.clone())
    }

    /// What the session of a socket has been up to now.
    #[must_use]
    pub fn session(&self, socket: SocketKey) -> Option<SessionSummary> {
        let connection = self.core.socket(socket)?.connection;
        self.core.connections.get(connection).map(|connection| connection.summary(self.core.now))
    }

    /// Sends an event to one socket. `args` is a JSON array whose first element is the event's
    /// name. With `volatile` it is dropped if the client cannot take it at once.
    ///
    /// # Errors
    /// [`EmitError::Gone`], or our limit on a message.
    pub fn emit(
        &mut self,
        socket: SocketKey,
        args: &[u8],
        attachments: &[Bytes],
        volatile: bool,
    ) -> Result<(), EmitError> {
        self.core.emit(socket, Outgoing::Event { ack: None, args, attachments }, volatile)
    }

    /// Sends a message to a session as it is; for applications of [`crate::Layer::EngineIo`].
    pub fn send(&mut self, connection: Key, message: Message<'_>) {
        self.core.send_message(connection, message);
    }

    /// Sends an event and awaits the client's acknowledgement; the outcome comes as
    /// [`crate::Happening::Acknowledged`] with `token`, within `timeout`.
    ///
    /// # Errors
    /// [`EmitError::Gone`], or our limits on a message and on awaited acknowledgements.
    pub fn emit_with_ack(
        &mut self,
        socket: SocketKey,
        args: &[u8],
        attachments: &[Bytes],
        timeout: Duration,
        token: u64,
    ) -> Result<(), EmitError> {
        self.core.emit_with_ack(socket, args, attachments, timeout, token)
    }

    /// Answers a client's event that wanted an acknowledgement. `args` is a JSON array.
    ///
    /// # Errors
    /// [`EmitError::Gone`], or our limit on a message.
    pub fn acknowledge(
        &mut self,
        socket: SocketKey,
        ack: u64,
        args: &[u8],
        attachments: &[Bytes],
    ) -> Result<(), EmitError> {
        self.core.emit(socket, Outgoing::Ack { id: ack, args, attachments }, false)
    }

    /// Gives a broadcast its place in the instance's order, within the namespace of `socket`; also
    /// while the application hears of the socket's end.
    ///
    /// # Errors
    /// [`EmitError::Gone`], or our limits on a message.
    pub fn broadcast(&mut self, socket: SocketKey, broadcast: Broadcast) -> Result<(), EmitError> {
        self.core.still_has(socket)?;
        self.core.broadcast(socket.namespace, broadcast, false)
    }

    /// The same for a namespace by name. One that does not exist here may exist on other instances.
    ///
    /// # Errors
    /// Our limits on a message.
    pub fn broadcast_to(&mut self, namespace: &str, broadcast: Broadcast) -> Result<(), EmitError> {
        match self.core.look_up(namespace) {
            Some(namespace) => self.core.broadcast(namespace, broadcast, false),
            None => self.core.broadcast_elsewhere(namespace, broadcast),
        }
    }

    /// A socket of this shard by its public id ([`SocketId::shard`] says which shard it is on).
    #[must_use]
    pub fn find(&self, namespace: &str, id: SocketId) -> Option<SocketKey> {
        let namespace = self.core.instance.namespaces().find(namespace)?;
        let key = self.core.namespaces.get(namespace)?.find(id)?;
        Some(SocketKey { namespace, key })
    }

    /// Broadcasts and collects the first argument of each receiver's acknowledgement, on every
    /// instance unless the broadcast is local; the outcome comes as [`crate::Happening::Acknowledged`] with `token`, within `timeout`.
    ///
    /// # Errors
    /// [`EmitError::Gone`], or our limits on a message and on broadcasts with acknowledgement under
    /// way.
    pub fn broadcast_with_ack(
        &mut self,
        socket: SocketKey,
        broadcast: Broadcast,
        timeout: Duration,
        token: u64,
    ) -> Result<(), EmitError> {
        self.core.still_has(socket)?;
        let shared = self.core.namespaces[socket.namespace].shared.clone();
        let name = shared.as_ref().map_or("", |shared| shared.name());
        self.core.ask_receivers((name, Some(socket.namespace)), broadcast, timeout, token)
    }

    /// Thinks about an event: what its connection says next waits until [`crate::Hub::resume`],
    /// or until [`crate::Limits::decision_timeout`] is over and [`crate::Happening::Overdue`] comes
    /// with `token`. Nobody else waits. `None` if the connection has such an event already, or the
    /// shard too many. `bytes` is what the application keeps of the event: it counts as memory that
    /// the client makes the process hold.
    pub fn defer(&mut self, socket: SocketKey, token: u64, bytes: usize) -> Option<Ticket> {
        self.core.defer(socket, token, bytes)
    }

    /// Lets a socket into a room. What was placed in the order before does not reach it there.
    ///
    /// # Errors
    /// See [`JoinError`]; being in the room already is none.
    pub fn join(&mut self, socket: SocketKey, room: &Room) -> Result<(), JoinError> {
        self.core.bring_up(socket);
        self.core.join_here(socket, room)
    }

    /// Takes a socket out of a room; what was placed before still reaches it. `false` if it was
    /// not there.
    pub fn leave(&mut self, socket: SocketKey, room: &Room) -> bool {
        self.core.bring_up(socket);
        self.core.leave_here(socket, room)
    }

    /// The rooms of a socket, its own not counted. A [bulk operation](Self::sockets_join) shows as
    /// soon as this shard has come to it.
    pub fn rooms(&self, socket: SocketKey) -> impl Iterator<Item = &Room> {
        self.core.namespaces[socket.namespace].rooms_of(socket.key)
    }

    /// Makes a socket leave its namespace (`41`); with `close` its whole connection ends.
    pub fn disconnect(&mut self, socket: SocketKey, close: bool) {
        if !close {
            self.core.disconnect_socket(socket);
        } else if let Some(connection) = self.core.socket(socket).map(|it| it.connection) {
            self.core.disconnect_connection(connection, EndReason::ForcedServerClose);
        }
    }
}

impl<D> Core<D> {
    /// Whether a socket is still there, ended or not: without it its namespace may be gone too, and
    /// another in its place.
    fn still_has(&self, socket: SocketKey) -> Result<(), EmitError> {
        let namespace = self.namespaces.get(socket.namespace);
        let found = namespace.and_then(|it| it.sockets.get(socket.key));
        found.map(|_| ()).ok_or(EmitError::Gone)
    }
}
