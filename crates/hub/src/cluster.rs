//! The port to the other instances: what goes out, what comes in.
//!
//! Data alone: how it is written, and what carries it, is the business of an implementation of
//! [`Cluster`]. The hub knows no instance by name; it counts those that answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::application::AckValue;
use crate::broadcast::Broadcast;
use crate::bulk::Bulk;
use crate::room::{Audience, Room, rooms_bytes};

/// What every instance does at its own time, and nobody answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Publication {
    /// A packet for an audience.
    Broadcast(Broadcast),
    /// Something that is done to the sockets of an audience.
    Bulk(Bulk),
    /// An event for the applications of the other instances: a JSON array that begins with its
    /// name.
    ServerSideEvent(Arc<str>),
}

impl Publication {
    fn is_local(&self) -> bool {
        match self {
            Self::Broadcast(broadcast) => broadcast.local,
            Self::Bulk(bulk) => bulk.local,
            Self::ServerSideEvent(_) => false,
        }
    }
}

/// What instances ask each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    /// Which sockets are in an audience, and what is known of them. Each instance answers once,
    /// with [`Response::Sockets`].
    Sockets(Audience),
    /// How many sockets are in an audience. Each instance answers once, with [`Response::Count`].
    Count(Audience),
    /// Which rooms there are, the sockets' own included. Each instance answers once, with
    /// [`Response::Rooms`]. This hub asks it of nobody.
    Rooms,
    /// An event for the applications of the other instances, as in
    /// [`Publication::ServerSideEvent`]. Each instance answers once, with
    /// [`Response::ServerSide`].
    ServerSideEvent(Arc<str>),
    /// A broadcast whose receivers acknowledge it. Each instance answers once with
    /// [`Response::Receivers`], also if it has none, and with [`Response::Ack`] for every
    /// acknowledgement; these may come first.
    Broadcast(Broadcast),
}

/// A part of the answer to a [`Question`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Response {
    /// So many other instances will answer. Said once by the implementation itself to whoever
    /// asked, never by an instance; a question that has not heard it ends by its time-out alone.
    Instances(u32),
    /// So many sockets of an instance were asked.
    Receivers(u32),
    /// One of them acknowledged.
    Ack(AckValue),
    /// Sockets of an instance.
    Sockets(Vec<SocketInfo>),
    /// So many sockets of an instance are in the audience.
    Count {
        /// How many.
        sockets: u64,
        /// Whether these are all that there are: an instance may have too much to do, or may not
        /// tell.
        complete: bool,
    },
    /// Rooms of an instance, each once.
    Rooms(Vec<Room>),
    /// What the application of an instance answered, as JSON text; nothing is an answer too.
    ServerSide(Option<Bytes>),
}

/// What is known of a socket on whatever instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SocketInfo {
    /// Its public id.
    pub id: Box<str>,
    /// A JSON object: what is told of its handshake, without secrets.
    pub handshake: Box<str>,
    /// The rooms that it is in, its own included.
    pub rooms: Vec<Room>,
    /// What the application tells of it, as JSON text.
    pub data: Box<str>,
}

impl SocketInfo {
    /// What it costs to keep, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let text = self.id.len() + self.handshake.len() + self.data.len();
        size_of::<Self>() + text + rooms_bytes(&self.rooms)
    }
}

/// Where the answers to a question go: whatever the implementation that handed the question over
/// needs to find the one who asked. The hub only repeats it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Asker(pub Bytes);

/// What comes from the other instances, for one shard ([`crate::Hub::remote`]).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Remote {
    /// Something that another instance published.
    Publication {
        /// In this namespace, which need not exist here.
        namespace: Box<str>,
        /// What.
        publication: Publication,
    },
    /// Something that another instance asks this one.
    Question {
        /// About this namespace, which need not exist here.
        namespace: Box<str>,
        /// Who.
        asker: Asker,
        /// What.
        question: Question,
        /// How long it waits; after that nothing is answered any more.
        timeout: Duration,
    },
    /// A part of the answer to a question of this shard.
    Response {
        /// The number that [`Cluster::ask`] was given.
        request: u64,
        /// The part.
        response: Response,
    },
}

impl Remote {
    /// What it costs to keep, roughly: queues before a shard are bounded by it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let broadcast = |it: &Broadcast| it.packet.bytes() + it.audience.bytes();
        let contents = match self {
            Self::Publication { namespace, publication } => {
                let bytes = match publication {
                    Publication::Broadcast(it) => broadcast(it),
                    Publication::Bulk(bulk) => bulk.bytes(),
                    Publication::ServerSideEvent(args) => args.len(),
                };
                namespace.len() + bytes
            }
            Self::Question { namespace, asker, question, .. } => {
                let bytes = match question {
                    Question::Sockets(audience) | Question::Count(audience) => audience.bytes(),
                    Question::Rooms => 0,
                    Question::ServerSideEvent(args) => args.len(),
                    Question::Broadcast(it) => broadcast(it),
                };
                namespace.len() + asker.0.len() + bytes
            }
            Self::Response { response, .. } => match response {
                Response::Instances(_)
                | Response::Receivers(_)
                | Response::Count { .. }
                | Response::ServerSide(None) => 0,
                Response::Ack(value) => value.bytes(),
                Response::ServerSide(Some(json)) => json.len(),
                Response::Sockets(sockets) => sockets.iter().map(SocketInfo::bytes).sum(),
                Response::Rooms(rooms) => rooms_bytes(rooms),
            },
        };
        size_of::<Self>() + contents
    }
}

/// Who will answer a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Others {
    /// There is no other instance.
    Nobody,
    /// [`Response::Instances`] will tell.
    Awaited,
    /// There may be others, but they were not asked: the answer is not whole.
    Unreached,
}

/// Whether an instance serves a namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Serving {
    /// From now on.
    Begins,
    /// No more.
    Ends,
}

/// The other instances, as one shard sees them. There is one value per shard, used by its thread
/// alone; nothing waits for it: it takes its copy and returns. A copy is cheap, texts and
/// attachments are shared. Encoding is somebody else's work.
///
/// Guarantees that an implementation may rely on:
/// - Each publication and each question that this instance accepted and that is not local is handed
///   over exactly once, by the shard that accepted it, in that shard's order, as it takes its place
///   in the order of the instance. What came from another instance is never handed over.
/// - Every question that [`crate::Hub::remote`] took is answered, within its time-out.
///
/// Guarantees that it gives: what one instance published in a namespace is handed to one shard of
/// this instance, always the same one, in the order in which it was published, once, and never to
/// the instance itself. Answers go to the shard that asked.
pub trait Cluster {
    /// Takes what the other instances shall do. The namespace may be one that does not exist on
    /// this instance.
    fn publish(&mut self, namespace: &str, publication: &Publication);

    /// Takes a question. Its answers are handed to this shard as [`Remote::Response`] with the same
    /// `request`, as long as `timeout` lasts; what comes later is ignored.
    fn ask(
        &mut self,
        namespace: &str,
        request: u64,
        question: &Question,
        timeout: Duration,
    ) -> Others;

    /// Hears that a question whose answers were awaited has ended: whatever else is answered to it
    /// is for nobody.
    fn done(&mut self, request: u64);

    /// Takes a part of this instance's answer to a question that [`crate::Hub::remote`] took.
    fn answer(&mut self, asker: &Asker, response: Response);

    /// Hears which namespaces the instance serves: those that it was made with before anything else
    /// happens, others as they come and go. What different shards say of one namespace may arrive
    /// in any order: it is served while more of it began than ended.
    fn serve(&mut self, namespace: &str, serving: Serving);
}

/// An instance alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Cluster for Alone {
    fn publish(&mut self, _namespace: &str, _publication: &Publication) {}

    fn ask(&mut self, _: &str, _request: u64, _question: &Question, _timeout: Duration) -> Others {
        Others::Nobody
    }

    fn done(&mut self, _request: u64) {}

    fn answer(&mut self, _asker: &Asker, _response: Response) {}

    fn serve(&mut self, _namespace: &str, _serving: Serving) {}
}

/// The cluster behind a name, so that the core can be printed.
pub(crate) struct ClusterPort(pub(crate) Box<dyn Cluster>);

impl std::fmt::Debug for ClusterPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cluster")
    }
}

impl ClusterPort {
    /// What is local stays here.
    pub(crate) fn publish(&mut self, namespace: &str, publication: &Publication) {
        if !publication.is_local() {
            self.0.publish(namespace, publication);
        }
    }
}
