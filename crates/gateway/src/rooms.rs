//! Which rooms a client is in: those that it joins, and the one of the user that it is.

use relay_hub::{Context, JoinError, Room, SocketKey};
use relay_socketio::packet::Args;

use crate::client::Client;
use crate::command::{argument, rooms};
use crate::denial::Code;
use crate::user;

/// From now on the socket is this user's.
pub(crate) fn be(
    cx: &mut Context<'_, Client>,
    socket: SocketKey,
    usuario: &str,
) -> Result<(), Code> {
    let before = cx.data(socket).and_then(|client| client.usuario.clone());
    let before = before.and_then(|usuario| user::room(&usuario, cx.limits()));
    let after = user::room(usuario, cx.limits());
    if before != after {
        // The next one may need the place of the last one.
        if let Some(room) = &before {
            cx.leave(socket, room);
        }
        if let Some(room) = &after
            && let Err(code) = joined(cx.join(socket, room))
        {
            let _ = before.map(|room| cx.join(socket, &room));
            return Err(code);
        }
    }
    if let Some(client) = cx.data_mut(socket) {
        client.usuario = Some(usuario.into());
    }
    Ok(())
}

pub(crate) fn join(
    cx: &mut Context<'_, Client>,
    socket: SocketKey,
    args: &Args<'_>,
) -> Result<(), Code> {
    let rooms = rooms(argument(args).ok_or(Code::BadRoom)?, cx.limits())?;
    if rooms.iter().any(Room::is_reserved) {
        return Err(Code::BadRoom);
    }
    rooms.iter().try_for_each(|room| joined(cx.join(socket, room)))
}

pub(crate) fn joined(outcome: Result<(), JoinError>) -> Result<(), Code> {
    match outcome {
        Ok(()) | Err(JoinError::Gone) => Ok(()),
        Err(JoinError::TooManyRooms) => Err(Code::TooMany),
        Err(JoinError::NameTooLong) => Err(Code::TooLarge),
    }
}

pub(crate) fn leave(
    cx: &mut Context<'_, Client>,
    socket: SocketKey,
    args: &Args<'_>,
) -> Result<(), Code> {
    let rooms = rooms(argument(args).ok_or(Code::BadRoom)?, cx.limits())?;
    if rooms.iter().any(Room::is_reserved) {
        return Err(Code::BadRoom);
    }
    for room in &rooms {
        cx.leave(socket, room);
    }
    Ok(())
}
