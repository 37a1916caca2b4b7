//! The sockets of one namespace on one shard, and their rooms.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::directory::RoomsHere;
use crate::id::SocketId;
use crate::registry::SharedNamespace;
use crate::room::Room;
use crate::slots::{Key, Slots};

/// What a pending acknowledgement is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AckFor {
    /// An emit of this shard's application.
    Application { token: u64 },
    /// A broadcast that some shard collects answers for, until `due`.
    Collect { shard: usize, request: u64, due: u64 },
}

/// A socket's place in a room.
#[derive(Clone, Copy, Debug)]
struct Seat {
    room: Key,
    index: u32,
}

/// In the order of declaration: a fan-out touches the beginning of every socket.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Socket<D> {
    pub(crate) connection: Key,
    /// The last entry of the order that it was considered for: it gets each once, in their order.
    pub(crate) stamp: u64,
    /// It left; the application has not been told yet.
    pub(crate) ended: bool,
    pub(crate) id: SocketId,
    pub(crate) data: D,
    /// Awaited acknowledgements by id.
    #[allow(clippy::box_collection, reason = "8 bytes in every socket, where a map takes 24")]
    pub(crate) acks: Option<Box<BTreeMap<u32, AckFor>>>,
    seats: Vec<Seat>,
}

impl<D> Socket<D> {
    /// `stamp` is that of the last entry that was placed before it came.
    pub(crate) fn new(connection: Key, id: SocketId, data: D, stamp: u64) -> Self {
        Self { connection, id, data, acks: None, seats: Vec::new(), stamp, ended: false }
    }

    pub(crate) fn rooms(&self) -> usize {
        self.seats.len()
    }

    /// Whether one more acknowledgement can be awaited. At the bound, broadcasts that are over are
    /// forgotten first: nothing else tells a socket that they are.
    pub(crate) fn may_await(&mut self, now: u64, acks_max: usize) -> bool {
        let Some(acks) = self.acks.as_deref_mut() else { return acks_max > 0 };
        if acks.len() >= acks_max {
            acks.retain(|_, it| !matches!(it, AckFor::Collect { due, .. } if *due <= now));
        }
        acks.len() < acks_max
    }
}

#[derive(Debug)]
pub(crate) struct Members {
    name: Room,
    slots: Vec<u32>,
}

#[derive(Debug)]
pub(crate) struct Namespace<D> {
    /// `None` until a socket of this shard joins it.
    pub(crate) shared: Option<Arc<SharedNamespace>>,
    pub(crate) sockets: Slots<Socket<D>>,
    names: HashMap<Room, Key>,
    pub(crate) rooms: Slots<Members>,
}

impl<D> Default for Namespace<D> {
    fn default() -> Self {
        Self {
            shared: None,
            sockets: Slots::default(),
            names: HashMap::new(),
            rooms: Slots::default(),
        }
    }
}

impl<D> Namespace<D> {
    pub(crate) fn new(shared: Arc<SharedNamespace>) -> Self {
        Self { shared: Some(shared), ..Self::default() }
    }

    /// Its name; of one without a socket that of the last that had one.
    pub(crate) fn name(&self) -> &str {
        self.shared.as_ref().map_or("", |shared| shared.name())
    }

    /// The serial number of the namespace that it was last.
    pub(crate) fn serial(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| shared.serial())
    }

    /// The next ack id of the namespace, whatever shard its sockets are on.
    pub(crate) fn next_ack(&self) -> u32 {
        self.shared.as_ref().map_or(0, |shared| shared.next_ack())
    }

    /// The socket with this id, if it is here and has not ended.
    pub(crate) fn find(&self, id: SocketId) -> Option<Key> {
        let key = self.sockets.key_at(id.slot())?;
        let socket = self.sockets.get(key)?;
        (socket.id == id && !socket.ended).then_some(key)
    }

    fn room(&self, room: &Room) -> Option<Key> {
        self.names.get(room).copied()
    }

    /// The slots of the members of a room, each once.
    pub(crate) fn members(&self, room: &Room) -> &[u32] {
        let members = self.room(room).and_then(|key| self.rooms.get(key));
        members.map_or(&[], |members| &members.slots)
    }

    pub(crate) fn is_member(&self, socket: Key, room: &Room) -> bool {
        let (Some(room), Some(socket)) = (self.room(room), self.sockets.get(socket)) else {
            return false;
        };
        socket.seats.iter().any(|seat| seat.room == room)
    }

    pub(crate) fn rooms_of(&self, socket: Key) -> impl Iterator<Item = &Room> {
        let seats = self.sockets.get(socket).map_or(&[][..], |socket| &socket.seats);
        seats.iter().filter_map(|seat| self.rooms.get(seat.room)).map(|members| &members.name)
    }

    /// Seats the socket in a room it is not in, making the room if need be.
    pub(crate) fn join(&mut self, key: Key, room: &Room, here: &RoomsHere) {
        let room_key = match self.names.get(room) {
            Some(&found) => found,
            None => {
                let made = self.rooms.insert(Members { name: room.clone(), slots: Vec::new() });
                self.names.insert(room.clone(), made);
                here.begin(self.name(), room);
                made
            }
        };
        let (Some(members), Some(socket)) =
            (self.rooms.get_mut(room_key), self.sockets.get_mut(key))
        else {
            return;
        };
        socket.seats.push(Seat { room: room_key, index: narrow(members.slots.len()) });
        members.slots.push(narrow(key.slot()));
    }

    /// Frees the socket's seat in a room; an empty room vanishes. `false` if it had none.
    pub(crate) fn leave(&mut self, key: Key, room: &Room, here: &RoomsHere) -> bool {
        let (Some(room), Some(socket)) = (self.room(room), self.sockets.get_mut(key)) else {
            return false;
        };
        let Some(place) = socket.seats.iter().position(|seat| seat.room == room) else {
            return false;
        };
        let seat = socket.seats.swap_remove(place);
        self.free(seat, here);
        true
    }

    pub(crate) fn leave_all(&mut self, key: Key, here: &RoomsHere) {
        let Some(socket) = self.sockets.get_mut(key) else { return };
        for seat in std::mem::take(&mut socket.seats) {
            self.free(seat, here);
        }
    }

    fn free(&mut self, seat: Seat, here: &RoomsHere) {
        let Some(members) = self.rooms.get_mut(seat.room) else { return };
        members.slots.swap_remove(seat.index as usize);
        if let Some(&moved) = members.slots.get(seat.index as usize) {
            if let Some(socket) = self.sockets.at_mut(moved as usize)
                && let Some(its) = socket.seats.iter_mut().find(|its| its.room == seat.room)
            {
                its.index = seat.index;
            }
        } else if members.slots.is_empty()
            && let Some(members) = self.rooms.remove(seat.room)
        {
            self.names.remove(&members.name);
            here.end(self.name(), &members.name);
        }
    }
}

/// Slots and seats are bounded by the number of descriptors.
fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Namespace, Socket};
    use crate::directory::{Directory, RoomsHere};
    use crate::id::SocketId;
    use crate::room::Room;
    use crate::slots::{Key, Slots};

    fn here() -> RoomsHere {
        RoomsHere::new(Directory::new(1), 0)
    }

    fn populated(n: usize) -> (Namespace<()>, Vec<Key>) {
        let mut namespace = Namespace::default();
        let connection = Slots::default().insert(());
        let keys = (0..n)
            .map(|_| {
                let id = SocketId::new(0, namespace.sockets.next_key(), [0; 10]);
                namespace.sockets.insert(Socket::new(connection, id, (), 0))
            })
            .collect();
        (namespace, keys)
    }

    #[test]
    fn empty_rooms_vanish() {
        let (mut namespace, keys) = populated(3);
        let here = here();
        let room = Room::text(b"a");
        for &key in &keys {
            namespace.join(key, &room, &here);
        }
        assert!(namespace.leave(keys[0], &room, &here));
        assert!(!namespace.leave(keys[0], &room, &here));
        namespace.leave_all(keys[2], &here);
        assert!(namespace.is_member(keys[1], &room));
        assert!(namespace.leave(keys[1], &room, &here));
        assert_eq!(namespace.rooms.len(), 0);
        assert!(namespace.names.is_empty());
    }

    #[test]
    fn seats_stay_right_when_others_leave() {
        let (mut namespace, keys) = populated(50);
        let here = here();
        let rooms: Vec<_> = (0..7).map(|n| Room::number(f64::from(n))).collect();
        for (n, &key) in keys.iter().enumerate() {
            for room in rooms.iter().skip(n % 3) {
                namespace.join(key, room, &here);
            }
        }
        for (n, &key) in keys.iter().enumerate().step_by(2) {
            namespace.leave(key, &rooms[n % 7], &here);
        }
        for &key in &keys {
            let named: Vec<_> = namespace.rooms_of(key).cloned().collect();
            for room in &rooms {
                assert_eq!(namespace.is_member(key, room), named.contains(room));
            }
        }
        for &key in &keys {
            namespace.leave_all(key, &here);
        }
        assert_eq!(namespace.rooms.len(), 0);
    }
}
