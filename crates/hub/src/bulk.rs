//! What is done to all sockets of an audience at once: joins, leaves and disconnects that take a
//! place in the order like broadcasts.
//!
//! Owns rooms as they change, one socket at a time, at the place in the order where the socket is.
//! Who is reached, and when, is the fan-out's.

use crate::application::SocketKey;
use crate::broadcast::Work;
use crate::cluster::Publication;
use crate::context::Context;
use crate::core::Core;
use crate::room::{Audience, Room, name_once, rooms_bytes};

/// Why a socket was not let into a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JoinError {
    /// The socket is in as many rooms as one may be, or the shard has as many as it may, or one
    /// request names too many: our limit.
    TooManyRooms,
    /// The name is longer than a room's may be.
    NameTooLong,
    /// The socket is gone.
    Gone,
}

/// Something that is done to every socket of an audience. It takes a place in the order: what was
/// placed before finds the sockets as they were, what is placed after it as they are then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bulk {
    /// To whom, as it is at that place.
    pub audience: Audience,
    /// What.
    pub op: BulkOp,
    /// Other instances are not told.
    pub local: bool,
}

/// What a [`Bulk`] does to a socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BulkOp {
    /// It joins these rooms. One that may not join all of them joins some, and the rest is counted
    /// as refused.
    Join(Vec<Room>),
    /// It leaves these rooms.
    Leave(Vec<Room>),
    /// It leaves the namespace, told so (`41`).
    Disconnect {
        /// Its connection ends.
        close: bool,
    },
}

impl Bulk {
    /// Names every room once: a room that a peer repeats is joined or left once by every socket.
    fn name_once(&mut self) {
        self.audience.name_once();
        match &mut self.op {
            BulkOp::Join(rooms) | BulkOp::Leave(rooms) => name_once(rooms),
            BulkOp::Disconnect { .. } => {}
        }
    }

    /// What it costs to keep, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let rooms = match &self.op {
            BulkOp::Join(rooms) | BulkOp::Leave(rooms) => rooms_bytes(rooms),
            BulkOp::Disconnect { .. } => 0,
        };
        self.audience.bytes() + rooms
    }
}

impl<D> Context<'_, D> {
    /// All sockets of an audience, on every instance, join `rooms` (`io.in(…).socketsJoin(…)`). A
    /// broadcast that follows reaches them there.
    ///
    /// # Errors
    /// [`JoinError::NameTooLong`] and [`JoinError::TooManyRooms`]: nobody joins. A socket that is in
    /// too many rooms already is counted and left out.
    pub fn sockets_join(
        &mut self,
        namespace: &str,
        audience: Audience,
        rooms: Vec<Room>,
    ) -> Result<(), JoinError> {
        let name_bytes_max = self.core.limits().room_name_bytes_max;
        if rooms.iter().any(|room| room.name_bytes() > name_bytes_max) {
            return Err(JoinError::NameTooLong);
        }
        self.bulk(namespace, Bulk { audience, op: BulkOp::Join(rooms), local: false })
    }

    /// All sockets of an audience, on every instance, leave `rooms` (`io.in(…).socketsLeave(…)`);
    /// what was placed before still reaches them there.
    ///
    /// # Errors
    /// [`JoinError::TooManyRooms`]: nobody leaves.
    pub fn sockets_leave(
        &mut self,
        namespace: &str,
        audience: Audience,
        rooms: Vec<Room>,
    ) -> Result<(), JoinError> {
        self.bulk(namespace, Bulk { audience, op: BulkOp::Leave(rooms), local: false })
    }

    /// All sockets of an audience, on every instance, leave the namespace; with `close` their
    /// connections end (`io.in(…).disconnectSockets(…)`). What was placed before still reaches them.
    ///
    /// # Errors
    /// [`JoinError::TooManyRooms`]: the audience names more rooms than a message may be long, and
    /// nobody is disconnected.
    pub fn disconnect_sockets(
        &mut self,
        namespace: &str,
        audience: Audience,
        close: bool,
    ) -> Result<(), JoinError> {
        self.bulk(namespace, Bulk { audience, op: BulkOp::Disconnect { close }, local: false })
    }

    /// The same for any operation.
    ///
    /// # Errors
    /// [`JoinError::TooManyRooms`]: the rooms that it names are more than a message may be long.
    pub fn bulk(&mut self, namespace: &str, bulk: Bulk) -> Result<(), JoinError> {
        self.core.bulk(namespace, bulk, false)
    }
}

impl<D> Core<D> {
    /// Gives a bulk operation its place in the order.
    pub(crate) fn bulk(
        &mut self,
        namespace: &str,
        mut bulk: Bulk,
        remote: bool,
    ) -> Result<(), JoinError> {
        let bytes = bulk.bytes();
        if bytes > self.limits().message_bytes_max {
            self.stats.rooms_refused.add(1);
            return Err(JoinError::TooManyRooms);
        }
        bulk.name_once();
        let publication = Publication::Bulk(bulk);
        if !remote {
            self.cluster.publish(namespace, &publication);
        }
        if let (Some(index), Publication::Bulk(bulk)) = (self.look_up(namespace), publication) {
            self.stats.bulks.add(1);
            self.place(index, bulk.audience, Work::Change(bulk.op), bytes);
        }
        Ok(())
    }

    /// Does to one socket what an entry of the order says, now that the socket is there.
    pub(crate) fn change(&mut self, namespace: usize, slot: usize, op: &BulkOp) {
        let Some(key) = self.namespaces[namespace].sockets.key_at(slot) else { return };
        let socket = SocketKey { namespace, key };
        match op {
            BulkOp::Join(rooms) => {
                for room in rooms {
                    // What is refused is counted; nobody waits for the answer.
                    let _ = self.join_here(socket, room);
                }
            }
            BulkOp::Leave(rooms) => {
                for room in rooms {
                    self.leave_here(socket, room);
                }
            }
            BulkOp::Disconnect { close } => self.disconnect_here(socket, *close),
        }
    }

    /// Lets a socket into a room at the place in the order where it is.
    pub(crate) fn join_here(&mut self, socket: SocketKey, room: &Room) -> Result<(), JoinError> {
        let limits = self.instance.limits();
        let Some(found) = self.socket(socket) else { return Err(JoinError::Gone) };
        if room.name_bytes() > limits.room_name_bytes_max {
            self.stats.rooms_refused.add(1);
            return Err(JoinError::NameTooLong);
        }
        if let Room::Socket(id) = room {
            // Every socket is in its own room, and nobody else is.
            return if found.id == *id { Ok(()) } else { Err(JoinError::Gone) };
        }
        if self.namespaces[socket.namespace].is_member(socket.key, room) {
            return Ok(());
        }
        if found.rooms() >= limits.rooms_per_socket_max || self.rooms >= limits.rooms_per_shard_max
        {
            self.stats.rooms_refused.add(1);
            return Err(JoinError::TooManyRooms);
        }
        let namespace = &mut self.namespaces[socket.namespace];
        let before = namespace.rooms.len();
        namespace.join(socket.key, room, &self.rooms_here);
        self.rooms += namespace.rooms.len() - before;
        self.stats.rooms.set(self.rooms as u64);
        Ok(())
    }

    /// Takes a socket out of a room at the place in the order where it is; `false` if it was not
    /// there.
    pub(crate) fn leave_here(&mut self, socket: SocketKey, room: &Room) -> bool {
        let namespace = &mut self.namespaces[socket.namespace];
        let before = namespace.rooms.len();
        let left = namespace.leave(socket.key, room, &self.rooms_here);
        self.rooms -= before - namespace.rooms.len();
        self.stats.rooms.set(self.rooms as u64);
        left
    }
}
