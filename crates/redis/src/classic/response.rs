//! Answers of peers to requests of this instance.

use relay_hub::{AckValue, Bytes, Room, SocketInfo};
use relay_socketio::json::{self, Kind};
use relay_socketio::msgpack::{Reader, Token};

use super::document::{DecodeLimits, Document, members, number, string};
use super::garbage::Garbage;
use super::id::bounded;
use super::parser::{Form, Parser};
use super::rooms::RoomList;

/// An answer of a peer. Everybody hears most of them: the id says whose request it is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerResponse {
    /// The id of the request, as the peer repeats it; WTF-8.
    pub request_id: Vec<u8>,
    /// What it says.
    pub body: PeerResponseBody,
}

/// What an answer says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PeerResponseBody {
    /// Sockets; of some only the id is told.
    Sockets(Vec<RemoteSocket>),
    /// The value of a server-side emit, as JSON, if there is one.
    ServerSide(Option<String>),
    /// How many clients of the peer get a broadcast.
    ClientCount(u32),
    /// The acknowledgement of one client: its first argument, if it gave one.
    Ack(Option<AckValue>),
    /// An answer without contents that we would ask for.
    Other,
}

/// A socket of another instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoteSocket {
    /// Its public id.
    pub id: String,
    /// Checked JSON: the facts of its handshake, `null` if they are not told.
    pub handshake_json: String,
    /// The rooms it is in.
    pub rooms: Vec<Room>,
    /// Checked JSON: what the application keeps for it, `null` if that is not told.
    pub data_json: String,
}

/// How many sockets of an audience an instance has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerCount {
    /// How many.
    pub sockets: u64,
    /// Whether these are all that it has.
    pub complete: bool,
}

impl RemoteSocket {
    /// What it costs to keep at the least.
    fn bytes(&self) -> usize {
        let text = self.id.len() + self.handshake_json.len() + self.data_json.len();
        size_of::<SocketInfo>() + text + self.rooms.len() * size_of::<Room>()
    }
}

/// The id of the request that a message on a channel of answers is about: found without looking
/// at more of it than stands in front, since most answers are for others.
///
/// # Errors
/// What makes the message no answer.
pub fn answered_id(parser: Parser, bytes: &[u8], limits: DecodeLimits) -> Result<Vec<u8>, Garbage> {
    const NAMES: [&str; 2] = ["requestId", "requestid"];
    if bytes.len() > limits.message_bytes_max {
        return Err(Garbage::TooLarge);
    }
    let library = match parser.form() {
        Form::Msgpack(library) if bytes.first() != Some(&b'{') => library,
        Form::Json | Form::Msgpack(_) => {
            let text = String::from_utf8_lossy(bytes);
            let mut members = json::members(&text);
            let found =
                members.find(|(key, _)| NAMES.iter().any(|name| json::string_is(key, name)));
            let id = string(found.map(|(_, value)| value)).ok_or(Garbage::Shape("requestId"))?;
            return Ok(bounded(&id)?.to_vec());
        }
    };
    let mut reader = Reader::new(bytes, library);
    let Token::Map(count) = reader.token()? else { return Err(Garbage::Shape("message")) };
    for _ in 0..count {
        let (key, value) = (reader.whole()?, reader.whole()?);
        if NAMES.iter().any(|name| key == Token::Str(name.as_bytes())) {
            let Token::Str(id) = value else { break };
            return Ok(bounded(id)?.to_vec());
        }
    }
    Err(Garbage::Shape("requestId"))
}

/// Decodes a message on a channel of answers.
///
/// # Errors
/// What makes the message no answer.
pub fn decode_response(
    parser: Parser,
    bytes: &[u8],
    limits: DecodeLimits,
) -> Result<PeerResponse, Garbage> {
    let document = Document::read(parser, bytes, limits)?;
    let [id, response_type, sockets, data, count, packet] =
        document.members(["requestId", "type", "sockets", "data", "clientCount", "packet"]);
    // Adapters 5.x answer each other, never us.
    let [id_of_5] = document.members(["requestid"]);
    let request_id = string(id.or(id_of_5)).ok_or(Garbage::Shape("requestId"))?.into_owned();
    let body = match number(response_type) {
        Some(6.0) => PeerResponseBody::ServerSide(data.map(ToOwned::to_owned)),
        Some(8.0) => PeerResponseBody::ClientCount(client_count(count)?),
        Some(9.0) => {
            let attachments = || document.attachments.clone();
            PeerResponseBody::Ack(packet.map(|it| AckValue {
                json: Bytes::copy_from_slice(it.as_bytes()),
                attachments: attachments(),
            }))
        }
        _ => match sockets.filter(|it| json::kind(it) == Kind::Array) {
            Some(list) => PeerResponseBody::Sockets(remote_sockets(list, limits)?),
            None => PeerResponseBody::Other,
        },
    };
    Ok(PeerResponse { request_id, body })
}

/// Decodes an answer to a request to count: the count, or the sockets that an instance tells of that
/// knows no such request. These are counted, however many they are; nothing is made of them.
///
/// # Errors
/// What makes the message no such answer.
pub fn decode_count(
    parser: Parser,
    bytes: &[u8],
    limits: DecodeLimits,
) -> Result<PeerCount, Garbage> {
    let document = Document::read(parser, bytes, limits)?;
    let [count, complete, sockets] = document.members(["count", "complete", "sockets"]);
    if count.is_some() {
        let sockets = whole_number(count).ok_or(Garbage::Shape("count"))?;
        return Ok(PeerCount { sockets, complete: complete == Some("true") });
    }
    let list = sockets.filter(|it| json::kind(it) == Kind::Array);
    let mut sockets = 0;
    for socket in json::elements(list.ok_or(Garbage::Shape("sockets"))?) {
        match json::kind(socket) {
            Kind::Object | Kind::String => sockets += 1,
            Kind::Null | Kind::Bool | Kind::Number | Kind::Array => {
                return Err(Garbage::Shape("sockets"));
            }
        }
    }
    Ok(PeerCount { sockets, complete: true })
}

/// A number that JavaScript counts by: an integer of at most 2^53 - 1.
fn whole_number(raw: Option<&str>) -> Option<u64> {
    const MAX: f64 = 9_007_199_254_740_991.0;
    let number = number(raw).filter(|it| (0.0..=MAX).contains(it) && it.fract() == 0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an integer between 0 and 2^53 - 1"
    )]
    number.map(|it| it as u64)
}

fn client_count(raw: Option<&str>) -> Result<u32, Garbage> {
    let count = number(raw).filter(|it| (0.0..=f64::from(u32::MAX)).contains(it));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 2^32 - 1, fractions are cut off"
    )]
    count.map(|it| it as u32).ok_or(Garbage::Shape("clientCount"))
}

/// The sockets of a list, up to the first that is beyond the bound: whoever keeps them sees by it
/// that there are more.
fn remote_sockets(list: &str, limits: DecodeLimits) -> Result<Vec<RemoteSocket>, Garbage> {
    let (mut sockets, mut bytes) = (Vec::new(), 0);
    for element in json::elements(list) {
        let socket = remote_socket(element, limits)?;
        bytes += socket.bytes();
        sockets.push(socket);
        if bytes > limits.fetch_bytes_max {
            break;
        }
    }
    Ok(sockets)
}

/// A socket, or its id alone as adapters up to 7.2 list them.
fn remote_socket(raw: &str, limits: DecodeLimits) -> Result<RemoteSocket, Garbage> {
    let [id, handshake, rooms, data] = members(raw, ["id", "handshake", "rooms", "data"]);
    let id = string(id.or(Some(raw))).ok_or(Garbage::Shape("sockets"))?;
    let json_or_null = |it: Option<&str>| it.unwrap_or("null").to_owned();
    Ok(RemoteSocket {
        id: String::from_utf8_lossy(&id).into_owned(),
        handshake_json: json_or_null(handshake),
        rooms: RoomList::from_json(rooms, limits.rooms_max)?.rooms,
        data_json: json_or_null(data),
    })
}
