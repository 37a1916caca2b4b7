//! The application of one shard.

use std::sync::Arc;

use bytes::Bytes;
use relay_hub::{
    Application, Audience, Broadcast, ConnectRequest, Context, Decision, EmitError, Happening,
    JoinError, Packet, Room, SocketKey,
};
use relay_socketio::json::{self, Kind};
use relay_socketio::packet::{Args, Attachments};

use crate::command::{Destination, Refused, Routing, data, rooms};
use crate::metrics::{Counter, GatewayStats};

/// The namespaces that Relay serves.
pub const NAMESPACES: [&str; 2] = ["/", RELAY];
const RELAY: &str = "/relay";

/// The rooms that a user's sockets share begin with this.
const USER_ROOM: &[u8] = b"~u:";

/// What is kept of a socket.
#[derive(Debug, Default)]
pub struct Client {
    /// Who it said it is: JSON text, as sent.
    usuario: Option<Box<str>>,
}

/// Relay's rules on one shard.
#[derive(Debug)]
pub struct Gateway {
    counter: Counter,
}

/// The client's wish for an answer, and the event it belongs to.
#[derive(Clone, Copy)]
struct Reply<'a> {
    socket: SocketKey,
    event: &'a str,
    ack: Option<u64>,
}

impl Gateway {
    /// A gateway that counts in `stats`.
    #[must_use]
    pub fn new(stats: Arc<GatewayStats>) -> Self {
        Self { counter: Counter::new(stats) }
    }

    fn event(
        &mut self,
        cx: &mut Context<'_, Client>,
        socket: SocketKey,
        args: &Args<'_>,
        ack: Option<u64>,
    ) {
        let name = args.event_name();
        let event = ["relay", "notificar", "identificar", "unirse", "salir"]
            .into_iter()
            .find(|known| is_text(&name, known))
            .unwrap_or("");
        let reply = Reply { socket, event, ack };
        let outcome = match event {
            "relay" | "notificar" => self.route(cx, socket, args, event),
            "identificar" => identify(cx, socket, args),
            "unirse" => join(cx, socket, args),
            "salir" => leave(cx, socket, args),
            // An unknown event is ignored, unless somebody waits for an answer.
            _ if ack.is_none() => return,
            _ => Err(Refused::BadData),
        };
        match outcome {
            Ok(()) => accept(cx, reply),
            Err(refused) => {
                self.counter.stats.refused(event, refused);
                refuse(cx, reply, refused);
            }
        }
    }

    /// Sends a message where its data says.
    fn route(
        &mut self,
        cx: &mut Context<'_, Client>,
        socket: SocketKey,
        args: &Args<'_>,
        event: &str,
    ) -> Result<(), Refused> {
        let data = data(args, cx.limits())?;
        let routing = Routing::read(data);
        let destination = routing.destination(cx.limits())?;
        let attachments = match args.attachments() {
            Attachments::List(list) => list,
            Attachments::TooLarge { .. } => return Err(Refused::TooLarge),
        };
        // What is sent on is what came, byte for byte, unless there is something to leave out.
        let cut;
        let passed = if args.elements().nth(2).is_some() {
            cut = format!("[\"{event}\",{data}]");
            cut.as_bytes()
        } else {
            args.raw().as_bytes()
        };
        let audience = match &destination {
            Destination::Sender => None,
            Destination::Everyone => Some(Audience::all()),
            Destination::Others => {
                let own = cx.id(socket).ok_or(Refused::BadData)?;
                Some(Audience::all().except(Room::Socket(own)))
            }
            Destination::Rooms(rooms) => {
                if rooms.iter().any(|room| matches!(room, Room::Text(_)) && room.is_reserved()) {
                    return Err(Refused::BadRoom);
                }
                Some(Audience::rooms(rooms.clone()))
            }
        };
        let sent = match audience {
            None => cx.emit(socket, passed, attachments, false),
            Some(audience) => {
                let packet = Packet::new(passed, attachments);
                cx.broadcast(socket, Broadcast::new(packet, audience))
            }
        };
        match sent {
            Ok(()) => {}
            Err(EmitError::TooLarge) => return Err(Refused::TooLarge),
            Err(EmitError::TooManyAttachments | EmitError::TooManyAcks) => {
                return Err(Refused::TooMany);
            }
            Err(EmitError::Gone) => return Ok(()),
        }
        let kind = routing.tipo.filter(|raw| json::kind(raw) == Kind::String).map(json::unescape);
        self.counter.message(kind.as_deref(), &destination);
        Ok(())
    }
}

impl Application for Gateway {
    type Data = Client;

    fn authorize(&mut self, _request: &ConnectRequest<'_>) -> Decision<Client> {
        Decision::Admit(Client::default())
    }

    fn handle(&mut self, cx: &mut Context<'_, Client>, happening: Happening<'_>) {
        match happening {
            Happening::Connected(socket) => {
                if cx.namespace(socket) == RELAY {
                    self.counter.stats.connections.add(1);
                }
            }
            // In `/` everything is ignored.
            Happening::Event { socket, args, ack } if cx.namespace(socket) == RELAY => {
                self.event(cx, socket, &args, ack);
            }
            Happening::Event { .. }
            | Happening::Acknowledged { .. }
            | Happening::Overdue { .. }
            | Happening::Message { .. } => {}
            Happening::Disconnected { socket, .. } => {
                if cx.namespace(socket) == RELAY {
                    self.counter.stats.connections.sub(1);
                }
            }
        }
    }
}

/// A number is no word, whatever its digits.
fn is_text(name: &relay_socketio::packet::EventName<'_>, word: &str) -> bool {
    matches!(name, relay_socketio::packet::EventName::Text(_)) && name.is(word)
}

fn argument<'a>(args: &Args<'a>) -> Option<&'a str> {
    args.elements().nth(1)
}

fn identify(
    cx: &mut Context<'_, Client>,
    socket: SocketKey,
    args: &Args<'_>,
) -> Result<(), Refused> {
    let usuario = argument(args).ok_or(Refused::BadUser)?;
    if json::kind(usuario) == Kind::Null {
        return Err(Refused::BadUser);
    }
    if usuario.len() > cx.limits().user_bytes_max {
        return Err(Refused::TooLarge);
    }
    let before = cx.data_mut(socket).and_then(|client| client.usuario.replace(usuario.into()));
    if let Some(room) = before.as_deref().and_then(|usuario| user_room(cx, usuario)) {
        cx.leave(socket, &room);
    }
    if let Some(room) = user_room(cx, usuario) {
        joined(cx.join(socket, &room))?;
    }
    Ok(())
}

/// The room that a user's sockets share: only strings and numbers can be looked up, and only if
/// they fit a room's name.
fn user_room(cx: &Context<'_, Client>, usuario: &str) -> Option<Room> {
    let mut name = USER_ROOM.to_vec();
    match json::kind(usuario) {
        Kind::String => {
            name.push(b's');
            name.extend_from_slice(&json::unescape(usuario));
        }
        Kind::Number => {
            name.push(b'n');
            name.extend_from_slice(&json::number(usuario).to_bits().to_be_bytes());
        }
        Kind::Null | Kind::Bool | Kind::Array | Kind::Object => return None,
    }
    // Longer than a socket's id, so that no user's name can look like one.
    name.push(b'~');
    let fits = name.len() <= cx.limits().room_name_bytes_max;
    fits.then(|| Room::Text(name.into()))
}

fn join(cx: &mut Context<'_, Client>, socket: SocketKey, args: &Args<'_>) -> Result<(), Refused> {
    let rooms = rooms(argument(args).ok_or(Refused::BadRoom)?, cx.limits())?;
    if rooms.iter().any(Room::is_reserved) {
        return Err(Refused::BadRoom);
    }
    rooms.iter().try_for_each(|room| joined(cx.join(socket, room)))
}

fn joined(outcome: Result<(), JoinError>) -> Result<(), Refused> {
    match outcome {
        Ok(()) | Err(JoinError::Gone) => Ok(()),
        Err(JoinError::TooManyRooms) => Err(Refused::TooMany),
        Err(JoinError::NameTooLong) => Err(Refused::TooLarge),
    }
}

fn leave(cx: &mut Context<'_, Client>, socket: SocketKey, args: &Args<'_>) -> Result<(), Refused> {
    let rooms = rooms(argument(args).ok_or(Refused::BadRoom)?, cx.limits())?;
    if rooms.iter().any(Room::is_reserved) {
        return Err(Refused::BadRoom);
    }
    for room in &rooms {
        cx.leave(socket, room);
    }
    Ok(())
}

const NO_ATTACHMENTS: &[Bytes] = &[];

fn accept(cx: &mut Context<'_, Client>, reply: Reply<'_>) {
    if let Some(ack) = reply.ack {
        // The socket may have gone meanwhile: then nobody waits.
        let _ = cx.acknowledge(reply.socket, ack, b"[true]", NO_ATTACHMENTS);
    }
}

/// Tells the client: by its acknowledgement if it wants one, else by the event `relay:error`.
fn refuse(cx: &mut Context<'_, Client>, reply: Reply<'_>, refused: Refused) {
    let (code, message) = (refused.code(), refused.message());
    let _ = match reply.ack {
        Some(ack) => {
            let args = format!(r#"[false,{{"code":"{code}","message":"{message}"}}]"#);
            cx.acknowledge(reply.socket, ack, args.as_bytes(), NO_ATTACHMENTS)
        }
        None => {
            let event = reply.event;
            let args = format!(
                r#"["relay:error",{{"event":"{event}","code":"{code}","message":"{message}"}}]"#
            );
            cx.emit(reply.socket, args.as_bytes(), NO_ATTACHMENTS, false)
        }
    };
}
