//! Answers of this instance to requests of its peers.
//!
//! A Node server that counts on an answer and gets none keeps its application waiting until the
//! time-out; one that gets two is misled for good. Who answers once is the caller's care.

use relay_hub::{Bytes, Room};
use relay_socketio::json;
use relay_socketio::msgpack::{write_map_header, write_number, write_str};

use super::event::{Refused, write_with_binaries};
use super::id::{PeerRequestId, Spelling};
use super::parser::{Form, Parser};
use super::request::AnswerKind;
use super::rooms::{utf8, write_json_rooms};

/// What peers get to know of a socket.
#[derive(Clone, Copy, Debug)]
pub struct SocketFacts<'a> {
    /// Its public id.
    pub id: &'a str,
    /// A JSON object: what it said when it connected, without secrets.
    pub handshake_json: &'a str,
    /// The rooms it is in.
    pub rooms: &'a [Room],
    /// What the application keeps for it, as JSON.
    pub data_json: &'a str,
}

/// An answer.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// Ids of sockets.
    Ids(&'a [&'a str]),
    /// Names of rooms.
    Rooms(&'a [Room]),
    /// Sockets.
    Sockets(&'a [SocketFacts<'a>]),
    /// How many sockets there are. Only instances of Relay ask for it.
    Count {
        /// How many.
        sockets: u64,
        /// Whether these are all.
        complete: bool,
    },
    /// It was done.
    Done,
    /// What the application answered to a server-side emit, as JSON; nothing is an answer too.
    ServerSide(Option<&'a str>),
    /// How many clients get the broadcast.
    ClientCount(u32),
    /// Nothing is made of a custom request.
    Custom,
}

impl AnswerKind {
    /// The answer of an instance that has nothing to say.
    #[must_use]
    pub fn empty(self) -> Answer<'static> {
        match self {
            Self::Ids => Answer::Ids(&[]),
            Self::Sockets => Answer::Sockets(&[]),
            // It does not pretend to know.
            Self::Count(_) => Answer::Count { sockets: 0, complete: false },
            Self::ServerSide => Answer::ServerSide(None),
            Self::ClientCount => Answer::ClientCount(0),
        }
    }
}

/// Appends an answer, as JSON.
pub fn write_answer(out: &mut Vec<u8>, id: &PeerRequestId, answer: &Answer<'_>) {
    out.push(b'{');
    match answer {
        Answer::ServerSide(_) => out.extend_from_slice(b"\"type\":6,"),
        Answer::ClientCount(_) => out.extend_from_slice(b"\"type\":8,"),
        Answer::Ids(_)
        | Answer::Rooms(_)
        | Answer::Sockets(_)
        | Answer::Count { .. }
        | Answer::Done
        | Answer::Custom => {}
    }
    out.extend_from_slice(match id.spelling {
        Spelling::Current => b"\"requestId\":",
        Spelling::Version5 => b"\"requestid\":",
    });
    json::write_string_wtf8(out, &id.text);
    match answer {
        Answer::Ids(ids) => {
            out.extend_from_slice(match id.spelling {
                Spelling::Current => b",\"sockets\":",
                Spelling::Version5 => b",\"clients\":",
            });
            write_list(out, ids, |out, id| json::write_string(out, id));
        }
        Answer::Rooms(rooms) => {
            out.extend_from_slice(b",\"rooms\":");
            write_json_rooms(out, rooms);
        }
        Answer::Sockets(sockets) => {
            out.extend_from_slice(b",\"sockets\":");
            write_list(out, sockets, write_socket);
        }
        Answer::Count { sockets, complete } => {
            let count = format!(",\"count\":{sockets},\"complete\":{complete}");
            out.extend_from_slice(count.as_bytes());
        }
        Answer::Done | Answer::ServerSide(None) => {}
        Answer::ServerSide(Some(data)) => {
            out.extend_from_slice(b",\"data\":");
            out.extend_from_slice(data.as_bytes());
        }
        Answer::ClientCount(count) => {
            out.extend_from_slice(format!(",\"clientCount\":{count}").as_bytes());
        }
        Answer::Custom => out.extend_from_slice(b",\"data\":null"),
    }
    out.push(b'}');
}

fn write_list<T>(out: &mut Vec<u8>, list: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (at, element) in list.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, element);
    }
    out.push(b']');
}

fn write_socket(out: &mut Vec<u8>, socket: &SocketFacts<'_>) {
    out.extend_from_slice(b"{\"id\":");
    json::write_string(out, socket.id);
    out.extend_from_slice(b",\"handshake\":");
    out.extend_from_slice(socket.handshake_json.as_bytes());
    out.extend_from_slice(b",\"rooms\":");
    write_json_rooms(out, socket.rooms);
    out.extend_from_slice(b",\"data\":");
    out.extend_from_slice(socket.data_json.as_bytes());
    out.push(b'}');
}

/// Appends what one client acknowledged a broadcast with, in the form of the cluster's parser: the
/// first argument, if it gave any, with the binaries that it refers to.
///
/// # Errors
/// What makes it unfit for a Node server; then nothing is appended.
pub fn write_ack(
    out: &mut Vec<u8>,
    parser: Parser,
    id: &PeerRequestId,
    first_json: Option<&str>,
    attachments: &[Bytes],
    bytes_max: usize,
) -> Result<(), Refused> {
    let begin = out.len();
    match parser.form() {
        Form::Json => {
            out.extend_from_slice(b"{\"type\":9,\"requestId\":");
            json::write_string_wtf8(out, &id.text);
        }
        Form::Msgpack(library) => {
            write_map_header(out, if first_json.is_some() { 3 } else { 2 });
            write_str(out, b"type");
            write_number(out, 9.0, library);
            write_str(out, b"requestId");
            write_str(out, &utf8(&id.text));
        }
    }
    if let Some(first) = first_json {
        match parser.form() {
            Form::Json => out.extend_from_slice(b",\"packet\":"),
            Form::Msgpack(_) => write_str(out, b"packet"),
        }
        let written = write_with_binaries(out, parser, first, attachments, bytes_max);
        if written.is_err() {
            out.truncate(begin);
            return written;
        }
    }
    if let Form::Json = parser.form() {
        out.push(b'}');
    }
    Ok(())
}
