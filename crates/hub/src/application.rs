//! The port to the application: what it is asked, and what it is told.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use relay_socketio::packet::Args;

use crate::cluster::SocketInfo;
use crate::context::Context;
use crate::reason::EndReason;
use crate::session::{SessionEnd, SessionSummary};
use crate::slots::Key;

/// A socket: a connection within a namespace. Local to its shard, stale after its end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct SocketKey {
    pub(crate) namespace: usize,
    pub(crate) key: Key,
}

/// What is known of a connection from its handshake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handshake {
    /// The client's address: the peer's, or what a trusted proxy says.
    pub address: IpAddr,
    /// The head of its request, as far as it is kept.
    pub head: Option<Arc<Head>>,
}

impl Handshake {
    /// A handshake of which the address alone is kept.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self { address, head: None }
    }

    /// What the application made the instance keep, in bytes.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.head.as_ref().map_or(0, |head| head.bytes())
    }
}

/// The head of the request that a session began with. Holds secrets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Head {
    /// What stands behind the `?`, as sent.
    pub query: Box<str>,
    /// Its header fields, in the order in which they came.
    pub fields: Box<[Field]>,
}

/// A header field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name; letters of either case are the same.
    pub name: Box<str>,
    /// Its value: any bytes.
    pub value: Box<[u8]>,
}

impl Head {
    /// The value of the first header field of this name, whatever the case of its letters.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        let its = self.fields.iter().find(|its| its.name.eq_ignore_ascii_case(name));
        its.map(|its| &*its.value)
    }

    /// Its weight in the memory budget.
    fn bytes(&self) -> usize {
        let fields = self.fields.iter().map(|it| it.name.len() + it.value.len() + 64);
        self.query.len() + fields.sum::<usize>() + size_of::<Self>()
    }
}

/// Which protocol an application speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layer {
    /// Sockets, namespaces, events.
    SocketIo,
    /// The messages of Engine.IO sessions as they are.
    EngineIo,
}

/// A message of an Engine.IO session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

/// Names a CONNECT that the application has yet to decide on; see [`Decision::Later`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ticket {
    /// The shard whose hub must be told.
    pub shard: usize,
    pub(crate) number: u64,
}

/// What the application says to a CONNECT.
#[derive(Debug)]
pub enum Decision<D> {
    /// The socket joins; this is what the application keeps for it.
    Admit(D),
    /// It does not.
    Refuse(Refusal),
    /// [`crate::Hub::decide`] will tell, within [`crate::Limits::decision_timeout`]. Until then the
    /// client has no answer, and nobody else waits for it.
    Later,
}

impl<D> From<Result<D, Refusal>> for Decision<D> {
    fn from(decided: Result<D, Refusal>) -> Self {
        match decided {
            Ok(data) => Self::Admit(data),
            Err(refusal) => Self::Refuse(refusal),
        }
    }
}

/// A client that asks to join a namespace.
#[derive(Debug)]
pub struct ConnectRequest<'a> {
    /// What to call this request by, if the decision comes later.
    pub ticket: Ticket,
    /// The namespace, with its `/`.
    pub namespace: &'a str,
    /// The connection's handshake.
    pub handshake: Handshake,
    /// What the client sent along: a JSON object, checked, as sent. Holds secrets.
    pub auth: Option<&'a str>,
}

/// A refusal of a CONNECT; the client gets it as a `connect_error`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The error's message.
    pub message: String,
    /// More, as JSON text.
    pub data: Option<String>,
}

impl Refusal {
    /// A refusal with a message alone.
    #[must_use]
    pub fn new(message: &str) -> Self {
        Self { message: message.to_owned(), data: None }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// A CONNECT that the hub refused by itself: there is no such namespace, a bound was reached, or the
/// application did not decide in time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectRefused {
    /// The client's address.
    pub address: IpAddr,
    /// The message that it got.
    pub message: &'static str,
}

/// The first argument of an acknowledgement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AckValue {
    /// JSON text; `null` stands for an acknowledgement without arguments.
    pub json: Bytes,
    /// The binaries that its placeholders name by their index, and perhaps some that it does not.
    /// Without any, what looks like a placeholder is plain data.
    pub attachments: Vec<Bytes>,
}

impl AckValue {
    /// A value without binaries.
    #[must_use]
    pub fn json(json: Bytes) -> Self {
        Self { json, attachments: Vec::new() }
    }

    /// No value.
    #[must_use]
    pub fn null() -> Self {
        Self::json(Bytes::from_static(b"null"))
    }

    /// What it costs to keep, roughly: an empty one is not free.
    pub(crate) fn bytes(&self) -> usize {
        let attachment = |it: &Bytes| size_of::<Bytes>() + it.len();
        let attachments: usize = self.attachments.iter().map(attachment).sum();
        size_of::<Self>() + self.json.len() + attachments
    }
}

/// The answers to a broadcast with acknowledgement: the first argument of each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answers {
    /// In the order of arrival.
    pub answers: Vec<AckValue>,
    /// Sockets that were asked.
    pub asked: u32,
    /// Whether all of them answered in time.
    pub complete: bool,
}

/// What became of an emit with acknowledgement.
#[derive(Debug)]
pub enum Answer<'a> {
    /// The socket answered.
    Args(Args<'a>),
    /// It did not in time.
    Timeout,
    /// It ended first.
    Disconnected,
    /// A broadcast's answers.
    Broadcast(Answers),
}

/// What the application is told, in order.
#[derive(Debug)]
pub enum Happening<'a> {
    /// A socket joined its namespace; the client knows its id already.
    Connected(SocketKey),
    /// A session said something; only with [`Layer::EngineIo`].
    Message {
        /// Which session.
        connection: Key,
        /// What.
        message: Message<'a>,
    },
    /// A client sent an event.
    Event {
        /// Who.
        socket: SocketKey,
        /// The name and the arguments.
        args: Args<'a>,
        /// Set if the client wants an acknowledgement: see [`Context::acknowledge`].
        ack: Option<u64>,
    },
    /// An event that was [deferred](Context::defer) is out of time; its connection goes on.
    Overdue {
        /// Whose event.
        socket: SocketKey,
        /// What the application called it.
        token: u64,
    },
    /// The outcome of an emit or a broadcast with acknowledgement.
    Acknowledged {
        /// What the application called it.
        token: u64,
        /// The outcome.
        answer: Answer<'a>,
    },
    /// What [`Context::fetch_sockets`] found.
    Fetched {
        /// What the application called it.
        token: u64,
        /// The sockets.
        sockets: Vec<SocketInfo>,
        /// Whether every instance said all that it knows in time.
        complete: bool,
    },
    /// What [`Context::count_sockets`] came to.
    Counted {
        /// What the application called it.
        token: u64,
        /// How many sockets.
        sockets: u64,
        /// Whether every instance told of all of its own in time.
        complete: bool,
    },
    /// Another instance's application sent an event to this one. Of the applications of this
    /// instance one is told.
    ServerSideEvent {
        /// The namespace that it speaks of.
        namespace: &'a str,
        /// A JSON array: the event's name, then its arguments.
        args: &'a str,
        /// Whether [`Context::answer_server_side`] reaches it.
        wants_answer: bool,
    },
    /// A socket ended. It is in no room any more and nothing reaches it; its data is still there.
    Disconnected {
        /// Which.
        socket: SocketKey,
        /// Why.
        reason: EndReason,
        /// What its session had been until then.
        session: SessionSummary,
    },
}

/// An application on top of the hub. There is one value per shard, used by its thread alone.
///
/// A panic in any method ends the connection on whose behalf it ran, and nothing else. What the
/// application had half done to its own state is its own business.
pub trait Application {
    /// What the application keeps for each socket.
    type Data;

    /// The protocol that it speaks. With [`Layer::EngineIo`] nothing but
    /// [`Happening::Message`] is ever told.
    const LAYER: Layer = Layer::SocketIo;

    /// Whether a namespace that the instance was not made with exists for this client. It is made
    /// with its first socket and vanishes with its last.
    fn offers(&mut self, request: &ConnectRequest<'_>) -> bool {
        let _ = request;
        false
    }

    /// Decides on a CONNECT to a namespace that exists, before the client is answered.
    fn authorize(&mut self, request: &ConnectRequest<'_>) -> Decision<Self::Data>;

    /// What other instances, and whoever [fetches](Context::fetch_sockets), are told of a socket
    /// besides its rooms: JSON text. Without it they see an empty object.
    fn socket_data(&mut self, data: &Self::Data) -> Option<String> {
        let _ = data;
        None
    }

    /// Told of the end of every session, after those of its sockets; for records.
    fn session_ended(&mut self, end: &SessionEnd) {
        let _ = end;
    }

    /// Told of every CONNECT that was refused without its word; for records.
    fn connect_refused(&mut self, refused: &ConnectRefused) {
        let _ = refused;
    }

    /// Handles what happened, at once: nothing else of this shard runs meanwhile.
    fn handle(&mut self, cx: &mut Context<'_, Self::Data>, happening: Happening<'_>);
}
