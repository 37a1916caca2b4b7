//! A client that has just come in, in the hands of the program.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use relay_hub::{Audience, Broadcast, Context, EmitError, Room, SocketId, SocketKey};

use crate::client::Client;
use crate::denial::Code;
use crate::event::Event;
use crate::handshake::Handshake;
use crate::rooms;
use crate::user::User;

/// A socket while its hook runs. Everything takes effect at once and in the order of the calls.
pub struct Socket<'a, 'b> {
    pub(crate) cx: &'a mut Context<'b, Client>,
    pub(crate) key: SocketKey,
    pub(crate) id: SocketId,
    pub(crate) auth: Option<Box<str>>,
}

impl std::fmt::Debug for Socket<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Socket").field(&self.id).finish()
    }
}

impl Socket<'_, '_> {
    /// Its public id: it names a room that holds this socket alone.
    #[must_use]
    pub fn id(&self) -> SocketId {
        self.id
    }

    /// How the client knocked: address, header fields, query, `auth`. `None` if the connection is
    /// gone already.
    #[must_use]
    pub fn handshake(&self) -> Option<Handshake<'_>> {
        let handshake = Cow::Owned(self.cx.handshake(self.key)?);
        Some(Handshake { handshake, auth: self.auth.as_deref() })
    }

    /// What the program keeps for it, if it is of this type.
    #[must_use]
    pub fn state<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.cx.data(self.key)?.state()?.clone().downcast().ok()
    }

    /// Keeps `state` for as long as the socket stays, in the place of what was there. Every later
    /// hook can read it.
    pub fn set_state(&mut self, state: impl Any + Send + Sync) {
        if let Some(client) = self.cx.data_mut(self.key) {
            client.set_state(Some(Arc::new(state)));
        }
    }

    /// Lets it into a room. What was sent there before does not reach it.
    ///
    /// # Errors
    /// [`Code::BadRoom`] for a name that begins with `~`: whoever lets a client choose shall not
    /// let it hear what is meant for a user or another socket. [`Code::TooMany`] or
    /// [`Code::TooLarge`] at a limit. Being there already is no error, nor is being gone.
    pub fn join(&mut self, room: impl Into<Room>) -> Result<(), Code> {
        let room = room.into();
        if room.is_reserved() {
            return Err(Code::BadRoom);
        }
        rooms::joined(self.cx.join(self.key, &room))
    }

    /// Takes it out of a room. `false` if it was not there, or is there as the one who it is: the
    /// name begins with `~`.
    pub fn leave(&mut self, room: impl Into<Room>) -> bool {
        let room = room.into();
        !room.is_reserved() && self.cx.leave(self.key, &room)
    }

    /// From now on it is this user's, as if its client had said so; the hook that asks about that is
    /// not asked.
    ///
    /// # Errors
    /// [`Code::BadUser`] for a number that is none, [`Code::TooMany`] or [`Code::TooLarge`] at a
    /// limit.
    pub fn identify(&mut self, user: impl Into<User>) -> Result<(), Code> {
        let usuario = user.into().to_json().ok_or(Code::BadUser)?;
        if usuario.len() > self.cx.limits().user_bytes_max {
            return Err(Code::TooLarge);
        }
        rooms::be(self.cx, self.key, &usuario)
    }

    /// Sends it an event.
    ///
    /// # Errors
    /// The socket is gone, or the event is above a limit.
    pub fn emit(&mut self, event: Event) -> Result<(), EmitError> {
        let packet = event.into_packet();
        self.cx.emit(self.key, &packet.args, &packet.attachments, false)
    }

    /// Sends an event to an audience, in the socket's namespace and on every instance.
    ///
    /// # Errors
    /// The socket is gone, or the event is above a limit.
    pub fn broadcast(&mut self, event: Event, audience: Audience) -> Result<(), EmitError> {
        self.cx.broadcast(self.key, Broadcast::new(event.into_packet(), audience))
    }

    /// Makes it leave: the client hears `io server disconnect` and does not come back by itself.
    pub fn disconnect(&mut self) {
        self.cx.disconnect(self.key, false);
    }
}
