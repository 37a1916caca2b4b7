//! Requests: what instances ask of each other, and what emitters ask of all.
//!
//! Owns both directions. JSON text, except a broadcast with acknowledgement, which has the form of
//! the cluster's parser.

mod decode;

use relay_hub::{Audience, Broadcast, Packet, Room};
use relay_socketio::json;
use relay_socketio::msgpack::{write_map_header, write_number, write_str};

pub use decode::decode_request;

use super::event::{Refused, is_event, write_packet};
use super::garbage::Garbage;
use super::id::{PeerRequestId, ShortId};
use super::options::{Flags, write_json_audience, write_options};
use super::parser::{Form, Parser};
use super::rooms::write_json_rooms;

/// Events of a server-side emit that would end a Node server, or mean something to it.
const SERVER_SIDE_RESERVED: [&str; 4] = ["connect", "connection", "new_namespace", "error"];

/// A request of a peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerRequest {
    /// Who asks; emitters and old adapters do not say.
    pub uid: Option<String>,
    /// What.
    pub body: PeerRequestBody,
}

/// What a peer asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PeerRequestBody {
    /// The ids of the sockets of an audience; `None` is nobody. Adapters up to 7.2.
    Sockets {
        /// To be repeated.
        id: PeerRequestId,
        /// Which sockets.
        audience: Option<Audience>,
    },
    /// The rooms that exist here.
    AllRooms {
        /// To be repeated.
        id: PeerRequestId,
    },
    /// The rooms of one socket, if it is here. Adapters 5.x.
    RoomsOf {
        /// To be repeated.
        id: PeerRequestId,
        /// The socket.
        socket: Box<[u8]>,
    },
    /// What the application makes of a value; this one makes nothing of it. Adapters 5.x.
    Custom {
        /// To be repeated.
        id: PeerRequestId,
    },
    /// Something is done to the sockets of an audience.
    Change {
        /// Whose.
        audience: Audience,
        /// What.
        change: Change,
        /// An old adapter names one socket and waits for whoever has it.
        confirm: Option<PeerRequestId>,
    },
    /// The same, but it addresses what cannot be a room: nobody.
    ChangeNobody,
    /// The sockets of an audience, with all that is known of them; `None` is nobody.
    Fetch {
        /// To be repeated.
        id: PeerRequestId,
        /// Which sockets.
        audience: Option<Audience>,
    },
    /// How many sockets there are in an audience; `None` is nobody. A [`Self::Fetch`] for whoever does
    /// not know it: servers for Node, and older versions of Relay.
    Count {
        /// Who asks, and is answered on a channel of its own.
        asker: ShortId,
        /// To be repeated.
        id: PeerRequestId,
        /// Which sockets.
        audience: Option<Audience>,
    },
    /// An event for the applications of all instances.
    ServerSideEmit {
        /// Its sender waits for one answer of each instance.
        id: Option<PeerRequestId>,
        /// A checked JSON array: the name, then the arguments.
        args: String,
    },
    /// A broadcast whose receivers acknowledge.
    Broadcast {
        /// To be repeated by the count and by each acknowledgement.
        id: PeerRequestId,
        /// What is sent.
        packet: Packet,
        /// Who gets it; `None` is nobody.
        audience: Option<Audience>,
        /// How.
        flags: Flags,
    },
    /// It cannot be carried out, but its sender waits for an answer of this kind.
    Unusable {
        /// To be repeated.
        id: PeerRequestId,
        /// What the sender waits for.
        answer: AnswerKind,
        /// What is wrong.
        why: Garbage,
    },
}

/// What is done to sockets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// They join rooms.
    Join(Vec<Room>),
    /// They leave rooms.
    Leave(Vec<Room>),
    /// They are disconnected.
    Disconnect {
        /// With their connections.
        close: bool,
    },
}

/// The kinds of answer that a request can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnswerKind {
    /// A list of ids.
    Ids,
    /// A list of sockets.
    Sockets,
    /// How many sockets there are, for the instance of this id alone.
    Count(ShortId),
    /// The value of a server-side emit.
    ServerSide,
    /// How many clients got a broadcast.
    ClientCount,
}

/// The numbers of requests, as adapters have them since 6.0; those of 5.x are translated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum RequestType {
    Sockets = 0,
    AllRooms = 1,
    Join = 2,
    Leave = 3,
    Disconnect = 4,
    Fetch = 5,
    ServerSideEmit = 6,
    Broadcast = 7,
    /// Of 5.x alone.
    RoomsOf,
    /// Of 5.x alone.
    Custom,
}

/// A request of this instance.
#[derive(Clone, Copy, Debug)]
pub enum OwnRequest<'a> {
    /// Sockets of the other instances join rooms.
    Join {
        /// Whose.
        audience: &'a Audience,
        /// Which.
        rooms: &'a [Room],
    },
    /// Sockets of the other instances leave rooms.
    Leave {
        /// Whose.
        audience: &'a Audience,
        /// Which.
        rooms: &'a [Room],
    },
    /// Sockets of the other instances are disconnected.
    Disconnect {
        /// Which.
        audience: &'a Audience,
        /// With their connections.
        close: bool,
    },
    /// What the other instances know of the sockets of an audience.
    Fetch {
        /// Every instance repeats it.
        id: ShortId,
        /// Which sockets.
        audience: &'a Audience,
    },
    /// How many sockets of an audience the other instances have.
    Count {
        /// Every instance repeats it.
        id: ShortId,
        /// Which sockets.
        audience: &'a Audience,
    },
    /// An event for the applications of the other instances.
    ServerSideEmit {
        /// If answers are awaited.
        id: Option<ShortId>,
        /// A checked JSON array: the name, then the arguments.
        args_json: &'a str,
    },
}

/// Appends a request of the instance that is `uid`, as JSON.
///
/// # Errors
/// [`Refused::NotAnEvent`] for a server-side emit whose name would end a Node server.
pub fn write_request(
    out: &mut Vec<u8>,
    uid: &ShortId,
    request: &OwnRequest<'_>,
) -> Result<(), Refused> {
    if let OwnRequest::ServerSideEmit { args_json, .. } = request
        && !is_event(args_json, &SERVER_SIDE_RESERVED)
    {
        return Err(Refused::NotAnEvent);
    }
    let write_head = |out: &mut Vec<u8>, id: Option<ShortId>, request_type: RequestType| {
        write_json_head(out, uid, id.as_ref(), request_type);
    };
    let write_audience = |out: &mut Vec<u8>, audience: &Audience| {
        out.extend_from_slice(b",\"opts\":");
        write_json_audience(out, audience);
    };
    match *request {
        OwnRequest::Join { audience, rooms } | OwnRequest::Leave { audience, rooms } => {
            let joins = matches!(request, OwnRequest::Join { .. });
            write_head(out, None, if joins { RequestType::Join } else { RequestType::Leave });
            write_audience(out, audience);
            out.extend_from_slice(b",\"rooms\":");
            write_json_rooms(out, rooms);
        }
        OwnRequest::Disconnect { audience, close } => {
            write_head(out, None, RequestType::Disconnect);
            write_audience(out, audience);
            out.extend_from_slice(if close { b",\"close\":true" } else { b",\"close\":false" });
        }
        OwnRequest::Fetch { id, audience } | OwnRequest::Count { id, audience } => {
            write_head(out, Some(id), RequestType::Fetch);
            write_audience(out, audience);
            if matches!(request, OwnRequest::Count { .. }) {
                out.extend_from_slice(b",\"relay\":\"count\"");
            }
        }
        OwnRequest::ServerSideEmit { id, args_json } => {
            write_head(out, id, RequestType::ServerSideEmit);
            out.extend_from_slice(b",\"data\":");
            out.extend_from_slice(args_json.as_bytes());
        }
    }
    out.push(b'}');
    Ok(())
}

/// Appends the request for a broadcast whose receivers acknowledge within `timeout_ms`.
///
/// # Errors
/// What makes it unfit for the other instances; then nothing is appended.
pub fn write_broadcast_with_ack(
    out: &mut Vec<u8>,
    parser: Parser,
    (uid, id): (&ShortId, &ShortId),
    namespace: &str,
    broadcast: &Broadcast,
    timeout_ms: u32,
    bytes_max: usize,
) -> Result<(), Refused> {
    let begin = out.len();
    match parser.form() {
        Form::Json => {
            write_json_head(out, uid, Some(id), RequestType::Broadcast);
            out.extend_from_slice(b",\"packet\":");
        }
        Form::Msgpack(library) => {
            write_map_header(out, 5);
            write_str(out, b"uid");
            write_str(out, uid.as_bytes());
            write_str(out, b"requestId");
            write_str(out, id.as_bytes());
            write_str(out, b"type");
            write_number(out, f64::from(RequestType::Broadcast as u8), library);
            write_str(out, b"packet");
        }
    }
    let written = write_packet(out, parser, namespace, &broadcast.packet, bytes_max);
    if written.is_err() {
        out.truncate(begin);
        return written;
    }
    match parser.form() {
        Form::Json => out.extend_from_slice(b",\"opts\":"),
        Form::Msgpack(_) => write_str(out, b"opts"),
    }
    let flags = Flags {
        volatile: broadcast.volatile,
        timeout_ms: Some(timeout_ms),
        expect_single_response: false,
    };
    write_options(out, parser, &broadcast.audience, flags);
    if let Form::Json = parser.form() {
        out.push(b'}');
    }
    Ok(())
}

fn write_json_head(
    out: &mut Vec<u8>,
    uid: &ShortId,
    id: Option<&ShortId>,
    request_type: RequestType,
) {
    out.extend_from_slice(b"{\"uid\":");
    json::write_string(out, uid.as_str());
    if let Some(id) = id {
        out.extend_from_slice(b",\"requestId\":");
        json::write_string(out, id.as_str());
    }
    out.extend_from_slice(b",\"type\":");
    out.push(b'0' + request_type as u8);
}
