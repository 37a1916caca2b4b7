//! Sockets chosen by room, user or id, and what the program does to them.

use std::time::Duration;

use relay_gateway::{Event, EventError, Told, User};
use relay_hub::{Audience, Broadcast, EmitError, Room, SocketId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Relay;
use super::answers::{Answers, Counted, Fetched, FetchedSocket};

/// Who is meant.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Target {
    /// The members of a room.
    Room(Room),
    /// The sockets of a user.
    User(User),
    /// One socket.
    Socket(SocketId),
}

impl From<&str> for Target {
    /// The members of the room of this name.
    fn from(room: &str) -> Self {
        Self::Room(room.into())
    }
}

impl From<String> for Target {
    /// The members of the room of this name.
    fn from(room: String) -> Self {
        Self::Room(room.into())
    }
}

impl From<Room> for Target {
    fn from(room: Room) -> Self {
        Self::Room(room)
    }
}

impl From<User> for Target {
    fn from(user: User) -> Self {
        Self::User(user)
    }
}

impl From<SocketId> for Target {
    fn from(id: SocketId) -> Self {
        Self::Socket(id)
    }
}

/// Why something was not done.
#[derive(Debug)]
#[non_exhaustive]
pub enum CommandError {
    /// The event cannot be made.
    Event(EventError),
    /// The event is above a limit.
    Emit(EmitError),
    /// Names of rooms that begin with `~` are Relay's own, but for ids of sockets.
    ReservedRoom,
    /// The name of a room or a user is longer than [`room_name_bytes_max`](relay_hub::Limits).
    NameTooLong,
    /// Too much waits already: try again later.
    Busy,
    /// The instance has stopped.
    Stopped,
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Event(error) => error.fmt(f),
            Self::Emit(error) => error.fmt(f),
            Self::ReservedRoom => f.write_str("names of rooms that begin with ~ are reserved"),
            Self::NameTooLong => f.write_str("the name of the room or the user is too long"),
            Self::Busy => f.write_str("too much waits already"),
            Self::Stopped => f.write_str("the instance has stopped"),
        }
    }
}

impl std::error::Error for CommandError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Event(error) => Some(error),
            Self::Emit(error) => Some(error),
            Self::ReservedRoom | Self::NameTooLong | Self::Busy | Self::Stopped => None,
        }
    }
}

impl From<EventError> for CommandError {
    fn from(error: EventError) -> Self {
        Self::Event(error)
    }
}

/// Sockets of the namespace, on every instance; chosen by [`Relay::everyone`] and [`Relay::to`].
///
/// What is done takes effect soon, in the order in which one thread asked for it; that a socket is
/// gone is no error. Nothing waits for a client.
#[derive(Debug)]
#[must_use = "nothing happens before something is done to them"]
pub struct Sockets {
    relay: Relay,
    /// `None` if an earlier choice was wrong.
    audience: Result<Audience, CommandError>,
    volatile: bool,
}

impl Sockets {
    pub(super) fn new(relay: Relay, target: Option<Target>) -> Self {
        let mut sockets = Self { relay, audience: Ok(Audience::all()), volatile: false };
        if let Some(target) = target {
            sockets = sockets.to(target);
        }
        sockets
    }

    /// These as well; nobody is reached twice. Of [`Relay::everyone`] it leaves these alone.
    pub fn to(self, target: impl Into<Target>) -> Self {
        self.choose(target.into(), |audience, room| audience.rooms.push(room))
    }

    /// Not these.
    pub fn except(self, target: impl Into<Target>) -> Self {
        self.choose(target.into(), |audience, room| audience.except.push(room))
    }

    /// Clients that cannot take an event at once go without it.
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Sends an event with one argument.
    ///
    /// # Errors
    /// The event cannot be made or is above a limit, a target does not exist, too much waits.
    pub fn emit(self, name: &str, value: &(impl Serialize + ?Sized)) -> Result<(), CommandError> {
        let event = Event::new(name)?.arg(value)?;
        self.send(event)
    }

    /// Sends an event with any number of arguments, binaries too.
    ///
    /// # Errors
    /// The event is above a limit, a target does not exist, too much waits.
    pub fn send(self, event: Event) -> Result<(), CommandError> {
        let packet = event.into_packet();
        packet.check(self.relay.limits()).map_err(CommandError::Emit)?;
        let (volatile, bytes) = (self.volatile, packet.bytes());
        self.relay.act(self.audience?, bytes, move |cx, namespace, audience| {
            let broadcast = Broadcast { volatile, ..Broadcast::new(packet, audience) };
            // Whatever may be wrong with it was found above.
            let _ = cx.broadcast_to(namespace, broadcast);
        })
    }

    /// Sends an event with one argument and collects what their clients answer to it, as
    /// `emitWithAck` does: the first argument of each acknowledgement, within `timeout`. Binaries are
    /// left out of it. Nobody in the audience is no error: then there are no answers.
    ///
    /// # Errors
    /// The event cannot be made or is above a limit, a target does not exist, too much waits, the
    /// instance stops meanwhile.
    pub async fn ask<T: DeserializeOwned>(
        self,
        name: &str,
        value: &(impl Serialize + ?Sized + Sync),
        timeout: Duration,
    ) -> Result<Answers<T>, CommandError> {
        let packet = Event::new(name)?.arg(value)?.into_packet();
        packet.check(self.relay.limits()).map_err(CommandError::Emit)?;
        let bytes = packet.bytes();
        let asked = self.relay.ask(self.audience?, bytes, move |cx, namespace, audience, token| {
            let broadcast = Broadcast::new(packet, audience);
            cx.broadcast_with_ack_to(namespace, broadcast, timeout, token)
        });
        match asked.await? {
            Told::Answers(told) => Ok(Answers::read(&told)),
            Told::Failed(error) => Err(CommandError::Emit(error)),
            Told::Sockets { .. } | Told::Count { .. } => Err(CommandError::Stopped),
        }
    }

    /// Which sockets these are now, on every instance that says so within `timeout`.
    ///
    /// # Errors
    /// A target does not exist, too much waits, the instance stops meanwhile.
    pub async fn fetch(self, timeout: Duration) -> Result<Fetched, CommandError> {
        let asked = self.relay.ask(self.audience?, 0, move |cx, namespace, audience, token| {
            cx.fetch_sockets(namespace, audience, timeout, token)
        });
        match asked.await? {
            Told::Sockets { sockets, complete } => Ok(Fetched {
                sockets: sockets.into_iter().map(FetchedSocket::read).collect(),
                complete,
            }),
            Told::Failed(error) => Err(CommandError::Emit(error)),
            Told::Answers(_) | Told::Count { .. } => Err(CommandError::Stopped),
        }
    }

    /// How many sockets these are now, on every instance that says so within `timeout`. Nothing else
    /// is told of them, so this costs next to nothing among instances of Relay, whatever the number;
    /// a server for Node in the cluster tells of its sockets as to [`Sockets::fetch`], and they are
    /// counted.
    ///
    /// # Errors
    /// A target does not exist, too much waits, the instance stops meanwhile.
    pub async fn count(self, timeout: Duration) -> Result<Counted, CommandError> {
        let asked = self.relay.ask(self.audience?, 0, move |cx, namespace, audience, token| {
            cx.count_sockets(namespace, audience, timeout, token)
        });
        match asked.await? {
            Told::Count { sockets, complete } => Ok(Counted { sockets, complete }),
            Told::Failed(error) => Err(CommandError::Emit(error)),
            Told::Answers(_) | Told::Sockets { .. } => Err(CommandError::Stopped),
        }
    }

    /// Lets them into a room. What was sent there before does not reach them; what is sent
    /// afterwards does. A socket that is in too many rooms is left out, and counted.
    ///
    /// # Errors
    /// The room is reserved or its name too long, a target does not exist, too much waits.
    pub fn join(self, room: impl Into<Room>) -> Result<(), CommandError> {
        let room = self.relay.check_room(room.into())?;
        let expected = self.relay.expect_join(&room);
        self.relay.act(self.audience?, room.bytes(), move |cx, namespace, audience| {
            let _ = cx.sockets_join(namespace, audience, vec![room]);
            // It has its place in the order, which expects the same.
            drop(expected);
        })
    }

    /// Takes them out of a room. What was sent there before still reaches them.
    ///
    /// # Errors
    /// As for [`Sockets::join`].
    pub fn leave(self, room: impl Into<Room>) -> Result<(), CommandError> {
        let room = self.relay.check_room(room.into())?;
        self.relay.act(self.audience?, room.bytes(), move |cx, namespace, audience| {
            let _ = cx.sockets_leave(namespace, audience, vec![room]);
        })
    }

    /// Makes them leave the namespace: their clients hear `io server disconnect` and do not come
    /// back by themselves. What was sent to them before still reaches them.
    ///
    /// # Errors
    /// A target does not exist, too much waits.
    pub fn disconnect(self) -> Result<(), CommandError> {
        self.relay.act(self.audience?, 0, |cx, namespace, audience| {
            let _ = cx.disconnect_sockets(namespace, audience, false);
        })
    }

    /// Ends their connections, in all namespaces. As with [`Sockets::disconnect`] their clients do
    /// not come back by themselves.
    ///
    /// # Errors
    /// A target does not exist, too much waits.
    pub fn close(self) -> Result<(), CommandError> {
        self.relay.act(self.audience?, 0, |cx, namespace, audience| {
            let _ = cx.disconnect_sockets(namespace, audience, true);
        })
    }

    fn choose(mut self, target: Target, add: impl FnOnce(&mut Audience, Room)) -> Self {
        if let Ok(audience) = &mut self.audience {
            match self.relay.room_of(target) {
                Ok(room) => add(audience, room),
                Err(error) => self.audience = Err(error),
            }
        }
        self
    }
}

impl Relay {
    fn room_of(&self, target: Target) -> Result<Room, CommandError> {
        match target {
            Target::Room(room) => self.check_room(room),
            Target::User(user) => user.room(self.limits()).ok_or(CommandError::NameTooLong),
            Target::Socket(id) => Ok(Room::Socket(id)),
        }
    }

    fn check_room(&self, room: Room) -> Result<Room, CommandError> {
        let Room::Text(name) = &room else { return Ok(room) };
        if room.is_reserved() {
            Err(CommandError::ReservedRoom)
        } else if name.len() > self.limits().room_name_bytes_max {
            Err(CommandError::NameTooLong)
        } else {
            Ok(room)
        }
    }
}
