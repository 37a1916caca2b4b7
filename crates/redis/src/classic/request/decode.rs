//! Reading requests: every form that an adapter or an emitter has ever sent.

use relay_hub::{Audience, Packet};
use relay_socketio::json::{self, Kind};
use relay_socketio::msgpack::Value;

use super::{AnswerKind, Change, PeerRequest, PeerRequestBody, RequestType};
use crate::classic::document::{DecodeLimits, Document, defined, members, number, string};
use crate::classic::event::{is_event, packet};
use crate::classic::garbage::Garbage;
use crate::classic::id::{PeerRequestId, ShortId, Spelling, bounded};
use crate::classic::options::Options;
use crate::classic::parser::Parser;
use crate::classic::rooms::{RoomList, room_from_json};

impl RequestType {
    fn current(number: f64) -> Option<Self> {
        const TYPES: [RequestType; 8] = [
            RequestType::Sockets,
            RequestType::AllRooms,
            RequestType::Join,
            RequestType::Leave,
            RequestType::Disconnect,
            RequestType::Fetch,
            RequestType::ServerSideEmit,
            RequestType::Broadcast,
        ];
        TYPES.into_iter().find(|it| f64::from(*it as u8) == number)
    }

    fn of_version_5(number: f64) -> Option<Self> {
        const TYPES: [RequestType; 7] = [
            RequestType::Sockets,
            RequestType::RoomsOf,
            RequestType::AllRooms,
            RequestType::Join,
            RequestType::Leave,
            RequestType::Custom,
            RequestType::Disconnect,
        ];
        (0_u8..).zip(TYPES).find(|(at, _)| f64::from(*at) == number).map(|(_, it)| it)
    }
}

/// Decodes a message on a channel of requests.
///
/// # Errors
/// What makes the message no request at all.
pub fn decode_request(
    parser: Parser,
    bytes: &[u8],
    limits: DecodeLimits,
) -> Result<PeerRequest, Garbage> {
    let document = Document::read(parser, bytes, limits)?;
    let [uid, request_type, current, of_version_5] =
        document.members(["uid", "type", "requestId", "requestid"]);
    let (id, spelling) = match (string(current), string(of_version_5)) {
        (None, Some(id)) => (Some(id), Spelling::Version5),
        (id, _) => (id, Spelling::Current),
    };
    for id in id.iter().chain(&string(uid)) {
        bounded(id)?;
    }
    let request_type = number(request_type).ok_or(Garbage::Shape("type"))?;
    let request_type = match spelling {
        Spelling::Current => RequestType::current(request_type),
        Spelling::Version5 => RequestType::of_version_5(request_type),
    };
    let request_type = request_type.ok_or(Garbage::UnknownType)?;
    let id = id.map(|text| PeerRequestId { text: text.into_owned().into(), spelling });
    let uid = string(uid).map(|text| String::from_utf8_lossy(&text).into_owned());
    Ok(PeerRequest { uid, body: body(request_type, id, &document, limits)? })
}

fn body(
    request_type: RequestType,
    id: Option<PeerRequestId>,
    document: &Document<'_>,
    limits: DecodeLimits,
) -> Result<PeerRequestBody, Garbage> {
    let awaited = |id: Option<PeerRequestId>| id.ok_or(Garbage::Shape("requestId"));
    Ok(match request_type {
        RequestType::Sockets => {
            let id = awaited(id)?;
            match RoomList::from_json(document.members(["rooms"])[0], limits.rooms_max) {
                Ok(rooms) => {
                    PeerRequestBody::Sockets { id, audience: rooms.audience(RoomList::default()) }
                }
                Err(why) => PeerRequestBody::Unusable { id, answer: AnswerKind::Ids, why },
            }
        }
        RequestType::AllRooms => PeerRequestBody::AllRooms { id: awaited(id)? },
        RequestType::RoomsOf => {
            let socket = string(document.members(["sid"])[0]).ok_or(Garbage::Shape("sid"))?;
            PeerRequestBody::RoomsOf { id: awaited(id)?, socket: socket.into_owned().into() }
        }
        RequestType::Custom => PeerRequestBody::Custom { id: awaited(id)? },
        RequestType::Join | RequestType::Leave | RequestType::Disconnect => {
            change(request_type, id, document, limits)?
        }
        RequestType::Fetch => {
            let id = awaited(id)?;
            let counts_for = counts_for(document);
            match (options(document, limits), counts_for) {
                (Ok(Options { audience, .. }), Some(asker)) => {
                    PeerRequestBody::Count { asker, id, audience }
                }
                (Ok(Options { audience, .. }), None) => PeerRequestBody::Fetch { id, audience },
                (Err(why), asker) => {
                    let answer = asker.map_or(AnswerKind::Sockets, AnswerKind::Count);
                    PeerRequestBody::Unusable { id, answer, why }
                }
            }
        }
        RequestType::ServerSideEmit => server_side_emit(id, document, limits)?,
        RequestType::Broadcast => {
            let id = awaited(id)?;
            match broadcast(document, limits) {
                Ok((packet, Options { audience, flags })) => {
                    PeerRequestBody::Broadcast { id, packet, audience, flags }
                }
                Err(why) => PeerRequestBody::Unusable { id, answer: AnswerKind::ClientCount, why },
            }
        }
    })
}

fn options(document: &Document<'_>, limits: DecodeLimits) -> Result<Options, Garbage> {
    let [raw] = document.members(["opts"]);
    Options::from_json(raw.ok_or(Garbage::Shape("opts"))?, limits.rooms_max)
}

/// Who wants to know no more of the sockets that it asks for than how many they are.
fn counts_for(document: &Document<'_>) -> Option<ShortId> {
    let [relay, uid] = document.members(["relay", "uid"]);
    // The channel of the answer is made of its id: an id of another shape is not one of ours.
    ShortId::parse(&string(uid)?).filter(|_| string(relay).as_deref() == Some(b"count"))
}

/// A change of the sockets of an audience, or in the old form of one socket. An old adapter also
/// waits until the one who has that socket confirms.
fn change(
    request_type: RequestType,
    id: Option<PeerRequestId>,
    document: &Document<'_>,
    limits: DecodeLimits,
) -> Result<PeerRequestBody, Garbage> {
    let [opts, rooms, socket, room, close] =
        document.members(["opts", "rooms", "sid", "room", "close"]);
    let (audience, rooms, confirm) = match (defined(opts), socket) {
        (Some(opts), _) => {
            let options = Options::from_json(opts, limits.rooms_max)?;
            (options.audience, RoomList::from_json(rooms, limits.rooms_max)?.rooms, None)
        }
        (None, Some(socket)) => {
            let socket = room_from_json(socket).ok_or(Garbage::Shape("sid"))?;
            let rooms = room.and_then(room_from_json).into_iter().collect();
            (Some(Audience::rooms(vec![socket])), rooms, id)
        }
        (None, None) => return Err(Garbage::Shape("opts")),
    };
    let Some(audience) = audience else { return Ok(PeerRequestBody::ChangeNobody) };
    let change = match request_type {
        RequestType::Join => Change::Join(rooms),
        RequestType::Leave => Change::Leave(rooms),
        _ => Change::Disconnect { close: close == Some("true") },
    };
    Ok(PeerRequestBody::Change { audience, change, confirm })
}

fn server_side_emit(
    id: Option<PeerRequestId>,
    document: &Document<'_>,
    limits: DecodeLimits,
) -> Result<PeerRequestBody, Garbage> {
    let [data] = document.members(["data"]);
    let data = data.unwrap_or_default();
    let is_usable = document.attachments.is_empty() && is_event(data, &[]);
    let why = match json::check(data) {
        Ok(checked) if checked.depth > limits.depth_max => Garbage::TooDeep,
        Ok(_) if is_usable => {
            return Ok(PeerRequestBody::ServerSideEmit { id, args: data.to_owned() });
        }
        Ok(_) | Err(_) => Garbage::Shape("data"),
    };
    let id = id.ok_or(why)?;
    Ok(PeerRequestBody::Unusable { id, answer: AnswerKind::ServerSide, why })
}

fn broadcast(document: &Document<'_>, limits: DecodeLimits) -> Result<(Packet, Options), Garbage> {
    let [raw] = document.members(["packet"]);
    let raw = raw.filter(|it| json::kind(it) == Kind::Object).ok_or(Garbage::Shape("packet"))?;
    let [data] = members(raw, ["data"]);
    let data = data.ok_or(Garbage::Shape("data"))?;
    let depth = json::check(data).map_err(|_| Garbage::Encoding)?.depth;
    let data = Value { json: data.to_owned(), depth, attachments: document.attachments.clone() };
    Ok((packet(data, limits)?, options(document, limits)?))
}
