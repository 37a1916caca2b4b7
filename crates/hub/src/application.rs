//! The port to the application: what it is asked, and what it is told.

use std::net::IpAddr;

use bytes::Bytes;
use relay_socketio::packet::Args;

use crate::context::Context;
use crate::reason::EndReason;
use crate::slots::Key;

/// A socket: a connection within a namespace. Local to its shard, stale after its end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct SocketKey {
    pub(crate) namespace: usize,
    pub(crate) key: Key,
}

/// What is known of a connection from its handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handshake {
    /// The peer's address.
    pub address: IpAddr,
}

/// A client that asks to join a namespace.
#[derive(Debug)]
pub struct ConnectRequest<'a> {
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

/// The answers to a broadcast with acknowledgement: the first argument of each, as JSON text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answers {
    /// In the order of arrival. `null` stands for an answer without arguments.
    pub answers: Vec<Bytes>,
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
    /// A client sent an event.
    Event {
        /// Who.
        socket: SocketKey,
        /// The name and the arguments.
        args: Args<'a>,
        /// Set if the client wants an acknowledgement: see [`Context::acknowledge`].
        ack: Option<u64>,
    },
    /// The outcome of an emit or a broadcast with acknowledgement.
    Acknowledged {
        /// What the application called it.
        token: u64,
        /// The outcome.
        answer: Answer<'a>,
    },
    /// A socket ended. It is in no room any more and nothing reaches it; its data is still there.
    Disconnected {
        /// Which.
        socket: SocketKey,
        /// Why.
        reason: EndReason,
    },
}

/// An application on top of the hub. There is one value per shard, used by its thread alone.
///
/// A panic in either method ends the connection on whose behalf it ran, and nothing else. What the
/// application had half done to its own state is its own business.
pub trait Application {
    /// What the application keeps for each socket.
    type Data;

    /// Decides on a CONNECT to one of the namespaces, before the client is answered.
    ///
    /// # Errors
    /// The refusal that the client gets; its connection stays.
    fn authorize(&mut self, request: &ConnectRequest<'_>) -> Result<Self::Data, Refusal>;

    /// Handles what happened, at once: nothing else of this shard runs meanwhile.
    fn handle(&mut self, cx: &mut Context<'_, Self::Data>, happening: Happening<'_>);
}
