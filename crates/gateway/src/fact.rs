//! What happens, for whoever keeps records of it: one type for all readers, such as logs.
//!
//! Owns the facts and the names of their parts. Does not own where they are written, nor how many.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use relay_hub::{Context, EndReason, Room, SessionEnd, SessionSummary, SocketId, SocketKey};
use relay_socketio::json::{self, Kind};

use crate::client::Client;
use crate::command::Destination;
use crate::denial::{Code, Reply};

/// Who it is that has not said so.
const NOBODY: &str = "anónimo";
/// The type of a message that names none.
const NO_TYPE: &str = "sin-tipo";

/// Something that happened on this instance. What it borrows came from clients, but for words.
#[derive(Debug)]
#[non_exhaustive]
pub enum Fact<'a> {
    /// A socket is in the namespace.
    Connected {
        /// Its public id.
        socket: SocketId,
        /// Its session.
        session: SessionSummary,
    },
    /// A request for a session was refused: there is none that anything else could be told of.
    HandshakeRefused {
        /// The client's address.
        address: IpAddr,
        /// A word for why.
        reason: &'static str,
        /// Engine.IO's code, if the client got one.
        code: Option<u8>,
        /// The HTTP status that it got.
        status: u16,
    },
    /// A client that wanted into a namespace was refused: by the program, because it has too many to
    /// decide on or did not decide in time, or since there is no such namespace.
    ConnectRefused {
        /// Its address.
        address: IpAddr,
        /// What it was told.
        message: &'a str,
    },
    /// A socket is some user's from now on.
    Identified {
        /// Its public id.
        socket: SocketId,
        /// JSON text, as sent.
        user: &'a str,
    },
    /// A message has its place in the order. Its payload is no part of the fact.
    Message {
        /// Whether it is a notification.
        is_notification: bool,
        /// Who sent it.
        socket: SocketId,
        /// Whose that socket is: JSON text, as sent.
        user: Option<&'a str>,
        /// Its type, WTF-8.
        kind: Option<&'a [u8]>,
        /// Where it went.
        destination: &'a Destination,
        /// Bytes of its arguments, attachments included.
        bytes: usize,
    },
    /// An event was refused.
    Refused {
        /// The event's name on the wire; empty for one that is unknown.
        event: &'static str,
        /// Who sent it.
        socket: SocketId,
        /// Whose that socket is: JSON text, as sent.
        user: Option<&'a str>,
        /// Why.
        code: Code,
    },
    /// A socket left the namespace, or its session ended.
    Disconnected {
        /// Its public id.
        socket: SocketId,
        /// Whose it was: JSON text, as sent.
        user: Option<&'a str>,
        /// Why.
        reason: EndReason,
        /// Its session up to then.
        session: SessionSummary,
    },
    /// A session ended that was never in any namespace.
    NeverJoined(SessionEnd),
}

/// A part of a fact.
#[derive(Debug)]
pub enum Part<'a> {
    /// A word of ours.
    Word(&'static str),
    /// What a client said: any bytes, of any length.
    Text(Cow<'a, [u8]>),
    /// A number.
    Number(u64),
}

impl<'a> Fact<'a> {
    /// Its name in records.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connected { .. } => "connected",
            Self::HandshakeRefused { .. } => "handshake_refused",
            Self::ConnectRefused { .. } => "connect_refused",
            Self::Identified { .. } => "identified",
            Self::Message { is_notification: false, .. } => "message",
            Self::Message { is_notification: true, .. } => "notification",
            Self::Refused { .. } => "refused",
            Self::Disconnected { .. } => "disconnected",
            Self::NeverJoined(_) => "never_joined",
        }
    }

    /// Its parts by their names in records, in order.
    pub fn parts(&self, add: &mut dyn FnMut(&'static str, Part<'a>)) {
        match self {
            Self::Connected { socket, session } => {
                add("socketId", id(*socket));
                add("address", shown(&session.address));
                add("transport", transport(session));
            }
            Self::HandshakeRefused { address, reason, code, status } => {
                add("reason", Part::Word(reason));
                add("address", shown(address));
                code.iter().for_each(|code| add("code", Part::Number((*code).into())));
                add("status", Part::Number((*status).into()));
            }
            Self::ConnectRefused { address, message } => {
                add("address", shown(address));
                add("reason", Part::Text(message.as_bytes().into()));
            }
            Self::Identified { socket, user } => {
                add("usuario", who(Some(user)));
                add("socketId", id(*socket));
            }
            Self::Message { socket, user, kind, destination, bytes, .. } => {
                add("usuario", who(*user));
                add("tipo", Part::Text(kind.unwrap_or(NO_TYPE.as_bytes()).into()));
                add("destino", Part::Word(destination.word()));
                if let Destination::Rooms(rooms) = destination {
                    rooms.first().into_iter().for_each(|first| add("room", room(first)));
                    if rooms.len() > 1 {
                        add("rooms", Part::Number(rooms.len() as u64));
                    }
                }
                add("socketId", id(*socket));
                add("dataSize", Part::Number(*bytes as u64));
            }
            Self::Refused { event, socket, user, code } => {
                add("usuario", who(*user));
                add("socketId", id(*socket));
                add("refused", Part::Word(if event.is_empty() { "otro" } else { event }));
                add("code", Part::Word(code.as_str()));
            }
            Self::Disconnected { socket, user, reason, session } => {
                add("usuario", who(*user));
                add("socketId", id(*socket));
                end(*reason, session, add);
            }
            Self::NeverJoined(it) => end(it.reason, &it.session, add),
        }
    }
}

fn end<'a>(
    reason: EndReason,
    session: &SessionSummary,
    add: &mut dyn FnMut(&'static str, Part<'a>),
) {
    add("address", shown(&session.address));
    add("transport", transport(session));
    add("reason", Part::Word(reason.end().label));
    add("closedBy", Part::Word(reason.closer().as_str()));
    let millis = u64::try_from(session.age.as_millis()).unwrap_or(u64::MAX);
    add("durationMs", Part::Number(millis));
    add("receivedBytes", Part::Number(session.received_bytes));
    add("sentBytes", Part::Number(session.sent_bytes));
}

fn id<'a>(socket: SocketId) -> Part<'a> {
    Part::Text(socket.to_ascii().to_vec().into())
}

fn shown<'a>(it: &impl ToString) -> Part<'a> {
    Part::Text(it.to_string().into_bytes().into())
}

fn transport<'a>(session: &SessionSummary) -> Part<'a> {
    Part::Word(if session.is_polling { "polling" } else { "websocket" })
}

/// Strings by what is in them, anything else by its JSON.
fn who(user: Option<&str>) -> Part<'_> {
    Part::Text(match user {
        None => NOBODY.as_bytes().into(),
        Some(raw) if json::kind(raw) == Kind::String => json::unescape(raw),
        Some(raw) => raw.as_bytes().into(),
    })
}

fn room<'a>(room: &Room) -> Part<'a> {
    match room {
        Room::Text(name) => Part::Text(name.to_vec().into()),
        Room::Number(bits) => shown(&f64::from_bits(*bits)),
        Room::Socket(socket) => id(*socket),
    }
}

/// Takes facts. Called on a shard's thread, or where the program's futures run: it must not block.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn observe(&self, fact: &Fact<'_>);
}

/// The observer of one shard, if there is one. Without one nothing is looked up for it.
#[derive(Clone, Default)]
pub(crate) struct Witness(Option<Arc<dyn Observer>>);

impl From<Arc<dyn Observer>> for Witness {
    fn from(observer: Arc<dyn Observer>) -> Self {
        Self(Some(observer))
    }
}

impl Witness {
    pub(crate) fn tell(&self, fact: &Fact<'_>) {
        if let Some(observer) = &self.0 {
            observer.observe(fact);
        }
    }

    /// Tells what there is to say of a socket: its id, and who it is.
    pub(crate) fn tell_of<'a>(
        &self,
        cx: &'a Context<'_, Client>,
        socket: SocketKey,
        fact: impl FnOnce(SocketId, Option<&'a str>) -> Option<Fact<'a>>,
    ) {
        if let Some(observer) = &self.0
            && let Some(id) = cx.id(socket)
            && let Some(fact) = fact(id, cx.data(socket).and_then(|it| it.usuario.as_deref()))
        {
            observer.observe(&fact);
        }
    }

    pub(crate) fn identified(&self, cx: &Context<'_, Client>, socket: SocketKey) {
        self.tell_of(cx, socket, |socket, user| Some(Fact::Identified { socket, user: user? }));
    }

    pub(crate) fn refused(&self, cx: &Context<'_, Client>, reply: Reply, code: Code) {
        let event = reply.event;
        self.tell_of(cx, reply.socket, |socket, user| {
            Some(Fact::Refused { event, socket, user, code })
        });
    }
}
