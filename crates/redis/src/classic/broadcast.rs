//! Broadcasts: `[uid, packet, {rooms, except, flags}]` in the form of the cluster's parser.

use relay_hub::{Audience, Broadcast, Packet};
use relay_socketio::json::{self, Kind};
use relay_socketio::msgpack::{Reader, Token, Value, read_value, write_array_header, write_str};

use super::document::{DecodeLimits, members, number, string};
use super::event::{Refused, packet, write_packet};
use super::garbage::Garbage;
use super::id::{ShortId, bounded};
use super::options::{Flags, Options, write_options};
use super::parser::{Form, Parser};

/// A broadcast of another instance, or of an emitter outside of the cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerBroadcast {
    /// Who sends it: its id in this namespace, of any bytes.
    pub sender: Box<[u8]>,
    /// What is sent.
    pub packet: Packet,
    /// Who gets it.
    pub audience: Audience,
    /// How.
    pub flags: Flags,
}

/// What a message on a channel of broadcasts turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// Something for the sockets of this instance.
    Broadcast(PeerBroadcast),
    /// What this instance sent itself: Redis tells everybody.
    Own,
    /// It is about another namespace, whose name continues ours.
    OtherNamespace,
    /// It addresses what cannot be a room, or rooms where nobody is.
    Nobody,
}

/// Decodes a message on a channel of broadcasts of `namespace`, where this instance is `uid`. Its
/// own are known at once, whatever their size.
///
/// # Errors
/// What makes the message none.
pub fn decode_broadcast(
    parser: Parser,
    bytes: &[u8],
    uid: &ShortId,
    namespace: &str,
    limits: DecodeLimits,
) -> Result<Heard, Garbage> {
    decode_broadcast_for(parser, bytes, uid, namespace, limits, |_| true)
}

/// The same, if `is_wanted` says that the audience may have somebody here; otherwise nothing is made
/// of the packet, not even whether it is one.
///
/// # Errors
/// What makes the message none.
pub fn decode_broadcast_for(
    parser: Parser,
    bytes: &[u8],
    uid: &ShortId,
    namespace: &str,
    limits: DecodeLimits,
    is_wanted: impl FnOnce(&Audience) -> bool,
) -> Result<Heard, Garbage> {
    match parser.form() {
        Form::Json => from_json(bytes, uid, namespace, limits, is_wanted),
        Form::Msgpack(library) => from_msgpack(
            Reader::new(bytes, library),
            bytes.len(),
            uid,
            namespace,
            limits,
            is_wanted,
        ),
    }
}

fn from_msgpack(
    mut reader: Reader<'_>,
    message_bytes: usize,
    uid: &ShortId,
    namespace: &str,
    limits: DecodeLimits,
    is_wanted: impl FnOnce(&Audience) -> bool,
) -> Result<Heard, Garbage> {
    let Token::Array(3) = reader.token()? else { return Err(Garbage::Shape("message")) };
    let sender = match reader.whole()? {
        Token::Str(sender) if sender == uid.as_bytes() => return Ok(Heard::Own),
        Token::Str(sender) => sender,
        // Node takes anything; nobody sends anything else.
        _ => return Err(Garbage::Shape("uid")),
    };
    if message_bytes > limits.message_bytes_max {
        return Err(Garbage::TooLarge);
    }
    bounded(sender)?;
    let mut packet_reader = reader;
    reader.whole()?;
    let options = Options::from_msgpack(&mut reader, limits.rooms_max)?;
    reader.finish()?;
    let Some(audience) = options.audience.filter(is_wanted) else { return Ok(Heard::Nobody) };
    let (data, is_here) = read_packet(&mut packet_reader, namespace, limits)?;
    if !is_here {
        return Ok(Heard::OtherNamespace);
    }
    let packet = packet(data, limits)?;
    let sender = sender.into();
    Ok(Heard::Broadcast(PeerBroadcast { sender, packet, audience, flags: options.flags }))
}

/// The `data` of a packet, and whether it is for `namespace`; a packet without one is for `/`.
fn read_packet(
    reader: &mut Reader<'_>,
    namespace: &str,
    limits: DecodeLimits,
) -> Result<(Value, bool), Garbage> {
    let Token::Map(count) = reader.token()? else { return Err(Garbage::Shape("packet")) };
    let (mut packet_type, mut data, mut is_here) = (None, None, namespace == "/");
    for _ in 0..count {
        match reader.whole()? {
            Token::Str(b"type") => packet_type = Some(reader.whole()?),
            Token::Str(b"nsp") => {
                is_here = match reader.whole()? {
                    Token::Str(name) => name == namespace.as_bytes(),
                    Token::Undefined => namespace == "/",
                    _ => false,
                };
            }
            Token::Str(b"data") => {
                data = Some(read_value(reader, limits.attachments_max, limits.depth_max)?);
            }
            _ => {
                reader.whole()?;
            }
        }
    }
    if !is_here {
        let nothing = Value { json: String::new(), depth: 0, attachments: Vec::new() };
        return Ok((data.unwrap_or(nothing), false));
    }
    if !matches!(packet_type, Some(Token::Number(it)) if is_event_type(it)) {
        return Err(Garbage::Shape("type"));
    }
    Ok((data.ok_or(Garbage::Shape("data"))?, true))
}

fn from_json(
    bytes: &[u8],
    uid: &ShortId,
    namespace: &str,
    limits: DecodeLimits,
    is_wanted: impl FnOnce(&Audience) -> bool,
) -> Result<Heard, Garbage> {
    if begins_with_uid(bytes, uid) {
        return Ok(Heard::Own);
    }
    if bytes.len() > limits.message_bytes_max {
        return Err(Garbage::TooLarge);
    }
    // As Node does before it parses.
    let text = String::from_utf8_lossy(bytes);
    let checked = json::check(&text).map_err(|_| Garbage::Encoding)?;
    let mut parts = json::elements(&text);
    let (Some(sender), Some(raw_packet), Some(options), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Garbage::Shape("message"));
    };
    let sender = string(Some(sender)).ok_or(Garbage::Shape("uid"))?;
    if *sender == *uid.as_bytes() {
        return Ok(Heard::Own);
    }
    bounded(&sender)?;
    let options = Options::from_json(options, limits.rooms_max)?;
    let Some(audience) = options.audience.filter(is_wanted) else { return Ok(Heard::Nobody) };
    if json::kind(raw_packet) != Kind::Object {
        return Err(Garbage::Shape("packet"));
    }
    let [packet_type, name, data] = members(raw_packet, ["type", "nsp", "data"]);
    let is_here = match name {
        Some(_) => string(name).is_some_and(|it| *it == *namespace.as_bytes()),
        None => namespace == "/",
    };
    if !is_here {
        return Ok(Heard::OtherNamespace);
    }
    if !number(packet_type).is_some_and(is_event_type) {
        return Err(Garbage::Shape("type"));
    }
    let data = data.ok_or(Garbage::Shape("data"))?;
    // It is not deeper than what it is in.
    let depth = if checked.depth <= limits.depth_max {
        checked.depth
    } else {
        json::check(data).map_err(|_| Garbage::Encoding)?.depth
    };
    let packet = packet(Value { json: data.to_owned(), depth, attachments: Vec::new() }, limits)?;
    let sender = sender.as_ref().into();
    Ok(Heard::Broadcast(PeerBroadcast { sender, packet, audience, flags: options.flags }))
}

/// Whether it begins as what this instance sends.
fn begins_with_uid(message: &[u8], uid: &ShortId) -> bool {
    let rest = message.strip_prefix(b"[\"").and_then(|it| it.strip_prefix(uid.as_bytes()));
    rest.is_some_and(|it| it.starts_with(b"\","))
}

/// Servers of Socket.IO 2 tell events with binaries by a type of their own.
fn is_event_type(packet_type: f64) -> bool {
    packet_type == 2.0 || packet_type == 5.0
}

/// Appends a broadcast of this instance, which is `uid` in `namespace`.
///
/// # Errors
/// What makes it unfit for the other instances; then nothing is appended.
pub fn write_broadcast(
    out: &mut Vec<u8>,
    parser: Parser,
    uid: &ShortId,
    namespace: &str,
    broadcast: &Broadcast,
    bytes_max: usize,
) -> Result<(), Refused> {
    let begin = out.len();
    match parser.form() {
        Form::Json => {
            out.push(b'[');
            json::write_string(out, uid.as_str());
            out.push(b',');
        }
        Form::Msgpack(_) => {
            write_array_header(out, 3);
            write_str(out, uid.as_bytes());
        }
    }
    let written = write_packet(out, parser, namespace, &broadcast.packet, bytes_max);
    if written.is_err() {
        out.truncate(begin);
        return written;
    }
    let flags = Flags { volatile: broadcast.volatile, ..Flags::default() };
    if let Form::Json = parser.form() {
        out.push(b',');
    }
    write_options(out, parser, &broadcast.audience, flags);
    if let Form::Json = parser.form() {
        out.push(b']');
    }
    Ok(())
}
