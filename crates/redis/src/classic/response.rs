//! Answers of peers to requests of this instance.

use relay_hub::{AckValue, Bytes, Room};
use relay_socketio::json::{self, Kind};

use super::document::{DecodeLimits, Document, members, number, string};
use super::garbage::Garbage;
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

/// Decodes a message on a channel of answers.
///
/// # Errors
/// What makes the message no answer.
pub fn decode_response(bytes: &[u8], limits: DecodeLimits) -> Result<PeerResponse, Garbage> {
    let document = Document::read(bytes, limits)?;
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
            Some(list) => PeerResponseBody::Sockets(
                json::elements(list)
                    .map(|it| remote_socket(it, limits))
                    .collect::<Result<_, _>>()?,
            ),
            None => PeerResponseBody::Other,
        },
    };
    Ok(PeerResponse { request_id, body })
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
